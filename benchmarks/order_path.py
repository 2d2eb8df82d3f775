"""Order path: market tick in to broker client called, with strategy, risk rules, order opening and journal.

Three pacings, each stated in the figures' names: hot (as fast as the loop turns, no sync), paced (one tick a
millisecond, caches cold, no sync), synced (through the real journal: one at a time, and 10,000 orders a second).
Every tick makes one order, which is acknowledged and filled before the next one (hot, paced, one at a time) or
while later ones are under way (10,000 a second). `engine_orders_per_s` is the hot path alone, tick in to broker called;
`engine_cycles_per_s` counts the acknowledgement and the fill of each order too. `raw_fsync` is
256 bytes and one fdatasync in the same folder.
"""

import asyncio
import os
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from workbench.engine import Engine
from workbench.journal import Journal
from workbench.model import (
    Accepted,
    AddInstrument,
    AddStrategy,
    Bar,
    Cancel,
    Filled,
    OpenAccount,
    Record,
    SetLimits,
    StartSession,
    Submit,
    to_e8,
)
from workbench.orchestrator import Driver
from workbench.orchestrator.interpreter import release, settle
from workbench.strategy import strategy_source

SOURCE = """
from workbench import Strategy
from workbench.kernels import Ema

class Flip(Strategy):
    period: int = 3

    def indicators(self):
        return {"ema": Ema(self.period)}

    def decide(p, x, pos):
        return -1.0 if pos > 0.0 else 1.0
"""
MS = 1_000_000
FILL_PX_E8 = to_e8(400)
HOT_ORDERS, PACED_ORDERS, SINGLE_ORDERS, OPEN_LOOP_S, OPEN_LOOP_RATE = 40_000, 5_000, 5_000, 5, 10_000


class NoLog:
    """A journal that is durable at once: what the path costs without a disk."""

    def __init__(self) -> None:
        self.last_seq = 0

    def append(self, record: Record) -> int:
        self.last_seq += 1
        return self.last_seq

    def commit(self, on_synced: Callable[[int], None] | None, sync: bool = True) -> None:
        if on_synced is not None:
            on_synced(self.last_seq)


class Wire:
    """The broker client's door: notes the moment it is called, and what to answer."""

    name = "wire"

    def __init__(self) -> None:
        self.called_ns: list[int] = []
        self.orders: list[Submit] = []
        self.on_order: Callable[[Submit], None] = lambda order: None

    def submit(self, order: Submit) -> None:
        self.called_ns.append(time.monotonic_ns())
        self.orders.append(order)
        self.on_order(order)

    def cancel(self, order: Cancel) -> None:
        raise AssertionError("nothing is cancelled here")


def desk(log: Any, loop: asyncio.AbstractEventLoop) -> tuple[Driver, Wire]:
    """An engine with one compiled strategy that trades at every bar, and all risk rules on."""
    engine, wire = Engine(stamp=time.monotonic_ns), Wire()
    driver = Driver(engine, log, wire, loop, lambda events, effects: None, lambda order: None)  # type: ignore[arg-type]
    found = strategy_source_of_text()
    start = to_e8(1_000_000_000)
    limits = (("orders_per_s_strategy", 1e9), ("orders_per_s_account", 1e9))
    for command in (
        StartSession(1, 1, "bench", "bench", ""),
        OpenAccount(1, "BENCH", start),
        AddInstrument(1, 0, "SPY", "SIM", "USD", to_e8("0.01"), to_e8(1), "XNYS"),
        SetLimits(1, limits, "bench"),
        AddStrategy(1, 1, "Flip", SOURCE, found, (("period", 3),), (0,), "quantity", to_e8(10)),
    ):
        for effect in engine.handle(command):
            raise AssertionError(effect)
    return driver, wire


def strategy_source_of_text() -> str:
    from workbench.strategy import load_strategy

    return strategy_source(load_strategy(SOURCE, "Flip")).code_hash


def bars(n: int) -> list[Bar]:
    rng = np.random.default_rng(1)
    px = 400 + np.cumsum(rng.normal(0, 0.01, n))
    return [Bar((i + 2) * MS, 0, p, p + 0.02, p - 0.02, p, 100.0) for i, p in enumerate(px.tolist())]


def answers(order: Submit) -> tuple[Accepted, Filled]:
    accepted = Accepted(order.ts_ns, order.order_id, "v")
    return accepted, Filled(order.ts_ns, order.order_id, f"x{order.order_id}", FILL_PX_E8, order.qty_e8)


def percentiles(ns: list[int]) -> tuple[float, float, float]:
    p50, p99, p999 = np.percentile(np.asarray(ns) / 1e3, [50, 99, 99.9])
    return round(float(p50), 2), round(float(p99), 2), round(float(p999), 2)


def direct(ticks: list[Bar], pace_ns: int, loop: asyncio.AbstractEventLoop) -> tuple[list[int], float]:
    """Latency of each order, and orders a second with acknowledgement and fill included."""
    driver, wire = desk(NoLog(), loop)
    taken: list[int] = []
    monotonic_ns = time.monotonic_ns
    settle()
    begun = monotonic_ns()
    for i, bar in enumerate(ticks):
        if pace_ns:
            wait_s = (begun + i * pace_ns - monotonic_ns()) / 1e9
            if wait_s > 0:
                time.sleep(wait_s)
        before = len(wire.called_ns)
        edge_ns = monotonic_ns()
        driver.tick(bar, edge_ns)
        if len(wire.called_ns) == before:
            continue  # still warming up
        taken.append(wire.called_ns[-1] - edge_ns)
        accepted, filled = answers(wire.orders[-1])
        driver.tick(accepted)
        driver.tick(filled)
    seconds = (monotonic_ns() - begun) / 1e9
    release()
    return taken[200:], len(taken) / seconds


async def one_at_a_time(ticks: list[Bar], folder: Path) -> list[int]:
    """Through the journal: each tick waits until the order before it was sent and filled."""
    loop = asyncio.get_running_loop()
    taken: list[int] = []
    with Journal.open(folder / "single" / "journal.sqlite", loop=loop) as journal:
        driver, wire = desk(journal, loop)
        sent = asyncio.Event()
        wire.on_order = lambda order: sent.set()
        settle()
        for bar in ticks:
            sent.clear()
            before = len(wire.called_ns)
            edge_ns = time.monotonic_ns()
            driver.tick(bar, edge_ns)
            if driver.engine.orders.by_id and len(driver.engine.orders.by_id) > before:
                await sent.wait()
                taken.append(wire.called_ns[-1] - edge_ns)
                for report in answers(wire.orders[-1]):
                    driver.post(report)
                await driver.idle()
        release()
    return taken[100:]


async def open_loop(ticks: list[Bar], folder: Path, rate: int) -> list[int]:
    """Ticks fall due at a fixed rate whatever the path does; latency counts from the moment a tick was due."""
    loop = asyncio.get_running_loop()
    due: dict[int, int] = {}  # by the bar's time, which the order carries
    taken: list[int] = []
    with Journal.open(folder / "open" / "journal.sqlite", loop=loop) as journal:
        driver, wire = desk(journal, loop)

        def on_order(order: Submit) -> None:
            taken.append(wire.called_ns[-1] - due[order.ts_ns])
            for report in answers(order):
                driver.post(report)

        wire.on_order = on_order
        settle()
        step_ns = 1_000_000_000 // rate
        begun, at = time.monotonic_ns() + 1_000_000, 0
        while at < len(ticks):
            now_ns = time.monotonic_ns()
            while at < len(ticks) and begun + at * step_ns <= now_ns:
                due[ticks[at].ts_ns] = due_ns = begun + at * step_ns
                driver.tick(ticks[at], due_ns)
                at += 1
            await asyncio.sleep(0)
        await driver.idle()
        release()
    return taken[rate // 10 :]


def raw_fsync_us(folder: Path, n: int = 1_000) -> tuple[float, float]:
    """256 bytes appended and fdatasync'ed: what one durable write costs here."""
    taken = []
    fd = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(n):
            begun = time.monotonic_ns()
            os.write(fd, b"x" * 256)
            os.fdatasync(fd)
            taken.append(time.monotonic_ns() - begun)
    finally:
        os.close(fd)
    return percentiles(taken)[:2]


def raw_append_ns() -> float:
    """One `list.append`, the best of five: how fast this interpreter on this machine is just now."""
    best = min(timeit.repeat("append(1)", "append = [].append", number=200_000, repeat=5))
    return round(best / 200_000 * 1e9, 1)


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 25 s."""
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if find_spec("uvloop") is not None:
        from uvloop import new_event_loop
    folder = Path(tempfile.mkdtemp(prefix="order-path-", dir=os.environ.get("WORKBENCH_BENCH_FOLDER")))
    figures: dict[str, Any] = {
        "loop": new_event_loop.__module__.split(".")[0],
        "python": sys.version.split()[0],
    }
    loop = new_event_loop()
    say(f"hot: {HOT_ORDERS:,} orders")
    hot, per_s = direct(bars(HOT_ORDERS), 0, loop)
    figures["engine_p50_us"], figures["engine_p99_us"], figures["engine_p999_us"] = percentiles(hot)
    figures["engine_orders_per_s"] = round(len(hot) / sum(hot) * 1e9)
    figures["engine_cycles_per_s"] = round(per_s)
    figures["engine_orders"] = len(hot)
    say(f"paced: {PACED_ORDERS:,} orders, one a millisecond")
    paced, _ = direct(bars(PACED_ORDERS), MS, loop)
    figures["paced_p50_us"], figures["paced_p99_us"], _ = percentiles(paced)
    figures["raw_append_ns"] = raw_append_ns()
    figures["raw_fsync_p50_us"], figures["raw_fsync_p99_us"] = raw_fsync_us(folder)
    say(
        f"synced: {SINGLE_ORDERS:,} orders one at a time, then {OPEN_LOOP_S} s of {OPEN_LOOP_RATE:,} a second"
    )
    single = loop.run_until_complete(one_at_a_time(bars(SINGLE_ORDERS), folder))
    figures["synced_p50_us"], figures["synced_p99_us"], _ = percentiles(single)
    many = loop.run_until_complete(open_loop(bars(OPEN_LOOP_S * OPEN_LOOP_RATE), folder, OPEN_LOOP_RATE))
    figures["synced10k_p50_us"], figures["synced10k_p99_us"], _ = percentiles(many)
    figures["synced10k_orders"] = len(many)
    figures["synced_over_raw_fsync"] = round(figures["synced_p50_us"] / figures["raw_fsync_p50_us"], 2)
    loop.close()
    return figures
