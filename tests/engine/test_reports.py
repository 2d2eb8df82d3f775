"""Reports late, twice, out of order, contradictory: money is always booked once, states only follow the arrows."""

from itertools import permutations

import pytest

from tests.engine.conftest import Bench
from workbench.model import (
    Accepted,
    Cancel,
    Cancelled,
    CancelOrder,
    CancelRefused,
    Expired,
    Filled,
    Kill,
    OutcomeLost,
    Rejected,
    Report,
    Sent,
    StartSession,
    Unsent,
    to_e8,
)
from workbench.model.orders import (
    CANCELLED,
    CANCELLING,
    FILLED,
    NOT_SENT,
    PARTIAL,
    REJECTED,
    SENT,
    UNKNOWN,
    WORKING,
)

PX = to_e8(100)


def fill(n: int, units: float) -> Filled:
    return Filled(1, 1, f"x{n}", PX, to_e8(units), 0)


@pytest.fixture
def desk(bench: Bench) -> Bench:
    bench.bar(100.0)
    bench.buy(10)
    return bench


CASES: list[tuple[str, list[Report], int, float]] = [
    ("plain", [Sent(1, 1), Accepted(1, 1, "v"), fill(1, 4), fill(2, 6)], FILLED, 10),
    ("fill before acceptance", [fill(1, 10), Accepted(1, 1, "v")], FILLED, 10),
    ("part before acceptance", [fill(1, 4), Accepted(1, 1, "v")], PARTIAL, 4),
    ("sent after acceptance", [Accepted(1, 1, "v"), Sent(1, 1)], WORKING, 0),
    ("fill twice", [fill(1, 4), fill(1, 4)], PARTIAL, 4),
    ("overfill", [fill(1, 4), fill(2, 8)], FILLED, 12),
    ("cancel loses", [Accepted(1, 1, "v"), fill(1, 10), Cancelled(1, 1)], FILLED, 10),
    ("cancel wins, fill late", [Accepted(1, 1, "v"), Cancelled(1, 1), fill(1, 3)], CANCELLED, 3),
    ("rejected", [Sent(1, 1), Rejected(1, 1, "R", "no")], REJECTED, 0),
    ("acceptance after rejection", [Rejected(1, 1, "R", "no"), Accepted(1, 1, "v")], REJECTED, 0),
    ("lost, then accepted", [Sent(1, 1), OutcomeLost(1, 1, "t/o"), Accepted(1, 1, "v")], WORKING, 0),
    ("lost, then filled", [OutcomeLost(1, 1, "t/o"), fill(1, 10)], FILLED, 10),
    ("lost, then part", [OutcomeLost(1, 1, "t/o"), fill(1, 1)], PARTIAL, 1),
    ("lost, then proven unsent", [Sent(1, 1), OutcomeLost(1, 1, "t/o"), Unsent(1, 1, "404 x3")], NOT_SENT, 0),
    ("unsent from new", [Unsent(1, 1, "held back")], NOT_SENT, 0),
    ("unsent from sent", [Sent(1, 1), Unsent(1, 1, "404 x3")], NOT_SENT, 0),
    ("unsent against an acceptance", [Accepted(1, 1, "v"), Unsent(1, 1, "404")], WORKING, 0),
    ("unsent against a fill", [fill(1, 1), Unsent(1, 1, "404")], PARTIAL, 1),
    ("lost after acceptance", [Accepted(1, 1, "v"), OutcomeLost(1, 1, "t/o")], WORKING, 0),
    (
        "lost ends only by the broker",
        [OutcomeLost(1, 1, "a"), Sent(1, 1), OutcomeLost(1, 1, "b")],
        UNKNOWN,
        0,
    ),
    ("cancelled while unknown", [OutcomeLost(1, 1, "t/o"), Cancelled(1, 1)], CANCELLED, 0),
    ("only sent", [Sent(1, 1)], SENT, 0),
]


@pytest.mark.parametrize(("reports", "state", "held"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_histories(desk: Bench, reports: list[Report], state: int, held: float) -> None:
    for report in reports:
        desk.do(report)
    engine, order = desk.engine, desk.last_order
    assert order.state == state
    assert desk.held(0) == held
    assert order.filled_e8 == to_e8(held)
    assert engine.ledger.cash_e8 == to_e8(1_000_000 - 100 * held)
    assert engine.ledger.balanced()
    line, seat = engine.exposure.lines[0], engine.host.seats[0, 0]
    assert line.buys_e8 == seat.working_e8 == order.open_e8
    assert line.held_e8 == seat.held_e8 == to_e8(held)
    assert (order.order_id in engine.orders.active) is (state in (SENT, WORKING, PARTIAL, UNKNOWN))


def test_what_does_not_fit_is_never_silent(desk: Bench) -> None:
    for report in (
        fill(1, 4),
        fill(1, 4),
        fill(2, 8),
        fill(3, 1),
        Cancelled(1, 1),
        Filled(1, 99, "y", PX, 1),
    ):
        desk.do(report)
    desk.do(Accepted(1, 77, "v"))
    desk.do(Filled(1, 1, "z", PX, -5))
    assert [r.code for r in desk.refusals()] == ["OVERFILL", "OVERFILL", "ORPHAN", "ORPHAN", "BAD_FILL"]
    assert desk.engine.orders.oddities == {
        "execution reported again": 1,
        "overfill": 2,
        "cancelled after filled": 1,
    }
    assert desk.held(0) == 13


def test_an_acceptance_of_what_was_proven_unsent_is_said_aloud(desk: Bench) -> None:
    desk.do(Unsent(1, 1, "404 x3"))
    desk.do(Accepted(2, 1, "v"))
    assert "reconcile" in desk.refusals("CONTRADICTION")[0].text
    desk.do(fill(1, 10))
    assert desk.refusals("LATE_FILL")
    assert desk.held(0) == 10


def test_cancel_race(desk: Bench) -> None:
    desk.do(Accepted(1, 1, "v"))
    assert desk.do(CancelOrder(2, 1)) == [Cancel(2, 1)]
    assert desk.last_order.state == CANCELLING
    assert desk.do(CancelOrder(3, 1)) == [Cancel(3, 1)]
    desk.do(fill(1, 4))
    assert desk.last_order.state == CANCELLING
    desk.do(CancelRefused(4, 1, "TOO_LATE", "filled"))
    assert desk.last_order.state == PARTIAL
    desk.do(fill(2, 6))
    assert desk.last_order.state == FILLED
    desk.do(CancelOrder(5, 1))
    assert "filled already" in desk.refusals("CANCEL")[0].text


def test_cancel_refused_without_an_acceptance_is_unknown(desk: Bench) -> None:
    desk.do(CancelOrder(2, 1))
    desk.do(CancelRefused(3, 1, "UNKNOWN_ORDER", "no such order"))
    assert desk.last_order.state == UNKNOWN
    assert desk.do(CancelOrder(4, 1)) == [Cancel(4, 1)]
    assert desk.last_order.state == UNKNOWN
    desk.do(Unsent(5, 1, "404 x3"))
    assert desk.last_order.state == NOT_SENT


def test_held_back_by_the_kill_switch_is_not_sent(desk: Bench) -> None:
    desk.do(Kill(2, "drill", "me"))
    assert desk.last_order.state == CANCELLING
    desk.do(Unsent(3, 1, "held back by the kill switch"))
    assert desk.last_order.state == NOT_SENT
    desk.do(CancelRefused(4, 1, "UNKNOWN_ORDER", "no such order"))
    assert desk.last_order.state == NOT_SENT
    assert desk.engine.exposure.gross_e16 == 0


def test_a_restart_makes_what_was_unanswered_unknown(desk: Bench) -> None:
    desk.buy(1)
    desk.do(Accepted(2, 2, "v"))
    desk.do(StartSession(3, 2, "test", "paper", "0"))
    states = [o.state for o in desk.engine.orders]
    assert states == [UNKNOWN, WORKING]
    desk.buy(2)
    assert desk.last_order.client_id == "wb-2-3"


def test_expiry_releases_the_remainder(desk: Bench) -> None:
    desk.do(fill(1, 4))
    desk.do(Expired(2, 1))
    assert desk.engine.host.seats[0, 0].working_e8 == 0
    assert desk.engine.exposure.gross_e8 == to_e8(400)


def test_fills_in_any_order_give_the_same_books(desk: Bench) -> None:
    fills = [Filled(1, 1, f"x{n}", PX + n * 10**6, to_e8(n), n) for n in (1, 2, 3, 4)]
    seen = set()
    for order in permutations(fills):
        bench = Bench()
        bench.bar(100.0)
        bench.buy(10)
        for report in order:
            bench.do(report)
        ledger = bench.engine.ledger
        seen.add(
            (bench.held(0), ledger.cash_e8, ledger.cost_e8, ledger.fees_e8, bench.last_order.notional_e8)
        )
    assert len(seen) == 1
