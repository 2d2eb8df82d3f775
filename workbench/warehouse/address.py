"""Where a desk's warehouse answers: `<home>/<desk>/warehouse.json`, readable by its owner alone."""

import os
import re
from pathlib import Path
from typing import Final

import msgspec

from workbench.errors import BadValue, NotRunning

__all__ = ["Address", "desk_folder", "read_address", "write_address"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Address(msgspec.Struct, frozen=True):
    """`token` is the bearer token every route but /healthz asks for."""

    url: str
    token: str
    pid: int
    name: str = ""
    started_ns: int = 0
    version: str = ""

    def __repr__(self) -> str:
        return f"Address(url={self.url!r}, token='***', pid={self.pid})"


def desk_folder(name: str, home: Path | None = None) -> Path:
    """The desk's folder.

    Raises:
        BadValue: the name is none a desk can have.
    """
    if not _NAME.fullmatch(name):
        raise BadValue("name", name, "give 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit")
    if home is None:
        from workbench.config import home_folder  # heavy: a client that names its home does without

        home = home_folder()
    return home / name


def write_address(folder: Path, address: Address) -> Path:
    """Publish the address in one step, mode 0600."""
    path = folder / "warehouse.json"
    part = folder / f"warehouse.json.{os.getpid()}"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as out:
        out.write(msgspec.json.encode(address))
    part.replace(path)
    return path


def read_address(name: str, home: Path | None = None) -> Address:
    """The address of desk `name`'s warehouse.

    Raises:
        NotRunning: nobody wrote one; says what to type.
    """
    path = desk_folder(name, home) / "warehouse.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Address)
    except FileNotFoundError as error:
        raise not_running(name) from error
    except (OSError, msgspec.MsgspecError) as error:
        text = f"warehouse address '{path}' cannot be read ({error})"
        raise NotRunning(f"{text}: remove it and start the warehouse again") from error


def not_running(name: str) -> NotRunning:
    """The error for a warehouse that does not answer."""
    start = f"python -m workbench.warehouse.serve --name {name}"
    return NotRunning(f"no warehouse answers for desk '{name}': start it with `workbench up` or `{start}`")
