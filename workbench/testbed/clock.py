"""The venue's own clock: the machine's wall time, moved on by the console, and shown askew when a fault says so.

Lives here: what time it is at the venue. Not here: when the market moves (market.py), trading hours (hours.py).
"""

import time
from collections.abc import Callable

__all__ = ["VenueClock"]


class VenueClock:
    """Time at the venue in UTC nanoseconds.

    `skew_ns` is what a clock that is wrong adds to the times the venue *shows* and checks against; the books keep
    `now_ns`.

    >>> clock = VenueClock(wall=lambda: 1_000)
    >>> clock.next_ns(), clock.next_ns()
    (1000, 1001)
    >>> clock.advance(2.0); clock.now_ns()
    2000001000
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        self._wall = wall
        self._offset_ns = 0
        self._last_ns = 0
        self.skew_ns = 0

    def now_ns(self) -> int:
        """The time now; it never goes back."""
        ts_ns = self._wall() + self._offset_ns
        return ts_ns if ts_ns > self._last_ns else self._last_ns

    def next_ns(self) -> int:
        """A time later than every one given before: what happens at the venue is in an order."""
        ts_ns = self._wall() + self._offset_ns
        self._last_ns = ts_ns = ts_ns if ts_ns > self._last_ns else self._last_ns + 1
        return ts_ns

    def shown_ns(self) -> int:
        """The time the venue tells its clients."""
        return self.now_ns() + self.skew_ns

    def advance(self, seconds: float) -> None:
        """Move the clock on (or back; stamps then stand still until it has caught up)."""
        self._offset_ns += round(seconds * 1e9)
