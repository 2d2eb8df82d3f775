"""What venues charge, as plain dated tables and pure functions of one execution. Sources: docs/matching.md."""

from typing import Final

from workbench.engine.fees.alpaca import AlpacaCrypto, AlpacaStocks
from workbench.engine.fees.binance import BinanceSpot
from workbench.engine.fees.ibkr import IbkrFixed, IbkrTiered
from workbench.engine.fees.schedule import FeeSchedule, PerUnit, SoFar
from workbench.errors import UnknownName

__all__ = [
    "FEES",
    "AlpacaCrypto",
    "AlpacaStocks",
    "BinanceSpot",
    "FeeSchedule",
    "IbkrFixed",
    "IbkrTiered",
    "PerUnit",
    "SoFar",
    "fees_named",
]

FEES: Final[dict[str, FeeSchedule]] = {
    "alpaca": AlpacaStocks(),
    "alpaca-crypto": AlpacaCrypto(),
    "binance": BinanceSpot(),
    "binance-bnb": BinanceSpot(bnb=True),
    "ibkr-fixed": IbkrFixed(),
    "ibkr-tiered": IbkrTiered(),
}
"""Schedules by name, each at its lowest volume."""


def fees_named(name: str) -> FeeSchedule:
    """A schedule by its name.

    Raises:
        UnknownName: no such schedule, with the nearest one.

    >>> type(fees_named("binance")).__name__
    'BinanceSpot'
    """
    if name not in FEES:
        raise UnknownName("fees", name, FEES)
    return FEES[name]
