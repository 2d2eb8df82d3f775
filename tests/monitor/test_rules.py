import re
import subprocess
from pathlib import Path

import pytest

from workbench.monitor.budgets import load_budgets, parse_budgets
from workbench.monitor.collectors import METRIC_NAMES
from workbench.monitor.rules import EXPRESSIONS, NOT_MEASURED, rules_yaml


def test_every_ceiling_has_a_rule_or_a_reason() -> None:
    names = set(load_budgets().ceilings)
    assert set(EXPRESSIONS) | set(NOT_MEASURED) == names
    assert not set(EXPRESSIONS) & set(NOT_MEASURED)


def test_rules_ask_only_for_metrics_that_exist() -> None:
    asked = set(
        re.findall(r"\bworkbench_\w+", " ".join(re.findall(r"expr: '(.*)'", rules_yaml(load_budgets()))))
    )
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert asked <= set(METRIC_NAMES)
    assert len(asked) > 8


@pytest.mark.promtool
def test_promtool_accepts_the_rules(promtool: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(rules_yaml(load_budgets()), "utf-8")
    done = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"SUCCESS: (\d+) rules found", done.stdout), done.stdout


@pytest.mark.promtool
def test_the_alarm_fires_over_the_budget_and_not_under_it(promtool: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_yaml(load_budgets()), "utf-8")
    # 100 decisions a minute; half of them between 50 and 100 us, then all below 50 us
    case = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'workbench_stage_seconds_bucket{stage="decide",le="5e-05"}'
        values: '0+50x20 1100+100x30'
      - series: 'workbench_stage_seconds_bucket{stage="decide",le="0.0001"}'
        values: '0+100x20 2100+100x30'
      - series: 'workbench_stage_seconds_bucket{stage="decide",le="+Inf"}'
        values: '0+100x20 2100+100x30'
      - series: 'workbench_session_state{state="killed"}'
        values: '0x20 1x30'
    alert_rule_test:
      - eval_time: 15m
        alertname: WorkbenchStageDecideSlow
        exp_alerts:
          - exp_labels: {severity: warning}
            exp_annotations: {summary: 'the strategy thought too long; budget: at most 50 us (p99)'}
      - {eval_time: 45m, alertname: WorkbenchStageDecideSlow, exp_alerts: []}
      - {eval_time: 15m, alertname: WorkbenchTradingKilled, exp_alerts: []}
      - eval_time: 45m
        alertname: WorkbenchTradingKilled
        exp_alerts:
          - exp_labels: {severity: critical, state: killed}
            exp_annotations: {summary: the kill switch is on}
"""
    (tmp_path / "case.yaml").write_text(case, "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "case.yaml")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_budget_changes_the_rule() -> None:
    packaged = Path(__file__).parents[2] / "workbench" / "monitor" / "budgets.toml"
    text = packaged.read_text("utf-8")
    changed = text.replace("decide  = { at_most = 50.0,", "decide  = { at_most = 20.0,")
    assert changed != text
    before, after = rules_yaml(parse_budgets(text)), rules_yaml(parse_budgets(changed))
    assert "> 5e-05'" in before
    assert "> 5e-05'" not in after
    assert "> 2e-05'" in after
