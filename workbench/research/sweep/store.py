"""The results file of a sweep: every finished chunk appended once, found again after an interruption or a crash.

    magic | length | header (JSON) | records: kind, length, CRC-32, payload | ...

The header names everything the figures depend on (code, data, terms, axes), so a file is only gone on with when all of
it is the same. A torn record at the end (power loss, kill -9) is cut off. Memory use does not grow with the file: rows
are read chunk by chunk.

Lives here: the file. Not here: what is in a row (chunk.py), what is made of the rows (result.py).
"""

import fcntl
import json
import os
import struct
import threading
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, Refused
from workbench.research.sweep.chunk import ROW, Figures

__all__ = ["Store"]

type Ints = npt.NDArray[np.int64]

_MAGIC: Final = b"WBSWEEP1"
_HEAD: Final = struct.Struct("<4sQI")
_CHUNK: Final = struct.Struct("<QQI")
_TEXTS_KEPT: Final = 1_000
_CHUNK_KIND, _SETS_KIND, _TEXT_KIND = b"CHNK", b"SETS", b"TEXT"


class Store:
    """A results file, open for appending; one process at a time.

    `done` holds the numbers of the chunks that are in it, `sets` what `add_sets` was given, by chunk. Starting anew
    makes a new file under the same name, so that results of an earlier sweep stay readable while somebody holds them.

    Raises:
        Refused: another process writes it, or it cannot be written. BadInput: the file is something else.
    """

    def __init__(self, path: Path, header: dict[str, Any], resume: bool = True) -> None:
        self.path, self.header = path, header
        self.done: set[int] = set()
        self.errors: dict[int, str] = {}
        self.sets: dict[int, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._where: dict[int, tuple[int, int]] = {}  # chunk: offset and length of its payload
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = _opened(path, os.O_CREAT)
        except OSError as error:
            raise Refused(f"{path} cannot be written ({error.strerror}): give another out=") from error
        self._end = os.fstat(self._fd).st_size
        try:
            anew = not self._end or not self._fits(resume)
            if anew:
                self._start_anew()
        except BaseException:
            os.close(self._fd)
            raise
        weakref.finalize(self, os.close, self._fd)
        if not anew:
            self._scan()

    def _fits(self, resume: bool) -> bool:
        """Whether the file is one to go on with; takes its header then."""
        start = os.pread(self._fd, len(_MAGIC) + 4, 0)
        if not start.startswith(_MAGIC):
            raise BadInput(f"{self.path} is no results file of a sweep: give another out=")
        try:
            (length,) = struct.unpack("<I", start[len(_MAGIC) :])
            there: dict[str, Any] = json.loads(os.pread(self._fd, length, len(start)))
        except (ValueError, struct.error):  # torn while it was begun
            return False
        same = {**there, "chunk": 0} == {**self.header, "chunk": 0}
        if resume and same:
            self.header = there
            self._begin = len(start) + length
        return resume and same

    def _start_anew(self) -> None:
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fd = _opened(fresh, os.O_CREAT | os.O_EXCL)
        text = json.dumps(self.header, sort_keys=True).encode()
        try:
            self._end = self._written(fd, _MAGIC + struct.pack("<I", len(text)) + text, 0)
        except Refused:
            os.close(fd)
            fresh.unlink()
            raise
        fresh.replace(self.path)
        os.close(self._fd)
        self._fd = fd

    def _scan(self) -> None:
        """Find every whole record; cut off what follows the last one."""
        at = self._begin
        while True:
            head = os.pread(self._fd, _HEAD.size, at)
            if len(head) == _HEAD.size:
                kind, length, crc = _HEAD.unpack(head)
                payload = os.pread(self._fd, length, at + _HEAD.size) if length < self._end else b""
                if len(payload) == length and zlib.crc32(payload) == crc:
                    self._note(kind, payload, at + _HEAD.size)
                    at += _HEAD.size + length
                    continue
            os.ftruncate(self._fd, at)
            self._end = at
            return

    def _note(self, kind: bytes, payload: bytes, at: int) -> None:
        if kind == _CHUNK_KIND:
            number, _, _ = _CHUNK.unpack_from(payload)
            self.done.add(number)
            self._where[number] = (at, len(payload))
        elif kind == _TEXT_KIND:
            self.errors |= {int(k): text for k, text in json.loads(payload).items()}
        elif kind == _SETS_KIND:
            number, sets = json.loads(payload)
            self.sets[number] = sets

    def _append(self, kind: bytes, payload: bytes) -> None:
        at = self._end
        record = _HEAD.pack(kind, len(payload), zlib.crc32(payload)) + payload
        self._end = self._written(
            self._fd, record, at
        )  # what fails halfway is written over, or cut off later
        self._note(kind, payload, at + _HEAD.size)

    def _written(self, fd: int, data: bytes, at: int) -> int:
        """Write all of `data`; answers where it ends."""
        rest = memoryview(data)
        try:
            while rest:
                done = os.pwrite(fd, rest, at)
                at, rest = at + done, rest[done:]
        except OSError as error:
            raise Refused(
                f"{self.path} cannot be written ({error.strerror}); what it holds is kept"
            ) from error
        return at

    def add(self, number: int, first: int, figures: Figures, kept: Ints | None = None) -> bool:
        """Append chunk `number`, whose first set is `first`; False (and nothing written) when it is there already.
        `kept`: the sets (from 0 in the chunk) whose period equity `figures.equity` holds."""
        with self._lock:
            if number in self.done:
                return False
            texts = {first + k: text for k, text in figures.errors.items()}
            if texts and len(self.errors) < _TEXTS_KEPT:
                room = dict(list(texts.items())[: _TEXTS_KEPT - len(self.errors)])
                self._append(_TEXT_KIND, json.dumps(room).encode())
            parts = [
                _CHUNK.pack(number, len(figures.rows), 0 if kept is None else len(kept)),
                figures.rows.tobytes(),
            ]
            if kept is not None and len(kept):
                parts += [kept.astype("<i8").tobytes(), figures.equity.astype("<f8").tobytes()]
            self._append(_CHUNK_KIND, b"".join(parts))
            return True

    def add_sets(self, number: int, sets: list[dict[str, Any]]) -> None:
        """Append the parameter sets of a chunk that no formula gives (a search's)."""
        with self._lock:
            self._append(_SETS_KIND, json.dumps([number, sets]).encode())

    def chunks(self) -> Iterator[tuple[int, npt.NDArray[np.void]]]:
        """(chunk number, its rows), in the order of chunks; one chunk in memory at a time."""
        for number, payload in self._payloads():
            _, rows, _ = _CHUNK.unpack_from(payload)
            yield number, np.frombuffer(payload, ROW, count=rows, offset=_CHUNK.size)

    def curves(self) -> Iterator[tuple[int, Ints, npt.NDArray[np.float64]]]:
        """(chunk number, sets within it, their period equity) of the chunks that hold any."""
        for number, payload in self._payloads():
            _, rows, kept = _CHUNK.unpack_from(payload)
            if kept:
                at = _CHUNK.size + rows * ROW.itemsize
                sets = np.frombuffer(payload, "<i8", count=kept, offset=at)
                yield number, sets, np.frombuffer(payload, "<f8", offset=at + 8 * kept).reshape(kept, -1)

    def _payloads(self) -> Iterator[tuple[int, bytes]]:
        for number in sorted(self._where):
            at, length = self._where[number]
            yield number, os.pread(self._fd, length, at)

    def close(self) -> None:
        """End writing: other processes may write the file from now on. It can still be read."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)


def _opened(path: Path, flags: int) -> int:
    """A descriptor of the file that no other process has for writing."""
    fd = os.open(path, os.O_RDWR | flags, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise Refused(f"{path.name} is being written by another sweep: wait for it, or give out=") from error
    return fd
