"""The engine process: `python -m workbench.api.serve --name NAME`. Settings, log, desk, server, signals.

Exit status: 0 stopped in good order, 1 it says no (one line: port busy, account locked, journal damaged or of
another version, no write permission), 2 bad usage or settings. `--json` prints one JSON line when ready, or why not.
"""

import argparse
import asyncio
import logging
import logging.handlers
import os
import queue
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from workbench.api.address import desk_folder
from workbench.api.answers import error_body
from workbench.config import Settings, home_folder, load_settings
from workbench.errors import BadInput, WorkbenchError

__all__ = ["main"]

logger = logging.getLogger("workbench.api.serve")
LOG_BYTES = 5_000_000


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workbench-engine", description="The engine of one desk.")
    parser.add_argument("--name", default=None, help="the desk's name")
    parser.add_argument("--data", default=None, help="recorded market: a known name or a file")
    parser.add_argument(
        "--speed", type=float, default=None, help="replayed seconds per second; 0 = as it settles"
    )
    parser.add_argument("--cash", type=float, default=None, help="starting cash of a new account")
    parser.add_argument("--port", type=int, default=None, help="0 takes a free one")
    market = (
        parser.add_mutually_exclusive_group()
    )  # neither: as it was when the engine crashed, else it waits
    market.add_argument("--play", action="store_true", default=None, help="let the market run at once")
    market.add_argument("--hold", action="store_false", dest="play", help="let the market wait")
    parser.add_argument("--fresh", action="store_true", help="move an existing journal to the archive first")
    parser.add_argument("--config", type=Path, default=None, help="a workbench.toml")
    parser.add_argument("--overrides", default="{}", help="further settings as one JSON object")
    parser.add_argument("--json", action="store_true", help="one JSON line when ready, or when refused")
    return parser.parse_args(argv)


def _settings(arguments: argparse.Namespace) -> Settings:
    try:
        values: dict[str, Any] = msgspec.json.decode(arguments.overrides, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise BadInput(f"--overrides is not one JSON object: {error}") from error
    for section, key, value in (
        ("market", "data", arguments.data),
        ("market", "speed", arguments.speed),
        ("account", "cash", arguments.cash),
        ("api", "port", arguments.port),
    ):
        if value is not None:
            values[section] = {**values.get(section, {}), key: value}
    if arguments.name is not None:
        values["name"] = arguments.name
    return load_settings(arguments.config, **values)


def _log_to(folder: Path) -> logging.handlers.QueueListener:
    """Log lines leave the loop through a bounded queue; a thread writes and rotates the file."""
    path = folder / "engine.log"
    path.touch(mode=0o600)
    file = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8")
    form = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    form.converter = time.gmtime
    file.setFormatter(form)
    lines: queue.Queue[logging.LogRecord] = queue.Queue(10_000)
    listener = logging.handlers.QueueListener(lines, file)
    root = logging.getLogger()
    root.handlers[:] = [logging.handlers.QueueHandler(lines)]
    root.setLevel(logging.INFO)
    listener.start()
    return listener


async def _run(settings: Settings, home: Path, arguments: argparse.Namespace) -> None:
    from workbench.api.engine_host import EngineHost

    host = EngineHost(settings, home, play=arguments.play)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.ended.set)
    address = await host.start()
    logger.info("ready at %s, epoch %d, pid %d", address.url, address.epoch, address.pid)
    if arguments.json:
        told = {"ready": True, "url": address.url, "pid": address.pid, "epoch": address.epoch}
        print(msgspec.json.encode(told).decode(), flush=True)
    await host.ended.wait()
    logger.info("stopping")
    await host.stop()
    logger.info("stopped")


def _refuse(error: WorkbenchError, as_json: bool) -> int:
    if as_json:
        print(msgspec.json.encode({"ready": False, "error": error_body(error)}).decode(), flush=True)
    print(f"workbench-engine: {error}", file=sys.stderr, flush=True)
    return error.exit_status


def main(argv: list[str] | None = None) -> int:
    """Run one engine until it is told to stop; the exit status."""
    arguments = _arguments(argv)
    os.umask(0o077)
    try:
        settings = _settings(arguments)
        home = home_folder()
        folder = desk_folder(settings.name, home)
        listener = _log_to(folder)
    except WorkbenchError as error:
        return _refuse(error, arguments.json)
    except OSError as error:
        return _refuse(
            BadInput(f"log cannot be written: {error}; give a writable WORKBENCH_HOME"), arguments.json
        )
    try:
        if arguments.fresh:
            from workbench.orchestrator.session_file import archive_journal

            archive_journal(folder)
        _loop_runner()(_run(settings, home, arguments))
    except WorkbenchError as error:
        logger.error("refused: %s", error)
        return _refuse(error, arguments.json)
    except Exception as error:
        logger.exception("the engine failed")
        return _refuse(
            WorkbenchError(f"the engine failed ({type(error).__name__}: {error}): see engine.log"),
            arguments.json,
        )
    finally:
        listener.stop()
        for file in listener.handlers:
            file.close()
    return 0


def _loop_runner() -> Any:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


if __name__ == "__main__":
    raise SystemExit(main())
