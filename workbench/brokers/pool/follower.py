"""Finding out about orders: one by one, the executions that are missing, and all that are open every few seconds.

Lives here: looks, sweeps, and the tasks a broker runs. Not here: orders on their way out (venue_broker.py), what a
look asks (the venue's broker.py).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from time import monotonic, time_ns
from typing import Any, Final

from workbench.brokers.pool.hooks import VenueHooks
from workbench.brokers.pool.inquest import Inquest
from workbench.brokers.pool.pool import Pool
from workbench.brokers.pool.tracker import Tracked, Tracker
from workbench.errors import WorkbenchError

__all__ = ["Follower"]

logger = logging.getLogger(__name__)

_PAGE: Final = 500
_MOST_FETCHING: Final = 1_000  # orders whose tries are counted, before those that have ended are forgotten
_SETTLED_S: Final = 2.0  # a sweep does not judge orders younger than this


class Follower(VenueHooks):
    """Keeps the tracker true to the venue."""

    def __init__(
        self,
        pool: Pool,
        *,
        absent_after_s: float = 30.0,
        absent_times: int = 3,
        look_first_s: float = 1.0,
        sweep_s: float = 5.0,
    ) -> None:
        self.pool = pool
        self.tracker = Tracker(time_ns, monotonic)
        self.tracker.missing = self._fetch_missing
        self.inquest = Inquest(
            self.tracker, self._look, after_s=absent_after_s, times=absent_times, first_s=look_first_s
        )
        self._sweep_s, self._look_first_s = sweep_s, look_first_s
        self._closed = False
        self._regular: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetching: dict[int, int] = {}  # by order: how often; negative while one waits
        self._loop: asyncio.AbstractEventLoop

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        # started at once, up to its first wait: the request leaves in this turn of the loop
        task = asyncio.Task(work, loop=self._loop, eager_start=True)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._done)
        else:
            self._done(task)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("broker '%s': a request failed in a way nobody foresaw", self.name, exc_info=error)

    async def _learn(self, tracked: Tracked) -> None:
        """Ask about one order and report what is new."""
        try:
            evidence = await self._look(tracked)
            if evidence is not None:
                self.tracker.learn(tracked, evidence)
        except WorkbenchError as error:
            logger.warning("%s: could not be asked about (%s)", tracked.client_id, error)
        except Exception:  # a mistake in a venue's reader must not end what asked
            logger.exception("%s: what the venue shows of it was not understood", tracked.client_id)

    def _fetch_missing(self, tracked: Tracked) -> None:
        """The venue counts more executions than we have seen: they may be on their way, so not at once; and its lists
        may lag, so less and less often."""
        order_id = tracked.order_id
        tries = self._fetching.get(order_id, 0)
        if tries >= 0 and not self._closed:
            if len(self._fetching) >= _MOST_FETCHING:
                active = self.tracker.active
                self._fetching = {one: times for one, times in self._fetching.items() if one in active}
            self._fetching[order_id] = -1 - tries  # one at a time
            self._loop.call_later(min(0.1 * 2.0 ** min(tries, 6), 5.0), self._fetch, tracked, tries)

    def _fetch(self, tracked: Tracked, tries: int) -> None:
        self._fetching[tracked.order_id] = tries + 1
        if self._closed or (tracked.end is None and not tracked.active):
            self._fetching.pop(tracked.order_id, None)
        else:
            self._run(self._fetched(tracked))

    async def _fetched(self, tracked: Tracked) -> None:
        await self._learn(tracked)
        if tracked.end is None and not tracked.active and self._fetching.get(tracked.order_id, -1) >= 0:
            del self._fetching[tracked.order_id]  # nothing is missing any more

    async def sweep(self, settled_s: float = _SETTLED_S) -> int:
        """Compare our open orders that are older than `settled_s` with the venue's, once; returns how many had news the
        stream had not told."""
        listed = {evidence.client_id: evidence for evidence in await self._list_open()}
        finds, now_s = 0, monotonic()
        for tracked in list(self.tracker.active.values()):
            evidence = listed.get(tracked.client_id)
            if not tracked.answered or now_s - tracked.since_s < settled_s:
                continue
            # else it was replaced; who waits for the answer to an amendment is told of it by that
            same = evidence is not None and evidence.venue_id in ("", tracked.venue_id)
            told = same or (evidence is not None and tracked.busy == "amendment")
            if evidence is None or not told or evidence.filled_e8 > tracked.filled_e8:
                before = len(tracked.reports)
                await self._learn(tracked)
                finds += len(tracked.reports) > before
        for client_id in listed.keys() - self.tracker.by_client.keys():
            evidence = await self._find(client_id)
            if evidence is not None and client_id not in self.tracker.by_client:
                self.tracker.adopt(evidence)
        return finds

    def _every(self, seconds: float, ask: Callable[[], Awaitable[object]]) -> None:
        """Ask something again and again until the connection is closed; what fails is asked again next time."""
        task = self._loop.create_task(self._ask_for_ever(seconds, ask), name=f"{self.name} now and then")
        self._regular.append(task)

    async def _ask_for_ever(self, seconds: float, ask: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await ask()
            except WorkbenchError as error:
                logger.warning("broker '%s': %s", self.name, error)
            except Exception:  # a mistake in a venue's reader must not be the last question
                logger.exception("broker '%s': an answer was not understood", self.name)

    async def _sweep_for_ever(self) -> None:
        while True:
            # many open orders are many pages: they are compared less often
            await asyncio.sleep(self._sweep_s * max(1.0, len(self.tracker.active) / _PAGE))
            if not self.tracker.active:
                continue
            try:
                self._swept(await self.sweep())
            except WorkbenchError as error:
                logger.warning("broker '%s': sweep failed (%s)", self.name, error)
            except Exception:  # a mistake in a venue's reader must not be the last sweep
                logger.exception("broker '%s': a sweep failed in a way nobody foresaw", self.name)
