"""A recording laid out for the event loop: which hooks are called when, and every price by instrument.

    units     what the engine would handle, one number each: an opening print, a bar, the bars of one instant,
              a quote, a trade (`Recording.units`)
    calls     the hook calls in their order; a unit has none, one, or one a bar and a timer
    prices    for each instrument, the units that moved its last price, and the prices

All of it is arrays, made once. Not here: the loop (run.py), what the engine is owed (lag.py), indicators
(inputs.py).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.model import Bar, BarSlice, MarketEvent, Quote, Trade

__all__ = ["BAR_CALL", "HIGHEST_PX", "QUOTE_CALL", "TIMER_CALL", "TRADE_CALL", "Calls", "Timetable", "Series"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

TRADE_CALL: Final = 0  # the kinds of a recording's rows, and the timer besides
QUOTE_CALL: Final = 1
BAR_CALL: Final = 2
TIMER_CALL: Final = 3
HIGHEST_PX: Final = 9e10  # prices in 1e-8 units fit 64 bits below this
_SINGLY: Final = 8
_AT_ONCE: Final = 4_096
_HOOK_OF: Final = {"on_trade": TRADE_CALL, "on_quote": QUOTE_CALL, "on_bar": BAR_CALL}


class Calls(NamedTuple):
    """Hook calls in order: the unit, the row of the recording, the kind (`BAR_CALL` and so on), the last price after
    it, and whether the row stands for its bar's opening print. Arrays of equal length."""

    unit: Ints
    row: Ints
    kind: npt.NDArray[np.int8]
    px: Floats
    opening: npt.NDArray[np.bool_]


class Series(NamedTuple):
    """Something that changes at certain units of one instrument: the units (rising), and the values."""

    unit: Any  # memoryviews: indexing one gives a Python number, ten times as quick as an array does
    value: Any

    @classmethod
    def of(cls, unit: Ints, value: Floats) -> "Series":
        return cls(memoryview(np.ascontiguousarray(unit)), memoryview(np.ascontiguousarray(value)))

    def before(self, unit: int) -> int:
        """How many changes lie before a unit."""
        return bisect_left(self.unit, unit)


class Quotes(NamedTuple):
    """The good quotes of one instrument: units (rising), bids, asks."""

    unit: Any
    bid: Any
    ask: Any

    def before(self, unit: int) -> int:
        """How many lie before a unit."""
        return bisect_left(self.unit, unit)


class Timetable:
    """See the module. `hooks` names the hooks a strategy defines; `bad` is True when a bar of the recording would be
    refused by the book (then the engine's own loop must run it).

    `hard` lists the units that the engine's book refuses, prints and quotes alike.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.unit_ts, self.first_row, self.count = recording.units(True)
        self.n = len(self.unit_ts)
        self.ts = memoryview(self.unit_ts)
        self.only_bars = bool((recording.kind == BAR_CALL).all())
        self._lay_out()

    def _lay_out(self) -> None:
        """One entry for each row a unit shows: an opening print shows its bar's open."""
        recording, count = self.recording, self.count
        shown = np.maximum(count, 1)
        unit = np.repeat(np.arange(self.n), shown)
        if len(unit) == self.n:  # no unit holds several bars
            row = self.first_row
        else:
            start = np.cumsum(shown) - shown
            row = self.first_row[unit] + (np.arange(len(unit)) - start[unit])
        kind, values, opening = recording.kind[row], recording.values, count[unit] == 0
        is_bar = kind == BAR_CALL
        closing = is_bar & ~opening
        px = values[row, 0]
        px[closing] = values[row[closing], 3]
        good = (px > 0) & (px < HIGHEST_PX)
        quoted = kind == QUOTE_CALL
        if quoted.any():
            bid, ask = values[row[quoted], 0], values[row[quoted], 2]
            px[quoted] = (bid + ask) * 0.5
            good[quoted] = (bid > 0) & (bid < ask) & (ask < HIGHEST_PX)
        traded = kind == TRADE_CALL
        if traded.any():
            size = values[row[traded], 1]
            good[traded] &= (size >= 0) & (size < np.inf)
        o, h, low, c, v = values[row[closing]].T
        sane = (low > 0) & (low <= o) & (o <= h) & (h < HIGHEST_PX) & (low <= c) & (c <= h)
        self.bad = bool((px >= HIGHEST_PX).any()) or not bool(good[is_bar].all())
        self.bad |= not bool((sane & (v >= 0) & (v < np.inf)).all())
        self._unit, self._row, self._kind, self._px, self._opening = unit, row, kind, px, opening
        self._good, self._closing = good, closing
        self._iid = recording.iid[row]
        self.hard: list[int] = unit[~good].tolist()
        instruments = range(len(recording.instruments))
        self.prices = [self._series(iid, good) for iid in instruments]
        self.quotes = [self._quotes(iid, good & quoted) for iid in instruments]
        self.bars = [self._series(iid, closing) for iid in instruments]
        self.bars_through = np.zeros(self.n + 1, np.int64)  # bars in the units before each
        np.cumsum(np.bincount(unit[closing], minlength=self.n), out=self.bars_through[1:])
        self.bar_units_through = np.zeros(self.n + 1, np.int64)  # units with bars before each
        np.cumsum((count > 0) & (recording.kind[self.first_row] == BAR_CALL), out=self.bar_units_through[1:])

    def _of(self, iid: int, chosen: npt.NDArray[np.bool_]) -> Any:
        return chosen if len(self.recording.instruments) == 1 else chosen & (self._iid == iid)

    def _series(self, iid: int, chosen: npt.NDArray[np.bool_]) -> Series:
        mine = self._of(iid, chosen)
        if mine.all():
            return Series.of(self._unit, self._px)
        return Series.of(self._unit[mine], self._px[mine])

    def _quotes(self, iid: int, chosen: npt.NDArray[np.bool_]) -> Quotes:
        mine = self._of(iid, chosen)
        values = self.recording.values[self._row[mine]]
        columns = (self._unit[mine], values[:, 0], values[:, 2])
        return Quotes(*(memoryview(np.ascontiguousarray(column)) for column in columns))

    def doubled(self) -> bool:
        """Whether some instrument has two bars at one instant (a book takes neither)."""
        for series in self.bars:
            ts = self.unit_ts[np.asarray(series.unit)]
            if len(ts) > 1 and bool((ts[1:] == ts[:-1]).any()):
                return True
        return False

    def calls(self, hooks: frozenset[str], warm: "list[npt.NDArray[np.bool_]] | None") -> Calls:
        """The calls that a strategy with these hooks gets; `warm[iid]` says of each bar of an instrument whether its
        indicators have answered by then (None: there are none)."""
        wanted = np.zeros(len(self._unit), bool)
        for hook, kind in _HOOK_OF.items():
            if hook in hooks:
                wanted |= (
                    self._closing
                    if kind == BAR_CALL
                    else (self._kind == kind) | (self._opening if kind == TRADE_CALL else False)
                )
        if warm is not None and "on_bar" in hooks:
            for iid, known in enumerate(warm):
                mine = np.flatnonzero(self._of(iid, self._closing))
                wanted[mine[~known]] = False
        wanted &= self._good
        unit, row = self._unit[wanted], self._row[wanted]
        px, opening = self._px[wanted], self._opening[wanted]
        kinds = np.where(opening, TRADE_CALL, self._kind[wanted]).astype(np.int8)
        if "on_timer" in hooks:
            struck = np.flatnonzero(np.diff(self.bar_units_through))
            unit = np.concatenate([unit, struck])
            order = np.argsort(unit, kind="stable")  # after the bars of its instant
            row = np.concatenate([row, self.first_row[struck]])[order]
            kinds = np.concatenate([kinds, np.full(len(struck), TIMER_CALL, np.int8)])[order]
            px = np.concatenate([px, np.full(len(struck), np.nan)])[order]
            opening = np.concatenate([opening, np.zeros(len(struck), bool)])[order]
            unit = unit[order]
        return Calls(unit, row, kinds, px, opening)

    def event(self, unit: int) -> MarketEvent:
        """The event of a unit, as `Recording.events` yields it."""
        recording, row, count = self.recording, int(self.first_row[unit]), int(self.count[unit])
        ts_ns = self.ts[unit]
        if count > 1:
            rows = slice(row, row + count)
            return BarSlice(ts_ns, recording.iid[rows].tobytes(), recording.values[rows].tobytes())
        iid, kind = int(recording.iid[row]), int(recording.kind[row])
        a, b, c, d, e = recording.values[row].tolist()
        if count == 0:
            return Trade(ts_ns, iid, a)
        if kind == BAR_CALL:
            return Bar(ts_ns, iid, a, b, c, d, e)
        if kind == QUOTE_CALL:
            return Quote(ts_ns, iid, a, b, c, d)
        return Trade(ts_ns, iid, a, b, int(c))

    def events(self, first: int) -> Iterator[MarketEvent]:
        """The events from a unit on: one by one at the beginning, then made in ever larger numbers."""
        for unit in range(first, min(first + _SINGLY, self.n)):
            yield self.event(unit)
        low, length = first + _SINGLY, 2 * _SINGLY
        while low < self.n:
            yield from self._made(low, min(low + length, self.n))
            low += length
            length = min(2 * length, _AT_ONCE)

    def _made(self, low: int, high: int) -> list[MarketEvent]:
        recording, rows = self.recording, self.first_row[low:high]
        count, kind = self.count[low:high], recording.kind[rows]
        made: list[MarketEvent] = []
        columns = recording.values[rows].T.tolist()
        for unit, ts_ns, iid, n, what, a, b, c, d, e in zip(
            range(low, high), self.unit_ts[low:high].tolist(), recording.iid[rows].tolist(), count.tolist(),
            kind.tolist(), *columns, strict=True,
        ):  # fmt: skip
            if n == 0:
                made.append(Trade(ts_ns, iid, a))
            elif n > 1:
                made.append(self.event(unit))
            elif what == BAR_CALL:
                made.append(Bar(ts_ns, iid, a, b, c, d, e))
            elif what == QUOTE_CALL:
                made.append(Quote(ts_ns, iid, a, b, c, d))
            else:
                made.append(Trade(ts_ns, iid, a, b, int(c)))
        return made

    def is_bar(self, unit: int) -> bool:
        """Whether a unit holds bars (a timer follows it)."""
        return bool(self.bar_units_through[unit + 1] > self.bar_units_through[unit])

    def last_bar_through(self, unit: int) -> int:
        """The unit from which on a venue must have seen everything to stand right before `unit`: that of the bar
        before it, of the instrument whose last bar lies furthest back (0 when one has none yet)."""
        first = unit
        for series in self.bars:
            at = bisect_right(series.unit, unit - 1)
            if not at:
                return 0
            first = min(first, series.unit[at - 1])
        return first
