"""Event strategies in the real engine: what hooks see, and what becomes of their answers."""

from collections.abc import Callable

import pytest

from tests.engine.conftest import MINUTE, SECOND, Bench
from workbench.engine import Engine
from workbench.model import (
    AddStrategy,
    Arm,
    Bar,
    Effect,
    Kill,
    PauseStrategy,
    Quote,
    RemoveStrategy,
    ResumeStrategy,
    SetLimits,
    StrategyHalted,
    Submit,
    Timer,
    Trade,
    to_e8,
)
from workbench.model.orders import LIMIT

HEAD = "from workbench.strategy import Strategy, Signal, OrderRequest\n"

CROSSING = """
class Crossing(Strategy):
    level: float = 100.0
    def on_bar(self, ctx, bar):
        return Signal(1.0, why="above") if bar.close > self.level else Signal(-1.0)
"""
MAKER = """
class Maker(Strategy):
    def on_quote(self, ctx, quote):
        if ctx.flat:
            return [OrderRequest("buy", 5, type="limit", limit_px=99.0, why="bid"),
                    OrderRequest("sell", 5, type="limit", limit_px=101.0)]
    def on_fill(self, ctx, fill):
        self.filled = getattr(self, "filled", 0) + 1
        return Signal(0.0) if self.filled == 1 else None
    def on_timer(self, ctx, timer):
        return OrderRequest("buy", 1, symbol="SPY") if timer.name == "go" else None
"""
PAIR = """
class Pair(Strategy):
    def on_trade(self, ctx, trade):
        if len([p for p in ctx.prices.values() if p == p]) == 2:
            return [Signal(1.0, "SPY"), Signal(-1.0, "QQQ")]
"""
FLOOD = """
class Flood(Strategy):
    def on_bar(self, ctx, bar):
        return [OrderRequest("buy", 1 + n % 7) for n in range(10000)]
"""
HUGE = """
class Huge(Strategy):
    def on_bar(self, ctx, bar):
        return OrderRequest("buy", 1e300)
"""
STRAY = """
class Stray(Strategy):
    def on_bar(self, ctx, bar):
        return Signal(1.0, "QQQQ")
"""
RAISES = """
class Raises(Strategy):
    def on_bar(self, ctx, bar):
        return 1 / 0
"""

type Place = Callable[..., Bench]


@pytest.fixture
def place() -> Place:
    """A desk with the real strategy room and one strategy from text."""

    def placed(text: str, symbols: tuple[str, ...] = ("SPY",), quantity: float = 10) -> Bench:
        bench = Bench(symbols=symbols)
        engine, bench.engine = bench.engine, Engine()
        for event in bench.events.copy():
            bench.do(event)
        assert bench.engine.digest() == engine.digest()
        name = text.split("class ")[1].split("(")[0]
        bench.do(
            AddStrategy(
                bench.ts_ns,
                1,
                name,
                HEAD + text,
                "",
                (),
                tuple(range(len(symbols))),
                "quantity",
                to_e8(quantity),
            )
        )
        return bench

    return placed


def sides(effects: list[Effect]) -> list[tuple[int, int, int]]:
    return [(e.iid, e.side, e.qty_e8 // 10**8) for e in effects if isinstance(e, Submit)]


def test_signals_become_targets(place: Place) -> None:
    bench = place(CROSSING)
    assert bench.engine.host.strategies[1].form == "event"
    assert dict(bench.engine.host.strategies[1].parameters) == {"level": 100.0}
    assert sides(bench.bar(101.0)) == [(0, 1, 10)]
    assert bench.last_order.why == "above"
    assert bench.bar(102.0) == []
    assert sides(bench.bar(99.0)) == [(0, -1, 20)]
    assert bench.engine.host.bars_seen(bench.engine.host.strategies[1]) == 3


def test_requests_fills_and_timers(place: Place) -> None:
    bench = place(MAKER)
    quote = Quote(bench.ts_ns + 1, 0, 99.9, 0, 100.1, 0)
    effects = bench.perform(bench.do(quote))
    assert [(e.side, e.kind, e.limit_px_e8) for e in effects if isinstance(e, Submit)] == [
        (1, LIMIT, to_e8(99)),
        (-1, LIMIT, to_e8(101)),
    ]
    (fill,) = bench.venue.on_market(Trade(bench.ts_ns + 2, 0, 99.0))
    assert bench.do(fill) == []  # target 0 with +5 held and -5 working: nothing to do
    assert bench.do(Timer(bench.ts_ns + 3, "no")) == []
    assert sides(bench.do(Timer(bench.ts_ns + 4, "go"))) == [(0, 1, 1)]


def test_two_symbols_in_one_answer(place: Place) -> None:
    bench = place(PAIR, ("SPY", "QQQ"))
    assert bench.do(Trade(bench.ts_ns + 1, 0, 100.0)) == []
    assert sides(bench.do(Trade(bench.ts_ns + 2, 1, 50.0))) == [(0, 1, 10), (1, -1, 10)]


def test_ten_thousand_orders_halt_the_strategy_alone(place: Place) -> None:
    bench = place(FLOOD)
    bench.do(SetLimits(bench.ts_ns, (("max_repeats", 10_000),), "test"))
    bench.do(
        AddStrategy(
            bench.ts_ns, 2, "Crossing", HEAD + CROSSING, "", (("level", 99.0),), (0,), "quantity", to_e8(3)
        )
    )
    effects = bench.bar(101.0)
    assert len([s for s in sides(effects) if s[1] == 1]) <= 201
    (halt,) = [e for e in effects if isinstance(e, StrategyHalted)]
    assert (halt.strategy_id, halt.code) == (1, "RATE")
    assert bench.engine.oddities["requests dropped by a halt"] == 10_000 - 200 - 20
    assert "more requests were dropped" in bench.engine.host.strategies[1].reason
    assert [e.strategy_id for e in effects if isinstance(e, Submit)][-1] == 2
    bench.bar(101.0)
    assert bench.engine.host.strategies[1].orders == 200
    bench.do(ResumeStrategy(bench.ts_ns, 1))
    bench.bar(101.0)
    assert bench.engine.host.strategies[1].orders > 200


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [(RAISES, "ERROR", "1 / 0"), (STRAY, "ERROR", "did you mean 'QQQ'")],
)
def test_what_raises_is_halted_with_the_users_line(place: Place, text: str, code: str, said: str) -> None:
    bench = place(text, ("SPY", "QQQ"))
    effects = bench.bar(101.0)
    assert isinstance(effects[0], StrategyHalted)
    assert effects[0].code == code
    assert said in effects[0].text
    assert bench.bar(101.0) == []


def test_impossible_quantities_stop_at_the_grid(place: Place) -> None:
    bench = place(HUGE)
    bench.bar(101.0)
    assert bench.refusals("GRID")


def test_paused_and_killed_requests_are_refused(place: Place) -> None:
    bench = place(MAKER)
    bench.do(PauseStrategy(bench.ts_ns, 1, "lunch"))
    bench.do(Quote(bench.ts_ns + 1, 0, 99.9, 0, 100.1, 0))
    assert len(bench.refusals("PAUSED")) == 2
    bench.do(ResumeStrategy(bench.ts_ns, 1))
    bench.do(Kill(bench.ts_ns, "drill", "me"))
    bench.do(Quote(bench.ts_ns + 2, 0, 99.9, 0, 100.1, 0))
    assert len(bench.refusals("KILLED")) == 2
    bench.do(Arm(bench.ts_ns, "me"))
    assert len(sides(bench.do(Quote(bench.ts_ns + 3, 0, 99.9, 0, 100.1, 0)))) == 2
    bench.do(RemoveStrategy(bench.ts_ns, 1))
    assert bench.do(Quote(bench.ts_ns + 10 * SECOND, 0, 99.9, 0, 100.1, 0)) == []


def test_the_shipped_signal_strategy_trades_and_replays(place: Place) -> None:
    """RsiReversion from its file, compiled, single and in batches, on a market that swings."""
    import math
    from pathlib import Path

    source = (Path(__file__).resolve().parents[2] / "strategies" / "rsi_reversion.py").read_text("utf-8")

    def run() -> Bench:
        bench = Bench()
        bench.engine = Engine()
        for event in bench.events.copy():
            bench.do(event)
        for sid, period in ((1, 5), (2, 9), (3, 14), (4, 7), (5, 6), (6, 8)):
            pairs = (("period", period),)
            bench.do(
                AddStrategy(bench.ts_ns, sid, "RsiReversion", source, "", pairs, (0,), "quantity", to_e8(10))
            )
        for n in range(300):
            bench.bar(round(100 + 3 * math.sin(n / 9) + math.sin(n / 2.3), 2))
        return bench

    first, second = run(), run()
    engine = first.engine
    assert {p.state for p in engine.host.strategies.values()} == {"running"}
    assert len(engine.host.cohorts) == 1
    assert len(engine.orders) > 10
    assert engine.digest() == second.engine.digest()
    assert engine.ledger.cash_e8 == first.venue.cash_e8
    assert engine.ledger.balanced()
    alone = Bench()
    alone.engine = Engine()
    for event in alone.events.copy():
        alone.do(event)
    alone.do(
        AddStrategy(
            alone.ts_ns, 3, "RsiReversion", source, "", (("period", 14),), (0,), "quantity", to_e8(10)
        )
    )
    for event in first.events:
        if isinstance(event, Bar):
            for report in alone.venue.on_market(event):
                alone.do(report)
            alone.perform(alone.do(event))
    together = [(o.ts_ns, o.side, o.qty_e8) for o in engine.orders if o.strategy_id == 3]
    assert together == [(o.ts_ns, o.side, o.qty_e8) for o in alone.engine.orders]
    assert first.ts_ns == first.events[0].ts_ns + 300 * MINUTE
