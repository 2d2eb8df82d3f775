"""Orders and trades as the gateway shows them.

Lives here: the rows. Not here: which are shown (orders.py, socket.py).
"""

from typing import Any

from workbench.model.orders import BUY, MARKET, TRAILING
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.contracts import listing_exchange
from workbench.testbed.ibkr.words import (
    LONG_KINDS,
    TIF_NAMES,
    amount,
    px_text,
    qty_text,
    stamp,
    status_of,
    yymmdd,
)
from workbench.testbed.orders import Execution, VenueOrder

__all__ = ["bare_row", "live_row", "status_row", "trade_row"]

_CCP: dict[str, str] = {
    "PendingSubmit": "Pending Submit",
    "PreSubmitted": "Submitted",
    "Submitted": "Submitted",
    "PendingCancel": "Pending Cancel",
    "Filled": "Filled",
    "Cancelled": "Cancelled",
    "Inactive": "Rejected",
}
_DESCRIPTIONS = {
    "PendingSubmit": "Order Received",
    "PreSubmitted": "Order Submitted",
    "Submitted": "Order Submitted",
    "PendingCancel": "Cancel Submitted",
    "Filled": "Order Filled",
    "Cancelled": "Order Cancelled",
    "Inactive": "Order Inactive",
}


def bare_row(order: VenueOrder, account: str) -> dict[str, Any]:
    """The least a live update says: whose order, in what, which."""
    conid = order.extra["conid"]
    return {"acct": account, "conidex": str(conid), "conid": conid, "orderId": order.extra["ib_id"]}


def _words(order: VenueOrder, *, symbol: bool = False) -> str:
    side = "Buy" if order.side == BUY else "Sell"
    what = f" {order.listing.symbol}" if symbol else ""
    kind, _ = LONG_KINDS[order.kind]
    px = px_text(order.limit_px_e8 or order.stop_px_e8)
    return (
        f"{side} {qty_text(order.qty_e8)}{what} {kind}{' ' + px if px else ''}, {TIF_NAMES[order.ticket.tif]}"
    )


def live_row(order: VenueOrder, account: str, exchange: Exchange) -> dict[str, Any]:
    """One order among the live orders and in live updates. The price of a market order is ""."""
    listing, status = order.listing, status_of(order)
    kind, original = LONG_KINDS[order.kind]
    updated_ns = order.updated_ns or order.created_ns
    row = {
        **bare_row(order, account),
        "account": account,
        "cashCcy": listing.instrument.currency,
        "sizeAndFills": f"{qty_text(order.filled_e8)}/{qty_text(order.qty_e8)}",
        "orderDesc": _words(order),
        "description1": listing.symbol,
        "ticker": listing.symbol,
        "secType": "STK",
        "listingExchange": listing_exchange(listing.symbol),
        "remainingQuantity": amount(order.open_e8),
        "filledQuantity": amount(order.filled_e8),
        "totalSize": amount(order.qty_e8),
        "companyName": listing.name.upper(),
        "status": status,
        "order_ccp_status": _CCP[status],
        "origOrderType": original,
        "supportsTaxOpt": "1",
        "lastExecutionTime": yymmdd(updated_ns),
        "lastExecutionTime_r": updated_ns // 1_000_000,
        "orderType": kind,
        "bgColor": "#FFFFFF",
        "fgColor": "#0000CC",
        "timeInForce": TIF_NAMES[order.ticket.tif],
        "side": "BUY" if order.side == BUY else "SELL",
        "price": "" if order.kind == MARKET else px_text(order.limit_px_e8 or order.stop_px_e8),
        "outsideRTH": order.ticket.extra.get("outsideRTH", False),
    }
    if order.client_id and not order.extra.get("bare"):
        row["order_ref"] = order.client_id
    if order.filled_e8:
        row["avgPrice"] = f"{order.average_px:.2f}"
    if order.stop_px_e8 and order.limit_px_e8:
        row["auxPrice"] = px_text(order.stop_px_e8)
    if order.kind == TRAILING:
        row["stop_price"] = px_text(exchange.trail_of(order)[1])
    if order.parent is not None:
        row["parentId"] = order.parent.extra["ib_id"]
    if order.group:
        row["ocaGroupId"] = str(order.group)
    if order.state == "rejected":
        row["order_cancellation_by_system_reason"] = order.reason
    return row


def status_row(order: VenueOrder, account: str) -> dict[str, Any]:
    """One order asked for by its number: most figures are texts."""
    listing, status = order.listing, status_of(order)
    _, original = LONG_KINDS[order.kind]
    ended = not order.is_open
    row = {
        "sub_type": None,
        "request_id": "1",
        "server_id": "0",
        "order_id": order.extra["ib_id"],
        "conidex": str(order.extra["conid"]),
        "conid": order.extra["conid"],
        "symbol": listing.symbol,
        "side": "B" if order.side == BUY else "S",
        "contract_description_1": listing.symbol,
        "listing_exchange": listing_exchange(listing.symbol),
        "option_acct": "c",
        "company_name": listing.name.upper(),
        "size": str(amount(order.qty_e8 if ended else order.open_e8)),
        "total_size": str(amount(order.qty_e8)),
        "currency": listing.instrument.currency,
        "account": account,
        "order_type": original,
        "cum_fill": str(amount(order.filled_e8)),
        "order_status": status,
        "order_ccp_status": "0",
        "order_status_description": _DESCRIPTIONS[status],
        "tif": TIF_NAMES[order.ticket.tif],
        "fg_color": "#FFFFFF",
        "bg_color": "#0000CC",
        "order_not_editable": ended,
        "editable_fields": "",
        "cannot_cancel_order": ended,
        "outside_rth": order.ticket.extra.get("outsideRTH", False),
        "deactivate_order": False,
        "use_price_mgmt_algo": False,
        "sec_type": "STK",
        "order_description": _words(order),
        "order_description_with_contract": _words(order, symbol=True),
        "alert_active": 1,
        "child_order_type": "0",
        "order_clearing_account": account,
        "size_and_fills": f"{qty_text(order.filled_e8)}/{qty_text(order.qty_e8)}",
        "exit_strategy_display_price": px_text(order.limit_px_e8 or order.stop_px_e8),
        "exit_strategy_chart_description": _words(order),
        "order_time": yymmdd(order.created_ns),
    }
    if order.limit_px_e8:
        row["limit_price"] = px_text(order.limit_px_e8)
    if order.stop_px_e8:
        row["stop_price"] = px_text(order.stop_px_e8)
    if order.filled_e8:
        row["average_price"] = f"{order.average_px:.4f}"
    if order.state == "rejected":
        row["order_cancellation_by_system_reason"] = order.reason
    return row


def trade_row(order: VenueOrder, execution: Execution, account: str) -> dict[str, Any]:
    """One execution. The price and the commission are texts."""
    listing, buys = order.listing, order.side == BUY
    px, size = px_text(execution.px_e8), amount(execution.qty_e8)
    row = {
        "execution_id": exec_id(execution),
        "symbol": listing.symbol,
        "supports_tax_opt": "1",
        "side": "B" if buys else "S",
        "order_description": f"{'Bot' if buys else 'Sold'} {qty_text(execution.qty_e8)} @ {px} on SMART",
        "trade_time": stamp(execution.ts_ns),
        "trade_time_r": execution.ts_ns // 1_000_000,
        "size": size,
        "price": px,
        "exchange": "SMART",
        "commission": _money(execution.fee_e8),
        "net_amount": round(size * execution.px_e8 / 10**8, 6),
        "account": account,
        "accountCode": account,
        "account_allocation_name": account,
        "company_name": listing.name.upper(),
        "contract_description_1": listing.symbol,
        "sec_type": "STK",
        "listing_exchange": listing_exchange(listing.symbol),
        "conid": order.extra["conid"],
        "conidEx": str(order.extra["conid"]),
        "conid_ex": str(order.extra["conid"]),
        "position": qty_text(execution.position_e8),
        "clearing_id": "IB",
        "clearing_name": "IB",
        "open_close": "???",
        "liquidation_trade": "0",
        "is_event_trading": "0",
        "order_id": order.extra["ib_id"],
    }
    if order.client_id and not order.extra.get("bare"):
        row["order_ref"] = order.client_id
    return row


def exec_id(execution: Execution) -> str:
    """The execution's id: 00018fae.6a56b338.01.01; the last pair counts corrections."""
    return f"{execution.number:08x}.{execution.exec_id[:8]}.01.01"


def _money(units_e8: int) -> str:
    """Money as a text, no more digits than it has.

    >>> _money(100_000_000), _money(123_450_000), _money(0)
    ('1.0', '1.2345', '0.0')
    """
    return str(amount(units_e8)) if units_e8 % 10**6 == 0 else f"{units_e8 / 10**8:.8f}".rstrip("0")
