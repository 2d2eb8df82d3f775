"""Walk-forward: choose by the past, trade what follows, move on; what is stitched together was never chosen by.

    |----- train -----|-- test --|
               |----- train -----|-- test --|            (anchored: every train begins at the start)

Every window sweeps its training span, takes the best set, and trades its test span from flat to flat with the money the
last window left. Indicators are warm when a test span begins: they saw the training span, without deciding.

Lives here: windows and stitching. Not here: sweeps (sweep/), splits that look both ways (crossval.py).
"""

import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import Recording
from workbench.research.backtest import backtest, market_of
from workbench.research.result import Result
from workbench.research.run import Run
from workbench.research.statistics import session_ends
from workbench.research.sweep import SweepResult, sweep
from workbench.research.sweep.progress import meter_for
from workbench.strategy import Strategy, is_event

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

__all__ = ["WalkForward", "Window", "walk_forward", "windows"]

type Ints = npt.NDArray[np.int64]

UNITS = ("sessions", "bars")
_OWN = ("symbols", "start", "end", "method", "n", "seed", "sets", "axes", "workers")
_TERMS = ("quantity", "sizing", "fill", "fees", "fee_per_unit", "fee_per_order", "slippage", "sim", "limits")
_UNDERSTOOD = ("adjusted", "tz", "stamp", "calendar", "tick", "lot")
_ASLEEP_UNTIL = "asleep_until_s"


class Window(NamedTuple):
    """Half-open spans of units (sessions or bars), counted from 0."""

    train_from: int
    train_to: int
    test_from: int
    test_to: int


def windows(
    n: int, train: int, test: int, step: int | None = None, *, anchored: bool = False
) -> Iterator[Window]:
    """Training and test spans over `n` units; the last test span may be shorter.

    >>> [tuple(window) for window in windows(10, 4, 3)]
    [(0, 4, 4, 7), (3, 7, 7, 10)]
    >>> [tuple(window) for window in windows(10, 4, 3, anchored=True)]
    [(0, 4, 4, 7), (0, 7, 7, 10)]

    Raises:
        BadValue: a span below 1, a step shorter than the test span, or too few units for one window.
    """
    move = test if step is None else step
    for name, value in (("train", train), ("test", test), ("step", move)):
        if type(value) is not int or value < 1:
            raise BadValue(name, value, "give a whole number, 1 or more")
    if move < test:
        raise BadValue("step", move, f"give at least test = {test}: no span may be traded twice")
    if n <= train:
        raise BadValue("train", train, f"give less than the {n} there are")
    for first in range(0, n - train, move):
        end = first + train
        yield Window(0 if anchored else first, end, end, min(end + test, n))


def walk_forward(
    strategy: Strategy | type[Strategy],
    data: Any = "SPY",
    *,
    train: int,
    test: int,
    step: int | None = None,
    anchored: bool = False,
    unit: str = "sessions",
    objective: str = "sharpe",
    cash: float = 1_000_000.0,
    progress: Any = None,
    **more: Any,
) -> "WalkForward":
    """Sweep a training span, trade the best set over the test span after it, move on by `step`, to the end.

    Args:
        strategy, data: as for `sweep`.
        train, test, step: lengths in `unit` ("sessions" or "bars"); step defaults to test.
        anchored: every training span begins at the start of the data.
        objective: what the best set of a training span is best by.
        cash: starting cash.
        progress: False for silence, or a function told (windows done, windows in all).
        more: axes, and the arguments of `sweep` that say what is run: symbols (of one account), start, end, method, n,
            seed, sets, axes, workers, quantity, sizing, fill, fees, fee_per_unit, fee_per_order, slippage, sim, limits,
            and how the data is to be understood: adjusted, tz, stamp, calendar, tick, lot.

    Raises:
        UnknownName, BadValue, BadInput: as `sweep`; or spans that do not fit the data.

    >>> import workbench as wb
    >>> asked = {"period": [5, 9], "low": [25, 35], "objective": "total_return"}
    >>> walked = wb.walk_forward(wb.strategies.RsiReversion, "SPY", train=2, test=1, **asked)
    >>> len(walked.windows), walked.result.stats["orders"] > 0
    (2, True)
    """
    if unit not in UNITS:
        raise UnknownName("unit", unit, UNITS)
    understood = {name: more.pop(name) for name in _UNDERSTOOD if name in more}
    symbols = more.pop("symbols", None)
    names = [symbols] if isinstance(symbols, str) else symbols
    recording = market_of(data, names, more.pop("start", None), more.pop("end", None), **understood)
    ends = _ends(recording, unit)
    spans = list(windows(len(ends), train, test, step, anchored=anchored))
    own = {name: more.pop(name) for name in _OWN if name in more}
    terms = {name: more.pop(name) for name in _TERMS if name in more}
    own["axes"] = {**own.get("axes", {}), **more}
    cls = strategy if isinstance(strategy, type) else type(strategy)
    walked: list[_Walked] = []
    money, axes = float(cash), list[str]()
    with (
        meter_for(progress, f"{cls.__name__}: windows") as meter,
        tempfile.TemporaryDirectory(prefix="workbench-walk-") as folder,
    ):
        for k, window in enumerate(spans):
            fit, trade = (
                _cut(recording, ends, window.train_from, window.train_to),
                (_cut(recording, ends, window.test_from, window.test_to)),
            )
            swept = sweep(
                strategy, fit, objective=objective, cash=money, out=Path(folder) / f"{k}.sweep", resume=False,
                progress=False, **own, **terms,
            )  # fmt: skip
            axes = swept.varied
            walked.append(_traded(cls, swept, recording, fit, trade, money, terms))
            money = float(walked[-1].run.equity[-1]) if walked[-1].run is not None else money
            meter.show(k + 1, len(spans))
        meter.end(len(spans))
    return WalkForward(cls.__name__, recording, objective, float(cash), walked, axes)


class _Walked(NamedTuple):
    """One window: spans, what was chosen and how it did in training, its run over the test span (from flat to flat)."""

    fit: Recording
    trade: Recording
    chosen: dict[str, Any]
    row: dict[str, Any]
    run: Any
    warm: bool


def _ends(recording: Recording, unit: str) -> Ints:
    """The last instant (UTC ns) of every session or bar."""
    instants = np.unique(recording.ts_ns)
    return instants[session_ends(recording, instants)] if unit == "sessions" else instants


def _cut(recording: Recording, ends: Ints, low: int, high: int) -> Recording:
    start = int(ends[low - 1]) + 1 if low else None
    return recording.select(None, start, int(ends[high - 1]))


def _traded(
    cls: type[Strategy], swept: SweepResult, whole: Recording, fit: Recording, trade: Recording, cash: float,
    terms: dict[str, Any],
) -> _Walked:  # fmt: skip
    """Trade the best set of `swept` over `trade`; its indicators see `fit` first where it can be compiled."""
    best = swept.best(1)
    if best.empty:
        return _Walked(fit, trade, {}, {}, None, False)
    row: dict[str, Any] = {str(name): value for name, value in best.iloc[0].items()}
    chosen = swept.parameters(int(best.index[0]))
    if not is_event(cls):
        both = whole.select(None, fit.start_ns, trade.end_ns)
        sleeper = _sleeper(cls)(**chosen, **{_ASLEEP_UNTIL: trade.start_ns / 1e9})
        try:
            result = backtest(sleeper, both, cash=cash, flat_at_end=True, loop="compiled", **terms)
        except BadValue as error:
            if error.field != "loop":
                raise
        else:
            return _Walked(fit, trade, chosen, row, _since(result.run, trade), True)
    result = backtest(cls(**chosen), trade, cash=cash, flat_at_end=True, **terms)
    return _Walked(fit, trade, chosen, row, result.run, False)


def _sleeper(cls: type[Strategy]) -> type[Strategy]:
    """The strategy, keeping its target until a moment: its indicators warm up and nothing is decided."""
    decides: Any = cls.decide  # type: ignore[attr-defined]

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 * decides(p, x, pos) if x.ts_s >= p.asleep_until_s else pos

    decide.__module__ = cls.__module__  # else it counts as ours, and its fingerprint would not look inside
    made = {
        "decide": decide,
        _ASLEEP_UNTIL: 0.0,
        "__annotations__": {_ASLEEP_UNTIL: float},
        "__module__": cls.__module__,
    }
    return type(cls.__name__, (cls,), made)


def _since(run: Run, trade: Recording) -> Run:
    """The part of a run that lies in the test span; before it nothing was held."""
    kept = run.ts_ns >= trade.start_ns
    return Run(
        trade, run.loop, run.cash, run.ts_ns[kept], run.equity[kept], run.fills, run.orders, run.refusals,
        run.cash_moves, run.why,
    )  # fmt: skip


class WalkForward:
    """A walk-forward: `result` is the stitched out-of-sample backtest, `windows` one row a window."""

    def __init__(
        self,
        strategy: str,
        recording: Recording,
        objective: str,
        cash: float,
        walked: list[_Walked],
        axes: list[str],
    ) -> None:
        self.axes = axes
        self.strategy, self.recording, self.objective, self.cash = strategy, recording, objective, cash
        self._walked = walked
        if all(window.run is None for window in walked):
            raise BadInput(
                f"no training span has a set with a {objective}: give longer spans or another objective"
            )

    @cached_property
    def result(self) -> Result:
        """All test spans as one backtest, each with the set its training span chose."""
        runs = [
            _still(w, self._money_before(k)) if w.run is None else w.run for k, w in enumerate(self._walked)
        ]
        fills: list[Any] = []
        orders: list[Any] = []
        at = 0
        for run in runs:
            for rows, kept in ((run.fills, fills), (run.orders, orders)):
                moved = rows.copy()
                moved["order_id"] += at
                kept.append(moved)
            at += len(run.orders)
        whole = self.recording.select(None, runs[0].recording.start_ns, runs[-1].recording.end_ns)
        run = Run(
            recording=whole,
            loop="walk-forward",
            cash=self.cash,
            ts_ns=np.concatenate([r.ts_ns for r in runs]),
            equity=np.concatenate([r.equity for r in runs]),
            fills=np.concatenate(fills),
            orders=np.concatenate(orders),
            refusals=[refusal for r in runs for refusal in r.refusals],
            cash_moves=sum(r.cash_moves for r in runs),
        )
        return Result(run, self.strategy, {"windows": len(runs)})

    def _money_before(self, k: int) -> float:
        runs = [w.run for w in self._walked[:k] if w.run is not None]
        return float(runs[-1].equity[-1]) if runs else self.cash

    @cached_property
    def windows(self) -> "pd.DataFrame":
        """One row a window: spans (UTC), the chosen parameters, `train_*` and `test_*` figures, `warm`: whether the
        indicators had seen the training span."""
        import pandas as pd

        rows = []
        for window in self._walked:
            row: dict[str, Any] = {
                "train_from": _utc(window.fit.start_ns),
                "train_to": _utc(window.fit.end_ns),
                "test_from": _utc(window.trade.start_ns),
                "test_to": _utc(window.trade.end_ns),
                **{name: window.chosen.get(name) for name in self.axes},
            }
            for name in ("total_return", "sharpe", "max_drawdown"):
                row[f"train_{name}"] = window.row.get(name, float("nan"))
            row |= _tested(window)
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def efficiency(self) -> float:
        """Mean return a bar in the test spans over that in the training spans (R. Pardo, "The Evaluation and
        Optimization of Trading Strategies", 2008): 1 keeps what the training promised; NaN without a promise."""
        train = test = 0.0
        for window in self._walked:
            if window.run is not None:
                train += window.row["total_return"] / len(window.fit)
                test += (float(window.run.equity[-1]) / window.run.cash - 1.0) / len(window.trade)
        return test / train if train > 0 else float("nan")

    def plot(self) -> "UIElement":
        """Out-of-sample equity, what each window promised and kept, and the chosen parameters, on one time axis."""
        from workbench.research.walkforward_plot import walk_plot

        picture: UIElement = walk_plot(self)
        return picture

    def __repr__(self) -> str:
        from workbench.research.report.parts import shown

        stats, table = self.result.stats, self.windows
        figures = ", ".join(
            f"{word} {shown(name, stats[name])}"
            for word, name in (("return", "total_return"), ("drawdown", "max_drawdown"), ("Sharpe", "sharpe"))
        )
        profitable = int((table["test_total_return"] > 0).sum())
        return (
            f"<WalkForward {self.strategy}: {len(table)} windows, out of sample {figures}; {profitable} of {len(table)}"
            f" test spans gain, efficiency {self.efficiency:.0%}>"
        )


def _tested(window: _Walked) -> dict[str, Any]:
    names = ("total_return", "sharpe", "max_drawdown", "orders")
    if window.run is None:
        return {**{f"test_{name}": float("nan") for name in names[:3]}, "test_orders": 0, "warm": False}
    stats = Result(window.run, "", {}).stats
    found: dict[str, Any] = {f"test_{name}": stats[name] for name in names}
    return {**found, "test_orders": int(stats["orders"]), "warm": window.warm}


def _still(window: _Walked, money: float) -> Run:
    """A window without a choice: nothing is traded."""
    from workbench.model.dtypes import FILL, ORDER

    ts = np.unique(window.trade.ts_ns)
    return Run(
        window.trade, "none", money, ts, np.full(len(ts), money), np.zeros(0, FILL), np.zeros(0, ORDER)
    )


def _utc(ts_ns: int) -> Any:
    import pandas as pd

    return pd.Timestamp(ts_ns, unit="ns", tz="UTC")
