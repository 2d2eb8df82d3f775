"""Flatten: what it cancels, pauses and closes, and when it waits."""

from tests.engine.conftest import Bench
from tests.engine.resting import fill
from workbench.model import (
    Arm,
    Cancel,
    Cancelled,
    Flatten,
    Kill,
    SetLimits,
    Submit,
    to_e8,
)
from workbench.model.orders import MARKET, SELL, STOP


def two_strategies() -> Bench:
    desk = Bench(symbols=("SPY", "QQQ"))
    desk.place(1, mode="flip", quantity=10)
    desk.place(2, mode="flip", quantity=3, iids=(1,))
    for _ in range(4):
        desk.bar(100.0, 0)
        desk.bar(50.0, 1)
    assert desk.held(1, 0) != 0
    assert desk.held(2, 1) != 0
    return desk


def flatten(desk: Bench, iid: int = -1) -> list[object]:
    effects = desk.do(Flatten(desk.ts_ns, iid, "going home", "test"))
    return list(desk.perform(effects))


def test_flatten_pauses_cancels_and_sells_what_is_held() -> None:
    desk = two_strategies()
    flatten(desk)
    strategies = desk.engine.host.strategies
    assert [p.state for p in strategies.values()] == ["paused", "paused"]
    assert "going home" in strategies[1].reason
    for iid, close in ((0, 100.0), (1, 50.0)):
        desk.bar(close, iid)
    assert desk.held(1, 0) == desk.held(2, 1) == 0
    assert all(p == 0 for p in desk.venue.positions.values())
    assert not desk.engine.flattening


def test_flatten_of_one_instrument_leaves_the_others() -> None:
    desk = two_strategies()
    flatten(desk, 1)
    assert [p.state for p in desk.engine.host.strategies.values()] == ["running", "paused"]
    desk.bar(50.0, 1)
    assert desk.held(2, 1) == 0
    assert desk.held(1, 0) != 0


def test_flatten_waits_until_nothing_else_may_fill(desk: Bench) -> None:
    """Selling beside a stop that is being cancelled could sell twice."""
    desk.buy(10)
    fill(desk, 1, 10)
    desk.sell(10, kind=STOP, stop_px_e8=to_e8(98))
    effects = desk.do(Flatten(desk.ts_ns, -1, "now", "test"))
    assert [type(e) for e in effects] == [Cancel]
    fill(desk, 2, 4, 98)  # the stop was faster, in part
    effects = desk.do(Cancelled(desk.ts_ns, 2))
    assert [(e.side, e.kind, e.qty_e8) for e in effects if isinstance(e, Submit)] == [
        (SELL, MARKET, to_e8(6))
    ]


def test_flatten_cuts_to_the_largest_order_allowed(desk: Bench) -> None:
    desk.buy(10)
    fill(desk, 1, 10)
    desk.do(SetLimits(desk.ts_ns, (("max_order_qty", 4),), "test"))
    effects = desk.do(Flatten(desk.ts_ns, 0, "", "test"))
    assert [e.qty_e8 // 10**8 for e in effects if isinstance(e, Submit)] == [4, 4, 2]
    assert {e.why for e in effects if isinstance(e, Submit)} == {"flatten"}


def test_a_killed_desk_flattens_after_somebody_has_armed_it(desk: Bench) -> None:
    desk.buy(10)
    fill(desk, 1, 10)
    desk.do(Kill(desk.ts_ns, "enough", "test"))
    effects = desk.do(Flatten(desk.ts_ns, -1, "", "test"))
    assert [e.code for e in effects] == ["KILLED"]  # type: ignore[union-attr]
    assert "arm the desk, then flatten" in desk.refusals()[-1].text
    desk.do(Arm(desk.ts_ns, "test"))
    assert any(isinstance(e, Submit) for e in desk.do(Flatten(desk.ts_ns, -1, "", "test")))


def test_a_kill_ends_a_flatten_that_waits(desk: Bench) -> None:
    desk.buy(10)
    fill(desk, 1, 4)
    desk.do(Flatten(desk.ts_ns, -1, "", "test"))
    desk.do(Kill(desk.ts_ns, "enough", "test"))
    desk.do(Arm(desk.ts_ns, "test"))
    assert not any(isinstance(e, Submit) for e in desk.do(Cancelled(desk.ts_ns, 1)))


def test_flatten_of_an_unknown_instrument(desk: Bench) -> None:
    desk.do(Flatten(desk.ts_ns, 7, "", "test"))
    assert desk.refusals("FLATTEN")
