from collections.abc import Callable

import pytest

from tests.api.fake_snapshot import account_row
from workbench.model.commands import Arm, Kill
from workbench.model.effects import Refusal, StrategyHalted
from workbench.model.snapshot import LatencyRow, Snapshot
from workbench.monitor.alerts import Alerts
from workbench.monitor.budgets import load_budgets

type Make = Callable[..., Snapshot]


@pytest.fixture
def alerts() -> Alerts:
    return Alerts(load_budgets())


def latency(n: int, share_over: float) -> list[LatencyRow]:
    return [LatencyRow("journal", n, 200.0, 300.0, 900.0, 9000.0, 2000.0, share_over)]


def test_a_healthy_desk_is_silent(alerts: Alerts, make_snapshot: Make) -> None:
    for second in range(120):
        assert alerts.observe(make_snapshot(second, orders=[], latency=latency(100 * second, 0.001))) == []


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"health": {"loop_lag_p99_ms": 2.0}}, "BUDGET", "warning"),
        ({"health": {"journal_sync_p99_us": 9_000.0}}, "BUDGET", "critical"),
        ({"health": {"feed_age_s": 30.0}}, "BUDGET", "critical"),
        ({"health": {"cpu_percent": 97.0}}, "BUDGET", "critical"),
        ({"health": {"journal_seq": 50_000}}, "JOURNAL_BEHIND", "critical"),
        ({"session": {"state": "killed", "kill_reason": "drill"}}, "KILLED", "critical"),
    ],
)
def test_each_condition_is_said_once_and_again_only_after_it_ended(
    alerts: Alerts, make_snapshot: Make, changes: dict[str, object], code: str, severity: str
) -> None:
    bad: dict[str, object] = {"orders": [], **changes}
    good: dict[str, object] = {"orders": []}
    first = alerts.observe(make_snapshot(0, **bad))
    assert [(row.code, row.severity) for row in first] == [(code, severity)]
    assert alerts.observe(make_snapshot(1, **bad)) == []
    assert alerts.observe(make_snapshot(2, **good)) == []
    assert alerts.open == frozenset()
    assert [row.code for row in alerts.observe(make_snapshot(3, **bad))] == [code]
    assert [row.ts_ns for row in alerts.rows] == [0, 3 * 10**9]


def test_an_account_that_is_not_well_is_told_when_it_stays_so(alerts: Alerts, make_snapshot: Make) -> None:
    def told(second: float, state: str) -> list[tuple[str, str]]:
        accounts = [account_row("paper", state=state, reason="why"), account_row("other")]
        new = alerts.observe(make_snapshot(second, orders=[], accounts=accounts))
        return [(row.severity, row.text) for row in new]

    assert told(0, "degraded") == []
    assert told(2, "degraded") == []
    assert told(3, "stale") == [("warning", "account 'paper' is stale: why")]
    assert told(4, "stale") == []
    assert told(5, "down") == [("critical", "account 'paper' is down: why")]  # worse than before: said again
    assert told(6, "down") == []
    assert told(7, "healthy") == []
    assert told(8, "degraded") == []  # a break that is short is no news
    assert told(9, "healthy") == []
    assert told(10, "unauthorised") == [("critical", "account 'paper' is unauthorised: why")]


def test_a_closed_or_paused_market_has_no_feed_age(alerts: Alerts, make_snapshot: Make) -> None:
    paused = make_snapshot(0, orders=[], health={"feed_age_s": 900.0}, session={"market": "paused"})
    assert alerts.observe(paused) == []


def test_only_the_window_counts_not_all_of_the_past(alerts: Alerts, make_snapshot: Make) -> None:
    # an awful first minute: 50 of 1,000 over budget; then a minute of flawless orders
    new = alerts.observe(make_snapshot(0, orders=[], latency=latency(1_000, 0.05)))
    assert [row.severity for row in new] == ["critical"]
    assert "5.0% of 1000 orders" in new[0].text
    alerts.observe(make_snapshot(61, orders=[], latency=latency(2_000, 0.025)))
    assert alerts.open == frozenset()
    # and one bad minute in a long good past is seen, although the overall share is far below 1 %
    alerts.observe(make_snapshot(62, orders=[], latency=latency(100_000, 0.0005)))
    assert alerts.open == frozenset()
    new = alerts.observe(make_snapshot(123, orders=[], latency=latency(100_100, 60 / 100_100)))
    assert [row.code for row in new] == ["BUDGET"]
    assert new[0].text.startswith("journal: 10.0% of 100 orders")


def test_few_orders_prove_nothing(alerts: Alerts, make_snapshot: Make) -> None:
    assert alerts.observe(make_snapshot(0, orders=[], latency=latency(19, 1.0))) == []
    assert len(alerts.observe(make_snapshot(1, orders=[], latency=latency(20, 1.0)))) == 1


def test_cpu_average_needs_a_full_window(alerts: Alerts, make_snapshot: Make) -> None:
    busy = {"orders": [], "health": {"cpu_percent": 80.0}}
    for second in range(0, 60, 5):
        assert alerts.observe(make_snapshot(second, **busy)) == []
    new = alerts.observe(make_snapshot(60, **busy))
    assert [row.text.split(" is ")[0] for row in new] == ["cpu_average"]


def test_orders_of_unknown_outcome_are_critical(alerts: Alerts, make_snapshot: Make) -> None:
    assert [row.code for row in alerts.observe(make_snapshot(0))] == ["UNKNOWN"]


def test_another_session_starts_with_its_own_counters(alerts: Alerts, make_snapshot: Make) -> None:
    alerts.observe(make_snapshot(0, orders=[], latency=latency(5_000, 0.0)))
    restarted = make_snapshot(10, orders=[], latency=latency(50, 0.5), session={"epoch": 2})
    assert [row.code for row in alerts.observe(restarted)] == ["BUDGET"]


def test_events_of_one_strategy_and_code_are_one_alert_a_window(alerts: Alerts) -> None:
    halted = StrategyHalted(0, 4, "RATE", "10000 orders in a second")
    refused = Refusal(0, 4, 0, 1, 10, "SIZE", "too large")
    assert alerts.event(halted, 0) is not None
    assert alerts.event(halted, 10**9) is None
    assert alerts.event(StrategyHalted(0, 5, "RATE", "x"), 10**9) is not None
    assert sum(alerts.event(refused, n) is not None for n in range(1_000)) == 1
    assert alerts.event(halted, 61 * 10**9) is not None
    assert alerts.event(Arm(0, "ada"), 0) is None
    assert [row.code for row in alerts.rows] == ["HALTED", "HALTED", "REFUSED", "HALTED"]


def test_a_kill_is_said_at_once_and_not_again_by_the_next_snapshot(
    alerts: Alerts, make_snapshot: Make
) -> None:
    row = alerts.event(Kill(0, "end of day", "ada"), 0)
    assert row is not None
    assert row.severity == "critical"
    assert alerts.observe(make_snapshot(1, orders=[], session={"state": "killed"})) == []


def test_a_stopped_journal_is_critical(alerts: Alerts) -> None:
    row = alerts.journal_failed(0, "No space left on device")
    assert row is not None
    assert (row.severity, row.code) == ("critical", "JOURNAL")


def test_rows_are_bounded(alerts: Alerts) -> None:
    for n in range(500):
        alerts.event(StrategyHalted(0, n, "NAN", "x"), n)
    assert len(alerts.rows) == 200
    assert alerts.rows[-1].text.startswith("strategy 499")
