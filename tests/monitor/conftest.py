from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from workbench.model.snapshot import (
    AccountRow,
    HealthRow,
    OrderRow,
    PositionRow,
    SessionRow,
    Snapshot,
    StrategyRow,
)


@pytest.fixture
def make_snapshot() -> Callable[..., Snapshot]:
    """A quiet, healthy desk at second `at_s`; `session=`, `health=` take fields to change, the rest whole values."""
    return snapshot


def snapshot(at_s: float = 0.0, **changes: Any) -> Snapshot:
    session = SessionRow("desk", "replay", "running", "playing", 1, 0, 0, 60.0, 0.5, "SPY", 4242, "0.1.0")
    health = HealthRow(
        loop_lag_p99_ms=0.2,
        loop_lag_max_ms=3.0,
        inbox=2,
        journal_seq=500,
        journal_synced_seq=498,
        journal_sync_p50_us=220.0,
        journal_sync_p99_us=900.0,
        journal_mb=1.5,
        events=400,
        effects=100,
        clients=3,
        rss_mb=150.0,
        cpu_percent=12.5,
        uptime_s=60.0,
        broker="sim",
        broker_state="connected",
        feed_age_s=0.1,
    )
    values: dict[str, Any] = {
        "seq": 500,
        "ts_ns": int(at_s * 1e9),
        "account": AccountRow("SECRET-ACCT-77", "USD", 1e6, 9e5, 1_000_250.5, 300.0, -49.5, 1.0, 1e5, 1e5),
        "positions": [PositionRow(1, "ZZTOPSYM", 270.0, 360.0, 367.0, 0.0, 10.0, 0.0)],
        "orders": [order("working"), order("working"), order("unknown"), order("filled")],
        "fills": [],
        "refusals": [],
        "strategies": [strategy("running"), strategy("paused")],
        "latency": [],
        "alerts": [],
        "equity": [],
    }
    values["session"] = msgspec.structs.replace(session, **changes.pop("session", {}))
    values["health"] = msgspec.structs.replace(health, **changes.pop("health", {}))
    return Snapshot(**(values | changes))


def order(state: str) -> OrderRow:
    return OrderRow(
        1,
        "wb-1-1",
        "V1",
        1,
        "Rsi",
        "ZZTOPSYM",
        "buy",
        "market",
        "day",
        10.0,
        0.0,
        0.0,
        state,
        0.0,
        0.0,
        0.0,
        0,
        0,
        "",
        "",
    )


def strategy(state: str) -> StrategyRow:
    return StrategyRow(
        1,
        "Rsi",
        {},
        ["ZZTOPSYM"],
        state,
        "",
        "compiled",
        "quantity",
        10.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0,
        0,
        0,
        0,
        "ab",
        "nb",
    )
