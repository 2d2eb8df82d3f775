"""SuperTrend: a trailing line that changes sides with the trend."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.atr import true_range
from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator

__all__ = ["SuperTrend", "Trend"]

Trend = namedtuple("Trend", "line direction")
TrendState = namedtuple("TrendState", "n prev reach upper lower direction alpha")


class SuperTrend(Indicator):
    """`line`: below the price in a rising trend, above it in a falling one; `direction`: 1 or -1.

    Formula: Olivier Seban. Bands of `width` average true ranges about (high + low) / 2; in a trend its band only moves
    towards the price; a close at or below the lower band turns a rising trend, one above the upper band a falling one.
    Seeding: Wilder's ATR of `period`; on the first bar that has one the trend rises when the close is at or above the
    middle of the bar. Warm-up: `period` + 1 bars.
    """

    period: int = 10
    width: float = 3.0
    limits: ClassVar = {"width": (0, math.inf)}
    price_power = (1, 0)

    def init(p: Any) -> Any:
        return TrendState(-1, 0.0, 0.0, math.inf, -math.inf, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, Trend(float("nan"), float("nan"))
        n, reach = s.n + 1, s.reach
        if n > 0:
            n, reach = smooth(s.n, reach, p.period, s.alpha, true_range(bar, s.prev))
        if n < p.period:
            state = TrendState(n, bar.close, reach, s.upper, s.lower, s.direction, s.alpha)
            return state, Trend(float("nan"), float("nan"))
        middle = 0.5 * (bar.high + bar.low)
        upper = middle + p.width * reach
        lower = middle - p.width * reach
        upper = upper if upper < s.upper or s.prev > s.upper else s.upper
        lower = lower if lower > s.lower or s.prev < s.lower else s.lower
        rising = s.direction > 0.0
        if s.direction == 0.0:
            rising = bar.close >= middle
        direction = 1.0 if bar.close > (lower if rising else upper) else -1.0
        state = TrendState(n, bar.close, reach, upper, lower, direction, s.alpha)
        return state, Trend(lower if direction > 0.0 else upper, direction)

    def warm_up(self) -> int:
        return self.period + 1
