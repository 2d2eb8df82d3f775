"""The lanes of a sweep against runs of one set at a time: same figures, same verdicts of the risk rules."""

import platform
import re
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.config import SimSettings
from workbench.engine.sizing import Sizing
from workbench.feeds import Recording
from workbench.feeds.columns import Columns
from workbench.kernels import Bollinger, Indicator, Rsi, Sma, fills
from workbench.model import Instrument
from workbench.research.sweep import lane_money, lane_state
from workbench.research.sweep.chunk import Lanes
from workbench.research.sweep.markets import Market
from workbench.research.sweep.starts import Starts
from workbench.research.sweep.terms import Terms
from workbench.strategy import Strategy
from workbench.strategy.checks import sample_bars

GO = np.zeros(1, np.int64)
COSTS = SimSettings(
    ack_median_us=0, fill_median_us=0, fee_per_unit=0.005, fee_rate=0.0013, fee_per_order=0.35
)


class Reverses(Strategy):
    """Turns from long to short through zero, sometimes to a fraction."""

    period: int = 9
    low: float = 40.0
    part: float = 1.0

    def indicators(self) -> Any:
        return {"rsi": Rsi(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if x.rsi < p.low:
            return p.part
        return -1.0 if x.rsi > 100.0 - p.low else pos


class Banded(Strategy):
    """Several outputs, rings, a truth value."""

    period: int = 12
    slow: int = 30
    width: float = 1.5
    flips: bool = False

    def indicators(self) -> Any:
        return {"bands": Bollinger(self.period, self.width), "mean": Sma(self.slow)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        side = -1.0 if p.flips else 1.0
        if x.close > x.bands.upper and x.bands.middle > x.mean:
            return side
        return 0.0 if x.close < x.bands.middle else pos


def market(n: int = 900, *, seed: int = 3, px: float = 100.0, lot_e8: int = 10**8, **terms: Any) -> Market:
    """Minute bars of a few days, as a market on these terms."""
    values = sample_bars(n, seed, px)
    ts = (1_607_955_060 + np.arange(n) // 390 * 86_400 + np.arange(n) % 390 * 60) * 10**9
    table = Columns("bars", ("XYZ",), ts, np.zeros(n, np.int32), values)
    made = Recording.merged("made", table, instruments=[Instrument(0, "XYZ", lot_e8=lot_e8)])
    sizing = Sizing.of(terms.pop("sizing", "quantity"))
    return Market(made, Terms(**{"sim": COSTS, "sizing": sizing, **terms}))


def lanes_of(cls: type[Strategy]) -> Lanes:
    lanes = Lanes(Starts(cls, {p.name: p.default for p in cls.parameters_declared.values()}, {}))
    assert lanes.why == ""
    return lanes


REVERSALS = {
    "period": np.repeat([3, 7, 20], 7),
    "low": np.tile([20.0, 30.0, 35.0, 40.0, 45.0, 49.0, 0.0], 3),
    "part": np.tile([1.0, 0.5, 0.29, 1.0, 0.333, 2.0, 1.0], 3),
}
BANDS = {
    "period": np.tile([5, 8, 12, 20, 33], 4),
    "slow": np.repeat([10, 25], 10),
    "width": np.tile([0.5, 1.0, 1.5, 2.0], 5),
    "flips": np.arange(20) % 2 == 1,
}


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize(
    ("cls", "columns", "terms"),
    [
        (Reverses, REVERSALS, {}),
        (Reverses, REVERSALS, {"sizing": "percent", "quantity": 30.0}),
        (Reverses, REVERSALS, {"lot_e8": 100_000, "quantity": 1.23456, "px": 31_234.56}),
        (Reverses, REVERSALS, {"lot_e8": 700_007, "quantity": 33.3, "sizing": "percent", "cash": 12_345.67}),
        (Banded, BANDS, {"quantity": 77.0}),
    ],
    ids=["units", "percent", "small lots", "odd lots", "rings"],
)
def test_every_set_is_what_its_own_backtest_says(
    cls: type[Strategy], columns: Any, terms: Any, fill: str
) -> None:
    place = market(**terms, fill=fill, limits={"credit": 1e9, "max_daily_loss": 1e9})
    assert place.not_in_lanes == ""
    count = len(columns["period"])
    figures = lanes_of(cls).run(place, columns, count, GO, periods=True)
    assert figures.errors == {}
    traded = 0.0
    for k in range(count):
        own = place.terms.backtest(cls(**{name: v[k].item() for name, v in columns.items()}), place.recording)
        row, stats = figures.rows[k], own.stats
        assert row["orders"] == stats["orders"]
        assert own.run.loop == "compiled"
        assert row["final_equity"] == stats["final_equity"]
        assert row["fees"] == pytest.approx(stats["fees"], rel=1e-12, abs=1e-9)
        assert row["max_drawdown"] == stats["max_drawdown"]
        assert row["exposure"] == pytest.approx(stats["exposure"], rel=1e-9, abs=1e-12)
        assert row["sharpe"] == pytest.approx(stats["sharpe"], rel=1e-7, nan_ok=True)
        assert (row["code"] != 0) == (stats["refusals"] != 0)
        assert np.array_equal(figures.equity[k], own.run.equity[place.periods])
        traded += stats["orders"]
    assert traded > 100


@pytest.mark.parametrize(("cls", "columns"), [(Reverses, REVERSALS), (Banded, BANDS)], ids=["plain", "rings"])
def test_lanes_with_their_own_indicators_are_equal_to_the_last_bit(cls: type[Strategy], columns: Any) -> None:
    place, lanes, count = market(), lanes_of(cls), len(columns["period"])
    shared = lanes.run(place, columns, count, GO, periods=True)
    lanes._loop(True, False)  # from now on the other form is at hand, so few sets a group take it
    single = {name: np.repeat(column[:8], 1) for name, column in columns.items()}
    single["period"] = np.arange(3, 11)
    alone = lanes.run(place, single, 8, GO, periods=True)
    again = lanes_of(cls).run(place, single, 8, GO, periods=True)
    assert alone.rows.tobytes() == again.rows.tobytes()
    assert np.array_equal(alone.equity, again.equity)
    assert not np.array_equal(alone.rows, shared.rows[:8])


def test_how_sets_are_cut_into_chunks_changes_nothing() -> None:
    place, lanes = market(), lanes_of(Reverses)
    whole = lanes.run(place, REVERSALS, 21, GO, periods=False).rows
    shuffled = np.random.default_rng(5).permutation(21)
    rows = np.empty_like(whole)
    for part in np.array_split(shuffled, 4):
        columns = {name: column[part] for name, column in REVERSALS.items()}
        rows[part] = lanes.run(place, columns, len(part), GO, periods=False).rows
    assert rows.tobytes() == whole.tobytes()


LIMITS = [
    {"max_order_qty": 9.0},
    {"max_order_notional": 1_000.0},
    {"max_position_qty": 9.0},
    {"max_gross": 900.0},
    {"allow_short": 0.0},
    {"max_daily_loss": 6.0},
    {"max_jump": 0.004},
    {"hours_from_s": 52_000.0, "hours_to_s": 60_000.0},
]


@pytest.mark.parametrize("limits", LIMITS, ids=[next(iter(limit)) for limit in LIMITS])
def test_a_set_is_marked_when_and_only_when_the_engine_refuses_it_something(limits: Any) -> None:
    place = market(600, limits=limits)
    columns = {**REVERSALS, "part": np.tile([1.0, 0.5, 0.2, 0.0, 0.1, 1.0, 1.0], 3)}
    rows = lanes_of(Reverses).run(place, columns, 21, GO, periods=False).rows
    verdicts = set()
    for k in range(21):
        own = place.terms.backtest(
            Reverses(**{name: v[k].item() for name, v in columns.items()}), place.recording
        )
        first = {refusal.code for refusal in own.refusals[:1]}
        told = {name for name in lane_state.RULE_NAMES if rows[k]["code"] & getattr(lane_state, name)}
        assert first <= told
        assert bool(first) == bool(told)
        verdicts.add(bool(told))
    assert verdicts == {True, False}


def test_an_account_without_cash_is_marked_by_credit() -> None:
    place = market(400, cash=500.0)
    rows = lanes_of(Reverses).run(place, REVERSALS, 21, GO, periods=False).rows
    assert {r["code"] for r in rows} <= {0, lane_state.CREDIT, lane_state.CREDIT | lane_state.DAILY_LOSS}
    assert any(r["code"] for r in rows)


Twin = namedtuple("Twin", "n")


class Counts(Indicator):
    """Counts bars; refuses odd periods when it begins."""

    period: int = 2

    def init(p: Any) -> Any:
        if p.period % 2:
            raise ValueError("odd")
        return Twin(0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        return Twin(s.n + 1), float(s.n % p.period)


class Picky(Strategy):
    """Reads `mode` only for some values of `period`, and answers NaN, infinity or raises when told to."""

    period: int = 2
    mode: int = 0
    harm: int = 0

    def indicators(self) -> Any:
        return {"count": Counts(self.period if self.period < 6 else self.period + 2 * self.mode)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if p.harm == 1 and x.count == 1.0:
            return float("nan")
        if p.harm == 2 and x.count == 1.0:
            return float("inf")
        if p.harm == 3 and x.count == 1.0:
            raise ValueError("three")
        return 1.0 if x.count == 0.0 else 0.0


def test_sets_are_grouped_by_what_indicators_really_read() -> None:
    lanes = lanes_of(Picky)
    columns = {"period": np.array([2, 4, 8, 8, 2]), "mode": np.array([0, 1, 0, 3, 5])}
    group, rows = lanes.starts.groups(columns, 5)
    assert lanes.starts.reads == {"period", "mode"}
    assert len(rows) == 5
    assert len(set(group.tolist())) == 5
    coarse = lanes_of(Picky).starts
    group, rows = coarse.groups({"period": np.array([2, 4, 2]), "mode": np.array([0, 1, 5])}, 3)
    assert coarse.reads == {"period"}
    assert group.tolist() == [0, 1, 0]


def test_a_set_that_cannot_begin_fails_alone() -> None:
    columns = {"period": np.array([2, 3, 4])}
    figures = lanes_of(Picky).run(market(200), columns, 3, GO, periods=False)
    assert list(figures.errors) == [1]
    assert "ValueError: odd" in figures.errors[1]
    assert figures.rows["code"].tolist() == [0, lane_state.FAILED, 0]
    assert np.isnan(figures.rows["final_equity"][1])


def test_a_decision_that_is_no_number_marks_its_set_alone() -> None:
    columns = {"harm": np.array([0, 1, 2, 0])}
    rows = lanes_of(Picky).run(market(200), columns, 4, GO, periods=False).rows
    assert rows["code"].tolist() == [0, lane_state.NOT_A_NUMBER, lane_state.NOT_A_NUMBER, 0]
    assert rows["final_equity"][0] == rows["final_equity"][3]


def test_a_raised_stop_word_ends_the_loop_early() -> None:
    stop = np.ones(1, np.int64)
    rows = lanes_of(Reverses).run(market(), REVERSALS, 21, stop, periods=False).rows
    assert rows["orders"].sum() == 0


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"sim": SimSettings()}, "latency"),
        ({"limits": {"allow_reversal": 0.0}}, "allow_reversal"),
        ({"cash": 8e10}, "cash"),
        ({"sim": COSTS.model_copy(update={"fee_per_order": 2e5})}, "fee an order"),
        ({"sizing": Sizing("percent", rebalance=0.1)}, "single runs"),
        ({"sizing": Sizing("kelly")}, "single runs"),
    ],
)
def test_terms_the_lanes_cannot_do_say_so(terms: Any, why: str) -> None:
    assert why in Terms(**terms).not_in_lanes()


def test_markets_the_lanes_cannot_do_say_so() -> None:
    assert "several symbols" in Market(wb_synthetic(symbols=2), Terms()).not_in_lanes
    assert "orders are worth more" in market(px=40_000.0, quantity=9_000.0).not_in_lanes
    assert "throttles" in market(limits={"repeat_window_s": 90_000.0, "max_repeats": 3}).not_in_lanes


def wb_synthetic(symbols: int) -> Any:
    from workbench.feeds import synthetic

    return synthetic(symbols=symbols, bars=5, seed=1)


WHOLE = st.integers(0, 10**9 * 45)


@settings(max_examples=300, deadline=None)
@given(
    px_e8=st.integers(1, 9 * 10**13),
    lots=st.integers(0, 10**7),
    lot_e8=st.sampled_from([1, 7, 10**5, 10**8, 10**10]),
)
def test_values_equal_the_integers(px_e8: int, lots: int, lot_e8: int) -> None:
    qty_e8 = lots * lot_e8
    if px_e8 * qty_e8 > lane_money.MOST_E8 * 10**8:
        lots = int(lane_money.MOST_E8 * 10**8) // (px_e8 * lot_e8)
        qty_e8 = lots * lot_e8
    whole, rest = lane_money.lot_px(np.array([px_e8]), lot_e8)
    assert int(lane_money.rounded_value(float(lots), whole[0], rest[0])) == fills.value_e8(px_e8, qty_e8)


@settings(max_examples=300, deadline=None)
@given(value=st.integers(0, int(lane_money.MOST_E8)), rate_e8=st.integers(0, 10**7))
def test_rates_equal_the_integers(value: int, rate_e8: int) -> None:
    assert int(lane_money.rate_fee(float(value), float(rate_e8))) == fills.fee_e8(value, 0, 0, rate_e8)


@settings(max_examples=300, deadline=None)
@given(
    target=st.floats(-1.0, 1.0),
    full_e8=st.integers(0, 10**15),
    lot_e8=st.sampled_from([1, 7, 10**5, 10**8, 10**10]),
)
def test_lots_equal_the_integers(target: float, full_e8: int, lot_e8: int) -> None:
    full_e8 = full_e8 // lot_e8 * lot_e8
    wanted = lane_money.wanted_lots(target, float(full_e8), 1.0 / lot_e8)
    assert int(wanted) * lot_e8 == fills.floor_lot(round(target * full_e8), lot_e8)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 machine code")
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_the_machine_code_moves_lanes_side_by_side(own: bool) -> None:
    from workbench.kernels.compose import compiled_loop
    from workbench.research.sweep import lane_loop
    from workbench.strategy.compiled import pieces_for

    layout, decide = lanes_of(Reverses).layout, Reverses.decide
    loop = lane_loop._lanes(pieces_for(layout, decide), layout, own, False)
    compiled = compiled_loop(loop, f"lanes_read_{own}", nogil=True, _nrt=False)
    compiled.compile(lane_loop._ARGUMENTS)
    [code] = compiled.inspect_asm().values()
    # equity over peak, in every lane of the vector at once: nowhere else does the loop divide so often
    assert len(re.findall(r"\bv?divpd\b", code)) >= 2
    assert len(re.findall(r"\bv?mulpd\b", code)) > 20
    assert "NRT_incref" not in code


def test_a_strategy_that_cannot_be_compiled_says_why() -> None:
    class Worded(Strategy):
        mode: str = "long"

        def decide(p: Any, x: Any, pos: Any) -> Any:
            return 1.0 if p.mode == "long" else pos

    lanes = Lanes(Starts(Worded, {"mode": "long"}, {}))
    assert "reads the text parameter 'mode'" in lanes.why
