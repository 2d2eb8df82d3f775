"""Alpaca's REST API: how it is signed, how it says no, and one method a question. The session is the pool's.

Lives here: requests and their answers as the shapes of parse.py. Not here: what follows from them (broker.py).
"""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from time import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import msgspec

from workbench.brokers.alpaca.config import Addresses, Routes
from workbench.brokers.alpaca.parse import (
    AccountBody,
    AskedBody,
    AssetBody,
    CalendarBody,
    ClockBody,
    ErrorBody,
    FillBody,
    OrderBody,
    PositionBody,
)
from workbench.brokers.alpaca.words import VENUE, e8, ts_ns_of
from workbench.brokers.pool import (
    CANCEL,
    DATA,
    ENTRY,
    HISTORY,
    Answer,
    Credentials,
    Pool,
    Probed,
    SignedHeaders,
    decode,
    encode,
)
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    VenueDown,
    VenueRefused,
    WorkbenchError,
)

if TYPE_CHECKING:
    from workbench.brokers.alpaca.cash import CashBody

__all__ = ["AlpacaClient", "AlpacaDialect"]

_MOST_ORDERS: Final = 500
_MOST_FILLS: Final = 100
_MOST_PAGES: Final = 50
_TWICE: Final = "client_order_id must be unique"
_LONGEST_PAUSE_S: Final = 61.0
_NEXT: Final = {  # by code, what to do next
    40310000: "lower the quantity, or free what open orders hold",
    40410000: "check the id or the symbol",
    40010001: "correct the order",
    42210000: "correct the order",
}
_FIELDS: Final = (  # by a word of the message, the part of the request it is about
    ("limit_price", "limit_price"),
    ("limit price", "limit_price"),
    ("stop_price", "stop_price"),
    ("stop price", "stop_price"),
    ("sub-penny", "limit_price"),
    ("trail", "trail_price"),
    ("time_in_force", "time_in_force"),
    ("notional", "notional"),
    ("asset", "symbol"),
    ("symbol", "symbol"),
    ("client_order_id", "client_order_id"),
    ("buying power", "qty"),
    ("balance", "qty"),
    ("qty", "qty"),
    ("fractional", "qty"),
    ("order_class", "order_class"),
    ("order type", "type"),
)


class AlpacaDialect:
    """Two headers on every request; errors as {code, message}; limits in three headers."""

    def __init__(self, keys: Credentials, allowance: str, pool: Pool) -> None:
        self._headers = SignedHeaders(
            {
                "APCA-API-KEY-ID": keys.key,
                "APCA-API-SECRET-KEY": keys.secret,
                "Content-Type": "application/json",
            }
        )
        self._budget, self._clock = pool.limiter.budgets[allowance], pool.limiter.clock

    def sign(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        """The same two headers always; they are not a signature."""
        return query, self._headers

    def judge(self, answer: Answer) -> WorkbenchError | None:
        """The error an answer stands for. A client id used twice is no proof against the first order: it is asked
        about."""
        status = answer.status
        if status < 400 or status >= 500 or status == 408:  # no answer of the venue's own
            return None
        said = _said(answer.body)
        code = str(said.code) if said.code is not None else ""
        text = said.message or "no reason given"
        if status == 429:
            limited = RateLimited(VENUE, text, "the pool waits", status=status, code=code)
            limited.retry_after_s = _pause_s(answer)
            return limited
        if status == 401 or (status == 403 and not code):
            return KeysRefused(VENUE, text, "check the keys and their environment", status=status, code=code)
        if _TWICE in text:
            return OutcomeUnknown(f"{VENUE}: {text}: an order of this id is there already, it is asked about")
        lower = text.lower()
        field = next((field for word, field in _FIELDS if word in lower), "")
        advice = _NEXT.get(int(code) if _is_number(code) else 0, "see the venue's documentation")
        return VenueRefused(VENUE, text, advice, status=status, code=code, field=field)

    def heard(self, answer: Answer) -> None:
        """The allowance as the venue counts it."""
        limit, left = answer.headers.get("X-RateLimit-Limit"), answer.headers.get("X-RateLimit-Remaining")
        if limit is not None and left is not None and _is_number(limit) and _is_number(left):
            now_s = self._clock()
            self._budget.observe_limit(int(limit))
            self._budget.observe_used(int(limit) - int(left), answer.called_ns / 1e9, now_s)


class AlpacaClient:
    """One account's requests. `trading` (`sending`: what changes something) and `data` are two hosts with an
    allowance each."""

    def __init__(self, pool: Pool, addresses: Addresses, keys: Credentials) -> None:
        self.pool = pool
        self.routes = Routes(pool.limiter)
        dialect = AlpacaDialect(keys, "trading", pool)
        self.trading = pool.rest(addresses.rest, dialect, breaker="questions")
        # a class of its own: questions that are answered say nothing about orders that are not
        self.sending = pool.rest(addresses.rest, dialect, breaker="orders")
        self.data = pool.rest(
            addresses.data, AlpacaDialect(keys, "data", pool), breaker="data", body_cap=32_000_000
        )

    # -- orders ----------------------------------------------------------------------------------------------------

    async def place(
        self, body: Mapping[str, object], lane: int = ENTRY, called: Callable[[int], None] | None = None
    ) -> OrderBody:
        """Send an order, once."""
        answer = await self.sending.send(
            "POST", self.routes.order, "/v2/orders", body=encode(body), lane=lane, called=called
        )
        return _order(answer.body)

    async def replace(self, order_id: str, body: Mapping[str, object]) -> OrderBody:
        """Ask for another order in the place of one; the answer is the new one."""
        answer = await self.sending.send(
            "PATCH", self.routes.amend, f"/v2/orders/{quote(order_id)}", body=encode(body)
        )
        return _order(answer.body)

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel; the stream tells when it is one."""
        path = f"/v2/orders/{quote(order_id)}"
        await self.sending.send("DELETE", self.routes.cancel, path, lane=CANCEL, most_wait_s=30.0)

    async def cancel_all(self) -> list[AskedBody]:
        """Ask for a cancel of every open order of the account; what each of them answered."""
        answer = await self.sending.send(
            "DELETE", self.routes.cancel, "/v2/orders", lane=CANCEL, most_wait_s=30.0
        )
        return decode(VENUE, answer.body, list[AskedBody], what="the cancels")

    async def order(self, order_id: str, *, lane: int = DATA) -> OrderBody | None:
        """An order by the venue's id, legs inside."""
        return await self._one(f"/v2/orders/{quote(order_id)}", "nested=true", lane)

    async def order_by_client_id(self, client_id: str, *, lane: int = DATA) -> OrderBody | None:
        """An order by our id."""
        query = urlencode({"client_order_id": client_id})
        return await self._one("/v2/orders:by_client_order_id", query, lane)

    async def _one(self, path: str, query: str, lane: int) -> OrderBody | None:
        try:
            answer = await self.trading.ask(self.routes.look, path, query, lane=lane)
        except VenueRefused as error:
            if error.status == 404:
                return None
            raise
        return _order(answer.body)

    async def orders(
        self, status: str = "open", *, after: str = "", symbols: Sequence[str] = (), lane: int = DATA
    ) -> list[OrderBody]:
        """Orders, oldest first, every page; brackets' legs inside their entries."""
        found: list[OrderBody] = []
        for _ in range(_MOST_PAGES):
            query = {"status": status, "limit": str(_MOST_ORDERS), "direction": "asc", "nested": "true"}
            if after:
                query["after"] = after
            if symbols:
                query["symbols"] = ",".join(symbols)
            answer = await self.trading.ask(self.routes.look, "/v2/orders", urlencode(query), lane=lane)
            page = decode(VENUE, answer.body, list[OrderBody], what="the list of orders")
            known = {body.id for body in found}
            found += [body for body in page if body.id not in known]
            if len(page) < _MOST_ORDERS:
                break
            if len(found) == len(known):  # more orders of one moment than a page holds
                raise _endless("orders")
            # the earlier of its two times: what came in between is repeated rather than left out
            after = page[-1].created_at or page[-1].submitted_at or after
        else:
            raise _endless("orders")
        return found

    async def fills(self, after: str, *, lane: int = DATA) -> list[FillBody]:
        """The account's executions since a time, oldest first, every page.

        Raises:
            VenueDown: they do not end. A part of them would prove nothing about what is not among them.
        """
        found: list[FillBody] = []
        async for page in self._fills("asc", after, lane):
            found += page
        return found

    async def fills_of(
        self, order_ids: Collection[str], filled_e8: int, after: str, *, lane: int = DATA
    ) -> list[FillBody]:
        """The executions of some orders, oldest first. The newest are read first, until `filled_e8` is found: an order
        may rest for hours on an account that trades on. Raises VenueDown as `fills` does."""
        found: list[FillBody] = []
        async with aclosing(self._fills("desc", after, lane)) as pages:
            async for page in pages:
                found += [fill for fill in page if fill.order_id in order_ids]
                if sum(e8(fill.qty, "qty") for fill in found) >= filled_e8:
                    break
        return found[::-1]

    async def _fills(self, direction: str, after: str, lane: int) -> AsyncGenerator[list[FillBody]]:
        query = {"direction": direction, "page_size": str(_MOST_FILLS)}
        if after:
            query["after"] = after
        for _ in range(_MOST_PAGES):
            path = "/v2/account/activities/FILL"
            answer = await self.trading.ask(self.routes.look, path, urlencode(query), lane=lane)
            page = decode(VENUE, answer.body, list[FillBody], what="the list of fills")
            yield page
            if len(page) < _MOST_FILLS:
                return
            query["page_token"] = page[-1].id
        raise _endless("fills")

    async def cash_entries(self, after: str) -> "list[CashBody]":
        """What the account's activities hold besides trades, oldest first, every page."""
        from workbench.brokers.alpaca.cash import CashBody

        found: list[CashBody] = []
        query = {
            "category": "non_trade_activity",
            "after": after,
            "direction": "asc",
            "page_size": str(_MOST_FILLS),
        }
        for _ in range(_MOST_PAGES):
            answer = await self.trading.ask(
                self.routes.account, "/v2/account/activities", urlencode(query), lane=HISTORY
            )
            page = decode(VENUE, answer.body, list[CashBody], what="the list of activities")
            found += page
            if len(page) < _MOST_FILLS:
                break
            query["page_token"] = page[-1].id
        else:  # the newest are the last ones
            raise _endless("activities")
        return [body for body in found if body.activity_type != "FILL"]

    # -- the account -----------------------------------------------------------------------------------------------

    async def account(self) -> AccountBody:
        answer = await self.trading.ask(self.routes.account, "/v2/account")
        return decode(VENUE, answer.body, AccountBody, what="the account")

    async def positions(self) -> list[PositionBody]:
        answer = await self.trading.ask(self.routes.account, "/v2/positions")
        return decode(VENUE, answer.body, list[PositionBody], what="the positions")

    async def close_all(self, *, cancel_orders: bool = True) -> int:
        """Ask for market orders against every position; how many were asked about."""
        query = urlencode({"cancel_orders": "true" if cancel_orders else "false"})
        answer = await self.sending.send(
            "DELETE", self.routes.order, "/v2/positions", query, lane=CANCEL, most_wait_s=30.0
        )
        return len(decode(VENUE, answer.body, list[dict[str, object]], what="the closing orders"))

    async def close_position(self, symbol: str) -> OrderBody:
        """Ask for a market order against one position."""
        answer = await self.sending.send(
            "DELETE", self.routes.order, f"/v2/positions/{quote(symbol, safe='')}", lane=CANCEL
        )
        return _order(answer.body)

    async def asset(self, symbol: str) -> AssetBody:
        """One asset. Raises VenueRefused (404) when it is not listed."""
        answer = await self.trading.ask(self.routes.account, f"/v2/assets/{quote(symbol, safe='')}")
        return decode(VENUE, answer.body, AssetBody, what="the asset")

    async def assets(self, asset_class: str = "us_equity") -> list[AssetBody]:
        """Every active asset of a class."""
        query = urlencode({"status": "active", "asset_class": asset_class})
        answer = await self.trading.ask(
            self.routes.account, "/v2/assets", query, lane=HISTORY, body_cap=64_000_000
        )
        return decode(VENUE, answer.body, list[AssetBody], what="the list of assets")

    async def clock(self) -> ClockBody:
        answer = await self.trading.ask(self.routes.account, "/v2/clock")
        return decode(VENUE, answer.body, ClockBody, what="the clock")

    async def calendar(self, start: str, end: str) -> list[CalendarBody]:
        """Trading days between two dates (ISO), both included."""
        query = urlencode({"start": start, "end": end})
        answer = await self.trading.ask(self.routes.account, "/v2/calendar", query, lane=HISTORY)
        return decode(VENUE, answer.body, list[CalendarBody], what="the calendar")

    async def probe(self) -> Probed:
        """The clock as a probe: is it well, how far away is it, what time is it there."""
        answer = await self.trading.ask(self.routes.account, "/v2/clock", tries=1, most_wait_s=5.0)
        body = decode(VENUE, answer.body, ClockBody, what="the clock")
        return Probed(answer.called_ns, answer.came_ns, ts_ns_of(body.timestamp))

    # -- market data -----------------------------------------------------------------------------------------------

    async def market(self, path: str, query: Mapping[str, str]) -> bytes:
        """One page of market data; `market.py` reads it."""
        answer = await self.data.ask(self.routes.data, path, urlencode(query), lane=HISTORY)
        return answer.body


def _is_number(text: str) -> bool:
    """Whether `int` reads it: a superscript is a digit too."""
    return text.isascii() and text.isdigit()


def _endless(what: str) -> VenueDown:
    return VenueDown(VENUE, f"the list of {what} does not end after {_MOST_PAGES} pages", "ask again")


def _order(body: bytes) -> OrderBody:
    return decode(VENUE, body, OrderBody, what="an order", deepest=0)


def _said(body: bytes) -> ErrorBody:
    try:
        return msgspec.json.decode(body[:65_536], type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ErrorBody(body[:200].decode("utf-8", "replace"))


def _pause_s(answer: Answer) -> float:
    """How long to wait after a 429: until the second the allowance is renewed."""
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if reset.isascii() and reset.isdigit():
        return min(max(float(reset) - time() + 0.25, 0.25), _LONGEST_PAUSE_S)
    said = answer.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_PAUSE_S) if said.isascii() and said.isdigit() else 5.0
