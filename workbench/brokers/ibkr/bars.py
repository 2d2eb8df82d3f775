"""Bars from ticks, and bars from the history; both finished, both named by their close.

Lives here: making and reading bars. Not here: the socket (feed.py).

From ticks: a bar holds the prices the socket told within its span and the growth of the day's volume. The venue sends
what changed a few times a second, so a spike between two messages is not in it. The span that is under way when the
data begins, or goes on after a break, is left out: nobody saw all of it.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from workbench.brokers.ibkr.words import LOT, VENUE
from workbench.brokers.pool import decode
from workbench.errors import VenueGarbled
from workbench.model.market import Bar

__all__ = ["MINUTE_NS", "BarMaker", "history_bars"]

MINUTE_NS: Final = 60_000_000_000
_DEAR: Final = 10_000.0  # dollars: from here on a lot is one share


class BarMaker:
    """Bars of one instrument, `length_ns` each, beginning on the clock; `told` gets each once, when it is over.

    >>> bars = []
    >>> maker = BarMaker(0, 60, bars.append)
    >>> for ts_ns, px in ((70, 9.0), (130, 10.0), (150, 12.0), (179, 11.0), (185, 8.0)):
    ...     maker.tick(ts_ns, px, 5.0)
    >>> bars
    [Bar(ts_ns=180, iid=0, open=10.0, high=12.0, low=10.0, close=11.0, volume=15.0)]
    """

    def __init__(self, iid: int, length_ns: int, told: Callable[[Bar], None]) -> None:
        self.late = 0
        self._iid, self._length_ns, self._told = iid, length_ns, told
        self._start_ns = -1
        self._whole = False
        self._open = self._high = self._low = self._close = math.nan
        self._volume = 0.0

    def broken(self) -> None:
        """Data was missed: the span under way is not whole."""
        self._whole = False
        self._open = math.nan

    def tick(self, ts_ns: int, px: float, size: float) -> None:
        """A price at a time; one of a span that is over is late, and left out."""
        start_ns = ts_ns // self._length_ns * self._length_ns
        if start_ns != self._start_ns:
            if start_ns < self._start_ns:
                self.late += 1
                return
            self._turn(start_ns)
        if math.isnan(self._open):
            self._open = self._high = self._low = px
            self._volume = 0.0
        self._high, self._low, self._close = max(self._high, px), min(self._low, px), px
        self._volume += size

    def over(self, now_ns: int) -> None:
        """The time is `now_ns`: a span that has ended is told."""
        start_ns = now_ns // self._length_ns * self._length_ns
        if self._start_ns >= 0 and start_ns > self._start_ns:
            self._turn(start_ns)

    def _turn(self, start_ns: int) -> None:
        """Another span begins. The first one that is seen from its beginning is the first whole one."""
        begun, self._start_ns = self._start_ns, start_ns
        whole, self._whole = self._whole, begun >= 0
        if begun >= 0 and whole and not math.isnan(self._open):
            self._told(
                Bar(
                    begun + self._length_ns,
                    self._iid,
                    self._open,
                    self._high,
                    self._low,
                    self._close,
                    self._volume,
                )
            )
        self._open = math.nan


class _Point(msgspec.Struct):
    t: int
    o: float = math.nan
    h: float = math.nan
    l: float = math.nan  # noqa: E741 - the venue's letter
    c: float = math.nan
    v: float = 0.0


class _Chart(msgspec.Struct):
    data: list[_Point] = []
    barLength: int = 60
    volumeFactor: float = 1.0


def history_bars(body: bytes, iid: int, now_ns: int) -> tuple[list[Bar], int]:
    """(the finished bars of a chart, how many were left out because they cannot be true), oldest first.

    Theirs are named by their start, and their volumes are in lots (`_lot`).

    Raises:
        VenueGarbled: it is no chart.
    """
    chart = decode(VENUE, body, _Chart, what="a chart")
    length_ns = chart.barLength * 1_000_000_000
    if length_ns <= 0:
        raise VenueGarbled(VENUE, f"bars of {chart.barLength} s", "report it", field="barLength")
    bars, dropped, lot = [], 0, _lot(chart)
    for p in sorted(chart.data, key=lambda point: point.t):
        ts_ns = p.t * 1_000_000 + length_ns
        if ts_ns > now_ns:
            continue
        if (
            0.0 < p.l <= p.o <= p.h < math.inf and p.l <= p.c <= p.h and 0.0 <= p.v < math.inf
        ):  # NaN fails it too
            bars.append(Bar(ts_ns, iid, p.o, p.h, p.l, p.c, p.v * lot))
        else:
            dropped += 1
    return bars, dropped


def _lot(chart: _Chart) -> float:
    """Shares a lot of a chart's volumes: `volumeFactor` where it says more than 1 (the round lot, since those depend on
    the price); where it does not a hundred, but for the few stocks whose lot is one share.

    >>> _lot(_Chart([], 60, 40.0)), _lot(_Chart([], 60)), _lot(_Chart([_Point(0, c=700_000.0)]))
    (40.0, 100.0, 1.0)
    """
    if chart.volumeFactor > 1.0:
        return chart.volumeFactor
    return 1.0 if chart.data and chart.data[-1].c > _DEAR else LOT
