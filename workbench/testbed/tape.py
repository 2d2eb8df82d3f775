"""Where one instrument's price goes: recorded bars when there are some, a seeded walk before and after them.

Lives here: the bars to come, the bars that were, and the path of prices inside a bar. Not here: when they are shown
(market.py), the sizes around them (ladder.py). The same seed and data give the same bars and paths.
"""

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.feeds.recording import Recording
from workbench.model.scale import SCALE
from workbench.testbed.listing import Listing

__all__ = ["Shape", "Tape", "bars_of"]

_CHUNK: Final = 390
_DAYS: Final = 252
_MOST_HISTORY: Final = 1_000

type Rows = npt.NDArray[np.float64]


class Shape(NamedTuple):
    """A bar that is to happen: its prices and its volume."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class Tape:
    """One instrument's prices: `history` (bars before the start, oldest first), `days` (daily bars before those), then
    `next_bar()` without end.

    Of recorded bars the first half (at most 1,000) is history and the rest is played; a seeded walk goes on from there.

    >>> from workbench.testbed.listing import stock
    >>> tape = Tape(stock(0, "AAPL", "alpaca"), seed=1)
    >>> first = tape.next_bar()
    >>> first.low <= first.open <= first.high, first == Tape(stock(0, "AAPL", "alpaca"), seed=1).next_bar()
    (True, True)
    """

    def __init__(self, listing: Listing, seed: int, recorded: Rows | None = None) -> None:
        self._listing = listing
        self._numbers = np.random.default_rng([seed, listing.iid, 1])
        self.chance = Random(f"{seed}-{listing.symbol}-path")
        if recorded is not None and len(recorded) >= 2:
            split = min(len(recorded) // 2, _MOST_HISTORY)
            self.history = recorded[:split]
            self._coming: Iterator[list[float]] = iter(recorded[split:].tolist())
            self._volume = float(np.median(recorded[:, 4])) or 1_000.0
        else:
            self._volume = 40.0 * listing.best_value / listing.start_px / 390 * 10
            before = self._walk(listing.start_px, _CHUNK, listing.volatility)
            self.history = before
            prices = before[:, :4] * (listing.start_px / before[-1, 3])  # ends where the walk is to begin
            self.history[:, :4] = self._on_grid(prices)
            self._coming = iter(())
        self.days = self._days(float(self.history[0, 0]))
        self._close = float(self.history[-1, 3])

    def next_bar(self) -> Shape:
        """The next bar."""
        row = next(self._coming, None)
        if row is None:
            self._coming = iter(self._walk(self._close, _CHUNK, self._listing.volatility).tolist())
            row = next(self._coming)
        shape = Shape(*row)
        self._close = shape.close
        return shape

    def path(self, shape: Shape, steps: int) -> list[float]:
        """`steps` prices inside a bar: from its open over both extremes to its close, all on the grid.

        The low comes first when the bar closes above its open, as the matching core takes it too.
        """
        turns = (shape.low, shape.high) if shape.close >= shape.open else (shape.high, shape.low)
        corners = (shape.open, *turns, shape.close)
        if steps < 4:
            return list(corners[-steps:])
        legs = [steps // 3, steps // 3, steps - 1 - 2 * (steps // 3)]
        wobble = (shape.high - shape.low) / 8
        out = [shape.open]
        for start, end, length in zip(corners[:-1], corners[1:], legs, strict=True):
            for at in range(1, length):
                px = start + (end - start) * at / length + self.chance.uniform(-wobble, wobble)
                out.append(self._listing.round_px(min(max(px, shape.low), shape.high)))
            out.append(end)
        return out

    def scale(self, factor: float) -> None:
        """A split: every price to come is multiplied by `factor`."""
        rest = [[px * factor for px in row[:4]] + [row[4] / factor] for row in self._coming]
        self._close *= factor
        self._coming = iter(rest)

    def go_to(self, px: float) -> None:
        """The market moved: prices to come keep their steps, from `px` on."""
        factor = px / self._close
        rest = [[self._listing.round_px(p * factor) for p in row[:4]] + [row[4]] for row in self._coming]
        self._close = px
        self._coming = iter(rest)

    def _walk(self, start: float, bars: int, volatility: float) -> Rows:
        numbers = self._numbers
        close = start * np.exp(np.cumsum(numbers.normal(0.0, volatility, bars)))
        opening = np.concatenate([[start], close[:-1]])
        reach = np.abs(numbers.normal(0.0, volatility / 2, (2, bars)))
        high, low = np.maximum(opening, close) * (1 + reach[0]), np.minimum(opening, close) * (1 - reach[1])
        volume = self._volume * numbers.lognormal(0.0, 0.5, bars)
        if self._listing.size_e8 >= SCALE:  # what trades in whole shares has bars of whole shares
            volume = np.maximum(np.rint(volume), 1.0)
        else:
            volume = np.round(volume, 4 if self._volume < 1_000 else 0)
        return np.column_stack([self._on_grid(np.column_stack([opening, high, low, close])), volume])

    def _on_grid(self, prices: Rows) -> Rows:
        tick = self._listing.instrument.tick_e8 / 1e8
        return np.asarray(np.maximum(np.round(np.rint(prices / tick) * tick, 8), tick))

    def _days(self, last: float) -> Rows:
        """Daily bars of the year before, the newest closing at `last`."""
        rows = self._walk(last, _DAYS, self._listing.volatility * 20)
        rows[:, :4] = self._on_grid(rows[:, :4] * (last / rows[-1, 3]))
        rows[:, 4] *= 390
        return rows


def bars_of(recording: Recording, *names: str) -> Rows | None:
    """Open, high, low, close, volume (float64[n, 5]) of the first of these symbols a recording holds, else None.

    Recorded trades and quotes without bars are gathered by the minute first.
    """
    symbol = next((name for name in names if name in recording.symbols), None)
    if symbol is None:
        return None
    _, rows = recording.bars(symbol)
    if len(rows):
        return rows
    mine = recording.iid == recording.symbols.index(symbol)
    kind, values = recording.kind[mine], recording.values[mine]
    trades = kind == 0
    if trades.any():
        px, size, ts_ns = values[trades, 0], values[trades, 1], recording.ts_ns[mine][trades]
    else:
        px, size, ts_ns = (values[:, 0] + values[:, 2]) / 2, values[:, 1], recording.ts_ns[mine]
    minutes = ts_ns // 60_000_000_000
    starts = np.flatnonzero(np.diff(minutes, prepend=minutes[0] - 1))
    ends = np.append(starts[1:], len(px)) - 1
    return np.column_stack(
        [
            px[starts],
            np.maximum.reduceat(px, starts),
            np.minimum.reduceat(px, starts),
            px[ends],
            np.add.reduceat(size, starts),
        ]
    )
