"""Every method of Binance Spot by its two names (REST and WebSocket API): weight, security, parameters, reply.

Lives here: the table, and the checks each method needs before it is asked. Not here: what answers (orders.py and its
neighbours), how a request comes and goes (rest.py, ws_api.py), the wallet (wallet_table.py).
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from workbench.testbed.binance.account_methods import AccountMethods
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.changes import Changes
from workbench.testbed.binance.list_methods import ListMethods
from workbench.testbed.binance.market_methods import MarketMethods
from workbench.testbed.binance.orders import Orders
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.rule_methods import RuleMethods

__all__ = ["NONE", "SIGNED", "WITH_KEY", "Method", "table"]

NONE: Final = 0
WITH_KEY: Final = 1
SIGNED: Final = 2
_SECURITY: Final = frozenset(
    {"timestamp", "recvWindow", "signature", "apiKey", "returnRateLimits", "timeUnit"}
)

type Weight = int | Callable[[Asked], int]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEG: Final = _words(
    "Type ClientOrderId IcebergQty Price StopPrice TrailingDelta TimeInForce StrategyId StrategyType PegPriceType "
    "PegOffsetType PegOffsetValue"
)
_ORDER: Final = _words(
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId strategyType stopPrice "
    "trailingDelta icebergQty newOrderRespType selfTradePreventionMode pegPriceType pegOffsetValue pegOffsetType"
)
_LIST: Final = _words("symbol listClientOrderId newOrderRespType selfTradePreventionMode")


def _leg(prefix: str, more: str = "") -> frozenset[str]:
    return frozenset(prefix + field for field in (*_LEG, *more.split()))


class Method:
    """One method. `orders` tells that its answer carries order counts."""

    __slots__ = ("known", "names", "orders", "path", "reply", "security", "verb", "weight")

    def __init__(
        self,
        names: str,
        route: str,
        reply: Callable[[Asked], Any],
        weight: Weight,
        security: int = NONE,
        known: Iterable[str] = (),
        *,
        orders: bool = False,
    ) -> None:
        self.names = names.split()
        self.verb, _, path = route.partition(" ")
        self.path = path if path.startswith("/") else f"/api/v3/{path}"
        self.reply, self.weight, self.security, self.orders = reply, weight, security, orders
        self.known = frozenset(known) | (
            _SECURITY if security else frozenset({"returnRateLimits", "timeUnit"})
        )

    def weighs(self, asked: Asked) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(asked)

    def check(self, asked: Asked) -> None:
        """Refuse a parameter that nobody reads."""
        unread = asked.params.keys() - self.known
        if unread:
            read = len(asked.params) - len(unread)
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(asked.params)}'."
            raise Refusal(-1104, text)


def _depth_weight(asked: Asked) -> int:
    limit = _limit_of(asked, 100)
    return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1_000 else 250


def _limit_of(asked: Asked, default: int) -> int:
    given = str(asked.params.get("limit") or default)
    return int(given) if given.isdigit() else default


def _count(asked: Asked) -> int:
    """How many symbols a request names; 0 for all."""
    if asked.has("symbol"):
        return 1
    given = asked.params.get("symbols")
    if given is None:
        return 0
    return len(given) if isinstance(given, list) else str(given).count(",") + 1


def _day_weight(asked: Asked) -> int:
    count = _count(asked)
    return 80 if not count or count > 100 else 2 if count <= 20 else 40


def _few_or_all(one: int, all_of_them: int) -> Callable[[Asked], int]:
    return lambda asked: one if asked.has("symbol") else all_of_them


def _each_weight(asked: Asked) -> int:
    return min(200, 4 * max(1, _count(asked)))


def _rules_weight(asked: Asked) -> int:
    return min(40, 2 * _count(asked)) or 40


def _window_weight(asked: Asked) -> int:
    return 5 if asked.has("orderId") else 20


def _test_weight(asked: Asked) -> int:
    return 20 if str(asked.params.get("computeCommissionRates", "")).lower() == "true" else 1


def table(
    market: MarketMethods,
    rules: RuleMethods,
    orders: Orders,
    changes: Changes,
    lists: ListMethods,
    account: AccountMethods,
) -> list[Method]:
    """Every method there is."""
    symbols = _words("symbol symbols symbolStatus")
    one_order = _words("symbol orderId origClientOrderId")
    span = _words("startTime endTime limit")
    working = _leg("working", "Side Quantity")
    replace = _words(
        "cancelReplaceMode cancelNewClientOrderId cancelOrigClientOrderId cancelOrderId cancelRestrictions "
        "orderRateLimitExceededMode"
    )
    old_oco = _words(
        "side quantity price stopPrice limitClientOrderId limitStrategyId limitStrategyType limitIcebergQty "
        "trailingDelta stopClientOrderId stopStrategyId stopStrategyType stopLimitPrice stopIcebergQty "
        "stopLimitTimeInForce"
    )
    return [
        Method("ping", "GET ping", market.ping, 1),
        Method("time", "GET time", market.time, 1),
        Method(
            "exchangeInfo",
            "GET exchangeInfo",
            market.exchange_info,
            20,
            NONE,
            symbols | {"permissions", "showPermissionSets"},
        ),
        Method("depth", "GET depth", market.depth, _depth_weight, NONE, _words("symbol limit symbolStatus")),
        Method("trades.recent", "GET trades", market.trades, 25, NONE, _words("symbol limit")),
        Method(
            "trades.historical",
            "GET historicalTrades",
            market.historical_trades,
            25,
            NONE,
            _words("symbol limit fromId"),
        ),
        Method("trades.aggregate", "GET aggTrades", market.agg_trades, 4, NONE, span | {"symbol", "fromId"}),
        Method("klines", "GET klines", market.klines, 2, NONE, span | {"symbol", "interval", "timeZone"}),
        Method("uiKlines", "GET uiKlines", market.klines, 2, NONE, span | {"symbol", "interval", "timeZone"}),
        Method("avgPrice", "GET avgPrice", market.avg_price, 2, NONE, {"symbol"}),
        Method("ticker.24hr", "GET ticker/24hr", market.ticker_day, _day_weight, NONE, symbols | {"type"}),
        Method(
            "ticker.tradingDay",
            "GET ticker/tradingDay",
            market.ticker_trading_day,
            _each_weight,
            NONE,
            symbols | {"type", "timeZone"},
        ),
        Method(
            "ticker", "GET ticker", market.ticker_window, _each_weight, NONE, symbols | {"type", "windowSize"}
        ),
        Method("ticker.price", "GET ticker/price", market.ticker_price, _few_or_all(2, 4), NONE, symbols),
        Method("ticker.book", "GET ticker/bookTicker", market.ticker_book, _few_or_all(2, 4), NONE, symbols),
        Method("executionRules", "GET executionRules", rules.execution_rules, _rules_weight, NONE, symbols),
        Method("referencePrice", "GET referencePrice", rules.reference_price, 2, NONE, {"symbol"}),
        Method(
            "referencePrice.calculation",
            "GET referencePrice/calculation",
            rules.reference_calculation,
            2,
            NONE,
            _words("symbol symbolStatus"),
        ),
        Method(
            "blockTrades.historical",
            "GET historicalBlockTrades",
            rules.block_trades,
            25,
            NONE,
            _words("symbol limit fromId"),
        ),
        Method("myFilters", "GET myFilters", rules.account_filters, 40, SIGNED, {"symbol"}),
        Method("order.place", "POST order", orders.place, 1, SIGNED, _ORDER, orders=True),
        Method(
            "order.test",
            "POST order/test",
            orders.test,
            _test_weight,
            SIGNED,
            _ORDER | {"computeCommissionRates"},
        ),
        Method("order.status", "GET order", orders.status, 4, SIGNED, one_order),
        Method(
            "order.cancel",
            "DELETE order",
            changes.cancel,
            1,
            SIGNED,
            one_order | {"newClientOrderId", "cancelRestrictions"},
        ),
        Method(
            "order.cancelReplace",
            "POST order/cancelReplace",
            changes.cancel_replace,
            1,
            SIGNED,
            _ORDER | replace,
            orders=True,
        ),
        Method(
            "order.amend.keepPriority",
            "PUT order/amend/keepPriority",
            changes.amend,
            4,
            SIGNED,
            one_order | {"newQty", "newClientOrderId"},
        ),
        Method(
            "order.amendments",
            "GET order/amendments",
            changes.amendments,
            4,
            SIGNED,
            _words("symbol orderId fromExecutionId limit"),
        ),
        Method(
            "openOrders.status", "GET openOrders", orders.open_orders, _few_or_all(6, 80), SIGNED, {"symbol"}
        ),
        Method("openOrders.cancelAll", "DELETE openOrders", changes.cancel_all, 1, SIGNED, {"symbol"}),
        Method("allOrders", "GET allOrders", orders.all_orders, 20, SIGNED, span | {"symbol", "orderId"}),
        Method(
            "orderList.place.oco",
            "POST orderList/oco",
            lists.oco,
            1,
            SIGNED,
            _LIST | _words("side quantity") | _leg("above") | _leg("below"),
            orders=True,
        ),
        Method(
            "orderList.place",
            "POST order/oco",
            lists.oco_by_old_names,
            1,
            SIGNED,
            _LIST | old_oco,
            orders=True,
        ),
        Method(
            "orderList.place.oto",
            "POST orderList/oto",
            lists.oto,
            1,
            SIGNED,
            _LIST | working | _leg("pending", "Side Quantity"),
            orders=True,
        ),
        Method(
            "orderList.place.otoco",
            "POST orderList/otoco",
            lists.otoco,
            1,
            SIGNED,
            _LIST
            | working
            | _words("pendingSide pendingQuantity")
            | _leg("pendingAbove")
            | _leg("pendingBelow"),
            orders=True,
        ),
        Method(
            "orderList.status",
            "GET orderList",
            lists.status,
            4,
            SIGNED,
            _words("orderListId origClientOrderId"),
        ),
        Method(
            "orderList.cancel",
            "DELETE orderList",
            lists.cancel,
            1,
            SIGNED,
            _words("symbol orderListId listClientOrderId newClientOrderId"),
        ),
        Method("openOrderLists.status", "GET openOrderList", lists.open_lists, 6, SIGNED),
        Method("allOrderLists", "GET allOrderList", lists.all_lists, 20, SIGNED, span | {"fromId"}),
        Method("account.status", "GET account", account.status, 20, SIGNED, {"omitZeroBalances"}),
        Method("account.rateLimits.orders", "GET rateLimit/order", account.order_counts, 40, SIGNED),
        Method(
            "myTrades",
            "GET myTrades",
            account.trades,
            _window_weight,
            SIGNED,
            span | {"symbol", "orderId", "fromId"},
        ),
        Method("account.commission", "GET account/commission", account.commission, 20, SIGNED, {"symbol"}),
        Method(
            "myPreventedMatches",
            "GET myPreventedMatches",
            account.nothing,
            20,
            SIGNED,
            _words("symbol preventedMatchId orderId fromPreventedMatchId limit"),
        ),
        Method(
            "myAllocations",
            "GET myAllocations",
            account.nothing,
            20,
            SIGNED,
            span | _words("symbol fromAllocationId orderId"),
        ),
        Method("sor.order.place", "POST sor/order", account.unsupported, 1, SIGNED, _ORDER),
        Method("sor.order.test", "POST sor/order/test", account.unsupported, 1, SIGNED, _ORDER),
        Method(
            "orderList.place.opo",
            "POST orderList/opo",
            account.unsupported,
            1,
            SIGNED,
            _LIST | working | _leg("pending", "Side"),
        ),
        Method(
            "orderList.place.opoco",
            "POST orderList/opoco",
            account.unsupported,
            1,
            SIGNED,
            _LIST | working | {"pendingSide"} | _leg("pendingAbove") | _leg("pendingBelow"),
        ),
    ]
