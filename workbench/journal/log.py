"""The journal as the driver holds it: append in memory, commit to the writer, hear when it is durable."""

import asyncio
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from workbench.errors import BadValue, JournalDamaged, JournalError, JournalStopped
from workbench.journal.codec import encode
from workbench.journal.lock import AccountLock
from workbench.journal.store import Store, SyncStats
from workbench.journal.writer import Batch, InlineWriter, OnFailed, OnSynced, ThreadWriter, Writer
from workbench.model import Record

__all__ = ["Journal"]


class Journal:
    """The open log of one account. Make it with `Journal.open`; it is used from one thread (the loop's).

    An event and the effects it caused are appended before the same `commit`: they are durable together.

    >>> import tempfile, pathlib
    >>> from workbench.model import Cancel
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Journal.open(pathlib.Path(folder.name) / "journal.sqlite") as journal:
    ...     seq = journal.append(Cancel(0, 1))
    ...     journal.commit(print)
    1
    >>> folder.cleanup()
    """

    def __init__(
        self,
        store: Store,
        lock: AccountLock,
        loop: asyncio.AbstractEventLoop | None,
        batch_max: int,
        market_flush_ms: float,
        on_failed: OnFailed | None,
    ) -> None:
        self.path, self.meta, self.epoch = store.path, store.meta, store.epoch
        self.last_seq = store.last_seq
        self.on_failed = on_failed
        self._store, self._lock, self._loop = store, lock, loop
        self._batch_max, self._flush_ns = batch_max, round(market_flush_ms * 1e6)
        self._pending: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._oldest_ns = 0
        self._closed = False
        self._writer: Writer
        if loop is None:
            self._writer = InlineWriter(store, batch_max, self._failed)
        else:
            self._writer = ThreadWriter(store, batch_max, self._failed, loop)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        epoch: int | None = None,
        account: str = "",
        code_version: str = "",
        loop: asyncio.AbstractEventLoop | None = None,
        batch_max: int = 4096,
        market_flush_ms: float = 20.0,
        on_failed: OnFailed | None = None,
    ) -> Self:
        """Open (or begin) the journal at `path` and lock its folder; `epoch` None takes the next one.

        With `loop` a thread writes and answers on that loop; without, `commit` writes before it returns.
        `on_failed(error)` is called once when the disk refuses a sync; nothing is durable from then on.

        Raises:
            AccountLocked: another engine holds the folder; names its pid.
            JournalVersion: written by another format.
            JournalDamaged: the end of the hash chain does not hold, or an old copy was put back.
            JournalError: no write permission, or the journal belongs to another account.
            BadValue: `epoch` is not above the last one used.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            text = f"account folder '{path.parent}' cannot be made ({error.strerror})"
            raise JournalError(
                f"{text}: give this user write permission or choose another WORKBENCH_HOME"
            ) from error
        lock = AccountLock(path.parent)
        try:
            store = Store(path, account=account, code_version=code_version)
            try:
                _check(store, lock, account)
                chosen = store.epoch + 1 if epoch is None else epoch
                if chosen <= store.epoch:
                    raise BadValue("epoch", chosen, f"give a number above {store.epoch}, the last one used")
                store.begin_epoch(chosen)
                lock.write(chosen)
            except BaseException:
                store.close(clean=False)
                raise
        except BaseException:
            lock.release()
            raise
        return cls(store, lock, loop, batch_max, market_flush_ms, on_failed)

    def append(self, record: Record) -> int:
        """Give the record its sequence number and keep it in memory until the next `commit`; no I/O.

        Raises:
            BadValue: a field's type is wrong, so that it could not be read back; the record is not taken.
            JournalStopped: the disk refused an earlier sync, or the journal is closed.
        """
        if self._writer.failed is not None or self._closed:
            raise self._refusal()
        self._pending.append(encode(record))
        self.last_seq += 1
        return self.last_seq

    def commit(self, on_synced: OnSynced | None = None, sync: bool = True) -> None:
        """Hand everything appended so far to the writer; `on_synced(seq)` is called once that is durable.

        With `sync=False` and no callback the records may wait up to `market_flush_ms` for company. A commit
        without new records answers when all earlier ones are durable. Answers keep the order of the commits.

        Raises:
            JournalStopped: the disk refused an earlier sync, or the journal is closed; `on_synced` is never
                called.
        """
        if self._writer.failed is not None or self._closed:
            raise self._refusal()
        if sync or on_synced is not None or len(self._pending) >= self._batch_max:
            self._hand_over(on_synced)
        elif self._pending:
            self._linger()

    @property
    def synced_seq(self) -> int:
        """The last sequence number known to be durable."""
        return self._writer.synced_seq

    @property
    def failed(self) -> JournalStopped | None:
        """Why the journal stopped, or None while it works."""
        return self._writer.failed

    @property
    def stats(self) -> SyncStats:
        """Counts and the last sync times; read from any thread."""
        return self._store.stats

    @property
    def size_bytes(self) -> int:
        """Bytes on disk: the file and its write-ahead log."""
        log = self.path.with_name(self.path.name + "-wal")
        return sum(os.stat(p).st_size for p in (self.path, log) if p.exists())

    def close(self) -> None:
        """Write what waits, end the writer, free the account. Blocks for one or two syncs; harmless twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer.failed is None and self._pending:
                self._hand_over(None)
            self._writer.close()
        finally:
            self._cancel_timer()
            self._store.close(clean=self._writer.failed is None)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _hand_over(self, on_synced: OnSynced | None) -> None:
        self._cancel_timer()
        self._oldest_ns = 0
        batch = Batch(self._pending, self.last_seq, on_synced)
        self._pending = []
        self._writer.put(batch)

    def _linger(self) -> None:
        if self._loop is not None:
            if self._timer is None:
                self._timer = self._loop.call_later(self._flush_ns / 1e9, self._flush)
            return
        now_ns = time.monotonic_ns()
        self._oldest_ns = self._oldest_ns or now_ns
        if now_ns - self._oldest_ns >= self._flush_ns:
            self._hand_over(None)

    def _flush(self) -> None:
        self._timer = None
        if self._pending and self._writer.failed is None:
            self._hand_over(None)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refusal(self) -> JournalStopped:
        if self._writer.failed is not None:
            return JournalStopped(str(self._writer.failed))
        return JournalStopped(f"journal '{self.path}' is closed: open it again before anything is decided")

    def _failed(self, error: JournalStopped) -> None:
        if self.on_failed is not None:
            self.on_failed(error)


def _check(store: Store, lock: AccountLock, account: str) -> None:
    if account and store.meta.account and account != store.meta.account:
        text = f"journal '{store.path}' belongs to account '{store.meta.account}', not '{account}'"
        raise JournalError(f"{text}: give each account a folder of its own")
    if store.epoch < lock.epoch:
        text = (
            f"journal '{store.path}' ends in epoch {store.epoch}, its account has been in epoch {lock.epoch}"
        )
        advice = f"put back the newest, or remove '{lock.path}' and reconcile with the broker"
        raise JournalDamaged(f"{text}, so an old copy was put back: {advice}")
