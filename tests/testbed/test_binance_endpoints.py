"""The emulated Binance at its edges: older paths, what is gone, rolling windows, words that are no requests."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from workbench.testbed import Emulator, emulated

PAGE = b"<html>\r\n<head><title>410 Gone</title></head>"


@asynccontextmanager
async def spot() -> AsyncIterator[tuple[Emulator, aiohttp.ClientSession]]:
    async with emulated("binance", speed=0.0) as venue, aiohttp.ClientSession() as session:
        yield venue, session


async def signed(venue: Emulator, session: aiohttp.ClientSession, verb: str, path: str, **said: Any) -> Any:
    query = urlencode({**said, "timestamp": round(time.time() * 1_000)})
    mark = hmac.new(venue.facts["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    whole = path if path.startswith("/") else f"/api/v3/{path}"
    url = f"{venue.facts['rest']}{whole}?{query}&signature={mark}"
    async with session.request(verb, url, headers={"X-MBX-APIKEY": venue.facts["key"]}) as answer:
        return answer.status, await answer.json()


async def test_older_paths_of_market_data() -> None:
    async with spot() as (venue, session):
        for path in ("ping", "depth?symbol=BTCUSDT&limit=5", "klines?symbol=BTCUSDT&interval=1h&limit=2"):
            bodies = []
            for version in ("v1", "v3"):
                async with session.get(f"{venue.facts['rest']}/api/{version}/{path}") as answer:
                    assert answer.status == 200
                    bodies.append(await answer.json())
            assert bodies[0] == bodies[1]


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
async def test_listen_keys_are_gone(verb: str) -> None:
    async with (
        spot() as (venue, session),
        session.request(verb, f"{venue.facts['rest']}/api/v3/userDataStream") as answer,
    ):
        assert (answer.status, answer.content_type) == (410, "text/html")
        assert (await answer.read()).startswith(PAGE)


async def test_orders_nobody_takes_here() -> None:
    async with spot() as (venue, session):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        status, body = await signed(venue, session, "POST", "sor/order", **order)
        assert (status, body["code"]) == (400, -1020)
        status, body = await signed(venue, session, "POST", "sor/order", **{**order, "symbol": "NOPE"})
        assert (status, body["code"]) == (400, -1121)


async def test_tickers_of_rolling_windows() -> None:
    async with spot() as (venue, session):
        url = f"{venue.facts['ws']}/stream?streams=btcusdt@ticker_1h/!ticker_4h@arr/!miniTicker@arr@1000ms"
        async with session.ws_connect(url) as socket, asyncio.timeout(30):
            told: dict[str, Any] = {}
            while len(told) < 3:
                message = await socket.receive_json()
                told[message["stream"]] = message["data"]
        one = told["btcusdt@ticker_1h"]
        assert set(one) == set("eEspPohlcwvqOCFLn")
        assert (one["e"], one["C"] - one["O"]) == ("1hTicker", 3_600_000)
        assert {row["s"] for row in told["!ticker_4h@arr"]} == {"BTCUSDT", "ETHUSDT"}
        assert {row["e"] for row in told["!ticker_4h@arr"]} == {"4hTicker"}
        assert {row["e"] for row in told["!miniTicker@arr@1000ms"]} == {"24hrMiniTicker"}


async def test_a_stream_outlives_words_that_are_no_requests() -> None:
    async with spot() as (venue, session), session.ws_connect(f"{venue.facts['ws']}/ws") as socket:
        for said in (
            {"method": "SET_PROPERTY", "params": ["combined"], "id": 1},
            {"method": "SET_PROPERTY", "params": {"combined": True}, "id": 2},
            {"method": ["SUBSCRIBE"], "params": [], "id": 3},
            {"method": "SUBSCRIBE", "params": [{}], "id": 4},
        ):
            await socket.send_json(said)
            answer = await socket.receive_json()
            assert (answer["id"], "error" in answer) == (said["id"], True)
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 5})
        assert await socket.receive_json() == {"result": [], "id": 5}


async def test_what_clients_ask_the_wallet_before_they_begin() -> None:
    async with emulated("binance", speed=0.0, fee_rate=0.001) as venue, aiohttp.ClientSession() as session:
        url = f"{venue.facts['rest']}/sapi/v1/system/status"
        async with session.get(url) as answer:
            assert await answer.json() == {"status": 0, "msg": "normal"}
        _, fees = await signed(venue, session, "GET", "/sapi/v1/asset/tradeFee", symbol="BTCUSDT")
        assert fees == [
            {"symbol": "BTCUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00100000"}
        ]
        _, coins = await signed(venue, session, "GET", "/sapi/v1/capital/config/getall")
        assert {coin["coin"]: coin["free"] for coin in coins}["USDT"] == "10000000.00000000"
        _, held = await signed(venue, session, "POST", "/sapi/v3/asset/getUserAsset")
        assert [row["asset"] for row in held] == ["USDT"]
        _, rights = await signed(venue, session, "GET", "/sapi/v1/account/apiRestrictions")
        assert rights["enableSpotAndMarginTrading"]
        assert not rights["enableWithdrawals"]
        status, refused = await signed(venue, session, "GET", "/sapi/v1/asset/tradeFee", symbol="NOPE")
        assert (status, refused["code"]) == (400, -1121)
        async with session.get(f"{venue.facts['rest']}/sapi/v1/capital/config/getall") as answer:
            assert answer.status == 401
