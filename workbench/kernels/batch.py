"""An indicator over a whole array of bars: the same `step` in one compiled loop, so batch equals streaming."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadValue
from workbench.kernels.fingerprint import Fingerprint
from workbench.kernels.indicator import Indicator, Ohlcv
from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import parameter_tuple, ring_length, sample_states

__all__ = ["as_bars", "batch"]

type Floats = NDArray[np.float64]


def batch(indicator: Indicator, bars: Any, ts_ns: Any = None) -> Floats | dict[str, Floats]:
    """The indicator's value after every bar: float64[n], or one such array by name for several outputs.

    `bars` is float64[n, 5] (open, high, low, close, volume), or float64[n] of closes; `ts_ns` int64[n] (UTC) is needed
    only by indicators that read the time. NaN while warming up. Imports numba and compiles on first use (kept on disk).

    >>> from workbench.kernels import Sma
    >>> batch(Sma(2), [1.0, 2.0, 4.0])
    array([nan, 1.5, 3. ])
    """
    ohlcv = as_bars(bars)
    times = np.zeros(len(ohlcv), np.int64) if ts_ns is None else np.ascontiguousarray(ts_ns, np.int64)
    if len(times) != len(ohlcv):
        raise BadValue("ts_ns", len(times), f"give one time a bar, {len(ohlcv)} of them")
    layout = layout_of(
        type(indicator).__name__, {}, {"value": indicator}, sample_states("batch", {"value": indicator})
    )
    part = layout.parts[0]
    slots = np.zeros(layout.stride, np.int64)
    part.params.write(slots, 0, [v for v in indicator.parameters.values() if not isinstance(v, str)])
    part.state.write(slots, 0, sample_states("batch", {"value": indicator})["value"])
    rings = np.zeros(ring_length("batch", indicator) if part.ring_at >= 0 else 0)
    if part.ring_at >= 0:
        slots[part.ring_at + 1] = len(rings)
    names = _outputs(indicator)
    out = np.empty((len(ohlcv), max(1, len(names))))
    _loop(layout)(slots, rings, ohlcv, times, out)
    return {name: out[:, k] for k, name in enumerate(names)} if names else out[:, 0]


def as_bars(bars: Any) -> Floats:
    """float64[n, 5], C order, from bars or from closes alone (which then stand for open, high and low too)."""
    array = np.asarray(bars, np.float64)
    if array.ndim == 1:
        array = np.column_stack([array, array, array, array, np.zeros(len(array))])
    if array.ndim != 2 or array.shape[1] != 5:
        raise BadValue(
            "bars", array.shape, "give n x 5 numbers (open, high, low, close, volume), or n closes"
        )
    return np.ascontiguousarray(array)


def _outputs(indicator: Indicator) -> tuple[str, ...]:
    kind: Any = type(indicator)
    ring = np.zeros(ring_length("batch", indicator)) if kind.has_ring() else None
    state = sample_states("batch", {"value": indicator})["value"]
    with np.errstate(all="ignore"):
        _, value = kind.step(
            parameter_tuple(indicator.parameters), state, ring, Ohlcv(*[np.float64(1.0)] * len(Ohlcv._fields))
        )
    return getattr(value, "_fields", ())


def _loop(layout: Layout) -> Any:
    from workbench.kernels.compose import RINGS, SLOTS, compiled_loop, compiling_freezer, compose, types
    from workbench.kernels.disk_cache import library_versions, remember

    step: Any = layout.parts[0].indicator.step  # type: ignore[attr-defined]
    state = Fingerprint()
    state.add(step)
    state.text("batch", layout.key, library_versions())
    key = state.hexdigest
    if key in _LOOPS:
        return _LOOPS[key]
    load, advance, _, store, _, emit = compose(layout, (compiling_freezer().function(step),), None)

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
    compiled.compile((SLOTS, RINGS, table, SLOTS, table))
    if not state.unseen:
        _LOOPS[key] = compiled
    return compiled


_LOOPS: dict[str, Any] = {}
