"""A sweep of 3,000 parameter sets over 50,000 bars, beside lanes written by hand; its memory; a million sets.

RSI reversion, 30 periods x 10 lows x 10 highs, fees by unit and by rate. `seconds` is the whole call (data hashed, sets
made, results file written) on all cores, at best of several; `by_hand_seconds` the limit: one loop written for this
strategy alone on the same vectors of lanes, which keeps cash, final equity and drawdown and nothing else: no rules,
no rounding, no Sharpe ratio, no file. `ratio` is the second over the first.
`worst_case_seconds`: 3,000 periods, so that no two sets share an indicator. Memory is measured in fresh processes,
above what stood there after imports, compilation and loading the data.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

BARS, MILLION_BARS = 50_000, 1_000
PERIODS, LOWS, HIGHS = np.arange(5, 35), np.arange(20.0, 40.0, 2.0), np.arange(60.0, 80.0, 2.0)
CASH, QUANTITY, FEE_PER_UNIT, FEE_RATE = 1_000_000.0, 10.0, 0.005, 0.0001
ROUNDS = 7
WIDTH = 16


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about a minute, half of it compilation the first time."""
    say("compiling")
    data = made_bars(BARS)
    sweep = call_on(data)
    sweep(period=[5])
    by_hand, hand_equity, hand_drawdown = hand_made(data)
    say(f"{len(PERIODS) * len(LOWS) * len(HIGHS):,} sets x {BARS:,} bars")
    ours, hand, one_core = [], [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        result = sweep(period=PERIODS, low=LOWS, high=HIGHS)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        by_hand()
        hand.append(time.perf_counter() - begun)
    for _ in range(2):
        begun = time.perf_counter()
        sweep(period=PERIODS, low=LOWS, high=HIGHS, workers=1)
        one_core.append(time.perf_counter() - begun)
    frame = result.frame()
    assert np.allclose(frame["final_equity"], hand_equity.ravel(), rtol=0, atol=1e-3)
    assert np.allclose(frame["max_drawdown"], hand_drawdown.ravel(), rtol=0, atol=1e-9)
    say("every set with its own indicators")
    worst = []
    for k in range(3):
        begun = time.perf_counter()
        sweep(period=np.arange(2, 3_002), low=[30.0 + k])
        worst.append(time.perf_counter() - begun)
    sets = len(frame)
    figures: dict[str, Any] = {
        "sets": sets,
        "bars": BARS,
        "cores": cores(),
        "seconds": round(min(ours), 4),
        "one_core_seconds": round(min(one_core), 4),
        "by_hand_seconds": round(min(hand), 4),
        "ratio": round(min(hand) / min(ours), 3),
        "set_bars_per_s": round(sets * BARS / min(ours)),
        "worst_case_seconds": round(min(worst[1:]), 4),
    }
    say("memory of 3,000 sets, in a fresh process")
    figures["rss_above_base_mb"] = measured("thousands")["peak_mb"]
    say(f"1,000,000 sets x {MILLION_BARS:,} bars, in a fresh process")
    million = measured("million")
    figures |= {
        "million_sets_bars": MILLION_BARS,
        "million_sets_seconds": million["seconds"],
        "million_sets_rss_above_base_mb": million["peak_mb"],
    }
    return {**figures, **peer(data, say)}


def made_bars(n: int) -> Any:
    """Minute bars of a seeded random walk on a cent grid, 390 a day, as a recording."""
    from workbench.feeds import Recording
    from workbench.feeds.columns import Columns

    random = np.random.default_rng(1)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.001, n))), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    values = np.column_stack(
        [opened, np.maximum(opened, close), np.minimum(opened, close), close, np.ones(n)]
    )
    ts = (1_607_955_060 + np.arange(n) // 390 * 86_400 + np.arange(n) % 390 * 60) * 10**9
    return Recording.merged("made", Columns("bars", ("MADE",), ts, np.zeros(n, np.int32), values))


def call_on(data: Any) -> Callable[..., Any]:
    """`sweep` with the costs above, silent, never going on with an older file."""
    from workbench.config import SimSettings
    from workbench.research.sweep import sweep
    from workbench.strategy import find_strategy

    cls = find_strategy("RsiReversion")
    sim = SimSettings(ack_median_us=0, fill_median_us=0, fee_per_unit=FEE_PER_UNIT, fee_rate=FEE_RATE)
    folder = Path(tempfile.mkdtemp(prefix="workbench-bench-"))

    def call(**asked: Any) -> Any:
        out = folder / "bench.sweep"
        return sweep(
            cls, data, sim=sim, cash=CASH, quantity=QUANTITY, out=out, resume=False, progress=False, **asked
        )

    return call


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def hand_made(data: Any) -> tuple[Callable[[], None], Any, Any]:
    """The raw limit: (the call, final equity and drawdown by [period][low x high] it fills)."""
    import numba

    from workbench.research.sweep.lane_pieces import lane_floats

    @numba.njit(nogil=True, error_model="numpy")
    def lanes(opened, close, periods, lows, highs, final, worst):  # type: ignore[no-untyped-def]
        n, sets = close.shape[0], lows.shape[0]
        rsi = np.empty(n)
        cash, held, target, peak = lane_floats(), lane_floats(), lane_floats(), lane_floats()
        share, aim, low, high = lane_floats(), lane_floats(), lane_floats(), lane_floats()
        for g in range(periods.shape[0]):
            alpha, up, down, previous = 1.0 / periods[g], 0.0, 0.0, 0.0
            for i in range(n):
                change = close[i] - previous
                rise, fall = max(change, 0.0), max(-change, 0.0)
                rsi[i] = np.nan
                if i > periods[g]:
                    up += (rise - up) * alpha
                    down += (fall - down) * alpha
                elif i > 0:
                    up += rise * alpha
                    down += fall * alpha
                if i >= periods[g]:
                    both = up + down
                    rsi[i] = 100.0 * (up / both) if both > 0.0 else 50.0
                previous = close[i]
            for first in range(0, sets, WIDTH):
                for w in range(WIDTH):
                    cash[w], held[w], target[w], peak[w], share[w] = CASH, 0.0, 0.0, CASH, 1.0
                    low[w], high[w] = lows[first + w], highs[first + w]
                ordered = False
                for i in range(n):
                    o, c, x = opened[i], close[i], rsi[i]
                    if ordered:
                        for w in range(WIDTH):
                            q = target[w] * QUANTITY - held[w]
                            cost = q * o
                            cash[w] = cash[w] - (cost + (abs(q) * FEE_PER_UNIT + abs(cost) * FEE_RATE))
                            held[w] = held[w] + q
                    turned = 0
                    for w in range(WIDTH):
                        equity = cash[w] + held[w] * c
                        top = max(peak[w], equity)
                        peak[w] = top
                        share[w] = min(share[w], equity / top)
                        was = target[w]
                        new = 1.0 if x < low[w] else (0.0 if x > high[w] else was)
                        aim[w] = new
                        turned |= 1 if new != was else 0
                    ordered = turned != 0
                    if ordered:
                        for w in range(WIDTH):
                            target[w] = aim[w]
                for w in range(WIDTH):
                    final[g, first + w] = cash[w] + held[w] * close[n - 1]
                    worst[g, first + w] = share[w] - 1.0

    opened, close = np.array(data.values[:, 0]), np.array(data.values[:, 3])
    lows, highs = np.repeat(LOWS, len(HIGHS)), np.tile(HIGHS, len(LOWS))
    pad = -len(lows) % WIDTH
    sets = len(lows)
    lows, highs = np.append(lows, lows[:pad]), np.append(highs, highs[:pad])
    final, worst = (np.empty((len(PERIODS), len(lows))) for _ in range(2))
    ends = np.linspace(0, len(PERIODS), cores() + 1).astype(int).tolist()
    parts = [slice(low, high) for low, high in pairwise(ends)]

    def call() -> None:
        threads = [
            threading.Thread(
                target=lanes, args=(opened, close, PERIODS[part], lows, highs, final[part], worst[part])
            )
            for part in parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    call()
    return call, final[:, :sets], worst[:, :sets]


def measured(what: str) -> dict[str, float]:
    """Seconds and memory above base of one sweep in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, what],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def alone(what: str) -> None:
    """What `measured` runs: one sweep, and how far memory rose above what was there before."""
    import gc

    million = what == "million"
    sweep = call_on(made_bars(MILLION_BARS if million else BARS))
    sweep(period=[5, 6])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    base = memory_mb("VmRSS")
    begun = time.perf_counter()
    if million:
        result = sweep(period=np.arange(2, 102), low=np.linspace(10, 45, 100), high=np.linspace(55, 90, 100))
    else:
        result = sweep(period=PERIODS, low=LOWS, high=HIGHS)
    seconds = time.perf_counter() - begun
    print(
        json.dumps(
            {
                "seconds": round(seconds, 3),
                "peak_mb": round(memory_mb("VmHWM") - base, 2),
                "sets": len(result),
            }
        )
    )


def memory_mb(name: str) -> float:
    """A line of this process's status in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise AssertionError(name)


def peer(data: Any, say: Callable[[str], None]) -> dict[str, Any]:
    """vectorbt on the same sets, where it is installed: entries below `low`, exits above `high`, fees by rate."""
    try:
        import vectorbt
    except ImportError:
        return {}
    say("vectorbt")
    close, opened = (np.array(data.values[:, [k]]) for k in (3, 0))
    low, high = np.repeat(LOWS, len(HIGHS))[None, :], np.tile(HIGHS, len(LOWS))[None, :]

    def one(period: int, bars: int) -> None:  # all periods at once take more memory than machines have
        rsi = vectorbt.RSI.run(close[:bars], window=period, ewm=True).rsi.to_numpy().reshape(-1, 1)
        entries, exits = np.roll(rsi < low, 1, axis=0), np.roll(rsi > high, 1, axis=0)
        entries[0] = exits[0] = False
        portfolio = vectorbt.Portfolio.from_signals(
            close[:bars],
            entries,
            exits,
            price=opened[:bars],
            size=QUANTITY,
            init_cash=CASH,
            fees=FEE_RATE,
            freq="1min",
        )
        portfolio.final_value()
        portfolio.max_drawdown()

    one(5, 500)  # compiles
    begun = time.perf_counter()
    for period in PERIODS.tolist():
        one(period, len(close))
    return {"vectorbt_seconds": round(time.perf_counter() - begun, 2)}


if __name__ == "__main__":
    alone(sys.argv[1])
