import gc
import time

from workbench.model.orders import BUY, DAY, MARKET, Order
from workbench.monitor.budgets import load_budgets
from workbench.monitor.gcpauses import GcPauses
from workbench.monitor.traces import Pause, render_text, trace_row

BUDGETS = load_budgets()


def order(stamps: list[int]) -> Order:
    return Order(17, 3, 1, 0, BUY, MARKET, DAY, 10**8, 0, 0, 0, stamps=stamps)


def test_stages_start_where_the_one_before_ended() -> None:
    base = 10**12
    stamps = [base + 1_000 * n for n in (0, 1, 3, 6, 10, 15, 21, 28, 36)]
    trace = trace_row(order(stamps), BUDGETS)
    assert trace.start_us == [0, 1, 3, 6, 10, 15, 21, 28]
    assert trace.length_us == [1, 2, 3, 4, 5, 6, 7, 8]
    assert trace.total_us == 36
    assert trace.client_id == "wb-3-17"
    assert trace.budget_us[1] == BUDGETS.stage_us("decide")


def test_an_unfinished_order_shows_what_it_has() -> None:
    base = 10**12
    trace = trace_row(order([base, base + 5_000, base + 9_000, 0, 0, 0, 0, 0, 0]), BUDGETS)
    assert trace.stages == ["feed", "decide"]
    assert trace.total_us == 9


def test_an_order_without_stamps_says_so() -> None:
    trace = trace_row(order([0] * 9), BUDGETS)
    assert trace.stages == []
    assert render_text(trace) == "order 17 (wb-3-17): no stamps yet"


def test_a_backwards_stage_is_left_out() -> None:
    base = 10**12
    trace = trace_row(order([base + 1_000 * n for n in (0, 1, 2, 3, 4, 5, 9, 7, 10)]), BUDGETS)
    assert "fill" not in trace.stages
    assert min(trace.length_us) >= 0


def test_only_pauses_within_the_orders_time_are_joined() -> None:
    base = 10**12
    trace = trace_row(
        order([base + 10_000 * n for n in range(9)]),
        BUDGETS,
        [
            Pause("gc2", base - 50_000, 10_000),
            Pause("gc1", base + 20_000, 5_000),
            Pause("loop", base - 5_000, 8_000),
            Pause("gc0", base + 80_001, 10),
        ],
    )
    assert trace.pauses == [("loop", -5.0, 8.0), ("gc1", 20.0, 5.0)]
    text = render_text(trace)
    assert "gc1" in text
    assert "~" in text


def test_the_waterfall_marks_what_is_over_budget() -> None:
    base = 10**12
    stamps = [base, base + 1_000, base + 90_000, base + 91_000, 0, 0, 0, 0, 0]
    lines = render_text(trace_row(order(stamps), BUDGETS)).splitlines()
    assert [line.endswith("!") for line in lines[1:]] == [False, True, False]
    assert len({line.index("]") for line in lines[1:]}) == 1


def test_gc_pauses_are_seen_while_installed_only() -> None:
    pauses = GcPauses()
    gc.disable()  # the one that is asked for is the only one
    pauses.install()
    pauses.install()
    before = time.monotonic_ns()
    try:
        gc.collect()
        after = time.monotonic_ns()
    finally:
        pauses.remove()
        gc.enable()
    seen = [p for p in pauses.between(before, after) if p.what == "gc2"]
    assert len(seen) == 1
    assert before <= seen[0].start_ns
    assert seen[0].start_ns + seen[0].length_ns <= after
    count = pauses.histogram.count
    gc.collect()
    assert pauses.histogram.count == count
