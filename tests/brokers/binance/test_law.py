"""Everything breaks at random: whatever happens, the books end equal and nothing is sent twice."""

import asyncio
import random
from typing import Any

import pytest

from tests.brokers.binance.desk import PLACE, WAYS, Desk, trading
from tests.brokers.pool.wires import until
from workbench.model.effects import Cancel
from workbench.model.scale import SCALE

GET = "rest:GET /api/v3/*"


@pytest.mark.parametrize("seed", range(4))
async def test_law_whatever_breaks_books_end_equal_and_nothing_is_sent_twice(seed: int) -> None:
    chance = random.Random(seed)
    way = WAYS[seed % 2]
    async with trading(orders=way, emulator={"seed": seed + 1}) as desk:
        for what, where, more in (
            ("lost_reply", PLACE[way], {"seconds": 0.01, "probability": 0.15}),
            ("status", PLACE[way], {"status": 503, "handled": True, "probability": 0.1}),
            ("invalid_json", GET, {"probability": 0.1}),
            ("drop", "stream:ws_api:executionReport", {"probability": 0.1}),
            ("duplicate", "stream:ws_api:executionReport", {"probability": 0.2, "times": 2}),
            ("reorder", "stream:ws_api:executionReport", {"probability": 0.2, "times": 2, "seconds": 0.05}),
        ):
            desk.fault(what, where, **more)
        desk.impatient()
        orders = []
        for _ in range(30):
            qty = chance.randint(1, 30) / 1_000
            order = desk.order(qty=qty) if chance.random() < 0.7 else desk.away(0.95)
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
            ended = set(desk.kinds(order)) & {"Unsent", "Rejected"}
            if not ended and order.order_id in desk.broker.tracker.active:
                await desk.cancel(order)
        await until(lambda: not desk.broker.tracker.active)
        await check_books(desk, orders)


async def check_books(desk: Desk, orders: list[Any]) -> None:
    account = await desk.broker.account()
    cash_e8, held = desk.books()
    assert account.positions == held
    assert account.cash_e8 == desk.venue.exchange.cash_e8 == 10_000_000 * SCALE + cash_e8
    assert account.open_orders == ()
    for order in orders:
        kinds, there = desk.kinds(order), desk.at_venue(order)
        assert len(there) <= 1
        assert kinds.count("Accepted") <= 1
        if "Unsent" in kinds:
            assert there == []
        else:
            assert sum(e.qty_e8 for e in there[0].executions) == sum(f.qty_e8 for f in desk.fills(order))
        ended = [n for n, kind in enumerate(kinds) if kind in ("Cancelled", "Rejected", "Unsent", "Expired")]
        assert len(ended) <= 1
        assert "Filled" not in kinds[ended[0] :] if ended else True
