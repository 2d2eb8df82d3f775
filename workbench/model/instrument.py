"""What can be traded, and on which grid."""

import msgspec

from workbench.errors import BadValue
from workbench.model.scale import SCALE, from_e8

__all__ = ["Instrument"]


class Instrument(msgspec.Struct, frozen=True, gc=False):
    """A symbol at a venue, with its price tick and its quantity lot in 1e-8 units.

    `iid` is the small integer every event uses in place of the symbol; the session assigns it, densely from 0.

    >>> Instrument(0, "SPY").round_px(36_748_400_000)
    36748000000
    """

    iid: int
    symbol: str
    venue: str = "SIM"
    currency: str = "USD"
    tick_e8: int = SCALE // 100
    lot_e8: int = SCALE
    calendar: str = "XNYS"

    def __post_init__(self) -> None:
        if not self.symbol or not self.symbol.isprintable() or len(self.symbol) > 32:
            raise BadValue("symbol", self.symbol, "give 1 to 32 printable characters")
        if self.tick_e8 <= 0:
            raise BadValue("tick_e8", self.tick_e8, "give a price step above 0")
        if self.lot_e8 <= 0:
            raise BadValue("lot_e8", self.lot_e8, "give a quantity step above 0")

    def round_px(self, px_e8: int) -> int:
        """The nearest price on the tick grid (halves go up)."""
        tick = self.tick_e8
        return (px_e8 + tick // 2) // tick * tick

    def floor_qty(self, qty_e8: int) -> int:
        """The largest quantity on the lot grid not above `qty_e8` in size; the sign is kept."""
        lot = self.lot_e8
        return qty_e8 // lot * lot if qty_e8 >= 0 else -(-qty_e8 // lot * lot)

    def __repr__(self) -> str:
        return f"<{self.symbol}@{self.venue} tick {from_e8(self.tick_e8):g} lot {from_e8(self.lot_e8):g}>"
