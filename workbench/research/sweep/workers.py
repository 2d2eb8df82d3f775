"""Chunks in processes of their own, for what the lanes cannot take: one thread here keeps one worker there busy.

A worker is a fresh Python (nothing of the notebook or script is imported or run again), gets the strategy's source and
the data once, and then chunk numbers. It is replaced after a while, so that what leaks in user code stays small. One
that dies is replaced at once and its chunk done again; a chunk that kills two workers is marked failed.

Lives here: this side of the pipes. Not here: the worker's own side (worker.py).
"""

import os
import pickle
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from workbench.errors import StrategyError
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.board import Board
from workbench.research.sweep.chunk import ROW, Figures

__all__ = ["read_message", "run_in_processes", "write_message"]

_SETS_A_WORKER: Final = 2_000
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LENGTH: Final = struct.Struct("<Q")
_START: Final = (
    "import pickle, sys; sys.path[:0] = pickle.load(sys.stdin.buffer); from {} import main; main()"
)


class _Died(Exception):
    """The worker's end of a pipe has closed."""


def write_message(pipe: IO[bytes], message: Any) -> None:
    """One pickled message, length first."""
    data = pickle.dumps(message, protocol=5)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def read_message(pipe: IO[bytes]) -> Any:
    """The next message; EOFError when there is none."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - from a process we started


class _Worker:
    """One worker process."""

    def __init__(self, packed: dict[str, Any], data: Path) -> None:
        here = "workbench.research.sweep.worker"
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START.format(here)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us: we tell the workers
        )
        self.sets = 0
        assert self.process.stdin is not None
        try:
            pickle.dump([path for path in sys.path if path] or [""], self.process.stdin)
            write_message(self.process.stdin, (packed, str(data)))
        except OSError:
            self.end()

    def ask(self, number: int) -> Any:
        """What the worker says of a chunk: (figures, kept), or an exception."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            write_message(self.process.stdin, number)
            return read_message(self.process.stdout)
        except (OSError, EOFError) as error:
            raise _Died from error

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was still buffered has nowhere to go
                    continue


def run_in_processes(board: Board, workers: int) -> None:
    """Do every chunk in `workers` processes."""
    packed = board.job.packed()
    alive: set[_Worker] = set()
    with tempfile.TemporaryDirectory(prefix="workbench-sweep-") as folder:
        data = Path(folder) / "recordings.pickle"
        with data.open("wb") as file:
            pickle.dump([market.recording for market in board.job.markets], file, protocol=5)

        def work() -> None:
            try:
                _keep_busy(board, packed, data, alive)
            except BaseException as error:  # noqa: BLE001 - raised again where the sweep was asked for
                board.fail(error)

        def close() -> None:
            for worker in list(alive):
                worker.end()

        threads = [threading.Thread(target=work, name=f"sweep-{k}", daemon=True) for k in range(workers)]
        board.watch(threads, close)


def _keep_busy(board: Board, packed: dict[str, Any], data: Path, alive: set[_Worker]) -> None:
    worker = _replaced(None, packed, data, alive)
    try:
        while (number := board.take()) is not None:
            if worker.sets >= _SETS_A_WORKER:
                worker = _replaced(worker, packed, data, alive)
            answer: Any = None
            for _ in range(2):
                try:
                    answer = worker.ask(number)
                    break
                except _Died:
                    if board.stop[0]:
                        return
                    worker = _replaced(worker, packed, data, alive)
            if isinstance(answer, BaseException):
                raise answer
            figures, kept = answer if answer is not None else _failed(board, number)
            worker.sets += len(figures.rows)
            board.hand_in(number, figures, kept)
    finally:
        alive.discard(worker)
        worker.end()


def _replaced(worker: _Worker | None, packed: dict[str, Any], data: Path, alive: set[_Worker]) -> _Worker:
    if worker is not None:
        alive.discard(worker)
        worker.end()
    made = _Worker(packed, data)
    alive.add(made)
    return made


def _failed(board: Board, number: int) -> tuple[Figures, Any]:
    count = board.job.chunk(number).sets
    rows = np.zeros(count, ROW)
    rows[:] = (np.nan, np.nan, np.nan, np.nan, np.nan, 0, s.FAILED)
    text = str(StrategyError("its worker process died twice: run the set by itself to see why"))
    return Figures(rows, np.empty((0, 0)), dict.fromkeys(range(count), text)), None
