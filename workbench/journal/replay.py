"""Replay: the recorded events through a fresh engine must give the recorded effects. Nothing is written.

Effects are compared as they read back from disk, so that a whole float and an int in a float's place are the
same; notes and stamps take no part. Both hashes run over (event seq, effects) of every event that had any.
"""

import struct
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import msgspec

from workbench.journal.codec import HASH_BYTES, decode
from workbench.journal.reader import read_frames, read_inputs
from workbench.model import Effect, Event

__all__ = ["Difference", "Folding", "ReplayReport", "replay", "same_effects"]

_encode = msgspec.msgpack.Encoder().encode
_pack_seq = struct.Struct("<q").pack


class Folding(Protocol):
    """What an engine is to the journal: event in, effects out, the same ones every time."""

    def handle(self, event: Event, /) -> Sequence[Effect]: ...


class Difference(msgspec.Struct, frozen=True):
    """Where a replay leaves the record: the event's seq, and both effect lists as text."""

    seq: int
    event: str
    recorded: str
    replayed: str


class ReplayReport(msgspec.Struct, frozen=True):
    """`events` and `effects` count what was recorded; hashes are hex; `equal` is what matters."""

    events: int
    effects: int
    hash_recorded: str
    hash_replayed: str
    equal: bool
    first_difference: Difference | None = None


def replay(path: Path, engine_factory: Callable[[], Folding]) -> ReplayReport:
    """Fold the whole journal at `path` through `engine_factory()` and compare effect by effect.

    Raises:
        JournalError, JournalVersion, JournalDamaged: the journal cannot be read or trusted.
    """
    handle = engine_factory().handle
    recorded_hash, replayed_hash = blake2b(digest_size=HASH_BYTES), blake2b(digest_size=HASH_BYTES)
    events = effects = 0
    first: Difference | None = None
    for seq, event, recorded in read_inputs(read_frames(path)):
        replayed = handle(event)
        events += 1
        if not recorded and not replayed:
            continue
        effects += len(recorded)
        ours, theirs = _canonical(replayed), _encode(recorded)
        recorded_hash.update(_pack_seq(seq) + theirs)
        replayed_hash.update(_pack_seq(seq) + ours)
        if first is None and ours != theirs:
            first = Difference(seq, repr(event), repr(recorded), repr(list(replayed)))
    one, other = recorded_hash.hexdigest(), replayed_hash.hexdigest()
    return ReplayReport(events, effects, one, other, one == other, first)


def same_effects(recorded: Sequence[Effect], replayed: Sequence[Effect]) -> bool:
    """Whether both lists are the same once read back from disk (NaN equals NaN)."""
    return recorded == replayed or _encode(recorded) == _canonical(replayed)


def _canonical(effects: Sequence[Effect]) -> bytes:
    return _encode(decode(_encode(effects)))
