"""What starts anew each day: the volume-weighted average price, and the opening range."""

import math
from collections import namedtuple
from typing import Any, ClassVar

from workbench.kernels.indicator import Indicator

__all__ = ["OpeningRange", "Range", "Vwap", "day_end_s"]

Range = namedtuple("Range", "high low")
VwapState = namedtuple("VwapState", "end_s money volume")
RangeState = namedtuple("RangeState", "day_end_s range_end_s high low")


def day_end_s(ts_s: Any, start_h: Any) -> Any:
    """When the day ends that a bar closing at `ts_s` belongs to; days begin `start_h` hours after midnight, UTC.

    A bar that closes exactly where a day begins (a whole second) belongs to the day before.
    """
    start_s = 1.0 * math.floor(start_h * 3600.0 + 0.5)
    return start_s + 86400.0 * math.ceil((ts_s - start_s) / 86400.0)


class Vwap(Indicator):
    """Volume-weighted average price since the day began.

    Formula: sum(typical * volume) / sum(volume), typical = (high + low + close) / 3 (Berkowitz, Logue and Noser, The
    Total Cost of Transactions on the NYSE, 1988, from trades; here from bars). Days begin `day_start_h` hours after
    midnight, UTC: leave 0 where no session runs across it; with extended hours give the hour between the sessions.
    Seeding: each day anew. Warm-up: 1 bar; NaN while the day has no volume yet. Reads the time of the bar.
    """

    day_start_h: float = 0.0
    limits: ClassVar = {"day_start_h": (0, 24)}
    price_power = 1
    reads_time = True

    def init(p: Any) -> Any:
        return VwapState(-math.inf, 0.0, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        typical = (bar.high + bar.low + bar.close) / 3.0
        if not math.isfinite(typical + bar.volume):
            return s, float("nan")
        end_s, money, volume = s.end_s, s.money, s.volume
        if bar.ts_s > end_s:
            end_s = day_end_s(bar.ts_s, p.day_start_h)
            money = 0.0
            volume = 0.0
        money += typical * bar.volume
        volume += bar.volume
        return VwapState(end_s, money, volume), money / volume if volume > 0.0 else float("nan")


class OpeningRange(Indicator):
    """`high` and `low` of the first `minutes` of each day: NaN until they are over, then unchanged to the day's end.

    Formula: Toby Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout (1990). The minutes
    run from the open of the day's first bar, that is its close less `bar_minutes`. Days begin `day_start_h` hours
    after midnight, UTC: leave 0 for regular hours; with extended hours give the hour of the open. Seeding: each day
    anew. Warm-up: `minutes` / `bar_minutes` bars of each day, rounded up. Reads the time of the bar: a missing bar
    shortens nothing, and a range that ends in a gap is known on the first bar behind it, which is not part of it.
    """

    minutes: float = 30.0
    day_start_h: float = 0.0
    bar_minutes: float = 1.0
    limits: ClassVar = {"minutes": (1 / 60, 1440), "day_start_h": (0, 24), "bar_minutes": (1 / 60, 1440)}
    price_power = (1, 1)
    reads_time = True

    def init(p: Any) -> Any:
        return RangeState(-math.inf, -math.inf, -math.inf, math.inf)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low):
            return s, Range(float("nan"), float("nan"))
        day_end, range_end, high, low = s.day_end_s, s.range_end_s, s.high, s.low
        if bar.ts_s > day_end:
            day_end = day_end_s(bar.ts_s, p.day_start_h)
            range_end = bar.ts_s + 60.0 * (p.minutes - p.bar_minutes)
            high = bar.high
            low = bar.low
        elif bar.ts_s <= range_end:
            high = bar.high if bar.high > high else high
            low = bar.low if bar.low < low else low
        state = RangeState(day_end, range_end, high, low)
        if bar.ts_s < range_end:
            return state, Range(float("nan"), float("nan"))
        return state, Range(high, low)

    def warm_up(self) -> int:
        return math.ceil(self.minutes / self.bar_minutes)
