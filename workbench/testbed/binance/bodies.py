"""Orders and order lists as Binance writes them: answers to new orders, to queries, to cancels.

Lives here: shapes of orders. Not here: events of the user stream (user_stream.py), market data (shapes.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.model.orders import BUY
from workbench.testbed.binance.words import SIDE_WORDS, text8
from workbench.testbed.orders import Execution, VenueOrder

__all__ = [
    "OrderList",
    "ack_body",
    "cancel_body",
    "client_id_of",
    "commission_asset",
    "list_body",
    "list_shown",
    "order_row",
    "placed_body",
    "status_of",
    "trade_row",
]

type Time = Callable[[int], int]

_STATES: Final = {"filled": "FILLED", "expired": "EXPIRED", "rejected": "REJECTED", "replaced": "CANCELED"}


class OrderList:
    """Orders that belong together. `kind` is OCO, OTO or OTOCO; `working` of an OTO comes first."""

    __slots__ = ("client_id", "kind", "list_id", "orders", "ts_ns")

    def __init__(self, list_id: int, kind: str, client_id: str, ts_ns: int) -> None:
        self.list_id, self.kind, self.client_id, self.ts_ns = list_id, kind, client_id, ts_ns
        self.orders: list[VenueOrder] = []

    @property
    def is_open(self) -> bool:
        return any(order.is_open for order in self.orders)

    @property
    def contingency(self) -> str:
        return "OCO" if self.kind == "OCO" else "OTO"


def client_id_of(order: VenueOrder) -> str:
    """The client's id of an order; an amendment may have given it another."""
    found: str = order.extra.get("client_id") or order.client_id
    return found


def list_of(order: VenueOrder) -> OrderList | None:
    found: OrderList | None = order.extra.get("list")
    return found


def status_of(order: VenueOrder) -> str:
    """Its status there. What ends without anybody asking for it has expired."""
    state = order.state
    if state == "working" or state == "pending":
        return "PARTIALLY_FILLED" if order.filled_e8 else "NEW"
    if state == "held":
        parent = order.parent
        return "PENDING_NEW" if parent is not None and parent.state != "filled" else "NEW"
    if state == "cancelled":
        parent = order.parent
        asked = order.cancel_asked_ns or (parent is not None and parent.cancel_asked_ns)
        return "CANCELED" if asked else "EXPIRED"
    return _STATES[state]


def commission_asset(order: VenueOrder, execution: Execution) -> str:
    """The asset a fee was taken in; without a fee the one that was received."""
    if execution.fee_asset:
        return execution.fee_asset
    quote = order.listing.instrument.currency
    return order.listing.asset if order.side == BUY and not execution.fee_e8 else quote


def _conditional(order: VenueOrder, time: Time) -> dict[str, Any]:
    extra, found = order.extra, dict[str, Any]()
    if order.ticket.stop_px_e8 or extra.get("trail"):
        found["stopPrice"] = text8(order.ticket.stop_px_e8)
    if extra.get("iceberg_e8"):
        found["icebergQty"] = text8(extra["iceberg_e8"])
    if extra.get("trail"):
        found["trailingDelta"] = extra["trail"]
        found["trailingTime"] = time(extra["trailing_ns"]) if extra.get("trailing_ns") else -1
    for name in ("strategyId", "strategyType"):
        if extra.get(name):
            found[name] = extra[name]
    return found


def ack_body(order: VenueOrder, time: Time) -> dict[str, Any]:
    """The shortest answer to a new order."""
    group = list_of(order)
    return {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": group.list_id if group is not None else -1,
        "clientOrderId": client_id_of(order),
        "transactTime": time(order.updated_ns),
    }


def placed_body(order: VenueOrder, time: Time, *, full: bool = False) -> dict[str, Any]:
    """The answer to a new order; `full` lists its fills."""
    extra = order.extra
    body = ack_body(order, time)
    body |= {
        "price": text8(order.limit_px_e8),
        "origQty": text8(order.qty_e8),
        "executedQty": text8(order.filled_e8),
        "origQuoteOrderQty": text8(extra["quote_e8"]),
        "cummulativeQuoteQty": text8(order.value_e8),
        "status": status_of(order),
        "timeInForce": extra["tif"],
        "type": extra["type"],
        "side": SIDE_WORDS[order.side],
    }
    body |= _conditional(order, time)
    if order.accepted_ns:
        body["workingTime"] = time(order.accepted_ns)
    elif order.state == "held":
        body["workingTime"] = -1
    if full:
        body["fills"] = [
            {
                "price": text8(one.px_e8),
                "qty": text8(one.qty_e8),
                "commission": text8(one.fee_e8),
                "commissionAsset": commission_asset(order, one),
                "tradeId": one.number,
            }
            for one in order.executions
        ]
    body["selfTradePreventionMode"] = extra["stp"]
    return body


def order_row(order: VenueOrder, time: Time) -> dict[str, Any]:
    """An order as queries list it."""
    group, extra = list_of(order), order.extra
    works = order.accepted_ns > 0
    body = {
        "symbol": order.listing.symbol,
        "orderId": order.order_id,
        "orderListId": group.list_id if group is not None else -1,
        "clientOrderId": client_id_of(order),
        "price": text8(order.limit_px_e8),
        "origQty": text8(order.qty_e8),
        "executedQty": text8(order.filled_e8),
        "cummulativeQuoteQty": text8(order.value_e8),
        "status": status_of(order),
        "timeInForce": extra["tif"],
        "type": extra["type"],
        "side": SIDE_WORDS[order.side],
        "stopPrice": text8(order.ticket.stop_px_e8),
        "icebergQty": text8(extra.get("iceberg_e8", 0)),
        "time": time(order.created_ns),
        "updateTime": time(order.updated_ns),
        "isWorking": works,
        "workingTime": time(order.accepted_ns) if works else -1,
        "origQuoteOrderQty": text8(extra["quote_e8"]),
        "selfTradePreventionMode": extra["stp"],
    }
    more = _conditional(order, time)
    return body | {name: more[name] for name in more if name not in body}


def cancel_body(order: VenueOrder, cancel_id: str, time: Time) -> dict[str, Any]:
    """The answer to a cancel: `clientOrderId` is the cancel's own."""
    body = placed_body(order, time)
    body.pop("workingTime", None)
    body["origClientOrderId"] = body["clientOrderId"]
    body["clientOrderId"] = cancel_id
    return body


def list_shown(group: OrderList, time: Time) -> dict[str, Any]:
    """An order list as queries show it."""
    symbol = group.orders[0].listing.symbol
    done = not group.is_open
    return {
        "orderListId": group.list_id,
        "contingencyType": group.contingency,
        "listStatusType": "ALL_DONE" if done else "EXEC_STARTED",
        "listOrderStatus": "ALL_DONE" if done else "EXECUTING",
        "listClientOrderId": group.client_id,
        "transactionTime": time(group.ts_ns),
        "symbol": symbol,
        "orders": [
            {"symbol": symbol, "orderId": order.order_id, "clientOrderId": client_id_of(order)}
            for order in group.orders
        ],
    }


def list_body(group: OrderList, reports: list[dict[str, Any]], time: Time) -> dict[str, Any]:
    """The answer to a new order list, or to its cancel."""
    return list_shown(group, time) | {"orderReports": reports}


def trade_row(order: VenueOrder, execution: Execution, time: Time) -> dict[str, Any]:
    """One of the account's own trades."""
    group = list_of(order)
    return {
        "symbol": order.listing.symbol,
        "id": execution.number,
        "orderId": order.order_id,
        "orderListId": group.list_id if group is not None else -1,
        "price": text8(execution.px_e8),
        "qty": text8(execution.qty_e8),
        "quoteQty": text8((execution.px_e8 * execution.qty_e8 + 50_000_000) // 100_000_000),
        "commission": text8(execution.fee_e8),
        "commissionAsset": commission_asset(order, execution),
        "time": time(execution.ts_ns),
        "isBuyer": order.side == BUY,
        "isMaker": execution.maker,
        "isBestMatch": True,
    }
