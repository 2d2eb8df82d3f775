"""Splits and dividends at the venue, worked by hand."""

from tests.engine.venues import DAY_NS, T, opened, order, told
from workbench.engine import Latency
from workbench.engine.match import Match, Slippage
from workbench.model import (
    Amended,
    Bar,
    Cancelled,
    CashMoved,
    Dividend,
    Filled,
    Instrument,
    Split,
    Trade,
    to_e8,
)
from workbench.model.orders import BUY, DAY, GTC, LIMIT, MARKET, SELL, STOP, TRAILING

STOCK = [Instrument(0, "AAPL")]  # ticks of 0.01, lots of 1
EX = T + DAY_NS


def holding(units: float, px: float = 645, **how: object) -> Match:
    venue = opened(order(1, BUY if units > 0 else SELL, units=abs(units)), instruments=STOCK, **how)
    venue.on_market(Trade(T + 1, 0, px))
    return venue


def test_a_split_multiplies_what_is_held() -> None:
    for units in (10, -10):
        venue = holding(units)
        assert venue.on_market(Split(EX, 0, 7, 1)) == []
        assert venue.positions == {0: to_e8(7 * units)}


def test_a_reverse_split_pays_for_the_fraction() -> None:
    venue = holding(25, px=3)
    cash_e8 = venue.cash_e8
    (move,) = venue.on_market(Split(EX, 0, 1, 10))  # 2.5 at 30
    assert isinstance(move, CashMoved)
    assert (move.move_id, move.amount_e8, move.iid) == (f"split-0-{EX}", to_e8(15), 0)
    assert "1 for 10: cash in lieu of 0.5" in move.reason
    assert (venue.positions, venue.cash_e8) == ({0: to_e8(2)}, cash_e8 + to_e8(15))
    venue = holding(-25, px=3)
    assert told(venue.on_market(Split(EX, 0, 1, 10))) == ["cash -15"]
    assert venue.positions == {0: -to_e8(2)}


def test_orders_for_the_day_follow_a_split_others_are_cancelled() -> None:
    venue = holding(10, latency=Latency(400, 900, 0.0))
    venue.on_market(Bar(T + 60, 0, 645, 645, 645, 645, 700))
    for submit in (
        order(2, SELL, MARKET, DAY, ts=T + 60),
        order(3, BUY, LIMIT, DAY, limit=640, units=3, ts=T + 60),
        order(4, SELL, STOP, DAY, stop=630.05, ts=T + 60),
        order(5, BUY, LIMIT, GTC, limit=500, ts=T + 60),
    ):
        venue.submit(submit)
    reports = venue.on_market(Split(EX, 0, 7, 1))
    assert reports[:3] == [
        Amended(EX, 2, to_e8(70), 0, 0, "v-2"),
        Amended(EX, 3, to_e8(21), to_e8("91.43"), 0, "v-3"),
        Amended(EX, 4, to_e8(70), 0, to_e8("90.01"), "v-4"),
    ]
    (end,) = reports[3:]
    assert isinstance(end, Cancelled)
    assert end.reason == "split 7 for 1: enter the order again in the new units"
    assert told(venue.on_market(Trade(EX + 1, 0, 92.7))) == ["2 70 at 92.7"]
    assert told(venue.on_market(Trade(EX + 2, 0, 91.43))) == ["3 21 at 91.43"]


def test_partly_filled_orders_keep_what_has_filled() -> None:
    venue = opened(order(1, BUY, LIMIT, DAY, limit=100), instruments=STOCK)
    assert told(venue.on_market(Trade(T + 1, 0, 100, 4))) == ["1 4 at 100"]
    assert told(venue.on_market(Split(EX, 0, 3, 2))) == ["1 amended 13"]  # 4 and 6 x 3 / 2
    assert venue.positions == {0: to_e8(6)}
    assert told(venue.on_market(Trade(T + 2, 0, 60))) == ["1 9 at 60"]


def test_an_order_of_less_than_a_lot_is_cancelled_and_brackets_are_too() -> None:
    venue = opened(
        order(1, BUY, LIMIT, DAY, limit=90, units=3),
        order(2, BUY, LIMIT, DAY, limit=90),
        order(3, SELL, LIMIT, DAY, limit=110, parent=2),
        instruments=STOCK,
    )
    assert told(venue.on_market(Split(EX, 0, 1, 4))) == ["1 cancelled", "2 cancelled", "3 cancelled"]


def test_trailing_stops_and_what_was_seen_follow_a_split() -> None:
    venue = opened(order(1, SELL, TRAILING, DAY, trail=7), instruments=STOCK, slippage=Slippage("sqrt", 0.01))
    venue.on_market(Bar(T + 60, 0, 700, 700, 700, 700, 10))
    assert told(venue.on_market(Split(T + 61, 0, 7, 1))) == ["1 amended 70"]
    assert (venue.orders[1].stop, venue.tape(0).px, venue.tape(0).volume_e8) == (99, 100, to_e8(70))
    assert told(venue.on_market(Trade(T + 62, 0, 99.5))) == []
    assert told(venue.on_market(Trade(T + 63, 0, 99))) == ["1 70 at 98.01"]  # all of the last bar's 70: 1 %


def test_dividends_are_paid_to_longs_and_by_shorts() -> None:
    for units, amount in ((10, 32.9), (-10, -32.9)):
        venue = holding(units)
        cash_e8 = venue.cash_e8
        (move,) = venue.on_market(Dividend(EX, 0, to_e8("3.29")))
        assert isinstance(move, CashMoved)
        assert (move.amount_e8, move.move_id, move.order_id) == (to_e8(amount), f"dividend-0-{EX}", 0)
        assert venue.cash_e8 == cash_e8 + to_e8(amount)
        assert venue.on_market(Dividend(EX, 0, to_e8("3.29"))) == []  # the same one again
        assert venue.cash_e8 == cash_e8 + to_e8(amount)
    assert opened().on_market(Dividend(EX, 0, to_e8("3.29"))) == []


def test_a_buyer_on_the_ex_day_gets_no_dividend() -> None:
    venue = opened(order(1, BUY, MARKET, DAY))
    assert venue.on_market(Dividend(EX, 0, to_e8(1))) == []
    (fill,) = venue.on_market(Trade(EX + 1, 0, 99))
    assert isinstance(fill, Filled)


def test_a_split_by_no_ratio_is_ignored() -> None:
    venue = holding(10)
    for numerator, denominator in ((0, 1), (1, 0), (-7, 1)):
        assert venue.on_market(Split(EX, 0, numerator, denominator)) == []
    assert venue.positions == {0: to_e8(10)}
