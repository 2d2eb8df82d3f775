"""The picture of a backtest: price with fills, equity, drawdown; one axis of bars for all, so nights take no room.

However long the data, a picture stays light: bars are gathered into candles, curves keep the extremes of each stretch.
Not here: pictures of several results (compare.py), pages (report/page.py).
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.errors import UnknownName
from workbench.research.prices import prices_of
from workbench.research.tick_formats import amounts, percents

if TYPE_CHECKING:
    from workbench.research.result import Result

__all__ = ["COLOURS", "TAG", "base_figure", "curve_figure", "result_plot", "thinned", "time_axis"]

# the live view's and the dashboard's colours
COLOURS = {
    "line": "#1f5fd6",
    "up": "#00785a",
    "down": "#b93a06",
    "text": "#111827",
    "muted": "#5b6678",
    "grid": "#e1e6ee",
}
TAG = "workbench"  # by which a notebook knows our pictures among others
CANDLES, POINTS, MARKS = 2_000, 2_000, 3_000

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

# an instant's number on the axis, told as its time; `ts` holds every `step`-th one (ms). Nights take no room, so a mark
# seldom stands where a day begins: without the hour its date would say that it does
_TIME = """
const time = (x) => ts[Math.max(0, Math.min(Math.round(x / step), ts.length - 1))]
if (tick < 0 || tick > step * ts.length) { return '' }
const apart = ticks.length > 1 ? time(ticks[1]) - time(ticks[0]) : 0
const text = new Date(time(tick)).toISOString()
return daily || apart > 20 * 86400e3 ? text.slice(0, 10) : text.slice(11, 16) + '\\n' + text.slice(0, 10)
"""
_DAY_NS = 86_400 * 10**9


def result_plot(result: "Result", symbol: str = "") -> Any:
    """A column of three linked figures, as wide as its page; without a symbol, of the one with the most fills.

    Raises:
        UnknownName: a symbol that is not in the data.
    """
    from bokeh.layouts import column

    symbols = result.recording.symbols
    if symbol and symbol not in symbols:
        raise UnknownName("symbol", symbol, symbols)
    traded = np.bincount(result.run.fills["iid"], minlength=len(symbols))
    iid = symbols.index(symbol) if symbol else int(traded.argmax())
    ts_ns = result.run.ts_ns
    price = base_figure(f"{symbols[iid]} price", 340)
    shown = _draw_prices(price, result, iid)
    _draw_fills(price, result, iid)
    words = ", ".join(f"{name}={value}" for name, value in result.parameters.items())
    price.title.text = f"{result.name}({words}) on {symbols[iid]}{shown}"
    time_axis(price, ts_ns)
    equity = curve_figure("equity", 170, price.x_range, ts_ns, amounts(float(np.ptp(result.run.equity))))
    _draw_curve(equity, ts_ns, result.run.equity, "equity", "@value{0,0.00}")
    x, low = thinned(result.drawdown.to_numpy(np.float64), POINTS // 2)
    drawdown = curve_figure("drawdown", 150, price.x_range, ts_ns, percents(float(-low.min())))
    drawdown.varea(x, 0, low, color=COLOURS["down"], alpha=0.35)
    for part in (price, equity):
        part.xaxis.visible = False
    return column(price, equity, drawdown, sizing_mode="stretch_width", tags=[TAG])


def base_figure(label: str, height: int, x_range: Any = None) -> Any:
    """An empty figure in the house's look; the one that owns the axis (no `x_range` given) has the tools."""
    from bokeh.plotting import figure

    more = {} if x_range is None else {"x_range": x_range}
    made: Any = figure(
        height=height, sizing_mode="stretch_width", y_axis_label=label, window_axis="x", min_border_left=70,
        tools="xpan,xwheel_zoom,xbox_zoom,reset,save", active_scroll="xwheel_zoom", active_drag="xpan",
        toolbar_location="right" if x_range is None else None, **more,
    )  # fmt: skip
    made.yaxis.ticker.desired_num_ticks = max(2, min(6, height // 40))  # more would stand one in the other
    made.toolbar.logo = None
    made.outline_line_color = None
    made.title.text_color, made.title.text_font_size = COLOURS["text"], "14px"
    for axis in made.axis:
        axis.axis_line_color = axis.minor_tick_line_color = None
        axis.major_tick_line_color = COLOURS["grid"]
        axis.major_label_text_color = axis.axis_label_text_color = COLOURS["muted"]
        axis.axis_label_text_font_style = "normal"
    made.grid.grid_line_color = COLOURS["grid"]
    return made


def time_axis(figure: Any, ts_ns: Ints) -> None:
    """Let the axis of instants tell times, and a dotted line follow the pointer."""
    from bokeh.models import CrosshairTool, CustomJSTickFormatter
    from bokeh.models.annotations import Span

    step = max(1, len(ts_ns) // 4_000)
    figure.xaxis.axis_label = "time (UTC)"
    daily = len(ts_ns) > 1 and float(np.median(np.diff(ts_ns))) > 0.8 * _DAY_NS
    figure.xaxis.formatter = CustomJSTickFormatter(
        args={"ts": ts_ns[::step] / 1e6, "step": step, "daily": daily}, code=_TIME
    )
    line = Span(dimension="height", line_dash="dotted", line_width=1, line_color=COLOURS["muted"])
    figure.add_tools(CrosshairTool(overlay=line))


def curve_figure(label: str, height: int, x_range: Any, ts_ns: Ints, numbers: str) -> Any:
    """A figure for a curve over the same instants as the one that owns `x_range`."""
    from bokeh.models import NumeralTickFormatter

    made = base_figure(label, height, x_range)
    made.yaxis.formatter = NumeralTickFormatter(format=numbers)
    time_axis(made, ts_ns)
    return made


def thinned(values: Any, stretches: int) -> tuple[Ints, Floats]:
    """(places, values) of a curve in order, with the lowest and the highest of each of `stretches` stretches.

    >>> thinned(np.array([1.0, 5.0, 2.0, 3.0]), 9)[1].tolist()
    [1.0, 5.0, 2.0, 3.0]
    """
    n = len(values)
    if n <= 2 * stretches:
        return np.arange(n), values
    width = -(-n // stretches)
    pad = np.append(values, np.full(-n % width, values[-1])).reshape(-1, width)
    starts = np.arange(len(pad)) * width
    places = np.concatenate([starts + pad.argmin(1), starts + pad.argmax(1), [0, n - 1]])
    kept = np.unique(np.minimum(places, n - 1))
    return kept, values[kept]


def _times(ts_ns: Ints) -> list[str]:
    return [str(ts).replace("T", " ") for ts in ts_ns.astype("datetime64[ns]").astype("datetime64[s]")]


def _draw_curve(figure: Any, ts_ns: Ints, values: Floats, name: str, shown: str, **look: Any) -> None:
    from bokeh.models import ColumnDataSource, HoverTool

    x, y = thinned(values, POINTS)
    source = ColumnDataSource({"x": x, "value": y, "time": _times(ts_ns[x])})
    drawn = figure.line("x", "value", source=source, **{"line_width": 1.6, "color": COLOURS["line"], **look})
    figure.add_tools(
        HoverTool(
            renderers=[drawn],
            mode="vline",
            tooltips=[("", "@time"), (name, shown)],
            point_policy="snap_to_data",
        )
    )


def _draw_prices(figure: Any, result: "Result", iid: int) -> str:
    """Candles of the bars (or a line of prices where there are none); answers what one candle stands for."""
    from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter

    recording, ts_ns = result.recording, result.run.ts_ns
    figure.yaxis.formatter = NumeralTickFormatter(format="0,0.00[000000]")
    series = recording.series(recording.symbols[iid])
    if not len(series.ts_ns):
        times, prices = prices_of(recording, iid)
        kept, y = thinned(prices, POINTS)
        figure.line(np.searchsorted(ts_ns, times[kept]), y, color=COLOURS["muted"], line_width=1.2)
        return ""
    n = len(series.ts_ns)
    width = -(-n // CANDLES)
    first = np.arange(0, n, width)
    last = np.minimum(first + width, n) - 1
    x = np.searchsorted(ts_ns, series.ts_ns)
    source = {
        "x": (x[first] + x[last]) / 2,
        "width": (x[last] - x[first] + 1) * 0.7,
        "open": series.open[first],
        "high": np.maximum.reduceat(series.high, first),
        "low": np.minimum.reduceat(series.low, first),
        "close": series.close[last],
        "time": _times(series.ts_ns[last]),
    }
    rose = source["close"] >= source["open"]
    candles = []
    for chosen, colour in ((rose, COLOURS["up"]), (~rose, COLOURS["down"])):
        data = ColumnDataSource({name: np.asarray(column)[chosen] for name, column in source.items()})
        figure.segment("x", "high", "x", "low", source=data, color=colour, alpha=0.7)
        body = figure.vbar(
            "x", "width", "open", "close", source=data, fill_color=colour, line_color=colour, alpha=0.7
        )
        candles.append(body)
    tooltips = [
        ("", "@time"),
        *((name, f"@{name}{{0,0.00[000000]}}") for name in ("open", "high", "low", "close")),
    ]
    figure.add_tools(HoverTool(renderers=candles, tooltips=tooltips))
    return f"  (a candle is {width:,} bars)" if width > 1 else ""


def _draw_fills(figure: Any, result: "Result", iid: int) -> None:
    """Round trips as lines from entry to exit, fills as triangles; of very many only some, evenly chosen."""
    from bokeh.models import ColumnDataSource, HoverTool

    ts_ns, trades = result.run.ts_ns, result.round_trips
    fills = result.run.fills[result.run.fills["iid"] == iid]
    size, edge = (9, "white") if len(fills) <= 200 else (6, None) if len(fills) <= 800 else (4, None)
    mine = np.flatnonzero(trades.iid == iid)[:: max(1, -(-int((trades.iid == iid).sum()) // MARKS))]
    won = trades.profit[mine] > 0
    for chosen, colour in ((mine[won], COLOURS["up"]), (mine[~won], COLOURS["down"])):
        figure.segment(
            _place(ts_ns, trades.entry_ns[chosen]),
            trades.entry_px[chosen],
            _place(ts_ns, trades.exit_ns[chosen]),
            trades.exit_px[chosen],
            color=colour, line_dash="dashed", line_width=1.4 if size > 4 else 0.8,
        )  # fmt: skip
    for side, colour, marker, word in (
        (1, COLOURS["up"], "triangle", "buy"),
        (-1, COLOURS["down"], "inverted_triangle", "sell"),
    ):
        rows = fills[fills["side"] == side]
        every = max(1, -(-len(rows) // MARKS))
        rows = rows[::every]
        source = ColumnDataSource(
            {
                "x": _place(ts_ns, rows["ts_ns"]),
                "px": rows["px"],
                "quantity": rows["qty"],
                "time": _times(rows["ts_ns"]),
            }
        )
        legend = word if every == 1 else f"{word} (1 of {every})"
        drawn = figure.scatter(
            "x", "px", source=source, marker=marker, size=size, fill_color=colour, line_color=edge,
            legend_label=legend,
        )  # fmt: skip
        tooltips = [
            ("", word),
            ("price", "@px{0,0.00[000000]}"),
            ("quantity", "@quantity{0,0[.][00000000]}"),
            ("", "@time"),
        ]
        figure.add_tools(HoverTool(renderers=[drawn], tooltips=tooltips))
    figure.legend.location = "top_left"
    figure.legend.click_policy = "hide"
    figure.legend.orientation = "horizontal"
    figure.legend.border_line_color = None
    figure.legend.background_fill_alpha = 0.7


def _place(ts_ns: Ints, when_ns: Ints) -> Ints:
    """The number of the instant in which something happened: a fill at an open stands at its bar."""
    return np.minimum(np.searchsorted(ts_ns, when_ns, side="left"), len(ts_ns) - 1)
