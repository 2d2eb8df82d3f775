"""The orders' socket at its worst: updates refused, bare, mute, doubled, turned round; sockets that are dead."""

from typing import Any

import pytest

from tests.brokers.ibkr.desk import Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.parse import TradeRow
from workbench.model.reports import CashMoved, Filled
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import emulated

DAY_NS = 86_400_000_000_000


async def trades_once(desk: Desk) -> None:
    order = desk.order()
    await desk.submit(order)
    await desk.over(order)
    assert desk.kinds(order)[0] == "Accepted"
    assert desk.filled(order) == 10


@pytest.mark.parametrize("quirk", ["sor_refused", "sor_bare"])
async def test_live_updates_are_only_hints(quirk: str) -> None:
    """They are refused, or say no more than a number: fills come by themselves, cancels are asked about."""
    async with trading() as desk:
        desk.quirk(quirk)
        if quirk == "sor_refused":
            desk.cut_streams()
            await until(lambda: desk.broker.updates.oddities["sor refused"] >= 1)
        await trades_once(desk)
        order = desk.away()
        await desk.submit(order)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


@pytest.mark.parametrize("event", ["sor", "*"])
async def test_a_socket_that_says_nothing_costs_time_and_no_truth(event: str) -> None:
    async with trading() as desk:
        desk.fault("drop", f"stream:ws:{event}")
        order = desk.order()
        await desk.submit(order)
        await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 10
        resting = desk.away()
        await desk.submit(resting)
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


async def test_an_execution_of_the_day_that_has_just_ended_is_asked_for() -> None:
    async with emulated("ibkr", speed=0, limits=False) as venue:
        clock = venue.exchange.clock
        clock.advance((DAY_NS - clock.now_ns() % DAY_NS) / 1e9 - 30.0)
        async with trading(venue=venue) as desk:
            desk.fault("drop", "stream:ws:*")
            order = desk.order()
            await desk.submit(order)
            clock.advance(60.0)
            await desk.broker.sweep(settled_s=0.0)
            await desk.over(order)
            assert desk.filled(order) == 10


async def test_messages_twice_and_turned_round_make_the_same_reports() -> None:
    async with trading() as desk:
        desk.fault("duplicate", "stream:ws:*", times=3, probability=0.5)
        desk.fault("reorder", "stream:ws:*", times=2, every=3, seconds=0.05)
        orders = [desk.order(qty=1 + n % 40) for n in range(20)]
        await desk.submit(*orders)
        await desk.over(*orders)
        for order in orders:
            assert desk.kinds(order)[0] == "Accepted"
            assert desk.kinds(order).count("Accepted") == 1
            assert desk.filled(order) == order.qty_e8 // SCALE
        ids = [r.exec_id for r in desk.reports if isinstance(r, Filled)]
        assert len(ids) == len(set(ids))


async def test_executions_of_the_day_are_told_again_after_a_break_and_counted_once() -> None:
    async with trading() as desk:
        clock = desk.venue.exchange.clock
        now_ns = clock.now_ns()
        clock._wall = lambda: now_ns  # its day does not end meanwhile
        await trades_once(desk)
        before = desk.broker.updates.taken
        resting = desk.away(0.999)
        await desk.submit(resting)
        desk.fault("status", "connect:ws", status=503, count=2)
        desk.cut_streams()
        desk.fill_at_limit(resting)
        await until(lambda: desk.broker.stream.state == "live" and desk.broker.stream.connects >= 2)
        await desk.over(resting)
        await until(lambda: desk.broker.updates.taken > before + 1)
        assert desk.filled(resting) == 10
        ids = [r.exec_id for r in desk.reports if isinstance(r, Filled)]
        assert len(ids) == len(set(ids))


async def test_a_fill_that_was_never_told_comes_before_the_cancel() -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        desk.fault("drop", "stream:ws:*", count=2)
        desk.fill_at_limit(order, 4.0)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Filled", "Cancelled"]
        assert desk.filled(order) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"unset": ["args.0.size"]},
        {"unset": ["args.0.price"]},
        {"unset": ["args.0.execution_id"]},
        {"set": {"args.0.price": "12x"}},
        {"set": {"args.0.size": 1e300}},
        {"set": {"args": 7}},
        {"set": {"args": [{"size": []}]}},
    ],
    ids=str,
)
async def test_executions_that_cannot_be_understood_are_put_aside_and_asked_for(
    fields: dict[str, Any],
) -> None:
    async with trading() as desk:
        desk.fault("mutate", "stream:ws:str", **fields)
        order = desk.order()
        await desk.submit(order)
        await desk.over(order)
        assert desk.filled(order) == 10
        assert desk.broker.pool.snapshot().streams[0].garbled >= 1


@pytest.mark.parametrize(
    "fault",
    [{"what": "invalid_json"}, {"what": "huge", "bytes": 2_000_000}, {"what": "deep", "times": 5_000}],
    ids=str,
)
async def test_frames_that_are_no_frames_do_no_harm(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        desk.fault(where="stream:ws:*", count=20, **fault)
        order = desk.order()
        await desk.submit(order)
        await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_a_corrected_execution_is_not_booked_twice() -> None:
    async with trading() as desk:
        await trades_once(desk)
        [order] = desk.venue.exchange.orders.values()
        said = {
            "execution_id": desk.fills()[0].exec_id,
            "order_ref": order.ticket.client_id,
            "size": 10,
            "price": 9.0,
        }
        head, _, _ = str(said["execution_id"]).rpartition(".")
        count = len(desk.reports)
        fills = desk.broker.fills
        fills.told(TradeRow(**said))  # type: ignore[arg-type]
        fills.told(TradeRow(**{**said, "execution_id": f"{head}.02"}))  # type: ignore[arg-type]
        assert (len(desk.reports), fills.corrections) == (count, 1)


async def test_a_commission_that_is_told_later_is_paid_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.brokers.ibkr.broker._PAY_S", 3_600.0)  # the test asks, nobody else
    async with trading(emulator={"fee_per_unit": 0.01}) as desk:
        desk.fault("mutate", "stream:ws:str", unset=["args.0.commission"])
        desk.fault(
            "mutate", "stream:ws:sor", set={"args.0.filledQuantity": 0}
        )  # fills come by the socket alone
        await trades_once(desk)
        assert all(fill.fee_e8 == 0 for fill in desk.fills())
        assert await desk.broker.fills.pay() == len(desk.fills())
        paid = [r.amount_e8 for r in desk.reports if isinstance(r, CashMoved)]
        assert sum(paid) == -to_e8(0.1)
        assert await desk.broker.fills.pay() == 0
        cash_e8, held = desk.books()
        account = await desk.broker.account()
        assert (account.cash_e8 - 10_000_000 * SCALE, account.positions) == (cash_e8, held)


async def test_a_socket_of_an_old_session_is_noticed_by_the_session_s_number() -> None:
    """After a new login the old socket keeps its heartbeat and says nothing else."""
    async with trading() as desk:
        desk.quirk("relogin")
        order = desk.order()
        await desk.submit(order)
        await desk.broker.session.probe()
        await until(lambda: desk.broker.stream.connects >= 2 and desk.broker.stream.state == "live")
        await desk.over(order)
        assert desk.filled(order) == 10


async def test_a_tic_that_is_not_answered_is_a_reason_to_connect_anew() -> None:
    async with trading() as desk:
        desk.quirk("relogin")
        script: Any = desk.broker.stream._script
        script._tic_s, script._answer_s = script._tic_s - 60, script._tic_s - 61
        assert script.heartbeat() is None
        await until(lambda: desk.broker.stream.connects >= 2)


async def test_what_the_venue_announces_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "workbench.brokers.ibkr.updates")
    async with trading() as desk:
        desk.quirk("bulletin", text="maintenance tonight")
        await until(lambda: any("maintenance tonight" in r.getMessage() for r in caplog.records))


async def test_an_error_of_a_topic_is_counted() -> None:
    async with trading() as desk:
        await desk.broker.stream.send("ssd+DU999+{}")
        await until(lambda: bool(desk.broker.updates.oddities))
        assert desk.broker.stream.state == "live"
