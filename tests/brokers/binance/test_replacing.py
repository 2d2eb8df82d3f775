"""An order that another is to replace, while nobody knows whether it did: not dead before the venue has shown it."""

from typing import Any

import pytest

from tests.brokers.binance.desk import WAYS, trading
from tests.brokers.pool.wires import until
from workbench.brokers.binance.bodies import OrderBody
from workbench.brokers.pool.tracker import Tracked
from workbench.model.effects import Amend
from workbench.model.scale import to_e8

REPLACE = {"rest": "rest:POST /api/v3/order/cancelReplace", "ws": "rest:WS order.cancelReplace"}


@pytest.mark.parametrize(
    ("way", "fault"),
    [
        ("rest", {"what": "invalid_json"}),
        ("rest", {"what": "mutate", "unset": ["newOrderResponse"]}),
        ("ws", {"what": "mutate", "unset": ["result.newOrderResponse"]}),
    ],
    ids=str,
)
async def test_an_order_is_not_dead_because_the_answer_cannot_be_read(
    way: str, fault: dict[str, Any]
) -> None:
    async with trading(orders=way) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        desk.fault(where=REPLACE[way], count=1, **fault)
        assert await desk.amend(order, 2, round(desk.px * 0.91, 2)) == "Amended"
        assert desk.kinds(order) == ["Accepted", "Amended"]
        [there] = desk.venue.exchange.open.values()
        assert str(there.order_id) == desk.broker.tracker.by_order[order.order_id].venue_id
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Cancelled"]


@pytest.mark.parametrize("way", WAYS)
async def test_an_order_is_not_dead_while_the_new_one_is_not_shown_yet(way: str) -> None:
    """The answer is lost, the stream is mute, and the venue's copies show the old order alone for a while."""
    async with trading(orders=way) as desk:
        order = desk.away(0.9, qty=1)
        await desk.submit(order)
        broker, client = desk.broker, desk.broker.client
        tracked = broker.tracker.by_order[order.order_id]
        desk.fault("mute", "stream:ws_api:executionReport")
        desk.fault("status", REPLACE[way], status=503, handled=True, count=1)
        changed_to, asked = broker._changed_to, client.order

        async def not_known_yet(tracked: Tracked, wanted: Amend) -> bool | None:
            return None

        async def lagging(symbol: str, client_id: str, **more: Any) -> OrderBody | None:
            return None if client_id.endswith("_2") else await asked(symbol, client_id, **more)

        broker._changed_to = not_known_yet  # type: ignore[method-assign]
        client.order = lagging  # type: ignore[method-assign]
        broker.amend(Amend(order.ts_ns, order.order_id, to_e8(2), order.limit_px_e8, 0))
        await until(lambda: len(desk.venue.exchange.orders) == 2)
        await broker._learn(tracked)
        assert desk.kinds(order) == ["Accepted"]
        broker._changed_to, client.order = changed_to, asked  # type: ignore[method-assign]
        await until(lambda: desk.kinds(order) == ["Accepted", "Amended"])
        await desk.cancel(order)
        assert desk.kinds(order) == ["Accepted", "Amended", "Cancelled"]
