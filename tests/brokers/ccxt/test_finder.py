"""Finding orders where the exchange shows little: behind their executions, by an id it does not repeat at once."""

from typing import Any

import pytest

from tests.brokers.ccxt.desk import POST, Desk, trading
from tests.brokers.pool.wires import until
from workbench.model.reports import Rejected


def hide_from_lists(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a question by our id nor a list shows any order."""

    async def none(*arguments: Any) -> list[Any]:
        return []

    monkeypatch.setattr(desk.broker.finder, "_by_client_id", False)
    for name in ("open_orders", "past_orders"):
        monkeypatch.setattr(desk.broker.client, name, none)


async def test_an_order_no_list_shows_is_found_behind_its_executions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading(options={"events": "stream"}) as desk:
        before = desk.order()  # one that is known: its executions are not taken for the other's
        await desk.submit(before)
        await desk.over(before)
        desk.fault("lost_reply", POST["alpaca"], count=1, seconds=0.02)
        desk.fault("mute", "stream:*")
        hide_from_lists(desk, monkeypatch)
        order = desk.order(qty=2)
        await desk.submit(order)
        await desk.over(order)
        assert desk.kinds(order)[:2] == ["OutcomeLost", "Accepted"]
        assert desk.filled(order) == 2
        assert len(desk.at_venue(order)) == 1


async def test_executions_of_others_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading() as desk:
        hide_from_lists(desk, monkeypatch)
        asked: list[str] = []

        async def trades(symbol: str, since_ms: int, lane: int) -> list[dict[str, Any]]:
            return [{"order": "by-hand", "id": "1"}, {"order": "", "id": "2"}]

        async def order(number: str, symbol: str, lane: int) -> dict[str, Any]:
            asked.append(number)
            return {"id": number, "clientOrderId": None}

        monkeypatch.setattr(desk.broker.client, "trades", trades)
        monkeypatch.setattr(desk.broker.client, "order", order)
        for _ in range(2):
            assert await desk.broker.finder.find("wb-7-99") is None
        assert asked == ["by-hand"]


async def test_an_answer_without_our_id_is_asked_for_it() -> None:
    async with trading() as desk:
        desk.fault("mutate", POST["alpaca"], count=1, unset=["client_order_id"])
        order = desk.away()
        await desk.submit(order)
        await until(lambda: desk.broker._ids_seen)
        assert desk.broker._no_ids == ""


async def test_an_exchange_that_shows_no_ids_at_all_is_not_traded_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trading() as desk:
        plain = desk.broker.client.order

        async def nameless(number: str, symbol: str, lane: int = 0) -> dict[str, Any]:
            return {**await plain(number, symbol, lane), "clientOrderId": None}

        monkeypatch.setattr(desk.broker.client, "order", nameless)
        desk.fault("mutate", POST["alpaca"], count=1, unset=["client_order_id"])
        first = desk.away()
        await desk.submit(first)
        await until(lambda: bool(desk.broker._no_ids))
        second = desk.order()
        await desk.submit(second)
        [answer] = desk.of(second)
        assert isinstance(answer, Rejected)
        assert answer.code == "NO_CLIENT_IDS"
        assert "it shows none" in answer.text
        await desk.cancel(first)
        assert desk.kinds(first)[-1] == "Cancelled"


async def test_executions_told_before_their_orders_answer_are_fetched_after_it() -> None:
    async with trading("binance") as desk:
        executions = desk.broker.executions
        executions.take([{"symbol": "BTC/USDT", "order": "4711", "id": "1"}])
        executions.take([{"symbol": "NOT/OURS", "order": "4712", "id": "2"}])
        assert executions._strangers == {"BTC/USDT"}
        before = desk.broker.pool.snapshot().requests.get("look", 0)
        order = desk.away()
        await desk.submit(order)
        await until(lambda: desk.broker.pool.snapshot().requests.get("look", 0) > before)
        assert executions._strangers == set()


async def test_an_execution_nobody_can_read_is_counted_and_looked_up() -> None:
    async with trading("binance") as desk:
        order = desk.away()
        await desk.submit(order)
        number = desk.broker.tracker.by_order[order.order_id].venue_id
        desk.broker.executions.take([{"symbol": "BTC/USDT", "order": number, "id": "1", "price": None}])
        assert desk.broker.oddities == {"execution": 1}
        assert desk.kinds(order) == ["Accepted"]


@pytest.mark.parametrize("fails", [True, False])
async def test_executions_that_cannot_be_had_now_are_had_later(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trading() as desk:
        order = desk.away(0.999)
        await desk.submit(order)
        what = {"what": "status", "status": 503} if fails else {"what": "invalid_json"}
        broken = desk.fault(where="rest:GET /v2/account/activities*", **what)
        desk.print_at(order.limit_px_e8 / 1e8)
        await until(lambda: desk.broker.pool.snapshot().retried > 0)
        assert desk.filled(order) == 0
        desk.venue.faults.remove(broken)
        for _ in range(3):
            await desk.broker.sweep(settled_s=0.0)
        await desk.over(order)
        assert desk.filled(order) == 1
