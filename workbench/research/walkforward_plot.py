"""The picture of a walk-forward: out-of-sample equity, what each window promised and what it kept, what was chosen.

Lives here: drawing, on the axis of instants of single backtests (plot.py). Not here: the windows (walkforward.py).
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.research.plot import COLOURS, TAG, base_figure, curve_figure, thinned, time_axis
from workbench.research.tick_formats import amounts, percents

if TYPE_CHECKING:
    from workbench.research.walkforward import WalkForward

__all__ = ["walk_plot"]

_POINTS: Final = 1_500
_MOST_PARAMETERS: Final = 4
_PROMISED, _KEPT = "#e69f00", COLOURS["line"]  # told apart by any kind of colour vision


def walk_plot(walked: "WalkForward") -> Any:
    """A column of linked figures, as wide as its page."""
    from bokeh.layouts import column
    from bokeh.models import NumeralTickFormatter
    from bokeh.models.annotations import BoxAnnotation

    run, table = walked.result.run, walked.windows
    ts_ns = run.ts_ns
    left = np.searchsorted(ts_ns, table["test_from"].astype("datetime64[ns, UTC]").astype("int64").to_numpy())
    right = np.searchsorted(ts_ns, table["test_to"].astype("datetime64[ns, UTC]").astype("int64").to_numpy())
    equity = base_figure("equity", 240)
    equity.title.text = f"{walked.strategy}: out of sample over {len(table)} windows"
    equity.yaxis.formatter = NumeralTickFormatter(format=amounts(float(np.ptp(run.equity))))
    time_axis(equity, ts_ns)
    x, y = thinned(run.equity, _POINTS)
    equity.line(x, y, color=COLOURS["line"], line_width=1.6)
    for k in range(0, len(table), 2):  # every other window on a darker ground
        equity.add_layout(
            BoxAnnotation(
                left=left[k], right=right[k], fill_color=COLOURS["grid"], fill_alpha=0.5, level="underlay"
            )
        )
    figures = [equity, _kept(table, left, right, ts_ns, equity.x_range)]
    chosen = [name for name in table.columns if name not in _COLUMNS and table[name].nunique(dropna=True) > 1]
    for name in chosen[:_MOST_PARAMETERS]:
        figures.append(_parameter(table, name, left, right, ts_ns, equity.x_range))
    for part in figures[:-1]:
        part.xaxis.visible = False
    return column(*figures, sizing_mode="stretch_width", tags=[TAG])


_COLUMNS: Final = {
    *("train_from", "train_to", "test_from", "test_to", "warm", "test_orders"),
    *(f"{half}_{name}" for half in ("train", "test") for name in ("total_return", "sharpe", "max_drawdown")),
}


def _kept(table: Any, left: Any, right: Any, ts_ns: Any, x_range: Any) -> Any:
    """Returns of each window: promised in training (a bar of time), kept in the test (another)."""
    from bokeh.models import ColumnDataSource, HoverTool

    largest = float(
        np.nanmax(np.abs(table[["train_total_return", "test_total_return"]].to_numpy(float)), initial=0.0)
    )
    figure = curve_figure("return", 170, x_range, ts_ns, percents(largest))
    for half, colour, word in (("train", _PROMISED, "training"), ("test", _KEPT, "test")):
        value = table[f"{half}_total_return"].to_numpy(float)
        source = ColumnDataSource(
            {
                "left": left,
                "right": np.maximum(right, left + 1),
                "value": value,
                "window": np.arange(1, len(table) + 1),
                "from": [str(t)[:16] for t in table[f"{half}_from"]],
                "to": [str(t)[:16] for t in table[f"{half}_to"]],
            }
        )
        drawn = figure.segment(
            "left", "value", "right", "value", source=source, color=colour, line_width=4, legend_label=word
        )
        tooltips = [
            ("window", "@window"),
            (word, "@value{0.000%}"),
            ("from", "@from"),
            ("to", "@to"),
        ]
        figure.add_tools(HoverTool(renderers=[drawn], tooltips=tooltips))
    figure.line([0, len(ts_ns)], [0.0, 0.0], color=COLOURS["muted"], line_width=1)
    figure.legend.orientation, figure.legend.location = "horizontal", "top_left"
    figure.legend.border_line_color, figure.legend.background_fill_alpha = None, 0.7
    return figure


def _parameter(table: Any, name: str, left: Any, right: Any, ts_ns: Any, x_range: Any) -> Any:
    """The chosen value of a parameter, window after window."""
    values = table[name].to_numpy()
    numbers = np.issubdtype(np.asarray(values[~table[name].isna()].tolist()).dtype, np.number)
    words = sorted({str(v) for v in values})
    places = values.astype(float) if numbers else np.array([words.index(str(v)) for v in values], float)
    figure = curve_figure(name, 130, x_range, ts_ns, "0,0.[000]")
    if not numbers:
        figure.yaxis.ticker = list(range(len(words)))
        figure.yaxis.major_label_overrides = dict(enumerate(words))
    figure.segment(left, places, np.maximum(right, left + 1), places, color=COLOURS["text"], line_width=3)
    return figure
