"""The address book: `<home>/<desk>/engine.json` (also warehouse.json, dashboard.json) says where a process listens.

The file holds the token in plain text, so it is 0600 in a 0700 folder, written to a temporary name and renamed,
never followed through a symbolic link, and not believed when other users can read it.
"""

import os
import re
import stat
from pathlib import Path

import msgspec

from workbench.config import home_folder
from workbench.errors import BadValue, NotRunning, Refused

__all__ = [
    "Address",
    "desk_folder",
    "desk_path",
    "desks",
    "pid_alive",
    "read_address",
    "remove_address",
    "write_address",
]


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Address(msgspec.Struct, frozen=True):
    """Where a process answers and the token it takes. The token never shows in `repr`."""

    url: str
    token: str
    pid: int
    epoch: int
    started_ns: int
    version: str

    def __repr__(self) -> str:
        return f"<Address {self.url} pid {self.pid} epoch {self.epoch} token ***>"

    __str__ = __repr__


def desk_path(name: str, home: Path | None = None) -> Path:
    """Where the desk's folder is, or would be.

    Raises:
        BadValue: no desk can have that name.
    """
    if not _NAME.fullmatch(name):
        raise BadValue(
            "name", name[:64], "give 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit"
        )
    return (home or home_folder()) / name


def desk_folder(name: str, home: Path | None = None) -> Path:
    """The desk's private folder, made (0700) when missing and tightened when it is open to others."""
    folder = desk_path(name, home)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise Refused(
            f"folder '{folder}' cannot be used: {error.strerror}; give a writable WORKBENCH_HOME"
        ) from error
    return folder


def write_address(folder: Path, kind: str, address: Address) -> Path:
    """Write `<folder>/<kind>.json` atomically with mode 0600."""
    path = folder / f"{kind}.json"
    temporary = folder / f".{kind}-{os.getpid()}.tmp"
    temporary.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(msgspec.json.encode(address))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def read_address(folder: Path, kind: str = "engine") -> Address:
    """The address of a running process.

    Raises:
        NotRunning: no file, or its process is gone.
        Refused: other users can read the file, or it is not one of ours.
    """
    path = folder / f"{kind}.json"
    start = (
        f"start it with `workbench up --name {folder.name}`, or in Python with workbench.start('{folder.name}')"
        if kind == "engine"
        else "start it with `workbench up`"
    )
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        running = ", ".join(desks(folder.parent)) or "none"
        raise NotRunning(
            f"{kind} of desk '{folder.name}' is not running (running: {running}): {start}"
        ) from error
    except OSError as error:
        raise Refused(f"address file '{path}' cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
            raise Refused(
                f"address file '{path}' is open to other users: chmod 600 it and restart the {kind}"
            )
        try:
            address = msgspec.json.decode(file.read(), type=Address)
        except msgspec.DecodeError as error:
            raise Refused(
                f"address file '{path}' is not readable as an address: restart the {kind}"
            ) from error
    if not pid_alive(address.pid):
        raise NotRunning(f"{kind} of desk '{folder.name}' is gone (pid {address.pid} ended): {start}")
    return address


def remove_address(folder: Path, kind: str, pid: int) -> None:
    """Delete the file when it is still the one `pid` wrote."""
    path = folder / f"{kind}.json"
    try:
        if msgspec.json.decode(path.read_bytes(), type=Address).pid == pid:
            path.unlink()
    except (FileNotFoundError, msgspec.DecodeError):
        return


def desks(home: Path | None = None) -> list[str]:
    """Names of desks whose engine process is alive."""
    names = []
    for path in sorted((home or home_folder()).glob("*/engine.json")):
        try:
            pid = msgspec.json.decode(path.read_bytes(), type=Address).pid
        except (OSError, msgspec.DecodeError):
            continue
        if pid_alive(pid):
            names.append(path.parent.name)
    return names


def pid_alive(pid: int) -> bool:
    """Whether a process runs under `pid`; one that ended and was not collected yet counts as gone."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
