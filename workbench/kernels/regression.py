"""Straight lines through the closes of a window: their slope on time, and the linearly weighted mean they share."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import Indicator

__all__ = ["Slope", "Wma"]

# `one` sums the new block's distances from `about`, `ramp` the same weighted 1, 2, 3 ... from its first place
RampState = namedtuple("RampState", "at full about one ramp share")


def climb(s: Any, buf: Any, period: Any, close: Any) -> Any:
    """The state after `close` enters; `buf` holds sums of a window's rest, then the same weighted (see `window.py`)."""
    at, full, about = s.at + 1, s.full, s.about
    apart = close - about
    one = s.one + apart
    ramp = s.ramp + at * apart
    buf[s.at] = close
    if at == period:
        at = 0
        full = True
        about = close
        one = 0.0
        ramp = 0.0
        for k in range(period - 1, -1, -1):
            one += buf[k] - about
            ramp += one
            buf[k] = one
            buf[period + k] = ramp
        one = 0.0
        ramp = 0.0
    return RampState(at, full, about, one, ramp, s.share)


def weighted(s: Any, buf: Any, period: Any) -> Any:
    """The window's distances from `about`, summed with weights 1 (oldest) to `period` (newest)."""
    return buf[period + s.at] + ((period - s.at) * s.one + s.ramp)


class Wma(Indicator):
    """Linearly weighted mean of the last `period` closes: the newest counts `period` times, the oldest once.

    Formula: sum(weight * close) / sum(weight). Seeding: none. Warm-up: `period` bars.
    """

    period: int = 20
    price_power = 1

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return RampState(0, False, 0.0, 0.0, 0.0, 2.0 / (p.period * (p.period + 1.0)))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        s = climb(s, buf, p.period, bar.close)
        return s, s.about + weighted(s, buf, p.period) * s.share if s.full else float("nan")

    def warm_up(self) -> int:
        return self.period


class Slope(Indicator):
    """Slope of the least-squares line through the last `period` closes, in price a bar.

    Formula: least squares of the close on 1, 2, ... `period`. Seeding: none. Warm-up: `period` bars (2 or more).
    """

    period: int = 20
    limits: ClassVar = {"period": (2, math.inf)}
    price_power = 1

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return RampState(0, False, 0.0, 0.0, 0.0, 12.0 / (p.period * (p.period * p.period - 1.0)))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        s = climb(s, buf, p.period, bar.close)
        if not s.full:
            return s, float("nan")
        total = s.one + buf[s.at]
        return s, (weighted(s, buf, p.period) - 0.5 * (p.period + 1.0) * total) * s.share

    def warm_up(self) -> int:
        return self.period
