"""How late the event loop is: a timer every few milliseconds, its lateness in a histogram.

On Linux with Python 3.13 the timer is a timerfd, exact to microseconds under asyncio and uvloop alike.
Elsewhere it is `call_later`, whose own rounding (up to 1 ms) is then part of the figure; `source` says which.
"""

import asyncio
import os
import struct
import sys
import time
from collections import deque

from workbench.errors import BadValue
from workbench.monitor.histogram import Histogram
from workbench.monitor.traces import Pause

__all__ = ["LoopLag"]

_KEEP_STALLS_NS = 1_000_000
# A stall this long would otherwise be spelled out tick by tick in the histogram.
_MAX_TICKS = 20_000


class LoopLag:
    """Samples a running loop's lag into `histogram` (ns); lags of 1 ms and more are kept for traces.

    A stall counts once for every tick it swallowed, each with the lag that tick saw: otherwise a loop that
    sleeps for a second would look as if it had been late once.
    """

    def __init__(self, interval_ms: float = 5.0, keep: int = 256) -> None:
        if interval_ms <= 0:
            raise BadValue("interval_ms", interval_ms, "give a number above 0, such as 5")
        self.histogram = Histogram()
        self.source = ""
        self._interval_ns = int(interval_ms * 1e6)
        self._stalls: deque[Pause] = deque(maxlen=keep)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due_ns = 0
        self._fd = -1
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin sampling the loop this is called on; a second start does nothing."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._due_ns = time.monotonic_ns() + self._interval_ns
        if sys.platform == "linux" and sys.version_info >= (3, 13):
            self._fd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
            os.timerfd_settime_ns(
                self._fd, flags=os.TFD_TIMER_ABSTIME, initial=self._due_ns, interval=self._interval_ns
            )
            self._loop.add_reader(self._fd, self._on_timerfd)
            self.source = "timerfd"
        else:
            self._handle = self._loop.call_later(self._interval_ns / 1e9, self._on_call_later)
            self.source = "call_later"

    def stop(self) -> None:
        """End sampling; the histogram stays."""
        if self._loop is None:
            return
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._loop = None

    def between(self, start_ns: int, end_ns: int) -> list[Pause]:
        """Stalls that overlap the window of monotonic ns."""
        return [p for p in self._stalls if p.start_ns < end_ns and p.start_ns + p.length_ns > start_ns]

    def _on_timerfd(self) -> None:
        now_ns = time.monotonic_ns()
        try:
            ticks = struct.unpack("@Q", os.read(self._fd, 8))[0]
        except BlockingIOError:
            return  # woken without a tick: nothing was due
        self._note(now_ns, ticks)

    def _on_call_later(self) -> None:
        now_ns = time.monotonic_ns()
        self._note(now_ns, 1 + max(0, now_ns - self._due_ns) // self._interval_ns)
        assert self._loop is not None
        wait_ns = max(0, self._due_ns - time.monotonic_ns())
        self._handle = self._loop.call_later(wait_ns / 1e9, self._on_call_later)

    def _note(self, now_ns: int, ticks: int) -> None:
        lag_ns = max(0, now_ns - self._due_ns)
        if lag_ns >= _KEEP_STALLS_NS:
            self._stalls.append(Pause("loop", self._due_ns, lag_ns))
        record, step = self.histogram.record, self._interval_ns
        for tick in range(min(ticks, _MAX_TICKS)):
            record(max(0, lag_ns - tick * step))
        self._due_ns += ticks * step
