"""A sweep as pictures: a heat map of two axes, parallel coordinates of all of them. Bokeh; colours that people with any
kind of colour vision tell apart (Viridis: lightness rises along with the value).

Lives here: drawing. Not here: which rows there are (result.py).
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import UnknownName
from workbench.research.plot import TAG
from workbench.research.tick_formats import amounts, percents

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.models.ui import UIElement

__all__ = ["heatmap", "parallel"]

_FORMATS: Final = {
    "total_return": "0.00%",
    "max_drawdown": "0.00%",
    "exposure": "0.0%",
    "final_equity": "0,0.00",
    "fees": "0,0.00",
    "orders": "0,0",
    "sharpe": "0.00",
}
_WORDS: Final = {
    "total_return": "total return",
    "max_drawdown": "largest drawdown",
    "final_equity": "final equity",
    "sharpe": "Sharpe ratio",
    "exposure": "time in the market",
}
_MOST_LABELS: Final = 32
_ROOM: Final = 110  # characters beside each other under a heat map
_FEW: Final = 12


def heatmap(frame: "pd.DataFrame", x: str, y: str, value: str, others: str, title: str) -> "UIElement":
    """Cells of `x` against `y`, coloured by `value`: the best set in each cell, or the mean of all."""
    m, figure = _bokeh()
    if others not in ("best", "mean"):
        raise UnknownName("others", others, ["best", "mean"])
    frame = frame.rename_axis("_set")  # a parameter may be called "set"; none has a name that begins with _
    cells = _cells(frame, x, y, value, others)
    words_x, words_y = _labels(frame[x]), _labels(frame[y])
    cells["_x"], cells["_y"] = cells[x].map(words_x), cells[y].map(words_y)
    xs, ys = list(words_x.values()), list(words_y.values())
    rows = max(240, min(620, 26 * len(ys) + 110))
    shared = "" if len(cells) == len(frame) else f", {others} of the sets in each cell"
    blank = "; grey: none there" if cells[value].isna().any() else ""
    plot = figure(
        height=rows, x_range=xs, y_range=ys, tools="save", sizing_mode="stretch_width", toolbar_location="above",
        x_axis_label=x,
        y_axis_label=y, title=f"{title}: {_WORDS.get(value, value)} by {x} and {y}{shared}{blank}",
    )  # fmt: skip
    known = cells[value].dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    mapper = m.LinearColorMapper(
        "Viridis256", low=low, high=high if high > low else low + 1e-9, nan_color="#d9d9d9"
    )
    drawn = plot.rect(
        "_x", "_y", width=1, height=1, source=_source(cells), line_color="white", line_width=0.5,
        fill_color={"field": value, "transform": mapper}, hover_line_color="#d55e00", hover_line_width=2,
        hover_fill_color={"field": value, "transform": mapper},
    )  # fmt: skip
    plot.add_tools(
        m.HoverTool(
            renderers=[drawn],
            tooltips=_tips({x: "_x", y: "_y"}, value, cells, ["_set"] if others == "best" else ["_sets"]),
        )
    )
    _thin(plot.xaxis[0], xs, _ROOM // (1 + max(map(len, xs))))
    _thin(plot.yaxis[0], ys, _MOST_LABELS)
    bar = m.ColorBar(
        color_mapper=mapper, ticker=m.BasicTicker(desired_num_ticks=8), width=14, title=_WORDS.get(value, value),
        formatter=m.NumeralTickFormatter(format=_format(value, low, high)), title_text_font_style="normal",
    )  # fmt: skip
    plot.add_layout(bar, "right")
    _quiet(plot)
    if len(known) and others == "best":
        best = cells.loc[[known.idxmax()]]
        plot.scatter(
            "_x", "_y", source=_source(best), marker="star", size=16, color="white", line_color="black"
        )
    return _page(plot)


def _cells(frame: "pd.DataFrame", x: str, y: str, value: str, others: str) -> "pd.DataFrame":
    groups = frame.groupby([x, y], sort=True)
    counts = groups[value].size().rename("_sets")
    if others == "mean":
        return groups[value].mean().to_frame().join(counts).reset_index()
    known = frame[frame[value].notna()]
    best = known.loc[known.groupby([x, y])[value].idxmax()].reset_index().set_index([x, y])
    return counts.to_frame().join(best).reset_index()


def parallel(frame: "pd.DataFrame", axes: list[str], value: str, most: int, title: str) -> "UIElement":
    """One line a set, through its place on every axis to its value; the best are drawn last, so they lie on top."""
    m, figure = _bokeh()
    shown = _thinned(frame[frame[value].notna()], value, most).sort_values(value)
    names = [*axes, value]
    scales = {name: _Scale(frame[name] if name != value else shown[name], name) for name in names}
    low, high = (float(shown[value].min()), float(shown[value].max())) if len(shown) else (0.0, 1.0)
    places = np.arange(len(names), dtype=float)
    heights = np.column_stack([scales[name].at(shown[name]) for name in names])
    rank = np.linspace(0.0, 1.0, len(shown))
    data: dict[str, Any] = {
        "_xs": [places] * len(shown),
        "_ys": list(heights),
        "_width": np.where(rank > 0.99, 3.0, 1.0),
        "_alpha": 0.25 + 0.7 * rank**2,
        "_set": shown.index.to_numpy(),
        **{name: [_word(v) for v in shown[name]] for name in axes},
        value: shown[value].to_numpy(),
    }
    mapper = m.LinearColorMapper(palette="Viridis256", low=low, high=high if high > low else low + 1e-9)
    plot = figure(
        height=440, x_range=(-0.35, len(names) - 0.65), y_range=(-0.08, 1.12), tools="save",
        sizing_mode="stretch_width",
        title=f"{title}: every set through its parameters to its {_WORDS.get(value, value)}"
        + (f" ({len(shown):,} of {len(frame):,} sets)" if len(shown) < len(frame) else ""),
    )  # fmt: skip
    drawn = plot.multi_line(
        "_xs", "_ys", source=m.ColumnDataSource(data), line_width="_width", line_alpha="_alpha",
        line_color={"field": value, "transform": mapper}, hover_line_color="#d55e00", hover_line_width=3,
        hover_line_alpha=1.0,
    )  # fmt: skip
    plot.add_tools(
        m.HoverTool(
            renderers=[drawn],
            tooltips=_tips({name: name for name in axes}, value, shown, ["_set"]),
            line_policy="nearest",
        )
    )
    for k, name in enumerate(names):
        plot.segment([k], [0.0], [k], [1.0], color="#222222", line_width=1.5)
        marks, words = scales[name].ticks()
        right = name == value
        plot.text(
            [float(k)] * len(marks), marks, words, text_font_size="11px", text_baseline="middle",
            text_align="left" if right else "right", x_offset=6 if right else -6, text_color="#222222",
            background_fill_color="white", background_fill_alpha=0.85, padding=1,
        )  # fmt: skip
        plot.text(
            [float(k)], [1.06], [_WORDS.get(name, name)], text_align="center", text_font_size="12px",
            text_font_style="bold", text_color="#222222",
        )  # fmt: skip
    plot.xaxis.visible = plot.yaxis.visible = False
    _quiet(plot)
    return _page(plot)


class _Scale:
    """Where values of one axis stand between 0 and 1: by size for numbers, by order for words."""

    def __init__(self, values: Any, name: str) -> None:
        self.name = name
        numbers = np.issubdtype(values.dtype, np.number) and values.dtype != bool
        self.words: list[Any] | None = None if numbers else list(dict.fromkeys(values))
        self.low, self.high = (
            (float(values.min()), float(values.max())) if numbers and len(values) else (0.0, 1.0)
        )
        distinct = np.unique(values) if numbers else np.zeros(0)
        self.marks = distinct if len(distinct) <= _FEW else np.linspace(self.low, self.high, 5)
        if np.issubdtype(values.dtype, np.integer):
            self.marks = np.unique(np.rint(self.marks))

    def at(self, values: Any) -> Any:
        if self.words is not None:
            place = {word: k for k, word in enumerate(self.words)}
            return (np.array([place[v] for v in values]) + 0.5) / len(self.words)
        return (np.asarray(values, float) - self.low) / ((self.high - self.low) or 1.0)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places and words of the marks beside the axis."""
        if self.words is not None:
            return [(k + 0.5) / len(self.words) for k in range(len(self.words))], [
                _word(w) for w in self.words
            ]
        return self.at(self.marks).tolist(), [_shown(self.name, float(m)) for m in self.marks]


def _thinned(frame: "pd.DataFrame", value: str, most: int) -> "pd.DataFrame":
    if len(frame) <= most:
        return frame
    best = frame.nlargest(max(1, most // 10), value)
    rest = frame.drop(best.index)
    step = np.linspace(0, len(rest) - 1, most - len(best)).astype(int)
    import pandas as pd

    return pd.concat([rest.iloc[np.unique(step)], best])


def _labels(values: Any) -> dict[Any, str]:
    """Each value with its word, in order of size (of appearance, where they have none)."""
    numbers = np.issubdtype(values.dtype, np.number) and values.dtype != bool
    distinct = sorted(values.unique()) if numbers else list(dict.fromkeys(values))
    short = {value: f"{value:.4g}" if isinstance(value, float) else str(value) for value in distinct}
    return short if len(set(short.values())) == len(distinct) else {value: _word(value) for value in distinct}


def _word(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _shown(name: str, value: float) -> str:
    form = _FORMATS.get(name, "")
    if form.endswith("%"):
        return f"{value:z.3%}" if abs(value) < 0.001 else f"{value:z.2%}"  # z: no "-0.000%"
    if form.startswith("0,0"):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _format(value: str, low: float, high: float) -> str:
    """A number format with enough places to tell the ends apart."""
    form = _FORMATS.get(value, "0.00")
    finer = percents(high - low) if form.endswith("%") else amounts(high - low)
    return max(form, finer, key=len)


def _tips(
    fields: dict[str, str], value: str, frame: "pd.DataFrame", more: list[str]
) -> list[tuple[str, str]]:
    """What hovering shows: labels by field, the value, more columns."""
    known = frame[value].dropna()
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return [
        *((label, f"@{{{field}}}") for label, field in fields.items()),
        (_WORDS.get(value, value), f"@{{{value}}}{{{_format(value, low, high)}}}"),
        *((name.strip("_"), f"@{{{name}}}") for name in more),
    ]


def _bokeh() -> tuple[Any, Any]:
    """Bokeh's models and its figure, loaded late; its annotations describe less than it takes."""
    import bokeh.models
    import bokeh.plotting

    return bokeh.models, bokeh.plotting.figure


def _source(frame: "pd.DataFrame") -> Any:
    m, _ = _bokeh()
    return m.ColumnDataSource({name: list(frame[name]) for name in frame.columns})


def _thin(axis: Any, labels: list[str], most: int) -> None:
    """Keep every n-th label where there are more than the axis has room for."""
    step = -(-len(labels) // most)
    if step > 1:
        models, _ = _bokeh()
        axis.formatter = models.CustomJSTickFormatter(code=f"return index % {step} ? '' : tick")
    axis.major_tick_line_color = None
    axis.minor_tick_line_color = None


def _page(plot: Any) -> "UIElement":
    """The plot as a layout a notebook knows as ours."""
    from bokeh.layouts import column

    return column(plot, sizing_mode="stretch_width", tags=[TAG])


def _quiet(plot: Any) -> None:
    plot.grid.visible = False
    plot.outline_line_color = None
    plot.toolbar.logo = None
    plot.axis.axis_line_color = None
