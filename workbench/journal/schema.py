"""What a journal file holds, how it is opened, and the one line for each way in which that can go wrong.

    meta(key TEXT PRIMARY KEY, value TEXT)        format, account, created_ns, code_version, genesis, epoch, ...
    frames(first_seq INTEGER PRIMARY KEY, count, epoch, ts_ns, payload BLOB, hash BLOB)

Writing is `store.py`, reading `reader.py`.
"""

import sqlite3
from pathlib import Path
from typing import Final

import msgspec

from workbench.errors import JournalDamaged, JournalError, JournalVersion
from workbench.journal.codec import FORMAT

__all__ = ["SCHEMA", "Meta", "connect", "connect_readonly", "damaged", "load_meta", "opening"]

SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE frames (first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, epoch INTEGER NOT NULL,
    ts_ns INTEGER NOT NULL, payload BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
"""


class Meta(msgspec.Struct, frozen=True):
    """The journal's own facts. `genesis` (16 random bytes in hex) is what the first frame's hash starts
    from."""

    format: int
    account: str
    created_ns: int
    code_version: str
    genesis: str
    epoch: int = 0
    known_seq: int = 0


def connect(name: Path | str) -> sqlite3.Connection:
    """A connection to a path (or a `file:` address) without implicit transactions; texts come as bytes."""
    uri = isinstance(name, str)
    connection = sqlite3.connect(name, uri=uri, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.text_factory = bytes
    return connection


def connect_readonly(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for readers in any process.

    Raises:
        JournalError: no such file, or not readable.
    """
    if not path.is_file():
        raise JournalError(
            f"journal '{path}' does not exist: start a desk first, or give the path of its journal file"
        )
    try:
        connection = connect(path.resolve().as_uri() + "?mode=ro")
    except sqlite3.Error as error:
        raise opening(path, error) from error
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise opening(path, error) from error
    return connection


def load_meta(connection: sqlite3.Connection, path: Path) -> Meta:
    """The journal's own facts.

    Raises:
        JournalVersion: the file has another format, or is no journal.
        JournalDamaged: the facts cannot be read.
    """
    try:
        pairs = connection.execute("SELECT key, value FROM meta").fetchall()
    except sqlite3.Error as error:
        if "no such" not in str(error):
            raise opening(path, error) from error
        text = f"'{path}' is no journal of this workbench ({error})"
        raise JournalVersion(f"{text}: move it away and start again, or give another path") from error
    try:
        values = {key.decode(): value.decode() for key, value in pairs}
        written = int(values.get("format", "0"))
        if written != FORMAT:
            by = values.get("code_version") or "another version"
            text = f"journal '{path}' has format {written}, this code reads format {FORMAT}"
            raise JournalVersion(
                f"{text}: run the version that wrote it ({by}), or move the file away to start a new one"
            )
        meta = msgspec.convert(values, Meta, strict=False)
        bytes.fromhex(meta.genesis)
    except (UnicodeDecodeError, ValueError) as error:
        raise damaged(path, 0, f"its table of facts is unreadable: {error}") from error
    return meta


def damaged(path: Path, seq: int, why: str) -> JournalDamaged:
    advice = "nothing was changed: keep a copy, put back the newest backup, then reconcile with the broker"
    return JournalDamaged(f"journal '{path}' is damaged at seq {seq}: {why}; {advice}")


def opening(path: Path, error: Exception) -> JournalError:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return damaged(path, 0, text)
    if isinstance(error, PermissionError) or "readonly" in text or "unable to open" in text:
        return JournalError(
            f"journal '{path}' cannot be written or read ({text}): give this user permission to its folder"
        )
    if "locked" in text:
        return JournalError(
            f"journal '{path}' is locked by another program ({text}): close whatever writes to it"
        )
    return JournalError(f"journal '{path}' cannot be opened ({text}): check the disk and its free space")
