"""Everything breaks at random: whatever happens, the books end equal and nothing is sent twice."""

import asyncio
import random
from typing import Any

import pytest

from tests.brokers.ibkr.desk import POST, REPLY, Desk, trading
from tests.brokers.pool.wires import until
from workbench.model.effects import Cancel, Submit
from workbench.model.orders import BUY, GTC, LIMIT, SELL, STOP
from workbench.model.scale import SCALE

GET = "rest:GET /v1/api/iserver/account/*"


@pytest.mark.parametrize("seed", range(4))
async def test_law_whatever_breaks_books_end_equal_and_nothing_is_sent_twice(seed: int) -> None:
    chance = random.Random(seed)
    async with trading(emulator={"seed": seed + 1, "fee_per_unit": 0.01}) as desk:
        for what, where, more in (
            ("lost_reply", POST, {"seconds": 0.01, "probability": 0.15}),
            ("lost_reply", REPLY, {"seconds": 0.01, "probability": 0.15}),
            ("status", REPLY, {"status": 503, "handled": True, "probability": 0.1}),
            ("status", POST, {"status": 503, "probability": 0.1}),
            ("invalid_json", GET, {"probability": 0.1}),
            ("drop", "stream:ws:*", {"probability": 0.1}),
            ("duplicate", "stream:ws:*", {"probability": 0.2, "times": 2}),
            ("reorder", "stream:ws:*", {"probability": 0.2, "times": 2, "seconds": 0.05}),
        ):
            desk.fault(what, where, **more)
        if seed % 2:
            desk.quirk("sor_bare")
        orders = []
        for _ in range(30):
            qty = chance.randint(1, 30)
            order = desk.order(qty=qty) if chance.random() < 0.7 else desk.away(0.9, qty=qty)
            orders.append(order)
            desk.broker.submit(order)
            if chance.random() < 0.3:
                desk.broker.cancel(Cancel(1, order.order_id))
            await asyncio.sleep(chance.random() * 0.02)
        await settled(desk, orders)


@pytest.mark.parametrize("seed", [1, 3, 6])
async def test_law_brackets_hold_while_sessions_sockets_and_ids_are_lost(seed: int) -> None:
    chance = random.Random(seed)
    async with trading(emulator={"seed": seed + 1, "fee_per_unit": 0.01}) as desk:
        for what, where, more in (
            ("lost_reply", POST, {"seconds": 0.01, "probability": 0.15}),
            ("status", REPLY, {"status": 503, "handled": True, "probability": 0.1}),
            ("invalid_json", GET, {"probability": 0.1}),
            ("drop", "stream:ws:*", {"probability": 0.1}),
            ("reorder", "stream:ws:*", {"probability": 0.2, "times": 2, "seconds": 0.05}),
            ("quirk", "quirk:bare_legs", {"probability": 0.5}),
        ):
            desk.fault(what, where, **more)
        orders = []
        for _ in range(12):
            brackets = bracket(desk, chance)
            orders += brackets
            for order in brackets:
                desk.broker.submit(order)
            if chance.random() < 0.2:
                desk.broker.cancel(Cancel(1, chance.choice(brackets).order_id))
            if chance.random() < 0.3:
                desk.cut_streams()
            if chance.random() < 0.15:
                desk.ibkr.session.drop()
            if chance.random() < 0.1:
                desk.ibkr.session.renew()
            await asyncio.sleep(chance.random() * 0.05)
        await settled(desk, orders)


def bracket(desk: Desk, chance: random.Random) -> list[Submit]:
    """An entry that fills at once or rests, and one exit or two."""
    px, qty = desk.px, chance.randint(1, 20)
    entry = desk.order(BUY, qty, kind=LIMIT, limit=round(px * chance.choice([0.99, 1.01]), 2), tif=GTC)
    below: dict[str, Any] = {"tif": GTC, "parent_id": entry.order_id, "group": 1}
    take = desk.order(SELL, qty, kind=LIMIT, limit=round(px * 1.02, 2), **below)
    loss = desk.order(SELL, qty, kind=STOP, stop=round(px * 0.98, 2), **below)
    return [entry, take, loss][: chance.choice([2, 3, 3])]


async def settled(desk: Desk, orders: list[Submit]) -> None:
    """Nothing breaks any more: everything is found, cancelled where it rests, and the books are equal."""
    desk.venue.faults.clear()
    await until(lambda: not len(desk.broker.inquest) and not desk.broker.pending)
    for _ in range(3):
        await desk.broker.sweep(settled_s=0.0)
    for order in orders:
        if order.order_id in desk.broker.tracker.active:
            await desk.cancel(order)
    await until(lambda: not desk.broker.tracker.active)
    await check_books(desk, orders)


async def check_books(desk: Desk, orders: list[Submit]) -> None:
    account = await desk.broker.account()
    cash_e8, held = desk.books()
    assert account.positions == held
    assert account.cash_e8 == desk.venue.exchange.cash_e8 == 10_000_000 * SCALE + cash_e8
    assert account.open_orders == ()
    for order in orders:
        kinds, there = desk.kinds(order), desk.at_venue(order)
        assert len(there) <= 1
        assert kinds.count("Accepted") <= 1
        if "Unsent" in kinds or "Rejected" in kinds:
            assert there == []
        else:
            assert sum(e.qty_e8 for e in there[0].executions) == sum(f.qty_e8 for f in desk.fills(order))
        ended = [n for n, kind in enumerate(kinds) if kind in ("Cancelled", "Rejected", "Unsent", "Expired")]
        assert len(ended) <= 1
        assert "Filled" not in kinds[ended[0] :] if ended else True
