"""Binance's public methods: time, what is listed, and the market as it stands and was.

Lives here: what the methods answer. Not here: the rows (shapes.py), streams (streams.py).
"""

import re
from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.binance.allowances import Allowances
from workbench.testbed.binance.asked import Asked
from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.binance.shapes import (
    agg_row,
    average_px,
    book_ticker,
    depth_body,
    kline_row,
    klines_of,
    mini_ticker,
    ticker,
    trade_row,
)
from workbench.testbed.binance.tickets import Rules
from workbench.testbed.binance.words import INTERVALS, TYPES, px_text, split_symbol
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Print

__all__ = ["MarketMethods"]

_WINDOW: Final = re.compile(r"([1-9][0-9]?)([mhd])")
_UNITS_NS: Final = {"m": MINUTE_NS, "h": 60 * MINUTE_NS, "d": DAY_NS}
_MOST: Final = {"m": 59, "h": 23, "d": 7}
_SETS: Final = (("SPOT", "MARGIN"),)
_STATUSES: Final = ("TRADING", "HALT", "BREAK")


class MarketMethods:
    """The methods anybody may call."""

    def __init__(self, rules: Rules, allowances: Allowances) -> None:
        self.rules, self.allowances = rules, allowances
        self.exchange = rules.exchange

    def _now_ns(self) -> int:
        return self.exchange.clock.shown_ns()

    # -- general -----------------------------------------------------------------------------------------------------

    def ping(self, asked: Asked) -> Any:
        """Whether anybody is there."""
        return {}

    def time(self, asked: Asked) -> Any:
        """What time it is there."""
        return {"serverTime": asked.time(self._now_ns())}

    def exchange_info(self, asked: Asked) -> Any:
        """Limits, and every symbol with its filters."""
        boards = self.rules.boards(asked.symbols())
        status = asked.one_of("symbolStatus", ("", *_STATUSES), "", Refusal(-1122, "Invalid symbolStatus."))
        wanted = self._permissions(asked)
        symbols = [self._symbol(board) for board in boards]
        return {
            "timezone": "UTC",
            "serverTime": asked.time(self._now_ns()),
            "rateLimits": self.allowances.listed(),
            "exchangeFilters": [],
            "symbols": [
                one
                for one in symbols
                if (not status or one["status"] == status) and (wanted is None or wanted & set(_SETS[0]))
            ],
        }

    @staticmethod
    def _permissions(asked: Asked) -> set[str] | None:
        if not asked.has("permissions"):
            return None
        given = asked.params["permissions"]
        words = given if isinstance(given, list) else re.findall(r"[A-Z0-9_]+", str(given))
        return set(words)

    def _symbol(self, board: Board) -> dict[str, Any]:
        listing = board.listing
        base, quote = split_symbol(listing.symbol) or (listing.asset, listing.instrument.currency)
        return {
            "symbol": listing.symbol,
            "status": "HALT" if board.halted else "TRADING",
            "baseAsset": base,
            "baseAssetPrecision": 8,
            "quoteAsset": quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(TYPES),
            "icebergAllowed": True,
            "ocoAllowed": True,
            "otoAllowed": True,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": True,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self.rules.filters[listing.iid].shown(),
            "permissions": [],
            "permissionSets": [list(group) for group in _SETS],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"],
        }

    # -- one symbol --------------------------------------------------------------------------------------------------

    def depth(self, asked: Asked) -> Any:
        """The book of a symbol."""
        board = self.rules.board(asked.symbol())
        return depth_body(board, asked.limit(100, 5_000))

    def trades(self, asked: Asked) -> Any:
        """The newest public trades."""
        board = self.rules.board(asked.symbol())
        limit = asked.limit(500, 1_000)
        return [trade_row(seen, asked.time) for seen in list(board.prints)[-limit:]]

    def historical_trades(self, asked: Asked) -> Any:
        """Public trades from a number on."""
        board = self.rules.board(asked.symbol())
        limit = asked.limit(500, 1_000)
        if not asked.has("fromId"):
            return self.trades(asked)
        first = asked.whole("fromId", 0)
        found = [seen for seen in board.prints if seen.number >= first]
        return [trade_row(seen, asked.time) for seen in found[:limit]]

    def agg_trades(self, asked: Asked) -> Any:
        """Aggregated trades: from a number on, within times, or the newest."""
        board = self.rules.board(asked.symbol())
        limit = asked.limit(500, 1_000)
        start_ns, end_ns = asked.moment("startTime"), asked.moment("endTime")
        first = asked.whole("fromId", 0)
        found: list[Print] = [
            seen
            for seen in board.prints
            if seen.number >= first
            and (start_ns is None or seen.ts_ns >= start_ns)
            and (end_ns is None or seen.ts_ns <= end_ns)
        ]
        chosen = found[:limit] if asked.has("fromId") or start_ns is not None else found[-limit:]
        return [agg_row(seen, asked.time) for seen in chosen]

    def klines(self, asked: Asked) -> Any:
        """Candles."""
        board = self.rules.board(asked.symbol())
        length_ns = interval_ns(asked.need("interval"))
        limit = asked.limit(500, 1_000)
        span = asked.moment("startTime"), asked.moment("endTime")
        found = klines_of(board, length_ns, self._now_ns(), *span, limit)
        return [kline_row(candle, asked.time) for candle in found]

    def avg_price(self, asked: Asked) -> Any:
        """The average price of the last minutes."""
        board = self.rules.board(asked.symbol())
        minutes = self.rules.filters[board.listing.iid].avg_minutes
        newest = board.prints[-1].ts_ns if board.prints else self._now_ns()
        return {
            "mins": minutes,
            "price": px_text(average_px(board, minutes)),
            "closeTime": asked.time(newest),
        }

    # -- tickers -----------------------------------------------------------------------------------------------------

    def _each(self, asked: Asked, body: Callable[[Board], dict[str, Any]], *, needs: bool = False) -> Any:
        """One object for `symbol`, a list for `symbols` or for all."""
        symbols = asked.symbols()
        if needs and symbols is None:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        found = [body(board) for board in self.rules.boards(symbols)]
        return found[0] if asked.has("symbol") else found

    def _shape(self, asked: Asked, span_ns: int, *, full: bool) -> Callable[[Board], dict[str, Any]]:
        kind = asked.one_of("type", ("FULL", "MINI"), "FULL", Refusal(-1139, "Invalid ticker type."))
        now_ns = self._now_ns()
        if kind == "MINI":
            return lambda board: mini_ticker(board, now_ns, asked.time, span_ns=span_ns)
        return lambda board: ticker(board, now_ns, asked.time, span_ns=span_ns, full=full)

    def ticker_day(self, asked: Asked) -> Any:
        """The last twenty-four hours."""
        return self._each(asked, self._shape(asked, DAY_NS, full=True))

    def ticker_trading_day(self, asked: Asked) -> Any:
        """Since midnight (UTC)."""
        since_ns = self._now_ns() % DAY_NS
        return self._each(asked, self._shape(asked, max(MINUTE_NS, since_ns), full=False), needs=True)

    def ticker_window(self, asked: Asked) -> Any:
        """The last span of one's own choice."""
        found = _WINDOW.fullmatch(asked.text("windowSize", "1d"))
        if found is None or int(found[1]) > _MOST[found[2]]:
            raise Refusal(-1130, "Data sent for parameter 'windowSize' is not valid.")
        span_ns = int(found[1]) * _UNITS_NS[found[2]]
        return self._each(asked, self._shape(asked, span_ns, full=False), needs=True)

    def ticker_price(self, asked: Asked) -> Any:
        """The last price."""
        return self._each(asked, lambda board: {"symbol": board.listing.symbol, "price": px_text(board.last)})

    def ticker_book(self, asked: Asked) -> Any:
        """The best prices."""
        return self._each(asked, book_ticker)


def interval_ns(word: str) -> int:
    """The length of a candle.

    Raises:
        Refusal: there is none of this name.
    """
    seconds = INTERVALS.get(word)
    if seconds is None:
        raise Refusal(-1120, "Invalid interval.")
    return seconds * 1_000_000_000
