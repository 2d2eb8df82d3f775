"""An emulated venue as an account of a desk: what stands under `[brokers]`, and where its keys lie.

Lives here: the settings. Not here: the emulator (emulator.py), what its addresses are called (the venue's folder).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workbench.testbed.venue import venue_package

__all__ = ["UNLIMITED", "account_at", "write_keys"]

UNLIMITED: Final = 1_000_000_000


def write_keys(folder: Path, name: str, facts: Mapping[str, Any]) -> str:
    """Put an emulator's keys into the secrets folder, for nobody else to read; how the settings refer to them."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as out:
        out.write(f'key = "{facts["key"]}"\nsecret = "{facts["secret"]}"\n')
    return f"file:{name}"


def account_at(facts: Mapping[str, Any], credentials: str, *, limited: bool = True) -> dict[str, Any]:
    """A section of `[brokers]` for the venue that printed `facts` (`workbench emulate VENUE --json`); not `limited`
    when the emulator's limits are lifted as well."""
    venue = str(facts["venue"])
    package = venue_package(venue)
    addresses = package.adapter_addresses(facts)
    account: dict[str, Any] = {"venue": venue, "credentials": credentials, "addresses": addresses}
    options = getattr(package, "adapter_options", None)
    if options is not None and (chosen := options(facts)):
        account["options"] = chosen
    return account if limited else {**account, "limits": {"*": UNLIMITED}}
