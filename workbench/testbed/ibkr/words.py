"""How the Client Portal spells things: order types, statuses, prices as text, times, contract numbers.

Lives here: spelling, both ways. Not here: rules about orders (tickets.py), whole rows (rows.py).
"""

from decimal import Decimal, InvalidOperation
from time import gmtime, strftime
from typing import Any, Final
from zlib import crc32

from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
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
from workbench.testbed.orders import VenueOrder

__all__ = [
    "FILTERS",
    "KINDS",
    "LONG_KINDS",
    "OPEN_STATUSES",
    "SIDES",
    "TIFS",
    "amount",
    "conid_of",
    "foreign_conid",
    "number",
    "px_text",
    "qty_text",
    "status_of",
    "stamp",
    "yymmdd",
]

SIDES: Final = {"BUY": BUY, "SELL": SELL}
KINDS: Final = {
    "MKT": MARKET,
    "LMT": LIMIT,
    "STP": STOP,
    "STOP_LIMIT": STOP_LIMIT,
    "TRAIL": TRAILING,
    "MIDPRICE": LIMIT,
    "MOC": MARKET,
    "LOC": LIMIT,
}
LONG_KINDS: Final = {
    MARKET: ("Market", "MARKET"),
    LIMIT: ("Limit", "LIMIT"),
    STOP: ("Stop", "STOP"),
    STOP_LIMIT: ("Stop Limit", "STOP_LIMIT"),
    TRAILING: ("Trailing Stop", "TRAIL"),
}
"""How rows name an order's type: as it is shown, and as `origOrderType`."""
TIFS: Final = {"DAY": DAY, "GTC": GTC, "IOC": IOC, "OPG": OPG}
TIF_NAMES: Final = {DAY: "DAY", GTC: "GTC", IOC: "IOC", OPG: "OPG", CLS: "DAY"}
OPEN_STATUSES: Final = frozenset({"PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"})
FILTERS: Final = frozenset(
    {
        "inactive", "pendingsubmit", "presubmitted", "submitted", "filled", "pendingcancel",
        "cancelled", "warnstate", "sortbytime", "precancelled",
    }
)  # fmt: skip

_CONIDS: Final = {
    "AAPL": 265_598,
    "AMZN": 3_691_937,
    "GOOG": 208_813_720,
    "IBM": 8_314,
    "IWM": 9_579_970,
    "META": 107_113_386,
    "MSFT": 272_093,
    "NVDA": 4_815_747,
    "QQQ": 320_227_571,
    "SPY": 756_733,
    "TSLA": 76_792_991,
}
_STATUSES: Final = {
    "pending": "PendingSubmit",
    "held": "PreSubmitted",
    "filled": "Filled",
    "cancelled": "Cancelled",
    "expired": "Cancelled",
    "rejected": "Inactive",
    "replaced": "Cancelled",
}


def conid_of(symbol: str) -> int:
    """The contract number of a US stock: the real one where it is known here, else one made of the symbol.

    >>> conid_of("AAPL"), conid_of("ZZZ") == conid_of("ZZZ")
    (265598, True)
    """
    return _CONIDS.get(symbol) or 600_000_000 + crc32(symbol.encode()) % 100_000_000


def foreign_conid(symbol: str) -> int:
    """The same stock at an exchange abroad, where this account may not trade."""
    return 38_000_000 + crc32(b"abroad " + symbol.encode()) % 1_000_000


def status_of(order: VenueOrder) -> str:
    """An order's status. One that waits for its trigger is only presubmitted.

    An order the venue throws out after it took it in is inactive; one whose time ran out is cancelled.
    """
    if order.state == "working":
        if order.cancel_asked_ns:
            return "PendingCancel"
        waits = order.kind in (STOP, STOP_LIMIT, TRAILING) and not order.filled_e8
        return "PreSubmitted" if waits else "Submitted"
    return _STATUSES[order.state]


def number(given: object) -> int | None:
    """A number or a text as 1e-8 units; None when it is neither or not finite. Binary fractions are rounded.

    >>> number("230.10"), number(230.10000000000002), number(True), number("1e400"), number("x")
    (23010000000, 23010000000, None, None, None)
    """
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        given = round(given, 8) if isinstance(given, float) else given
        scaled = Decimal(str(given).replace(",", "")) * SCALE
        return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) < 10**26 else None
    except (InvalidOperation, ValueError, OverflowError):
        return None


def px_text(px_e8: int) -> str:
    """A price as rows have it; "" for none.

    >>> px_text(45_700_000_000), px_text(51_230_000), px_text(0)
    ('457.00', '0.5123', '')
    """
    if not px_e8:
        return ""
    cents = px_e8 % (SCALE // 100) == 0
    return f"{px_e8 / SCALE:.2f}" if cents else f"{px_e8 / SCALE:.4f}"


def qty_text(units_e8: int) -> str:
    """A quantity in words: whole when it is.

    >>> qty_text(10 * SCALE), qty_text(SCALE // 2)
    ('10', '0.5')
    """
    return f"{units_e8 / SCALE:g}" if units_e8 % SCALE else str(units_e8 // SCALE)


def amount(units_e8: int) -> float:
    """An amount of money or a quantity as a JSON number."""
    return units_e8 / SCALE


def yymmdd(ts_ns: int) -> str:
    """A time as rows have it: yymmddHHMMSS, UTC."""
    return strftime("%y%m%d%H%M%S", gmtime(ts_ns // 1_000_000_000))


def stamp(ts_ns: int) -> str:
    """A time as trades have it: YYYYMMDD-HH:MM:SS, UTC."""
    return strftime("%Y%m%d-%H:%M:%S", gmtime(ts_ns // 1_000_000_000))


def grouped(units_e8: int, digits: int = 0) -> str:
    """Money as previews and questions show it: with commas."""
    return f"{units_e8 / SCALE:,.{digits}f}"


def plain(given: Any) -> str:
    """Whatever a client gave as text; "" for nothing."""
    return "" if given is None else str(given)
