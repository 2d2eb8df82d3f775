"""The desk in memory as a server with moving numbers, for whoever builds a client:

python -m tests.api.fake_server --port 8801 --home /tmp/desks --name fake
"""

import argparse
import asyncio
import os
import signal
import time
from pathlib import Path

import msgspec

from tests.api.fake_desk import FakeDesk
from workbench.api.address import Address, desk_folder, remove_address, write_address
from workbench.api.server import Server, ServerLimits, free_socket


async def _serve(arguments: argparse.Namespace) -> None:
    folder = desk_folder(arguments.name, arguments.home)
    desk = FakeDesk(folder, arguments.name)
    ended = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, ended.set)
    for n in range(arguments.strategies):
        name = ("RsiReversion", "MovingAverageCross", "BollingerBreakout")[n % 3]
        await desk.add_strategy(
            name, "", {"period": 14 + n}, ["SPY"] if n % 2 else ["SPY", "QQQ"], 10, "quantity", "fake"
        )
    server = Server(
        desk,
        free_socket("127.0.0.1", arguments.port),
        metrics_text=lambda: b"",
        on_stop=ended.set,
        extra_origins=tuple(arguments.origin),
        limits=ServerLimits(failed_login_delay_s=0.1),
    )
    await desk.start()
    await server.start()
    token, _ = server.tokens.issue("full", "address book")
    path = write_address(
        folder, "engine", Address(server.url, token, os.getpid(), 1, time.time_ns(), "0.1.0")
    )
    print(msgspec.json.encode({"url": server.url, "address": str(path)}).decode(), flush=True)
    await ended.wait()
    remove_address(folder, "engine", os.getpid())
    await server.close()
    await desk.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--name", default="fake")
    parser.add_argument("--home", type=Path, default=None, help="default: WORKBENCH_HOME and its rules")
    parser.add_argument("--strategies", type=int, default=3)
    parser.add_argument("--origin", action="append", default=[], help="a further allowed page origin")
    asyncio.run(_serve(parser.parse_args()))
