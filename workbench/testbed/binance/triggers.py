"""Orders that wait for a price at Binance: stop loss, take profit, and both trailing.

Lives here: when they are set off. Not here: what they do then (the exchange), their form (tickets.py).

    stop loss  buy, take profit sell   set off from below: the price has risen to the stop, or by the trail
    stop loss sell, take profit buy    set off from above: it has fallen
"""

from workbench.model.orders import BUY
from workbench.model.scale import SCALE
from workbench.testbed.binance.words import ALGO
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import Board
from workbench.testbed.orders import OrderEvent, Ticket, VenueOrder

__all__ = ["Triggers", "from_below", "would_trigger"]


def from_below(kind: str, side: int) -> bool:
    """Whether a rising price sets an order off."""
    return (side == BUY) == kind.startswith("STOP_LOSS")


def would_trigger(kind: str, side: int, stop_e8: int, px_e8: int) -> bool:
    """Whether a price sets an order with a stop price off.

    >>> would_trigger("STOP_LOSS", BUY, 100, 101), would_trigger("TAKE_PROFIT", BUY, 100, 101)
    (True, False)
    """
    return px_e8 >= stop_e8 if from_below(kind, side) else px_e8 <= stop_e8


class Triggers:
    """The orders that wait, by instrument; every print is shown to them before it trades with anybody."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._waiting: dict[int, dict[int, VenueOrder]] = {}
        exchange.gates.append(self._waits)
        exchange.sinks.append(self._told)
        exchange.before_print.append(self._seen)

    @staticmethod
    def _waits(order: VenueOrder) -> bool:
        return order.extra.get("type") in ALGO and not order.extra.get("triggered")

    def _told(self, event: OrderEvent) -> None:
        order = event.order
        if order.extra.get("type") not in ALGO:
            return
        waiting = self._waiting.setdefault(order.listing.iid, {})
        if order.is_open and self._waits(order) and self._is_placed(order):
            waiting[order.order_id] = order
        else:
            waiting.pop(order.order_id, None)

    @staticmethod
    def _is_placed(order: VenueOrder) -> bool:
        parent = order.parent
        return order.state == "held" and (parent is None or parent.state == "filled")

    def entered(self, order: VenueOrder) -> bool:
        """A leg whose entry has filled waits for its price from now on; False for one that waits for none."""
        if order.extra.get("type") not in ALGO:
            return False
        self._waiting.setdefault(order.listing.iid, {})[order.order_id] = order
        return True

    def _seen(self, board: Board, px: float) -> None:
        waiting = self._waiting.get(board.listing.iid)
        if not waiting:
            return
        px_e8 = round(px * SCALE)
        for order in list(waiting.values()):
            if order.is_open and self._sets_off(order, px_e8):
                waiting.pop(order.order_id, None)
                order.extra["triggered"] = True
                self.exchange.release(order)

    def _sets_off(self, order: VenueOrder, px_e8: int) -> bool:
        extra, ticket = order.extra, order.ticket
        kind, side = str(extra["type"]), ticket.side
        delta: int = extra.get("trail", 0)
        if not delta:
            return would_trigger(kind, side, ticket.stop_px_e8, px_e8)
        best: int = extra.get("best_e8", 0)
        if not best:
            if ticket.stop_px_e8 and not self._active(ticket, kind, px_e8):
                return False
            extra["best_e8"], extra["trailing_ns"] = px_e8, self.exchange.clock.now_ns()
            return False
        below = from_below(kind, side)
        extra["best_e8"] = best = min(best, px_e8) if below else max(best, px_e8)
        away = best * delta // 10_000
        return px_e8 >= best + away if below else px_e8 <= best - away

    @staticmethod
    def _active(ticket: Ticket, kind: str, px_e8: int) -> bool:
        """Whether the price has come to where trailing begins: on the far side of where it will be set off."""
        stop_e8 = ticket.stop_px_e8
        return px_e8 <= stop_e8 if from_below(kind, ticket.side) else px_e8 >= stop_e8
