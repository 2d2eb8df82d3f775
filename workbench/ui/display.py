"""How the workbench's values show themselves in a notebook. No class of another room knows HTML: IPython is told
here, by name, so that nothing is imported before it is shown.

Every display also has a text; a desk shows itself live where a Jupyter server runs the kernel, and as a static
picture everywhere else (a terminal, papermill, an exported page).
"""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from workbench.errors import WorkbenchError
from workbench.ui import static
from workbench.ui.accounts import accounts_html, differences_html
from workbench.ui.waterfall import waterfall_html

__all__ = ["live_here", "register"]

type Html = Callable[[Any], str]

_views: "WeakKeyDictionary[Any, Any]" = WeakKeyDictionary()


def live_here() -> bool:
    """Whether a page is there to run the live view: the kernel was started by a Jupyter server or an editor.

    Under papermill or nbconvert there is none, and a widget would only leave its script in the file.
    """
    from workbench.ui.widget import jupyter_origins

    return bool(jupyter_origins()) or "VSCODE_PID" in os.environ


def session_bundle(
    session: Any, include: Any = None, exclude: Any = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A desk: the live widget where it can live, with text and HTML of the moment beside it."""
    from workbench.ui.widget import LiveView, static_bundle

    if not live_here():
        return dict(static_bundle(session.snapshot)), {}
    view = _views.get(session)
    if view is None:
        try:
            view = _views[session] = LiveView(session.name, session.folder.parent)
        except WorkbenchError as error:
            return {"text/plain": str(error), "text/html": static.snapshot_html(None, str(error))}, {}
    bundle: tuple[dict[str, Any], dict[str, Any]] = view._repr_mimebundle_()
    return bundle


def order_html(order: Any) -> str:
    """An order with its waterfall; the row alone while it has none."""
    row = static.orders_html([order.row])
    try:
        return row + waterfall_html(order.trace())
    except WorkbenchError as error:
        return row + f"<p><i>{static.escape(str(error))}</i></p>"


def rows_html(rows: Any) -> str | None:
    """A list of rows as the table of its kind; None (the text is shown) for a kind without one."""
    kinds = {
        "OrderView": lambda: static.orders_html([order.row for order in rows], last=50),
        "PositionRow": lambda: static.positions_html(rows),
        "FillRow": lambda: static.fills_html(rows, last=50),
        "LatencyRow": lambda: static.latency_html(rows),
        "AlertRow": lambda: static.alerts_html(rows),
        "VenueAccountRow": lambda: accounts_html(rows),
        "DifferenceRow": lambda: differences_html(rows),
    }
    draw = kinds.get(type(rows[0]).__name__) if rows else None
    return draw() if draw else None


def _researched(draw: str, file: str = "research") -> Callable[[Any], str | None]:
    """A drawing of `ui.research` (or another file of this room), imported when the first one is shown."""

    def html(value: Any) -> str | None:
        drawn: str | None = getattr(import_module(f"workbench.ui.{file}"), draw)(value)
        return drawn

    return html


_HTML: dict[tuple[str, str], Callable[[Any], str | None]] = {
    ("workbench.research.result", "Result"): _researched("result_html"),
    ("workbench.research.compare", "Comparison"): _researched("comparison_html"),
    ("workbench.research.sweep.result", "SweepResult"): _researched("sweep_html", "sweeps"),
    ("workbench.research.sweep.guards", "Guards"): _researched("guards_html", "sweeps"),
    ("workbench.research.walkforward", "WalkForward"): _researched("walk_html", "sweeps"),
    ("bokeh.models.layouts", "Column"): _researched("picture_html"),
    ("workbench.api.session_views", "OrderView"): order_html,
    ("workbench.api.session_views", "Trace"): waterfall_html,
    ("workbench.api.session_views", "Rows"): rows_html,
    ("workbench.api.session_views", "Accounts"): accounts_html,
    ("workbench.api.session_views", "StrategyHandle"): lambda handle: static.strategies_html([handle.row]),
    ("workbench.api.session_views", "Strategies"): lambda handles: static.strategies_html(
        [h.row for h in handles]
    ),
    ("workbench.model.snapshot", "TraceRow"): waterfall_html,
    ("workbench.model.snapshot", "Snapshot"): static.snapshot_html,
    ("workbench.model.snapshot", "AccountRow"): static.account_html,
    ("workbench.model.snapshot", "AlertRow"): lambda row: static.alerts_html([row]),
    ("workbench.model.snapshot", "PositionRow"): lambda row: static.positions_html([row]),
    ("workbench.model.snapshot", "OrderRow"): lambda row: static.orders_html([row]),
    ("workbench.model.snapshot", "FillRow"): lambda row: static.fills_html([row]),
    ("workbench.model.snapshot", "VenueAccountRow"): lambda row: accounts_html([row]),
    ("workbench.model.snapshot", "StrategyRow"): lambda row: static.strategies_html([row]),
}


def register(shell: Any) -> None:
    """Tell IPython how our values look. Harmless when repeated."""
    formatter = shell.display_formatter
    for (module, name), draw in _HTML.items():
        formatter.formatters["text/html"].for_type_by_name(module, name, draw)
    formatter.mimebundle_formatter.for_type_by_name("workbench.api.session", "Session", session_bundle)
