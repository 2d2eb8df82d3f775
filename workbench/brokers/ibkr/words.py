"""The Client Portal's words for ours, and its numbers: floats and texts for money, milliseconds for time.

Lives here: single words and numbers. Not here: whole payloads (parse.py).
"""

from decimal import Decimal
from typing import Final

from workbench.brokers.ibkr.config import VENUE
from workbench.errors import VenueGarbled
from workbench.model.orders import (
    BUY,
    CANCELLED,
    CLS,
    DAY,
    FILLED,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    REJECTED,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
    WORKING,
)
from workbench.model.scale import SCALE

__all__ = [
    "KINDS",
    "LOT",
    "REGISTERED",
    "SIDES",
    "STATES",
    "TIFS",
    "VENUE",
    "Number",
    "e8",
    "number_of",
    "optional_e8",
    "px_of",
]

REGISTERED: Final = "already registered"
"""What it says of a client id that was used before: no proof against the first order of it."""

SIDES: Final = {BUY: "BUY", SELL: "SELL"}
KINDS: Final = {MARKET: "MKT", LIMIT: "LMT", STOP: "STP", STOP_LIMIT: "STOP_LIMIT", TRAILING: "TRAIL"}
CLOSING: Final = {MARKET: "MOC", LIMIT: "LOC"}
TIFS: Final = {DAY: "DAY", GTC: "GTC", IOC: "IOC", OPG: "OPG", CLS: "DAY"}
STATES: Final = {
    "PendingSubmit": WORKING,
    "ApiPending": WORKING,
    "PreSubmitted": WORKING,
    "Submitted": WORKING,
    "PendingCancel": WORKING,
    "PreCancelled": WORKING,
    "WarnState": WORKING,
    "Filled": FILLED,
    "Cancelled": CANCELLED,
    "ApiCancelled": CANCELLED,
    "Inactive": REJECTED,
    "Failed": REJECTED,
    "Rejected": REJECTED,
}
"""What a status means. `Inactive` is believed only when it stays (finder.py)."""

LOT: Final = 100.0
"""Sizes of the book and volumes of charts are in hundreds of shares for US stocks."""

_TOO_LARGE: Final = 1 << 62

type Number = str | int | float
"""Amounts are texts in some places and plain numbers in others."""


def e8(value: Number, field: str) -> int:
    """An amount in 1e-8 units, rounded there.

    Raises:
        VenueGarbled: no number, or none that can be an amount.

    >>> e8("1,234.50", "price"), e8(0.1, "size"), e8(3, "size")
    (123450000000, 10000000, 300000000)
    """
    try:
        text = value.replace(",", "") if isinstance(value, str) else repr(value)
        scaled = Decimal(text) * SCALE
        units = int(scaled.to_integral_value()) if abs(scaled) < _TOO_LARGE else _TOO_LARGE
    except (ArithmeticError, ValueError) as error:
        raise VenueGarbled(
            VENUE, f"'{str(value)[:40]}' is no amount", "it was not used", field=field
        ) from error
    if abs(units) >= _TOO_LARGE:
        raise VenueGarbled(VENUE, f"'{str(value)[:40]}' is too large", "it was not used", field=field)
    return units


def optional_e8(value: Number | None, field: str) -> int:
    """The same; 0 for nothing and for an empty text (the price of a market order)."""
    return e8(value, field) if value not in (None, "") else 0


def number_of(units_e8: int) -> int | float:
    """A price or a quantity as it is sent: a whole number when it is one.

    >>> number_of(10 * SCALE), number_of(23_010_000_000)
    (10, 230.1)
    """
    whole, part = divmod(units_e8, SCALE)
    return whole if not part else units_e8 / SCALE


def px_of(text: Number) -> tuple[str, float]:
    """A price field with its mark: "C" (the close of the day before), "H" (halted) or "".

    Raises:
        ValueError: it is no price.

    >>> px_of("C230.10"), px_of("1,230.5"), px_of(7)
    (('C', 230.1), ('', 1230.5), ('', 7.0))
    """
    if not isinstance(text, str):
        return "", float(text)
    mark = text[:1] if text[:1].isalpha() else ""
    return mark, float(text[len(mark) :].replace(",", ""))
