"""Understanding foreign tables: which column is what, and what their times mean. Nothing is guessed about zones.

Lives here: column names as sources spell them, time stamps of every common shape, bar start against bar end.
Not here: whether the figures make sense (checks.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds.actions import ACTIONS, tidied
from workbench.feeds.calendars import sessions_between
from workbench.feeds.columns import FIELDS, Columns, Kind, bar_length_ns, widened
from workbench.feeds.wide import one_row_a_symbol

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STAMPS", "columns_of_frame", "columns_of_table"]

STAMPS: Final = ("end", "start", "session")
_TIMES: Final = ("ts", "timestamp", "datetime", "date", "time", "ts_ns", "open_time", "close_time")
_SYMBOLS: Final = ("symbol", "ticker", "sym", "instrument")
_ALSO: Final = {
    "open": ("o",),
    "high": ("h",),
    "low": ("l",),
    "close": ("c", "last"),
    "volume": ("v", "vol"),
    "bid": ("bid_px", "bid_price"),
    "ask": ("ask_px", "ask_price"),
    "price": ("px",),
    "size": ("qty", "quantity", "amount"),
    "dividend": ("dividends", "ex_dividend", "ex-dividend", "cash_dividend"),
    "split": ("splits", "split_ratio", "split_factor", "stock_split", "stock_splits"),
}
_ADJUSTED: Final = ("adj_close", "adjusted_close", "adjclose", "adj_c")
_MAY_MISS: Final = frozenset({"volume", "bid_size", "ask_size", "size", "side"})
_SIDES: Final = {"buy": 1.0, "b": 1.0, "sell": -1.0, "s": -1.0}


def columns_of_table(
    table: Any, source: str, symbol: str, *, tz: str, stamp: str, calendar: str, adjusted: bool = False
) -> Columns:
    """An Arrow table as columns; times that carry a zone take the quick way, without pandas."""
    import pyarrow as pa
    import pyarrow.compute as pc

    layout = _Layout(source, list(table.column_names), adjusted)
    ts_type = table.schema.field(layout.time).type if layout.time else None
    if ts_type is None or not pa.types.is_timestamp(ts_type) or ts_type.tz is None or stamp == "session":
        frame = table.to_pandas()
        return columns_of_frame(
            frame, source, symbol, tz=tz, stamp=stamp, calendar=calendar, adjusted=adjusted
        )
    if table.column(layout.time).null_count:
        row = table.column(layout.time).to_pylist().index(None) + 1
        raise BadInput(f"{source} row {row}: column '{layout.time}' holds no time: give every row one")
    ts_ns = _array(table.column(layout.time).cast(pa.timestamp("ns", "UTC")).cast(pa.int64()))
    if layout.symbol:
        if table.column(layout.symbol).null_count:
            row = table.column(layout.symbol).to_pylist().index(None) + 1
            raise BadInput(
                f"{source} row {row}: column '{layout.symbol}' holds no symbol: give every row one"
            )
        coded = pc.dictionary_encode(table.column(layout.symbol).cast(pa.string())).combine_chunks()
        names, code = tuple(coded.dictionary.to_pylist()), _array(coded.indices).astype(np.int32)
    else:
        names, code = (symbol,), np.zeros(len(ts_ns), np.int32)
    values = np.full((len(ts_ns), len(layout.fields)), np.nan)
    for at, (field, column) in enumerate(layout.fields.items()):
        if column:
            chunk = table.column(column)
            if field == "side" and not pa.types.is_floating(chunk.type):
                values[:, at] = [_SIDES.get(str(word).lower(), 0.0) for word in chunk.to_pylist()]
            else:
                values[:, at] = _floats(table, column)
    if layout.adjusted:
        values = _scaled(values, _floats(table, layout.adjusted))
    actions = None
    if any(layout.actions):
        actions = tidied(
            _side_by_side(
                [_floats(table, column) if column else None for column in layout.actions], len(ts_ns)
            )
        )
    return _stamped(Columns(layout.kind, names, ts_ns, code, values, actions=actions), stamp)


def _floats(table: Any, column: str) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    single = pa.types.is_float32(table.schema.field(column).type)
    return (
        widened(_array(table.column(column))) if single else _array(table.column(column).cast(pa.float64()))
    )


def _side_by_side(columns: Sequence[npt.NDArray[Any] | None], rows: int) -> npt.NDArray[np.float64]:
    return np.column_stack([np.full(rows, np.nan) if column is None else column for column in columns])


def _array(column: Any) -> npt.NDArray[Any]:
    """An Arrow column as an array, nulls as NaN. Its own `to_numpy` imports pandas, which costs a second: only
    columns with nulls go that way."""
    whole = column.combine_chunks() if hasattr(column, "chunks") else column
    return np.array(whole.to_numpy(zero_copy_only=False) if whole.null_count else np.from_dlpack(whole))


def columns_of_frame(
    frame: "pd.DataFrame",
    source: str,
    symbol: str,
    *,
    tz: str,
    stamp: str,
    calendar: str = "",
    first_line: int = 1,
    adjusted: bool = False,
) -> Columns:
    """A DataFrame as columns. A `DatetimeIndex` serves as the time when no column does. `adjusted` scales the prices of
    bars by their column of adjusted closes, and leaves splits and dividends out: they are in it.

    Raises:
        UnknownName: a needed column is missing, or `tz` or `stamp` is no known word.
        BadValue: times that carry no zone while `tz` is empty. BadInput: a time that cannot be understood.
    """
    import pandas as pd

    if stamp not in STAMPS:
        raise UnknownName("stamp", stamp, STAMPS)
    given: Any = frame
    if not isinstance(given, pd.DataFrame):
        kind = type(given).__name__
        raise BadInput(
            f"data is of type {kind}: give a name, a file, a Recording or a pandas DataFrame of bars"
        )
    if frame.columns.nlevels > 1:
        fields = {word for field, also in _ALSO.items() for word in (field, *also)} | set(_ADJUSTED)
        frame = one_row_a_symbol(frame, source, fields)
    if isinstance(frame.index, pd.DatetimeIndex) and not any(str(c).lower() in _TIMES for c in frame.columns):
        frame = frame.rename_axis("ts").reset_index()
    titles = [str(column) for column in frame.columns]
    layout = _Layout(source, titles, adjusted)
    frame = frame.set_axis(titles, axis=1)
    twice = next((title for title in layout.used if titles.count(title) > 1), "")
    if twice:
        raise BadInput(f"{source} has {titles.count(twice)} columns '{twice}': leave one of them")
    if not layout.time:
        raise UnknownName(
            "column", "ts", frame.columns, f"{source} needs a column of times: one of {', '.join(_TIMES)}"
        )
    raw = frame[layout.time]
    if layout.clock:
        raw = raw.astype(str) + " " + frame[layout.clock].astype(str)
    if stamp == "session":
        ts_ns = _session_closes(raw, source, first_line, calendar or "XNYS")
    else:
        ts_ns = _utc_ns(raw, source, layout.time, first_line, tz)
    if layout.symbol:
        named = frame[layout.symbol]
        _no_holes(named, named, source, layout.symbol, first_line, "is no symbol: give every row one")
        code, names = pd.factorize(named.astype(str))
        symbols = tuple(str(name) for name in names)
    else:
        code, symbols = np.zeros(len(frame), np.int32), (symbol,)
    values = np.full((len(frame), len(layout.fields)), np.nan)
    for at, (field, column) in enumerate(layout.fields.items()):
        if column:
            figures = frame[column]
            if field == "side" and not pd.api.types.is_numeric_dtype(figures):
                figures = figures.astype(str).str.lower().map(_SIDES).fillna(0.0)
            values[:, at] = _figures(figures)
    if layout.adjusted:
        values = _scaled(values, _figures(frame[layout.adjusted]))
    actions = None
    if any(layout.actions):
        told = [_figures(frame[column]) if column else None for column in layout.actions]
        actions = tidied(_side_by_side(told, len(frame)))
    table = Columns(layout.kind, symbols, ts_ns, code.astype(np.int32), values, first_line, actions)
    return _stamped(table, "end" if stamp == "session" else stamp)


def _figures(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """A column's numbers; what is none is NaN."""
    import pandas as pd

    if column.dtype == np.float32:
        return widened(column.to_numpy())
    figures: npt.NDArray[np.float64] = pd.to_numeric(column, errors="coerce").to_numpy(
        np.float64, na_value=np.nan
    )
    return figures


def _scaled(
    values: npt.NDArray[np.float64], adjusted_close: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Open, high, low and close times adjusted close over close; rounding never lets an open or close leave the bar."""
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = values[:, :4] * (adjusted_close / values[:, 3])[:, None]
    prices[:, 3] = adjusted_close
    o, h, low, c = prices.T
    bounded = (values[:, 1] >= values[:, [0, 3]].max(1)) & (values[:, 2] <= values[:, [0, 3]].min(1))
    prices[:, 1] = np.where(bounded, np.maximum(h, np.maximum(o, c)), h)
    prices[:, 2] = np.where(bounded, np.minimum(low, np.minimum(o, c)), low)
    return np.column_stack([prices, values[:, 4:]])


class _Layout:
    """Which column is what; names are compared without regard to case and to spaces."""

    def __init__(self, source: str, columns: list[str], adjusted: bool = False) -> None:
        spelt = {name.strip().lower().replace(" ", "_"): name for name in reversed(columns)}
        self.time = next((spelt[name] for name in _TIMES if name in spelt), "")
        self.clock = spelt["time"] if self.time and self.time == spelt.get("date") and "time" in spelt else ""
        self.symbol = next((spelt[name] for name in _SYMBOLS if name in spelt), "")
        self.kind: Kind = "bars"
        if "bid" in spelt or "ask" in spelt:
            self.kind = "quotes"
        elif ("price" in spelt or "px" in spelt) and "open" not in spelt:
            self.kind = "trades"
        self.fields: dict[str, str] = {}
        for field in FIELDS[self.kind]:
            found = next((spelt[name] for name in (field, *_ALSO.get(field, ())) if name in spelt), "")
            if not found and field not in _MAY_MISS:
                hint = f"{source} needs the columns {', '.join(f for f in FIELDS[self.kind] if f not in _MAY_MISS)}"
                raise UnknownName("column", field, columns, hint)
            self.fields[field] = found
        self.actions = ["", ""]
        self.adjusted = ""
        if adjusted:
            self.adjusted = next((spelt[name] for name in _ADJUSTED if name in spelt), "")
            if not self.adjusted:
                raise UnknownName("column", "adj_close", columns, f"{source} needs it for adjusted prices")
        elif self.kind == "bars":
            self.actions = [
                next((spelt[name] for name in (action, *_ALSO[action]) if name in spelt), "")
                for action in ACTIONS
            ]

    @property
    def used(self) -> list[str]:
        """The columns that are read."""
        chosen = [self.time, self.clock, self.symbol, *self.fields.values(), *self.actions, self.adjusted]
        return [name for name in chosen if name]


def _stamped(columns: Columns, stamp: str) -> Columns:
    if stamp not in STAMPS:
        raise UnknownName("stamp", stamp, STAMPS)
    if stamp != "start" or columns.kind != "bars":
        return columns
    moved = columns.ts_ns + bar_length_ns(columns.ts_ns, columns.code)
    return replace(columns, ts_ns=moved)


def _utc_ns(
    raw: "pd.Series[Any]", source: str, column: str, first_line: int, tz: str
) -> npt.NDArray[np.int64]:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(raw):
        return _epoch_ns(raw.to_numpy(np.float64, na_value=np.nan), raw, source, column, first_line)
    if tz and not _is_zone(tz):
        raise UnknownName("tz", tz, available_timezones(), "Use a name like America/New_York")
    try:
        times = pd.to_datetime(raw, errors="coerce", format=None if _is_time(raw) else "ISO8601")
        if times.isna().any() and not raw.isna().any() and not _is_time(raw):
            times = pd.to_datetime(raw, errors="coerce")
    except (ValueError, TypeError) as error:
        raise BadInput(f"{source} column '{column}': times are mixed or not understood ({error})") from error
    _no_holes(times, raw, source, column, first_line, "is no time: write it like 2020-12-15 09:30:00")
    if times.dt.tz is None:
        if not tz:
            example = "say which with tz, for example America/New_York or UTC"
            if len(times) and (times == times.dt.normalize()).all():
                example = f"say stamp='session' where each means that day's close, else {example}"
                raise BadValue("tz", "", f"the times in {source} are dates: {example}")
            raise BadValue("tz", "", f"the times in {source} carry no zone: {example}")
        local = times.dt.tz_localize(tz, ambiguous="NaT", nonexistent="NaT")
        _no_holes(
            local, raw, source, column, first_line, f"does not name one instant in {tz} (the clocks change)"
        )
        times = local
    utc = times.dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    return np.array(utc.astype("int64").to_numpy(), np.int64)


def _epoch_ns(
    values: npt.NDArray[np.float64], raw: "pd.Series[Any]", source: str, column: str, first_line: int
) -> npt.NDArray[np.int64]:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size."""
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        raise BadInput(
            f"{source} row {row + first_line}: {column} {raw.iloc[row]!r} is no time: give every row one"
        )
    largest = float(np.max(np.abs(values))) if len(values) else 0.0
    scale = next(scale for limit, scale in _EPOCHS if largest < limit)
    if np.issubdtype(raw.to_numpy().dtype, np.integer):
        return np.asarray(raw.to_numpy(np.int64) * scale, np.int64)
    return np.asarray(np.rint(values * scale), np.int64)


_EPOCHS: Final = ((1e11, 1_000_000_000), (1e14, 1_000_000), (1e17, 1_000), (float("inf"), 1))


def _session_closes(
    raw: "pd.Series[Any]", source: str, first_line: int, calendar: str
) -> npt.NDArray[np.int64]:
    """Dates as the closes of their sessions."""
    import pandas as pd

    days = pd.to_datetime(raw, errors="coerce")
    _no_holes(days, raw, source, "date", first_line, "is no date: write it like 2020-12-15")
    dates = [day.isoformat() for day in days.dt.date]
    if not dates:
        return np.empty(0, np.int64)
    first, last = (int(np.datetime64(day, "ns").astype(np.int64)) for day in (min(dates), max(dates)))
    day_ns = 86_400_000_000_000
    closes = {
        day.date: day.close_ns for day in sessions_between(calendar, first - day_ns, last + 2 * day_ns).days
    }
    for row, text in enumerate(dates):
        if text not in closes:
            near = min(closes, key=lambda known: abs(date.fromisoformat(known) - date.fromisoformat(text)))
            raise BadInput(
                f"{source} row {row + first_line}: {text} is no session of {calendar} (nearest: {near}): "
                "drop the row, or name the right calendar"
            )
    return np.array([closes[text] for text in dates], np.int64)


def _no_holes(
    found: "pd.Series[Any]", raw: "pd.Series[Any]", source: str, column: str, first_line: int, complaint: str
) -> None:
    missing = np.flatnonzero(found.isna().to_numpy())
    if len(missing):
        row = int(missing[0])
        raise BadInput(f"{source} row {row + first_line}: {column} '{raw.iloc[row]}' {complaint}")


def _is_time(raw: "pd.Series[Any]") -> bool:
    import pandas as pd

    return bool(pd.api.types.is_datetime64_any_dtype(raw))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
