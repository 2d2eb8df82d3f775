"""Order entry at emulated venues: pool and adapter against a bare aiohttp client that posts the same bytes.

Per venue and number in flight, both in the same run, in turns, against the same emulator in a process of its own:
`throughput_ratio` (ours over bare) and `added_p99_us` (hand-over to the acceptance's report, ours minus bare), both the
median of the turns. `cpu_us` is what an order costs this process; the account stream's messages are read in both turns.
The process is settled as the engine's is (orchestrator/interpreter.py), for the bare client as well.
Then 10,000 orders a minute with limits lifted, counting what was lost; and with the venue's real limits on, how much of
the allowance is used and how many answers were 429.

A venue is one file in benchmarks/venues (`limited_order` where resting orders would meet another limit).
The last two take a minute each; BENCH_SECONDS=15 makes them shorter, BENCH_VENUES=alpaca takes one venue.
"""

import asyncio
import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from workbench.brokers.pool import Fixed
from workbench.model import Accepted, Filled, OutcomeLost, Rejected, Report, Unsent
from workbench.orchestrator.interpreter import release, settle

IN_FLIGHT = (1, 10, 100)
ROUNDS, ORDERS = 24, 500
PER_MINUTE = 10_000
SUSTAINED_S = float(os.environ.get("BENCH_SECONDS", "60"))
LIMITED_S = float(os.environ.get("BENCH_SECONDS", "60"))
ANSWERS = (Accepted, Rejected, Unsent, OutcomeLost)


@contextlib.asynccontextmanager
async def emulator(venue: str, *options: str) -> AsyncIterator[dict[str, Any]]:
    """An emulator in a process of its own; yields its facts."""
    command = [
        sys.executable,
        "-m",
        "workbench.cli",
        "emulate",
        venue,
        "--port",
        "0",
        "--json",
        "--speed",
        "0",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, "--cash", "9000000000", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


class Answered:
    """A sink that notes when each order was answered, and calls on."""

    def __init__(self) -> None:
        self.at_ns: dict[int, int] = {}
        self.kinds: dict[str, int] = {}
        self.filled_e8 = 0
        self.then: Callable[[], None] = lambda: None

    def __call__(self, report: Report) -> None:
        kind = type(report)
        self.kinds[kind.__name__] = self.kinds.get(kind.__name__, 0) + 1
        if type(report) is Filled:
            self.filled_e8 += report.qty_e8
        if kind in ANSWERS and report.order_id not in self.at_ns:
            self.at_ns[report.order_id] = time.perf_counter_ns()
            self.then()


class Turn:
    """One turn's figures: orders a second, CPU of this process an order, and every latency."""

    def __init__(self) -> None:
        self.took_ns: list[int] = []
        self._begun, self._cpu = time.perf_counter(), time.process_time()

    def over(self) -> "Turn":
        self.rate = ORDERS / (time.perf_counter() - self._begun)
        self.cpu_us = (time.process_time() - self._cpu) / ORDERS * 1e6
        return self


async def bare_turn(bench: Any, facts: Any, session: Any, first_id: int, in_flight: int) -> Turn:
    """A bare client: the next order goes out when one was answered."""
    left = iter([bench.bare(facts, bench.order(first_id + n, 9)) for n in range(ORDERS)])
    turn = Turn()

    async def worker() -> None:
        for url, headers, body in left:
            begun = time.perf_counter_ns()
            async with session.post(url, headers=headers, data=body) as answer:
                await answer.read()
                assert answer.status == 200, await answer.text()
            turn.took_ns.append(time.perf_counter_ns() - begun)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return turn.over()


async def our_turn(bench: Any, broker: Any, sink: Answered, first_id: int, in_flight: int) -> Turn:
    """The same through pool and adapter: the next order goes out when one was accepted."""
    orders = iter([bench.order(first_id + n, 7) for n in range(ORDERS)])
    called: dict[int, int] = {}
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    before = len(sink.at_ns)
    turn = Turn()

    def following() -> None:
        if len(sink.at_ns) - before == ORDERS:
            done.set_result(None)
        order = next(orders, None)
        if order is not None:
            called[order.order_id] = time.perf_counter_ns()
            broker.submit(order)

    sink.then = following
    for _ in range(in_flight):
        following()
    await done
    sink.then = lambda: None
    turn.took_ns = [sink.at_ns[order_id] - at_ns for order_id, at_ns in called.items()]
    return turn.over()


async def speeds(bench: Any, say: Callable[[str], None]) -> dict[str, Any]:
    """Ratio, added p99 and CPU by number in flight."""
    names = ("throughput_ratio", "added_p99_us", "orders_per_s", "p99_us", "cpu_us")
    figures: dict[str, Any] = {name: {} for name in names}
    async with emulator(bench.NAME, "--no-limits") as facts:
        broker, sink = bench.open_broker(facts, {bench.ALLOWANCE: 100_000_000}), Answered()
        await broker.connect(sink)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            first_id = 1
            for in_flight in IN_FLIGHT:
                bare, ours = [], []
                for turn in range(ROUNDS + 1):
                    bare.append(await bare_turn(bench, facts, session, first_id, in_flight))
                    await bench.cleared(broker)
                    await quiet(broker)
                    ours.append(await our_turn(bench, broker, sink, first_id, in_flight))
                    await bench.cleared(broker)
                    await quiet(broker)
                    first_id += ORDERS
                    if not turn:  # connections are open, code is warm
                        bare.clear(), ours.clear()
                _summed(figures, in_flight, bare, ours)
                say(f"{bench.NAME} {in_flight} in flight: ratio {figures['throughput_ratio'][in_flight]}")
        await broker.close()
    return figures


def _summed(figures: dict[str, Any], in_flight: int, bare: list[Turn], ours: list[Turn]) -> None:
    ratios = [mine.rate / theirs.rate for mine, theirs in zip(ours, bare, strict=True)]
    figures["throughput_ratio"][in_flight] = round(float(np.median(ratios)), 3)
    pairs = {"bare": bare, "ours": ours}
    # the median of the turns: one turn the machine was busy with something else would be all of a common p99
    p99 = {
        who: round(float(np.median([p99_us(t.took_ns) for t in turns])), 1) for who, turns in pairs.items()
    }
    figures["p99_us"][in_flight] = p99
    figures["added_p99_us"][in_flight] = round(p99["ours"] - p99["bare"], 1)
    for name, field in (("orders_per_s", "rate"), ("cpu_us", "cpu_us")):
        figures[name][in_flight] = {
            who: round(float(np.median([getattr(turn, field) for turn in turns])))
            for who, turns in pairs.items()
        }


async def sustained(bench: Any, say: Callable[[str], None]) -> dict[str, Any]:
    """10,000 market orders a minute on an absolute schedule: what was answered and filled, what was lost, how late."""
    async with emulator(bench.NAME, "--no-limits") as facts:
        broker, sink = bench.open_broker(facts, {bench.ALLOWANCE: 100_000_000}), Answered()
        await broker.connect(sink)
        count = int(PER_MINUTE / 60 * SUSTAINED_S)
        loop, called = asyncio.get_running_loop(), dict[int, int]()
        begun = loop.time()
        for n in range(count):
            due = begun + n * 60 / PER_MINUTE
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            called[n + 1] = time.perf_counter_ns()
            broker.submit(bench.market_order(n + 1, 7))
        deadline = loop.time() + 10
        while sink.kinds.get("Filled", 0) < count and loop.time() < deadline:  # noqa: ASYNC110 - a deadline, not an event
            await asyncio.sleep(0.01)
        took = [sink.at_ns[n] - at_ns for n, at_ns in called.items() if n in sink.at_ns]
        account = await broker.account()
        figures = {
            "orders": count,
            "seconds": round(SUSTAINED_S),
            "answered": len(took),
            "not_accepted": sum(
                n for kind, n in sink.kinds.items() if kind in ("Rejected", "Unsent", "OutcomeLost")
            ),
            "filled": sink.filled_e8 // 10**8,
            "position_at_venue": account.positions.get(0, 0) // 10**8,
            "open_at_venue": len(account.open_orders),
            "p50_us": round(float(np.percentile(took, 50)) / 1e3),
            "p99_us": p99_us(took),
        }
        await broker.close()
        say(f"{bench.NAME} sustained: {figures['answered']} of {count} answered")
        return figures


async def limited(bench: Any, say: Callable[[str], None]) -> dict[str, Any]:
    """Twice as many orders as the venue's real limits allow: what passed, and what the venue refused. Who waits longer
    than five seconds at the limiter is told that it was not sent."""
    async with emulator(bench.NAME) as facts:
        broker, sink = bench.open_broker(facts, {}), Answered()
        await broker.connect(sink)
        budget = broker.pool.limiter.budgets[bench.ALLOWANCE]
        spent_before = budget.limit - budget.free(broker.pool.limiter.clock())
        periods = max(1.0, LIMITED_S / budget.period_s)
        if isinstance(budget, Fixed):  # its windows are the clock's: begin with one
            await asyncio.sleep(budget.period_s - time.time() % budget.period_s)
        else:
            await asyncio.sleep(max(0.0, budget.period_s - 1.0) if spent_before and periods >= 1 else 0.0)
        loop = asyncio.get_running_loop()
        order = getattr(bench, "limited_order", bench.order)
        begun, sent_before = loop.time(), sum(broker.pool.limiter.passed)
        wanted, step_s = 0, budget.period_s / budget.limit / 2  # twice as many as may pass
        while loop.time() < begun + periods * budget.period_s:
            wanted += 1
            broker.submit(order(wanted, 7))
            await asyncio.sleep(max(0.0, begun + wanted * step_s - loop.time()))
        took_s = loop.time() - begun
        passed = sum(broker.pool.limiter.passed) - sent_before
        allowed = budget.limit * took_s / budget.period_s
        snapshot = broker.pool.snapshot()
        figures = {
            "allowance_used": round(passed / allowed, 4),
            "requests": passed,
            "seconds": round(took_s, 1),
            "answers_429": snapshot.limited,
            "longest_wait_s": round(snapshot.longest_wait_s, 2),
        }
        await broker.pool.close()
        say(f"{bench.NAME} limited: {figures['allowance_used']:.1%} used, {snapshot.limited} answers 429")
        return figures


async def quiet(broker: Any) -> None:
    """Until nothing is under way any more."""
    still = 0
    while still < 5:
        await asyncio.sleep(0.02)
        frames = broker.pool.streams[0].frames
        still = still + 1 if not broker.pending and frames == getattr(quiet, "frames", -1) else 0
        quiet.frames = frames  # type: ignore[attr-defined]


def p99_us(took_ns: Sequence[int]) -> float:
    return round(float(np.percentile(took_ns, 99)) / 1e3, 1)


def venues() -> list[Any]:
    """The venues there are, one file each."""
    folder = Path(__file__).parent / "venues"
    if str(folder.parent) not in sys.path:
        sys.path.insert(0, str(folder.parent))
    names = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    wanted = os.environ.get("BENCH_VENUES", "").split(",") if os.environ.get("BENCH_VENUES") else names
    return [importlib.import_module(f"venues.{name}") for name in names if name in wanted]


def run(say: Callable[[str], None]) -> dict[str, Any]:
    """All figures, by venue."""

    async def measure(bench: Any) -> dict[str, Any]:
        settle()
        figures = await speeds(bench, say)
        figures["sustained_10k_a_minute"] = await sustained(bench, say)
        figures["real_limits"] = await limited(bench, say)
        release()
        return figures

    def runner(work: Any) -> Any:
        try:
            import uvloop
        except ImportError:
            return asyncio.run(work)
        return uvloop.run(work)

    return {bench.NAME: runner(measure(bench)) for bench in venues()}
