"""Orders that are not plain: trailing orders, brackets, and orders that cancel one another.

    bracket     the entry, then its exits: parent_id = entry, one group, at the venue from the start
    group       two or more orders, of which the venue lets one fill

Of a bracket or a group either every order opens or none: the rules are asked about all of them first. Exits cannot
enlarge the position (they cover what the entry has filled), so the rules on positions and credit let them through. What
they claim of the exposure is counted in `claims`. Plain orders open in `core`, on a shorter path.
"""

from typing import TYPE_CHECKING, Final

from workbench.engine.rules import first_no
from workbench.engine.seats import Intent, Placed, Seat, Verdict
from workbench.model.effects import Submit
from workbench.model.orders import (
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    OPG,
    STOP,
    STOP_LIMIT,
    Order,
)
from workbench.model.scale import from_e8
from workbench.model.stages import RISKED

if TYPE_CHECKING:
    from workbench.engine.core import Engine
    from workbench.engine.risk import Risk

__all__ = ["open_order", "send_bracket", "send_group", "wanted"]

# exits outlive an entry that is decided at once or in an auction
_EXIT_TIF: Final = {DAY: DAY, GTC: GTC, IOC: DAY, FOK: DAY, OPG: DAY, CLS: GTC}


def wanted(
    seat: Seat,
    side: int,
    kind: int,
    tif: int,
    qty_e8: int,
    limit_px_e8: int,
    stop_px_e8: int,
    why: str,
    trail_e8: int = 0,
    trail_rate_e8: int = 0,
) -> Intent:
    """An intent of its own, in so many words."""
    intent = Intent()
    intent.seat, intent.iid = seat, seat.iid
    intent.side, intent.kind, intent.tif, intent.qty_e8 = side, kind, tif, qty_e8
    intent.limit_px_e8, intent.stop_px_e8 = limit_px_e8, stop_px_e8
    intent.trail_e8, intent.trail_rate_e8 = trail_e8, trail_rate_e8
    intent.px_e8 = limit_px_e8 or stop_px_e8 or seat.line.mark_e8
    intent.notional_e16 = qty_e8 * intent.px_e8
    intent.sized = False
    intent.why = why
    return intent


def send_bracket(
    engine: "Engine", entry: Intent, take_profit_px_e8: int, stop_loss_px_e8: int, stop_loss_limit_px_e8: int
) -> int:
    """Open an entry with its exits; the entry's order number, 0 when a rule said no."""
    seat, side = entry.seat, -entry.side
    tif = _EXIT_TIF.get(entry.tif, entry.tif)
    legs = [entry]
    if take_profit_px_e8:
        why = f"take profit: {entry.why}" if entry.why else "take profit"
        legs.append(wanted(seat, side, LIMIT, tif, entry.qty_e8, take_profit_px_e8, 0, why))
    if stop_loss_px_e8 or stop_loss_limit_px_e8:
        kind = STOP_LIMIT if stop_loss_limit_px_e8 else STOP
        why = f"stop loss: {entry.why}" if entry.why else "stop loss"
        legs.append(wanted(seat, side, kind, tif, entry.qty_e8, stop_loss_limit_px_e8, stop_loss_px_e8, why))
    verdict = _misplaced(entry, take_profit_px_e8, stop_loss_px_e8)
    if verdict is not None:
        engine.refuse(entry, verdict)
        return 0
    if not _all_pass(engine, legs, entry):
        return 0
    parent = open_order(engine, entry)
    group = engine.orders.next_id
    exits = [open_order(engine, leg, group, parent.order_id) for leg in legs[1:]]
    engine.exposure.opened(seat.line, parent.side, parent.qty_e8)
    seat.working_e8 += parent.side * parent.qty_e8
    engine.claims.together(seat, exits, parent)
    return parent.order_id


def send_group(engine: "Engine", legs: list[Intent]) -> list[int]:
    """Open orders of one seat that cancel one another; their numbers, none when a rule said no."""
    if not _all_pass(engine, legs, None):
        return []
    group = engine.orders.next_id
    orders = [open_order(engine, leg, group) for leg in legs]
    engine.claims.together(legs[0].seat, orders)
    return [order.order_id for order in orders]


def _all_pass(engine: "Engine", legs: list[Intent], entry: Intent | None) -> bool:
    """Whether the rules say yes to every leg; the first no is answered with a refusal."""
    risk, seat = engine.risk, legs[0].seat
    line = seat.line
    largest = {1: 0, -1: 0}
    for leg in legs:
        leg.linked = True
        if entry is not None and leg is not entry:
            leg.worst_e8 = leg.more_e8 = 0
        else:
            held = line.held_e8 + line.buys_e8 if leg.side > 0 else line.sells_e8 - line.held_e8
            planned = largest.get(leg.side, 0)
            largest[leg.side] = max(planned, leg.qty_e8)
            leg.more_e8 = largest[leg.side] - planned
            leg.worst_e8 = held + largest[leg.side]
        verdict = first_no(leg, risk)
        if verdict is not None:
            code, text, numbers = verdict
            if leg is not legs[0]:
                text = f"{leg.why or 'one of the group'}: {text}; none of the {len(legs)} orders was sent"
            engine.refuse(leg, (code, text, numbers))
            return False
    verdict = _crowded(seat.placed, risk, len(legs))
    if verdict is not None:
        engine.refuse(legs[0], verdict)
        return False
    return True


def _crowded(placed: Placed, risk: "Risk", count: int) -> Verdict | None:
    """RATE, for several orders at once."""
    for window, who in ((placed.window, "strategy"), (risk.account_window, "account")):
        taken = window.count(risk.now_ns)
        if taken + count > window.most:
            text = f"{count} orders at once after {taken} within a second: the {who} may send {window.most}"
            return "RATE", text, ((f"orders_per_s_{who}", float(window.most)),)
    return None


def _misplaced(entry: Intent, take_profit_px_e8: int, stop_loss_px_e8: int) -> Verdict | None:
    """GRID, for a bracket: the profit lies ahead of the entry's price, the stop behind it."""
    px_e8, side = entry.px_e8, entry.side
    if not px_e8:
        return None  # no price yet: STALE says it
    ahead, behind = ("above", "below") if side > 0 else ("below", "above")
    for name, exit_e8, sign, where in (
        ("take profit", take_profit_px_e8, side, ahead),
        ("stop loss", stop_loss_px_e8, -side, behind),
    ):
        if exit_e8 and (exit_e8 - px_e8) * sign <= 0:
            exit_px, px = from_e8(exit_e8), from_e8(px_e8)
            text = f"{name} {exit_px:.10g} must lie {where} the entry's price {px:.10g}"
            return "GRID", text, ((name.replace(" ", "_"), exit_px), ("entry", px))
    return None


def open_order(engine: "Engine", intent: Intent, group: int = 0, parent_id: int = 0) -> Order:
    """The rules said yes: the order exists, its Submit goes out; what it claims of the exposure the caller counts."""
    risk, orders, now_ns, seat = engine.risk, engine.orders, engine.now_ns, intent.seat
    placed, side, kind, qty = seat.placed, intent.side, intent.kind, intent.qty_e8
    order_id = orders.next_id
    stamps = [engine.edge_ns, engine.inbox_ns, engine.decided_ns or engine.inbox_ns, 0, 0, 0, 0, 0, 0]
    order = Order(
        order_id,
        engine.epoch,
        placed.strategy_id,
        intent.iid,
        side,
        kind,
        intent.tif,
        qty,
        intent.limit_px_e8,
        intent.stop_px_e8,
        engine.ts_ns,
        updated_ns=engine.ts_ns,
        why=intent.why,
        stamps=stamps,
        trail_e8=intent.trail_e8,
        trail_rate_e8=intent.trail_rate_e8,
        parent_id=parent_id,
        group=group,
        counted=not parent_id,
    )
    orders.open(order)
    if placed.open_orders is not None:
        placed.open_orders[order_id] = order
    placed.orders += 1
    if not parent_id:  # exits follow from their entry: they are no repetition of it
        if side == seat.last_side and now_ns - seat.repeats_from_ns < risk.repeat_ns:
            seat.repeats += 1
        else:
            seat.repeats, seat.repeats_from_ns = 1, now_ns
        seat.last_side, seat.last_qty_e8, seat.last_kind, seat.last_ns = side, qty, kind, now_ns
        seat.last_px_e8 = intent.told_px_e8
        seat.quiet_code = ""
    placed.window.take(now_ns)
    risk.account_window.take(now_ns)
    if kind == LIMIT or (kind == STOP_LIMIT and not group):
        line = seat.line
        (line.bids if side > 0 else line.asks)[order_id] = intent.limit_px_e8
    stamps[RISKED] = engine.stamp()
    engine.effects.append(
        Submit(
            order.ts_ns,
            order_id,
            order.epoch,
            order.strategy_id,
            order.iid,
            side,
            kind,
            order.tif,
            qty,
            order.limit_px_e8,
            order.stop_px_e8,
            order.why,
            order.trail_e8,
            order.trail_rate_e8,
            parent_id,
            group,
        )
    )
    return order
