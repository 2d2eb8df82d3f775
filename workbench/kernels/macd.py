"""Moving average convergence and divergence."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.ema import smooth
from workbench.kernels.indicator import Indicator

__all__ = ["Macd", "MacdLines"]

MacdLines = namedtuple("MacdLines", "macd signal histogram")
MacdState = namedtuple("MacdState", "n quick m slow k signal alpha_quick alpha_slow alpha_signal")


class Macd(Indicator):
    """`macd`: EMA(`fast`) - EMA(`slow`) of the close; `signal`: its EMA(`smoothing`); `histogram`: their difference.

    Formula: Gerald Appel (1979). Seeding: each mean with the simple mean of its own first values: the fast one of the
    first `fast` closes, the slow one of the first `slow`, the signal of the first `smoothing` values of macd. TA-Lib
    starts the fast mean later, with the closes up to `slow`: it differs at first, by less than 1e-9 of the price some
    300 bars on (12, 26, 9). Warm-up: the later of `fast` and `slow` for macd, `smoothing` - 1 bars more for all three.
    """

    fast: int = 12
    slow: int = 26
    smoothing: int = 9
    limits: ClassVar = {"fast": (1, math.inf), "slow": (1, math.inf), "smoothing": (1, math.inf)}
    price_power = (1, 1, 1)

    def init(p: Any) -> Any:
        return MacdState(
            0, 0.0, 0, 0.0, 0, 0.0, 2.0 / (p.fast + 1.0), 2.0 / (p.slow + 1.0), 2.0 / (p.smoothing + 1.0)
        )

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, MacdLines(float("nan"), float("nan"), float("nan"))
        k, signal = s.k, s.signal
        n, quick = smooth(s.n, s.quick, p.fast, s.alpha_quick, bar.close)
        m, slow = smooth(s.m, s.slow, p.slow, s.alpha_slow, bar.close)
        macd, shown = float("nan"), float("nan")
        if n == p.fast and m == p.slow:
            macd = quick - slow
            k, signal = smooth(k, signal, p.smoothing, s.alpha_signal, macd)
            if k == p.smoothing:
                shown = signal
        state = MacdState(n, quick, m, slow, k, signal, s.alpha_quick, s.alpha_slow, s.alpha_signal)
        return state, MacdLines(macd, shown, macd - shown)

    def warm_up(self) -> int:
        return max(self.fast, self.slow) + self.smoothing - 1
