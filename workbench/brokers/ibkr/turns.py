"""One order after another: the next may go when the one before is answered, questions and all.

Lives here: the queue, more urgent orders first. Not here: the venue's allowances (pool), what is answered (chain.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from typing import Final

from workbench.errors import Busy

__all__ = ["Turns"]

_MOST_S: Final = 5.0  # as long as an order may wait at the limiter


class Turns:
    """At most `at_once` hold a turn; who waits stands by lane, then by age, and no longer than `most_s`."""

    def __init__(self, at_once: int = 1, most_s: float = _MOST_S) -> None:
        self._free, self._most_s = at_once, most_s
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, lane: int) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block runs.

        Raises:
            Busy: it did not come in time; an order that old is not what was wanted any more.
        """
        if self._free and not self._waiting:
            self._free -= 1
        else:
            granted = asyncio.get_running_loop().create_future()
            self._number += 1
            heappush(self._waiting, (lane, self._number, granted))
            try:
                await asyncio.wait_for(asyncio.shield(granted), self._most_s)
            except (asyncio.CancelledError, TimeoutError) as error:
                if granted.done() and not granted.cancelled():
                    self._next()  # it was granted in the same moment: somebody else may have it
                granted.cancel()
                if isinstance(error, TimeoutError):
                    text = f"an order waited {self._most_s:g} s for those before it to be answered"
                    raise Busy(f"{text}: nothing was sent; send less, or raise orders_at_once") from None
                raise
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        while self._waiting:
            _, _, granted = heappop(self._waiting)
            if not granted.done():
                granted.set_result(None)
                return
        self._free += 1
