"""The emulated Binance over HTTP: what is signed, what is refused and how, shapes of answers, allowances."""

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.testbed.binance_caller import Spot
from workbench.testbed import emulated


@pytest.fixture
async def spot() -> AsyncIterator[Spot]:
    async with emulated("binance", speed=0) as venue, aiohttp.ClientSession() as session:
        yield Spot(venue, session)


def now_ms() -> int:
    return time.time_ns() // 10**6


# -- signatures --------------------------------------------------------------------------------------------------
ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01"


@pytest.mark.parametrize("form", ["query", "body", "both"])
async def test_parameters_come_in_query_or_form_or_both(spot: Spot, form: str) -> None:
    """What is signed is the query and right behind it the form, in the order they were sent."""
    priced = f"price={spot.px(0.9)}&timestamp={now_ms()}"
    query, body = {
        "query": (f"{ORDER}&{priced}", ""),
        "body": ("", f"{ORDER}&{priced}"),
        "both": (ORDER, priced),
    }[form]
    signature = f"&signature={spot.sign(query + body)}"
    query, body = (query, body + signature) if body else (query + signature, body)
    status, answer = await spot.raw("POST", "order", query, body, **{"X-MBX-APIKEY": spot.key})
    assert (status, answer["status"]) == (200, "NEW"), answer


async def test_a_name_in_query_and_form_counts_as_the_query_has_it(spot: Spot) -> None:
    query, body = f"{ORDER}&price={spot.px(0.9)}", f"quantity=0.5&timestamp={now_ms()}"
    body += f"&signature={spot.sign(query + body)}"
    status, answer = await spot.raw("POST", "order", query, body, **{"X-MBX-APIKEY": spot.key})
    assert (status, answer["origQty"]) == (200, "0.01000000")
    twice = f"{ORDER}&quantity=0.02&price={spot.px(0.9)}&timestamp={now_ms()}"
    twice += f"&signature={spot.sign(twice)}"
    status, answer = await spot.raw("POST", "order", twice, **{"X-MBX-APIKEY": spot.key})
    assert (status, answer["code"]) == (400, -1101)


async def test_one_character_changed_is_another_signature(spot: Spot) -> None:
    query = f"{ORDER}&price={spot.px(0.9)}&timestamp={now_ms()}"
    signature = spot.sign(query)
    head = {"X-MBX-APIKEY": spot.key}
    spoiled = query.replace("0.01", "0.02")
    for payload, sent, code in (
        (spoiled, signature, -1022),
        (query, signature[:-1] + ("0" if signature[-1] != "0" else "1"), -1022),
        (query, "", -1102),
    ):
        status, answer = await spot.raw("POST", "order", f"{payload}&signature={sent}", **head)
        assert (status, answer["code"]) == (400, code)
    status, _ = await spot.raw("POST", "order", f"{query}&signature={signature.upper()}", **head)
    assert status == 200  # hex may be written either way
    assert not [o for o in spot.venue.exchange.orders.values() if o.qty_e8 != 1_000_000]


@pytest.mark.parametrize(
    ("key", "code"), [("short", -2014), ("A" * 64, -2015), ("", -2014)], ids=["format", "unknown", "none"]
)
async def test_keys_that_are_none(spot: Spot, key: str, code: int) -> None:
    spot.key = key
    status, answer = await spot("GET", "account")
    assert (status, answer["code"]) == (401, code)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        ({"timestamp": None}, -1102, "'timestamp' was not sent"),
        ({"timestamp": "soon"}, -1102, "'timestamp' was not sent, was empty/null, or malformed"),
        ({"timestamp": 0}, -1021, "outside of the recvWindow"),
        ({"timestamp": -6_000}, -1021, "outside of the recvWindow"),
        ({"timestamp": 9_000}, -1021, "1000ms ahead of the server's time"),
        ({"timestamp": -2_000, "recvWindow": 1_000}, -1021, "outside of the recvWindow"),
        ({"recvWindow": 60_001}, -1131, "recvWindow must be less than 60000"),
    ],
    ids=str,
)
async def test_requests_of_another_time(spot: Spot, params: dict[str, Any], code: int, words: str) -> None:
    given = params.get("timestamp", now_ms())
    if isinstance(given, int) and given and abs(given) < 10_000:
        given += now_ms()
    status, answer = await spot("GET", "account", **{**params, "timestamp": given})
    assert (status, answer["code"]) == (400, code)
    assert words in answer["msg"]


async def test_microseconds_when_they_are_asked_for(spot: Spot) -> None:
    query = f"timestamp={time.time_ns() // 1_000}"
    head = {"X-MBX-APIKEY": spot.key, "X-MBX-TIME-UNIT": "MICROSECOND"}
    status, answer = await spot.raw("GET", "account", f"{query}&signature={spot.sign(query)}", **head)
    assert status == 200
    assert answer["updateTime"] >= 0
    _, told = await spot.raw("GET", "time", **{"X-MBX-TIME-UNIT": "MICROSECOND"})
    assert len(str(told["serverTime"])) == 16
    status, wrong = await spot.raw("GET", "time", **{"X-MBX-TIME-UNIT": "HOUR"})
    assert (status, wrong["code"]) == (400, -1194)


# -- refusals ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"symbol": None}, -1102, "'symbol' was not sent"),
        ({"symbol": "NOPEUSDT"}, -1121, "Invalid symbol."),
        ({"symbol": "BTC/USDT"}, -1100, "Illegal characters found in parameter 'symbol'"),
        ({"side": "HOLD"}, -1117, "Invalid side."),
        ({"type": "MAGIC"}, -1116, "Invalid orderType."),
        ({"timeInForce": "DAY"}, -1115, "Invalid timeInForce."),
        ({"timeInForce": None}, -1102, "'timeInForce' was not sent"),
        ({"quantity": None}, -1102, "'quantity' was not sent"),
        ({"quantity": "many"}, -1100, "'quantity'"),
        ({"quantity": "-1"}, -1100, "'quantity'"),
        ({"quantity": "0.0000000001"}, -1111, "too much precision"),
        ({"price": None}, -1102, "'price' was not sent"),
        ({"price": "1e5"}, -1100, "'price'"),
        ({"type": "MARKET", "timeInForce": None}, -1106, "'price' sent when not required"),
        ({"stopPrice": "1"}, -1106, "'stopPrice' sent when not required"),
        ({"type": "STOP_LOSS", "price": None, "timeInForce": None}, -1102, "'stopPrice' or 'trailingDelta'"),
        ({"nonsense": "1"}, -1104, "Not all sent parameters were read"),
        ({"newClientOrderId": "not good"}, -1100, "'newClientOrderId'"),
        ({"newClientOrderId": "x" * 37}, -1100, "'newClientOrderId'"),
        ({"strategyType": 5}, -1134, "less than 1000000"),
        ({"quantity": "0.0100001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "0.00001"}, -1013, "Filter failure: NOTIONAL"),
        ({"price": "100.001"}, -1013, "Filter failure: PRICE_FILTER"),
        ({"price": "100"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        ({"icebergQty": "0.0005"}, -1013, "Filter failure: ICEBERG_PARTS"),
        ({"side": "SELL", "price": "70000"}, -2010, "insufficient balance"),
        ({"quantity": "190"}, -2010, "insufficient balance"),
    ],
    ids=str,
)
async def test_orders_that_are_none(spot: Spot, changed: dict[str, Any], code: int, words: str) -> None:
    for path in ("order", "order/test"):
        if path == "order/test" and code == -2010:
            continue  # what the account can pay is the matching engine's matter
        usual = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
        }
        status, answer = await spot("POST", path, **{**usual, "price": spot.px(0.9), **changed})
        assert (status, answer["code"]) == (400, code), answer
        assert words in answer["msg"]
    assert not spot.venue.exchange.orders


# -- answers -----------------------------------------------------------------------------------------------------
async def test_an_answer_says_as_much_as_was_asked_for(spot: Spot) -> None:
    _, full = await spot.order()
    assert {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "origQty", "executedQty",
            "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime", "fills",
            "selfTradePreventionMode"} <= full.keys()  # fmt: skip
    _, ack = await spot.order(newOrderRespType="ACK")
    assert ack.keys() == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    _, result = await spot.order(newOrderRespType="RESULT")
    assert "fills" not in result
    stop = {"type": "STOP_LOSS", "price": None, "timeInForce": None, "stopPrice": spot.px(1.1)}
    _, usual = await spot.order(**stop)
    assert usual.keys() == ack.keys()
    _, market = await spot.order(type="MARKET", price=None, timeInForce=None)
    assert market["status"] == "FILLED"
    assert sum(float(fill["qty"]) for fill in market["fills"]) == 0.01
    assert {"price", "qty", "commission", "commissionAsset", "tradeId"} <= market["fills"][0].keys()
    _, trades = await spot("GET", "myTrades", symbol="BTCUSDT", orderId=market["orderId"])
    assert [t["id"] for t in trades] == [fill["tradeId"] for fill in market["fills"]]


async def test_a_cancel_names_both_ids_and_keeps_its_restrictions(spot: Spot) -> None:
    _, made = await spot.order(newClientOrderId="mine-1")
    refused = await spot(
        "DELETE",
        "order",
        symbol="BTCUSDT",
        origClientOrderId="mine-1",
        cancelRestrictions="ONLY_PARTIALLY_FILLED",
    )
    assert (refused[0], refused[1]["code"]) == (400, -2011)
    assert "cancel restrictions" in refused[1]["msg"]
    status, gone = await spot(
        "DELETE", "order", symbol="BTCUSDT", orderId=made["orderId"], newClientOrderId="bye-1"
    )
    assert status == 200
    assert (gone["origClientOrderId"], gone["clientOrderId"], gone["status"]) == (
        "mine-1",
        "bye-1",
        "CANCELED",
    )
    status, again = await spot("DELETE", "order", symbol="BTCUSDT", orderId=made["orderId"])
    assert (status, again) == (400, {"code": -2011, "msg": "Unknown order sent."})
    status, none = await spot("GET", "order", symbol="BTCUSDT", origClientOrderId="never-1")
    assert (status, none) == (400, {"code": -2013, "msg": "Order does not exist."})
    status, empty = await spot("DELETE", "openOrders", symbol="BTCUSDT")
    assert (status, empty["code"]) == (400, -2011)


async def test_an_id_may_be_used_again_when_its_order_has_ended(spot: Spot) -> None:
    await spot.order(newClientOrderId="once")
    status, twice = await spot.order(newClientOrderId="once")
    assert (status, twice) == (400, {"code": -2010, "msg": "Duplicate order sent."})
    await spot("DELETE", "order", symbol="BTCUSDT", origClientOrderId="once")
    status, again = await spot.order(newClientOrderId="once")
    assert (status, again["status"]) == (200, "NEW")


@pytest.mark.parametrize(
    ("mode", "old", "price", "status", "code", "results"),
    [
        ("STOP_ON_FAILURE", True, 0.91, 200, 0, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", False, 0.91, 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("STOP_ON_FAILURE", True, 0.01, 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", False, 0.91, 409, -2021, ("FAILURE", "SUCCESS")),
        ("ALLOW_FAILURE", False, 0.01, 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
async def test_cancel_and_replace_says_what_became_of_each(
    spot: Spot, mode: str, old: bool, price: float, status: int, code: int, results: tuple[str, str]
) -> None:
    _, made = await spot.order()
    number = made["orderId"] if old else 999
    params: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
    }
    params |= {"price": spot.px(price), "cancelReplaceMode": mode, "cancelOrderId": number}
    found, answer = await spot("POST", "order/cancelReplace", **params)
    assert found == status
    assert answer.get("code", 0) == code
    both = answer["data"] if code else answer
    assert (both["cancelResult"], both["newOrderResult"]) == results


async def test_an_order_made_smaller_keeps_its_number(spot: Spot) -> None:
    _, made = await spot.order(quantity="1")
    path = "order/amend/keepPriority"
    for wrong in ("1", "2"):
        status, answer = await spot("PUT", path, symbol="BTCUSDT", orderId=made["orderId"], newQty=wrong)
        assert (status, answer["code"]) == (400, -2038)
    status, answer = await spot("PUT", path, symbol="BTCUSDT", orderId=made["orderId"], newQty="0.4")
    assert (status, answer["amendedOrder"]["orderId"]) == (200, made["orderId"])
    assert answer["amendedOrder"]["qty"] == "0.40000000"
    _, history = await spot("GET", "order/amendments", symbol="BTCUSDT", orderId=made["orderId"])
    assert [(row["origQty"], row["newQty"]) for row in history] == [("1.00000000", "0.40000000")]


# -- allowances --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo", 20),
        ("depth?symbol=BTCUSDT", 5),
        ("depth?symbol=BTCUSDT&limit=500", 25),
        ("depth?symbol=BTCUSDT&limit=1000", 50),
        ("depth?symbol=BTCUSDT&limit=5000", 250),
        ("trades?symbol=BTCUSDT", 25),
        ("aggTrades?symbol=BTCUSDT", 4),
        ("klines?symbol=BTCUSDT&interval=1m", 2),
        ("avgPrice?symbol=BTCUSDT", 2),
        ("ticker/24hr?symbol=BTCUSDT", 2),
        ("ticker/24hr", 80),
        ("ticker/price?symbol=BTCUSDT", 2),
        ("ticker/price", 4),
        ("ticker/bookTicker", 4),
        (f"ticker?symbols={quote('["BTCUSDT","ETHUSDT"]')}", 8),
    ],
)
async def test_what_a_question_weighs(spot: Spot, path: str, weight: int) -> None:
    name, _, query = path.partition("?")
    status, _ = await spot.raw("GET", name, query)
    assert status == 200
    assert spot.answered["X-MBX-USED-WEIGHT-1M"] == spot.answered["X-MBX-USED-WEIGHT"] == str(weight)


async def test_orders_are_counted_until_they_fill(spot: Spot) -> None:
    spot.fresh(10)
    for expected in ("1", "2"):
        await spot.order()
        assert spot.answered["X-MBX-ORDER-COUNT-10S"] == spot.answered["X-MBX-ORDER-COUNT-1D"] == expected
    await spot.order(type="MARKET", price=None, timeInForce=None)
    _, counts = await spot("GET", "rateLimit/order")
    assert [(row["interval"], row["count"]) for row in counts] == [("SECOND", 2), ("DAY", 2)]


async def test_who_goes_on_after_a_429_is_banned() -> None:
    options = {"weight-1m": "100"}
    async with emulated("binance", speed=0, options=options) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        spot.fresh(60)
        answers = [await spot.raw("GET", "exchangeInfo") for _ in range(5)]
        assert [status for status, _ in answers] == [200] * 5
        status, body = await spot.raw("GET", "exchangeInfo")
        assert (status, body["code"]) == (429, -1003)
        assert 1 <= int(spot.answered["Retry-After"]) <= 60
        for _ in range(300):
            status, body = await spot.raw("GET", "ping")
            if status == 418:
                break
        assert (status, body["code"]) == (418, -1003)
        assert "IP banned until" in body["msg"]
        assert 60 < int(spot.answered["Retry-After"]) <= 120


async def test_too_many_orders_without_a_fill() -> None:
    options = {"orders-10s": "2"}
    async with emulated("binance", speed=0, options=options) as venue, aiohttp.ClientSession() as session:
        spot = Spot(venue, session)
        spot.fresh(10)
        for _ in range(2):
            assert (await spot.order())[0] == 200
        status, body = await spot.order()
        assert (status, body["code"]) == (429, -1015)
        assert body["msg"] == "Too many new orders; current limit is 2 orders per 10 SECOND."
        assert 1 <= int(spot.answered["Retry-After"]) <= 10
        assert (await spot("GET", "openOrders", symbol="BTCUSDT"))[0] == 200
