"""The warehouse process: `python -m workbench.warehouse.serve --name NAME`. One a desk; ends on SIGTERM or SIGINT.

Exit status: 0 ended as asked, 1 refused (another one serves the desk), 2 wrong usage.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from workbench.config import Settings, load_settings
from workbench.errors import BadInput, BadValue, Refused, WorkbenchError
from workbench.warehouse.address import Address, desk_folder, write_address
from workbench.warehouse.follower import Follower
from workbench.warehouse.server import make_app

__all__ = ["main", "serve"]


async def serve(
    settings: Settings,
    *,
    home: Path | None = None,
    port: int = 0,
    ready: Callable[[Address], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Follow the desk's journal and answer queries until `stop` is set (or a signal, when none is given).

    `ready` is called once the address book is written.

    Raises:
        Refused: another warehouse serves this desk.
        BadValue: the port is taken.
    """
    folder = desk_folder(settings.name, home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(folder, settings.name)
    token = secrets.token_urlsafe(32)
    chosen = settings.warehouse
    follower = Follower(
        folder / "journal.sqlite",
        folder,
        poll_ms=chosen.poll_ms,
        threads=chosen.threads,
        memory_mb=chosen.memory_mb,
    )
    app, answers_on = make_app(follower, token, chosen)
    runner = web.AppRunner(app, access_log=None)
    book: Path | None = None
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        except OSError as error:
            raise BadValue(
                "port", port, f"it is taken ({error.strerror}): give another, or 0 for a free one"
            ) from error
        got = runner.addresses[0][1]
        answers_on(got)
        follower.start()
        url = f"http://127.0.0.1:{got}"
        address = Address(url, token, os.getpid(), settings.name, time.time_ns(), version("workbench"))
        book = write_address(folder, address)
        if ready is not None:
            ready(address)
        await _until(stop)
    finally:
        if book is not None:
            book.unlink(missing_ok=True)
        await runner.cleanup()
        await asyncio.get_running_loop().run_in_executor(None, follower.stop)
        os.close(lock)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.warehouse.serve", description="Serve a desk's history."
    )
    parser.add_argument("--name", default="", help="the desk's name (default: as configured)")
    parser.add_argument("--config", type=Path, default=None, help="a TOML file of settings")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    given = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        if not 0 <= given.port <= 65535:
            raise BadValue("port", given.port, "give a number from 0 to 65535")
        overrides = {"name": given.name} if given.name else {}
        settings = load_settings(given.config, **overrides)
        asyncio.run(serve(settings, port=given.port, ready=_say))
    except WorkbenchError as error:
        print(f"warehouse: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def _say(address: Address) -> None:
    print(f"warehouse of desk '{address.name}' ready at {address.url} (pid {address.pid})", flush=True)


async def _until(stop: asyncio.Event | None) -> None:
    if stop is not None:
        await stop.wait()
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()


def _lock(folder: Path, name: str) -> int:
    """One warehouse a desk; the kernel frees it when its holder dies."""
    try:
        fd = os.open(folder / "warehouse.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        text = f"desk folder '{folder}' cannot be written ({error.strerror})"
        raise BadInput(f"{text}: give this user write permission or choose another WORKBENCH_HOME") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = "another process"
        with contextlib.suppress(OSError):
            holder = f"process {os.pread(fd, 32, 0).decode() or '?'}"
        os.close(fd)
        raise Refused(
            f"{holder} serves the warehouse of desk '{name}' already: use that one, or stop it"
        ) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


if __name__ == "__main__":
    sys.exit(main())
