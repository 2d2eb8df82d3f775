"""The interpreted form: the same functions as plain Python, on numpy scalars so that arithmetic answers as compiled.

Where the forms may still differ in the last bit: `x ** 3`, `round(x, 2)`, numpy's sums; `checks.py` looks.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import StrategyError
from workbench.kernels.freeze import interpreting_freezer
from workbench.kernels.indicator import Indicator, Ohlcv
from workbench.kernels.layout import Layout, kept
from workbench.kernels.start import parameter_tuple, ring_length, sample_states, told

__all__ = ["Rows"]


class _Live:
    """One row's Python objects."""

    __slots__ = ("params", "parts", "rings", "states")

    def __init__(self, params: Any, parts: list[Any], n: int) -> None:
        self.params = params
        self.parts = parts
        self.states: list[Any] = [None] * n
        self.rings: list[Any] = [None] * n


class Rows:
    """The rows of one interpreted program; memory goes to and from the program's slots on demand."""

    def __init__(self, layout: Layout, decide: Callable[..., Any] | None) -> None:
        freezer = interpreting_freezer()
        self._layout = layout
        self._decide: Any = freezer.function(decide) if decide is not None else None
        self._value_classes: dict[int, Any] = {}
        self._steps = [freezer.function(part.indicator.step) for part in layout.parts]  # type: ignore[attr-defined]
        self._rows: dict[int, _Live] = {}

    def open(self, row: int, strategy: Any, indicators: dict[str, Indicator]) -> None:
        parts = [parameter_tuple(indicators[part.name].parameters) for part in self._layout.parts]
        self._rows[row] = _Live(parameter_tuple(strategy.parameters), parts, len(parts))

    def fetch(self, row: int, slots: NDArray[np.int64], at: int, rings: NDArray[np.float64]) -> None:
        live = self._rows[row]
        for k, part in enumerate(self._layout.parts):
            live.states[k] = part.state.read(slots, at)
            if part.ring_at >= 0:
                start, length = slots[at + part.ring_at], slots[at + part.ring_at + 1]
                live.rings[k] = rings[start : start + length]

    def flush(self, row: int, slots: NDArray[np.int64], at: int) -> None:
        for part, state in zip(self._layout.parts, self._rows[row].states, strict=True):
            part.state.write(slots, at, state)

    def moved(self, slots: NDArray[np.int64], at: list[int], rings: NDArray[np.float64]) -> None:
        """The ring array was replaced: look into the new one."""
        for row in self._rows:
            self.flush(row, slots, at[row])
            self.fetch(row, slots, at[row], rings)

    def fresh(self, row: int, strategy: Any, indicators: dict[str, Indicator]) -> None:
        """Open a row that owns its memory (no slots behind it)."""
        self.open(row, strategy, indicators)
        live = self._rows[row]
        starts = sample_states(self._layout.owner, indicators)
        for k, part in enumerate(self._layout.parts):
            live.states[k] = kept(part.name, part.state, starts[part.name])
            if part.ring_at >= 0:
                live.rings[k] = np.zeros(ring_length(self._layout.owner, indicators[part.name]))

    def saved(self, row: int) -> list[Any]:
        """The row's states and rings as plain lists; `restored` takes them back."""
        live = self._rows[row]
        states = [[value.item() for value in state] for state in live.states]
        return [states, [None if ring is None else ring.tolist() for ring in live.rings]]

    def restored(self, row: int, saved: list[Any]) -> None:
        live = self._rows[row]
        for k, part in enumerate(self._layout.parts):
            live.states[k] = kept(part.name, part.state, saved[0][k])
            if live.rings[k] is not None:
                live.rings[k][:] = saved[1][k]

    def inputs(self, values: list[Any]) -> Any:
        """`x` from plain values as a saved state holds them."""
        held = []
        for k, value in enumerate(values):
            if isinstance(value, list):
                value = self._outputs(k)(*map(np.float64, value))
            held.append(value)
        return self._layout.x(*held)

    def _outputs(self, k: int) -> Any:
        """The namedtuple class of an indicator with several outputs, learnt by one step on a scratch row."""
        if k not in self._value_classes:
            part = self._layout.parts[k]
            row = next(iter(self._rows.values()))
            ring = None if row.rings[k] is None else row.rings[k].copy()
            _, value = self._steps[k](
                row.parts[k], row.states[k], ring, Ohlcv(*[np.float64(1.0)] * len(Ohlcv._fields))
            )
            if not isinstance(value, tuple):
                raise StrategyError(
                    f"{self._layout.owner}.{part.name}: the saved state has several values, the indicator one"
                )
            self._value_classes[k] = type(value)
        return self._value_classes[k]

    def advance(self, row: int, ohlcv: tuple[float, ...], ts_ns: int) -> tuple[Any, bool]:
        """Move a row's indicators by one bar that closes at `ts_ns`: `x`, and whether all of them answered."""
        live = self._rows[row]
        bar = Ohlcv(*map(np.float64, (*ohlcv, ts_ns / 1e9)))
        values = []
        warm = True
        with np.errstate(all="ignore"):
            for k, part in enumerate(self._layout.parts):
                what = f"{self._layout.owner}: {part.indicator.__name__}.step"
                try:
                    state, value = self._steps[k](live.parts[k], live.states[k], live.rings[k], bar)
                except (Exception, SystemExit) as error:
                    raise StrategyError(told(what, error)) from error
                live.states[k] = kept(what, part.state, state)
                if isinstance(value, tuple):
                    outputs: Any = type(value)
                    value = outputs(*map(np.float64, value))
                    warm = warm and not any(np.isnan(item) for item in value)
                else:
                    value = np.float64(value)
                    warm = warm and not np.isnan(value)
                values.append(value)
        return self._layout.x(*values, *bar), bool(warm)

    def step(self, row: int, ohlcv: tuple[float, ...], ts_ns: int, pos: float) -> tuple[float, bool]:
        """The new target and whether all indicators answered."""
        x, warm = self.advance(row, ohlcv, ts_ns)
        if not warm:
            return pos, False
        with np.errstate(all="ignore"):
            try:
                target = float(self._decide(self._rows[row].params, x, np.float64(pos)))
            except (Exception, SystemExit) as error:
                raise StrategyError(told(f"{self._layout.owner}.decide", error)) from error
        if not math.isfinite(target):
            return math.nan, True
        return min(max(target, -1.0), 1.0), True
