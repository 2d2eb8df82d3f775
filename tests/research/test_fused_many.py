"""Many instruments, or several variants of one class, in one account: the compiled loop and the engine answer alike."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research.same import MINUTE_NS, assert_same, market
from tests.research.test_fused import Steps, Turns, tight
from workbench.config import SimSettings
from workbench.feeds import Recording, synthetic
from workbench.research.loops import run_plan
from workbench.research.plan import Placement, Plan
from workbench.research.run import Run


def plan_of(
    data: Recording, *strategies: Any, quantity: float = 10.0, sizing: str = "quantity", **more: Any
) -> Plan:
    iids = tuple(i.iid for i in data.instruments)
    placed = tuple(Placement.checked(strategy, iids, quantity, sizing) for strategy in strategies)
    sim = more.pop("sim", SimSettings(ack_median_us=0, fill_median_us=0))
    return Plan(data, placed, sim=sim, **more)


def both(plan: Plan) -> Run:
    """The run as it comes, which is the engine's."""
    run, engine = run_plan(plan), run_plan(plan, "engine")
    assert_same(run, engine)
    if engine.refusals:
        assert run.loop == "engine"
    return run


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("sizing", ["quantity", "percent"])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_panel_runs_as_in_the_engine(fill: str, sizing: str, missing: float) -> None:
    data = market(150, 3, symbols=7, missing=missing)
    run = both(plan_of(data, Steps(), fill=fill, sizing=sizing, quantity=5.0, limits={"credit": 1e9}))
    assert run.loop == "compiled", run.why
    assert len(run.fills) > 250


def test_variants_share_one_account() -> None:
    data = market(200, 5, symbols=3, missing=0.2)
    steps = [Steps(period=period, scale=scale) for period, scale in ((3, 20.0), (5, 40.0), (9, 10.0))]
    for fill in ("next_open", "close"):
        run = both(plan_of(data, *steps, fill=fill, sizing="percent", quantity=2.0, flat_at_end=True))
        assert run.loop == "compiled", run.why
        assert set(run.orders["strategy_id"].tolist()) == {1, 2, 3}


def test_one_symbol_and_two_variants_too() -> None:
    run = both(plan_of(market(300, 8), Steps(), Steps(period=9), limits={"credit": 1e9}))
    assert (run.loop, set(run.orders["strategy_id"].tolist())) == ("compiled", {1, 2})


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.sampled_from([3, 30, 80]),
    symbols=st.sampled_from([1, 2, 5]),
    variants=st.sampled_from([1, 1, 2]),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    px=st.sampled_from([100.0, 0.0123456, 40_000.0]),
    lot_e8=st.sampled_from([10**8, 1]),
    bar_ns=st.sampled_from([MINUTE_NS, MINUTE_NS, 1_000_000, 3_600_000_000_000]),
    sizing=st.sampled_from(["quantity", "percent", "notional"]),
    quantity=st.sampled_from([0.3, 7.5, 40.0, 1_234.5]),
    cash=st.sampled_from([1_000.0, 54_321.987654, 1e6]),
    fees=st.sampled_from([(0.0, 0.0, 0.0), (0.0, 0.0, 4.95), (0.0123456789, 0.00077, 0.35)]),
    slippage=st.sampled_from([("none", 0.0), ("none", 0.0), ("ticks", 1.5), ("rate", 0.0007)]),
    fill=st.sampled_from(["next_open", "close"]),
    flat_at_end=st.booleans(),
    turns=st.booleans(),
    limits=st.fixed_dictionaries(
        {"credit": tight(0.0, 500.0)},
        optional={
            "max_order_qty": tight(3.0, 10.0),
            "max_order_notional": tight(800.0, 5e3),
            "max_position_qty": tight(5.0, 20.0),
            "max_gross": tight(1e3, 1e5),
            "max_daily_loss": tight(1.0, 50.0),
            "max_jump": tight(0.0, 0.01),
            "max_repeats": tight(1.0, 3.0),
            "orders_per_s_strategy": tight(1.0, 2.0, 5.0),
            "orders_per_s_account": tight(2.0, 6.0),
        },
    ),
)
def test_law_whatever_runs_the_answer_is_the_engines(
    seed: int,
    n: int,
    symbols: int,
    variants: int,
    missing: float,
    px: float,
    lot_e8: int,
    bar_ns: int,
    sizing: str,
    quantity: float,
    cash: float,
    fees: tuple[float, float, float],
    slippage: tuple[str, float],
    fill: str,
    flat_at_end: bool,
    turns: bool,
    limits: dict[str, float],
) -> None:
    data = market(n, seed, symbols=symbols, missing=missing, px=px, lot_e8=lot_e8, bar_ns=bar_ns)
    strategies = [Turns()] * variants if turns else [Steps(period=3 + k) for k in range(variants)]
    sim = SimSettings.model_validate(
        {"ack_median_us": 0, "fill_median_us": 0, "fee_per_unit": fees[0], "fee_rate": fees[1]}
        | {"fee_per_order": fees[2]}
        | {"slippage": slippage[0], "slippage_amount": slippage[1]}
    )
    both(
        plan_of(
            data, *strategies, sim=sim, sizing=sizing, quantity=quantity, cash=cash, fill=fill,
            flat_at_end=flat_at_end, limits=limits,
        )
    )  # fmt: skip


def test_a_panel_goes_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = synthetic(4, 500, seed=2)
    whole = run_plan(plan_of(data, Turns(), quantity=1.0))
    monkeypatch.setattr("workbench.research.fused.many.UNITS_A_CALL", 33)
    told: list[int] = []
    parts = run_plan(plan_of(data, Turns(), quantity=1.0, progress=lambda done, total: told.append(done)))
    assert (whole.loop, parts.loop) == ("compiled", "compiled")
    assert_same(whole, parts)
    assert told[-1] == 500 * 4 + 500
