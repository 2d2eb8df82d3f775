"""Average true range, Wilder's."""

from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Atr"]

AtrState = namedtuple("AtrState", "n prev value")


class Atr(Indicator):
    """Wilder's mean of the true range: max(high - low, |high - previous close|, |low - previous close|).

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Seeding: the simple mean of the first
    `period` true ranges, counted from the second bar (the first has no previous close). Warm-up: `period` + 1 bars.
    """

    period: int = 14

    def init(p: Any) -> Any:
        return AtrState(-1, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        n, value = s.n, s.value
        reach = max(bar.high - bar.low, abs(bar.high - s.prev), abs(bar.low - s.prev))
        if n < 0:
            n = 0
        elif n < p.period:
            n += 1
            value += reach
            if n == p.period:
                value /= p.period
        else:
            value += (reach - value) / p.period
        return AtrState(n, bar.close, value), value if n == p.period else float("nan")
