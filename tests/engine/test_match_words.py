"""The venue's further words, by hand: trailing stops, brackets, groups, amendments, openings and closes."""

from typing import Any

import pytest

from tests.engine.venues import DAY_NS, LEVEL, MINUTE, T, bar, opened, order, told
from workbench.engine.match import Match, TradingSessions
from workbench.errors import UnknownName
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendRefused,
    Bar,
    Cancel,
    Cancelled,
    Filled,
    Instrument,
    Quote,
    Rejected,
    Submit,
    Trade,
    to_e8,
)
from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING,
)

RISE = bar(1, 100, 105, 99, 105)


# -- trailing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("submit", "bars", "expected"),
    [
        # sell, 3 behind: the open is the first reference; up to 106 it follows to 103, and is met on the way down
        (order(side=SELL, kind=TRAILING, trail=3), [bar(1, 100, 106, 99, 104)], []),  # up bar: 99 came first
        (order(side=SELL, kind=TRAILING, trail=3), [bar(1, 102, 106, 99, 100)], ["1 10 at 103"]),
        (order(side=SELL, kind=TRAILING, trail=1), [bar(1, 100, 106, 98, 102)], ["1 10 at 99"]),
        # the best of an earlier bar counts; a gap below the stop fills at the open
        (order(side=SELL, kind=TRAILING, trail=3), [RISE, bar(2, 101, 101, 99, 100)], ["1 10 at 101"]),
        (order(side=SELL, kind=TRAILING, trail=3), [RISE, bar(2, 104, 104, 101, 102)], ["1 10 at 102"]),
        # a fraction of the best: 5 % behind 104 is 98.8
        (order(side=SELL, kind=TRAILING, rate=0.05), [bar(1, 100, 104, 97, 98)], ["1 10 at 98.8"]),
        # buys mirror it
        (order(kind=TRAILING, trail=3), [bar(1, 100, 101, 96, 100)], ["1 10 at 99"]),
        (order(kind=TRAILING, trail=3), [bar(1, 100, 101, 96, 98)], []),
        (order(kind=TRAILING, rate=0.02), [bar(1, 100, 101, 96, 98.5)], ["1 10 at 97.92"]),
    ],
)  # fmt: skip
def test_a_trailing_stop_follows_the_path(submit: Submit, bars: list[Bar], expected: list[str]) -> None:
    venue = opened(submit)
    assert [word for each in bars for word in told(venue.on_market(each))] == expected


def test_a_trailing_stop_keeps_to_the_grid_away_from_the_market() -> None:
    grid = [Instrument(0, "SPY", tick_e8=to_e8("0.05"))]
    for side, stop in ((SELL, 98.0), (BUY, 102.1)):
        venue = opened(order(side=side, kind=TRAILING, rate=0.0203), instruments=grid)
        venue.on_market(Trade(T + 1, 0, 100.05))
        assert venue.orders[1].stop == stop  # 98.019 and 102.081 before rounding


def test_a_trailing_stop_follows_prints_and_its_own_side_of_quotes() -> None:
    venue = opened(order(side=SELL, kind=TRAILING, trail=1))
    assert told(venue.on_market(Trade(T + 1, 0, 100))) == []
    assert told(venue.on_market(Trade(T + 2, 0, 104))) == []
    assert told(venue.on_market(Quote(T + 3, 0, 103.01, 1, 110, 1))) == []
    assert told(venue.on_market(Quote(T + 4, 0, 102.99, 0, 104, 1))) == ["1 10 at 102.99"]


# -- brackets and groups -------------------------------------------------------------------------------------------


def bracket(kind: int = MARKET, **more: Any) -> list[Submit]:
    """Buy 10; take profit at 104, stop loss at 98."""
    return [
        order(1, BUY, kind, **more),
        order(2, SELL, LIMIT, limit=104, parent=1, group=7),
        order(3, SELL, STOP, stop=98, parent=1, group=7),
    ]


def test_exits_work_from_the_entrys_fill_on_along_the_same_bar() -> None:
    # open 100 fills the entry, then 97 is met before 105: the loss is taken, the profit's order ends
    venue = opened(*bracket())
    assert told(venue.on_market(bar(1, 100, 105, 97, 103))) == ["1 10 at 100", "3 10 at 98", "2 cancelled"]
    # the other way round
    venue = opened(*bracket())
    assert told(venue.on_market(bar(1, 100, 105, 97, 99))) == ["1 10 at 100", "2 10 at 104", "3 cancelled"]
    assert venue.positions == {0: 0}


def test_exits_see_only_the_path_after_the_entry() -> None:
    # up bar 100 -> 96 -> 105 -> 101: the entry at 97 comes on the way down, 96 is no stop, 104 is met going up
    venue = opened(
        order(1, BUY, LIMIT, limit=97),
        order(2, SELL, LIMIT, limit=104, parent=1, group=7),
        order(3, SELL, STOP, stop=95, parent=1, group=7),
    )
    assert told(venue.on_market(bar(1, 100, 105, 96, 101))) == ["1 10 at 97", "2 10 at 104", "3 cancelled"]
    # down bar 100 -> 105 -> 96 -> 99: 105 was before the entry
    venue = opened(order(1, BUY, LIMIT, limit=97), order(2, SELL, LIMIT, limit=104, parent=1, group=7))
    assert told(venue.on_market(bar(1, 100, 105, 96, 99))) == ["1 10 at 97"]
    assert venue.open_orders == [2]


def test_an_opening_print_changes_nothing_of_that() -> None:
    for closes, expected in ((103, ["3 10 at 98", "2 cancelled"]), (99, ["2 10 at 104", "3 cancelled"])):
        venue = opened(*bracket())
        assert told(venue.on_market(Trade(T + 1, 0, 100))) == ["1 10 at 100"]
        assert told(venue.on_market(bar(1, 100, 105, 97, closes))) == expected


def test_exits_do_not_trade_at_the_print_that_filled_the_entry() -> None:
    venue = opened(order(1), order(2, SELL, MARKET, parent=1))
    assert told(venue.on_market(Trade(T + 1, 0, 100))) == ["1 10 at 100"]
    assert told(venue.on_market(Trade(T + 2, 0, 101))) == ["2 10 at 101"]


def test_exits_cover_no_more_than_has_filled() -> None:
    venue = opened(*bracket())
    assert told(venue.on_market(Trade(T + 1, 0, 100, 4))) == ["1 4 at 100"]
    # the loss is stopped for the 4 that are held (the profit's order gives way by as much); more of the entry follows
    assert told(venue.on_market(Trade(T + 2, 0, 97))) == ["1 6 at 97", "3 10 at 97", "2 cancelled"]
    venue = opened(*bracket(kind=LIMIT, limit=100))
    assert told(venue.on_market(Trade(T + 1, 0, 100, 4))) == ["1 4 at 100"]
    assert told(venue.on_market(Trade(T + 2, 0, 104))) == ["2 4 at 104", "3 amended 6"]
    assert venue.positions == {0: 0}
    assert told(venue.on_market(Trade(T + 3, 0, 105))) == []  # nothing is held
    assert told(venue.on_market(Trade(T + 4, 0, 100))) == ["1 6 at 100"]
    assert told(venue.on_market(Trade(T + 5, 0, 97, 5))) == ["3 5 at 97", "2 amended 5"]
    assert told(venue.on_market(Trade(T + 6, 0, 104))) == ["2 1 at 104", "3 cancelled"]
    assert venue.positions == {0: 0}


def test_exits_go_with_an_entry_that_never_filled() -> None:
    venue = opened(*bracket(kind=LIMIT, limit=90))
    assert told(venue.cancel(Cancel(T + 1, 1))) == ["1 cancelled", "2 cancelled", "3 cancelled"]
    assert venue.open_orders == []
    assert told(venue.submit(order(4, SELL, STOP, stop=80, parent=1))) == ["4 rejected"]
    assert told(venue.submit(order(5, SELL, STOP, stop=80, parent=99))) == ["5 rejected"]


def test_exits_are_cut_to_what_a_cancelled_entry_had_filled() -> None:
    venue = opened(*bracket(kind=LIMIT, limit=100))
    venue.on_market(Trade(T + 1, 0, 100, 4))
    assert told(venue.cancel(Cancel(T + 2, 1))) == ["1 cancelled", "2 amended 4", "3 amended 4"]
    assert told(venue.on_market(Trade(T + 3, 0, 98))) == ["3 4 at 98", "2 cancelled"]
    assert venue.positions == {0: 0}


def test_day_exits_are_good_for_the_day_they_begin_to_work() -> None:
    exits = [order(2, SELL, LIMIT, DAY, limit=104, parent=1), order(3, SELL, STOP, GTC, stop=90, parent=1)]
    venue = opened(order(1, BUY, LIMIT, limit=97), *exits)
    assert told(venue.on_market(Trade(T + DAY_NS, 0, 99))) == []
    assert told(venue.on_market(Trade(T + 2 * DAY_NS, 0, 97))) == ["1 10 at 97"]
    assert told(venue.on_market(Trade(T + 2 * DAY_NS + 1, 0, 98))) == []
    assert told(venue.on_market(Trade(T + 3 * DAY_NS, 0, 98))) == ["2 expired"]
    assert venue.open_orders == [3]


def test_a_group_shares_one_quantity() -> None:
    pair = [order(1, BUY, LIMIT, limit=95, group=3), order(2, SELL, LIMIT, limit=105, group=3)]
    venue = opened(*pair)
    assert told(venue.on_market(Trade(T + 1, 0, 95, 4))) == ["1 4 at 95", "2 amended 6"]
    assert told(venue.on_market(Trade(T + 2, 0, 105, 5))) == ["2 5 at 105", "1 amended 5"]
    assert told(venue.on_market(Trade(T + 3, 0, 95))) == ["1 1 at 95", "2 cancelled"]
    assert venue.open_orders == []
    venue = opened(*pair, group="cancel")
    assert told(venue.on_market(Trade(T + 1, 0, 95, 4))) == ["1 4 at 95", "2 cancelled"]
    assert venue.open_orders == [1]


def test_of_a_group_the_path_decides_inside_a_bar() -> None:
    pair = [order(1, SELL, LIMIT, limit=105, group=3), order(2, SELL, STOP, stop=95, group=3)]
    venue = opened(*pair)
    assert told(venue.on_market(bar(1, 100, 106, 94, 101))) == ["2 10 at 95", "1 cancelled"]
    venue = opened(*pair)
    assert told(venue.on_market(bar(1, 100, 106, 94, 99))) == ["1 10 at 105", "2 cancelled"]


def test_on_one_leg_the_nearest_order_trades_first() -> None:
    venue = opened(
        order(1, BUY, LIMIT, limit=97), order(2, BUY, LIMIT, limit=99), order(3, BUY, LIMIT, limit=98)
    )
    assert told(venue.on_market(bar(1, 100, 103, 96, 102))) == ["2 10 at 99", "3 10 at 98", "1 10 at 97"]


# -- amendments ----------------------------------------------------------------------------------------------------


def test_an_amended_order_is_another_from_then_on() -> None:
    venue = opened(order(1, BUY, LIMIT, limit=95))
    assert venue.amend(Amend(T + 1, 1, to_e8(12), to_e8(97), 0)) == [
        Amended(T + 1, 1, to_e8(12), to_e8(97), 0, "v-1")
    ]
    assert told(venue.on_market(Trade(T + 1, 0, 96))) == []  # nothing of its own instant
    assert told(venue.on_market(Trade(T + 2, 0, 96))) == ["1 12 at 96"]


def test_an_amended_price_sees_nothing_of_the_bar_before_it() -> None:
    venue = opened(order(1, BUY, LIMIT, limit=90))
    venue.on_market(Trade(T + 1, 0, 100))
    venue.amend(Amend(T + 2, 1, to_e8(10), to_e8(98), 0))
    assert told(venue.on_market(bar(1, 100, 103, 95, 101))) == []  # 95 may have been before the amendment
    assert told(venue.on_market(bar(2, 101, 103, 97, 101))) == ["1 10 at 98"]


def test_only_less_at_the_same_price_keeps_the_place() -> None:
    for amend, first in (
        (Amend(T + 1, 1, to_e8(8), to_e8(95), 0), "1 8 at 95"),
        (Amend(T + 1, 1, to_e8(12), to_e8(95), 0), "2 10 at 95"),
        (Amend(T + 1, 1, to_e8(10), to_e8(96), 0), "2 10 at 95"),
    ):
        venue = opened(order(1, BUY, LIMIT, limit=95), order(2, BUY, LIMIT, limit=95))
        venue.amend(amend)
        assert told(venue.on_market(Trade(T + 2, 0, 95, 10)))[0] == first


@pytest.mark.parametrize(
    ("submit", "amend", "code"),
    [
        (order(), Amend(T, 9, to_e8(1), 0, 0), "UNKNOWN_ORDER"),
        (order(), Amend(T, 1, 0, 0, 0), "BAD_AMEND"),
        (order(), Amend(T, 1, to_e8(10), to_e8(5), 0), "BAD_AMEND"),
        (order(kind=LIMIT, limit=90), Amend(T, 1, to_e8(10), 0, 0), "BAD_AMEND"),
        (order(kind=LIMIT, limit=90), Amend(T, 1, to_e8(10), to_e8(90), to_e8(80)), "BAD_AMEND"),
        (order(kind=STOP, stop=110), Amend(T, 1, to_e8(10), 0, -1), "BAD_AMEND"),
        (order(kind=TRAILING, trail=3), Amend(T, 1, to_e8(10), 0, to_e8(80)), "BAD_AMEND"),
    ],
)
def test_amendments_that_are_refused_change_nothing(submit: Submit, amend: Amend, code: str) -> None:
    venue = opened(submit)
    (report,) = venue.amend(amend)
    assert isinstance(report, AmendRefused)
    assert (report.code, bool(report.text)) == (code, True)
    assert venue.orders[1].order == submit


def test_an_amendment_races_the_fill() -> None:
    venue = opened(order(1, BUY, LIMIT, limit=95))
    assert told(venue.on_market(Trade(T + 1, 0, 95, 4))) == ["1 4 at 95"]
    refused = venue.amend(Amend(T + 2, 1, to_e8(4), to_e8(95), 0))  # 4 are filled: less cannot be asked for
    assert told(refused) == ["1 amendrefused"]
    assert told(venue.amend(Amend(T + 3, 1, to_e8(5), to_e8(95), 0))) == ["1 amended 5"]
    assert told(venue.on_market(Trade(T + 4, 0, 95))) == ["1 1 at 95"]
    (late,) = venue.amend(Amend(T + 5, 1, to_e8(20), to_e8(95), 0))
    assert isinstance(late, AmendRefused)
    assert late.code == "TOO_LATE"


def test_a_triggered_stop_keeps_its_stop_price() -> None:
    venue = opened(order(kind=STOP_LIMIT, stop=102, limit=101))
    assert told(venue.on_market(Trade(T + 1, 0, 102))) == []
    (report,) = venue.amend(Amend(T + 2, 1, to_e8(10), to_e8(101), to_e8(103)))
    assert isinstance(report, AmendRefused)
    assert told(venue.amend(Amend(T + 2, 1, to_e8(10), to_e8(101.5), to_e8(102)))) == ["1 amended 10"]
    assert told(venue.on_market(Trade(T + 3, 0, 101.5))) == ["1 10 at 101.5"]


def test_an_amended_entry_and_amended_exits_keep_to_what_has_filled() -> None:
    venue = opened(*bracket(kind=LIMIT, limit=100))
    venue.on_market(Trade(T + 1, 0, 100, 4))
    assert told(venue.amend(Amend(T + 2, 2, to_e8(20), to_e8(104), 0))) == ["2 amended 20"]
    assert told(venue.on_market(Trade(T + 3, 0, 104))) == ["2 4 at 104", "3 amended 6"]
    assert told(venue.amend(Amend(T + 4, 1, to_e8(6), to_e8(100), 0))) == ["1 amended 6"]
    assert told(venue.on_market(Trade(T + 5, 0, 100))) == ["1 2 at 100", "2 amended 6", "3 amended 2"]
    assert told(venue.on_market(Trade(T + 6, 0, 104))) == ["2 2 at 104", "3 cancelled"]
    assert venue.positions == {0: 0}


# -- the close, and what is refused ----------------------------------------------------------------------------------


def test_where_the_venue_fills_at_the_close_a_market_order_does_at_once() -> None:
    venue = Match(fill_at="close")
    venue.on_market(bar(0, 99, 102, 98, 101))
    reports = venue.submit(order(1, ts=T))
    assert told(reports) == ["1 accepted", "1 10 at 101"]
    assert told(venue.submit(order(2, BUY, LIMIT, limit=101, ts=T))) == ["2 accepted"]  # limits wait
    assert told(venue.submit(order(3, ts=T + 1))) == ["3 accepted"]  # not decided on the close
    venue.on_market(Trade(T + 2, 0, 103))
    assert told(venue.submit(order(4, ts=T))) == ["4 accepted"]  # the close is past
    with pytest.raises(UnknownName, match="did you mean 'close'"):
        Match(fill_at="closes")


def test_five_closes_bought_and_sold_at_once() -> None:
    """Closes 1 to 5, fee a tenth of the value: buy one at the first, sell (or reverse) at the fourth."""
    for units, fee in ((1, 0.4), (2, 0.8)):
        venue = Match(cash_e8=to_e8(100), fill_at="close", fee_rate=0.1)
        fees = []
        for n, px in enumerate((1.0, 2.0, 3.0, 4.0, 5.0)):
            venue.on_market(bar(n, px, px, px, px))
            if n in (0, 3):
                side, size = (BUY, 1) if n == 0 else (SELL, units)
                _, fill = venue.submit(order(n + 1, side, units=size, ts=T + n * MINUTE))
                assert isinstance(fill, Filled)
                fees.append(fill.fee_e8)
        assert fees == [to_e8(0.1), to_e8(fee)]
        assert venue.cash_e8 == to_e8(100 - 1 - 0.1 + 4 * units - fee)


def test_exits_of_an_entry_filled_at_the_close_work_from_the_next_bar_on() -> None:
    venue = Match(fill_at="close")
    venue.on_market(LEVEL)
    for submit in bracket():
        venue.submit(submit)
    assert venue.positions == {0: to_e8(10)}
    assert told(venue.on_market(bar(1, 100, 105, 97, 99))) == ["2 10 at 104", "3 cancelled"]


@pytest.mark.parametrize(
    "bad",
    [
        order(kind=TRAILING),
        order(kind=TRAILING, trail=1, rate=0.1),
        order(kind=TRAILING, rate=1.0),
        order(kind=TRAILING, trail=-1),
        order(kind=TRAILING, tif=FOK, trail=1),
        order(kind=STOP, tif=OPG, stop=1),
        order(kind=STOP_LIMIT, tif=CLS, stop=1, limit=1),
        order(kind=5),
        order(tif=6),
        order(tif=IOC, units=-1),
    ],
)
def test_impossible_orders_are_rejected(bad: Submit) -> None:
    venue = Match(sessions=TradingSessions([T], [T + MINUTE]))
    (report,) = venue.submit(bad)
    assert isinstance(report, Rejected)
    assert report.code == "BAD_ORDER"
    assert isinstance(venue.submit(order())[0], Accepted)


def test_cancelled_parents_of_cancelled_parents_take_all_along() -> None:
    venue = opened(
        order(1, BUY, LIMIT, limit=90), order(2, SELL, LIMIT, limit=99, parent=1), order(3, BUY, parent=2)
    )
    reports = venue.cancel(Cancel(T, 1))
    assert told(reports) == ["1 cancelled", "2 cancelled", "3 cancelled"]
    assert all(isinstance(r, Cancelled) and r.reason for r in reports)
