"""How Alpaca spells things: numbers as text, RFC 3339 times, sides, types and times in force.

Lives here: spelling, both ways. Not here: rules about orders (tickets.py, rules.py), whole bodies (bodies.py).
"""

import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from time import gmtime, strftime
from typing import Any, Final

from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
)
from workbench.model.scale import SCALE

__all__ = ["KINDS", "SIDES", "TIFS", "asset_id", "number", "rfc3339", "text", "text_px", "wanted_ns"]

SIDES: Final = {"buy": BUY, "sell": SELL}
KINDS: Final = {
    "market": MARKET,
    "limit": LIMIT,
    "stop": STOP,
    "stop_limit": STOP_LIMIT,
    "trailing_stop": TRAILING,
}
TIFS: Final = {"day": DAY, "gtc": GTC, "opg": OPG, "cls": CLS, "ioc": IOC, "fok": FOK}

_FRACTION: Final = re.compile(r"\.(\d+)")
_FIRST: Final = datetime(1700, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2250, 1, 1, tzinfo=UTC)
_NAMESPACE: Final = uuid.UUID("6f0cb3a3-8a43-4c39-9ac0-2f2d7fb2c1b5")


def text(units_e8: int) -> str:
    """A quantity or an amount of money as Alpaca writes it: no exponent, no zeros at the end.

    >>> text(1_000_000_000), text(12_345_000), text(-50_000_000), text(0)
    ('10', '0.12345', '-0.5', '0')
    """
    sign, size = ("-", -units_e8) if units_e8 < 0 else ("", units_e8)
    whole, part = divmod(size, SCALE)
    if not part:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:08d}".rstrip("0")


def text_px(px: float) -> str:
    """A price computed as a float (an average, a last price) as text.

    >>> text_px(230.1), text_px(61234.123456789)
    ('230.1', '61234.12345679')
    """
    return text(round(px * SCALE))


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def rfc3339(ts_ns: int) -> str:
    """A time in UTC with nanoseconds.

    >>> rfc3339(1_700_000_000_123_456_789)
    '2023-11-14T22:13:20.123456789Z'
    """
    seconds, ns = divmod(ts_ns, 1_000_000_000)
    return f"{_second(seconds)}.{ns:09d}Z" if ns else f"{_second(seconds)}Z"


def number(given: Any) -> int | None:
    """A number sent as text or as a number, in 1e-8 units; None when it is not one.

    >>> number("10.5"), number(3), number("ten"), number(None)
    (1050000000, 300000000, None, None)
    """
    if given is None or isinstance(given, bool):
        return None
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        return None
    if not value.is_finite() or abs(value) > 10**12:
        return None
    return int((value * SCALE).to_integral_value())


def wanted_ns(given: str) -> int | None:
    """A time a client sent (RFC 3339, or a date), in UTC nanoseconds; None when it is not one.

    >>> wanted_ns("2023-11-14T22:13:20.000000001Z"), wanted_ns("2023-11-14"), wanted_ns("soon")
    (1700000000000000001, 1699920000000000000, None)
    """
    clean = given.strip()
    if "T" in clean:
        clean = clean.replace(" ", "+")  # a plus sign that was not escaped in a query
    fraction = _FRACTION.search(clean)
    ns = int(fraction[1][:9].ljust(9, "0")) if fraction else 0
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", clean))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    moment = min(max(moment, _FIRST), _LAST)  # nanoseconds in 64 bits reach no further
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + ns


@lru_cache(maxsize=1_024)
def asset_id(symbol: str) -> str:
    """The id of an asset: always the same for a symbol."""
    return str(uuid.uuid5(_NAMESPACE, symbol))
