"""An indicator moved one bar at a time from Python: in an event strategy, a notebook, a script."""

import functools
import math
import struct
from typing import Any

import numpy as np

from workbench.errors import BadInput, BadValue, StrategyError
from workbench.kernels.cell import Cell, compiled_move, plain_step, value_class
from workbench.kernels.indicator import Indicator, Ohlcv, Pair, PairIndicator
from workbench.kernels.layout import kept
from workbench.kernels.start import parameter_tuple, told

__all__ = ["Stream"]


class Stream:
    """Holds one indicator's memory: `update` moves it and answers the value, equal to `batch` to the last bit.

    Args:
        indicator: which one, with its parameters.
        compiled: False (default) starts at once and runs plain Python, some ten microseconds a bar; True takes the
            loop that `batch` compiles (a second or two when it is not on disk yet) and moves in one or two.

    `saved` answers the memory as plain lists, texts and numbers, and `restored` puts it back, in either form.

    >>> from workbench.kernels import Bollinger, Sma
    >>> mean = Stream(Sma(2))
    >>> [mean.update(close) for close in (1.0, 2.0, 4.0)]
    [nan, 1.5, 3.0]
    >>> later = Stream(Sma(2)).restored(mean.saved())
    >>> later.value, later.update(6.0)
    (3.0, 5.0)
    """

    def __init__(self, indicator: Indicator, *, compiled: bool = False) -> None:
        self.indicator = indicator
        self._name = type(indicator).__name__
        self._outputs = value_class(indicator)
        self._cell = cell = Cell(indicator)
        self._move = compiled_move(cell.layout) if compiled else None
        self._pairs = isinstance(indicator, PairIndicator)
        self._bars = np.zeros((1, 5))
        self._put = functools.partial(struct.Struct("=5d").pack_into, self._bars, 0)
        self._ts_ns = np.zeros(1, np.int64)
        self._out = np.full((1, len(self._outputs._fields) if self._outputs else 1), np.nan)
        if not compiled:
            self._step = plain_step(indicator)
            self._params = parameter_tuple(indicator.parameters)
            self._state = kept(self._name, cell.part.state, cell.state)
            self._ring = cell.ring if cell.part.ring_at >= 0 else None
        self.value: Any = self._shown(self._out[0].tolist())

    def update(self, bar: Any, x: Any = None, *, ts_ns: int | None = None) -> Any:
        """Move by one bar and answer the value: a float, or the indicator's namedtuple of floats. NaN while warming up.

        `bar` is a bar (anything with open, high, low, close, volume and ts_ns), those five numbers, or a close alone;
        for an indicator of two series, `update(y, x)`. `ts_ns` is its close in ns (UTC), where the bar does not say.

        Raises:
            BadInput: one series where there must be two, or the other way round.
            BadValue: no bar, or no time for an indicator that reads it.
            StrategyError: an indicator of your own raised.
        """
        numbers, at_ns = self._read(bar, x, ts_ns)
        if self._move is not None:
            self._put(*numbers)
            self._ts_ns[0] = at_ns
            self._move(self._cell.slots, self._cell.ring, self._bars, self._ts_ns, self._out)
            found = self._out[0].tolist()
        else:
            found = self._interpreted(numbers, at_ns)
        self.value = self._shown(found)
        return self.value

    @property
    def warm(self) -> bool:
        """Whether every output is known."""
        return not any(map(math.isnan, self.value if self._outputs else (self.value,)))

    def saved(self) -> list[Any]:
        """The memory: [indicator, state, ring, value] as text, numbers and lists (None for a value that is NaN)."""
        state, ring = (self._cell.state, self._cell.ring) if self._move else (self._state, self._ring)
        values = self.value if self._outputs else (self.value,)
        return [
            repr(self.indicator),
            [number.item() for number in state],
            [] if ring is None else ring.tolist(),
            [None if math.isnan(value) else value for value in values],
        ]

    def restored(self, saved: Any) -> "Stream":
        """This stream with the memory that `saved` answered.

        Raises:
            BadInput: saved by another indicator, or with other parameters.
        """
        cell, out = self._cell, self._out
        fits = isinstance(saved, (list, tuple)) and len(saved) == 4
        fits = fits and [len(part) for part in saved[1:]] == [
            len(cell.part.state.kinds), len(cell.ring), out.shape[1]
        ]  # fmt: skip
        if not fits or saved[0] != repr(self.indicator):
            what = saved[0] if isinstance(saved, (list, tuple)) and saved else saved
            raise BadInput(f"saved state of {what!s:.80}: give one of {self.indicator!r}")
        state = kept(self._name, cell.part.state, saved[1])
        cell.state = state
        cell.ring[:] = saved[2]
        if self._move is None:
            self._state = state
        self.value = self._shown([math.nan if value is None else value for value in saved[3]])
        return self

    def __repr__(self) -> str:
        return f"<Stream {self.indicator!r}: {self.value}>"

    def _read(self, bar: Any, x: Any, ts_ns: int | None) -> tuple[tuple[float, ...], int]:
        """The bar as five numbers and its time; a pair travels as close and open (see `cell.py`)."""
        if self._pairs:
            if x is None:
                raise BadInput(f"{self._name} takes two series: give update(y, x)")
            return (float(x), float(bar), float(bar), float(bar), 0.0), ts_ns or 0
        if x is not None:
            raise BadInput(f"{self._name} takes one series: give update(bar)")
        if isinstance(bar, (float, int)):
            numbers: tuple[float, ...] = (bar, bar, bar, bar, 0.0)
        elif hasattr(bar, "close"):
            numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
            ts_ns = getattr(bar, "ts_ns", None) if ts_ns is None else ts_ns
        elif np.ndim(bar) == 0:
            numbers = (float(bar),) * 4 + (0.0,)
        else:
            numbers = tuple(map(float, bar))
            if len(numbers) != 5:
                raise BadValue("bar", numbers, "give open, high, low, close and volume, or a close alone")
        if ts_ns is None and self.indicator.reads_time:
            raise BadValue("ts_ns", ts_ns, f"{self._name} reads the time: give the bar's close in ns, UTC")
        return numbers, ts_ns or 0

    def _interpreted(self, numbers: tuple[float, ...], at_ns: int) -> list[float]:
        bar: Any = Ohlcv._make(map(np.float64, (*numbers, at_ns / 1e9)))
        if self._pairs:
            bar = Pair(bar.close, bar.open, bar.ts_s)
        with np.errstate(all="ignore"):
            try:
                state, value = self._step(self._params, self._state, self._ring, bar)
            except Exception as error:
                raise StrategyError(told(f"{self._name}.step", error)) from error
        self._state = kept(f"{self._name}.step", self._cell.part.state, state)
        return [float(number) for number in (value if self._outputs else (value,))]

    def _shown(self, values: list[float]) -> Any:
        return self._outputs(*values) if self._outputs else values[0]
