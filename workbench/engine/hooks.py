"""Event strategies: which hooks are called with what, and what their answers become.

A hook sees a `Context` with what was known at the event's time and nothing later. A Signal becomes a target, an
OrderRequest an order; both go through sizing and risk like everything else. A paused strategy's hooks still run (it
keeps learning) but its requests are refused; one that was halted is not called until it is resumed.
"""

from typing import TYPE_CHECKING, Final

from workbench.engine.seats import Placed, Seat
from workbench.errors import UnknownName
from workbench.model.market import Bar
from workbench.model.orders import BUY, SELL, TIF_NAMES, TYPE_NAMES
from workbench.model.scale import SCALE
from workbench.strategy import Context, OrderRequest, Signal

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["call_hook"]

_SIDES: Final = {"buy": BUY, "sell": SELL}
_KINDS: Final = {name: kind for kind, name in enumerate(TYPE_NAMES)}
_TIFS: Final = {name: tif for tif, name in enumerate(TIF_NAMES)}
_LARGEST: Final = 1e15


def call_hook(engine: "Engine", placed: Placed, hook: str, iid: int, event: object) -> None:
    """Call one hook of one strategy and do what it answers. `iid` is the event's instrument, -1 for a timer."""
    program = placed.event_program
    if program is None or placed.halted:
        return
    if hook not in program.hooks and not (hook == "on_bar" and program.wants_bars):
        return
    try:
        answers = program.call(placed.event_row, hook, _context(engine, placed, iid), event)
    except Exception as error:  # noqa: BLE001 - the edge to user code: whatever it raises halts it alone, by name
        engine.user_error(placed, error)
        return
    if isinstance(event, Bar):
        placed.bars += 1
    if not answers:
        return
    engine.decided_ns = engine.stamp()
    was_running = placed.running
    for n, answer in enumerate(answers):
        symbol = answer.symbol
        seat = _seat(engine, placed, symbol, iid)
        if seat is None:
            own = [s.instrument.symbol for s in placed.seats]
            engine.user_error(
                placed, UnknownName("symbol", symbol, own, "name one of the strategy's own symbols")
            )
        elif isinstance(answer, Signal):
            if answer.target != seat.target:
                engine.retarget(seat, answer.target, answer.why)
        else:
            _request(engine, seat, answer)
        if was_running and not placed.running:
            dropped = len(answers) - n - 1
            if dropped:
                engine.odd("requests dropped by a halt", dropped)
                placed.reason += f"; {dropped} more requests were dropped"
            return


def _context(engine: "Engine", placed: Placed, iid: int) -> Context:
    book, seats = engine.book, placed.seats
    if len(seats) == 1 and iid >= 0:
        position, last_px = seats[0].held_e8 / SCALE, book.last_px[iid] or _NAN
        return Context(engine.ts_ns, seats[0].instrument.symbol, position, last_px)
    positions = {seat.instrument.symbol: seat.held_e8 / SCALE for seat in seats}
    prices = {seat.instrument.symbol: book.last_px[seat.iid] or _NAN for seat in seats}
    symbol = book.symbol(iid) if iid >= 0 else ""
    return Context(
        engine.ts_ns, symbol, positions.get(symbol, 0.0), prices.get(symbol, _NAN), positions, prices
    )


_NAN: Final = float("nan")


def _seat(engine: "Engine", placed: Placed, symbol: str, iid: int) -> Seat | None:
    if symbol:
        iid = engine.book.iid_of.get(symbol, -1)
    return engine.host.seats.get((placed.strategy_id, iid))


def _request(engine: "Engine", seat: Seat, request: OrderRequest) -> None:
    engine.order(
        seat,
        _SIDES[request.side],
        _KINDS[request.type],
        _TIFS[request.tif],
        _e8(request.quantity),
        _e8(request.limit_px),
        _e8(request.stop_px),
        request.why,
    )


def _e8(value: float) -> int:
    """The exact integer; what is beyond every grid becomes the smallest number that GRID refuses."""
    return round(value * SCALE) if value < _LARGEST else int(_LARGEST) * SCALE
