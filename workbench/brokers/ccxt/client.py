"""One account's requests at one exchange, through ccxt: each passes our limiter and breakers and ends in a value of
ccxt's or in a typed error of ours.

    ask    a question: asked again when nothing or nothing readable came back
    send   an order, a cancel, an amendment: sent once

Lives here: that, and one method a question. Not here: what ccxt's structures mean (parse.py), the lives of orders
(broker.py).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from time import monotonic, monotonic_ns
from typing import Any, Final

from workbench.brokers.ccxt.config import UNIT, Plan
from workbench.brokers.ccxt.library import library, made
from workbench.brokers.ccxt.pages import every_page
from workbench.brokers.ccxt.verdict import verdict
from workbench.brokers.pool import CANCEL, DATA, ENTRY, HISTORY, Backoff, Limiter, Pool, Probed, Route
from workbench.brokers.pool.breaker import Breaker
from workbench.brokers.pool.rest import retry_after_s
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Retryable,
    VenueDown,
    VenueGarbled,
    VenueRefused,
    WorkbenchError,
)

__all__ = ["Call", "CcxtClient"]

_TRIES: Final = 4

type Row = dict[str, Any]
"""One of ccxt's unified structures."""


class Call:
    """One of our calls under way; ccxt may make several requests for it."""

    __slots__ = (
        "called",
        "headers",
        "lane",
        "most_wait_s",
        "name",
        "over",
        "routes",
        "since_ns",
        "status",
    )

    def __init__(
        self, name: str, lane: int, most_wait_s: float, called: Callable[[int], None] | None = None
    ) -> None:
        self.name, self.lane, self.most_wait_s, self.called = name, lane, most_wait_s, called
        self.routes: list[Route] = []
        self.status, self.headers = 0, dict[str, str]()  # of the last answer
        self.since_ns, self.over = 0, False


_CALL: ContextVar[Call | None] = ContextVar("ccxt call", default=None)


class CcxtClient:
    """`exchange` is ccxt's object. `on_connected(url)` and `on_unreadable(error)` are told of its streams."""

    def __init__(self, pool: Pool, plan: Plan, config: Mapping[str, Any]) -> None:
        self.pool, self.plan, self.name = pool, plan, plan.exchange
        self.moved: Sequence[tuple[str, str]] = ()  # addresses in the place of usual ones, the longest first
        self.on_connected: Callable[[str], None] | None = None
        self.on_unreadable: Callable[[Exception], None] | None = None
        self.unsent_frames = 0  # frames of streams that wait for ccxt's pace
        self.talked_s = monotonic()
        self.exchange = made(plan.exchange, dict(config), self)
        self.has: Mapping[str, Any] = self.exchange.has
        self._limiter: Limiter = pool.limiter
        self._routes: dict[tuple[str, int, bool], Route] = {}
        self._breakers = {
            kind: pool.breakers.setdefault(kind, Breaker(kind)) for kind in ("orders", "questions")
        }

    # -- what an exchange asks and tells (library.Hooks) -----------------------------------------------------------

    async def gate(self, cost: float) -> None:
        """A request waits for its turn in the lane of the call it belongs to; requests of ccxt's own making (keeping a
        stream alive) wait among the questions."""
        call = _CALL.get()
        if call is None or call.over:
            await self._limiter.wait(self._route("ccxt", cost, False), DATA)
            self.pool.meters.requests["ccxt"] += 1
            return
        route = self._route(call.name, cost, True)
        if not self._limiter.admit(route, call.lane):
            await self._limiter.wait(route, call.lane, call.most_wait_s)
        call.routes.append(route)
        self._check_keys()  # again: it may have waited
        call.status, call.headers = 0, {}
        self.pool.meters.requests[call.name] += 1
        if not call.since_ns:
            call.since_ns = monotonic_ns()
            if call.called is not None:
                call.called(call.since_ns)

    def answered(self, status: int, headers: dict[str, str]) -> None:
        call = _CALL.get()
        if call is not None:
            call.status, call.headers = status, headers

    def unparsed(self, body: str) -> None:
        call = _CALL.get()
        if call is not None and 200 <= call.status < 300 and _is_no_json(body):
            raise library().BadResponse("the answer is no JSON")

    def usual(self, url: str) -> str:
        for address, usual in self.moved:
            if url.startswith(address):
                return usual + url[len(address) :]
        return url

    def connected(self, url: str) -> None:
        if self.on_connected is not None:
            self.on_connected(url)

    def talked(self, more: int) -> None:
        self.unsent_frames = max(0, self.unsent_frames + more)
        self.talked_s = monotonic()

    def unreadable(self, error: Exception) -> None:
        self.pool.meters.garbled += 1
        if self.on_unreadable is not None:
            self.on_unreadable(error)

    def _route(self, name: str, cost: float, counted: bool) -> Route:
        budget = self._limiter.budgets["requests"]
        units = min(max(1, round(cost * UNIT)), budget.limit)
        key = (name, units, counted)
        if key not in self._routes:
            more = {"in_flight": 1} if counted else {}
            self._routes[key] = self._limiter.route(name, requests=units, **more)
        return self._routes[key]

    def streams(self, what: str) -> bool:
        """Whether something is streamed to this account: ccxt can, the account wants it, and its environment has an
        address for it (some test environments have none)."""
        addresses = self.exchange.urls["api"]
        there = isinstance(addresses, dict) and bool(addresses.get("ws"))
        return self.plan.events == "stream" and self.has.get(what) is True and there

    def forget_bars(self) -> None:
        """Have ccxt forget the bars its streams have told: it hands all that came since the last look to the next
        one, and of a minute that a break has cut off that is only the beginning."""
        for kept in self.exchange.ohlcvs.values():
            # by length of bar, but for an exchange that streams one length only
            for bars in kept.values() if isinstance(kept, dict) else (kept,):
                bars.clear()

    # -- asking and sending ----------------------------------------------------------------------------------------

    async def ask[T](
        self, name: str, work: Callable[[], Awaitable[T]], *, lane: int = DATA, tries: int = _TRIES
    ) -> T:
        """The answer to a question.

        Raises:
            VenueDown, Unreachable: no answer after several tries. VenueGarbled: ccxt cannot read it.
            RateLimited, Busy: not in time. KeysRefused, VenueRefused, UnsafeVenue: the exchange, or prudence, says no.
        """
        backoff = Backoff(0.1, 2.0)
        for left in range(tries, 0, -1):
            try:
                return await self._once(Call(name, lane, 60.0), work, "questions")
            except Retryable as error:
                if left == 1:
                    raise
                self.pool.meters.retried += 1
                if not isinstance(
                    error, RateLimited
                ):  # else the limiter holds it back as long as was asked for
                    await asyncio.sleep(max(backoff.next_s(), self._breakers["questions"].wait_s))
        raise AssertionError("unreachable: the last try returns or raises")

    async def send[T](
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        *,
        lane: int = ENTRY,
        called: Callable[[int], None] | None = None,
    ) -> T:
        """Have something done that changes the world, once.

        Raises:
            OutcomeUnknown, VenueGarbled: it may have been carried out: ask the exchange.
            Unreachable, Busy: it was not sent. RateLimited, KeysRefused, VenueRefused: the exchange did not do it.
        """
        call = Call(name, lane, 30.0 if lane == CANCEL else 5.0, called)
        return await self._once(call, work, "orders")

    async def _once[T](self, call: Call, work: Callable[[], Awaitable[T]], breaker_name: str) -> T:
        breaker, pool, order = self._breakers[breaker_name], self.pool, breaker_name == "orders"
        self._check_keys()
        if call.lane != CANCEL and not breaker.allows():
            text = f"left alone after failures ({breaker.reason})"
            advice = f"nothing was sent; next try in {breaker.wait_s:.1f} s"
            raise self._counted(VenueDown(self.name, text, advice))
        token = _CALL.set(call)
        try:
            value = await work()
        except Exception as error:  # noqa: BLE001 - ccxt's readers raise anything; verdict() says what it proves
            found = verdict(
                error,
                self.name,
                status=call.status,
                retry_after_s=retry_after_s(call.headers),
                order=order and bool(call.since_ns),
            )
            if order and not call.since_ns and isinstance(found, VenueGarbled):
                found = VenueRefused(self.name, found.said, "nothing was sent", code="CCXT")
            self._failed(found, call, breaker)
            raise self._counted(found) from None  # ccxt's own texts carry signatures
        finally:
            _CALL.reset(token)
            call.over = True
            for route in call.routes:
                self._limiter.release(route)
        if call.since_ns:
            pool.meters.wire.record(monotonic_ns() - call.since_ns)
            breaker.worked()
            pool.keys_refused = 0
        return value

    def _check_keys(self) -> None:
        """Raises KeysRefused once they were: every further try with a refused key invites a ban."""
        if self.pool.health.state == "unauthorised":
            text = f"left alone: {self.pool.health.reason}"
            raise KeysRefused(self.name, text, "nothing was sent; renew the keys, start again")

    def _failed(self, error: WorkbenchError, call: Call, breaker: Breaker) -> None:
        known = isinstance(error, OutcomeUnknown) and 400 <= call.status < 500  # a client id used before, say
        if (isinstance(error, VenueDown | VenueGarbled | OutcomeUnknown) and not known) or not call.status:
            if call.since_ns:  # else it never left
                breaker.failed(str(error))
            return
        breaker.worked()
        if isinstance(error, RateLimited):
            self.pool.meters.limited += 1
            for route in call.routes[-1:]:
                self._limiter.penalise(route, error.retry_after_s)
        elif isinstance(error, KeysRefused):
            self.pool.refused_keys(error)

    def _counted(self, error: WorkbenchError) -> WorkbenchError:
        self.pool.meters.errors[type(error).__name__] += 1
        return error

    async def close(self) -> None:
        """Close its streams; harmless when repeated."""
        await self.exchange.close()

    # -- orders ----------------------------------------------------------------------------------------------------

    async def place(self, arguments: tuple[Any, ...], lane: int, called: Callable[[int], None] | None) -> Row:
        """Send an order, once: symbol, type, side, amount, price, params."""
        answer: Row = await self.send(
            "order", lambda: self.exchange.create_order(*arguments), lane=lane, called=called
        )
        return answer

    async def cancel(self, order_id: str, symbol: str) -> None:
        """Ask for a cancel."""
        pending = library().CancelPending

        async def work() -> None:
            try:
                await self.exchange.cancel_order(order_id, symbol)
            except pending:  # it was asked for before: taken as well
                return

        await self.send("cancel", work, lane=CANCEL)

    async def edit(self, order_id: str, arguments: tuple[Any, ...]) -> Row:
        """Ask for an amendment: symbol, type, side, amount, price, params."""
        answer: Row = await self.send("amend", lambda: self.exchange.edit_order(order_id, *arguments))
        return answer

    async def order(self, order_id: str, symbol: str, lane: int = DATA) -> Row:
        """An order by the exchange's id."""
        answer: Row = await self.ask("look", lambda: self.exchange.fetch_order(order_id, symbol), lane=lane)
        return answer

    async def order_by_client_id(self, client_id: str, symbol: str, lane: int = DATA) -> Row:
        """An order by our id (where config.BY_CLIENT_ID says that it can be asked for so)."""
        params = {"clientOrderId": client_id}
        answer: Row = await self.ask(
            "look", lambda: self.exchange.fetch_order(None, symbol, params), lane=lane
        )
        return answer

    async def open_orders(self, symbol: str | None, lane: int = DATA) -> list[Row]:
        """Open orders in one symbol (None: in all)."""
        rows: list[Row] = await self.ask("look", lambda: self.exchange.fetch_open_orders(symbol), lane=lane)
        return rows

    async def past_orders(self, symbol: str, since_ms: int, lane: int = DATA) -> list[Row]:
        """Orders since a time that are over (where there is one list of all: open ones too)."""
        has, exchange, found = self.has, self.exchange, list[Row]()
        names: tuple[str, ...] = ("fetchOrders",)
        if not has.get("fetchOrders"):
            names = ("fetchCanceledAndClosedOrders",)
            if not has.get(names[0]):
                names = ("fetchClosedOrders", "fetchCanceledOrders")
        for name in names:
            if has.get(name):
                call = getattr(exchange, _SNAKE[name])
                found += await every_page(self, name, call, symbol, since_ms, lane)
        return found

    async def trades(self, symbol: str, since_ms: int, lane: int = DATA) -> list[Row]:
        """The account's executions in one symbol since a time, every page."""
        call = self.exchange.fetch_my_trades
        return await every_page(self, "fetchMyTrades", call, symbol, since_ms, lane)

    async def trades_of(self, order_id: str, symbol: str, since_ms: int, lane: int = DATA) -> list[Row]:
        """The executions of one order."""
        if self.has.get("fetchOrderTrades") is True:
            rows: list[Row] = await self.ask(
                "look", lambda: self.exchange.fetch_order_trades(order_id, symbol), lane=lane
            )
        else:
            rows = await self.trades(symbol, since_ms, lane)
        return [row for row in rows if row.get("order") in (order_id, None)]

    # -- the account and the market --------------------------------------------------------------------------------

    async def balance(self) -> Row:
        answer: Row = await self.ask("account", self.exchange.fetch_balance)
        return answer

    async def load(self) -> Mapping[str, Row]:
        """Everything the exchange lists, by ccxt's symbol."""
        listed: Mapping[str, Row] = await self.ask("markets", self.exchange.load_markets, lane=HISTORY)
        return listed

    async def probe(self, tries: int = 1) -> Probed:
        """The exchange's clock (where it shows one; else a balance): is it well, how far away is it."""
        called_ns = monotonic_ns()
        if self.has.get("fetchTime") is True:
            venue_ms = await self.ask("probe", self.exchange.fetch_time, tries=tries)
            return Probed(called_ns, monotonic_ns(), int(venue_ms or 0) * 1_000_000)
        await self.ask("probe", self.exchange.fetch_balance, tries=tries)
        return Probed(called_ns, monotonic_ns())

    def keep_time(self) -> None:
        """Tell ccxt how far the exchange's clock is from ours, for exchanges that refuse what is stamped otherwise."""
        clock, options = self.pool.health.clock, self.exchange.options
        if clock.known and "timeDifference" in options:
            options["timeDifference"] = -round(clock.offset_ns / 1e6)


def _is_no_json(body: str) -> bool:
    """ccxt goes on with such an answer as if it had been an empty one: "no such order", say."""
    try:
        json.loads(body)
    except ValueError:
        return bool(body)
    return False


_SNAKE: Final = {
    "fetchOrders": "fetch_orders",
    "fetchClosedOrders": "fetch_closed_orders",
    "fetchCanceledOrders": "fetch_canceled_orders",
    "fetchCanceledAndClosedOrders": "fetch_canceled_and_closed_orders",
}
