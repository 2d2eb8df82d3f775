"""Where the close lies in the range of a window: the stochastic oscillator, and Williams' %R."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.donchian import ChannelState, channel, enter
from workbench.kernels.indicator import Indicator
from workbench.kernels.window import move_mean

__all__ = ["Stochastic", "StochasticLines", "WilliamsR"]

StochasticLines = namedtuple("StochasticLines", "k d")
StochasticState = namedtuple("StochasticState", "at full top bottom k_at k_full k_total d_at d_full d_total")


class Stochastic(Indicator):
    """Slow stochastic: `k` places the close between lowest low (0) and highest high (100), smoothed; `d` is its mean.

    Formula: George Lane. 100 * (close - lowest) / (highest - lowest) over `period` bars, this one included; `k` is its
    simple mean over `smoothing`, `d` that of k over `signal`. (`smoothing` = 1 is the fast form.) Seeding: none.
    Warm-up: `period` + `smoothing` - 1 bars for k, `signal` - 1 more for both. A window without any range counts as
    50, the middle (TA-Lib: 0).
    """

    period: int = 14
    smoothing: int = 3
    signal: int = 3
    limits: ClassVar = {"smoothing": (1, math.inf), "signal": (1, math.inf)}
    price_power = (0, 0)

    def ring(p: Any) -> int:
        return 2 * p.period + p.smoothing + p.signal  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return StochasticState(0, False, -math.inf, -math.inf, 0, False, 0.0, 0, False, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, StochasticLines(float("nan"), float("nan"))
        c = enter(ChannelState(s.at, s.full, s.top, s.bottom), buf, p.period, bar)
        lines = channel(c, buf, p.period)
        k_at, k_full, k_total, k = s.k_at, s.k_full, s.k_total, float("nan")
        d_at, d_full, d_total, d = s.d_at, s.d_full, s.d_total, float("nan")
        if c.full:
            reach = lines.upper - lines.lower
            raw = 100.0 * ((bar.close - lines.lower) / reach) if reach > 0.0 else 50.0
            base = 2 * p.period
            k_at, k_full, k_total, k = move_mean(buf, base, p.smoothing, k_at, k_full, k_total, raw)
            if k_full:
                base += p.smoothing
                d_at, d_full, d_total, d = move_mean(buf, base, p.signal, d_at, d_full, d_total, k)
        state = StochasticState(c.at, c.full, c.top, c.bottom, k_at, k_full, k_total, d_at, d_full, d_total)
        return state, StochasticLines(k, d)

    def warm_up(self) -> int:
        return self.period + self.smoothing + self.signal - 2


class WilliamsR(Indicator):
    """Where the close lies between highest high (0) and lowest low (-100) of the last `period` bars.

    Formula: Larry Williams, How I Made One Million Dollars Last Year Trading Commodities (1973):
    -100 * (highest - close) / (highest - lowest). Seeding: none. Warm-up: `period` bars. A window without any range
    counts as -50, the middle (TA-Lib: 0).
    """

    period: int = 14
    price_power = 0

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return ChannelState(0, False, -math.inf, -math.inf)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low + bar.close):
            return s, float("nan")
        s = enter(s, buf, p.period, bar)
        if not s.full:
            return s, float("nan")
        lines = channel(s, buf, p.period)
        reach = lines.upper - lines.lower
        return s, -100.0 * ((lines.upper - bar.close) / reach) if reach > 0.0 else -50.0

    def warm_up(self) -> int:
        return self.period
