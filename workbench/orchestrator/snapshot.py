"""One `Snapshot` of a desk: the engine's rows (view.py) and the health of everything around it."""

import time
from array import array
from typing import TYPE_CHECKING

import psutil

from workbench.model.snapshot import HealthRow, SessionRow, Snapshot
from workbench.monitor import Histogram

if TYPE_CHECKING:
    from workbench.orchestrator.desk import Desk

__all__ = ["Health", "take"]


class Health:
    """Figures that need memory between two snapshots: CPU share, the last seconds' loop lag, sync times so far."""

    def __init__(self) -> None:
        self.started_s = time.monotonic()
        self.started_ns = time.time_ns()
        self.syncs = Histogram()
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._cpu, self._rss_mb = 0.0, 0.0
        self._syncs_seen = 0
        self.lag_p99_ms, self.lag_max_ms = 0.0, 0.0

    def refresh(self, desk: "Desk") -> None:
        """Read what costs a system call; called about once a second."""
        self._cpu = self._process.cpu_percent()
        self._rss_mb = self._process.memory_info().rss / 1e6
        stats = desk.journal.stats
        fresh: array[int] = stats.since(self._syncs_seen)
        self._syncs_seen = stats.syncs
        self.syncs.record_many(fresh)
        lag = desk.loop_lag.histogram
        self.lag_p99_ms, self.lag_max_ms = lag.percentile(99) / 1e6, lag.max_ns / 1e6

    def row(self, desk: "Desk") -> HealthRow:
        """The health of the desk now."""
        journal, driver = desk.journal, desk.driver
        if not self._rss_mb:
            self.refresh(desk)
        p50, p99 = self.syncs.percentiles((50, 99)) if self.syncs.count else (0.0, 0.0)
        return HealthRow(
            loop_lag_p99_ms=self.lag_p99_ms,
            loop_lag_max_ms=self.lag_max_ms,
            inbox=driver.inbox_length,
            journal_seq=journal.last_seq,
            journal_synced_seq=journal.synced_seq,
            journal_sync_p50_us=p50 / 1e3,
            journal_sync_p99_us=p99 / 1e3,
            journal_mb=journal.size_bytes / 1e6,
            events=driver.events_handled,
            effects=driver.effects_made,
            clients=desk.clients,
            rss_mb=self._rss_mb,
            cpu_percent=self._cpu,
            uptime_s=time.monotonic() - self.started_s,
            broker=desk.broker.name,
            broker_state="stopped" if driver.stopped is not None else desk.market.health()[0],
            feed_age_s=desk.feed_age_s,
        )


def take(desk: "Desk") -> Snapshot:
    """Everything at this instant."""
    engine, view, market = desk.engine, desk.view, desk.market
    risk = engine.risk
    session = SessionRow(
        name=desk.name,
        mode=engine.mode,
        state="killed" if risk.killed and desk.state == "running" else desk.state,
        market=market.state,
        epoch=desk.journal.epoch,
        started_ns=desk.health.started_ns,
        market_ts_ns=engine.now_ns,
        speed=market.speed,
        progress=market.progress,
        data=market.name,
        pid=desk.pid,
        version=desk.version,
        kill_reason=risk.kill_reason,
        frozen={engine.book.symbol(iid): why for iid, why in sorted(risk.frozen.items())},
    )
    return Snapshot(
        seq=desk.journal.last_seq,
        ts_ns=time.time_ns(),
        session=session,
        account=view.account(),
        positions=view.positions(),
        orders=view.recent_orders(),
        fills=list(view.fills),
        refusals=list(view.refusals),
        strategies=view.strategies(),
        latency=desk.stages.rows(desk.budgets),
        health=desk.health.row(desk),
        alerts=desk.alerts.rows,
        equity=view.curve.points,
        accounts=desk.accounts.rows,
        differences=desk.truth.standing if desk.truth is not None else [],
    )
