"""Orders that claim exposure together: what could still fill of them is not simply what each has open.

    a group           its orders cancel one another: on each side only the largest of them counts
    behind a parent   a bracket's exits: they cover what the entry has filled and they have not
    being amended     until the venue's answer the larger of both quantities counts

A plain order is none of these, and its exposure is its own open quantity (`core` and `on_reports` add and subtract it
in place). For the others a `Claim` remembers what `exposure` and the seat count at present; after anything that happens
to one of its orders the claim is counted anew from the orders, and the difference is booked. So the sums stay exact
whatever the order of reports. No rule and no order state lives here.

The seat's `working_e8`, on which targets rest, counts the orders that are `counted`: of a group without a parent the
one that fills, before that the oldest; exits behind a parent never.
"""

from workbench.engine.exposure import Exposure
from workbench.engine.orders import OrderTable
from workbench.engine.seats import Seat
from workbench.model.orders import ACTIVE, TERMINAL, Order

__all__ = ["Claim", "Claims"]


class Claim:
    """`members` of one seat, of which on each side only one will fill in the end, and what is counted for them now."""

    __slots__ = ("buys_e8", "members", "parent", "seat", "sells_e8", "working_e8")

    def __init__(self, seat: Seat, members: list[Order], parent: Order | None = None) -> None:
        self.seat = seat
        self.members = members
        self.parent = parent
        self.buys_e8 = 0
        self.sells_e8 = 0
        self.working_e8 = 0

    def room(self) -> int | None:
        """What the parent has filled and these have not; None without a parent."""
        if self.parent is None:
            return None
        return max(0, self.parent.filled_e8 - sum(order.filled_e8 for order in self.members))

    def elect(self) -> None:
        """Which of the members the seat counts as working."""
        if self.parent is not None or len(self.members) == 1:
            return
        active = [order for order in self.members if order.state in ACTIVE]
        filling = [order for order in self.members if order.filled_e8]
        speaker = next((order for order in active if order.filled_e8), None)
        if not filling and active:
            speaker = active[0]
        for order in active:
            order.counted = order is speaker


class Claims:
    """All claims, by the number of each order in one (`by_order`) and by the number of the parent (`behind`)."""

    __slots__ = ("_exposure", "_orders", "behind", "by_order")

    def __init__(self, orders: OrderTable, exposure: Exposure) -> None:
        self._orders = orders
        self._exposure = exposure
        self.by_order: dict[int, Claim] = {}
        self.behind: dict[int, Claim] = {}

    def alone(self, order: Order, seat: Seat) -> Claim:
        """The claim of an order that was plain so far, with what is counted for it already."""
        claim = self.by_order.get(order.order_id)
        if claim is None:
            claim = self.by_order[order.order_id] = Claim(seat, [order])
            open_e8 = max(0, order.open_e8)
            if order.side > 0:
                claim.buys_e8 = open_e8
            else:
                claim.sells_e8 = open_e8
            claim.working_e8 = order.side * open_e8
        return claim

    def together(self, seat: Seat, members: list[Order], parent: Order | None = None) -> None:
        """New orders that exposure does not count yet: a group, or the exits behind a parent."""
        claim = Claim(seat, members, parent)
        for order in members:
            self.by_order[order.order_id] = claim
        if parent is not None:
            self.alone(parent, seat)
            self.behind[parent.order_id] = claim
        self._recount(claim)

    def changed(self, order: Order) -> None:
        """Something happened to an order that has a claim: count it, and what stands behind it, anew."""
        claim = self.by_order.get(order.order_id)
        if claim is None:
            return
        self._recount(claim)
        behind = self.behind.get(order.order_id)
        if behind is not None:
            self._recount(behind)
            if not any(o.state in ACTIVE for o in behind.members):
                self._forget(behind)
        self._forget(claim)

    def growth(self, order: Order, qty_e8: int) -> int:
        """By how much the worst case on an order's side grows should its quantity become `qty_e8`."""
        claim = self.by_order.get(order.order_id)
        if claim is None:
            return max(0, qty_e8 - order.qty_e8)
        open_e8, room = qty_e8 - order.filled_e8, claim.room()
        if room is not None:
            open_e8 = min(open_e8, room)
        return max(0, open_e8 - (claim.buys_e8 if order.side > 0 else claim.sells_e8))

    def _recount(self, claim: Claim) -> None:
        claim.elect()
        asked, room = self._orders.amending, claim.room()
        buys = sells = working = 0
        for order in claim.members:
            if order.state not in ACTIVE:
                continue
            open_e8 = max(0, order.open_e8)
            if order.counted:
                working += order.side * open_e8
            amend = asked.get(order.order_id)
            if amend is not None:
                open_e8 = max(open_e8, amend.qty_e8 - order.filled_e8)
            if room is not None:
                open_e8 = min(open_e8, room)
            if order.side > 0:
                buys = max(buys, open_e8)
            else:
                sells = max(sells, open_e8)
        self._book(claim, 1, buys - claim.buys_e8)
        self._book(claim, -1, sells - claim.sells_e8)
        claim.buys_e8, claim.sells_e8 = buys, sells
        claim.seat.working_e8 += working - claim.working_e8
        claim.working_e8 = working

    def _book(self, claim: Claim, side: int, more_e8: int) -> None:
        if more_e8 > 0:
            self._exposure.opened(claim.seat.line, side, more_e8)
        elif more_e8 < 0:
            self._exposure.closed(claim.seat.line, side, -more_e8)

    def _forget(self, claim: Claim) -> None:
        """An order whose end leaves nothing to watch, or that is plain again, needs no claim."""
        members = claim.members
        if claim.parent is not None or len(members) > 1:
            if all(order.state in TERMINAL for order in members):
                for order in members:
                    self.by_order.pop(order.order_id, None)
                if claim.parent is not None:
                    self.behind.pop(claim.parent.order_id, None)
                    own = self.by_order.get(claim.parent.order_id)
                    if own is not None:
                        self._forget(own)
            return
        order = members[0]
        if order.order_id not in self.behind and order.order_id not in self._orders.amending:
            self.by_order.pop(order.order_id, None)
