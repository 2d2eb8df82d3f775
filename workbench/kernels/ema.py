"""Exponential moving averages of the close: single, double, triple; and the smoothing all others are made of."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Dema", "Ema", "Tema", "smooth"]

EmaState = namedtuple("EmaState", "n value alpha")
DemaState = namedtuple("DemaState", "n first m second alpha")
TemaState = namedtuple("TemaState", "n first m second k third alpha")


def smooth(n: Any, mean: Any, period: Any, alpha: Any, value: Any) -> Any:
    """An exponential mean and the count behind it after `value`; known once the count is `period`.

    Seeded with the simple mean of the first `period` values, then mean += alpha * (value - mean). With
    alpha = 2 / (period + 1) it is the usual EMA, with 1 / period Wilder's.
    """
    if n < period:
        n += 1
        mean += value
        if n == period:
            mean /= period
    else:
        mean += alpha * (value - mean)
    return n, mean


class Ema(Indicator):
    """Exponential mean of closes: value += alpha * (close - value), alpha = 2 / (period + 1).

    Formula: Appel's and the charting packages' usual one. Seeding: the simple mean of the first `period` closes.
    Warm-up: `period` bars.
    """

    period: int = 20
    price_power = 1

    def init(p: Any) -> Any:
        return EmaState(0, 0.0, 2.0 / (p.period + 1.0))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        n, value = smooth(s.n, s.value, p.period, s.alpha, bar.close)
        return EmaState(n, value, s.alpha), value if n == p.period else float("nan")

    def warm_up(self) -> int:
        return self.period


class Dema(Indicator):
    """Double exponential mean, which lags less: 2 * EMA - EMA of the EMA.

    Formula: Patrick Mulloy, Technical Analysis of Stocks & Commodities (1994). Seeding: each mean with the simple mean
    of its own first `period` values, as TA-Lib does (others seed both with the first closes). Warm-up: 2 * `period` - 1
    bars.
    """

    period: int = 20
    price_power = 1

    def init(p: Any) -> Any:
        return DemaState(0, 0.0, 0, 0.0, 2.0 / (p.period + 1.0))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        m, second = s.m, s.second
        n, first = smooth(s.n, s.first, p.period, s.alpha, bar.close)
        if n == p.period:
            m, second = smooth(m, second, p.period, s.alpha, first)
        value = 2.0 * first - second if m == p.period else float("nan")
        return DemaState(n, first, m, second, s.alpha), value

    def warm_up(self) -> int:
        return 2 * self.period - 1


class Tema(Indicator):
    """Triple exponential mean: 3 * EMA - 3 * EMA of the EMA + EMA of that.

    Formula: Patrick Mulloy, Technical Analysis of Stocks & Commodities (1994). Seeding: each mean with the simple mean
    of its own first `period` values, as TA-Lib does (others seed all with the first closes). Warm-up: 3 * `period` - 2
    bars.
    """

    period: int = 20
    price_power = 1

    def init(p: Any) -> Any:
        return TemaState(0, 0.0, 0, 0.0, 0, 0.0, 2.0 / (p.period + 1.0))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        m, second, k, third = s.m, s.second, s.k, s.third
        n, first = smooth(s.n, s.first, p.period, s.alpha, bar.close)
        if n == p.period:
            m, second = smooth(m, second, p.period, s.alpha, first)
            if m == p.period:
                k, third = smooth(k, third, p.period, s.alpha, second)
        value = 3.0 * first - 3.0 * second + third if k == p.period else float("nan")
        return TemaState(n, first, m, second, k, third, s.alpha), value

    def warm_up(self) -> int:
        return 3 * self.period - 2
