"""The compiled loop is a shortcut for the engine and nothing else: the same orders, fills, fees and equity."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research.same import MINUTE_NS, assert_same, market
from workbench.config import SimSettings
from workbench.engine import rules
from workbench.errors import BadInput, BadValue, StrategyError, UnknownName
from workbench.kernels import Ema, Rsi
from workbench.research import Result, backtest
from workbench.research.fused.rules import DOUBTS
from workbench.research.loops import run_plan
from workbench.research.plan import Placement, Plan
from workbench.strategy import Strategy, find_strategies, is_event, load_strategy

FOUND = [
    cls for cls in find_strategies(Path(__file__).parents[2] / "strategies").values() if not is_event(cls)
]


class Steps(Strategy):
    """Holds parts of full size, both ways; trades often."""

    period: int = 5
    scale: float = 10.0
    short: bool = True

    def indicators(self) -> dict[str, Any]:
        return {"rsi": Rsi(self.period), "ema": Ema(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        target = (50.0 - x.rsi) / p.scale
        if x.close == x.ema:
            return pos
        if not p.short and target < 0.0:
            return 0.0
        return target


class Turns(Strategy):
    """Long, short, long, short: one order a bar."""

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return -1.0 if pos > 0.0 else 1.0


def both(strategy: Strategy, data: Any, **more: Any) -> tuple[Result, Result]:
    """The run as it comes, and the engine's."""
    return backtest(strategy, data, **more), backtest(strategy, data, loop="engine", **more)


@pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_every_strategy_found_runs_as_in_the_engine(cls: type[Strategy], fill: str) -> None:
    data = market(3_000, 5)
    run, engine = both(cls(), data, fill=fill)
    assert (run.run.loop, engine.run.loop) == ("compiled", "engine")
    assert_same(run.run, engine.run)


def test_the_bundled_day_too() -> None:
    for cls in FOUND:
        run, engine = both(cls(), "SPY", quantity=25, sizing="percent")
        assert run.run.loop == "compiled"
        assert_same(run.run, engine.run)


def tight(*values: float) -> Any:
    """Now and then one of these limits; mostly none in reach."""
    return st.one_of(st.just(1e9), st.just(1e9), st.sampled_from(values))


_limits = st.fixed_dictionaries(
    {},
    optional={
        "max_order_qty": tight(3.0, 10.0),
        "max_order_notional": tight(800.0, 5e3),
        "max_position_qty": tight(5.0, 20.0),
        "max_gross": tight(1e3, 1e5),
        "credit": tight(0.0, 500.0),
        "max_daily_loss": tight(1.0, 50.0),
        "max_jump": tight(0.0, 0.001, 0.01, 0.25),
        "max_repeats": tight(1.0, 3.0),
        "repeat_window_s": st.sampled_from([10.0, 1_000.0]),
        "orders_per_s_strategy": tight(1.0, 2.0),
        "orders_per_s_account": tight(1.0, 3.0),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([2, 20, 100, 250]),
    px=st.sampled_from([100.0, 0.0123456, 40_000.0, 1.5e-5]),
    lot_e8=st.sampled_from([10**8, 1, 10**5]),
    bar_ns=st.sampled_from([MINUTE_NS, MINUTE_NS, 1_000_000, 3_600_000_000_000, 1]),
    gap=st.sampled_from([0.0, 0.05, 0.5]),
    sizing=st.sampled_from(["quantity", "percent", "notional"]),
    quantity=st.sampled_from([0.3, 7.5, 10.0, 100.0, 99.99, 3_333.33]),
    cash=st.sampled_from([1_000.0, 54_321.987654, 1e6, 1e7]),
    fees=st.sampled_from(
        [(0.0, 0.0, 0.0), (0.005, 0.0, 0.0), (0.0, 0.001, 0.0), (0.0123456789, 0.00077, 1.25)]
    ),
    slippage=st.sampled_from([("none", 0.0), ("none", 0.0), ("ticks", 1.5), ("rate", 0.0007)]),
    fill=st.sampled_from(["next_open", "close"]),
    flat_at_end=st.booleans(),
    strategy=st.one_of(
        st.builds(Steps, st.integers(1, 9), st.sampled_from([5.0, 20.0, 0.001]), st.booleans()),
        st.builds(Turns),
    ),
    limits=_limits,
    shorts=st.booleans(),
    turns=st.booleans(),
)
def test_law_whatever_runs_the_answer_is_the_engines(
    seed: int,
    n: int,
    px: float,
    lot_e8: int,
    bar_ns: int,
    gap: float,
    sizing: str,
    quantity: float,
    cash: float,
    fees: tuple[float, float, float],
    slippage: tuple[str, float],
    fill: str,
    flat_at_end: bool,
    strategy: Strategy,
    limits: dict[str, float],
    shorts: bool,
    turns: bool,
) -> None:
    data = market(n, seed, px=px, lot_e8=lot_e8, bar_ns=bar_ns, gap=gap)
    sim = SimSettings.model_validate(
        {"ack_median_us": 0, "fill_median_us": 0, "fee_per_unit": fees[0], "fee_rate": fees[1]}
        | {"fee_per_order": fees[2]}
        | {"slippage": slippage[0], "slippage_amount": slippage[1]}
    )
    plan = Plan(
        data, (Placement.checked(strategy, (0,), quantity, sizing),), sim=sim, cash=cash, fill=fill,
        flat_at_end=flat_at_end,
        limits={"credit": 1e9, **limits, "allow_short": float(shorts), "allow_reversal": float(turns)},
    )  # fmt: skip
    run, engine = run_plan(plan), run_plan(plan, "engine")
    assert_same(run, engine)
    if engine.refusals:
        assert run.loop == "engine"  # a compiled run knows no refusal


def test_most_runs_need_no_engine() -> None:
    """The audit doubts where a rule is near, not everywhere."""
    for seed in range(20):
        run = backtest(Steps(), market(200, seed), cash=50_000.0, fill="close")
        assert run.run.loop == "compiled", run.run.why


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"limits": {"max_order_qty": 9}}, "SIZE"),
        ({"limits": {"max_order_notional": 900}}, "NOTIONAL"),
        ({"limits": {"max_jump": 1e-9}}, "COLLAR"),
        ({"limits": {"max_position_qty": 9}}, "POSITION"),
        ({"limits": {"allow_short": 0}}, "POSITION"),
        ({"limits": {"max_gross": 900}}, "GROSS"),
        ({"cash": 900}, "CREDIT"),
        ({"limits": {"max_daily_loss": 1}}, "DAILY_LOSS"),
        ({"limits": {"max_repeats": 1, "repeat_window_s": 1e6}, "scale": 100.0}, "REPEAT"),
        ({"limits": {"orders_per_s_strategy": 1}, "bar_ns": 1_000_000}, "RATE"),
    ],
)
def test_every_rule_that_says_no_sends_the_run_to_the_engine(more: dict[str, Any], code: str) -> None:
    data = market(400, 3, bar_ns=more.pop("bar_ns", MINUTE_NS))
    strategy = Steps(scale=more.pop("scale", 10.0))
    run, engine = both(strategy, data, **more)
    assert code in {refusal.code for refusal in engine.refusals}
    assert run.run.loop == "engine"
    assert code in run.run.why or "decision" in run.run.why
    assert_same(run.run, engine.run)
    with pytest.raises(BadValue, match=r"loop = 'compiled': .*the engine runs it"):
        backtest(strategy, data, loop="compiled", **more)


def test_the_audit_knows_every_rule() -> None:
    """Whoever adds a rule to the engine says here why a compiled run need not ask it, or lets the audit ask it."""
    asked = {name for name in rules.first_no.__code__.co_names if callable(getattr(rules, name, None))}
    cannot_say_no = {"killed", "frozen", "paused", "grid", "stale", "duplicate", "self_cross"}
    to_the_engine = {"hours"}
    assert asked == cannot_say_no | to_the_engine | {code.lower() for code in DOUBTS if code}


def test_long_data_goes_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market(1_000, 9)
    whole = backtest(Turns(), data, fill="close")
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("workbench.research.fused.one.BARS_A_CALL", 77)
    parts = backtest(Turns(), data, fill="close", progress=lambda done, total: told.append((done, total)))
    assert_same(whole.run, parts.run)
    assert [done for done, _ in told] == [*range(77, 1_000, 77), 1_000]
    assert len(whole.run.fills) == 1_000  # one order a bar, none lost


WRONG = """
from workbench.strategy import Strategy

class Wrong(Strategy):
    at: float = 100.0
    def decide(p, x, pos):
        {body}
        return 1.0 if x.close > p.at else 0.0
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if x.close > p.at: return 0.0 / 0.0 * x.close", "NaN"),
        ("if x.close > p.at: raise ValueError('no')", "no"),
    ],
)
def test_what_goes_wrong_in_the_loop_is_told_by_the_engine(body: str, said: str) -> None:
    strategy = load_strategy(WRONG.format(body=body), "Wrong")()
    with pytest.raises(StrategyError, match=said):
        backtest(strategy, market(300, 2))


def test_why_not_is_one_sentence() -> None:
    data, two = market(50, 1), market(50, 1, symbols=2)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"data": two, "sim": SimSettings()}, "latency"),
        ({"data": data, "sim": SimSettings()}, "latency"),
        ({"data": data, "limits": {"hours_from_s": 10}}, "daily window"),
        ({"data": data, "quantity": 1e9}, "too large"),
    ]
    for more, said in refused:
        with pytest.raises(BadValue, match=said) as caught:
            backtest(Turns(), loop="compiled", **more)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnknownName, match="'compiled'"):
        backtest(Turns(), data, loop="compield")


def test_a_bar_the_engine_drops_is_dropped() -> None:
    data = market(300, 4)
    values = data.values.copy()
    values[100, 0] = values[100, 1] * (1 + 1e-10)  # the open is a rounding error above the high
    from workbench.feeds import Recording

    odd = Recording("odd", data.instruments, data.ts_ns, data.iid, data.kind, values, bar_ns=data.bar_ns)
    run, engine = both(Steps(), odd)
    assert run.run.loop == "engine"
    assert "would drop" in run.run.why
    assert_same(run.run, engine.run)


def test_the_last_decision_is_left_open_or_cancelled() -> None:
    data = market(50, 6)
    last = backtest(Turns(), data).decisions[-1]
    assert (last.ts_ns, last.state) == (data.end_ns, "working")
    flat = backtest(Turns(), data, flat_at_end=True)
    assert [d.state for d in flat.decisions[-2:]] == ["cancelled", "filled"]
    assert flat.run.fills["side"] @ flat.run.fills["qty"] == 0
    assert flat.decisions[-1].average_px == float(np.round(data.values[-1, 3], 8))


EDGE = 0.0


def above(x: Any) -> Any:
    return x.close > x.open + EDGE


class Edged(Strategy):
    """Reaches a constant through a helper."""

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if above(x) else 0.0


class Edgy(Strategy):
    """The same with a parameter."""

    edge: float = 0.0

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.close > x.open + p.edge else 0.0


def test_an_edited_helper_is_never_answered_with_old_code(monkeypatch: pytest.MonkeyPatch) -> None:
    data = market(300, 7)
    seen = []
    for edge in (0.0, 0.15, -0.15, 0.0):
        monkeypatch.setattr("tests.research.test_fused.EDGE", edge)
        run = backtest(Edged(), data, loop="compiled", limits="off").run
        assert_same(run, backtest(Edgy(edge=edge), data, limits="off").run)
        seen.append(len(run.orders))
    assert len(set(seen)) == 3
    assert seen[0] == seen[3]


class Broken(Strategy):
    def indicators(self) -> dict[str, Any]:
        return {"mean": Ema(self.perod)}  # type: ignore[attr-defined]

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return pos


class Many(Strategy):
    """Declares other indicators for other parameters."""

    second: bool = False
    other: bool = False

    def indicators(self) -> dict[str, Any]:
        return {"one": Rsi(3) if self.other else Ema(3), **({"two": Ema(5)} if self.second else {})}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.close > x.one else 0.0


def test_what_a_strategy_declares_wrongly_is_told() -> None:
    with pytest.raises(StrategyError, match=r"Broken\.indicators raised AttributeError: .*perod"):
        backtest(Broken(), market(20, 1))
    for odd in (Many(second=True), Many(other=True)):
        for strategies in (odd, [Many(), odd]):
            with pytest.raises((StrategyError, BadInput), match="declare all of them always"):
                backtest(strategies, market(20, 1))
