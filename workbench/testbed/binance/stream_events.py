"""Messages of Binance's market streams, as the venue writes them.

Lives here: one message each; what a diff of the book is. Not here: when they are sent (streams.py).
"""

from collections.abc import Callable
from typing import Any, Final

from workbench.model.market import Quote
from workbench.testbed.binance.shapes import average_px, reference_px, ticker
from workbench.testbed.binance.words import px_text
from workbench.testbed.ladder import Book
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Candle, Print

__all__ = [
    "Depth",
    "Time",
    "average_event",
    "best_event",
    "depth_event",
    "kline_event",
    "reference_event",
    "tick_event",
    "trade_event",
    "window_event",
]

type Time = Callable[[int], int]
_MINI: Final = {
    "c": "lastPrice",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
}
_FULL: Final = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
    **_MINI,
}
_WINDOWS_NS: Final = {"1h": 60 * MINUTE_NS, "4h": 240 * MINUTE_NS, "1d": DAY_NS}
_BOOK: Final = frozenset("xQbBaA")  # of twenty-four hours alone

type Change = tuple[int, int, list[list[str]], list[list[str]]]


class Depth:
    """What a diff stream of one symbol and speed has told last, and every price that was touched since.

    A change names every price that any book in between has changed: whoever took one of those books by REST must get
    right again what has changed since and back.
    """

    __slots__ = ("_seen", "_touched", "board", "version")

    def __init__(self, board: Board) -> None:
        self.board = board
        self.version = board.book.version
        self._seen = _sides(board.book)
        self._touched: tuple[set[float], set[float]] = set(), set()
        board.book_sinks.append(self._shown)

    def close(self) -> None:
        """Look no more."""
        self.board.book_sinks.remove(self._shown)

    def _shown(self, book: Book) -> None:
        before, self._seen = self._seen, _sides(book)
        for touched, old, new in zip(self._touched, before, self._seen, strict=True):
            touched.update(px for px in old.keys() | new.keys() if old.get(px) != new.get(px))

    def change(self) -> Change | None:
        """(first update, last update, bids, asks) since the last time; None when nothing has changed."""
        last = self.board.book.version
        if last == self.version:
            return None
        first, self.version = self.version + 1, last
        touched, self._touched = self._touched, (set(), set())
        bids, asks = (
            [[px_text(px), px_text(side.get(px, 0.0))] for px in sorted(pxs)]
            for side, pxs in zip(self._seen, touched, strict=True)
        )
        return first, last, bids, asks


def _sides(book: Book) -> tuple[dict[float, float], dict[float, float]]:
    return dict(book.bids), dict(book.asks)


def depth_event(board: Board, change: Change, now_ns: int, t: Time) -> dict[str, Any]:
    """A change of the book."""
    first, last, bids, asks = change
    symbol = board.listing.symbol
    return {"e": "depthUpdate", "E": t(now_ns), "s": symbol, "U": first, "u": last, "b": bids, "a": asks}


def best_event(board: Board, quote: Quote) -> dict[str, Any]:
    """The best prices; the only message without a time."""
    return {
        "u": board.book.version,
        "s": board.listing.symbol,
        "b": px_text(quote.bid),
        "B": px_text(quote.bid_size),
        "a": px_text(quote.ask),
        "A": px_text(quote.ask_size),
    }


def trade_event(stream: str, symbol: str, seen: Print, now_ns: int, t: Time) -> dict[str, Any]:
    """A trade, or an aggregate of one."""
    one = {"t": seen.number} if stream == "trade" else {"a": seen.number}
    more = {} if stream == "trade" else {"f": seen.number, "l": seen.number}
    return {
        "e": stream,
        "E": t(now_ns),
        "s": symbol,
        **one,
        "p": px_text(seen.px),
        "q": px_text(seen.size),
        **more,
        "T": t(seen.ts_ns),
        "m": seen.side < 0,
        "M": True,
    }


def kline_event(
    board: Board, interval: str, candle: Candle, closed: bool, now_ns: int, t: Time
) -> dict[str, Any]:
    """A candle, finished or not; half of its volume counts as bought by takers."""
    symbol, newest = board.listing.symbol, board.prints[-1].number if board.prints else 0
    return {
        "e": "kline",
        "E": t(now_ns),
        "s": symbol,
        "k": {
            "t": t(candle.start_ns),
            "T": t(candle.end_ns) - 1,
            "s": symbol,
            "i": interval,
            "f": max(1, newest - candle.count + 1),
            "L": newest,
            "o": px_text(candle.open),
            "c": px_text(candle.close),
            "h": px_text(candle.high),
            "l": px_text(candle.low),
            "v": px_text(candle.volume),
            "n": candle.count,
            "x": closed,
            "q": px_text(candle.value),
            "V": px_text(candle.volume / 2),
            "Q": px_text(candle.value / 2),
            "B": "0",
        },
    }


def tick_event(kind: str, board: Board, now_ns: int, t: Time) -> dict[str, Any]:
    """Twenty-four hours, in short or in full."""
    day = ticker(board, now_ns, t)
    body: dict[str, Any] = {
        "e": "24hrMiniTicker" if kind == "miniTicker" else "24hrTicker",
        "E": t(now_ns),
        "s": day["symbol"],
    }
    names = _MINI if kind == "miniTicker" else _FULL
    return body | {short: day[name] for short, name in names.items()}


def window_event(window: str, board: Board, now_ns: int, t: Time) -> dict[str, Any]:
    """One, four or twenty-four hours up to now, without the book."""
    span = ticker(board, now_ns, t, span_ns=_WINDOWS_NS[window], full=False)
    body: dict[str, Any] = {"e": f"{window}Ticker", "E": t(now_ns), "s": span["symbol"]}
    return body | {short: span[name] for short, name in _FULL.items() if short not in _BOOK}


def average_event(board: Board, now_ns: int, t: Time) -> dict[str, Any]:
    """The average price of the last minutes."""
    newest = board.prints[-1].ts_ns if board.prints else now_ns
    return {
        "e": "avgPrice",
        "E": t(now_ns),
        "s": board.listing.symbol,
        "i": "5m",
        "w": px_text(average_px(board, 5)),
        "T": t(newest),
    }


def reference_event(board: Board, now_ns: int, t: Time) -> dict[str, Any]:
    """The reference price as it stands."""
    return {
        "e": "referencePrice",
        "s": board.listing.symbol,
        "r": px_text(reference_px(board, now_ns)),
        "t": t(now_ns),
    }
