"""Order numbers as the gateway gives them, and finding orders by them.

Lives here: the numbers. Not here: orders themselves (testbed/orders.py).
"""

from typing import Final

from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.words import conid_of
from workbench.testbed.orders import OrderEvent, VenueOrder

__all__ = ["Numbers"]

_FIRST: Final = 1_210_386_000


class Numbers:
    """Numbers go up; `rollback()` lets them begin again, and a number then means the newest order that has it."""

    def __init__(self, exchange: Exchange, seed: int) -> None:
        self._first = self._next = _FIRST + 1_000 * (seed % 1_000)
        self._orders: dict[int, VenueOrder] = {}
        exchange.sinks.append(self._noticed)

    def give(self, order: VenueOrder) -> int:
        """Number an order; one that has a number keeps it."""
        known: int | None = order.extra.get("ib_id")
        if known is not None:
            return known
        self._next += 1
        order.extra["ib_id"], order.extra["conid"] = self._next, conid_of(order.listing.symbol)
        order.ticket.extra.setdefault("word", "LMT" if order.limit_px_e8 else "MKT")
        order.ticket.extra.setdefault("parentId", "")
        self._orders[self._next] = order
        return self._next

    def find(self, given: str) -> VenueOrder | None:
        """The order of a number as a client writes it."""
        return self._orders.get(int(given)) if given.isascii() and given.isdigit() else None

    def rollback(self) -> None:
        """The next order gets the first number again."""
        self._next = self._first

    def _noticed(self, event: OrderEvent) -> None:
        """Orders placed by hand have no number before something happens to them."""
        self.give(event.order)
