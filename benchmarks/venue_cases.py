"""Recorded requests, answers and signatures of venues against the adapters: how many were tried, how many held.

The recordings are not part of the project: VENUE_CASES names their folder (else `shared/brokers` beside the checkout).
A venue is one file in benchmarks/cases that offers `NAME` and `cases(folder)`: pairs of an id and a call that raises
when the case does not hold (None: it is about something the adapter does not do).
"""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["cases_folder", "held", "run", "venues"]


def cases_folder() -> Path | None:
    """Where the recordings are; None when there are none on this machine."""
    named = os.environ.get("VENUE_CASES")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "brokers"
    return folder if folder.is_dir() else None


def venues() -> list[Any]:
    """The venues whose recordings can be read."""
    here = Path(__file__).parent
    if str(here) not in sys.path:
        sys.path.insert(0, str(here))
    names = sorted(path.stem for path in (here / "cases").glob("[a-z]*.py"))
    return [importlib.import_module(f"cases.{name}") for name in names]


def held(venue: Any, folder: Path) -> dict[str, Any]:
    """One venue's count: `tried`, `held`, `not_ours`, and by id why a case did not hold."""
    tried, not_ours, failed = 0, 0, dict[str, str]()
    for name, check in venue.cases(folder):
        if check is None:
            not_ours += 1
            continue
        tried += 1
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
            failed[name] = f"{type(error).__name__}: {error}"[:300]
    return {"tried": tried, "held": tried - len(failed), "not_ours": not_ours, "failed": failed}


def run(say: Callable[[str], None]) -> dict[str, Any]:
    """By venue."""
    folder = cases_folder()
    if folder is None:
        say("no recordings here: set VENUE_CASES to their folder")
        return {}
    found = {venue.NAME: held(venue, folder) for venue in venues()}
    for name, figures in found.items():
        say(f"{name}: {figures['held']} of {figures['tried']} held")
    return found
