"""Relative strength index: Wilder's, and Cutler's with simple means."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator
from workbench.kernels.window import fold_sum

__all__ = ["BalanceState", "CutlerRsi", "Rsi", "weigh"]

RsiState = namedtuple("RsiState", "n prev up down alpha")
BalanceState = namedtuple("BalanceState", "at full began prev up down")


class Rsi(Indicator):
    """100 * up / (up + down), where up and down are Wilder's means of the rises and falls of the close.

    Formula: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Seeding: the simple means of the
    first `period` changes; then mean += (change - mean) / period. Warm-up: `period` + 1 bars. With no movement at
    all in memory (up = down = 0) the answer is 50, neither strong nor weak (TA-Lib says 0).
    """

    period: int = 14
    price_power = 0

    def init(p: Any) -> Any:
        return RsiState(-1, 0.0, 0.0, 0.0, 1.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        if s.n < 0:
            return RsiState(0, bar.close, s.up, s.down, s.alpha), float("nan")
        change = bar.close - s.prev
        rise = change if change > 0.0 else 0.0
        fall = -change if change < 0.0 else 0.0
        n, up = smooth(s.n, s.up, p.period, s.alpha, rise)
        n, down = smooth(s.n, s.down, p.period, s.alpha, fall)
        value = float("nan")
        if n == p.period:
            both = up + down
            value = 100.0 * (up / both) if both > 0.0 else 50.0
        return RsiState(n, bar.close, up, down, s.alpha), value

    def warm_up(self) -> int:
        return self.period + 1


def weigh(s: Any, buf: Any, period: Any, prev: Any, rise: Any, fall: Any) -> Any:
    """The state after a rise or a fall enters, and the share of rises in percent: NaN until full, 50 without any.

    `buf` holds `period` rises, then as many falls (see `window.py`).
    """
    at, full = s.at + 1, s.full
    up = s.up + rise
    down = s.down + fall
    buf[s.at] = rise
    buf[period + s.at] = fall
    if at == period:
        at = 0
        full = True
        up = 0.0
        down = 0.0
        fold_sum(buf, 0, period)
        fold_sum(buf, period, period)
    value = float("nan")
    if full:
        rises = up + buf[at]
        both = rises + (down + buf[period + at])
        value = 100.0 * (rises / both) if both > 0.0 else 50.0
    return BalanceState(at, full, True, prev, up, down), value


class CutlerRsi(Indicator):
    """100 * up / (up + down), where up and down are simple means of the last `period` rises and falls of the close.

    Formula: David Cutler's variant of Wilder's index, whose value depends on the last `period` changes only.
    Seeding: none. Warm-up: `period` + 1 bars. With no movement in the window the answer is 50.
    """

    period: int = 14
    price_power = 0

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return BalanceState(0, False, False, 0.0, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        if not s.began:
            return BalanceState(s.at, s.full, True, bar.close, s.up, s.down), float("nan")
        change = bar.close - s.prev
        rise = change if change > 0.0 else 0.0
        fall = -change if change < 0.0 else 0.0
        return weigh(s, buf, p.period, bar.close, rise, fall)

    def warm_up(self) -> int:
        return self.period + 1
