"""What Binance's errors mean, whichever way they come: typed errors, and what to do next.

Lives here: codes and texts to errors. Not here: how an answer is read (client.py, sockets.py).
"""

from typing import Final

from workbench.brokers.binance.bodies import ErrorBody
from workbench.brokers.binance.words import VENUE
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Unreachable,
    VenueError,
    VenueRefused,
    WorkbenchError,
)

__all__ = ["CLOCK_OFF", "ClockOff", "TooManyOrders", "error_of"]

CLOCK_OFF: Final = -1021
_UNKNOWN: Final = frozenset({-1000, -1001, -1006, -1007})
_KEYS: Final = frozenset({-1022, -2014, -2015, -1002})
_TWICE: Final = "Duplicate order sent."
_WALL_S: Final = 60.0  # a firewall in front of the venue lets nobody know for how long
_FIELDS: Final = (  # by a word of the text, the part of the request it is about
    ("insufficient balance", "quantity"),
    ("would trigger", "stopPrice"),
    ("immediately match", "price"),
    ("relationship of the prices", "price"),
    ("Invalid symbol", "symbol"),
    ("Market is closed", "symbol"),
    ("orderType", "type"),
    ("side", "side"),
    ("timeInForce", "timeInForce"),
)
_ADVICE: Final = (  # by a word of the text, what to do where its code says too little
    ("Market is closed", "wait until the symbol trades again"),
    ("disabled on this account", "see the account's permissions at the venue"),
)
_FILTER: Final = "Filter failure: "
_GRID: Final = "use a multiple of the symbol's step, between its least and most"
_NEARER: Final = "give a price nearer to the average of the last minutes"
_ICEBERG: Final = "cancel an open iceberg order first"
_FILTERS: Final = {  # a filter's name: the field it is about, what to do
    "PRICE_FILTER": ("price", "use a multiple of the symbol's tick, between its least and most"),
    "PERCENT_PRICE": ("price", _NEARER),
    "PERCENT_PRICE_BY_SIDE": ("price", _NEARER),
    "LOT_SIZE": ("quantity", _GRID),
    "MARKET_LOT_SIZE": ("quantity", "send smaller market orders, or limit orders"),
    "MIN_NOTIONAL": ("quantity", "order for a larger value"),
    "NOTIONAL": ("quantity", "order for a value between the symbol's least and most"),
    "MAX_POSITION": ("quantity", "buy less: open buy orders count as held"),
    "MAX_ASSET": ("quantity", "order less: what is held and on order counts"),
    "T_PLUS_SELL": ("quantity", "wait: what was bought lately cannot be sold yet"),
    "ICEBERG_PARTS": ("icebergQty", "show a larger part of the order"),
    "TRAILING_DELTA": ("trailingDelta", "trail by a share between the symbol's least and most"),
    "MAX_NUM_ORDERS": ("symbol", "cancel an open order first"),
    "MAX_NUM_ALGO_ORDERS": ("type", "cancel a waiting stop or trailing order first"),
    "MAX_NUM_ICEBERG_ORDERS": ("icebergQty", _ICEBERG),
    "MAX_NUM_ORDER_LISTS": ("symbol", "cancel an open pair or bracket first"),
    "MAX_NUM_ORDER_AMENDS": ("newQty", "cancel the order and send another"),
}
_KEY: Final = (
    "check the key, that it is one of this environment (paper or live), its address list and permissions"
)
_NEXT: Final = {
    -1013: "correct the order: see the symbol's filters",
    -1015: "place fewer orders that do not fill",
    -1111: "use the symbol's tick and step",
    -1121: "check the symbol",
    -2010: "correct the order, or free what open orders hold",
    -2011: "look the order up: it may have ended",
    -2013: "check the id",
    -2021: "look both orders up",
    -2022: "look both orders up",
    -2026: "it is too old to be looked up",
    -2038: "look the order up",
}


class ClockOff(Unreachable):
    """The venue's clock and ours are too far apart: the request was not carried out, and the clock is asked for."""


class TooManyOrders(RateLimited):
    """Too many orders without a fill: new orders wait, everything else may go on."""


def error_of(status: int, said: ErrorBody, pause_s: float) -> WorkbenchError | None:
    """The error an answer of any status stands for; None when its status says it all. `pause_s` is how long the venue
    asks to be left alone."""
    code, text = said.code, said.msg or "no reason given"
    if status in (418, 429):
        kind = TooManyOrders if code == -1015 else RateLimited
        limited = kind(VENUE, text, "the pool waits", status=status, code=str(code))
        limited.retry_after_s = pause_s
        return limited
    if status < 400:
        return None
    if code in _UNKNOWN and status != 404:
        # neither a refusal nor a proof of anything: for an order the outcome is unknown
        return VenueError(VENUE, text, "look whether it was done", status=status, code=str(code))
    if status >= 500 or status == 408:
        return None
    if status == 403 and not code:
        limited = RateLimited(VENUE, "its firewall holds us back", "the pool waits", status=status)
        limited.retry_after_s = _WALL_S
        return limited
    if code == CLOCK_OFF:
        return ClockOff(f"{VENUE}: {text} (code {code}): nothing was done; its clock is asked for again")
    if code in _KEYS or status == 401:
        advice = "check the secret" if code == -1022 else _KEY
        return KeysRefused(VENUE, text, advice, status=status, code=str(code))
    if _TWICE in text:
        return OutcomeUnknown(f"{VENUE}: {text}: an order of this id is open already, it is asked about")
    if text.startswith(_FILTER):
        name = text.removeprefix(_FILTER).strip(" .")
        field, advice = _FILTERS.get(name.removeprefix("EXCHANGE_"), ("", _NEXT[-1013]))
        return VenueRefused(VENUE, text, advice, status=status, code=name, field=field)
    field = next((field for word, field in _FIELDS if word in text), "")
    usual = _NEXT.get(code, "see the venue's documentation")
    advice = next((advice for word, advice in _ADVICE if word in text), usual)
    return VenueRefused(VENUE, text, advice, status=status, code=str(code), field=field)
