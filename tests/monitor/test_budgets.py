from pathlib import Path

import pytest

from workbench.errors import BadInput, BadValue, UnknownName, WorkbenchError
from workbench.model.stages import STAGES
from workbench.monitor.budgets import load_budgets, parse_budgets
from workbench.monitor.collectors import BUCKETS_US
from workbench.monitor.stages import SPANS

P99 = 'x = { at_most = 1, unit = "s", stat = "p99", severity = '
STAGE_LINES = "\n".join(f'{s} = {{ at_most = 10.0, severity = "info", text = "t" }}' for s in STAGES)


def test_the_packaged_budgets_hold_every_stage_and_every_span() -> None:
    budgets = load_budgets()
    assert tuple(budgets.stages) == STAGES
    assert all(budgets.span_us(span) > 0 for span in SPANS)
    assert budgets.ceiling("signal_to_broker").limit_us == 50_000
    assert budgets.ceiling("order_to_execution").stat == "mean"
    assert budgets.stage_us("decide") == 50
    assert budgets.stage_us("risk") == 100
    assert budgets.stage_us("journal") == 2_000


def test_our_stage_budgets_are_stricter_than_the_ceilings_of_the_same_thing() -> None:
    budgets = load_budgets()
    for stage, ceiling in (("decide", "signal"), ("risk", "risk"), ("book", "position_update")):
        assert budgets.stage_us(stage) < budgets.ceiling(ceiling).limit_us


def test_every_time_budget_is_a_prometheus_bucket() -> None:
    budgets = load_budgets()
    times = [c for c in (*budgets.stages.values(), *budgets.ceilings.values()) if c.unit in ("us", "ms", "s")]
    assert {c.name for c in times if c.limit_us not in BUCKETS_US} == set()


def test_a_ceiling_knows_its_wrong_side() -> None:
    budgets = load_budgets()
    assert budgets.ceiling("cpu_peak").broken_by(91)
    assert not budgets.ceiling("cpu_peak").broken_by(90)
    assert budgets.ceiling("availability").broken_by(99.9)
    assert not budgets.ceiling("availability").broken_by(float("nan"))
    with pytest.raises(BadValue, match="times"):
        _ = budgets.ceiling("cpu_peak").limit_us


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("[stage]\n", UnknownName, "did you mean 'stages'"),
        (f"[stages]\n{STAGE_LINES}\ndecode = {{ at_most = 1 }}", UnknownName, "did you mean 'stages.decide'"),
        ("[stages]\n", BadValue, "stages.feed"),
        (
            f'[stages]\n{STAGE_LINES}\n[ceilings]\nx = {{ at_mots = 1, unit = "ms" }}',
            UnknownName,
            "did you mean 'ceilings.x.at_most'",
        ),
        (
            f"[stages]\n{STAGE_LINES}\n[ceilings]\nx = {{ at_most = 1, at_least = 2 }}",
            BadValue,
            "exactly one",
        ),
        (f"[stages]\n{STAGE_LINES}\n[ceilings]\nx = {{ at_most = -1 }}", BadValue, "above 0"),
        (f"[stages]\n{STAGE_LINES}\n[ceilings]\nx = {{ at_most = true }}", BadValue, "above 0"),
        (f'[stages]\n{STAGE_LINES}\n[ceilings]\nx = {{ at_most = 1, unit = "sec" }}', UnknownName, "unit"),
        (
            f'[stages]\n{STAGE_LINES}\n[ceilings]\n{P99} "critcal" }}',
            UnknownName,
            "did you mean 'critical'",
        ),
        (
            f'[stages]\n{STAGE_LINES}\n[ceilings]\n{P99} "info" }}',
            BadValue,
            "say in a few words",
        ),
        (f"[stages]\n{STAGE_LINES}\n[ceilings]\nx = 5", BadValue, "give a table"),
        (f"[stages]\n{STAGE_LINES}\n[alerts]\nwindows_s = 5", UnknownName, "did you mean 'alerts.window_s'"),
        (f"[stages]\n{STAGE_LINES}\n[alerts]\nwindow_s = 'x'", BadValue, "alerts.window_s"),
        (f"[stages]\n{STAGE_LINES}\n[alerts]\nmin_observations = 2.5", BadValue, "alerts"),
        ("ceilings = 3", BadValue, "every stage|as a"),
        ("[stages", BadInput, "TOML"),
    ],
)
def test_bad_budgets_say_what_and_what_instead(text: str, kind: type[WorkbenchError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        parse_budgets(text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_budgets(tmp_path / "none.toml")


def test_asking_for_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'journal'"):
        load_budgets().stage_us("jornal")
    with pytest.raises(UnknownName, match="did you mean 'loop_lag'"):
        load_budgets().ceiling("looplag")
