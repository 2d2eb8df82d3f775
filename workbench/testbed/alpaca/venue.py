"""Alpaca, put together: keys, limits, routes, streams, addresses.

Lives here: what stands before every route. Not here: the routes (orders.py, positions.py, account.py,
watchlists.py, sessions.py, data.py, rankings.py, absent.py), the streams (trade_stream.py, data_stream.py).
"""

import hmac
from collections.abc import Awaitable, Iterable
from inspect import iscoroutinefunction
from random import Random
from typing import Final

from workbench.testbed.alpaca.absent import absent_routes
from workbench.testbed.alpaca.account import Account
from workbench.testbed.alpaca.activities import Activities
from workbench.testbed.alpaca.data import Data
from workbench.testbed.alpaca.data_stream import DataStream
from workbench.testbed.alpaca.orders import Orders
from workbench.testbed.alpaca.positions import Positions
from workbench.testbed.alpaca.rankings import Rankings
from workbench.testbed.alpaca.refusals import Refusal, fault_answer, too_many, unauthorised
from workbench.testbed.alpaca.sessions import TradingSessions
from workbench.testbed.alpaca.trade_stream import TradeStream
from workbench.testbed.alpaca.watchlists import WatchLists
from workbench.testbed.call import Answer, Call, Reply, Route
from workbench.testbed.emulator import new_secret
from workbench.testbed.exchange import Exchange
from workbench.testbed.limits import Window
from workbench.testbed.venue import EmulatorSettings, Socket

__all__ = ["AlpacaVenue"]

_LIMIT: Final = 200
_PER_S: Final = 60.0
_SYMBOLS: Final = 30  # on the free feed
_FEEDS: Final = ("iex", "sip", "delayed_sip", "test")
_OPTION_FEEDS: Final = ("indicative", "opra")
_DATA: Final = ("/v2/stocks", "/v1beta3", "/v1beta2", "/v1beta1", "/v1/corporate-actions")
"""Where the paths of the data side begin."""


class AlpacaVenue:
    """One paper account at Alpaca. Trading and data share the port; each has its own 200 requests a minute."""

    name = "alpaca"

    def __init__(self, exchange: Exchange, settings: EmulatorSettings) -> None:
        self.exchange = exchange
        self.key = "PK" + new_secret(18, settings.seed)
        self.secret = new_secret(40, settings.seed + 1)
        number = new_secret(10, settings.seed + 2)
        self.account = "PA" + number
        account_id = exchange.new_id()
        self._account = Account(exchange, account_id, self.account)
        self._parts = (
            Orders(exchange),
            Positions(exchange),
            self._account,
            Activities(exchange, account_id),
            WatchLists(exchange, account_id),
            TradingSessions(exchange),
            Data(exchange),
            Rankings(exchange),
        )
        limit = _LIMIT if settings.limits else 0
        self.windows = {"trading": Window(limit, _PER_S), "data": Window(limit, _PER_S)}
        self.trades = TradeStream(exchange, self.key, self.secret)
        most = _SYMBOLS if settings.limits else 0
        self.stocks = DataStream(exchange, self.key, self.secret, "stocks", symbol_limit=most)
        self.crypto = DataStream(exchange, self.key, self.secret, "crypto")
        self.news = DataStream(exchange, self.key, self.secret, "news")
        self.options = DataStream(exchange, self.key, self.secret, "options")
        self._keys = (self.key.encode(), self.secret.encode())
        self._request_ids = Random(f"{settings.seed}-requests")

    def routes(self) -> Iterable[Route]:
        routes = [route for part in self._parts for route in part.routes()] + absent_routes()
        for route in routes:
            reply = route.reply
            if route.point == "rest:POST /v2/orders":
                reply = self._unless_suspended(reply)
            yield Route(route.method, route.path, _refusals_answered(reply), open=route.open)

    def sockets(self) -> Iterable[Socket]:
        yield Socket("/stream", "trade_updates", self.trades.serve)
        for feed in _FEEDS:
            yield Socket(f"/v2/{feed}", "stocks", self.stocks.serve)
        yield Socket("/v1beta3/crypto/{loc}", "crypto", self.crypto.serve)
        yield Socket("/v1beta2/crypto", "crypto", self.crypto.serve)
        yield Socket("/v1beta1/news", "news", self.news.serve)
        for feed in _OPTION_FEEDS:
            yield Socket(f"/v1beta1/{feed}", "options", self.options.serve)

    def guard(self, call: Call) -> Answer | None:
        """The rate limit counts first, then the keys; both sides have their own. Every answer has an id."""
        call.headers = {"X-Request-ID": f"{self._request_ids.getrandbits(128):032x}"}
        data = call.request.rel_url.raw_path.startswith(_DATA)
        window = self.windows["data" if data else "trading"]
        now_s = self.exchange.clock.shown_ns() / 1e9
        if window.limit:
            within = window.take(now_s)
            call.headers |= {
                "X-RateLimit-Limit": str(window.limit),
                "X-RateLimit-Remaining": str(window.remaining(now_s)),
                "X-RateLimit-Reset": str(int(window.reset_s(now_s))),
            }
            if not within:
                return too_many()
        if call.route.open:
            return None
        headers = call.request.headers
        given = (headers.get("APCA-API-KEY-ID", ""), headers.get("APCA-API-SECRET-KEY", ""))
        if not all(hmac.compare_digest(g.encode(), k) for g, k in zip(given, self._keys, strict=True)):
            return unauthorised(data)
        return None

    def refuse(self, status: int, text: str) -> Answer:
        return fault_answer(status, text)

    def addresses(self, root: str) -> dict[str, str]:
        ws_root = root.replace("http", "ws", 1)
        return {"rest": root, "ws": f"{ws_root}/stream", "ws_root": ws_root}

    def lift_limits(self, lifted: bool) -> None:
        for window in self.windows.values():
            window.limit = 0 if lifted else _LIMIT

    def nightly_reset(self) -> None:
        """Alpaca has no sessions to end; its streams are closed by the server."""

    def _unless_suspended(self, reply: Reply) -> Reply:
        def guarded(call: Call) -> Answer | Awaitable[Answer]:
            if self._account.suspended:
                raise Refusal(403, 40310000, "new orders are rejected by user request")
            return reply(call)

        return guarded


def _refusals_answered(reply: Reply) -> Reply:
    if iscoroutinefunction(reply):

        async def awaited(call: Call) -> Answer:
            try:
                answer: Answer = await reply(call)
            except Refusal as refusal:
                return refusal.answer()
            return answer

        return awaited

    def answered(call: Call) -> Answer | Awaitable[Answer]:
        try:
            return reply(call)
        except Refusal as refusal:
            return refusal.answer()

    return answered
