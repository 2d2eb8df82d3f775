"""Binance spot: a share of the value, less a quarter when paid in BNB. Sources: docs/matching.md.

Lives here: the regular user's rates (VIP 0). The venue takes its fee from what is received, or in BNB; here it is
booked in the account's currency at the execution's price.
"""

from typing import Final

from workbench.engine.fees.schedule import Dated, SoFar
from workbench.model.scale import notional_e8

__all__ = ["RATES", "BinanceSpot"]

RATES: Final[Dated[tuple[int, int, int]]] = Dated(
    (20180715, (100_000, 100_000, 25_000_000)),  # maker, taker, and the discount for BNB, in 1e-8
)


class BinanceSpot:
    """Maker and taker 0.1 %, 0.075 % when `bnb` pays.

    >>> BinanceSpot()(1, 40_000 * 10**8, 10**7, 0, False, SoFar()) / 10**8
    4.0
    >>> BinanceSpot(bnb=True)(1, 40_000 * 10**8, 10**7, 0, False, SoFar()) / 10**8
    3.0
    """

    __slots__ = ("bnb",)

    def __init__(self, *, bnb: bool = False) -> None:
        self.bnb = bnb

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        maker_e8, taker_e8, discount_e8 = RATES.at(ts_ns)
        rate_e8 = maker_e8 if maker else taker_e8
        if self.bnb:
            rate_e8 -= notional_e8(rate_e8, discount_e8)
        return notional_e8(rate_e8, notional_e8(px_e8, qty_e8))
