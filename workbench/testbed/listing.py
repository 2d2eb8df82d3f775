"""What a venue lists: an instrument with what an exchange must know to make a market in it.

Lives here: the listing and a table of sensible price levels. Not here: prices over time (tape.py), a venue's own
names and rules for it (its folder).
"""

from typing import Final

import msgspec

from workbench.errors import BadValue
from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE, to_e8

__all__ = ["LEVELS", "Listing"]

LEVELS: Final[dict[str, tuple[str, float]]] = {
    "AAPL": ("Apple Inc. Common Stock", 230.0),
    "AMZN": ("Amazon.com Inc. Common Stock", 220.0),
    "GOOG": ("Alphabet Inc. Class C", 180.0),
    "IBM": ("International Business Machines", 240.0),
    "IWM": ("iShares Russell 2000 ETF", 220.0),
    "META": ("Meta Platforms Inc. Class A", 600.0),
    "MSFT": ("Microsoft Corporation Common Stock", 430.0),
    "NVDA": ("NVIDIA Corporation Common Stock", 140.0),
    "QQQ": ("Invesco QQQ Trust", 500.0),
    "SPY": ("SPDR S&P 500 ETF Trust", 370.0),
    "TSLA": ("Tesla Inc. Common Stock", 250.0),
    "BNB": ("BNB", 600.0),
    "BTC": ("Bitcoin", 60_000.0),
    "DOGE": ("Dogecoin", 0.15),
    "ETH": ("Ethereum", 3_000.0),
    "LTC": ("Litecoin", 80.0),
    "SOL": ("Solana", 150.0),
    "XRP": ("XRP", 0.6),
}
"""(name, price level) by asset: where a walk begins when no recorded data tells."""
_ANY_LEVEL: Final = 100.0


class Listing(msgspec.Struct, frozen=True):
    """One instrument as a venue lists it. `always_open`: it trades round the clock whatever the market's hours.

    `best_value` is about how much the best price holds on each side, in quote currency: orders below it fill at once.
    """

    instrument: Instrument
    asset: str
    name: str
    start_px: float
    volatility: float = 0.0004  # standard deviation of a minute's log return
    spread: float = 0.0001  # best ask over best bid, as a fraction
    always_open: bool = False
    fractional: bool = False
    shortable: bool = True
    min_qty_e8: int = 0
    min_value_e8: int = 0
    best_value: float = 250_000.0
    size_e8: int = 0  # step of the sizes others trade in; 0: the instrument's lot

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def iid(self) -> int:
        return self.instrument.iid

    def round_size(self, size: float) -> float:
        """A size others may trade: on the grid of their sizes, at least one step."""
        step = self.size_e8 or self.instrument.lot_e8
        return max(1, round(size * SCALE / step)) * step / SCALE

    def round_px(self, px: float) -> float:
        """The nearest price on the grid, at least one tick."""
        tick = self.instrument.tick_e8
        return max(round(px * SCALE / tick), 1) * tick / SCALE

    def __repr__(self) -> str:
        return f"<Listing {self.symbol} from {self.start_px:g}>"


def stock(iid: int, symbol: str, venue: str, *, lot_e8: int = SCALE) -> Listing:
    """A US stock or fund: cents, whole shares unless `lot_e8` is finer.

    >>> stock(0, "AAPL", "alpaca")
    <Listing AAPL from 230>
    """
    name, level = LEVELS.get(symbol, (symbol, _ANY_LEVEL))
    instrument = Instrument(iid, symbol, venue, "USD", SCALE // 100, lot_e8)
    return Listing(instrument, symbol, name, level, fractional=lot_e8 < SCALE, size_e8=SCALE)


def pair(iid: int, symbol: str, base: str, quote: str, venue: str, *, tick: float, lot: float) -> Listing:
    """A pair of currencies that trades round the clock; `symbol` is the venue's spelling.

    >>> pair(0, "BTCUSDT", "BTC", "USDT", "binance", tick=0.01, lot=0.00001)
    <Listing BTCUSDT from 60000>
    """
    if tick <= 0 or lot <= 0:
        raise BadValue("tick, lot", (tick, lot), "give steps above 0")
    name, level = LEVELS.get(base, (base, _ANY_LEVEL))
    instrument = Instrument(iid, symbol, venue, quote, to_e8(tick), to_e8(lot), "24/7")
    return Listing(
        instrument,
        base,
        f"{name} / {quote}",
        level,
        volatility=0.0006,
        always_open=True,
        fractional=True,
        shortable=False,
    )
