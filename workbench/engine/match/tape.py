"""What the venue has seen of one instrument, and the orders that rest in it.

Lives here: the record alone. Not here: what follows from it (ticks.py, bars.py).
"""

from workbench.engine.match.resting import NOWHERE, Resting
from workbench.model.market import Bar, Quote

__all__ = ["Tape"]


class Tape:
    """One instrument as the venue sees it.

    `orders` may still fill, in order of arrival. Orders up to `whole_ns` were there for all of the coming bar: it
    begins where the last one closed, or just before the first print or quote since (`printed`). `seen_ns` is the time
    of the last data that could fill something. The rest is kept only where the venue's rules need it: `px` is the
    last price (of a quote the middle; -1 before any), `volume_e8` the last bar's volume, 0 when unknown.
    """

    __slots__ = (
        "bar",
        "has_sizes",
        "iid",
        "orders",
        "printed",
        "px",
        "quote",
        "room_e8",
        "seen_ns",
        "volume_e8",
        "whole_ns",
    )

    def __init__(self, iid: int) -> None:
        self.iid = iid
        self.orders: dict[int, Resting] = {}
        self.whole_ns = 0
        self.printed = False
        self.seen_ns = -1
        self.px = NOWHERE
        self.bar: Bar | None = None
        self.quote: Quote | None = None
        self.volume_e8 = 0
        self.room_e8: int | None = None  # what is left of the last bar under a participation limit
        self.has_sizes = False  # a quote or a print told a size: the queue is known from those, not from bars
