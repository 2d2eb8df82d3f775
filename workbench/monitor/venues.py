"""What the connections to venues have counted, as Prometheus families; read when somebody asks.

Lives here: figures of brokers/pool under their metric names. Not here: the engine's own figures (collectors.py).
Labels are the venue's folder and the account's name in the settings; no key, no account number, no symbol.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from workbench.brokers.pool.meters import PoolSnapshot, open_pools
from workbench.brokers.pool.pool import Pool

__all__ = ["VENUE_METRICS", "of_venues"]

_WHO: Final = ("venue", "account")
_BOUNDS_S: Final = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STATES: Final = ("unknown", "healthy", "degraded", "down", "unauthorised")

type _Rows = Callable[[PoolSnapshot], Iterable[tuple[tuple[str, ...], float]]]

_COUNTERS: Final[tuple[tuple[str, str, tuple[str, ...], _Rows], ...]] = (
    ("requests", "Requests sent, by kind", ("route",), lambda s: _keyed(s.requests)),
    ("errors", "Requests that failed, by type of error", ("error",), lambda s: _keyed(s.errors)),
    ("limited", "Answers that asked for a pause (429, 418)", (), lambda s: [((), s.limited)]),
    ("orders_lost", "Orders whose answer was lost for a time", (), lambda s: [((), s.lost)]),
    ("retried", "Questions asked again", (), lambda s: [((), s.retried)]),
    ("limiter_waited", "Requests that waited at the limiter, by lane", ("lane",), lambda s: _keyed(s.waited)),
    ("limiter_wait_seconds", "Time spent waiting at the limiter", (), lambda s: [((), s.waited_s)]),
    ("stream_connects", "Connections a stream has opened", ("stream",), lambda s: _of_streams(s, "connects")),
    ("stream_resyncs", "Snapshots a stream asked for", ("stream",), lambda s: _of_streams(s, "resyncs")),
    ("stream_garbled", "Frames that could not be read", ("stream",), lambda s: _of_streams(s, "garbled")),
    ("stream_gaps", "Gaps that were noticed", ("stream",), lambda s: _of_streams(s, "gaps")),
    (
        "stream_backfilled",
        "Missed bars that came by REST",
        ("stream",),
        lambda s: _of_streams(s, "backfilled"),
    ),
    (
        "stream_unfilled",
        "Missed bars not to be had in time",
        ("stream",),
        lambda s: _of_streams(s, "unfilled"),
    ),
)
_GAUGES: Final[tuple[tuple[str, str, tuple[str, ...], _Rows], ...]] = (
    (
        "state",
        "1 for the connection's state",
        ("state",),
        lambda s: [((x,), float(x == s.state)) for x in _STATES],
    ),
    ("headroom_ratio", "Share left of an allowance", ("allowance",), lambda s: _keyed(s.headroom)),
    ("limiter_waiting", "Requests that wait at the limiter now", (), lambda s: [((), s.waiting)]),
    (
        "breaker_closed",
        "1 while requests of a class are let through",
        ("breaker",),
        lambda s: [((b.name,), float(b.state == "closed")) for b in s.breakers],
    ),
    (
        "stream_live",
        "1 while a stream is live",
        ("stream",),
        lambda s: [((one.name,), float(one.state == "live")) for one in s.streams],
    ),
    (
        "stream_age_seconds",
        "Time since a stream's last frame",
        ("stream",),
        lambda s: _of_streams(s, "age_s"),
    ),
    ("clock_offset_seconds", "The venue's clock minus ours", (), lambda s: [((), s.clock_offset_s)]),
)
_HISTOGRAMS: Final[tuple[tuple[str, str], ...]] = (
    ("probe", "Round trip of a probe"),
    ("wire", "From a request's first byte to its answer's last"),
)
VENUE_METRICS: Final = (
    *(f"workbench_venue_{name}_total" for name, *_ in _COUNTERS),
    *(f"workbench_venue_{name}" for name, *_ in _GAUGES),
    *(f"workbench_venue_{name}_seconds" for name, _ in _HISTOGRAMS),
)


def of_venues() -> Iterator[Metric]:
    """Every family, also without any open connection: a series that vanishes cannot alarm, a family is known."""
    pools = open_pools()
    shots = [pool.snapshot() for pool in pools]
    for name, text, labels, rows in _COUNTERS:
        counter = CounterMetricFamily(f"workbench_venue_{name}", text, labels=[*_WHO, *labels])
        _fill(counter, shots, rows)
        yield counter
    for name, text, labels, rows in _GAUGES:
        gauge = GaugeMetricFamily(f"workbench_venue_{name}", text, labels=[*_WHO, *labels])
        _fill(gauge, shots, rows)
        yield gauge
    for name, text in _HISTOGRAMS:
        family = HistogramMetricFamily(f"workbench_venue_{name}_seconds", text, labels=[*_WHO])
        for pool in pools:
            _bucketed(family, pool, name)
        yield family


def _fill(
    family: CounterMetricFamily | GaugeMetricFamily, shots: Iterable[PoolSnapshot], rows: _Rows
) -> None:
    for shot in shots:
        for labels, value in rows(shot):
            family.add_metric([shot.venue, shot.name, *labels], float(value))


def _bucketed(family: HistogramMetricFamily, pool: Pool, name: str) -> None:
    durations = pool.meters.probe if name == "probe" else pool.meters.wire
    counts = zip(_BOUNDS_S, durations.over_bounds(_BOUNDS_S), strict=True)
    buckets = [(repr(bound_s), float(count)) for bound_s, count in counts]
    buckets.append(("+Inf", float(durations.count)))
    family.add_metric([pool.venue, pool.name], buckets, durations.total_ns / 1e9)


def _keyed(counts: dict[str, int] | dict[str, float]) -> list[tuple[tuple[str, ...], float]]:
    return [((key,), float(value)) for key, value in sorted(counts.items())]


def _of_streams(shot: PoolSnapshot, field: str) -> list[tuple[tuple[str, ...], float]]:
    return [((row.name,), float(getattr(row, field))) for row in shot.streams]
