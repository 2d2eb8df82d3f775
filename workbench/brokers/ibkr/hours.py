"""Whether the stock market is open now, by its calendar: the gateway has no clock to ask.

Lives here: the hours that a silence is judged by. Not here: calendars for strategies (feeds/calendars.py).
"""

import asyncio
from time import time_ns
from typing import Final

from workbench.feeds.calendars import Sessions, sessions_between

__all__ = ["Hours"]

_CALENDAR: Final = "XNYS"
_DAY_NS: Final = 86_400_000_000_000


class Hours:
    """Regular opening hours. Unknown counts as closed: no silence is a fault then."""

    def __init__(self) -> None:
        self._sessions: Sessions | None = None
        self._until_ns = 0
        self._learning: asyncio.Task[None] | None = None

    async def learn(self) -> None:
        """Read the calendar of the next days; it takes a thread half a second."""
        now_ns = time_ns()
        span = now_ns - 5 * _DAY_NS, now_ns + 15 * _DAY_NS
        self._sessions = await asyncio.to_thread(sessions_between, _CALENDAR, *span)
        self._until_ns = now_ns + 10 * _DAY_NS

    def is_open(self) -> bool:
        """Whether it is open now."""
        now_ns = time_ns()
        if now_ns > self._until_ns and (self._learning is None or self._learning.done()):
            self._learning = asyncio.get_running_loop().create_task(self.learn(), name="ibkr hours")
        return self._sessions is not None and now_ns <= self._until_ns and self._sessions.is_open(now_ns)
