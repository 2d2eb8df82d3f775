"""Backtest of a signal strategy: 500,000 bars, RSI(14), fees, equity curve, against a hand-written compiled loop.

`bars_per_s` is the compiled loop alone on one core, `ratio` its speed over that of a loop written by hand for this very
strategy (same work, same outputs: equity, orders, fills), both taken in turns in the same run. `bars_per_s_8` is a
strategy with eight indicators. `whole_call_bars_per_s` is `wb.backtest` as typed, on data that is open;
`first_result_s` a fresh process from its start to the first figure, with the compiled loop on disk. Peers run the same
strategy over fewer bars where they are installed.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numba
import numpy as np
from _backtest_peers import peers

from workbench.config import SimSettings
from workbench.engine.limits import Limits
from workbench.feeds import Recording, synthetic
from workbench.kernels import Atr, Bollinger, Ema, Macd, Roc, Rsi, Sma
from workbench.research import backtest
from workbench.research.fused import loop
from workbench.research.fused.build import layout_and_indicators, loop_call
from workbench.research.fused.one import account_of, marks_of
from workbench.research.plan import Placement, Plan
from workbench.strategy import Strategy
from workbench.strategy.rows import RowMemory

BARS, ROUNDS = 500_000, 40
CASH, QUANTITY, FEE_PER_UNIT, FEE_RATE = 1_000_000.0, 10.0, 0.005, 0.0001
LOW, HIGH, PERIOD = 30.0, 70.0, 14
SIM = SimSettings(ack_median_us=0, fill_median_us=0, fee_per_unit=FEE_PER_UNIT, fee_rate=FEE_RATE)
FIRST = (
    "import workbench as wb; "
    "print(wb.backtest(wb.strategies.RsiReversion(period=14), data='SPY').stats['final_equity'])"
)


class Reversion(Strategy):
    """Long below `low`, flat above `high`."""

    period: int = PERIOD
    low: float = LOW
    high: float = HIGH

    def indicators(self) -> dict[str, Any]:
        return {"rsi": Rsi(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if x.rsi < p.low:
            return 1.0
        return 0.0 if x.rsi > p.high else pos


class Eight(Strategy):
    """The same with seven more indicators, all of them looked at."""

    low: float = LOW
    high: float = HIGH

    def indicators(self) -> dict[str, Any]:
        return {
            "rsi": Rsi(14),
            "fast": Ema(12),
            "slow": Ema(26),
            "mean": Sma(50),
            "range_": Atr(14),
            "bands": Bollinger(20),
            "change": Roc(10),
            "macd": Macd(),
        }

    def decide(p: Any, x: Any, pos: Any) -> Any:
        calm = x.range_ < 0.01 * x.mean and x.bands.upper > x.bands.lower
        if x.rsi < p.low and (x.fast < x.slow or x.macd.histogram < 0.0) and calm:
            return 1.0
        return 0.0 if x.rsi > p.high and x.change > 0.0 else pos


def _by_hand(
    o: Any, c: Any, equity: Any, order_bar: Any, order_qty: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
    cash: float, quantity: float, period: int, low: float, high: float, fee_unit: float, fee_rate: float,
) -> int:  # fmt: skip
    """The strategy, its fills, fees and equity, fused by hand."""
    alpha = 1.0 / period
    previous = up = down = held = pos = pending = 0.0
    warm, orders, fills = -1, 0, 0
    for i in range(c.shape[0]):
        if pending != 0.0:
            value = abs(pending) * o[i]
            fee = abs(pending) * fee_unit + value * fee_rate
            cash -= pending * o[i] + fee
            held += pending
            fill_px[fills], fill_value[fills], fill_fee[fills] = o[i], value, fee
            fills += 1
            pending = 0.0
        change = c[i] - previous
        previous = c[i]
        rise = change if change > 0.0 else 0.0
        fall = -change if change < 0.0 else 0.0
        if warm < 0:
            warm = 0
        elif warm < period:
            warm += 1
            up += rise * alpha
            down += fall * alpha
        else:
            up += (rise - up) * alpha
            down += (fall - down) * alpha
        if warm == period:
            both = up + down
            rsi = 100.0 * (up / both) if both > 0.0 else 50.0
            target = pos
            if rsi < low:
                target = 1.0
            elif rsi > high:
                target = 0.0
            if target != pos:
                pos = target
                pending = target * quantity - held
                order_bar[orders], order_qty[orders] = i, pending
                orders += 1
        equity[i] = cash + held * c[i]
    return orders


njit: Any = numba.njit
by_hand = njit(error_model="numpy")(_by_hand)


def plan_of(strategy: Strategy, recording: Recording) -> Plan:
    placed = Placement.checked(strategy, (0,), QUANTITY, "quantity")
    return Plan(recording, (placed,), cash=CASH, sim=SIM)


class Fused:
    """The compiled loop of a strategy with everything it needs, ready to be called again and again."""

    def __init__(self, strategy: Strategy, recording: Recording) -> None:
        self.strategy = strategy
        self.layout, self.indicators = layout_and_indicators(strategy)
        decide: Any = type(strategy).decide  # type: ignore[attr-defined]
        call = loop_call(self.layout, decide, "fused", loop.loop_over, loop.SIGNATURE)
        if isinstance(call, str):
            raise SystemExit(call)
        self.call, self.memory = call, RowMemory(self.layout)
        self.memory.take()
        self.plan = plan_of(strategy, recording)
        self.series, self.marks = recording.series(recording.symbols[0]), marks_of(recording)
        n = len(recording)
        self.equity, self.rows = np.empty(n), [np.empty(n + 1, np.int64) for _ in range(5)]
        self.orders = 0

    def seconds(self) -> float:
        """One pass over all bars, from fresh indicators."""
        self.memory.fill(0, self.strategy, self.indicators)
        account = account_of(self.plan, loop, Limits().allow_reversal != 0)
        numbers = np.zeros(loop.NUMBERS)
        memory, n = self.memory, len(self.equity)
        begun = time.perf_counter()
        self.call(
            memory.slots,
            memory.rings,
            0,
            *self.series,
            self.marks,
            0,
            n,
            account,
            numbers,
            self.equity,
            *self.rows,
        )
        taken = time.perf_counter() - begun
        self.orders = int(account[loop.N_ORDERS])
        return taken


class ByHand:
    """The hand-written loop, ready to be called again and again."""

    def __init__(self, recording: Recording) -> None:
        series = recording.series(recording.symbols[0])
        n = len(recording)
        self.equity, self.bars = np.empty(n), np.empty(n, np.int64)
        rows = [np.empty(n) for _ in range(4)]
        self.arguments = (series.open, series.close, self.equity, self.bars, *rows)
        self.orders = 0

    def seconds(self) -> float:
        begun = time.perf_counter()
        self.orders = by_hand(*self.arguments, CASH, QUANTITY, PERIOD, LOW, HIGH, FEE_PER_UNIT, FEE_RATE)
        return time.perf_counter() - begun


def whole_call_s(recording: Recording) -> float:
    """The best of some calls of `wb.backtest` as a user types it."""
    strategy, best = Reversion(), float("inf")
    for _ in range(ROUNDS // 2):
        begun = time.perf_counter()
        result = backtest(strategy, recording, quantity=QUANTITY, cash=CASH, sim=SIM)
        best = min(best, time.perf_counter() - begun)
    if result.run.loop != "compiled":
        raise SystemExit(f"the {result.run.loop} loop ran: {result.run.why}")
    return best


def first_result_s() -> float:
    """A fresh process, interpreter start and imports included; the second of two, so that the loop is on disk."""
    for _ in range(2):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", FIRST], check=True, capture_output=True, env=os.environ)
        taken = time.perf_counter() - begun
    return taken


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 20 s without peers."""
    figures: dict[str, Any] = {"bars": BARS, "python": sys.version.split()[0], "numba": numba.__version__}
    say(f"compiled against by hand: {BARS:,} bars, {ROUNDS} times in turns")
    recording = synthetic(1, BARS, seed=1)
    fused, hand = Fused(Reversion(), recording), ByHand(recording)
    fused.seconds(), hand.seconds()
    pairs = [(fused.seconds(), hand.seconds()) for _ in range(ROUNDS)]
    best, best_by_hand = (min(column) for column in zip(*pairs, strict=True))
    if fused.orders != hand.orders or not np.allclose(fused.equity, hand.equity, rtol=1e-9):
        raise SystemExit("the two loops do not do the same")
    figures["orders"] = fused.orders
    figures["bars_per_s"] = round(BARS / best)
    figures["by_hand_bars_per_s"] = round(BARS / best_by_hand)
    figures["ratio"] = round(best_by_hand / best, 3)
    say("eight indicators")
    eight = Fused(Eight(), recording)
    figures["bars_per_s_8"] = round(BARS / min(eight.seconds() for _ in range(ROUNDS)))
    say("the whole call")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whole_s = whole_call_s(recording)
    figures["whole_call_ms"] = round(whole_s * 1e3, 2)
    figures["whole_call_bars_per_s"] = round(BARS / whole_s)
    figures["rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    figures["rss_above_before_mb"] = round(
        (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    )
    say("the first result of a fresh process")
    figures["first_result_s"] = round(first_result_s(), 2)
    for name, measure in peers(recording.series(recording.symbols[0])).items():
        if find_spec(name) is None:
            figures[f"peer_{name}"] = "not installed"
            continue
        say(f"peer {name}")
        figures[f"peer_{name}"] = measure()
    return figures
