"""Market data fields by their numbers, as texts: the day so far, the top of the book, the position.

Lives here: what each field shows now. Not here: who asked for which (data.py, socket.py).

Sizes of the book are in hundreds of shares, volumes in shares. The last price is marked `C` when it is the close of the
day before (the market is closed), `H` when trading is halted.
"""

from collections.abc import Iterable
from typing import Any, Final

from workbench.model.scale import SCALE
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.contracts import Contracts, listing_exchange
from workbench.testbed.market import DAY_NS, Board, Print

__all__ = ["AVAILABILITY", "BOOK_FIELDS", "PRINT_FIELDS", "Day", "Fields"]

AVAILABILITY: Final = "RpB"
PRINT_FIELDS: Final = frozenset(
    {"31", "7059", "87", "7762", "70", "71", "7295", "82", "83", "7635", "73", "75", "7682"}
)
BOOK_FIELDS: Final = frozenset({"84", "85", "86", "88", "7635"})
_LOT: Final = 100.0


class Day:
    """One instrument's day (UTC) so far, and the close of the day before."""

    __slots__ = ("close", "day", "high", "last_size", "low", "open", "volume")

    def __init__(self, board: Board, now_ns: int) -> None:
        self.day = now_ns // DAY_NS
        candles = list(board.candles)
        today = [c for c in candles if c.start_ns // DAY_NS == self.day]
        before = [c for c in candles if c.start_ns // DAY_NS < self.day]
        self.close = before[-1].close if before else board.days[-1].close
        self.open = today[0].open if today else board.last
        self.high = max((c.high for c in today), default=board.last)
        self.low = min((c.low for c in today), default=board.last)
        self.volume = sum(c.volume for c in today)
        self.last_size = board.prints[-1].size if board.prints else 0.0

    def saw(self, done: Print) -> None:
        """A trade happened."""
        day = done.ts_ns // DAY_NS
        if day != self.day:
            self.day, self.close = day, done.px
            self.open = self.high = self.low = done.px
            self.volume = 0.0
        self.high, self.low = max(self.high, done.px), min(self.low, done.px)
        self.volume += done.size
        self.last_size = done.size


class Fields:
    """Fields of every contract of an exchange."""

    def __init__(self, exchange: Exchange, contracts: Contracts) -> None:
        self.exchange, self.contracts = exchange, contracts
        now_ns = exchange.clock.now_ns()
        self.days = {iid: Day(board, now_ns) for iid, board in exchange.market.boards.items()}

    def saw(self, board: Board, done: Print) -> None:
        self.days[board.listing.iid].saw(done)

    def of(self, board: Board, wanted: Iterable[str]) -> dict[str, str]:
        """The fields asked for, those that exist."""
        found = {}
        for name in wanted:
            value = self._value(board, name)
            if value is not None:
                found[name] = value
        return found

    def last(self, board: Board) -> str:
        """The last price with its mark."""
        if board.halted:
            return f"H{board.last:.2f}"
        if not self.exchange.is_open(board):
            return f"C{self.days[board.listing.iid].close:.2f}"
        return f"{board.last:.2f}"

    def head(self, board: Board) -> dict[str, Any]:
        """What every answer about a contract begins with."""
        conid = self.contracts.conids[board.listing.iid]
        return {
            "conid": conid,
            "conidEx": str(conid),
            "_updated": self.exchange.clock.shown_ns() // 1_000_000,
            "server_id": f"q{board.listing.iid}",
            "6119": f"q{board.listing.iid}",
            "6509": AVAILABILITY,
        }

    def _value(self, board: Board, name: str) -> str | None:
        maker = _MAKERS.get(name)
        return maker(self, board) if maker is not None else None

    # -- one field each ----------------------------------------------------------------------------------------------

    def _day(self, board: Board) -> Day:
        return self.days[board.listing.iid]

    def _position(self, board: Board) -> int:
        return self.exchange.position_e8(board.listing.iid)

    def _change(self, board: Board) -> float:
        return board.last - self._day(board).close

    def _unrealised(self, board: Board) -> float:
        return self.exchange.holdings.profit(board.listing, self._position(board), board.last)

    def _mark(self, board: Board) -> float:
        quote = board.quote
        return min(max(board.last, quote.bid), quote.ask)


def _size(size: float) -> str:
    return str(max(1, int(size / _LOT)))


def _volume(volume: float) -> str:
    """A volume as it is shown: thousands and millions by letter.

    >>> _volume(950.0), _volume(12_340.0), _volume(5_600_000.0)
    ('950', '12.3K', '5.6M')
    """
    if volume >= 1e6:
        return f"{volume / 1e6:.1f}M"
    return f"{volume / 1e3:.1f}K" if volume >= 1e4 else f"{volume:.0f}"


_MAKERS: Final[dict[str, Any]] = {
    "31": lambda f, b: f.last(b),
    "84": lambda _f, b: f"{b.quote.bid:.2f}",
    "86": lambda _f, b: f"{b.quote.ask:.2f}",
    "88": lambda _f, b: _size(b.quote.bid_size),
    "85": lambda _f, b: _size(b.quote.ask_size),
    "7059": lambda f, b: f"{f._day(b).last_size:g}",
    "87": lambda f, b: _volume(f._day(b).volume),
    "7762": lambda f, b: f"{f._day(b).volume:.0f}",
    "70": lambda f, b: f"{f._day(b).high:.2f}",
    "71": lambda f, b: f"{f._day(b).low:.2f}",
    "7295": lambda f, b: f"{f._day(b).open:.2f}",
    "7741": lambda f, b: f"{f._day(b).close:.2f}",
    "7296": lambda f, b: f"{f._day(b).close:.2f}",
    "82": lambda f, b: f"{f._change(b):+.2f}",
    "83": lambda f, b: f"{100 * f._change(b) / f._day(b).close:.2f}%",
    "7682": lambda f, b: f"{b.last - f._day(b).open:.2f}",
    "7635": lambda f, b: f"{f._mark(b):.2f}",
    "55": lambda _f, b: b.listing.symbol,
    "58": lambda _f, b: b.listing.name.upper(),
    "7051": lambda _f, b: b.listing.name.upper(),
    "6070": lambda _f, _b: "STK",
    "6004": lambda _f, _b: "SMART",
    "6008": lambda f, b: str(f.contracts.conids[b.listing.iid]),
    "7094": lambda f, b: str(f.contracts.conids[b.listing.iid]),
    "7219": lambda _f, b: b.listing.symbol,
    "7221": lambda _f, b: listing_exchange(b.listing.symbol),
    "73": lambda f, b: f"{b.last * f._position(b) / SCALE:.2f}",
    "74": lambda f, b: f"{f.exchange.holdings.average_px(b.listing.iid, f._position(b)):.2f}",
    "75": lambda f, b: f"{f._unrealised(b):.2f}",
    "76": lambda f, b: f"{f._position(b) / SCALE:g}",
    "6509": lambda _f, _b: AVAILABILITY,
}
