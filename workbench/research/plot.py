"""The picture of a backtest: price with fills, equity, drawdown; one time axis for all three."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bokeh.models.ui import UIElement

    from workbench.research.result import Result

__all__ = ["result_plot"]

# Okabe-Ito: told apart by every kind of colour vision.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
WIDTH = 900


def result_plot(result: "Result") -> "UIElement":
    """A column of three linked figures."""
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource, CrosshairTool, HoverTool, NumeralTickFormatter
    from bokeh.models.annotations import Span
    from bokeh.plotting import figure

    symbol = result.recording.symbols[0]
    ts_ns, ohlcv = result.recording.bars(symbol)
    tools = "xpan,xwheel_zoom,box_zoom,reset,save"
    price = figure(
        width=WIDTH, height=300, x_axis_type="datetime", tools=tools, active_scroll="xwheel_zoom",
        title=f"{result.name} on {symbol}", y_axis_label=f"{symbol} price",
    )  # fmt: skip
    price.line(_ms(ts_ns), ohlcv[:, 3], color="#555555", line_width=1)
    fills = result.run.fills[result.run.fills["iid"] == 0]
    for side, colour, marker, word in ((1, GREEN, "triangle", "buy"), (-1, RED, "inverted_triangle", "sell")):
        mine = fills[fills["side"] == side]
        source = ColumnDataSource({"x": _ms(mine["ts_ns"]), "y": mine["px"], "quantity": mine["qty"]})
        drawn = price.scatter("x", "y", source=source, marker=marker, size=8, color=colour, legend_label=word)
        price.add_tools(
            HoverTool(
                renderers=[drawn],
                tooltips=[
                    ("", word),
                    ("price", "@y{0,0.00}"),
                    ("quantity", "@quantity"),
                    ("time", "@x{%F %T}"),
                ],
                formatters={"@x": "datetime"},
            )
        )
    price.legend.location = "top_left"
    price.legend.click_policy = "hide"
    x = _ms(result.run.ts_ns)
    equity = figure(
        width=WIDTH,
        height=180,
        x_axis_type="datetime",
        x_range=price.x_range,
        tools=tools,
        y_axis_label="equity",
    )
    equity.line(x, result.run.equity, color=BLUE, line_width=2)
    equity.yaxis.formatter = NumeralTickFormatter(format="0,0")
    drawdown = figure(
        width=WIDTH,
        height=120,
        x_axis_type="datetime",
        x_range=price.x_range,
        tools=tools,
        y_axis_label="drawdown",
    )
    drawdown.varea(x, 0, result.drawdown.to_numpy(), color=ORANGE, alpha=0.6)
    drawdown.yaxis.formatter = NumeralTickFormatter(format="0.00%")
    line = Span(dimension="height", line_dash="dotted", line_width=1)
    for part in (price, equity, drawdown):
        part.add_tools(CrosshairTool(overlay=line))
        part.toolbar.logo = None
    return column(price, equity, drawdown)


def _ms(
    ts_ns: "np.ndarray[tuple[int], np.dtype[np.int64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return ts_ns / 1e6
