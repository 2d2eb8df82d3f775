"""The emulated Alpaca's order rules: every refusal with status, code and the words clients match on."""

import asyncio
from typing import Any

import pytest

from tests.testbed.test_server import called

FAR = "1.00"
LIMIT: dict[str, Any] = {"type": "limit", "limit_price": FAR}
EXITS: dict[str, Any] = {"take_profit": {"limit_price": "900"}, "stop_loss": {"stop_price": "100"}}


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"symbol": "ZZZZ"}, 422, 42210000, 'asset "ZZZZ" not found'),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": "5"}, 422, 40010001, "only one of qty or notional is accepted"),
        ({"qty": "0"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "many"}, 422, 40010001, "invalid qty"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty"),
        ({"side": "hold"}, 422, 42210000, "invalid side"),
        ({"type": "magic"}, 422, 40010001, "invalid order type"),
        ({"time_in_force": "never"}, 422, 42210000, "invalid time_in_force"),
        ({"limit_price": "1"}, 422, 40010001, "market orders require no stop or limit price"),
        ({"type": "limit"}, 422, 40010001, "limit orders require limit price"),
        ({"type": "stop"}, 422, 40010001, "stop orders require stop price"),
        ({"type": "stop_limit", "stop_price": "9"}, 422, 40010001, "require limit price"),
        ({"type": "limit", "limit_price": "0"}, 422, 40010001, "limit price must be > 0"),
        ({"type": "limit", "limit_price": "100.123"}, 422, 42210000, "sub-penny"),
        ({"type": "limit", "limit_price": "0.12345"}, 422, 42210000, "sub-penny"),
        ({"type": "stop", "stop_price": "100.001"}, 422, 42210000, "invalid stop_price 100.001. sub-penny"),
        ({"type": "stop", "stop_price": "1"}, 422, 42210000, "stop price must be greater than current price"),
        ({"type": "trailing_stop"}, 422, 40010001, "trail_price or trail_percent"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.5", "type": "trailing_stop", "trail_percent": "1"}, 422, 42210000, "stop_limit orders"),
        (
            {"qty": "0.5", "order_class": "bracket", **EXITS},
            422,
            42210000,
            "fractional orders must be simple",
        ),
        ({"side": "sell", "qty": "0.5"}, 422, 42210000, "cannot be sold short"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY limit orders"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "no more than 128"),
        (
            {"order_class": "bracket", "take_profit": {"limit_price": "900"}},
            422,
            42210000,
            "require take_profit",
        ),
        (
            {
                "order_class": "bracket",
                "take_profit": {"limit_price": "90"},
                "stop_loss": {"stop_price": "100"},
            },
            422,
            42210000,
            "must be greater than stop_loss",
        ),
        ({"order_class": "oto", **EXITS}, 422, 42210000, "oto orders require"),
        ({"order_class": "odd"}, 422, 40010001, "invalid order_class"),
        ({"qty": "10000000"}, 403, 40310000, "insufficient buying power"),
        ({"side": "sell", "qty": "10000000"}, 403, 40310000, "insufficient buying power"),
        ({"symbol": "BTC/USD"}, 422, 42210000, "invalid crypto time_in_force"),
        (
            {"symbol": "BTC/USD", "type": "stop", "stop_price": "9"},
            422,
            40010001,
            "invalid order type for crypto",
        ),
        (
            {"symbol": "BTC/USD", "time_in_force": "gtc", "qty": "0.00001"},
            403,
            40310000,
            "minimal amount of order 10",
        ),
        (
            {"symbol": "BTC/USD", "time_in_force": "gtc", "qty": "9000"},
            403,
            40310000,
            "insufficient balance for USD",
        ),
        (
            {"symbol": "BTC/USD", "time_in_force": "gtc", "side": "sell"},
            403,
            40310000,
            "insufficient balance for BTC (requested: 1, available: 0)",
        ),
    ],
)
async def test_refusals(body: dict[str, Any], status: int, code: int, words: str) -> None:
    async with called() as call:
        got, answer = await call.order(**body)
        assert (got, answer["code"]) == (status, code)
        assert words in answer["message"]
        assert call.venue.exchange.orders == {}


async def test_figures_that_refusals_carry() -> None:
    async with called() as call:
        _, answer = await call.order(qty="10000000")
        assert float(answer["cost_basis"]) > float(answer["buying_power"]) > 0
        await call.order(qty="20")
        await call.order(side="sell", qty="15", time_in_force="gtc", **{**LIMIT, "limit_price": "900"})
        _, answer = await call.order(side="sell", qty="6")
        assert answer["message"] == "insufficient qty available for order (requested: 6, available: 5)"
        assert (answer["existing_qty"], answer["held_for_orders"], answer["available"]) == ("20", "15", "5")
        assert answer["symbol"] == "AAPL"


async def test_a_body_that_is_no_order() -> None:
    async with called() as call:
        bodies: list[Any] = [[], "order", 7]
        for body in bodies:
            status, answer = await call("POST", "/v2/orders", body)
            assert (status, answer["code"]) == (400, 40010000)


async def test_a_client_id_is_used_once_for_ever() -> None:
    async with called() as call:
        await call.order(client_order_id="one")
        await call("GET", "/v2/account")
        status, answer = await call.order(client_order_id="one")
        assert (status, answer["code"], answer["message"]) == (
            422,
            40010001,
            "client_order_id must be unique",
        )


@pytest.mark.parametrize(
    ("resting", "arriving", "refused"),
    [
        ({"type": "limit", "limit_price": "100"}, {"type": "limit", "limit_price": "300"}, False),
        ({"type": "limit", "limit_price": "100"}, {"type": "limit", "limit_price": "99"}, True),
        ({"type": "limit", "limit_price": "100"}, {"type": "market"}, True),
        ({"type": "limit", "limit_price": "100"}, {"type": "stop", "stop_price": "50"}, True),
        ({"type": "limit", "limit_price": "100"}, {"type": "trailing_stop", "trail_percent": "3"}, False),
        ({"type": "trailing_stop", "trail_percent": "3"}, {"type": "market"}, False),
        ({"type": "stop", "stop_price": "900"}, {"type": "limit", "limit_price": "950"}, True),
    ],
)
async def test_wash_trades(resting: dict[str, str], arriving: dict[str, str], refused: bool) -> None:
    async with called() as call:
        _, order = await call.order(time_in_force="gtc", **resting)
        await call("GET", "/v2/account")
        status, answer = await call.order(side="sell", time_in_force="gtc", **arriving)
        assert (status == 403) == refused
        if refused:
            assert answer["message"] == "potential wash trade detected. use complex orders"
            assert answer["existing_order_id"] == order["id"]


async def test_replacing() -> None:
    async with called() as call:
        _, old = await call.order(time_in_force="gtc", qty="5", **LIMIT)
        status, new = await call("PATCH", f"/v2/orders/{old['id']}", {"qty": "7", "limit_price": "2.00"})
        assert (status, new["replaces"], new["qty"], new["limit_price"]) == (200, old["id"], "7", "2")
        for body, words in (
            ({"limit_price": "2.001"}, "sub-penny"),
            ({"qty": "0"}, "qty must be > 0"),
            ({"stop_price": "3"}, "stop_price cannot be changed"),
            ({"time_in_force": "never"}, "invalid time_in_force"),
            ({"qty": "10000000000"}, "insufficient buying power"),
        ):
            status, answer = await call("PATCH", f"/v2/orders/{new['id']}", body)
            assert status in (403, 422)
            assert words in answer["message"]
        status, answer = await call("PATCH", f"/v2/orders/{old['id']}", {"qty": "8"})
        assert (status, answer["message"]) == (422, "cannot replace order in replaced status")
        status, _ = await call("PATCH", "/v2/orders/nobody", {"qty": "8"})
        assert status == 404


async def test_replacing_what_is_partly_filled() -> None:
    async with called() as call:
        ask = call.venue.exchange.market.board("AAPL").quote.ask
        _, old = await call.order(qty="50000", time_in_force="gtc", type="limit", limit_price=f"{ask:.2f}")
        _, seen = await call("GET", f"/v2/orders/{old['id']}")
        assert seen["status"] == "partially_filled"
        filled = float(seen["filled_qty"])
        status, answer = await call("PATCH", f"/v2/orders/{old['id']}", {"qty": "1"})
        assert (status, answer["message"]) == (422, "qty must be > filled_qty")
        _, new = await call("PATCH", f"/v2/orders/{old['id']}", {"qty": "40000"})
        _, now = await call("GET", f"/v2/orders/{new['id']}")
        assert filled < float(now["filled_qty"]) < 40_000  # it goes on from there, at the levels it meets


async def test_cancelling() -> None:
    async with called() as call:
        _, done = await call.order()
        status, answer = await call("DELETE", f"/v2/orders/{done['id']}")
        assert (status, answer["code"], answer["message"]) == (
            422,
            42210000,
            'order is already in "filled" state',
        )
        _, open_order = await call.order(time_in_force="gtc", **LIMIT)
        assert (await call("DELETE", f"/v2/orders/{open_order['id']}")) == (204, None)
        assert (await call("GET", f"/v2/orders/{open_order['id']}"))[1]["status"] == "canceled"
        assert (await call("DELETE", "/v2/orders/none"))[0] == 404
        for _ in range(3):
            await call.order(time_in_force="gtc", **LIMIT)
        status, answers = await call("DELETE", "/v2/orders")
        assert (status, {a["status"] for a in answers}, len(answers)) == (207, {200}, 3)
        assert (await call("GET", "/v2/orders"))[1] == []


async def test_lists() -> None:
    async with called() as call:
        ids = [(await call.order(time_in_force="gtc", **LIMIT))[1]["id"] for _ in range(4)]
        await call.order(symbol="BTC/USD", time_in_force="gtc", qty="0.1")

        async def listed(query: str) -> list[str]:
            _, orders = await call("GET", f"/v2/orders?{query}")
            return [order["id"] for order in orders]

        assert await listed("status=open") == ids[::-1]
        assert await listed("status=open&direction=asc&limit=2") == ids[:2]
        assert len(await listed("status=all")) == 5
        assert len(await listed("status=closed")) == len(await listed("status=closed&symbols=BTC/USD")) == 1
        assert await listed("status=all&symbols=AAPL,SPY&side=sell") == []
        _, third = await call("GET", f"/v2/orders/{ids[2]}")
        assert await listed(f"after={third['created_at']}&direction=asc") == ids[3:]
        assert await listed(f"until={third['created_at']}&direction=asc") == ids[:2]
        for query in ("status=odd", "limit=501", "limit=x", "after=soon"):
            assert (await call("GET", f"/v2/orders?{query}"))[0] == 422


async def test_a_pair_and_its_stop() -> None:
    async with called() as call:
        await call.order(qty="10")
        _, pair = await call.order(
            side="sell",
            qty="10",
            time_in_force="gtc",
            order_class="oco",
            **{**LIMIT, "limit_price": "900"},
            **EXITS,
        )
        assert [leg["type"] for leg in pair["legs"]] == ["stop"]
        _, nested = await call("GET", "/v2/orders?nested=true")
        assert [len(order["legs"]) for order in nested] == [1]
        call.venue.console.move("AAPL", 99.0)
        _, stop = await call("GET", f"/v2/orders/{pair['legs'][0]['id']}")
        _, limit = await call("GET", f"/v2/orders/{pair['id']}")
        assert (stop["status"], limit["status"]) == ("filled", "canceled")
        assert (await call("GET", "/v2/positions"))[1] == []


async def test_cancelling_all_takes_both_of_a_pair_and_refuses_none() -> None:
    async with called() as call:
        await call.order(qty="10")
        pair = {"side": "sell", "type": "limit", "qty": "10", "time_in_force": "gtc", "order_class": "oco"}
        await call.order(**pair, **EXITS)
        told: list[str] = []
        call.venue.exchange.sinks.append(lambda event: told.append(event.kind))
        status, asked = await call("DELETE", "/v2/orders")
        assert (status, [row["status"] for row in asked]) == (207, [200, 200])
        call.venue.exchange.settle()
        assert told == ["cancelled", "cancelled"]


async def test_a_pair_has_its_limit_in_take_profit_alone() -> None:
    """As Alpaca documents it: a limit order of the class, no price beside the exits."""
    async with called() as call:
        await call.order(qty="10")
        pair = {"side": "sell", "type": "limit", "qty": "10", "time_in_force": "gtc", "order_class": "oco"}
        status, taken = await call.order(**pair, **EXITS)
        assert (status, taken["limit_price"]) == (200, EXITS["take_profit"]["limit_price"])
        assert [leg["type"] for leg in taken["legs"]] == ["stop"]
        assert (await call("DELETE", "/v2/orders"))[0] == 207
        for exits in ({}, {"stop_loss": EXITS["stop_loss"]}, {**EXITS, "take_profit": "900"}):
            assert (await call.order(**pair, **exits))[0] == 422


async def test_every_order_says_what_it_means_for_the_position() -> None:
    async with called() as call:

        async def intent(**body: Any) -> str:
            status, order = await call.order(**body)
            assert status == 200, order
            await call("GET", f"/v2/orders/{order['id']}")
            return str(order["position_intent"])

        assert await intent(qty="3") == "buy_to_open"
        assert await intent(qty="2") == "buy_to_open"
        assert await intent(qty="5", side="sell") == "sell_to_close"
        assert await intent(qty="2", side="sell") == "sell_to_open"
        assert await intent(qty="2") == "buy_to_close"
        assert await intent(qty="2", position_intent="buy_to_open") == "buy_to_open"
        _, closing = await call("DELETE", "/v2/positions/AAPL")
        assert closing["position_intent"] == "sell_to_close"
        _, entry = await call.order(order_class="bracket", **EXITS)
        told = [entry["position_intent"], *(leg["position_intent"] for leg in entry["legs"])]
        assert told == ["buy_to_open", "sell_to_close", "sell_to_close"]


async def test_an_entry_with_one_exit() -> None:
    async with called() as call:
        _, entry = await call.order(order_class="oto", qty="4", stop_loss={"stop_price": "100"})
        _, legs = await call("GET", f"/v2/orders/{entry['id']}?nested=true")
        assert [(leg["type"], leg["status"]) for leg in legs["legs"]] == [("stop", "new")]
        call.venue.console.move("AAPL", 99.0)
        assert (await call("GET", "/v2/positions"))[1] == []


async def test_a_closed_market_takes_orders_for_the_next_session() -> None:
    async with called() as call:
        call.venue.console.hours(False)
        _, clock = await call("GET", "/v2/clock")
        assert not clock["is_open"]
        _, order = await call.order()
        assert (await call("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "accepted"
        status, answer = await call("PATCH", f"/v2/orders/{order['id']}", {"qty": "2"})
        assert (status, answer["message"]) == (422, "cannot replace order in accepted status")
        call.venue.console.hours(None)
        assert (await call("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "filled"


async def test_orders_can_be_switched_off() -> None:
    async with called() as call:
        await call("PATCH", "/v2/account/configurations", {"suspend_trade": True})
        status, answer = await call.order()
        assert (status, answer["message"]) == (403, "new orders are rejected by user request")


async def test_orders_at_the_same_time_are_not_in_each_others_way() -> None:
    async with called(limits=False) as call:
        sides = ["buy", "sell"] * 40
        answers = await asyncio.gather(*(call.order(side=side) for side in sides))
        assert {status for status, _ in answers} == {200}
        assert (await call("GET", "/v2/positions"))[1] == []
