"""The close against the close `period` bars before: as a difference, and in percent."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Momentum", "Roc"]

DelayState = namedtuple("DelayState", "at full")


class Momentum(Indicator):
    """The close less the close `period` bars before.

    Formula: close - close[period]. Seeding: none. Warm-up: `period` + 1 bars.
    """

    period: int = 10
    price_power = 1

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return DelayState(0, False)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        value = bar.close - buf[s.at] if s.full else float("nan")
        return delay(s, buf, p.period, bar.close), value

    def warm_up(self) -> int:
        return self.period + 1


class Roc(Indicator):
    """Rate of change: by how many percent the close lies above the close `period` bars before.

    Formula: 100 * (close / close[period] - 1). Seeding: none. Warm-up: `period` + 1 bars.
    """

    period: int = 10
    price_power = 0

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return DelayState(0, False)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        value = 100.0 * (bar.close / buf[s.at] - 1.0) if s.full else float("nan")
        return delay(s, buf, p.period, bar.close), value

    def warm_up(self) -> int:
        return self.period + 1


def delay(s: Any, buf: Any, period: Any, close: Any) -> Any:
    """The state after `close` takes the place of the oldest."""
    buf[s.at] = close
    at = s.at + 1
    if at == period:
        return DelayState(0, True)
    return DelayState(at, s.full)
