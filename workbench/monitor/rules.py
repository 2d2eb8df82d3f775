"""Prometheus alert rules from the budgets: the same limits, for a machine that watches from outside."""

from typing import Final

from workbench.monitor.budgets import Budgets, Ceiling

__all__ = ["EXPRESSIONS", "NOT_MEASURED", "rules_yaml"]

_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "%": 0.01, "1": 1.0, "1/min": 1 / 60}


def _quantile(metric: str, label: str = "") -> str:
    return f"histogram_quantile(0.99, sum by (le) (rate({metric}_bucket{label}[5m])))"


def _mean(metric: str, label: str = "") -> str:
    return f"sum(rate({metric}_sum{label}[5m])) / sum(rate({metric}_count{label}[5m]))"


EXPRESSIONS: Final[dict[str, str]] = {
    "signal_to_broker": _quantile("workbench_span_seconds", '{span="signal_to_broker"}'),
    "order_to_execution": _mean("workbench_span_seconds", '{span="order_to_execution"}'),
    "total": _quantile("workbench_span_seconds", '{span="total"}'),
    "signal": _quantile("workbench_stage_seconds", '{stage="decide"}'),
    "risk": _quantile("workbench_stage_seconds", '{stage="risk"}'),
    "position_update": _quantile("workbench_stage_seconds", '{stage="book"}'),
    "loop_lag": _quantile("workbench_loop_lag_seconds"),
    "journal_sync": _quantile("workbench_journal_sync_seconds"),
    "feed_age": "workbench_feed_age_seconds",
    "cpu_average": "avg_over_time(workbench_process_cpu_ratio[5m])",
    "cpu_peak": "max_over_time(workbench_process_cpu_ratio[1m])",
    "memory": "workbench_host_memory_ratio",
    "memory_peak": "max_over_time(workbench_host_memory_ratio[1m])",
    "disk": "workbench_host_disk_ratio",
    "availability": 'avg_over_time(up{job="workbench"}[1d])',
}
"""The measured side of each ceiling, in seconds or ratios; the limit comes from the budgets."""

NOT_MEASURED: Final[dict[str, str]] = {
    "account_refresh": "the engine exports no timing of broker account answers",
    "query": "queries run in the warehouse, which exports no metrics",
    "network": "the share of a link needs its speed, which only the host room knows",
    "orders_per_minute": "a capacity: shown by a benchmark, not by watching",
    "strategies": "a capacity: shown by a benchmark, not by watching",
}
"""Ceilings without a rule, and why."""


def rules_yaml(budgets: Budgets) -> str:
    """A Prometheus rule file as YAML text: one alert for each measured ceiling and each stage, and the fixed
    ones (engine gone, killed, journal behind, strategies halted).
    """
    lines = ["# Made from budgets.toml; do not edit.", "groups:", "  - name: workbench-stages", "    rules:"]
    for stage, ceiling in budgets.stages.items():
        expression = _quantile("workbench_stage_seconds", f'{{stage="{stage}"}}')
        lines += _rule(f"Stage{_camel(stage)}Slow", f"{expression} > {_limit(ceiling)}", "2m", ceiling)
    lines += ["  - name: workbench-ceilings", "    rules:"]
    for name, ceiling in budgets.ceilings.items():
        if name in EXPRESSIONS:
            sign = "<" if ceiling.at_least else ">"
            lines += _rule(_camel(name), f"{EXPRESSIONS[name]} {sign} {_limit(ceiling)}", "1m", ceiling)
    lines += ["  - name: workbench-state", "    rules:"]
    for name, expression, wait, severity, text in _STATES:
        lines += _entry(name, expression, wait, severity, text)
    for name, why in NOT_MEASURED.items():
        lines.append(f"# {name}: no rule, because {why}")
    return "\n".join(lines) + "\n"


_STATES: Final = (
    ("EngineGone", 'up{job="workbench"} == 0', "10s", "critical", "the engine does not answer"),
    (
        "TradingKilled",
        'workbench_session_state{state="killed"} == 1',
        "0s",
        "critical",
        "the kill switch is on",
    ),
    (
        "JournalBehind",
        "workbench_journal_seq - workbench_journal_synced_seq > 10000",
        "10s",
        "critical",
        "the disk does not keep up with the journal",
    ),
    (
        "StrategiesHalted",
        "increase(workbench_strategies_halted_total[5m]) > 0",
        "0s",
        "warning",
        "the engine halted a strategy",
    ),
    (
        "OrdersUnknown",
        'workbench_orders_active{state="unknown"} > 0',
        "30s",
        "critical",
        "orders of unknown outcome",
    ),
)


def _rule(name: str, expression: str, wait: str, ceiling: Ceiling) -> list[str]:
    bound = (
        f"{'at least' if ceiling.at_least else 'at most'} {ceiling.limit:g} {ceiling.unit} ({ceiling.stat})"
    )
    return _entry(name, expression, wait, ceiling.severity, f"{ceiling.text}; budget: {bound}")


def _entry(name: str, expression: str, wait: str, severity: str, text: str) -> list[str]:
    return [
        f"      - alert: Workbench{name}",
        f"        expr: {_quoted(expression)}",
        f"        for: {wait}",
        "        labels:",
        f"          severity: {severity}",
        "        annotations:",
        f"          summary: {_quoted(text)}",
    ]


def _limit(ceiling: Ceiling) -> str:
    return repr(round(ceiling.limit * _SECONDS[ceiling.unit], 12))


def _quoted(text: str) -> str:
    """A YAML single-quoted scalar."""
    return "'" + text.replace("'", "''") + "'"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
