"""One shared look at the desk for all visitors: a snapshot at most once a second, however many pages are open."""

import asyncio
import time

from workbench.model.snapshot import Snapshot
from workbench.ui.desk_calls import DeskCalls

__all__ = ["Watch"]

MAX_AGE_S = 0.9


class Watch:
    """The newest snapshot; who asks first within a second fetches it for all. `newest` may be old or None."""

    def __init__(self, calls: DeskCalls) -> None:
        self.calls = calls
        self._lock = asyncio.Lock()
        self._taken_s = -1e9
        self.newest: Snapshot | None = None

    async def latest(self) -> Snapshot:
        """The desk now (not older than a second).

        Raises:
            WorkbenchError: it cannot be asked; the next call tries again.
        """
        async with self._lock:
            if self.newest is None or time.monotonic() - self._taken_s > MAX_AGE_S:
                self.newest = await asyncio.to_thread(self.calls.snapshot)
                self._taken_s = time.monotonic()
            return self.newest
