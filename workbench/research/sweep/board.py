"""Where runners of every kind take chunks and hand in figures: each chunk is counted once, whoever computed it.

Lives here: giving out, taking in, stopping. Not here: computing (job.py), the file (store.py), showing (progress.py).
"""

import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from workbench.research.sweep.chunk import Figures
from workbench.research.sweep.job import Job
from workbench.research.sweep.progress import Meter
from workbench.research.sweep.scores import Summary
from workbench.research.sweep.store import Store

__all__ = ["Board"]

type Ints = npt.NDArray[np.int64]


class Board:
    """The chunks of one sweep that are still to do. `stop` is the word the compiled loop looks at."""

    def __init__(self, job: Job, store: Store, summary: Summary, meter: Meter) -> None:
        self.job, self.store, self.summary, self.meter = job, store, summary, meter
        self.stop: Ints = np.zeros(1, np.int64)
        self._next = 0
        self._again: list[int] = []
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        for number, rows in store.chunks():
            self._count(number, rows)

    def _count(self, number: int, rows: npt.NDArray[np.void]) -> None:
        chunk = self.job.chunk(number)
        first = chunk.market * self.job.space.n + chunk.first
        self.summary.add(first, rows, self.job.terms.cash)

    # ------------------------------------------------------------------ for runners
    def take(self) -> int | None:
        """The next chunk to do; None when there is none, or the sweep was stopped."""
        with self._changed:
            if self.stop[0]:
                return None
            if self._again:
                return self._again.pop()
            while self._next < self.job.chunks:
                number = self._next
                self._next += 1
                if number not in self.store.done:
                    return number
            return None

    def give_back(self, number: int) -> None:
        """A chunk that was taken and not done: somebody else will."""
        with self._changed:
            self._again.append(number)

    def hand_in(self, number: int, figures: Figures, kept: Ints | None = None) -> None:
        """The figures of a chunk; a second answer to the same one changes nothing."""
        with self._changed:
            if self.stop[0]:
                return  # cut short in the middle, perhaps
            first = self.job.chunk(number)
            place = first.market * self.job.space.n + first.first
            if self.store.add(number, place, figures, kept):
                self._count(number, figures.rows)
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the sweep with `error`."""
        with self._changed:
            self._failure = self._failure or error
            self.stop[0] = 1
            self._changed.notify_all()

    # ------------------------------------------------------------------ for the one who waits
    @property
    def finished(self) -> bool:
        """Whether every chunk is in the file."""
        return len(self.store.done) >= self.job.chunks

    def watch(self, threads: list[threading.Thread], close: Callable[[], None] | None = None) -> None:
        """Start `threads`, show how far they are, wait for them. On Ctrl-C they end first; then the file is kept and
        the line that says how to go on is printed.

        Raises:
            Whatever `fail` was told; KeyboardInterrupt.
        """
        began, total = time.monotonic(), self.job.n
        try:
            for thread in threads:
                thread.start()
            with self.meter as meter, self._changed:
                while not self.finished and not self.stop[0] and any(t.is_alive() for t in threads):
                    self._changed.wait(0.1)
                    if time.monotonic() - began > 0.3:
                        meter.show(self.summary.sets, total)
                if self.finished:
                    meter.end(total)
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self.stop[0] = 1
            if close is not None:
                close()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            self.tell_where()
            raise
        if self._failure is not None:
            raise self._failure

    def tell_where(self) -> None:
        """Say what an interrupted sweep has kept, and how it goes on."""
        done, total = self.summary.sets, self.job.n
        print(
            f"sweep stopped: {done:,} of {total:,} sets are kept in {self.store.path}; the same call goes on there",
            file=sys.stderr,
        )


def run_in_threads(board: Board, workers: int) -> None:
    """Do every chunk in `workers` threads; the compiled loop lets them run side by side."""

    def work() -> None:
        try:
            while (number := board.take()) is not None:
                figures, kept = board.job.run(number, board.stop)
                board.hand_in(number, figures, kept)
        except BaseException as error:  # noqa: BLE001 - raised again where the sweep was asked for
            board.fail(error)

    board.watch([threading.Thread(target=work, name=f"sweep-{k}", daemon=True) for k in range(workers)])
