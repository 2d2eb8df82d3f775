"""The thread that keeps the tables up to date: follow the journal, apply, publish, and get up again after a fault.

    waiting (no journal yet) -> applying -> following -> ...
                                   ^           |
                                   +- stalled -+    a fault: wait 1, 2, 4 ... 60 s, open everything anew

A damaged warehouse file is moved aside and rebuilt; a damaged journal or a full disk is waited for. The process
never ends because of any of them.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from workbench.errors import Busy, WorkbenchError
from workbench.journal.codec import Frame
from workbench.journal.reader import Tail
from workbench.warehouse.segments import Segments
from workbench.warehouse.store import Damaged, Store, move_aside, one_line

if TYPE_CHECKING:
    import duckdb

__all__ = ["Follower", "FollowerState"]

_ROWS_A_POLL: Final = 64
_RECORDS_A_BATCH: Final = 20_000
_LONGEST_WAIT_S: Final = 60.0


class FollowerState(msgspec.Struct, frozen=True):
    """`state` is waiting, applying, following, stalled or stopped; `reason` says why it stalled. `lag` counts the
    journal's records not applied yet, as of the last look. `rebuilt` says why an older file was moved aside."""

    state: str
    reason: str
    applied_seq: int
    lag: int
    rebuilt: str
    faults: int


class Follower:
    """Follows the journal at `journal` into `folder / warehouse.duckdb`, in a thread of its own."""

    def __init__(
        self,
        journal: Path,
        folder: Path,
        *,
        poll_ms: float = 100.0,
        threads: int = 1,
        memory_mb: int = 512,
        segment_rows: int = 100_000,
        first_wait_s: float = 1.0,
    ) -> None:
        self._journal, self._folder = journal, folder
        self._poll_s, self._first_wait_s = poll_ms / 1e3, first_wait_s
        self._open_store: Callable[[], Store] = lambda: Store.open(
            folder / "warehouse.duckdb", journal, threads=threads, memory_mb=memory_mb
        )
        self._segment_rows = segment_rows
        self._ending = threading.Event()
        self._guard = threading.Lock()
        self._store: Store | None = None
        self._damage = ""
        self._state, self._reason, self._rebuilt = "waiting", "", ""
        self._applied = self._ahead = self._faults = 0
        self._thread = threading.Thread(target=self._run, name="warehouse-follower", daemon=True)

    def start(self) -> None:
        """Begin following."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in hand; writes what is left to Parquet. Blocks until done."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def state(self) -> FollowerState:
        """How it stands; from any thread."""
        lag = max(0, self._ahead - self._applied)
        return FollowerState(self._state, self._reason, self._applied, lag, self._rebuilt, self._faults)

    def cursor(self) -> "duckdb.DuckDBPyConnection":
        """A connection for one query, from any thread.

        Raises:
            Busy: there is no warehouse to ask at this moment.
        """
        with self._guard:
            if self._store is None:
                text = self._reason or "there is no journal yet, start a desk"
                raise Busy(f"the warehouse has nothing to answer from ({self._state}: {text})")
            return self._store.cursor()

    def report(self, error: BaseException) -> None:
        """A query failed: when that shows a damaged file, rebuild it."""
        with self._guard:
            if self._store is not None and self._store.is_damage(error):
                self._damage = one_line(error)

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = self._first_wait_s
        while not self._ending.is_set():
            if not self._journal.exists():
                self._state = "waiting"
                self._ending.wait(self._poll_s)
                continue
            before = self._applied
            try:
                self._follow()
                wait_s = self._first_wait_s
            except Exception as error:  # noqa: BLE001 - the edge of the thread: whatever it is, say it and go on
                self._faults += 1
                self._state, self._reason = "stalled", _said(error)
                self._close(error)
                wait_s = self._first_wait_s if self._applied > before else min(2 * wait_s, _LONGEST_WAIT_S)
                self._ending.wait(wait_s)
        self._state = "stopped"

    def _follow(self) -> None:
        """Open everything and go on until told to end, or until the journal is another file."""
        store = self._open_store()
        with self._guard:
            self._store, self._damage = store, ""
        self._rebuilt = store.rebuilt or self._rebuilt
        self._applied = store.applied_seq
        identity = self._journal.stat().st_ino
        segments = Segments(store, self._folder / "parquet", self._segment_rows)
        fold = store.fold()
        with Tail(self._journal, store.applied_seq + 1) as tail:
            while True:
                batch, more = _collect(tail)
                self._ahead = tail.next_seq - 1
                if batch:
                    self._state, self._reason = "applying", ""
                    store.write(batch, fold)
                    self._applied = store.applied_seq
                    segments.publish()
                if self._damage:
                    raise Damaged(self._damage)
                if more:
                    continue
                self._state, self._reason = "following", ""
                if self._ending.wait(self._poll_s):
                    break
                if not self._journal.exists() or self._journal.stat().st_ino != identity:
                    break  # another journal took its place: judge everything again
        if self._ending.is_set():
            segments.publish(everything=True)
        self._close(None)

    def _close(self, error: BaseException | None) -> None:
        with self._guard:
            store, self._store = self._store, None
        if store is None:
            return
        store.close()
        if error is not None and (isinstance(error, Damaged) or store.is_damage(error)):
            self._rebuilt = _said(error)
            move_aside(store.path, self._rebuilt)


def _collect(tail: Tail) -> tuple[list[Frame], bool]:
    """Frames for one transaction, and whether more may be waiting."""
    batch: list[Frame] = []
    records = 0
    while records < _RECORDS_A_BATCH:
        frames = tail.poll(_ROWS_A_POLL)
        batch += frames
        records += sum(frame.n for frame in frames)
        if len(frames) < _ROWS_A_POLL:
            return batch, False
    return batch, True


def _said(error: BaseException) -> str:
    return (
        str(error)
        if isinstance(error, WorkbenchError | Damaged)
        else f"{type(error).__name__}: {one_line(error)}"
    )
