"""The account at Binance by its methods: balances, trades, order counts, commission.

Lives here: what the methods answer. Not here: balances themselves (balances.py), orders (orders.py).
"""

from typing import Any

from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.bodies import trade_row
from workbench.testbed.binance.orders import Orders, span_of
from workbench.testbed.binance.refusals import Refusal

__all__ = ["AccountMethods"]


class AccountMethods:
    """The methods about the account. `uid` is its number."""

    def __init__(self, orders: Orders, uid: int) -> None:
        self.orders, self.uid = orders, uid
        self.balances, self.exchange = orders.balances, orders.exchange

    def status(self, asked: Asked) -> Any:
        """Balances, commission and what the account may do."""
        balances, rates = self.balances, self.orders.commission_rates()
        rows = [balances.row(asset) for asset in balances.assets]
        if asked.flag("omitZeroBalances"):
            zero = "0.00000000"
            rows = [row for row in rows if (row["free"], row["locked"]) != (zero, zero)]
        bips = balances.rate_e8 // 10_000
        return {
            "makerCommission": bips,
            "takerCommission": bips,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {**rates, "buyer": "0.00000000", "seller": "0.00000000"},
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": asked.time(self.exchange.clock.shown_ns()),
            "accountType": "SPOT",
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": self.uid,
        }

    def trades(self, asked: Asked) -> Any:
        """The account's own trades in a symbol: of one order, from a number on, within times, or the newest."""
        listing = self.orders.rules.board(asked.symbol()).listing
        limit = asked.limit(500, 1_000)
        start_ns, end_ns = span_of(asked)
        orders = self.exchange.orders
        if asked.has("orderId"):
            order = orders.get(asked.whole("orderId", 0))
            source = order.executions if order is not None else []
        else:
            source = self.exchange.executions
        first = asked.whole("fromId", 0)
        found = [
            (orders[one.order_id], one)
            for one in source
            if orders[one.order_id].listing is listing
            and one.number >= first
            and (start_ns is None or one.ts_ns >= start_ns)
            and (end_ns is None or one.ts_ns <= end_ns)
        ]
        chosen = found[:limit] if asked.has("fromId") or start_ns is not None else found[-limit:]
        return [trade_row(order, one, asked.time) for order, one in chosen]

    def order_counts(self, asked: Asked) -> Any:
        """How many orders without a fill count now."""
        return self.orders.allowances.counts(orders=True, weight=False)

    def commission(self, asked: Asked) -> Any:
        """What executions in a symbol cost."""
        board = self.orders.rules.board(asked.symbol())
        nothing = {
            "maker": "0.00000000",
            "taker": "0.00000000",
            "buyer": "0.00000000",
            "seller": "0.00000000",
        }
        return {
            "symbol": board.listing.symbol,
            "standardCommission": {**nothing, **self.orders.commission_rates()},
            "specialCommission": nothing,
            "taxCommission": nothing,
            "discount": self.orders.discount(),
        }

    def nothing(self, asked: Asked) -> Any:
        """What this account never has: prevented matches, allocations."""
        self.orders.rules.board(asked.symbol())
        return []

    def unsupported(self, asked: Asked) -> Any:
        """Orders this market does not take: routed ones, lists paid by one another."""
        self.orders.rules.board(asked.symbol())
        raise Refusal(-1020, "This operation is not supported.")
