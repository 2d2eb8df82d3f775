"""One indicator alone: its memory, and the compiled loop that moves it over a table of bars. For `batch` and `Stream`.

The loop is the live one's: the same `step`, the same slots and ring. A pair of series travels in a bar: y as its close,
x as its open.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.errors import StrategyError
from workbench.kernels.fingerprint import Fingerprint
from workbench.kernels.freeze import interpreting_freezer
from workbench.kernels.indicator import Indicator, Ohlcv, Pair, PairIndicator
from workbench.kernels.layout import Layout, kept, layout_of
from workbench.kernels.start import parameter_tuple, ring_length, sample_states, told

__all__ = ["Cell", "compiled_move", "plain_step", "value_class"]


class Cell:
    """An indicator's memory: `slots` (parameters and state) and `ring`, at their start."""

    def __init__(self, indicator: Indicator) -> None:
        name = type(indicator).__name__
        parts = {"value": indicator}
        start = sample_states(name, parts)
        self.layout = layout_of(name, {}, parts, start, pairs=True)
        self.part = self.layout.parts[0]
        self.slots = np.zeros(self.layout.stride, np.int64)
        self.part.params.write(
            self.slots, 0, [v for v in indicator.parameters.values() if not isinstance(v, str)]
        )
        self.part.state.write(self.slots, 0, start["value"])
        self.ring = np.zeros(ring_length(name, indicator) if self.part.ring_at >= 0 else 0)
        if self.part.ring_at >= 0:
            self.slots[self.part.ring_at + 1] = len(self.ring)

    @property
    def state(self) -> Any:
        """The state as its namedtuple of numpy scalars."""
        return self.part.state.read(self.slots, 0)

    @state.setter
    def state(self, values: Any) -> None:
        name = self.part.indicator.__name__
        self.part.state.write(self.slots, 0, kept(name, self.part.state, values))


def plain_step(indicator: Indicator) -> Callable[..., Any]:
    """The indicator's `step` as plain Python that answers as compiled code does."""
    step: Callable[..., Any] = interpreting_freezer().function(type(indicator).step)  # type: ignore[attr-defined]
    return step


def value_class(indicator: Indicator) -> Any:
    """The namedtuple class of an indicator with several outputs; None when `step` answers one float.

    Learnt by one step of plain Python over a bar of ones; StrategyError when that raises.
    """
    one = np.float64(1.0)
    seen: Any = Pair(one, one, one) if isinstance(indicator, PairIndicator) else Ohlcv(*[one] * 6)
    cell = Cell(indicator)
    ring = cell.ring if cell.part.ring_at >= 0 else None
    try:
        with np.errstate(all="ignore"):
            _, value = plain_step(indicator)(parameter_tuple(indicator.parameters), cell.state, ring, seen)
    except Exception as error:
        raise StrategyError(told(f"{type(indicator).__name__}.step", error)) from error
    return type(value) if isinstance(value, tuple) else None


def compiled_move(layout: Layout) -> Callable[..., None]:
    """The compiled `move(slots, ring, ohlcv, ts_ns, out)`: float64[n, 5] and int64[n] in, float64[n, outputs] out.

    Imports numba, and compiles unless it is in memory or on disk.

    Raises:
        StrategyError: it cannot be compiled; one line says why.
    """
    from numba.core.errors import NumbaError

    from workbench.kernels.compose import RINGS, SLOTS, compiled_loop, compiling_freezer, compose, types
    from workbench.kernels.disk_cache import library_versions, remember

    indicator = layout.parts[0].indicator
    step: Any = indicator.step  # type: ignore[attr-defined]
    pairs = issubclass(indicator, PairIndicator)
    state = Fingerprint()
    state.add(step)
    state.text("batch", str(pairs), layout.key, library_versions())
    key = state.hexdigest
    if key in _MOVES:
        return _MOVES[key]
    frozen = compiling_freezer().function(_seeing_pairs(step) if pairs else step)
    load, advance, _, store, _, emit = compose(layout, (frozen,), None)

    def loop(slots: Any, rings: Any, ohlcv: Any, times: Any, out: Any) -> None:
        params, windows, state = load(slots, rings, 0)
        for k in range(ohlcv.shape[0]):
            bar = Ohlcv(ohlcv[k, 0], ohlcv[k, 1], ohlcv[k, 2], ohlcv[k, 3], ohlcv[k, 4], times[k] / 1e9)
            state, x = advance(params, windows, state, bar)
            emit(out, k, x)
        store(slots, 0, state)

    compiled = compiled_loop(loop, f"batch_{key[:24]}")
    if not state.unseen:
        remember(compiled, key)
    table = types.Array(types.float64, 2, "C")
    signature = (SLOTS, RINGS, table, SLOTS, table)
    try:
        compiled.compile(signature)
    except (NumbaError, NotImplementedError) as error:
        raise StrategyError(_uncompiled(layout, frozen, error)) from error
    move: Callable[..., None] = compiled.get_overload(signature)
    if not state.unseen:
        _MOVES[key] = move
    return move


def _uncompiled(layout: Layout, frozen: Any, error: Exception) -> str:
    """Why a step does not compile, as one line, from the step alone where it shows there."""
    from numba.core.errors import NumbaError
    from numba.core.registry import cpu_target

    from workbench.kernels.compose import step_signatures

    try:
        step_signatures(layout, (frozen,), cpu_target.typing_context)
    except (NumbaError, NotImplementedError) as alone:
        error = alone
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Failed in", "During:", "File "))]
    name = layout.parts[0].indicator.__name__
    return (
        f"{name}.step cannot be compiled: {said[0] if said else error}. Stream({name}(...)) runs plain Python"
    )


def _seeing_pairs(step: Any) -> Any:
    def step_of_pair(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        return step(p, s, buf, Pair(bar.close, bar.open, bar.ts_s))

    return step_of_pair


_MOVES: dict[str, Callable[..., None]] = {}
