"""Relative strength index, Wilder's."""

from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Rsi"]

RsiState = namedtuple("RsiState", "n prev up down alpha")


class Rsi(Indicator):
    """100 * up / (up + down), where up and down are Wilder's means of the rises and falls of the close.

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Seeding: the simple means of the
    first `period` changes; then mean += (change - mean) / period. Warm-up: `period` + 1 bars. With no movement at
    all in memory (up = down = 0) the answer is 50: neither strong nor weak.
    """

    period: int = 14

    def init(p: Any) -> Any:
        return RsiState(-1, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        n, up, down = s.n, s.up, s.down
        change = bar.close - s.prev
        rise = change if change > 0.0 else 0.0
        fall = -change if change < 0.0 else 0.0
        if n < 0:
            n = 0
        elif n < p.period:
            n += 1
            up += rise * s.alpha
            down += fall * s.alpha
        else:
            up += (rise - up) * s.alpha
            down += (fall - down) * s.alpha
        value = float("nan")
        if n == p.period:
            both = up + down
            value = 100.0 * (up / both) if both > 0.0 else 50.0
        return RsiState(n, bar.close, up, down, s.alpha), value
