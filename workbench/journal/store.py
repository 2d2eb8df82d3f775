"""Writing: one connection, its pragmas, and how one batch of records becomes rows under one sync.

`known_seq` in the table of facts is written at every opening and clean end: rows up to it must exist.
Threads and the order of answers are `writer.py`; the tables are `schema.py`.
"""

import os
import secrets
import sqlite3
import time
from array import array
from pathlib import Path
from typing import Final

import msgspec

from workbench.errors import JournalError
from workbench.journal import failpoints
from workbench.journal.codec import FORMAT, frame_hash, join
from workbench.journal.schema import SCHEMA, Meta, connect, damaged, load_meta, opening

__all__ = ["Store", "SyncStats"]

_FRAME_BYTES: Final = 1 << 20
_KEPT_SYNCS: Final = 4096
_FULL: Final = 2
_CHECKPOINT_PAGES: Final = 1000
_LOG_BYTES: Final = 4200 * _CHECKPOINT_PAGES
_INSERT: Final = "INSERT INTO frames VALUES "
_ROW: Final = "(?,?,?,?,?,?)"

_pre_sync = failpoints.point("journal.pre_sync")
_post_sync = failpoints.point("journal.post_sync")


class SyncStats:
    """Figures of one writer since it opened: counts, and the last 4,096 sync times (ns) in a ring."""

    __slots__ = ("durations_ns", "frames", "payload_bytes", "records", "syncs")

    def __init__(self) -> None:
        self.syncs = self.frames = self.records = self.payload_bytes = 0
        self.durations_ns = array("q", bytes(8 * _KEPT_SYNCS))

    def add(self, duration_ns: int, frames: int, records: int, payload_bytes: int) -> None:
        """One sync took `duration_ns`."""
        self.durations_ns[self.syncs % _KEPT_SYNCS] = duration_ns
        self.frames += frames
        self.records += records
        self.payload_bytes += payload_bytes
        self.syncs += 1

    def since(self, syncs: int) -> array[int]:
        """The sync times (ns) after the first `syncs` ones, oldest first, as far as they are kept.

        >>> stats = SyncStats(); stats.add(7, 1, 1, 1); stats.add(9, 1, 1, 1); stats.since(1)
        array('q', [9])
        """
        end = self.syncs
        start = max(syncs, end - _KEPT_SYNCS)
        return array("q", [self.durations_ns[i % _KEPT_SYNCS] for i in range(start, end)])


class Store:
    """The open file. `write` makes one batch durable; everything else happens at the opening and the end.

    Raises:
        JournalVersion: the file has another format, or is no journal.
        JournalDamaged: the end of the chain does not hold, or the file is older than the account.
        JournalError: the file cannot be opened or written.
    """

    def __init__(self, path: Path, *, account: str, code_version: str) -> None:
        self.path = path
        self.last_seq = self.epoch = 0
        self._tip = b""
        self.stats = SyncStats()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            # autocommit: one INSERT statement is one transaction, with one trip through the interpreter lock
            self.connection = connect(path)
        except (OSError, sqlite3.Error) as error:
            raise opening(path, error) from error
        try:
            self._pragmas()
            if not self._tables():
                self._create(account, code_version)
            self.meta = load_meta(self.connection, path)
            self._tail()
            self._extend_log()
        except sqlite3.Error as error:
            self.close(clean=False)
            raise opening(path, error) from error
        except BaseException:
            self.close(clean=False)
            raise

    def begin_epoch(self, epoch: int) -> None:
        """Write the new epoch before anything else: it is never used twice. Also proves that we can write."""
        try:
            with_seq = (str(epoch), str(self.last_seq))
            self.connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('epoch', ?), ('known_seq', ?)", with_seq
            )
        except sqlite3.Error as error:
            raise opening(self.path, error) from error
        self.epoch = epoch

    def write(self, encoded: list[bytes], batch_max: int) -> None:
        """Make these records durable: one INSERT, one sync; more than `batch_max` of them become several
        rows.

        Raises:
            sqlite3.Error, OSError: nothing of the batch is durable for sure; do not write again.
        """
        begun_ns = time.perf_counter_ns()
        rows: list[int | bytes] = []
        first, tip, bytes_in, ts_ns = self.last_seq + 1, self._tip, 0, time.time_ns()
        for part in _parts(encoded, batch_max):
            payload = join(part)
            tip = frame_hash(tip, first, len(part), self.epoch, ts_ns, payload)
            rows += (first, len(part), self.epoch, ts_ns, payload, tip)
            first += len(part)
            bytes_in += len(payload)
        n = len(rows) // 6
        _pre_sync()
        self.connection.execute(_INSERT + _ROW + ("," + _ROW) * (n - 1), rows)
        _post_sync()
        self.last_seq, self._tip = first - 1, tip
        self.stats.add(time.perf_counter_ns() - begun_ns, n, len(encoded), bytes_in)

    def close(self, *, clean: bool) -> None:
        """Note how far the file reaches, move the log into it and close; after a failure only close."""
        if clean:
            self.connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('known_seq', ?)", (str(self.last_seq),)
            )
        else:
            # the operating system may call pages clean that never reached the disk: touch nothing more
            self.connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        self.connection.close()

    def _pragmas(self) -> None:
        run = self.connection.execute
        mode = run("PRAGMA journal_mode=WAL").fetchone()[0]
        run("PRAGMA synchronous=FULL")
        run("PRAGMA fullfsync=ON")  # macOS: ask the drive, not only the system
        run("PRAGMA checkpoint_fullfsync=ON")
        run(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        level = run("PRAGMA synchronous").fetchone()[0]
        if mode != b"wal" or level != _FULL:
            text = f"journal '{self.path}' cannot sync (mode {mode.decode()}, synchronous {level})"
            raise JournalError(f"{text}: put it on a local disk")

    def _tables(self) -> bool:
        return bool(self.connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone())

    def _create(self, account: str, code_version: str) -> None:
        meta = Meta(FORMAT, account, time.time_ns(), code_version, secrets.token_hex(16))
        values = [(key, str(value)) for key, value in msgspec.to_builtins(meta).items()]
        self.connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.strip().split(";\n"):
            self.connection.execute(statement)
        self.connection.executemany("INSERT INTO meta VALUES (?, ?)", values)
        self.connection.execute("COMMIT")
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _extend_log(self) -> None:
        """Write the log once to the length it has between checkpoints, and the file a little longer: a sync that
        also has to make a file longer costs nearly twice as much."""
        log = self.path.with_name(self.path.name + "-wal")
        self.connection.execute("DROP TABLE IF EXISTS scratch")
        if log.exists() and log.stat().st_size >= _LOG_BYTES:
            return
        self.connection.execute("CREATE TABLE scratch (filler BLOB)")
        self.connection.execute("INSERT INTO scratch VALUES (zeroblob(?))", (_LOG_BYTES,))
        self.connection.execute("DROP TABLE scratch")
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _tail(self) -> None:
        """Check the last two links; the whole chain is checked by whoever reads it all (recovery does)."""
        sql = (
            "SELECT first_seq, count, epoch, ts_ns, payload, hash FROM frames ORDER BY first_seq DESC LIMIT 2"
        )
        rows = self.connection.execute(sql).fetchall()
        self.last_seq, self._tip, self.epoch = 0, bytes.fromhex(self.meta.genesis), self.meta.epoch
        if rows:
            first, count, epoch, ts_ns, payload, stored = rows[0]
            before = rows[1][5] if len(rows) > 1 else self._tip
            begins = rows[1][0] + rows[1][1] if len(rows) > 1 else 1
            if begins != first or frame_hash(before, first, count, epoch, ts_ns, payload) != stored:
                raise damaged(self.path, first, "its last frame fails its hash")
            self.last_seq, self._tip, self.epoch = first + count - 1, stored, max(epoch, self.meta.epoch)
        if self.last_seq < self.meta.known_seq:
            raise damaged(self.path, self.last_seq + 1, f"it once reached seq {self.meta.known_seq}")


def _parts(encoded: list[bytes], batch_max: int) -> list[list[bytes]]:
    """`encoded` in frames of at most `batch_max` records and about 1 MiB."""
    if len(encoded) <= batch_max and sum(map(len, encoded)) <= _FRAME_BYTES:
        return [encoded]
    parts: list[list[bytes]] = [[]]
    size = 0
    for data in encoded:
        if parts[-1] and (len(parts[-1]) >= batch_max or size + len(data) > _FRAME_BYTES):
            parts.append([])
            size = 0
        parts[-1].append(data)
        size += len(data)
    return parts
