"""Chunks on a Dask cluster: any machine that has the workbench installed. Needs the extra `cluster`.

The strategy travels as source and is compiled where it runs, the data is scattered once to every worker. A worker that
dies takes nothing with it but the chunks it was busy with: they are done again elsewhere, and each is counted once.

Lives here: this side of the cluster. Not here: a chunk (job.py), the counting (board.py).
"""

import hashlib
import pickle
import threading
import time
from typing import Any, Final

from workbench.errors import BadInput, Unreachable
from workbench.research.sweep.board import Board
from workbench.research.sweep.job import Job

__all__ = ["run_on_cluster"]

_CHUNKS_A_THREAD: Final = 3
_TRIES: Final = 5
_CONNECT_S: Final = 20

_jobs: dict[str, Job] = {}
_jobs_lock = threading.Lock()


def run_on_cluster(board: Board, cluster: Any) -> None:
    """Do every chunk on a cluster: the address of its scheduler, or a `distributed.Client`.

    Raises:
        BadInput: `distributed` is not installed. Unreachable: nothing answers at the address, or no worker is left.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise BadInput(
            "cluster= needs Dask: `pip install -e '.[cluster]'` in the project's folder"
        ) from error
    connect: Any = Client
    client: Any = cluster
    ours = not isinstance(cluster, Client)
    if ours:
        try:
            client = connect(str(cluster), timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise Unreachable(
                f"no Dask scheduler answers at {cluster}: give its address, tcp://HOST:PORT"
            ) from error
    try:
        driver = _Driver(board, client)
        board.watch([threading.Thread(target=driver.work, name="sweep-cluster", daemon=True)])
    finally:
        if ours:
            client.close()


class _Driver:
    """Keeps the cluster busy with chunks, and takes their figures in."""

    def __init__(self, board: Board, client: Any) -> None:
        self.board, self.client = board, client
        self.packed = pickle.dumps(board.job.packed(), protocol=5)
        self.recordings = [market.recording for market in board.job.markets]
        self.key = hashlib.sha256(self.packed + repr(board.store.path).encode()).hexdigest()[:16]
        self.data: Any = None
        self.tries: dict[int, int] = {}

    def work(self) -> None:
        """Submit and collect until all is done."""
        flying: dict[Any, int] = {}
        try:
            self._scatter()
            while not self.board.stop[0]:
                wanted = max(1, sum(self.client.nthreads().values())) * _CHUNKS_A_THREAD
                while len(flying) < wanted and (number := self.board.take()) is not None:
                    flying[self._submit(number)] = number
                if not flying:
                    return
                self._collect(flying)
        except BaseException as error:  # noqa: BLE001 - raised again where the sweep was asked for
            self.board.fail(error)
        finally:
            for future in flying:
                future.cancel()

    def _scatter(self) -> None:
        began = time.monotonic()
        while not self.client.nthreads():
            if time.monotonic() - began > _CONNECT_S:
                raise Unreachable("the Dask cluster has no worker: start one with 'dask worker ADDRESS'")
            time.sleep(0.1)
        [self.data] = self.client.scatter([self.recordings], broadcast=True, hash=False)

    def _submit(self, number: int) -> Any:
        self.tries[number] = self.tries.get(number, 0) + 1
        name = f"sweep-{self.key}-{number}-{self.tries[number]}"
        return self.client.submit(
            cluster_chunk, self.key, self.packed, self.data, number, key=name, pure=False
        )

    def _collect(self, flying: dict[Any, int]) -> None:
        """Take in whatever is done; chunks that were lost go back to the board."""
        lost = False
        done = [future for future in flying if future.done()]
        if not done:
            time.sleep(0.02)
        for future in done:
            number = flying.pop(future)
            if future.status == "finished":
                figures, kept = future.result()
                self.board.hand_in(number, figures, kept)
                continue
            error = future.exception() if future.status == "error" else None
            if self.tries[number] >= _TRIES or (error is not None and not _is_loss(error)):
                raise error or Unreachable(f"chunk {number} was lost {_TRIES} times: is the cluster healthy?")
            self.board.give_back(number)
            lost = True
        if lost:
            self._scatter()  # the data may have been where the worker was


def _is_loss(error: BaseException) -> bool:
    """Whether the cluster, not the chunk, is to blame."""
    return type(error).__name__ in {
        "KilledWorker",
        "FutureCancelledError",
        "CancelledError",
        "CommClosedError",
    }


def cluster_chunk(key: str, packed: bytes, recordings: Any, number: int) -> Any:
    """One chunk, on a worker; the job is unpacked and compiled once a process."""
    with _jobs_lock:
        if key not in _jobs:
            _jobs.clear()  # one sweep at a time: data of the last one may be large
            _jobs[key] = Job.unpacked(pickle.loads(packed), recordings)  # noqa: S301 - by our own driver
    return _jobs[key].run(number)
