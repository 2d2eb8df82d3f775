"""The indicators of an event strategy over a whole recording, before its first hook is called.

The values are those of streaming to the last bit: the same `step`, in one compiled loop (`kernels.batch`) where there
are enough bars to pay for compiling, else as plain Python. What a hook sees of them at a bar is what was known at its
close; the arrays themselves are out of its reach.
"""

from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import WorkbenchError
from workbench.feeds import Recording
from workbench.kernels import batch
from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import sample_states
from workbench.strategy import Strategy
from workbench.strategy.interpreted import Rows

__all__ = ["Inputs"]

_FEW: Final = 4_000  # indicator steps that are cheaper than a compiler
_TRIED: Final = 256  # bars over which the compiled values are held against the plain ones


class Inputs:
    """`warm[iid]` bool[bars]: whether all indicators have answered at that bar of the instrument."""

    def __init__(self, strategy: Strategy, recording: Recording) -> None:
        self._indicators = strategy.indicators()
        name = type(strategy).__name__
        starts = sample_states(name, self._indicators)
        self._strategy = strategy
        self._layout: Layout = layout_of(name, strategy.parameters, self._indicators, starts)
        self._outputs: list[Any] = [None] * len(self._layout.parts)
        self._columns: list[list[npt.NDArray[np.float64]]] = []
        self.warm: list[npt.NDArray[np.bool_]] = []
        self._last_warm: list[npt.NDArray[np.int64]] = []
        for symbol in recording.symbols:
            ts_ns, ohlcv = recording.bars(symbol)
            columns = self._over(ts_ns, ohlcv)
            warm = ~np.isnan(np.column_stack(columns)).any(axis=1)
            at = np.where(warm, np.arange(len(warm)), -1)
            self._columns.append([*columns, *ohlcv.T, ts_ns / 1e9])
            self.warm.append(warm)
            self._last_warm.append(np.maximum.accumulate(at) if len(at) else at)

    def _over(
        self, ts_ns: npt.NDArray[np.int64], ohlcv: npt.NDArray[np.float64]
    ) -> list[npt.NDArray[np.float64]]:
        """One array for each output of each indicator."""
        if len(ts_ns) * len(self._indicators) <= _FEW:
            return self._plainly(ts_ns, ohlcv)
        tried = self._plainly(ts_ns[:_TRIED], ohlcv[:_TRIED])
        columns: list[npt.NDArray[np.float64]] = []
        try:
            for indicator in self._indicators.values():
                made = batch(indicator, ohlcv, ts_ns=ts_ns)
                columns += made.values() if isinstance(made, dict) else [made]
        except WorkbenchError:
            raise
        except Exception:  # noqa: BLE001 - numba fails in many ways; each one means the interpreted form
            return self._plainly(ts_ns, ohlcv)
        same = all(np.array_equal(a[:_TRIED], b, equal_nan=True) for a, b in zip(columns, tried, strict=True))
        return columns if same else self._plainly(ts_ns, ohlcv)

    def _plainly(
        self, ts_ns: npt.NDArray[np.int64], ohlcv: npt.NDArray[np.float64]
    ) -> list[npt.NDArray[np.float64]]:
        rows = Rows(self._layout, None)
        rows.fresh(0, self._strategy, self._indicators)
        made = []
        for ts, bar in zip(ts_ns.tolist(), ohlcv.tolist(), strict=True):
            x, _ = rows.advance(0, tuple(bar), ts)
            values = list(x)[: len(self._indicators)]
            self._learn(values)
            made.append([v for value in values for v in (value if isinstance(value, tuple) else (value,))])
        if not made:
            return [np.zeros(0) for _ in self._indicators]
        return [np.ascontiguousarray(column) for column in np.array(made, np.float64).T]

    def _learn(self, values: list[Any]) -> None:
        """Note which indicators answer several values, and as what."""
        for k, value in enumerate(values):
            self._outputs[k] = type(value) if isinstance(value, tuple) else None

    def known(self, iid: int, bars: int) -> int:
        """The bar whose values an instrument's hooks see after so many of its bars; -1 while warming up."""
        return int(self._last_warm[iid][bars - 1]) if bars else -1

    def known_many(self, iid: int, bars: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The same for many."""
        if not len(self.warm[iid]):
            return np.full(len(bars), -1)
        return np.where(bars > 0, self._last_warm[iid][np.maximum(bars - 1, 0)], -1)

    def at(self, iid: int, bar: int) -> Any:
        """The inputs at one bar of an instrument; None for bar -1."""
        return self.many(iid, np.array([bar]))[0]

    def many(
        self, iid: int, bars: npt.NDArray[np.int64], ohlcv: list[list[float]] | None = None
    ) -> list[Any]:
        """The inputs at many bars of one instrument, in Python's own floats; None where a bar is -1. `ohlcv` holds the
        five columns of these bars when they have been made already."""
        if not len(self.warm[iid]):
            return [None] * len(bars)
        held = self._columns[iid]
        columns = iter([column[bars].tolist() for column in held[:-6]])
        fields: list[Any] = []
        for output in self._outputs:
            if output is None:
                fields.append(next(columns))
            else:
                parts = [next(columns) for _ in output._fields]
                fields.append(_tuples(output, parts))
        fields += ohlcv if ohlcv is not None else [column[bars].tolist() for column in held[-6:-1]]
        fields.append(held[-1][bars].tolist())
        made = _tuples(self._layout.x, fields)
        for place in np.flatnonzero(bars < 0).tolist():
            made[place] = None
        return made


def _tuples(kind: Any, columns: list[list[Any]]) -> list[Any]:
    """Namedtuples from columns, three times as quick as `_make`, which is a function of Python."""
    return list(map(tuple.__new__, repeat(kind), zip(*columns, strict=True)))
