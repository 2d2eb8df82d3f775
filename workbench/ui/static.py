"""Snapshots as text and as plain HTML: what a notebook keeps when nothing is live. Pure functions of values.

The HTML has no script, no style sheet and no address, only inline styles that Jupyter's sanitizer lets pass;
every text is escaped.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from workbench.model.snapshot import (
    AccountRow,
    AlertRow,
    FillRow,
    LatencyRow,
    OrderRow,
    PositionRow,
    Snapshot,
    StrategyRow,
)
from workbench.ui.accounts import account_line, accounts_html

__all__ = [
    "account_html",
    "alerts_html",
    "escape",
    "fills_html",
    "latency_html",
    "orders_html",
    "positions_html",
    "several",
    "snapshot_html",
    "snapshot_text",
    "strategies_html",
    "table_html",
]

_CELL = "padding:2px 10px;text-align:{align};white-space:{wrap}"


def money(value: float, sign: bool = False) -> str:
    """Two digits, thousands parted, a true minus.

    >>> money(-1234.5), money(3, sign=True)
    ('−1,234.50', '+3.00')
    """
    return f"{value:{'+' if sign and value else ''},.2f}".replace("-", "−")


def units(value: float) -> str:
    """A quantity without useless zeros.

    >>> units(10.0), units(-0.5)
    ('10', '−0.5')
    """
    return f"{value:,.8f}".rstrip("0").rstrip(".").replace("-", "−")


def when(ts_ns: int) -> str:
    """UTC to the second.

    >>> when(1608042600_000000000)
    '2020-12-15 14:30:00'
    """
    return f"{datetime.fromtimestamp(ts_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}" if ts_ns > 0 else "–"


def micros(value: float) -> str:
    """A latency with the unit that reads best.

    >>> micros(4.25), micros(1200), micros(2.5e6)
    ('4.25 µs', '1.2 ms', '2.5 s')
    """
    if value >= 1e6:
        return f"{value / 1e6:.3g} s"
    return f"{value / 1e3:.3g} ms" if value >= 1e3 else f"{value:.3g} µs"


def table_html(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: int = 1,
    folds: str = "",
    empty: str = "none",
) -> str:
    """An HTML table; the first `words` columns are words (left), the rest numbers (right); what stands under `folds`
    may take several lines."""
    looks = [
        _CELL.format(
            align="left" if i < words else "right", wrap="normal" if head == folds and folds else "nowrap"
        )
        for i, head in enumerate(heads)
    ]
    head = "".join(
        f'<th style="{look};font-weight:600">{escape(h)}</th>' for h, look in zip(heads, looks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{look}">{escape(value)}</td>' for value, look in zip(row, looks, strict=True))
        + "</tr>"
        for row in rows
    )
    if not body:
        return f"<p><i>{escape(empty)}</i></p>"
    return (
        f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def account_html(row: AccountRow) -> str:
    """The desk's account as a table, amounts in its currency."""
    return table_html(
        ["Account", "Currency", "Cash", "Equity", "Realized", "Unrealized", "Fees", "Exposure", "Net"],
        [
            [
                row.account,
                row.currency,
                *(money(v) for v in (row.cash, row.equity)),
                *(money(v, sign=True) for v in (row.realized, row.unrealized)),
                *(money(v) for v in (row.fees, row.gross_exposure, row.net_exposure)),
            ]
        ],
        words=2,
    )


def alerts_html(rows: Sequence[AlertRow], last: int = 50) -> str:
    """The last alerts as a table, newest first; their words take the lines they need."""
    return table_html(
        ["Time (UTC)", "Severity", "Code", "What"],
        [[when(r.ts_ns), r.severity, r.code, r.text] for r in list(rows)[: -last - 1 : -1]],
        words=4,
        folds="What",
        empty="no alert",
    )


def positions_html(rows: Sequence[PositionRow]) -> str:
    """Positions as a table; the account's totals when both are given."""
    return table_html(
        ["Symbol", "Quantity", "Average", "Last", "Unrealized", "Realized", "Fees"],
        [
            [
                r.symbol if r.strategy_id < 0 else f"{r.symbol} (strategy {r.strategy_id})",
                units(r.quantity),
                money(r.average_px),
                money(r.last_px),
                money(r.unrealized, sign=True),
                money(r.realized, sign=True),
                money(r.fees),
            ]
            for r in rows
        ],
        empty="flat: no position",
    )


def orders_html(rows: Sequence[OrderRow], last: int = 20) -> str:
    """The last orders as a table, newest first; with the account where there are several."""
    shown = list(rows)[: -last - 1 : -1]
    named = several(shown)
    return table_html(
        [
            *("Order", "Time (UTC)", "Strategy", *named, "Side", "Symbol", "State"),
            *("Quantity", "Filled", "Average"),
        ],
        [
            [
                str(r.order_id),
                when(r.ts_ns),
                r.strategy or "manual",
                *(r.account or "–" for _ in named),
                r.side,
                r.symbol,
                r.state,
                units(r.quantity),
                units(r.filled),
                money(r.average_px) if r.filled else "–",
            ]
            for r in shown
        ],
        words=6 + len(named),
        empty="no order yet",
    )


def fills_html(rows: Sequence[FillRow], last: int = 20) -> str:
    """The last fills as a table, newest first; with the account where there are several."""
    shown = list(rows)[: -last - 1 : -1]
    named = several(shown)
    return table_html(
        ["Time (UTC)", *named, "Side", "Symbol", "Order", "Quantity", "Price", "Fee"],
        [
            [
                *(when(r.ts_ns), *(r.account or "–" for _ in named), r.side, r.symbol, str(r.order_id)),
                *(units(r.quantity), money(r.px), money(r.fee)),
            ]
            for r in shown
        ],
        words=3 + len(named),
        empty="no fill yet",
    )


def several(rows: Iterable[OrderRow | FillRow]) -> list[str]:
    """The head of a column for accounts, where the rows went to more than one; else nothing."""
    return ["Account"] if len({r.account for r in rows if r.account}) > 1 else []


def strategies_html(rows: Sequence[StrategyRow]) -> str:
    """Strategies as a table."""
    return table_html(
        ["Strategy", "Parameters", "Symbols", "State", "Position", "P&L", "Orders", "Fills", "Refused"],
        [
            [
                f"{r.name} #{r.strategy_id}",
                ", ".join(f"{name} = {value}" for name, value in r.parameters.items()),
                " ".join(r.symbols),
                r.state + (f" ({r.reason})" if r.reason else ""),
                units(r.position),
                money(r.realized + r.unrealized - r.fees, sign=True),
                f"{r.orders:,}",
                f"{r.fills:,}",
                f"{r.refusals:,}",
            ]
            for r in rows
        ],
        words=4,
        empty="no strategy is placed",
    )


def latency_html(rows: Sequence[LatencyRow]) -> str:
    """Stages against their budgets as a table."""
    return table_html(
        ["Stage", "Verdict", "p50", "p90", "p99", "largest", "budget", "measured"],
        [
            [
                r.stage,
                "▲ over" if 0 < r.budget_us < r.p99_us else "✓ within",
                *(micros(v) for v in (r.p50_us, r.p90_us, r.p99_us, r.max_us, r.budget_us)),
                f"{r.n:,}",
            ]
            for r in rows
            if r.n
        ],
        words=2,
        empty="no order has been through the stages yet",
    )


def snapshot_text(now: Snapshot) -> str:
    """A desk in a few lines."""
    s, a = now.session, now.account
    working = sum(
        1 for r in now.orders if r.state in ("new", "sent", "working", "partial", "cancelling", "unknown")
    )
    held = [r for r in now.positions if r.strategy_id < 0 and r.quantity]
    running = sum(1 for r in now.strategies if r.state in ("running", "warming"))
    told = f"at {s.data}" if s.market == "live" else f"{s.progress:.0%} of {s.data}"
    lines = [
        f"desk {s.name}: {s.mode}, {s.state}"
        + (f" ({s.kill_reason})" if s.kill_reason else "")
        + f", market {s.market}",
        f"  market time  {when(s.market_ts_ns)} UTC, {told}",
        f"  equity       {money(a.equity)} {a.currency}  P&L {money(a.equity - a.start_cash, sign=True)}",
        "  positions    " + (", ".join(f"{r.symbol} {units(r.quantity)}" for r in held) or "flat"),
        f"  orders       {working} working, {len(now.fills)} last fills",
        f"  strategies   {running} of {len(now.strategies)} running",
        *(f"  {account_line(r)}" for r in now.accounts),
        *(f"  FROZEN       {symbol}: {why}" for symbol, why in sorted(s.frozen.items())),
        f"  as of        {when(now.ts_ns)} UTC",
    ]
    return "\n".join(lines)


def snapshot_html(now: Snapshot | None, trouble: str = "") -> str:
    """A desk as static HTML, marked as such; `trouble` says why there is nothing newer."""
    if now is None:
        return f"<p>No live view: {escape(trouble)}</p>"
    s, a = now.session, now.account
    venues = accounts_html(now.accounts, s.frozen, now.differences) if now.accounts else ""
    parts = [
        f"<p><b>{escape(s.name)}</b> · {escape(s.mode)} · {escape(s.state)} · market {escape(s.market)} · "
        f"{when(s.market_ts_ns)} UTC market time<br>"
        f"equity <b>{money(a.equity)} {escape(a.currency)}</b> · "
        f"P&amp;L <b>{money(a.equity - a.start_cash, sign=True)}</b> · realized {money(a.realized, sign=True)} · "
        f"unrealized {money(a.unrealized, sign=True)} · fees {money(a.fees)}</p>",
        venues,
        positions_html([r for r in now.positions if r.strategy_id < 0]),
        f"<details><summary>{len(now.strategies)} strategies</summary>{strategies_html(now.strategies[:50])}</details>",
        f"<details><summary>last orders</summary>{orders_html(now.orders)}</details>",
        f"<details><summary>latency by stage</summary>{latency_html(now.latency)}</details>",
        f"<p><i>Static picture of {when(now.ts_ns)} UTC; run the cell for the live view.</i></p>",
    ]
    return "".join(parts)
