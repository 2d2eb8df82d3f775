"""What a print or a quote does to the orders in its instrument: it fills them directly, at its own price.

Lives here: the pass over the orders, in order of arrival, and how known sizes are shared. Not here: bars (bars.py),
execution (venue.py).
"""

from typing import TYPE_CHECKING

from workbench.engine.match.tape import Tape
from workbench.model.market import Quote, Trade
from workbench.model.orders import BUY, CLS, OPG
from workbench.model.reports import Report
from workbench.model.scale import SCALE

if TYPE_CHECKING:
    from workbench.engine.match.venue import Match

__all__ = ["on_print", "on_quote"]


def on_print(venue: "Match", tape: Tape, trade: Trade, reports: list[Report]) -> None:
    """Let a print fill what it reaches; its size serves both sides."""
    size_e8 = round(trade.size * SCALE) if trade.size > 0 else None
    _pass(venue, tape, trade.ts_ns, (trade.px, trade.px), (size_e8, size_e8), reports, shared=True)


def on_quote(venue: "Match", tape: Tape, quote: Quote, reports: list[Report]) -> None:
    """Let a quote fill buys at its ask and sells at its bid, up to the sizes shown."""
    ask_e8 = round(quote.ask_size * SCALE) if quote.ask_size > 0 else None
    bid_e8 = round(quote.bid_size * SCALE) if quote.bid_size > 0 else None
    _pass(venue, tape, quote.ts_ns, (quote.ask, quote.bid), (ask_e8, bid_e8), reports, shared=False)


def _pass(
    venue: "Match",
    tape: Tape,
    ts_ns: int,
    pxs: tuple[float, float],
    sizes_e8: tuple[int | None, int | None],
    reports: list[Report],
    *,
    shared: bool,
) -> None:
    rooms = [venue.share_of(size_e8) for size_e8 in sizes_e8]
    for resting in list(tape.orders.values()):
        order = resting.order
        if (
            resting.after_ns >= ts_ns
            or not resting.woken
            or resting.state != "open"
            or venue.expired(resting, ts_ns, reports)
        ):
            continue
        tif = order.tif
        if (tif == OPG and not venue.is_opening(tape, ts_ns)) or (tif == CLS and not venue.is_closing(ts_ns)):
            continue
        side = 0 if order.side == BUY else 1
        px, room = pxs[side], rooms[side]
        if resting.at(px) and (room is None or room > 0):
            tape.room_e8, volume_e8 = room, sizes_e8[side]
            part = venue.trade(resting, ts_ns, px, tape, reports, None, volume_e8)
            if room is not None and part:
                rooms[side] = room - part
                if shared:
                    rooms[1 - side] = room - part
        venue.now_or_never(resting, ts_ns, reports)
    venue.woken.clear()
