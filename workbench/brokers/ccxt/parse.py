"""ccxt's unified structures and our words, both ways, as pure functions of plain values.

Lives here: numbers, ids, states, orders, executions, market data rows. Not here: listings and their grids (rules.py),
asking (client.py). What a structure leaves out is None in ccxt; what cannot be used is a typed error or `Dropped`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from time import time_ns
from typing import Any, Final

import msgspec

from workbench.brokers.pool.tracker import Evidence, Execution
from workbench.errors import VenueGarbled
from workbench.model.market import Bar, Quote, Trade
from workbench.model.orders import CANCELLED, EXPIRED, FILLED, PARTIAL, REJECTED, WORKING
from workbench.model.scale import SCALE

__all__ = [
    "Booked",
    "Dropped",
    "bar_of",
    "booked_of",
    "client_id_of",
    "e8",
    "evidence_of",
    "number",
    "of_order",
    "our_id",
    "part_of",
    "quote_of",
    "trade_of",
    "ts_ns_of",
]

_STATES: Final = {
    "open": WORKING,
    "canceling": WORKING,
    "closed": FILLED,
    "canceled": CANCELLED,
    "expired": EXPIRED,
    "rejected": REJECTED,
}
_OURS: Final = re.compile(r"wb([-x])(\d{1,19})\1(\d{1,19})(?:\1(\d{1,4}))?")
_MINUTE_NS: Final = 60_000_000_000

type Row = Mapping[str, Any]


class Dropped(Exception):
    """A row of market data that cannot be true; the text says why."""


# -- numbers and ids -----------------------------------------------------------------------------------------------


def e8(value: Any, field: str) -> int:
    """An amount in 1e-8 units (rounded: ccxt's numbers are floats); 0 for what is not there.

    Raises:
        VenueGarbled: it is no finite number.

    >>> e8(367.48, "price"), e8("0.1", "qty"), e8(1e-07, "qty"), e8(None, "fee")
    (36748000000, 10000000, 10, 0)
    """
    if value is None or value == "":
        return 0
    try:
        exact = Decimal(str(value)) * SCALE
        if exact.is_finite() and abs(exact) < Decimal(10) ** 26:
            return int(exact.to_integral_value())
    except ArithmeticError:  # no number, or one beyond what decimals hold
        pass
    raise VenueGarbled("ccxt", f"'{str(value)[:40]}' is no number", "report it; it was not used", field=field)


def number(units: int) -> float:
    """An amount of 1e-8 units as ccxt takes it: the float nearest to it, which is written as the same decimal."""
    return units / SCALE


def ts_ns_of(ms: Any) -> int:
    """Nanoseconds of a time in milliseconds; 0 for what is not there."""
    return int(ms) * 1_000_000 if ms else 0


def client_id_of(client_id: str, style: str, part: int = 1) -> str:
    """Our id as an exchange gets it; `part` counts the orders that took the place of the first one.

    >>> client_id_of("wb-7-12", "dashes"), client_id_of("wb-7-12", "plain", 2)
    ('wb-7-12', 'wbx7x12x2')
    """
    told = client_id if part == 1 else f"{client_id}-{part}"
    return told if style == "dashes" else told.replace("-", "x")


def our_id(told: Any) -> str:
    """Our id in what an exchange shows, whatever it put in front; empty when it is not ours.

    >>> our_id("t-wb-7-12"), our_id("wbx7x12x2"), our_id("somebody-else"), our_id(None)
    ('wb-7-12', 'wb-7-12', '', '')
    """
    found = _OURS.search(str(told or ""))
    return f"wb-{found[2]}-{found[3]}" if found is not None else ""


def part_of(told: Any) -> int:
    """Which order of ours it is under one id: 1, or a later one that took its place.

    >>> part_of("wb-7-12"), part_of("wbx7x12x2")
    (1, 2)
    """
    found = _OURS.search(str(told or ""))
    return int(found[4]) if found is not None and found[4] else 1


# -- orders --------------------------------------------------------------------------------------------------------


def state_of(row: Row) -> int:
    """Our state of an order. ccxt says "closed" of some orders that ended unfilled, and nothing of some new ones.

    Raises:
        VenueGarbled: a status nobody knows.
    """
    status, filled, amount = (
        row.get("status"),
        e8(row.get("filled"), "filled"),
        e8(row.get("amount"), "amount"),
    )
    if status is None:
        return FILLED if filled and filled >= amount else PARTIAL if filled else WORKING
    state = _STATES.get(str(status))
    if state is None:
        raise VenueGarbled("ccxt", f"order status '{status}' is unknown", "report it", field="status")
    if state == FILLED and filled < amount:
        return CANCELLED
    return PARTIAL if state == WORKING and filled else state


class Booked(msgspec.Struct, frozen=True):
    """An execution, and by how much less (negative) or more than was traded the position moves: a fee taken from the
    coin."""

    execution: Execution
    moved_e8: int = 0


def of_order(trade: Row, row: Row, symbol: str) -> Row:
    """An execution inside an order's structure, with what it does not repeat of it."""
    at = trade.get("timestamp") or row.get("lastTradeTimestamp") or row.get("timestamp")
    side = trade.get("side") or row.get("side")
    return {**trade, "order": str(row["id"]), "symbol": symbol, "side": side, "timestamp": at}


def booked_of(row: Row, quote: str) -> Booked:
    """One execution as it changes the account. A fee in the quote currency is one; a fee in the coin makes the position
    move by less (a buy) or more (a sell), and what that coin cost is the fee; a fee in a third currency changes neither
    position nor cash here, and counts as 0.

    >>> row = {"id": "9", "order": "5", "price": 2.0, "amount": 3.0, "timestamp": 1, "symbol": "BTC/USD", "side": "buy"}
    >>> booked = booked_of({**row, "fee": {"cost": 0.5, "currency": "BTC"}}, "USD")
    >>> booked.execution.qty_e8, booked.execution.fee_e8, booked.moved_e8
    (250000000, 100000000, -50000000)
    """
    px_e8, qty_e8 = e8(row.get("price"), "price"), e8(row.get("amount"), "amount")
    if px_e8 <= 0 or qty_e8 <= 0 or not row.get("order"):
        text = f"execution '{row.get('id')}' lacks its order, price or quantity"
        raise VenueGarbled("ccxt", text, "report it; it was not used", field="trade")
    base = str(row.get("symbol") or "").partition("/")[0]
    fee_e8 = moved_e8 = 0
    for fee in row.get("fees") or [row.get("fee")]:
        if fee and fee.get("cost") is not None:
            cost_e8, currency = e8(fee["cost"], "fee"), fee.get("currency")
            if currency == quote:
                fee_e8 += cost_e8
            elif currency == base:
                moved_e8 += cost_e8 if row.get("side") == "sell" else -cost_e8
                fee_e8 += round(Decimal(cost_e8) * px_e8 / SCALE)
    number_there = row.get("id") or f"{row.get('timestamp')}@{px_e8}@{qty_e8}"
    exec_id = f"{row['order']}:{number_there}"
    return Booked(
        Execution(ts_ns_of(row.get("timestamp")) or time_ns(), exec_id, px_e8, qty_e8 + moved_e8, fee_e8),
        moved_e8,
    )


def evidence_of(
    chain: Sequence[Row],
    client_id: str,
    now_ns: int,
    fills: Sequence[Booked] | None = None,
    moved_e8: int = 0,
) -> Evidence:
    """What an exchange shows of one order of ours; `chain` is it and the orders that took its place, oldest first.
    `moved_e8` is what the executions known before have moved beside what was traded."""
    newest = chain[-1]
    state, filled_e8 = state_of(newest), e8(newest.get("filled"), "filled")
    before_e8 = sum(e8(row.get("filled"), "filled") for row in chain[:-1])
    qty_e8 = e8(newest.get("amount"), "amount")
    if before_e8 > filled_e8 or (
        before_e8 and state == WORKING
    ):  # it counts from nothing, not on from the old ones
        qty_e8, filled_e8 = qty_e8 + before_e8, filled_e8 + before_e8
    if state == WORKING and filled_e8:
        state = PARTIAL
    if fills is not None:
        moved_e8 = sum(booked.moved_e8 for booked in fills)
    qty_e8, filled_e8 = (qty_e8 or filled_e8) + moved_e8, filled_e8 + moved_e8
    terms = None
    if len(chain) > 1 or (fills is not None and moved_e8):
        terms = (qty_e8, e8(newest.get("price"), "price"), e8(newest.get("triggerPrice"), "triggerPrice"))
    ended = newest.get("lastUpdateTimestamp") or newest.get("lastTradeTimestamp")
    at_ns = ts_ns_of(ended or newest.get("timestamp")) or now_ns
    if state in (CANCELLED, EXPIRED, REJECTED) and not ended:
        at_ns = now_ns  # the time it was made is not the time it ended
    return Evidence(
        client_id,
        str(newest["id"]),
        state,
        qty_e8,
        filled_e8,
        at_ns,
        None if fills is None else tuple(booked.execution for booked in fills),
        "REJECTED" if state == REJECTED else "",
        "" if state in (WORKING, PARTIAL, FILLED) else f"{newest.get('status')} at the exchange",
        str(chain[0]["id"]),
        terms,
    )


# -- market data ---------------------------------------------------------------------------------------------------


def bar_of(row: Sequence[Any], iid: int) -> Bar:
    """A minute of ccxt's: [opened at, open, high, low, close, volume].

    Raises:
        Dropped: a price that is not above zero, or not between low and high; a negative volume.
    """
    opened, *numbers = row[:6]
    px_open, high, low, close, volume = (_float(value) for value in numbers)
    if not (0.0 < low <= px_open <= high < math.inf and low <= close <= high):  # NaN fails it too
        raise Dropped("prices that cannot be true")
    if not 0.0 <= volume < math.inf:
        raise Dropped("a volume that cannot be true")
    return Bar(ts_ns_of(opened) + _MINUTE_NS, iid, px_open, high, low, close, volume)


def quote_of(row: Row, iid: int, now_ns: int) -> Quote:
    """The top of the book of a ticker. Raises Dropped: one side is missing, or bid and ask are crossed."""
    bid, ask = _float(row.get("bid")), _float(row.get("ask"))
    if not (0.0 < bid < math.inf and 0.0 < ask < math.inf):
        raise Dropped("one side only")
    if bid > ask:
        raise Dropped("crossed")
    bid_size, ask_size = _size(row.get("bidVolume")), _size(row.get("askVolume"))
    return Quote(ts_ns_of(row.get("timestamp")) or now_ns, iid, bid, bid_size, ask, ask_size)


def trade_of(row: Row, iid: int) -> Trade:
    """A print. Raises Dropped: a price, a size or a time that cannot be true."""
    px, size, ts_ns = _float(row.get("price")), _float(row.get("amount")), ts_ns_of(row.get("timestamp"))
    if not 0.0 < px < math.inf:
        raise Dropped("prices that cannot be true")
    if not 0.0 <= size < math.inf:
        raise Dropped("a size that cannot be true")
    if ts_ns <= 0:
        raise Dropped("no time")
    return Trade(ts_ns, iid, px, size, {"buy": 1, "sell": -1}.get(str(row.get("side")), 0))


def _float(value: Any) -> float:
    try:
        return math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return math.nan


def _size(value: Any) -> float:
    size = _float(value)
    return size if 0.0 < size < math.inf else 0.0
