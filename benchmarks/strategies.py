"""1,000 signal strategies on 100 symbols each: one bar close, decided in compiled batches, orders opened.

`decide` is from the slice entering the engine to the last decision known; `orders` to the last resulting order opened
(risk rules passed). Bars are seeded random walks; how many orders a close causes is stated.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.engine import Engine
from workbench.feeds import synthetic
from workbench.model import (
    AddInstrument,
    AddStrategy,
    BarSlice,
    OpenAccount,
    SetLimits,
    StartSession,
    Submit,
    to_e8,
)
from workbench.model.stages import DECIDED, INBOX
from workbench.strategy import find_strategy, strategy_source

STRATEGIES, SYMBOLS, WARM_UP, MEASURED = 1_000, 100, 60, 120


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 30 s, most of it the placing of 100,000 seats."""
    recording = synthetic(symbols=SYMBOLS, bars=WARM_UP + MEASURED, seed=3)
    engine = Engine(stamp=time.monotonic_ns)
    engine.handle(StartSession(1, 1, "bench", "bench", ""))
    engine.handle(OpenAccount(1, "BENCH", to_e8(10_000_000_000)))
    for i in recording.instruments:
        engine.handle(AddInstrument.of(1, i))
    wide = {"max_gross": 1e12, "max_position_qty": 1e9, "max_daily_loss": 1e12, "credit": 1e12}
    wide |= {"orders_per_s_account": 1e6, "max_order_notional": 1e9}
    engine.handle(SetLimits(1, tuple(wide.items()), "bench"))
    found = strategy_source(find_strategy("RsiReversion"))
    say(f"placing {STRATEGIES:,} strategies on {SYMBOLS} symbols")
    iids = tuple(range(SYMBOLS))
    for n in range(STRATEGIES):
        pairs = (("period", 5 + n % 30), ("low", 20.0 + n % 15), ("high", 65.0 + n % 15))
        command = AddStrategy(
            1, n + 1, found.name, found.source, found.code_hash, pairs, iids, "quantity", to_e8(10)
        )
        for effect in engine.handle(command):
            raise AssertionError(effect)
    gc.collect()
    gc.freeze()
    decide: list[float] = []
    orders: list[float] = []
    counts: list[int] = []
    say(f"{WARM_UP} bars to warm up, {MEASURED} measured")
    closes = [event for event in recording.events() if isinstance(event, BarSlice)]
    for number, event in enumerate(closes):
        begun = time.monotonic_ns()
        effects = engine.handle(event)
        done = time.monotonic_ns()
        sent = [e for e in effects if type(e) is Submit]
        others = [e for e in effects if type(e) is not Submit]
        if others:
            raise AssertionError(others[0])
        if number >= WARM_UP and sent:
            stamps = engine.orders.by_id[sent[0].order_id].stamps
            decide.append((stamps[DECIDED] - stamps[INBOX]) / 1e6)
            orders.append((done - begun) / 1e6)
            counts.append(len(sent))
    gc.unfreeze()
    return {
        "strategies": STRATEGIES,
        "symbols": SYMBOLS,
        "bars": len(orders),
        "decide_ms_p50": round(float(np.percentile(decide, 50)), 3),
        "decide_ms_p99": round(float(np.percentile(decide, 99)), 3),
        "orders_ms_p50": round(float(np.percentile(orders, 50)), 3),
        "orders_ms_p99": round(float(np.percentile(orders, 99)), 3),
        "orders_per_bar_p50": float(np.percentile(counts, 50)),
        "us_per_order_p50": round(float(np.percentile(np.asarray(orders) / np.asarray(counts) * 1e3, 50)), 2),
    }
