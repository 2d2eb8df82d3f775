"""A new connection after an old one: what was under way is found, whatever had become of it, or proven absent."""

from collections.abc import AsyncIterator

import pytest

from tests.brokers.alpaca.desk import Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.router import Router
from workbench.model.effects import Cancel, Submit
from workbench.model.orders import BUY, GTC, LIMIT, SELL, STOP, WORKING
from workbench.model.reports import Accepted, Amended, Report, Unsent
from workbench.model.scale import SCALE
from workbench.testbed import Emulator, emulated


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("alpaca", speed=0, limits=False) as made:
        yield made


def bracket(desk: Desk) -> tuple[object, ...]:
    px = desk.px
    entry = desk.order(BUY, kind=LIMIT, limit=round(px * 0.99, 2), tif=GTC)
    take = desk.order(SELL, kind=LIMIT, limit=round(px * 1.02, 2), tif=GTC, parent_id=entry.order_id, group=1)
    loss = desk.order(SELL, kind=STOP, stop=round(px * 0.95, 2), tif=GTC, parent_id=entry.order_id, group=1)
    return entry, take, loss


async def test_an_amended_order_comes_back_with_what_holds_now(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        order = first.away(0.9)
        await first.submit(order)
        limit = round(first.px * 0.91, 2)
        await first.amend(order, 12, limit)
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await second.broker.order(order.client_id)
        assert known is not None
        assert (known.state, known.qty_e8) == (WORKING, 12 * SCALE)
        [amended] = [r for r in known.reports if isinstance(r, Amended)]
        assert (amended.qty_e8, amended.limit_px_e8) == (12 * SCALE, round(limit * SCALE))
        second.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: second.kinds(order) == ["Cancelled"])


async def test_the_legs_of_a_bracket_come_back_each_by_its_own_id(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        entry, take, loss = bracket(first)
        await first.submit(entry, take, loss)  # type: ignore[arg-type]
        ids = {o.client_id: first.broker.tracker.by_client[o.client_id].venue_id for o in (entry, take, loss)}  # type: ignore[attr-defined]
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        for client_id, venue_id in ids.items():
            known = await second.broker.order(client_id)
            assert known is not None
            assert (known.client_id, known.venue_id) == (client_id, venue_id)
        board = venue.exchange.market.board("SPY")
        venue.exchange.print_at(board, entry.limit_px_e8 / SCALE, 1e6)  # type: ignore[attr-defined]
        await until(lambda: second.filled(entry) == 10)  # type: ignore[arg-type]
        venue.exchange.print_at(board, take.limit_px_e8 / SCALE, 1e6)  # type: ignore[attr-defined]
        await until(lambda: second.filled(take) == 10 and second.kinds(loss)[-1:] == ["Cancelled"])  # type: ignore[arg-type]


def pair(desk: Desk, *, stop_first: bool) -> list[Submit]:
    """A limit order above the market and a stop below it, of which one cancels the other."""
    group, made = 9, list[Submit]()
    for is_stop in (stop_first, not stop_first):
        prices = {"stop": round(desk.px * 0.95, 2)} if is_stop else {"limit": round(desk.px * 1.02, 2)}
        made.append(desk.order(SELL, kind=STOP if is_stop else LIMIT, tif=GTC, group=group, **prices))
    return made


@pytest.mark.parametrize("stop_first", [False, True])
async def test_the_stop_of_a_pair_is_not_taken_for_another_order(venue: Emulator, stop_first: bool) -> None:
    """The orders beside a pair never arrived: they are not its stop, whatever numbers they have."""
    async with trading(venue=venue) as first:
        before = first.order()
        both = pair(first, stop_first=stop_first)
        behind = first.order()
        await first.submit(*both)
        ids = {o.client_id: first.broker.tracker.by_client[o.client_id].venue_id for o in both}
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        for order in (before, behind):
            assert await second.broker.order(order.client_id) is None
        for client_id, venue_id in ids.items():
            known = await second.broker.order(client_id)
            assert known is not None
            assert (known.client_id, known.venue_id) == (client_id, venue_id)
        assert sorted((await second.broker.account()).open_orders) == sorted(o.order_id for o in both)


async def test_a_lost_pair_whose_stop_comes_first_is_found_with_both() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", "rest:POST /v2/orders", count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        both = pair(desk, stop_first=True)
        await desk.submit(*both)
        await until(lambda: all(desk.kinds(order) == ["OutcomeLost", "Accepted"] for order in both))
        assert len(desk.venue.exchange.orders) == 2


async def test_an_amended_leg_comes_back_with_what_holds_now(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        entry, take, loss = bracket(first)
        await first.submit(entry, take, loss)  # type: ignore[arg-type]
        limit = round(first.px * 1.03, 2)
        assert await first.amend(take, 10, limit) == "Amended"  # type: ignore[arg-type]
        accepted = first.of(take)[0]  # type: ignore[arg-type]
        assert isinstance(accepted, Accepted)
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        known = await second.broker.order(take.client_id)  # type: ignore[attr-defined]
        assert known is not None
        [amended] = [r for r in known.reports if isinstance(r, Amended)]
        assert (amended.qty_e8, amended.limit_px_e8) == (10 * SCALE, round(limit * SCALE))
        assert isinstance(known.reports[0], Accepted)
        assert known.reports[0].venue_id == accepted.venue_id
        second.broker.cancel(Cancel(1, take.order_id))  # type: ignore[attr-defined]
        await until(lambda: second.kinds(take) == ["Cancelled"])  # type: ignore[arg-type]


async def test_legs_that_end_while_the_stream_is_away_are_learnt_after_a_restart(venue: Emulator) -> None:
    async with trading(venue=venue) as first:
        entry, take, loss = bracket(first)
        await first.submit(entry, take, loss)  # type: ignore[arg-type]
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        for order in (entry, take, loss):
            assert await second.broker.order(order.client_id) is not None  # type: ignore[attr-defined]
        second.fault("drop", "stream:trade_updates:*")
        for order in list(venue.exchange.open.values()):
            venue.exchange.cancel(order)
        venue.exchange.settle()
        await second.broker.sweep(settled_s=0.0)
        assert [second.kinds(order) for order in (entry, take, loss)] == [["Cancelled"]] * 3  # type: ignore[arg-type]
        assert not second.broker.tracker.active


async def test_a_lost_bracket_is_found_with_its_legs() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", "rest:POST /v2/orders", count=1, seconds=0.02)
        orders = bracket(desk)
        await desk.submit(*orders)  # type: ignore[arg-type]
        await until(lambda: all(desk.kinds(order)[-1:] == ["Accepted"] for order in orders))  # type: ignore[arg-type]
        assert len(desk.venue.exchange.orders) == 3


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
    async with trading(venue=venue) as first:
        order = first.away(0.999)
        await first.submit(order)
    async with trading(venue=venue, first_id=10, epoch=8, settings={"absent_after_s": 60.0}) as second:
        hidden = [
            second.fault("status", "rest:GET /v2/orders:by_client_order_id", status=404),
            second.fault("status", "rest:GET /v2/orders", status=503),
        ]
        second.broker.tracker.by_client.clear()  # as if the open orders had not shown it
        second.broker.tracker.by_order.clear()
        second.broker.tracker.by_venue.clear()
        second.broker.tracker.active.clear()
        assert await second.broker.order(order.client_id) is None
        assert second.broker.find_out(order.client_id, order.qty_e8)
        await until(lambda: second.broker.pool.meters.errors["VenueDown"] > 4)
        assert second.of(order) == []
        for number in hidden:
            second.venue.faults.remove(number)
        await until(lambda: second.kinds(order) == ["Accepted"])


async def test_what_was_replaced_is_followed_from_an_execution_that_is_told_first(venue: Emulator) -> None:
    """The order is not found after the restart, and the first news of it is an execution of what replaced it."""
    board = venue.exchange.market.board("SPY")
    async with trading(venue=venue) as first:
        order = first.away(0.9)
        await first.submit(order)
        venue.exchange.print_at(board, order.limit_px_e8 / SCALE, 4)
        await until(lambda: first.filled(order) == 4)
        limit = round(first.px * 0.91, 2)
        assert await first.amend(order, 12, limit) == "Amended"
    async with trading(venue=venue, first_id=10, epoch=8) as second:
        tracker = second.broker.tracker
        for known in (tracker.by_client, tracker.by_order, tracker.by_venue, tracker.active):
            known.clear()  # as if the open orders had not shown it
        tracker.seek(order.client_id, order.qty_e8)
        venue.exchange.print_at(board, limit, 1e6)
        await until(lambda: second.filled(order) == 4)
        await second.broker.sweep(settled_s=0.0)
        assert second.filled(order) == 8
        assert not tracker.active


async def test_an_order_is_absent_when_every_account_says_so(venue: Emulator) -> None:
    async with (
        emulated("alpaca", speed=0, limits=False, seed=2) as other,
        trading(venue=venue) as one,
        trading(venue=other) as two,
    ):
        router, reports = (
            Router({"one": one.broker, "two": two.broker}, lambda order: ["one"]),
            list[Report](),
        )
        router._sink = reports.append
        for name, desk in (("one", one), ("two", two)):
            desk.broker.tracker.sink = router._listener(name)
        order = one.order()
        assert router.find_out(order.client_id, order.qty_e8)
        await until(lambda: bool(reports))
        await until(lambda: not len(one.broker.inquest) and not len(two.broker.inquest))
        assert [type(report).__name__ for report in reports] == ["Unsent"]


async def test_the_limiter_says_when_it_let_an_order_pass(venue: Emulator) -> None:
    async with trading(venue=venue) as desk:
        called: dict[int, int] = {}
        router = Router({"one": desk.broker}, lambda order: ["one"])
        router.on_called = called.__setitem__
        orders = [desk.away() for _ in range(3)]
        await desk.submit(*orders)
        assert list(called) == [order.order_id for order in orders]
        entry, take, loss = bracket(desk)
        await desk.submit(entry, take, loss)  # type: ignore[arg-type]
        assert len({called[o.order_id] for o in (entry, take, loss)}) == 1  # type: ignore[attr-defined]
