"""Cancels and amendments while the gateway misbehaves, numbers that are given twice, what is not ours."""

import asyncio
from typing import Any

import pytest

from tests.brokers.ibkr.desk import CHANGE, DELETE, LIST, POST, REPLY, STATUS, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.tickets import ticket
from workbench.errors import OutcomeUnknown, VenueRefused
from workbench.model.effects import Amend, Cancel
from workbench.model.orders import BUY, GTC, LIMIT, SELL, STOP, STOP_LIMIT
from workbench.model.reports import AmendRefused, CancelRefused
from workbench.model.scale import SCALE, to_e8

SPY_CONID = 756_733
LEDGER = "rest:GET /v1/api/portfolio/{account}/ledger"


def at_limit(desk: Desk, order: Any) -> tuple[float, float]:
    [there] = desk.at_venue(order)
    return there.qty_e8 / SCALE, there.limit_px_e8 / SCALE


# -- cancels -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_reply", "seconds": 0.02},
        {"what": "drop"},
        {"what": "status", "status": 408},
        {"what": "status", "status": 503},
        {"what": "reset", "bytes": 0, "handled": True},
    ],
    ids=lambda fault: f"{fault['what']}{fault.get('status', '')}",
)
async def test_a_cancel_is_repeated_until_it_is_answered(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault(where=DELETE, count=1, **fault)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_a_cancel_that_was_taken_and_never_confirmed_is_looked_up() -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_a_cancel_that_comes_too_late_says_so() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        desk.fill_at_limit(order)
        await desk.cancel(order)
        await desk.over(order)
        assert desk.filled(order) == 10
        [refused] = [r for r in desk.of(order) if isinstance(r, CancelRefused)]
        assert refused.code == "UNKNOWN"


async def test_cancels_go_out_while_the_venue_refuses_orders() -> None:
    async with trading() as desk:
        resting = desk.away()
        await desk.submit(resting)
        desk.fault("drop", POST)
        orders = [desk.order() for _ in range(6)]
        await desk.submit(*orders)
        await desk.over(*orders)
        assert desk.broker.pool.breakers["orders"].state == "open"
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_everything_is_cancelled_by_one_request_unless_something_is_not_ours(by_hand: bool) -> None:
    async with trading() as desk:
        orders = [desk.away() for _ in range(10)]
        await desk.submit(*orders)
        if by_hand:
            stranger = {**ticket(desk.away(), desk.broker.session.account, SPY_CONID), "cOID": "by-hand"}
            await desk.broker.client.place(desk.broker.session.account, [stranger])
        await desk.broker.sweep()
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))
        assert desk.broker.pool.snapshot().requests["cancel"] == (10 if by_hand else 1)
        left = [o.ticket.client_id for o in desk.venue.exchange.open.values()]
        assert left == (["by-hand"] if by_hand else [])


async def test_cancelling_everything_without_an_answer_is_done_one_by_one() -> None:
    async with trading() as desk:
        orders = [desk.away() for _ in range(6)]
        await desk.submit(*orders)
        await desk.broker.sweep()
        desk.fault("drop", DELETE, count=1)
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))


# -- amendments ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_reply", "seconds": 0.02},
        {"what": "reset", "bytes": 0, "handled": True},
        {"what": "status", "status": 408, "handled": True},
        {"what": "status", "status": 503, "handled": True},
        {"what": "mutate", "unset": ["0.order_id"]},
    ],
    ids=lambda fault: f"{fault['what']}{fault.get('status', '')}",
)
@pytest.mark.parametrize("where", [CHANGE, REPLY])
async def test_an_amendment_whose_answer_is_lost_is_found(fault: dict[str, Any], where: str) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault(where=where, count=1, **fault)
        limit = round(desk.px * (0.9 if where == REPLY else 0.985), 2)
        assert await desk.amend(order, 12, limit) == "Amended"
        assert at_limit(desk, order) == (12, limit)


@pytest.mark.parametrize("where", [CHANGE, REPLY])
async def test_an_amendment_that_never_arrived_is_refused_and_the_order_stays(where: str) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        before = at_limit(desk, order)
        desk.fault("status", where, count=1, status=503)
        assert await desk.amend(order, 12, round(desk.px * 0.9, 2)) == "AmendRefused"
        assert at_limit(desk, order) == before
        assert await desk.amend(order, 12, round(desk.px * 0.97, 2)) == "Amended"


async def test_an_amendment_that_is_asked_about_and_answered_with_no_is_refused() -> None:
    async with trading(settings={"options": {"answers": ""}}) as desk:
        order = desk.away()
        await desk.submit(order)
        before = at_limit(desk, order)
        assert await desk.amend(order, 10, round(desk.px * 0.9, 2)) == "AmendRefused"
        refused = desk.of(order)[-1]
        assert isinstance(refused, AmendRefused)
        assert (refused.code, "Percentage constraint" in refused.text) == ("QUESTION o163", True)
        assert at_limit(desk, order) == before


async def test_an_amendment_races_a_fill() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fault("delay", CHANGE, seconds=0.05)
        desk.broker.amend(Amend(1, order.order_id, to_e8(12), order.limit_px_e8, 0))
        desk.fill_at_limit(order)
        await desk.over(order)
        await until(lambda: desk.kinds(order)[-1:] == ["AmendRefused"])
        assert desk.filled(order) == 10


async def test_stops_are_amended_by_their_stop() -> None:
    async with trading() as desk:
        px = desk.px
        stop = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2))
        both = desk.order(SELL, kind=STOP_LIMIT, stop=round(px * 0.98, 2), limit=round(px * 0.975, 2))
        await desk.submit(stop, both)
        for order, limit, stop_px in ((stop, 0.0, px * 0.96), (both, px * 0.98, px * 0.985)):
            wanted = Amend(1, order.order_id, to_e8(7), to_e8(round(limit, 2)), to_e8(round(stop_px, 2)))
            desk.broker.amend(wanted)
            await until(lambda order=order: desk.kinds(order)[-1:] == ["Amended"])  # type: ignore[misc]
            [there] = desk.at_venue(order)
            held = there.qty_e8, there.limit_px_e8, there.stop_px_e8
            assert held == (wanted.qty_e8, wanted.limit_px_e8, wanted.stop_px_e8)


async def test_an_amendment_off_the_grid_is_not_sent() -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        assert await desk.amend(order, 1.5, 300.0) == "AmendRefused"
        assert await desk.amend(order, 10, 300.001) == "AmendRefused"
        assert "amend" not in desk.broker.pool.snapshot().requests


# -- numbers -------------------------------------------------------------------------------------------------------
async def test_a_number_that_is_given_twice_names_neither_order() -> None:
    """A restart of the back end gives numbers again. By number an order of ours could be another one's cancel."""
    async with trading() as desk:
        first = desk.away(0.98)
        await desk.submit(first)
        desk.quirk("id_rollback")
        second = desk.away(0.985)
        await desk.submit(second)
        ids = {o.extra["ib_id"] for o in desk.venue.exchange.open.values()}
        assert len(ids) == 1
        assert desk.broker.finder.collided == {str(number) for number in ids}
        for order in (first, second):
            await desk.cancel(order)
            refused = desk.of(order)[-1]
            assert isinstance(refused, CancelRefused)
            assert refused.code == "COLLISION"
        desk.fill_at_limit(second)  # executions carry the client id
        await desk.over(second)
        assert (desk.filled(first), desk.filled(second)) == (0, 10)
        known = await desk.broker.order(first.client_id)
        assert known is not None
        assert known.filled_e8 == 0


@pytest.mark.parametrize("named", [{"side": "S"}, {"conid": 265_598}], ids=str)
async def test_a_number_that_names_another_order_is_noticed(named: dict[str, Any]) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault("mutate", STATUS, set={**named, "order_status": "Cancelled", "cum_fill": 0})
        await desk.broker.sweep(settled_s=0.0)
        await desk.broker.order(order.client_id)
        assert desk.kinds(order) == ["Accepted"]


# -- what is not ours ------------------------------------------------------------------------------------------------
async def test_other_people_s_orders_and_positions_are_listed_and_not_reported() -> None:
    async with trading() as desk:
        account = desk.broker.session.account
        mine, hers = desk.away(), desk.away(0.99)
        await desk.submit(mine)
        await desk.broker.client.place(account, [{**ticket(hers, account, SPY_CONID), "cOID": "by-hand"}])
        desk.venue.console.position("AAPL", 5)
        orders, held = await desk.broker.external()
        assert [(o.client_id, o.symbol, o.qty_e8 // SCALE, o.side) for o in orders] == [
            ("by-hand", "SPY", 10, "BUY")
        ]
        assert held == {}
        assert {report.order_id for report in desk.reports} == {mine.order_id}
        assert (await desk.broker.account()).open_orders == (mine.order_id,)
        assert (await desk.broker.account()).positions == {1: 5 * SCALE}
        await desk.broker.cancel_all()
        await until(lambda: desk.kinds(mine) == ["Accepted", "Cancelled"])


@pytest.mark.parametrize("meanwhile", ["nothing", "by hand", "no list"])
async def test_everything_is_cancelled_at_once_only_when_the_list_of_now_holds_nothing_else(
    meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order by hand may be newer than the last list, which is as old as the last sweep that was answered."""
    async with trading() as desk:
        asked: list[str] = []
        finder, client = desk.broker.finder, desk.broker.client
        finder.strangers = set()

        async def listed() -> list[Any]:
            if meanwhile == "no list":
                await asyncio.Event().wait()
            finder.strangers = {"77"} if meanwhile == "by hand" else set()
            return []

        async def cancel(account: str, number: str) -> None:
            asked.append(number)

        monkeypatch.setattr("workbench.brokers.ibkr.broker._LIST_S", 0.01)
        monkeypatch.setattr(finder, "list_open", listed)
        monkeypatch.setattr(client, "cancel", cancel)
        assert await desk.broker._withdraw_all() == (meanwhile == "nothing")
        assert asked == (["-1"] if meanwhile == "nothing" else [])


async def test_positions_in_contracts_that_are_not_ours_are_external() -> None:
    from tests.brokers.ibkr.desk import SPY

    async with trading(SPY) as desk:
        desk.venue.console.position("AAPL", 5)
        _, held = await desk.broker.external()
        assert held == {"AAPL": 5 * SCALE}
        assert (await desk.broker.account()).positions == {}


async def test_cash_is_told_in_dollars_whatever_the_account_is_kept_in() -> None:
    async with trading() as desk:
        told = (await desk.broker.account()).cash_e8
        kept_in_euros = {"BASE.cashbalance": 4_700.0, "USD.cashbalance": 1_234.5, "USD.exchangerate": 0.92}
        desk.fault("mutate", LEDGER, set=kept_in_euros, count=1)
        assert (await desk.broker.account()).cash_e8 == to_e8("1234.5")
        assert (await desk.broker.account()).cash_e8 == told


async def test_flatten_cancels_everything_and_closes_what_is_held_long_or_short() -> None:
    async with trading() as desk:
        resting = desk.away()
        await desk.submit(resting)
        desk.venue.console.position("AAPL", 5)
        desk.venue.console.position("SPY", -3)
        assert await desk.broker.flatten() == 2
        await until(lambda: desk.kinds(resting)[-1] == "Cancelled")
        await until(lambda: not desk.venue.exchange.open)
        assert (await desk.broker.account()).positions == {}
        assert {report.order_id for report in desk.reports} == {resting.order_id}


async def test_flatten_tries_every_position_before_it_says_what_failed() -> None:
    async with trading() as desk:
        desk.venue.console.position("AAPL", 5)
        desk.venue.console.position("SPY", 3)
        failed = {"0.order_id": "-1", "0.order_status": "Failed", "0.text": "not today"}
        desk.fault("mutate", POST, count=1, set=failed)
        with pytest.raises(VenueRefused, match="not today"):
            await desk.broker.flatten()
        assert len(desk.venue.exchange.orders) == 2


async def test_a_closing_order_whose_answer_names_none_is_no_refusal() -> None:
    async with trading() as desk:
        desk.venue.console.position("SPY", 3)
        desk.fault("mutate", POST, count=1, unset=["0.order_id"])
        with pytest.raises(OutcomeUnknown, match="asked about it"):
            await desk.broker.flatten()
        assert len(desk.venue.exchange.orders) == 1


# -- brackets and pairs ----------------------------------------------------------------------------------------------
async def test_a_bracket_goes_in_one_request_and_its_exits_one_cancels_the_other() -> None:
    async with trading() as desk:
        px = desk.px
        entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.999, 2), tif=GTC)
        take = desk.order(
            SELL, kind=LIMIT, limit=round(px * 1.01, 2), tif=GTC, parent_id=entry.order_id, group=1
        )
        loss = desk.order(
            SELL, kind=STOP, stop=round(px * 0.98, 2), tif=GTC, parent_id=entry.order_id, group=1
        )
        await desk.submit(entry, take, loss)
        assert desk.broker.pool.snapshot().requests["order"] == 1
        desk.fill_at_limit(entry)
        await until(lambda: desk.filled(entry) == 10)
        desk.fill_at_limit(take)
        await until(lambda: desk.filled(take) == 10 and desk.kinds(loss)[-1:] == ["Cancelled"])


async def test_the_list_of_orders_is_asked_for_at_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks in between gets the last list, and what was told since."""
    monkeypatch.setattr("workbench.brokers.ibkr.finder._PACE_S", 3_600.0)
    async with trading(settings={"limits": {}}) as desk:
        order, gone = desk.away(), desk.away(0.99)
        await desk.submit(order, gone)
        assert set((await desk.broker.account()).open_orders) == {order.order_id, gone.order_id}
        asked, limiter = desk.broker.pool.snapshot().requests["orders"], desk.broker.pool.limiter
        limiter.budgets["orders"].block(limiter.clock() + 3_600.0)  # and the next list is an hour away
        late = desk.away(0.985)
        await desk.submit(late)
        await desk.cancel(gone)
        assert set((await desk.broker.account()).open_orders) == {order.order_id, late.order_id}
        assert desk.broker.pool.snapshot().requests["orders"] == asked


async def test_lists_that_fail_are_errors_and_not_empty() -> None:
    from workbench.errors import WorkbenchError

    async with trading() as desk:
        desk.fault("status", LIST, status=503)
        with pytest.raises(WorkbenchError):
            await desk.broker.account()
