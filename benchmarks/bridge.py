"""Order entry through ccxt: the bridge beside the adapter of its own and a bare client, at an emulated Binance.

All three in turns, in the same run, against the same emulator in a process of its own; the adapter over REST, as ccxt
sends. By number in flight: `throughput_ratio` over the bare client (the median of the turns), orders a second, p99, CPU
of this process an order; and what loading ccxt takes. BENCH_ROUNDS=5 sets the number of turns.
"""

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import brokers
from venues import binance

from workbench.brokers.ccxt.broker import CcxtBroker
from workbench.config import BrokerSettings
from workbench.model import Instrument
from workbench.testbed.rigs.ccxt import ccxt_addresses

IN_FLIGHT, ROUNDS = (1, 10), int(os.environ.get("BENCH_ROUNDS", "5"))
SYMBOL = "BTC/USDT"


class Bridge:
    """What `brokers` asks of a venue's file."""

    NAME, ALLOWANCE = "ccxt", "requests"
    order, bare = staticmethod(binance.order), staticmethod(binance.bare)

    @staticmethod
    def open_broker(facts: Mapping[str, Any]) -> CcxtBroker:
        settings = BrokerSettings(
            venue="ccxt",
            credentials="env:BENCH",
            addresses=ccxt_addresses("binance", facts),
            limits={"*": 100_000_000},
            options={"exchange": "binance"},
        )
        keys = {"BENCH_KEY": facts["key"], "BENCH_SECRET": facts["secret"]}
        return CcxtBroker(settings, [Instrument(0, SYMBOL, "BINANCE", "USDT")], environ=keys)

    @staticmethod
    async def cleared(broker: CcxtBroker) -> None:
        await broker.client.ask("clear", lambda: broker.client.exchange.cancel_all_orders(SYMBOL))


async def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """Figures by number in flight and by who sends."""
    os.environ["BENCH_BINANCE_ORDERS"] = "rest"
    figures: dict[str, Any] = {}
    async with brokers.emulator("binance", "--no-limits") as facts:
        senders = {
            "adapter": (binance, binance.open_broker(facts, {binance.ALLOWANCE: 100_000_000})),
            "bridge": (Bridge, Bridge.open_broker(facts)),
        }
        sinks = {name: brokers.Answered() for name in senders}
        for name, (_, broker) in senders.items():
            await broker.connect(sinks[name])
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            first_id = 1
            for in_flight in IN_FLIGHT:
                turns: dict[str, list[Any]] = {"bare": [], **{name: [] for name in senders}}
                for _ in range(ROUNDS + 1):
                    turns["bare"].append(
                        await brokers.bare_turn(binance, facts, session, first_id, in_flight)
                    )
                    first_id += brokers.ORDERS
                    for name, (bench, broker) in senders.items():
                        await bench.cleared(broker)
                        await brokers.quiet(broker)
                        turns[name].append(
                            await brokers.our_turn(bench, broker, sinks[name], first_id, in_flight)
                        )
                        first_id += brokers.ORDERS
                    await Bridge.cleared(senders["bridge"][1])
                figures[f"{in_flight} in flight"] = {
                    name: _summed(took, turns) for name, took in turns.items()
                }
                say(f"{in_flight} in flight: {figures[f'{in_flight} in flight']['bridge']}")
        for _, broker in senders.values():
            await broker.close()
    return figures


def _summed(took: list[Any], turns: dict[str, list[Any]]) -> dict[str, float]:
    warm = list(zip(took, turns["bare"], strict=True))[1:]  # in the first one connections are opened
    return {
        "throughput_ratio": round(statistics.median(mine.rate / bare.rate for mine, bare in warm), 3),
        "orders_per_s": round(statistics.median(mine.rate for mine, _ in warm)),
        "p99_us": round(statistics.median(brokers.p99_us(mine.took_ns) for mine, _ in warm)),
        "cpu_us": round(statistics.median(mine.cpu_us for mine, _ in warm)),
    }


def _loading_s() -> float:
    code = "import time; t = time.perf_counter(); import ccxt.pro; print(time.perf_counter() - t)"
    return round(
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout), 2
    )


def run(say: Callable[[str], None]) -> dict[str, Any]:
    """All figures."""
    return {"loading_ccxt_s": _loading_s(), **asyncio.run(measure(say))}
