"""Highest high and lowest low of a window (the Donchian channel)."""

from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Highest", "Lowest"]

ExtremeState = namedtuple("ExtremeState", "n at value")


class Highest(Indicator):
    """The highest high of the last `period` bars, this one included.

    Formula: Donchian's upper channel. Seeding: none. Warm-up: `period` bars. The ring is searched only when the old
    extreme leaves it.
    """

    period: int = 20

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return ExtremeState(0, 0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        n, at, value = s.n, s.at, s.value
        gone = buf[at]
        buf[at] = bar.high
        if n == 0 or bar.high >= value:
            value = bar.high
        elif n == p.period and gone == value:
            value = buf[0]
            for k in range(1, p.period):
                value = max(value, buf[k])
        n = min(n + 1, p.period)
        return ExtremeState(n, (at + 1) % p.period, value), value if n == p.period else float("nan")


class Lowest(Indicator):
    """The lowest low of the last `period` bars, this one included.

    Formula: Donchian's lower channel. Seeding: none. Warm-up: `period` bars. The ring is searched only when the old
    extreme leaves it.
    """

    period: int = 20

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return ExtremeState(0, 0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        n, at, value = s.n, s.at, s.value
        gone = buf[at]
        buf[at] = bar.low
        if n == 0 or bar.low <= value:
            value = bar.low
        elif n == p.period and gone == value:
            value = buf[0]
            for k in range(1, p.period):
                value = min(value, buf[k])
        n = min(n + 1, p.period)
        return ExtremeState(n, (at + 1) % p.period, value), value if n == p.period else float("nan")
