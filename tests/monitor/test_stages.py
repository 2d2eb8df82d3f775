import random

from workbench.model.stages import STAGES
from workbench.monitor.budgets import load_budgets
from workbench.monitor.stages import SPANS, Stages


def full(start: int, lengths: list[int]) -> list[int]:
    stamps = [start]
    for length in lengths:
        stamps.append(stamps[-1] + length)
    return stamps


def test_each_stage_gets_its_own_duration() -> None:
    stages = Stages()
    stages.record(full(10**12, [1_000 * (i + 1) for i in range(8)]))
    rows = stages.rows(load_budgets())
    assert [row.stage for row in rows] == list(STAGES)
    assert [row.max_us for row in rows] == [float(i + 1) for i in range(8)]
    assert all(row.n == 1 and row.budget_us > 0 for row in rows)


def test_spans_cover_their_stages() -> None:
    stages = Stages()
    stages.record(full(10**12, [1, 2, 4, 8, 16, 32, 64, 128]))
    assert {name: stages.histogram(name).max_ns for name in SPANS} == {
        "signal_to_broker": 4 + 8 + 16,
        "order_to_execution": 8 + 16 + 32 + 64,
        "total": 255,
    }
    assert [row.stage for row in stages.span_rows(load_budgets())] == list(SPANS)


def test_missing_stamps_are_skipped_and_never_zero() -> None:
    stages = Stages()
    stamps = full(10**12, [1_000] * 8)
    stamps[4] = 0  # never synced: neither journal nor limiter is known
    stages.record(stamps)
    counts = {row.stage: row.n for row in stages.rows()}
    assert counts["journal"] == counts["limiter"] == 0
    assert sum(counts.values()) == 6


def test_an_operators_order_has_no_feed_stage_but_a_total() -> None:
    stages = Stages()
    stages.record([0, *full(10**12, [1_000] * 7)])
    assert stages.histogram("feed").count == 0
    assert stages.histogram("total").max_ns == 7_000


def test_a_fill_that_overtook_its_acceptance_is_left_out_and_counted() -> None:
    stages = Stages()
    stamps = full(10**12, [1_000] * 8)
    stamps[6] += 5_000
    stages.record(stamps)
    assert stages.histogram("fill").count == 0
    assert stages.out_of_order == 1
    assert stages.histogram("wire").count == 1


def test_share_over_the_budget() -> None:
    stages = Stages()
    budget_ns = int(load_budgets().stage_us("decide") * 1e3)
    for i in range(100):
        stages.record([0, 10**12, 10**12 + (budget_ns * 2 if i < 25 else budget_ns // 2), 0, 0, 0, 0, 0, 0])
    row = next(row for row in stages.rows(load_budgets()) if row.stage == "decide")
    assert row.share_over == 0.25


def test_merge_equals_recording_everything_in_one() -> None:
    rng = random.Random(1)
    left, right, both = Stages(), Stages(), Stages()
    for i in range(200):
        stamps = full(10**12, [rng.randrange(10**6) for _ in range(8)])
        (left if i % 2 else right).record(stamps)
        both.record(stamps)
    left.merge(right)
    assert left.rows() == both.rows()
    assert left.span_rows() == both.span_rows()


def test_keys_are_kept_apart() -> None:
    stages = Stages()
    stages.record(full(10**12, [1_000] * 8), key=("sim", "3"))
    assert stages.rows()[0].n == 0
    assert stages.rows(key=("sim", "3"))[0].n == 1
