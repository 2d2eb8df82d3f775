"""Average true range, Wilder's."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator

__all__ = ["Atr", "true_range"]

AtrState = namedtuple("AtrState", "n prev value alpha")


def true_range(bar: Any, prev: Any) -> Any:
    """The greatest of high - low, |high - prev| and |low - prev|, where `prev` is the close before."""
    top = bar.high if bar.high > prev else prev
    bottom = bar.low if bar.low < prev else prev
    return top - bottom


class Atr(Indicator):
    """Wilder's mean of the true range: max(high - low, |high - previous close|, |low - previous close|).

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Seeding: the simple mean of the first
    `period` true ranges, counted from the second bar (the first has no previous close); then mean += (range - mean) /
    period. Warm-up: `period` + 1 bars.
    """

    period: int = 14
    price_power = 1

    def init(p: Any) -> Any:
        return AtrState(-1, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, float("nan")
        if s.n < 0:
            return AtrState(0, bar.close, s.value, s.alpha), float("nan")
        n, value = smooth(s.n, s.value, p.period, s.alpha, true_range(bar, s.prev))
        return AtrState(n, bar.close, value, s.alpha), value if n == p.period else float("nan")

    def warm_up(self) -> int:
        return self.period + 1
