"""A desk that trades live at emulated venues, with its own API server, all in one process of its own.

    python -m tests.e2e.venue_desk --home /tmp/desks --name default alpaca binance ibkr

Lives here: what the browser tests look at. Each emulator's facts (its console among them) are in the desk's folder as
`emulator-VENUE.json`. Not here: what is tested.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.ui.processes import RunningDesk, running
from workbench.api.engine_host import EngineHost
from workbench.config import load_settings
from workbench.strategy import find_strategy, strategy_source
from workbench.testbed import emulated
from workbench.testbed.accounts import account_at, write_keys

SPEED = 240.0  # four candles a second
SYMBOLS = {"alpaca": ("AAPL",), "ibkr": ("SPY",), "binance": ("BTCUSDT", "ETHUSDT")}
QUANTITY = {"AAPL": 10.0, "SPY": 5.0, "BTCUSDT": 0.02, "ETHUSDT": 0.4}


async def serve(home: Path, name: str, venues: list[str], paper: bool) -> None:
    """Emulators, a desk at them with two strategies a symbol, and its server, until SIGTERM."""
    folder = home / name
    accounts: dict[str, Any] = {}
    routes: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for venue in venues:
            limits = venue != "ibkr"  # there a list of orders may be asked for every five seconds
            emulator = await stack.enter_async_context(
                emulated(venue, speed=SPEED, limits=limits, ack_s=0.002, fill_s=0.05)
            )
            reference = write_keys(home / "secrets", f"{name}-{venue}", emulator.facts)
            accounts[venue] = account_at(emulator.facts, reference, limited=limits)
            routes |= dict.fromkeys(SYMBOLS[venue], venue)
            (folder / f"emulator-{venue}.json").write_text(json.dumps(emulator.facts))
        market = {"brokers": tuple(accounts), "symbols": tuple(routes), "reconcile_s": 2.0, "paper": paper}
        host = EngineHost(load_settings(name=name, brokers=accounts, routes=routes, market=market), home)
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await host.start()
        for symbol in routes:
            for strategy, values in (
                ("RsiReversion", {"period": 4, "low": 45.0, "high": 55.0}),
                ("MovingAverageCross", {"fast": 3, "slow": 9}),
            ):
                source = strategy_source(find_strategy(strategy)).source
                await host.desk.add_strategy(strategy, source, values, [symbol], QUANTITY[symbol])
        await asyncio.wait(
            {asyncio.ensure_future(ended.wait()), asyncio.ensure_future(host.ended.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        await host.stop()


@contextmanager
def venue_desk(
    home: Path, venues: tuple[str, ...], name: str = "default", *, paper: bool = False
) -> Iterator[RunningDesk]:
    """Such a desk while the block runs."""
    folder = home / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "tests.e2e.venue_desk", "--home", str(home), "--name", name, *venues]
    argv += ["--paper"] if paper else []
    ready = (folder / "engine.json").exists
    with running(argv, home / f"{name}.log", ready, {"WORKBENCH_HOME": str(home)}) as process:
        yield RunningDesk(name, home, process)


def console(desk: RunningDesk, venue: str, method: str, path: str, **body: Any) -> Any:
    """Ask an emulator's console; what it answered."""
    facts = json.loads((desk.folder / f"emulator-{venue}.json").read_text())
    headers = {"Authorization": f"Bearer {facts['console_token']}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body else None
    asked = Request(f"{facts['console']}/{path}", data, headers, method=method)
    with urlopen(asked, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--name", default="default")
    parser.add_argument("--paper", action="store_true", help="trade on the built-in exchange")
    parser.add_argument("venues", nargs="+")
    options = parser.parse_args()
    os.umask(0o077)
    asyncio.run(serve(options.home, options.name, options.venues, options.paper))


if __name__ == "__main__":
    main()
