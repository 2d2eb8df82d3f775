"""Session time: the wall clock for live markets, the market's own time for recorded ones; and a live market's time."""

import time
from collections.abc import Callable
from typing import Final

__all__ = ["LATE_NS", "MarketTime", "SessionClock"]

LATE_NS: Final = 10_000_000_000
"""From this age on an event is late."""


class SessionClock:
    """Stamps events; never goes back, whatever the source does.

    >>> clock = SessionClock(source=iter([5, 3, 9]).__next__)
    >>> clock.now_ns(), clock.now_ns(), clock.now_ns()
    (5, 5, 9)
    """

    def __init__(self, source: Callable[[], int] = time.time_ns, floor_ns: int = 0) -> None:
        self._source = source
        self._last = floor_ns

    def now_ns(self) -> int:
        """Session time in UTC nanoseconds, at least the last one given."""
        now = self._source()
        if now > self._last:
            self._last = now
        return self._last

    def advance(self, ts_ns: int) -> None:
        """Session time has reached `ts_ns` (a market event carried it)."""
        if ts_ns > self._last:
            self._last = ts_ns


def _elapsing_ns() -> int:
    """A clock nobody sets, which goes on while the machine sleeps where there is one that does."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


class MarketTime:
    """What time it is at a live market: its newest event, and what has elapsed since.

    >>> market = MarketTime(source=iter([0, 600 * 10**9, 600 * 10**9]).__next__)
    >>> [market.late(ts_s * 10**9) // 10**9 for ts_s in (1000, 1060, 1120)]
    [0, 1600, 0]
    """

    def __init__(self, source: Callable[[], int] = _elapsing_ns) -> None:
        self._source = source
        self._newest_ns = self._at_ns = 0

    def late(self, ts_ns: int) -> int:
        """The market's time when an event of `ts_ns` comes late by that, else 0. Told once: those that follow it at
        once, and are newer, are as late as it is."""
        at_ns = self._source()
        now_ns = self._newest_ns + at_ns - self._at_ns if self._newest_ns else ts_ns
        if ts_ns > self._newest_ns:
            self._newest_ns, self._at_ns = ts_ns, at_ns
        return now_ns if now_ns - ts_ns > LATE_NS else 0
