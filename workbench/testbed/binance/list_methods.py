"""Order lists at Binance by their methods: OCO, OTO and OTOCO placed, looked up, cancelled.

Lives here: from parameters to lists and back. Not here: what the orders of a list do to one another (lists.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.model.orders import BUY
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.bodies import (
    OrderList,
    ack_body,
    cancel_body,
    list_body,
    list_shown,
    placed_body,
)
from workbench.testbed.binance.lists import Lists
from workbench.testbed.binance.orders import Orders, span_of
from workbench.testbed.binance.refusals import Refusal, rejected, unknown_order
from workbench.testbed.binance.tickets import prefixed
from workbench.testbed.binance.words import SIDE_WORDS
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["ListMethods"]

_STOPS: Final = ("STOP_LOSS", "STOP_LOSS_LIMIT")
_TAKES: Final = ("TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
_OCO_KINDS: Final = ("LIMIT_MAKER", *_STOPS, *_TAKES)
_WORKING_KINDS: Final = ("LIMIT", "LIMIT_MAKER")
_RELATION: Final = "The relationship of the prices for the orders is not correct."
_WEEK_NS: Final = 7 * 86_400_000_000_000


class ListMethods:
    """The methods about lists of orders."""

    def __init__(self, orders: Orders, lists: Lists) -> None:
        self.orders, self.lists = orders, lists
        self.rules, self.exchange = orders.rules, orders.exchange

    # -- placing -----------------------------------------------------------------------------------------------------

    def oco(self, asked: Asked) -> Any:
        """Two orders of one quantity, one above the market and one below."""
        self._room(asked, 2)
        side, qty_e8 = self.rules.side(asked), self._quantity(asked, "quantity")
        above, below = self._pair(asked, "above", "below", side, qty_e8, waits=False)
        self._carried(above, below)
        group = self.lists.open("OCO", self._list_id(asked))
        orders = self._place_pair(group, above, below, None)
        return self._answer(asked, group, orders)

    def oco_by_old_names(self, asked: Asked) -> Any:
        """The older form of an OCO: a limit order and a stop."""
        names = {
            "quantity": "quantity",
            "side": "side",
            "symbol": "symbol",
            "listClientOrderId": "listClientOrderId",
            "newOrderRespType": "newOrderRespType",
            "selfTradePreventionMode": "selfTradePreventionMode",
        }
        limit_above = self.rules.side(asked) != BUY
        limit, stop = ("above", "below") if limit_above else ("below", "above")
        names |= {"price": f"{limit}Price", "limitClientOrderId": f"{limit}ClientOrderId"}
        names |= {
            "stopPrice": f"{stop}StopPrice",
            "trailingDelta": f"{stop}TrailingDelta",
            "stopLimitPrice": f"{stop}Price",
            "stopLimitTimeInForce": f"{stop}TimeInForce",
            "stopClientOrderId": f"{stop}ClientOrderId",
        }
        params = {names[name]: value for name, value in asked.params.items() if name in names}
        params[f"{limit}Type"] = "LIMIT_MAKER"
        params[f"{stop}Type"] = "STOP_LOSS_LIMIT" if asked.has("stopLimitPrice") else "STOP_LOSS"
        return self.oco(Asked(params, asked.ts_ns, micro=asked.micro, socket=asked.socket))

    def oto(self, asked: Asked) -> Any:
        """An order, and another that is placed once it has filled."""
        self._room(asked, 2)
        entry = self._working(asked)
        pending = self.rules.ticket(asked, prefixed("pending"), waits=True)
        self._carried(entry)
        group = self.lists.open("OTO", self._list_id(asked))
        first = self.lists.place(group, entry)
        return self._answer(asked, group, [first, self.lists.place(group, pending, parent=first)])

    def otoco(self, asked: Asked) -> Any:
        """An order, and a pair that is placed once it has filled."""
        self._room(asked, 3)
        entry = self._working(asked)
        side = self.rules.side(asked, "pendingSide")
        qty_e8 = self._quantity(asked, "pendingQuantity")
        above, below = self._pair(asked, "pendingAbove", "pendingBelow", side, qty_e8, waits=True)
        self._carried(entry)
        group = self.lists.open("OTOCO", self._list_id(asked))
        first = self.lists.place(group, entry)
        return self._answer(asked, group, [first, *self._place_pair(group, above, below, first)])

    def _working(self, asked: Asked) -> Ticket:
        kind = asked.need("workingType")
        if kind not in _WORKING_KINDS:
            raise Refusal(-1116, "Invalid orderType.")
        return self.rules.ticket(asked, prefixed("working"))

    def _quantity(self, asked: Asked, name: str) -> int:
        asked.need(name)
        return asked.amount(name)

    def _pair(
        self, asked: Asked, high: str, low: str, side: int, qty_e8: int, *, waits: bool
    ) -> tuple[Ticket, Ticket]:
        above_kind, below_kind = asked.need(f"{high}Type"), asked.need(f"{low}Type")
        _check_kinds(side, above_kind, below_kind)
        above, below = (
            self.rules.ticket(asked, prefixed(prefix), side=side, qty_e8=qty_e8, waits=True, kinds=_OCO_KINDS)
            for prefix in (high, low)
        )
        top, bottom = (t.stop_px_e8 or t.limit_px_e8 for t in (above, below))
        if top and bottom and top <= bottom:
            raise rejected(_RELATION)
        if not waits:
            board = self.exchange.market.boards[above.listing.iid]
            last_e8 = round(board.last * 100_000_000)
            if (top and top <= last_e8) or (bottom and bottom >= last_e8):
                raise rejected(_RELATION)
        return above, below

    def _carried(self, *tickets: Ticket) -> None:
        """Whether the account can pay: of a pair the dearer one."""
        dearest = max(tickets, key=self.orders.px_e8)
        self.orders.balances.check(dearest, self.orders.px_e8(dearest))

    def _place_pair(
        self, group: OrderList, above: Ticket, below: Ticket, parent: VenueOrder | None
    ) -> list[VenueOrder]:
        """The stop comes first, as the venue lists them; the dearer order of the two holds back what both need."""
        leads = above if self.orders.px_e8(above) >= self.orders.px_e8(below) else below
        ordered = (below, above) if above.extra["type"] == "LIMIT_MAKER" else (above, below)
        orders = [self.lists.place(group, one, parent=parent, leads=one is leads) for one in ordered]
        self.lists.pair(*orders)
        return orders

    def _room(self, asked: Asked, count: int) -> None:
        self.orders.allowances.may_order(count)
        board = self.rules.board(asked.symbol())
        most = self.rules.filters[board.listing.iid].most_lists
        lists = [g for g in self.lists.lists.values() if g.is_open and g.orders[0].listing is board.listing]
        if not self.rules.lifted and len(lists) >= most:
            raise rejected("Filter failure: MAX_NUM_ORDER_LISTS")

    def _list_id(self, asked: Asked) -> str:
        client_id = asked.client_id("listClientOrderId")
        known = self.lists.find(None, client_id) if client_id else None
        if known is not None and known.is_open:
            raise rejected("Duplicate order sent.")
        return client_id or self.exchange.new_id().replace("-", "")[:22]

    def _answer(self, asked: Asked, group: OrderList, orders: list[VenueOrder]) -> Any:
        wanted = asked.text("newOrderRespType", "RESULT")
        body: Callable[[VenueOrder], dict[str, Any]] = (
            (lambda order: ack_body(order, asked.time))
            if wanted == "ACK"
            else (lambda order: placed_body(order, asked.time, full=wanted == "FULL"))
        )
        self.orders.allowances.ordered(len(orders))
        self.lists.tell(group)

        def then() -> Any:
            if orders[0].state == "rejected":
                raise rejected(orders[0].reason)
            return list_body(group, [body(order) for order in orders], asked.time)

        return self.orders.waits.until(lambda: all(o.state != "pending" for o in orders), orders, then)

    # -- looking up and cancelling -----------------------------------------------------------------------------------

    def _find(self, asked: Asked, client: str) -> OrderList | None:
        if not asked.has("orderListId") and not asked.has(client):
            raise Refusal(-1102, f"Param '{client}' or 'orderListId' must be sent, but both were empty/null!")
        list_id = asked.whole("orderListId", 0) if asked.has("orderListId") else None
        return self.lists.find(list_id, asked.client_id(client))

    def status(self, asked: Asked) -> Any:
        """One list."""
        group = self._find(asked, "origClientOrderId")
        if group is None:
            raise Refusal(-2018, "Order list does not exist.")
        return list_shown(group, asked.time)

    def open_lists(self, asked: Asked) -> Any:
        """Every open list."""
        return [list_shown(group, asked.time) for group in self.lists.lists.values() if group.is_open]

    def all_lists(self, asked: Asked) -> Any:
        """Every list, the oldest first."""
        limit = asked.limit(500, 1_000)
        start_ns, end_ns = span_of(asked, _WEEK_NS)
        first = asked.whole("fromId", 0)
        found = [
            list_shown(group, asked.time)
            for group in self.lists.lists.values()
            if group.list_id >= first
            and (start_ns is None or group.ts_ns >= start_ns)
            and (end_ns is None or group.ts_ns <= end_ns)
        ]
        return found[:limit] if first or start_ns is not None else found[-limit:]

    def cancel(self, asked: Asked) -> Any:
        """Take all orders of a list out."""
        self.rules.board(asked.symbol())
        group = self._find(asked, "listClientOrderId")
        if group is None or not group.is_open:
            raise unknown_order()
        cancel_id = asked.client_id("newClientOrderId") or self.exchange.new_id().replace("-", "")[:22]
        for order in group.orders:
            order.extra["cancel_id"] = cancel_id
        self.lists.cancel(group)

        def then() -> Any:
            reports = [cancel_body(order, cancel_id, asked.time) for order in group.orders]
            return list_body(group, reports, asked.time)

        return self.orders.waits.until(lambda: not group.is_open, group.orders, then)


def _check_kinds(side: int, above: str, below: str) -> None:
    """Which kinds may stand above and below the market."""
    word = SIDE_WORDS[side]
    if above == below == "LIMIT_MAKER":
        raise Refusal(-1168, "At least one OCO order must be contingent.")
    wrong_above = {"BUY": ("LIMIT_MAKER", *_TAKES), "SELL": _STOPS}[word]
    wrong_below = {"BUY": _STOPS, "SELL": ("LIMIT_MAKER", *_TAKES)}[word]
    for kind, wrong, other in ((above, wrong_above, "below"), (below, wrong_below, "above")):
        if kind not in wrong:
            continue
        if kind == "LIMIT_MAKER":
            code, what = (-1165 if side == BUY else -1166), "A limit order"
        elif kind in _STOPS:
            code, what = (-1196 if side == BUY else -1197), "A stop loss order"
        else:
            code, what = (-1198 if side == BUY else -1199), "A take profit order"
        raise Refusal(code, f"{what} in a {word.lower()} OCO must be {other}.")
