"""The venues' figures as metrics: from a real connection, without a key in them, and nothing without one."""

import re

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.brokers.alpaca.desk import trading
from workbench.monitor.venues import VENUE_METRICS, of_venues


class _Venues:
    def collect(self) -> list[Metric]:
        return list(of_venues())


def text() -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Venues())
    return generate_latest(registry).decode()


def value(name: str, **labels: str) -> float:
    found = [
        sample.value
        for family in text_string_to_metric_families(text())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


async def test_a_connection_shows_what_it_does() -> None:
    async with trading(account_name="metrics") as desk:
        desk.fault("status", "rest:POST /v2/orders", count=1, status=503)
        orders = [desk.order(), desk.order()]
        await desk.submit(*orders)
        await desk.over(*orders)
        who = {"venue": "alpaca", "account": "metrics"}
        assert value("workbench_venue_requests_total", route="order", **who) == 2
        assert value("workbench_venue_errors_total", error="OutcomeUnknown", **who) == 1
        assert value("workbench_venue_orders_lost_total", **who) == 1
        states = ("unknown", "healthy", "degraded", "down", "unauthorised")
        told = {state: value("workbench_venue_state", state=state, **who) for state in states}
        assert told == {state: float(state == desk.broker.pool.health.state) for state in states}
        assert told["healthy"] + told["degraded"] == 1  # degraded where a probe took its time
        assert 0 < value("workbench_venue_headroom_ratio", allowance="trading", **who) < 1
        assert value("workbench_venue_breaker_closed", breaker="orders", **who) == 1
        assert value("workbench_venue_stream_live", stream="trade_updates", **who) == 1
        assert value("workbench_venue_probe_seconds_count", **who) >= 1
        assert value("workbench_venue_wire_seconds_count", **who) >= 5
        # the same clock, read across a round trip that may have been a slow one
        assert abs(value("workbench_venue_clock_offset_seconds", **who)) < 60
        shown = text()
        for secret in (
            desk.venue.facts["key"],
            desk.venue.facts["secret"],
            desk.venue.facts["account"],
            "SPY",
            "127.0.0.1",
        ):
            assert secret not in shown
    assert 'account="metrics"' not in text()


def test_every_family_is_there_without_a_connection() -> None:
    assert set(re.findall(r"^# TYPE (\w+) ", text(), re.MULTILINE)) == set(VENUE_METRICS)
