"""The Client Portal's payloads as ours: pure functions of plain values.

Lives here: shapes of answers (unknown fields are left out), evidence. Not here: tickets (tickets.py), sending
(client.py), single words (words.py), market data (feed.py).
"""

from collections.abc import Iterable, Mapping
from time import time_ns
from typing import Final

import msgspec

from workbench.brokers.ibkr.words import (
    STATES,
    VENUE,
    Number,
    e8,
    optional_e8,
)
from workbench.brokers.pool.tracker import Evidence, Execution
from workbench.errors import VenueGarbled
from workbench.model.orders import (
    PARTIAL,
    REJECTED,
    WORKING,
)
from workbench.model.scale import SCALE

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
    "base_of",
    "cash_of",
    "evidence_of",
    "execution_of",
    "state_of",
]


_DOLLARS: Final = "USD"


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

    session: str | None = ""
    iserver: _Iserver = msgspec.field(default_factory=_Iserver)


class AccountsBody(msgspec.Struct, rename="camel"):
    """The accounts of the login."""

    accounts: list[str] = []
    selected_account: str | None = ""
    is_paper: bool | None = None


class PlacedRow(msgspec.Struct):
    """One row of the answer to an order: an order taken in, one that failed, or a question."""

    order_id: Number | None = None
    order_status: str = ""
    local_order_id: str | None = None
    parent_order_id: Number | None = None
    text: str | None = None
    warning_message: str | None = None
    id: str | None = None
    message: list[str] | None = None
    messageIds: list[str] | None = None
    error: str | None = None


class OrderRow(msgspec.Struct):
    """An order among the live orders and in live updates; there it may be little more than a number. Another program's
    order may lack anything: a row of its must not hide ours."""

    orderId: Number | None = None
    conid: int | None = None
    order_ref: str | None = None
    status: str | None = ""
    side: str | None = ""
    orderType: str | None = ""
    origOrderType: str | None = ""
    timeInForce: str | None = ""
    totalSize: Number | None = None
    filledQuantity: Number | None = None
    remainingQuantity: Number | None = None
    price: Number | None = None
    auxPrice: Number | None = None
    stop_price: Number | None = None
    ticker: str | None = ""
    parentId: Number | None = None
    lastExecutionTime_r: int | None = None
    order_cancellation_by_system_reason: str | None = None

    @property
    def number(self) -> str:
        """The order's number as text, "" without one."""
        return _number_text(self.orderId)

    @property
    def parent(self) -> str:
        """The number of the entry whose exit it is, "" when it is none."""
        return _number_text(self.parentId)


class OrdersBody(msgspec.Struct):
    """The live orders."""

    orders: list[OrderRow] | None = None
    snapshot: bool | None = False


class StatusBody(msgspec.Struct):
    """One order asked for by its number. It does not say whose client id it is."""

    order_id: Number | None = None
    order_status: str = ""
    conid: int | None = None
    side: str | None = ""
    total_size: Number | None = None
    size: Number | None = None
    cum_fill: Number | None = None
    filled_quantity: Number | None = None  # some builds say it instead
    average_price: Number | None = None
    limit_price: Number | None = None
    stop_price: Number | None = None
    tif: str | None = ""
    order_cancellation_by_system_reason: str | None = None


class TradeRow(msgspec.Struct):
    """One execution, asked for or streamed."""

    execution_id: str | None = ""
    order_id: Number | None = None
    order_ref: str | None = None
    size: Number | None = None
    price: Number | None = None
    commission: Number | None = None
    trade_time_r: int | None = None

    @property
    def number(self) -> str:
        return _number_text(self.order_id)


class LedgerRow(msgspec.Struct):
    """The balances in one currency; `exchangerate` is what one of it is in the account's own currency."""

    cashbalance: Number = 0.0
    exchangerate: Number | None = 1
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


def cash_of(ledger: Mapping[str, LedgerRow]) -> LedgerRow:
    """The row whose cash is in dollars, as our contracts are paid: everything in the account's own currency (BASE) when
    that is the dollar, else what there is in dollars (nothing, when another currency is its own and none is listed).

    Raises:
        VenueGarbled: the ledger is empty.

    >>> euros, dollars = LedgerRow(900.0), LedgerRow(50.0, exchangerate=0.92)
    >>> cash_of({"BASE": euros, "USD": dollars}).cashbalance, cash_of({"BASE": euros}).cashbalance
    (50.0, 900.0)
    >>> cash_of({"BASE": euros, "EUR": euros}).cashbalance
    0.0
    """
    dollars = ledger.get(_DOLLARS)
    if dollars is not None and optional_e8(dollars.exchangerate, "exchangerate") not in (0, SCALE):
        return dollars
    others = [row for name, row in ledger.items() if name not in ("BASE", _DOLLARS)]
    if dollars is None and any(optional_e8(row.exchangerate, "exchangerate") == SCALE for row in others):
        return LedgerRow()
    row = ledger.get("BASE") or next(iter(ledger.values()), None)
    if row is None:
        raise VenueGarbled(VENUE, "the ledger is empty", "it is asked for again", field="cashbalance")
    return row


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
    """One execution; without a time of its own it is from now.

    Raises:
        VenueGarbled: without id, price or size.
    """
    if not row.execution_id or row.price in (None, "") or row.size in (None, ""):
        raise VenueGarbled(VENUE, "an execution without id, price or size", "it is looked up", field="size")
    px_e8, qty_e8 = e8(row.price or 0, "price"), abs(e8(row.size or 0, "size"))
    if not px_e8 or not qty_e8:
        raise VenueGarbled(VENUE, "an execution of nothing", "it is looked up", field="size")
    ts_ns = (row.trade_time_r or 0) * 1_000_000 or time_ns()
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
