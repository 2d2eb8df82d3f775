"""Alpaca's market data as our events, stream and REST alike. What cannot be true is dropped, with the reason.

Lives here: rows to events, pure. Not here: the streams (feed.py), requests (client.py).

Their bars are named by their start, ours by their close.
"""

import math
import struct
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.msgpack import Ext

from workbench.brokers.alpaca.words import VENUE, ts_ns_of
from workbench.errors import VenueGarbled
from workbench.model.market import Bar, Quote, Trade

__all__ = [
    "DAY_NS",
    "MINUTE_NS",
    "DataRow",
    "Dropped",
    "Latest",
    "Page",
    "SnapshotBody",
    "bar_of",
    "latest_of",
    "quote_of",
    "time_of",
    "trade_of",
]

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 1_440 * MINUTE_NS
_SIDES: Final = {"B": 1, "S": -1}


class Dropped(Exception):
    """A row that cannot be true; the text says why, in a word or two."""


class DataRow(msgspec.Struct, rename={"ask_size": "as"}):
    """Any row of any kind: of the stream (`T`, `S` say which and whose) or of an answer. Letters are Alpaca's."""

    T: str = ""
    S: str = ""
    t: str | Ext | None = None
    o: float = math.nan
    h: float = math.nan
    l: float = math.nan  # noqa: E741 - the venue's letter
    c: float | list[str] | None = None  # a bar's close; a trade's or quote's conditions
    v: float = math.nan
    p: float = math.nan
    s: float = math.nan
    i: int | str | None = None
    x: str | None = None  # the exchange of a print
    tks: str | None = None
    bp: float = math.nan
    bs: float = math.nan
    ap: float = math.nan
    ask_size: float = math.nan
    code: int = 0
    msg: str = ""
    trades: list[str] | None = None
    quotes: list[str] | None = None
    bars: list[str] | None = None


class Page(msgspec.Struct):
    """One page of an answer: rows by symbol."""

    bars: dict[str, list[DataRow]] | None = None
    trades: dict[str, list[DataRow]] | None = None
    quotes: dict[str, list[DataRow]] | None = None
    next_page_token: str | None = None


class SnapshotBody(msgspec.Struct, rename="camel"):
    """Everything newest of one symbol; what there never was is not there."""

    latest_trade: DataRow | None = None
    latest_quote: DataRow | None = None
    minute_bar: DataRow | None = None
    daily_bar: DataRow | None = None
    prev_daily_bar: DataRow | None = None


class Latest(msgspec.Struct, frozen=True):
    """The newest of one symbol as events; None where there is none, or none that can be true."""

    trade: Trade | None
    quote: Quote | None
    bar: Bar | None
    day: Bar | None


def latest_of(body: SnapshotBody, iid: int) -> Latest:
    """A snapshot as events."""
    return Latest(
        _or_none(trade_of, body.latest_trade, iid),
        _or_none(quote_of, body.latest_quote, iid),
        _or_none(bar_of, body.minute_bar, iid),
        _or_none(bar_of, body.daily_bar, iid, DAY_NS),
    )


def _or_none[E](made: Callable[..., E], row: DataRow | None, *args: int) -> E | None:
    if row is None:
        return None
    try:
        return made(row, *args)
    except Dropped:
        return None


def time_of(t: str | Ext | None) -> int:
    """Nanoseconds of a row's time, text or MessagePack's time stamp.

    Raises:
        VenueGarbled: it is neither.

    >>> time_of(Ext(-1, (5 << 34 | 7).to_bytes(8, "big")))
    7000000005
    """
    if isinstance(t, str):
        return ts_ns_of(t)
    if isinstance(t, Ext) and t.code == -1:
        data = bytes(t.data)
        if len(data) == 8:
            both = int.from_bytes(data, "big")
            return (both & 0x3_FFFF_FFFF) * 1_000_000_000 + (both >> 34)
        if len(data) == 4:
            return int.from_bytes(data, "big") * 1_000_000_000
        if len(data) == 12:
            ns, seconds = struct.unpack(">Iq", data)
            return int(seconds) * 1_000_000_000 + int(ns)
    raise VenueGarbled(VENUE, f"'{t}' is no time", "report it; the row was not used", field="t")


def bar_of(row: DataRow, iid: int, length_ns: int = MINUTE_NS) -> Bar:
    """A finished bar of `length_ns`.

    Raises:
        Dropped: a price that is not above zero, or not between low and high; a negative volume.
    """
    close = row.c if isinstance(row.c, float) else math.nan
    low, high = row.l, row.h
    if not (0.0 < low <= row.o <= high < math.inf and low <= close <= high):  # NaN fails it too
        raise Dropped("prices that cannot be true")
    if not 0.0 <= row.v < math.inf:
        raise Dropped("a volume that cannot be true")
    return Bar(time_of(row.t) + length_ns, iid, row.o, high, low, close, row.v)


def quote_of(row: DataRow, iid: int) -> Quote:
    """The top of the book.

    Raises:
        Dropped: one side is missing, or bid and ask are crossed.
    """
    bid, ask = row.bp, row.ap
    if not (0.0 < bid < math.inf and 0.0 < ask < math.inf):
        raise Dropped("one side only")
    if bid > ask:
        raise Dropped("crossed")
    return Quote(time_of(row.t), iid, bid, _size(row.bs), ask, _size(row.ask_size))


def trade_of(row: DataRow, iid: int) -> Trade:
    """A print.

    Raises:
        Dropped: a price or size that cannot be true.
    """
    if not 0.0 < row.p < math.inf:
        raise Dropped("prices that cannot be true")
    if not 0.0 <= row.s < math.inf:
        raise Dropped("a size that cannot be true")
    return Trade(time_of(row.t), iid, row.p, row.s, _SIDES.get(row.tks or "", 0))


def _size(size: float) -> float:
    return size if 0.0 < size < math.inf else 0.0
