"""Volume with a direction: on-balance volume, and the money flow index."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator
from workbench.kernels.rsi import BalanceState, weigh

__all__ = ["Mfi", "Obv"]

ObvState = namedtuple("ObvState", "began prev total")


class Obv(Indicator):
    """On-balance volume: the volume of bars that closed higher less that of bars that closed lower.

    Formula: Joseph Granville, New Key to Stock Market Profits (1963). Seeding: the first bar's volume, as TA-Lib does
    (others start at 0; only changes of this figure mean anything). Warm-up: 1 bar. A running sum by nature: volumes
    that are not whole numbers round as they add up.
    """

    price_power = 0

    def init(p: Any) -> Any:
        return ObvState(False, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close + bar.volume):
            return s, float("nan")
        sign = 1.0
        if s.began:
            sign = (1.0 if bar.close > s.prev else 0.0) - (1.0 if bar.close < s.prev else 0.0)
        total = s.total + sign * bar.volume
        return ObvState(True, bar.close, total), total


class Mfi(Indicator):
    """Money flow index: an RSI of typical price times volume, 0 to 100.

    Formula: Gene Quong and Avrum Soudack, Technical Analysis of Stocks & Commodities (1989): 100 * up / (up + down),
    the sums over `period` bars of typical price (high + low + close) / 3 times volume, where the typical price rose or
    fell. Seeding: none. Warm-up: `period` + 1 bars. Without any flow in the window the answer is 50 (TA-Lib: 0, as for
    all flow of less than 1 in sum).
    """

    period: int = 14
    price_power = 0

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return BalanceState(0, False, False, 0.0, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        typical = (bar.high + bar.low + bar.close) / 3.0
        if not math.isfinite(typical + bar.volume):
            return s, float("nan")
        if not s.began:
            return BalanceState(s.at, s.full, True, typical, s.up, s.down), float("nan")
        flow = typical * bar.volume
        least = 1e-12 * typical  # less is rounding: sums of equal prices in another order
        rise = flow if typical - s.prev > least else 0.0
        fall = flow if s.prev - typical > least else 0.0
        return weigh(s, buf, p.period, typical, rise, fall)

    def warm_up(self) -> int:
        return self.period + 1
