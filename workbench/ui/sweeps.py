"""How a sweep and a walk-forward show themselves in a notebook: the best rows, and how likely they are luck.

Not here: registration with IPython (display.py), what the figures are (research/sweep/, research/walkforward.py).
"""

from typing import Any

from workbench.research.report.parts import shown
from workbench.research.sweep import SweepResult
from workbench.ui.static import escape, table_html

__all__ = ["guards_html", "sweep_html", "walk_html"]

_ROWS = 5
_FIGURES = ("total_return", "max_drawdown", "sharpe", "orders", "exposure")
_QUIET = "opacity:.7;font-size:12px"


def sweep_html(result: SweepResult) -> str:
    """The best sets, the guards, and where the rest is."""
    facts = result.facts()
    notes = [f"{facts['sets']:,} sets by {facts['method']}"]
    notes += [f"{facts['refused']:,} would be refused by the risk rules"] if facts["refused"] else []
    notes += [f"{facts['failed']:,} failed"] if facts["failed"] else []
    title = f"<b>Sweep of {escape(result.strategy)}</b>: {escape(', '.join(notes))}"
    frame = result.best(_ROWS)
    if frame.empty:
        return f"<div>{title}; none has {escape(result.unranked)}</div>"
    heads = ("set", *result.axes, *(name.replace("_", " ") for name in _FIGURES), "limits")
    rows = [
        (
            str(number),
            *(_word(row[name]) for name in result.axes),
            *(shown(name, row[name]) for name in _FIGURES),
            " ".join(filter(None, (row["limits"], row["why"]))),
        )
        for number, row in zip(frame.index.tolist(), frame.to_dict("records"), strict=True)
    ]
    more = f"best by {result.objective}; .frame() has all, .backtest(set) runs one, .heatmap() and .parallel() draw"
    return (
        f"<div>{title}</div>{table_html(heads, rows)}{guards_html(result.guards)}"
        f'<div style="{_QUIET}">{escape(more)}; {escape(facts["file"])}</div>'
    )


def guards_html(guards: Any) -> str:
    """One row a guard; the sentences wrap."""
    cell = "padding:2px 10px;text-align:left;vertical-align:top"
    rows = "".join(
        f'<tr><td style="{cell};white-space:nowrap">{escape(name)}</td><td style="{cell};white-space:nowrap">'
        f'<b>{escape(figure)}</b></td><td style="{cell};white-space:normal">{escape(text)}</td></tr>'
        for name, figure, text in guards.lines()
    )
    return f'<table style="border-collapse:collapse"><tbody>{rows}</tbody></table>'


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def walk_html(walked: Any) -> str:
    """The out-of-sample result, and a row a window."""
    from workbench.ui.research import result_html

    table = walked.windows
    chosen = walked.axes
    figures = ("train_total_return", "test_total_return", "train_sharpe", "test_sharpe", "test_max_drawdown")
    heads = (
        "window",
        "test from",
        "to",
        *chosen,
        *(name.replace("_", " ") for name in (*figures, "test_orders")),
    )
    rows = [
        (
            str(k + 1),
            f"{row['test_from']:%Y-%m-%d %H:%M}",
            f"{row['test_to']:%Y-%m-%d %H:%M}",
            *(_word(row[name]) for name in chosen),
            *(shown(name.partition("_")[2], row[name]) for name in figures),
            f"{row['test_orders']:,}",
        )
        for k, row in enumerate(table.to_dict("records"))
    ]
    kept = f"efficiency {walked.efficiency:.0%}: what the test spans kept of what the training spans promised"
    return f'{result_html(walked.result)}{table_html(heads, rows, words=3)}<div style="{_QUIET}">{escape(kept)}</div>'
