"""What the account's terms refuse, and what they cost, worked by hand."""

import pytest

from tests.engine.venues import DAY_NS, LEVEL, T, bar, opened, order, told
from workbench.engine.match import Match, Terms
from workbench.errors import BadValue, UnknownName
from workbench.model import (
    Amend,
    AmendRefused,
    Cancel,
    CashMoved,
    Filled,
    MarketEvent,
    Rejected,
    Report,
    Trade,
    to_e8,
)
from workbench.model.orders import BUY, LIMIT, MARKET, SELL, STOP

CASH = Terms(account="cash")
MARGIN = Terms(account="margin")


def said(reports: list[Report]) -> str:
    (report,) = reports
    return (
        f"{report.code}: {report.text}"
        if isinstance(report, Rejected | AmendRefused)
        else type(report).__name__
    )


def held(venue: Match, units: float, px: float = 100) -> Match:
    """The venue after buying (or selling short) so many units at a price, nothing else open."""
    side = BUY if units > 0 else SELL
    venue.submit(order(100, side, units=abs(units)))
    venue.on_market(Trade(T + 1, 0, px))
    return venue


# -- cash accounts ---------------------------------------------------------------------------------------------------


def test_a_cash_account_buys_with_cash_that_is_there() -> None:
    venue = opened(cash_e8=to_e8(1_000), terms=CASH)
    assert said(venue.submit(order(1, BUY, LIMIT, limit=99, units=6))) == "Accepted"
    refused = "INSUFFICIENT_BUYING_POWER: the order needs 500.00 in cash, 406.00 is free"
    assert said(venue.submit(order(2, units=5))) == refused  # at the last price, 100
    assert said(venue.submit(order(3, units=4))) == "Accepted"
    assert said(venue.submit(order(4, BUY, STOP, stop=5, units=2))).endswith("10.00 in cash, 6.00 is free")
    venue.cancel(Cancel(T, 1))
    assert said(venue.submit(order(5, BUY, STOP, stop=100, units=6))) == "Accepted"


def test_a_cash_account_pays_its_fees_too_and_sells_what_it_holds() -> None:
    venue = held(opened(cash_e8=to_e8(1_001), terms=CASH, fee_rate=0.001), 9)
    assert venue.cash_e8 == to_e8("100.1")
    assert said(venue.submit(order(1, units=1))) == "Accepted"  # 100.10 with its fee
    assert said(venue.submit(order(2, SELL, LIMIT, limit=105, units=6))) == "Accepted"
    short = "NOT_SHORTABLE: selling 4 with 9 held and 6 for sale already is short"
    assert said(venue.submit(order(3, SELL, units=4))) == short
    assert said(venue.submit(order(4, SELL, units=3))) == "Accepted"


def test_exits_of_a_bracket_are_counted_once() -> None:
    venue = opened(cash_e8=to_e8(1_000), terms=CASH)
    for submit in (
        order(1),
        order(2, SELL, LIMIT, limit=105, parent=1, group=1),
        order(3, SELL, STOP, stop=95, parent=1, group=1),
    ):
        assert said(venue.submit(submit)) == "Accepted"
    assert told(venue.on_market(Trade(T + 1, 0, 100))) == ["1 10 at 100"]
    short = "NOT_SHORTABLE: selling 1 with 10 held and 10 for sale already is short"
    assert said(venue.submit(order(4, SELL, units=1))) == short


def test_nothing_can_be_valued_before_a_price_was_seen() -> None:
    venue = Match(cash_e8=to_e8(1_000), terms=CASH)
    assert said(venue.submit(order(1))).startswith("NO_PRICE")
    assert said(venue.submit(order(2, BUY, LIMIT, limit=10))) == "Accepted"


# -- margin accounts -------------------------------------------------------------------------------------------------


def test_a_margin_account_carries_twice_its_equity() -> None:
    venue = opened(cash_e8=to_e8(1_000), terms=MARGIN)
    assert said(venue.submit(order(1, units=20))) == "Accepted"
    refused = "INSUFFICIENT_BUYING_POWER: the order takes 100.00 of buying power, 0.00 is free"
    assert said(venue.submit(order(2, units=1))) == refused
    venue.on_market(Trade(T + 1, 0, 100))
    assert venue.cash_e8 == -to_e8(1_000)
    assert said(venue.submit(order(3, SELL, units=20))) == "Accepted"  # reducing is always possible
    # 20 held and 20 for sale: to sell 21 more would be short by 21
    assert said(venue.submit(order(4, SELL, units=21))).startswith("INSUFFICIENT_BUYING_POWER")
    venue.on_market(Trade(T + 2, 0, 110))  # sold: equity 1,200
    assert said(venue.submit(order(5, SELL, units=21))) == "Accepted"  # 2,310 of 2,400
    assert said(venue.submit(order(6, BUY, LIMIT, limit=1, units=21))) == "Accepted"  # the other side
    assert said(venue.submit(order(7, SELL, units=1, ts=T + 3))).endswith(
        "110.00 of buying power, 90.00 is free"
    )


def test_of_a_group_the_largest_counts() -> None:
    venue = opened(cash_e8=to_e8(1_000), terms=MARGIN)
    assert said(venue.submit(order(1, BUY, LIMIT, limit=100, units=20, group=1))) == "Accepted"
    assert said(venue.submit(order(2, BUY, STOP, stop=100, units=20, group=1))) == "Accepted"
    assert said(venue.submit(order(3, BUY, LIMIT, limit=100, units=1))).startswith("INSUFFICIENT")


def test_an_amendment_is_checked_like_the_order_it_makes() -> None:
    for terms, free in ((MARGIN, 20), (CASH, 10)):
        venue = opened(cash_e8=to_e8(1_000), terms=terms)
        venue.submit(order(1, BUY, LIMIT, limit=100, units=5))
        refused = venue.amend(Amend(T, 1, to_e8(free + 1), to_e8(100), 0))
        assert said(refused).startswith("INSUFFICIENT_BUYING_POWER")
        assert venue.orders[1].order.qty_e8 == to_e8(5)
        assert told(venue.amend(Amend(T, 1, to_e8(free), to_e8(100), 0))) == [f"1 amended {free}"]


def test_below_the_maintenance_margin_only_reducing_is_taken() -> None:
    venue = held(opened(cash_e8=to_e8(1_000), terms=MARGIN), 20)
    venue.on_market(Trade(T + 2, 0, 66))  # equity 320 of 1,320; a quarter is 330
    assert said(venue.submit(order(1, units=1))) == (
        "MARGIN_CALL: equity 320.00 is below the maintenance margin 330.00: only reduce"
    )
    assert said(venue.submit(order(2, SELL, units=20))) == "Accepted"


def test_a_margin_call_may_cancel_what_enlarges() -> None:
    terms = Terms(account="margin", margin_call="cancel")
    venue = held(opened(cash_e8=to_e8(1_200), terms=terms), 20)
    for submit in (
        order(1, BUY, LIMIT, limit=10, units=2),
        order(2, SELL, LIMIT, limit=105),
        order(3, BUY, LIMIT, limit=9, units=2),
        order(4, SELL, LIMIT, limit=99, parent=3),
    ):
        assert said(venue.submit(submit)) == "Accepted"
    assert told(venue.on_market(Trade(T + 2, 0, 55))) == []  # equity 300 of 1,100
    assert told(venue.on_market(Trade(T + 3, 0, 53))) == ["1 cancelled", "3 cancelled", "4 cancelled"]
    assert venue.open_orders == [2]


def test_shorts_have_their_own_maintenance_margin() -> None:
    venue = held(opened(cash_e8=to_e8(1_000), terms=MARGIN), -20)
    venue.on_market(Trade(T + 2, 0, 116))  # equity 3,000 - 2,320 = 680; 30 % are 696
    assert said(venue.submit(order(1, SELL, units=1))).startswith("MARGIN_CALL")
    assert said(venue.submit(order(2, BUY, units=20))) == "Accepted"


@pytest.mark.parametrize("terms", [Terms(shorting=False), Terms(not_shortable={0}), CASH])
def test_where_shorting_is_not_allowed_only_what_is_held_is_sold(terms: Terms) -> None:
    venue = held(opened(cash_e8=to_e8(10_000), terms=terms), 5)
    assert said(venue.submit(order(1, SELL, units=6))).startswith("NOT_SHORTABLE")
    assert said(venue.submit(order(2, SELL, units=5))) == "Accepted"
    if terms.account == "unchecked":
        assert said(venue.submit(order(3, BUY, units=10**6))) == "Accepted"
        assert said(Match(terms=Terms(not_shortable={1})).submit(order(4, SELL))) == "Accepted"


def test_terms_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'margin'"):
        Terms(account="margins")
    with pytest.raises(UnknownName, match="margin_call"):
        Terms(margin_call="sell")
    for bad in (
        {"initial": 0.0},
        {"initial": 0.2},
        {"borrow_rate": -0.1},
        {"borrow_rates": {3: float("nan")}},
    ):
        with pytest.raises(BadValue):
            Terms(**bad)


# -- what a day costs ------------------------------------------------------------------------------------------------


def moves(venue: Match, *events: MarketEvent) -> list[tuple[str, float, int]]:
    reports = [r for event in events for r in venue.on_market(event)]
    return [(r.move_id, r.amount_e8 / 1e8, r.iid) for r in reports if isinstance(r, CashMoved)]


def test_borrowed_stock_costs_by_the_day_at_its_last_value() -> None:
    venue = held(opened(cash_e8=0, terms=Terms(borrow_rate=0.036, borrow_rates={1: 0.72})), -10)
    day = T // DAY_NS
    assert moves(venue, Trade(T + 2, 0, 110)) == []
    # a year of 360 days: 1,100 x 0.036 / 360
    assert moves(venue, Trade(T + DAY_NS, 0, 120)) == [(f"borrow-{day + 1}-0", -0.11, 0)]
    assert moves(venue, Trade(T + DAY_NS + 1, 0, 120)) == []
    # Friday to Monday is three nights
    assert moves(venue, Trade(T + 4 * DAY_NS, 0, 130)) == [(f"borrow-{day + 4}-0", -0.36, 0)]
    assert venue.cash_e8 == to_e8(1_000) - to_e8("0.47")
    venue.submit(order(1, SELL, iid=1, ts=T + 4 * DAY_NS, units=1))
    venue.on_market(Trade(T + 4 * DAY_NS + 1, 1, 500))
    assert moves(venue, Trade(T + 5 * DAY_NS, 0, 130)) == [
        (f"borrow-{day + 5}-0", -0.13, 0),
        (f"borrow-{day + 5}-1", -1.0, 1),
    ]


def test_cash_below_zero_costs_interest_and_longs_nothing() -> None:
    venue = held(opened(cash_e8=to_e8(100), terms=Terms(debit_rate=0.072, borrow_rate=0.5)), 10)
    assert moves(venue, bar(1_440, 100, 101, 99, 100)) == [(f"interest-{T // DAY_NS + 1}", -0.18, -1)]
    assert (
        moves(held(opened(cash_e8=to_e8(5_000), terms=Terms(debit_rate=0.1)), 10), Trade(T + DAY_NS, 0, 1))
        == []
    )


def test_a_night_is_charged_on_what_was_held_over_it() -> None:
    venue = held(opened(terms=Terms(borrow_rate=0.36)), -10)
    venue.submit(order(1, BUY))
    reports = venue.on_market(Trade(T + DAY_NS, 0, 100))  # buys it back, the morning after
    assert told(reports) == ["cash -1", "1 10 at 100"]
    assert moves(venue, Trade(T + 2 * DAY_NS, 0, 100)) == []


def test_the_books_are_the_fills_and_the_moves() -> None:
    venue = Match(cash_e8=to_e8(100), terms=Terms(borrow_rate=0.3, debit_rate=0.2), fee_rate=0.001)
    venue.on_market(LEVEL)
    cash_e8, position_e8 = to_e8(100), 0
    for n, (side, units) in enumerate(((SELL, 30), (BUY, 50), (SELL, 25), (BUY, 11)), 1):
        venue.submit(order(n, side, MARKET, units=units, ts=T + n * DAY_NS))
        for report in venue.on_market(Trade(T + n * DAY_NS + 1, 0, 90.0 + 7 * n)):
            if isinstance(report, Filled):
                value_e8 = report.px_e8 * report.qty_e8 // 10**8
                cash_e8 -= side * value_e8 + report.fee_e8
                position_e8 += side * report.qty_e8
            elif isinstance(report, CashMoved):
                cash_e8 += report.amount_e8
    assert (venue.cash_e8, venue.positions) == (cash_e8, {0: position_e8})
