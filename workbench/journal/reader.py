"""Reading a journal, from any process, while the engine writes it: read-only, in short transactions.

Every frame read is checked: its hash against the one before, its place in the sequence, its count. Reading
from the start checks the whole chain; reading from later on trusts the hash stored just before.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import msgspec

from workbench.errors import JournalError, JournalVersion
from workbench.journal.codec import Frame, decode, frame_hash
from workbench.journal.schema import Meta, connect_readonly, damaged, load_meta
from workbench.model import Effect, Event, Record, Stamped

__all__ = ["Tail", "read", "read_frames", "read_inputs", "read_meta"]

# A reader's transaction holds back the writer's checkpoint: take a little, let go, come again.
_ROWS: Final = 1000
_COLUMNS: Final = "first_seq, count, epoch, ts_ns, payload, hash"
_EFFECTS: Final = frozenset(Effect.__value__.__args__)


class Tail:
    """Follow the journal at `path` from record `from_seq` on (0 and 1 are the start). Use from one thread.

    `poll()` costs a few microseconds when nothing is new. `next_seq` is the first record not yet given.

    Raises:
        JournalError, JournalVersion, JournalDamaged: it cannot be opened, or its start is not to be trusted.
    """

    def __init__(self, path: Path, from_seq: int = 0) -> None:
        self.path = path
        self.next_seq = max(from_seq, 1)
        self._connection = connect_readonly(path)
        try:
            self.meta = load_meta(self._connection, path)
            self._hash = bytes.fromhex(self.meta.genesis)
            self._expected = 1
            if self.next_seq > 1:
                self._seek()
        except BaseException:
            self._connection.close()
            raise
        self._version = -1
        self._more = True

    def poll(self, rows: int = _ROWS) -> list[Frame]:
        """The next frames, at most `rows` of them; empty when nothing is new. A frame that holds `from_seq`
        in its middle is given whole.

        Raises:
            JournalDamaged: a frame fails its hash, or the sequence has a hole; names file and seq.
            JournalVersion: a record of a kind this code does not know.
        """
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version == self._version and not self._more:
                return []
            sql = f"SELECT {_COLUMNS} FROM frames WHERE first_seq >= ? ORDER BY first_seq LIMIT ?"  # noqa: S608
            found = self._connection.execute(sql, (self._expected, rows)).fetchall()
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                text = f"journal '{self.path}' is locked by another program: close whatever writes to it"
                raise JournalError(text) from error
            raise damaged(self.path, self._expected, str(error)) from error
        self._version, self._more = version, len(found) == rows
        frames = [self._checked(*row) for row in found]
        if not self._more and self._expected <= self.meta.known_seq:
            raise damaged(self.path, self._expected, f"it once reached seq {self.meta.known_seq}")
        return frames

    def frames(self) -> Iterator[Frame]:
        """All that is durable now, poll after poll."""
        while frames := self.poll():
            yield from frames

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _seek(self) -> None:
        sql = "SELECT first_seq, count, hash FROM frames WHERE first_seq <= ? ORDER BY first_seq DESC LIMIT 2"
        try:
            rows = self._connection.execute(sql, (self.next_seq,)).fetchall()
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, self.next_seq, str(error)) from error
        if rows and rows[0][0] + rows[0][1] <= self.next_seq:  # all of the last frame is before it
            self._expected, self._hash = rows[0][0] + rows[0][1], rows[0][2]
        elif rows:
            self._expected = rows[0][0]
            self._hash = rows[1][2] if len(rows) > 1 else self._hash
        if self._expected < self.next_seq and not (rows and self._expected == rows[0][0]):
            text = (
                f"journal '{self.path}' ends at seq {self._expected - 1}, seq {self.next_seq} was asked for"
            )
            raise JournalError(f"{text}: the reader is ahead of it (another journal?), rebuild it from seq 1")

    def _checked(
        self, first: int, count: int, epoch: int, ts_ns: int, payload: bytes, stored: bytes
    ) -> Frame:
        expected = self._expected
        if first != expected:
            raise damaged(self.path, expected, f"the sequence has a hole up to seq {first}")
        try:
            good = frame_hash(self._hash, first, count, epoch, ts_ns, payload) == stored
        except (TypeError, struct.error) as error:
            raise damaged(self.path, expected, f"a column has another type ({error})") from error
        if not good:
            raise damaged(self.path, expected, "the frame fails its hash")
        try:
            records = decode(payload)
        except msgspec.MsgspecError as error:
            text = f"journal '{self.path}' holds a record this code does not know at seq {expected} ({error})"
            raise JournalVersion(
                f"{text}: run the version that wrote it ({self.meta.code_version})"
            ) from error
        if len(records) != count:
            raise damaged(self.path, expected, f"the frame holds {len(records)} records and says {count}")
        self._hash = stored
        self._expected = self.next_seq = first + count
        return Frame(first, count, epoch, ts_ns, records)


def read_meta(path: Path) -> Meta:
    """The journal's own facts: format, account, epoch, who wrote it.

    Raises:
        JournalError, JournalVersion, JournalDamaged: as `Tail`.
    """
    connection = connect_readonly(path)
    try:
        return load_meta(connection, path)
    finally:
        connection.close()


def read_frames(path: Path, from_seq: int = 0) -> Iterator[Frame]:
    """All frames that are durable now, from the one that holds `from_seq` on.

    Raises:
        JournalError, JournalVersion, JournalDamaged: as `Tail` and `Tail.poll`.
    """
    with Tail(path, from_seq) as tail:
        yield from tail.frames()


def read(path: Path, from_seq: int = 0) -> Iterator[tuple[int, Record]]:
    """All records that are durable now with their sequence numbers, from `from_seq` on.

    Raises:
        JournalError, JournalVersion, JournalDamaged: as `Tail` and `Tail.poll`.
    """
    for frame in read_frames(path, from_seq):
        for seq, record in enumerate(frame.records, frame.first_seq):
            if seq >= from_seq:
                yield seq, record


def read_inputs(frames: Iterable[Frame]) -> Iterator[tuple[int, Event, list[Effect]]]:
    """Each event with its sequence number and the effects recorded for it; notes (`Stamped`) are left out."""
    seq = 0
    event: Event | None = None
    effects: list[Effect] = []
    for frame in frames:
        for at, record in enumerate(frame.records, frame.first_seq):
            kind = type(record)
            if kind in _EFFECTS:
                effects.append(cast(Effect, record))
            elif kind is not Stamped:
                if event is not None:
                    yield seq, event, effects
                seq, event, effects = at, cast(Event, record), []
    if event is not None:
        yield seq, event, effects
