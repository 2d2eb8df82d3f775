"""Market data as events. Prices and sizes are floats here: they feed indicators, never the ledger."""

import msgspec

__all__ = ["Bar", "BarSlice", "Dividend", "MarketEvent", "Quote", "Split", "Trade"]


class Bar(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1):
    """One finished bar of one instrument. `ts_ns` is its CLOSE (UTC): it covers (ts - length, ts]."""

    ts_ns: int
    iid: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Quote(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2):
    """Top of book. A size of 0 means the size is unknown."""

    ts_ns: int
    iid: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Trade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """A print. `size` 0 means only the price is known (the opening print of a replayed bar);
    `side` is the aggressor: 1 buyer, -1 seller, 0 unknown."""

    ts_ns: int
    iid: int
    px: float
    size: float = 0.0
    side: int = 0


class BarSlice(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4):
    """All bars that close at one instant, as two arrays in bytes (one event, one compiled call).

    `iids` is int32[n] and `ohlcv` float64[n, 5] (open, high, low, close, volume), both little-endian C order;
    every iid at most once.
    """

    ts_ns: int
    iids: bytes
    ohlcv: bytes


class Split(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """Every unit held becomes `numerator / denominator` units before the first trade of the day (7 for 1: 7, 1)."""

    ts_ns: int
    iid: int
    numerator: int
    denominator: int


class Dividend(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6):
    """The instrument goes ex `amount_e8` of cash a unit. Venues pay it (`CashMoved`); nobody decides on it."""

    ts_ns: int
    iid: int
    amount_e8: int


type MarketEvent = Bar | Quote | Trade | BarSlice | Split | Dividend
