"""What splits and dividends do at the venue: to positions, to cash, and to the orders that rest.

Lives here: both. Not here: what the engine's own books make of them (engine/splits.py), booking (books.py).

A split multiplies positions, cut towards zero to the lot; the venue pays for the rest at the last price. It stands
before the first trade in the new units, so orders that rest are in the old ones: those that are good till cancelled are
cancelled, and so are brackets and groups; the others get the new quantity (cut to the lot) and price (to the nearest
tick). A dividend is paid to who
is long before it and charged to who is short; resting orders keep their prices.
"""

from msgspec import structs

from workbench.engine.match.orders import Desk
from workbench.engine.match.resting import Resting
from workbench.engine.splits import split_qty_e8
from workbench.model.market import Dividend, Split
from workbench.model.orders import GTC
from workbench.model.reports import Cancelled, CashMoved, Report
from workbench.model.scale import SCALE, from_e8, notional_e8

__all__ = ["pay_dividend", "split"]


def pay_dividend(desk: Desk, event: Dividend, reports: list[Report]) -> None:
    """Pay the holders, charge the shorts."""
    held_e8 = desk.positions.get(event.iid, 0)
    amount_e8 = notional_e8(event.amount_e8, held_e8)
    if amount_e8 and desk.told is None:
        reason = f"dividend: {from_e8(event.amount_e8):g} a unit on {from_e8(held_e8):g}"
        move_id = f"dividend-{event.iid}-{event.ts_ns}"
        desk.move_cash(CashMoved(event.ts_ns, move_id, amount_e8, event.iid, reason), reports)


def split(desk: Desk, event: Split, reports: list[Report]) -> None:
    """Put positions, prices and orders of an instrument into its new units."""
    numerator, denominator = event.numerator, event.denominator
    if numerator <= 0 or denominator <= 0:
        return
    tape, lot_e8 = desk.tape(event.iid), desk.lot_e8(event.iid)
    tape.split(event.ts_ns, numerator, denominator)
    held_e8 = desk.positions.get(event.iid, 0)
    if held_e8:
        now_e8 = split_qty_e8(held_e8, numerator, denominator, lot_e8)
        desk.positions[event.iid] = now_e8
        # what was cut off, in 1e-8 of a unit times the denominator, at the new price
        rest, px_e8 = held_e8 * numerator - now_e8 * denominator, round(max(tape.px, 0.0) * SCALE)
        amount_e8 = notional_e8(px_e8, rest) // denominator
        if amount_e8 and desk.told is None:
            move_id = f"split-{event.iid}-{event.ts_ns}"
            reason = f"split {numerator} for {denominator}: cash in lieu of {rest / denominator / SCALE:g}"
            desk.move_cash(CashMoved(event.ts_ns, move_id, amount_e8, event.iid, reason), reports)
    for resting in list(tape.orders.values()):
        if resting.state == "open":  # an exit goes with its entry
            _split_order(desk, resting, event, lot_e8, reports)


def _split_order(desk: Desk, resting: Resting, event: Split, lot_e8: int, reports: list[Report]) -> None:
    order = resting.order
    numerator, denominator = event.numerator, event.denominator
    resting.trail_e8 = resting.trail_e8 * denominator // numerator
    if resting.best > 0:
        resting.best = resting.best * denominator / numerator
    resting.ahead_e8 = -1  # the sizes ahead were in the old units, at the old price
    at_ns = max(event.ts_ns, order.ts_ns + resting.ack_ns)
    if desk.told is not None or resting.amended_ns == at_ns:  # the journal has told of it already
        resting.holds(order)
        return
    open_e8 = split_qty_e8(resting.open_e8, numerator, denominator, lot_e8)
    if order.tif == GTC or open_e8 <= 0 or desk.is_tied(order):
        why = f"split {numerator} for {denominator}: enter the order again in the new units"
        reports.append(Cancelled(at_ns, order.order_id, why))
        desk.end(resting, "cancelled", event.ts_ns, reports)
        return
    tick_e8 = resting.tick_e8
    limit_px_e8, stop_px_e8 = (
        (px_e8 * denominator + numerator * tick_e8 // 2) // (numerator * tick_e8) * tick_e8
        for px_e8 in (order.limit_px_e8, order.stop_px_e8)
    )
    resting.full_e8 = resting.filled_e8 + open_e8
    changed = structs.replace(order, qty_e8=resting.full_e8, limit_px_e8=limit_px_e8, stop_px_e8=stop_px_e8)
    resting.holds(changed)
    reports.append(desk.amended(resting, at_ns))
