"""Accounts at venues as text and as plain HTML, and what is frozen.

Pure functions of values, as in static.py: no script, no style sheet, every text escaped.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from workbench.model.snapshot import DifferenceRow, VenueAccountRow, VenueStreamRow

__all__ = [
    "LIGHTS",
    "account_line",
    "account_text",
    "accounts_html",
    "differences_html",
    "least_headroom",
    "light_of",
    "offset_text",
    "streams_text",
]

LIGHTS: Final = {"good": ("●", "#0a8f6a"), "warn": ("■", "#c98a00"), "bad": ("○", "#d2501f")}
"""A mark and a colour that read on light and dark; the shape says it without the colour."""

_HEADS: Final = (
    "Account",
    "State",
    "Cash",
    "Equity",
    "Positions",
    "Open",
    "Headroom",
    "Waits",
    "Requests",
    "Errors",
    "429",
    "Round trip p50 / p99",
    "Clock",
    "Streams",
)
_BAD: Final = ("down", "unauthorised", "closed")
_WHY: Final = "display:block;white-space:normal;width:18em"
_CELL: Final = "padding:2px 10px;text-align:{align};white-space:nowrap;vertical-align:top"


def light_of(row: VenueAccountRow) -> str:
    """good, warn or bad."""
    return "good" if row.state == "healthy" else "bad" if row.state in _BAD else "warn"


def least_headroom(row: VenueAccountRow) -> tuple[str, float]:
    """The allowance of which the least is left, and how much; ("", 1.0) where nothing is counted."""
    return min(row.headroom.items(), key=lambda pair: pair[1], default=("", 1.0))


def streams_text(streams: Sequence[VenueStreamRow]) -> str:
    """Each stream with its state; one of market data, while it is live, with its age (orders may well be silent).

    >>> streams_text([VenueStreamRow("iex", "data", "live", "", 0.25, 2, 0)])
    'iex 0.2 s (2 reconnects)'
    """
    return ", ".join(
        f"{s.name} {f'{s.age_s:.1f} s' if (s.carries, s.state) == ('data', 'live') else s.state}"
        + (f" ({s.reconnects} reconnect{'s' * (s.reconnects > 1)})" if s.reconnects else "")
        for s in streams
    )


def account_line(row: VenueAccountRow) -> str:
    """An account in a line, for a terminal."""
    name, left = least_headroom(row)
    limits = f"{name} {left:.0%} left" if name else "no allowance counted"
    waits = f", {row.waiting} waiting" if row.waiting else ""
    why = f": {row.reason}" if row.reason and row.state != "healthy" else ""
    missed = f"; {row.missed}" if row.missed else ""
    return (
        f"{row.account:<10} {row.venue} {row.mode}, {row.state}{why}; {_many(row.open_orders, 'open order')}, "
        f"{limits}{waits}, "
        f"{sum(row.errors.values()):,} errors, {row.limited:,} limited; {streams_text(row.streams) or 'no stream'}"
        f"{missed}"
    )


def offset_text(ms: float) -> str:
    """By how much a venue's clock is ahead, in milliseconds.

    >>> offset_text(1234.5), offset_text(-0.4), offset_text(-0.01)
    ('+1,234.5 ms', '−0.4 ms', '0.0 ms')
    """
    return f"{round(ms, 1):+,.1f} ms".replace("-", "−") if round(ms, 1) else "0.0 ms"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def account_text(row: VenueAccountRow) -> list[str]:
    """An account in a few lines that fit a narrow terminal."""
    name, left = least_headroom(row)
    holds = (
        f"cash {row.cash:,.2f}  equity {row.equity:,.2f}  {_many(row.positions, 'position')}  "
        if row.books_ns
        else ""
    )
    moved = f", {row.moved:,} orders came here instead of elsewhere" if row.moved else ""
    shut = [f"requests '{kind}' are left alone" for kind, state in row.breakers.items() if state != "closed"]
    errors = ", ".join(f"{n:,} {kind}" for kind, n in sorted(row.errors.items())) or "no errors"
    lines = [
        f"{LIGHTS[light_of(row)][0]} {row.account}: {row.venue} {row.mode}, {row.state} ({row.reason})",
        f"{holds}{_many(row.open_orders, 'open order')}{moved}",
        f"{name or 'no allowance'} {left:.0%} left, {row.waiting} waiting (longest {_span(row.longest_wait_us)}), "
        f"{row.requests:,} requests, {row.limited:,} limited",
        f"{errors}; round trip p50 {_span(row.wire_p50_us)}, p99 {_span(row.wire_p99_us)}, "
        f"clock {offset_text(row.clock_offset_ms)}",
        *shut,
        *([row.missed] if row.missed else []),
        streams_text(row.streams) or "no stream",
    ]
    return [lines[0], *(f"    {line}" for line in lines[1:])]


def accounts_html(
    rows: Sequence[VenueAccountRow],
    frozen: Mapping[str, str] | None = None,
    differences: Sequence[DifferenceRow] = (),
) -> str:
    """The accounts as a table, what is frozen and what differs above it."""
    if not rows:
        return "<p><i>no account at a venue: the market is a recording</i></p>"
    words = (_HEADS.index("Account"), _HEADS.index("State"), _HEADS.index("Streams"))
    head = "".join(_cell("th", i in words, escape(text), "font-weight:600") for i, text in enumerate(_HEADS))
    body = "".join(
        f"<tr>{''.join(_cell('td', i in words, c) for i, c in enumerate(_cells(r)))}</tr>" for r in rows
    )
    table = (
        f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )
    return frozen_html(frozen or {}) + differences_html(differences) + table


def frozen_html(frozen: Mapping[str, str]) -> str:
    """A band for the frozen symbols; nothing without one."""
    bands = [
        f'<p style="margin:4px 0;padding:4px 10px;border-left:4px solid {LIGHTS["bad"][1]}">'
        f"<b>{escape(symbol)} is frozen</b>, only reducing orders pass: {escape(why)}</p>"
        for symbol, why in sorted(frozen.items())
    ]
    return "".join(bands)


def differences_html(rows: Sequence[DifferenceRow]) -> str:
    """Both sides of every figure that differs; nothing where all agree."""
    lines = [
        f"<li>{escape('position ' + r.symbol if r.symbol else 'cash')}: "
        f"the desk says <b>{r.ours:,.10g}</b>, the broker <b>{r.theirs:,.10g}</b></li>"
        for r in rows
    ]
    return f'<ul style="margin:4px 0">{"".join(lines)}</ul>' if lines else ""


def _cells(row: VenueAccountRow) -> list[str]:
    mark, colour = LIGHTS[light_of(row)]
    name, left = least_headroom(row)
    told = [row.reason if row.state != "healthy" else "", row.missed]
    why = "".join(f"<small style='{_WHY}'>{escape(text)}</small>" for text in told if text)
    known = row.books_ns > 0
    return [
        f"<b>{escape(row.account)}</b> <small>{escape(row.venue)} · {escape(row.mode)}</small>",
        f'<span style="color:{colour}">{mark}</span> {escape(row.state)}{why}',
        f"{row.cash:,.2f}" if known else "–",
        f"{row.equity:,.2f}" if known else "–",
        f"{row.positions:,}" if known else "–",
        f"{row.open_orders:,}",
        f"{_bar(left)} {left:.0%} <small>{escape(name)}</small>" if name else "–",
        f"{row.waiting:,} <small>now, longest {_span(row.longest_wait_us)}</small>",
        f"{row.requests:,}",
        f"{sum(row.errors.values()):,}",
        f"{row.limited:,}",
        f"{_span(row.wire_p50_us)} / {_span(row.wire_p99_us)}",
        offset_text(row.clock_offset_ms),
        escape(streams_text(row.streams)),
    ]


def _bar(share: float) -> str:
    colour = LIGHTS["good" if share > 0.4 else "warn" if share > 0.15 else "bad"][1]
    wide = max(0.0, min(1.0, share))
    return (
        '<span style="display:inline-block;width:60px;height:8px;border:1px solid #8a8f9a;border-radius:3px">'
        f'<span style="display:block;width:{wide:.0%};height:8px;background:{colour}"></span></span>'
    )


def _span(us: float) -> str:
    if not us:
        return "–"
    return f"{us / 1e6:.1f} s" if us >= 1e6 else f"{us / 1e3:.1f} ms" if us >= 1e3 else f"{us:.0f} µs"


def _cell(tag: str, words: bool, content: str, more: str = "") -> str:
    return f'<{tag} style="{_CELL.format(align="left" if words else "right")};{more}">{content}</{tag}>'
