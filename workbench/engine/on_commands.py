"""What people, the session and the clock say. A command that cannot be followed answers with a `Refusal`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from workbench.engine.exposure import Line
from workbench.engine.hooks import call_hook
from workbench.engine.linked import send_bracket, wanted
from workbench.engine.seats import OPERATOR, PAUSED, REMOVED, RUNNING, Placed
from workbench.engine.sizers import size_by
from workbench.engine.sizing import sizing_of
from workbench.errors import BadInput, BadValue, UnknownName, WorkbenchError
from workbench.model.commands import (
    LATE,
    AddInstrument,
    AddStrategy,
    Arm,
    CancelOrder,
    Freeze,
    Kill,
    OpenAccount,
    OpenPosition,
    PauseStrategy,
    PlaceOrder,
    RemoveStrategy,
    ResumeStrategy,
    SetLimits,
    SetParameters,
    StartSession,
    Thaw,
    Timer,
)
from workbench.model.effects import Refusal, StrategyHalted
from workbench.model.instrument import Instrument
from workbench.model.orders import STATE_NAMES, TERMINAL
from workbench.model.scale import notional_e8
from workbench.strategy import parameters_of

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["COMMANDS"]


def on_start_session(engine: "Engine", event: StartSession) -> None:
    """A new epoch: orders without an answer may be live from now on."""
    engine.epoch, engine.session, engine.mode = event.epoch, event.name, event.mode
    engine.orders.new_epoch(event.ts_ns)


def on_open_account(engine: "Engine", event: OpenAccount) -> None:
    ledger = engine.ledger
    if ledger.opened:
        engine.say_no("ACCOUNT", f"account {ledger.account} is open already: {event.account} was not opened")
        return
    ledger.open(event.account, event.cash_e8, event.currency)
    engine.risk.day_equity_e8 += event.cash_e8


def on_open_position(engine: "Engine", event: OpenPosition) -> None:
    """Holdings from before: the operator's, valued at a price, part of the starting capital."""
    iid, qty_e8, px_e8 = event.iid, event.qty_e8, event.px_e8
    if not engine.book.known((iid,)) or not qty_e8 or px_e8 <= 0:
        text = f"holding of {qty_e8 / 1e8:g} {engine.book.symbol(iid)} at {px_e8 / 1e8:g} cannot be: it was not booked"
        engine.say_no("HOLDING", text, iid=iid)
        return
    seat = engine.host.seats[OPERATOR, iid]
    value_e8 = notional_e8(px_e8, qty_e8)
    engine.ledger.bring(OPERATOR, iid, qty_e8, value_e8)
    engine.exposure.filled(seat.line, 1 if qty_e8 > 0 else -1, abs(qty_e8), 0)
    seat.held_e8 += qty_e8
    engine.risk.day_equity_e8 += value_e8


def on_add_instrument(engine: "Engine", event: AddInstrument) -> None:
    book = engine.book
    try:
        instrument = Instrument(
            event.iid, event.symbol, event.venue, event.currency, event.tick_e8, event.lot_e8, event.calendar
        )
    except BadInput as error:
        engine.say_no("INSTRUMENT", f"instrument {event.symbol!r}: {error}")
        return
    if 0 <= event.iid < len(book.instruments):
        if book.instruments[event.iid] != instrument:
            text = f"number {event.iid} is {book.symbol(event.iid)} already: {event.symbol} was not added"
            engine.say_no("INSTRUMENT", text)
        return
    if event.iid != len(book.instruments) or event.symbol in book.iid_of:
        text = f"{event.symbol} cannot be number {event.iid}: next is {len(book.instruments)}, and a symbol comes once"
        engine.say_no("INSTRUMENT", text)
        return
    book.add(instrument)
    line = Line()
    engine.exposure.lines.append(line)
    engine.host.instrument_added()
    engine.host.seat(engine.operator, instrument, line)


def on_add_strategy(engine: "Engine", event: AddStrategy) -> None:
    """Load, check and place. Whatever is wrong with the source halts it as LOAD; it stays visible."""
    host = engine.host
    sid = event.strategy_id
    if sid in host.strategies or sid <= OPERATOR:
        engine.say_no("STRATEGY", f"strategy number {sid} is taken: give the next free one above 0", sid)
        return
    placed = Placed(sid, event.name, engine.risk.strategy_windows())
    placed.code_hash, placed.provenance, placed.placed_ns = event.code_hash, event.provenance, event.ts_ns
    placed.parameters, placed.iids, placed.quantity_e8 = event.parameters, event.iids, event.quantity_e8
    try:
        sizing = sizing_of(event.sizing, event.sizing_parameters)
        placed.sizing, placed.sizing_parameters = sizing.name, sizing.pairs
        if not engine.book.known(event.iids) or not event.iids or len(set(event.iids)) != len(event.iids):
            raise BadValue("iids", event.iids, "name known instruments, at least one, each once")
        if event.quantity_e8 <= 0:
            raise BadValue("quantity", event.quantity_e8 / 1e8, "give a number above 0")
        placed.cls = host.load(event.name, event.source)
        strategy = placed.cls(**dict(event.parameters))
        placed.parameters = parameters_of(strategy)
        lines = engine.exposure.lines
        host.admit(placed, strategy, [(engine.book.instruments[iid], lines[iid]) for iid in event.iids])
        size_by(engine, placed, sizing)
    except Exception as error:  # noqa: BLE001 - the edge to user code: loading it may raise anything
        text = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
        text = " ".join(text.split())
        placed.turn(PAUSED, f"LOAD: {text}")
        placed.cls = None
        host.withdraw(placed)
        engine.effects.append(StrategyHalted(event.ts_ns, sid, "LOAD", text))
    host.strategies[sid] = placed


def _placed(engine: "Engine", strategy_id: int) -> Placed | None:
    placed = engine.host.strategies.get(strategy_id)
    if placed is None:
        error = UnknownName("strategy", strategy_id, map(str, engine.host.strategies))
        engine.say_no("STRATEGY", str(error), strategy_id)
    elif placed.state == REMOVED:
        engine.say_no(
            "STRATEGY", f"strategy {strategy_id} was removed ({placed.reason}): place it anew", strategy_id
        )
        return None
    return placed


def on_pause(engine: "Engine", event: PauseStrategy) -> None:
    placed = _placed(engine, event.strategy_id)
    if placed is not None:
        if placed.running:
            placed.turn(PAUSED, event.reason)
        if event.cancel:
            engine.cancel_all(event.strategy_id)


def on_resume(engine: "Engine", event: ResumeStrategy) -> None:
    """Run again. One that was halted starts with fresh indicators and empty throttles."""
    placed = _placed(engine, event.strategy_id)
    if placed is None or placed.running:
        return
    if placed.cls is None:
        engine.say_no(
            "STRATEGY",
            f"strategy {placed.strategy_id} never loaded ({placed.reason}): place it anew",
            placed.id,
        )
        return
    if placed.halted:
        try:
            engine.host.restart(placed, placed.cls(**dict(placed.parameters)))
        except Exception as error:  # noqa: BLE001 - the edge to user code
            engine.user_error(placed, error)
            return
        placed.halted = False
        placed.window, placed.breaches = engine.risk.strategy_windows()
        placed.rejects_running = 0
    placed.turn(RUNNING, "")


def on_remove(engine: "Engine", event: RemoveStrategy) -> None:
    placed = _placed(engine, event.strategy_id)
    if placed is not None:
        engine.cancel_all(event.strategy_id)
        engine.host.remove(placed, "removed by command")
        if engine.sized is not None:
            engine.sized.forget(placed)


def on_set_parameters(engine: "Engine", event: SetParameters) -> None:
    """New parameters over the old ones; position and target stay, indicators start anew."""
    placed = _placed(engine, event.strategy_id)
    if placed is None:
        return
    if placed.cls is None:
        engine.say_no(
            "STRATEGY", f"strategy {placed.id} never loaded ({placed.reason}): place it anew", placed.id
        )
        return
    merged = {**dict(placed.parameters), **dict(event.parameters)}
    try:
        strategy = placed.cls(**merged)
        engine.host.restart(placed, strategy)
    except BadInput as error:
        engine.say_no("PARAMETER", str(error), placed.strategy_id)
        return
    except Exception as error:  # noqa: BLE001 - the edge to user code
        engine.user_error(placed, error)
        return
    placed.parameters = parameters_of(strategy)


def on_place_order(engine: "Engine", event: PlaceOrder) -> None:
    """A manual order. A key that was used before is refused with the order it opened."""
    engine.decided_ns = engine.inbox_ns
    iid = event.iid
    orders = engine.orders
    if not 0 <= iid < len(engine.book.instruments):
        symbols = ", ".join(engine.book.iid_of) or "none"
        text = f"instrument number {iid} is unknown: known symbols are {symbols}"
        engine.effects.append(Refusal(event.ts_ns, OPERATOR, iid, event.side, event.qty_e8, "GRID", text))
        return
    if event.key and event.key in orders.by_key:
        order_id = orders.by_key[event.key]
        text = f"key {event.key!r} has opened order {order_id} already: nothing was sent again"
        numbers = (("order_id", float(order_id)),)
        engine.operator.refusals += 1
        engine.effects.append(
            Refusal(event.ts_ns, OPERATOR, iid, event.side, event.qty_e8, "DUPLICATE", text, numbers)
        )
        return
    order_id = orders.next_id
    seat = engine.host.seats[OPERATOR, iid]
    words = (event.side, event.kind, event.tif, event.qty_e8, event.limit_px_e8, event.stop_px_e8, event.why)
    exits = (event.take_profit_px_e8, event.stop_loss_px_e8, event.stop_loss_limit_px_e8)
    if any(exits):
        entry = wanted(seat, *words, event.trail_e8, event.trail_rate_e8)
        sent = send_bracket(engine, entry, *exits) != 0
    else:
        sent = engine.order(seat, *words, event.trail_e8, event.trail_rate_e8)
    if sent and event.key:
        orders.by_key[event.key] = order_id


def on_cancel_order(engine: "Engine", event: CancelOrder) -> None:
    order = engine.orders.by_id.get(event.order_id)
    if order is None:
        last = engine.orders.next_id - 1
        engine.say_no("CANCEL", f"order {event.order_id} is unknown: ids so far go from 1 to {last}")
    elif order.state in TERMINAL:
        text = f"order {event.order_id} is {STATE_NAMES[order.state]} already: there is nothing to cancel"
        engine.say_no("CANCEL", text, order.strategy_id, order.iid)
    else:
        engine.cancel(order)


def on_kill(engine: "Engine", event: Kill) -> None:
    """Block first, then cancel all that is open. A second kill sweeps again."""
    engine.risk.kill(event.reason, event.by)
    engine.flattening.clear()  # what was to be closed waits for a person's new word
    engine.cancel_all()


def on_arm(engine: "Engine", event: Arm) -> None:
    engine.risk.arm()


def on_freeze(engine: "Engine", event: Freeze) -> None:
    if not engine.book.known((event.iid,)):
        engine.say_no("FROZEN", f"instrument #{event.iid} is unknown: nothing was frozen", iid=event.iid)
    else:
        engine.risk.frozen[event.iid] = event.reason


def on_thaw(engine: "Engine", event: Thaw) -> None:
    if engine.risk.frozen.pop(event.iid, None) is None:
        engine.say_no(
            "FROZEN", f"{engine.book.symbol(event.iid)} is not frozen: nothing to thaw", iid=event.iid
        )


def on_set_limits(engine: "Engine", event: SetLimits) -> None:
    """New limits, all or none of them."""
    risk = engine.risk
    try:
        limits = risk.limits.changed(event.limits)
    except BadInput as error:
        engine.say_no("LIMITS", f"{error}: no limit was changed")
        return
    risk.set_limits(limits)
    for placed in (engine.operator, *engine.host.strategies.values()):
        window, breaches = placed.window, placed.breaches
        placed.window = window.resized(risk.per_strategy, window.span_ns)
        placed.breaches = breaches.resized(risk.breaches, risk.breach_span_ns)


def on_timer(engine: "Engine", event: Timer) -> None:
    """The clock. While killed, whatever is still open is asked to cancel again. Before bars that come late it only
    says how late it is: no strategy asked for that."""
    if engine.risk.killed:
        engine.cancel_all()
    if event.name == LATE:
        return
    for placed in tuple(engine.host.timed):
        call_hook(engine, placed, "on_timer", -1, event)


COMMANDS: Final[dict[type, Callable[["Engine", Any], None]]] = {
    StartSession: on_start_session,
    OpenAccount: on_open_account,
    OpenPosition: on_open_position,
    AddInstrument: on_add_instrument,
    AddStrategy: on_add_strategy,
    PauseStrategy: on_pause,
    ResumeStrategy: on_resume,
    RemoveStrategy: on_remove,
    SetParameters: on_set_parameters,
    PlaceOrder: on_place_order,
    CancelOrder: on_cancel_order,
    Kill: on_kill,
    Arm: on_arm,
    Freeze: on_freeze,
    Thaw: on_thaw,
    SetLimits: on_set_limits,
    Timer: on_timer,
}
