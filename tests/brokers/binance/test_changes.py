"""Cancels and amendments at Binance: which way they go, repeated, found again, never more than was wanted."""

from typing import Any

import msgspec
import pytest

from tests.brokers.binance.desk import BTC, PLACE, WAYS, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.binance.bodies import OrderBody
from workbench.errors import VenueRefused
from workbench.model.effects import Cancel, Submit
from workbench.model.orders import BUY, GTC, LIMIT, SELL, STOP
from workbench.model.reports import Amended, AmendRefused, CancelRefused
from workbench.model.scale import SCALE, from_e8, to_e8

CANCEL = {"rest": "rest:DELETE /api/v3/order", "ws": "rest:WS order.cancel"}
REPLACE = {"rest": "rest:POST /api/v3/order/cancelReplace", "ws": "rest:WS order.cancelReplace"}
SHRINK = {"rest": "rest:PUT /api/v3/order/amend/keepPriority", "ws": "rest:WS order.amend.keepPriority"}


def limit_of(order: Submit) -> float:
    return from_e8(order.limit_px_e8)


def refusal(desk: Desk, order: Submit) -> AmendRefused:
    [found] = [r for r in desk.of(order) if isinstance(r, AmendRefused)]
    return found


# -- cancels -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("way", "fault"),
    [
        ("rest", {"what": "lost_reply", "seconds": 0.02}),
        ("rest", {"what": "drop"}),
        ("rest", {"what": "reset", "bytes": 0, "handled": True}),
        ("ws", {"what": "lost_reply"}),
        ("ws", {"what": "drop"}),
        *((way, {"what": "status", "status": 503}) for way in WAYS),
    ],
    ids=str,
)
async def test_a_cancel_is_repeated_until_it_is_answered(way: str, fault: dict[str, Any]) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault(where=CANCEL[way], count=1, **fault)
        desk.impatient()
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]
        assert (await desk.broker.account()).open_orders == ()


@pytest.mark.parametrize("way", WAYS)
async def test_a_cancel_of_what_has_filled_unheard_tells_the_fill(way: str) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        await desk.quiet()
        desk.fault("mute", "stream:ws_api:executionReport")
        desk.print_at(limit_of(order))
        await desk.cancel(order)
        assert [type(r) for r in desk.of(order) if isinstance(r, CancelRefused)] == [CancelRefused]
        await desk.over(order)
        assert desk.filled(order) == 0.1


async def test_everything_can_be_cancelled_ours_or_not() -> None:
    async with trading() as desk:
        orders = [desk.away(0.9, iid=0), desk.away(0.8, iid=0)]
        await desk.submit(*orders)
        params = [("symbol", "BTCUSDT"), ("side", "BUY"), ("type", "LIMIT"), ("timeInForce", "GTC")]
        params += [("quantity", "0.1"), ("price", f"{desk.px * 0.9:.2f}"), ("newClientOrderId", "by-hand")]
        await desk.broker.trading.place(params)
        strangers, _ = await desk.broker.external()
        assert [(s.client_id, s.symbol, s.side, s.status) for s in strangers] == [
            ("by-hand", "BTCUSDT", "BUY", "NEW")
        ]
        assert await desk.broker.cancel_all() == 3
        await until(lambda: all(desk.kinds(order)[-1] == "Cancelled" for order in orders))
        assert not desk.venue.exchange.open


async def test_everything_can_be_sold_but_dust() -> None:
    async with trading() as desk:
        resting, *bought = desk.away(0.9), desk.order(qty=0.5), desk.order(qty=0.3, iid=1)
        await desk.submit(resting, *bought)
        await desk.over(*bought)
        desk.venue.exchange.match.positions[0] += 7  # less than a lot
        assert await desk.broker.flatten() == 2
        await until(lambda: desk.kinds(resting)[-1] == "Cancelled")
        assert (await desk.broker.account()).positions == {0: 7}


async def test_what_is_worth_too_little_stays_and_the_others_are_sold() -> None:
    async with trading() as desk:
        positions = desk.venue.exchange.match.positions
        positions[0], positions[1] = to_e8("0.00002"), to_e8("0.3")
        assert await desk.broker.flatten() == 1
        await until(lambda: not desk.venue.exchange.open)
        assert (await desk.broker.account()).positions == {0: to_e8("0.00002")}


async def test_every_position_is_sold_before_it_is_said_what_was_refused() -> None:
    async with trading() as desk:
        positions = desk.venue.exchange.match.positions
        positions[0], positions[1] = to_e8("0.5"), to_e8("0.3")
        desk.fault(
            "status", PLACE["ws"], count=1, status=400, text="This action is disabled on this account."
        )
        with pytest.raises(VenueRefused, match="disabled"):
            await desk.broker.flatten()
        await until(lambda: not desk.venue.exchange.open)
        assert (await desk.broker.account()).positions == {0: to_e8("0.5")}


async def test_a_position_larger_than_an_order_may_be_is_sold_in_several() -> None:
    async with trading(BTC) as desk:
        rules = desk.broker.rules
        rules.listings[0] = msgspec.structs.replace(rules.listings[0], most_market_e8=to_e8("0.2"))
        desk.venue.exchange.match.positions[0] = to_e8("0.5")
        assert await desk.broker.flatten() == 3
        await until(lambda: not desk.venue.exchange.open)
        assert (await desk.broker.account()).positions == {}


@pytest.mark.parametrize("way", WAYS)
async def test_orders_that_ended_before_they_were_all_cancelled_are_no_refusal(way: str) -> None:
    async with trading(orders=way) as desk:
        order, bought = desk.away(0.9), desk.order(qty=0.3, iid=1)
        await desk.submit(order, bought)
        await desk.over(bought)
        listed = await desk.broker.finder.open_bodies()
        await desk.cancel(order)

        async def open_bodies(*, active_only: bool = False) -> list[OrderBody]:
            return listed  # as it was a moment ago

        desk.broker.finder.open_bodies = open_bodies  # type: ignore[method-assign]
        assert await desk.broker.cancel_all() == 0
        assert await desk.broker.flatten() == 1
        assert (await desk.broker.account()).positions == {}


# -- made smaller ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", WAYS)
async def test_an_order_made_smaller_keeps_its_place(way: str) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.999, qty=1)
        await desk.submit(order)
        venue_id = desk.broker.tracker.by_order[order.order_id].venue_id
        assert await desk.amend(order, 0.6, limit_of(order)) == "Amended"
        assert await desk.amend(order, 0.4, limit_of(order)) == "Amended"
        await desk.quiet()
        assert desk.kinds(order) == ["Accepted", "Amended", "Amended"]
        assert desk.broker.tracker.by_order[order.order_id].venue_id == venue_id
        desk.print_at(limit_of(order))
        await desk.over(order)
        assert desk.filled(order) == 0.4


async def test_after_a_part_has_filled_it_can_only_be_made_smaller() -> None:
    async with trading() as desk:
        order = desk.away(0.999, qty=1)
        await desk.submit(order)
        desk.print_at(limit_of(order), 0.4)
        await until(lambda: desk.filled(order) == 0.4)
        assert await desk.amend(order, 1.0, round(desk.px * 0.99, 2)) == "AmendRefused"
        assert refusal(desk, order).code == "PARTLY_FILLED"
        assert await desk.amend(order, 0.7, limit_of(order)) == "Amended"
        desk.print_at(limit_of(order))
        await desk.over(order)
        assert desk.filled(order) == 0.7


# -- replaced ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", WAYS)
async def test_any_other_change_puts_a_new_order_in_its_place(way: str) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        old = desk.broker.tracker.by_order[order.order_id].venue_id
        for qty, share in ((1, 0.91), (2, 0.92), (2, 0.999)):
            assert await desk.amend(order, qty, round(desk.px * share, 2)) == "Amended"
        await desk.quiet()
        assert desk.kinds(order) == ["Accepted", "Amended", "Amended", "Amended"]
        assert desk.broker.tracker.by_order[order.order_id].venue_id != old
        assert len(desk.venue.exchange.open) == 1
        desk.print_at(round(desk.px * 0.999, 2))
        await desk.over(order)
        assert desk.filled(order) == 2


async def test_a_stop_can_be_moved() -> None:
    async with trading() as desk:
        order = desk.order(kind=STOP, stop=round(desk.px * 1.1, 2))
        await desk.submit(order)
        stop = round(desk.px * 1.05, 2)
        assert await desk.amend(order, 0.1, 0.0, stop) == "Amended"
        desk.move(stop)
        await desk.over(order)
        assert desk.filled(order) == 0.1


@pytest.mark.parametrize("way", WAYS)
async def test_a_replacement_never_buys_more_when_a_part_fills_first(way: str) -> None:
    """The venue is asked for it only while nothing has filled."""
    async with trading(orders=way) as desk:
        order = desk.away(0.999, qty=1)
        await desk.submit(order)
        await desk.quiet()
        desk.fault("mute", "stream:ws_api:executionReport", count=1)
        desk.print_at(limit_of(order), 0.4)
        assert await desk.amend(order, 1.5, round(desk.px * 0.9995, 2)) == "AmendRefused"
        desk.print_at(round(desk.px * 0.99, 2))
        await desk.over(order)
        assert desk.filled(order) == 1
        assert (await desk.broker.account()).positions == {0: SCALE}


async def test_what_the_venue_would_not_take_is_refused_before_the_order_is_touched() -> None:
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        for qty, limit, code in ((0.1, 100.001, "PRICE_FILTER"), (0.000001, 100.0, "LOT_SIZE")):
            assert await desk.amend(order, qty, limit) == "AmendRefused"
            assert desk.of(order).pop().code == code  # type: ignore[union-attr]
        assert [o.ticket.client_id for o in desk.venue.exchange.open.values()] == [order.client_id]


async def test_when_the_new_order_is_refused_the_old_one_is_over() -> None:
    """The venue cancels first. What it then says of the new one is told, and the order's end with it."""
    async with trading(emulator={"cash": 100_000.0}) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        assert await desk.amend(order, 3, round(desk.px * 0.91, 2)) == "AmendRefused"
        await desk.over(order)
        assert sorted(desk.kinds(order)) == ["Accepted", "AmendRefused", "Cancelled"]
        assert not desk.venue.exchange.open


# -- answers lost ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("what", ["replaced", "made smaller"])
@pytest.mark.parametrize("stream", ["heard", "mute"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_amendment_whose_answer_is_lost_is_found(what: str, stream: str, way: str) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        desk.fault("lost_reply", (REPLACE if what == "replaced" else SHRINK)[way], count=1, seconds=0.02)
        desk.impatient()
        if stream == "mute":
            desk.fault("mute", "stream:ws_api:executionReport")
        qty, limit = (2.0, round(desk.px * 0.91, 2)) if what == "replaced" else (0.5, limit_of(order))
        assert await desk.amend(order, qty, limit) == "Amended"
        [amended] = [r for r in desk.of(order) if isinstance(r, Amended)]
        assert (from_e8(amended.qty_e8), from_e8(amended.limit_px_e8)) == (qty, limit)
        assert len(desk.venue.exchange.open) == 1
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Cancelled"]


@pytest.mark.parametrize("what", ["replaced", "made smaller"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_amendment_that_never_arrived_is_refused_after_proof(what: str, way: str) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        desk.fault("drop", (REPLACE if what == "replaced" else SHRINK)[way], count=1)
        desk.impatient()
        qty, limit = (2.0, round(desk.px * 0.91, 2)) if what == "replaced" else (0.5, limit_of(order))
        assert await desk.amend(order, qty, limit) == "AmendRefused"
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "AmendRefused", "Cancelled"]


async def test_fills_of_the_new_order_wait_until_it_is_known_to_hold() -> None:
    """It fills at once, and the answer to the amendment is lost."""
    async with trading() as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        desk.fault("lost_reply", REPLACE["ws"], count=1)
        desk.impatient()
        assert await desk.amend(order, 2, round(desk.px * 1.01, 2)) == "Amended"
        await desk.over(order)
        assert desk.filled(order) == 2
        assert desk.kinds(order)[:2] == ["Accepted", "Amended"]


# -- pairs and brackets ------------------------------------------------------------------------------------------
def bracket(desk: Desk, qty: float = 1) -> tuple[Submit, Submit, Submit]:
    px = desk.px
    entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2), tif=GTC, qty=qty)
    more = {"tif": GTC, "qty": qty, "parent_id": entry.order_id, "group": 1}
    take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), **more)
    loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), **more)
    return entry, take, loss


@pytest.mark.parametrize("way", WAYS)
async def test_a_bracket_is_one_list_whose_exits_wait(way: str) -> None:
    async with trading(orders=way) as desk:
        entry, take, loss = bracket(desk)
        await desk.submit(entry, take, loss)
        assert len(desk.venue.exchange.open) == 3
        desk.print_at(limit_of(take))  # the exits wait for the entry
        await desk.quiet()
        assert desk.kinds(take) == ["Accepted"]
        desk.print_at(limit_of(entry))
        await until(lambda: desk.filled(entry) == 1)
        desk.move(round(desk.px * 0.94, 2))
        await desk.over(entry, take, loss)
        assert desk.filled(loss) == 1
        assert desk.kinds(take)[-1] in ("Cancelled", "Expired")
        assert (await desk.broker.account()).positions == {}


async def test_orders_of_a_list_go_together() -> None:
    """A cancel of one takes all of them; prices cannot be changed."""
    async with trading() as desk:
        entry, take, loss = bracket(desk)
        await desk.submit(entry, take, loss)
        assert await desk.amend(take, 1, round(desk.px * 1.03, 2)) == "AmendRefused"
        assert refusal(desk, take).code == "LINKED"
        desk.broker.cancel(Cancel(1, entry.order_id))
        await desk.over(entry, take, loss)
        assert not desk.venue.exchange.open


@pytest.mark.parametrize("way", WAYS)
async def test_a_lost_bracket_is_found_with_its_exits(way: str) -> None:
    where = {"rest": "rest:POST /api/v3/orderList/otoco", "ws": "rest:WS orderList.place.otoco"}[way]
    async with trading(orders=way) as desk:
        desk.fault("lost_reply", where, count=1, seconds=0.02)
        desk.impatient()
        orders = bracket(desk)
        await desk.submit(*orders)
        await until(lambda: all(desk.kinds(order)[-1:] == ["Accepted"] for order in orders))
        assert len(desk.venue.exchange.orders) == 3


async def test_a_refused_bracket_is_refused_as_a_whole() -> None:
    async with trading(emulator={"cash": 1_000.0}) as desk:
        orders = bracket(desk)
        await desk.submit(*orders)
        assert [desk.kinds(order) for order in orders] == [["Rejected"]] * 3
