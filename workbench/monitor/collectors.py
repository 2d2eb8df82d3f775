"""The engine's figures as Prometheus text, computed when somebody asks and never on the order path.

No account number, symbol or position ever becomes a label or a value here; strategies appear as counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from workbench.model.orders import ACTIVE, STATE_NAMES
from workbench.model.snapshot import Snapshot
from workbench.model.stages import STAGES
from workbench.monitor.histogram import Histogram
from workbench.monitor.stages import SPANS, Stages
from workbench.monitor.tally import Tally
from workbench.monitor.venues import VENUE_METRICS, of_venues

__all__ = ["BUCKETS_US", "CONTENT_TYPE", "METRIC_NAMES", "MetricsSource", "metrics_text"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# 1-2-5 steps from 1 us to 100 s. Every time budget lies on one, so Prometheus sees the share over it exactly.
BUCKETS_US: Final = (*(float(step * 10**power) for power in range(8) for step in (1, 2, 5)), 1e8)

_SESSION_STATES: Final = ("starting", "recovering", "running", "killed", "stopping")
_STRATEGY_STATES: Final = ("running", "warming", "paused", "removed")
METRIC_NAMES: Final = (
    "workbench_up_seconds",
    "workbench_session_state",
    "workbench_orders_active",
    "workbench_records_total",
    "workbench_refusals_total",
    "workbench_strategies_halted_total",
    "workbench_strategies",
    "workbench_equity",
    "workbench_stage_seconds",
    "workbench_span_seconds",
    "workbench_stage_out_of_order_total",
    "workbench_loop_lag_seconds",
    "workbench_journal_sync_seconds",
    "workbench_journal_seq",
    "workbench_journal_synced_seq",
    "workbench_journal_bytes",
    "workbench_inbox",
    "workbench_feed_age_seconds",
    "workbench_ws_clients",
    "workbench_process_resident_bytes",
    "workbench_process_cpu_ratio",
    "workbench_host_memory_ratio",
    "workbench_host_disk_ratio",
    *VENUE_METRICS,
)


class MetricsSource(msgspec.Struct, frozen=True):
    """Where the figures come from. `folder` is any path on the disk that holds the journal."""

    snapshot: Callable[[], Snapshot]
    stages: Stages
    loop_lag: Histogram
    journal_syncs: Histogram
    tally: Tally
    folder: Path | None = None


def metrics_text(source: MetricsSource) -> bytes:
    """All metrics in Prometheus' text format (send it as `CONTENT_TYPE`)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(source))
    return generate_latest(registry)


class _Once(Collector):
    """A collector over one source; everything is read inside `collect`."""

    def __init__(self, source: MetricsSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        source = self._source
        snapshot = source.snapshot()
        yield from _of_session(snapshot)
        yield from _of_tally(source.tally)
        yield from _of_stages(source.stages)
        yield _histogram("workbench_loop_lag_seconds", "Lateness of the engine's event loop", source.loop_lag)
        yield _histogram(
            "workbench_journal_sync_seconds", "Group commits of the journal to disk", source.journal_syncs
        )
        yield from _of_host(source.folder)
        yield from of_venues()


def _of_session(snapshot: Snapshot) -> Iterator[Metric]:
    session, health = snapshot.session, snapshot.health
    yield _gauge("workbench_up_seconds", "Time since the engine started", health.uptime_s)
    yield _states("workbench_session_state", "1 for the session's state", [session.state], _SESSION_STATES)
    active = [STATE_NAMES[state] for state in sorted(ACTIVE)]
    orders = [order.state for order in snapshot.orders if order.state in active]
    yield _states("workbench_orders_active", "Orders that may still fill, by state", orders, active)
    states = [strategy.state for strategy in snapshot.strategies]
    yield _states("workbench_strategies", "Strategies by state", states, _STRATEGY_STATES)
    yield _gauge("workbench_equity", "Equity of the account in its currency", snapshot.account.equity)
    yield _gauge("workbench_journal_seq", "Newest journal record", health.journal_seq)
    yield _gauge(
        "workbench_journal_synced_seq", "Newest journal record known to be on disk", health.journal_synced_seq
    )
    yield _gauge("workbench_journal_bytes", "Size of the journal", health.journal_mb * 1e6)
    yield _gauge("workbench_inbox", "Events waiting for the engine", health.inbox)
    yield _gauge("workbench_feed_age_seconds", "Age of the newest market data", health.feed_age_s)
    yield _gauge("workbench_ws_clients", "Connected WebSocket clients", health.clients)
    yield _gauge("workbench_process_resident_bytes", "Resident memory of the engine", health.rss_mb * 1e6)
    yield _gauge("workbench_process_cpu_ratio", "CPU of the engine, 1 = one core", health.cpu_percent / 100)


def _of_tally(tally: Tally) -> Iterator[Metric]:
    yield _counter("workbench_records", "Events and effects handled, by kind", "kind", tally.kinds)
    yield _counter("workbench_refusals", "Orders refused by a risk rule, by code", "code", tally.refusals)
    yield _counter(
        "workbench_strategies_halted", "Strategies halted by the engine, by code", "code", tally.halts
    )


def _of_stages(stages: Stages) -> Iterator[Metric]:
    family = HistogramMetricFamily(
        "workbench_stage_seconds", "Time of finished orders in each stage", labels=["stage"]
    )
    for stage in STAGES:
        histogram = stages.histogram(stage)
        family.add_metric([stage], _buckets(histogram), histogram.total_ns / 1e9)
    yield family
    family = HistogramMetricFamily("workbench_span_seconds", "Time over several stages", labels=["span"])
    for span in SPANS:
        histogram = stages.histogram(span)
        family.add_metric([span], _buckets(histogram), histogram.total_ns / 1e9)
    yield family
    late = CounterMetricFamily("workbench_stage_out_of_order", "Stages left out: their stamps ran backwards")
    late.add_metric([], stages.out_of_order)
    yield late


def _of_host(folder: Path | None) -> Iterator[Metric]:
    import psutil

    memory = psutil.virtual_memory().percent / 100
    yield _gauge("workbench_host_memory_ratio", "Memory of the machine in use", memory)
    if folder is not None:
        disk = psutil.disk_usage(str(folder)).percent / 100
        yield _gauge("workbench_host_disk_ratio", "Disk that holds the journal, in use", disk)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _states(name: str, text: str, found: Iterable[str], known: Iterable[str]) -> GaugeMetricFamily:
    """One sample a known state, zeros included: a series that vanishes cannot alarm."""
    counts = Counter(found)
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state in known:
        family.add_metric([state], counts[state])
    return family


def _counter(name: str, text: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, n in sorted(counts.items()):
        family.add_metric([key], n)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, text, buckets=_buckets(histogram), sum_value=histogram.total_ns / 1e9)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    counts = [(repr(us / 1e6), float(histogram.count_upto(us * 1e3))) for us in BUCKETS_US]
    return [*counts, ("+Inf", float(histogram.count))]
