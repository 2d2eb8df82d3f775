"""The Client Portal's payloads and ours, both ways, as pure functions of plain values.

Lives here: shapes of answers (unknown fields are left out), tickets, evidence. Not here: sending (client.py), single
words (words.py), market data (feed.py).
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from workbench.brokers.ibkr.words import (
    CLOSING,
    KINDS,
    SIDES,
    STATES,
    TIFS,
    VENUE,
    Number,
    e8,
    number_of,
    optional_e8,
)
from workbench.brokers.pool.tracker import Evidence, Execution
from workbench.errors import VenueGarbled
from workbench.model.effects import Amend, Submit
from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
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

__all__ = [
    "AccountsBody",
    "AuthBody",
    "Frame",
    "LedgerRow",
    "OrderRow",
    "OrdersBody",
    "PlacedRow",
    "PositionRow",
    "StatusBody",
    "TickleBody",
    "TradeRow",
    "amended_ticket",
    "base_of",
    "closing_ticket",
    "evidence_of",
    "execution_of",
    "state_of",
    "ticket",
    "ticket_of",
    "tickets",
]


_ROW_KINDS: Final = {"LIMIT": LIMIT, "STOP": STOP, "STOP_LIMIT": STOP_LIMIT}


class AuthBody(msgspec.Struct):
    """The brokerage session's state; also what `sts` says."""

    authenticated: bool | None = None
    competing: bool | None = None
    connected: bool | None = None
    message: str | None = ""
    fail: str | None = ""


class _Iserver(msgspec.Struct):
    authStatus: AuthBody = msgspec.field(default_factory=AuthBody)


class TickleBody(msgspec.Struct):
    """A tickle's answer: the session's number and its state."""

    session: str = ""
    iserver: _Iserver = msgspec.field(default_factory=_Iserver)


class AccountsBody(msgspec.Struct, rename="camel"):
    """The accounts of the login."""

    accounts: list[str] = []
    selected_account: str = ""
    is_paper: bool | None = None


class PlacedRow(msgspec.Struct):
    """One row of the answer to an order: an order taken in, one that failed, or a question."""

    order_id: Number | None = None
    order_status: str = ""
    local_order_id: str | None = None
    text: str | None = None
    warning_message: str | None = None
    id: str | None = None
    message: list[str] | None = None
    messageIds: list[str] | None = None
    error: str | None = None


class OrderRow(msgspec.Struct):
    """An order among the live orders and in live updates; there it may be little more than a number."""

    orderId: Number | None = None
    conid: int | None = None
    order_ref: str | None = None
    status: str = ""
    side: str = ""
    orderType: str = ""
    origOrderType: str = ""
    timeInForce: str = ""
    totalSize: Number | None = None
    filledQuantity: Number | None = None
    remainingQuantity: Number | None = None
    price: Number | None = None
    auxPrice: Number | None = None
    stop_price: Number | None = None
    ticker: str = ""
    parentId: Number | None = None
    lastExecutionTime_r: int | None = None
    order_cancellation_by_system_reason: str | None = None

    @property
    def number(self) -> str:
        """The order's number as text, "" without one."""
        return _number_text(self.orderId)


class OrdersBody(msgspec.Struct):
    """The live orders."""

    orders: list[OrderRow] | None = None
    snapshot: bool = False


class StatusBody(msgspec.Struct):
    """One order asked for by its number. It does not say whose client id it is."""

    order_id: Number | None = None
    order_status: str = ""
    conid: int | None = None
    side: str = ""
    total_size: Number | None = None
    size: Number | None = None
    cum_fill: Number | None = None
    average_price: Number | None = None
    limit_price: Number | None = None
    stop_price: Number | None = None
    order_type: str = ""
    tif: str = ""
    order_time: str = ""
    order_cancellation_by_system_reason: str | None = None


class TradeRow(msgspec.Struct):
    """One execution, asked for or streamed."""

    execution_id: str = ""
    order_id: Number | None = None
    order_ref: str | None = None
    conid: int | None = None
    symbol: str = ""
    side: str = ""
    size: Number | None = None
    price: Number | None = None
    commission: Number | None = None
    trade_time_r: int | None = None

    @property
    def number(self) -> str:
        return _number_text(self.order_id)


class LedgerRow(msgspec.Struct):
    """The balances in one currency."""

    cashbalance: Number = 0.0
    netliquidationvalue: Number = 0.0


class PositionRow(msgspec.Struct):
    """A position."""

    conid: int
    position: Number = 0.0
    ticker: str | None = None
    contractDesc: str | None = None


class Frame(msgspec.Struct):
    """One frame of the socket. `args` is read by topic."""

    topic: str = ""
    args: msgspec.Raw = msgspec.Raw()
    message: str | None = None
    error: str | None = None
    code: int | None = None
    hb: int | None = None
    alive: bool | None = None


def _number_text(number: Number | None) -> str:
    if number is None:
        return ""
    return str(int(number)) if isinstance(number, float) else str(number)


# -- ours to theirs ------------------------------------------------------------------------------------------------
def ticket(
    order: Submit, account: str, conid: int, parent: str = "", *, grouped: bool = False
) -> dict[str, Any]:
    """The ticket of one order. `parent` is the client id of the entry whose exit it is.

    >>> said = ticket(Submit(0, 5, 7, 1, 0, 1, LIMIT, 0, 10 * 10**8, 36_748_000_000, 0), "DU1", 756733)
    >>> said["cOID"], said["price"], said["quantity"], said["orderType"]
    ('wb-7-5', 367.48, 10, 'LMT')
    """
    kind = order.kind
    said: dict[str, Any] = {
        "acctId": account,
        "conid": conid,
        "secType": f"{conid}:STK",
        "cOID": order.client_id,
        "orderType": CLOSING[kind] if order.tif == CLS else KINDS[kind],
        "side": SIDES[order.side],
        "quantity": number_of(order.qty_e8),
        "tif": TIFS[order.tif],
        "outsideRTH": False,
    }
    _priced(said, kind, order.limit_px_e8, order.stop_px_e8)
    if kind == TRAILING:
        by_amount = bool(order.trail_e8)
        said["trailingType"] = "amt" if by_amount else "%"
        said["trailingAmt"] = number_of(order.trail_e8 if by_amount else order.trail_rate_e8 * 100)
    if parent:
        said["parentId"] = parent
    if grouped:
        said["isSingleGroup"] = True
    return said


def closing_ticket(account: str, conid: int, qty_e8: int, now_ns: int) -> dict[str, Any]:
    """The ticket of a market order that closes a position of `qty_e8` (below 0: sold short), under an id that is none
    of our orders'.

    >>> said = closing_ticket("DU1", 756733, -3 * 10**8, 5_000_000)
    >>> said["side"], said["quantity"], said["orderType"], said["cOID"]
    ('BUY', 3, 'MKT', 'flat-756733-5')
    """
    return {
        "acctId": account,
        "conid": conid,
        "secType": f"{conid}:STK",
        "cOID": f"flat-{conid}-{now_ns // 1_000_000}",
        "orderType": KINDS[MARKET],
        "side": SIDES[SELL if qty_e8 > 0 else BUY],
        "quantity": number_of(abs(qty_e8)),
        "tif": TIFS[DAY],
        "outsideRTH": False,
    }


def _priced(said: dict[str, Any], kind: int, limit_e8: int, stop_e8: int) -> None:
    """`price` is the limit, of a stop order the stop; a stop-limit order has its stop in `auxPrice`."""
    if kind == LIMIT:
        said["price"] = number_of(limit_e8)
    elif kind == STOP:
        said["price"] = number_of(stop_e8)
    elif kind == STOP_LIMIT:
        said["price"], said["auxPrice"] = number_of(limit_e8), number_of(stop_e8)


def tickets(batch: Sequence[Submit], account: str, conid: int) -> list[dict[str, Any]]:
    """The tickets of one order, of a bracket (entry first) or of a pair."""
    head = batch[0]
    if len(batch) == 1:
        return [ticket(head, account, conid)]
    if batch[1].parent_id == head.order_id:
        first = ticket(head, account, conid)
        return [first, *(ticket(order, account, conid, head.client_id) for order in batch[1:])]
    return [ticket(order, account, conid, grouped=True) for order in batch]


def amended_ticket(said: dict[str, Any], kind: int, wanted: Amend) -> dict[str, Any]:
    """The whole ticket again, with what is wanted now; the quantity is the whole order's."""
    changed = {**said, "quantity": number_of(wanted.qty_e8)}
    changed.pop("parentId", None)
    changed.pop("isSingleGroup", None)
    _priced(changed, kind, wanted.limit_px_e8, wanted.stop_px_e8)
    return changed


def ticket_of(row: OrderRow, account: str) -> tuple[dict[str, Any], int]:
    """The ticket of an order another connection has sent, and its type, from its row among the live orders.

    Raises:
        VenueGarbled: the row does not say enough for it.
    """
    kind = _ROW_KINDS.get(row.origOrderType.upper() or row.orderType.upper())
    if kind is None or row.conid is None or not row.side:
        raise VenueGarbled(VENUE, f"order {row.number} is of a type that cannot be changed here", "cancel it")
    said: dict[str, Any] = {
        "acctId": account,
        "conid": row.conid,
        "secType": f"{row.conid}:STK",
        "cOID": row.order_ref,
        "orderType": KINDS[kind],
        "side": row.side,
        "tif": row.timeInForce or "DAY",
        "outsideRTH": False,
    }
    return said, kind


# -- theirs to ours ------------------------------------------------------------------------------------------------
def state_of(status: str) -> int:
    """Our state for a status.

    Raises:
        VenueGarbled: nobody here knows it.
    """
    state = STATES.get(status)
    if state is None:
        raise VenueGarbled(VENUE, f"status '{status}' is unknown", "the order is looked up", field="status")
    return state


def base_of(exec_id: str) -> str:
    """An execution's id without its last pair, which counts corrections.

    >>> base_of("00025b49.6a56b360.01.02"), base_of("odd")
    ('00025b49.6a56b360.01', 'odd')
    """
    head, dot, tail = exec_id.rpartition(".")
    return head if dot and tail.isdigit() else exec_id


def execution_of(row: TradeRow) -> Execution:
    """One execution.

    Raises:
        VenueGarbled: without id, price or size.
    """
    if not row.execution_id or row.price in (None, "") or row.size in (None, ""):
        raise VenueGarbled(VENUE, "an execution without id, price or size", "it is looked up", field="size")
    px_e8, qty_e8 = e8(row.price or 0, "price"), abs(e8(row.size or 0, "size"))
    if not px_e8 or not qty_e8:
        raise VenueGarbled(VENUE, "an execution of nothing", "it is looked up", field="size")
    ts_ns = (row.trade_time_r or 0) * 1_000_000
    return Execution(ts_ns, row.execution_id, px_e8, qty_e8, abs(optional_e8(row.commission, "commission")))


def evidence_of(
    client_id: str,
    number: str,
    status: str,
    total: Number | None,
    filled: Number | None,
    ts_ns: int,
    fills: Iterable[Execution] | None = None,
    reason: str = "",
) -> Evidence:
    """What the venue shows of one order of ours. What has filled is at least what its executions add up to."""
    state, filled_e8 = state_of(status), optional_e8(filled, "filledQuantity")
    executions = tuple(fills) if fills is not None else None
    if executions is not None:
        filled_e8 = max(filled_e8, sum(one.qty_e8 for one in executions))
    if state == WORKING and filled_e8:
        state = PARTIAL
    qty_e8 = optional_e8(total, "totalSize")
    code = "INACTIVE" if state == REJECTED else ""
    why = reason or (f"the venue says {status}" if state == REJECTED else "cancelled at the venue")
    return Evidence(client_id, number, state, qty_e8, filled_e8, ts_ns, executions, code, why)
