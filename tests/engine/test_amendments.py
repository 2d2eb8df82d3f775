"""Amendments: what counts while one is under way, which the rules refuse, and what the venue changes by itself."""

import pytest

from tests.engine.conftest import Bench
from tests.engine.resting import amend, buys, fill, resting
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendOrder,
    AmendRefused,
    Cancelled,
    Kill,
    SetLimits,
    StartSession,
    to_e8,
)
from workbench.model.orders import FILLED, LIMIT, PARTIAL, SELL, STOP, WORKING


def test_until_the_answer_the_larger_quantity_counts(desk: Bench) -> None:
    number = resting(desk)
    assert amend(desk, number, 15, 99.5) == [Amend(desk.ts_ns, number, to_e8(15), to_e8(99.5), 0)]
    order = desk.last_order
    assert order.qty_e8 == to_e8(10)  # the old version, until the venue says otherwise
    assert buys(desk) == 15
    desk.do(Amended(desk.ts_ns, number, to_e8(15), to_e8(99.5), 0, "v9"))
    assert (order.qty_e8, order.limit_px_e8, order.venue_id) == (to_e8(15), to_e8(99.5), "v9")
    assert buys(desk) == 15
    amend(desk, number, 4)
    assert buys(desk) == 15
    desk.do(AmendRefused(desk.ts_ns, number, "TOO_LATE", "it trades"))
    assert buys(desk) == 15
    assert order.reason == "amend refused: TOO_LATE it trades"
    amend(desk, number, 4)
    desk.do(Amended(desk.ts_ns, number, to_e8(4), to_e8(99.5), 0))
    assert buys(desk) == 4
    assert order.state == WORKING
    assert order.venue_id == "v9"
    assert not desk.engine.claims.by_order


def test_only_a_working_order_is_amended_and_one_change_at_a_time(desk: Bench) -> None:
    desk.buy(10, kind=LIMIT, limit_px_e8=to_e8(99))
    number = desk.last_order.order_id

    def no(text: str, *values: float) -> None:
        assert not any(isinstance(e, Amend) for e in amend(desk, number, *values))
        assert text in desk.refusals("AMEND")[-1].text

    no("is new: only a working order", 5)
    desk.do(Accepted(desk.ts_ns, number, "v1"))
    no("has these values already", 10, 99)
    fill(desk, number, 4)
    no("is not above the 4 filled: cancel the rest", 4)
    amend(desk, number, 8)
    no("has an amendment under way", 7)
    desk.do(AmendRefused(desk.ts_ns, number, "NO", "no"))
    desk.do(StartSession(desk.ts_ns, 2, "test", "paper", "0"))
    amend(desk, number, 8)
    desk.do(Cancelled(desk.ts_ns, number))
    no("is cancelled: only a working order", 9)
    desk.do(AmendOrder(desk.ts_ns, 77, to_e8(1)))
    assert "order 77 is unknown: ids so far go from 1 to 1" in desk.refusals("AMEND")[-1].text


def test_an_unknown_order_is_not_amended(desk: Bench) -> None:
    desk.buy(10, kind=LIMIT, limit_px_e8=to_e8(99))
    desk.do(StartSession(desk.ts_ns, 2, "test", "paper", "0"))
    amend(desk, 1, 5)
    assert "order 1 is unknown: only a working order" in desk.refusals("AMEND")[-1].text


@pytest.mark.parametrize(
    ("limits", "values", "code"),
    [
        ((("max_order_qty", 12),), (15, 0, 0), "SIZE"),
        ((("max_order_notional", 1_200),), (15, 0, 0), "NOTIONAL"),
        ((("max_position_qty", 12),), (15, 0, 0), "POSITION"),
        ((("max_gross", 1_200),), (15, 0, 0), "GROSS"),
        ((), (20_000, 0, 0), "SIZE"),
        ((), (0, 50, 0), "COLLAR"),
        ((), (0, 99.001, 0), "GRID"),
        ((), (0.5, 0, 0), "GRID"),
        ((), (0, 0, 99), "GRID"),
        ((("orders_per_s_account", 1),), (15, 0, 0), "RATE"),
    ],
)
def test_the_rules_judge_what_it_would_become(
    desk: Bench, limits: tuple[tuple[str, float], ...], values: tuple[float, float, float], code: str
) -> None:
    number = resting(desk)
    desk.do(SetLimits(desk.ts_ns, limits, "test"))
    assert [e.code for e in amend(desk, number, *values)] == [code]  # type: ignore[attr-defined]
    assert desk.last_order.qty_e8 == to_e8(10)
    assert buys(desk) == 10


def test_a_persons_amendments_are_no_breach_of_the_strategys(desk: Bench) -> None:
    desk.place(1, mode="flip", quantity=10)
    desk.do(SetLimits(desk.ts_ns, (("breaches_to_halt", 1), ("orders_per_s_account", 1)), "test"))
    desk.bar(100.0)
    desk.bar(100.0)
    number = desk.last_order.order_id
    desk.do(Accepted(desk.ts_ns, number, "v"))
    assert [e.code for e in amend(desk, number, 12)] == ["RATE"]  # type: ignore[attr-defined]
    assert desk.engine.host.strategies[1].running
    assert desk.engine.host.strategies[1].refusals == 0


def test_less_passes_where_more_would_not(desk: Bench) -> None:
    number = resting(desk)
    desk.do(SetLimits(desk.ts_ns, (("max_position_qty", 5), ("max_gross", 100)), "test"))
    assert isinstance(amend(desk, number, 8, 98)[0], Amend)


def test_credit_is_asked_for_the_growth_alone(bench: Bench) -> None:
    desk = Bench(cash=1_500)
    desk.bar(100.0)
    number = resting(desk, 10)
    assert [e.code for e in amend(desk, number, 16)] == ["CREDIT"]  # type: ignore[attr-defined]
    assert isinstance(amend(desk, number, 14)[0], Amend)


def test_it_does_not_move_into_our_own_order(desk: Bench) -> None:
    number = resting(desk)
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(101))
    assert [e.code for e in amend(desk, number, 0, 102)] == ["SELF_CROSS"]  # type: ignore[attr-defined]
    assert isinstance(amend(desk, number, 0, 100.5)[0], Amend)
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(100.2))  # either price may be in force
    assert desk.refusals()[-1].code == "SELF_CROSS"
    desk.do(AmendRefused(desk.ts_ns, number, "NO", "no"))
    desk.sell(1, kind=LIMIT, limit_px_e8=to_e8(100.2))
    assert desk.last_order.side == SELL


def test_a_killed_desk_amends_nothing(desk: Bench) -> None:
    number = resting(desk)
    desk.do(Kill(desk.ts_ns, "enough", "test"))
    amend(desk, number, 5)
    assert desk.refusals("AMEND")  # being cancelled
    desk = Bench()
    desk.bar(100.0)
    number = resting(desk)
    desk.engine.risk.kill("enough", "test")
    assert [e.code for e in amend(desk, number, 5)] == ["KILLED"]  # type: ignore[attr-defined]


def test_fills_while_it_is_under_way(desk: Bench) -> None:
    """The old quantity filled does not end it while more may come; the answer decides."""
    number = resting(desk)
    amend(desk, number, 15)
    fill(desk, number, 10)
    order = desk.last_order
    assert order.state == PARTIAL
    assert buys(desk) == 5
    desk.do(AmendRefused(desk.ts_ns, number, "TOO_LATE", "filled"))
    assert order.state == FILLED
    assert buys(desk) == 0
    number = resting(desk, px=98)
    amend(desk, number, 15)
    fill(desk, number, 12)  # more than the old version had
    assert desk.last_order.qty_e8 == to_e8(15)
    fill(desk, number, 3)
    assert desk.last_order.state == FILLED
    assert not desk.engine.orders.amending
    assert not desk.refusals("OVERFILL")


def test_the_venue_may_change_an_order_by_itself(desk: Bench) -> None:
    number = resting(desk)
    desk.do(Amended(desk.ts_ns, number, to_e8(6), to_e8(99), 0))
    assert (desk.last_order.open_e8, buys(desk)) == (to_e8(6), 6)
    desk.do(Amended(desk.ts_ns, number, 0, to_e8(99), 0))
    assert "which was not taken over" in desk.refusals("CONTRADICTION")[-1].text
    desk.do(Cancelled(desk.ts_ns, number))
    desk.do(Amended(desk.ts_ns, number, to_e8(8), to_e8(99), 0))
    assert "but was cancelled" in desk.refusals("CONTRADICTION")[-1].text
    assert buys(desk) == 0


def test_a_stop_is_moved(desk: Bench) -> None:
    desk.sell(10, kind=STOP, stop_px_e8=to_e8(98))
    desk.do(Accepted(desk.ts_ns, 1, "v1"))
    assert amend(desk, 1, 0, 0, 99) == [Amend(desk.ts_ns, 1, to_e8(10), 0, to_e8(99))]
