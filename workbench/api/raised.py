"""What a client raises: the error that an answer stands for, and those of no answer at all.

Lives here: turning answers into exceptions. Not here: the server's way round (answers.py), the calls (client.py).
"""

import msgspec

from workbench import errors
from workbench.api.address import Address
from workbench.api.bodies import VENUE_DETAILS, ErrorBody
from workbench.errors import (
    BadValue,
    NotRunning,
    OutcomeUnknown,
    UnknownName,
    Unreachable,
    VenueError,
    WorkbenchError,
)
from workbench.model.snapshot import RefusalRow

__all__ = ["RiskSaidNo", "error_from", "gone", "late", "refusal"]


def error_from(body: ErrorBody) -> WorkbenchError:
    """The exception an error answer stands for.

    >>> error_from(ErrorBody("Busy", "slow down"))
    Busy('slow down')
    """
    kind = getattr(errors, body.code, WorkbenchError) if body.code in errors.__all__ else WorkbenchError
    error: WorkbenchError = kind.__new__(kind)
    Exception.__init__(error, body.text)
    details = body.details
    if isinstance(error, UnknownName):
        error.kind, error.name = details.get("kind", ""), details.get("name", "")
        error.nearest = details.get("nearest") or None
    elif isinstance(error, BadValue):
        error.field, error.value, error.advice = (details.get(k, "") for k in ("field", "value", "advice"))
    elif isinstance(error, VenueError):
        for name in VENUE_DETAILS:
            setattr(error, name, details.get(name, ""))
        error.status = int(details.get("status") or 0)
    return error


class RiskSaidNo(errors.Refused):
    """A risk rule refused; `row` says which."""

    def __init__(self, row: RefusalRow, text: str) -> None:
        super().__init__(text)
        self.row = row


def refusal(raw: bytes) -> WorkbenchError:
    """The error of an answer that is none of what was asked for."""
    try:
        body = msgspec.msgpack.decode(raw, type=ErrorBody)
    except msgspec.DecodeError:
        return WorkbenchError(f"the engine answered something else: {raw[:100]!r}")
    return RiskSaidNo(body.refusal, body.text) if body.refusal is not None else error_from(body)


def gone(address: Address, error: Exception) -> NotRunning:
    """Nothing listens there (any more)."""
    return NotRunning(
        f"nothing answers at {address.url} (engine pid {address.pid}: {type(error).__name__}): "
        "start it again with workbench.start(), or see engine.log in the desk's folder"
    )


def late(method: str, path: str, limit_s: float) -> WorkbenchError:
    """No answer in time: harmless for a look, an unknown outcome for everything else."""
    if method == "GET":
        return Unreachable(
            f"{path} was not answered within {limit_s:g} s: the engine is busy or stopped, try again"
        )
    return OutcomeUnknown(
        f"{method} {path} was not answered within {limit_s:g} s: look at the desk before repeating"
    )
