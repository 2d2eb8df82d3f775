"""Highest and lowest of a window: the Donchian channel, its two sides alone, and the same of the close."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator
from workbench.kernels.window import fold_max

__all__ = ["Channel", "Donchian", "Highest", "Lowest", "RollingMax", "RollingMin"]

Channel = namedtuple("Channel", "upper middle lower")
ExtremeState = namedtuple("ExtremeState", "at full top")
ChannelState = namedtuple("ChannelState", "at full top bottom")


def highest(s: Any, buf: Any, period: Any, value: Any) -> Any:
    """The state after `value` enters, and the greatest in the window (NaN until it is full).

    The lowest is the highest of the values with their sign turned, to the last bit.
    """
    at, full = s.at + 1, s.full
    top = value if value > s.top else s.top
    buf[s.at] = value
    if at == period:
        at = 0
        full = True
        top = -math.inf
        fold_max(buf, 0, period)
    held = buf[at]
    held = top if top > held else held
    return ExtremeState(at, full, top), held if full else float("nan")


def enter(s: Any, buf: Any, period: Any, bar: Any) -> Any:
    """The state after a bar enters a channel; `buf` holds `period` highs, then as many lows with their sign turned."""
    at, full = s.at + 1, s.full
    top = bar.high if bar.high > s.top else s.top
    bottom = -bar.low if -bar.low > s.bottom else s.bottom
    buf[s.at] = bar.high
    buf[period + s.at] = -bar.low
    if at == period:
        at = 0
        full = True
        top = -math.inf
        bottom = -math.inf
        fold_max(buf, 0, period)
        fold_max(buf, period, period)
    return ChannelState(at, full, top, bottom)


def channel(s: Any, buf: Any, period: Any) -> Any:
    """The lines of a channel as it stands (NaN until it is full)."""
    if not s.full:
        return Channel(float("nan"), float("nan"), float("nan"))
    top, bottom = buf[s.at], buf[period + s.at]
    upper = s.top if s.top > top else top
    lower = -(s.bottom if s.bottom > bottom else bottom)
    return Channel(upper, 0.5 * (upper + lower), lower)


class _Extreme(Indicator):
    period: int = 20
    price_power = 1

    def ring(p: Any) -> int:
        return p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return ExtremeState(0, False, -math.inf)

    def warm_up(self) -> int:
        return self.period


class Highest(_Extreme):
    """The highest high of the last `period` bars, this one included.

    Formula: max(high), Donchian's upper line. Seeding: none. Warm-up: `period` bars.
    """

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high):
            return s, float("nan")
        return highest(s, buf, p.period, bar.high)


class Lowest(_Extreme):
    """The lowest low of the last `period` bars, this one included.

    Formula: min(low), Donchian's lower line. Seeding: none. Warm-up: `period` bars.
    """

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.low):
            return s, float("nan")
        s, value = highest(s, buf, p.period, -bar.low)
        return s, -value


class RollingMax(_Extreme):
    """The highest close of the last `period` bars, this one included.

    Formula: max(close). Seeding: none. Warm-up: `period` bars.
    """

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        return highest(s, buf, p.period, bar.close)


class RollingMin(_Extreme):
    """The lowest close of the last `period` bars, this one included.

    Formula: min(close). Seeding: none. Warm-up: `period` bars.
    """

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.close):
            return s, float("nan")
        s, value = highest(s, buf, p.period, -bar.close)
        return s, -value


class Donchian(Indicator):
    """The highest high (`upper`) and lowest low (`lower`) of the last `period` bars, and the `middle` between them.

    Formula: Richard Donchian's four-week rule (1960); middle = (upper + lower) / 2. Seeding: none. Warm-up: `period`
    bars, one more with `before`. No close lies above an upper line that its own bar belongs to: for a breakout give
    `before=True`, and the lines are those of the `period` bars before this one.
    """

    period: int = 20
    before: bool = False
    price_power = (1, 1, 1)

    def ring(p: Any) -> int:
        return 2 * p.period  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return ChannelState(0, False, -math.inf, -math.inf)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low):
            return s, Channel(float("nan"), float("nan"), float("nan"))
        if p.before:
            lines = channel(s, buf, p.period)
            return enter(s, buf, p.period, bar), lines
        s = enter(s, buf, p.period, bar)
        return s, channel(s, buf, p.period)

    def warm_up(self) -> int:
        return self.period + 1 if self.before else self.period
