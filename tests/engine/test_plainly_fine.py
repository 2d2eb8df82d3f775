"""The shortcut through the rules says yes only where every rule says yes."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Bench
from workbench.engine import core
from workbench.engine.rules import first_no
from workbench.engine.rules import plainly_fine as shortcut
from workbench.engine.seats import Intent
from workbench.model import Kill, SetLimits
from workbench.model.orders import DAY, MARKET

LIMITS: dict[str, st.SearchStrategy[float]] = {
    "max_order_qty": st.sampled_from([5.0, 10.0, 15.0, 20.0, 1e4]),
    "max_order_notional": st.sampled_from([500.0, 1_000.0, 1_999.0, 2_000.0, 1e6]),
    "max_jump": st.sampled_from([0.0, 0.01, 0.05, 0.25]),
    "max_position_qty": st.sampled_from([5.0, 10.0, 15.0, 1e5]),
    "allow_short": st.sampled_from([0.0, 1.0]),
    "allow_reversal": st.sampled_from([0.0, 1.0]),
    "max_gross": st.sampled_from([100.0, 1_000.0, 1_500.0, 1e7]),
    "credit": st.sampled_from([0.0, 1_000.0]),
    "orders_per_s_strategy": st.sampled_from([1.0, 200.0]),
    "orders_per_s_account": st.sampled_from([1.0, 10_000.0]),
    "max_repeats": st.sampled_from([1.0, 2.0, 100.0]),
    "max_data_age_s": st.sampled_from([0.0, 120.0]),
    "max_daily_loss": st.sampled_from([0.0, 10.0, 1e5]),
    "hours_to_s": st.sampled_from([60_000.0, 86_400.0]),
}


class Judge:
    """Stands in for the shortcut in `core` and asks the rules beside it, in the very same state."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[bool, str]] = Counter()

    def __call__(self, seat: Any, side: int, qty_e8: int, worst_e8: int, risk: Any) -> bool:
        intent = Intent()
        intent.seat, intent.iid, intent.side, intent.qty_e8 = seat, seat.iid, side, qty_e8
        intent.kind, intent.tif, intent.limit_px_e8, intent.stop_px_e8 = MARKET, DAY, 0, 0
        intent.px_e8, intent.worst_e8, intent.sized = seat.line.mark_e8, worst_e8, True
        intent.more_e8 = qty_e8
        intent.notional_e16 = qty_e8 * intent.px_e8
        intent.why = ""
        verdict = first_no(intent, risk)
        fine = shortcut(seat, side, qty_e8, worst_e8, risk)
        assert not (fine and verdict), verdict
        self.seen[fine, verdict[0] if verdict else ""] += 1
        return fine


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.fixed_dictionaries({}, optional=LIMITS),
    st.lists(st.tuples(st.integers(90, 110), st.integers(0, 1)), min_size=2, max_size=25),
    st.sampled_from(["follow", "flip"]),
    st.booleans(),
)
def test_the_shortcut_never_lets_through_what_a_rule_refuses(
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, float],
    bars: list[tuple[int, int]],
    mode: str,
    kill: bool,
) -> None:
    monkeypatch.setattr(core, "plainly_fine", Judge())
    bench = Bench(symbols=("SPY", "QQQ"), cash=5_000.0)
    bench.do(SetLimits(bench.ts_ns, tuple(limits.items()), "test"))
    bench.place(1, mode=mode, iids=(0, 1))
    bench.place(2, mode="follow", iids=(0,))
    for place, (close, iid) in enumerate(bars):
        if kill and place == len(bars) // 2:
            bench.do(Kill(bench.ts_ns, "test", "test"))
        bench.bar(float(close), iid)


def test_both_answers_and_the_common_refusals_occur(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge()
    monkeypatch.setattr(core, "plainly_fine", judge)
    for limits in (
        {},
        {"max_order_qty": 5.0},
        {"max_position_qty": 5.0},
        {"max_gross": 100.0},
        {"allow_short": 0.0},
    ):
        bench = Bench(cash=50_000.0)
        bench.do(SetLimits(bench.ts_ns, tuple(limits.items()), "test"))
        bench.place(1, mode="flip")
        for close in (100.0, 101.0, 102.0, 101.0, 100.0):
            bench.bar(close)
    assert judge.seen[True, ""] >= 5
    assert {code for fine, code in judge.seen if not fine} >= {"SIZE", "POSITION", "GROSS"}
