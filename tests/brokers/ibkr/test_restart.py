"""A new connection after an old one: what was under way is found, whatever had become of it, or proven absent."""

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from tests.brokers.ibkr.desk import Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.contract import BrokerOrder
from workbench.brokers.router import Router
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import BUY, CANCELLED, FILLED, LIMIT, PARTIAL, SELL, STOP, WORKING
from workbench.model.reports import Amended, Filled, Unsent
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import Emulator, emulated

DAY_S = 86_400.0


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("ibkr", speed=0, limits=False) as made:
        yield made


def bracket(desk: Desk) -> tuple[Submit, Submit, Submit]:
    px = desk.px
    entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2))
    take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), parent_id=entry.order_id, group=1)
    loss = desk.order(SELL, kind=STOP, stop=round(px * 0.98, 2), parent_id=entry.order_id, group=1)
    return entry, take, loss


async def test_orders_of_an_earlier_run_are_followed_again(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        resting, done, gone = first.away(0.999), first.order(qty=3), first.away(0.99)
        await first.submit(resting, done, gone)
        await first.over(done)
        await first.cancel(gone)
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        known = await again.broker.order(done.client_id)
        assert isinstance(known, BrokerOrder)
        assert (known.state, known.filled_e8, known.order_id) == (FILLED, 3 * SCALE, done.order_id)
        told = {r.exec_id for r in first.of(done) if isinstance(r, Filled)}
        assert {r.exec_id for r in known.reports if isinstance(r, Filled)} == told
        known = await again.broker.order(gone.client_id)
        assert known is not None
        assert known.state == CANCELLED
        assert resting.order_id in (await again.broker.account()).open_orders
        assert (await again.broker.order(resting.client_id)) is not None
        again.fill_at_limit(resting, 4.0)
        await until(lambda: again.filled(resting) == 4)
        again.broker.cancel(Cancel(1, resting.order_id))
        await until(lambda: again.kinds(resting)[-1:] == ["Cancelled"])
        assert await again.broker.order("wb-3-99") is None
        assert await again.broker.order("by-hand") is None


async def test_an_order_partly_filled_while_nobody_was_there(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        order = first.away(0.999)
        await first.submit(order)
    first.fill_at_limit(order, 4.0)
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        known = await again.broker.order(order.client_id)
        assert known is not None
        assert (known.state, known.filled_e8) == (PARTIAL, 4 * SCALE)
        again.fill_at_limit(order)
        await again.over(order)
        assert again.filled(order) == 6  # the first four are among `known.reports`


async def test_an_amended_order_comes_back_and_can_be_amended_again(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        order = first.away()
        await first.submit(order)
        assert await first.amend(order, 12, round(first.px * 0.985, 2)) == "Amended"
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        known = await again.broker.order(order.client_id)
        assert known is not None
        assert (known.state, known.qty_e8) == (WORKING, 12 * SCALE)
        [there] = again.at_venue(order)
        for qty, share in ((14, 0.99), (15, 0.985)):  # its ticket is made from its row, then from that ticket
            limit = round(again.px * share, 2)
            assert await again.amend(order, qty, limit) == "Amended"
            assert (there.qty_e8, there.limit_px_e8) == (qty * SCALE, round(limit * SCALE))
        await again.cancel(order)
        assert again.kinds(order)[-1] == "Cancelled"


async def test_a_change_of_the_price_alone_that_nobody_was_told_of_is_found(venue: Emulator) -> None:
    """Its answer died with the connection, and neither the order's number nor its quantity shows it."""
    async with trading(venue=venue) as first:
        order = first.away()
        await first.submit(order)
        limit = round(first.px * 0.985, 2)
        assert await first.amend(order, 10, limit) == "Amended"
    wanted = Amend(order.ts_ns, order.order_id, 10 * SCALE, to_e8(limit), 0)
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        router = Router({"ibkr": again.broker}, lambda order: ["ibkr"])
        known = await router.order(order.client_id)
        assert known is not None
        assert not any(isinstance(report, Amended) for report in known.reports)
        assert not await router.took_hold(replace(wanted, limit_px_e8=to_e8(limit - 1)))
        assert not await router.took_hold(replace(wanted, order_id=99))
        assert again.of(order) == []
        assert await router.took_hold(wanted)
        [told] = again.of(order)
        assert isinstance(told, Amended)
        assert (told.qty_e8, told.limit_px_e8) == (10 * SCALE, to_e8(limit))


async def test_the_legs_of_a_bracket_come_back_each_by_its_own_id(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        entry, take, loss = bracket(first)
        await first.submit(entry, take, loss)
        ids = {o.client_id: first.broker.tracker.by_client[o.client_id].venue_id for o in (entry, take, loss)}
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        for client_id, venue_id in ids.items():
            known = await again.broker.order(client_id)
            assert known is not None
            assert (known.client_id, known.venue_id) == (client_id, venue_id)
        again.fill_at_limit(entry)
        await until(lambda: again.filled(entry) == 10)
        again.fill_at_limit(take)
        await until(lambda: again.filled(take) == 10 and again.kinds(loss)[-1:] == ["Cancelled"])


async def test_legs_that_are_listed_without_their_ids_are_found_by_their_entry(venue: Emulator) -> None:
    """Lists have been seen to name an exit's parent and nothing else of ours."""
    async with trading(venue=venue) as first:
        first.quirk("bare_legs")
        entry, take, loss = bracket(first)
        await first.submit(entry, take, loss)
        await until(lambda: all(first.kinds(o)[-1:] == ["Accepted"] for o in (entry, take, loss)))
        ids = {o.client_id: first.broker.tracker.by_client[o.client_id].venue_id for o in (entry, take, loss)}
        assert len(set(ids.values())) == 3
        assert first.kinds(take) == first.kinds(loss) == ["OutcomeLost", "Accepted"]
        assert set((await first.broker.account()).open_orders) == {o.order_id for o in (entry, take, loss)}
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        for client_id, venue_id in ids.items():
            known = await again.broker.order(client_id)
            assert known is not None
            assert (known.client_id, known.venue_id) == (client_id, venue_id)
        again.fill_at_limit(entry)
        await until(lambda: again.filled(entry) == 10)
        again.fill_at_limit(take)
        await until(lambda: again.filled(take) == 10 and again.kinds(loss)[-1:] == ["Cancelled"])


async def test_the_only_exit_is_known_by_its_parent_in_the_answer(venue: Emulator) -> None:
    async with trading(venue=venue) as desk:
        desk.quirk("bare_legs")
        entry, take, _ = bracket(desk)
        await desk.submit(entry, take)
        assert desk.kinds(entry) == desk.kinds(take) == ["Accepted"]
        await desk.cancel(take)


async def test_executions_of_days_ago_prove_what_became_of_an_order(venue: Emulator) -> None:
    """Orders are listed for one day; executions for seven."""
    async with trading(venue=venue) as first:
        done, resting = first.order(qty=3), first.away(0.999)
        await first.submit(done, resting)
        await first.over(done)
        first.fill_at_limit(resting, 4.0)
        await until(lambda: first.filled(resting) == 4)
        first.broker.cancel(Cancel(1, resting.order_id))
        await first.over(resting)
    venue.console.advance(3 * DAY_S)
    venue.venue.session.login()  # type: ignore[attr-defined]
    async with trading(venue=venue, first_id=50, epoch=8) as again:
        for order in (done, resting):  # how much was wanted is not known to the venue any more
            assert await again.broker.order(order.client_id) is None
            assert again.broker.find_out(order.client_id, order.qty_e8)
        await again.over(done, resting)
        assert (again.kinds(done), again.filled(done)) == (["Accepted", "Filled"], 3)
        assert again.kinds(resting)[-1:] == ["Cancelled"]
        assert again.filled(resting) == 4


async def test_an_order_not_found_at_the_start_is_looked_for_until_it_is_proven_absent(
    venue: Emulator,
) -> None:
    async with trading(venue=venue) as desk:
        desk.quirk("cold_orders")
        order = desk.order()
        assert await desk.broker.order(order.client_id) is None
        assert desk.broker.find_out(order.client_id, order.qty_e8)
        await until(lambda: desk.kinds(order) == ["Unsent"])
        [report] = desk.of(order)
        assert isinstance(report, Unsent)


async def test_an_order_that_turns_up_late_is_reported_when_it_does(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        order = first.away()
        await first.submit(order)
    async with trading(
        venue=venue, first_id=50, epoch=8, settings={"absent_after_s": 60.0}, look_first_s=0.05
    ) as again:
        hidden = again.fault("mutate", "rest:GET /v1/api/iserver/account/orders", set={"orders": []})
        assert await again.broker.order(order.client_id) is None
        assert again.broker.find_out(order.client_id, order.qty_e8)
        await until(lambda: again.broker.pool.snapshot().requests["orders"] >= 6)
        assert again.kinds(order) in ([], ["OutcomeLost"])
        again.venue.faults.remove(hidden)
        await until(lambda: again.kinds(order)[-1:] == ["Accepted"])


async def test_two_gateways_are_kept_apart() -> None:
    async with (
        emulated("ibkr", speed=0, limits=False, seed=1) as one,
        emulated("ibkr", speed=0, limits=False, seed=2) as two,
        trading(venue=one) as left,
        trading(venue=two, first_id=50) as right,
    ):
        assert left.broker.session.account != right.broker.session.account
        orders = left.order(), right.order()
        await left.submit(orders[0])
        await right.submit(orders[1])
        await left.over(orders[0])
        await right.over(orders[1])
        assert (left.filled(), right.filled()) == (10, 10)
