"""Parabolic stop and reverse."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import Indicator

__all__ = ["ParabolicSar"]

SarState = namedtuple("SarState", "n rising stop extreme factor high low")


class ParabolicSar(Indicator):
    """Wilder's parabolic stop: below the price while it rises, above while it falls, and closing in on it.

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). stop += factor * (extreme - stop),
    where the factor grows by `acceleration` with each new extreme up to `maximum`; the stop never enters the range of
    the last two bars, and a bar that touches it turns it to the extreme. Seeding: as TA-Lib does it, falling
    when the second bar's low falls further than its high rises, else rising; the first stop is the first bar's high or
    low. Warm-up: 2 bars.
    """

    acceleration: float = 0.02
    maximum: float = 0.2
    limits: ClassVar = {"acceleration": (0, math.inf), "maximum": (0, math.inf)}
    price_power = 1

    def init(p: Any) -> Any:
        return SarState(0, True, 0.0, 0.0, 0.0, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low):
            return s, float("nan")
        first = p.acceleration if p.acceleration < p.maximum else p.maximum
        n, rising, stop, extreme, factor = s.n, s.rising, s.stop, s.extreme, s.factor
        high, low = s.high, s.low
        if n == 0:
            return SarState(1, True, 0.0, 0.0, first, bar.high, bar.low), float("nan")
        if n == 1:
            n = 2
            rising = not (low - bar.low > 0.0 and low - bar.low > bar.high - high)
            stop = low if rising else high
            extreme = bar.high if rising else bar.low
            high = bar.high
            low = bar.low
        # the falling side is the rising one with all signs turned
        sign = 1.0 if rising else -1.0
        near = bar.low if rising else -bar.high  # the side towards the stop: this bar's, and the bar's before
        near_before = low if rising else -high
        far = bar.high if rising else -bar.low
        far_before = high if rising else -low
        stop *= sign
        extreme *= sign
        if near <= stop:
            stop = extreme if extreme > far_before else far_before
            stop = stop if stop > far else far
            shown = sign * stop
            factor = first
            extreme = near
            stop += factor * (extreme - stop)
            stop = stop if stop > far_before else far_before
            stop = stop if stop > far else far
            rising = not rising
        else:
            shown = sign * stop
            grown = factor + p.acceleration
            grown = grown if grown < p.maximum else p.maximum
            factor = grown if far > extreme else factor
            extreme = far if far > extreme else extreme
            stop += factor * (extreme - stop)
            stop = stop if stop < near_before else near_before
            stop = stop if stop < near else near
        return SarState(n, rising, sign * stop, sign * extreme, factor, bar.high, bar.low), shown

    def warm_up(self) -> int:
        return 2
