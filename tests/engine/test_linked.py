"""Trailing orders, brackets, orders that cancel one another: what opens, what it claims, how it ends."""

import pytest

from tests.engine.conftest import Bench
from workbench.model import Accepted, Cancelled, Filled, Rejected, Submit, Unsent, to_e8
from workbench.model.orders import LIMIT, MARKET, STATE_NAMES, STOP, STOP_LIMIT, TRAILING


@pytest.fixture
def desk(bench: Bench) -> Bench:
    bench.bar(100.0)
    return bench


def submits(bench: Bench) -> list[Submit]:
    return [e for e in bench.effects if isinstance(e, Submit)]


def fill(bench: Bench, order_id: int, quantity: float, px: float = 100.0) -> None:
    count = len(bench.engine.orders.executions)
    bench.do(Filled(bench.ts_ns, order_id, f"x{count}", to_e8(px), to_e8(quantity)))


def open_e8(bench: Bench) -> tuple[float, float]:
    line = bench.engine.exposure.lines[0]
    return line.buys_e8 / 1e8, line.sells_e8 / 1e8


def working(bench: Bench, strategy_id: int = 0) -> float:
    return bench.engine.host.seats[strategy_id, 0].working_e8 / 1e8


def test_a_bracket_is_three_orders_in_a_row_and_counts_its_entry_alone(desk: Bench) -> None:
    desk.buy(10, take_profit_px_e8=to_e8(105), stop_loss_px_e8=to_e8(98))
    entry, profit, stop = submits(desk)
    assert (entry.kind, profit.kind, stop.kind) == (MARKET, LIMIT, STOP)
    assert (profit.side, stop.side) == (-1, -1)
    assert profit.limit_px_e8 == to_e8(105)
    assert stop.stop_px_e8 == to_e8(98)
    assert entry.parent_id == 0
    assert profit.parent_id == stop.parent_id == entry.order_id
    assert profit.group == stop.group != 0
    assert entry.group == 0
    assert open_e8(desk) == (10, 0)
    assert working(desk) == 10


def test_exits_claim_what_the_entry_has_filled_and_one_of_them_only(desk: Bench) -> None:
    desk.buy(10, take_profit_px_e8=to_e8(105), stop_loss_px_e8=to_e8(98))
    fill(desk, 1, 4)
    assert open_e8(desk) == (6, 4)
    fill(desk, 1, 6)
    assert open_e8(desk) == (0, 10)
    assert working(desk) == 0  # a target is about what is held: exits wait for their prices
    fill(desk, 2, 3, 105.0)
    assert open_e8(desk) == (0, 7)
    fill(desk, 2, 7, 105.0)
    desk.do(Cancelled(desk.ts_ns, 3))
    assert open_e8(desk) == (0, 0)
    assert desk.held(0) == 0
    assert not desk.engine.claims.by_order
    assert not desk.engine.claims.behind


def test_what_a_bracket_may_sell_is_seen_by_the_rules(desk: Bench) -> None:
    """With no short positions allowed, the ten that the exits may sell cannot be sold by somebody else as well."""
    from workbench.model import SetLimits

    desk.do(SetLimits(desk.ts_ns, (("allow_short", 0),), "test"))
    desk.buy(10, take_profit_px_e8=to_e8(105), stop_loss_px_e8=to_e8(98))
    fill(desk, 1, 10)
    desk.sell(10)
    assert desk.refusals()[-1].code == "POSITION"


def test_of_a_bracket_either_all_orders_are_sent_or_none(desk: Bench) -> None:
    for exits in (
        {"take_profit_px_e8": to_e8(99)},  # behind the entry's price
        {"stop_loss_px_e8": to_e8(101)},  # ahead of it
        {"take_profit_px_e8": to_e8("105.001")},  # off the tick
        {"stop_loss_px_e8": to_e8(50)},  # outside the collar
        {"stop_loss_limit_px_e8": to_e8(98)},  # no stop price
    ):
        before = len(desk.refusals())
        desk.buy(10, **exits)
        assert len(desk.refusals()) == before + 1, exits
    assert not submits(desk)
    assert open_e8(desk) == (0, 0)


def test_a_stop_limit_exit_does_not_meet_its_own_entry(desk: Bench) -> None:
    exits = {"stop_loss_px_e8": to_e8(98), "stop_loss_limit_px_e8": to_e8("97.5")}
    desk.buy(10, kind=LIMIT, limit_px_e8=to_e8(99), take_profit_px_e8=to_e8(105), **exits)
    assert [s.kind for s in submits(desk)] == [LIMIT, LIMIT, STOP_LIMIT]


@pytest.mark.parametrize(
    "end", [Rejected(0, 1, "NO_FUNDS", "too dear"), Unsent(0, 1, "the connection was refused")]
)
def test_exits_end_with_an_entry_that_never_lived(desk: Bench, end: Rejected | Unsent) -> None:
    desk.buy(10, take_profit_px_e8=to_e8(105), stop_loss_px_e8=to_e8(98))
    desk.do(end)
    assert not desk.engine.orders.active
    assert {STATE_NAMES[o.state] for o in desk.engine.orders} <= {"rejected", "not_sent"}
    assert open_e8(desk) == (0, 0)
    desk.do(Cancelled(desk.ts_ns, 2, "its entry was rejected"))  # the venue's own word may follow
    desk.do(Unsent(desk.ts_ns, 3, "never sent"))
    assert not desk.engine.orders.oddities


def test_an_exit_the_venue_has_answered_for_waits_for_its_word(desk: Bench) -> None:
    desk.buy(10, take_profit_px_e8=to_e8(105))
    desk.do(Accepted(desk.ts_ns, 2, "v2"))
    desk.do(Rejected(desk.ts_ns, 1, "NO_FUNDS", "too dear"))
    assert list(desk.engine.orders.active) == [2]


def test_trailing_orders_take_one_distance(desk: Bench) -> None:
    desk.sell(10, kind=TRAILING, trail_e8=to_e8("1.5"))
    desk.sell(10, kind=TRAILING, trail_rate_e8=to_e8("0.02"))
    first, second = submits(desk)
    assert (first.trail_e8, first.trail_rate_e8) == (to_e8("1.5"), 0)
    assert (second.trail_e8, second.trail_rate_e8) == (0, to_e8("0.02"))
    assert open_e8(desk) == (0, 20)
    for wrong in (
        {},
        {"trail_e8": to_e8(1), "trail_rate_e8": to_e8("0.01")},
        {"trail_e8": to_e8("1.005")},
        {"trail_e8": -to_e8(1)},
        {"trail_rate_e8": to_e8(1)},
        {"trail_e8": to_e8(1), "stop_px_e8": to_e8(99)},
    ):
        desk.sell(10, kind=TRAILING, **wrong)
        assert desk.refusals()[-1].code == "GRID", wrong
    desk.sell(10, kind=TRAILING, trail_e8=to_e8(11))
    assert desk.refusals()[-1].code == "COLLAR"
    desk.sell(10, trail_e8=to_e8(1))
    assert desk.refusals()[-1].code == "GRID"
    assert len(submits(desk)) == 2


def test_auction_orders_are_market_or_limit(desk: Bench) -> None:
    from workbench.model import PlaceOrder
    from workbench.model.orders import CLS, OPG

    for tif in (OPG, CLS):
        desk.do(PlaceOrder(desk.ts_ns, 0, 1, MARKET, tif, to_e8(1)))
        desk.do(PlaceOrder(desk.ts_ns, 0, 1, LIMIT, tif, to_e8(1), to_e8(99)))
        desk.do(PlaceOrder(desk.ts_ns, 0, 1, STOP, tif, to_e8(1), 0, to_e8(101)))
        assert desk.refusals()[-1].code == "GRID"
    assert len(submits(desk)) == 4
