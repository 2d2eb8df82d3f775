"""Alpaca's words for ours, and its numbers: decimal text for money and quantities, RFC 3339 with nanoseconds for time.

Lives here: single words and numbers. Not here: whole payloads (parse.py).
"""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from workbench.errors import VenueGarbled
from workbench.model.orders import (
    BUY,
    CANCELLED,
    EXPIRED,
    FILLED,
    LIMIT,
    MARKET,
    PARTIAL,
    REJECTED,
    SELL,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TRAILING,
    WORKING,
)
from workbench.model.scale import SCALE

__all__ = [
    "KINDS",
    "SIDES",
    "STATES",
    "TIFS",
    "Number",
    "e8",
    "number_text",
    "optional_e8",
    "state_of",
    "ts_ns_of",
]

VENUE: Final = "alpaca"
SIDES: Final = {BUY: "buy", SELL: "sell"}
KINDS: Final = {
    MARKET: "market",
    LIMIT: "limit",
    STOP: "stop",
    STOP_LIMIT: "stop_limit",
    TRAILING: "trailing_stop",
}
TIFS: Final = TIF_NAMES  # the same words
STATES: Final = {
    "new": WORKING,
    "accepted": WORKING,
    "pending_new": WORKING,
    "accepted_for_bidding": WORKING,
    "held": WORKING,
    "pending_cancel": WORKING,
    "pending_replace": WORKING,
    "pending_review": WORKING,
    "stopped": WORKING,
    "suspended": WORKING,
    "calculated": WORKING,
    "done_for_day": WORKING,
    "partially_filled": PARTIAL,
    "filled": FILLED,
    "canceled": CANCELLED,
    "expired": EXPIRED,
    "rejected": REJECTED,
    "replaced": CANCELLED,  # this one is; another has taken its place
}

type Number = str | int | float
"""Amounts are decimal text; some old answers have plain numbers."""


def e8(value: Number, field: str) -> int:
    """An amount in 1e-8 units.

    Raises:
        VenueGarbled: it is no finite number.

    >>> e8("367.48", "price"), e8(0.1, "qty"), e8("0.000000001", "qty")
    (36748000000, 10000000, 0)
    """
    if value.__class__ is str and value.isascii() and value.isdigit():
        return int(value) * SCALE
    try:
        exact = Decimal(str(value)) * SCALE
        if exact.is_finite() and abs(exact) < Decimal(10) ** 26:
            return int(exact.to_integral_value())
    except InvalidOperation:
        pass
    raise VenueGarbled(VENUE, f"'{value}' is no number", "report it; it was not used", field=field)


def optional_e8(value: Number | None, field: str) -> int:
    """The same, and 0 for what is not there."""
    return 0 if value is None or value == "" else e8(value, field)


def number_text(units: int) -> str:
    """An amount of 1e-8 units as decimal text, without trailing zeros.

    >>> number_text(36_748_000_000), number_text(1_000_000_000), number_text(1)
    ('367.48', '10', '0.00000001')
    """
    whole, part = divmod(units, SCALE)
    return f"{whole}.{part:08d}".rstrip("0") if part else str(whole)


def state_of(status: str) -> int:
    """Our state for a status of theirs.

    Raises:
        VenueGarbled: nobody knows it: what became of the order is not known then.
    """
    state = STATES.get(status)
    if state is None:
        raise VenueGarbled(VENUE, f"order status '{status}' is unknown", "report it", field="status")
    return state


@lru_cache(maxsize=4096)
def _minute_ns(minute: str) -> int:
    return int(datetime.strptime(minute, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def ts_ns_of(text: str | datetime | None) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time (or of a MessagePack time stamp); 0 for what is not there.

    Raises:
        VenueGarbled: it is no time.

    >>> ts_ns_of("2024-07-18T05:02:23.898910982Z"), ts_ns_of("2022-01-03T09:30:00-05:00")
    (1721278943898910982, 1641220200000000000)
    """
    if not text:
        return 0
    try:
        if isinstance(text, datetime):
            whole = int(text.timestamp())
            return whole * 1_000_000_000 + text.microsecond * 1_000
        if text.endswith("Z"):
            seconds, _, part = text[17:-1].partition(".")
            return _minute_ns(text[:16]) + int(seconds) * 1_000_000_000 + int(part.ljust(9, "0")[:9] or 0)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        digits = text[19:].lstrip(".").partition("+")[0].partition("-")[0]
        part_ns = int(digits.ljust(9, "0")[:9]) if text[19:20] == "." else 0
        return int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + part_ns
    except ValueError as error:
        raise VenueGarbled(VENUE, f"'{text}' is no time ({error})", "report it; it was not used") from error
