"""Simple moving average of the close."""

from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Sma"]

SmaState = namedtuple("SmaState", "n at total")


class Sma(Indicator):
    """Arithmetic mean of the last `period` closes.

    Formula: sum(close) / period. Seeding: none. Warm-up: `period` bars, the first value is on bar `period` (index
    `period - 1`). The running sum is added up afresh each time the ring wraps, so rounding never builds up.
    """

    period: int = 20

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return SmaState(0, 0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        period = p.period
        n, at, total = s.n, s.at, s.total
        if n < period:
            total += bar.close
            n += 1
        else:
            total += bar.close - buf[at]
        buf[at] = bar.close
        at += 1
        if at == period:
            at = 0
            total = 0.0
            for k in range(period):
                total += buf[k]
        value = total / period if n == period else float("nan")
        return SmaState(n, at, total), value
