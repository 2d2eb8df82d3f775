"""The adapter at a venue that misbehaves: nothing is sent twice, dead without proof, or counted twice."""

import asyncio
import random
from typing import Any

import pytest

from tests.brokers.alpaca.desk import SPY, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.contract import BrokerOrder
from workbench.errors import KeysRefused
from workbench.model.effects import Cancel
from workbench.model.orders import BUY, FILLED
from workbench.model.reports import Filled, Rejected, Unsent
from workbench.model.scale import SCALE
from workbench.testbed import emulated

POST, GET = "rest:POST /v2/orders", "rest:GET /v2/orders*"


# -- answers to orders -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_reply", "seconds": 0.02},
        {"what": "reset", "bytes": 0, "handled": True},
        {"what": "reset", "bytes": 40, "handled": True},
        {"what": "reset", "bytes": 400, "handled": True},
        {"what": "truncate", "bytes": 300},
        {"what": "invalid_json"},
        {"what": "huge", "bytes": 5_000_000},
        {"what": "mutate", "unset": ["id"]},
        {"what": "mutate", "set": {"status": 7}},
        *({"what": "status", "status": status, "handled": True} for status in (408, 500, 502, 503, 504)),
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_an_order_whose_answer_is_lost_is_found_again(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        desk.fault(where=POST, count=1, **fault)
        desk.fault("mute", "stream:*")  # the stream shall not help
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted", *["Filled"] * (len(desk.of(order)) - 2)]
        assert desk.filled(order) == 10
        assert len(desk.at_venue(order)) == 1
        assert desk.broker.pool.snapshot().lost == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "drop"},
        {"what": "reset", "bytes": 0},
        *({"what": "status", "status": status} for status in (500, 502, 503, 504)),
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_an_order_that_never_arrived_is_called_so_after_proof_and_not_sent_again(
    fault: dict[str, Any],
) -> None:
    async with trading() as desk:
        desk.fault(where=POST, count=1, **fault)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order) == ["OutcomeLost", "Unsent"]
        answer = desk.of(order)[-1]
        assert isinstance(answer, Unsent)
        assert "not in open orders, history or fills, asked 3 times" in answer.evidence
        assert desk.at_venue(order) == []


async def test_not_found_is_not_dead_when_it_can_be_found_otherwise() -> None:
    """The look-up by id says 404 for a while; the order is among the others."""
    async with trading() as desk:
        desk.fault("lost_reply", POST, count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        desk.fault("status", "rest:GET /v2/orders:by_client_order_id", status=404)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order)[:2] == ["OutcomeLost", "Accepted"]
        assert desk.filled(order) == 10


async def test_questions_that_fail_prove_nothing() -> None:
    async with trading() as desk:
        desk.fault("lost_reply", POST, count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        failing = desk.fault("status", GET, status=503)
        order = desk.order()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.snapshot().requests.get("look", 0) >= 9)
        assert desk.kinds(order) == ["OutcomeLost"]
        desk.venue.faults.remove(failing)
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_the_stream_may_be_faster_than_the_answer() -> None:
    """The answer is late: the acceptance and the fills come by the stream; the answer then changes nothing."""
    async with trading() as desk:
        desk.fault("trickle", POST, count=1, bytes=100, seconds=0.02)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        await until(lambda: desk.broker.pending == 0)
        assert desk.kinds(order)[0] == "Accepted"
        assert desk.kinds(order).count("Accepted") == 1
        assert desk.filled(order) == 10


async def test_a_client_id_the_venue_knows_is_asked_about() -> None:
    """Another run of ours has sent this id: it is not called rejected."""
    async with emulated("alpaca", speed=0, limits=False) as venue:
        async with trading(venue=venue) as first:
            order = first.order()
            await first.submit(order)
            await first.over(order)
        async with trading(venue=venue) as second:
            again = second.order()
            assert again.client_id == order.client_id
            await second.submit(again)
            await second.over(again)
            assert second.kinds(again)[:2] == ["OutcomeLost", "Accepted"]
            assert len(second.at_venue(order)) == 1


async def test_too_many_requests_is_a_rejection_and_a_pause() -> None:
    async with trading() as desk:
        desk.fault("status", POST, count=1, status=429, headers={"Retry-After": "0"})
        order, other = desk.order(), desk.order()
        await desk.submit(order)
        assert desk.kinds(order) == ["Rejected"]
        await desk.submit(other)
        await desk.over(other)
        assert desk.filled(other) == 10
        assert desk.broker.pool.snapshot().limited == 1
        assert desk.at_venue(order) == []


async def test_a_revoked_key_stops_the_account() -> None:
    async with trading() as desk:
        desk.fault("status", "rest:*", status=401)
        order = desk.order()
        await desk.submit(order)
        [answer] = desk.of(order)
        assert isinstance(answer, Rejected)
        assert "check the keys" in answer.text
        late = desk.order()
        await desk.submit(late)
        numbers = desk.broker.pool.snapshot()
        assert numbers.state == "unauthorised"
        late = desk.order()
        await desk.submit(late)
        assert desk.kinds(late) == ["Rejected"]
        assert desk.broker.pool.snapshot().requests == numbers.requests  # more tries would invite a ban


# -- the stream --------------------------------------------------------------------------------------------------
async def test_messages_twice_and_turned_round_make_the_same_reports() -> None:
    async with trading() as desk:
        desk.fault("duplicate", "stream:trade_updates:*", times=3, probability=0.5)
        desk.fault("reorder", "stream:trade_updates:*", times=2, every=3, seconds=0.05)
        orders = [desk.order(qty=1 + n % 40) for n in range(20)]
        await desk.submit(*orders)
        await desk.over(*orders)
        for order in orders:
            assert desk.kinds(order)[0] == "Accepted"
            assert desk.kinds(order).count("Accepted") == 1
            assert desk.filled(order) == order.qty_e8 // SCALE
        ids = [r.exec_id for r in desk.reports if isinstance(r, Filled)]
        assert len(ids) == len(set(ids))


async def test_a_fill_that_was_never_told_comes_before_the_cancel() -> None:
    """Part of an order fills, the message is dropped, then it is cancelled: the fill is fetched first."""
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fault("drop", "stream:trade_updates:partial_fill", count=1)
        board = desk.venue.exchange.market.board("SPY")
        desk.venue.exchange.print_at(board, order.limit_px_e8 / SCALE, 4.0)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Filled", "Cancelled"]
        assert desk.filled(order) == 4


async def test_a_sweep_finds_what_a_mute_stream_does_not_tell_and_doubts_it() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        board = desk.venue.exchange.market.board("SPY")
        desk.venue.exchange.print_at(board, order.limit_px_e8 / SCALE, 1e6)
        assert await desk.broker.sweep(settled_s=0.0) == 1
        assert desk.filled(order) == 10
        desk.venue.faults.clear()
        desk.broker.stream._seen_s -= 60
        desk.broker._swept(1)
        await until(lambda: desk.broker.stream.connects >= 2 and desk.broker.stream.state == "live")


async def test_what_happens_while_the_stream_is_away_is_caught_up() -> None:
    async with trading() as desk:
        resting, filling = desk.away(0.9), desk.away(0.999)
        await desk.submit(resting, filling)
        desk.fault("status", "connect:trade_updates", status=503, count=2)
        for link in list(desk.venue.venue.trades._listening):  # type: ignore[attr-defined]
            link.cut()
        board = desk.venue.exchange.market.board("SPY")
        desk.venue.exchange.print_at(board, filling.limit_px_e8 / SCALE, 1e6)
        market = desk.order()
        await desk.submit(market)
        await desk.over(filling, market)
        await until(lambda: desk.broker.stream.state == "live")
        assert desk.broker.stream.connects >= 2
        assert desk.kinds(resting) == ["Accepted"]
        assert desk.filled(filling) == desk.filled(market) == 10


async def test_health_tells_of_a_stream_that_is_away_and_of_orders_that_fail() -> None:
    async with trading() as desk:
        health = desk.broker.pool.health
        health._slow_s = 600.0  # the machine may be slow: not what this is about
        await health.check()
        assert health.state == "healthy"
        desk.fault("status", "connect:trade_updates", status=503)
        for link in list(desk.venue.venue.trades._listening):  # type: ignore[attr-defined]
            link.cut()
        await until(lambda: desk.broker.stream.state == "waiting")
        await health.check()
        assert (health.state, "stream 'trade_updates' is" in health.reason) == ("degraded", True)
        desk.venue.faults.clear()
        await until(lambda: desk.broker.stream.state == "live")
        await health.check()
        assert health.state == "healthy"
        desk.fault("status", POST, status=503)
        await desk.submit(*(desk.order() for _ in range(6)))
        await health.check()
        assert (health.state, "'orders' are left alone" in health.reason) == ("degraded", True)


async def test_unknown_events_are_counted_and_the_order_is_looked_up() -> None:
    async with trading() as desk:
        desk.fault("mutate", "stream:trade_updates:fill", set={"data.event": "teleported"})
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.filled(order) == 10
        assert desk.broker.oddities == {"teleported": 1}
        assert desk.broker.pool.snapshot().streams[0].garbled >= 1


@pytest.mark.parametrize("unset", ["data.qty", "data.price", "data.order.id", "data.order"])
async def test_messages_without_what_matters_are_put_aside_and_looked_up(unset: str) -> None:
    async with trading() as desk:
        desk.fault("mutate", "stream:trade_updates:fill", unset=[unset])
        order = desk.order()
        await desk.submit(order)
        if unset == "data.order":  # says nothing about any order: the next sweep finds it
            await until(lambda: not desk.broker.pending)
            await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 10


# -- starting again ----------------------------------------------------------------------------------------------
async def test_orders_of_an_earlier_run_are_followed_again() -> None:
    async with emulated("alpaca", speed=0, limits=False) as venue:
        async with trading(venue=venue) as first:
            resting, done = first.away(0.999), first.order(qty=3)
            await first.submit(resting, done)
            await first.over(done)
        async with trading(venue=venue, first_id=10, epoch=8) as second:
            known = await second.broker.order(done.client_id)
            assert isinstance(known, BrokerOrder)
            assert (known.state, known.filled_e8, known.order_id) == (FILLED, 3 * SCALE, done.order_id)
            told = {r.exec_id for r in first.of(done) if isinstance(r, Filled)}
            assert {r.exec_id for r in known.reports if isinstance(r, Filled)} == told
            assert resting.order_id in (await second.broker.account()).open_orders
            board = venue.exchange.market.board("SPY")
            venue.exchange.print_at(board, resting.limit_px_e8 / SCALE, 4.0)
            await until(lambda: second.filled(resting) == 4)
            second.broker.cancel(Cancel(1, resting.order_id))
            await until(lambda: second.kinds(resting)[-1:] == ["Cancelled"])
            assert await second.broker.order("wb-3-99") is None


async def test_other_peoples_orders_are_listed_and_not_reported() -> None:
    from workbench.brokers.alpaca.parse import order_body

    async with trading(SPY) as desk:
        mine, hers = desk.away(0.9), desk.away(0.91)
        await desk.submit(mine)
        body = {**order_body([hers], "SPY"), "client_order_id": "by-hand-1"}
        await desk.broker.client.place(body)
        other = desk.order(side=BUY, qty=2)
        await desk.broker.client.place({**order_body([other], "AAPL"), "client_order_id": "by-hand-2"})
        await until(lambda: not desk.broker.pending)
        orders, held = await desk.broker.external()
        assert [(o.client_id, o.symbol, o.qty_e8 // SCALE) for o in orders] == [("by-hand-1", "SPY", 10)]
        assert held == {"AAPL": 2 * SCALE}
        assert {report.order_id for report in desk.reports} == {mine.order_id}
        assert (await desk.broker.account()).open_orders == (mine.order_id,)
        assert await desk.broker.cancel_all() == 2
        await until(lambda: desk.kinds(mine) == ["Accepted", "Cancelled"])
        assert await desk.broker.flatten() == 1


async def test_a_wrong_key_is_refused_at_the_door() -> None:
    from workbench.testbed.rigs.alpaca import alpaca_account

    async with emulated("alpaca", speed=0) as venue:
        from workbench.brokers.alpaca.broker import AlpacaBroker

        keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": "wrong-wrong"}
        broker = AlpacaBroker(alpaca_account(venue), [SPY], environ=keys)
        with pytest.raises(KeysRefused, match=r"alpaca: .*check the keys and their environment"):
            await broker.connect(lambda report: None)
        assert not broker.pool.is_open


# -- all at once -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(4))
async def test_law_whatever_breaks_books_end_equal_and_nothing_is_sent_twice(seed: int) -> None:
    chance = random.Random(seed)
    async with trading(emulator={"seed": seed + 1, "cash": 50_000_000.0}) as desk:
        for what, where, more in (
            ("lost_reply", POST, {"seconds": 0.01, "probability": 0.15}),
            ("status", POST, {"status": 503, "handled": True, "probability": 0.1}),
            ("reset", POST, {"bytes": 60, "probability": 0.1}),
            ("invalid_json", GET, {"probability": 0.1}),
            ("drop", "stream:trade_updates:*", {"probability": 0.1}),
            ("duplicate", "stream:trade_updates:*", {"probability": 0.2, "times": 2}),
            ("reorder", "stream:trade_updates:*", {"probability": 0.2, "times": 2, "seconds": 0.05}),
        ):
            desk.fault(what, where, **more)
        orders = []
        for _ in range(30):
            order = desk.order(qty=chance.randint(1, 30)) if chance.random() < 0.7 else desk.away(0.95)
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
            if (
                not set(desk.kinds(order)) & {"Unsent", "Rejected"}
                and order.order_id in desk.broker.tracker.active
            ):
                await desk.cancel(order)
        await until(lambda: not desk.broker.tracker.active)
        await check_books(desk, orders)


async def check_books(desk: Desk, orders: list[Any]) -> None:
    account = await desk.broker.account()
    assert account.positions.get(0, 0) == desk.filled() * SCALE == desk.venue.exchange.position_e8(1)
    assert account.open_orders == ()
    for order in orders:
        kinds = desk.kinds(order)
        there = desk.at_venue(order)
        assert len(there) <= 1
        assert kinds.count("Accepted") <= 1
        if "Unsent" in kinds:
            assert there == []
        else:
            assert sum(e.qty_e8 for e in there[0].executions) == desk.filled(order) * SCALE
        ended = [n for n, kind in enumerate(kinds) if kind in ("Cancelled", "Rejected", "Unsent", "Expired")]
        assert len(ended) <= 1
        assert "Filled" not in kinds[ended[0] :] if ended else True


async def test_the_fills_of_an_old_order_are_found_among_many_later_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order rests while the account trades on; its own fill is told by nobody and is the newest of all."""
    monkeypatch.setattr("workbench.brokers.alpaca.client._MOST_FILLS", 5)
    monkeypatch.setattr("workbench.brokers.alpaca.client._MOST_PAGES", 2)
    async with trading() as desk:
        resting = desk.away(0.99)
        await desk.submit(resting)
        others = [desk.order(qty=1) for _ in range(15)]
        await desk.submit(*others)
        await desk.over(*others)
        desk.fault("mute", "stream:*")
        board = desk.venue.exchange.market.board("SPY")
        for size in (4.0, 1e6):
            desk.venue.exchange.print_at(board, resting.limit_px_e8 / SCALE, size)
        await desk.broker.sweep(settled_s=0.0)
        await until(lambda: desk.filled(resting) == 10)
        assert desk.kinds(resting) == ["Accepted", "Filled", "Filled"]
