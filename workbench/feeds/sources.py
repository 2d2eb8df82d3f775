"""Finding and opening recorded data: data sets by name, symbols, files, frames.

Lives here: where data sets lie, what a name means, spans given as dates. Not here: file formats (files.py),
checks (checks.py), taking new files in (importer.py).

A name is looked for as a data set (`data/NAME.parquet` of the project, of an installed package, of the
workbench's home), then as a symbol that a data set holds; the project's own sample comes first.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from workbench.errors import BadValue, UnknownName
from workbench.feeds.calendars import known_calendar, zone_of
from workbench.feeds.checks import check_columns
from workbench.feeds.columns import guess_calendar
from workbench.feeds.files import (
    DataSet,
    instruments_of,
    is_data_file,
    read_columns,
    read_facts,
    sessions_of,
    unknown_file,
)
from workbench.feeds.recording import Recording
from workbench.model import to_e8

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataSet", "data_folders", "list_data", "moment_ns", "open_data", "open_set"]

type Moment = str | int | date | datetime

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folders(home: Path | None = None) -> list[Path]:
    """Where data sets lie, strongest first: the project's `data/` (or the copy inside an installed package),
    then `data/` of the workbench's home."""
    from workbench.config import home_folder  # settings cost more to import than all of this room

    project = _PACKAGE.parent
    own = project / "data" if (project / "pyproject.toml").exists() else _PACKAGE / "sample_data"
    return [own, (home_folder() if home is None else home) / "data"]


def list_data(home: Path | None = None) -> list[DataSet]:
    """Every data set there is, by folder and name; read from the files' footers, so it is quick."""
    found: dict[str, DataSet] = {}
    for folder in data_folders(home):
        for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else ():
            facts = read_facts(path)
            found.setdefault(facts.name, facts)
    return list(found.values())


def open_data(
    source: "str | Path | pd.DataFrame | Recording",
    symbols: Sequence[str] | str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    *,
    tz: str = "",
    stamp: str = "end",
    calendar: str = "",
    symbol: str = "",
    adjusted: bool = False,
    tick: "float | Mapping[str, float]" = 0.0,
    lot: "float | Mapping[str, float]" = 0.0,
    home: Path | None = None,
) -> Recording:
    """A recorded market from a data set's name ("spy_1m_2020-12"), a symbol ("SPY"), a Parquet or CSV file, a
    DataFrame, or a recording (then only narrowed).

    `start` and `end` are dates ("2020-12-16": the exchange's whole days), times ("2020-12-16 10:30": its wall
    time unless they carry a zone), or UTC nanoseconds; both included. `tz`, `stamp` (times are the "end" or the
    "start" of the bar, or the date of its "session"), `calendar` and `symbol` say what a file or frame does not say
    itself. `adjusted` scales the prices by the file's column `adj_close`; splits and dividends are then in them.
    `tick` and `lot` are the steps of prices and quantities, of all symbols or by symbol; 0 takes those of the data set,
    else the coarsest grids that the figures lie on. Rows on Saturdays make the calendar "24/7", unless one is given.

    Raises:
        UnknownName: no such data, symbol, column or calendar, with the nearest one.
        BadValue: an impossible date or span, or times without a zone.
        DataRefused: rows that cannot be traded on.

    >>> open_data("SPY", start="2020-12-16", end="2020-12-16")
    <Recording spy_1m_2020-12: 391 rows of SPY, 2020-12-16 14:31:00 to 2020-12-16 21:01:00 UTC>
    """
    wanted = [symbols] if isinstance(symbols, str) else None if symbols is None else list(symbols)
    if calendar:
        known_calendar(calendar)
    recording, implied = _opened(source, _Reading(tz, stamp, calendar, symbol, adjusted), home)
    recording = _on_grids(recording, tick, lot)
    wanted = wanted or implied
    if wanted is None and start is None and end is None:
        return recording
    exchange = recording.instruments[0].calendar
    start_ns = None if start is None else moment_ns("start", start, exchange)
    end_ns = None if end is None else moment_ns("end", end, exchange)
    if start_ns is not None and end_ns is not None and end_ns < start_ns:
        raise BadValue("end", end, f"give a moment not before start {start}")
    return recording.select(wanted, start_ns, end_ns)


class _Reading(NamedTuple):
    """How a file or frame is to be understood."""

    tz: str = ""
    stamp: str = "end"
    calendar: str = ""
    symbol: str = ""
    adjusted: bool = False


def _opened(
    source: "str | Path | pd.DataFrame | Recording", reading: _Reading, home: Path | None
) -> tuple[Recording, list[str] | None]:
    """The recording, and the symbols the source's name itself asks for."""
    if isinstance(source, Recording):
        return _as_it_is(source, source.name, reading), None
    if not isinstance(source, str | Path):
        return _from_file(source, "frame", reading), None
    path = Path(source).expanduser()
    if is_data_file(path):
        if not path.exists():
            raise unknown_file(path)
        if (
            path.suffix == ".parquet"
            and reading._replace(symbol="") == _Reading()
            and (facts := read_facts(path)).is_ours
        ):
            return open_set(facts), None
        return _from_file(path, path.stem, reading), None
    name = str(source)
    bundled = list_data(home)
    for facts in bundled:
        if facts.name == name:
            return _as_it_is(open_set(facts), name, reading), None
    for facts in bundled:
        if name in facts.symbols:
            return _as_it_is(open_set(facts), name, reading), [name]
    known = {facts.name for facts in bundled} | {symbol for facts in bundled for symbol in facts.symbols}
    raise UnknownName("data", name, known, "Give one of these, or the path of a .parquet or .csv file")


def open_set(facts: DataSet) -> Recording:
    """The rows of a data set, checked again: a file may have been changed since it was imported."""
    if not facts.is_ours:
        return _from_file(facts.path, facts.name, _Reading())
    columns = read_columns(facts.path)
    check_columns(columns).refuse(str(facts.path))
    return Recording.merged(
        facts.name,
        columns,
        instruments=instruments_of(facts.facts),
        sessions=sessions_of(facts.facts),
        bar_ns=facts.facts["bar_ns"] or None,
    )


def _as_it_is(recording: Recording, name: str, reading: _Reading) -> Recording:
    """A recording says itself how it is to be understood."""
    for field, given, plain in zip(_Reading._fields, reading, _Reading(), strict=True):
        if given != plain and field != "symbol":
            raise BadValue(field, given, f"data '{name}' is understood already: leave it out")
    return recording


def _on_grids(recording: Recording, tick: Any, lot: Any) -> Recording:
    """The same rows, with other steps of prices and quantities; 0 leaves what is there."""
    ticks, lots = (_steps(recording, field, given) for field, given in (("tick", tick), ("lot", lot)))
    return recording.on_grid(ticks, lots) if any(ticks) or any(lots) else recording


def _steps(recording: Recording, field: str, given: Any) -> list[int]:
    """The step of every symbol in 1e-8; 0 where none is given."""
    known = recording.symbols
    steps = dict(given) if isinstance(given, Mapping) else dict.fromkeys(known, given)
    for symbol, step in steps.items():
        if symbol not in known:
            raise UnknownName(f"symbol of {field}", symbol, known)
        numeric = isinstance(step, int | float | np.number) and not isinstance(step, bool)
        if not numeric or not (step == 0 or 1e-8 <= step < 1e6):
            raise BadValue(field, step, "give a step above 0 (at least 1e-8), or 0 for the data's own")
    return [to_e8(float(steps.get(symbol, 0.0))) for symbol in known]


def _from_file(source: "Path | pd.DataFrame", name: str, reading: _Reading) -> Recording:
    columns = read_columns(source, **reading._asdict())
    check_columns(columns).refuse(str(source) if isinstance(source, Path) else name)
    calendar = reading.calendar or guess_calendar(columns.ts_ns)
    return Recording.merged(name, columns, calendar=calendar)


def moment_ns(field: str, value: Any, calendar: str = "XNYS") -> int:
    """UTC nanoseconds of a date, a time or a number; a date means its first ("start") or last ("end") instant.

    >>> moment_ns("start", "2020-12-16 10:30", "XNYS")
    1608132600000000000
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, np.datetime64):
        value = str(value.astype("datetime64[us]"))[: 10 if value.dtype == "datetime64[D]" else None]
    if not isinstance(value, str | date):
        raise BadValue(
            field, value, "give a date like 2020-12-15, a time like '2020-12-15 10:30', or ns since 1970"
        )
    text = value.isoformat() if isinstance(value, date) else value.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        advice = f"give a date like 2020-12-15 or a time like '2020-12-15 10:30' ({error})"
        raise BadValue(field, value, advice) from error
    whole_day = len(text) <= 10 and ":" not in text
    if whole_day and field == "end":
        moment += timedelta(days=1)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone_of(calendar)))
    since = moment.astimezone(ZoneInfo("UTC")) - datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))
    ns = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
    # the bar that closes at midnight is the day's last, so a day runs from just after midnight to midnight
    return ns + 1 if whole_day and field == "start" else ns
