"""Binance's market data as our events, stream and REST alike. What cannot be true is dropped, with the reason.

Lives here: rows to events, pure. Not here: the streams (feed.py), the book kept from changes (book.py).

Their candles are named by their start and end one unit before the next; ours by the moment they close.
"""

import math
from typing import Final

import msgspec

from workbench.brokers.binance.words import VENUE, Number, ts_ns_of, whole
from workbench.errors import VenueGarbled
from workbench.model.market import Bar, Quote, Trade

__all__ = [
    "Dropped",
    "Row",
    "StreamFrame",
    "TickerBody",
    "bar_of",
    "bar_of_row",
    "quote_of",
    "trade_of",
    "trade_of_row",
]

_MS_END: Final = 10**14

type Level = list[str]


class Dropped(Exception):
    """A row that cannot be true; the text says why, in a word or two."""


class Kline(msgspec.Struct):
    """A candle of the stream; letters are Binance's."""

    t: int
    T: int
    o: Number
    h: Number
    l: Number  # noqa: E741 - the venue's letter
    c: Number
    v: Number
    x: bool = False


class Row(msgspec.Struct):
    """Any message of the streams; letters are Binance's, and mean different things in different messages."""

    e: str = ""
    E: int = 0
    s: str = ""
    k: Kline | None = None
    t: int = 0
    p: Number = ""
    q: Number = ""
    T: int = 0
    m: bool = False
    u: int = 0
    U: int = 0
    b: str | int | list[Level] = ""
    B: Number = ""
    a: str | int | list[Level] = ""
    A: Number = ""


class StreamFrame(msgspec.Struct):
    """One frame: a message of a stream, or an answer to a control frame."""

    stream: str = ""
    data: Row | None = None
    id: int | str | None = None
    error: dict[str, str | int] | None = None
    e: str = ""


class TickerBody(msgspec.Struct, rename="camel"):
    """Twenty-four hours, or another span, of one symbol."""

    symbol: str
    last_price: Number
    open_price: Number = "0"
    high_price: Number = "0"
    low_price: Number = "0"
    volume: Number = "0"
    quote_volume: Number = "0"
    bid_price: Number = "0"
    bid_qty: Number = "0"
    ask_price: Number = "0"
    ask_qty: Number = "0"
    weighted_avg_price: Number = "0"
    price_change: Number = "0"
    price_change_percent: Number = "0"
    open_time: int | str = 0
    close_time: int | str = 0
    count: int | str = 0

    @property
    def last(self) -> float:
        return float(self.last_price)

    @property
    def at_ns(self) -> int:
        return ts_ns_of(self.close_time)


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def closes_ns(end: int | str) -> int:
    """The moment a candle is over, from the last unit of time in it.

    >>> closes_ns(1706633999999), closes_ns(1706633999999999)
    (1706634000000000000, 1706634000000000000)
    """
    last = whole(end, "T")
    return (last + 1) * (1_000_000 if last < _MS_END else 1_000)


def _bar(ts_ns: int, iid: int, values: tuple[object, ...]) -> Bar:
    o, h, low, c, v = (_float(value) for value in values)
    if not (0.0 < low <= o <= h < math.inf and low <= c <= h):  # NaN fails it too
        raise Dropped("prices that cannot be true")
    if not 0.0 <= v < math.inf:
        raise Dropped("a volume that cannot be true")
    return Bar(ts_ns, iid, o, h, low, c, v)


def bar_of(kline: Kline, iid: int) -> Bar:
    """A finished bar.

    Raises:
        Dropped: a price that is not above zero, or not between low and high; a negative volume.
    """
    return _bar(closes_ns(kline.T), iid, (kline.o, kline.h, kline.l, kline.c, kline.v))


def bar_of_row(row: list[Number], iid: int) -> Bar:
    """A bar of REST: a list of twelve. Raises Dropped as `bar_of` does, VenueGarbled for a shorter one."""
    if len(row) < 7:
        raise VenueGarbled(VENUE, f"a candle of {len(row)} values", "report it; it was not used")
    return _bar(closes_ns(str(row[6])), iid, tuple(row[1:6]))


def quote_of(row: Row, iid: int, ts_ns: int) -> Quote:
    """The top of the book, which is told without a time.

    Raises:
        Dropped: one side is missing, or bid and ask are crossed.
    """
    bid, ask = _float(row.b), _float(row.a)
    if not (0.0 < bid < math.inf and 0.0 < ask < math.inf):
        raise Dropped("one side only")
    if bid > ask:
        raise Dropped("crossed")
    return Quote(ts_ns, iid, bid, _size(row.B), ask, _size(row.A))


def trade_of(row: Row, iid: int) -> Trade:
    """A print; who made the price says who took it.

    Raises:
        Dropped: a price or size that cannot be true.
    """
    return _trade(ts_ns_of(row.T), iid, row.p, row.q, maker_bought=row.m)


def trade_of_row(row: dict[str, str | int | float | bool], iid: int) -> Trade:
    """A print of REST. Raises Dropped as `trade_of` does."""
    time = row.get("time", 0)
    return _trade(
        ts_ns_of(str(time)), iid, row.get("price"), row.get("qty"), maker_bought=bool(row.get("isBuyerMaker"))
    )


def _trade(ts_ns: int, iid: int, px: object, size: object, *, maker_bought: bool) -> Trade:
    price, amount = _float(px), _float(size)
    if not 0.0 < price < math.inf:
        raise Dropped("prices that cannot be true")
    if not 0.0 <= amount < math.inf:
        raise Dropped("a size that cannot be true")
    return Trade(ts_ns, iid, price, amount, -1 if maker_bought else 1)


def _size(value: object) -> float:
    size = _float(value)
    return size if 0.0 < size < math.inf else 0.0
