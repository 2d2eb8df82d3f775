"""Whether the stock market is open now, by the venue's own clock: asked for once and again when it was to change.

Lives here: the hours that a silence is judged by. Not here: calendars for strategies (feeds/calendars.py).
"""

import asyncio
import logging
from time import time_ns
from typing import Final

from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.words import ts_ns_of
from workbench.errors import WorkbenchError

__all__ = ["Hours"]

logger = logging.getLogger(__name__)

_LONGEST_NS: Final = 900_000_000_000  # asked again after this, whatever it said


class Hours:
    """Opening hours. Unknown counts as closed: no silence is a fault then."""

    def __init__(self, client: AlpacaClient) -> None:
        self._client = client
        self._open = False
        self._until_ns = 0
        self._asking: asyncio.Task[None] | None = None

    async def learn(self) -> None:
        """Ask now."""
        clock = await self._client.clock()
        now_ns = time_ns()
        self._open = clock.is_open
        change_ns = ts_ns_of(clock.next_close if clock.is_open else clock.next_open)
        self._until_ns = min(change_ns, now_ns + _LONGEST_NS)

    def is_open(self) -> bool:
        """Whether it is open; when that may have changed it is asked for, and closed until the answer."""
        if time_ns() < self._until_ns:
            return self._open
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._again(), name="alpaca hours")
        return False

    async def close(self) -> None:
        """Ask no more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _again(self) -> None:
        try:
            await self.learn()
        except Exception as error:  # a mistake in the reader too: else it would be asked at every look
            self._until_ns = time_ns() + 5_000_000_000
            self._open = False
            if not isinstance(error, WorkbenchError):
                logger.exception("alpaca: the market's hours were not understood")
            else:
                logger.warning("alpaca: the market's hours are not known (%s)", error)
