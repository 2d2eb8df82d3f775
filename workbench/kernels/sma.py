"""Simple moving average of the close."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator
from workbench.kernels.window import move_mean

__all__ = ["Sma"]

SmaState = namedtuple("SmaState", "at full total")


class Sma(Indicator):
    """Arithmetic mean of the last `period` closes (the rolling mean).

    Formula: sum(close) / period. Seeding: none. Warm-up: `period` bars.
    """

    period: int = 20
    price_power = 1

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SmaState(0, False, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        at, full, total, mean = move_mean(buf, 0, p.period, s.at, s.full, s.total, bar.close)
        return SmaState(at, full, total), mean

    def warm_up(self) -> int:
        return self.period
