"""What changes under an order or a position: amendments, flatten, splits, dividends, moved cash."""

import pytest

from tests.engine.books import check
from tests.engine.conftest import MINUTE, Bench
from workbench.engine.seats import OPERATOR
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendOrder,
    AmendRefused,
    Arm,
    Bar,
    Cancel,
    Cancelled,
    CashMoved,
    Dividend,
    Filled,
    Flatten,
    Kill,
    OpenPosition,
    PauseStrategy,
    Refusal,
    SetLimits,
    Split,
    StartSession,
    Submit,
    to_e8,
)
from workbench.model.orders import BUY, FILLED, LIMIT, MARKET, PARTIAL, SELL, STOP, WORKING


@pytest.fixture
def desk(bench: Bench) -> Bench:
    """A desk that has seen a price of 100."""
    bench.bar(100.0)
    return bench


def resting(desk: Bench, quantity: float = 10, px: float = 99) -> int:
    """A limit order to buy that the venue holds; its number."""
    desk.buy(quantity, kind=LIMIT, limit_px_e8=to_e8(px))
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, f"v{number}"))
    return number


def amend(desk: Bench, number: int, quantity: float = 0, limit: float = 0, stop: float = 0) -> list[object]:
    return list(desk.do(AmendOrder(desk.ts_ns, number, to_e8(quantity), to_e8(limit), to_e8(stop))))


def fill(desk: Bench, number: int, quantity: float, px: float = 100.0, fee_e8: int = 0) -> None:
    count = len(desk.engine.orders.executions)
    desk.do(Filled(desk.ts_ns, number, f"x{count}", to_e8(px), to_e8(quantity), fee_e8))


def buys(desk: Bench) -> float:
    return desk.engine.exposure.lines[0].buys_e8 / 1e8


# -- amendments ----------------------------------------------------------------------------------------------------


def test_until_the_answer_the_larger_quantity_counts(desk: Bench) -> None:
    number = resting(desk)
    assert amend(desk, number, 15, 99.5) == [Amend(desk.ts_ns, number, to_e8(15), to_e8(99.5), 0)]
    order = desk.last_order
    assert order.qty_e8 == to_e8(10)  # the old version, until the venue says otherwise
    assert buys(desk) == 15
    desk.do(Amended(desk.ts_ns, number, to_e8(15), to_e8(99.5), 0, "v9"))
    assert (order.qty_e8, order.limit_px_e8, order.venue_id) == (to_e8(15), to_e8(99.5), "v9")
    assert buys(desk) == 15
    amend(desk, number, 4)
    assert buys(desk) == 15
    desk.do(AmendRefused(desk.ts_ns, number, "TOO_LATE", "it trades"))
    assert buys(desk) == 15
    assert order.reason == "amend refused: TOO_LATE it trades"
    amend(desk, number, 4)
    desk.do(Amended(desk.ts_ns, number, to_e8(4), to_e8(99.5), 0))
    assert buys(desk) == 4
    assert order.state == WORKING
    assert order.venue_id == "v9"
    assert not desk.engine.claims.by_order


def test_only_a_working_order_is_amended_and_one_change_at_a_time(desk: Bench) -> None:
    desk.buy(10, kind=LIMIT, limit_px_e8=to_e8(99))
    number = desk.last_order.order_id

    def no(text: str, *values: float) -> None:
        assert not any(isinstance(e, Amend) for e in amend(desk, number, *values))
        assert text in desk.refusals("AMEND")[-1].text

    no("is new: only a working order", 5)
    desk.do(Accepted(desk.ts_ns, number, "v1"))
    no("has these values already", 10, 99)
    fill(desk, number, 4)
    no("is not above the 4 filled: cancel the rest", 4)
    amend(desk, number, 8)
    no("has an amendment under way", 7)
    desk.do(AmendRefused(desk.ts_ns, number, "NO", "no"))
    desk.do(StartSession(desk.ts_ns, 2, "test", "paper", "0"))
    amend(desk, number, 8)
    desk.do(Cancelled(desk.ts_ns, number))
    no("is cancelled: only a working order", 9)
    desk.do(AmendOrder(desk.ts_ns, 77, to_e8(1)))
    assert "order 77 is unknown: ids so far go from 1 to 1" in desk.refusals("AMEND")[-1].text


def test_an_unknown_order_is_not_amended(desk: Bench) -> None:
    desk.buy(10, kind=LIMIT, limit_px_e8=to_e8(99))
    desk.do(StartSession(desk.ts_ns, 2, "test", "paper", "0"))
    amend(desk, 1, 5)
    assert "order 1 is unknown: only a working order" in desk.refusals("AMEND")[-1].text


@pytest.mark.parametrize(
    ("limits", "values", "code"),
    [
        ((("max_order_qty", 12),), (15, 0, 0), "SIZE"),
        ((("max_order_notional", 1_200),), (15, 0, 0), "NOTIONAL"),
        ((("max_position_qty", 12),), (15, 0, 0), "POSITION"),
        ((("max_gross", 1_200),), (15, 0, 0), "GROSS"),
        ((), (20_000, 0, 0), "SIZE"),
        ((), (0, 50, 0), "COLLAR"),
        ((), (0, 99.001, 0), "GRID"),
        ((), (0.5, 0, 0), "GRID"),
        ((), (0, 0, 99), "GRID"),
        ((("orders_per_s_account", 1),), (15, 0, 0), "RATE"),
    ],
)
def test_the_rules_judge_what_it_would_become(
    desk: Bench, limits: tuple[tuple[str, float], ...], values: tuple[float, float, float], code: str
) -> None:
    number = resting(desk)
    desk.do(SetLimits(desk.ts_ns, limits, "test"))
    assert [e.code for e in amend(desk, number, *values)] == [code]  # type: ignore[attr-defined]
    assert desk.last_order.qty_e8 == to_e8(10)
    assert buys(desk) == 10


def test_a_persons_amendments_are_no_breach_of_the_strategys(desk: Bench) -> None:
    desk.place(1, mode="flip", quantity=10)
    desk.do(SetLimits(desk.ts_ns, (("breaches_to_halt", 1), ("orders_per_s_account", 1)), "test"))
    desk.bar(100.0)
    desk.bar(100.0)
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, "v"))
    assert [e.code for e in amend(desk, number, 12)] == ["RATE"]  # type: ignore[attr-defined]
    assert desk.engine.host.strategies[1].running
    assert desk.engine.host.strategies[1].refusals == 0


def test_less_passes_where_more_would_not(desk: Bench) -> None:
    number = resting(desk)
    desk.do(SetLimits(desk.ts_ns, (("max_position_qty", 5), ("max_gross", 100)), "test"))
    assert isinstance(amend(desk, number, 8, 98)[0], Amend)


def test_credit_is_asked_for_the_growth_alone(bench: Bench) -> None:
    desk = Bench(cash=1_500)
    desk.bar(100.0)
    number = resting(desk, 10)
    assert [e.code for e in amend(desk, number, 16)] == ["CREDIT"]  # type: ignore[attr-defined]
    assert isinstance(amend(desk, number, 14)[0], Amend)


def test_it_does_not_move_into_our_own_order(desk: Bench) -> None:
    number = resting(desk)
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(101))
    assert [e.code for e in amend(desk, number, 0, 102)] == ["SELF_CROSS"]  # type: ignore[attr-defined]
    assert isinstance(amend(desk, number, 0, 100.5)[0], Amend)
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(100.2))  # either price may be in force
    assert desk.refusals()[-1].code == "SELF_CROSS"
    desk.do(AmendRefused(desk.ts_ns, number, "NO", "no"))
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(100.2))
    assert desk.last_order.side == SELL


def test_a_killed_desk_amends_nothing(desk: Bench) -> None:
    number = resting(desk)
    desk.do(Kill(desk.ts_ns, "enough", "test"))
    amend(desk, number, 5)
    assert desk.refusals("AMEND")  # being cancelled
    desk = Bench()
    desk.bar(100.0)
    number = resting(desk)
    desk.engine.risk.kill("enough", "test")
    assert [e.code for e in amend(desk, number, 5)] == ["KILLED"]  # type: ignore[attr-defined]


def test_fills_while_it_is_under_way(desk: Bench) -> None:
    """The old quantity filled does not end it while more may come; the answer decides."""
    number = resting(desk)
    amend(desk, number, 15)
    fill(desk, number, 10)
    order = desk.last_order
    assert order.state == PARTIAL
    assert buys(desk) == 5
    desk.do(AmendRefused(desk.ts_ns, number, "TOO_LATE", "filled"))
    assert order.state == FILLED
    assert buys(desk) == 0
    number = resting(desk, px=98)
    amend(desk, number, 15)
    fill(desk, number, 12)  # more than the old version had
    assert desk.last_order.qty_e8 == to_e8(15)
    fill(desk, number, 3)
    assert desk.last_order.state == FILLED
    assert not desk.engine.orders.amending
    assert not desk.refusals("OVERFILL")


def test_the_venue_may_change_an_order_by_itself(desk: Bench) -> None:
    number = resting(desk)
    desk.do(Amended(desk.ts_ns, number, to_e8(6), to_e8(99), 0))
    assert (desk.last_order.open_e8, buys(desk)) == (to_e8(6), 6)
    desk.do(Amended(desk.ts_ns, number, 0, to_e8(99), 0))
    assert "which was not taken over" in desk.refusals("CONTRADICTION")[-1].text
    desk.do(Cancelled(desk.ts_ns, number))
    desk.do(Amended(desk.ts_ns, number, to_e8(8), to_e8(99), 0))
    assert "but was cancelled" in desk.refusals("CONTRADICTION")[-1].text
    assert buys(desk) == 0


def test_a_stop_is_moved(desk: Bench) -> None:
    desk.sell(10, kind=STOP, stop_px_e8=to_e8(98))
    desk.do(Accepted(desk.ts_ns, 1, "v1"))
    assert amend(desk, 1, 0, 0, 99) == [Amend(desk.ts_ns, 1, to_e8(10), 0, to_e8(99))]


# -- flatten -------------------------------------------------------------------------------------------------------


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


# -- cash and splits -----------------------------------------------------------------------------------------------


def test_moved_cash_counts_once_and_the_books_add_up(desk: Bench) -> None:
    ledger = desk.engine.ledger
    before = ledger.cash_e8
    for _ in range(2):
        desk.do(CashMoved(desk.ts_ns, "d1", to_e8("12.5"), 0, "dividend"))
    desk.do(CashMoved(desk.ts_ns, "f1", -to_e8(2), -1, "interest"))
    assert ledger.cash_e8 - before == ledger.moved_e8 == to_e8("10.5")
    assert ledger.balanced()
    assert desk.engine.oddities["cash move reported again"] == 1


def test_a_withdrawal_is_no_loss(desk: Bench) -> None:
    desk.do(SetLimits(desk.ts_ns, (("max_daily_loss", 1_000),), "test"))
    desk.do(CashMoved(desk.ts_ns, "t1", -to_e8(50_000), -1, "transfer"))
    desk.buy(10)
    assert not desk.refusals()
    desk.do(CashMoved(desk.ts_ns, "f1", -to_e8(1_000), -1, "borrowing fee"))
    desk.buy(11)
    assert desk.refusals()[-1].code == "DAILY_LOSS"


def holding(quantity: int, px: float = 100.0) -> Bench:
    desk = Bench()
    desk.bar(px)
    desk.buy(quantity)
    fill(desk, 1, quantity, px)
    return desk


def test_a_split_changes_units_and_no_money() -> None:
    desk = holding(10)
    equity = desk.engine.risk.equity_e8
    desk.do(Split(desk.ts_ns, 0, 7, 1))
    position = desk.engine.ledger.totals[0]
    assert position.qty_e8 == to_e8(70)
    assert position.cost_e8 == to_e8(1_000)
    assert desk.engine.book.last_px[0] == pytest.approx(100 / 7)
    assert abs(desk.engine.risk.equity_e8 - equity) <= 70
    assert desk.engine.ledger.balanced()
    assert desk.engine.ledger.held_e8(0, 0) == to_e8(70)


def test_what_is_less_than_a_lot_leaves_at_its_cost() -> None:
    """5 units, 3 for 2: 7.5; the venue pays for the half in cash, at the day's price."""
    desk = holding(5, 90.0)
    desk.do(Split(desk.ts_ns, 0, 3, 2))
    position = desk.engine.ledger.totals[0]
    assert position.qty_e8 == to_e8(7)
    assert position.cost_e8 == to_e8(420)  # 450 for 7.5 units: 60 each
    assert position.realized_e8 == -to_e8(30)
    desk.do(CashMoved(desk.ts_ns, "c1", to_e8(30), 0, "cash in lieu"))
    assert desk.engine.risk.equity_e8 == to_e8(1_000_000)
    assert desk.engine.ledger.balanced()


def test_a_reverse_split_may_leave_nothing() -> None:
    desk = holding(3)
    desk.do(Split(desk.ts_ns, 0, 1, 10))
    position = desk.engine.ledger.totals[0]
    assert (position.qty_e8, position.cost_e8) == (0, 0)
    assert position.realized_e8 == -to_e8(300)
    assert desk.engine.exposure.value_e16 == 0


def test_shares_of_several_strategies_add_up_to_the_accounts() -> None:
    """1 + 1 + 1 units, 3 for 2: the account holds 4 of 4.5, and the first in number gets the odd one."""
    desk = Bench()
    for sid in (1, 2, 3):
        desk.place(sid, mode="flip", quantity=1)
    desk.bar(100.0)
    desk.bar(100.0)
    desk.bar(100.0)
    assert [desk.held(sid) for sid in (1, 2, 3)] == [1, 1, 1]
    desk.do(Split(desk.ts_ns, 0, 3, 2))
    assert [desk.held(sid) for sid in (1, 2, 3)] == [2, 1, 1]
    assert desk.engine.ledger.totals[0].qty_e8 == to_e8(4)
    assert [desk.engine.host.seats[sid, 0].full_e8 for sid in (1, 2, 3)] == [to_e8(1)] * 3


def test_a_target_means_the_same_share_after_a_split() -> None:
    """No order follows from a split: what was full is full."""
    desk = Bench()
    desk.place(1, mode="flip", quantity=10)
    for _ in range(3):
        desk.bar(100.0)
    desk.perform(desk.do(PauseStrategy(desk.ts_ns, 1, "look", cancel=True)))
    seat = desk.engine.host.seats[1, 0]
    held = desk.held(1)
    target = seat.truth()
    desk.do(Split(desk.ts_ns, 0, 2, 1))
    assert desk.held(1) == 2 * held
    assert seat.full_e8 == to_e8(20)
    assert seat.truth() == target


def test_open_orders_are_the_venues_to_change(desk: Bench) -> None:
    number = resting(desk)
    assert desk.do(Split(desk.ts_ns, 0, 2, 1)) == []
    assert buys(desk) == 10
    desk.do(Amended(desk.ts_ns, number, to_e8(20), to_e8(49.5), 0))
    assert buys(desk) == 20
    assert desk.engine.exposure.lines[0].bids == {number: to_e8(49.5)}


def test_a_price_that_halves_by_a_split_is_no_jump(desk: Bench) -> None:
    desk.do(Split(desk.ts_ns, 0, 2, 1))
    desk.do(Bar(desk.ts_ns + MINUTE, 0, 50, 50, 50, 50, 1))
    desk.buy(1)
    assert desk.last_order.side == BUY


def test_nonsense_is_counted_and_dropped(desk: Bench) -> None:
    for event in (Split(desk.ts_ns, 9, 2, 1), Split(desk.ts_ns, 0, 0, 1), Dividend(desk.ts_ns, -1, 5)):
        assert desk.do(event) == []
    assert sum(desk.engine.book.dropped.values()) == 3
    desk.do(Dividend(desk.ts_ns, 0, to_e8("0.5")))
    desk.do(Cancelled(desk.ts_ns, 44))
    assert desk.engine.ledger.moved_e8 == 0


# -- holdings from before -------------------------------------------------------------------------------------------


def test_what_the_account_held_is_capital_and_the_operators(bench: Bench) -> None:
    engine = bench.engine
    start = engine.ledger.start_cash_e8
    assert bench.do(OpenPosition(bench.ts_ns, 0, to_e8(-7), to_e8(90))) == []
    bench.bar(100.0)
    held = engine.ledger.positions[OPERATOR, 0]
    assert (held.qty_e8, held.given_e8, held.fills, held.average_px) == (to_e8(-7), to_e8(-7), 0, 90.0)
    assert engine.ledger.cash_e8 == start
    assert engine.ledger.brought_e8 == to_e8(-630)
    assert engine.risk.equity_e8 == start - to_e8(700)
    assert engine.ledger.balanced()
    assert engine.exposure.lines[0].worst_e8 == to_e8(7)
    check(engine)
    bench.perform(bench.buy(7))  # it can be closed like any other
    bench.bar(100.0)
    check(engine)
    assert held.qty_e8 == 0
    assert held.realized_e8 == to_e8(-70)


@pytest.mark.parametrize(("iid", "qty", "px"), [(9, 1, 1), (0, 0, 1), (0, 1, 0), (0, 1, -3)])
def test_a_holding_that_cannot_be_is_refused(bench: Bench, iid: int, qty: int, px: int) -> None:
    (no,) = bench.do(OpenPosition(bench.ts_ns, iid, to_e8(qty), to_e8(px)))
    assert isinstance(no, Refusal)
    assert no.code == "HOLDING"
    assert bench.engine.ledger.totals == {}
