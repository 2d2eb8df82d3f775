"""Changes to an order the venue holds: asked for here, judged by the rules, true only once the venue says so.

While an amendment is under way either version may trade, so the worst case counts the larger quantity and the price
that would meet our own orders sooner. Nobody but the venue ends that: `Amended` makes the new version true,
`AmendRefused` the old one. A venue may also change an order by itself (the rest of a group, an exit whose entry has
filled in part): the same report, which nobody asked for.
"""

from typing import TYPE_CHECKING

from workbench.engine.rules import first_no_to_amend, waits_at
from workbench.engine.seats import Intent, Seat
from workbench.model.effects import Amend, Refusal
from workbench.model.orders import BUY, STOP_LIMIT, Order
from workbench.model.scale import from_e8

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["amend_answered", "ask_to_amend"]


def ask_to_amend(
    engine: "Engine",
    order: Order,
    qty_e8: int,
    limit_px_e8: int,
    stop_px_e8: int,
    by_operator: bool = False,
) -> bool:
    """Ask the venue to change an order that works; 0 keeps what it has. True when it was asked for, else refused."""
    sid, iid, number = order.strategy_id, order.iid, order.order_id
    no = engine.orders.can_amend(order)
    before = (order.qty_e8, order.limit_px_e8, order.stop_px_e8)
    after = (qty_e8 or order.qty_e8, limit_px_e8 or order.limit_px_e8, stop_px_e8 or order.stop_px_e8)
    if not no and after == before:
        no = f"order {number} has these values already: there is nothing to amend"
    if not no and after[0] <= order.filled_e8:
        filled = from_e8(order.filled_e8)
        no = f"quantity {from_e8(after[0]):g} of order {number} is not above the {filled:g} filled: cancel the rest"
    if no:
        engine.say_no("AMEND", no, sid, iid)
        return False
    seat = engine.host.seats[sid, iid]
    intent = _intent(engine, seat, order, after, by_operator)
    verdict = first_no_to_amend(intent, engine.risk)
    if verdict is not None:
        if by_operator:  # a person's wish is no breach of the strategy's
            code, text, numbers = verdict
            what = (engine.ts_ns, sid, iid, order.side, after[0])
            engine.effects.append(Refusal(*what, code, text, numbers))
        else:
            engine.refuse(intent, verdict)
        return False
    claims = engine.claims
    claims.alone(order, seat)
    amend = Amend(engine.ts_ns, number, *after)
    engine.orders.amend_asked(order, amend)
    claims.changed(order)
    book = _resting(seat, order)
    if number in book:
        nearer = max if order.side == BUY else min
        book[number] = nearer(book[number], after[1])
    asking = engine.operator if by_operator else seat.placed
    asking.window.take(engine.now_ns)
    engine.risk.account_window.take(engine.now_ns)
    seat.quiet_code = ""
    engine.effects.append(amend)
    return True


def _intent(
    engine: "Engine", seat: Seat, order: Order, after: tuple[int, int, int], by_operator: bool
) -> Intent:
    """The amended order as the rules see it: whole where they judge an order, its growth where a position."""
    intent, line, side = Intent(), seat.line, order.side
    intent.seat, intent.iid, intent.side, intent.kind, intent.tif = (
        seat,
        order.iid,
        side,
        order.kind,
        order.tif,
    )
    intent.qty_e8, intent.limit_px_e8, intent.stop_px_e8 = after
    intent.trail_e8, intent.trail_rate_e8 = order.trail_e8, order.trail_rate_e8
    intent.px_e8 = intent.limit_px_e8 or intent.stop_px_e8 or line.mark_e8
    intent.notional_e16 = intent.qty_e8 * intent.px_e8
    intent.sized = False
    intent.linked = order.group != 0
    intent.closing = by_operator
    if order.kind == STOP_LIMIT:
        stop_px = 0 if order.filled_e8 else order.stop_px_e8
        intent.stands = not waits_at(side, order.kind, order.limit_px_e8, stop_px, line.mark_e8)
    intent.why = order.why
    intent.more_e8 = engine.claims.growth(order, after[0])
    intent.worst_e8 = 0
    if intent.more_e8:
        open_e8 = line.held_e8 + line.buys_e8 if side == BUY else line.sells_e8 - line.held_e8
        intent.worst_e8 = open_e8 + intent.more_e8
    return intent


def amend_answered(engine: "Engine", order: Order) -> None:
    """The order table has taken the venue's answer in: count what holds now."""
    seat = engine.host.seats[order.strategy_id, order.iid]
    engine.claims.changed(order)
    book = _resting(seat, order)
    if order.order_id in book:
        book[order.order_id] = order.limit_px_e8
    seat.aim(seat.truth())
    if order.order_id not in engine.orders.active:
        engine.over(seat, order)


def _resting(seat: Seat, order: Order) -> dict[int, int]:
    return seat.line.bids if order.side == BUY else seat.line.asks
