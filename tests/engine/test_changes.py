"""What changes a position, its units or the cash without an order: splits, dividends, moved cash, earlier holdings."""

import pytest

from tests.engine.books import check
from tests.engine.conftest import MINUTE, Bench
from tests.engine.resting import buys, fill, resting
from workbench.engine.seats import OPERATOR
from workbench.model import (
    Amended,
    Bar,
    Cancelled,
    CashMoved,
    Dividend,
    OpenPosition,
    PauseStrategy,
    Refusal,
    SetLimits,
    Split,
    to_e8,
)
from workbench.model.orders import BUY


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
