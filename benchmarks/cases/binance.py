"""Binance's recordings: what ccxt's callers asked and what went on the wire, answers, and signatures made elsewhere.

Not ours: amounts in the quote asset, trailing limit orders, orders that take a profit by a trigger, the test of an
order and the wallet's own API.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from workbench.brokers.binance.bodies import AccountBody, OrderBody, SymbolBody
from workbench.brokers.binance.client import BinanceDialect
from workbench.brokers.binance.config import Options
from workbench.brokers.binance.feed import BinanceFeed
from workbench.brokers.binance.market import TickerBody, bar_of_row
from workbench.brokers.binance.parse import evidence_of, order_params
from workbench.brokers.binance.rules import Listing, listing_of
from workbench.brokers.binance.signer import Signer, signer_of
from workbench.brokers.binance.sockets import Requests
from workbench.brokers.binance.trading import Trading
from workbench.brokers.pool import Answer, Credentials, decode
from workbench.config import BrokerSettings
from workbench.model import Instrument, Submit, from_e8, to_e8
from workbench.model.orders import BUY, GTC, LIMIT, MARKET, SELL
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.signing import ApiKey, Keyring, check_time, socket_payload, unsigned

NAME = "binance"
SETTINGS = BrokerSettings(venue="binance", credentials="env:X")
ORDER = {"symbol": "X", "orderId": 1, "clientOrderId": "c", "status": "NEW"}
TICKER = {"symbol": "X", "lastPrice": "1"}
KINDS = {"market": MARKET, "limit": LIMIT}
NOT_OURS = {"createMarketOrderWithCost", "createMarketSellOrderWithCost", "fetchTradingFees"}
STATUS = {"open": {2, 3}, "closed": {6}, "canceled": {7}, "rejected": {8}, "expired": {9}}

type Check = Callable[[], None] | None
type Listings = Mapping[str, Listing]


class Wire:
    """Stands where the pool's requests are: notes them, and answers with a body."""

    def __init__(self, body: Any) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._body = json.dumps(body).encode()

    async def ask(self, route: Any, path: str, query: str = "", **_: Any) -> Answer:
        return self._note("GET", path, query)

    async def send(self, method: str, route: Any, path: str, query: str = "", **_: Any) -> Answer:
        return self._note(method, path, query)

    def _note(self, method: str, path: str, query: str) -> Answer:
        self.seen.append((method, path, dict(parse_qsl(query))))
        return Answer(200, {}, self._body, 0, 0)


def id_of(symbol: str) -> str:
    return symbol.replace("/", "")


# -- requests --------------------------------------------------------------------------------------------------------
def submit(listing: Listing, kind: str, side: str, amount: Any, px: Any) -> Submit:
    """What a caller asked for, as our order on the symbol's grid."""

    def on_grid(value: Any, step_e8: int) -> int:
        units = to_e8(f"{value:.8f}")
        return units - units % step_e8

    qty_e8 = on_grid(amount, listing.step_e8)
    limit_e8 = on_grid(px, listing.tick_e8) if KINDS[kind] == LIMIT else 0
    return Submit(1, 1, 7, 1, 0, BUY if side == "buy" else SELL, KINDS[kind], GTC, qty_e8, limit_e8, 0)


def request(case: Mapping[str, Any], listings: Listings) -> None:
    """The request our client makes for what a caller asked."""
    method, given, expect = case["method"], list(case["input"]), case["expect"]
    answers: dict[str, Any] = {
        "createOrder": ORDER,
        "cancelOrder": ORDER,
        "fetchOrder": ORDER,
        "fetchBalance": {"balances": []},
        "fetchOrderBook": {"lastUpdateId": 1, "bids": [], "asks": []},
        "fetchTime": {"serverTime": 1},
        "fetchTicker": TICKER,
    }
    feed = BinanceFeed(SETTINGS, [Instrument(0, "BTCUSDT")])
    wire = Wire(answers.get(method, []))
    client = feed.client
    client.rest = wire  # type: ignore[assignment]
    trading = Trading(client)
    more = given[4] if len(given) > 4 and isinstance(given[4], dict) else {}
    symbols = [id_of(one) for one in given[0]] if method == "fetchTickers" else []
    calls: dict[str, Callable[[], Any]] = {
        "createOrder": lambda: trading.place(
            order_params(submit(listings[id_of(given[0])], *given[1:5]), id_of(given[0]))
        ),
        "cancelOrder": lambda: trading.cancel(id_of(given[1]), given[0]),
        "fetchBalance": lambda: client.account(),
        "fetchOrder": lambda: client.order_by_id(id_of(given[1]), given[0]),
        "fetchOrders": lambda: client.orders(id_of(given[0])),
        "fetchCanceledOrders": lambda: client.orders(id_of(given[0])),
        "fetchTickers": lambda: feed.tickers(symbols, rolling=bool((given[1:] or [{}])[0].get("rolling"))),
        "fetchTicker": lambda: feed.ticker(id_of(given[0])),
        "fetchOHLCV": lambda: feed.bars(
            id_of(given[0]),
            given[2] if len(given) > 2 else None,
            more.get("until"),
            (given[1:] or ["1m"])[0],
            (given[3] if len(given) > 3 else 0) or (1_000 if more else 500),
        ),
        "fetchOrderBook": lambda: feed.depth(id_of(given[0]), *given[1:]),
        "fetchTime": lambda: client.probe(),
    }
    asyncio.run(calls[method]())
    http_method, path, params = wire.seen[0]
    assert (http_method, path) == (expect["http_method"], expect["path"])
    params.pop("newClientOrderId", None)
    assert params == expect["params"]
    client.dialect.now_ms = lambda: 1  # type: ignore[method-assign]
    query, _ = client.dialect.sign(http_method, path, "", b"")
    assert ("signature=" in query) == expect["signed"]


def ours(case: Mapping[str, Any]) -> bool:
    """Whether the adapter sends such a request at all."""
    params, path = case["expect"]["params"], case["expect"]["path"]
    unknown = {"quoteOrderQty", "trailingDelta"} & params.keys() or path.endswith("/test")
    return case["method"] not in NOT_OURS and not unknown


# -- answers ---------------------------------------------------------------------------------------------------------
def response(case: Mapping[str, Any]) -> None:
    """What our readers make of an answer."""
    method, wanted = case["method"], case["parsedResponse"]
    raw = json.dumps(case["httpResponse"]).encode()
    if method == "fetchBalance":
        account = decode(NAME, raw, AccountBody, what="the account")
        found = {one.asset: from_e8(one.total_e8) for one in account.balances}
        assert found == wanted["total"]
    elif method == "fetchOHLCV":
        rows = decode(NAME, raw, list[list[str | int]], what="candles")
        for row, bar in zip(rows, wanted, strict=True):
            mine = bar_of_row(row, 0)
            assert mine.ts_ns // 10**6 - 3_600_000 == bar[0]
            assert [mine.open, mine.high, mine.low, mine.close, mine.volume] == bar[1:]
    elif method == "fetchTicker":
        ticker = decode(NAME, raw, TickerBody, what="a ticker")
        names = ("last_price", "open_price", "high_price", "low_price", "volume", "bid_price", "ask_price")
        theirs = ("last", "open", "high", "low", "baseVolume", "bid", "ask")
        assert [float(getattr(ticker, name)) for name in names] == [wanted[name] for name in theirs]
        assert abs(ticker.at_ns / 1e6 - wanted["timestamp"]) < 10
    else:
        several = isinstance(wanted, list)
        kind: Any = list[OrderBody] if several else OrderBody
        bodies = decode(NAME, raw, kind, what="orders")
        pairs = zip(bodies, wanted, strict=True) if several else [(bodies, wanted)]
        for body, order in pairs:
            evidence = evidence_of([body], body.own)
            assert (body.venue_id, body.own) == (order["id"], order["clientOrderId"])
            assert (from_e8(evidence.filled_e8), from_e8(evidence.qty_e8)) == (
                order["filled"],
                order["amount"],
            )
            assert evidence.state in STATUS[order["status"]]
            assert abs(body.at_ns / 1e6 - order["lastUpdateTimestamp"]) < 10


# -- signatures ------------------------------------------------------------------------------------------------------
def by_secret(case: Mapping[str, Any]) -> Signer:
    return signer_of(Credentials(case["apiKey"], SecretStr(case["secret"])))


def vector(case: Mapping[str, Any]) -> None:
    """A payload that must be signed like this; the WebSocket API's from its parameters."""
    sign = by_secret(case)
    assert sign(case["payload"].encode()) == case["signature"]
    if "params" not in case:
        return
    params = {name: value for name, value in case["params"].items() if name != "apiKey"}
    at_ms, window_ms = params.pop("timestamp"), params.pop("recvWindow")
    dialect = BinanceFeed(SETTINGS, []).client.dialect
    dialect.now_ms = lambda: at_ms  # type: ignore[method-assign]
    requests = Requests(Credentials(case["apiKey"], SecretStr(case["secret"])), sign, dialect, window_ms)
    sent = json.loads(requests.frame(1, "order.place", params))["params"]
    assert sent == {**case["params"], "signature": case["signature"]}
    assert socket_payload(sent) == case["payload"].encode()


def signed(case: Mapping[str, Any]) -> None:
    """A whole request: our signature is the same, the emulator takes it, and refuses it after any one change."""
    query, body = (case["query"] or "").encode(), (case["body"] or "").encode()
    raw, params = unsigned(query) + unsigned(body), dict(parse_qsl((query + body).decode()))
    signature = params["signature"]
    assert by_secret(case)(raw) == signature
    dialect = BinanceDialect(
        Credentials(case["apiKey"], SecretStr(case["secret"])),
        by_secret(case),
        BinanceFeed(SETTINGS, []).pool,
        Options(),
    )
    dialect.now_ms = lambda: int(case["timestamp_ms"])  # type: ignore[method-assign]
    mine, headers = dialect.sign(case["http_method"], case["path"], "symbol=X", b"")
    keys = Keyring([ApiKey(case["apiKey"], secret=case["secret"])])
    keys.check(headers["X-MBX-APIKEY"], unsigned(mine.encode()), dict(parse_qsl(mine))["signature"])
    check_time(params, case["timestamp_ms"] * 10**6)
    keys.check(case["headers"]["X-MBX-APIKEY"], raw, signature)
    for n in range(len(raw)):
        refused(keys, case["apiKey"], raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :], signature)
    for n, char in enumerate(signature):
        changed = signature[:n] + ("0" if char != "0" else "1") + signature[n + 1 :]
        refused(keys, case["apiKey"], raw, changed)


def by_key(case: Mapping[str, Any]) -> None:
    """An Ed25519 vector: signed the same, verified by the public half alone."""
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["private_key_seed_hex"]))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    sign, payload = signer_of(Credentials("K", SecretStr(pem))), case["payload"].encode()
    assert sign(payload) == case["signature_b64"]
    keys = Keyring([])
    assert keys.register("A" * 20, case["public_key_pem"]) == "Ed25519"
    keys.check("A" * 20, payload, case["signature_b64"])
    refused(keys, "A" * 20, payload + b"0", case["signature_b64"])


def refused(keys: Keyring, name: str, payload: bytes, signature: str) -> None:
    try:
        keys.check(name, payload, signature)
    except Refusal as refusal:
        code = refusal.code
    else:
        code = 0
    assert code == -1022, f"accepted: {payload!r} with {signature}"


def cases(folder: Path) -> Iterator[tuple[str, Check]]:
    """Every recorded case of Binance."""
    recorded = json.loads((folder / "binance.json").read_text())
    bodies = msgspec.convert(recorded["exchangeInfo_symbols"], list[SymbolBody])
    listings = {body.symbol: listing_of(Instrument(0, body.symbol), body) for body in bodies}
    found = recorded["cases"]
    for case in found["request"]:
        yield case["id"], partial(request, case, listings) if ours(case) else None
    for case in found["response"]:
        yield case["id"], partial(response, case)
    for case in found["signing"]:
        check = by_key if case["alg"] == "Ed25519" else vector if "payload" in case else signed
        yield case["id"], partial(check, case)
