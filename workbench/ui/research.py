"""How research shows itself in a notebook: a backtest as its main figures with a small curve, a comparison as a table,
a picture as a page of its own inside the output, which needs neither network nor extension and works in a saved file.

Not here: registration with IPython (display.py), the pictures themselves (research/plot.py).
"""

import base64
import gzip
from functools import cache
from typing import Any

import numpy as np

from workbench.research.compare import SHOWN, Comparison
from workbench.research.plot import TAG, thinned
from workbench.research.report.parts import shown
from workbench.research.result import Result
from workbench.ui.static import escape, table_html

__all__ = ["comparison_html", "picture_html", "result_html"]

_MAIN = (
    ("total_return", "annual_return", "benchmark_return", "sharpe", "sortino", "max_drawdown"),
    ("trades", "hit_rate", "profit_factor", "expectancy", "exposure", "fees"),
)
_WIDTH, _HEIGHT = 560, 90


def result_html(result: Result) -> str:
    """The main figures, and equity as a curve without a script."""
    words = ", ".join(f"{name}={value}" for name, value in result.parameters.items())
    title = f"<b>{escape(result.name)}</b>({escape(words)}) on {escape(result.recording.name)}"
    stats = result.stats
    columns = ([(name.replace("_", " "), shown(name, stats[name])) for name in names] for names in _MAIN)
    tables = "".join(f'<div style="margin-right:24px">{table_html(("", ""), rows)}</div>' for rows in columns)
    loop = f"{result.run.loop} loop" + (f": {result.run.why}" if result.run.why else "")
    refused = f", {len(result.refusals)} orders refused" if result.refusals else ""
    told = f"{len(result.run.orders):,} orders, {len(result.run.fills):,} fills{refused}; {loop}"
    return (
        f"<div>{title}</div>{_curve(result.run.equity, result.run.cash)}"
        f'<div style="display:flex">{tables}</div><div style="opacity:.7;font-size:12px">{escape(told)}</div>'
    )


def _curve(equity: Any, cash: float) -> str:
    """The equity as an inline picture."""
    at, value = thinned(equity, 250)
    low, high = min(float(value.min()), cash), max(float(value.max()), cash)
    span = (high - low) or 1.0
    x = at / max(len(equity) - 1, 1) * _WIDTH
    y = (high - value) / span * (_HEIGHT - 4) + 2
    points = " ".join(
        f"{a:.1f},{b:.1f}" for a, b in zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
    )
    start = (high - cash) / span * (_HEIGHT - 4) + 2
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="equity">'
        f'<line x1="0" x2="{_WIDTH}" y1="{start:.1f}" y2="{start:.1f}" stroke="#9aa5b5" stroke-dasharray="3 3"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f5fd6" stroke-width="1.5"/></svg>'
    )


def comparison_html(comparison: Comparison) -> str:
    """One row a result."""
    rows = [
        (name, *(shown(figure, result.stats[figure]) for figure in SHOWN))
        for name, result in comparison.results.items()
    ]
    return table_html(("", *(figure.replace("_", " ") for figure in SHOWN)), rows)


def picture_html(layout: Any) -> str | None:
    """One of our Bokeh layouts as a frame with everything inside; None for anybody else's."""
    if TAG not in getattr(layout, "tags", ()):
        return None
    from bokeh.embed import components

    script, div = components(layout, wrap_script=False)
    height = sum(getattr(child, "height", None) or 300 for child in layout.children) + 24
    page = (
        "<!doctype html><html><head><meta charset='utf-8'></head><body style='margin:0;background:#fff'>"
        f"{div}<script>{_LOAD}('{_library()}').then(() => {{ {script} }})</script></body></html>"
    )
    return f'<iframe srcdoc="{escape(page)}" style="width:100%;height:{height}px;border:0" loading="lazy"></iframe>'


_LOAD = """(async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0))
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  const element = document.createElement('script')
  element.textContent = await new Response(stream).text()
  document.head.append(element)
})"""


@cache
def _library() -> str:
    """Bokeh's script library, packed: it travels inside every picture, a third of its size."""
    from bokeh.resources import Resources

    text = "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    return base64.b64encode(gzip.compress(text.encode(), 9)).decode()
