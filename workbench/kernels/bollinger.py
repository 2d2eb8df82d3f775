"""Bollinger bands."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import Indicator
from workbench.kernels.stddev import SpreadState, mean_and_deviation, slide

__all__ = ["Bands", "Bollinger"]

Bands = namedtuple("Bands", "upper middle lower")


class Bollinger(Indicator):
    """A moving average with a band of `width` standard deviations on both sides: `upper`, `middle`, `lower`.

    Formula: John Bollinger, Bollinger on Bollinger Bands (2001), with the population deviation. Seeding: none.
    Warm-up: `period` bars.
    """

    period: int = 20
    width: float = 2.0
    limits: ClassVar = {"width": (0.0, math.inf)}
    price_power = (1, 1, 1)

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SpreadState(0, False, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, Bands(float("nan"), float("nan"), float("nan"))
        s = slide(s, buf, p.period, bar.close)
        if not s.full:
            return s, Bands(float("nan"), float("nan"), float("nan"))
        middle, deviation = mean_and_deviation(s, buf, p.period)
        reach = p.width * deviation
        return s, Bands(middle + reach, middle, middle - reach)

    def warm_up(self) -> int:
        return self.period
