"""One alarm on a loop, to the microsecond where the kernel offers it.

Loops wake from their own timers on a grid of a millisecond, more than the delays the built-in exchange works with.
A timer file (Linux, Python 3.13 on) wakes the loop as a socket would; elsewhere the loop's timer has to do.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from time import CLOCK_MONOTONIC, monotonic

__all__ = ["Alarm"]


class Alarm:
    """Calls `ring()` on `loop` at the time last set. It may ring once more, early: `ring` looks at the clock."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None], *, timer_file: bool = True
    ) -> None:
        self._loop, self._ring = loop, ring
        self._timer: asyncio.Handle | None = None
        self._fd = -1
        if timer_file and sys.platform == "linux" and sys.version_info >= (3, 13):
            self._fd = os.timerfd_create(CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
            try:
                loop.add_reader(self._fd, self._expired)
            except NotImplementedError:  # a loop that watches no files
                os.close(self._fd)
                self._fd = -1

    def set(self, at_s: float) -> None:
        """Ring at `at_s` on `time.monotonic()`; on the loop's next turn when that is past."""
        self._drop_timer()
        delay_s = at_s - monotonic()
        if delay_s <= 0:
            self._timer = self._loop.call_soon(self._ring)
        elif self._fd >= 0 and sys.platform == "linux" and sys.version_info >= (3, 13):
            os.timerfd_settime(self._fd, flags=os.TFD_TIMER_ABSTIME, initial=at_s)
        else:
            self._timer = self._loop.call_later(delay_s, self._ring)

    def close(self) -> None:
        """Never ring again; harmless when repeated."""
        self._drop_timer()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _drop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew since the loop saw it: it will ring again
            return
        self._ring()
