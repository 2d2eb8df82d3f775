"""Aroon: how long ago the window's extremes were."""

import math
from collections import namedtuple
from typing import Any

from workbench.kernels.indicator import Indicator

__all__ = ["Aroon", "AroonLines"]

AroonLines = namedtuple("AroonLines", "up down oscillator")
AroonState = namedtuple("AroonState", "at full top top_at bottom bottom_at share")


def fold_newest_max(buf: Any, base: Any, length: Any) -> None:
    """Overwrite each of `length` places from `base` with the greatest from there to the end, and each of the next
    `length` with the place of it, the newest where several are equal."""
    top = -math.inf
    place = 0.0
    for k in range(length - 1, -1, -1):
        held = buf[base + k]
        place = 1.0 * k if held > top else place
        top = held if held > top else top
        buf[base + k] = top
        buf[base + length + k] = place


class Aroon(Indicator):
    """`up`: 100 on a new high, 0 once it is `period` bars old; `down`: the same of lows; `oscillator`: up - down.

    Formula: Tushar Chande, Technical Analysis of Stocks & Commodities (1995): 100 * (period - bars since the highest
    high of the last `period` + 1 bars) / period; of equal highs the newest counts. Seeding: none. Warm-up: `period` + 1
    bars.
    """

    period: int = 14
    price_power = (0, 0, 0)

    def ring(p: Any) -> int:
        return 4 * (p.period + 1)  # type: ignore[no-any-return]

    def init(p: Any) -> Any:
        return AroonState(0, False, -math.inf, 0, -math.inf, 0, 100.0 / p.period)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        if not math.isfinite(bar.high + bar.low):
            return s, AroonLines(float("nan"), float("nan"), float("nan"))
        length = p.period + 1
        lows = 2 * length
        at, full = s.at, s.full
        top_at = at if bar.high >= s.top else s.top_at
        top = bar.high if bar.high >= s.top else s.top
        bottom_at = at if -bar.low >= s.bottom else s.bottom_at
        bottom = -bar.low if -bar.low >= s.bottom else s.bottom
        buf[at] = bar.high
        buf[lows + at] = -bar.low
        at += 1
        if at == length:
            at = 0
            full = True
            top, top_at = -math.inf, 0
            bottom, bottom_at = -math.inf, 0
            fold_newest_max(buf, 0, length)
            fold_newest_max(buf, lows, length)
        state = AroonState(at, full, top, top_at, bottom, bottom_at, s.share)
        if not full:
            return state, AroonLines(float("nan"), float("nan"), float("nan"))
        # places in the new block, or in the folded block, which lies `length` further back
        high_at = buf[length + at] - length
        high_at = 1.0 * top_at if top >= buf[at] else high_at
        low_at = buf[lows + length + at] - length
        low_at = 1.0 * bottom_at if bottom >= buf[lows + at] else low_at
        up = s.share * (p.period - (at - 1.0 - high_at))
        down = s.share * (p.period - (at - 1.0 - low_at))
        return state, AroonLines(up, down, up - down)

    def warm_up(self) -> int:
        return self.period + 1
