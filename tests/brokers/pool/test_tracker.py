"""The tracker's laws: whatever tells of an order, in whatever order and however often, reports keep the contract."""

from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.brokers.pool.tracker import Evidence, Execution, Tracked, Tracker, order_id_of
from workbench.model.effects import Submit
from workbench.model.orders import (
    BUY,
    CANCELLED,
    EXPIRED,
    FILLED,
    PARTIAL,
    REJECTED,
    SELL,
    UNKNOWN,
    WORKING,
)
from workbench.model.reports import (
    Accepted,
    Amended,
    Cancelled,
    Expired,
    Filled,
    OutcomeLost,
    Rejected,
    Report,
    Unsent,
)

S = 10**8
TEN = 10 * S
ENDS = (Cancelled, Expired, Rejected, Unsent)


def submit(order_id: int = 1, qty_e8: int = TEN, side: int = BUY) -> Submit:
    return Submit(order_id, order_id, 7, 1, 0, side, 1, 0, qty_e8, 100 * S, 0)


def new() -> tuple[Tracker, list[Report], list[Tracked]]:
    tracker, reports, missing = Tracker(lambda: 99, lambda: 0.0), list[Report](), list[Tracked]()
    tracker.sink, tracker.missing = reports.append, missing.append
    return tracker, reports, missing


def opened(tracker: Tracker, order: Submit | None = None) -> Tracked:
    tracked = tracker.open(order or submit())
    assert tracked is not None
    return tracked


def execution(cumulative: int, qty: int, px: int = 100) -> Execution:
    return Execution(cumulative, f"v1@{cumulative}", px * S, qty * S)


def evidence(state: int, filled: int, fills: tuple[Execution, ...] | None = None, **more: object) -> Evidence:
    return Evidence("wb-7-1", "v1", state, TEN, filled * S, 50, fills, **more)  # type: ignore[arg-type]


def kinds(reports: Sequence[Report]) -> list[str]:
    return [type(report).__name__ for report in reports]


TOLD: dict[str, Callable[[Tracker, Tracked], object]] = {
    "accept": lambda tracker, t: tracker.accept(t, "v1", 1),
    "fill 4": lambda tracker, t: tracker.fill(t, execution(4, 4)),
    "fill 6": lambda tracker, t: tracker.fill(t, execution(10, 6)),
    "working": lambda tracker, t: tracker.learn(t, evidence(WORKING, 0)),
    "part": lambda tracker, t: tracker.learn(t, evidence(PARTIAL, 4, (execution(4, 4),))),
    "filled": lambda tracker, t: tracker.learn(t, evidence(FILLED, 10, (execution(4, 4), execution(10, 6)))),
    "lost": lambda tracker, t: tracker.lost(t, "no answer"),
}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(TOLD)), max_size=20))
def test_law_a_filled_order_is_accepted_once_and_filled_once(told: list[str]) -> None:
    tracker, reports, _ = new()
    tracked = opened(tracker)
    for name in [*told, "filled"]:
        TOLD[name](tracker, tracked)
    said = [report for report in reports if not isinstance(report, OutcomeLost)]
    assert kinds(said) == ["Accepted", "Filled", "Filled"]
    assert sum(r.qty_e8 for r in reports if isinstance(r, Filled)) == TEN
    lost = [n for n, r in enumerate(reports) if isinstance(r, OutcomeLost)]
    assert lost in ([], [0])  # only while nothing was known
    assert (tracked.state, tracker.active) == (FILLED, {})


CANCELS: dict[str, Callable[[Tracker, Tracked], object]] = {
    **{name: TOLD[name] for name in ("accept", "fill 4", "working", "part", "lost")},
    "cancelled": lambda tracker, t: tracker.ended(t, evidence(CANCELLED, 4)),
    "shown cancelled": lambda tracker, t: tracker.learn(t, evidence(CANCELLED, 4, (execution(4, 4),))),
    "shown cancelled without its fills": lambda tracker, t: tracker.learn(t, evidence(CANCELLED, 4)),
}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(CANCELS)), max_size=20))
def test_law_a_cancelled_order_ends_once_after_every_execution(told: list[str]) -> None:
    tracker, reports, missing = new()
    tracked = opened(tracker)
    for name in told:
        CANCELS[name](tracker, tracked)
        if any(isinstance(r, ENDS) for r in reports):
            assert tracked.filled_e8 == 4 * S
    CANCELS["shown cancelled"](tracker, tracked)
    said = [report for report in reports if not isinstance(report, OutcomeLost)]
    assert kinds(said) == ["Accepted", "Filled", "Cancelled"]
    if missing:
        assert set(missing) == {tracked}


def test_a_fill_after_the_end_is_told_because_it_is_money() -> None:
    tracker, reports, _ = new()
    tracked = opened(tracker)
    tracker.accept(tracked, "v1", 1)
    tracker.ended(tracked, evidence(CANCELLED, 0))
    tracker.fill(tracked, execution(4, 4))
    assert kinds(reports) == ["Accepted", "Cancelled", "Filled"]
    assert tracker.late_fills == 1


def test_an_end_waits_for_the_executions_the_venue_counts() -> None:
    tracker, reports, missing = new()
    tracked = opened(tracker)
    tracker.accept(tracked, "v1", 1)
    tracker.ended(tracked, evidence(EXPIRED, 10))
    assert (kinds(reports), missing) == (["Accepted"], [tracked])
    tracker.fill(tracked, execution(4, 4))
    assert kinds(reports) == ["Accepted", "Filled"]
    tracker.fill(tracked, execution(10, 6))
    assert kinds(reports) == ["Accepted", "Filled", "Filled"]  # filled in full after all


def test_an_order_by_value_that_filled_less_than_it_was_for_ends_too() -> None:
    tracker, reports, _ = new()
    tracked = opened(tracker)
    tracker.learn(tracked, evidence(FILLED, 4, (execution(4, 4),)))
    assert kinds(reports) == ["Accepted", "Filled", "Cancelled"]


def test_proofs_count_only_while_nothing_is_known() -> None:
    for proof in ("rejected", "unsent"):
        tracker, reports, _ = new()
        tracked = opened(tracker)
        tracker.accept(tracked, "v1", 1)
        tracker.rejected(tracked, "X", "y") if proof == "rejected" else tracker.unsent(tracked, "y")
        assert kinds(reports) == ["Accepted"]
        assert not tracker.lost(tracked, "late")


def test_a_rejection_after_the_acceptance_ends_the_order() -> None:
    tracker, reports, _ = new()
    tracked = opened(tracker)
    tracker.accept(tracked, "v1", 1)
    tracker.ended(tracked, evidence(REJECTED, 0, code="RISK", reason="margin"))
    assert kinds(reports) == ["Accepted", "Rejected"]
    assert isinstance(reports[1], Rejected)
    assert (reports[1].code, reports[1].text) == ("RISK", "margin")


def test_a_client_id_is_opened_once() -> None:
    tracker, _, _ = new()
    opened(tracker)
    assert tracker.open(submit()) is None


def test_an_adopted_order_is_known_and_nothing_is_told() -> None:
    tracker, reports, _ = new()
    tracked = tracker.adopt(evidence(PARTIAL, 4, (execution(4, 4),)))
    assert (reports, tracked.order_id, tracked.state, tracked.filled_e8) == ([], 1, PARTIAL, 4 * S)
    assert kinds(list(tracker.shown(tracked).reports)) == ["Accepted", "Filled"]
    tracker.fill(tracked, execution(4, 4))
    tracker.fill(tracked, execution(10, 6))
    assert kinds(reports) == ["Filled"]


def test_an_amended_order_is_adopted_with_its_amendment() -> None:
    tracker, reports, _ = new()
    shown = Evidence("wb-7-1", "v2", WORKING, 12 * S, 0, 50, (), original_id="v1", terms=(12 * S, 101 * S, 0))
    tracked = tracker.adopt(shown)
    assert (tracked.venue_id, tracked.qty_e8, reports) == ("v2", 12 * S, [])
    accepted, amended = tracker.shown(tracked).reports
    assert isinstance(accepted, Accepted)
    assert isinstance(amended, Amended)
    assert (accepted.venue_id, amended.venue_id, amended.limit_px_e8) == ("v1", "v2", 101 * S)
    tracker.learn(tracked, shown)
    assert reports == []
    assert tracker.by_venue["v1"] is tracker.by_venue["v2"] is tracked


def test_an_amendment_below_what_has_filled_ends_the_order() -> None:
    tracker, reports, _ = new()
    tracked = opened(tracker)
    tracker.fill(tracked, execution(4, 4))
    tracker.amended(tracked, "v2", 5, 4 * S, 100 * S, 0)
    assert (tracked.state, kinds(reports)) == (FILLED, ["Accepted", "Filled", "Amended"])


def test_what_is_sought_is_unknown_until_it_is_found() -> None:
    tracker, reports, _ = new()
    tracked = tracker.seek("wb-7-1", TEN)
    assert (tracked.state, tracker.seek("wb-7-1", TEN)) == (UNKNOWN, tracked)
    tracker.learn(tracked, evidence(WORKING, 0))
    assert kinds(reports) == ["Accepted"]
    other = tracker.seek("wb-7-2", TEN)
    tracker.unsent(other, "asked three times")
    assert kinds(reports) == ["Accepted", "Unsent"]


def test_who_waits_for_an_answer_or_an_end_is_called() -> None:
    tracker, _, _ = new()
    tracked, called = opened(tracker), list[str]()
    tracker.when_answered(tracked, lambda: called.append("answered"))
    tracker.when_ended(tracked, lambda: called.append("ended"))
    assert called == []
    tracker.accept(tracked, "v1", 1)
    assert called == ["answered"]
    tracker.fill(tracked, execution(10, 10))
    assert called == ["answered", "ended"]
    tracker.when_answered(tracked, lambda: called.append("at once"))
    tracker.when_ended(tracked, lambda: called.append("at once"))
    assert called[2:] == ["at once", "at once"]


def test_orders_that_close_go_before_those_that_open() -> None:
    tracker, _, _ = new()
    tracker.fill(opened(tracker), execution(10, 10))
    lanes = [
        tracker.lane_of(submit(n, qty, side))
        for n, (qty, side) in enumerate(((TEN, SELL), (11 * S, SELL), (S, BUY)))
    ]
    assert lanes == [1, 2, 2]


def test_memory_is_bounded(monkeypatch: object) -> None:
    import workbench.brokers.pool.tracker as module

    kept = module._KEPT
    try:
        module._KEPT = 10  # type: ignore[misc]
        tracker, _, _ = new()
        for n in range(1, 31):
            tracked = opened(tracker, submit(n))
            tracker.known_also_as(tracked, f"r{n}")  # a replacement that came to nothing
            tracker.known_also_as(tracked, f"r{n}")
            assert len(tracked.other_ids) == 1
            tracker.rejected(tracked, "X", "y")
        assert (len(tracker.by_order), len(tracker.by_client), len(tracker.by_venue)) == (10, 10, 10)
        assert min(tracker.by_order) == 21
    finally:
        module._KEPT = kept  # type: ignore[misc]


def test_our_ids_are_told_from_others() -> None:
    ours = {"wb-7-12": 12, "wb-12-1": 1, "wb-7-12.3": 12}
    others = ["", "wb", "wb-", "wb-7", "wb-7-", "wb-x-1", "wb-7-1-2", "wb-7-²", "xwb-7-1", "WB-7-1"]
    assert {name: order_id_of(name) for name in ours} == ours
    assert [order_id_of(name) for name in others] == [0] * len(others)


def test_an_order_whose_fill_was_faster_than_its_number_is_known_by_that() -> None:
    """Some venues tell executions by the client id alone: without a number it could not be cancelled."""
    tracker, reports, _ = new()
    tracked = opened(tracker)
    tracker.fill(tracked, execution(4, 4))
    assert tracked.venue_id == ""
    tracker.accept(tracked, "v1", 5)
    tracker.accept(tracked, "v2", 6)  # an id that an amendment may have brought is not taken back
    assert (tracked.venue_id, tracker.by_venue) == ("v1", {"v1": tracked})
    assert [type(report) for report in reports] == [Accepted, Filled]
