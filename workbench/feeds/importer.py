"""Taking files in: read, checked, repaired only as asked, written as a data set below the workbench's home.

Lives here: the steps of an import and of a check, as functions with typed results (`workbench data` shows them).
Not here: reading (files.py, frames.py), judging (checks.py), listing (sources.py).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds.calendars import Sessions, sessions_between
from workbench.feeds.checks import CheckReport, check_columns, repair_columns
from workbench.feeds.columns import Columns
from workbench.feeds.files import (
    DataSet,
    is_data_file,
    read_columns,
    read_facts,
    sessions_of,
    unknown_file,
    write_set,
)
from workbench.feeds.recording import Recording
from workbench.feeds.sources import data_folders, list_data
from workbench.model.instrument import Instrument
from workbench.model.scale import to_e8

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImportResult", "check_data", "import_data"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import wrote, what was found in the rows written (gaps at most), and the rows each repair touched."""

    data: DataSet
    report: CheckReport
    repaired: dict[str, int]


def import_data(
    source: "str | Path | pd.DataFrame",
    *,
    name: str,
    symbol: str = "",
    tz: str = "",
    stamp: str = "end",
    calendar: str = "XNYS",
    tick: float = 0.0,
    lot: float = 0.0,
    repair: Collection[str] = (),
    origin: str = "",
    licence: str = "",
    replace: bool = False,
    home: Path | None = None,
) -> ImportResult:
    """Take a CSV or Parquet file, or a frame, in as the data set `name`; `open_data(name)` finds it from then on.

    `symbol` names the rows of a file that has no symbol column; `tz` is the zone of times that carry none;
    `stamp` says whether a bar's time is its "end", its "start", or a "session"'s date; `tick` and `lot` 0 take
    the coarsest grid the figures lie on; `repair` names what may be mended (see `checks.REPAIRS`).

    Raises:
        DataRefused: rows that cannot be traded on and that no named repair mends; nothing is written.
        UnknownName, BadValue, BadInput: a file, column, zone, calendar, repair or name that is not right.
    """
    target = _target(name, replace, home)
    columns = _read(source, tz=tz, stamp=stamp, symbol=symbol, calendar=calendar)
    if not len(columns):
        raise BadInput(f"data file '{_shown(source)}' holds no rows: give a file with data")
    columns, repaired = repair_columns(columns, repair)
    if not len(columns):
        raise BadInput(f"data file '{_shown(source)}' holds no row that is left after {sorted(repair)}")
    sessions = _sessions(columns, calendar)
    report = check_columns(columns, sessions)
    report.refuse(_shown(source))
    guessed = Recording.merged(name, columns, calendar=calendar).instruments
    instruments = [_on_grid(instrument, tick, lot) for instrument in guessed]
    words = {
        "origin": origin or Path(_shown(source)).name,
        "licence": licence or "not stated",
        "source_time": f"{stamp} {tz}",
    }
    return ImportResult(write_set(target, columns, instruments, sessions, **words), report, repaired)


def check_data(
    source: "str | Path | pd.DataFrame",
    *,
    symbol: str = "",
    tz: str = "",
    stamp: str = "end",
    calendar: str = "",
    home: Path | None = None,
) -> CheckReport:
    """Everything that is wrong with, or worth knowing of, a data set, a file or a frame; nothing is changed.

    Without `calendar` a file's gaps are judged by their length alone; data sets carry their sessions.

    Raises:
        UnknownName: no such data set or file.
    """
    if isinstance(source, str | Path) and not is_data_file(Path(source)):
        sets = list_data(home)
        symbols = {
            symbol: facts for facts in reversed(sets) for symbol in facts.symbols
        }  # the first one wins
        found = symbols | {facts.name: facts for facts in sets}
        if str(source) not in found:
            raise UnknownName("data", source, found, "Or give the path of a .parquet or .csv file")
        source = found[str(source)].path
    columns = _read(source, tz=tz, stamp=stamp, symbol=symbol, calendar=calendar)
    sessions = _sessions(columns, calendar) if calendar and len(columns) else None
    if sessions is None and isinstance(source, str | Path) and str(source).endswith(".parquet"):
        facts = read_facts(Path(source).expanduser())
        sessions = sessions_of(facts.facts) if facts.is_ours else None
    return check_columns(columns, sessions)


def _read(source: "str | Path | pd.DataFrame", *, tz: str, stamp: str, symbol: str, calendar: str) -> Columns:
    if not isinstance(source, str | Path):
        return read_columns(source, tz=tz, stamp=stamp, symbol=symbol, calendar=calendar)
    path = Path(source).expanduser()
    if not path.is_file():
        raise unknown_file(path)
    if not is_data_file(path):
        raise BadValue("file", path.name, "give a .parquet, .csv, .csv.gz or .csv.zip file")
    return read_columns(path, tz=tz, stamp=stamp, symbol=symbol, calendar=calendar)


def _sessions(columns: Columns, calendar: str) -> Sessions:
    return sessions_between(calendar, int(columns.ts_ns.min()), int(columns.ts_ns.max()))


def _target(name: str, replace: bool, home: Path | None) -> Path:
    if not _NAME.fullmatch(name):
        raise BadValue("name", name, "give 1 to 64 letters, digits, dots, dashes or underscores")
    own, imported = data_folders(home)
    for facts in list_data(home):
        if facts.path.parent == own and (name == facts.name or name in facts.symbols):
            raise BadValue(
                "name", name, f"the bundled sample '{facts.name}' answers to it: give another name"
            )
    target = imported / f"{name}.parquet"
    if target.exists() and not replace:
        raise BadValue("name", name, "this data set exists: give another name, or ask for it to be replaced")
    return target


def _on_grid(was: Instrument, tick: float, lot: float) -> Instrument:
    tick_e8, lot_e8 = to_e8(tick) if tick else was.tick_e8, to_e8(lot) if lot else was.lot_e8
    return Instrument(was.iid, was.symbol, was.venue, was.currency, tick_e8, lot_e8, was.calendar)


def _shown(source: "str | Path | pd.DataFrame") -> str:
    return str(source) if isinstance(source, str | Path) else "frame"
