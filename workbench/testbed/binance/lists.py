"""Order lists at Binance: one cancels the other (OCO), one places the other (OTO), and one places such a pair (OTOCO).

Lives here: what belongs together, and what the end or the fill of one does to the others. Not here: their routes
(list_methods.py), single orders (orders.py).
"""

from collections.abc import Callable

from workbench.model.orders import BUY
from workbench.model.scale import notional_e8
from workbench.testbed.binance.balances import Balances
from workbench.testbed.binance.bodies import OrderList, list_of
from workbench.testbed.binance.triggers import Triggers
from workbench.testbed.orders import OrderEvent, Ticket, VenueOrder

__all__ = ["Lists"]


class Lists:
    """Every list of one account. `sinks` are told when a list begins and when it is done."""

    def __init__(self, balances: Balances, triggers: Triggers) -> None:
        self.exchange = balances.exchange
        self.lists: dict[int, OrderList] = {}
        self.sinks: list[Callable[[OrderList], None]] = []
        self.placed: list[
            Callable[[VenueOrder], None]
        ] = []  # told of a pending order that waits for its price now
        self._balances, self._triggers = balances, triggers
        self.exchange.sinks.append(self._told)

    def open(self, kind: str, client_id: str) -> OrderList:
        """A new list without orders."""
        # numbers begin at 1: to many clients 0 is no number
        group = OrderList(len(self.lists) + 1, kind, client_id, self.exchange.clock.next_ns())
        self.lists[group.list_id] = group
        return group

    def place(
        self, group: OrderList, ticket: Ticket, *, parent: VenueOrder | None = None, leads: bool = True
    ) -> VenueOrder:
        """Take an order of a list in; the second of a pair does not hold anything back."""
        ticket.extra["list"] = group
        order = self.exchange.place(ticket, parent=parent, leads=leads)
        group.orders.append(order)
        return order

    @staticmethod
    def pair(one: VenueOrder, other: VenueOrder) -> None:
        """From now on one of them ends the other."""
        one.extra["pair"], other.extra["pair"] = other, one

    def tell(self, group: OrderList) -> None:
        """A list has begun, or is done."""
        for sink in self.sinks:
            sink(group)

    def find(self, list_id: int | None, client_id: str) -> OrderList | None:
        """A list by its number or its client's id; the newest when an id was used again."""
        if list_id is not None:
            return self.lists.get(list_id)
        return next((g for g in reversed(self.lists.values()) if g.client_id == client_id), None)

    def cancel(self, group: OrderList) -> None:
        """Ask for every open order of a list to be taken out."""
        for order in group.orders:
            if order.is_open:
                self.exchange.cancel(order)

    # -- what one does to the others ---------------------------------------------------------------------------------

    def _told(self, event: OrderEvent) -> None:
        order = event.order
        group = list_of(order)
        if group is None:
            return
        other: VenueOrder | None = order.extra.get("pair")
        if other is not None and other.is_open:
            if event.kind == "fill" or (event.kind == "new" and order.extra.get("triggered")):
                self._take_over(order, other)
            elif not order.is_open:
                other.cancel_asked_ns = order.cancel_asked_ns
                self.exchange.end(other, "cancelled", "the other order of its pair has ended")
        if event.kind == "fill" and order.state == "filled":
            for leg in order.legs:
                self._enters(leg)
        if not order.is_open and not group.is_open:
            group.ts_ns = event.ts_ns
            self.tell(group)

    def _take_over(self, order: VenueOrder, other: VenueOrder) -> None:
        """One of a pair trades: the other has expired, and what it held back is this one's. They are a pair no more."""
        order.extra["pair"] = other.extra["pair"] = None
        self.exchange.end(other, "expired", "the other order of its pair trades")
        if not order.extra["leads"]:
            order.extra["leads"] = True
            self.exchange.holdings.hold(order, self.exchange.board(order).px)

    def _enters(self, leg: VenueOrder) -> None:
        """A pending order is placed, if the account can carry it."""
        if not leg.is_open:
            return
        if not leg.extra.get("leads", True):
            self._waits(leg)
            return
        ticket, balances = leg.ticket, self._balances
        asset = balances.quote if ticket.side == BUY else leg.listing.asset
        px_e8 = leg.limit_px_e8 or leg.stop_px_e8 or round(self.exchange.board(leg).last * 100_000_000)
        needs = notional_e8(px_e8, leg.qty_e8) if ticket.side == BUY else leg.qty_e8
        if needs > balances.free_e8(asset):
            self.exchange.end(leg, "expired", "the account cannot carry it")
        else:
            self._waits(leg)

    def _waits(self, leg: VenueOrder) -> None:
        if self._triggers.entered(leg):
            for told in self.placed:
                told(leg)
