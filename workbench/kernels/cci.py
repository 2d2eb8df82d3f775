"""Commodity channel index."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Cci"]

CciState = namedtuple("CciState", "at full about total share")


class Cci(Indicator):
    """How far the typical price lies from its mean, in units of 0.015 mean absolute deviations.

    Formula: Donald Lambert, Commodities (1980): (typical - mean) / (0.015 * mean |typical - mean|), typical =
    (high + low + close) / 3, over `period` bars. Seeding: none. Warm-up: `period` bars. Without any deviation the
    answer is 0. The absolute deviations have no running form: each bar costs `period` steps.
    """

    period: int = 20
    price_power = 0

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return CciState(0, False, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        period = p.period
        typical = (bar.high + bar.low + bar.close) / 3.0
        if not math.isfinite(typical):
            return s, float("nan")
        # the mean by blocks (see `window.py`), about the newest of the block before; the prices themselves stay as well
        at, full, about = s.at + 1, s.full, s.about
        total = s.total + (typical - about)
        buf[s.at] = typical
        if at == period:
            at = 0
            full = True
            about = typical
            total = 0.0
            for k in range(period - 1, -1, -1):
                total += buf[k] - about
                buf[period + k] = total
            total = 0.0
        state = CciState(at, full, about, total, s.share)
        if not full:
            return state, float("nan")
        mean = about + (total + buf[period + at]) * s.share
        # four sums side by side: one alone would wait for each addition before the next
        whole = period - period % 4
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for k in range(0, whole, 4):
            a += abs(buf[k] - mean)
            b += abs(buf[k + 1] - mean)
            c += abs(buf[k + 2] - mean)
            d += abs(buf[k + 3] - mean)
        for k in range(whole, period):
            a += abs(buf[k] - mean)
        deviation = ((a + b) + (c + d)) * s.share
        return state, (typical - mean) / (0.015 * deviation) if deviation > 0.0 else 0.0

    def warm_up(self) -> int:
        return self.period
