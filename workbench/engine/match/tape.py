"""What the venue has seen of one instrument, and the orders that rest in it.

Lives here: the record, and what can be read off it. Not here: what follows from it (ticks.py, bars.py).
"""

import numpy as np

from workbench.engine.match.resting import NOWHERE, Resting
from workbench.model.market import Bar, BarSlice, Quote, Trade
from workbench.model.scale import SCALE

__all__ = ["Tape"]


class Tape:
    """One instrument as the venue sees it.

    `orders` may still fill, in order of arrival. Orders up to `whole_ns` were there for all of the coming bar: it
    begins where the last one closed, or just before the first print or quote since (`printed`). `seen_ns` is the time
    of the last data that could fill something. `last` is the last event of any kind, `bars` the last one that held a
    bar: figures are read off them when somebody asks, so that keeping them costs next to nothing.
    """

    __slots__ = (
        "bars",
        "has_sizes",
        "iid",
        "last",
        "orders",
        "printed",
        "quote",
        "room_e8",
        "seen_ns",
        "whole_ns",
    )

    def __init__(self, iid: int) -> None:
        self.iid = iid
        self.orders: dict[int, Resting] = {}
        self.whole_ns = 0
        self.printed = False
        self.seen_ns = -1
        self.last: Bar | BarSlice | Quote | Trade | None = None
        self.bars: Bar | BarSlice | None = None
        self.quote: Quote | None = None
        self.room_e8: int | None = None  # what is left of the data at hand under a participation limit
        self.has_sizes = False  # a quote or a print told a size: the queue is known from those, not from bars

    @property
    def px(self) -> float:
        """The last price (of a quote the middle), -1.0 before any."""
        last = self.last
        if isinstance(last, Trade):
            return last.px
        if isinstance(last, Quote):
            return (last.bid + last.ask) / 2
        bar = self.bar
        return bar.close if bar is not None else NOWHERE

    @property
    def bar(self) -> Bar | None:
        """The last bar."""
        bars = self.bars
        if isinstance(bars, BarSlice):
            iids = np.frombuffer(bars.iids, "<i4")
            row = np.frombuffer(bars.ohlcv, "<f8").reshape(-1, 5)[int(np.flatnonzero(iids == self.iid)[0])]
            bars = self.bars = Bar(bars.ts_ns, self.iid, *row.tolist())
        return bars

    @property
    def volume_e8(self) -> int:
        """The last bar's volume, 0 when unknown."""
        bar = self.bar
        return round(bar.volume * SCALE) if bar is not None and bar.volume > 0 else 0

    def split(self, ts_ns: int, numerator: int, denominator: int) -> None:
        """Put what was seen into the units after a split."""
        px, ratio = self.px, denominator / numerator
        if self.bar is not None:
            b = self.bar
            prices = (b.open * ratio, b.high * ratio, b.low * ratio, b.close * ratio)
            self.bars = Bar(b.ts_ns, b.iid, *prices, b.volume / ratio)
        self.quote = None
        if px > 0:
            self.last = Trade(ts_ns, self.iid, px * ratio)
