"""The market as the engine last saw it: one line of numbers an instrument.

Bad data (NaN, infinite, zero or negative prices, a high below a low, a crossed quote) stops here and is counted by
reason; it never reaches an indicator, a rule or a mark. Positions and exposure live in `ledger` and `exposure`.
"""

from collections.abc import Sequence
from typing import Final

from workbench.model.instrument import Instrument
from workbench.model.market import Bar, Quote, Trade
from workbench.model.scale import SCALE

__all__ = ["Book"]

_INFINITY: Final = float("inf")
_HIGHEST_PX: Final = 1e12


class Book:
    """Last prices by `iid`: `last_px` (float, 0.0 before the first one), `last_ts` (ns), `mark_e8` (the same price as
    an exact integer), `previous_px` (the good price before it), `bid` and `ask` (0.0 without a quote).

    `dropped` counts refused data by reason.
    """

    __slots__ = (
        "ask",
        "bid",
        "dropped",
        "iid_of",
        "instruments",
        "last_px",
        "last_ts",
        "mark_e8",
        "previous_px",
    )

    def __init__(self) -> None:
        self.instruments: list[Instrument] = []
        self.iid_of: dict[str, int] = {}
        self.last_px: list[float] = []
        self.previous_px: list[float] = []
        self.last_ts: list[int] = []
        self.mark_e8: list[int] = []
        self.bid: list[float] = []
        self.ask: list[float] = []
        self.dropped: dict[str, int] = {}

    def add(self, instrument: Instrument) -> None:
        """Take the next instrument; its `iid` must be the next free one (the core checks that)."""
        self.instruments.append(instrument)
        self.iid_of[instrument.symbol] = instrument.iid
        for column in (self.last_px, self.previous_px, self.bid, self.ask):
            column.append(0.0)
        self.last_ts.append(0)
        self.mark_e8.append(0)

    def on_bar(self, bar: Bar) -> bool:
        """Note a bar's close; False (and counted) when the bar cannot be true."""
        iid, low, high, close = bar.iid, bar.low, bar.high, bar.close
        # One chained comparison is false for every NaN, zero, negative, infinite or crossed bar.
        if not (
            0.0 < low <= bar.open <= high < _HIGHEST_PX
            and low <= close <= high
            and 0.0 <= bar.volume < _INFINITY
        ):
            return self.drop("bar with impossible prices or volume")
        if not 0 <= iid < len(self.last_px):
            return self.drop("bar of an unknown instrument")
        last = self.last_px  # `price`, written out: the hot path of every bar
        self.previous_px[iid] = last[iid]
        last[iid] = close
        self.last_ts[iid] = bar.ts_ns
        self.mark_e8[iid] = int(close * SCALE + 0.5)
        return True

    def on_trade(self, trade: Trade) -> bool:
        """Note a print; False (and counted) when it cannot be true."""
        if not (0.0 < trade.px < _HIGHEST_PX and 0.0 <= trade.size < _INFINITY):
            return self.drop("trade with an impossible price or size")
        if not 0 <= trade.iid < len(self.last_px):
            return self.drop("trade of an unknown instrument")
        self.price(trade.iid, trade.ts_ns, trade.px)
        return True

    def on_quote(self, quote: Quote) -> bool:
        """Note the top of the book; its middle becomes the last price. False (and counted) when crossed or broken."""
        bid, ask, iid = quote.bid, quote.ask, quote.iid
        if not (0.0 < bid < ask < _HIGHEST_PX):
            return self.drop("quote that is crossed, locked or not positive")
        if not 0 <= iid < len(self.last_px):
            return self.drop("quote of an unknown instrument")
        self.bid[iid] = bid
        self.ask[iid] = ask
        self.price(iid, quote.ts_ns, (bid + ask) * 0.5)
        return True

    def price(self, iid: int, ts_ns: int, px: float) -> None:
        """Set the last price of a known instrument to `px`, already checked."""
        self.previous_px[iid] = self.last_px[iid]
        self.last_px[iid] = px
        self.last_ts[iid] = ts_ns
        self.mark_e8[iid] = int(px * SCALE + 0.5)

    def split(self, iid: int, numerator: int, denominator: int) -> None:
        """All prices of a known instrument in its new units; when they were seen stays."""
        for column in (self.last_px, self.previous_px, self.bid, self.ask):
            column[iid] = column[iid] * denominator / numerator
        self.mark_e8[iid] = (2 * self.mark_e8[iid] * denominator + numerator) // (2 * numerator)

    def drop(self, reason: str, count: int = 1) -> bool:
        """Count refused data under `reason`; always False, so that callers can return it."""
        self.dropped[reason] = self.dropped.get(reason, 0) + count
        return False

    def symbol(self, iid: int) -> str:
        """The symbol of `iid`, or `#iid` when nobody knows it."""
        return self.instruments[iid].symbol if 0 <= iid < len(self.instruments) else f"#{iid}"

    def known(self, iids: Sequence[int]) -> bool:
        """Whether every one of `iids` has been added."""
        size = len(self.instruments)
        return all(0 <= iid < size for iid in iids)
