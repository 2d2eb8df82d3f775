"""Commodity channel index."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Cci"]

CciState = namedtuple("CciState", "n at share")


class Cci(Indicator):
    """How far the typical price lies from its mean, in units of 0.015 mean absolute deviations.

    Formula: Donald Lambert, Commodities (1980): (typical - mean) / (0.015 * mean |typical - mean|), typical =
    (high + low + close) / 3, over `period` bars. Seeding: none. Warm-up: `period` bars. Without any deviation the
    answer is 0. The absolute deviations have no running form: each bar costs `period` steps.
    """

    period: int = 20
    price_power = 0

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return CciState(0, 0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        period = p.period
        typical = (bar.high + bar.low + bar.close) / 3.0
        if not math.isfinite(typical):
            return s, float("nan")
        n = s.n + 1 if s.n < period else s.n
        buf[s.at] = typical
        at = s.at + 1 if s.at + 1 < period else 0
        value = float("nan")
        if n == period:
            # sums of distances from the newest: a window that does not move has none, to the last bit. Four side by
            # side: one alone waits for each addition before the next
            whole = period - period % 4
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            for k in range(0, whole, 4):
                a += buf[k] - typical
                b += buf[k + 1] - typical
                c += buf[k + 2] - typical
                d += buf[k + 3] - typical
            for k in range(whole, period):
                a += buf[k] - typical
            apart = ((a + b) + (c + d)) * s.share
            mean = typical + apart
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            for k in range(0, whole, 4):
                a += abs(buf[k] - mean)
                b += abs(buf[k + 1] - mean)
                c += abs(buf[k + 2] - mean)
                d += abs(buf[k + 3] - mean)
            for k in range(whole, period):
                a += abs(buf[k] - mean)
            deviation = ((a + b) + (c + d)) * s.share
            value = -apart / (0.015 * deviation) if deviation > 0.0 else 0.0
        return CciState(n, at, s.share), value

    def warm_up(self) -> int:
        return self.period
