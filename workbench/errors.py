"""Every error the workbench raises, as one tree. Two questions are answered by the type alone:
*may I try again?* and *did the order possibly reach the venue?*

    WorkbenchError
    |-- BadInput            what was typed is wrong; nothing was done          (exit status 2)
    |   |-- UnknownName     a name nobody knows; carries the nearest right one
    |   `-- BadValue        a known field with an impossible value
    |-- Refused             understood, and the answer is no                   (exit status 1)
    |   |-- AccountLocked   another engine holds this account
    |   |-- Unauthorised    token, Host or Origin not accepted
    |   |   `-- KeysRefused     a venue does not accept the keys (wrong, revoked, of its other environment)
    |   |-- VenueRefused    a venue understood the request and says no
    |   |   `-- UnsafeVenue     its certificate or its address cannot be trusted: nothing was sent
    |   `-- NotRunning      no engine (or warehouse, dashboard) answers there
    |-- Retryable           nothing reached the venue; the same call may succeed later
    |   |-- Busy            a queue or a limiter is full
    |   |   `-- RateLimited     a venue asks for a pause; carries retry_after_s
    |   |-- Unreachable     connection refused, reset before sending, or timed out on a read
    |   |   `-- VenueDown       a venue answers 5xx, or nothing, to a question
    |   `-- VenueGarbled    a venue's answer to a question cannot be read
    |-- OutcomeUnknown      the order may be live at the venue: ask it, never send again
    |-- JournalError
    |   |-- JournalDamaged  a record fails its hash or the sequence has a hole
    |   |-- JournalVersion  written by another format
    |   `-- JournalStopped  the disk refused a sync: nothing may be sent any more
    `-- StrategyError       a strategy's own code raised, or answered NaN

What a venue is at fault for is also a `VenueError`: venue, status, code, field, and the next step.
A risk refusal is not an exception: it is a value (`model.effects.Refusal`).
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AccountLocked",
    "BadInput",
    "BadValue",
    "Busy",
    "JournalDamaged",
    "JournalError",
    "JournalStopped",
    "JournalVersion",
    "KeysRefused",
    "NotRunning",
    "OutcomeUnknown",
    "RateLimited",
    "Refused",
    "Retryable",
    "StrategyError",
    "Unauthorised",
    "UnknownName",
    "Unreachable",
    "UnsafeVenue",
    "VenueDown",
    "VenueError",
    "VenueGarbled",
    "VenueRefused",
    "WorkbenchError",
]


class WorkbenchError(Exception):
    """Base of all; `str()` of any of them is one line that says what to do next."""

    exit_status = 1


class BadInput(WorkbenchError):
    """What was typed is wrong; nothing was done."""

    exit_status = 2


class UnknownName(BadInput):
    """A name nobody knows, with the nearest right one; `none` is said where there is no right one at all.

    >>> str(UnknownName("symbol", "SPX", ["SPY", "QQQ"]))
    "symbol 'SPX' is unknown: did you mean 'SPY'? Known: QQQ, SPY"
    """

    def __init__(self, kind: str, name: object, known: Iterable[str], hint: str = "", none: str = "") -> None:
        options = sorted(known)
        text = str(name)
        folded = {option.lower(): option for option in options}
        near = get_close_matches(text.lower(), folded, n=1, cutoff=0.5)
        guess = f"did you mean '{folded[near[0]]}'? " if near else ""
        shown = ", ".join(options[:12]) + (", ..." if len(options) > 12 else "")
        listing = f"Known: {shown}" if options else none or f"No {kind} is known yet"
        super().__init__(f"{kind} '{text}' is unknown: {guess}{listing}" + (f". {hint}" if hint else ""))
        self.kind, self.name, self.nearest = kind, text, folded[near[0]] if near else None


def _one_line(value: object) -> str:
    """A value as it is written, on one line whatever it is: a table has many."""
    text = repr(value)
    return text if "\n" not in text else f"{' '.join(text.split()):.100} ({type(value).__name__})"


class BadValue(BadInput):
    """A known field with an impossible value.

    >>> str(BadValue("quantity", -3, "give a number above 0"))
    'quantity = -3: give a number above 0'
    """

    def __init__(self, field: str, value: object, advice: str) -> None:
        super().__init__(f"{field} = {_one_line(value)}: {advice}")
        self.field, self.value, self.advice = field, value, advice


class Refused(WorkbenchError):
    """Understood, and the answer is no."""


class AccountLocked(Refused):
    """Another engine holds this account."""


class Unauthorised(Refused):
    """Token, Host or Origin not accepted."""


class NotRunning(Refused):
    """Nothing answers at the address where it should run."""


class Retryable(WorkbenchError):
    """Nothing reached the venue; the same call may succeed later."""


class Busy(Retryable):
    """A queue or a limiter is full."""


class Unreachable(Retryable):
    """The connection was refused, or reset before anything was sent."""


class OutcomeUnknown(WorkbenchError):
    """The order may be live at the venue: ask it, never send again."""


class VenueError(WorkbenchError):
    """Something a venue did or said: who, what, and what to do next; which kind of error it is says the subclass.

    `status` is the HTTP status (0: none), `code` the venue's own, `field` the part of the request it is about.

    >>> str(VenueError("alpaca", "insufficient buying power", "lower the quantity", status=403, code="40310000"))
    'alpaca: insufficient buying power (HTTP 403, code 40310000): lower the quantity'
    """

    def __init__(
        self, venue: str, said: str, advice: str, *, status: int = 0, code: str = "", field: str = ""
    ) -> None:
        known = (("HTTP", status), ("code", code), ("field", field))
        marks = ", ".join(f"{name} {value}" for name, value in known if value)
        said = " ".join(said.split())[:300] or "no reason given"
        super().__init__(f"{venue}: {said}" + (f" ({marks})" if marks else "") + f": {advice}")
        self.venue, self.said, self.advice = venue, said, advice
        self.status, self.code, self.field = status, code, field


class KeysRefused(VenueError, Unauthorised):
    """The venue does not accept the keys: wrong, revoked, expired, or of its other environment."""


class VenueRefused(VenueError, Refused):
    """The venue understood the request and says no: proof that it was not carried out."""


class UnsafeVenue(VenueRefused):
    """The venue's certificate or address cannot be trusted; nothing was sent."""


class RateLimited(VenueError, Busy):
    """The venue asks for a pause of `retry_after_s`; the request was not carried out."""

    retry_after_s = 0.0


class VenueDown(VenueError, Unreachable):
    """A question got a 5xx, a broken answer or none in time; asking again is harmless."""


class VenueGarbled(VenueError, Retryable):
    """The answer to a question cannot be read: no JSON, too large, too deep, or of another shape."""


class JournalError(WorkbenchError):
    """The durable log cannot be trusted or written."""


class JournalDamaged(JournalError):
    """A record fails its hash, or the sequence has a hole."""


class JournalVersion(JournalError):
    """The log was written by another format."""


class JournalStopped(JournalError):
    """The disk refused a sync: nothing may be sent any more."""


class StrategyError(WorkbenchError):
    """A strategy's own code raised, or answered NaN."""
