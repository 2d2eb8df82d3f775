"""Bollinger bands."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator
from workbench.kernels.stddev import SpreadState, slide

__all__ = ["Bands", "Bollinger"]

Bands = namedtuple("Bands", "upper middle lower")


class Bollinger(Indicator):
    """A moving average with a band of `width` standard deviations on both sides: `upper`, `middle`, `lower`.

    Formula: John Bollinger, Bollinger on Bollinger Bands (2001), with the population deviation. Seeding: none.
    Warm-up: `period` bars.
    """

    period: int = 20
    width: float = 2.0

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SpreadState(0, 0, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        s = slide(s, buf, bar.close)
        if s.n < p.period:
            return s, Bands(float("nan"), float("nan"), float("nan"))
        reach = p.width * math.sqrt(s.squares / p.period)
        return s, Bands(s.mean + reach, s.mean, s.mean - reach)
