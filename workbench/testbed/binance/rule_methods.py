"""What Binance tells of its rules: execution rules, the reference price they look at, the filters of an account.

Lives here: those methods, and the block trades that this market has none of. Not here: the filters themselves and
their checks (filters.py), what is listed (market_methods.py).
"""

from typing import Any, Final

from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.shapes import REFERENCE_MS, reference_px
from workbench.testbed.binance.tickets import Rules
from workbench.testbed.binance.words import px_text

__all__ = ["RuleMethods"]

_ASKED: Final = ("symbol", "symbols", "symbolStatus")
_STATUSES: Final = ("TRADING", "HALT", "BREAK")
_BUCKETS: Final = 80
_OF_ACCOUNT: Final = frozenset(
    {"MAX_NUM_ORDERS", "MAX_NUM_ORDER_LISTS", "MAX_NUM_ALGO_ORDERS", "MAX_NUM_ORDER_AMENDS", "MAX_POSITION"}
)
"""Filters that look at the account and not at one order alone."""


class RuleMethods:
    """The methods about rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.exchange = rules, rules.exchange

    def execution_rules(self, asked: Asked) -> Any:
        """The rules executions keep to, by symbol: none, so nothing expires by them."""
        if sum(asked.has(name) for name in _ASKED) > 1:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        wanted = asked.one_of("symbolStatus", ("", *_STATUSES), "", Refusal(-1122, "Invalid symbolStatus."))
        rows = []
        for board in self.rules.boards(asked.symbols()):
            if not wanted or wanted == ("HALT" if board.halted else "TRADING"):
                rows.append({"symbol": board.listing.symbol, "rules": []})
        return {"symbolRules": rows}

    def reference_price(self, asked: Asked) -> Any:
        """The mean of the prices traded of late."""
        board = self.rules.board(asked.symbol())
        now_ns = self.exchange.clock.shown_ns()
        return {
            "symbol": board.listing.symbol,
            "referencePrice": px_text(reference_px(board, now_ns)),
            "timestamp": asked.time(now_ns),
        }

    def reference_calculation(self, asked: Asked) -> Any:
        """How the reference price is made."""
        return {
            "symbol": self.rules.board(asked.symbol()).listing.symbol,
            "calculationType": "ARITHMETIC_MEAN",
            "bucketCount": _BUCKETS,
            "bucketWidthMs": REFERENCE_MS // _BUCKETS,
        }

    def account_filters(self, asked: Asked) -> Any:
        """The filters of a symbol that look at the account; there are none of the exchange or of an asset."""
        shown = self.rules.filters[self.rules.board(asked.symbol()).listing.iid].shown()
        return {
            "exchangeFilters": [],
            "symbolFilters": [one for one in shown if one["filterType"] in _OF_ACCOUNT],
            "assetFilters": [],
        }

    def block_trades(self, asked: Asked) -> Any:
        """Trades made away from the book: none."""
        self.rules.board(asked.symbol())
        asked.need("fromId")
        asked.whole("fromId", 0)
        asked.limit(500, 1_000)
        return []
