"""What the cells of the report show: pieces of HTML, each made of one result. Every text from outside is escaped.

Not here: the page around them (page.py), the pictures of price and equity (plot.py).
"""

import math
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.research.plot import COLOURS
from workbench.research.statistics import FIGURES
from workbench.research.tick_formats import amounts, decimals, percents

if TYPE_CHECKING:
    from workbench.research.result import Result

__all__ = [
    "figures",
    "head",
    "picture",
    "returns_by_month",
    "sessions_picture",
    "shown",
    "trades_picture",
    "trades_table",
]

GROUPS = {
    "Return": (
        "final_equity", "final_cash", "total_return", "annual_return", "benchmark_return", "alpha", "beta",
        "best_session", "worst_session", "sessions", "stability",
    ),
    "Risk": (
        "volatility", "sharpe", "sortino", "calmar", "omega", "max_drawdown", "max_drawdown_days", "under_water",
        "ulcer", "recovery", "value_at_risk", "expected_shortfall", "skew", "kurtosis", "tail_ratio",
    ),
    "Round trips": (
        "trades", "hit_rate", "profit_factor", "expectancy", "average_win", "average_loss", "payoff", "best_trade",
        "worst_trade", "sqn", "kelly", "bars_held",
    ),
    "Account": ("exposure", "turnover", "orders", "fills", "refusals", "realized", "fees", "cash_moves"),
}  # fmt: skip
_SHARES = frozenset(
    {
        "total_return", "annual_return", "benchmark_return", "alpha", "best_session", "worst_session", "volatility",
        "max_drawdown", "under_water", "ulcer", "value_at_risk", "expected_shortfall", "hit_rate", "exposure", "kelly",
    }
)  # fmt: skip
_MONEY = frozenset(
    {
        "final_equity", "final_cash", "expectancy", "average_win", "average_loss", "best_trade", "worst_trade",
        "realized", "fees", "cash_moves",
    }
)  # fmt: skip
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year")
_COUNTS = frozenset({"sessions", "trades", "orders", "fills", "refusals"})


def shown(name: str, value: float) -> str:
    """A figure as people read it.

    >>> shown("total_return", 0.1234), shown("fees", -1234.5), shown("sharpe", float("nan"))
    ('12.34%', '−1,234.50', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if name in _SHARES:
        text = f"{value:.2%}" if abs(value) >= 0.0005 or not value else f"{value:.4%}"
    elif name in _MONEY:
        text = f"{value:,.2f}"
    elif name in _COUNTS:
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.2f}" if abs(value) < 1e6 else f"{value:,.0f}"
    return text.replace("-", "−")


def head(result: "Result") -> str:
    """What ran over what, and whether the rules refused anything."""
    words = ", ".join(f"{name} = {value}" for name, value in result.parameters.items()) or "no parameters"
    first, last = (
        str(result.run.ts_ns[at].astype("datetime64[ns]").astype("datetime64[m]")) for at in (0, -1)
    )
    symbols = result.recording.symbols
    listed = (
        ", ".join(symbols) if len(symbols) <= 8 else f"{len(symbols)} symbols ({', '.join(symbols[:5])}, ...)"
    )
    data = f"{listed} of {result.recording.name}"
    told = f"{data}, {first.replace('T', ' ')} to {last.replace('T', ' ')} UTC; {words}"
    refused = ""
    if result.refusals:
        codes: dict[str, int] = {}
        for refusal in result.refusals:
            codes[refusal.code] = codes.get(refusal.code, 0) + 1
        counted = ", ".join(f"{code} {count}" for code, count in codes.items())
        refused = f'<p class="down">The risk rules refused orders: {escape(counted)}.</p>'
    return f'<h1>{escape(result.name)}</h1><p class="lead">{escape(told)}</p>{refused}'


def figures(result: "Result") -> str:
    """All figures in groups; what each means shows under the pointer."""
    tables = []
    for group, names in GROUPS.items():
        rows = "".join(
            f'<tr title="{escape(FIGURES[name])}"><td>{escape(name.replace("_", " "))}</td>'
            f"<td>{shown(name, result.stats[name])}</td></tr>"
            for name in names
        )
        tables.append(f"<div><h2>{group}</h2><table>{rows}</table></div>")
    return f'<section><div class="columns">{"".join(tables)}</div></section>'


def picture(layout: Any, title: str) -> str:
    """A Bokeh layout as HTML, nothing for None; the page brings the script library."""
    from bokeh.embed import components

    if layout is None:
        return ""
    script, div = components(layout)
    return f"<section><h2>{escape(title)}</h2>{div}{script}</section>"


def returns_by_month(result: "Result") -> str:
    """Compounded session returns by month and year."""
    import pandas as pd

    returns = result.returns.dropna()
    if returns.empty:
        return ""
    index = pd.DatetimeIndex(returns.index)
    grown = (1.0 + returns).groupby([index.year, index.month]).prod() - 1.0
    years = (1.0 + returns).groupby(index.year).prod() - 1.0
    largest = float(grown.abs().max())
    rows = []
    for year in sorted(set(index.year)):
        cells = [_month(grown.get((year, month)), largest) for month in range(1, 13)]
        rows.append(
            f"<tr><td>{year}</td>{''.join(cells)}<td><b>{shown('total_return', years[year])}</b></td></tr>"
        )
    names = "".join(f"<th>{name}</th>" for name in _MONTHS)
    table = f'<table class="months"><tr><th></th>{names}</tr>{"".join(rows)}</table>'
    return f"<section><h2>Return by month</h2>{table}</section>"


def _month(value: float | None, largest: float) -> str:
    if value is None:
        return "<td></td>"
    colour = COLOURS["up"] if value >= 0 else COLOURS["down"]
    depth = int(70 * abs(value) / largest) if largest else 0
    text = f"{value:.{max(2, decimals(100.0 * largest))}%}".replace("-", "−")
    return f'<td style="background:{colour}{depth:02x}">{text}</td>'


def sessions_picture(result: "Result") -> Any:
    """How often sessions returned what."""
    returns = result.returns.to_numpy()
    return _histogram(returns[~np.isnan(returns)], "return of a session", percents)


def trades_picture(result: "Result") -> Any:
    """Profit of the round trips: how often what, and against the largest loss on the way. None where none has ended."""
    from bokeh.layouts import row
    from bokeh.models import NumeralTickFormatter

    trades = result.round_trips
    ended = ~trades.open
    if not ended.any():
        return None
    left = _histogram(trades.profit[ended], "profit of a round trip", amounts)
    right = _empty("profit over entry value", "largest loss on the way")
    gained = trades.profit / (trades.quantity * trades.entry_px)
    some = np.flatnonzero(ended)[:: max(1, -(-int(ended.sum()) // 3_000))]
    for chosen, colour in ((some[gained[some] > 0], "up"), (some[gained[some] <= 0], "down")):
        right.scatter(gained[chosen], trades.worst[chosen], size=5, color=COLOURS[colour], alpha=0.6)
    for axis, values in ((right.xaxis, gained[some]), (right.yaxis, trades.worst[some])):
        axis.formatter = NumeralTickFormatter(format=percents(float(np.ptp(values)) if len(some) else 0.0))
    return row(left, right, sizing_mode="stretch_width")


def _empty(x: str, y: str) -> Any:
    from bokeh.plotting import figure

    made: Any = figure(
        height=230,
        sizing_mode="stretch_width",
        x_axis_label=x,
        y_axis_label=y,
        toolbar_location=None,
        tools="",
    )
    made.outline_line_color = None
    made.grid.grid_line_color = COLOURS["grid"]
    for axis in made.axis:
        axis.axis_line_color = axis.minor_tick_line_color = None
        axis.axis_label_text_font_style = "normal"
        axis.major_label_text_color = axis.axis_label_text_color = COLOURS["muted"]
    return made


def _histogram(values: Any, label: str, numbers: Callable[[float], str]) -> Any:
    from bokeh.models import BasicTicker, NumeralTickFormatter

    made = _empty(label, "how often")
    made.yaxis.ticker = made.ygrid.ticker = BasicTicker(
        min_interval=1, desired_num_ticks=5
    )  # nothing is half there
    if len(values):
        made.xaxis.formatter = NumeralTickFormatter(format=numbers(float(np.ptp(values))))
        counts, edges = np.histogram(values, bins=min(60, max(5, int(len(values) ** 0.5) * 2)))
        middle = (edges[1:] + edges[:-1]) / 2
        colours = [COLOURS["up"] if at >= 0 else COLOURS["down"] for at in middle]
        made.quad(
            left=edges[:-1],
            right=edges[1:],
            bottom=0,
            top=counts,
            fill_color=colours,
            line_color="white",
            alpha=0.7,
        )
    return made


def trades_table(result: "Result", count: int = 10) -> str:
    """The best and the worst round trips."""
    ended = result.trades[~result.trades["open"]]
    if ended.empty:
        return '<section><h2>Round trips</h2><p class="note">None has ended.</p></section>'
    best = ended.nlargest(count, "profit")
    worst = ended.nsmallest(count, "profit")
    return (
        f'<section><div class="columns small"><div><h2>Best round trips</h2>{_rows(best)}</div>'
        f"<div><h2>Worst round trips</h2>{_rows(worst)}</div></div></section>"
    )


def _rows(trades: Any) -> str:
    heads = "".join(
        f"<th>{name}</th>" for name in ("", "entry", "price", "exit", "price", "quantity", "profit")
    )
    lines = []
    for trade in trades.itertuples(index=False):
        colour = "up" if trade.profit > 0 else "down"
        cells = (
            f"{trade.entry:%Y-%m-%d %H:%M}", f"{trade.entry_px:,.6g}", f"{trade.exit:%Y-%m-%d %H:%M}",
            f"{trade.exit_px:,.6g}", f"{trade.quantity:,.6g}",
        )  # fmt: skip
        told = "".join(f"<td>{cell}</td>" for cell in cells)
        name = escape(f"{trade.side} {trade.symbol}")
        lines.append(f'<tr><td>{name}</td>{told}<td class="{colour}">{shown("fees", trade.profit)}</td></tr>')
    return f"<table><tr>{heads}</tr>{''.join(lines)}</table>"
