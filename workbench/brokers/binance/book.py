"""A symbol's book at Binance kept here: a snapshot and the changes since, each of which must follow the one before.

    changes wait -> snapshot -> older ones are dropped, the first kept spans it -> live -> (a change is missing) stale

Lives here: the book. Not here: fetching the snapshot, the stream (feed.py).
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from workbench.brokers.binance.words import e8

__all__ = ["LocalBook"]

_WAITING: Final = 10_000  # of changes; a snapshot fetched now is newer than the older ones

type Levels = Iterable[list[str]]
type Change = tuple[int, int, Levels, Levels]


class LocalBook:
    """Levels as {price: size} in 1e-8. A stale book has no levels: who reads it must not trade on old ones.

    >>> book = LocalBook("BTCUSDT")
    >>> book.change(5, 7, [["100.0", "1"]], []); book.is_live
    False
    >>> book.snapshot(6, [["99.0", "2"]], [["101.0", "3"]]); book.is_live, book.best
    (True, (10000000000, 100000000, 10100000000, 300000000))
    >>> book.change(9, 9, [], []); book.is_live, book.gaps
    (False, 1)
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.last_id = 0
        self.is_live = False
        self.gaps = 0
        self._waiting: deque[Change] = deque(maxlen=_WAITING)

    @property
    def best(self) -> tuple[int, int, int, int] | None:
        """Best bid and its size, best ask and its size; None while stale or empty on a side."""
        if not (self.bids and self.asks):
            return None
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]

    def depth(self, levels: int = 10) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The best levels of bids and of asks, best first."""
        bids = sorted(self.bids.items(), reverse=True)[:levels]
        return bids, sorted(self.asks.items())[:levels]

    def stale(self) -> None:
        """Nothing is known any more: changes wait for the next snapshot."""
        self.is_live = False
        self.bids, self.asks = {}, {}
        self._waiting.clear()

    def change(self, first: int, last: int, bids: Levels, asks: Levels) -> None:
        """A change that covers updates `first` to `last`. One that does not follow makes the book stale."""
        if not self.is_live:
            self._waiting.append((first, last, bids, asks))
            return
        if last <= self.last_id:
            return
        if first > self.last_id + 1:
            self.gaps += 1
            self.stale()
            self._waiting.append((first, last, bids, asks))
            return
        self._apply(last, bids, asks)

    def snapshot(self, last_id: int, bids: Levels, asks: Levels) -> None:
        """The whole book as of an update; what waited is played on it. Too old a snapshot leaves it stale."""
        later = [one for one in self._waiting if one[1] > last_id]
        if later and later[0][0] > last_id + 1:
            return
        self._waiting.clear()
        self.bids, self.asks = {}, {}
        self.is_live, self.last_id = True, last_id
        self._apply(last_id, bids, asks)
        for one in later:
            self.change(*one)

    def _apply(self, last: int, bids: Levels, asks: Levels) -> None:
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for level in levels:
                px_e8, size_e8 = e8(level[0], "price"), e8(level[1], "size")
                if size_e8:
                    side[px_e8] = size_e8
                else:
                    side.pop(px_e8, None)
        self.last_id = last
