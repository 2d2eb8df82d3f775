"""What travels over HTTP: request bodies, query parameters and answers, and their strict decoding.

Rows of the desk itself are in `workbench.model.snapshot`. Unknown fields are refused with the nearest name.
JSON has no NaN: a float that is not a number travels as null (msgpack, which the Python client asks for, keeps it).
"""

import re
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.model.snapshot import OrderRow, RefusalRow

__all__ = [
    "VENUE_DETAILS",
    "AmendBody",
    "ArmBody",
    "CheckAnswer",
    "Done",
    "ErrorBody",
    "FlattenAnswer",
    "FlattenBody",
    "FreezeBody",
    "KillAnswer",
    "KillBody",
    "MarketBody",
    "OrdersQuery",
    "OriginBody",
    "ParametersBody",
    "PauseBody",
    "PlaceBody",
    "Placed",
    "RowsQuery",
    "SinceQuery",
    "Started",
    "StrategyBody",
    "ThawBody",
    "Ticket",
    "TicketBody",
    "Token",
    "TokenBody",
    "decode_body",
    "decode_query",
]

type Parameters = dict[str, float | int | bool | str]
type ScopeName = Literal["view", "view+stop", "full"]
ShortText = Annotated[str, Meta(max_length=500)]
Symbol = Annotated[str, Meta(min_length=1, max_length=32)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class PlaceBody(_Body, frozen=True):
    """A manual order. `key` makes a repeated request harmless. A trailing order takes `trail` (a price distance) or
    `trail_percent`; `take_profit_px` and `stop_loss_px` (with `stop_loss_limit_px`: a stop-limit order) make a bracket
    of it."""

    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: Positive
    type: Literal["market", "limit", "stop", "stop_limit", "trailing"] = "market"
    limit_px: NotNegative = 0.0
    stop_px: NotNegative = 0.0
    tif: Literal["day", "gtc", "ioc", "fok", "opg", "cls"] = "day"
    key: Annotated[str, Meta(max_length=64)] = ""
    why: ShortText = ""
    trail: NotNegative = 0.0
    trail_percent: NotNegative = 0.0
    take_profit_px: NotNegative = 0.0
    stop_loss_px: NotNegative = 0.0
    stop_loss_limit_px: NotNegative = 0.0


class AmendBody(_Body, frozen=True):
    """What a working order shall be changed to; 0 keeps what it has. `quantity` includes what has filled."""

    quantity: NotNegative = 0.0
    limit_px: NotNegative = 0.0
    stop_px: NotNegative = 0.0


class FlattenBody(_Body, frozen=True):
    """Close what is held in `symbol`, or in all ("")."""

    reason: ShortText = "operator"
    by: Annotated[str, Meta(max_length=100)] = "api"
    symbol: Annotated[str, Meta(max_length=32)] = ""


class FreezeBody(_Body, frozen=True):
    """Let only reducing orders pass in `symbol`."""

    symbol: Symbol
    reason: ShortText = "operator"
    by: Annotated[str, Meta(max_length=100)] = "api"


class ThawBody(_Body, frozen=True):
    """Trade `symbol` again."""

    symbol: Symbol
    by: Annotated[str, Meta(max_length=100)] = "api"


class StrategyBody(_Body, frozen=True):
    """Place a strategy: `source` is the text that defines the class `name`. `sizing` says what `quantity` means."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    source: str
    symbols: Annotated[list[Symbol], Meta(min_length=1)]
    parameters: Parameters = {}
    quantity: Positive = 1.0
    sizing: str = "quantity"
    provenance: ShortText = ""
    sizing_parameters: dict[str, float] = {}


class ParametersBody(_Body, frozen=True):
    parameters: Parameters


class PauseBody(_Body, frozen=True):
    reason: ShortText = "paused by the operator"


class KillBody(_Body, frozen=True):
    reason: ShortText = "operator"
    by: Annotated[str, Meta(max_length=100)] = "api"


class ArmBody(_Body, frozen=True):
    by: Annotated[str, Meta(max_length=100)] = "api"


class MarketBody(_Body, frozen=True):
    """`speed` is replayed seconds per wall second (0 = as fast as it settles); only with action "speed"."""

    action: Literal["play", "pause", "speed"]
    speed: NotNegative | None = None


class TicketBody(_Body, frozen=True):
    scope: Literal["view", "view+stop"] = "view"
    ttl_s: Annotated[float, Meta(gt=0, le=30)] = 30.0


class TokenBody(_Body, frozen=True):
    scope: ScopeName = "view"
    label: Annotated[str, Meta(max_length=100)] = ""


class OriginBody(_Body, frozen=True):
    """A page's origin that may connect from now on, e.g. the Jupyter server's `http://127.0.0.1:8888`."""

    origin: Annotated[str, Meta(max_length=200)]


class OrdersQuery(_Body, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 200
    strategy_id: int | None = None
    state: str | None = None


class RowsQuery(_Body, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 200


class SinceQuery(_Body, frozen=True):
    since_ns: Annotated[int, Meta(ge=0)] = 0


class Done(msgspec.Struct, frozen=True):
    ok: bool = True


class Placed(msgspec.Struct, frozen=True):
    order_id: int


class Started(msgspec.Struct, frozen=True):
    strategy_id: int


class KillAnswer(msgspec.Struct, frozen=True):
    """New orders were blocked after `blocked_after_us`; `unconfirmed` orders may still be live."""

    blocked_after_us: float
    cancels: int
    unconfirmed: list[OrderRow]


class FlattenAnswer(msgspec.Struct, frozen=True):
    """Strategies paused, cancels and closing orders sent; `refused` says why one was not, `waiting` what is closed
    only when the venue has confirmed the end of its open orders."""

    paused: list[int]
    cancels: int
    orders: list[OrderRow]
    refused: list[str]
    waiting: list[str]


class CheckAnswer(msgspec.Struct, frozen=True):
    replay: dict[str, Any]
    reconcile: dict[str, Any]


class Ticket(msgspec.Struct, frozen=True):
    ticket: str
    expires_s: float
    scope: str


class Token(msgspec.Struct, frozen=True):
    id: str
    token: str
    scope: str


# what a VenueError carries besides its line
VENUE_DETAILS = ("venue", "said", "advice", "status", "code", "field")


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code` is the error's class in `workbench.errors` (or "RiskRefusal"); `text` is one line."""

    code: str
    text: str
    details: dict[str, str] = {}
    refusal: RefusalRow | None = None


_ADVICE = (
    (re.compile(r"expected (float|int) > 0(\.0)?$"), "give a number above 0"),
    (re.compile(r"expected (float|int) >= 0(\.0)?$"), "give a number of 0 or more"),
    (re.compile(r"expected array of length >= 1$"), "name at least one"),
)
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


def decode_body[T](kind: type[T], raw: bytes) -> T:
    """The body as `kind`; an empty body counts as `{}`.

    >>> decode_body(PauseBody, b'{"reasn": "x"}')
    Traceback (most recent call last):
    workbench.errors.UnknownName: field 'reasn' is unknown: did you mean 'reason'? Known: reason
    """
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise _complaint(kind, error, _given(raw)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"body is not valid JSON: {_one_line(error)}; send one JSON object") from error
    except RecursionError as error:
        raise BadInput("body is nested too deeply: send one flat JSON object") from error


def decode_query[T](kind: type[T], values: dict[str, str]) -> T:
    """Query parameters as `kind`, numbers from their text."""
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _complaint(kind, error, values) from error


def _given(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None  # its end cannot be read; what was wrong stands before it


def _complaint(kind: Any, error: msgspec.ValidationError, given: Any) -> BadInput:
    text = _one_line(error)
    unknown = re.search(r"unknown field `([^`]*)`", text)
    if unknown:
        return UnknownName("field", unknown[1][:100], kind.__struct_fields__)
    missing = re.search(r"missing required field `([^`]*)`", text)
    if missing:
        return BadValue(missing[1], None, "this field is required")
    path = _PATH.search(text)
    field = path[1] if path else ""
    text = _PATH.sub("", text)
    invalid = re.search(r"Invalid enum value '?([^']*)'?", text)
    if invalid and field:
        words = _words(kind, field)
        return UnknownName(field, invalid[1][:100], words) if words else BadInput(f"{field}: {text}")
    text = text.replace("`", "")
    text = f"{text[0].lower()}{text[1:]}"
    value = given.get(field, {}) if isinstance(given, dict) else {}
    if isinstance(value, str | int | float) or value == []:
        advice = next((advice for pattern, advice in _ADVICE if pattern.match(text)), text)
        return BadValue(field, value[:100] if isinstance(value, str) else value, advice)
    return BadInput(f"{field or 'body'}: {text}")


def _words(kind: Any, field: str) -> tuple[str, ...]:
    hint = get_type_hints(kind).get(field)
    hint = getattr(hint, "__value__", hint)
    return tuple(str(word) for word in get_args(hint))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
