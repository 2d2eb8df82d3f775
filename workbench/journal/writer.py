"""Who writes, and when the answer comes back. Two writers with one small contract:

    put(batch)   take a batch of encoded records and the callback that waits for it; order is kept
    close()      everything put so far is written, then nothing more is taken

`ThreadWriter` gathers all batches that wait into one INSERT with one sync, and answers with one
`loop.call_soon_threadsafe` per sync. `InlineWriter` does it all before `put` returns: for tests, tools and
journals without a loop. After a failed sync neither writes again: nobody can know what reached the disk.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from workbench.errors import JournalStopped
from workbench.journal.store import Store

__all__ = ["Batch", "InlineWriter", "OnFailed", "OnSynced", "ThreadWriter", "Writer"]

type OnSynced = Callable[[int], None]
type OnFailed = Callable[[JournalStopped], None]


class Batch(NamedTuple):
    """What one commit hands over: the records' bytes, the sequence of the last, and who waits for it."""

    encoded: list[bytes]
    last_seq: int
    on_synced: OnSynced | None


class Writer(Protocol):
    """See the module's docstring."""

    failed: JournalStopped | None
    synced_seq: int

    def put(self, batch: Batch) -> None: ...
    def close(self) -> None: ...


class InlineWriter:
    """Writes in the caller's own thread; `on_synced` is called before `put` returns."""

    def __init__(self, store: Store, batch_max: int, on_failed: OnFailed | None) -> None:
        self._store, self._batch_max, self._on_failed = store, batch_max, on_failed
        self.failed: JournalStopped | None = None
        self.synced_seq = store.last_seq

    def put(self, batch: Batch) -> None:
        if batch.encoded:
            try:
                self._store.write(batch.encoded, self._batch_max)
            except (sqlite3.Error, OSError) as error:
                self.failed = stopped(self._store, error)
                if self._on_failed is not None:
                    self._on_failed(self.failed)
                return
        self.synced_seq = batch.last_seq
        if batch.on_synced is not None:
            batch.on_synced(batch.last_seq)

    def close(self) -> None:
        """Nothing waits."""


class ThreadWriter:
    """Writes in a thread of its own; `on_synced` and `on_failed` are called on `loop`."""

    def __init__(
        self, store: Store, batch_max: int, on_failed: OnFailed | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._store, self._batch_max, self._on_failed, self._loop = store, batch_max, on_failed, loop
        self.failed: JournalStopped | None = None
        self.synced_seq = store.last_seq
        self._queue: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, batch: Batch) -> None:
        self._queue.put(batch)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more and self.failed is None:
            batch = self._queue.get()
            if batch is None:
                return
            encoded, waiting, last_seq = list(batch.encoded), [batch], batch.last_seq
            while len(encoded) < self._batch_max and not self._queue.empty():
                batch = self._queue.get()
                if batch is None:
                    more = False
                    break
                encoded += batch.encoded
                waiting.append(batch)
                last_seq = batch.last_seq
            try:
                if encoded:
                    self._store.write(encoded, self._batch_max)
            except Exception as error:  # noqa: BLE001  a writer that died of anything must never look alive
                self.failed = stopped(self._store, error)
                if self._on_failed is not None:
                    self._call(self._on_failed, self.failed)
                return
            self.synced_seq = last_seq
            calls = [(b.on_synced, b.last_seq) for b in waiting if b.on_synced is not None]
            if calls:
                self._call(self._answer, calls)

    def _call[T](self, function: Callable[[T], object], argument: T) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:
            # the loop is closed: whoever waited is gone; the records are as durable as they are
            if not self._loop.is_closed():
                raise

    def _answer(self, calls: list[tuple[OnSynced, int]]) -> None:
        for on_synced, seq in calls:
            try:
                on_synced(seq)
            except Exception as error:  # noqa: BLE001  the others must hear too; the loop reports it
                context = {"message": f"on_synced({seq}) raised", "exception": error}
                self._loop.call_exception_handler(context)


def stopped(store: Store, error: Exception) -> JournalStopped:
    """The one line for a disk that refused."""
    why = f"the disk refused a sync ({type(error).__name__}: {error})"
    text = f"journal '{store.path}' stopped after seq {store.last_seq}: {why}"
    return JournalStopped(
        f"{text}; nothing more is sent: free space or replace the disk, then start the engine again"
    )
