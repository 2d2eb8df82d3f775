"""Brokers by folder: every package below this one is one, and offers `open_broker(settings)`; but for `pool`, on which
they stand."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, cast

from workbench.errors import UnknownName

if TYPE_CHECKING:
    from workbench.brokers.contract import Broker
    from workbench.config import Settings
    from workbench.model.instrument import Instrument

__all__ = ["find_brokers", "open_broker"]

_PACKAGE = "workbench.brokers"
_SHARED = frozenset({"pool"})


def find_brokers() -> list[str]:
    """The names of all brokers there are, without importing them.

    >>> "sim" in find_brokers()
    True
    """
    entries = iter_modules(import_module(_PACKAGE).__path__)
    return sorted(entry.name for entry in entries if entry.ispkg and entry.name not in _SHARED)


def open_broker(
    name: str, settings: "Settings", *, account: str = "", instruments: "Sequence[Instrument]" = ()
) -> "Broker":
    """A broker for `instruments`, not connected yet; `account` is a name under `[brokers]` (empty: the first one
    there).

    Raises:
        UnknownName: no such folder, with the nearest one.
    """
    known = find_brokers()
    if name not in known:
        raise UnknownName("broker", name, known)
    package = import_module(f"{_PACKAGE}.{name}")
    make = cast("Callable[..., Broker]", package.open_broker)
    more = {"account": account, "instruments": instruments} if account or instruments else {}
    return make(settings, **more)
