"""The adapter while its connections break, and when events are lost, doubled, turned round or unknown."""

import pytest

from tests.brokers.binance.desk import PLACE, trading
from tests.brokers.pool.wires import until
from workbench.model.reports import CashMoved, Filled
from workbench.model.scale import SCALE


async def test_while_the_order_connection_is_away_orders_go_over_rest() -> None:
    async with trading() as desk:
        desk.fault("status", "connect:ws_api", status=503)
        desk.cut_streams()
        socket = desk.broker.trading.socket
        assert socket is not None
        await until(lambda: not socket.is_live)
        order = desk.away(0.9)
        await desk.submit(order)
        assert desk.kinds(order) == ["Accepted"]
        await desk.cancel(order)
        desk.venue.faults.clear()
        await until(lambda: socket.is_live and desk.broker.stream.state == "live")
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_an_answer_lost_with_its_connection_is_looked_for() -> None:
    async with trading() as desk:
        socket = desk.broker.trading.socket
        assert socket is not None
        socket.answer_s = 30.0
        desk.fault("lost_reply", PLACE["ws"], count=1)
        order = desk.away(0.9)
        desk.broker.submit(order)
        await until(lambda: len(desk.at_venue(order)) == 1)
        desk.cut_streams()
        await until(lambda: desk.kinds(order)[:1] in (["OutcomeLost"], ["Accepted"]))
        await until(lambda: desk.kinds(order)[-1:] == ["Accepted"])
        assert len(desk.at_venue(order)) == 1


async def test_an_answer_lost_with_its_connection_is_looked_for_before_there_is_another() -> None:
    async with trading() as desk:
        socket = desk.broker.trading.socket
        assert socket is not None
        socket.answer_s = 600.0
        desk.fault("lost_reply", PLACE["ws"], count=1)
        desk.fault("status", "connect:ws_api", status=503)
        desk.fault("mute", "stream:ws_api:executionReport")
        order = desk.away(0.9)
        desk.broker.submit(order)
        await until(lambda: len(desk.at_venue(order)) == 1)
        desk.cut_streams()
        await until(lambda: desk.kinds(order) == ["OutcomeLost", "Accepted"])
        assert not socket.is_live


@pytest.mark.parametrize("what", ["nightly_reset", "cut"])
async def test_what_happens_while_the_streams_are_away_is_caught_up(what: str) -> None:
    async with trading() as desk:
        resting, filling = desk.away(0.9), desk.away(0.999)
        await desk.submit(resting, filling)
        connects = desk.broker.stream.connects
        if what == "cut":
            desk.cut_streams()
        else:
            desk.fault("nightly_reset", "*")
        await until(lambda: desk.broker.stream.state != "live")
        desk.print_at(filling.limit_px_e8 / SCALE)
        market = desk.order()
        await desk.submit(market)
        await desk.over(filling, market)
        await until(lambda: desk.broker.stream.state == "live")
        assert desk.broker.stream.connects > connects
        assert desk.kinds(resting) == ["Accepted"]
        assert desk.filled(filling) == desk.filled(market) == 0.1


async def test_events_twice_and_turned_round_make_the_same_reports() -> None:
    async with trading() as desk:
        events = "stream:ws_api:executionReport"
        desk.fault("duplicate", events, times=3, probability=0.5)
        desk.fault("reorder", events, times=2, every=3, seconds=0.05)
        orders = [desk.order(qty=0.01 * (1 + n % 9)) for n in range(20)]
        await desk.submit(*orders)
        await desk.over(*orders)
        for order in orders:
            assert desk.kinds(order)[0] == "Accepted"
            assert desk.kinds(order).count("Accepted") == 1
            assert desk.filled(order) == order.qty_e8 / SCALE
        ids = [r.exec_id for r in desk.reports if isinstance(r, Filled)]
        assert len(ids) == len(set(ids))


async def test_a_fill_that_was_never_told_comes_before_the_cancel() -> None:
    """Part of an order fills, the event is dropped, then it is cancelled: the fill is fetched first."""
    async with trading() as desk:
        order = desk.away(0.999, qty=1)
        await desk.submit(order)
        await desk.quiet()
        desk.fault("drop", "stream:ws_api:executionReport", count=1)
        desk.print_at(order.limit_px_e8 / SCALE, 0.4)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Filled", "Cancelled"]
        assert desk.filled(order) == 0.4


async def test_a_filled_order_whose_fills_are_not_told_is_looked_up_by_itself() -> None:
    async with trading() as desk:
        desk.fault("mute", "stream:ws_api:executionReport")
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["Accepted", "Filled"]


async def test_a_sweep_finds_what_a_mute_stream_does_not_tell_and_doubts_it() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        await desk.quiet()
        desk.fault("mute", "stream:ws_api:executionReport")
        desk.print_at(order.limit_px_e8 / SCALE)
        assert await desk.broker.sweep(settled_s=0.0) == 1
        assert desk.filled(order) == 0.1
        desk.venue.faults.clear()
        desk.broker.stream._seen_s -= 60
        desk.broker._swept(1)
        await until(lambda: desk.broker.stream.connects >= 2 and desk.broker.stream.state == "live")


async def test_unknown_events_are_counted_and_the_order_is_looked_up() -> None:
    async with trading() as desk:
        desk.fault("mutate", "stream:ws_api:executionReport", set={"event.x": "TELEPORTED"}, after=1, count=1)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.filled(order) == 0.1
        assert desk.broker.oddities == {"TELEPORTED": 1}


@pytest.mark.parametrize("unset", ["event.L", "event.l", "event.t", "event"])
async def test_events_without_what_matters_are_put_aside_and_looked_up(unset: str) -> None:
    async with trading() as desk:
        change = {"set": {unset: "nothing"}} if unset != "event" else {"unset": [unset]}
        desk.fault("mutate", "stream:ws_api:executionReport", after=1, count=1, **change)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.filled(order) == 0.1


async def test_cash_that_comes_and_goes_is_told() -> None:
    async with trading() as desk:
        before = (await desk.broker.account()).cash_e8
        desk.binance.transfer("USDT", 250.5)
        desk.binance.transfer("USDT", -50.0)
        desk.binance.transfer("BTC", 1.0)
        await until(lambda: len(desk.reports) == 2)
        moved = [r for r in desk.reports if isinstance(r, CashMoved)]
        assert [r.amount_e8 for r in moved] == [25_050_000_000, -5_000_000_000]
        assert (await desk.broker.account()).cash_e8 == before + sum(r.amount_e8 for r in moved)
