"""One order at the venue, and at which price it trades when the market is somewhere or on its way.

Lives here: triggers, limits, the trailing reference. Not here: which data an order sees and how much it gets
(venue.py, bars.py), what its end does to others (orders.py).
"""

from typing import Final

from workbench.model.effects import Submit
from workbench.model.orders import BUY, LIMIT, MARKET, STOP_LIMIT, TRAILING
from workbench.model.scale import SCALE, notional_e8

__all__ = ["NOWHERE", "Resting"]

NOWHERE: Final = -1.0


class Resting:
    """One order as the venue holds it. `state` is open, filled, cancelled, expired or rejected.

    `order` holds the quantity and the prices that are good now; `full_e8` is the quantity as last asked for, before
    the fills of others in its group. It sees data later than `after_ns`, and was there for the whole of a bar that
    began at `since_ns` or later. `woken` is False while it waits for its parent. `rested` tells that it has seen a
    market in which it could not trade, so that it makes the price from then on. `ahead_e8` is the quantity that stands
    before it in the queue, -1 when nobody knows.
    """

    __slots__ = (
        "ack_ns",
        "after_ns",
        "ahead_e8",
        "amended_ns",
        "best",
        "covered_e8",
        "fee_e8",
        "fill_ns",
        "filled_e8",
        "fills",
        "full_e8",
        "limit",
        "order",
        "parent",
        "rested",
        "session",
        "since_ns",
        "state",
        "stop",
        "tick_e8",
        "trail_e8",
        "triggered",
        "value_e8",
        "venue_id",
        "woken",
    )

    def __init__(
        self, order: Submit, ack_ns: int, fill_ns: int, tick_e8: int = 1, parent: "Resting | None" = None
    ) -> None:
        self.ack_ns = ack_ns
        self.fill_ns = fill_ns
        self.tick_e8 = tick_e8
        self.parent = parent
        self.venue_id = f"v-{order.order_id}"
        self.state = "open"
        self.filled_e8 = self.fills = self.value_e8 = self.fee_e8 = 0
        self.covered_e8 = 0  # what the orders that wait for this one have filled
        self.full_e8 = order.qty_e8
        self.triggered = order.kind in (MARKET, LIMIT)
        self.trail_e8 = order.trail_e8
        self.best = NOWHERE
        self.woken = parent is None or parent.filled_e8 > 0
        self.rested = False
        self.session = -1  # the one it is good for; known with the first data it sees
        self.after_ns = self.since_ns = order.ts_ns
        self.ahead_e8 = -1
        self.amended_ns = -1
        self.holds(order)

    def holds(self, order: Submit) -> None:
        """Take over quantity and prices."""
        self.order = order
        self.limit = order.limit_px_e8 / SCALE if order.kind in (LIMIT, STOP_LIMIT) else 0.0
        if order.kind != TRAILING:
            self.stop = order.stop_px_e8 / SCALE
        elif self.best > 0:
            self._follow(self.best)
        else:
            self.stop = 0.0

    @property
    def open_e8(self) -> int:
        """Quantity that may still fill."""
        return self.order.qty_e8 - self.filled_e8 if self.state == "open" else 0

    @property
    def workable_e8(self) -> int:
        """Quantity that may fill now: what is open, but no more than the parent has filled and nothing covers yet."""
        parent = self.parent
        if parent is None:
            return self.open_e8
        return min(self.open_e8, parent.filled_e8 - parent.covered_e8)

    @property
    def has_limit(self) -> bool:
        return self.limit > 0

    def may_trade(self, low: float, high: float) -> bool:
        """Whether it can trade at all in a bar of this range; quick, and right when the answer is no."""
        order = self.order
        if not self.triggered:
            if order.kind == TRAILING:
                return True
            return self.stop <= high if order.side == BUY else self.stop >= low
        if not self.limit:
            return True
        return low <= self.limit if order.side == BUY else high >= self.limit

    def at(self, px: float) -> bool:
        """Whether the order trades when the market is at `px`; a stop is triggered on the way."""
        order = self.order
        buys = order.side == BUY
        if not self.triggered:
            if order.kind == TRAILING:
                if not self._caught(px):
                    return False
            elif (px < self.stop) if buys else (px > self.stop):
                return False
            self.triggered = True
        if not self.limit:
            return True
        if px <= self.limit if buys else px >= self.limit:
            return True
        self.rested = True
        return False

    def along(self, start: float, end: float) -> float:
        """The price at which the order trades on the way from `start` to `end`, or -1.0."""
        order = self.order
        buys = order.side == BUY
        if not self.triggered:
            if order.kind == TRAILING:
                if self.best < 0:
                    self._follow(start)
                if (end <= start) if buys else (end >= start):
                    self._caught(end)
                    return NOWHERE
            if not (start <= self.stop <= end if buys else end <= self.stop <= start):
                return NOWHERE
            self.triggered = True
            start = self.stop
            if self.at(start):
                return start
        if not self.limit:
            return start
        if not (end <= self.limit if buys else end >= self.limit):
            return NOWHERE
        return min(start, self.limit) if buys else max(start, self.limit)

    def _caught(self, px: float) -> bool:
        """Whether `px` reaches the trailing stop; where it is better than all before, the stop follows."""
        buys = self.order.side == BUY
        if self.best > 0 and (px >= self.stop if buys else px <= self.stop):
            return True
        if self.best < 0 or (px < self.best if buys else px > self.best):
            self._follow(px)
        return False

    def _follow(self, px: float) -> None:
        """Set the trailing stop from the best price, on the tick grid, away from the market."""
        order, tick = self.order, self.tick_e8
        self.best = px
        best_e8 = round(px * SCALE)
        distance_e8 = self.trail_e8 or notional_e8(best_e8, order.trail_rate_e8)
        if order.side == BUY:
            stop_e8 = -(-(best_e8 + distance_e8) // tick) * tick
        else:
            stop_e8 = (best_e8 - distance_e8) // tick * tick
        self.stop = stop_e8 / SCALE
