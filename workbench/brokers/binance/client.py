"""Binance's REST API: how it is signed, how it says no, and one method a question. The session is the pool's.

Lives here: requests and their answers as the shapes of parse.py. Not here: orders (trading.py), what follows from
answers (broker.py), what errors mean (refusals.py).
"""

from collections.abc import Mapping, Sequence
from time import monotonic, time_ns
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from workbench.brokers.binance.bodies import (
    AccountBody,
    CommissionBody,
    ErrorBody,
    InfoBody,
    LimitBody,
    OrderBody,
    TimeBody,
    TradeBody,
)
from workbench.brokers.binance.config import Addresses, Options, Routes
from workbench.brokers.binance.parse import Params
from workbench.brokers.binance.refusals import ClockOff, TooManyOrders, error_of
from workbench.brokers.binance.signer import Signer
from workbench.brokers.binance.words import VENUE, ts_ns_of
from workbench.brokers.pool import (
    DATA,
    HISTORY,
    Answer,
    Credentials,
    Fixed,
    Pool,
    Probed,
    Route,
    SignedHeaders,
    decode,
)
from workbench.brokers.pool.rest import retry_after_s
from workbench.errors import VenueRefused, WorkbenchError

__all__ = ["BinanceClient", "BinanceDialect", "Limits", "query_of", "said"]

_PUBLIC: Final = frozenset(
    f"/api/v3/{name}"
    for name in ("ping", "time", "exchangeInfo", "depth", "trades", "aggTrades", "klines", "avgPrice", "ticker",
                 "ticker/24hr", "ticker/price", "ticker/bookTicker")
)  # fmt: skip
_WINDOWS: Final = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight",
    ("RAW_REQUESTS", "MINUTE", 5): "raw",
    ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "DAY", 1): "orders_1d",
}
_HEADERS: Final = {
    "X-MBX-USED-WEIGHT-1M": "weight",
    "X-MBX-ORDER-COUNT-10S": "orders_10s",
    "X-MBX-ORDER-COUNT-1D": "orders_1d",
}
_ORDERS: Final = ("orders_10s", "orders_1d")
_MOST: Final = 1_000
_MOST_PAGES: Final = 50
_INFO_CAP: Final = 64_000_000
_NO_SUCH_ORDER: Final = ("-2013", "-2026")


def query_of(params: Params) -> str:
    """Parameters as a query, encoded as they are to be signed.

    >>> query_of([("symbols", '["BTCUSDT"]'), ("limit", "5")])
    'symbols=%5B%22BTCUSDT%22%5D&limit=5'
    """
    return urlencode(params, quote_via=quote)


def said(body: bytes) -> ErrorBody:
    """What an answer says of an error; nothing when it cannot be read."""
    try:
        return msgspec.json.decode(body[:65_536], type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ErrorBody(0, body[:200].decode("utf-8", "replace"))


class Limits:
    """The venue's allowances as its answers tell them, for REST and the WebSocket API alike."""

    def __init__(self, pool: Pool) -> None:
        self._limiter, self._health = pool.limiter, pool.health

    def told(self, rows: Sequence[LimitBody], sent_s: float, *, counts: bool = True) -> None:
        """Limits as exchangeInfo or an answer lists them."""
        budgets, now_s = self._limiter.budgets, self._limiter.clock()
        for row in rows:
            name = _WINDOWS.get((row.rate_limit_type, row.interval, row.interval_num))
            if name is not None:
                budgets[name].observe_limit(row.limit)
                if counts:
                    budgets[name].observe_used(row.count, sent_s, now_s)

    def heard(self, headers: Mapping[str, str], sent_s: float) -> None:
        """Counts in the headers of an answer."""
        budgets, now_s = self._limiter.budgets, self._limiter.clock()
        for header, name in _HEADERS.items():
            used = headers.get(header)
            if used is not None and used.isdigit():
                budgets[name].observe_used(int(used), sent_s, now_s)

    def pause_orders(self, pause_s: float) -> None:
        """New orders wait; cancels and questions do not."""
        until_s = self._limiter.clock() + pause_s
        for name in _ORDERS:
            self._limiter.budgets[name].block(until_s)

    def aligned(self) -> None:
        """The windows begin by the venue's clock."""
        shift_s = (time_ns() + self._health.clock.offset_ns) / 1e9 - monotonic()
        for budget in self._limiter.budgets.values():
            if isinstance(budget, Fixed):
                budget.shift_s = shift_s

    def taken(self, error: WorkbenchError) -> WorkbenchError:
        """A refusal because of too many orders holds back orders alone."""
        if isinstance(error, TooManyOrders):
            self.pause_orders(error.retry_after_s)
            error.retry_after_s = 0.0
        return error


class BinanceDialect:
    """A key in a header, a signature over query and body; errors as {code, msg}; counts in headers."""

    def __init__(self, keys: Credentials, signer: Signer, pool: Pool, options: Options) -> None:
        self._headers = SignedHeaders({"X-MBX-APIKEY": keys.key})
        self._signer, self._clock = signer, pool.health.clock
        self._window = f"&recvWindow={options.recv_window_ms}" if options.recv_window_ms != 5_000 else ""
        self.limits = Limits(pool)

    def now_ms(self) -> int:
        """The venue's time."""
        return (time_ns() + self._clock.offset_ns) // 1_000_000

    def sign(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        """Public questions go as they are. What is signed is what is sent, percent-encoding and all."""
        if path in _PUBLIC:
            return query, {}
        dated = f"{query}{'&' if query else ''}timestamp={self.now_ms()}{self._window}"
        signature = self._signer(dated.encode() + body)
        return f"{dated}&signature={quote(signature, safe='')}", self._headers

    def judge(self, answer: Answer) -> WorkbenchError | None:
        """The error an answer stands for."""
        status = answer.status
        if 200 <= status < 300:
            return None
        error = error_of(status, said(answer.body), retry_after_s(answer.headers, 5.0))
        return self.limits.taken(error) if error is not None else None

    def heard(self, answer: Answer) -> None:
        """The allowances as the venue counts them."""
        self.limits.heard(answer.headers, answer.called_ns / 1e9)


class BinanceClient:
    """One account's questions."""

    def __init__(
        self, pool: Pool, addresses: Addresses, keys: Credentials, signer: Signer, options: Options
    ) -> None:
        self.pool = pool
        self.routes = Routes(pool.limiter)
        self.dialect = BinanceDialect(keys, signer, pool, options)
        self.limits = self.dialect.limits
        self.rest = pool.rest(addresses.rest, self.dialect, breaker="rest", body_cap=16_000_000)
        self.rest.before_again = self._before_again

    async def clock_again(self) -> None:
        """Ask what time it is there: a request was refused because of the time on it."""
        await self.pool.health.check()
        self.limits.aligned()

    async def _before_again(self, error: WorkbenchError) -> None:
        if isinstance(error, ClockOff):
            await self.clock_again()

    # -- orders ----------------------------------------------------------------------------------------------------

    async def order(self, symbol: str, client_id: str, *, lane: int = DATA) -> OrderBody | None:
        """An order by our id; None when the venue says that it knows none."""
        return await self._order([("symbol", symbol), ("origClientOrderId", client_id)], lane)

    async def order_by_id(self, symbol: str, order_id: str, *, lane: int = DATA) -> OrderBody | None:
        """An order by the venue's id."""
        return await self._order([("symbol", symbol), ("orderId", order_id)], lane)

    async def _order(self, params: Params, lane: int) -> OrderBody | None:
        try:
            answer = await self.rest.ask(self.routes.look, "/api/v3/order", query_of(params), lane=lane)
        except VenueRefused as error:
            if error.code in _NO_SUCH_ORDER:
                return None
            raise
        return decode(VENUE, answer.body, OrderBody, what="an order", deepest=0)

    async def open_orders(self, symbol: str = "", *, lane: int = DATA) -> list[OrderBody]:
        """Open orders of a symbol, or of the account."""
        route = self.routes.open_of_symbol if symbol else self.routes.open_of_all
        params = [("symbol", symbol)] if symbol else []
        answer = await self.rest.ask(route, "/api/v3/openOrders", query_of(params), lane=lane)
        return decode(VENUE, answer.body, list[OrderBody], what="the open orders", deepest=0)

    async def orders(self, symbol: str, since_ns: int = 0, *, lane: int = DATA) -> list[OrderBody]:
        """Orders of a symbol since a time, open and ended; the newest ones without."""
        found: list[OrderBody] = []
        params: Params = [("symbol", symbol)]
        if since_ns:
            params += [("startTime", str(since_ns // 1_000_000)), ("limit", str(_MOST))]
        for _ in range(_MOST_PAGES):
            answer = await self.rest.ask(
                self.routes.history, "/api/v3/allOrders", query_of(params), lane=lane
            )
            page = decode(VENUE, answer.body, list[OrderBody], what="the orders", deepest=0)
            known = {body.venue_id for body in found}
            found += [body for body in page if body.venue_id not in known]
            if not since_ns or len(page) < _MOST:
                break
            following = int(page[-1].venue_id) + 1
            params = [("symbol", symbol), ("orderId", str(following)), ("limit", str(_MOST))]
        return found

    async def trades_of(self, symbol: str, order_id: str, *, lane: int = DATA) -> list[TradeBody]:
        """The executions of one order, oldest first, every page. Without a number to begin with the venue would show
        the newest ones."""
        params = [("symbol", symbol), ("orderId", order_id)]
        return await self._trades(self.routes.trades_of_order, params, [("fromId", "0")], lane)

    async def trades_since(self, symbol: str, since_ns: int, *, lane: int = DATA) -> list[TradeBody]:
        """The account's executions in a symbol since a time (a day back at most), oldest first, every page."""
        since = [("startTime", str(since_ns // 1_000_000))]
        return await self._trades(self.routes.history, [("symbol", symbol)], since, lane)

    async def _trades(self, route: Route, params: Params, first: Params, lane: int) -> list[TradeBody]:
        """Page after page: the first one by `first`, the following ones by the number behind the last."""
        found: list[TradeBody] = []
        where = first
        for _ in range(_MOST_PAGES):
            query = query_of([*params, *where, ("limit", str(_MOST))])
            answer = await self.rest.ask(route, "/api/v3/myTrades", query, lane=lane)
            page = decode(VENUE, answer.body, list[TradeBody], what="the trades", deepest=0)
            known = {str(trade.id) for trade in found}
            new = [trade for trade in page if str(trade.id) not in known]
            found += new
            if len(page) < _MOST or not new:
                break
            where = [("fromId", str(int(new[-1].id) + 1))]
        return found

    # -- the account -----------------------------------------------------------------------------------------------

    async def account(self, *, nonzero: bool = False) -> AccountBody:
        """The account; `nonzero`: without the assets of which there is nothing (there are hundreds)."""
        params = [("omitZeroBalances", "true")] if nonzero else []
        answer = await self.rest.ask(self.routes.account, "/api/v3/account", query_of(params))
        return decode(VENUE, answer.body, AccountBody, what="the account", deepest=0)

    async def commission(self, symbol: str) -> CommissionBody:
        """What executions in a symbol cost."""
        answer = await self.rest.ask(
            self.routes.account, "/api/v3/account/commission", query_of([("symbol", symbol)])
        )
        return decode(VENUE, answer.body, CommissionBody, what="the commission")

    # -- the venue -------------------------------------------------------------------------------------------------

    async def info(self, symbols: Sequence[str] = ()) -> InfoBody:
        """Symbols with their filters, and the limits; all symbols without."""
        text = msgspec.json.encode(list(symbols)).decode()
        query = query_of([("symbols", text)] if symbols else [])
        answer = await self.rest.ask(
            self.routes.listing, "/api/v3/exchangeInfo", query, lane=HISTORY, body_cap=_INFO_CAP
        )
        return decode(VENUE, answer.body, InfoBody, what="what is listed", deepest=0)

    async def probe(self) -> Probed:
        """The time as a probe: is it well, how far away is it, what time is it there. It is told in milliseconds."""
        answer = await self.rest.ask(self.routes.time, "/api/v3/time", tries=1, most_wait_s=5.0)
        body = decode(VENUE, answer.body, TimeBody, what="the time")
        venue_ns = ts_ns_of(body.server_time)
        return Probed(answer.called_ns, answer.came_ns, venue_ns + 500_000)

    # -- market data -----------------------------------------------------------------------------------------------

    async def market(self, path: str, params: Params, *, weight: int = 2) -> bytes:
        """One answer of market data; `market.py` reads it."""
        route = self.routes.depth if weight > 25 else self.routes.history if weight > 5 else self.routes.price
        answer = await self.rest.ask(route, f"/api/v3/{path}", query_of(params), lane=HISTORY)
        return answer.body
