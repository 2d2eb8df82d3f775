"""Random liquidity around a price: the levels of bids and asks a small order meets. Seeded, made anew each time.

Lives here: sizes and prices of the levels. Not here: who trades against them (exchange.py).
"""

from random import Random
from typing import Final

import msgspec

from workbench.model.scale import SCALE
from workbench.testbed.listing import Listing

__all__ = ["Book", "Ladder"]

_LEVELS: Final = 10


class Book(msgspec.Struct, frozen=True):
    """Levels of one instrument, best first: (price, size). `version` rises with every change."""

    ts_ns: int
    version: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]


class Ladder:
    """Makes books around a price.

    >>> from workbench.testbed.listing import stock
    >>> book = Ladder(stock(0, "AAPL", "alpaca"), seed=1).around(230.0, ts_ns=1)
    >>> book.bids[0][0] < 230.0 < book.asks[0][0], book.asks[0][1] >= 1_000, len(book.bids)
    (True, True, 10)
    """

    def __init__(self, listing: Listing, seed: int) -> None:
        self._listing = listing
        self._chance = Random(f"{seed}-{listing.symbol}-ladder")
        self._version = 0

    def around(self, px: float, ts_ns: int) -> Book:
        """Ten levels on each side of `px`, the best ones at least one tick from it."""
        listing, chance = self._listing, self._chance.random
        tick, step = listing.instrument.tick_e8, listing.size_e8 or listing.instrument.lot_e8
        grid = round(px * SCALE / tick)
        half = max(1, round(grid * listing.spread / 2))
        apart = max(1, half // 2)
        base = listing.best_value / px * SCALE / step
        bids: list[tuple[float, float]] = []
        asks: list[tuple[float, float]] = []
        for level in range(_LEVELS):
            away, most = half + level * apart, base * (1 + level / 2)
            asks.append(((grid + away) * tick / SCALE, (int(most * (1 + chance())) + 1) * step / SCALE))
            if grid > away:
                bids.append(((grid - away) * tick / SCALE, (int(most * (1 + chance())) + 1) * step / SCALE))
        self._version += 1
        return Book(ts_ns, self._version, tuple(bids), tuple(asks))
