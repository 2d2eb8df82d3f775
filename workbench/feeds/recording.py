"""A recorded market: checked rows of bars, quotes and trades of any number of symbols as one ordered stream.

Lives here: the merge, the opening prints, the slices of bars that close together, and turning rows into events
fast. Not here: where rows come from (sources.py, synthetic.py), how fast they are played (player.py).

Order at one instant: splits and dividends, quotes and trades (in their source's order), then the bars that close
there. A bar's open is known from the first moment of its span, so an opening print (`Trade` of size 0) stands 1 ns
after the bar's start (openings.py): what was decided on the close before it can be filled there, and nowhere earlier.
Splits and dividends stand right before the opening print of the first bar in their units (actions.py).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import structs

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds.actions import (
    ACTIONS,
    BAR,
    NO_ACTION,
    SPLIT,
    ActionRows,
    action_of,
    action_rows,
    back_on_bars,
    in_order,
)  # fmt: skip
from workbench.feeds.calendars import Sessions, sessions_between
from workbench.feeds.columns import FIELDS, Columns, bar_length_ns, guess_instrument
from workbench.feeds.openings import opening_ns, shortest_ns
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, BarSlice, MarketEvent, Quote, Trade

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Recording", "Series"]

_TRADE: Final = 0  # at one instant ticks come before the bars that close there
_QUOTE: Final = 1
_KINDS: Final = {"trades": _TRADE, "quotes": _QUOTE, "bars": BAR}
_PRINT: Final = 0  # unit kinds while iterating: an opening print has no rows of its own
_CHUNK: Final = (
    16_384  # units turned into Python numbers at a time: memory stays small, speed does not suffer
)


class Series(NamedTuple):
    """The bars of one symbol: close times int64[n] (UTC) and float64[n] columns, each contiguous in memory."""

    ts_ns: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]


class Recording:
    """Rows in the order they happened, read-only.

    `ts_ns` int64[n] (UTC), `iid` int32[n], `kind` int8[n], `values` float64[n, 5]: open, high, low, close, volume
    of a bar; bid, bid size, ask, ask size of a quote; price, size, side of a trade (unknown sizes are 0); numerator and
    denominator of a split; amount in 1e-8 of a dividend.

    >>> from workbench.feeds import synthetic
    >>> day = synthetic(symbols=2, bars=3, seed=1)
    >>> [type(event).__name__ for event in day.events()]
    ['Trade', 'Trade', 'BarSlice', 'Trade', 'Trade', 'BarSlice', 'Trade', 'Trade', 'BarSlice']
    """

    def __init__(
        self,
        name: str,
        instruments: Sequence[Instrument],
        ts_ns: npt.NDArray[np.int64],
        iid: npt.NDArray[np.int32],
        kind: npt.NDArray[np.int8],
        values: npt.NDArray[np.float64],
        *,
        bar_ns: int,
        sessions: Sessions | None = None,
    ) -> None:
        if not len(ts_ns):
            raise BadInput(f"data '{name}' has no rows: give a file or a span that holds some")
        self.name = name
        self.instruments = tuple(instruments)
        self.ts_ns, self.iid, self.kind, self.values = ts_ns, iid, kind, values
        for column in (ts_ns, iid, kind, values):
            column.flags.writeable = False
        self.bar_ns = bar_ns
        self._sessions = sessions
        self._units: dict[bool, tuple[npt.NDArray[np.int64], ...]] = {}
        self._series: dict[str, Series] = {}
        self._opens: npt.NDArray[np.int64] | None = None

    @classmethod
    def merged(
        cls,
        name: str,
        *tables: Columns,
        instruments: Sequence[Instrument] | None = None,
        calendar: str = "XNYS",
        sessions: Sessions | None = None,
        bar_ns: int | None = None,
    ) -> "Recording":
        """One stream of several tables. Rows must have passed `check_columns`; rows of different symbols may
        stand in any order, `iid` follows the order in which `instruments` (else the tables) name the symbols.

        `instruments` omitted: tick and lot are the coarsest grids the figures lie on (see columns.py).
        """
        symbols = list(dict.fromkeys(symbol for table in tables for symbol in table.symbols))
        known = {i.symbol: i for i in instruments or ()}
        order = [i.symbol for i in instruments] if instruments is not None else symbols
        for symbol in symbols:
            if symbol not in order:
                raise UnknownName("symbol", symbol, order)
        number = {symbol: iid for iid, symbol in enumerate(order)}
        parts = [(t, np.array([number[s] for s in t.symbols], np.int32)[t.code]) for t in tables if len(t)]
        if not parts:
            raise BadInput(f"data '{name}' has no rows: give a file or a span that holds some")
        ts = np.concatenate([t.ts_ns for t, _ in parts])
        iid = np.concatenate([numbers for _, numbers in parts])
        kind = np.concatenate([np.full(len(t), _KINDS[t.kind], np.int8) for t, _ in parts])
        values = np.zeros((len(ts), 5))
        at = 0
        for table, _ in parts:
            values[at : at + len(table), : table.values.shape[1]] = table.values
            at += len(table)
        sort = in_order(ts, iid, kind)
        ts, iid, kind, values = ts[sort], iid[sort], kind[sort], values[sort]
        made = [known.get(s) or guess_instrument(number[s], s, tables, calendar) for s in order]
        bars = kind == BAR
        length = bar_ns or (bar_length_ns(ts[bars], iid[bars]) if bars.any() else 0)
        np.nan_to_num(values, copy=False, nan=0.0)
        if any(table.actions is not None for table, _ in parts):
            actions = np.concatenate([_actions(table) for table, _ in parts])[sort][bars]
            more = action_rows(opening_ns(ts[bars], iid[bars], length, made), iid[bars], actions)
            columns = ((ts, more.ts_ns), (iid, more.iid), (kind, more.kind), (values, more.values))
            ts, iid, kind, values = (np.concatenate(pair) for pair in columns)
            sort = in_order(ts, iid, kind)
            ts, iid, kind, values = ts[sort], iid[sort], kind[sort], values[sort]
        return cls(name, made, ts, iid, kind, values, bar_ns=length, sessions=sessions)

    def __len__(self) -> int:
        return len(self.ts_ns)

    def __repr__(self) -> str:
        names = ", ".join(self.symbols[:4]) + (", ..." if len(self.symbols) > 4 else "")
        span = f"{_utc(self.start_ns)} to {_utc(self.end_ns)} UTC"
        return f"<Recording {self.name}: {len(self):,} rows of {names}, {span}>"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols by `iid`."""
        return tuple(instrument.symbol for instrument in self.instruments)

    @property
    def n_events(self) -> int:
        """How many events `events()` yields, opening prints included."""
        return len(self.units(True)[0])

    @property
    def start_ns(self) -> int:
        return int(self.ts_ns[0])

    @property
    def end_ns(self) -> int:
        return int(self.ts_ns[-1])

    @property
    def has_actions(self) -> bool:
        """Whether there are splits or dividends."""
        return bool((self.kind >= SPLIT).any())

    @property
    def opens_ns(self) -> npt.NDArray[np.int64]:
        """When the opening print of each row that is a bar stands, int64[n]; other rows have their own time."""
        if self._opens is None:
            bars = self.kind == BAR
            self._opens = self.ts_ns.copy()
            self._opens[bars] = opening_ns(self.ts_ns[bars], self.iid[bars], self.bar_ns, self.instruments)
            self._opens.flags.writeable = False
        return self._opens

    @property
    def instants(self) -> npt.NDArray[np.int64]:
        """The distinct times of the rows, rising, int64[n]."""
        first = np.append(True, self.ts_ns[1:] != self.ts_ns[:-1])
        return np.asarray(self.ts_ns[first], np.int64)

    @property
    def sessions(self) -> Sessions:
        """The trading sessions the rows fall in; those stored with the data, else the calendar's (built once)."""
        if self._sessions is None:
            first = self.start_ns - self.bar_ns
            self._sessions = sessions_between(self.instruments[0].calendar, first, self.end_ns)
        return self._sessions

    @property
    def stored_sessions(self) -> Sessions | None:
        """The sessions that came with the data; None when only a calendar could tell."""
        return self._sessions

    def series(self, symbol: str) -> Series:
        """The bars of one symbol as contiguous columns, built once.

        Raises:
            UnknownName: the symbol is not in the recording.
        """
        known = self._series.get(symbol)
        if known is None:
            ts_ns, values = self.bars(symbol)
            columns = [np.ascontiguousarray(values[:, at]) for at in range(values.shape[1])]
            self._series[symbol] = known = Series(np.ascontiguousarray(ts_ns), *columns)
        return known

    def bars(self, symbol: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(close times int64[n], open high low close volume float64[n, 5]) of one symbol.

        Raises:
            UnknownName: the symbol is not in the recording.
        """
        if symbol not in self.symbols:
            raise UnknownName("symbol", symbol, self.symbols)
        mine = (self.iid == self.symbols.index(symbol)) & (self.kind == BAR)
        return self.ts_ns[mine], self.values[mine]

    def select(
        self, symbols: Sequence[str] | None = None, start_ns: int | None = None, end_ns: int | None = None
    ) -> "Recording":
        """The rows of some symbols (numbered in the order given) with start_ns <= ts_ns <= end_ns.

        Raises:
            UnknownName: a symbol that is not here. BadValue: the span holds no row, or none of these symbols.
        """
        chosen = list(dict.fromkeys(self.symbols if symbols is None else symbols))
        for symbol in chosen:
            if symbol not in self.symbols:
                raise UnknownName("symbol", symbol, self.symbols)
        if chosen == list(self.symbols) and start_ns is None and end_ns is None:
            return self
        low = 0 if start_ns is None else int(np.searchsorted(self.ts_ns, start_ns, side="left"))
        high = len(self) if end_ns is None else int(np.searchsorted(self.ts_ns, end_ns, side="right"))
        if low >= high:
            field, value = ("end", end_ns) if start_ns is None or high == 0 else ("start", start_ns)
            shown = None if value is None else _utc(value)
            raise BadValue(
                field, shown, f"data '{self.name}' covers {_utc(self.start_ns)} to {_utc(self.end_ns)} UTC"
            )
        if chosen == list(self.symbols) and (low, high) == (0, len(self)):
            return self  # nobody can change it
        renumbered = np.full(len(self.symbols), -1, np.int32)
        renumbered[[self.symbols.index(symbol) for symbol in chosen]] = np.arange(len(chosen), dtype=np.int32)
        iid = renumbered[self.iid[low:high]]
        rows = np.flatnonzero(iid >= 0)
        if not len(rows):
            span = f"from {_utc(int(self.ts_ns[low]))} to {_utc(int(self.ts_ns[high - 1]))} UTC"
            raise BadValue("symbols", ", ".join(chosen), f"data '{self.name}' has no row of it {span}")
        iid, ts = iid[rows], self.ts_ns[low:high][rows]
        kind, values = self.kind[low:high][rows], self.values[low:high][rows]
        sort = in_order(ts, iid, kind)
        instruments = [
            structs.replace(self.instruments[self.symbols.index(s)], iid=i) for i, s in enumerate(chosen)
        ]
        kept = (
            self._sessions.between(int(ts[0]), int(ts[-1]))
            if self._sessions is not None and len(ts)
            else None
        )
        return Recording(
            self.name, instruments, ts[sort], iid[sort], kind[sort], values[sort],
            bar_ns=self.bar_ns if len(chosen) == len(self.symbols) else shortest_ns(self, chosen), sessions=kept,
        )  # fmt: skip

    def on_grid(self, ticks_e8: Sequence[int], lots_e8: Sequence[int]) -> "Recording":
        """The same rows with other price steps or quantity steps, one an instrument (0 keeps what it has)."""
        instruments = [
            structs.replace(i, tick_e8=tick or i.tick_e8, lot_e8=lot or i.lot_e8)
            for i, tick, lot in zip(self.instruments, ticks_e8, lots_e8, strict=True)
        ]
        made = Recording(
            self.name, instruments, self.ts_ns, self.iid, self.kind, self.values,
            bar_ns=self.bar_ns, sessions=self._sessions,
        )  # fmt: skip
        made._units, made._series, made._opens = (
            self._units,
            self._series,
            self._opens,
        )  # the rows are the same
        return made

    def columns(self, kind: str = "bars") -> Columns:
        """All rows of one kind ("bars", "quotes", "trades") as a table, in stream order."""
        if kind not in FIELDS:
            raise UnknownName("kind", kind, FIELDS)
        rows = self.kind == _KINDS[kind]
        values = np.ascontiguousarray(self.values[rows][:, : len(FIELDS[kind])])
        actions = None
        if kind == "bars" and self.has_actions:
            those = self.kind >= SPLIT
            told = ActionRows(self.ts_ns[those], self.iid[those], self.kind[those], self.values[those])
            actions = back_on_bars(told, self.ts_ns[rows], self.iid[rows])
        return Columns(kind, self.symbols, self.ts_ns[rows], self.iid[rows], values, actions=actions)  # type: ignore[arg-type]

    def frame(self, kind: str = "bars") -> "pd.DataFrame":
        """The rows of one kind as a DataFrame: `ts` (UTC), `symbol`, and the kind's columns; of bars with splits or
        dividends those two as well."""
        import pandas as pd

        table = self.columns(kind)
        frame = pd.DataFrame(table.values, columns=list(FIELDS[kind]))
        if table.actions is not None:
            frame[list(ACTIONS)] = table.actions
        frame.insert(0, "symbol", np.array(self.symbols, dtype=object)[table.code])
        frame.insert(0, "ts", pd.to_datetime(table.ts_ns, utc=True))
        return frame

    def event_ts(self, opening_prints: bool = True) -> npt.NDArray[np.int64]:
        """The times of `events()`, int64[n_events]."""
        return self.units(opening_prints)[0]

    def events(self, opening_prints: bool = True, first: int = 0) -> Iterator[MarketEvent]:
        """Every event in order of time, from event number `first` on; bars of several symbols that close together
        come as one `BarSlice`."""
        unit_ts, row_of, count = self.units(opening_prints)
        ohlcv, iids = self.values, self.iid
        for low in range(first, len(unit_ts), _CHUNK):
            chunk = slice(low, low + _CHUNK)
            rows = row_of[chunk]
            columns = ohlcv[rows].T.tolist()
            kinds, numbers = self.kind[rows].tolist(), iids[rows].tolist()
            for ts, kind, n, iid, row, a, b, c, d, e in zip(
                unit_ts[chunk].tolist(),
                kinds,
                count[chunk].tolist(),
                numbers,
                rows.tolist(),
                *columns,
                strict=True,
            ):
                if n == _PRINT:
                    yield Trade(ts, iid, a)
                elif n > 1:
                    yield BarSlice(ts, iids[row : row + n].tobytes(), ohlcv[row : row + n].tobytes())
                elif kind == BAR:
                    yield Bar(ts, iid, a, b, c, d, e)
                elif kind == _QUOTE:
                    yield Quote(ts, iid, a, b, c, d)
                elif kind == _TRADE:
                    yield Trade(ts, iid, a, b, int(c))
                else:
                    yield action_of(ts, iid, kind, a, b)

    def units(self, opening_prints: bool = True) -> tuple[npt.NDArray[np.int64], ...]:
        """The events as arrays, int64[n_events] each: time, first row, number of rows (0 marks the opening print of
        that row's bar)."""
        planned = self._units.get(opening_prints)
        if planned is not None:
            return planned
        is_bar = self.kind == BAR
        starts = np.ones(
            len(self), bool
        )  # a row starts a unit unless it is a bar that closes with the bar above it
        starts[1:] = ~(is_bar[1:] & is_bar[:-1] & (self.ts_ns[1:] == self.ts_ns[:-1]))
        first = np.flatnonzero(starts)
        count = np.diff(np.append(first, len(self)))
        unit_ts = self.ts_ns[first]
        if opening_prints:
            opens, print_ts = self._opening_prints()
            everything = np.concatenate([print_ts, unit_ts])
            order = np.argsort(everything, kind="stable")
            if self.has_actions:  # they come before the opening prints of their instant
                later = np.concatenate([np.ones(len(opens), bool), self.kind[first] < SPLIT])
                order = np.lexsort((np.arange(len(everything)), later, everything))
            first = np.concatenate([opens, first])[order]
            count = np.concatenate([np.zeros(len(opens), np.int64), count])[order]
            unit_ts = everything[order]
        self._units[opening_prints] = planned = (unit_ts, first, count)
        return planned

    def _opening_prints(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(bar's row, time) of the opening prints, in order of time. Symbols with ticks of their own need none."""
        ticked = np.zeros(len(self.instruments), bool)
        ticked[self.iid[self.kind < BAR]] = True
        rows = np.flatnonzero((self.kind == BAR) & ~ticked[self.iid])
        print_ts = self.opens_ns[rows]
        order = np.lexsort((self.iid[rows], print_ts))
        return rows[order], print_ts[order]


def _actions(table: Columns) -> npt.NDArray[np.float64]:
    return table.actions if table.actions is not None else np.tile(np.array(NO_ACTION), (len(table), 1))


def _utc(ts_ns: int) -> str:
    return str(np.datetime64(ts_ns, "ns").astype("datetime64[s]")).replace("T", " ")
