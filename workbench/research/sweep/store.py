"""The results file of a sweep: every finished chunk appended once, found again after an interruption or a crash.

    magic | length | header (JSON) | records: kind, length, CRC-32, payload | ...

The header names everything the figures depend on (code, data, terms, axes), so a file is only gone on with when all of
it is the same. A torn record at the end (power loss, kill -9) is cut off. Memory use does not grow with the file: rows
are read chunk by chunk.

Lives here: the file. Not here: what is in a row (chunk.py), what is made of the rows (result.py).
"""

import fcntl
import json
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

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

    `done` holds the numbers of the chunks that are in it, `sets` what `add_sets` was given, by chunk.

    Raises:
        Refused: another process writes it. BadInput: the file is something else.
    """

    def __init__(self, path: Path, header: dict[str, Any], resume: bool = True) -> None:
        self.path = path
        self.done: set[int] = set()
        self.errors: dict[int, str] = {}
        self.resumed = False
        self._lock = threading.Lock()
        self._where: dict[int, tuple[int, int, int]] = {}  # chunk: offset, length and CRC of its payload
        self.sets: dict[int, list[dict[str, Any]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise Refused(
                f"{path.name} is being written by another sweep: wait for it, or give out="
            ) from error
        self.header = header
        try:
            self._begin(resume)
        except BaseException:
            self._file.close()
            raise

    def _begin(self, resume: bool) -> None:
        file = self._file
        file.seek(0, 2)
        if file.tell():
            there = self._read_header()
            fits = {k: v for k, v in there.items() if k != "chunk"} == {
                k: v for k, v in self.header.items() if k != "chunk"
            }
            if resume and fits:
                self.header = there
                self._scan()
                self.resumed = bool(self.done)
                return
        file.truncate(0)
        text = json.dumps(self.header, sort_keys=True).encode()
        file.write(_MAGIC + struct.pack("<I", len(text)) + text)
        file.flush()

    def _read_header(self) -> dict[str, Any]:
        file = self._file
        file.seek(0)
        head = file.read(len(_MAGIC) + 4)
        if not head.startswith(_MAGIC):
            raise BadInput(f"{self.path} is no results file of a sweep: give another out=")
        (length,) = struct.unpack("<I", head[len(_MAGIC) :])
        try:
            header: dict[str, Any] = json.loads(file.read(length))
        except ValueError:
            return {}
        return header

    def _scan(self) -> None:
        """Find every whole record; cut off what follows the last one."""
        file = self._file
        while True:
            begin = file.tell()
            head = file.read(_HEAD.size)
            payload = b""
            if len(head) == _HEAD.size:
                kind, length, crc = _HEAD.unpack(head)
                payload = file.read(length)
            if len(head) < _HEAD.size or len(payload) < length or zlib.crc32(payload) != crc:
                file.truncate(begin)
                file.seek(0, 2)
                return
            self._note(kind, payload, begin + _HEAD.size)

    def _note(self, kind: bytes, payload: bytes, at: int) -> None:
        if kind == _CHUNK_KIND:
            number, _, _ = _CHUNK.unpack_from(payload)
            self.done.add(number)
            self._where[number] = (at, len(payload), zlib.crc32(payload))
        elif kind == _TEXT_KIND:
            self.errors |= {int(k): text for k, text in json.loads(payload).items()}
        elif kind == _SETS_KIND:
            number, sets = json.loads(payload)
            self.sets[number] = sets

    def _append(self, kind: bytes, payload: bytes) -> None:
        file = self._file
        at = file.seek(0, 2)
        file.write(_HEAD.pack(kind, len(payload), zlib.crc32(payload)) + payload)
        file.flush()
        self._note(kind, payload, at + _HEAD.size)

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
        """Each chunk's payload.

        Raises:
            BadInput: the file is no longer the one that was written.
        """
        with self.path.open("rb") as file:
            for number in sorted(self._where):
                at, length, crc = self._where[number]
                file.seek(at)
                payload = file.read(length)
                if len(payload) < length or zlib.crc32(payload) != crc:
                    raise BadInput(f"{self.path} was written over by a later sweep: give each its own out=")
                yield number, payload

    def close(self) -> None:
        """End writing; other processes may write the file from now on. It can still be read."""
        self._file.close()
