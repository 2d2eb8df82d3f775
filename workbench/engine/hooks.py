"""Event strategies: which hooks are called, and what they see.

A hook sees a `Context` with what was known at the event's time and nothing later; `on_fill` sees a `Fill`, `on_order`
an `OpenOrder`, the others the market's own event. A paused strategy's hooks still run (it keeps learning) but its
requests are refused; one that was halted is not called until it is resumed. What its answers become: `requests`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from workbench.engine.requests import perform
from workbench.engine.seats import Placed
from workbench.model.market import Bar
from workbench.model.orders import SIDE_NAMES, STATE_NAMES, TYPE_NAMES, Order
from workbench.model.reports import Filled
from workbench.model.scale import SCALE
from workbench.strategy import Context, Fill, OpenOrder

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["call_hook", "context_of", "orders_of", "tell", "tell_fill"]

_NAN: Final = float("nan")


def call_hook(engine: "Engine", placed: Placed, hook: str, iid: int, event: object) -> None:
    """Call one hook of one strategy and do what it answers. `iid` is the event's instrument, -1 for a timer."""
    program = placed.event_program
    if program is None or placed.halted:
        return
    if hook not in program.hooks and not (hook == "on_bar" and program.wants_bars):
        return
    try:
        answers = program.call(placed.event_row, hook, context_of(engine, placed, iid), event)
    except Exception as error:  # noqa: BLE001 - the edge to user code: whatever it raises halts it alone, by name
        engine.user_error(placed, error)
        return
    if isinstance(event, Bar):
        placed.bars += 1
    if answers:
        engine.decided_ns = engine.stamp()
        perform(engine, placed, iid, answers)


def tell(engine: "Engine", order: Order) -> None:
    """Something became of an order: its strategy hears it by `on_order`, when it listens."""
    placed = engine.host.seats[order.strategy_id, order.iid].placed
    program = placed.event_program
    if program is not None and "on_order" in program.hooks:
        call_hook(engine, placed, "on_order", order.iid, _view(order, engine.book.symbol(order.iid)))


def tell_fill(engine: "Engine", placed: Placed, order: Order, event: Filled) -> None:
    """An execution of one of its orders, by `on_fill`."""
    program = placed.event_program
    if program is not None and "on_fill" in program.hooks:
        fill = Fill(
            engine.book.symbol(order.iid),
            SIDE_NAMES[order.side],
            event.qty_e8 / SCALE,
            event.px_e8 / SCALE,
            event.fee_e8 / SCALE,
            order.order_id,
            event.ts_ns,
        )
        call_hook(engine, placed, "on_fill", order.iid, fill)


def context_of(engine: "Engine", placed: Placed, iid: int) -> Context:
    """What a hook called now sees. `iid` is the event's instrument, -1 for a timer."""
    book, seats = engine.book, placed.seats
    orders = orders_of(placed) if placed.open_orders else None
    cash, equity = engine.ledger.cash_e8 / SCALE, engine.risk.equity_e8 / SCALE
    if len(seats) == 1 and iid >= 0:
        position, last_px = seats[0].held_e8 / SCALE, book.last_px[iid] or _NAN
        symbol = seats[0].instrument.symbol
        return Context(engine.ts_ns, symbol, position, last_px, None, None, None, orders, cash, equity)
    positions = {seat.instrument.symbol: seat.held_e8 / SCALE for seat in seats}
    prices = {seat.instrument.symbol: book.last_px[seat.iid] or _NAN for seat in seats}
    symbol = book.symbol(iid) if iid >= 0 else ""
    position, last_px = positions.get(symbol, 0.0), prices.get(symbol, _NAN)
    return Context(engine.ts_ns, symbol, position, last_px, positions, prices, None, orders, cash, equity)


def orders_of(placed: Placed) -> Callable[[str], tuple[OpenOrder, ...]]:
    """What `ctx.orders` calls when a hook looks at it."""
    held = placed.open_orders or {}
    symbols = {seat.iid: seat.instrument.symbol for seat in placed.seats}

    def of(symbol: str) -> tuple[OpenOrder, ...]:
        here = [(order, symbols[order.iid]) for order in held.values()]
        return tuple(_view(order, name) for order, name in here if symbol in ("", name))

    return of


def _view(order: Order, symbol: str) -> OpenOrder:
    return OpenOrder(
        order.order_id,
        symbol,
        SIDE_NAMES[order.side],
        TYPE_NAMES[order.kind],
        order.qty_e8 / SCALE,
        order.filled_e8 / SCALE,
        order.limit_px_e8 / SCALE,
        order.stop_px_e8 / SCALE,
        STATE_NAMES[order.state],
        order.why,
        order.reason,
    )
