"""When an emulated market is open: always, by the exchange's calendar, or as the console says.

Lives here: the hours. Not here: the calendars themselves (feeds/calendars.py), what a closed market does to orders
(exchange.py).
"""

import asyncio
from typing import Literal

from workbench.errors import UnknownName
from workbench.feeds.calendars import Sessions, sessions_between

__all__ = ["Hours"]

type Mode = Literal["always", "calendar"]

_DAY_NS = 86_400_000_000_000


class Hours:
    """Opening hours. In mode "always" the market is open, the calendar only tells when it next would open or close.

    >>> hours = Hours("always")
    >>> hours.is_open(0)
    True
    >>> hours.force(False); hours.is_open(0)
    False
    """

    def __init__(self, mode: str = "always", calendar: str = "XNYS") -> None:
        if mode not in ("always", "calendar"):
            raise UnknownName("market-open", mode, ("always", "calendar"))
        self.mode = mode
        self.calendar = calendar
        self._forced: bool | None = None
        self._sessions: Sessions | None = None
        self._span = (0, 0)

    def force(self, is_open: bool | None) -> None:
        """Open or close the market by hand; None: by its mode again."""
        self._forced = is_open

    def is_open(self, ts_ns: int) -> bool:
        """Whether the market trades at this instant."""
        if self._forced is not None:
            return self._forced
        return self.mode == "always" or self.sessions(ts_ns, ts_ns).is_open(ts_ns)

    def next_open(self, ts_ns: int) -> int:
        """The calendar's next opening."""
        return self.sessions(ts_ns, ts_ns).next_open(ts_ns)

    def next_close(self, ts_ns: int) -> int:
        """The calendar's next close."""
        return self.sessions(ts_ns, ts_ns).next_close(ts_ns)

    async def built(self, ts_ns: int) -> None:
        """Return when `next_open` and `next_close` around here cost nothing: the first time takes half a second, which
        a thread takes."""
        if self._sessions is None or not self._span[0] < ts_ns < self._span[1]:
            await asyncio.to_thread(self.sessions, ts_ns, ts_ns)

    def sessions(self, start_ns: int, end_ns: int) -> Sessions:
        """The sessions that touch a span; the calendar is built on the first call (half a second)."""
        found, span = self._sessions, self._span
        if found is None or not (span[0] <= start_ns and end_ns <= span[1]):
            span = (start_ns - 15 * _DAY_NS, end_ns + 15 * _DAY_NS)
            found = sessions_between(self.calendar, *span)
            self._sessions, self._span = found, span
        return found
