"""How much worse than the market's price an order without a limit fills.

Lives here: the models, as pure functions of one execution. Not here: which orders slip and within which bounds
(venue.py).
"""

import math
from typing import Final

from workbench.errors import BadValue, UnknownName
from workbench.model.orders import BUY

__all__ = ["SLIPPAGE", "Slippage"]

SLIPPAGE: Final = ("none", "ticks", "rate", "sqrt")


class Slippage:
    """Slippage by a model and its amount:

    - "none";
    - "ticks": so many ticks;
    - "rate": this fraction of the price;
    - "sqrt": this fraction of the price times the square root of the share of the volume that the order takes
      (the square-root law of market impact, as in Almgren et al., "Direct estimation of equity market impact", 2005,
      and Toth et al., Phys. Rev. X 1, 021006, 2011); nothing where no volume is known.

    The result lies on the tick grid, rounded against the order.

    >>> Slippage("ticks", 2).px_e8(1, 100 * 10**8, 10**8, 0, 10**6) / 10**8
    100.02
    >>> Slippage("sqrt", 0.01).px_e8(-1, 100 * 10**8, 25 * 10**8, 100 * 10**8, 10**6) / 10**8
    99.5

    Raises:
        UnknownName: no such model. BadValue: an amount below 0, or of 1 or more where it is a fraction.
    """

    __slots__ = ("amount", "model")

    def __init__(self, model: str = "none", amount: float = 0.0) -> None:
        if model not in SLIPPAGE:
            raise UnknownName("slippage", model, SLIPPAGE)
        if not 0 <= amount < (math.inf if model in ("none", "ticks") else 1):
            raise BadValue("slippage amount", amount, "give a number of 0 or more (a fraction below 1)")
        self.model, self.amount = model, amount

    def __bool__(self) -> bool:
        return self.model != "none" and self.amount > 0

    def px_e8(self, side: int, px_e8: int, qty_e8: int, volume_e8: int, tick_e8: int) -> int:
        """The price after slippage, in 1e-8; never below one tick. `volume_e8` 0 is unknown."""
        if self.model == "ticks":
            worse_e8 = round(self.amount * tick_e8)
        elif self.model == "rate":
            worse_e8 = round(px_e8 * self.amount)
        elif self.model == "sqrt" and volume_e8 > 0:
            worse_e8 = round(px_e8 * self.amount * math.sqrt(qty_e8 / volume_e8))
        else:
            worse_e8 = 0
        if not worse_e8:
            return px_e8
        if side == BUY:
            return -(-(px_e8 + worse_e8) // tick_e8) * tick_e8
        return max((px_e8 - worse_e8) // tick_e8 * tick_e8, tick_e8)
