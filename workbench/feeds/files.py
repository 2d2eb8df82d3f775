"""File formats: our Parquet data sets, and foreign Parquet, CSV and frames read into `Columns`.

Lives here: layout on disk and the facts a data set carries in its footer. Not here: where files lie (sources.py),
how foreign tables are understood (frames.py), who may write one (importer.py).

A data set is one Parquet file (zstd): `ts` timestamp[ns, UTC] (a bar's CLOSE), `symbol` string, then the kind's
columns as doubles (bars with splits or dividends have two more, see actions.py). Its footer key `workbench` holds the
facts below as JSON, trading sessions included, so that opening it builds no calendar.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import BadInput, UnknownName
from workbench.feeds.actions import ACTIONS
from workbench.feeds.calendars import Session, Sessions
from workbench.feeds.columns import FIELDS, Columns, Kind, bar_length_ns
from workbench.feeds.frames import columns_of_frame, columns_of_table
from workbench.model.instrument import Instrument

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DataSet",
    "instruments_of",
    "is_data_file",
    "read_columns",
    "read_facts",
    "sessions_of",
    "unknown_file",
    "write_set",
]

FORMAT: Final = 1
_KEY: Final = b"workbench"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a data file holds, without reading its rows. `is_ours` tells that it was written by this room;
    only then are `facts` complete."""

    name: str
    path: Path
    kind: Kind
    symbols: tuple[str, ...]
    rows: int
    start_ns: int
    end_ns: int
    is_ours: bool
    facts: dict[str, Any]


def is_data_file(path: Path) -> bool:
    """Whether a name is meant as a file this room reads.

    >>> is_data_file(Path("bars.csv.gz")), is_data_file(Path("SPY"))
    (True, False)
    """
    return path.name.lower().endswith((".parquet", ".csv", ".csv.gz", ".csv.zip"))


def unknown_file(path: Path) -> UnknownName:
    """What is said of a file that is not there: the nearest one beside it, and the folder it was looked for in."""
    folder = path.parent.resolve()
    beside = [p.name for p in folder.iterdir() if is_data_file(p)] if folder.is_dir() else []
    return UnknownName("data file", path.name, beside, f"Looked in {folder}", none="none is there")


def read_facts(path: Path) -> DataSet:
    """The facts of a Parquet file from its footer (for a foreign one from its columns).

    Raises:
        BadInput: not a Parquet file, or written by a later format.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"data file '{path}' cannot be read as Parquet: {_first_line(error)}") from error
    stored = (footer.metadata or {}).get(_KEY)
    if stored is not None:
        facts: dict[str, Any] = json.loads(stored)
        if facts["format"] > FORMAT:
            raise BadInput(
                f"data file '{path}' has format {facts['format']}, this workbench reads up to {FORMAT}"
            )
        symbols = tuple(entry["symbol"] for entry in facts["instruments"])
        span = facts["start_ns"], facts["end_ns"]
        return DataSet(path.stem, path, facts["kind"], symbols, footer.num_rows, *span, True, facts)
    columns = read_columns(path, tz="UTC")
    ends = (int(columns.ts_ns.min()), int(columns.ts_ns.max())) if len(columns) else (0, 0)
    return DataSet(path.stem, path, columns.kind, columns.symbols, footer.num_rows, *ends, False, {})


def read_columns(
    source: "Path | pd.DataFrame",
    *,
    tz: str = "",
    stamp: str = "end",
    symbol: str = "",
    calendar: str = "",
    adjusted: bool = False,
) -> Columns:
    """A file or a frame as columns, unchecked, in its own order.

    `tz` is the zone of times that carry none; `stamp` says what a bar's time is: "end", "start", or "session"
    (a date, meaning the close of that day's session of `calendar`); `symbol` names rows that name none (default:
    the file's stem in capitals). `adjusted` scales the prices by the column `adj_close`.

    Raises:
        BadInput: the file cannot be read. UnknownName: a needed column is missing. BadValue: times without a zone,
        or not to be understood.
    """
    if not isinstance(source, Path):
        return columns_of_frame(
            source, "frame", symbol or "DATA", tz=tz, stamp=stamp, calendar=calendar, adjusted=adjusted
        )
    fallback = symbol or source.name.split(".")[0].upper()
    if source.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(source) as file:  # `read_table` would import pandas, which costs a second
                table = file.read()
        except (pa.ArrowException, OSError) as error:
            raise BadInput(f"data file '{source}' cannot be read as Parquet: {_first_line(error)}") from error
        return columns_of_table(
            table, str(source), fallback, tz=tz, stamp=stamp, calendar=calendar, adjusted=adjusted
        )
    import pandas as pd

    try:
        frame = pd.read_csv(source, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"data file '{source}' cannot be read as CSV: {_first_line(error)}") from error
    return columns_of_frame(
        frame, str(source), fallback, tz=tz, stamp=stamp, calendar=calendar, first_line=2, adjusted=adjusted
    )


def write_set(
    path: Path, columns: Columns, instruments: Sequence[Instrument], sessions: Sessions, **words: str
) -> DataSet:
    """Write checked columns as a data set (into a temporary name first); `words` (origin, licence, ...) are kept
    in its footer as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {
        "format": FORMAT,
        "kind": columns.kind,
        "start_ns": int(columns.ts_ns.min()),
        "end_ns": int(columns.ts_ns.max()),
        "bar_ns": bar_length_ns(columns.ts_ns, columns.code) if columns.kind == "bars" else 0,
        "instruments": [
            {"symbol": i.symbol, "venue": i.venue, "currency": i.currency}
            | {"tick_e8": i.tick_e8, "lot_e8": i.lot_e8, "calendar": i.calendar}
            for i in instruments
        ],
        "calendar": sessions.calendar,
        "zone": sessions.zone,
        "auction_ns": sessions.auction_ns,
        "sessions": [[day.date, day.open_ns, day.close_ns, day.half_day] for day in sessions.days],
        "breaks": [list(span) for span in sessions.breaks],
        **words,
    }
    names = np.array(columns.symbols, dtype=object)[columns.code]
    arrays = [
        pa.array(columns.ts_ns, pa.int64()).cast(pa.timestamp("ns", "UTC")),
        pa.array(names, pa.string()),
    ]
    arrays += [pa.array(columns.values[:, at], pa.float64()) for at in range(columns.values.shape[1])]
    names_of = ["ts", "symbol", *FIELDS[columns.kind]]
    if columns.actions is not None:
        names_of += ACTIONS
        arrays += [pa.array(columns.actions[:, at], pa.float64()) for at in range(len(ACTIONS))]
    table = pa.table(dict(zip(names_of, arrays, strict=True)))
    table = table.replace_schema_metadata({_KEY: json.dumps(facts, separators=(",", ":"))})
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, part, compression="zstd")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):  # the error being reported is the one that matters
            part.unlink()
        raise BadInput(f"data file '{path}' cannot be written: {error.strerror}") from error
    return read_facts(path)


def instruments_of(facts: dict[str, Any]) -> list[Instrument]:
    """The instruments a data set names, numbered from 0."""
    return [Instrument(iid, **entry) for iid, entry in enumerate(facts["instruments"])]


def sessions_of(facts: dict[str, Any]) -> Sessions:
    """The trading sessions a data set carries."""
    days = tuple(Session(date, start, end, half) for date, start, end, half in facts["sessions"])
    breaks = tuple((start, end) for start, end in facts["breaks"])
    return Sessions(facts["calendar"], facts["zone"], days, breaks, facts["auction_ns"])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
