"""Shapes of Binance's answers and events; unknown fields are left out.

Lives here: the shapes. Not here: what becomes of them (parse.py), market data (market.py).
"""

from typing import Any

import msgspec

from workbench.brokers.binance.words import Number, e8, ts_ns_of

__all__ = [
    "AccountBody",
    "BalanceBody",
    "CommissionBody",
    "ErrorBody",
    "Event",
    "InfoBody",
    "LimitBody",
    "ListBody",
    "OrderBody",
    "ReplaceBody",
    "SymbolBody",
    "TimeBody",
    "TradeBody",
]


class OrderBody(msgspec.Struct, rename="camel"):
    """An order as it is answered: to a new one, to a query, to a cancel (whose own id is `client_order_id` then)."""

    symbol: str
    order_id: int | str
    client_order_id: str = ""
    orig_client_order_id: str = ""
    status: str = ""
    side: str = ""
    type: str = ""
    time_in_force: str = ""
    price: Number = "0"
    stop_price: Number = "0"
    orig_qty: Number = "0"
    executed_qty: Number = "0"
    order_list_id: int | str = -1
    time: int | str | None = None
    update_time: int | str | None = None
    transact_time: int | str | None = None

    @property
    def venue_id(self) -> str:
        return str(self.order_id)

    @property
    def own(self) -> str:
        """The client id it was sent with."""
        return self.orig_client_order_id or self.client_order_id

    @property
    def filled_e8(self) -> int:
        return e8(self.executed_qty, "executedQty")

    @property
    def qty_e8(self) -> int:
        return e8(self.orig_qty, "origQty")

    @property
    def at_ns(self) -> int:
        """The moment of its last change."""
        return ts_ns_of(self.transact_time or self.update_time or self.time)


class TradeBody(msgspec.Struct, rename="camel"):
    """One of the account's own trades."""

    id: int | str
    order_id: int | str
    price: Number
    qty: Number
    commission: Number
    commission_asset: str
    time: int | str
    symbol: str = ""
    is_buyer: bool = True


class ListBody(msgspec.Struct, rename="camel"):
    """An order list as it is answered."""

    order_list_id: int | str
    order_reports: list[OrderBody] = []


class ReplaceBody(msgspec.Struct, rename="camel"):
    """The answer to a cancel-replace that worked."""

    cancel_response: OrderBody
    new_order_response: OrderBody


class BalanceBody(msgspec.Struct):
    """One asset of the account."""

    asset: str
    free: Number
    locked: Number = "0"

    @property
    def total_e8(self) -> int:
        return e8(self.free, "free") + e8(self.locked, "locked")


class AccountBody(msgspec.Struct, rename="camel"):
    """The account."""

    balances: list[BalanceBody]
    can_trade: bool = True
    account_type: str = "SPOT"
    uid: int | str = 0
    commission_rates: dict[str, Number] = {}


class _Discount(msgspec.Struct, rename="camel"):
    enabled_for_account: bool = False
    discount_asset: str | None = "BNB"


class CommissionBody(msgspec.Struct, rename="camel"):
    """What executions cost, and whether BNB pays."""

    discount: _Discount = msgspec.field(default_factory=_Discount)
    standard_commission: dict[str, Number] = {}


class SymbolBody(msgspec.Struct, rename="camel"):
    """One symbol as exchangeInfo lists it; `filters` by their fields."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    order_types: list[str] = []
    filters: list[dict[str, Any]] = []  # of ones nobody here knows, whatever there is in them
    oco_allowed: bool = False
    oto_allowed: bool = False
    cancel_replace_allowed: bool = False
    amend_allowed: bool = False
    allow_trailing_stop: bool = False
    is_spot_trading_allowed: bool = True


class LimitBody(msgspec.Struct, rename="camel"):
    """One limit, of exchangeInfo or of an answer (`count`)."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int
    count: int = 0


class TimeBody(msgspec.Struct, rename="camel"):
    """The venue's time."""

    server_time: int


class InfoBody(msgspec.Struct, rename="camel"):
    """What is listed."""

    symbols: list[SymbolBody]
    rate_limits: list[LimitBody] = []


class _ErrorData(msgspec.Struct, rename="camel"):
    retry_after: int | None = None
    cancel_result: str = ""
    new_order_result: str = ""
    cancel_response: msgspec.Raw = msgspec.Raw(b"null")
    new_order_response: msgspec.Raw = msgspec.Raw(b"null")


class ErrorBody(msgspec.Struct):
    """How it says no."""

    code: int = 0
    msg: str = ""
    data: _ErrorData | None = None


class Event(msgspec.Struct, rename={"rejected": "r", "execution": "x", "status": "X"}):
    """One event of the account; letters are Binance's. `B` are balances of another kind of event."""

    e: str
    E: int | str = 0
    s: str = ""
    c: str = ""
    C: str = ""
    S: str = ""
    execution: str = ""
    status: str = ""
    rejected: str = ""
    i: int | str = 0
    l: Number = "0"  # noqa: E741 - the venue's letter
    L: Number = "0"
    q: Number = "0"
    p: Number = "0"
    P: Number = "0"
    z: Number = "0"
    n: Number | None = "0"
    N: str | None = None
    T: int | str = 0
    t: int | str = -1
    a: str | int = ""  # of a balance: the asset
    d: Number | None = None  # and by how much it changed
