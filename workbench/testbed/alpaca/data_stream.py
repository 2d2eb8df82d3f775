"""Alpaca's market data streams: stocks and crypto (and news and options, of which there are none), as JSON text or as
MessagePack.

Lives here: the handshake, subscriptions, the messages. Not here: what a row looks like (shapes.py).
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final

import msgspec

from workbench.model.market import Quote
from workbench.testbed.alpaca.shapes import bar_row, book_row, day_of, quote_row, trade_row
from workbench.testbed.alpaca.words import rfc3339
from workbench.testbed.exchange import Exchange
from workbench.testbed.ladder import Book
from workbench.testbed.market import Board, Candle, Halted, Print, Seen
from workbench.testbed.stream import Link

__all__ = ["DataStream"]

_AUTH_S: Final = 10.0
_BARS: Final = ("bars", "updatedBars", "dailyBars")
_CHANNELS: Final = {
    "stocks": ("trades", "quotes", *_BARS, "statuses", "lulds", "imbalances"),
    "crypto": ("trades", "quotes", "orderbooks", *_BARS),
    "news": ("news",),
    "options": ("trades", "quotes"),
}
"""What can be subscribed to, by the kind of stream."""
_ANY: Final = frozenset(name for names in _CHANNELS.values() for name in names)
_WITH_TRADES: Final = ("corrections", "cancelErrors")  # who hears of trades hears of these
_FAKE: Final = "FAKEPACA"
_ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    410: "invalid subscribe action for this feed",
    412: "option messages are only available in MsgPack",
}
_pack = msgspec.msgpack.Encoder().encode
_text = msgspec.json.Encoder().encode

type Stamp = Callable[[int], Any]


class _Client:
    """One client: which form it wants, and what it has subscribed to."""

    def __init__(self, link: Link, kind: str) -> None:
        self.link = link
        self.packed = "msgpack" in link.request.headers.get("Content-Type", "")
        self.allowed = False
        self.channels: dict[str, set[str]] = {name: set() for name in _CHANNELS[kind]}
        self.stand_in = ""  # on the test feed: the symbol that is shown as FAKEPACA

    def send(self, event: str, message: dict[str, Any]) -> None:
        self.link.send(event, (_pack if self.packed else _text)([message]), binary=self.packed)

    def wants(self, channel: str, symbol: str) -> str:
        """The name under which a symbol is wanted; "" when it is not."""
        names = self.channels.get(channel, ())
        if self.stand_in:
            return _FAKE if symbol == self.stand_in and (_FAKE in names or "*" in names) else ""
        return symbol if symbol in names or "*" in names else ""


class DataStream:
    """One data endpoint with its clients: `kind` is stocks, crypto, news or options. `symbol_limit` 0: none."""

    def __init__(
        self, exchange: Exchange, key: str, secret: str, kind: str, *, symbol_limit: int = 0
    ) -> None:
        self.exchange = exchange
        self.kind = kind
        self.crypto = kind == "crypto"
        self.symbol_limit = symbol_limit
        self.one_connection = True
        self._keys = (key, secret)
        self._clients: set[_Client] = set()
        if kind in ("stocks", "crypto"):
            exchange.market.sinks.append(self._tell)

    async def serve(self, link: Link, path: dict[str, str]) -> None:
        """One client, until it leaves."""
        client = _Client(link, self.kind)
        if link.request.rel_url.path == "/v2/test":
            client.stand_in = self._first_stock()
        client.send("success", {"T": "success", "msg": "connected"})
        headers = link.request.headers
        if "APCA-API-KEY-ID" in headers:  # keys may come with the handshake
            given = {"key": headers["APCA-API-KEY-ID"], "secret": headers.get("APCA-API-SECRET-KEY", "")}
            self._auth(client, given)
        late = asyncio.get_running_loop().call_later(_AUTH_S, self._too_late, client)
        try:
            async for raw in link.messages():
                self._heard(client, raw)
        finally:
            late.cancel()
            self._clients.discard(client)

    def _first_stock(self) -> str:
        listings = (board.listing for board in self.exchange.market.boards.values())
        return next((listing.symbol for listing in listings if not listing.always_open), "")

    def _too_late(self, client: _Client) -> None:
        if not client.allowed:
            self._error(client, 404)
            client.link.close(1008)

    def _error(self, client: _Client, code: int) -> None:
        client.send("error", {"T": "error", "code": code, "msg": _ERRORS[code]})

    def _heard(self, client: _Client, raw: bytes) -> None:
        said = _said(raw)
        action = said.get("action")
        if action == "auth":
            self._auth(client, said)
        elif not client.allowed and action in ("subscribe", "unsubscribe"):
            self._error(client, 401)
        elif action in ("subscribe", "unsubscribe"):
            self._change(client, said, subscribe=action == "subscribe")
        else:
            self._error(client, 400)

    def _auth(self, client: _Client, said: dict[str, Any]) -> None:
        if client.allowed:
            self._error(client, 403)
        elif (said.get("key"), said.get("secret")) != self._keys:
            self._error(client, 402)
        elif self._clients and self.one_connection:
            self._error(client, 406)
        else:
            client.allowed = True
            self._clients.add(client)
            client.send("success", {"T": "success", "msg": "authenticated"})

    def _change(self, client: _Client, said: dict[str, Any], *, subscribe: bool) -> None:
        wanted = {name: said[name] for name in _ANY if said.get(name) is not None}
        if not all(
            isinstance(names, list) and all(isinstance(n, str) for n in names) for names in wanted.values()
        ):
            self._error(client, 400)
            return
        if any(names and name not in client.channels for name, names in wanted.items()):
            self._error(client, 410)
            return
        changed = {name: set(names) for name, names in client.channels.items()}
        for name, names in wanted.items():
            if name not in changed:
                continue
            changed[name] = changed[name] | set(names) if subscribe else changed[name] - set(names)
        if self.kind == "options" and not client.packed:
            self._error(client, 412)
            return
        if self.symbol_limit and len(changed["trades"] | changed["quotes"]) > self.symbol_limit:
            self._error(client, 405)
            return
        client.channels = changed
        lists = {name: sorted(names) for name, names in changed.items()}
        if self.kind == "stocks":
            lists |= dict.fromkeys(_WITH_TRADES, lists["trades"])
        client.send("subscription", {"T": "subscription", **lists})

    # -- what is to be seen ------------------------------------------------------------------------------------------

    def _tell(self, board: Board, seen: Seen) -> None:
        if not self._clients or board.listing.always_open != self.crypto:
            return
        if isinstance(seen, Print):
            self._spread(board, "trades", "t", seen.ts_ns, lambda t: trade_row(seen, self.crypto, t))
        elif isinstance(seen, Quote):
            self._spread(board, "quotes", "q", seen.ts_ns, lambda t: quote_row(seen, self.crypto, t))
        elif isinstance(seen, Candle):
            self._spread(board, "bars", "b", seen.start_ns, lambda t: bar_row(seen, self.crypto, t))
            if any(client.wants("dailyBars", board.listing.symbol) for client in self._clients):
                day, _ = day_of(board, self.exchange.clock.now_ns())
                self._spread(board, "dailyBars", "d", day.start_ns, lambda t: bar_row(day, self.crypto, t))
        elif isinstance(seen, Book):
            self._spread(board, "orderbooks", "o", seen.ts_ns, lambda t: {**book_row(seen, t), "r": True})
        elif isinstance(seen, Halted):
            self._spread(board, "statuses", "s", seen.ts_ns, lambda t: _status(seen, t))

    def _spread(
        self, board: Board, channel: str, kind: str, ts_ns: int, row: Callable[[Any], dict[str, Any]]
    ) -> None:
        """One message to everybody who wants it, written once in each form."""
        symbol = board.listing.symbol
        written: dict[tuple[str, bool], bytes] = {}
        for client in self._clients:
            name = client.wants(channel, symbol)
            if not name:
                continue
            form = (name, client.packed)
            if form not in written:
                stamp = _timestamp(ts_ns) if client.packed else rfc3339(ts_ns)
                written[form] = (_pack if client.packed else _text)([{"T": kind, "S": name, **row(stamp)}])
            client.link.send(kind, written[form], binary=client.packed)


def _said(raw: bytes) -> dict[str, Any]:
    for decode in (msgspec.json.decode, msgspec.msgpack.decode):
        try:
            said = decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        return said if isinstance(said, dict) else {}
    return {}


def _timestamp(ts_ns: int) -> msgspec.msgpack.Ext:
    """MessagePack's time stamp with nanoseconds (extension -1, eight bytes)."""
    seconds, ns = divmod(ts_ns, 1_000_000_000)
    return msgspec.msgpack.Ext(-1, struct.pack(">Q", ns << 34 | seconds))


def _status(seen: Halted, t: Any) -> dict[str, Any]:
    code, words = ("H", "Trading Halt") if seen.halted else ("T", "Trading Resumption")
    return {"t": t, "sc": code, "sm": words, "rc": "T1" if seen.halted else "", "rm": "", "z": "C"}
