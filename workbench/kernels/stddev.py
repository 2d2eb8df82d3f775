"""Spread of the close over a window: deviation, z-score, and the moving sums Bollinger shares."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator
from workbench.kernels.window import fold_squares

__all__ = ["SpreadState", "StdDev", "ZScore", "mean_and_deviation", "slide"]

# `about` is the last close of the block before; `one` and `two` sum the new block's distances from it and their squares
SpreadState = namedtuple("SpreadState", "at full about one two share")


def slide(s: Any, buf: Any, period: Any, close: Any) -> Any:
    """The state after `close` enters; `buf` holds `2 * period` numbers (see `window.py`)."""
    at, full, about = s.at + 1, s.full, s.about
    apart = close - about
    one = s.one + apart
    two = s.two + apart * apart
    buf[s.at] = close
    if at == period:
        at = 0
        full = True
        about = close
        one = 0.0
        two = 0.0
        fold_squares(buf, period, about)
    return SpreadState(at, full, about, one, two, s.share)


def mean_and_deviation(s: Any, buf: Any, period: Any) -> Any:
    """Mean and population deviation of the window, once it is full."""
    one = s.one + buf[s.at]
    mean = one * s.share
    squares = (s.two + buf[period + s.at]) * s.share - mean * mean
    return s.about + mean, math.sqrt(squares if squares > 0.0 else 0.0)


class StdDev(Indicator):
    """Population standard deviation of the last `period` closes (divided by `period`, not by `period` - 1).

    Formula: sqrt(mean((close - mean)^2)). Seeding: none. Warm-up: `period` bars.
    """

    period: int = 20
    price_power = 1

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SpreadState(0, False, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        s = slide(s, buf, p.period, bar.close)
        if not s.full:
            return s, float("nan")
        _, deviation = mean_and_deviation(s, buf, p.period)
        return s, deviation

    def warm_up(self) -> int:
        return self.period


class ZScore(Indicator):
    """How many deviations the close lies above the mean of the last `period` closes, this one included.

    Formula: (close - mean) / population deviation. Seeding: none. Warm-up: `period` bars. Without any spread in the
    window the answer is 0: the close is at its mean.
    """

    period: int = 20
    price_power = 0

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SpreadState(0, False, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        s = slide(s, buf, p.period, bar.close)
        if not s.full:
            return s, float("nan")
        mean, deviation = mean_and_deviation(s, buf, p.period)
        return s, (bar.close - mean) / deviation if deviation > 0.0 else 0.0

    def warm_up(self) -> int:
        return self.period
