"""The dashboard's two large charts: the equity curve with its drawdown, and latency by stage against the budgets.

Each is a figure and an `update(snapshot)`. Bars are drawn one beside the other, so nights take no room.
"""

# bokeh's stubs know neither Span nor the shorthands of figure()
# mypy: disable-error-code="attr-defined, arg-type"

from datetime import UTC, datetime
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import (
    ColumnDataSource,
    CustomJSTickFormatter,
    HoverTool,
    NumeralTickFormatter,
    Span,
    WheelZoomTool,
)
from bokeh.plotting import figure

from workbench.model.snapshot import Snapshot
from workbench.model.stages import STAGES
from workbench.ui.dashboard.style import DARK, LIGHT

__all__ = ["Colours", "EquityChart", "StageChart", "plain"]


# a bar's number on the axis, told as its time; under a short curve with seconds, else the same minute stood there twice
_BAR_TIME = """
const all = source.data.time, time = all[Math.round(tick)], at = (text) => Date.parse(text.replace(' ', 'T'))
const short = all.length && at(all[all.length - 1]) - at(all[0]) < 6e5
return time ? time.slice(5, short ? 19 : 16).replace(' ', '\\n') : ''
"""
# a drawdown of however little: three digits that count
_SHARE = "return (tick || 0).toLocaleString('en-US', {maximumSignificantDigits: 3}).replace('-', '\u2212')"


class Colours:
    """The theme's colours by what the charts use them for."""

    def __init__(self, dark: bool) -> None:
        theme = DARK if dark else LIGHT
        self.line, self.down, self.text = theme["accent"], theme["down"], theme["text"]
        self.muted, self.grid, self.back = theme["muted"], theme["line"], theme["card"]


def plain(chart: Any, colours: Colours) -> None:
    """Make a chart quiet, in the theme's colours."""
    chart.background_fill_color = chart.border_fill_color = colours.back
    chart.outline_line_color = None
    for axis in chart.axis:
        axis.axis_line_color = axis.minor_tick_line_color = None
        axis.major_tick_line_color = colours.grid
        axis.major_label_text_color = axis.axis_label_text_color = colours.muted
        axis.major_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"
    for grid in chart.grid:
        grid.grid_line_color = colours.grid
    chart.toolbar.logo = None
    chart.toolbar.autohide = True


class EquityChart:
    """Equity above, drawdown from the highest point so far below."""

    def __init__(self, colours: Colours) -> None:
        self.source = ColumnDataSource({"x": [], "equity": [], "drawdown": [], "time": []})
        hover = [("time", "@time UTC"), ("equity", "@equity{0,0.00}"), ("drawdown", "@drawdown{0.000} %")]
        top = figure(height=340, sizing_mode="stretch_width", tools="xpan,box_zoom,reset,save", title=None)
        top.line("x", "equity", source=self.source, color=colours.line, line_width=1.8)
        top.add_tools(HoverTool(tooltips=hover, mode="vline"), WheelZoomTool(dimensions="width"))
        self.start = Span(
            location=0, dimension="width", line_color=colours.muted, line_dash="dashed", line_width=1
        )
        top.add_layout(self.start)
        top.yaxis.formatter = NumeralTickFormatter(format="0,0.00")
        top.yaxis.axis_label = "equity"
        low = figure(
            height=150, sizing_mode="stretch_width", tools="xpan,reset", x_range=top.x_range, title=None
        )
        low.varea("x", 0, "drawdown", source=self.source, color=colours.down, alpha=0.35)
        low.line("x", "drawdown", source=self.source, color=colours.down, line_width=1.2)
        low.yaxis.axis_label = "drawdown %"
        low.yaxis.formatter = CustomJSTickFormatter(code=_SHARE)
        for chart in (top, low):
            plain(chart, colours)
            chart.min_border_left = 84
        top.xaxis.visible = False
        low.toolbar_location = None
        low.xaxis.formatter = CustomJSTickFormatter(args={"source": self.source}, code=_BAR_TIME)
        self.view = column(top, low, sizing_mode="stretch_width")

    def update(self, now: Snapshot) -> None:
        """Send what is new; all of it when the curve was thinned or began anew."""
        self.start.location = now.account.start_cash
        points = now.equity
        if not points:
            return
        equity = np.array([value for _, value in points])
        peak = np.maximum.accumulate(equity)
        fresh: dict[str, Any] = {
            "x": np.arange(len(points)),
            "equity": equity,
            "drawdown": (equity / peak - 1.0) * 100.0,
            "time": [f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S}" for ts, _ in points],
        }
        shown = len(self.source.data["x"])
        same = 0 < shown <= len(points) and self.source.data["time"][0] == fresh["time"][0]
        if same and self.source.data["time"][-1] == fresh["time"][shown - 1]:
            if shown < len(points):
                self.source.stream({name: values[shown:] for name, values in fresh.items()})
        else:
            self.source.data = fresh


class StageChart:
    """One line a stage: from p50 (tick) over p90 to p99 (end of the bar), the budget as a notch; log scale."""

    def __init__(self, colours: Colours) -> None:
        self._colours = colours
        names = list(reversed(STAGES))
        empty: dict[str, list[Any]] = {
            k: [] for k in ("stage", "p50", "p90", "p99", "budget", "colour", "n", "over")
        }
        self.source = ColumnDataSource(empty)
        chart = figure(
            y_range=names, x_axis_type="log", x_range=(0.8, 1.2e6), height=320, sizing_mode="stretch_width",
            tools="save", title=None, x_axis_label="microseconds (log)",
        )  # fmt: skip
        chart.hbar(
            "stage", left="p50", right="p99", height=0.42, source=self.source, color="colour", alpha=0.45
        )
        chart.hbar(
            "stage", left="p50", right="p90", height=0.42, source=self.source, color="colour", alpha=0.55
        )
        for field, colour, width in (("p50", "colour", 3), ("budget", colours.text, 2)):
            mark = chart.scatter(
                field, "stage", source=self.source, marker="dash", angle=np.pi / 2, size=24, line_width=width,
                line_color=colour,
            )  # fmt: skip
            mark.name = field
        tips = [("stage", "@stage (@n measured)"), ("p50 / p90 / p99", "@p50{0.0} / @p90{0.0} / @p99{0.0} µs"),
                ("budget", "@budget{0,0} µs, @over{0.00} % over")]  # fmt: skip
        chart.add_tools(HoverTool(tooltips=tips, renderers=chart.renderers[:1]))
        chart.xaxis.formatter = NumeralTickFormatter(format="0,0")
        plain(chart, colours)
        chart.ygrid.grid_line_color = None
        self.view = chart

    def update(self, now: Snapshot) -> None:
        """The newest percentiles."""
        rows = [row for row in now.latency if row.n]
        over = [row.p99_us > row.budget_us > 0 for row in rows]
        self.source.data = {
            "stage": [row.stage for row in rows],
            "p50": [max(row.p50_us, 0.8) for row in rows],
            "p90": [max(row.p90_us, 0.8) for row in rows],
            "p99": [max(row.p99_us, 0.8) for row in rows],
            "budget": [row.budget_us or float("nan") for row in rows],
            "colour": [self._colours.down if bad else self._colours.line for bad in over],
            "n": [row.n for row in rows],
            "over": [row.share_over * 100 for row in rows],
        }
