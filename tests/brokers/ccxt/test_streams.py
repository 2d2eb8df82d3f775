"""The bridge and its streams: breaks, silence, frames nobody can read, another run, and everything at once."""

import asyncio
import random
from typing import Any

import pytest

from tests.brokers.ccxt.desk import BOTH, LOOKS, POST, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ccxt.library import library
from workbench.brokers.contract import BrokerOrder
from workbench.model.effects import Cancel
from workbench.model.orders import FILLED
from workbench.model.reports import Filled
from workbench.model.scale import SCALE
from workbench.testbed import emulated
from workbench.testbed.rigs.ccxt import EXCHANGES


# -- streams -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exchange", BOTH)
async def test_what_happens_while_the_stream_is_away_is_caught_up(exchange: str) -> None:
    async with trading(exchange) as desk:
        resting, filling = desk.away(0.9), desk.away(0.999)
        await desk.submit(resting, filling)
        connects = desk.broker.watches.connects
        desk.fault("status", "connect:*", status=503, count=1)
        for link in list(desk.venue.server.links):
            link.cut()
        desk.print_at(filling.limit_px_e8 / SCALE)
        market = desk.order()
        await desk.submit(market)
        await desk.over(filling, market)
        await until(lambda: desk.broker.watches.connects > connects)
        assert desk.kinds(resting) == ["Accepted"]
        assert desk.filled(filling) == desk.filled(market) == 1


@pytest.mark.parametrize("exchange", BOTH)
async def test_a_sweep_finds_what_a_mute_stream_does_not_tell_and_doubts_it(exchange: str) -> None:
    async with trading(exchange) as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        muted = desk.fault("mute", "stream:*")
        desk.print_at(order.limit_px_e8 / SCALE)
        assert await desk.broker.sweep(settled_s=0.0) == 1
        assert desk.filled(order) == 1
        desk.venue.faults.remove(muted)
        connects = desk.broker.watches.connects
        desk.broker.watches._seen_s -= 60
        desk.broker._swept(1)
        await until(lambda: desk.broker.watches.connects > connects)
        late = desk.order()
        await desk.submit(late)
        await desk.over(late)


@pytest.mark.parametrize(
    "fault",
    [{"what": "invalid_json"}, {"what": "mutate", "set": {"data.order.status": "teleported"}}],
    ids=lambda fault: fault["what"],
)
async def test_frames_that_cannot_be_read_are_caught_up(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        desk.fault(where="stream:trade_updates:fill", count=1, **fault)
        order = desk.away(0.999)
        await desk.submit(order)
        desk.print_at(order.limit_px_e8 / SCALE)
        await desk.over(order)
        assert desk.filled(order) == 1
        assert desk.broker.watches.garbled + desk.broker.oddities.get("order", 0) == 1


async def test_rows_nobody_foresaw_do_not_end_the_watching() -> None:
    async with trading() as desk:
        rows: list[Any] = [{"clientOrderId": "by-hand", "id": None}, 7]
        desk.broker.watches._came("orders", desk.broker._on_orders, rows)
        assert desk.broker.watches.garbled == 1
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.broker.watches.state == "live"


@pytest.mark.parametrize("exchange", BOTH)
async def test_an_exchange_without_streams_is_asked(exchange: str) -> None:
    async with trading(exchange, options={"events": "poll", "poll_s": 0.05}) as desk:
        resting, filling, market = desk.away(0.9), desk.away(0.999), desk.order()
        await desk.submit(resting, filling, market)
        desk.print_at(filling.limit_px_e8 / SCALE)
        await desk.over(filling, market)
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]
        assert desk.broker.watches.connects == 0
        assert desk.broker.watches.state == "live"


@pytest.mark.parametrize("exchange", BOTH)
@pytest.mark.parametrize("how", ["the reader ends", "reset", "reset by a payload"])
async def test_a_connection_that_nobody_reads_any_more_is_opened_again(how: str, exchange: str) -> None:
    """ccxt leaves it open: nothing would ever be told on it again."""
    async with trading(exchange) as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        watches, library_ = desk.broker.watches, library()
        connects = watches.connects
        for link in list(desk.broker.client.exchange.clients.values()):
            if how == "the reader ends":
                link.reject(library_.NetworkError("its reader ended"))
            else:
                link.reset(library_.ExchangeError("no more") if how == "reset" else {"status": 503})
        await until(lambda: watches.connects > connects and watches.state == "live")
        desk.print_at(order.limit_px_e8 / SCALE)
        await desk.over(order)
        assert desk.filled(order) == 1


# -- starting again ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exchange", BOTH)
async def test_orders_of_an_earlier_run_are_followed_again(exchange: str) -> None:
    async with emulated(EXCHANGES[exchange].venue, speed=0, limits=False) as venue:
        async with trading(exchange, venue=venue) as first:
            resting, done = first.away(0.999), first.order(qty=3)
            await first.submit(resting, done)
            limit = round(first.board.last * 0.998, 2)
            await first.amend(resting, 2, limit)
            await first.over(done)
        async with trading(exchange, venue=venue, first_id=10, epoch=8) as second:
            known = await second.broker.order(done.client_id)
            assert isinstance(known, BrokerOrder)
            assert (known.state, known.filled_e8, known.order_id) == (FILLED, 3 * SCALE, done.order_id)
            told = {r.exec_id for r in first.of(done) if isinstance(r, Filled)}
            assert {r.exec_id for r in known.reports if isinstance(r, Filled)} == told
            assert resting.order_id in (await second.broker.account()).open_orders
            again = await second.broker.order(resting.client_id)
            assert again is not None
            assert [type(r).__name__ for r in again.reports] == ["Accepted", "Amended"]
            second.print_at(limit, 0.5)
            await until(lambda: second.filled(resting) == 0.5)
            second.broker.cancel(Cancel(1, resting.order_id))
            await until(lambda: second.kinds(resting)[-1:] == ["Cancelled"])
            assert await second.broker.order("wb-3-99") is None


# -- all at once -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("exchange", BOTH)
async def test_law_whatever_breaks_books_end_equal_and_nothing_is_sent_twice(exchange: str) -> None:
    chance = random.Random(5)
    async with trading(exchange, emulator={"cash": 500_000_000.0}) as desk:
        for what, where, more in (
            ("lost_reply", POST[exchange], {"seconds": 0.01, "probability": 0.15}),
            ("status", POST[exchange], {"status": 503, "handled": True, "probability": 0.1}),
            ("reset", POST[exchange], {"bytes": 60, "probability": 0.1}),
            ("invalid_json", LOOKS[exchange], {"probability": 0.1}),
            ("drop", "stream:*", {"probability": 0.1}),
            ("duplicate", "stream:*", {"probability": 0.2, "times": 2}),
            ("reorder", "stream:*", {"probability": 0.2, "times": 2, "seconds": 0.05}),
        ):
            desk.fault(what, where, **more)
        orders = []
        for _ in range(25):
            order = desk.order(qty=chance.randint(1, 9)) if chance.random() < 0.7 else desk.away(0.95)
            orders.append(order)
            desk.broker.submit(order)
            if chance.random() < 0.3:
                desk.broker.cancel(Cancel(1, order.order_id))
            await asyncio.sleep(chance.random() * 0.02)
        desk.venue.faults.clear()
        await until(lambda: not len(desk.broker.inquest) and not desk.broker.pending)
        for _ in range(3):
            await desk.broker.sweep(settled_s=0.0)
        for order in orders:
            if order.order_id in desk.broker.tracker.active:
                await desk.cancel(order)
        await until(lambda: not desk.broker.tracker.active)
        await check_books(desk, orders)


async def check_books(desk: Desk, orders: list[Any]) -> None:
    account = await desk.broker.account()
    held_e8 = round(desk.filled() * SCALE)
    there_before = {"alpaca": 0, "binance": 0}[desk.exchange]
    assert account.positions.get(0, 0) == held_e8 + there_before
    assert desk.venue.exchange.position_e8(desk.board.listing.iid) == held_e8
    assert account.open_orders == ()
    for order in orders:
        kinds, there = desk.kinds(order), desk.at_venue(order)
        assert len(there) <= 1
        assert kinds.count("Accepted") <= 1
        if "Unsent" in kinds:
            assert there == []
        else:
            assert sum(e.qty_e8 for e in there[0].executions) == round(desk.filled(order) * SCALE)
        ended = [n for n, kind in enumerate(kinds) if kind in ("Cancelled", "Rejected", "Unsent", "Expired")]
        assert len(ended) <= 1
        assert "Filled" not in kinds[ended[0] :] if ended else True
