"""Openings, closes and days: which data an order for them takes part in, worked by hand."""

import pytest

from tests.engine.venues import DAY_NS, MINUTE, T, bar, opened, order, told
from workbench.engine.match import Match, TradingSessions
from workbench.errors import BadValue
from workbench.model import Expired, Rejected, Trade
from workbench.model.orders import BUY, CLS, DAY, LIMIT, MARKET, OPG, SELL

HOURS = TradingSessions(opens_ns=[T, T + DAY_NS], closes_ns=[T + 3 * MINUTE, T + DAY_NS + 3 * MINUTE])


def test_market_and_limit_on_open_take_the_first_price_of_a_session_or_end() -> None:
    orders = [
        order(1, BUY, MARKET, OPG),
        order(2, BUY, LIMIT, OPG, limit=101),
        order(3, BUY, LIMIT, OPG, limit=99),
    ]
    expected = ["1 10 at 100", "2 10 at 100", "3 expired"]
    for first in (Trade(T + 1, 0, 100), bar(1, 100, 102, 98, 101)):
        venue = Match(sessions=HOURS)
        for submit in orders:
            venue.submit(submit)
        assert told(venue.on_market(bar(0, 90, 90, 90, 90))) == []  # of the hours before
        assert sorted(told(venue.on_market(first))) == expected


def test_an_order_for_the_opening_that_comes_too_late_waits_for_the_next() -> None:
    for sessions in (HOURS, None):
        venue = Match(sessions=sessions)
        venue.on_market(Trade(T + 1, 0, 100))
        venue.submit(order(1, BUY, MARKET, OPG, ts=T + 1))
        assert told(venue.on_market(Trade(T + 2, 0, 100))) == []
        assert told(venue.on_market(bar(1, 100, 102, 98, 101))) == []
        assert told(venue.on_market(Trade(T + DAY_NS + 1, 0, 105))) == ["1 10 at 105"]


def test_market_and_limit_on_close_take_the_last_price_of_a_session_or_end() -> None:
    orders = [
        order(1, SELL, MARKET, CLS),
        order(2, SELL, LIMIT, CLS, limit=101),
        order(3, SELL, LIMIT, CLS, limit=102),
    ]
    venue = opened(*orders, sessions=HOURS)
    assert told(venue.on_market(bar(1, 100, 110, 98, 101))) == []
    assert told(venue.on_market(bar(2, 100, 110, 98, 101))) == []
    assert told(venue.on_market(bar(3, 100, 110, 98, 101.5))) == [
        "1 10 at 101.5",
        "2 10 at 101.5",
        "3 expired",
    ]
    venue.submit(order(4, SELL, MARKET, CLS, ts=T + 3 * MINUTE))
    assert told(venue.on_market(Trade(T + DAY_NS + 1, 0, 100))) == []
    assert told(venue.on_market(Trade(T + DAY_NS + 3 * MINUTE, 0, 104))) == ["4 10 at 104"]


def test_an_order_for_a_close_that_never_prints_expires() -> None:
    venue = opened(order(1, SELL, MARKET, CLS), sessions=HOURS)
    venue.on_market(bar(1, 100, 101, 99, 100))
    assert told(venue.on_market(Trade(T + DAY_NS + 1, 0, 100))) == ["1 expired"]


def test_without_closing_times_there_is_no_order_for_the_close() -> None:
    (report,) = Match().submit(order(1, SELL, MARKET, CLS))
    assert isinstance(report, Rejected)
    assert report.code == "NO_SESSIONS"


def test_day_orders_follow_the_sessions() -> None:
    overnight = TradingSessions([T, T + DAY_NS], [T + DAY_NS - MINUTE, T + 2 * DAY_NS - MINUTE])
    venue = opened(order(1, BUY, LIMIT, DAY, limit=95), sessions=overnight)
    late = T + DAY_NS - 2 * MINUTE  # another UTC day, the same session
    assert told(venue.on_market(Trade(T + 1, 0, 100))) == []
    assert told(venue.on_market(Trade(late, 0, 96))) == []
    (report,) = venue.on_market(Trade(T + DAY_NS + 1, 0, 95))
    assert isinstance(report, Expired)


def test_a_table_of_sessions_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadValue, match="closes_ns"):
        TradingSessions([1, 2], [3])
    with pytest.raises(BadValue, match="opens_ns"):
        TradingSessions([1, 3], [4, 5])
