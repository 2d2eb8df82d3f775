"""Directional movement: how strong a trend is, and which way it goes."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.atr import true_range
from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator

__all__ = ["Adx", "Directions"]

Directions = namedtuple("Directions", "adx plus_di minus_di")
AdxState = namedtuple("AdxState", "n high low prev reach plus minus m adx alpha")


class Adx(Indicator):
    """Wilder's directional movement: `plus_di` and `minus_di` (0 to 100), and `adx`, how far they are apart on average.

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Seeding: true range and movements with
    the simple means of their first `period` values, adx with that of its first `period`; then Wilder's means. TA-Lib
    smooths the last of the first values instead of adding it: it differs by (1 - 1 / period) a bar less, below 1e-9
    some 400 bars on (14). Warm-up: `period` + 1 bars for the two lines, 2 * `period` for all three. Without any
    movement the lines and what enters adx are 0.
    """

    period: int = 14
    price_power = (0, 0, 0)

    def init(p: Any) -> Any:
        return AdxState(-1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        unknown = float("nan")
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, Directions(unknown, unknown, unknown)
        if s.n < 0:
            state = AdxState(0, bar.high, bar.low, bar.close, s.reach, s.plus, s.minus, s.m, s.adx, s.alpha)
            return state, Directions(unknown, unknown, unknown)
        rise = bar.high - s.high
        fall = s.low - bar.low
        n, reach = smooth(s.n, s.reach, p.period, s.alpha, true_range(bar, s.prev))
        n, plus = smooth(s.n, s.plus, p.period, s.alpha, rise if rise > fall and rise > 0.0 else 0.0)
        n, minus = smooth(s.n, s.minus, p.period, s.alpha, fall if fall > rise and fall > 0.0 else 0.0)
        m, adx = s.m, s.adx
        shown, up, down = unknown, unknown, unknown
        if n == p.period:
            up = 100.0 * (plus / reach) if reach > 0.0 else 0.0
            down = 100.0 * (minus / reach) if reach > 0.0 else 0.0
            both = plus + minus
            m, adx = smooth(
                m, adx, p.period, s.alpha, 100.0 * (abs(plus - minus) / both) if both > 0.0 else 0.0
            )
            if m == p.period:
                shown = adx
        state = AdxState(n, bar.high, bar.low, bar.close, reach, plus, minus, m, adx, s.alpha)
        return state, Directions(shown, up, down)

    def warm_up(self) -> int:
        return 2 * self.period
