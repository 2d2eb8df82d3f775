"""The one durable log: what happened and what was decided, on disk before anything leaves.

    Engine effects -> Journal.append -> commit -> writer thread -> SQLite (WAL, synchronous=FULL) -> on_synced
    other processes -> read / read_frames / Tail (read-only)          start-up -> recover      check -> replay

A record gets a dense sequence number (from 1), a frame is what one group commit wrote, and every frame's hash
covers the one before it. Here: writing, reading, locking, recovery, replay, failpoints. Not here: what the
records mean (`engine`), tables to query (`warehouse`).
"""

from workbench.journal.codec import FORMAT, Frame
from workbench.journal.lock import AccountLock
from workbench.journal.log import Journal
from workbench.journal.reader import Tail, read, read_frames, read_inputs, read_meta
from workbench.journal.recovery import Recovered, recover
from workbench.journal.replay import Difference, ReplayReport, replay
from workbench.journal.schema import Meta
from workbench.journal.store import SyncStats

__all__ = [
    "FORMAT",
    "AccountLock",
    "Difference",
    "Frame",
    "Journal",
    "Meta",
    "Recovered",
    "ReplayReport",
    "SyncStats",
    "Tail",
    "read",
    "read_frames",
    "read_inputs",
    "read_meta",
    "recover",
    "replay",
]
