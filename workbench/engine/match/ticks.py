"""What a print or a quote does to the orders in its instrument: it fills them directly, at its own price.

Lives here: the pass over the orders, in order of arrival, and how known sizes are shared. Not here: bars (bars.py),
places in a queue (queue.py), execution (venue.py).

All orders share a size in order of arrival. Where the venue keeps a queue, an order that rests there trades at its own
price, and gets what a print or quote leaves behind its place (and behind what our orders before it took).
"""

from typing import TYPE_CHECKING

from workbench.engine.match.queue import lines_up, room_at_print, room_at_quote
from workbench.engine.match.tape import Tape
from workbench.model.market import Quote, Trade
from workbench.model.orders import BUY, CLS, IOC, OPG
from workbench.model.reports import Report
from workbench.model.scale import SCALE

if TYPE_CHECKING:
    from workbench.engine.match.venue import Match

__all__ = ["on_print", "on_quote"]


def on_print(venue: "Match", tape: Tape, trade: Trade, reports: list[Report]) -> None:
    """Let a print fill what it reaches; its size serves both sides."""
    size_e8 = round(trade.size * SCALE) if trade.size > 0 else None
    _pass(venue, tape, trade, (trade.px, trade.px), (size_e8, size_e8), reports)


def on_quote(venue: "Match", tape: Tape, quote: Quote, reports: list[Report]) -> None:
    """Let a quote fill buys at its ask and sells at its bid, up to the sizes shown."""
    ask_e8 = round(quote.ask_size * SCALE) if quote.ask_size > 0 else None
    bid_e8 = round(quote.bid_size * SCALE) if quote.bid_size > 0 else None
    _pass(venue, tape, quote, (quote.ask, quote.bid), (ask_e8, bid_e8), reports)


def _pass(
    venue: "Match",
    tape: Tape,
    event: Trade | Quote,
    pxs: tuple[float, float],
    sizes_e8: tuple[int | None, int | None],
    reports: list[Report],
) -> None:
    ts_ns = event.ts_ns
    session = venue.session_of(ts_ns)
    rooms = [venue.share_of(size_e8) for size_e8 in sizes_e8] if venue.has_share else [*sizes_e8]
    taken = [0, 0]
    shared = isinstance(event, Trade)
    late = venue.delayed and not (shared and sizes_e8[0] is None)  # an opening print stands for its bar
    for resting in list(tape.orders.values()):
        order = resting.order
        if (
            resting.after_ns >= ts_ns
            or (late and resting.after_ns + resting.ack_ns >= ts_ns)
            or not resting.woken
            or resting.state != "open"
        ):
            continue
        if resting.session < 0:
            resting.session = session
        elif resting.session != session and venue.expired(resting, ts_ns, reports):
            continue
        tif = order.tif
        if (tif == OPG and not venue.is_opening(tape, ts_ns)) or (tif == CLS and not venue.is_closing(ts_ns)):
            continue
        side = 0 if order.side == BUY else 1
        px, room = pxs[side], rooms[side]
        if venue.keeps_queue and lines_up(resting):
            left = (
                room_at_print(resting, event) if isinstance(event, Trade) else room_at_quote(resting, event)
            )
            reached = left != 0
            px = resting.limit
            if left is not None:
                left -= taken[side]
                room = left if room is None else min(room, left)
        else:
            reached = resting.at(px)
            if venue.keeps_queue and isinstance(event, Quote) and lines_up(resting):
                room_at_quote(resting, event)  # what is left rests from here on: find its place
        if reached and (room is None or room > 0):
            tape.room_e8 = room
            part = venue.trade(resting, ts_ns, px, tape, reports, None, sizes_e8[side])
            for each in (0, 1) if shared else (side,):
                taken[each] += part
                left_e8 = rooms[each]
                if left_e8 is not None:
                    rooms[each] = left_e8 - part
        if tif >= IOC:
            venue.now_or_never(resting, ts_ns, reports)
    venue.woken.clear()
