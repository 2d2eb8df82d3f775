"""A small note beside the journal: which recorded market the desk plays and how far it came.

A starter reads it, to tell a market that was left half-way (go on) from one that is over (begin anew); and a desk
that comes back after a crash, to tell whether its market was playing. The journal stays the truth; without the note
a desk goes on, and waits.
"""

import os
import time
from pathlib import Path

import msgspec

from workbench.errors import Refused
from workbench.journal import AccountLock

__all__ = ["SessionFile", "SessionNote", "archive_journal"]


class SessionNote(msgspec.Struct, frozen=True):
    """`progress` is the share of the recording played, 0 to 1; `playing` whether it was to go on by itself."""

    data: str
    progress: float
    finished: bool
    saved_s: float
    playing: bool = False


class SessionFile:
    """`session.json` in the desk's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "session.json"

    def save(self, *, data: str, progress: float, finished: bool, playing: bool = False) -> None:
        """Write the note in one step."""
        note = SessionNote(data, progress, finished, time.time(), playing)
        draft = self.path.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.encode(note))
        os.replace(draft, self.path)

    def load(self) -> SessionNote | None:
        """The note, or None when there is none or it cannot be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=SessionNote)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def archive_journal(folder: Path) -> Path | None:
    """Move a desk's journal into `archive/` beside it, so that the next start opens a new account; nothing is deleted.

    Returns where it went, or None when there was no journal.

    Raises:
        AccountLocked: an engine is using it.
        Refused: the files cannot be moved.
    """
    journal = folder / "journal.sqlite"
    if not journal.exists():
        return None
    lock = AccountLock(folder)
    try:
        target = folder / "archive" / time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        while target.exists():
            target = target.with_name(target.name + "x")
        try:
            target.mkdir(mode=0o700, parents=True)
            for path in sorted(folder.glob("journal.sqlite*")):
                os.replace(path, target / path.name)
            if (folder / "session.json").exists():
                os.replace(folder / "session.json", target / "session.json")
        except OSError as error:
            text = f"journal of '{folder.name}' cannot be archived ({error.strerror})"
            raise Refused(f"{text}: check the permissions of {folder}") from error
        lock.write(0)  # it remembered the epoch of the journal that has left
    finally:
        lock.release()
    return target
