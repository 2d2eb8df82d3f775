"""The simulated venue: when, at which price and how much, and books of its own that agree."""

import numpy as np
import pytest
from msgspec import structs

from workbench.engine import Latency, Match
from workbench.engine.fees import PerUnit
from workbench.model import (
    Accepted,
    Bar,
    BarSlice,
    Cancel,
    Cancelled,
    CancelRefused,
    Expired,
    Filled,
    Quote,
    Rejected,
    Report,
    Submit,
    Trade,
    to_e8,
)
from workbench.model.orders import BUY, DAY, FOK, GTC, IOC, LIMIT, MARKET, SELL, STOP, STOP_LIMIT

T = 1_608_042_600_000_000_000
MINUTE = 60_000_000_000


def order(
    side: int = BUY,
    kind: int = MARKET,
    limit: float = 0,
    stop: float = 0,
    tif: int = DAY,
    n: int = 1,
    ts: int = T,
    units: float = 10,
) -> Submit:
    return Submit(ts, n, 1, 1, 0, side, kind, tif, to_e8(units), to_e8(limit), to_e8(stop))


def prices(reports: list[Report]) -> list[float]:
    return [r.px_e8 / 1e8 for r in reports if isinstance(r, Filled)]


def test_a_market_order_fills_at_the_first_later_print() -> None:
    venue = Match(cash_e8=to_e8(10_000), latency=Latency(400, 900, 0.0))
    assert venue.submit(order()) == [Accepted(T + 400_000, 1, "v-1")]
    assert venue.on_market(Bar(T, 0, 99, 101, 98, 100, 1)) == []  # nothing of its own instant
    assert venue.on_market(Trade(T, 0, 100)) == []
    assert venue.on_market(Trade(T + 1, 0, 100.5)) == [
        Filled(T + 900_000, 1, "x-1-1-1", to_e8(100.5), to_e8(10), 0)
    ]
    assert (venue.positions, venue.cash_e8, venue.open_orders) == ({0: to_e8(10)}, to_e8(8_995), [])


def test_without_a_print_the_next_bar_opens_it() -> None:
    venue = Match()
    venue.on_market(Bar(T, 0, 99, 101, 98, 100, 1))
    venue.submit(order())
    (fill,) = venue.on_market(Bar(T + MINUTE, 0, 102, 103, 101, 102.5, 1))
    assert isinstance(fill, Filled)
    assert (fill.px_e8, fill.ts_ns) == (to_e8(102), T + MINUTE)


def test_an_order_that_came_inside_a_bar_sees_its_close_only() -> None:
    venue = Match()
    venue.on_market(Trade(T, 0, 100))
    venue.submit(order(ts=T + 1))
    venue.submit(order(kind=LIMIT, limit=99, n=2, ts=T + 1))
    assert prices(venue.on_market(Bar(T + MINUTE, 0, 100, 103, 98, 102, 1))) == [102]


UP = Bar(T + MINUTE, 0, 100, 104, 97, 102, 1)  # open, low, high, close
DOWN = Bar(T + MINUTE, 0, 100, 104, 97, 99, 1)  # open, high, low, close


@pytest.mark.parametrize("prints", [1, 2])
def test_an_order_decided_on_a_print_never_gets_the_open_that_was(prints: int) -> None:
    venue = Match()
    venue.on_market(Bar(T, 0, 99, 101, 98, 100, 1))
    early = order(kind=LIMIT, limit=99, n=1)  # there before the bar began: it has seen all of it
    venue.submit(early)
    for n in range(1, prints + 1):
        venue.on_market(Trade(T + n, 0, 100 + n))
    venue.submit(order(ts=T + prints, n=2))  # decided on the last of the prints
    reports = venue.on_market(Bar(T + MINUTE, 0, 101, 106, 98, 105, 1))
    assert {r.order_id: r.px_e8 / 1e8 for r in reports if isinstance(r, Filled)} == {1: 99.0, 2: 105.0}


@pytest.mark.parametrize(
    ("bar", "submit", "px"),
    [
        (UP, order(kind=LIMIT, limit=98), 98),
        (UP, order(kind=LIMIT, limit=97), 97),
        (UP, order(kind=LIMIT, limit=96.99), None),
        (UP, order(kind=LIMIT, limit=101), 100),  # the open is better
        (UP, order(SELL, LIMIT, 103), 103),
        (UP, order(SELL, LIMIT, 104.01), None),
        (UP, order(SELL, LIMIT, 99), 100),
        (UP, order(kind=STOP, stop=103), 103),
        (UP, order(kind=STOP, stop=99), 100),  # through it already at the open
        (UP, order(kind=STOP, stop=104.5), None),
        (UP, order(SELL, STOP, stop=98), 98),
        (UP, order(SELL, STOP, stop=96), None),
        (UP, order(kind=STOP_LIMIT, limit=103.5, stop=103), 103),
        (UP, order(kind=STOP_LIMIT, limit=102.5, stop=103), 102.5),  # triggered going up, filled coming down
        (UP, order(kind=STOP_LIMIT, limit=98, stop=103), None),  # the low was before the trigger
        (DOWN, order(kind=STOP_LIMIT, limit=98, stop=103), 98),  # here it comes after
        (UP, order(SELL, STOP_LIMIT, 97.5, 98), 98),
        (UP, order(SELL, STOP_LIMIT, 101, 98), 101),
        (DOWN, order(SELL, STOP_LIMIT, 101, 98), None),
        (DOWN, order(kind=LIMIT, limit=98), 98),
        (UP, order(kind=LIMIT, limit=98, tif=IOC), None),
        (UP, order(kind=LIMIT, limit=100, tif=IOC), 100),
        (UP, order(kind=MARKET, tif=FOK), 100),
    ],
)
def test_the_path_inside_a_bar(bar: Bar, submit: Submit, px: float | None) -> None:
    venue = Match()
    venue.on_market(Bar(T, 0, 100, 100, 100, 100, 1))
    venue.submit(submit)
    assert prices(venue.on_market(bar)) == ([] if px is None else [px])
    assert bool(venue.open_orders) is (px is None and submit.tif == DAY)


def test_sizes_cap_fills_and_are_shared_in_order_of_arrival() -> None:
    venue = Match()
    venue.submit(order(n=1))
    venue.submit(order(n=2))
    venue.submit(order(n=3, tif=FOK))
    venue.submit(order(n=4, tif=IOC))
    reports = venue.on_market(Trade(T + 1, 0, 100, 14))
    assert [(r.order_id, r.qty_e8 // 10**8) for r in reports if isinstance(r, Filled)] == [(1, 10), (2, 4)]
    assert [r.order_id for r in reports if isinstance(r, Cancelled)] == [3, 4]
    assert prices(venue.on_market(Trade(T + 2, 0, 101))) == [101]
    assert venue.positions == {0: to_e8(20)}


def test_quotes_fill_buys_at_the_ask_and_sells_at_the_bid() -> None:
    venue = Match()
    venue.submit(order(BUY, n=1))
    venue.submit(order(SELL, n=2))
    venue.submit(order(BUY, LIMIT, 99.5, n=3))
    assert prices(venue.on_market(Quote(T + 1, 0, 99, 5, 100, 4))) == [100, 99]
    assert prices(venue.on_market(Quote(T + 2, 0, 101, 5, 100, 4))) == []  # crossed
    assert prices(venue.on_market(Quote(T + 3, 0, 99, 0, 99.5, 0))) == [99.5, 99, 99.5]


def test_day_orders_expire_good_till_cancelled_stay() -> None:
    venue = Match()
    venue.submit(order(kind=LIMIT, limit=50, n=1))
    venue.submit(order(kind=LIMIT, limit=50, n=2, tif=GTC))
    assert venue.on_market(Trade(T + 1, 0, 51)) == []
    (report,) = venue.on_market(Trade(T + 86_400_000_000_000, 0, 49))[:1]
    assert isinstance(report, Expired)
    assert prices(venue.on_market(Trade(T + 86_400_000_000_001, 0, 49))) == []
    assert venue.orders[2].state == "filled"


def test_a_day_order_sent_after_the_close_is_good_for_the_next_session() -> None:
    day = 86_400_000_000_000
    venue = Match()
    venue.submit(order(kind=LIMIT, limit=50, n=1))
    assert venue.on_market(Trade(T + day, 0, 51)) == []
    assert prices(venue.on_market(Trade(T + day + 1, 0, 49))) == [49]
    venue.submit(order(kind=LIMIT, limit=50, n=2))
    assert venue.on_market(Trade(T + 2 * day, 0, 51)) == []
    assert isinstance(venue.on_market(Trade(T + 3 * day, 0, 49))[0], Expired)


def test_cancels_and_rejections() -> None:
    venue = Match()
    venue.submit(order(kind=LIMIT, limit=50))
    assert isinstance(venue.submit(order())[0], Rejected)
    assert isinstance(venue.cancel(Cancel(T, 1))[0], Cancelled)
    assert isinstance(venue.cancel(Cancel(T, 1))[0], CancelRefused)
    assert isinstance(venue.cancel(Cancel(T, 9))[0], CancelRefused)
    bad = [order(units=0), order(side=0), order(kind=LIMIT), order(kind=STOP), order(kind=7), order(tif=7)]
    for n, submit in enumerate(bad, 10):
        (report,) = venue.submit(structs.replace(submit, order_id=n))
        assert isinstance(report, Rejected)
    assert not venue.open_orders


def test_the_fee_of_an_order_comes_once() -> None:
    """With the first of its executions, however many there are."""
    venue = Match(cash_e8=0, fees=PerUnit(rate=0.001, per_order_e8=to_e8(2)), participation=0.5)
    venue.submit(order())
    fees = []
    for at in (1, 2):
        ohlcv = np.array([[100.0, 100.0, 100.0, 100.0, 10.0]]).astype("<f8")
        fills = venue.on_market(BarSlice(T + at, np.array([0], "<i4").tobytes(), ohlcv.tobytes()))
        fees += [fill.fee_e8 for fill in fills if isinstance(fill, Filled)]
    assert fees == [to_e8("2.5"), to_e8("0.5")]


def test_fees_and_slices() -> None:
    venue = Match(cash_e8=0, fee_per_unit_e8=to_e8("0.005"), fee_rate=0.001)
    venue.submit(order())
    ohlcv = np.array([[50.0] * 5, [100.0] * 5]).astype("<f8")
    (fill,) = venue.on_market(BarSlice(T + 1, np.array([3, 0], "<i4").tobytes(), ohlcv.tobytes()))
    assert isinstance(fill, Filled)
    assert fill.fee_e8 == to_e8("1.05")
    assert venue.cash_e8 == -to_e8("1001.05")
