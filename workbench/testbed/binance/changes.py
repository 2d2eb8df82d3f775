"""Orders changed at Binance: cancelled, cancelled and replaced, amended where they stand.

Lives here: what the methods do. Not here: their names, weights and security (methods.py), placing (orders.py).
"""

from collections.abc import Awaitable
from typing import Any, Final

from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.bodies import (
    cancel_body,
    client_id_of,
    list_body,
    list_of,
    list_shown,
    order_row,
    status_of,
)
from workbench.testbed.binance.orders import Orders
from workbench.testbed.binance.refusals import (
    NO_SUCH_ORDER,
    Refusal,
    filter_failure,
    missing,
    unknown_order,
)
from workbench.testbed.binance.words import text8
from workbench.testbed.orders import VenueOrder

__all__ = ["Changes"]

_RESTRICTIONS: Final = ("ONLY_NEW", "ONLY_PARTIALLY_FILLED")
_MODES: Final = ("STOP_ON_FAILURE", "ALLOW_FAILURE")


class Changes:
    """The methods that change orders."""

    def __init__(self, orders: Orders) -> None:
        self.orders, self.rules, self.exchange = orders, orders.rules, orders.exchange
        self._amended = 0

    # -- cancelling --------------------------------------------------------------------------------------------------

    def cancel(self, asked: Asked) -> Any:
        """Take an order out of the book."""
        order = self.orders.find(asked)
        if order is None:
            raise unknown_order()
        return self._cancelled(asked, order, asked.client_id("newClientOrderId"))

    def _cancelled(self, asked: Asked, order: VenueOrder, cancel_id: str) -> Any:
        exchange = self.exchange
        exchange.settle()
        if not order.is_open:
            raise unknown_order()
        restriction = asked.one_of(
            "cancelRestrictions",
            (*_RESTRICTIONS, ""),
            "",
            Refusal(-1145, "`cancelRestrictions` has to be either `ONLY_NEW` or `ONLY_PARTIALLY_FILLED`."),
        )
        if restriction and restriction != f"ONLY_{status_of(order)}":
            raise Refusal(-2011, "Order was not canceled due to cancel restrictions.")
        group = list_of(order)
        members = group.orders if group is not None else [order]
        cancel_id = cancel_id or self._id()
        for one in members:
            if one.is_open:
                one.extra["cancel_id"] = cancel_id if one is order else self._id()
                exchange.cancel(one)

        def then() -> Any:
            if order.state != "cancelled":
                raise unknown_order()
            if group is None:
                return cancel_body(order, cancel_id, asked.time)
            reports = [cancel_body(o, o.extra.get("cancel_id", cancel_id), asked.time) for o in group.orders]
            return list_body(group, reports, asked.time)

        return self.orders.waits.until(
            lambda: not any(o.cancel_asked_ns and o.is_open for o in members), members, then
        )

    def _id(self) -> str:
        return self.exchange.new_id().replace("-", "")[:22]

    def cancel_all(self, asked: Asked) -> Any:
        """Take every open order of a symbol out, lists as lists."""
        listing = self.rules.board(asked.symbol()).listing
        self.exchange.settle()
        orders = [o for o in self.exchange.open.values() if o.listing is listing]
        if not orders:
            raise unknown_order()
        for order in orders:
            order.extra["cancel_id"] = self._id()
            self.exchange.cancel(order)

        def then() -> Any:
            answers: list[Any] = []
            shown: set[int] = set()
            for order in orders:
                group = list_of(order)
                if group is None:
                    if order.state == "cancelled":
                        answers.append(cancel_body(order, order.extra["cancel_id"], asked.time))
                elif group.list_id not in shown:
                    shown.add(group.list_id)
                    reports = [cancel_body(o, o.extra.get("cancel_id", ""), asked.time) for o in group.orders]
                    answers.append(list_body(group, reports, asked.time))
            return answers

        return self.orders.waits.until(
            lambda: not any(o.cancel_asked_ns and o.is_open for o in orders), orders, then
        )

    def cancel_replace(self, asked: Asked) -> Any:
        """Cancel one order and place another, if it may be (or whatever becomes of the cancel)."""
        mode = asked.need("cancelReplaceMode")
        if mode not in _MODES:
            raise Refusal(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
        asked.one_of(
            "orderRateLimitExceededMode",
            ("DO_NOTHING", "CANCEL_ONLY"),
            "DO_NOTHING",
            Refusal(-1130, "Data sent for parameter 'orderRateLimitExceededMode' is not valid."),
        )
        old = self.orders.find(asked, "cancelOrderId", "cancelOrigClientOrderId")
        try:
            self.orders.allowances.may_order()
        except Refusal:
            if asked.text("orderRateLimitExceededMode") == "CANCEL_ONLY" and old is not None:
                self._cancelled(asked, old, asked.client_id("cancelNewClientOrderId"))
            raise
        cancelled: Any = None
        cancel_error: Refusal | None = None
        try:
            if old is None:
                raise unknown_order()
            cancelled = self._cancelled(asked, old, asked.client_id("cancelNewClientOrderId"))
        except Refusal as refusal:
            cancel_error = refusal
        if isinstance(cancelled, Awaitable):
            return self._replaced_later(asked, mode, cancelled)
        return self._replaced(asked, mode, cancelled, cancel_error)

    async def _replaced_later(self, asked: Asked, mode: str, cancelled: Awaitable[Any]) -> Any:
        try:
            answer, error = await cancelled, None
        except Refusal as refusal:
            answer, error = None, refusal
        found = self._replaced(asked, mode, answer, error)
        return await found if isinstance(found, Awaitable) else found

    def _replaced(self, asked: Asked, mode: str, cancelled: Any, error: Refusal | None) -> Any:
        answer: dict[str, Any] = {
            "cancelResult": "FAILURE" if error is not None else "SUCCESS",
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": error.body() if error is not None else cancelled,
            "newOrderResponse": None,
        }
        if error is not None and mode == "STOP_ON_FAILURE":
            raise Refusal(-2022, "Order cancel-replace failed.", 400, data=answer)
        try:
            ticket, shown = self.orders.ready(asked)
            placed = self.orders.placed(ticket, shown)
        except Refusal as refusal:
            return self._not_placed(answer, refusal)
        if isinstance(placed, Awaitable):
            return self._replaced_at_last(answer, placed)
        return self._both(answer, placed)

    async def _replaced_at_last(self, answer: dict[str, Any], placed: Awaitable[Any]) -> Any:
        try:
            return self._both(answer, await placed)
        except Refusal as refusal:
            return self._not_placed(answer, refusal)

    @staticmethod
    def _both(answer: dict[str, Any], placed: Any) -> Any:
        answer |= {"newOrderResult": "SUCCESS", "newOrderResponse": placed}
        if answer["cancelResult"] == "FAILURE":
            raise Refusal(-2021, "Order cancel-replace partially failed.", 409, data=answer)
        return answer

    @staticmethod
    def _not_placed(answer: dict[str, Any], refusal: Refusal) -> Any:
        answer |= {"newOrderResult": "FAILURE", "newOrderResponse": refusal.body()}
        if answer["cancelResult"] == "FAILURE":
            raise Refusal(-2022, "Order cancel-replace failed.", 400, data=answer)
        raise Refusal(-2021, "Order cancel-replace partially failed.", 409, data=answer)

    # -- amending ----------------------------------------------------------------------------------------------------

    def amend(self, asked: Asked) -> Any:
        """Make an order smaller where it stands."""
        order = self.orders.find(asked)
        if order is None:
            raise Refusal(-2013, NO_SUCH_ORDER)
        if not asked.has("newQty"):
            raise missing("newQty")
        qty_e8 = asked.amount("newQty")
        client_id = asked.client_id("newClientOrderId")
        exchange, extra = self.exchange, order.extra
        exchange.settle()
        if not order.is_open:
            raise Refusal(-2038, "The requested action would change no state; rejecting.")
        if qty_e8 >= order.qty_e8 or qty_e8 <= order.filled_e8:
            raise Refusal(
                -2038, "Order amend: New quantity must be less than the original and above the filled."
            )
        filters = self.rules.filters[order.listing.iid]
        filters.check_quantity(qty_e8, market=False)
        amends = extra.setdefault("amends", [])
        if len(amends) >= filters.most_amends:
            raise filter_failure("MAX_NUM_ORDER_AMENDS")
        old_id, old_qty_e8 = client_id_of(order), order.qty_e8
        extra["client_id"] = client_id or self._id()
        exchange.by_client_id[extra["client_id"]] = order
        for one in (order, extra.get("pair")):
            if one is not None and one.is_open:
                exchange.amend(one, qty_e8=qty_e8, limit_px_e8=one.limit_px_e8, stop_px_e8=one.stop_px_e8)
        self._amended += 1
        number = len(exchange.executions) + self._amended
        amends.append(
            {
                "symbol": order.listing.symbol,
                "orderId": order.order_id,
                "executionId": number,
                "origClientOrderId": old_id,
                "newClientOrderId": extra["client_id"],
                "origQty": text8(old_qty_e8),
                "newQty": text8(qty_e8),
                "time": asked.time(order.updated_ns),
            }
        )
        row = order_row(order, asked.time)
        group = list_of(order)
        shown = {
            "symbol": row["symbol"],
            "orderId": row["orderId"],
            "orderListId": row["orderListId"],
            "origClientOrderId": old_id,
            "clientOrderId": row["clientOrderId"],
            "price": row["price"],
            "qty": row["origQty"],
            "executedQty": row["executedQty"],
            "preventedQty": "0.00000000",
            "quoteOrderQty": row["origQuoteOrderQty"],
            "cumulativeQuoteQty": row["cummulativeQuoteQty"],
            "status": row["status"],
            "timeInForce": row["timeInForce"],
            "type": row["type"],
            "side": row["side"],
            "workingTime": row["workingTime"],
            "selfTradePreventionMode": row["selfTradePreventionMode"],
        }
        answer = {"transactTime": asked.time(order.updated_ns), "executionId": number, "amendedOrder": shown}
        return answer if group is None else {**answer, "listStatus": list_shown(group, asked.time)}

    def amendments(self, asked: Asked) -> Any:
        """How an order was amended."""
        board = self.rules.board(asked.symbol())
        order = self.exchange.orders.get(asked.whole("orderId", 0))
        if order is None or order.listing is not board.listing:
            return []
        return order.extra.get("amends", [])[: asked.limit(500, 1_000)]
