"""An indicator over whole arrays: the same `step` in one compiled loop, so batch equals streaming."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, BadValue
from workbench.kernels.cell import Cell, compiled_move, value_class
from workbench.kernels.indicator import Indicator, Ohlcv, PairIndicator

__all__ = ["as_bars", "batch"]

type Floats = NDArray[np.float64]


def batch(indicator: Indicator, bars: Any, x: Any = None, *, ts_ns: Any = None) -> Floats | dict[str, Floats]:
    """The indicator's value after every bar: float64[n], or one such array by name for several outputs.

    `bars` is float64[n, 5] (open, high, low, close, volume), a DataFrame that names these columns, or float64[n] of
    closes. An indicator of two series takes them as `batch(indicator, y, x)`. `ts_ns` int64[n] (closes in ns, UTC) is
    needed by those that read the time. NaN while warming up. Imports numba and compiles on first use (kept on disk).

    Raises:
        BadValue: arrays of another shape, or times that are missing.
        BadInput: one series where there must be two, or the other way round.

    >>> from workbench.kernels import Correlation, Sma
    >>> batch(Sma(2), [1.0, 2.0, 4.0])
    array([nan, 1.5, 3. ])
    >>> batch(Correlation(2), [1.0, 2.0, 4.0], [3.0, 2.0, 4.0])
    array([nan, -1.,  1.])
    """
    name = type(indicator).__name__
    if isinstance(indicator, PairIndicator):
        if x is None:
            raise BadInput(f"{name} takes two series: give batch({name}(...), y, x)")
        ohlcv = _paired(bars, x)
    elif x is not None:
        raise BadInput(
            f"{name} takes one series: give times by name, as in batch({name}(...), bars, ts_ns=...)"
        )
    else:
        ohlcv = as_bars(bars)
    if ts_ns is None and indicator.reads_time and len(ohlcv):
        raise BadValue("ts_ns", ts_ns, f"{name} reads the time: give the close of every bar in ns, UTC")
    times = np.zeros(len(ohlcv), np.int64) if ts_ns is None else np.ascontiguousarray(ts_ns, np.int64)
    if len(times) != len(ohlcv):
        raise BadValue("ts_ns", len(times), f"give one time a bar, {len(ohlcv)} of them")
    cell = Cell(indicator)
    outputs = value_class(indicator)
    out = np.empty((len(ohlcv), len(outputs._fields) if outputs else 1))
    compiled_move(cell.layout)(cell.slots, cell.ring, ohlcv, times, out)
    return {field: out[:, k] for k, field in enumerate(outputs._fields)} if outputs else out[:, 0]


def as_bars(bars: Any) -> Floats:
    """float64[n, 5], C order, from bars or from closes alone (which then stand for open, high and low too)."""
    array = _numbers("bars", _by_name(bars))
    if array.ndim == 1:
        array = np.column_stack([array, array, array, array, np.zeros(len(array))])
    if array.ndim != 2 or array.shape[1] != 5:
        raise BadValue(
            "bars", array.shape, "give n x 5 numbers (open, high, low, close, volume), or n closes"
        )
    return np.ascontiguousarray(array)


def _paired(y: Any, x: Any) -> Floats:
    """A table that carries two series (see `cell.py`); of bars the closes count."""
    first, second = _closes("y", y), _closes("x", x)
    if len(first) != len(second):
        raise BadValue("x", len(second), f"give one number for each of y, {len(first)} of them")
    table = np.empty((len(first), 5))
    table.T[:] = first
    table[:, 0] = second
    return table


def _closes(name: str, series: Any) -> Floats:
    array = _numbers(name, _by_name(series))
    if array.ndim == 2 and array.shape[1] == 5:
        return array[:, 3]
    if array.ndim != 1:
        raise BadValue(name, array.shape, "give n numbers, or n x 5 of bars, whose closes count")
    return array


def _by_name(bars: Any) -> Any:
    """A DataFrame's columns in our order, found by their names in any case; anything else as it is."""
    if not (hasattr(bars, "columns") and hasattr(bars, "iloc")):
        return bars
    spelt = {str(column).strip().lower(): column for column in bars.columns}
    missing = [field for field in Ohlcv._fields[:4] if field not in spelt]
    if missing == ["open", "high", "low"]:
        return bars[spelt["close"]]
    if missing:
        raise BadValue(
            "bars", list(bars.columns), f"name the columns open, high, low, close: {missing[0]} is not there"
        )
    volume = bars[spelt["volume"]] if "volume" in spelt else np.zeros(len(bars))
    return np.column_stack([*(bars[spelt[field]] for field in Ohlcv._fields[:4]), volume])


def _numbers(name: str, given: Any) -> Floats:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue(name, given, "give numbers") from error
