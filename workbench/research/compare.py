"""Several backtests side by side: their figures in one table, their equity in one picture.

Not here: one backtest (result.py, plot.py).
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import BadValue
from workbench.research.plot import POINTS, TAG, base_figure, thinned, time_axis
from workbench.research.result import Result
from workbench.research.tick_formats import percents

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare"]

# Okabe-Ito: told apart by every kind of colour vision
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#B8A800")
SHOWN = (
    "total_return", "annual_return", "volatility", "sharpe", "sortino", "max_drawdown", "trades", "hit_rate",
    "profit_factor", "exposure", "fees",
)  # fmt: skip


class Comparison:
    """Results by name: `table` (figures by result), `plot()` (growth of each, overlaid)."""

    def __init__(self, results: Mapping[str, Result]) -> None:
        self.results = dict(results)

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row a result, one column a figure."""
        import pandas as pd

        return pd.DataFrame({name: result.stats for name, result in self.results.items()}).T

    def plot(self) -> Any:
        """Return since the start of each result over time, and its drawdown (a Bokeh layout)."""
        from bokeh.layouts import column
        from bokeh.models import HoverTool, NumeralTickFormatter

        results = list(self.results.values())
        ts_ns = results[0].run.ts_ns
        together = all(np.array_equal(result.run.ts_ns, ts_ns) for result in results)
        growth = base_figure("return", 340)
        drawdown = base_figure("drawdown", 140, growth.x_range)
        least = most = 0.0
        for (name, result), colour in zip(self.results.items(), cycle(PALETTE), strict=False):
            x = np.arange(len(ts_ns)) if together else result.run.ts_ns / 1e6
            kept, value = thinned(result.run.equity / result.run.cash - 1.0, POINTS)
            drawn = growth.line(x[kept], value, color=colour, line_width=1.8, legend_label=name, name=name)
            growth.add_tools(HoverTool(renderers=[drawn], tooltips=[("", "$name"), ("return", "$y{0.00%}")]))
            kept, low = thinned(result.drawdown.to_numpy(), POINTS // 2)
            drawdown.line(x[kept], low, color=colour, line_width=1.2)
            least, most = min(least, float(low.min())), max(most, float(np.abs(value).max()))
        for part, largest in ((growth, most), (drawdown, -least)):
            part.yaxis.formatter = NumeralTickFormatter(format=percents(largest))
            if together:
                time_axis(part, ts_ns)
            else:
                _dates(part)
        growth.legend.location = "top_left"
        growth.legend.click_policy = "hide"
        growth.legend.border_line_color = None
        growth.legend.background_fill_alpha = 0.7
        growth.xaxis.visible = False
        return column(growth, drawdown, sizing_mode="stretch_width", tags=[TAG])

    def __repr__(self) -> str:
        return self.table[list(SHOWN)].to_string(float_format=lambda value: f"{value:.4g}")


def compare(results: Sequence[Result] | Mapping[str, Result]) -> Comparison:
    """Put results side by side; a mapping names them, else their strategies and what differs in the parameters do.

    Raises:
        BadValue: there is none.

    >>> import workbench as wb
    >>> pair = [wb.backtest(wb.strategies.RsiReversion(period=n), data="SPY") for n in (7, 14)]
    >>> list(compare(pair).results)
    ['RsiReversion(period=7)', 'RsiReversion(period=14)']
    """
    if not results:
        raise BadValue("results", results, "give at least one")
    return Comparison(results if isinstance(results, Mapping) else _named(list(results)))


def _named(results: list[Result]) -> dict[str, Result]:
    every = {name for result in results for name in result.parameters}
    differing = [name for name in every if len({repr(r.parameters.get(name)) for r in results}) > 1]
    named: dict[str, Result] = {}
    for result in results:
        words = ", ".join(f"{name}={value}" for name, value in result.parameters.items() if name in differing)
        name = f"{result.name}({words})" if words else result.name
        if len({r.recording.name for r in results}) > 1:
            name += f" on {result.recording.name}"
        number, unique = 2, name
        while unique in named:
            unique, number = f"{name} #{number}", number + 1
        named[unique] = result
    return named


def _dates(figure: Any) -> None:
    """An axis of dates, since the results are about different markets."""
    from bokeh.models import DatetimeTicker, DatetimeTickFormatter

    figure.xaxis.ticker = DatetimeTicker()
    figure.xaxis.formatter = DatetimeTickFormatter()
    figure.xaxis.axis_label = "time (UTC)"
    figure.xgrid.ticker = figure.xaxis[0].ticker
