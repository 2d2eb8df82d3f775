"""What bars, the top of the book and trades fill, worked by hand: every kind of order on every level of data; queues,
participation, slippage."""

from typing import Any

import pytest

from tests.engine.venues import LEVEL, MINUTE, T, bar, opened, order, told
from workbench.engine import Latency
from workbench.engine.fees import AlpacaCrypto
from workbench.engine.match import Match, Slippage
from workbench.errors import BadValue, UnknownName
from workbench.model import Amend, Filled, Instrument, MarketEvent, Quote, Submit, Trade, to_e8
from workbench.model.orders import BUY, FOK, IOC, LIMIT, MARKET, SELL, STOP, STOP_LIMIT, TRAILING

CENTS = [Instrument(0, "SPY")]  # ticks of 0.01, lots of 1


def quote(step: int, bid: float, bid_size: float, ask: float, ask_size: float) -> Quote:
    return Quote(T + step, 0, bid, bid_size, ask, ask_size)


def trade(step: int, px: float, size: float = 0, side: int = 0) -> Trade:
    return Trade(T + step, 0, px, size, side)


def fed(venue: Match, *events: MarketEvent) -> list[str]:
    return [word for event in events for word in told(venue.on_market(event))]


BUYS = {
    "market": order(1, BUY, MARKET),
    "limit": order(1, BUY, LIMIT, limit=99),
    "stop": order(1, BUY, STOP, stop=101),
    "stop-limit": order(1, BUY, STOP_LIMIT, stop=101, limit=100.5),
    "trailing": order(1, BUY, TRAILING, trail=2),
}
SELLS = {
    "market": order(1, SELL, MARKET),
    "limit": order(1, SELL, LIMIT, limit=101),
    "stop": order(1, SELL, STOP, stop=99),
    "stop-limit": order(1, SELL, STOP_LIMIT, stop=99, limit=99.5),
    "trailing": order(1, SELL, TRAILING, trail=2),
}
PRICES = (100.2, 98.8, 101.3, 100.4, 99.2)
DATA: dict[str, list[MarketEvent]] = {
    "bars": [
        bar(1, 100.2, 101.3, 98.8, 100.4),
        Trade(T + MINUTE + 1, 0, 99.2),
    ],  # the first four, then the fifth
    "trades": [trade(n, px) for n, px in enumerate(PRICES, 1)],
    "quotes": [quote(n, px - 0.1, 0, px + 0.1, 0) for n, px in enumerate(PRICES, 1)],
}


@pytest.mark.parametrize(
    ("kind", "data", "buy", "sell"),
    [
        ("market", "bars", 100.2, 100.2),
        ("market", "trades", 100.2, 100.2),
        ("market", "quotes", 100.3, 100.1),
        ("limit", "bars", 99, 101),
        ("limit", "trades", 98.8, 101.3),
        ("limit", "quotes", 98.9, 101.2),
        ("stop", "bars", 101, 99),
        ("stop", "trades", 101.3, 98.8),
        ("stop", "quotes", 101.4, 98.7),
        ("stop-limit", "bars", 100.5, 99.5),
        ("stop-limit", "trades", 100.4, 101.3),
        ("stop-limit", "quotes", 100.5, 101.2),
        ("trailing", "bars", 100.8, 99.2),  # 2 above 98.8; 2 below 101.3 is 99.3, met by the print beyond it
        ("trailing", "trades", 101.3, 99.2),
        ("trailing", "quotes", 101.4, 99.1),
    ],
)
def test_every_kind_on_every_level(kind: str, data: str, buy: float, sell: float) -> None:
    for submit, px in ((BUYS[kind], buy), (SELLS[kind], sell)):
        assert fed(opened(submit), *DATA[data]) == [f"1 10 at {px:g}"]


# -- participation ---------------------------------------------------------------------------------------------------


def test_a_bar_gives_our_orders_their_share_of_its_volume() -> None:
    venue = opened(
        order(1), order(2), order(3, tif=FOK), order(4, tif=IOC), participation=0.1, instruments=CENTS
    )
    # 10 % of 147 is 14.7: whole lots, in order of arrival; nothing is left for the others
    assert fed(venue, bar(1, 100, 101, 99, 100.5, 147)) == [
        "1 10 at 100",
        "2 4 at 100",
        "3 cancelled",
        "4 cancelled",
    ]
    assert fed(venue, bar(2, 101, 102, 100, 101, 1_000)) == ["2 6 at 101"]
    assert fed(opened(order(), participation=0.1), bar(1, 100, 101, 99, 100, 0)) == []


def test_along_the_path_the_share_goes_to_whom_the_market_meets_first() -> None:
    orders = [order(1, BUY, LIMIT, limit=98), order(2, BUY, LIMIT, limit=99)]
    venue = opened(*orders, participation=0.5, instruments=CENTS)
    assert fed(venue, bar(1, 100, 101, 97, 100.5, 24)) == ["2 10 at 99", "1 2 at 98"]
    assert fed(venue, bar(2, 99, 101, 97.5, 100.5, 24)) == ["1 8 at 98"]


def test_with_a_share_an_opening_print_waits_for_the_volume_of_its_bar() -> None:
    venue = opened(order(1), order(2, tif=IOC), participation=0.1)
    assert fed(venue, trade(1, 100)) == []
    assert fed(venue, bar(1, 100, 101, 99, 100.5, 147)) == ["1 10 at 100", "2 4.7 at 100", "2 cancelled"]


def test_a_share_of_shown_and_printed_sizes() -> None:
    venue = opened(order(1, units=7), order(2, SELL, units=7), participation=0.25, instruments=CENTS)
    assert fed(venue, quote(1, 99, 8, 101, 13)) == ["1 3 at 101", "2 2 at 99"]
    assert fed(venue, quote(2, 99, 0, 101, 0)) == []  # no size is told: nothing to take a share of
    assert fed(venue, trade(3, 100, 16)) == ["1 4 at 100"]  # both sides share what printed
    assert fed(venue, trade(4, 100, 16)) == ["2 4 at 100"]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(BadValue, match="participation"):
        Match(participation=share)


# -- slippage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slippage", "buy", "sell"),
    [
        (Slippage(), 100.2, 100.2),
        (Slippage("ticks", 3), 100.23, 100.17),
        (Slippage("rate", 0.001), 100.31, 100.09),  # 100.3002 and 100.0998, on the grid against the order
        (Slippage("sqrt", 0.01), 100.71, 99.69),  # 10 of 40: half a percent is 0.501
        (Slippage("ticks", 500), 105.2, 95.2),  # an open is a print: it knows no bounds
    ],
)
def test_orders_without_a_limit_slip_from_the_open(slippage: Slippage, buy: float, sell: float) -> None:
    last = bar(1, 100.2, 101.3, 98.8, 100.4, 40)
    for side, px in ((BUY, buy), (SELL, sell)):
        venue = opened(order(1, side), slippage=slippage, instruments=CENTS)
        assert fed(venue, last) == [f"1 10 at {px:g}"]


def test_stops_slip_from_their_price_and_limits_never() -> None:
    how: dict[str, Any] = {"slippage": Slippage("ticks", 5), "instruments": CENTS}
    last = bar(1, 100.2, 101.3, 98.8, 100.4, 40)
    for submit, expected in (
        (order(1, BUY, STOP, stop=101), "1 10 at 101.05"),
        (order(1, BUY, STOP, stop=101.28), "1 10 at 101.3"),  # never out of the bar
        (order(1, SELL, TRAILING, trail=1.2), "1 10 at 98.95"),  # from 100.2: met at 99
        (order(1, BUY, LIMIT, limit=99), "1 10 at 99"),
        (order(1, BUY, STOP_LIMIT, stop=101, limit=101.1), "1 10 at 101"),
    ):
        assert fed(opened(submit, **how), last) == [expected]


def test_prints_and_quotes_know_no_bounds_and_impact_needs_a_size() -> None:
    how: dict[str, Any] = {"slippage": Slippage("sqrt", 0.01), "instruments": CENTS}
    assert fed(opened(order(), **how), trade(1, 100, 40)) == ["1 10 at 100.5"]
    assert fed(opened(order(1, SELL), **how), quote(1, 100, 40, 100.1, 5)) == ["1 10 at 99.5"]
    venue = Match(**how)
    venue.submit(order(units=1))
    assert fed(venue, trade(1, 100)) == ["1 1 at 100"]  # nobody knows a volume
    venue.on_market(bar(1, 100, 101, 99, 100, 4))
    venue.submit(order(2, units=1, ts=T + MINUTE))
    assert fed(venue, Trade(T + MINUTE + 1, 0, 100)) == ["2 1 at 100.5"]  # the last bar's


def test_a_close_knows_no_bounds_either() -> None:
    flat = bar(1, 100, 100, 100, 100)
    for side, px in ((BUY, 100.05), (SELL, 99.95)):
        venue = Match(fill_at="close", slippage=Slippage("ticks", 5), instruments=CENTS)
        venue.on_market(flat)
        assert told(venue.submit(order(1, side, ts=flat.ts_ns)))[1:] == [f"1 10 at {px:g}"]


def test_slippage_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sqrt'"):
        Slippage("sqr", 0.1)
    for model, amount in (("rate", 1.0), ("ticks", -1.0), ("sqrt", float("nan"))):
        with pytest.raises(BadValue, match="slippage amount"):
            Slippage(model, amount)


# -- the queue -------------------------------------------------------------------------------------------------------


BOOK = quote(0, 99, 20, 100, 30)


def queued(*orders: Submit, book: Quote | None = BOOK) -> Match:
    """A venue with a queue that has seen this quote, and then these orders."""
    venue = Match(queue=True)
    if book is not None:
        venue.on_market(book)
    for submit in orders:
        venue.submit(submit)
    return venue


def test_the_size_that_was_shown_stands_ahead_and_trades_eat_it() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99))
    assert venue.orders[1].ahead_e8 == to_e8(20)
    assert fed(venue, trade(1, 99, 15, -1)) == []
    assert fed(venue, trade(2, 99, 9, -1)) == ["1 4 at 99"]  # 5 were still ahead
    assert fed(venue, trade(3, 99, 2, 0)) == ["1 2 at 99"]  # by whom is unknown: it may have been a seller
    assert fed(venue, trade(4, 99, 50, 1)) == []  # a buyer took nothing from the bids
    assert fed(venue, trade(5, 99, 50, -1)) == ["1 4 at 99"]


def test_our_orders_stand_behind_one_another() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99), order(2, BUY, LIMIT, limit=99))
    assert fed(venue, trade(1, 99, 33, -1)) == ["1 10 at 99", "2 3 at 99"]


def test_cancellations_come_from_behind_as_long_as_they_can() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99))
    for step, (shown, ahead) in enumerate(((50, 20), (25, 20), (12, 12), (40, 12)), 1):
        venue.on_market(quote(step, 99, shown, 100, 30))
        assert venue.orders[1].ahead_e8 == to_e8(ahead)
    venue.on_market(quote(9, 98.99, 40, 100, 30))  # nobody shows 99 any more
    assert fed(venue, trade(10, 99, 3, -1)) == ["1 3 at 99"]


def test_a_better_price_has_nobody_ahead_a_worse_one_an_unknown_queue() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99.5), order(2, BUY, LIMIT, limit=98))
    assert fed(venue, trade(1, 99.5, 10, -1)) == ["1 10 at 99.5"]
    assert fed(venue, trade(2, 98, 500, -1)) == []  # how much stood there?
    venue.on_market(quote(3, 98, 7, 99, 1))  # now it is the best: all of that may be ahead
    assert fed(venue, trade(4, 98, 9, -1)) == ["2 2 at 98"]


def test_a_trade_through_the_price_fills_at_the_price() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99), order(2, SELL, LIMIT, limit=100))
    assert fed(venue, trade(1, 98.9, 4, -1)) == ["1 4 at 99"]
    assert fed(venue, trade(2, 98.9)) == ["1 6 at 99"]
    assert fed(venue, trade(3, 100.5, 100, 1)) == ["2 10 at 100"]


def test_a_quote_of_the_other_side_at_the_price_fills_at_the_price() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99), order(2, SELL, LIMIT, limit=100))
    assert fed(venue, quote(1, 98, 9, 98.5, 6)) == ["1 6 at 99"]
    assert fed(venue, quote(2, 100, 8, 101, 6)) == ["2 8 at 100"]


def test_an_order_that_takes_pays_the_quote() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=100))
    assert fed(venue, quote(1, 99, 20, 99.9, 4)) == ["1 4 at 99.9"]
    assert fed(venue, quote(2, 99, 20, 100.1, 4)) == []  # the rest rests: nobody bids 100
    assert fed(venue, trade(3, 100, 2, -1)) == ["1 2 at 100"]


def test_an_amendment_costs_the_place_unless_it_is_for_less() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99))
    venue.on_market(trade(1, 99, 15, -1))
    venue.amend(Amend(T + 2, 1, to_e8(5), to_e8(99), 0))
    assert venue.orders[1].ahead_e8 == to_e8(5)
    venue.amend(Amend(T + 3, 1, to_e8(8), to_e8(99), 0))
    assert venue.orders[1].ahead_e8 == to_e8(20)
    venue.amend(Amend(T + 4, 1, to_e8(8), to_e8(99.5), 0))
    assert venue.orders[1].ahead_e8 == 0


def test_without_quotes_the_queue_is_unknown_and_only_a_trade_through_fills() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99), book=None)
    assert fed(venue, trade(1, 99, 5)) == ["1 5 at 99"]  # nothing was known at its arrival: it took
    venue = queued(book=None)
    venue.on_market(trade(0, 100, 5))
    venue.submit(order(1, BUY, LIMIT, limit=99))
    assert fed(venue, trade(1, 99, 500, -1)) == []
    assert fed(venue, trade(2, 98.99, 5, -1)) == ["1 5 at 99"]


def test_where_sizes_are_told_bars_fill_no_order_that_rests() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=99), order(2, BUY, STOP, stop=101))
    assert fed(venue, bar(1, 100, 101, 98, 100.5)) == []  # arrived inside it
    assert fed(venue, bar(2, 100, 101, 98, 100.5)) == ["2 10 at 101"]
    only_bars = Match(queue=True)
    only_bars.on_market(LEVEL)
    only_bars.submit(order(1, BUY, LIMIT, limit=99))
    assert fed(only_bars, trade(1, 100), bar(1, 100, 101, 98, 100.5)) == ["1 10 at 99"]


def test_exits_take_their_place_when_they_begin_to_work() -> None:
    venue = queued(order(1, BUY, LIMIT, limit=100), order(2, SELL, LIMIT, limit=101, parent=1))
    assert fed(venue, quote(1, 99, 5, 100, 30)) == ["1 10 at 100"]
    venue.on_market(quote(2, 100, 5, 101, 12))
    assert venue.orders[2].ahead_e8 == to_e8(12)
    assert fed(venue, trade(3, 101, 14, 1)) == ["2 2 at 101"]


def test_orders_that_do_not_rest_stand_in_no_queue() -> None:
    venue = queued(order(1, BUY, LIMIT, IOC, limit=99))
    assert fed(venue, trade(1, 99, 5, -1)) == ["1 5 at 99", "1 cancelled"]


# -- who made the price ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("submit", "events", "fee"),
    [
        (order(1, BUY, LIMIT, limit=99), [bar(1, 100, 101, 98, 100)], 0.15),
        (order(1, BUY, LIMIT, limit=101), [bar(1, 100, 101, 98, 100)], 0.25),
        (order(1, BUY, LIMIT, limit=99), [trade(1, 100), trade(2, 98.5)], 0.15),
        (order(1, BUY, LIMIT, limit=99), [quote(1, 98, 1, 98.9, 0)], 0.25),
        (order(1, BUY, MARKET), [trade(1, 100)], 0.25),
        (order(1, BUY, STOP, stop=101), [bar(1, 100, 101, 98, 100)], 0.25),
        (order(1, BUY, STOP_LIMIT, stop=101, limit=101), [bar(1, 100, 101, 98, 100)], 0.25),
        (order(1, BUY, STOP_LIMIT, stop=101, limit=100.5), [bar(1, 100, 101, 98, 100)], 0.15),
    ],
)
def test_maker_is_who_has_rested(submit: Submit, events: list[MarketEvent], fee: float) -> None:
    venue = opened(submit, fees=AlpacaCrypto(), latency=Latency(0, 0, 0))
    (fill,) = [r for event in events for r in venue.on_market(event)]
    assert isinstance(fill, Filled)
    assert fill.fee_e8 == round(fill.px_e8 * 10 * fee / 100)
