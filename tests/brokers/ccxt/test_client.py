"""Asking and sending one by one: what counts against the venue, pages of lists, what never left."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSMessage, WSMsgType

from tests.brokers.ccxt.desk import POST, Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ccxt.library import library
from workbench.brokers.ccxt.pages import every_page
from workbench.errors import KeysRefused, OutcomeUnknown, RateLimited, VenueDown, VenueRefused


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with trading() as made:
        yield made


def paged(rows: list[dict[str, Any]], limit: int, *, newest: bool) -> Any:
    """A list as an exchange gives it: `limit` rows at most from `since` to `until`, the oldest or the newest."""

    async def call(symbol: str, since: int, asked: int, params: dict[str, Any]) -> list[dict[str, Any]]:
        until_ms = params.get("until") or 10**15
        chosen = sorted(
            (row for row in rows if since <= row["timestamp"] <= until_ms), key=lambda row: row["timestamp"]
        )
        return chosen[-limit:] if newest else chosen[:limit]

    return call


@pytest.mark.parametrize("newest", [False, True])
async def test_every_page_of_a_list_is_read_whichever_end_comes_first(desk: Desk, newest: bool) -> None:
    client = desk.broker.client
    rows = [{"id": str(n), "timestamp": 1_000 + n} for n in range(23)]
    client.exchange.feature_value_by_type = lambda *asked: 5
    found = await every_page(client, "fetchMyTrades", paged(rows, 5, newest=newest), "BTC/USD", 900, 3)
    assert found == rows


async def test_a_connection_that_was_given_up_tells_no_more(desk: Desk) -> None:
    """What it has received is still handed on until it is closed."""
    heard: list[Any] = []
    link = desk.broker.client.exchange.client("ws://127.0.0.1:9/stream")
    link.on_message_callback = lambda _, message: heard.append(message)
    garbled = desk.broker.client.pool.meters.garbled
    for text in ('{"n": 1}', '{"n": ', '{"n": 2}', '{"n": '):
        link.handle_message(WSMessage(WSMsgType.TEXT, text, None))
    assert heard == [{"n": 1}]
    assert desk.broker.client.pool.meters.garbled == garbled + 1


async def test_a_list_that_does_not_end_proves_nothing(desk: Desk) -> None:
    client, said = desk.broker.client, iter(range(10**9))

    async def endless(*asked: Any) -> list[dict[str, Any]]:
        return [{"id": str(n), "timestamp": 1_000 + n} for n in (next(said), next(said))]

    client.exchange.feature_value_by_type = lambda *asked: 2
    with pytest.raises(VenueDown, match="fetchMyTrades of BTC/USD does not end after 100 pages"):
        await every_page(client, "fetchMyTrades", endless, "BTC/USD", 900, 3)


async def test_executions_without_a_number_are_not_taken_for_one(desk: Desk) -> None:
    client = desk.broker.client
    bare: dict[str, Any] = {"id": None, "order": "7", "price": 2.0, "symbol": "BTC/USD", "side": "buy"}
    rows = [{**bare, "timestamp": 1_000 + n, "amount": 0.5} for n in range(3)]
    client.exchange.fetch_my_trades = paged(rows, 50, newest=False)
    assert await client.trades("BTC/USD", 0) == rows
    assert await client.trades_of("7", "BTC/USD", 0) == rows
    assert await client.trades_of("8", "BTC/USD", 0) == []


async def test_what_is_over_is_asked_for_by_what_the_exchange_has(desk: Desk) -> None:
    client, asked = desk.broker.client, list[str]()

    def noted(name: str) -> Any:
        async def call(symbol: str, since: int, limit: int, params: dict[str, Any]) -> list[dict[str, Any]]:
            asked.append(name)
            return [{"id": name, "timestamp": 1}]

        return call

    for name in (
        "fetch_orders",
        "fetch_closed_orders",
        "fetch_canceled_orders",
        "fetch_canceled_and_closed_orders",
    ):
        setattr(client.exchange, name, noted(name))
    for has, expected in (
        ({"fetchOrders": True}, ["fetch_orders"]),
        ({"fetchCanceledAndClosedOrders": True}, ["fetch_canceled_and_closed_orders"]),
        (
            {"fetchClosedOrders": True, "fetchCanceledOrders": True},
            ["fetch_closed_orders", "fetch_canceled_orders"],
        ),
        ({"fetchClosedOrders": True}, ["fetch_closed_orders"]),
    ):
        asked.clear()
        client.has = has
        assert [row["id"] for row in await client.past_orders("BTC/USD", 0)] == expected
        assert asked == expected


async def test_a_refusal_of_ccxts_own_was_not_sent_and_blames_nobody(desk: Desk) -> None:
    """ccxt stumbles before the limiter has let anything pass: that proves that nothing was sent."""

    async def stumbles(*arguments: Any) -> Any:
        raise KeyError("precision")

    desk.broker.client.exchange.create_order = stumbles
    order = desk.order()
    await desk.submit(order)
    [answer] = desk.of(order)
    assert (type(answer).__name__, answer.code) == ("Rejected", "CCXT")  # type: ignore[union-attr]
    assert desk.broker.pool.breakers["orders"].state == "closed"
    assert desk.broker.pool.snapshot().lost == 0


async def test_client_ids_used_before_do_not_open_the_breaker(desk: Desk) -> None:
    """The venue answers, and well: it must not be left alone for that."""
    client = desk.broker.client

    async def used() -> Any:
        await client.gate(1.0)
        client.answered(422, {})
        raise library().InvalidOrder("client_order_id must be unique")

    for _ in range(6):
        with pytest.raises(OutcomeUnknown, match="the client id was used before"):
            await client.send("order", used)
    assert desk.broker.pool.breakers["orders"].state == "closed"


async def test_a_pause_the_exchange_asks_for_is_kept(desk: Desk) -> None:
    desk.fault("status", POST["alpaca"], count=1, status=429, headers={"Retry-After": "60"})
    clock = desk.broker.pool.limiter.clock
    begun_s = clock()
    await desk.submit(desk.order())
    assert begun_s + 60 <= desk.broker.pool.limiter.budgets["requests"].blocked_until_s <= clock() + 60
    client = desk.broker.client
    with pytest.raises(RateLimited) as caught:
        await client._once(_call(), _refused, "questions")
    assert caught.value.retry_after_s == 1.0  # none was said


def _call() -> Any:
    from workbench.brokers.ccxt.client import Call

    return Call("look", 3, 1.0)


async def _refused() -> Any:
    raise library().RateLimitExceeded("slow down")


async def test_questions_are_asked_again_and_orders_are_not(desk: Desk) -> None:
    client, tries = desk.broker.client, 0

    async def fails() -> Any:
        nonlocal tries
        tries += 1
        await client.gate(1.0)
        raise library().RequestTimeout("no answer")

    with pytest.raises(VenueDown):
        await client.ask("look", fails, tries=3)
    assert tries == 3
    tries = 0
    with pytest.raises(OutcomeUnknown):
        await client.send("order", fails)
    assert tries == 1


async def test_a_cancel_that_is_under_way_already_counts_as_asked_for(desk: Desk) -> None:
    async def pending(order_id: str, symbol: str) -> Any:
        raise library().CancelPending("in progress")

    desk.broker.client.exchange.cancel_order = pending
    await desk.broker.client.cancel("1", "BTC/USD")


async def test_a_stream_without_an_address_is_not_waited_for(desk: Desk) -> None:
    """Some test environments of ccxt's have no address of streams."""
    client = desk.broker.client
    assert client.streams("watchOrders")
    assert not client.streams("watchMyTradesForAll")
    client.exchange.urls["api"] = {"trader": "https://paper.example"}
    assert not client.streams("watchOrders")


async def test_an_order_whose_answer_says_rejected_is_rejected(desk: Desk) -> None:
    desk.fault("mutate", POST["alpaca"], count=1, set={"status": "rejected"})
    desk.fault("mute", "stream:*")
    order = desk.away()
    await desk.submit(order)
    await until(lambda: "Rejected" in desk.kinds(order))


async def test_changing_what_cannot_be_changed_names_the_way_out() -> None:
    async with trading(options={"amend": "never"}) as desk:
        order = desk.away()
        await desk.submit(order)
        await desk.amend(order, 2, 10.0)
        assert desk.kinds(order) == ["Accepted", "AmendRefused"]
        with pytest.raises(VenueRefused, match=r"cannot be changed here .*: cancel it and send another"):
            await desk.broker._change(desk.broker.tracker.by_order[order.order_id], None)  # type: ignore[arg-type]


async def test_who_waited_while_the_keys_were_refused_is_not_sent(desk: Desk) -> None:
    client = desk.broker.client

    async def work() -> Any:
        desk.broker.pool.health.say("unauthorised", "the keys are refused")  # meanwhile
        await client.gate(1.0)
        raise AssertionError("it was sent")

    with pytest.raises(KeysRefused, match="nothing was sent"):
        await client.send("order", work)
    assert client.pool.limiter.budgets["in_flight"].free(0.0) == 64
