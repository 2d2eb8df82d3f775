"""The in-memory desk's books as one `Snapshot`, the way the orchestrator would tell it."""

import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from workbench.model import snapshot as rows

if TYPE_CHECKING:
    from tests.api.fake_desk import FakeDesk

STAGE_BUDGETS = {
    "feed": 500.0,
    "decide": 100.0,
    "risk": 50.0,
    "journal": 1000.0,
    "limiter": 50.0,
    "wire": 5000.0,
}
STAGE_BUDGETS |= {"fill": 10_000.0, "book": 50.0}
SESSION_START_NS = 1_608_042_600 * 10**9  # 2020-12-15 14:30 UTC


def build_snapshot(desk: "FakeDesk") -> rows.Snapshot:
    value, open_ids = desk._market_value(), set(desk._active)
    recent = [row for row in desk._orders.values() if row.order_id not in open_ids][-200:]
    window = sorted([*recent, *(desk._orders[key] for key in open_ids)], key=lambda row: row.order_id)
    positions: list[rows.PositionRow] = []
    by_strategy: dict[int, list[float]] = {}
    for (strategy_id, symbol), (quantity, average, realized, fees) in desk._held.items():
        unrealized = quantity * (desk._px[symbol] - average)
        positions.append(
            rows.PositionRow(
                strategy_id, symbol, quantity, average, desk._px[symbol], realized, unrealized, fees
            )
        )
        total = by_strategy.setdefault(strategy_id, [0.0, 0.0, 0.0, 0.0])
        for index, part in enumerate((quantity, realized, unrealized, fees)):
            total[index] += part
    for symbol, px in desk._px.items():
        mine = [row for row in positions if row.symbol == symbol]
        sums = [sum(getattr(r, f) for r in mine) for f in ("quantity", "realized", "unrealized", "fees")]
        positions.append(rows.PositionRow(-1, symbol, sums[0], 0.0, px, *sums[1:]))
    strategies = [
        msgspec.structs.replace(
            row,
            **dict(
                zip(
                    ("position", "realized", "unrealized", "fees"),
                    by_strategy.get(row.strategy_id, [0.0] * 4),
                    strict=True,
                )
            ),
        )
        for row in desk._strategies.values()
    ]
    realized, unrealized, fees = (
        sum(t[1] for t in by_strategy.values()),
        sum(t[2] for t in by_strategy.values()),
        sum(t[3] for t in by_strategy.values()),
    )
    state = "killed" if desk.killed else "running"
    done = (desk._market_ns - SESSION_START_NS) / (4 * 23_400e9)
    now_ns = time.time_ns()
    uptime_s = (now_ns - desk._started_ns) / 1e9
    return rows.Snapshot(
        desk._seq,
        now_ns,
        rows.SessionRow(
            desk.name, "paper", state, desk.market, desk.epoch, desk._started_ns, desk._market_ns, desk.speed,
            min(done, 1.0), "SPY", os.getpid(), "0.1.0", desk.killed, dict(desk.frozen),
        ),
        rows.AccountRow(
            "SIM-1", "USD", 1e6, desk._cash, desk._cash + value, realized, unrealized, fees,
            sum(abs(h[0]) * desk._px[s] for (_, s), h in desk._held.items()), value,
        ),
        positions,
        window,
        desk._fills[-200:],
        desk._refusals[-200:],
        strategies,
        [_latency_row(stage, values) for stage, values in desk._latency.items()],
        rows.HealthRow(
            0.2, 0.9, 0, desk._seq, desk._seq, 350.0, 810.0, desk._seq / 1e4, desk._seq, len(desk._orders),
            desk.clients, 90.0, 4.0, uptime_s, "sim", "connected", 0.1,
        ),
        desk._alerts[-200:],
        desk._equity[-2000:],
        list(desk.accounts),
        list(desk.differences),
    )  # fmt: skip


def account_row(account: str, **changes: Any) -> rows.VenueAccountRow:
    """An account at a venue that is well."""
    streams = [
        rows.VenueStreamRow("trade_updates", "orders", "live", "", 0.4, 0, 0),
        rows.VenueStreamRow("iex", "data", "live", "", 0.1, 1, 0),
    ]
    row = rows.VenueAccountRow(
        account, "alpaca", "paper", "healthy", "a probe took 1.2 ms", ["SPY"], 90_000.0, 100_250.5, 2,
        1_700_000_000 * 10**9, 3, 0, 410, {}, 0, {"trading": 0.82, "data": 0.97}, 0, 4, 1_500.0, 900.0,
        {"orders": "closed"}, streams, 3.5, 1_200.0, 2_500.0, 1_900.0, 8_000.0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **changes)


def _latency_row(stage: str, values: list[float]) -> rows.LatencyRow:
    ordered, budget = sorted(values[-5000:]) or [0.0], STAGE_BUDGETS[stage]
    p50, p90, p99 = (ordered[int(q * (len(ordered) - 1))] for q in (0.5, 0.9, 0.99))
    over = sum(value > budget for value in ordered) / len(ordered)
    return rows.LatencyRow(stage, len(values), p50, p90, p99, ordered[-1], budget, over)
