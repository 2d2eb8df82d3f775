"""Alpaca's market data, one row at a time: trades, quotes, bars and books, of stocks and of crypto.

Lives here: the rows, for REST and streams alike. Not here: which rows (data.py), sockets (data_stream.py).
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import structs

from workbench.model.market import Quote
from workbench.testbed.alpaca.words import rfc3339
from workbench.testbed.ladder import Book
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Candle, Print

__all__ = [
    "DAY_SHIFT_NS",
    "bar_row",
    "book_row",
    "day_of",
    "days_of",
    "gathered",
    "latest_candle",
    "quote_row",
    "snapshot",
    "trade_row",
]

_TAPE: Final = "C"
_VENUE: Final = "V"
DAY_SHIFT_NS: Final = 300 * MINUTE_NS
"""A day begins at 05:00 UTC: New York's midnight in winter."""


def trade_row(done: Print, crypto: bool, t: Any = None) -> dict[str, Any]:
    """A trade; `t` in place of the time as text (a MessagePack time stamp). The tape of stocks knows whole shares only:
    less than one is reported as one, what is beyond a whole number is cut (clients read these as integers)."""
    stamp = t if t is not None else rfc3339(done.ts_ns)
    if crypto:
        return {
            "t": stamp,
            "p": done.px,
            "s": done.size,
            "tks": "B" if done.side > 0 else "S",
            "i": done.number,
        }
    return {
        "t": stamp,
        "x": _VENUE,
        "p": done.px,
        "s": max(int(done.size), 1),
        "c": ["@"],
        "i": done.number,
        "z": _TAPE,
    }


def quote_row(quote: Quote, crypto: bool, t: Any = None) -> dict[str, Any]:
    """A quote."""
    stamp = t if t is not None else rfc3339(quote.ts_ns)
    if crypto:
        return {"t": stamp, "bp": quote.bid, "bs": quote.bid_size, "ap": quote.ask, "as": quote.ask_size}
    return {
        "t": stamp,
        "ax": _VENUE,
        "ap": quote.ask,
        "as": int(quote.ask_size),
        "bx": _VENUE,
        "bp": quote.bid,
        "bs": int(quote.bid_size),
        "c": ["R"],
        "z": _TAPE,
    }


def bar_row(candle: Candle, crypto: bool, t: Any = None) -> dict[str, Any]:
    """A bar; its time is its start."""
    return {
        "t": t if t is not None else rfc3339(candle.start_ns),
        "o": candle.open,
        "h": candle.high,
        "l": candle.low,
        "c": candle.close,
        "v": candle.volume if crypto else int(candle.volume),
        "n": candle.count,
        "vw": candle.vwap,
    }


def book_row(book: Book, t: Any = None) -> dict[str, Any]:
    """A book of crypto."""
    return {
        "t": t if t is not None else rfc3339(book.ts_ns),
        "b": [{"p": px, "s": size} for px, size in book.bids],
        "a": [{"p": px, "s": size} for px, size in book.asks],
    }


def gathered(candles: Iterable[Candle], step_ns: int, shift_ns: int = 0) -> list[Candle]:
    """Candles put together into longer ones that begin at whole multiples of `step_ns`, `shift_ns` later.

    >>> one = Candle(0, 60, 1.0, 3.0, 1.0, 2.0, 10.0, 1, 20.0)
    >>> two = Candle(60, 120, 2.0, 5.0, 2.0, 4.0, 30.0, 1, 120.0)
    >>> [both] = gathered([one, two], 120)
    >>> both.open, both.high, both.close, both.volume, both.vwap
    (1.0, 5.0, 4.0, 40.0, 3.5)
    """
    out: list[Candle] = []
    for candle in candles:
        start = (candle.start_ns - shift_ns) // step_ns * step_ns + shift_ns
        if out and out[-1].start_ns == start:
            out[-1] = _joined(out[-1], candle)
        else:
            out.append(
                Candle(
                    start,
                    start + step_ns,
                    candle.open,
                    candle.high,
                    candle.low,
                    candle.close,
                    candle.volume,
                    candle.count,
                    candle.value,
                )
            )
    return out


def _joined(first: Candle, second: Candle) -> Candle:
    return Candle(
        first.start_ns,
        first.end_ns,
        first.open,
        max(first.high, second.high),
        min(first.low, second.low),
        second.close,
        first.volume + second.volume,
        first.count + second.count,
        first.value + second.value,
    )


def latest_candle(board: Board, now_ns: int) -> Candle:
    """The last finished candle; the one under way when there is none."""
    return board.candles[-1] if board.candles else board.candle(now_ns)


def days_of(board: Board, now_ns: int) -> list[Candle]:
    """Daily bars, the one under way last."""
    candles = list(board.candles)
    if board.forming is not None:
        candles.append(board.candle(now_ns))
    recent = gathered(candles, DAY_NS, DAY_SHIFT_NS)
    older = [structs.replace(c, start_ns=c.start_ns + DAY_SHIFT_NS) for c in board.days]
    return [c for c in older if c.start_ns < recent[0].start_ns] + recent


def day_of(board: Board, now_ns: int) -> tuple[Candle, Candle]:
    """(today's bar so far, the bar of the day before)."""
    before, day = days_of(board, now_ns)[-2:]
    return day, before


def snapshot(board: Board, now_ns: int) -> dict[str, Any]:
    """Everything newest of one symbol."""
    crypto = board.listing.always_open
    day, before = day_of(board, now_ns)
    return {
        "latestTrade": trade_row(board.prints[-1], crypto),
        "latestQuote": quote_row(board.quote if board.book.ts_ns else board.quotes[-1], crypto),
        "minuteBar": bar_row(latest_candle(board, now_ns), crypto),
        "dailyBar": bar_row(day, crypto),
        "prevDailyBar": bar_row(before, crypto),
    }
