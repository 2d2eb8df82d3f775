"""A new connection after an old one: what was under way is found, whatever had become of it, or proven absent."""

from collections.abc import AsyncIterator

import pytest

from tests.brokers.binance.desk import BTC, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers import BrokerOrder
from workbench.brokers.binance import client as client_module
from workbench.model.effects import Cancel, Submit
from workbench.model.orders import BUY, CANCELLED, FILLED, GTC, LIMIT, PARTIAL, SELL, STOP, WORKING
from workbench.model.reports import Amended, AmendRefused, Filled, Unsent
from workbench.model.scale import SCALE, from_e8, to_e8
from workbench.testbed import Emulator, emulated

LOOK = "rest:GET /api/v3/order"
OPEN = "rest:GET /api/v3/openOrders"


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("binance", speed=0, limits=False) as made:
        yield made


def bracket(desk: Desk) -> tuple[Submit, Submit, Submit]:
    px = desk.px
    entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2), tif=GTC)
    take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), tif=GTC, parent_id=entry.order_id, group=1)
    loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), tif=GTC, parent_id=entry.order_id, group=1)
    return entry, take, loss


def exec_ids(known: BrokerOrder) -> list[str]:
    return [report.exec_id for report in known.reports if isinstance(report, Filled)]


async def known_to(desk: Desk, order: Submit) -> BrokerOrder:
    known = await desk.broker.order(order.client_id)
    assert known is not None
    return known


async def test_orders_of_an_earlier_run_are_followed_again(venue: Emulator) -> None:
    """Filled, half filled, resting and taken back: each is what it is, and no execution is told by another name."""
    async with trading(venue=venue) as first:
        done, part, resting, gone = first.order(), first.away(0.999, qty=1), first.away(0.9), first.away(0.8)
        await first.submit(done, part, resting, gone)
        first.print_at(from_e8(part.limit_px_e8), 0.4)
        await until(lambda: first.filled(part) == 0.4)
        await first.cancel(gone)
        await first.over(done)
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        assert second.reports == []
        known = {order: await known_to(second, order) for order in (done, part, resting, gone)}
        assert [k.state for k in known.values()] == [FILLED, PARTIAL, WORKING, CANCELLED]
        assert [k.order_id for k in known.values()] == [
            done.order_id,
            part.order_id,
            resting.order_id,
            gone.order_id,
        ]
        for order in (done, part):
            assert exec_ids(known[order]) == [fill.exec_id for fill in first.fills(order)]
        assert (await second.broker.account()).open_orders == (part.order_id, resting.order_id)
        second.print_at(from_e8(part.limit_px_e8), 1e6)
        await until(lambda: second.filled(part) == 0.6)  # the rest alone: the desk has the other
        assert not {fill.exec_id for fill in second.fills(part)} & set(exec_ids(known[part]))
        second.broker.cancel(Cancel(1, resting.order_id))
        await until(lambda: second.kinds(resting) == ["Cancelled"])
        assert second.of(done) == second.of(gone) == []
        assert await second.broker.order("wb-3-99") is None


async def test_an_order_of_many_executions_comes_back_page_by_page(
    venue: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_MOST", 3)
    async with trading(venue=venue) as first:
        order, other = first.away(0.999, qty=1), first.order(iid=0)
        await first.submit(order, other)
        for number in range(1, 8):
            first.print_at(from_e8(order.limit_px_e8), 0.1)
            await until(lambda number=number: len(first.fills(order)) == number)  # type: ignore[misc]
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await known_to(second, order)
        assert exec_ids(known) == [fill.exec_id for fill in first.fills(order)]
        assert known.filled_e8 == to_e8("0.7")
        trades = await second.broker.client.trades_since("BTCUSDT", first.fills(other)[0].ts_ns)
        assert len(trades) == len({trade.id for trade in trades}) == 7 + len(first.fills(other))


async def test_what_happened_while_nobody_was_connected_is_told_when_asked(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        filled, taken_out = first.away(0.999), first.away(0.9)
        await first.submit(filled, taken_out)
        [there] = first.at_venue(taken_out)
    board = venue.exchange.market.board("BTCUSDT")
    venue.exchange.print_at(board, from_e8(filled.limit_px_e8), 1e6)
    venue.exchange.cancel(there)
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await known_to(second, filled)
        assert (known.state, known.filled_e8) == (FILLED, SCALE // 10)
        assert [type(report).__name__ for report in known.reports] == ["Accepted", "Filled"]
        assert (await known_to(second, taken_out)).state == CANCELLED
        account = await second.broker.account()
        assert (account.positions, account.open_orders) == ({0: SCALE // 10}, ())


@pytest.mark.parametrize("what", ["replaced", "made smaller"])
async def test_an_amended_order_comes_back_with_what_holds_now(venue: Emulator, what: str) -> None:
    async with trading(venue=venue) as first:
        order = first.away(0.9, qty=1)
        await first.submit(order)
        limit = round(first.px * 0.91, 2) if what == "replaced" else from_e8(order.limit_px_e8)
        qty = 2.0 if what == "replaced" else 0.6
        assert await first.amend(order, qty, limit) == "Amended"
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await known_to(second, order)
        assert (known.state, from_e8(known.qty_e8)) == (WORKING, qty)
        amended = [r for r in known.reports if isinstance(r, Amended)]
        assert {(from_e8(a.qty_e8), from_e8(a.limit_px_e8)) for a in amended} <= {(qty, limit)}
        assert await second.amend(order, qty / 2, limit) == "Amended"  # and can be changed again
        assert await second.amend(order, 1.5, round(limit * 1.001, 2)) == "Amended"
        assert len(venue.exchange.open) == 1
        second.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: second.kinds(order)[-1] == "Cancelled")


async def test_a_trailing_order_of_an_earlier_run_is_not_changed_blindly(venue: Emulator) -> None:
    """Its trail cannot be told from what the venue shows of it; it can be cancelled."""
    from workbench.model.orders import TRAILING

    async with trading(venue=venue) as first:
        bought = first.order(qty=1)
        await first.submit(bought)
        order = first.order(SELL, kind=TRAILING, trail_rate_e8=SCALE // 100)
        await first.submit(order)
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        await known_to(second, order)
        assert await second.amend(order, 0.2, 0.0) == "AmendRefused"
        [refused] = [r for r in second.of(order) if isinstance(r, AmendRefused)]
        assert refused.code == "TYPE"
        second.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: second.kinds(order)[-1] == "Cancelled")


async def test_the_legs_of_a_bracket_come_back_each_by_its_own_id(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        orders = bracket(first)
        await first.submit(*orders)
        ids = {o.client_id: first.broker.tracker.by_client[o.client_id].venue_id for o in orders}
    entry, take, loss = orders
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        for client_id, venue_id in ids.items():
            known = await second.broker.order(client_id)
            assert known is not None
            assert (known.client_id, known.venue_id) == (client_id, venue_id)
        second.print_at(from_e8(entry.limit_px_e8))
        await until(lambda: second.filled(entry) == 0.1)
        second.print_at(from_e8(take.limit_px_e8))
        await until(
            lambda: second.filled(take) == 0.1 and second.kinds(loss)[-1:] in (["Expired"], ["Cancelled"])
        )


async def test_a_part_whose_fee_was_taken_in_coins_is_the_same_after_a_restart() -> None:
    paying = {"fee_rate": 0.001, "options": {"fee-asset": "received"}}
    async with emulated("binance", speed=0, limits=False, **paying) as venue:
        async with trading(BTC, venue=venue) as first:
            order = first.away(0.999, qty=1)
            await first.submit(order)
            first.print_at(from_e8(order.limit_px_e8), 0.4)
            await until(lambda: first.filled(order) == 0.3996)
            [fill] = first.fills(order)
            left_e8 = first.broker.tracker.by_order[order.order_id].qty_e8
        async with trading(BTC, venue=venue, first_id=10, epoch=8) as second:
            known = await known_to(second, order)
            assert [r for r in known.reports if isinstance(r, Filled)] == [fill]
            assert (known.qty_e8, known.filled_e8) == (left_e8, to_e8("0.3996"))
            second.print_at(from_e8(order.limit_px_e8))
            await second.over(order)
            assert second.filled(order) == 0.5994
            assert (await second.broker.account()).positions == {0: to_e8("0.999")}


async def test_an_order_not_found_at_the_start_is_looked_for_until_it_is_proven_absent(
    venue: Emulator,
) -> None:
    async with trading(venue=venue) as desk:
        order = desk.order()
        assert await desk.broker.order(order.client_id) is None
        assert desk.broker.find_out(order.client_id, order.qty_e8)
        await until(lambda: desk.kinds(order) == ["Unsent"])
        [proof] = desk.of(order)
        assert isinstance(proof, Unsent)
        assert "not in open orders, history or fills" in proof.evidence


async def test_an_order_that_turns_up_late_is_followed(venue: Emulator) -> None:
    """While questions fail nothing is proven, however long that lasts."""
    async with trading(venue=venue) as first:
        order = first.away(0.999)
        await first.submit(order)
    async with trading(venue=venue, first_id=10, epoch=8, settings={"absent_after_s": 60.0}) as second:
        hidden = [
            second.fault("status", LOOK, status=400),
            second.fault("status", OPEN, status=503),
        ]
        assert second.broker.find_out(order.client_id, order.qty_e8)
        await until(lambda: sum(second.broker.pool.meters.errors.values()) > 4)
        assert second.of(order) == []
        for number in hidden:
            second.venue.faults.remove(number)
        await until(lambda: second.kinds(order) == ["Accepted"])
        second.print_at(from_e8(order.limit_px_e8))
        await until(lambda: second.filled(order) == 0.1)


async def test_an_order_sent_in_the_last_moment_is_one_order(venue: Emulator) -> None:
    """The desk died between sending and hearing: the next one asks about it, and sends nothing."""
    async with trading(venue=venue) as first:
        first.fault("mute", "stream:ws_api:executionReport")
        first.fault("lost_reply", "rest:WS order.place", count=1)
        order = first.away(0.999)
        first.broker.submit(order)
        await until(lambda: bool(first.at_venue(order)))
        venue.faults.clear()
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await known_to(second, order)
        assert (known.state, known.filled_e8) == (WORKING, 0)
        second.print_at(from_e8(order.limit_px_e8))
        await until(lambda: second.filled(order) == 0.1)
        assert len(second.at_venue(order)) == 1
