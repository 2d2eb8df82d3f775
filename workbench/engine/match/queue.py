"""Where a resting limit order stands in the queue at its price, from the top of the book and the trades.

Lives here: the queue and its moves. Not here: orders that take (ticks.py), execution (venue.py).

An order that comes to rest at the best price stands behind the size shown there; at a better price nobody is ahead; at
a worse one the queue is unknown until that price is the best, and all that is shown then is ahead. Trades at the price
by the other side eat the queue from its front. Where more is cancelled than stands behind, the shown size becomes less
than the queue, and the queue is cut to it: cancellations are taken to come from behind as long as that is possible.
A trade beyond the price, or a quote of the other side at it, fills at the order's own price.

The estimate is E. Rigtorp's ("Estimating order queue position", 2013) with the share of cancellations from ahead set
to its least: what hftbacktest calls risk-averse. It errs towards filling late.
"""

from workbench.engine.match.resting import Resting
from workbench.engine.match.tape import Tape
from workbench.model.market import Quote, Trade
from workbench.model.orders import BUY, CLS, FOK, IOC, OPG, SELL
from workbench.model.scale import SCALE

__all__ = ["lines_up", "room_at_print", "room_at_quote", "take_place"]

_NEVER_RESTS = (IOC, FOK, OPG, CLS)


def lines_up(resting: Resting) -> bool:
    """Whether an order rests at a price of its own, so that it stands in a queue."""
    return (
        resting.rested and resting.triggered and resting.has_limit and resting.order.tif not in _NEVER_RESTS
    )


def take_place(resting: Resting, tape: Tape) -> None:
    """Find an order's place when it arrives or moves: from the last quote, else from the last price."""
    order = resting.order
    if not (resting.triggered and resting.has_limit) or order.tif in _NEVER_RESTS:
        return
    buys = order.side == BUY
    quote = tape.quote
    if quote is None:
        px = tape.px
        if px > 0:
            resting.rested = px >= resting.limit if buys else px <= resting.limit
        return
    resting.rested = quote.ask > resting.limit if buys else quote.bid < resting.limit
    if resting.rested:
        _behind_what_is_shown(resting, quote)


def room_at_quote(resting: Resting, quote: Quote) -> int | None:
    """What a quote leaves a queued order, in 1e-8 (None: no limit known); its place moves up."""
    order = resting.order
    buys = order.side == BUY
    px, size = (quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size)
    if px <= resting.limit if buys else px >= resting.limit:
        resting.ahead_e8 = 0
        return round(size * SCALE) if size > 0 else None
    _behind_what_is_shown(resting, quote)
    return 0


def _behind_what_is_shown(resting: Resting, quote: Quote) -> None:
    order = resting.order
    buys = order.side == BUY
    best, size = (quote.bid, quote.bid_size) if buys else (quote.ask, quote.ask_size)
    best_e8 = round(best * SCALE)
    if best_e8 == order.limit_px_e8:
        if size > 0:
            shown_e8 = round(size * SCALE)
            ahead_e8 = resting.ahead_e8
            resting.ahead_e8 = shown_e8 if ahead_e8 < 0 else min(ahead_e8, shown_e8)
    elif best_e8 < order.limit_px_e8 if buys else best_e8 > order.limit_px_e8:
        resting.ahead_e8 = 0  # nobody shows our price any more


def room_at_print(resting: Resting, trade: Trade) -> int | None:
    """What a print leaves a queued order, in 1e-8 (None: no limit known); its place moves up."""
    order = resting.order
    buys = order.side == BUY
    px_e8 = round(trade.px * SCALE)
    size_e8 = round(trade.size * SCALE) if trade.size > 0 else None
    if px_e8 < order.limit_px_e8 if buys else px_e8 > order.limit_px_e8:
        resting.ahead_e8 = 0
        return size_e8
    same_side = BUY if buys else SELL
    if px_e8 != order.limit_px_e8 or trade.side == same_side or size_e8 is None or resting.ahead_e8 < 0:
        return 0
    eaten_e8 = min(resting.ahead_e8, size_e8)
    resting.ahead_e8 -= eaten_e8
    return size_e8 - eaten_e8
