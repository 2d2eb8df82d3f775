"""Session time: the wall clock for live markets, the market's own time for recorded ones."""

import time
from collections.abc import Callable

__all__ = ["SessionClock"]


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
