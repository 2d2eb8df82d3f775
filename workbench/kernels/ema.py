"""Exponential moving average of the close."""

from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Ema"]

EmaState = namedtuple("EmaState", "n value alpha")


class Ema(Indicator):
    """Exponential mean of closes: value += alpha * (close - value), alpha = 2 / (period + 1).

    Formula: Appel's and the charting packages' usual one. Seeding: the simple mean of the first `period` closes.
    Warm-up: `period` bars.
    """

    period: int = 20

    def init(p: Any) -> Any:
        return EmaState(0, 0.0, 2.0 / (p.period + 1.0))

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        n, value = s.n, s.value
        if n < p.period:
            n += 1
            value += bar.close
            if n == p.period:
                value /= p.period
        else:
            value += s.alpha * (bar.close - value)
        return EmaState(n, value, s.alpha), value if n == p.period else float("nan")
