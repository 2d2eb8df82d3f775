"""What proves something of an order or an execution, and what does not: lists that lack one, rows that are odd,
executions told two ways."""

from typing import Any

import pytest

from tests.brokers.ibkr.desk import LIST, STATUS, TRADES, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.executions import Executions
from workbench.brokers.ibkr.parse import OrderRow, TradeRow
from workbench.brokers.ibkr.tickets import ticket
from workbench.model.effects import Submit
from workbench.model.reports import CashMoved
from workbench.model.scale import SCALE, to_e8

SPY_CONID = 756_733


# -- an order that is listed nowhere -------------------------------------------------------------------------------
def hidden(desk: Desk) -> list[int]:
    """Today's orders are gone, as after a night: an order is not to be had by its number either."""
    desk.fault("mute", "stream:*")
    return [desk.fault("status", STATUS, status=503), desk.fault("mutate", LIST, set={"orders": []})]


@pytest.mark.parametrize("filled", [0.0, 4.0])
async def test_an_order_that_is_listed_nowhere_once_has_not_ended(filled: float) -> None:
    async with trading(settings={"absent_after_s": 600.0}) as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        if filled:
            desk.fill_at_limit(order, filled)
            await until(lambda: desk.filled(order) == filled)
        before = desk.kinds(order)
        faults, again = hidden(desk), list[float]()
        desk.broker.finder._again = lambda _, seconds: again.append(seconds)
        for _ in range(4):
            await desk.broker.sweep(settled_s=0.0)
        assert desk.kinds(order) == before
        assert again == [200.0]  # who sweeps looks as well: no look is asked for twice
        for fault in faults:
            desk.venue.faults.remove(fault)
        desk.fill_at_limit(order)
        await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 10


@pytest.mark.parametrize("filled", [0.0, 4.0])
async def test_an_order_that_stays_listed_nowhere_ended_on_another_day(filled: float) -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        if filled:
            desk.fill_at_limit(order, filled)
            await until(lambda: desk.filled(order) == filled)
        hidden(desk)
        for _ in range(3):
            await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.kinds(order)[-1] == "Cancelled"
        assert desk.filled(order) == filled


async def test_an_order_that_comes_back_among_the_listed_is_counted_anew() -> None:
    async with trading(settings={"absent_times": 2}) as desk:
        order = desk.away()
        await desk.submit(order)
        desk.broker.finder._again = lambda _, seconds: None  # nobody looks beside this test
        for _ in range(2):
            faults = hidden(desk)
            await desk.broker.finder.look(desk.broker.tracker.by_client[order.client_id])
            for fault in faults:
                desk.venue.faults.remove(fault)
            await desk.broker.sweep(settled_s=0.0)
            await desk.broker.order(order.client_id)
        assert desk.kinds(order) == ["Accepted"]


# -- rows of others, and odd ones ----------------------------------------------------------------------------------
NULLS = ("status", "side", "orderType", "origOrderType", "timeInForce", "ticker", "order_ref", "price")


async def by_hand(desk: Desk) -> Submit:
    """Ours, older; and another program's order, which is listed first."""
    mine, hers = desk.away(), desk.away(0.99)
    await desk.submit(mine)
    account = desk.broker.session.account
    await desk.broker.client.place(account, [{**ticket(hers, account, SPY_CONID), "cOID": "by-hand"}])
    return mine


@pytest.mark.parametrize(
    "row",
    [dict.fromkeys(f"orders.0.{name}" for name in NULLS), {"orders.0.status": "Teleported"}],
    ids=["nulls", "status"],
)
async def test_an_odd_order_of_somebody_else_does_not_hide_ours(row: dict[str, Any]) -> None:
    async with trading() as desk:
        mine = await by_hand(desk)
        desk.fault("mutate", LIST, set=row)
        assert (await desk.broker.account()).open_orders == (mine.order_id,)
        listed = await desk.broker.client.orders()
        assert listed[0].order_ref in (None, "by-hand")
        assert [row.order_ref for row in listed[1:]] == [mine.client_id]


async def test_an_order_of_ours_in_a_word_nobody_knows_is_open_until_it_is_looked_up() -> None:
    async with trading() as desk:
        odd, other = desk.away(), desk.away(0.985)
        await desk.submit(odd, other)
        desk.fault("mutate", LIST, set={"orders.0.status": "Teleported", "orders.1.status": "Teleported"})
        account = await desk.broker.account()
        assert account.open_orders == (odd.order_id, other.order_id)
        assert desk.kinds(odd) == desk.kinds(other) == ["Accepted"]


def test_what_an_odd_row_lacks_is_nothing() -> None:
    assert (OrderRow(orderId=5.0, status=None).number, OrderRow().parent) == ("5", "")


# -- executions ----------------------------------------------------------------------------------------------------
async def partly(desk: Desk) -> Submit:
    """An order with one execution that the socket has told."""
    order = desk.away(0.999)
    await desk.submit(order)
    desk.fill_at_limit(order, 4.0)
    await until(lambda: desk.filled(order) == 4)
    return order


@pytest.mark.parametrize("both", [False, True])
async def test_a_correction_among_asked_executions_is_not_booked_again(both: bool) -> None:
    """The socket has told of one execution; when the list is asked for, because another is missing, it shows that one
    corrected (in its place, or beside it)."""
    async with trading() as desk:
        order = await partly(desk)
        [told] = desk.fills(order)
        head = told.exec_id.rpartition(".")[0]
        said = {"execution_id": f"{head}.02", "order_ref": order.client_id, "size": 4, "price": 9.0}
        desk.fault("mute", "stream:*")
        desk.fill_at_limit(order, 3.0)
        rows = await desk.broker.client.trades()
        assert [row.execution_id for row in rows][-1] == told.exec_id
        corrected = [*rows[:-1], TradeRow(**said)]  # type: ignore[arg-type]
        shown = [*rows, corrected[-1]] if both else corrected

        async def trades(*_: Any, **__: Any) -> list[TradeRow]:
            return shown

        desk.broker.client.trades = trades  # type: ignore[method-assign]
        await desk.broker.sweep(settled_s=0.0)
        assert [fill.qty_e8 // SCALE for fill in desk.fills(order)] == [4, 3]
        assert desk.fills(order)[0].exec_id == told.exec_id


async def test_a_correction_told_of_an_asked_execution_is_not_booked_again() -> None:
    async with trading() as desk:
        desk.fault("mute", "stream:*")
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fill_at_limit(order, 4.0)
        await desk.broker.sweep(settled_s=0.0)
        [asked] = desk.fills(order)
        head = asked.exec_id.rpartition(".")[0]
        said = {"execution_id": f"{head}.02", "order_ref": order.client_id, "size": 4, "price": 9.0}
        desk.broker.fills.told(TradeRow(**said))  # type: ignore[arg-type]
        assert (desk.filled(order), desk.broker.fills.corrections) == (4, 1)


async def test_a_commission_missing_among_asked_executions_is_paid_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workbench.brokers.ibkr.broker._PAY_S", 3_600.0)  # the test asks, nobody else
    async with trading(emulator={"fee_per_unit": 0.01}) as desk:
        desk.fault("mute", "stream:*")
        late = desk.fault("mutate", TRADES, unset=["0.commission"])
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fill_at_limit(order, 4.0)
        await desk.broker.sweep(settled_s=0.0)
        assert [fill.fee_e8 for fill in desk.fills(order)] == [0]
        assert await desk.broker.fills.pay() == 0
        desk.venue.faults.remove(late)
        assert await desk.broker.fills.pay() == 1
        assert [r.amount_e8 for r in desk.reports if isinstance(r, CashMoved)] == [-to_e8(0.04)]
        assert await desk.broker.fills.pay() == 0


def test_a_commission_that_is_never_told_is_not_waited_for_without_end() -> None:
    now_s = [0.0]
    seen = Executions(lambda: now_s[0])
    seen.owe("a")
    now_s[0] = 50_000.0
    seen.owe("b")
    seen.owe("a")
    assert seen.overdue() == []
    now_s[0] = 90_000.0
    assert (seen.overdue(), list(seen.unpaid)) == (["a"], ["b"])


def test_what_is_remembered_of_executions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.brokers.ibkr.executions._KEPT", 3)
    seen = Executions()
    for number in range(10):
        assert seen.first(f"x.{number:03}.01") == f"x.{number:03}.01"
    assert len(seen._first) == 3
    assert seen.first("x.009.02") == "x.009.01"
