"""Standard deviation of the close over a window, and the sliding sums Bollinger shares."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["SpreadState", "StdDev", "slide"]

SpreadState = namedtuple("SpreadState", "n at mean squares")


def slide(s: Any, buf: Any, close: Any) -> Any:
    """The state after `close` enters the ring `buf`: mean and the sum of squared distances from it.

    Moved by Welford's update and added up afresh each time the ring wraps, so rounding never builds up.
    """
    period = buf.shape[0]
    n, at, mean, squares = s.n, s.at, s.mean, s.squares
    if n < period:
        n += 1
        step = close - mean
        mean += step / n
        squares += step * (close - mean)
    else:
        old = buf[at]
        before = mean
        mean += (close - old) / period
        squares += (close - old) * (close - mean + old - before)
    buf[at] = close
    at += 1
    if at == period:
        at = 0
        total = 0.0
        for k in range(period):
            total += buf[k]
        mean = total / period
        squares = 0.0
        for k in range(period):
            squares += (buf[k] - mean) * (buf[k] - mean)
    return SpreadState(n, at, mean, squares if squares > 0.0 else 0.0)


class StdDev(Indicator):
    """Population standard deviation of the last `period` closes (divided by `period`, not by `period` - 1).

    Formula: sqrt(mean((close - mean)^2)). Seeding: none. Warm-up: `period` bars.
    """

    period: int = 20

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SpreadState(0, 0, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        s = slide(s, buf, bar.close)
        return s, math.sqrt(s.squares / p.period) if s.n == p.period else float("nan")
