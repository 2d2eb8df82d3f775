"""After a restart the exchange is the same again, whatever words its life had, and lives on the same."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.engine.random_venue import Step, hows, scripts, steps_of, venue_of
from workbench.brokers.sim.rebuild import rebuilt
from workbench.engine.match import Match
from workbench.model import (
    Amend,
    Bar,
    Cancel,
    CashMoved,
    Filled,
    Quote,
    Record,
    Report,
    Submit,
    Trade,
    notional_e8,
)


def handed(venue: Match, step: Step) -> list[Report]:
    if isinstance(step, Submit):
        return venue.submit(step)
    if isinstance(step, Amend):
        return venue.amend(step)
    return venue.cancel(step) if isinstance(step, Cancel) else venue.on_market(step)


def journal_of(step: Step, reports: list[Report]) -> list[Record]:
    """As a desk writes it: an order before its reports, the reports of an event of the market before it."""
    asked = isinstance(step, Submit | Amend | Cancel)
    return [step, *reports] if asked else [*reports, step]


def books(venue: Match) -> object:
    return (
        venue.cash_e8,
        venue.fees_e8,
        {iid: qty for iid, qty in venue.positions.items() if qty},
        {n: (r.state, r.order, r.filled_e8, r.fills, r.value_e8, r.fee_e8) for n, r in venue.orders.items()},
        {
            n: (r.woken, r.covered_e8, r.triggered, r.best, r.stop, r.rested, r.ahead_e8)
            for n, r in venue.orders.items()
            if r.state == "open"
        },
        [[r.order.order_id for r in venue.resting(iid)] for iid in (0, 1)],
    )


@settings(max_examples=150, deadline=None)
@given(hows, scripts, st.integers(0, 90))
def test_law_rebuilt_it_is_the_same_and_lives_on_the_same(
    how: dict[str, Any], script: list[Any], cut: int
) -> None:
    lived, again, records = venue_of(how), venue_of(how), list[Record]()
    steps = steps_of(script)
    for step in steps[:cut]:
        records += journal_of(step, handed(lived, step))
    known = rebuilt(again, records)
    assert books(again) == books(lived)
    assert {n for n, (_, reports) in known.items() if reports} >= set(lived.orders)
    for step in steps[cut:]:
        assert handed(again, step) == handed(lived, step)
    assert books(again) == books(lived)


@settings(max_examples=100, deadline=None)
@given(hows, scripts)
def test_law_what_was_done_about_an_event_before_it_was_written_down_is_kept(
    how: dict[str, Any], script: list[Any]
) -> None:
    """An engine answers an execution with orders before the event that brought it is in the journal."""
    lived, again, records = venue_of(how), venue_of(how), list[Record]()
    steps = iter(steps_of([step for step in script if step[0] != "split"]))
    for step in steps:
        reports = handed(lived, step)
        answer = next(steps, None) if reports and isinstance(step, Bar | Trade | Quote) else None
        if isinstance(answer, Submit | Amend | Cancel):
            answer = structs.replace(answer, ts_ns=step.ts_ns)
            records += [*reports, *journal_of(answer, handed(lived, answer)), step]
        else:
            records += journal_of(step, reports)
            if answer is not None:
                records += journal_of(answer, handed(lived, answer))
    rebuilt(again, records)
    assert books(again) == books(lived)


@settings(max_examples=60, deadline=None)
@given(hows, scripts, st.integers(0, 400))
def test_law_after_a_crash_in_the_midst_of_an_events_reports_nothing_counts_twice(
    how: dict[str, Any], script: list[Any], cut: int
) -> None:
    """The journal ends between two records. Whatever is played again, cash and positions are those of the executions
    and moves reported, each counted once."""
    lived, again = venue_of(how), venue_of(how)
    records: list[Record] = []
    for step in steps_of([step for step in script if step[0] != "split"]):
        records += journal_of(step, handed(lived, step))
    told = records[:cut]
    rebuilt(again, told)
    cash_e8 = venue_of(how).cash_e8
    orders = {record.order_id: record for record in told if isinstance(record, Submit)}
    held = {0: 0, 1: 0}
    for record in told:
        if isinstance(record, Filled):
            order = orders[record.order_id]
            cash_e8 -= order.side * notional_e8(record.px_e8, record.qty_e8) + record.fee_e8
            held[order.iid] += order.side * record.qty_e8
        elif isinstance(record, CashMoved):
            cash_e8 += record.amount_e8
    assert again.cash_e8 == cash_e8
    assert {iid: again.positions.get(iid, 0) for iid in (0, 1)} == held
