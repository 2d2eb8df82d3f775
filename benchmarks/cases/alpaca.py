"""Alpaca's recordings: what ccxt's callers asked and what went on the wire, and the bodies of alpaca-py's own tests."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import yarl

from workbench.brokers.alpaca import client as clients
from workbench.brokers.alpaca import parse
from workbench.brokers.alpaca.config import addresses_of
from workbench.brokers.alpaca.feed import AlpacaFeed
from workbench.brokers.alpaca.history import History
from workbench.brokers.alpaca.market import (
    DataRow,
    Page,
    SnapshotBody,
    bar_of,
    latest_of,
    quote_of,
    time_of,
    trade_of,
)
from workbench.brokers.alpaca.rules import listing_of
from workbench.brokers.alpaca.words import e8
from workbench.brokers.pool import Answer, Credentials, decode
from workbench.config import BrokerSettings
from workbench.model import Instrument, Submit, from_e8, to_e8

NAME = "alpaca"
KINDS = {"market": 0, "limit": 1, "stop": 2, "stop_limit": 3, "stopLimit": 3}
SETTINGS = BrokerSettings(venue="alpaca", credentials="env:X")

type Check = Callable[[], None] | None


class Wire:
    """Stands where the pool's requests are: notes them, and answers with a body."""

    def __init__(self, body: Any = None) -> None:
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self._body = json.dumps(body).encode()

    async def ask(self, route: Any, path: str, query: str = "", **_: Any) -> Answer:
        return self._note("GET", path, query, b"")

    async def send(
        self, method: str, route: Any, path: str, query: str = "", body: bytes = b"", **_: Any
    ) -> Answer:
        return self._note(method, path, query, body)

    def _note(self, method: str, path: str, query: str, body: bytes) -> Answer:
        shown = yarl.URL(path, encoded=True).path
        self.seen.append((method, shown, dict(parse_qsl(query)), json.loads(body) if body else None))
        return Answer(200, {}, self._body, 0, 0)


def wired(body: Any) -> tuple[clients.AlpacaClient, AlpacaFeed, Wire]:
    """A client and a feed over one noted wire."""
    from pydantic import SecretStr

    addresses = addresses_of(SETTINGS)
    feed = AlpacaFeed(SETTINGS, [Instrument(0, "BTC/USD"), Instrument(1, "AAPL")])
    client = clients.AlpacaClient(feed.pool, addresses, Credentials("K1", SecretStr("S1")))
    wire = Wire(body)
    client.trading = client.sending = client.data = wire  # type: ignore[assignment]
    feed.client = client
    feed.history = History(client, feed.instruments, "iex", feed.dropped)
    return client, feed, wire


ORDER = {"id": "x", "client_order_id": "c", "status": "accepted"}


TIFS = {"day": 0, "gtc": 1, "ioc": 2, "fok": 3}


def submit(
    symbol: str, kind: str, side: str, amount: Any, px: Any = None, more: Mapping[str, Any] | None = None
) -> Submit:
    """What a caller asked for, as our order."""
    params = more or {}
    stop = params.get("triggerPrice") or params.get("stopPrice") or params.get("stop_price")
    number = KINDS[kind] if not stop else (3 if kind == "limit" else 2)
    tif = TIFS[str(params.get("timeInForce", params.get("time_in_force", "gtc"))).lower()]
    limit_e8 = to_e8(str(px)) if px is not None and number in (1, 3) else 0
    stop_e8 = to_e8(str(stop)) if stop else 0
    return Submit(
        1, 1, 7, 1, 0, 1 if side == "buy" else -1, number, tif, to_e8(str(amount)), limit_e8, stop_e8
    )


def request(case: Mapping[str, Any]) -> None:
    """The request our client makes for what a caller asked."""
    method, given, expect = case["method"], list(case["input"]), case["expect"]
    history = {"start": "2024-01-01", "end": "2024-01-02"}
    body = {"createOrder": ORDER, "fetchOrder": ORDER, "editOrder": ORDER, "cancelOrder": None}.get(
        method, []
    )
    if method in ("fetchTrades", "fetchOHLCV"):
        body = {"trades": {}, "bars": {}, "next_page_token": None}
    client, feed, wire = wired(body)
    crypto = "/" in str(given[0] if given else "")
    calls: dict[str, Callable[[], Any]] = {
        "createOrder": lambda: client.place(parse.order_body([submit(*given)], given[0], crypto=crypto)),
        "cancelOrder": lambda: client.cancel(given[0]),
        "cancelAllOrders": lambda: client.cancel_all(),
        "fetchOrder": lambda: client.order(given[0]),
        "fetchOpenOrders": lambda: client.orders("open", symbols=given[:1]),
        "fetchClosedOrders": lambda: client.orders("closed", symbols=given[:1]),
        "fetchOrders": lambda: client.orders("all", symbols=given[:1]),
        "fetchTrades": lambda: feed.history.trades(given[0], **history),
        "fetchOHLCV": lambda: feed.history.bars(given[0], **history),
    }
    asyncio.run(calls[method]())
    http_method, path, query, sent = wire.seen[0]
    assert http_method == expect["http_method"], http_method
    assert path == expect["path"], path
    wanted = {key: value for key, value in expect["query"].items() if value is not None}
    assert wanted.items() <= query.items(), f"{query} lacks some of {wanted}"
    skipped = {"client_order_id"}
    if expect["json_body"] is not None:
        assert {k: v for k, v in sent.items() if k not in skipped} == {
            k: v for k, v in expect["json_body"].items() if k not in skipped
        }, sent


def response(case: Mapping[str, Any]) -> None:
    """What our readers make of an answer."""
    body, wanted = case["httpResponse"], case.get("parsed_by_ccxt_4_5_90", case.get("parsedResponse"))
    raw = json.dumps(body).encode()
    method = case["method"]
    if method == "fetchMarkets":
        assets = decode(NAME, raw, list[parse.AssetBody], what="assets")
        assert len(assets) == len(wanted)
        for asset, market in zip(assets, wanted, strict=True):
            listing = listing_of(Instrument(0, asset.symbol), asset)
            assert (asset.symbol, listing.crypto, listing.tradable) == (
                market["id"],
                market["spot"],
                market["active"],
            )
            least = market["limits"]["amount"].get("min")
            assert abs(from_e8(listing.min_qty_e8) - float(least or 0)) < 1e-8
            # steps finer than ours count as ours
            assert from_e8(listing.tick_e8) == max(float(market["precision"]["price"]), 1e-8)
            assert from_e8(listing.qty_step_e8) == max(float(market["precision"]["amount"]), 1e-8)
    elif method == "fetchTrades":
        [rows] = (decode(NAME, raw, Page, what="trades").trades or {}).values()
        for row, trade in zip(rows, wanted, strict=True):
            ours = trade_of(row, 0)
            assert (ours.px, ours.size, str(row.i)) == (trade["price"], trade["amount"], trade["id"])
            assert (
                ours.ts_ns // 1_000_000 == int(trade["timestamp"])
                or abs(ours.ts_ns / 1e6 - trade["timestamp"]) < 2
            )
            assert {1: "buy", -1: "sell"}[ours.side] == trade["side"]
    elif method == "fetchOHLCV":
        [rows] = (decode(NAME, raw, Page, what="bars").bars or {}).values()
        for row, bar in zip(rows, wanted, strict=True):
            ours = bar_of(row, 0)
            assert (ours.ts_ns - 60_000_000_000) // 1_000_000 == bar[0]
            assert [ours.open, ours.high, ours.low, ours.close, ours.volume] == bar[1:]
    elif method == "fetchTicker":
        found = decode(NAME, raw, dict[str, dict[str, SnapshotBody]], what="a snapshot")
        [snapshot] = found["snapshots"].values()
        latest = latest_of(snapshot, 0)
        assert latest.trade is None or latest.trade.px > 0
        assert latest.quote is not None
        assert (latest.quote.bid, latest.quote.ask) == (wanted["bid"], wanted["ask"])
        assert (latest.quote.bid_size, latest.quote.ask_size) == (wanted["bidVolume"], wanted["askVolume"])
        assert latest.day is not None
        assert (
            latest.day.open,
            latest.day.high,
            latest.day.low,
            latest.day.close,
            latest.day.volume,
        ) == tuple(wanted[name] for name in ("open", "high", "low", "close", "baseVolume"))
    else:
        order_like(
            body if isinstance(body, list) else [body], wanted if isinstance(wanted, list) else [wanted]
        )


STATUS = {"open": {2, 3}, "closed": {6}, "canceled": {7}, "rejected": {8}, "expired": {9}}


def order_like(bodies: list[Any], wanted: list[Any]) -> None:
    for body, order in zip(bodies, wanted, strict=True):
        ours = decode(NAME, json.dumps(body).encode(), parse.OrderBody, what="an order")
        evidence = parse.evidence_of([ours], ours.client_order_id)
        assert (ours.id, ours.client_order_id) == (order["id"], order["clientOrderId"])
        assert from_e8(evidence.filled_e8) == float(order.get("filled") or 0)
        assert from_e8(evidence.qty_e8) == float(order.get("amount") or 0)
        if order.get("status"):
            assert evidence.state in STATUS[order["status"]], evidence


# -- alpaca-py's bodies ----------------------------------------------------------------------------------------------
def decoded(kind: Any, body: Any) -> None:
    raw = json.dumps(body).encode()
    values = decode(NAME, raw, kind, what="a body")
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, parse.OrderBody):
            assert parse.evidence_of([value], value.client_order_id).venue_id == value.id
        elif isinstance(value, parse.PositionBody):
            assert e8(value.qty, "qty")
        elif isinstance(value, parse.AccountBody):
            assert e8(value.cash, "cash") is not None
        elif isinstance(value, parse.AssetBody):
            assert listing_of(Instrument(0, value.symbol), value).symbol == value.symbol


def rows_of(body: Mapping[str, Any]) -> None:
    """Every row of bars, quotes and trades becomes an event with the row's own figures."""
    for kind, made, fields in (
        ("bars", bar_of, (("o", "open"), ("h", "high"), ("l", "low"), ("c", "close"), ("v", "volume"))),
        ("trades", trade_of, (("p", "px"), ("s", "size"))),
        ("quotes", quote_of, (("bp", "bid"), ("ap", "ask"))),
    ):
        for rows in (body.get(kind) or {}).values():
            for row in rows if isinstance(rows, list) else [rows]:
                ours = msgspec.convert(row, DataRow)
                if kind == "quotes" and not (0 < row["bp"] <= row["ap"]):
                    continue  # one side only, or crossed: dropped on purpose
                event = made(ours, 0)
                assert [getattr(event, name) for _, name in fields] == [row[key] for key, _ in fields]
                assert time_of(ours.t) > 1_500_000_000 * 10**9


def snapshot(body: Mapping[str, Any]) -> None:
    for symbol, one in (body.get("snapshots") or body).items():
        latest = latest_of(msgspec.convert(one, SnapshotBody), 0)
        assert latest.trade is None or latest.trade.px == one["latestTrade"]["p"], symbol


BODIES: tuple[tuple[str, str, Callable[[Any], None] | None], ...] = (
    ("/v2/account/configurations", "*", None),
    ("/v2/account", "GET", partial(decoded, parse.AccountBody)),
    ("/v2/assets?", "GET", partial(decoded, list[parse.AssetBody])),
    ("/v2/assets/", "GET", partial(decoded, parse.AssetBody)),
    ("/v2/orders:by_client", "GET", partial(decoded, parse.OrderBody)),
    ("/v2/orders/", "*", partial(decoded, parse.OrderBody)),
    ("/v2/orders", "POST", partial(decoded, parse.OrderBody)),
    ("/v2/orders", "GET", partial(decoded, list[parse.OrderBody])),
    ("/v2/orders", "DELETE", partial(decoded, list[dict[str, Any]])),
    ("/v2/positions/", "DELETE", partial(decoded, parse.OrderBody)),
    ("/v2/positions", "GET", partial(decoded, list[parse.PositionBody])),
    ("/v2/positions", "DELETE", partial(decoded, list[dict[str, Any]])),
    ("/v2/stocks/snapshots", "GET", snapshot),
    ("/crypto/us/snapshots", "GET", snapshot),
    ("/v2/stocks/", "GET", rows_of),
    ("/crypto/us/", "GET", rows_of),
)


def body_check(case: Mapping[str, Any]) -> Check:
    for part, method, check in BODIES:
        if part in case["url_expr"] and method in ("*", case["http_method"]):
            return None if check is None else partial(check, case["body"])
    return None


def cases(folder: Path) -> Iterator[tuple[str, Check]]:
    """Every recorded case of Alpaca."""
    recorded = json.loads((folder / "alpaca.json").read_text())["cases"]
    for case in recorded["request"]:
        yield case["id"], partial(request, case)
    for case in recorded["response"]:
        yield case["id"], partial(response, case)
    bodies = json.loads((folder / "alpaca_py_bodies.json").read_text())["cases"]
    for number, case in enumerate(bodies):
        yield f"alpaca-py {number} {case['test']}", body_check(case)
