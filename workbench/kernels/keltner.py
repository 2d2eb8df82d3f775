"""Keltner channel: an average with a band of true ranges."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.atr import true_range
from workbench.kernels.bollinger import Bands
from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator

__all__ = ["Keltner"]

KeltnerState = namedtuple("KeltnerState", "n middle m prev reach alpha alpha_reach")


class Keltner(Indicator):
    """An EMA of the close (`middle`) with a band of `width` average true ranges on both sides (`upper`, `lower`).

    Formula: Chester Keltner's channel in Linda Bradford Raschke's form: EMA(`period`) and Wilder's ATR(`atr_period`).
    Seeding: that of `Ema` and `Atr`. Warm-up: the later of `period` and `atr_period` + 1 bars.
    """

    period: int = 20
    width: float = 2.0
    atr_period: int = 10
    limits: ClassVar = {"width": (0, math.inf), "atr_period": (1, math.inf)}
    price_power = (1, 1, 1)

    def init(p: Any) -> Any:
        return KeltnerState(0, 0.0, -1, 0.0, 0.0, 2.0 / (p.period + 1.0), 1.0 / p.atr_period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, Bands(float("nan"), float("nan"), float("nan"))
        m, reach = s.m + 1, s.reach
        if m > 0:
            m, reach = smooth(s.m, reach, p.atr_period, s.alpha_reach, true_range(bar, s.prev))
        n, middle = smooth(s.n, s.middle, p.period, s.alpha, bar.close)
        state = KeltnerState(n, middle, m, bar.close, reach, s.alpha, s.alpha_reach)
        if n < p.period or m < p.atr_period:
            return state, Bands(float("nan"), float("nan"), float("nan"))
        return state, Bands(middle + p.width * reach, middle, middle - p.width * reach)

    def warm_up(self) -> int:
        return max(self.period, self.atr_period + 1)
