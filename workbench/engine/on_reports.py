"""What a broker's report does: the order table first, then money, exposure and the strategy's target."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from workbench.engine.flatten import close_out
from workbench.engine.hooks import tell, tell_fill
from workbench.engine.orders import FLAG_NONE, FLAG_OVER, FLAG_TWICE
from workbench.engine.seats import OPERATOR
from workbench.engine.sizers import ByKelly
from workbench.model.orders import CANCELLED, EXPIRED, REJECTED, STATE_NAMES, TERMINAL, Order
from workbench.model.reports import (
    Accepted,
    Cancelled,
    CancelRefused,
    Expired,
    Filled,
    OutcomeLost,
    Rejected,
    Sent,
    Unsent,
)
from workbench.model.scale import from_e8
from workbench.model.stages import ACKED, BOOKED, FILL_SEEN

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["REPORTS"]


def _known(engine: "Engine", order_id: int, said: str) -> Order | None:
    order = engine.orders.by_id.get(order_id)
    if order is None:
        engine.say_no(
            "ORPHAN",
            f"the venue reports '{said}' for order {order_id}, which is not ours: reconcile the account",
        )
    return order


def on_sent(engine: "Engine", event: Sent) -> None:
    order = _known(engine, event.order_id, "sent")
    if order is not None:
        engine.orders.sent(order, event.ts_ns)


def on_accepted(engine: "Engine", event: Accepted) -> None:
    order = _known(engine, event.order_id, "accepted")
    if order is None:
        return
    if not engine.orders.accepted(order, event.ts_ns, event.venue_id):
        was = STATE_NAMES[order.state]
        text = f"order {order.order_id} is accepted by the venue, but was {was}: reconcile the account"
        engine.say_no("CONTRADICTION", text, order.strategy_id, order.iid)
        return
    order.stamps[ACKED] = engine.edge_ns or engine.inbox_ns
    placed = engine.host.seats[order.strategy_id, order.iid].placed
    placed.rejects_running = 0
    if placed.event_program is not None:
        tell(engine, order)


def on_filled(engine: "Engine", event: Filled) -> None:
    order = _known(engine, event.order_id, "filled")
    if order is None:
        return
    qty, side = event.qty_e8, order.side
    if qty <= 0 or event.px_e8 <= 0:
        what = f"quantity {from_e8(qty):g} at {from_e8(event.px_e8):g}"
        text = f"fill {event.exec_id} of order {order.order_id} has {what}"
        engine.say_no("BAD_FILL", f"{text}: not booked, reconcile the account", order.strategy_id, order.iid)
        return
    was_open = order.open_e8
    flag = engine.orders.filled(order, event.ts_ns, event.exec_id, qty)
    if flag == FLAG_TWICE:
        return
    strategy_id, iid = order.strategy_id, order.iid
    order.notional_e8 += engine.ledger.book(strategy_id, iid, side, event.px_e8, qty, event.fee_e8)
    order.fee_e8 += event.fee_e8
    seat = engine.host.seats[strategy_id, iid]
    seat.held_e8 += side * qty
    line, placed = seat.line, seat.placed
    if order.order_id in engine.claimed:
        engine.exposure.filled(line, side, qty, 0)
        engine.claims.changed(order)
    else:
        part = qty if qty < was_open else was_open
        engine.exposure.filled(line, side, qty, part)
        seat.working_e8 -= side * part
    if order.state in TERMINAL:  # `over`, written out: the hot path of every fill
        (line.bids if side > 0 else line.asks).pop(order.order_id, None)
        if placed.open_orders is not None:
            placed.open_orders.pop(order.order_id, None)
        if engine.flattening:
            close_out(engine, seat)
    placed.fills += 1
    if placed.sizer is not None and isinstance(placed.sizer, ByKelly):
        placed.sizer.filled(iid, engine.ledger.positions[strategy_id, iid], event.fee_e8)
    placed.rejects_running = 0
    order.stamps[FILL_SEEN] = engine.edge_ns or engine.inbox_ns
    order.stamps[BOOKED] = engine.stamp()
    if flag != FLAG_NONE:
        seat.aim(seat.truth())
        code = "OVERFILL" if flag == FLAG_OVER else "LATE_FILL"
        text = (
            f"order {order.order_id} ({STATE_NAMES[order.state]}) filled {from_e8(order.filled_e8):g} of"
            f" {from_e8(order.qty_e8):g}: booked as the venue says, reconcile the account"
        )
        order.reason = f"{code}: {text}"
        engine.say_no(code, text, strategy_id, iid)
    if placed.event_program is not None:
        seat.aim(seat.truth())  # its orders need not come from a target
        tell_fill(engine, placed, order, event)


def _ended(engine: "Engine", order: Order | None, state: int, ts_ns: int, reason: str) -> bool:
    if order is None:
        return False
    open_e8 = order.open_e8
    if not engine.orders.ended(order, state, ts_ns, reason):
        return False
    engine.release(order, open_e8)
    _close_exits(engine, order, ts_ns)
    tell(engine, order)
    return True


def _close_exits(engine: "Engine", entry: Order, ts_ns: int) -> None:
    for order, open_e8 in engine.orders.close_exits(entry, ts_ns):
        engine.release(order, open_e8)
        tell(engine, order)


def on_cancelled(engine: "Engine", event: Cancelled) -> None:
    order = _known(engine, event.order_id, "cancelled")
    _ended(engine, order, CANCELLED, event.ts_ns, event.reason)


def on_expired(engine: "Engine", event: Expired) -> None:
    order = _known(engine, event.order_id, "expired")
    _ended(engine, order, EXPIRED, event.ts_ns, "time in force ran out")


def on_rejected(engine: "Engine", event: Rejected) -> None:
    order = _known(engine, event.order_id, "rejected")
    if not _ended(engine, order, REJECTED, event.ts_ns, f"{event.code}: {event.text}") or order is None:
        return
    placed = engine.host.seats[order.strategy_id, order.iid].placed
    placed.rejects_running += 1
    most = int(engine.risk.limits.rejects_to_halt)
    if most and placed.rejects_running >= most and placed.strategy_id != OPERATOR and placed.running:
        text = f"{placed.rejects_running} orders in a row rejected by the venue, the last: {event.code} {event.text}"
        engine.halt(placed, "REJECTS", text)


def on_cancel_refused(engine: "Engine", event: CancelRefused) -> None:
    order = _known(engine, event.order_id, "cancel refused")
    if order is None:
        return
    engine.odd(f"cancel refused: {event.code}")
    engine.orders.cancel_refused(order, event.ts_ns, f"cancel refused: {event.code} {event.text}")


def on_outcome_lost(engine: "Engine", event: OutcomeLost) -> None:
    order = _known(engine, event.order_id, "outcome lost")
    if order is not None:
        engine.orders.lost(order, event.ts_ns, event.text)


def on_unsent(engine: "Engine", event: Unsent) -> None:
    order = _known(engine, event.order_id, "unsent")
    if order is None:
        return
    open_e8 = order.open_e8
    if engine.orders.unsent(order, event.ts_ns, event.evidence):
        engine.release(order, open_e8)
        _close_exits(engine, order, event.ts_ns)
        tell(engine, order)


REPORTS: Final[dict[type, Callable[["Engine", Any], None]]] = {
    Sent: on_sent,
    Accepted: on_accepted,
    Filled: on_filled,
    Cancelled: on_cancelled,
    Rejected: on_rejected,
    Expired: on_expired,
    CancelRefused: on_cancel_refused,
    OutcomeLost: on_outcome_lost,
    Unsent: on_unsent,
}
