"""Alpaca: US shares without commission but with the regulators' fees; crypto by maker and taker.

Sources: docs/matching.md.

Lives here: its prices and its rounding. Not here: the regulators' rates (regulatory.py).
"""

from typing import Final

from workbench.engine.fees.regulatory import regulatory_e8
from workbench.engine.fees.schedule import Dated, SoFar, up_to_cent_e8
from workbench.model.scale import notional_e8

__all__ = ["CRYPTO_TIERS", "AlpacaCrypto", "AlpacaStocks"]

type Tier = tuple[int, int, int]

CRYPTO_TIERS: Final[Dated[tuple[Tier, ...]]] = Dated(
    (
        20230313,
        (  # from this 30-day volume in dollars: maker and taker, in 1e-8 of the value
            (0, 150_000, 250_000),
            (100_000, 120_000, 220_000),
            (500_000, 100_000, 200_000),
            (1_000_000, 80_000, 180_000),
            (10_000_000, 50_000, 150_000),
            (25_000_000, 20_000, 130_000),
            (50_000_000, 20_000, 120_000),
            (100_000_000, 0, 100_000),
        ),
    ),
)


class AlpacaStocks:
    """No commission; Section 31 and TAF on sells, CAT on both sides, each rounded up to the cent once an order.

    >>> from workbench.engine.fees.schedule import day_ns
    >>> AlpacaStocks()(-1, 250 * 10**8, 100 * 10**8, day_ns(20260908), False, SoFar()) / 10**8
    0.55
    """

    __slots__ = ()

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        before = _rounded_e8(side, order_so_far.value_e8, order_so_far.qty_e8, ts_ns)
        value_e8 = order_so_far.value_e8 + notional_e8(px_e8, qty_e8)
        return _rounded_e8(side, value_e8, order_so_far.qty_e8 + qty_e8, ts_ns) - before


def _rounded_e8(side: int, value_e8: int, qty_e8: int, ts_ns: int) -> int:
    return sum(up_to_cent_e8(part) for part in regulatory_e8(side, value_e8, qty_e8, ts_ns))


class AlpacaCrypto:
    """A share of the value by maker and taker, by the dollars traded in the last 30 days.

    >>> AlpacaCrypto()(1, 40_000 * 10**8, 10**7, 1_700_000_000 * 10**9, False, SoFar()) / 10**8
    10.0
    """

    __slots__ = ("volume_30d",)

    def __init__(self, volume_30d: float = 0.0) -> None:
        self.volume_30d = volume_30d

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        tiers = CRYPTO_TIERS.at(ts_ns)
        _, maker_e8, taker_e8 = next(tier for tier in reversed(tiers) if self.volume_30d >= tier[0])
        return notional_e8(maker_e8 if maker else taker_e8, notional_e8(px_e8, qty_e8))
