"""What a target of 1 means: each sizing against a plain computation, when it is decided, what it is measured by."""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from tests.engine.conftest import MINUTE, T0, Bench
from workbench.engine import Engine, Sizing
from workbench.engine.sizing import PARAMETERS, SIZINGS
from workbench.errors import BadValue, UnknownName
from workbench.model import AddStrategy, Bar, Filled, RemoveStrategy, Split, StrategyHalted, Submit, to_e8

FOLLOW = """
from workbench.strategy import Signal, Strategy


class Follow(Strategy):
    \"\"\"Holds what the last digit of the close says: 0 flat, 1 to 9 tenths (9: full).\"\"\"

    def on_bar(self, ctx, bar):
        digit = round(bar.close * 100) % 10
        return Signal(1.0 if digit == 9 else digit / 10)
"""


class Desk:
    """A real engine with one strategy that follows the closes, filled at once at the close it decided on."""

    def __init__(self, sizing: Sizing, quantity: float, symbols: Sequence[str] = ("SPY",)) -> None:
        self.bench = Bench(symbols=symbols)
        self.engine = self.bench.engine = replayed(self.bench.events)
        self.ts_ns = T0
        iids = tuple(range(len(symbols)))
        self.said = self.do(
            AddStrategy(
                T0, 1, "Follow", FOLLOW, "h", (), iids, sizing.name, to_e8(quantity), "", sizing.pairs
            )
        )
        self.fee_e8 = 0

    def do(self, event: Any) -> list[Any]:
        effects = self.bench.do(event)
        for effect in list(effects):
            if isinstance(effect, Submit):
                px_e8 = self.engine.book.mark_e8[effect.iid]
                name = f"x{effect.order_id}"
                self.bench.do(Filled(self.ts_ns, effect.order_id, name, px_e8, effect.qty_e8, self.fee_e8))
        return effects

    def bar(self, close: float, iid: int = 0, wide: float = 0.5) -> list[Submit]:
        self.ts_ns += MINUTE
        bar = Bar(self.ts_ns, iid, close, close + wide, close - wide, close, 100.0)
        return [e for e in self.do(bar) if isinstance(e, Submit)]

    @property
    def held(self) -> float:
        return self.engine.ledger.held_e8(1, 0) / 1e8


def replayed(events: Sequence[Any]) -> Engine:
    engine = Engine()
    for event in events:
        engine.handle(event)
    return engine


def test_percent_and_notional() -> None:
    desk = Desk(Sizing("percent"), 10)
    desk.bar(100.09)
    assert desk.held == 1_000_000 * 0.10 // 100.09
    desk = Desk(Sizing("notional"), 50_000)
    desk.bar(100.09)
    assert desk.held == 50_000 // 100.09


def yearly(closes: Sequence[float], decay: float, bars: float) -> float:
    moves = [math.log(b / a) for a, b in itertools.pairwise(closes)]
    weights = [decay**k for k in range(len(moves))]
    squares = sum(w * m * m for w, m in zip(weights, reversed(moves), strict=True))
    return math.sqrt(squares / sum(weights) * bars)


def test_volatility_targets_a_years_movement() -> None:
    desk = Desk(Sizing("volatility", settle=5, decay=0.9), 20)
    closes = [100.00, 100.50, 100.20, 100.90, 100.30, 100.60, 101.10]
    for close in closes:
        assert desk.bar(close) == []
    closes.append(100.69)  # says: full
    [order] = desk.bar(100.69)
    share = min(1.0, 0.20 / yearly(closes, 0.9, 252 * 390))
    assert 0.1 < share < 1
    assert order.qty_e8 == int(1_000_000 * share / 100.69) * 10**8
    assert desk.engine.host.seats[1, 0].full_e8 == order.qty_e8


def test_a_wish_before_the_measure_counts_waits_and_is_heard_later() -> None:
    desk = Desk(Sizing("volatility", settle=4), 20)
    for _ in range(4):
        assert desk.bar(100.09) == []
    assert desk.engine.oddities["a size that is not known yet"] == 4
    assert desk.engine.host.seats[1, 0].target == 0
    assert desk.bar(100.59)  # the fourth return: now it counts


def test_volatility_counts_the_bars_of_a_year_by_calendar_and_length() -> None:
    daily = Desk(Sizing("volatility", settle=2, bars_a_year=252, most=1_000), 5)
    minutes = Desk(Sizing("volatility", settle=2, most=1_000), 5)
    for desk in (daily, minutes):
        for close in (100.0, 101.0, 100.0, 101.09):
            desk.bar(close)
    assert daily.held == pytest.approx(minutes.held * math.sqrt(390), rel=0.01)


def test_risk_a_trade_by_the_average_true_range() -> None:
    desk = Desk(Sizing("risk", atr=3, stop=2), 1)
    for close in (100.00, 101.00, 100.00):
        desk.bar(close, wide=2.0)
    [order] = desk.bar(101.09, wide=2.0)
    ranges = [max(4, 1 + 2), max(4, 1 + 2), max(4, 1.09 + 2)]
    assert order.qty_e8 / 1e8 == 10_000 // (2 * statistics.mean(ranges))
    desk = Desk(Sizing("risk", atr=3, stop=2, most=50), 1)
    for close in (100.0, 100.0, 100.0, 100.09):
        desk.bar(close, wide=0.01)
    assert desk.held == 500_000 // 100.09  # a tiny range: the cap


def test_kelly_learns_from_its_own_closed_trades() -> None:
    desk = Desk(Sizing("kelly", trades=3, start=10, least=2, most=80), 50)
    desk.fee_e8 = to_e8(7)
    outcomes: list[float] = []
    # the last digit opens (9) and closes (0); the price between them is the trade
    for bought, sold in ((100.09, 101.00), (100.09, 100.50), (100.09, 99.90)):
        [order] = desk.bar(bought)
        quantity = order.qty_e8 / 1e8
        desk.bar(sold)
        outcomes.append((quantity * (sold - bought) - 14) / (quantity * bought))
    sizer: Any = desk.engine.host.strategies[1].sizer
    assert sizer.count == 3
    assert sizer.mean == pytest.approx(statistics.mean(outcomes), rel=1e-9)
    assert sizer.squares / 2 == pytest.approx(statistics.variance(outcomes), rel=1e-9)
    full = statistics.mean(outcomes) / statistics.variance(outcomes)
    share = min(0.8, max(0.02, 0.5 * full))
    [order] = desk.bar(100.09)
    assert share == 0.8  # these few trades look too good
    equity = desk.engine.ledger.start_cash_e8 / 1e8 + desk.engine.ledger.realized_e8 / 1e8 - 6 * 7
    assert order.qty_e8 / 1e8 == int(equity * share / 100.09)


def test_kelly_never_starves() -> None:
    desk = Desk(Sizing("kelly", trades=2, least=2), 50)
    for sold in (99.90, 99.80):
        desk.bar(100.09)
        desk.bar(sold)
    [order] = desk.bar(100.09)
    assert order.qty_e8 / 1e8 == pytest.approx(1_000_000 * 0.02 / 100.09, abs=60)


def test_kelly_counts_a_turn_through_zero_as_one_trades_end() -> None:
    desk = Desk(Sizing("kelly", trades=2), 50)
    position = desk.engine.ledger.positions
    sizer: Any = desk.engine.host.strategies[1].sizer
    desk.bar(100.09)
    desk.engine.order(desk.engine.host.seats[1, 0], -1, 0, 0, to_e8(2_000), 0, 0, "turn")
    order = desk.engine.orders.next_id - 1
    desk.do(Filled(desk.ts_ns, order, "turn", to_e8(101), to_e8(2_000), to_e8(1)))
    assert position[1, 0].qty_e8 < 0
    assert sizer.count == 1
    assert sizer.mean > 0
    desk.engine.order(desk.engine.host.seats[1, 0], 1, 0, 0, -position[1, 0].qty_e8, 0, 0, "close")
    order = desk.engine.orders.next_id - 1
    desk.do(Filled(desk.ts_ns, order, "close", to_e8(101), -position[1, 0].qty_e8, 0))
    assert sizer.count == 2


def test_sizes_are_decided_when_the_target_changes_and_with_rebalance_on_bars() -> None:
    plain, followed = Desk(Sizing("percent"), 50), Desk(Sizing("percent", rebalance=0.05), 50)
    for desk in (plain, followed):
        desk.bar(100.09)
        before = desk.held
        assert desk.bar(102.09) == []  # drifted by 2 %: within 5
        assert desk.held == before
    assert plain.bar(120.09) == []
    [order] = followed.bar(120.09)
    assert (order.side, order.why) == (-1, "rebalance")
    equity = followed.engine.risk.equity_e8 / 1e8
    assert followed.held == pytest.approx(equity * 0.5 / 120.09, abs=1)
    assert followed.bar(120.09) == []


def test_a_rebalance_waits_for_what_is_open_and_for_a_target() -> None:
    desk = Desk(Sizing("percent", rebalance=0.01), 50)
    desk.bar(100.09)
    desk.engine.order(desk.engine.host.seats[1, 0], -1, 1, 0, to_e8(1), to_e8(110), 0, "rests")
    assert desk.bar(108.09) == []
    desk = Desk(Sizing("percent", rebalance=0.01), 50)
    desk.bar(100.09)
    desk.bar(100.10)  # flat
    assert desk.bar(120.10) == []


def test_everything_measured_is_replayed_and_part_of_the_hash() -> None:
    for sizing in (Sizing("volatility", settle=3), Sizing("risk", atr=3), Sizing("kelly", trades=2)):
        desk = Desk(sizing, 10)
        digests = set()
        for close in (100.09, 101.00, 100.59, 100.10, 100.09, 101.00, 100.09, 99.90):
            desk.bar(close)
            digests.add(desk.engine.digest())
        again = replayed(desk.bench.events)
        assert again.digest() == desk.engine.digest()
        assert len(digests) == 8
        other = replayed(desk.bench.events)
        if other.sized is not None:
            next(iter(other.sized.gauges[0].values())).value = 5.0
        else:
            other.host.strategies[1].sizer.mean = 5.0  # type: ignore[union-attr]
        assert other.digest() != again.digest()


def test_gauges_are_shared_and_end_with_their_last_user() -> None:
    desk = Desk(Sizing("volatility"), 10, ("SPY", "QQQ"))
    sizing = Sizing("volatility")
    desk.do(AddStrategy(T0, 2, "Follow", FOLLOW, "h", (), (0,), sizing.name, to_e8(10), "", sizing.pairs))
    sized = desk.engine.sized
    assert sized is not None
    assert {iid: len(here) for iid, here in sized.gauges.items()} == {0: 1, 1: 1}
    desk.do(RemoveStrategy(T0, 1))
    assert {iid: len(here) for iid, here in sized.gauges.items()} == {0: 1}
    desk.do(RemoveStrategy(T0, 2))
    assert sized.gauges == {}


def test_a_split_moves_no_measure() -> None:
    whole, halved = (Desk(Sizing("volatility", settle=2, most=1_000), 20) for _ in range(2))
    for desk in (whole, halved):
        for close in (100.00, 101.00, 100.50):
            desk.bar(close)
    halved.do(Split(halved.ts_ns, 0, 2, 1))
    whole.bar(100.98)
    halved.bar(50.49)
    gauges = [next(iter(d.engine.sized.gauges[0].values())).value for d in (whole, halved) if d.engine.sized]
    assert gauges[0] == pytest.approx(gauges[1], rel=1e-12)


def test_slices_feed_the_gauges_as_bars_do() -> None:
    import numpy as np

    from workbench.model import BarSlice

    bars, slices = (Desk(Sizing("risk", atr=2), 1, ("SPY", "QQQ")) for _ in range(2))
    for close in (100.00, 101.00, 100.50, 100.20):
        for iid in (0, 1):
            bars.bar(close + iid, iid)
        slices.ts_ns += 2 * MINUTE
        ohlcv = np.array([[c, c + 0.5, c - 0.5, c, 100.0] for c in (close, close + 1)])
        slices.do(BarSlice(slices.ts_ns, np.array([0, 1], "<i4").tobytes(), ohlcv.tobytes()))
    told = [
        [[gauge.value for gauge in here.values()] for here in d.engine.sized.gauges.values()]
        for d in (bars, slices)
        if d.engine.sized
    ]
    assert told[0] == told[1]


def test_names_and_parameters_answer_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'volatility'"):
        Sizing("volatilty")
    with pytest.raises(UnknownName, match="did you mean 'stop'"):
        Sizing("risk", stp=2)
    with pytest.raises(UnknownName, match="rebalance"):
        Sizing("quantity", rebalance=0.1)
    for wrong in (0.0, -1.0, float("nan"), 1e9, "2"):
        with pytest.raises(BadValue, match=r"risk\.stop"):
            Sizing("risk", stop=wrong)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match="whole number"):
        Sizing("risk", atr=2.5)
    assert Sizing.of("percent") == Sizing("percent")
    assert Sizing.of(Sizing("risk", stop=3)) != Sizing("risk")
    assert repr(Sizing("risk", stop=3)) == "Sizing('risk', stop=3)"
    assert len({Sizing("risk"), Sizing("risk", stop=2), Sizing("risk", stop=3)}) == 2
    assert set(PARAMETERS) == set(SIZINGS)


def test_a_command_with_a_wrong_sizing_halts_the_strategy_alone() -> None:
    bench = Bench()
    for sizing, pairs, said in (
        ("procent", (), "did you mean 'percent'"),
        ("risk", (("stop", -1.0),), "risk.stop"),
    ):
        number = len(bench.engine.host.strategies) + 1
        command = AddStrategy(T0, number, "Scripted", "class Scripted", "h", (), (0,), sizing, 1, "", pairs)
        [halted] = bench.do(command)
        assert isinstance(halted, StrategyHalted)
        assert halted.code == "LOAD"
        assert said in halted.text


def test_without_parameters_the_defaults_hold() -> None:
    bench = Bench()
    bench.do(AddStrategy(T0, 1, "Scripted", "class Scripted", "h", (), (0,), "risk", to_e8(1)))
    assert bench.engine.host.strategies[1].sizing_parameters == Sizing("risk").pairs
