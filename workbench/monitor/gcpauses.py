"""When the garbage collector stopped the process, and for how long: a ring, joined into order traces."""

import gc
import time
from collections import deque
from typing import Literal, Self

from workbench.monitor.histogram import Histogram
from workbench.monitor.traces import Pause

__all__ = ["GcPauses"]


class GcPauses:
    """Records every collection of this process while installed; the newest `keep` are kept.

    >>> with GcPauses() as pauses:
    ...     _ = gc.collect()
    >>> pauses.between(0, time.monotonic_ns())[-1].what
    'gc2'
    """

    def __init__(self, keep: int = 1024) -> None:
        self.histogram = Histogram()
        self._ring: deque[Pause] = deque(maxlen=keep)
        self._started_ns = 0

    def install(self) -> None:
        """Begin recording; a second install does nothing."""
        if self._on_gc not in gc.callbacks:
            gc.callbacks.append(self._on_gc)

    def remove(self) -> None:
        """End recording; what was seen stays."""
        if self._on_gc in gc.callbacks:
            gc.callbacks.remove(self._on_gc)

    def between(self, start_ns: int, end_ns: int) -> list[Pause]:
        """Collections that overlap the window of monotonic ns, oldest first."""
        return [p for p in self._ring if p.start_ns < end_ns and p.start_ns + p.length_ns > start_ns]

    def _on_gc(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        now_ns = time.monotonic_ns()
        if phase == "start":
            self._started_ns = now_ns
        elif self._started_ns:
            length_ns = now_ns - self._started_ns
            self._ring.append(Pause(f"gc{info['generation']}", self._started_ns, length_ns))
            self.histogram.record(length_ns)
            self._started_ns = 0

    def __enter__(self) -> Self:
        self.install()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
