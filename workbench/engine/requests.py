"""What a hook's answers become: a Signal a target, an OrderRequest an order, a bracket or part of a group, the others a
cancel or an amendment. All of it goes through sizing and risk like everything else.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from workbench.engine.amends import ask_to_amend
from workbench.engine.linked import send_bracket, send_group, wanted
from workbench.engine.seats import Intent, Placed, Seat
from workbench.errors import BadValue, UnknownName
from workbench.model.orders import BUY, CANCELLING, SELL, STATE_NAMES, TERMINAL, TIF_NAMES, TYPE_NAMES, Order
from workbench.model.scale import SCALE
from workbench.strategy import AmendRequest, CancelRequest, OrderRequest, Signal

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["perform"]

type Answer = Signal | OrderRequest | CancelRequest | AmendRequest

_SIDES: Final = {"buy": BUY, "sell": SELL}
_KINDS: Final = {name: kind for kind, name in enumerate(TYPE_NAMES)}
_TIFS: Final = {name: tif for tif, name in enumerate(TIF_NAMES)}
_LARGEST: Final = 1e15


def perform(engine: "Engine", placed: Placed, iid: int, answers: Sequence[Answer]) -> None:
    """Do what a hook answered, in its order. `iid` is the event's instrument, -1 for a timer."""
    was_running = placed.running
    done: set[str] = set()  # labels of groups that were sent with their first request
    for n, answer in enumerate(answers):
        if isinstance(answer, OrderRequest):
            if answer.oco and answer.oco not in done:
                done.add(answer.oco)
                _group(engine, placed, iid, [a for a in answers if getattr(a, "oco", "") == answer.oco])
            elif not answer.oco:
                _order(engine, placed, iid, answer)
        elif isinstance(answer, Signal):
            seat = _seat(engine, placed, answer.symbol, iid)
            if seat is not None and answer.target != seat.target:
                engine.retarget(seat, answer.target, answer.why)
        elif isinstance(answer, CancelRequest):
            _cancel(engine, placed, iid, answer)
        else:
            _amend(engine, placed, answer)
        if was_running and not placed.running:
            dropped = len(answers) - n - 1
            if dropped:
                engine.odd("requests dropped by a halt", dropped)
                placed.reason += f"; {dropped} more requests were dropped"
            return


def _seat(engine: "Engine", placed: Placed, symbol: str, iid: int) -> Seat | None:
    if symbol:
        iid = engine.book.iid_of.get(symbol, -1)
    seat = engine.host.seats.get((placed.strategy_id, iid))
    if seat is None:
        own = [s.instrument.symbol for s in placed.seats]
        advice = "name one of the strategy's own symbols"
        engine.user_error(placed, UnknownName("symbol", symbol, own, advice))
    return seat


def _order(engine: "Engine", placed: Placed, iid: int, request: OrderRequest) -> None:
    seat = _seat(engine, placed, request.symbol, iid)
    if seat is None:
        return
    if request.bracket:
        exits = (request.take_profit_px, request.stop_loss_px, request.stop_loss_limit_px)
        send_bracket(engine, _intent(seat, request), *map(_e8, exits))
        return
    engine.order(
        seat,
        _SIDES[request.side],
        _KINDS[request.type],
        _TIFS[request.tif],
        _e8(request.quantity),
        _e8(request.limit_px),
        _e8(request.stop_px),
        request.why,
        _e8(request.trail),
        _e8(request.trail_percent / 100),
    )


def _group(engine: "Engine", placed: Placed, iid: int, requests: list[Answer]) -> None:
    """Requests with one label: one alone is a plain order."""
    orders = [request for request in requests if isinstance(request, OrderRequest)]
    if len(orders) == 1:
        _order(engine, placed, iid, orders[0])
        return
    seats = [_seat(engine, placed, request.symbol, iid) for request in orders]
    legs: list[Intent] = []
    for seat, request in zip(seats, orders, strict=True):
        if seat is None:
            return
        legs.append(_intent(seat, request))
    if any(leg.seat is not legs[0].seat for leg in legs):
        symbols = ", ".join(leg.seat.instrument.symbol for leg in legs)
        advice = f"its orders must be in one symbol, not in {symbols}"
        engine.user_error(placed, BadValue("OrderRequest.oco", orders[0].oco, advice))
        return
    send_group(engine, legs)


def _intent(seat: Seat, request: OrderRequest) -> Intent:
    return wanted(
        seat,
        _SIDES[request.side],
        _KINDS[request.type],
        _TIFS[request.tif],
        _e8(request.quantity),
        _e8(request.limit_px),
        _e8(request.stop_px),
        request.why,
        _e8(request.trail),
        _e8(request.trail_percent / 100),
    )


def _own(engine: "Engine", placed: Placed, order_id: int, code: str) -> Order | None:
    """The strategy's own order of that number, when something can still be done about it."""
    order = engine.orders.by_id.get(order_id)
    sid = placed.strategy_id
    if not placed.running:
        engine.say_no("PAUSED", f"strategy {sid} {placed.name} is {placed.state}: resume it first", sid)
    elif order is None or order.strategy_id != sid:
        open_ids = ", ".join(str(number) for number in placed.open_orders or ()) or "none"
        engine.say_no(code, f"order {order_id} is not this strategy's: open are {open_ids}", sid)
    elif order.state in TERMINAL:
        engine.say_no(code, f"order {order_id} is {STATE_NAMES[order.state]} already", sid, order.iid)
    else:
        return order
    return None


def _cancel(engine: "Engine", placed: Placed, iid: int, request: CancelRequest) -> None:
    if request.all:
        seat = _seat(engine, placed, request.all, iid)
        open_orders = placed.open_orders or {}
        numbers = [] if seat is None else [n for n, order in open_orders.items() if order.iid == seat.iid]
    else:
        numbers = [request.order_id]
    for number in numbers:
        order = _own(engine, placed, number, "CANCEL")
        if order is not None and order.state != CANCELLING:
            engine.cancel(order)


def _amend(engine: "Engine", placed: Placed, request: AmendRequest) -> None:
    order = _own(engine, placed, request.order_id, "AMEND")
    if order is not None:
        values = (_e8(request.quantity), _e8(request.limit_px), _e8(request.stop_px))
        ask_to_amend(engine, order, *values)


def _e8(value: float) -> int:
    """The exact integer; what is beyond every grid becomes the smallest number that GRID refuses."""
    return round(value * SCALE) if value < _LARGEST else int(_LARGEST) * SCALE
