"""A snapshot's rows as data frames for the dashboard's tables. Pure: no widget, no I/O."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from workbench.model.snapshot import AlertRow, Snapshot
from workbench.ui.accounts import least_headroom, offset_text
from workbench.ui.static import micros

__all__ = [
    "accounts",
    "alerts",
    "engine",
    "fills",
    "latency",
    "orders",
    "positions",
    "refusals",
    "strategies",
    "streams",
    "venue_alerts",
]


def _frame(columns: dict[str, str], rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with exactly these columns, also when there are none. The values name the dtypes."""
    listed = list(rows)
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in listed], dtype=kind) for name, kind in columns.items()}
    )


def _clock(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _account_column(now: Snapshot) -> dict[str, str]:
    return {"Account": "str"} if len(now.accounts) > 1 else {}


def positions(now: Snapshot) -> pd.DataFrame:
    """Totals by symbol first, then by strategy; open ones and those with a realized result."""
    names = {row.strategy_id: f"{row.name} #{row.strategy_id}" for row in now.strategies} | {
        -1: "account",
        0: "manual",
    }
    rows = sorted(now.positions, key=lambda row: (row.strategy_id != -1, row.strategy_id, row.symbol))
    return _frame(
        {"Held by": "str", "Symbol": "str", "Quantity": "float64", "Average": "float64", "Last": "float64",
         "Value": "float64", "Unrealized": "float64", "Realized": "float64", "Fees": "float64"},
        (
            {"Held by": names.get(r.strategy_id, f"strategy {r.strategy_id}"), "Symbol": r.symbol,
             "Quantity": r.quantity, "Average": r.average_px, "Last": r.last_px,
             "Value": r.quantity * r.last_px, "Unrealized": r.unrealized,
             "Realized": r.realized, "Fees": r.fees}
            for r in rows
            if r.quantity or r.realized
        ),
    )  # fmt: skip


def orders(now: Snapshot) -> pd.DataFrame:
    """Newest first; with the account on a desk that has several."""
    account = _account_column(now)
    return _frame(
        {"Order": "int64", "Time (UTC)": "str", "Strategy": "str", **account, "Symbol": "str", "Side": "str",
         "Type": "str", "State": "str", "Quantity": "float64", "Filled": "float64", "Average": "float64",
         "Limit": "float64", "Why": "str"},
        (
            {"Order": r.order_id, "Time (UTC)": _clock(r.ts_ns), "Strategy": r.strategy or "manual",
             "Account": r.account, "Symbol": r.symbol, "Side": r.side, "Type": r.type, "State": r.state,
             "Quantity": r.quantity, "Filled": r.filled, "Average": r.average_px, "Limit": r.limit_px,
             "Why": r.reason or r.why}
            for r in reversed(now.orders)
        ),
    )  # fmt: skip


def fills(now: Snapshot) -> pd.DataFrame:
    """Newest first; with the account on a desk that has several."""
    names = {row.strategy_id: row.name for row in now.strategies}
    account = _account_column(now)
    return _frame(
        {"Time (UTC)": "str", "Order": "int64", "Strategy": "str", **account, "Symbol": "str", "Side": "str",
         "Quantity": "float64", "Price": "float64", "Value": "float64", "Fee": "float64", "Execution": "str"},
        (
            {"Time (UTC)": _clock(r.ts_ns), "Order": r.order_id, "Strategy": names.get(r.strategy_id, "manual"),
             "Account": r.account, "Symbol": r.symbol, "Side": r.side, "Quantity": r.quantity, "Price": r.px,
             "Value": r.quantity * r.px, "Fee": r.fee, "Execution": r.exec_id}
            for r in reversed(now.fills)
        ),
    )  # fmt: skip


def strategies(now: Snapshot) -> pd.DataFrame:
    """All strategies that were not removed, by number."""
    return _frame(
        {"#": "int64", "Strategy": "str", "Parameters": "str", "Symbols": "str", "State": "str", "Reason": "str",
         "Position": "float64", "P&L": "float64", "Orders": "int64", "Fills": "int64", "Refused": "int64",
         "Decisions": "int64", "Form": "str", "From": "str"},
        (
            {"#": r.strategy_id, "Strategy": r.name,
             "Parameters": ", ".join(f"{k}={v}" for k, v in r.parameters.items()),
             "Symbols": " ".join(r.symbols), "State": r.state, "Reason": r.reason, "Position": r.position,
             "P&L": r.realized + r.unrealized - r.fees, "Orders": r.orders, "Fills": r.fills, "Refused": r.refusals,
             "Decisions": r.decisions, "Form": r.form, "From": r.provenance}
            for r in now.strategies
            if r.state != "removed"
        ),
    )  # fmt: skip


def latency(now: Snapshot) -> pd.DataFrame:
    """Microseconds by stage, and the verdict against the budget."""
    return _frame(
        {"Stage": "str", "Measured": "int64", "p50 µs": "float64", "p90 µs": "float64", "p99 µs": "float64",
         "Largest µs": "float64", "Budget µs": "float64", "Over budget %": "float64", "Verdict": "str"},
        (
            {"Stage": r.stage, "Measured": r.n, "p50 µs": r.p50_us, "p90 µs": r.p90_us, "p99 µs": r.p99_us,
             "Largest µs": r.max_us, "Budget µs": r.budget_us, "Over budget %": r.share_over * 100,
             "Verdict": "no data" if not r.n else "▲ over" if r.p99_us > r.budget_us > 0 else "✓ within"}
            for r in now.latency
        ),
    )  # fmt: skip


def alerts(now: Snapshot) -> pd.DataFrame:
    """Newest first."""
    return _alerts(now.alerts)


def venue_alerts(now: Snapshot) -> pd.DataFrame:
    """Those about accounts at venues and about books that differ, newest first."""
    return _alerts(row for row in now.alerts if row.code in ("VENUE", "DIFFERENCE"))


def _alerts(rows: Iterable[AlertRow]) -> pd.DataFrame:
    return _frame(
        {"Time (UTC)": "str", "Severity": "str", "Code": "str", "What": "str"},
        (
            {"Time (UTC)": _clock(r.ts_ns), "Severity": r.severity, "Code": r.code, "What": r.text}
            for r in reversed(list(rows))
        ),
    )


def accounts(now: Snapshot) -> pd.DataFrame:
    """Accounts at venues; what a venue has not told is not a number. Why one is not well stands beside its state: a
    line of figures behind it would push it out of sight."""
    nan = float("nan")
    return _frame(
        {"Account": "str", "Venue": "str", "State": "str", "Why": "str", "Cash": "float64", "Equity": "float64",
         "Positions": "float64", "Open": "int64", "Moved": "int64", "Allowance left": "float64", "Waiting": "int64",
         "Longest": "str", "Requests": "int64", "Errors": "int64", "429": "int64", "Trip p50 / p99": "str",
         "Clock": "str"},
        (
            {"Account": r.account, "Venue": f"{r.venue} {r.mode}", "State": r.state,
             "Why": "; ".join(filter(None, (r.reason, r.missed))),
             "Cash": r.cash if r.books_ns else nan, "Equity": r.equity if r.books_ns else nan,
             "Positions": r.positions if r.books_ns else nan, "Open": r.open_orders, "Moved": r.moved,
             "Allowance left": least_headroom(r)[1] * 100, "Waiting": r.waiting,
             "Longest": micros(r.longest_wait_us) if r.longest_wait_us else "–", "Requests": r.requests,
             "Errors": sum(r.errors.values()), "429": r.limited,
             "Trip p50 / p99": f"{micros(r.wire_p50_us)} / {micros(r.wire_p99_us)}" if r.wire_p50_us else "–",
             "Clock": offset_text(r.clock_offset_ms)}
            for r in now.accounts
        ),
    )  # fmt: skip


def streams(now: Snapshot) -> pd.DataFrame:
    """Every stream of every account."""
    return _frame(
        {"Account": "str", "Stream": "str", "Carries": "str", "State": "str", "Age": "str", "Reconnects": "int64",
         "Gaps": "int64", "Why": "str"},
        (
            {"Account": r.account, "Stream": s.name, "Carries": s.carries, "State": s.state,
             "Age": f"{s.age_s:.1f} s" if s.state == "live" else "–", "Reconnects": s.reconnects, "Gaps": s.gaps,
             "Why": "" if s.state == "live" else s.reason}
            for r in now.accounts
            for s in r.streams
        ),
    )  # fmt: skip


def refusals(now: Snapshot) -> pd.DataFrame:
    """Newest first."""
    return _frame(
        {"Time (UTC)": "str", "Strategy": "int64", "Symbol": "str", "Side": "str", "Quantity": "float64", "Code": "str",
         "What": "str"},
        (
            {"Time (UTC)": _clock(r.ts_ns), "Strategy": r.strategy_id, "Symbol": r.symbol, "Side": r.side,
             "Quantity": r.quantity, "Code": r.code, "What": r.text}
            for r in reversed(now.refusals)
        ),
    )  # fmt: skip


def engine(now: Snapshot) -> pd.DataFrame:
    """Health figures as words, two columns."""
    h, s = now.health, now.session
    pairs = [
        ("Process", f"pid {s.pid}, epoch {s.epoch}, version {s.version}"),
        ("Up", f"{h.uptime_s:,.0f} s"),
        ("State", s.state + (f" ({s.kill_reason})" if s.kill_reason else "")),
        ("Broker", f"{h.broker}, {h.broker_state}"),
        ("Market data age", f"{h.feed_age_s:.1f} s"),
        ("Loop lag p99", micros(h.loop_lag_p99_ms * 1e3)),
        ("Loop lag largest", micros(h.loop_lag_max_ms * 1e3)),
        ("Inbox", f"{h.inbox:,} events"),
        ("Journal", f"{h.journal_seq:,} records, {h.journal_mb:.1f} MB"),
        ("Not yet on disk", f"{h.journal_seq - h.journal_synced_seq:,} records"),
        ("Journal sync p50", micros(h.journal_sync_p50_us)),
        ("Journal sync p99", micros(h.journal_sync_p99_us)),
        ("Events", f"{h.events:,}"),
        ("Effects", f"{h.effects:,}"),
        ("Clients", f"{h.clients:,}"),
        ("Memory", f"{h.rss_mb:,.0f} MB"),
        ("CPU", f"{h.cpu_percent:.0f} %"),
    ]
    return _frame({"Figure": "str", "Now": "str"}, ({"Figure": name, "Now": text} for name, text in pairs))
