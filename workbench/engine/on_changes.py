"""What changes under an order or a position: amendments, a person's flatten, splits, dividends, moved cash."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from workbench.engine.amends import amend_answered, ask_to_amend
from workbench.engine.flatten import flatten
from workbench.engine.hooks import tell
from workbench.engine.splits import split_holdings, split_qty_e8
from workbench.model.commands import AmendOrder, Flatten
from workbench.model.market import Dividend, Split
from workbench.model.orders import STATE_NAMES, TERMINAL, Order
from workbench.model.reports import Amended, AmendRefused, CashMoved
from workbench.model.scale import from_e8

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["CHANGES", "TRANSFER"]

TRANSFER: Final = "transfer"
"""The reason of a cash move that is a deposit or a withdrawal: neither profit nor loss."""


def on_amend_order(engine: "Engine", event: AmendOrder) -> None:
    """A person changes a working order, whoever's it is."""
    engine.decided_ns = engine.inbox_ns
    order = engine.orders.by_id.get(event.order_id)
    if order is None:
        last = engine.orders.next_id - 1
        engine.say_no("AMEND", f"order {event.order_id} is unknown: ids so far go from 1 to {last}")
    else:
        values = (event.qty_e8, event.limit_px_e8, event.stop_px_e8)
        ask_to_amend(engine, order, *values, by_operator=True)


def on_amended(engine: "Engine", event: Amended) -> None:
    """The venue's word: these values hold."""
    order = _known(engine, event.order_id, "amended")
    if order is None:
        return
    if order.state not in TERMINAL:
        engine.claims.alone(order, engine.host.seats[order.strategy_id, order.iid])
    values = (event.qty_e8, event.limit_px_e8, event.stop_px_e8)
    if engine.orders.amended(order, event.ts_ns, *values, event.venue_id):
        amend_answered(engine, order)
        tell(engine, order)
        return
    engine.claims.changed(order)
    if order.state in TERMINAL:
        what = f"by the venue, but was {STATE_NAMES[order.state]}"
    else:
        what = f"to quantity {from_e8(event.qty_e8):g}, limit {from_e8(event.limit_px_e8):g}, which was not taken over"
    text = f"order {order.order_id} is amended {what}: reconcile the account"
    engine.say_no("CONTRADICTION", text, order.strategy_id, order.iid)


def on_amend_refused(engine: "Engine", event: AmendRefused) -> None:
    """The venue's word: the old values hold."""
    order = _known(engine, event.order_id, "amend refused")
    if order is None:
        return
    engine.odd(f"amend refused: {event.code}")
    text = f"amend refused: {event.code} {event.text}"
    if engine.orders.amend_refused(order, event.ts_ns, text):
        amend_answered(engine, order)
        tell(engine, order)


def _known(engine: "Engine", order_id: int, said: str) -> Order | None:
    order = engine.orders.by_id.get(order_id)
    if order is None:
        text = f"the venue reports '{said}' for order {order_id}, which is not ours: reconcile the account"
        engine.say_no("ORPHAN", text)
    return order


def on_cash_moved(engine: "Engine", event: CashMoved) -> None:
    """Cash without a trade, counted once per move. A transfer changes what the day began with as well."""
    if not engine.ledger.move(event.move_id, event.amount_e8):
        engine.odd("cash move reported again")
    elif event.reason == TRANSFER:
        engine.risk.day_equity_e8 += event.amount_e8


def on_split(engine: "Engine", event: Split) -> None:
    """Positions, marks and sizes in the new units; open orders are the venue's to change."""
    if not engine.book.known((event.iid,)) or event.numerator <= 0 or event.denominator <= 0:
        engine.book.drop("split of an unknown instrument or by no ratio")
        return
    iid, ledger, book = event.iid, engine.ledger, engine.book
    ratio, lot_e8 = (event.numerator, event.denominator), book.instruments[event.iid].lot_e8
    split_holdings(ledger, iid, *ratio, lot_e8)
    book.split(iid, *ratio)
    total = ledger.totals.get(iid)
    engine.exposure.split(engine.exposure.lines[iid], total.qty_e8 if total else 0, book.mark_e8[iid])
    for (sid, i), seat in engine.host.seats.items():
        if i == iid:
            seat.held_e8 = ledger.held_e8(sid, iid)
            seat.full_e8 = split_qty_e8(seat.full_e8, *ratio, lot_e8)
    if engine.sized is not None:
        engine.sized.split(iid, event.denominator / event.numerator)


def on_dividend(engine: "Engine", event: Dividend) -> None:
    """Noted by the journal; the venue pays it by `CashMoved`."""
    if not engine.book.known((event.iid,)):
        engine.book.drop("dividend of an unknown instrument")


CHANGES: Final[dict[type, Callable[["Engine", Any], None]]] = {
    AmendOrder: on_amend_order,
    Amended: on_amended,
    AmendRefused: on_amend_refused,
    Flatten: flatten,
    CashMoved: on_cash_moved,
    Split: on_split,
    Dividend: on_dividend,
}
