"""Figures Alpaca makes of many bars: the most active stocks, the movers, the auctions of each day.

Lives here: sums over boards. Not here: the bars themselves (data.py, shapes.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.testbed.alpaca.refusals import Refusal
from workbench.testbed.alpaca.shapes import day_of, days_of
from workbench.testbed.alpaca.tickets import board_of
from workbench.testbed.alpaca.words import rfc3339, wanted_ns
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.market import Board, Candle

__all__ = ["Rankings"]

_MOST_ACTIVE: Final = 100
_MOST_MOVERS: Final = 50
_OPENS_NS: Final = 34_200_000_000_000  # 09:30 after New York's midnight
_CLOSES_NS: Final = 57_600_000_000_000
_VENUE: Final = "P"


class Rankings:
    """The screener and auction routes over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1beta1/screener/stocks/most-actives", self.most_active),
            Route("GET", "/v1beta1/screener/{market_type}/movers", self.movers),
            Route("GET", "/v2/stocks/auctions", self.auctions),
            Route("GET", "/v2/stocks/{symbol}/auctions", self.auctions),
        ]

    def _today(self, crypto: bool) -> list[tuple[Board, Candle, Candle]]:
        now_ns = self.exchange.clock.now_ns()
        boards = [b for b in self.exchange.market.boards.values() if b.listing.always_open == crypto]
        return [(board, *day_of(board, now_ns)) for board in boards]

    def most_active(self, call: Call) -> Answer:
        """Today's stocks by volume or by number of trades."""
        by = call.query.get("by", "volume")
        if by not in ("volume", "trades"):
            raise _bad(f"invalid by: {by}")
        key: Callable[[tuple[Board, Candle, Candle]], float] = lambda row: (  # noqa: E731 - one of two
            row[1].volume if by == "volume" else row[1].count
        )
        rows = sorted(self._today(crypto=False), key=key, reverse=True)[: _top(call, 10, _MOST_ACTIVE)]
        ranked = [
            {"symbol": board.listing.symbol, "volume": round(day.volume), "trade_count": day.count}
            for board, day, _ in rows
        ]
        return Answer({"most_actives": ranked, "last_updated": rfc3339(self.exchange.clock.shown_ns())})

    def movers(self, call: Call) -> Answer:
        """What gained and what lost most since yesterday's close."""
        market_type = call.path["market_type"]
        if market_type not in ("stocks", "crypto"):
            raise _bad(f"invalid market_type: {market_type}")
        top = _top(call, 10, _MOST_MOVERS)
        rows: list[dict[str, Any]] = []
        for board, _, before in self._today(crypto=market_type == "crypto"):
            change = board.last - before.close
            rows.append(
                {
                    "symbol": board.listing.symbol,
                    "percent_change": round(100 * change / before.close, 2),
                    "change": round(change, 2),
                    "price": board.last,
                }
            )
        rows.sort(key=lambda row: row["percent_change"])
        return Answer(
            {
                "gainers": [row for row in reversed(rows) if row["percent_change"] > 0][:top],
                "losers": [row for row in rows if row["percent_change"] < 0][:top],
                "market_type": market_type,
                "last_updated": rfc3339(self.exchange.clock.shown_ns()),
            }
        )

    def auctions(self, call: Call) -> Answer:
        """The opening and the closing auction of each day: at the day's first and last price."""
        given = call.path.get("symbol") or call.query.get("symbols", "")
        if not given:
            raise _bad("symbols parameter is required")
        now_ns = self.exchange.clock.now_ns()
        start, end = (_moment(call, name) for name in ("start", "end"))
        found: dict[str, list[dict[str, Any]]] = {}
        for name in given.split(","):
            board = board_of(self.exchange, name.strip())
            if board is None or board.listing.always_open:
                continue
            days = [
                day
                for day in days_of(board, now_ns)[:-1]
                if (start is None or day.start_ns + _OPENS_NS >= start)
                and (end is None or day.start_ns <= end)
            ]
            found[board.listing.symbol] = [_auctions_of(day) for day in days[-1_000:]]
        if "symbol" in call.path:
            rows: Any = found.get(given, [])
            return Answer({"auctions": rows, "symbol": given, "next_page_token": None, "currency": "USD"})
        return Answer({"auctions": found, "next_page_token": None, "currency": "USD"})


def _auctions_of(day: Candle) -> dict[str, Any]:
    def row(after_ns: int, px: float, condition: str) -> list[dict[str, Any]]:
        size = max(1, round(day.volume / 100))
        return [
            {"t": rfc3339(day.start_ns + after_ns), "x": _VENUE, "p": px, "s": size, "c": condition},
        ]

    return {
        "d": rfc3339(day.start_ns)[:10],
        "o": row(_OPENS_NS, day.open, "O"),
        "c": row(_CLOSES_NS, day.close, "6"),
    }


def _top(call: Call, usual: int, most: int) -> int:
    given = call.query.get("top", str(usual))
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= most:
        raise _bad(f"invalid top: it must be between 1 and {most}")
    return int(given)


def _moment(call: Call, name: str) -> int | None:
    given = call.query.get(name)
    if not given:
        return None
    ts_ns = wanted_ns(given)
    if ts_ns is None:
        raise _bad(
            f"Invalid format for parameter {name}: error parsing '{given}' as RFC3339 or 2006-01-02 time"
        )
    return ts_ns


def _bad(message: str) -> Refusal:
    return Refusal(400, 0, message)
