"""Volatility of returns with exponential weights."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import Indicator

__all__ = ["EwmaVolatility"]

VolatilityState = namedtuple("VolatilityState", "n prev squares weight scale")


class EwmaVolatility(Indicator):
    """Root of the exponentially weighted mean of squared log returns: per bar, or a year's with `bars_a_year`.

    Formula: J.P. Morgan and Reuters, RiskMetrics Technical Document (1996): weights `decay`^k, mean return taken as 0;
    times sqrt(`bars_a_year`), so 1 means per bar (daily bars: 252; minutes of a 6.5 h session: 252 * 390). Seeding:
    none; the weights of the returns seen so far are made to add up to 1. Warm-up: `settle` + 1 bars. A close of 0 or
    less is left out like one that is no number.
    """

    decay: float = 0.94
    bars_a_year: float = 1.0
    settle: int = 20
    limits: ClassVar = {"decay": (0, 1), "bars_a_year": (0, math.inf), "settle": (1, math.inf)}
    price_power = 0

    def init(p: Any) -> Any:
        return VolatilityState(-1, 0.0, 0.0, 0.0, math.sqrt(p.bars_a_year))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not (bar.close > 0.0 and math.isfinite(bar.close)):
            return s, float("nan")
        if s.n < 0:
            return VolatilityState(0, bar.close, s.squares, s.weight, s.scale), float("nan")
        move = math.log(bar.close / s.prev)
        squares = p.decay * s.squares + move * move
        weight = p.decay * s.weight + 1.0
        n = s.n + 1 if s.n < p.settle else s.n
        value = s.scale * math.sqrt(squares / weight) if n == p.settle else float("nan")
        return VolatilityState(n, bar.close, squares, weight, s.scale), value

    def warm_up(self) -> int:
        return self.settle + 1
