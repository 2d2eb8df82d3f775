"""Routes that change something: orders, strategies, market, kill and arm, and who may connect."""

import inspect
from typing import Any

from workbench.api.answers import RiskRefusal
from workbench.api.bodies import (
    AmendBody,
    ArmBody,
    CheckAnswer,
    Done,
    FlattenAnswer,
    FlattenBody,
    FreezeBody,
    KillAnswer,
    KillBody,
    MarketBody,
    OriginBody,
    ParametersBody,
    PauseBody,
    PlaceBody,
    Placed,
    Started,
    StrategyBody,
    ThawBody,
    Ticket,
    TicketBody,
    Token,
    TokenBody,
)
from workbench.api.contract import DeskContract
from workbench.api.route import Call, Route
from workbench.errors import BadValue
from workbench.model import Refusal
from workbench.model.snapshot import RefusalRow

__all__ = ["ROUTES", "kill_desk"]

_V1 = "/api/v1"
# compiling a new strategy, or replaying a long journal, takes its time
LONG_S = 600.0


async def _place(call: Call) -> Placed:
    body: PlaceBody = call.body
    if body.type in ("limit", "stop_limit") and body.limit_px <= 0:
        raise BadValue("limit_px", body.limit_px, f"a {body.type} order needs a price above 0")
    if body.type in ("stop", "stop_limit") and body.stop_px <= 0:
        raise BadValue("stop_px", body.stop_px, f"a {body.type} order needs a price above 0")
    if body.type == "trailing" and not (body.trail or body.trail_percent):
        raise BadValue("trail", body.trail, "a trailing order needs trail or trail_percent")
    placed = await call.desk.place(
        body.symbol,
        body.side,
        body.quantity,
        type=body.type,
        limit_px=body.limit_px,
        stop_px=body.stop_px,
        tif=body.tif,
        key=body.key,
        why=body.why,
        trail=body.trail,
        trail_percent=body.trail_percent,
        take_profit_px=body.take_profit_px,
        stop_loss_px=body.stop_loss_px,
        stop_loss_limit_px=body.stop_loss_limit_px,
    )
    if isinstance(placed, int):
        return Placed(placed)
    raise _said_no(placed, 0, body.symbol, body.side, body.quantity)


def _said_no(no: Refusal, strategy_id: int, symbol: str, side: str, quantity: float) -> RiskRefusal:
    row = RefusalRow(no.ts_ns, strategy_id, symbol, side, quantity, no.code, no.text, dict(no.numbers))
    return RiskRefusal(row)


async def _amend(call: Call) -> Done:
    body: AmendBody = call.body
    if not (body.quantity or body.limit_px or body.stop_px):
        raise BadValue("quantity", body.quantity, "say what to change: quantity, limit_px or stop_px")
    no = await call.desk.amend(call.id, body.quantity, body.limit_px, body.stop_px)
    if no is not None:
        order = call.desk.order(call.id)
        raise _said_no(no, order.strategy_id, order.symbol, order.side, body.quantity or order.quantity)
    return Done()


async def _cancel(call: Call) -> Done:
    await call.desk.cancel(call.id)
    return Done()


async def _add_strategy(call: Call) -> Started:
    body: StrategyBody = call.body
    return Started(
        await call.desk.add_strategy(
            body.name,
            body.source,
            body.parameters,
            body.symbols,
            body.quantity,
            body.sizing,
            body.provenance,
            body.sizing_parameters,
        )
    )


async def _set_parameters(call: Call) -> Done:
    body: ParametersBody = call.body
    await call.desk.set_parameters(call.id, body.parameters)
    return Done()


async def _pause(call: Call) -> Done:
    body: PauseBody = call.body
    await call.desk.pause(call.id, body.reason)
    return Done()


async def _resume(call: Call) -> Done:
    await call.desk.resume(call.id)
    return Done()


async def _remove(call: Call) -> Done:
    await call.desk.remove(call.id)
    return Done()


async def kill_desk(desk: DeskContract, reason: str, by: str) -> KillAnswer:
    """Kill, and say what it did; the same for HTTP and the stream."""
    report = await desk.kill(reason, by)
    return KillAnswer(report.blocked_after_us, report.cancels, list(report.unconfirmed))


async def _kill(call: Call) -> KillAnswer:
    body: KillBody = call.body
    return await kill_desk(call.desk, body.reason, body.by)


async def _flatten(call: Call) -> FlattenAnswer:
    body: FlattenBody = call.body
    done = await call.desk.flatten(body.reason, body.by, body.symbol)
    orders, refused, waiting = list(done.orders), list(done.refused), list(done.waiting)
    return FlattenAnswer(list(done.paused), done.cancels, orders, refused, waiting)


async def _freeze(call: Call) -> Done:
    body: FreezeBody = call.body
    await call.desk.freeze(body.symbol, body.reason, body.by)
    return Done()


async def _thaw(call: Call) -> Done:
    body: ThawBody = call.body
    await call.desk.thaw(body.symbol, body.by)
    return Done()


async def _arm(call: Call) -> Done:
    body: ArmBody = call.body
    await call.desk.arm(body.by)
    return Done()


def _market(call: Call) -> Done:
    body: MarketBody = call.body
    if (body.speed is None) == (body.action == "speed"):
        raise BadValue("speed", body.speed, "give it with action 'speed', and only then")
    call.desk.market_control(body.action, body.speed)
    return Done()


def _stop(call: Call) -> Done:
    call.services.ask_to_stop()
    return Done()


async def _check(call: Call) -> CheckAnswer:
    return CheckAnswer(
        dict(await _value(call.desk.replay_check())), dict(await _value(call.desk.reconcile()))
    )


async def _value(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given


def _ticket(call: Call) -> Ticket:
    body: TicketBody = call.body
    return Ticket(call.services.tokens.ticket(call.grant, body.scope, body.ttl_s), body.ttl_s, body.scope)


def _token(call: Call) -> Token:
    body: TokenBody = call.body
    plain, grant = call.services.tokens.issue(body.scope, body.label)
    return Token(grant.id, plain, grant.scope)


async def _revoke(call: Call) -> Done:
    call.services.tokens.revoke(call.id_text)
    await call.services.close_streams_of(call.id_text)
    return Done()


def _origin(call: Call) -> Done:
    body: OriginBody = call.body
    call.services.gate.allow(body.origin)
    return Done()


ROUTES: tuple[Route, ...] = (
    Route("POST", f"{_V1}/orders", "full", "Place a manual order", _place, Placed, PlaceBody, status=201),
    Route("DELETE", f"{_V1}/orders/{{id}}", "full", "Ask the venue to cancel an order", _cancel, Done),
    Route(
        "PATCH",
        f"{_V1}/orders/{{id}}",
        "full",
        "Ask the venue to change a working order",
        _amend,
        Done,
        AmendBody,
    ),
    Route(
        "POST",
        f"{_V1}/strategies",
        "full",
        "Place a strategy",
        _add_strategy,
        Started,
        StrategyBody,
        status=201,
        patience_s=LONG_S,
    ),
    Route(
        "PATCH", f"{_V1}/strategies/{{id}}", "full", "New parameters", _set_parameters, Done, ParametersBody
    ),
    Route("POST", f"{_V1}/strategies/{{id}}/pause", "view+stop", "Stop deciding", _pause, Done, PauseBody),
    Route("POST", f"{_V1}/strategies/{{id}}/resume", "full", "Decide again", _resume, Done),
    Route("DELETE", f"{_V1}/strategies/{{id}}", "full", "Cancel its orders and remove it", _remove, Done),
    Route(
        "POST",
        f"{_V1}/kill",
        "view+stop",
        "Block all orders, cancel what is open",
        _kill,
        KillAnswer,
        KillBody,
    ),
    Route(
        "POST",
        f"{_V1}/flatten",
        "full",
        "Pause, cancel, and close what is held",
        _flatten,
        FlattenAnswer,
        FlattenBody,
    ),
    Route(
        "POST",
        f"{_V1}/freeze",
        "full",
        "Let only reducing orders pass in a symbol",
        _freeze,
        Done,
        FreezeBody,
    ),
    Route("POST", f"{_V1}/thaw", "full", "Trade a frozen symbol again", _thaw, Done, ThawBody),
    Route("POST", f"{_V1}/arm", "full", "Allow trading again after a kill", _arm, Done, ArmBody),
    Route(
        "POST", f"{_V1}/market", "full", "Play, pause or pace the recorded market", _market, Done, MarketBody
    ),
    Route("POST", f"{_V1}/stop", "full", "Stop the engine in good order", _stop, Done, status=202),
    Route(
        "POST",
        f"{_V1}/check",
        "full",
        "Replay the journal and reconcile with the broker",
        _check,
        CheckAnswer,
        patience_s=LONG_S,
    ),
    Route(
        "POST",
        f"{_V1}/tickets",
        "view",
        "A one-use ticket for the stream",
        _ticket,
        Ticket,
        TicketBody,
        status=201,
    ),
    Route("POST", f"{_V1}/tokens", "full", "A further token", _token, Token, TokenBody, status=201),
    Route("DELETE", f"{_V1}/tokens/{{id}}", "full", "Revoke a token and close its streams", _revoke, Done),
    Route("POST", f"{_V1}/origins", "full", "Let pages of this origin connect", _origin, Done, OriginBody),
)
