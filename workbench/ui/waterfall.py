"""One order's way through the stages, as an inline SVG. A pure function of a trace; no script, no style sheet."""

from html import escape

from workbench.model.snapshot import TraceRow
from workbench.ui.static import micros

__all__ = ["waterfall_html"]

WIDTH, LEFT, RIGHT, ROW, TOP = 680, 64, 150, 22, 26
BAR, OVER, PAUSE = "#4a82e0", "#d2601f", "#8a8f9a"


def waterfall_html(trace: TraceRow, title: str = "") -> str:
    """The stages as bars on one time axis, each with its length and a notch at its budget; pauses (garbage
    collection, a late loop) as grey bands behind them. Colours read on light and dark, `▲` marks an overrun."""
    span = max(
        trace.total_us,
        max((s + n for s, n in zip(trace.start_us, trace.length_us, strict=True)), default=0.0),
        1e-3,
    )
    scale = (WIDTH - LEFT - RIGHT) / span
    height = TOP + ROW * len(trace.stages) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="order {trace.order_id}: {escape(micros(trace.total_us))} from market data to booked fill" '
        'style="max-width:100%;font:12px system-ui,sans-serif" fill="currentColor">'
    ]
    for tick in range(5):
        x = LEFT + (WIDTH - LEFT - RIGHT) * tick / 4
        anchor = "start" if tick == 0 else "middle"
        parts.append(_line(x, TOP - 6, height - 6, f'stroke="{PAUSE}" stroke-opacity=".3"'))
        parts.append(
            _text(
                x, TOP - 11, micros(span * tick / 4), f'text-anchor="{anchor}" font-size="10.5" opacity=".7"'
            )
        )
    for name, start, length in trace.pauses:
        x, wide = LEFT + max(0.0, start) * scale, max(1.0, length * scale)
        parts.append(
            _bar(x, TOP - 4, wide, height - TOP, f'fill="{PAUSE}" opacity=".3"', f"{name}: {micros(length)}")
        )
    rows = zip(trace.stages, trace.start_us, trace.length_us, trace.budget_us, strict=True)
    for place, (stage, start, length, budget) in enumerate(rows):
        x, y = LEFT + start * scale, TOP + ROW * place
        over = 0 < budget < length
        of_budget = f" of {micros(budget)}" if budget > 0 else ""
        parts.append(_text(LEFT - 8, y + 13, stage, 'text-anchor="end"'))
        colour = f'rx="2" fill="{OVER if over else BAR}"'
        parts.append(
            _bar(x, y + 3, max(1.5, length * scale), 13, colour, f"{stage}: {micros(length)}{of_budget}")
        )
        if budget > 0 and x + budget * scale <= WIDTH - RIGHT:
            parts.append(_line(x + budget * scale, y, y + 19, 'stroke="currentColor" stroke-width="1.5"'))
        parts.append(_text(WIDTH - RIGHT + 10, y + 13, ("▲ " if over else "") + micros(length) + of_budget))
    parts.append("</svg>")
    name = escape(title or f"order {trace.order_id}{f' at {trace.account}' if trace.account else ''}")
    head = f"<b>{name}</b>: {micros(trace.total_us)} from market data to booked fill"
    style = "font-variant-numeric:tabular-nums"
    return f'<div style="{style}"><p style="margin:0 0 4px">{head}</p>{"".join(parts)}</div>'


def _line(x: float, y1: float, y2: float, more: str) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y1:g}" y2="{y2:g}" {more}/>'


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:g}" {more}>{escape(words)}</text>'


def _bar(x: float, y: float, wide: float, high: float, more: str, tip: str) -> str:
    size = f'x="{x:.1f}" y="{y:g}" width="{wide:.1f}" height="{high:g}"'
    return f"<rect {size} {more}><title>{escape(tip)}</title></rect>"
