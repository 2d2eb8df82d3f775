"""The market of an emulated venue: one board an instrument with its book, its prints and its candles.

Lives here: what there is to see, and the record of what was. Not here: orders and what fills them (exchange.py), when
the next step comes (pace.py), how a venue spells it (its folder).
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from workbench.errors import BadValue, UnknownName
from workbench.feeds.recording import Recording
from workbench.model.market import Quote
from workbench.testbed.clock import VenueClock
from workbench.testbed.ladder import Book, Ladder
from workbench.testbed.listing import Listing
from workbench.testbed.tape import Shape, Tape, bars_of

__all__ = ["Board", "Candle", "Halted", "Market", "Print", "Seen"]

MINUTE_NS: Final = 60_000_000_000
DAY_NS: Final = 1_440 * MINUTE_NS
_KEPT: Final = 20_000
_WARM_STEPS: Final = 120


class Print(msgspec.Struct, frozen=True, gc=False):
    """A public trade; `side` is the aggressor's (1 buyer, -1 seller), `number` counts an instrument's prints from 1."""

    number: int
    ts_ns: int
    px: float
    size: float
    side: int


class Candle(msgspec.Struct, frozen=True, gc=False):
    """A bar as the venue publishes it: it covers [start_ns, end_ns). `value` is the sum of price times size."""

    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    count: int
    value: float

    @property
    def vwap(self) -> float:
        return round(self.value / self.volume, 6) if self.volume else self.close


class Halted(msgspec.Struct, frozen=True):
    """Trading in an instrument was halted, or goes on again."""

    ts_ns: int
    halted: bool


type Seen = Print | Quote | Candle | Book | Halted


class Board:
    """One instrument's screen."""

    def __init__(self, listing: Listing, tape: Tape, seed: int) -> None:
        self.listing = listing
        self.tape = tape
        self.ladder = Ladder(listing, seed)
        self.px = float(tape.history[-1, 3])  # where the market stands: books are made around it
        self.last = self.px
        self.halted = False
        self.was_open = True
        self.book = self.ladder.around(self.px, 0)
        self.book_sinks: list[Callable[[Book], None]] = []  # told of every book there is
        self.prints: deque[Print] = deque(maxlen=_KEPT)
        self.quotes: deque[Quote] = deque(maxlen=_KEPT)
        self.candles: deque[Candle] = deque(maxlen=_KEPT)
        self.days: list[Candle] = []
        self.older: dict[int, list[Candle]] = {}  # between days and minutes, by length: past.py makes them
        self.forming: list[float] | None = None  # open, high, low, close, volume, count, value
        self.forming_ns = 0
        self._path: list[float] = []
        self._volume = 0.0
        self._numbers = 0

    @property
    def quote(self) -> Quote:
        """The best prices now."""
        book = self.book
        (bid, bid_size), (ask, ask_size) = book.bids[0], book.asks[0]
        return Quote(book.ts_ns, self.listing.iid, bid, bid_size, ask, ask_size)

    def refresh(self, ts_ns: int) -> Quote:
        """New liquidity around where the market stands; kept, and returned as a quote."""
        self.book = self.ladder.around(self.px, ts_ns)
        for sink in self.book_sinks:
            sink(self.book)
        quote = self.quote
        self.quotes.append(quote)
        return quote

    def next_px(self, steps: int) -> tuple[float, float]:
        """(price, size) of the next step; a candle has `steps` of them."""
        if not self._path:
            shape: Shape = self.tape.next_bar()
            self._path = self.tape.path(shape, steps)[::-1]
            self._volume = shape.volume / len(self._path)
        self.px = self._path.pop()
        return self.px, self.listing.round_size(self._volume * self.tape.chance.uniform(0.5, 1.5))

    @property
    def bar_done(self) -> bool:
        """Whether the last step was the last of its bar."""
        return not self._path

    def record(self, ts_ns: int, px: float, size: float, side: int) -> Print:
        """A trade happened."""
        self._numbers += 1
        self.last = px
        done = Print(self._numbers, ts_ns, px, size, side)
        self.prints.append(done)
        forming = self.forming
        if forming is None:
            self.forming = [px, px, px, px, size, 1, px * size]
        else:
            if px > forming[1]:
                forming[1] = px
            elif px < forming[2]:
                forming[2] = px
            forming[3] = px
            forming[4] += size
            forming[5] += 1
            forming[6] += px * size
        return done

    def candle(self, end_ns: int) -> Candle:
        """The candle as it stands, said to end at `end_ns`."""
        o, h, low, c, v, n, value = self.forming or [self.last, self.last, self.last, self.last, 0.0, 0, 0.0]
        return Candle(self.forming_ns, end_ns, o, h, low, c, round(v, 8), int(n), value)

    def close_candle(self, end_ns: int) -> Candle:
        """Finish the candle; the next begins at `end_ns`."""
        done = self.candle(end_ns)
        self.candles.append(done)
        self.forming, self.forming_ns = None, end_ns
        return done

    def go_to(self, px: float) -> None:
        """The market jumps to `px`; what was to come keeps its steps from there."""
        factor = px / self.px
        self._path = [self.listing.round_px(p * factor) for p in self._path]
        self.tape.go_to(self.tape_px(px))
        self.px = px

    def tape_px(self, px: float) -> float:
        """Where the bar under way will close once the market has jumped to `px`."""
        return self._path[0] if self._path else px

    def split(self, factor: float) -> None:
        """Every price from now on is multiplied by `factor` (1/2 when two shares come of one)."""
        self._path = [self.listing.round_px(p * factor) for p in self._path]
        self.tape.go_to(self.tape_px(self.listing.round_px(self.px * factor)))
        self.px = self.last = self.listing.round_px(self.px * factor)
        self._volume /= factor


class Market:
    """All boards of a venue; `sinks` are told of everything that is to be seen.

    `span_ns` is how long a candle lasts (a recorded minute divided by the speed); history is stamped in whole minutes
    that end where the first candle begins.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        clock: VenueClock,
        *,
        seed: int = 1,
        recording: Recording | None = None,
        span_ns: int = MINUTE_NS,
        steps: int = 240,
    ) -> None:
        self.clock = clock
        self.span_ns, self.steps = span_ns, steps
        self.boards: dict[int, Board] = {}
        self.sinks: list[Callable[[Board, Seen], None]] = []
        now_ns = clock.now_ns()
        self.base_ns = now_ns // span_ns * span_ns
        for listing in listings:
            rows = None if recording is None else bars_of(recording, listing.symbol, listing.asset)
            board = Board(listing, Tape(listing, seed, rows), seed)
            _fill_history(board, self.base_ns, now_ns)
            self.boards[listing.iid] = board
        self._by_symbol = {listing.symbol: self.boards[listing.iid] for listing in listings}

    def board(self, symbol: str) -> Board:
        """The board of a symbol as the venue spells it.

        Raises:
            UnknownName: it is not listed, with the nearest that is.
        """
        found = self._by_symbol.get(symbol)
        if found is None:
            raise UnknownName("symbol", symbol, self._by_symbol)
        return found

    def tell(self, board: Board, seen: Seen) -> None:
        """Show something to everybody who looks."""
        for sink in self.sinks:
            sink(board, seen)


def check_px(field: str, px: float) -> float:
    """A price the console was given.

    Raises:
        BadValue: it is not a finite number above 0.
    """
    if not 0 < px < float("inf"):
        raise BadValue(field, px, "give a price above 0")
    return px


def _fill_history(board: Board, base_ns: int, now_ns: int) -> None:
    """Candles of the past, then a couple of minutes of prints and quotes, so that there is something to ask for."""
    rows = board.tape.history.tolist()
    for at, (o, h, low, c, v) in enumerate(rows):
        start = base_ns - (len(rows) - at) * MINUTE_NS
        count = max(1, int(v) // 100)
        board.candles.append(Candle(start, start + MINUTE_NS, o, h, low, c, v, count, (h + low + c) / 3 * v))
    days = board.tape.days.tolist()
    first_day = (base_ns - len(rows) * MINUTE_NS) // DAY_NS - 1
    for at, (o, h, low, c, v) in enumerate(days):
        start = (first_day - (len(days) - 1 - at)) * DAY_NS
        count = max(1, int(v) // 100)
        board.days.append(Candle(start, start + DAY_NS, o, h, low, c, v, count, (h + low + c) / 3 * v))
    for back, row in ((2, rows[-2]), (1, rows[-1])):
        path = board.tape.path(Shape(*row), _WARM_STEPS // 2)
        for at, px in enumerate(path):
            ts_ns = now_ns - back * MINUTE_NS + MINUTE_NS * at // len(path)
            board.px = px
            quote = board.refresh(ts_ns)
            size = quote.ask_size if at % 2 else quote.bid_size
            board.record(ts_ns, px, size, 1 if at % 2 else -1)
    board.forming, board.forming_ns = None, base_ns
