"""What a sweep found: a view on its results file. Nothing but the best rows is in memory until it is asked for.

Lives here: rows, frames, one set's own backtest. Not here: pictures (pictures.py), the guards' formulas
(research/overfit.py, research/montecarlo.py).
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.chunk import ROW
from workbench.research.sweep.job import Job
from workbench.research.sweep.scores import BROKEN, REFUSED, Summary, known_objective, leaders, led
from workbench.research.sweep.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

    from workbench.research.crossval import CrossValidation
    from workbench.research.result import Result
    from workbench.research.sweep.guards import Guards

__all__ = ["SweepResult"]

_FIGURES = (
    "total_return",
    "final_equity",
    "max_drawdown",
    "sharpe",
    "orders",
    "fees",
    "exposure",
    "limits",
    "why",
)


class SweepResult:
    """Rows of a finished sweep, by set number: parameters (with symbols and span where there are several; "fees
    (parameter)" where a figure has the name), figures
    (`total_return`, `final_equity`, `max_drawdown`, `sharpe`, `orders`, `fees`, and `exposure`, the share of time in
    the market), `limits` ("ok", "would be refused", "refused" or "failed") and `why` (rules, or what went wrong).

    "would be refused": the live risk rules could have said no to an order of this set; its figures are those without
    the rules. Its own `backtest` shows what the desk would have done.
    """

    def __init__(self, job: Job, store: Store, summary: Summary) -> None:
        self._job, self._store, self.summary = job, store, summary

    def __len__(self) -> int:
        return self.summary.sets

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self._job.cls.__name__

    @property
    def objective(self) -> str:
        """What `best` ranks by."""
        return self.summary.objective

    @property
    def unranked(self) -> str:
        """What no set has where none could be ranked, and what to do."""
        if self.objective == "sharpe":
            return 'a Sharpe ratio (3 sessions or more, not all alike): rank by objective="total_return"'
        return f"a {self.objective}: rank by another objective"

    @property
    def path(self) -> Path:
        """The results file."""
        return self._store.path

    @property
    def loop(self) -> str:
        """ "lanes", or why every set was run by itself."""
        return self._job.why_single or "lanes"

    @property
    def axes(self) -> list[str]:
        """Names of the columns that differ between sets."""
        markets = self._job.markets
        more = [name for name in ("symbols", "span") if any(getattr(m, name) for m in markets)]
        return [*more, *map(_column, self.varied)]

    @property
    def varied(self) -> list[str]:
        """Names of the parameters that differ between sets."""
        return list(self._job.space.names)

    def facts(self) -> dict[str, Any]:
        """What was run, as plain values."""
        return {
            "strategy": self.strategy,
            "sets": len(self),
            "axes": self.axes,
            "method": self._job.space.method,
            "loop": self.loop,
            "objective": self.objective,
            "refused": self.summary.refused,
            "failed": self.summary.broken,
            "file": str(self.path),
        }

    # ------------------------------------------------------------------ rows
    def frame(self) -> "pd.DataFrame":
        """All sets as a DataFrame, by set number."""
        import pandas as pd

        parts = [self._table(places, rows) for places, rows in self._rows()]
        if not parts:
            return self._table(np.zeros(0, np.int64), np.zeros(0, ROW))
        return pd.concat(parts).sort_index()

    def best(self, n: int = 10, by: str | None = None) -> "pd.DataFrame":
        """The best `n` sets, best first; those the rules would have refused come last, failed ones never.

        `by`: "sharpe", "total_return", "final_equity" or "max_drawdown" (larger is better); None takes the sweep's.
        """
        if n < 1:
            raise BadValue("n", n, "give 1 or more")
        objective = known_objective(by or self.objective)
        places, rows = self.summary.places, self.summary.rows
        if objective != self.objective or n > len(rows):
            places, rows = places[:0], rows[:0]
            for where, chunk in self._rows():
                mine = leaders(chunk, objective, n)
                places, rows = np.concatenate([places, where[mine]]), np.concatenate([rows, chunk[mine]])
                places, rows = led(places, rows, objective, n)
        return self._table(places[:n], rows[:n])

    def _rows(self) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]]:
        for number, rows in self._store.chunks():
            chunk = self._job.chunk(number)
            yield chunk.market * self._job.space.n + chunk.first + np.arange(len(rows)), rows

    def _table(self, places: npt.NDArray[np.int64], rows: npt.NDArray[np.void]) -> "pd.DataFrame":
        import pandas as pd

        job, n = self._job, self._job.space.n
        market, place = np.divmod(places, max(n, 1))
        columns: dict[str, Any] = {}
        for name in ("symbols", "span"):
            if name in self.axes:
                labels = np.array([getattr(m, name) for m in job.markets], dtype=object)
                columns[name] = labels[market]
        columns |= {_column(name): values for name, values in job.space.columns(place).items()}
        columns["total_return"] = rows["final_equity"] / job.terms.cash - 1.0
        for name in ("final_equity", "max_drawdown", "sharpe", "orders", "fees", "exposure"):
            columns[name] = rows[name]
        numbers = market * n + job.space.numbers(place)
        columns["limits"], columns["why"] = _verdicts(rows["code"])
        for k in np.flatnonzero(rows["code"] & s.FAILED):
            columns["why"][k] = self._store.errors.get(int(places[k]), "failed")
        return pd.DataFrame(columns, index=pd.Index(numbers, name="set"))

    def to_parquet(self, path: str | Path) -> Path:
        """Write all rows to a Parquet file, chunk by chunk; answers its path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        target = Path(path).expanduser()
        writer = None
        try:
            for places, rows in self._rows():
                table = pa.Table.from_pandas(self._table(places, rows))
                writer = writer or pq.ParquetWriter(target, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        return target

    # ------------------------------------------------------------------ one set
    def parameters(self, row: Any) -> dict[str, Any]:
        """All parameters of a set: its number, or a row of `frame` or `best`."""
        _, place = self._placed(row)
        columns = self._job.space.columns(np.array([place]))
        return {**self._job.fixed, **{name: column[0].item() for name, column in columns.items()}}

    def backtest(self, row: Any = None) -> "Result":
        """The full backtest of one set: its number, or a row of `frame` or `best`; None takes the best one."""
        market, _ = self._placed(row)
        strategy = self._job.cls(**self.parameters(row))
        return self._job.terms.backtest(strategy, self._job.markets[market].recording)

    def _placed(self, row: Any) -> tuple[int, int]:
        """(market, place) of a set."""
        if row is None:
            if not len(self.summary.places):
                raise BadInput(f"no set of this sweep has {self.unranked}, or name a set by its number")
            return divmod(int(self.summary.places[0]), self._job.space.n)
        number = getattr(row, "name", row)
        if isinstance(number, bool) or not isinstance(number, int | np.integer):
            raise BadValue("row", row, "give a set's number, or a row of frame() or best()")
        if not 0 <= number < self._job.n:
            raise BadValue("row", int(number), f"give a number from 0 to {self._job.n - 1}")
        market, inside = divmod(int(number), self._job.space.n)
        return market, int(self._job.space.places(np.array([inside]))[0])

    # ------------------------------------------------------------------ more
    @cached_property
    def guards(self) -> "Guards":
        """How likely the best row is luck: deflated Sharpe ratio, probability of backtest overfitting, Monte Carlo of
        its trades. Computed when first asked for."""
        from workbench.research.sweep.guards import guards_of

        return guards_of(self._job, self._store, self.summary, self.backtest)

    def cross_validate(
        self, groups: int = 6, test_groups: int = 2, *, horizon: int = 1, embargo: int = 1, market: int = 0
    ) -> "CrossValidation":
        """Choose among these sets by part of the time and test the choice by the rest, in every combination of
        `groups` stretches, purged and with an embargo (`horizon` and `embargo` in periods: a 256th of the bars each,
        where there are enough). Of more than 2,000 sets an even sample takes part; `market` is one of several."""
        from workbench.research.crossval import cross_validated
        from workbench.research.sweep.guards import period_returns

        if not 0 <= market < len(self._job.markets):
            raise BadValue("market", market, f"give a number from 0 to {len(self._job.markets) - 1}")
        returns = period_returns(self._job, self._store, market)
        return cross_validated(returns, groups, test_groups, horizon=horizon, embargo=embargo)

    def heatmap(
        self, x: str | None = None, y: str | None = None, value: str | None = None, *, others: str = "best"
    ) -> "UIElement":
        """A Bokeh heat map of two axes (the first two that are not named); where several sets share a cell, the best of
        them or their mean (`others`="mean") shows.

        Raises:
            UnknownName: there is no such axis or figure. BadInput: the sweep has fewer than two axes, or one is named
                twice.
        """
        from workbench.research.sweep.pictures import heatmap

        if len(self.axes) < 2:
            told = ", ".join(self.axes) or "none"
            raise BadInput(f"a heat map takes two axes, the sweep has {told}: draw it with .parallel()")
        x, y = (_column(name) if name in self.varied else name for name in (x, y))
        x = x or next(name for name in self.axes if name != y)
        y = y or next(name for name in self.axes if name != x)
        for field, name in (("x", x), ("y", y)):
            if name not in self.axes:
                raise UnknownName(f"axis ({field})", name, self.axes)
        if x == y:
            raise BadValue("y", y, "give another axis than x")
        return heatmap(self.frame(), x, y, self._figure(value), others, self.strategy)

    def parallel(self, value: str | None = None, *, most: int = 1_000) -> "UIElement":
        """Parallel coordinates in Bokeh: one line a set through all axes to its figure, the best on top. Of more than
        `most` sets the best tenth of that and an even sample of the rest is drawn."""
        from workbench.research.sweep.pictures import parallel

        return parallel(self.frame(), self.axes, self._figure(value), most, self.strategy)

    def _figure(self, value: str | None) -> str:
        name = value or self.objective
        if name not in _FIGURES[:-2]:
            raise UnknownName("figure", name, _FIGURES[:-2])
        return name

    def __repr__(self) -> str:
        markets = f" x {len(self._job.markets)} markets" if len(self._job.markets) > 1 else ""
        head = f"<Sweep {self.strategy}: {self._job.space.n:,} sets{markets} by {self._job.space.method}"
        notes = []
        if self.summary.refused:
            notes.append(f"{self.summary.refused:,} would be refused")
        if self.summary.broken:
            notes.append(f"{self.summary.broken:,} failed")
        head += "".join(f", {note}" for note in notes)
        if not len(self.summary.places):
            return f"{head}, none has {self.unranked}>"
        from workbench.research.sweep.told import told

        return f"{head}>\n{told(self)}"


def _column(parameter: str) -> str:
    """The column of a parameter: its name, unless a figure is called so."""
    return f"{parameter} (parameter)" if parameter in (*_FIGURES, "symbols", "span") else parameter


def _verdicts(code: npt.NDArray[np.int32]) -> tuple[Any, Any]:
    """Columns `limits` and `why`."""
    limits = np.full(len(code), "ok", dtype=object)
    why = np.full(len(code), "", dtype=object)
    for bits in np.unique(code[code != 0]).tolist():
        rules = [name for name in s.RULE_NAMES if bits & getattr(s, name)]
        rules += ["another rule"] if bits & s.OTHER_RULE else []
        word = "would be refused" if bits & REFUSED else "ok"
        if bits & s.ACTUAL:
            word = "refused"
        if bits & BROKEN:
            word = "failed"
            rules = ["decide answered NaN or infinity"] if bits & s.NOT_A_NUMBER else []
        mine = code == bits
        limits[mine], why[mine] = word, ", ".join(rules)
    return limits, why
