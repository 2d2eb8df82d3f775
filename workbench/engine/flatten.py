"""Closing what is held, at a person's word: pause, cancel, then a market order for the opposite of each holding.

A seat (one strategy in one instrument, or the operator) is closed once none of its orders may fill any more, so that
nothing is sold twice; a seat without open orders at once. The closing orders go through the rules like all others, cut
to the largest order allowed. A killed desk refuses: a person arms it first.
"""

from typing import TYPE_CHECKING, Final

from workbench.engine.seats import PAUSED, Intent, Seat
from workbench.model.commands import Flatten
from workbench.model.orders import BUY, DAY, MARKET, SELL
from workbench.model.scale import SCALE

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["FLATTEN", "close_out", "flatten"]

FLATTEN: Final = "flatten"
"""How the reason of a closing order begins."""


def flatten(engine: "Engine", event: Flatten) -> None:
    """Follow the command; `iid` -1 means every instrument."""
    engine.decided_ns = engine.inbox_ns
    risk, iid, host = engine.risk, event.iid, engine.host
    if iid != -1 and not engine.book.known((iid,)):
        engine.say_no("FLATTEN", f"instrument number {iid} is unknown: nothing was closed")
        return
    if risk.killed:
        text = f"the kill switch is on ({risk.kill_reason}): arm the desk, then flatten"
        engine.say_no("KILLED", text, iid=iid)
        return
    for placed in host.strategies.values():
        if placed.running and (iid == -1 or any(seat.iid == iid for seat in placed.seats)):
            placed.turn(PAUSED, f"flatten by {event.by}: {event.reason}")
    closing = [seat for seat in host.seats.values() if iid in (-1, seat.iid)]
    paused = {seat.placed.strategy_id for seat in closing if seat.placed is not engine.operator}
    for order in engine.orders.active.values():  # `cancel` never ends an order: the table keeps its size
        if order.strategy_id in paused or iid in (-1, order.iid):
            engine.cancel(order)
    for seat in closing:
        engine.flattening[seat.placed.strategy_id, seat.iid] = event.reason
    for seat in closing:
        close_out(engine, seat)


def close_out(engine: "Engine", seat: Seat) -> None:
    """Send what closes a seat that is to be flattened, once no order of it may fill any more."""
    sid, iid = key = (seat.placed.strategy_id, seat.iid)
    reason = engine.flattening.get(key)
    if reason is None or any(o.iid == iid and o.strategy_id == sid for o in engine.orders.active.values()):
        return
    del engine.flattening[key]
    left = seat.instrument.floor_qty(abs(seat.held_e8))
    side = SELL if seat.held_e8 > 0 else BUY
    most = _largest(engine, seat)
    while left > 0:
        qty = min(left, most) if most > 0 else left
        intent = Intent()
        intent.seat, intent.iid, intent.side, intent.kind, intent.tif = seat, iid, side, MARKET, DAY
        intent.qty_e8, intent.limit_px_e8, intent.stop_px_e8 = qty, 0, 0
        intent.px_e8 = seat.line.mark_e8
        intent.notional_e16 = qty * intent.px_e8
        intent.sized = intent.closing = True
        intent.why = f"{FLATTEN}: {reason}" if reason else FLATTEN
        if not engine.send(intent):
            break
        left -= qty
    seat.aim(seat.truth())


def _largest(engine: "Engine", seat: Seat) -> int:
    """The largest closing order that SIZE and NOTIONAL allow, on the lot grid; 0 when that is less than a lot."""
    risk, mark_e8 = engine.risk, seat.line.mark_e8
    most = risk.max_qty_e8
    if mark_e8 > 0:
        most = min(most, risk.max_notional_e16 // mark_e8)
    return seat.instrument.floor_qty(min(most, 10**15 * SCALE))
