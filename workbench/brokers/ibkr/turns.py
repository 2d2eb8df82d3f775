"""One order after another: the next may go when the one before is answered, questions and all.

Lives here: the queue, more urgent orders first. Not here: the venue's allowances (pool), what is answered (chain.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush

__all__ = ["Turns"]


class Turns:
    """At most `at_once` hold a turn; who waits stands by lane, then by age."""

    def __init__(self, at_once: int = 1) -> None:
        self._free = at_once
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, lane: int) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block runs."""
        if self._free and not self._waiting:
            self._free -= 1
        else:
            granted = asyncio.get_running_loop().create_future()
            self._number += 1
            heappush(self._waiting, (lane, self._number, granted))
            try:
                await granted
            except asyncio.CancelledError:
                if granted.done() and not granted.cancelled():
                    self._next()  # it was granted in the same moment: somebody else may have it
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
