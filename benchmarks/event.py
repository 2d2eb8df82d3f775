"""Event strategies: a Python hook a bar over 500,000 bars, and what a fill costs as fills grow from 1,000 to 10,000.

`bars_per_s` is a whole backtest (fees, risk rules, equity curve) of a hook that reads RSI(14) and trades now and then;
`plain_bars_per_s` the same without an indicator, `working_bars_per_s` with a limit order resting in the book all the
time. `raw_callback_per_s` is the bare limit: the same bars, each made a `Bar` and handed to a method of an object.
`fill_cost_ratio` is the time per fill of 10,000 fills over that of 1,000, one fill a bar: 1 when a fill costs the same
however many there were. `engine_bars_per_s` is the engine's own loop. backtesting.py runs the same rule when it is
installed (`pip install backtesting`); it is no dependency.
"""

import gc
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from workbench.config import SimSettings
from workbench.feeds import Recording, synthetic
from workbench.model import Bar
from workbench.research import Result, backtest
from workbench.research.engine_loop import engine_run
from workbench.research.plan import Placement, Plan
from workbench.strategy import Strategy, load_strategy

BARS, FEW_FILLS, MANY_FILLS, REPEATS = 500_000, 1_000, 10_000, 3
SOURCE = """
from workbench.kernels import Rsi
from workbench.strategy import OrderRequest, Signal, Strategy

class Reverting(Strategy):
    period: int = 14
    low: float = 20.0
    high: float = 80.0

    def indicators(self):
        return {"rsi": Rsi(self.period)}

    def on_bar(self, ctx, bar):
        if ctx.flat:
            if ctx.x.rsi < self.low:
                return Signal(1.0)
        elif ctx.x.rsi > self.high:
            return Signal(0.0)

class NowAndThen(Strategy):
    every: int = 1_000

    def on_bar(self, ctx, bar):
        n = self.n = getattr(self, "n", 0) + 1
        if n % self.every == 0:
            return Signal(1.0 if ctx.flat else 0.0)

class Resting(Strategy):
    def on_bar(self, ctx, bar):
        if not ctx.orders:
            return OrderRequest("buy", 1, type="limit", limit_px=round(bar.close * 0.95, 2), tif="gtc")
"""
SIM = SimSettings(fee_per_unit=0.005)


def seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The best of a few runs."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def strategy(name: str, **parameters: Any) -> Strategy:
    return load_strategy(SOURCE, name)(**parameters)


def once(name: str, recording: Recording, **parameters: Any) -> Result:
    return backtest(strategy(name, **parameters), recording, quantity=10, sim=SIM)


def raw_callback_per_s(recording: Recording) -> float:
    """Bars made one by one and handed to a bound method that counts them: no loop of Python can be quicker."""

    class Bare:
        n = 0

        def on_bar(self, ctx: None, bar: Bar) -> None:
            self.n += 1

    ts_ns, ohlcv = recording.bars(recording.symbols[0])

    def work() -> None:
        on_bar = Bare().on_bar
        iids = [0] * len(ts_ns)
        for bar in map(Bar, ts_ns.tolist(), iids, *ohlcv.T.tolist()):
            on_bar(None, bar)

    return len(ts_ns) / seconds(work)


def peer_bars_per_s(recording: Recording) -> int | None:
    """backtesting.py with the same rule and its indicator worked out beforehand; None when it is not installed."""
    if find_spec("backtesting") is None:
        return None
    import pandas as pd
    from backtesting import Backtest
    from backtesting import Strategy as Peer

    from workbench.kernels import Rsi, batch

    ts_ns, ohlcv = recording.bars(recording.symbols[0])
    values = batch(Rsi(14), ohlcv)

    class Reverting(Peer):  # type: ignore[misc, unused-ignore]
        def init(self) -> None:
            self.rsi = self.I(lambda: values, name="rsi")

        def next(self) -> None:
            if not self.position:
                if self.rsi[-1] < 20.0:
                    self.buy(size=10)
            elif self.rsi[-1] > 80.0:
                self.position.close()

    columns = ["Open", "High", "Low", "Close", "Volume"]
    frame = pd.DataFrame(ohlcv, columns=columns, index=pd.to_datetime(ts_ns))
    return round(len(ts_ns) / seconds(lambda: Backtest(frame, Reverting, cash=1_000_000).run(), 1))


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 20 s."""
    recording = synthetic(1, BARS, seed=5)
    say(f"a hook a bar over {BARS:,} bars")
    first = once("Reverting", recording)  # compiles the indicator, or takes it from disk
    figures: dict[str, Any] = {"bars": BARS, "loop": first.run.loop, "fills": int(first.stats["fills"])}
    figures["bars_per_s"] = round(BARS / seconds(lambda: once("Reverting", recording)))
    figures["plain_bars_per_s"] = round(BARS / seconds(lambda: once("NowAndThen", recording)))
    figures["working_bars_per_s"] = round(BARS / seconds(lambda: once("Resting", recording), 1))
    figures["raw_callback_per_s"] = round(raw_callback_per_s(recording))
    figures["ratio_to_raw"] = round(figures["plain_bars_per_s"] / figures["raw_callback_per_s"], 3)
    say(f"{FEW_FILLS:,} and {MANY_FILLS:,} fills")
    few, many = synthetic(1, FEW_FILLS + 1, seed=6), synthetic(1, MANY_FILLS + 1, seed=6)
    for count, market in ((FEW_FILLS, few), (MANY_FILLS, many)):
        made = int(once("NowAndThen", market, every=1).stats["fills"])
        if made != count:
            raise AssertionError(f"{made} fills where {count} were meant")
    ratios = []
    for _ in range(5):  # in turns, so that a busy moment of the machine meets both
        cost = [
            seconds(lambda market=market: once("NowAndThen", market, every=1), n) / count  # type: ignore[misc]
            for count, market, n in ((FEW_FILLS, few, 6), (MANY_FILLS, many, 2))
        ]
        ratios.append((cost[1] / cost[0], cost[1] * 1e6))
    figures["fill_cost_ratio"], figures["us_per_fill"] = (
        round(float(np.median(column)), 3) for column in zip(*ratios, strict=True)
    )
    say("the engine's own loop, and a peer when it is installed")
    short = synthetic(1, BARS // 10, seed=5)
    placement = Placement.checked(strategy("Reverting"), [0], 10.0, "quantity")
    figures["engine_bars_per_s"] = round(
        len(short) / seconds(lambda: engine_run(Plan(short, (placement,))), 1)
    )
    figures["backtesting_py_bars_per_s"] = peer_bars_per_s(recording)
    return figures
