"""A sweep in text: its best row and the guards beside it.

Lives here: words. Not here: HTML (ui/display.py), pictures (pictures.py).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.research.sweep.result import SweepResult

__all__ = ["best_words", "told"]


def told(result: "SweepResult") -> str:
    """Best row and guards as lines."""
    head, figures = best_words(result)
    return f"best by {result.objective}: {head}\n  {figures}\n{result.guards!r}"


def best_words(result: "SweepResult") -> tuple[str, str]:
    """(what the best set is, what it did)."""
    from workbench.research.report.parts import shown

    frame = result.best(1)
    row: Any = frame.iloc[0]
    names = ", ".join(f"{name}={_short(row[name])}" for name in result.axes)
    limits = "" if row["limits"] == "ok" else f", {row['limits']}: {row['why']}"
    return_, drawdown, sharpe = (shown(n, row[n]) for n in ("total_return", "max_drawdown", "sharpe"))
    figures = f"return {return_}, drawdown {drawdown}, Sharpe {sharpe}, {row['orders']:.0f} orders{limits}"
    return f"set {frame.index[0]} ({names})", figures


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
