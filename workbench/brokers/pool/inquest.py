"""What became of an order whose answer was lost: asked until the venue proves one thing or the other.

    lost -> look (1, 2, 4, 8, 15, 15, ... s apart) -> found: what the venue shows is learnt
                                                   -> not found, `times` over `after_s`: proof that it never arrived

A look that could not be done (no connection, 5xx, limits) proves nothing and counts for nothing. A single "not found"
proves nothing either: venues answer from copies that lag behind.

Lives here: the asking. Not here: where a venue is asked (its broker.py: by id, open orders, history, fills).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from workbench.brokers.pool.tracker import Evidence, Tracked, Tracker
from workbench.errors import WorkbenchError

__all__ = ["Inquest"]

logger = logging.getLogger(__name__)

type Look = Callable[[Tracked], Awaitable[Evidence | None]]


class Inquest:
    """One task an order. `look` answers None only when the venue's open orders, history and fills all lack it."""

    def __init__(
        self,
        tracker: Tracker,
        look: Look,
        *,
        after_s: float = 30.0,
        times: int = 3,
        first_s: float = 1.0,
        longest_s: float = 15.0,
    ) -> None:
        self._tracker, self._look = tracker, look
        self._after_s, self._times = after_s, times
        self._first_s, self._longest_s = first_s, longest_s
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def open(self, tracked: Tracked, text: str) -> None:
        """The answer to `tracked` was lost: say so, and find out."""
        if not self._tracker.lost(tracked, text) or tracked.order_id in self._tasks:
            return
        task = asyncio.get_running_loop().create_task(self._run(tracked), name=f"inquest {tracked.client_id}")
        self._tasks[tracked.order_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(tracked.order_id, None))

    async def close(self) -> None:
        """Ask no more; what is open stays unknown, and is asked about at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, tracked: Tracked) -> None:
        not_found, first_s, wait_s = 0, 0.0, self._first_s
        while not tracked.answered:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._longest_s)
            if _answered(tracked):  # the stream told of it
                return
            try:
                evidence = await self._look(tracked)
                if evidence is not None:
                    self._tracker.learn(tracked, evidence)
                    return
            except WorkbenchError as error:
                logger.warning("%s: could not be asked about (%s)", tracked.client_id, error)
                continue
            except Exception:
                # a mistake in a venue's reader must not end the asking: the order would stay unknown for ever
                logger.exception("%s: what the venue shows of it was not understood", tracked.client_id)
                continue
            now_s = monotonic()
            not_found += 1
            first_s = first_s or now_s
            if not_found >= self._times and now_s - first_s >= self._after_s:
                over = f"{not_found} times over {now_s - first_s:.0f} s"
                self._tracker.unsent(tracked, f"not in open orders, history or fills, asked {over}")
                return


def _answered(tracked: Tracked) -> bool:
    return tracked.answered
