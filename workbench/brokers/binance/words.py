"""Binance's words for ours, and its numbers: decimal text for money and quantities, milli- or microseconds for time.

Lives here: single words and numbers. Not here: whole payloads (parse.py).
"""

import re
from decimal import Decimal
from typing import Final

from workbench.brokers.pool.tracker import order_id_of
from workbench.errors import VenueGarbled
from workbench.model.orders import (
    BUY,
    CANCELLED,
    DAY,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    PARTIAL,
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
    "SIDES",
    "STATES",
    "TIFS",
    "VENUE",
    "Number",
    "amended_id",
    "e8",
    "number_text",
    "own_id",
    "state_of",
    "ts_ns_of",
    "whole",
]

VENUE: Final = "binance"
SIDES: Final = {BUY: "BUY", SELL: "SELL"}
KINDS: Final = {
    MARKET: "MARKET",
    LIMIT: "LIMIT",
    STOP: "STOP_LOSS",
    STOP_LIMIT: "STOP_LOSS_LIMIT",
    TRAILING: "STOP_LOSS",
}
TIFS: Final = {DAY: "GTC", GTC: "GTC", IOC: "IOC", FOK: "FOK"}
"""This market never closes: a day order is good till cancelled."""
STATES: Final = {
    "NEW": WORKING,
    "PENDING_NEW": WORKING,
    "PENDING_CANCEL": WORKING,
    "PARTIALLY_FILLED": PARTIAL,
    "FILLED": FILLED,
    "CANCELED": CANCELLED,
    "EXPIRED": EXPIRED,
    "EXPIRED_IN_MATCH": EXPIRED,
    "REJECTED": REJECTED,
}
_DIGITS: Final = 18  # before the point; what has more is read with its bound
_MS_END: Final = 10**14  # times beyond this are microseconds
_VERSION: Final = re.compile(r"(wb-[0-9]+-[0-9]+)(?:_([0-9]+))?")

type Number = str | int | float
"""Amounts are decimal text; some answers have plain numbers."""


def e8(value: Number, field: str) -> int:
    """An amount in 1e-8 units.

    Raises:
        VenueGarbled: it is no finite number.

    >>> e8("61234.10000000", "price"), e8(5, "qty")
    (6123410000000, 500000000)
    """
    if value.__class__ is str and value.isascii():
        whole, dot, part = value.partition(".")
        if len(whole) <= _DIGITS and whole.isdigit() and (part.isdigit() or not dot):
            return int(whole) * SCALE + (int(part[:8].ljust(8, "0")) if part else 0)
    try:
        exact = Decimal(str(value)) * SCALE
        if exact.is_finite() and abs(exact) < Decimal(10) ** 26:
            return int(exact.to_integral_value())
    except ArithmeticError:  # no number, or one beyond what decimals hold
        pass
    raise VenueGarbled(VENUE, f"'{str(value)[:40]}' is no number", "report it; it was not used", field=field)


def number_text(units: int) -> str:
    """An amount of 1e-8 units as decimal text, without trailing zeros.

    >>> number_text(36_748_000_000), number_text(1_000_000_000), number_text(1)
    ('367.48', '10', '0.00000001')
    """
    whole, part = divmod(units, SCALE)
    return f"{whole}.{part:08d}".rstrip("0") if part else str(whole)


def whole(value: int | str, field: str) -> int:
    """A whole number, which some answers write as text.

    Raises:
        VenueGarbled: it is none.
    """
    try:
        return int(value)
    except ValueError:
        text = f"'{value}' is no whole number"
        raise VenueGarbled(VENUE, text, "report it; it was not used", field=field) from None


def state_of(status: str) -> int:
    """Our state for a status of theirs.

    Raises:
        VenueGarbled: nobody knows it: what became of the order is not known then.
    """
    state = STATES.get(status)
    if state is None:
        raise VenueGarbled(VENUE, f"order status '{status}' is unknown", "report it", field="status")
    return state


def ts_ns_of(time: int | str | None) -> int:
    """Nanoseconds since 1970 of a time in milli- or microseconds; 0 for what is not there.

    >>> ts_ns_of(1699381234000), ts_ns_of("1699381234000001"), ts_ns_of(None), ts_ns_of(-1)
    (1699381234000000000, 1699381234000001000, 0, 0)
    """
    if time is None:
        return 0
    value = whole(time, "time")
    return max(0, value) * (1_000_000 if value < _MS_END else 1_000)


def own_id(client_id: str) -> tuple[str, int]:
    """(our order's id, which version of it) of a client id at the venue; ("", 0) when it is not ours.

    >>> own_id("wb-7-12"), own_id("wb-7-12_2"), own_id("x-TKT5PX2F12")
    (('wb-7-12', 1), ('wb-7-12', 2), ('', 0))
    """
    found = _VERSION.fullmatch(client_id)
    if found is None or not order_id_of(found[1]):
        return "", 0
    return found[1], int(found[2] or 1)


def amended_id(client_id: str, version: int) -> str:
    """The client id of a later version of an order.

    >>> amended_id("wb-7-12", 2)
    'wb-7-12_2'
    """
    return f"{client_id}_{version}"
