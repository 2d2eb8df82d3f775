"""Three small charts of the accounts at venues over their last quarter of an hour: headroom, round trips, waits.

Lives here: drawing. Not here: where the figures come from (venues.py asks the engine).
"""

# bokeh's stubs do not know the shorthands of figure()
# mypy: disable-error-code="attr-defined, arg-type, union-attr, assignment"

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    DatetimeTickFormatter,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

from workbench.model.snapshot import AccountHistoryRow
from workbench.ui.dashboard.charts import Colours, plain

__all__ = ["VenueCharts"]

KEPT: Final = 900
_LINES: Final = ("#4a82e0", "#d98c1f", "#2fa37c", "#a56bd6", "#d2506a", "#6b8794")  # read on light and dark
_COLUMNS: Final = ("time", "headroom", "wire", "waiting", "waited")


class VenueCharts:
    """A line for each of `accounts` in every chart; `update` takes what is new."""

    def __init__(self, accounts: Sequence[str], colours: Colours) -> None:
        self.sources = {name: ColumnDataSource({column: [] for column in _COLUMNS}) for name in accounts}
        left = self._chart("allowance left, %", "headroom", "0.0", colours)
        left.y_range = Range1d(0, 104)
        trip = self._chart("round trip, ms", "wire", "0.00", colours, dots=True)
        wait = self._chart("waited in each second, ms", "waited", "0.0", colours)
        wait.y_range.start = 0
        wait.y_range.min_interval = 1.0
        # bokeh's own marks of such a scale run into one another where it spans little
        trip.yaxis.ticker = trip.ygrid.ticker = FixedTicker(
            ticks=[n * 10**e for e in range(-2, 6) for n in (1, 3)]
        )
        trip.x_range = wait.x_range = left.x_range
        self.views = (left, trip, wait)

    def _chart(self, title: str, column: str, digits: str, colours: Colours, dots: bool = False) -> Any:
        """`dots` on a scale of powers of ten: for what is not there every second and differs widely."""
        chart = figure(
            height=190,
            sizing_mode="stretch_width",
            x_axis_type="datetime",
            y_axis_type="log" if dots else "linear",
            tools="save",
            title=title,
        )
        for number, (name, source) in enumerate(self.sources.items()):
            colour = _LINES[number % len(_LINES)]
            drawn = {"source": source, "color": colour, "legend_label": name}
            line = (
                chart.scatter("time", column, size=4, alpha=0.75, **drawn)
                if dots
                else chart.line("time", column, line_width=1.8, **drawn)
            )
            tips = [("account", name), ("time", "@time{%H:%M:%S}"), (title, f"@{column}{{{digits}}}")]
            chart.add_tools(
                HoverTool(tooltips=tips, renderers=[line], formatters={"@time": "datetime"}, mode="vline")
            )
        plain(chart, colours)
        chart.min_border_left = 44  # so that the three begin alike, one below the other
        chart.title.text_color, chart.title.text_font_size = colours.text, "12px"
        chart.xaxis.formatter = DatetimeTickFormatter(
            **dict.fromkeys(("seconds", "minsec", "minutes", "hourmin", "hours"), "%H:%M:%S")
        )
        chart.xaxis.ticker.desired_num_ticks = 4
        chart.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
        legend = chart.legend[0]
        chart.add_layout(legend, "above")  # inside it would lie over lines
        legend.orientation, legend.padding, legend.spacing, legend.margin = "horizontal", 0, 10, 2
        legend.background_fill_color, legend.label_text_color = colours.back, colours.muted
        legend.border_line_alpha = 0.0
        legend.label_text_font_size, legend.glyph_width, legend.label_height = "11px", 12, 12
        legend.visible = len(self.sources) > 1
        return chart

    def update(self, histories: Sequence[AccountHistoryRow]) -> None:
        """Add the seconds that came; an account nobody knows is left out."""
        for past in histories:
            source = self.sources.get(past.account)
            if source is None or not past.ts_ns:
                continue
            source.stream(
                {
                    "time": (np.array(past.ts_ns) // 1_000_000).astype("datetime64[ms]"),
                    "headroom": np.array(past.headroom) * 100.0,
                    "wire": np.array(past.wire_us) / 1e3,
                    "waiting": np.array(past.waiting),
                    "waited": np.array(past.waited_us) / 1e3,
                },
                rollover=KEPT,
            )
