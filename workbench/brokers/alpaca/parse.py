"""Alpaca's payloads and ours, both ways, as pure functions of plain values.

Lives here: shapes of answers (unknown fields are left out), bodies of orders, evidence. Not here: sending (client.py),
single words (words.py), market data (market.py).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from workbench.brokers.alpaca.words import (
    KINDS,
    SIDES,
    TIFS,
    Number,
    e8,
    number_text,
    optional_e8,
    state_of,
    ts_ns_of,
)
from workbench.brokers.pool.tracker import Evidence, Execution
from workbench.model.effects import Amend, Submit
from workbench.model.orders import (
    CANCELLED,
    LIMIT,
    MARKET,
    PARTIAL,
    REJECTED,
    STOP,
    STOP_LIMIT,
    TRAILING,
    WORKING,
)

__all__ = [
    "BEHIND",
    "AccountBody",
    "AskedBody",
    "AssetBody",
    "CalendarBody",
    "ClockBody",
    "ErrorBody",
    "FillBody",
    "OrderBody",
    "PositionBody",
    "TradeFrame",
    "TradeUpdate",
    "amend_body",
    "evidence_of",
    "execution_of",
    "leg_kind",
    "order_body",
]


class OrderBody(msgspec.Struct):
    """An order as it is answered and streamed."""

    id: str
    client_order_id: str
    status: str
    symbol: str = ""
    side: str = ""
    type: str = ""
    order_class: str | None = ""
    time_in_force: str = ""
    qty: Number | None = None
    notional: Number | None = None
    filled_qty: Number | None = "0"
    filled_avg_price: Number | None = None
    limit_price: Number | None = None
    stop_price: Number | None = None
    created_at: str | None = None
    submitted_at: str | None = None
    updated_at: str | None = None
    filled_at: str | None = None
    canceled_at: str | None = None
    expired_at: str | None = None
    failed_at: str | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    legs: list["OrderBody"] | None = None
    reject_reason: str | None = None

    @property
    def filled_e8(self) -> int:
        return optional_e8(self.filled_qty, "filled_qty")

    @property
    def qty_e8(self) -> int:
        """What was ordered; of an order by value what has filled (its quantity is not known before)."""
        return e8(self.qty, "qty") if self.qty is not None else self.filled_e8

    @property
    def at_ns(self) -> int:
        """The moment of its last change."""
        ended = self.canceled_at or self.expired_at or self.failed_at or self.filled_at
        return ts_ns_of(ended or self.updated_at or self.submitted_at or self.created_at)


class TradeUpdate(msgspec.Struct):
    """What the stream says of an order; `price` and `qty` are this execution's."""

    event: str = ""
    timestamp: str | None = None
    execution_id: str | None = None
    order: OrderBody | None = None
    price: Number | None = None
    qty: Number | None = None
    position_qty: Number | None = None
    status: str = ""  # of an authorization
    message: str = ""
    action: str = ""
    streams: list[str] | None = None


class TradeFrame(msgspec.Struct):
    """One frame of the account stream."""

    stream: str
    data: TradeUpdate


class FillBody(msgspec.Struct):
    """One execution among the account's activities."""

    id: str
    order_id: str
    price: Number
    qty: Number
    cum_qty: Number
    transaction_time: str
    symbol: str = ""
    side: str = ""


class AskedBody(msgspec.Struct):
    """What an order answered when all were to be cancelled: an HTTP status of its own."""

    id: str
    status: int = 0


class AccountBody(msgspec.Struct):
    """The account."""

    id: str
    account_number: str
    status: str
    cash: Number
    equity: Number = "0"
    buying_power: Number = "0"
    currency: str = "USD"
    trading_blocked: bool = False
    account_blocked: bool = False
    pattern_day_trader: bool = False


class PositionBody(msgspec.Struct):
    """A position."""

    symbol: str
    qty: Number
    side: str = "long"
    asset_class: str = "us_equity"
    avg_entry_price: Number = "0"
    market_value: Number | None = None
    current_price: Number | None = None
    qty_available: Number | None = None


class AssetBody(msgspec.Struct, rename={"class_": "class"}):
    """Something that can be traded, or could once."""

    symbol: str
    class_: str = "us_equity"
    status: str = "active"
    tradable: bool = False
    shortable: bool = False
    fractionable: bool = False
    min_order_size: Number | None = None
    min_trade_increment: Number | None = None
    price_increment: Number | None = None


class ClockBody(msgspec.Struct):
    """The market's clock."""

    timestamp: str
    is_open: bool
    next_open: str
    next_close: str


class CalendarBody(msgspec.Struct):
    """One trading day; times are New York's."""

    date: str
    open: str
    close: str


class ErrorBody(msgspec.Struct):
    """How it says no; some answers carry figures beside."""

    message: str = ""
    code: int | str | None = None


# -- ours to theirs ------------------------------------------------------------------------------------------------
_CRYPTO_DAY: Final = "gtc"  # a market order there is done at once; "day" does not exist


def _order_class(batch: Sequence[Submit]) -> str:
    if len(batch) == 1:
        return ""
    if not batch[0].parent_id and batch[1].parent_id:
        return "bracket" if len(batch) == 3 else "oto"
    return "oco"


BEHIND = ".0"
"""The end of the id of a pair's limit order when its stop has the number before it, not the one behind: the stop has no
id there, and could not be told from another order otherwise."""


def order_body(batch: Sequence[Submit], symbol: str, *, crypto: bool = False) -> dict[str, Any]:
    """The body for one order, or for the orders of a bracket (entry first) or of a pair.

    >>> order_body([Submit(0, 5, 7, 1, 0, 1, LIMIT, 0, 10 * 10**8, 36_748_000_000, 0)], "SPY")["limit_price"]
    '367.48'
    """
    head = batch[0]
    order_class, named = _order_class(batch), head.client_id
    if order_class == "oco":
        head = next(order for order in batch if order.kind == LIMIT)
        named = head.client_id + (BEHIND if head is not batch[0] else "")
    body: dict[str, Any] = {
        "symbol": symbol,
        "qty": number_text(head.qty_e8),
        "side": SIDES[head.side],
        "type": KINDS[head.kind],
        "time_in_force": _CRYPTO_DAY if crypto and head.kind == MARKET and head.tif == 0 else TIFS[head.tif],
        "client_order_id": named,
    }
    kind = head.kind
    if kind in (LIMIT, STOP_LIMIT):
        body["limit_price"] = number_text(head.limit_px_e8)
    if kind in (STOP, STOP_LIMIT):
        body["stop_price"] = number_text(head.stop_px_e8)
    if kind == TRAILING:
        if head.trail_e8:
            body["trail_price"] = number_text(head.trail_e8)
        else:
            body["trail_percent"] = number_text(head.trail_rate_e8 * 100)
    if order_class:
        body["order_class"] = order_class
        for leg in batch:
            if leg is head and order_class != "oco":
                continue
            if leg.kind == LIMIT:
                body["take_profit"] = {"limit_price": number_text(leg.limit_px_e8)}
            else:
                body["stop_loss"] = {"stop_price": number_text(leg.stop_px_e8)}
                if leg.kind == STOP_LIMIT:
                    body["stop_loss"]["limit_price"] = number_text(leg.limit_px_e8)
    return body


def amend_body(wanted: Amend, filled_e8: int, was: OrderBody, client_id: str) -> dict[str, str]:
    """The body of a replacement. Their new order counts from nothing, so it is for what has not filled yet: whatever
    the venue makes of it, never more is bought than was wanted."""
    body = {"client_order_id": client_id}
    rest_e8 = wanted.qty_e8 - filled_e8
    if rest_e8 != was.qty_e8:
        body["qty"] = number_text(rest_e8)
    if wanted.limit_px_e8 and wanted.limit_px_e8 != optional_e8(was.limit_price, "limit_price"):
        body["limit_price"] = number_text(wanted.limit_px_e8)
    if wanted.stop_px_e8 and wanted.stop_px_e8 != optional_e8(was.stop_price, "stop_price"):
        body["stop_price"] = number_text(wanted.stop_px_e8)
    return body


def leg_kind(body: OrderBody) -> int:
    """Whether a leg takes profit (LIMIT) or stops a loss (STOP)."""
    return LIMIT if body.type == "limit" else STOP


# -- theirs to ours ------------------------------------------------------------------------------------------------
def execution_of(
    order_id: str, cumulative: Number | None, qty: Number, price: Number, at: str | None
) -> Execution:
    """One execution. Stream and activities have ids of their own; what both tell is the order and how much of it had
    filled then, which names an execution as well."""
    cumulative_e8 = optional_e8(cumulative, "cum_qty")
    exec_id = f"{order_id}@{number_text(cumulative_e8)}"
    return Execution(ts_ns_of(at), exec_id, e8(price, "price"), e8(qty, "qty"))


def evidence_of(
    chain: Sequence[OrderBody], client_id: str, fills: Iterable[FillBody] | None = None
) -> Evidence:
    """What the venue shows of one order of ours; `chain` is it and the orders that replaced it, oldest first."""
    newest = chain[-1]
    state = state_of(newest.status)
    earlier_e8 = sum(body.filled_e8 for body in chain[:-1])
    total_e8, told = newest.filled_e8, newest.filled_e8 + earlier_e8
    executions: tuple[Execution, ...] | None = None
    if fills is not None:
        ids = {body.id for body in chain}
        mine = [fill for fill in fills if fill.order_id in ids]
        executions = tuple(
            execution_of(f.order_id, f.cum_qty, f.qty, f.price, f.transaction_time) for f in mine
        )
        counted = sum(execution.qty_e8 for execution in executions)
        total_e8 = counted if counted in (total_e8, told) else max(total_e8, counted)
    elif earlier_e8:
        total_e8 = max(total_e8, told if newest.filled_e8 < earlier_e8 else newest.filled_e8)
    if state == WORKING and total_e8:
        state = PARTIAL
    qty_e8 = newest.qty_e8 + (total_e8 - newest.filled_e8)
    terms = None
    if len(chain) > 1:
        limit_e8, stop_e8 = (
            optional_e8(newest.limit_price, "limit_price"),
            optional_e8(newest.stop_price, "stop_price"),
        )
        terms = (qty_e8, limit_e8, stop_e8)
    why = newest.reject_reason or ("" if state != CANCELLED else "canceled at the venue")
    code = "REJECTED" if state == REJECTED else ""
    return Evidence(
        client_id,
        newest.id,
        state,
        qty_e8,
        total_e8,
        newest.at_ns,
        executions,
        code,
        why or newest.status,
        chain[0].id,
        terms,
    )
