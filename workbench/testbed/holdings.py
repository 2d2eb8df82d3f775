"""What one account holds at a venue: positions with their cost, and what open orders hold back.

Lives here: average prices, realised profit, holds. Not here: cash and quantities (the matching core keeps them), a
venue's rules of buying power (its folder).
"""

from workbench.model.orders import BUY
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.listing import Listing
from workbench.testbed.orders import VenueOrder

__all__ = ["Holdings"]


class Holdings:
    """Costs and holds by `iid`, in 1e-8 units. Costs are signed like the position."""

    def __init__(self) -> None:
        self.costs_e8: dict[int, int] = {}
        self.realised_e8 = 0
        self.held_sells_e8: dict[int, int] = {}  # quantity that open sells hold back
        self.held_cash_e8 = 0  # money that open buys hold back

    def average_px(self, iid: int, position_e8: int) -> float:
        """What a unit of the position cost on average, 0.0 when flat."""
        return self.costs_e8.get(iid, 0) / position_e8 if position_e8 else 0.0

    def filled(self, iid: int, before_e8: int, signed_e8: int, px_e8: int) -> None:
        """Book a fill of `signed_e8` at `px_e8` on a position of `before_e8`."""
        cost = self.costs_e8.get(iid, 0)
        closing = min(abs(signed_e8), abs(before_e8)) if before_e8 * signed_e8 < 0 else 0
        if closing:
            part = cost * closing // abs(before_e8)
            sign = 1 if before_e8 > 0 else -1
            self.realised_e8 += notional_e8(px_e8, sign * closing) - part
            cost -= part
        opening = abs(signed_e8) - closing
        if opening:
            cost += notional_e8(px_e8, opening if signed_e8 > 0 else -opening)
        self.costs_e8[iid] = cost if before_e8 + signed_e8 else 0

    def edited(self, iid: int, position_e8: int, px: float) -> None:
        """The position was set by hand: it cost what it is worth."""
        self.costs_e8[iid] = round(px * position_e8)

    def hold(self, order: VenueOrder, market_px: float) -> None:
        """Hold back what the order may still need; to be called whenever that changes.

        A buy holds its open quantity at its limit (without one, at the market); a sell its open quantity. Of the legs
        of one bracket or pair only the first holds, and only once its parent has filled.
        """
        leads = order.extra.get("leads", True)
        wanted = 0
        waits = order.parent is not None and order.parent.state != "filled"
        if order.is_open and leads and not waits:
            wanted = order.open_e8
            if order.side == BUY:
                px_e8 = order.limit_px_e8 or order.stop_px_e8 or round(market_px * SCALE)
                wanted = notional_e8(px_e8, wanted)
        change = wanted - order.hold_e8
        if not change:
            return
        order.hold_e8 = wanted
        if order.side == BUY:
            self.held_cash_e8 += change
        else:
            iid = order.listing.iid
            self.held_sells_e8[iid] = self.held_sells_e8.get(iid, 0) + change

    def profit(self, listing: Listing, position_e8: int, px: float) -> float:
        """What closing the position at `px` would realise, in quote currency."""
        return (px * position_e8 - self.costs_e8.get(listing.iid, 0)) / SCALE
