"""Binance's market streams: one by its name at /ws/NAME, several at /stream?streams=A/B, more by SUBSCRIBE.

Lives here: subscriptions and when something is sent for them. Not here: what a message looks like (stream_events.py),
the account's events (user_stream.py).
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec

from workbench.model.market import Quote
from workbench.testbed.binance.life import tend
from workbench.testbed.binance.shapes import depth_body, klines_of
from workbench.testbed.binance.stream_events import (
    Depth,
    Time,
    average_event,
    best_event,
    depth_event,
    kline_event,
    reference_event,
    tick_event,
    trade_event,
    window_event,
)
from workbench.testbed.binance.words import INTERVALS
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import MINUTE_NS, Board, Candle, Print, Seen
from workbench.testbed.stream import Link

__all__ = ["MarketStreams"]

_encode = msgspec.json.Encoder().encode
_MOST: Final = 1_024
_A_SECOND: Final = 5
_NAME: Final = re.compile(
    r"(?P<symbol>[a-z0-9]+)@(?:(?P<plain>trade|aggTrade|bookTicker|miniTicker|ticker|avgPrice|referencePrice"
    r"|blockTrade)"
    r"|ticker_(?P<window>1h|4h|1d)"
    r"|kline_(?P<interval>[0-9a-zA-Z]+)(?:@\+08:00)?"
    r"|depth(?P<levels>5|10|20)?(?:@(?P<speed>100|1000)ms)?)"
)
_WINDOWS: Final = {"!ticker_1h@arr": "1h", "!ticker_4h@arr": "4h", "!ticker_1d@arr": "1d"}
_ALL: Final = {"!miniTicker@arr": "miniTicker", "!ticker@arr": "ticker", **_WINDOWS}
_PRICES: Final = {"avgPrice": average_event, "referencePrice": reference_event}
_TIMED: Final = {"miniTicker", "ticker", *_PRICES}
_SPEEDS_S: Final = {"@1000ms": 1.0, "@3000ms": 3.0}  # older clients name one behind those of all symbols


class _Client:
    """One connection: what it listens to, and in which form."""

    __slots__ = ("combined", "link", "micro", "names", "second", "tally")

    def __init__(self, link: Link, *, combined: bool, micro: bool) -> None:
        self.link, self.combined, self.micro = link, combined, micro
        self.names: dict[str, None] = {}
        self.second, self.tally = 0, 0

    def time(self, ts_ns: int) -> int:
        return ts_ns // (1_000 if self.micro else 1_000_000)


class MarketStreams:
    """All connections to the market streams."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.limited = True
        self._boards = {b.listing.symbol.lower(): b for b in exchange.market.boards.values()}
        self._clients: set[_Client] = set()
        self._wanted: dict[str, set[_Client]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._depths: dict[str, Depth] = {}
        exchange.market.sinks.append(self._seen)

    # -- connections -------------------------------------------------------------------------------------------------

    async def serve_raw(self, link: Link, path: dict[str, str]) -> None:
        """A connection to one stream by its name, or to none yet."""
        await self._serve(link, [path["name"]] if path.get("name") else [], combined=False)

    async def serve_combined(self, link: Link, path: dict[str, str]) -> None:
        """A connection to several streams, whose messages say which is theirs."""
        given = link.request.rel_url.query.get("streams", "")
        await self._serve(link, [name for name in given.split("/") if name], combined=True)

    async def _serve(self, link: Link, names: list[str], *, combined: bool) -> None:
        micro = link.request.rel_url.query.get("timeUnit", "").upper() == "MICROSECOND"
        client = _Client(link, combined=combined, micro=micro)
        self._clients.add(client)
        tending = asyncio.create_task(tend(link, self.exchange.clock, lambda: self._farewell(client)))
        frames = 0
        try:
            for name in names:
                self._add(client, name)
            async for raw in link.messages():
                frames, new = link.frames, link.frames - frames
                if self.limited and self._too_many(client, new):
                    link.close(1008)
                    return
                self._heard(client, raw)
        finally:
            tending.cancel()
            await asyncio.gather(tending, return_exceptions=True)
            self._clients.discard(client)
            for name in list(client.names):
                self._drop(client, name)

    def farewell(self) -> None:
        """The server is about to shut every connection down."""
        for client in self._clients:
            self._farewell(client)

    def _farewell(self, client: _Client) -> None:
        event = {"e": "serverShutdown", "E": client.time(self.exchange.clock.shown_ns())}
        body = {"stream": "!serverShutdown", "data": event} if client.combined else event
        client.link.send("serverShutdown", _encode(body))

    @staticmethod
    def _too_many(client: _Client, frames: int) -> bool:
        second = int(asyncio.get_running_loop().time())
        if second != client.second:
            client.second, client.tally = second, 0
        client.tally += frames
        return client.tally > _A_SECOND

    # -- control frames ----------------------------------------------------------------------------------------------

    def _heard(self, client: _Client, raw: bytes) -> None:
        try:
            said = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            said = None
        if not isinstance(said, dict):
            self._say(
                client, {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
            )
            return
        method, params, number = said.get("method"), said.get("params", []), said.get("id")
        result: Any = None
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            if not isinstance(params, list) or not all(isinstance(one, str) for one in params):
                self._wrong(client, number, 1, "Invalid value type: expected Array of String")
                return
            if method == "SUBSCRIBE" and len({*client.names, *params}) > _MOST:
                self._wrong(client, number, 2, f"Invalid request: more than {_MOST} streams")
                return
            for name in params:
                (self._add if method == "SUBSCRIBE" else self._drop)(client, name)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(client.names)
        elif method == "GET_PROPERTY":
            result = client.combined if params == ["combined"] else None
        elif method == "SET_PROPERTY" and params in (["combined", True], ["combined", False]):
            client.combined = params[1]
        else:
            self._wrong(client, number, 2, f"Invalid request: unknown variant `{method}`")
            return
        self._say(client, {"result": result, "id": number})

    def _wrong(self, client: _Client, number: Any, code: int, text: str) -> None:
        self._say(client, {"error": {"code": code, "msg": text}, "id": number})

    @staticmethod
    def _say(client: _Client, body: dict[str, Any]) -> None:
        client.link.send("answer", _encode(body))

    def _add(self, client: _Client, name: str) -> None:
        """Listen to a stream; what nobody lists says nothing."""
        client.names[name] = None
        self._wanted.setdefault(name, set()).add(client)
        found = _NAME.fullmatch(name)
        if _plain(name) in _ALL:
            self._every(name, _SPEEDS_S.get(name[-7:], 1.0))
            return
        board = self._boards.get(found["symbol"]) if found is not None else None
        if found is None or board is None or (found["interval"] and found["interval"] not in INTERVALS):
            return
        if found["window"] or found["plain"] in _TIMED:
            self._every(name, 1.0)
        elif found["interval"]:
            self._every(name, 1.0 if found["interval"] == "1s" else 2.0)
        elif found["plain"] is None:
            if not found["levels"]:
                if name not in self._depths:
                    self._depths[name] = Depth(board)
            self._every(name, 0.1 if found["speed"] == "100" else 1.0)

    def _drop(self, client: _Client, name: str) -> None:
        client.names.pop(name, None)
        clients = self._wanted.get(name)
        if clients is None:
            return
        clients.discard(client)
        if not clients:
            del self._wanted[name]
            depth = self._depths.pop(name, None)
            if depth is not None:
                depth.close()
            timer = self._timers.pop(name, None)
            if timer is not None:
                timer.cancel()

    # -- by the clock ------------------------------------------------------------------------------------------------

    def _every(self, name: str, seconds: float) -> None:
        """At each tick of the clock that is a multiple of `seconds`."""
        if name not in self._timers:
            loop = asyncio.get_running_loop()
            wait_s = seconds - loop.time() % seconds
            self._timers[name] = loop.call_later(max(wait_s, 0.001), self._due, name, seconds)

    def _due(self, name: str, seconds: float) -> None:
        self._timers.pop(name, None)
        if name not in self._wanted:
            return
        self._every(name, seconds)
        now_ns = self.exchange.clock.shown_ns()
        plain = _plain(name)
        if plain in _ALL:
            boards = self._boards.values()
            told = window_event if plain in _WINDOWS else tick_event
            self._send(name, lambda t: [told(_ALL[plain], board, now_ns, t) for board in boards])
            return
        found = _NAME.fullmatch(name)
        assert found is not None
        board = self._boards[found["symbol"]]
        kind = found["plain"]
        if kind in _PRICES:
            self._send(name, lambda t: _PRICES[kind](board, now_ns, t))
        elif kind:
            self._send(name, lambda t: tick_event(kind, board, now_ns, t))
        elif found["window"]:
            self._send(name, lambda t: window_event(found["window"], board, now_ns, t))
        elif found["interval"]:
            self._forming(name, board, found["interval"], now_ns)
        elif found["levels"]:
            body = depth_body(board, int(found["levels"]))
            self._send(name, lambda _: body, event="depth")
        else:
            self._diff(name, now_ns)

    def _diff(self, name: str, now_ns: int) -> None:
        depth = self._depths[name]
        change = depth.change()
        if change is not None:
            self._send(name, partial(depth_event, depth.board, change, now_ns))

    def _forming(self, name: str, board: Board, interval: str, now_ns: int) -> None:
        length_ns = INTERVALS[interval] * 1_000_000_000
        if length_ns == MINUTE_NS:
            if board.forming is not None:
                self._kline(name, board, interval, board.candle(board.forming_ns + MINUTE_NS), False, now_ns)
            return
        found = klines_of(board, length_ns, now_ns, None, None, 1)
        if found:
            self._kline(name, board, interval, found[-1], False, now_ns)

    def _kline(
        self, name: str, board: Board, interval: str, candle: Candle, closed: bool, now_ns: int
    ) -> None:
        self._send(name, lambda t: kline_event(board, interval, candle, closed, now_ns, t))

    # -- as it happens -----------------------------------------------------------------------------------------------

    def _seen(self, board: Board, seen: Seen) -> None:
        if not self._wanted:
            return
        symbol = board.listing.symbol
        low = symbol.lower()
        if isinstance(seen, Print):
            self._print(low, symbol, seen)
        elif isinstance(seen, Quote):
            if f"{low}@bookTicker" in self._wanted:
                body = best_event(board, seen)
                self._send(f"{low}@bookTicker", lambda _: body)
        elif isinstance(seen, Candle):
            now_ns = self.exchange.clock.shown_ns()
            self._kline(f"{low}@kline_1m", board, "1m", seen, True, now_ns)
            for interval, seconds in INTERVALS.items():
                name = f"{low}@kline_{interval}"
                length_ns = seconds * 1_000_000_000
                if name in self._wanted and length_ns > MINUTE_NS and seen.end_ns % length_ns == 0:
                    found = klines_of(board, length_ns, now_ns, seen.end_ns - length_ns, seen.end_ns - 1, 1)
                    if found:
                        self._kline(name, board, interval, found[0], True, now_ns)

    def _print(self, low: str, symbol: str, seen: Print) -> None:
        now_ns = self.exchange.clock.shown_ns()
        for stream in ("trade", "aggTrade"):
            if f"{low}@{stream}" in self._wanted:
                self._send(f"{low}@{stream}", partial(trade_event, stream, symbol, seen, now_ns))

    def _send(self, name: str, body: Callable[[Time], Any], *, event: str = "") -> None:
        """One message to everybody who listens to `name`, written once in each form."""
        made: dict[tuple[bool, bool], bytes] = {}
        for client in self._wanted.get(name, ()):
            form = client.combined, client.micro
            payload = made.get(form)
            if payload is None:
                told = body(client.time)
                payload = made[form] = _encode({"stream": name, "data": told} if client.combined else told)
            client.link.send(event or name.partition("@")[2] or name, payload)


def _plain(name: str) -> str:
    return name[:-7] if name[-7:] in _SPEEDS_S else name
