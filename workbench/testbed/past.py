"""Candles between minutes and days, from before the minutes a market remembers: five minutes and hours long.

Lives here: making them out of the days, when somebody asks first. Not here: the minutes and the days (market.py).
Only for what trades round the clock: a stock's remembered minutes are a trading day already.
"""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Final

from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Candle

__all__ = ["before"]

_FIVE_NS: Final = 5 * MINUTE_NS
_HOUR_NS: Final = 60 * MINUTE_NS
_FINE_DAYS: Final = 7
_COARSE_DAYS: Final = 90


def before(board: Board, step_ns: int) -> list[Candle]:
    """Candles, oldest first, of which those of `step_ns` before the first minute can be put together; none for steps
    that are no multiple of five minutes below a day. The same days give the same candles.
    """
    if not board.listing.always_open or step_ns >= DAY_NS or step_ns % _FIVE_NS or not board.candles:
        return []
    if not board.older:
        _make(board)
    return board.older[_HOUR_NS if step_ns % _HOUR_NS == 0 else _FIVE_NS]


def _make(board: Board) -> None:
    first = board.candles[0]
    days, chance = board.days[-_COARSE_DAYS:], Random(f"{board.listing.symbol}-{first.open}-past")
    since = days[-1].end_ns
    px, reach = first.open, (days[-1].high - days[-1].low) / 2
    volume = days[-1].volume * (first.start_ns - since) / DAY_NS
    if first.start_ns > since:  # the day that the minutes begin in, up to them
        days.append(
            Candle(since, since + DAY_NS, px, px + reach, max(px - reach, px / 2), px, volume, 0, 0.0)
        )
    hours: list[Candle] = []
    for day in days[:-_FINE_DAYS]:
        hours += _parts(board, day, _HOUR_NS, day.end_ns, chance)
    fives: list[Candle] = []
    for day in days[-_FINE_DAYS:]:
        fives += _parts(board, day, _FIVE_NS, min(day.end_ns, first.start_ns), chance)
    board.older = {_FIVE_NS: fives, _HOUR_NS: hours + fives}


def _parts(board: Board, day: Candle, step_ns: int, end_ns: int, chance: Random) -> Iterator[Candle]:
    """The parts of a day up to `end_ns`: from its open over both extremes to its close, its volume spread evenly."""
    count = (end_ns - day.start_ns) // step_ns
    if not count:
        return
    turns = (day.low, day.high) if day.close >= day.open else (day.high, day.low)
    corners = (day.open, *turns, day.close)
    wobble = (day.high - day.low) / 12
    way = [day.open]
    for at in range(1, count):
        leg, share = divmod(3 * at / count, 1)
        px = corners[int(leg)] + (corners[int(leg) + 1] - corners[int(leg)]) * share
        px = min(max(px + chance.uniform(-wobble, wobble), day.low), day.high)
        way.append(board.listing.round_px(px))
    way.append(day.close)
    volume = board.listing.round_size(day.volume / count)
    for at, (opens, closes) in enumerate(pairwise(way)):
        start = day.start_ns + at * step_ns
        high, low = max(opens, closes), min(opens, closes)
        value = (high + low + closes) / 3 * volume
        yield Candle(start, start + step_ns, opens, high, low, closes, volume, max(1, int(volume)), value)
