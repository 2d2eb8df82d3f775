"""Cancels and amendments while the venue misbehaves: repeated, found again, never more than was wanted."""

import asyncio
from typing import Any

import pytest

from tests.brokers.alpaca.desk import trading
from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.parse import OrderBody, TradeUpdate
from workbench.model.effects import Amend, Cancel
from workbench.model.reports import Amended, Filled
from workbench.model.scale import SCALE, to_e8

POST = "rest:POST /v2/orders"


@pytest.mark.parametrize(
    "fault",
    [
        {"what": "lost_reply", "seconds": 0.02},
        {"what": "drop"},
        {"what": "status", "status": 503},
        {"what": "reset", "bytes": 0, "handled": True},
    ],
    ids=lambda fault: fault["what"],
)
async def test_a_cancel_is_repeated_until_it_is_answered(fault: dict[str, Any]) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault(where="rest:DELETE /v2/orders/{order_id}", count=1, **fault)
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_a_cancel_that_was_taken_and_never_confirmed_is_looked_up() -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_a_refusal_that_cannot_be_read_is_no_proof_against_the_first_order() -> None:
    """It arrives twice, and the answer to the second time breaks off before it says why."""
    async with trading() as desk:
        desk.fault("twice", POST, count=1)
        desk.fault("invalid_json", POST, count=1)
        desk.fault("mute", "stream:*")
        order = desk.away()
        await desk.submit(order)
        await until(lambda: len(desk.kinds(order)) > 1)
        assert desk.kinds(order) == ["OutcomeLost", "Accepted"]
        assert len(desk.at_venue(order)) == 1


async def test_cancels_go_out_while_the_venue_refuses_orders() -> None:
    async with trading() as desk:
        resting = desk.away()
        await desk.submit(resting)
        desk.broker.pool.breakers["orders"]._pause_s = 600.0  # it stays open to the end
        desk.fault("status", POST, status=503)
        for _ in range(6):
            await desk.submit(desk.order())
        assert desk.broker.pool.breakers["orders"].state == "open"
        late = desk.order()
        await desk.submit(late)
        assert desk.kinds(late) == ["Unsent"]
        await desk.cancel(resting)
        assert desk.kinds(resting) == ["Accepted", "Cancelled"]


@pytest.mark.parametrize("by_hand", [False, True])
async def test_everything_is_cancelled_by_one_request_unless_something_is_not_ours(by_hand: bool) -> None:
    from workbench.brokers.alpaca.parse import order_body

    async with trading() as desk:
        orders = [desk.away(0.9) for _ in range(30)]
        await desk.submit(*orders)
        if by_hand:
            await desk.broker.client.place(
                {**order_body([desk.away(0.8)], "SPY"), "client_order_id": "by-hand"}
            )  # after the last list of what is open
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))
        assert desk.broker.pool.snapshot().requests["cancel"] == (30 if by_hand else 1)
        left = [o.ticket.client_id for o in desk.venue.exchange.open.values()]
        assert left == (["by-hand"] if by_hand else [])


async def test_what_the_cancel_of_everything_did_not_take_is_cancelled_by_itself() -> None:
    async with trading() as desk:
        orders = [desk.away(0.9) for _ in range(12)]
        await desk.submit(*orders)
        plain = desk.broker.client.cancel_all
        skipped = desk.broker.tracker.by_order[orders[4].order_id].venue_id

        async def refused() -> Any:
            kept = desk.venue.exchange.by_venue_id[skipped]
            found = {key: o for key, o in desk.venue.exchange.open.items() if o is kept}
            for key in found:
                del desk.venue.exchange.open[key]
            answered = await plain()
            desk.venue.exchange.open.update(found)
            return answered

        desk.broker.client.cancel_all = refused  # type: ignore[method-assign]
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))
        assert desk.broker.pool.snapshot().requests["cancel"] == 2


async def test_a_kill_does_not_wait_for_a_list_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading() as desk:
        orders = [desk.away(0.9) for _ in range(12)]
        await desk.submit(*orders)

        async def hang(*_: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr("workbench.brokers.alpaca.broker._LIST_S", 0.01)
        monkeypatch.setattr(desk.broker.finder, "list_open", hang)
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))
        assert desk.broker.pool.snapshot().requests["cancel"] == 12


@pytest.mark.parametrize(("before", "counts_on"), [(0, False), (3, False), (3, True)])
async def test_a_fill_that_is_faster_than_the_answer_to_an_amendment(before: int, counts_on: bool) -> None:
    """By its old terms the order would be over, and what is left of the new one would be forgotten. Whether the new
    order counts what has filled or begins from nothing is the venue's affair."""
    async with trading() as desk:
        order = desk.away(0.9, qty=10)
        await desk.submit(order)
        tracked = desk.broker.tracker.by_order[order.order_id]
        at, px = "2026-01-02T15:00:00Z", str(order.limit_px_e8 / SCALE)

        def told(number: str, qty: int, filled: int, fill: int, replaces: str | None = None) -> None:
            client_id = order.client_id + (".2" if replaces else "")
            body = OrderBody(number, client_id, "partially_filled", "SPY", "buy", "limit", qty=str(qty),
                             filled_qty=str(filled), limit_price=px, submitted_at=at, replaces=replaces)  # fmt: skip
            desk.broker._told(TradeUpdate("partial_fill", at, None, body, px, str(fill)))

        old = tracked.venue_id
        if before:
            told(old, 10, before, before)
        kept = before if counts_on else 0
        told("new", 20 - before + kept, kept + 10 - before, 10 - before, replaces=old)
        assert order.order_id in desk.broker.tracker.active
        [amended] = [r for r in desk.of(order) if isinstance(r, Amended)]
        assert (amended.qty_e8, desk.filled(order)) == (20 * SCALE, 10)
        told("new", 20 - before + kept, 20 - before + kept, 10, replaces=old)
        assert order.order_id not in desk.broker.tracker.active
        assert [type(r) for r in desk.of(order)].count(Filled) == 2 + bool(before)


@pytest.mark.parametrize("what", ["status", "mute"])
async def test_when_cancelling_everything_at_once_fails_it_is_done_one_by_one(what: str) -> None:
    async with trading() as desk:
        orders = [desk.away(0.9) for _ in range(12)]
        await desk.submit(*orders)
        if what == "status":
            desk.fault("status", "rest:DELETE /v2/orders", status=503)
        else:
            desk.fault("mute", "stream:*")  # a sweep finds that they are gone
        for order in orders:
            desk.broker.cancel(Cancel(1, order.order_id))
        await until(lambda: all(desk.kinds(order) == ["Accepted", "Cancelled"] for order in orders))


@pytest.mark.parametrize("stream", ["heard", "mute"])
async def test_an_amendment_whose_answer_is_lost_is_found(stream: str) -> None:
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault("lost_reply", "rest:PATCH *", count=1, seconds=0.02)
        if stream == "mute":
            desk.fault("mute", "stream:*")
        limit = round(desk.px * 0.91, 2)
        await desk.amend(order, 12, limit)
        [amended] = [r for r in desk.of(order) if isinstance(r, Amended)]
        assert (amended.qty_e8, amended.limit_px_e8) == (12 * SCALE, round(limit * SCALE))
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Cancelled"]


async def test_an_amendment_that_never_arrived_is_refused_after_proof() -> None:
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault("drop", "rest:PATCH *", count=1)
        await desk.amend(order, 12, round(desk.px * 0.91, 2))
        assert desk.kinds(order) == ["Accepted", "AmendRefused"]


async def test_an_amendment_after_a_part_has_filled_never_buys_more() -> None:
    async with trading() as desk:
        order = desk.away(0.999, qty=10)
        await desk.submit(order)
        board = desk.venue.exchange.market.board("SPY")
        desk.venue.exchange.print_at(board, order.limit_px_e8 / SCALE, 4.0)
        await until(lambda: desk.filled(order) == 4)
        await desk.amend(order, 12, round(desk.px * 0.99, 2))
        desk.venue.exchange.print_at(board, round(desk.px * 0.9, 2), 1e6)
        await until(lambda: not desk.broker.tracker.active)
        said = desk.of(order)
        amended = [r for r in said if isinstance(r, Amended)]
        total = desk.filled(order)
        assert total <= 12
        assert not amended or amended[0].qty_e8 // SCALE == total


@pytest.mark.parametrize("stream", ["heard", "mute"])
async def test_an_amendment_the_venue_is_still_at_is_waited_for(stream: str) -> None:
    """Its answer was lost and the old order is shown as being replaced: that is not proof that it was not."""
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        if stream == "mute":
            desk.fault("mute", "stream:*")
        desk.fault("lost_reply", "rest:PATCH *", count=1, seconds=0.02)
        unset = {"status": "pending_replace", "replaced_by": None}
        desk.fault("mutate", "rest:GET /v2/orders/{order_id}", count=3, set=unset)
        await desk.amend(order, 12, round(desk.px * 0.91, 2))
        assert desk.kinds(order) == ["Accepted", "Amended"]


async def test_lists_that_lag_behind_do_not_disprove_an_amendment() -> None:
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        desk.fault("lost_reply", "rest:PATCH *", count=1, seconds=0.02)
        lagging = {"status": "new", "replaced_by": None}
        desk.fault("mutate", "rest:GET /v2/orders/{order_id}", count=1, set=lagging)
        await desk.amend(order, 12, round(desk.px * 0.91, 2))
        assert desk.kinds(order) == ["Accepted", "Amended"]


async def test_a_cancel_that_was_carried_out_before_is_no_refusal() -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        desk.fault("mute", "stream:*")
        desk.fault("lost_reply", "rest:DELETE /v2/orders/{order_id}", count=1, seconds=0.02)
        await desk.cancel(order)
        await until(lambda: not desk.broker.pending)
        assert desk.kinds(order) == ["Accepted", "Cancelled"]


async def test_a_second_amendment_that_never_arrived_is_answered() -> None:
    """The first one holds: it must not be taken for the second."""
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        await desk.amend(order, 12, round(desk.px * 0.91, 2))
        desk.fault("drop", "rest:PATCH *", count=1)
        desk.broker.amend(Amend(1, order.order_id, 14 * SCALE, to_e8(round(desk.px * 0.92, 2)), 0))
        await until(lambda: "AmendRefused" in desk.kinds(order))
        assert desk.kinds(order) == ["Accepted", "Amended", "AmendRefused"]


async def test_news_of_an_amendment_that_comes_late_does_not_bring_it_back() -> None:
    async with trading() as desk:
        order = desk.away(0.9)
        await desk.submit(order)
        told = list[TradeUpdate]()
        taken = desk.broker._script._told

        def kept(update: TradeUpdate) -> None:
            told.append(update)
            taken(update)

        desk.broker._script._told = kept
        for share in (0.91, 0.92):
            assert await desk.amend(order, 10, round(desk.px * share, 2)) == "Amended"
        await until(lambda: sum(update.event == "replaced" for update in told) == 2)
        [late, *_] = [update for update in told if update.event == "replaced"]
        holds, kinds = desk.broker.tracker.by_client[order.client_id].venue_id, desk.kinds(order)
        taken(late)
        assert desk.broker.tracker.by_client[order.client_id].venue_id == holds
        assert desk.kinds(order) == kinds


async def test_a_replacement_by_somebody_else_that_cannot_be_read_is_found_by_the_next_sweep(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with trading() as desk:
        order = desk.away()
        await desk.submit(order)
        tracked = desk.broker.tracker.by_order[order.order_id]
        fault = desk.fault("invalid_json", "rest:GET /v2/orders*")
        await desk.broker.client.replace(tracked.venue_id, {"qty": "12"})
        await until(lambda: "could not be asked about" in caplog.text)
        desk.venue.faults.remove(fault)
        await desk.broker.sweep(settled_s=0.0)
        assert desk.kinds(order) == ["Accepted", "Amended"]
        assert (tracked.qty_e8, tracked.active) == (12 * SCALE, True)
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
