"""Values and errors as HTTP answers: JSON or msgpack, compressed when large, typed errors with their status."""

from typing import Any

import msgspec
from aiohttp import web

from workbench import errors
from workbench.api.bodies import VENUE_DETAILS, ErrorBody
from workbench.api.security import Forbidden
from workbench.errors import (
    BadInput,
    BadValue,
    Busy,
    NotRunning,
    Refused,
    Retryable,
    StrategyError,
    Unauthorised,
    UnknownName,
    VenueError,
    WorkbenchError,
)
from workbench.model.snapshot import RefusalRow

__all__ = ["Raw", "RiskRefusal", "answer", "error_answer", "error_body", "status_of"]

MSGPACK = "application/msgpack"
COMPRESS_FROM_BYTES = 4096
# zlib runs in a thread above this size: a large snapshot must not hold the engine's loop
THREAD_FROM_BYTES = 16384

_to_json = msgspec.json.Encoder()
_to_msgpack = msgspec.msgpack.Encoder()


class Raw(msgspec.Struct, frozen=True):
    """An answer that is bytes already."""

    body: bytes
    content_type: str


class RiskRefusal(Refused):
    """A risk rule's no on its way out as an answer; inside the engine it is a value."""

    def __init__(self, row: RefusalRow) -> None:
        super().__init__(f"[{row.code}] {row.text}")
        self.row = row


def answer(request: web.BaseRequest, value: Any, status: int = 200) -> web.Response:
    """`value` as the caller wants it: msgpack when its Accept says so, JSON otherwise."""
    if isinstance(value, Raw):
        body, content_type = value.body, value.content_type
    elif MSGPACK in request.headers.get("Accept", ""):
        body, content_type = _to_msgpack.encode(value), MSGPACK
    else:
        body, content_type = _to_json.encode(value), "application/json; charset=utf-8"
    headers = {"Content-Type": content_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    response = web.Response(body=body, status=status, headers=headers, zlib_executor_size=THREAD_FROM_BYTES)
    if len(body) >= COMPRESS_FROM_BYTES:
        response.enable_compression()
    return response


def error_answer(
    request: web.BaseRequest, error: WorkbenchError, resource: str | None = None
) -> web.Response:
    """The error's one line, with its status; `resource` is the id in the path."""
    status = status_of(error, resource)
    response = answer(request, error_body(error), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 429:
        response.headers["Retry-After"] = "1"
    return response


def error_body(error: WorkbenchError) -> ErrorBody:
    """What the client needs to raise the same error again."""
    if isinstance(error, RiskRefusal):
        return ErrorBody("RiskRefusal", str(error), refusal=error.row)
    details: dict[str, str] = {}
    if isinstance(error, UnknownName):
        details = {"kind": error.kind, "name": error.name, "nearest": error.nearest or ""}
    elif isinstance(error, BadValue):
        details = {"field": error.field, "value": str(error.value)[:200], "advice": error.advice}
    elif isinstance(error, VenueError):
        details = {name: str(getattr(error, name)) for name in VENUE_DETAILS}
    return ErrorBody(_public_name(error), " ".join(str(error).split()), details)


def status_of(error: WorkbenchError, resource: str | None = None) -> int:
    """The HTTP status of an error.

    >>> status_of(UnknownName("order", 7, []), "7"), status_of(UnknownName("symbol", "SPX", [])), status_of(Busy(""))
    (404, 400, 429)
    """
    if isinstance(error, VenueError):  # its own status is the venue's answer to us
        return 502
    own = getattr(error, "status", None)
    if isinstance(own, int):
        return own
    if isinstance(error, UnknownName) and resource is not None and error.name == resource:
        return 404
    if isinstance(error, BadInput | StrategyError):
        return 400
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, Unauthorised):
        return 401
    if isinstance(error, NotRunning):
        return 503
    if isinstance(error, Refused):
        return 409
    if isinstance(error, Busy):
        return 429
    if isinstance(error, Retryable):
        return 503
    return 500


def _public_name(error: WorkbenchError) -> str:
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in errors.__all__)
