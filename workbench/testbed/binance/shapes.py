"""Binance's market data: trades, candles, tickers, books, as REST and the WebSocket API answer them.

Lives here: from the market's records to rows. Not here: routes (market_methods.py), streams (streams.py).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from workbench.testbed.binance.words import px_text
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Candle, Print
from workbench.testbed.past import before

__all__ = [
    "REFERENCE_MS",
    "agg_row",
    "average_px",
    "book_ticker",
    "depth_body",
    "kline_row",
    "klines_of",
    "levels",
    "mini_ticker",
    "reference_px",
    "ticker",
    "trade_row",
]

type Time = Callable[[int], int]

_FIRST_TRADE: Final = 1
REFERENCE_MS: Final = 300_000
"""How far back the reference price looks."""


def levels(side: Sequence[tuple[float, float]], limit: int = 5_000) -> list[list[str]]:
    """Price levels as text."""
    return [[px_text(px), px_text(size)] for px, size in side[:limit]]


def depth_body(board: Board, limit: int) -> dict[str, Any]:
    """The book."""
    book = board.book
    return {
        "lastUpdateId": book.version,
        "bids": levels(book.bids, limit),
        "asks": levels(book.asks, limit),
    }


def trade_row(seen: Print, time: Time) -> dict[str, Any]:
    """A public trade. `isBuyerMaker`: the aggressor sold."""
    return {
        "id": seen.number,
        "price": px_text(seen.px),
        "qty": px_text(seen.size),
        "quoteQty": px_text(seen.px * seen.size),
        "time": time(seen.ts_ns),
        "isBuyerMaker": seen.side < 0,
        "isBestMatch": True,
    }


def agg_row(seen: Print, time: Time) -> dict[str, Any]:
    """An aggregate of one trade: the emulated market has no others."""
    return {
        "a": seen.number,
        "p": px_text(seen.px),
        "q": px_text(seen.size),
        "f": seen.number,
        "l": seen.number,
        "T": time(seen.ts_ns),
        "m": seen.side < 0,
        "M": True,
    }


def kline_row(candle: Candle, time: Time) -> list[Any]:
    """A candle; half of its volume counts as bought by takers."""
    half = candle.volume / 2
    return [
        time(candle.start_ns),
        px_text(candle.open),
        px_text(candle.high),
        px_text(candle.low),
        px_text(candle.close),
        px_text(candle.volume),
        time(candle.end_ns) - 1,
        px_text(candle.value),
        candle.count,
        px_text(half),
        px_text(candle.value / 2),
        "0",
    ]


def klines_of(
    board: Board, length_ns: int, now_ns: int, start_ns: int | None, end_ns: int | None, limit: int
) -> list[Candle]:
    """Candles of a length, the one that forms included: the oldest from `start_ns` on, else the newest. A minute is a
    candle of the market, however short its speed makes it."""
    since_ns = start_ns if start_ns is not None else (end_ns or now_ns) - (limit + 1) * length_ns
    older: Iterable[Candle] = board.days if length_ns >= DAY_NS else ()
    if length_ns < DAY_NS and board.candles and since_ns < board.candles[0].start_ns:
        older = before(board, length_ns)
    source: Iterable[Candle] = (*older, *board.candles)
    if board.forming is not None:
        source = (*source, board.candle(max(now_ns, board.forming_ns + 1)))
    if length_ns <= MINUTE_NS:
        length_ns = 1
    merged: dict[int, Candle] = {}
    for one in source:
        at = one.start_ns // length_ns * length_ns
        known = merged.get(at)
        merged[at] = _joined(known, one, at, length_ns)
    found = [
        candle
        for candle in merged.values()
        if (start_ns is None or candle.start_ns >= start_ns) and (end_ns is None or candle.start_ns <= end_ns)
    ]
    return found[:limit] if start_ns is not None else found[-limit:]


def _joined(known: Candle | None, one: Candle, at: int, length_ns: int) -> Candle:
    if known is None:
        if length_ns == 1:
            return one
        return Candle(
            at, at + length_ns, one.open, one.high, one.low, one.close, one.volume, one.count, one.value
        )
    return Candle(
        at,
        known.end_ns,
        known.open,
        max(known.high, one.high),
        min(known.low, one.low),
        one.close,
        round(known.volume + one.volume, 8),
        known.count + one.count,
        known.value + one.value,
    )


def average_px(board: Board, minutes: int) -> float:
    """The average price of the last candles, by volume."""
    candles = board.candles
    last = [candles[at] for at in range(-min(minutes, len(candles)), 0)]
    volume = sum(candle.volume for candle in last)
    return sum(candle.value for candle in last) / volume if volume else board.last


def reference_px(board: Board, now_ns: int) -> float:
    """The mean of the prices traded within `REFERENCE_MS`, each trade alike; the last price when there were none."""
    since_ns = now_ns - REFERENCE_MS * 1_000_000
    prices = [seen.px for seen in board.prints if seen.ts_ns >= since_ns]
    return sum(prices) / len(prices) if prices else board.last


class _Day:
    """Twenty-four hours in figures."""

    __slots__ = ("count", "first", "high", "last", "low", "open", "value", "volume")

    def __init__(self, board: Board, now_ns: int, span_ns: int) -> None:
        since_ns = now_ns - span_ns
        candles = [candle for candle in board.candles if candle.start_ns >= since_ns]
        if board.forming is not None:
            candles.append(board.candle(now_ns))
        if not candles:
            candles = [Candle(since_ns, now_ns, board.last, board.last, board.last, board.last, 0.0, 0, 0.0)]
        self.open, self.last = candles[0].open, board.last
        self.high = max(*(c.high for c in candles), board.last)
        self.low = min(*(c.low for c in candles), board.last)
        self.volume = sum(c.volume for c in candles)
        self.value = sum(c.value for c in candles)
        self.count = sum(c.count for c in candles)
        self.first = _FIRST_TRADE


def ticker(
    board: Board, now_ns: int, time: Time, *, span_ns: int = DAY_NS, full: bool = True
) -> dict[str, Any]:
    """Twenty-four hours (or another span) of one symbol; `full` with what stands in the book."""
    day, quote = _Day(board, now_ns, span_ns), board.quote
    change = day.last - day.open
    newest = board.prints[-1] if board.prints else None
    body: dict[str, Any] = {
        "symbol": board.listing.symbol,
        "priceChange": px_text(change),
        "priceChangePercent": f"{100 * change / day.open:.3f}",
        "weightedAvgPrice": px_text(day.value / day.volume if day.volume else day.last),
    }
    if full:
        body |= {
            "prevClosePrice": px_text(day.open),
            "lastPrice": px_text(day.last),
            "lastQty": px_text(newest.size if newest is not None else 0.0),
            "bidPrice": px_text(quote.bid),
            "bidQty": px_text(quote.bid_size),
            "askPrice": px_text(quote.ask),
            "askQty": px_text(quote.ask_size),
        }
    else:
        body["lastPrice"] = px_text(day.last)
    body |= {
        "openPrice": px_text(day.open),
        "highPrice": px_text(day.high),
        "lowPrice": px_text(day.low),
        "volume": px_text(day.volume),
        "quoteVolume": px_text(day.value),
        "openTime": time(now_ns - span_ns),
        "closeTime": time(now_ns),
        "firstId": day.first,
        "lastId": newest.number if newest is not None else day.first,
        "count": day.count,
    }
    return body


_MINI: Final = (
    "symbol", "openPrice", "highPrice", "lowPrice", "lastPrice", "volume", "quoteVolume", "openTime", "closeTime",
    "firstId", "lastId", "count",
)  # fmt: skip


def mini_ticker(board: Board, now_ns: int, time: Time, *, span_ns: int = DAY_NS) -> dict[str, Any]:
    """The short form of a ticker."""
    body = ticker(board, now_ns, time, span_ns=span_ns)
    return {name: body[name] for name in _MINI}


def book_ticker(board: Board) -> dict[str, Any]:
    """The best prices."""
    quote = board.quote
    return {
        "symbol": board.listing.symbol,
        "bidPrice": px_text(quote.bid),
        "bidQty": px_text(quote.bid_size),
        "askPrice": px_text(quote.ask),
        "askQty": px_text(quote.ask_size),
    }
