"""The emulated Binance over its WebSocket API and market streams: frames, sessions, subscriptions, events."""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from workbench.testbed import Emulator, emulated

PLACE = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
type Sign = Callable[[bytes], str]


class Talk:
    """One connection to the WebSocket API, and what came over it that answers nothing."""

    def __init__(self, venue: Emulator, wire: aiohttp.ClientWebSocketResponse) -> None:
        self.venue, self.wire = venue, wire
        self.events: list[Any] = []
        self.key = venue.facts["key"]
        secret = venue.facts["secret"].encode()
        self.sign: Sign = lambda payload: hmac.digest(secret, payload, hashlib.sha256).hex()
        self._number = 0

    def as_ed25519(self) -> None:
        """Sign with the account's Ed25519 key from now on."""
        private: Any = load_pem_private_key(self.venue.facts["ed25519_private_key"].encode(), None)
        self.key = self.venue.facts["ed25519_key"]
        self.sign = lambda payload: b64encode(private.sign(payload)).decode()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request without a key."""
        self._number += 1
        await self.wire.send_json({"id": self._number, "method": method, "params": params})
        while True:
            said = await self.heard()
            if said.get("id") == self._number:
                return said
            self.events.append(said)

    async def signed(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a request with key, time and signature, sorted by name and not encoded."""
        given = {**params, "apiKey": self.key, "timestamp": time.time_ns() // 10**6}
        payload = "&".join(f"{name}={given[name]}" for name in sorted(given))
        return await self.ask(method, **given, signature=self.sign(payload.encode()))

    async def heard(self) -> dict[str, Any]:
        said: dict[str, Any] = await self.wire.receive_json(timeout=30)
        return said

    async def event(self, kind: str) -> dict[str, Any]:
        """The next event of a kind."""
        while True:
            said = self.events.pop(0) if self.events else await self.heard()
            if said.get("event", {}).get("e") == kind:
                return said


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("binance", speed=0) as made:
        yield made


@pytest.fixture
async def talk(venue: Emulator) -> AsyncIterator[Talk]:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.facts["ws_api"]) as wire:
        yield Talk(venue, wire)


# -- requests ----------------------------------------------------------------------------------------------------
async def test_public_questions_need_no_key_and_tell_what_was_used(talk: Talk) -> None:
    said = await talk.ask("depth", symbol="BTCUSDT", limit=5)
    assert said["status"] == 200
    assert len(said["result"]["bids"]) == len(said["result"]["asks"]) == 5
    [limit] = said["rateLimits"]
    assert (limit["rateLimitType"], limit["limit"]) == ("REQUEST_WEIGHT", 6_000)
    assert "rateLimits" not in await talk.ask("ping", returnRateLimits=False)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", -1135),
        ("[1,2]", -1135),
        ('{"id":1}', -1135),
        ('{"id":1,"method":7}', -1135),
        ('{"id":1,"method":"ping","params":[1]}', -1135),
        ('{"id":"x","method":"order.dance"}', -1000),
        ('{"id":null,"method":"account.status"}', -1102),
        ('{"id":5,"method":"depth","params":{"symbol":"NOPEUSDT"}}', -1121),
        ('{"id":5,"method":"ping","params":{"more":1}}', -1104),
    ],
)
async def test_frames_that_ask_for_nothing(talk: Talk, frame: str, code: int) -> None:
    await talk.wire.send_str(frame)
    said = await talk.heard()
    assert (said["status"], said["error"]["code"]) == (400, code)
    assert (await talk.ask("ping"))["status"] == 200  # the connection is as it was


async def test_orders_with_a_signature_each(talk: Talk) -> None:
    said = await talk.signed("order.place", **PLACE)
    assert (said["status"], said["result"]["status"]) == (200, "FILLED")
    kinds = {(limit["rateLimitType"], limit["interval"]) for limit in said["rateLimits"]}
    assert kinds == {("ORDERS", "SECOND"), ("ORDERS", "DAY"), ("REQUEST_WEIGHT", "MINUTE")}
    talk.sign = lambda payload: "0" * 64
    assert (await talk.signed("order.place", **PLACE))["error"]["code"] == -1022
    assert len(talk.venue.exchange.orders) == 1


async def test_texts_are_signed_as_they_are(talk: Talk) -> None:
    """Not percent-encoded: the server compares the signature before it looks at what is legal."""
    said = await talk.signed("order.place", **{**PLACE, "newClientOrderId": "a b/c"})
    assert (said["status"], said["error"]["code"]) == (400, -1100)


# -- sessions ----------------------------------------------------------------------------------------------------
async def test_an_ed25519_key_logs_on_and_signs_no_more(talk: Talk) -> None:
    refused = await talk.signed("session.logon")
    assert (refused["status"], refused["error"]["code"]) == (400, -4056)
    talk.as_ed25519()
    said = await talk.signed("session.logon")
    assert (said["status"], said["result"]["apiKey"]) == (200, talk.key)
    now = {"timestamp": time.time_ns() // 10**6}
    assert (await talk.ask("order.place", **PLACE, **now))["result"]["status"] == "FILLED"
    assert (await talk.ask("order.place", **PLACE))["error"]["code"] == -1102  # the time is still needed
    assert (await talk.ask("session.status"))["result"]["apiKey"] == talk.key
    assert (await talk.ask("session.logout"))["result"]["apiKey"] is None
    assert (await talk.ask("order.place", **PLACE, **now))["error"]["code"] == -1102


# -- the account's events ----------------------------------------------------------------------------------------
async def test_the_accounts_events_come_in_order(talk: Talk) -> None:
    subscribed = await talk.signed("userDataStream.subscribe.signature")
    number = subscribed["result"]["subscriptionId"]
    await talk.signed("order.place", **PLACE, newClientOrderId="mine-1")
    reports = [await talk.event("executionReport") for _ in range(2)]
    assert [r["event"]["x"] for r in reports] == ["NEW", "TRADE"]
    new, trade = (r["event"] for r in reports)
    assert {r["subscriptionId"] for r in reports} == {number}
    assert (new["c"], new["C"], new["X"], new["t"]) == ("mine-1", "", "NEW", -1)
    assert (trade["X"], trade["l"], trade["z"]) == ("FILLED", "0.01000000", "0.01000000")
    account = await talk.event("outboundAccountPosition")
    held = {row["a"]: row["f"] for row in account["event"]["B"]}
    assert held["BTC"] == "0.01000000"
    talk.venue.venue.transfer("USDT", 5.0)  # type: ignore[attr-defined]
    moved = (await talk.event("balanceUpdate"))["event"]
    assert (moved["a"], float(moved["d"])) == ("USDT", 5.0)
    twice = await talk.signed("userDataStream.subscribe.signature")
    assert twice["error"]["code"] == -2035
    assert (await talk.ask("userDataStream.unsubscribe"))["status"] == 200
    assert (await talk.ask("userDataStream.subscribe"))["error"]["code"] == -2015  # nobody has logged on


async def test_a_cancel_is_told_by_two_ids(talk: Talk) -> None:
    await talk.signed("userDataStream.subscribe.signature")
    px = f"{talk.venue.exchange.market.board('BTCUSDT').last * 0.9:.2f}"
    order = {**PLACE, "type": "LIMIT", "timeInForce": "GTC", "price": px, "newClientOrderId": "mine-1"}
    await talk.signed("order.place", **order)
    await talk.signed("order.cancel", symbol="BTCUSDT", origClientOrderId="mine-1", newClientOrderId="bye-1")
    await talk.event("executionReport")
    gone = (await talk.event("executionReport"))["event"]
    assert (gone["x"], gone["X"], gone["C"], gone["c"]) == ("CANCELED", "CANCELED", "mine-1", "bye-1")


# -- market streams ----------------------------------------------------------------------------------------------
async def test_control_frames_of_the_market_streams(venue: Emulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.facts["ws"] + "/stream") as wire:

        async def said(frame: str) -> Any:
            await wire.send_str(frame)
            return await wire.receive_json(timeout=30)

        names = ["btcusdt@trade", "ethusdt@trade"]
        subscribe = {"method": "SUBSCRIBE", "params": names, "id": 1}
        assert await said(msgspec.json.encode(subscribe).decode()) == {"result": None, "id": 1}
        assert await said('{"method":"LIST_SUBSCRIPTIONS","id":2}') == {"result": names, "id": 2}
        assert await said('{"method":"GET_PROPERTY","params":["combined"],"id":3}') == {
            "result": True,
            "id": 3,
        }
        assert (await said("nonsense"))["error"]["code"] == 3
        venue.exchange.print_at(venue.exchange.market.board("BTCUSDT"), 60_000.0, 0.5)
        told = await wire.receive_json(timeout=30)
        assert told["stream"] == "btcusdt@trade"
        assert told["data"].keys() == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}
        assert (told["data"]["p"], told["data"]["q"]) == ("60000.00000000", "0.50000000")


async def test_more_than_five_frames_a_second_end_the_connection(venue: Emulator) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(venue.facts["ws"] + "/ws") as wire:
        for number in range(12):
            await wire.send_str(f'{{"method":"LIST_SUBSCRIPTIONS","id":{number}}}')
        while True:
            message = await wire.receive(timeout=30)
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
                break
        assert wire.close_code == 1008
