"""Single orders at Binance: place, test, look up, list.

Lives here: what the methods do. Not here: their names, weights and security (methods.py), an order's form (tickets.py),
cancelling and changing (changes.py), lists of orders (list_methods.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from workbench.model.orders import BUY
from workbench.model.scale import SCALE
from workbench.testbed.binance.allowances import Allowances
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.balances import Balances
from workbench.testbed.binance.bodies import ack_body, client_id_of, order_row, placed_body
from workbench.testbed.binance.refusals import NO_SUCH_ORDER, Refusal, rejected
from workbench.testbed.binance.tickets import Rules
from workbench.testbed.binance.words import text8
from workbench.testbed.orders import OrderEvent, Ticket, VenueOrder

__all__ = ["Orders", "Waits", "span_of"]

_FULL_BY_ITSELF: Final = frozenset({"MARKET", "LIMIT"})
_DAY_NS: Final = 86_400_000_000_000


class Waits:
    """What waits for the matching engine, where it takes its time (`--ack-s`)."""

    def __init__(self, rules: Rules) -> None:
        self._exchange = rules.exchange
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._exchange.sinks.append(self._told)

    def _told(self, event: OrderEvent) -> None:
        for waiting in self._waiting.pop(event.order.order_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    def until(
        self, over: Callable[[], bool], orders: Iterable[VenueOrder], then: Callable[[], Any]
    ) -> Any | Awaitable[Any]:
        """`then()` once `over()`: at once when that is so after settling."""
        self._exchange.settle()
        return then() if over() else self._later(over, list(orders), then)

    async def _later(
        self, over: Callable[[], bool], orders: list[VenueOrder], then: Callable[[], Any]
    ) -> Any:
        loop = asyncio.get_running_loop()
        while not over():
            changed: asyncio.Future[None] = loop.create_future()
            for order in orders:
                self._waiting.setdefault(order.order_id, []).append(changed)
            await changed
        return then()


class Orders:
    """The methods about single orders."""

    def __init__(self, rules: Rules, balances: Balances, allowances: Allowances) -> None:
        self.rules, self.balances, self.allowances = rules, balances, allowances
        self.exchange = rules.exchange
        self.waits = Waits(rules)
        self.exchange.sinks.append(self._count_fill)

    def _count_fill(self, event: OrderEvent) -> None:
        execution = event.execution
        if execution is not None and len(event.order.executions) == 1:
            self.allowances.first_fill(maker=execution.maker)

    # -- placing -----------------------------------------------------------------------------------------------------

    def place(self, asked: Asked) -> Any:
        """Take an order in and answer with what became of it at once."""
        self.allowances.may_order()
        ticket, answer = self.ready(asked)
        return self.placed(ticket, answer)

    def test(self, asked: Asked) -> Any:
        """Whether an order would be taken."""
        self.ready(asked)
        if not asked.flag("computeCommissionRates"):
            return {}
        rates = self.commission_rates()
        nothing = {"maker": "0.00000000", "taker": "0.00000000"}
        return {
            "standardCommissionForOrder": rates,
            "specialCommissionForOrder": nothing,
            "taxCommissionForOrder": nothing,
            "discount": self.discount(),
        }

    def ready(self, asked: Asked) -> tuple[Ticket, Callable[[VenueOrder], Any]]:
        """The ticket of a new order that may be placed, and how it will be answered."""
        ticket = self.rules.ticket(asked)
        self.balances.check(ticket, self.px_e8(ticket))
        return ticket, self._answer(asked, ticket)

    @staticmethod
    def _answer(asked: Asked, ticket: Ticket) -> Callable[[VenueOrder], Any]:
        usual = "FULL" if ticket.extra["type"] in _FULL_BY_ITSELF else "ACK"
        wanted = asked.one_of(
            "newOrderRespType",
            ("ACK", "RESULT", "FULL"),
            usual,
            Refusal(-1130, "Data sent for parameter 'newOrderRespType' is not valid."),
        )
        if wanted == "ACK":
            return lambda order: ack_body(order, asked.time)
        return lambda order: placed_body(order, asked.time, full=wanted == "FULL")

    def px_e8(self, ticket: Ticket) -> int:
        """The price an order must be able to pay."""
        if ticket.limit_px_e8 or ticket.stop_px_e8:
            return ticket.limit_px_e8 or ticket.stop_px_e8
        book = self.exchange.market.boards[ticket.listing.iid].book
        px, _ = (book.asks if ticket.side == BUY else book.bids)[0]
        return round(px * SCALE)

    def placed(self, ticket: Ticket, answer: Callable[[VenueOrder], Any]) -> Any:
        """Place it; the answer, or what brings it."""
        order = self.exchange.place(ticket)
        self.allowances.ordered()

        def then() -> Any:
            if order.state == "rejected":
                raise rejected(order.reason)
            return answer(order)

        return self.waits.until(lambda: order.state != "pending", (order,), then)

    # -- looking up --------------------------------------------------------------------------------------------------

    def find(
        self, asked: Asked, number: str = "orderId", client: str = "origClientOrderId"
    ) -> VenueOrder | None:
        """The order a request names, by its number or its client's id."""
        board = self.rules.board(asked.symbol())
        order_id = asked.whole(number, 0)
        client_id = asked.client_id(client)
        if not order_id and not client_id:
            raise Refusal(-1102, f"Param '{client}' or '{number}' must be sent, but both were empty/null!")
        if order_id:
            order = self.exchange.orders.get(order_id)
            if order is not None and client_id and client_id_of(order) != client_id:
                order = None
        else:
            order = self._by_client_id(client_id)
        if order is None or order.state == "rejected" or order.listing is not board.listing:
            return None
        return order

    def _by_client_id(self, client_id: str) -> VenueOrder | None:
        order = self.exchange.by_client_id.get(client_id)
        if order is not None and client_id_of(order) == client_id:
            return order
        return next((o for o in self.exchange.open.values() if client_id_of(o) == client_id), None)

    def status(self, asked: Asked) -> Any:
        """One order."""
        order = self.find(asked)
        if order is None:
            raise Refusal(-2013, NO_SUCH_ORDER)
        return order_row(order, asked.time)

    def open_orders(self, asked: Asked) -> Any:
        """Every open order, of a symbol or of all."""
        listing = self.rules.board(asked.symbol()).listing if asked.has("symbol") else None
        found = [o for o in self.exchange.open.values() if listing is None or o.listing is listing]
        return [order_row(order, asked.time) for order in found]

    def all_orders(self, asked: Asked) -> Any:
        """Orders of a symbol, open and ended: from a number on, within times, or the newest."""
        listing = self.rules.board(asked.symbol()).listing
        limit = asked.limit(500, 1_000)
        start_ns, end_ns = span_of(asked)
        first = asked.whole("orderId", 0)
        found = [
            order
            for order in self.exchange.orders.values()
            if order.listing is listing
            and order.state != "rejected"
            and order.order_id >= first
            and (start_ns is None or order.created_ns >= start_ns)
            and (end_ns is None or order.created_ns <= end_ns)
        ]
        chosen = found[:limit] if first or start_ns is not None else found[-limit:]
        return [order_row(order, asked.time) for order in chosen]

    # -- commission --------------------------------------------------------------------------------------------------

    def commission_rates(self) -> dict[str, str]:
        """What an execution costs, as fractions of its value."""
        rate = text8(self.balances.rate_e8)
        return {"maker": rate, "taker": rate}

    def discount(self) -> dict[str, Any]:
        """Whether fees are paid in BNB."""
        paid = self.balances.fee_asset == "BNB"
        return {
            "enabledForAccount": paid,
            "enabledForSymbol": True,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        }


def span_of(asked: Asked, most_ns: int = _DAY_NS) -> tuple[int | None, int | None]:
    """Start and end of what is asked for.

    Raises:
        Refusal: they are too far apart.
    """
    start_ns, end_ns = asked.moment("startTime"), asked.moment("endTime")
    if start_ns is not None and end_ns is not None and end_ns - start_ns > most_ns:
        raise Refusal(-1127, f"More than {most_ns // 3_600_000_000_000} hours between startTime and endTime.")
    return start_ns, end_ns
