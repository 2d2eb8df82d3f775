"""Accounts at venues as rows: the worst of both sides with its reason, sums over connections, seconds of the past."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.orchestrator.parts import engine_with_flip
from workbench.api.session_views import one_line
from workbench.brokers.contract import Broker, BrokerAccount
from workbench.brokers.pool import Pool, Rolling
from workbench.brokers.pool.late_bars import Missed
from workbench.brokers.router import Router
from workbench.brokers.sim import SimBroker
from workbench.model import Bar, Instrument, PlaceOrder, to_e8
from workbench.model.orders import BUY, DAY, LIMIT
from workbench.orchestrator.account_rows import KEPT, AccountRows, VenueSide, badness, standing
from workbench.ui.accounts import account_line, account_text, accounts_html


class Sides:
    """One account whose orders and market data have a connection each, with a router in front."""

    def __init__(self) -> None:
        self.orders = Pool("alpaca", [Rolling("trading", 10, 60.0)], name="one")
        self.orders.health.say("healthy", "a probe took 1.0 ms")
        self.data = Pool("alpaca", [Rolling("trading", 10, 60.0), Rolling("data", 4, 60.0)], name="one")
        sim: Any = SimBroker(instruments=[Instrument(0, "SPY")])
        sim.pool = self.orders
        self.broker: Broker = sim
        self.feed: Any = SimpleNamespace(name="alpaca", state="live", pool=self.data)
        self.router = Router({"one": self.broker}, lambda order: ("one",))
        self.engine = engine_with_flip()
        self.engine.handle(Bar(60, 0, 100.0, 100.0, 100.0, 100.0, 1.0))
        self.side = VenueSide("one", "alpaca", "paper", ("SPY",), self.broker, self.feed)
        self.rows = AccountRows(lambda: [self.side], self.engine, self.router)

    def row(self) -> Any:
        self.rows.refresh()
        return self.rows.rows[0]

    def stream(self, pool: Pool, name: str, state: str, reason: str = "", age_s: float = 0.0) -> None:
        told = {"name": name, "state": state, "reason": reason, "age_s": age_s, "connects": 3, "gaps": 1}
        counts = {"frames": 0, "resyncs": 0, "garbled": 0, "backfilled": 0, "unfilled": 0}
        ledger = SimpleNamespace(channels={}, unconfirmed=0)
        pool.streams.append(SimpleNamespace(**told, **counts, ledger=ledger))  # type: ignore[arg-type]


@pytest.fixture
def one() -> Sides:
    return Sides()


def test_an_account_that_is_well_says_so(one: Sides) -> None:
    row = one.row()
    assert (row.state, row.reason) == ("healthy", "a probe took 1.0 ms")
    assert (row.account, row.venue, row.mode, row.symbols) == ("one", "alpaca", "paper", ["SPY"])
    assert (row.books_ns, row.cash, row.equity, row.positions) == (0, 0.0, 0.0, 0)


def test_the_worse_side_is_told_with_its_reason(one: Sides) -> None:
    one.stream(one.orders, "trade_updates", "waiting", "the venue hung up")
    assert standing(one.side) == ("degraded", "stream 'trade_updates' is waiting (the venue hung up)")
    one.stream(one.data, "iex", "live", age_s=12.4)
    one.feed.state = "stale"
    assert standing(one.side) == ("stale", "no market data for 12 s")
    one.orders.health.say("unauthorised", "the key was revoked")
    assert standing(one.side) == ("unauthorised", "the key was revoked")


def test_a_feed_that_connects_says_which_stream(one: Sides) -> None:
    one.feed.state = "connecting"
    one.stream(one.data, "iex", "waiting", "refused")
    assert standing(one.side) == ("connecting", "market data: stream 'iex' is waiting (refused)")


def test_a_feed_that_was_never_connected_is_not_closed(one: Sides) -> None:
    one.feed.state = "closed"
    assert standing(one.side._replace(joining=True))[0] == "connecting"
    assert standing(one.side)[0] == "closed"


def test_a_side_without_connections_is_as_its_feed_says() -> None:
    feed: Any = SimpleNamespace(name="x", state="live")
    assert standing(VenueSide("x", "x", "paper", (), None, feed)) == ("healthy", "market data is live")
    feed.state = "connecting"
    assert standing(VenueSide("x", "x", "paper", (), None, feed)) == (
        "connecting",
        "market data is connecting",
    )
    assert standing(VenueSide("x", "x", "paper", (), SimBroker(), None)) == ("healthy", "")


def test_states_are_ordered_by_how_bad_they_are() -> None:
    states = ["healthy", "unknown", "connecting", "degraded", "stale", "down", "unauthorised", "closed"]
    assert sorted(states, key=lambda state: badness((state,))) == states


def test_what_the_venue_holds_is_worth_what_the_desk_sees(one: Sides) -> None:
    one.router.told["one"] = (77, BrokerAccount(to_e8(500), {0: to_e8(-2)}, ()))
    row = one.row()
    assert (row.books_ns, row.cash, row.equity, row.positions) == (77, 500.0, 300.0, 1)


async def test_what_the_router_is_told_is_what_is_shown(one: Sides) -> None:
    await one.router.connect(lambda report: None)
    row = one.row()
    assert row.books_ns > 0
    assert row.cash == (await one.router.account()).cash_e8 / 1e8
    await one.router.close()


async def test_open_orders_are_those_at_the_account(one: Sides) -> None:
    await one.router.connect(lambda report: None)
    command = PlaceOrder(one.engine.now_ns, 0, BUY, LIMIT, DAY, to_e8(1), limit_px_e8=to_e8(90))
    one.router.submit(one.engine.handle(command)[-1])  # type: ignore[arg-type]  # a Submit
    assert one.row().open_orders == 1
    one.router.moved["one"] += 1
    assert one.row().moved == 1
    await one.router.close()


def test_counts_are_summed_and_the_tightest_allowance_counts(one: Sides) -> None:
    one.orders.meters.requests.update(order=3, cancel=1)
    one.data.meters.requests.update(bars=5)
    one.orders.meters.errors.update(Busy=2)
    one.data.meters.errors.update(Busy=1, VenueDown=1)
    one.data.meters.limited = 2
    route = one.data.limiter.route("x", trading=3)
    assert one.data.limiter.admit(route, 0)
    row = one.row()
    assert (row.requests, row.errors, row.limited) == (9, {"Busy": 3, "VenueDown": 1}, 2)
    assert row.headroom == {"trading": 0.7, "data": 1.0}


def test_streams_carry_orders_or_data(one: Sides) -> None:
    one.stream(one.orders, "trade_updates", "live", age_s=0.5)
    one.stream(one.data, "iex", "live")
    assert [(s.name, s.carries, s.reconnects, s.gaps) for s in one.row().streams] == [
        ("trade_updates", "orders", 2, 1),
        ("iex", "data", 2, 1),
    ]


def test_the_past_is_one_point_a_refresh_and_has_an_end(one: Sides) -> None:
    one.row()
    one.orders.meters.requests.update(order=4)
    for ns in (2_000_000, 4_000_000):
        one.orders.meters.wire.record(ns)
    one.row()
    one.row()
    (past,) = one.rows.history()
    assert past.account == "one"
    assert past.requests == [0, 4, 0]
    assert past.headroom == [1.0, 1.0, 1.0]
    assert past.wire_us[1] == pytest.approx(3_000.0)
    assert past.wire_us[0] != past.wire_us[0]  # no request, no round trip: not a number
    assert past.ts_ns == sorted(past.ts_ns)
    (later,) = one.rows.history(since_ns=past.ts_ns[1])
    assert later.requests == [0]
    (nothing,) = one.rows.history(since_ns=past.ts_ns[-1])
    assert (nothing.ts_ns, nothing.wire_us) == ([], [])
    for _ in range(KEPT):
        one.row()
    assert len(one.rows.history()[0].ts_ns) == KEPT


def test_without_accounts_there_is_nothing_to_show(one: Sides) -> None:
    rows = AccountRows(tuple, one.engine, SimBroker())
    rows.refresh()
    assert rows.rows == []
    assert rows.history() == []


def test_market_data_alone_has_no_books(one: Sides) -> None:
    rows = AccountRows(lambda: [one.side._replace(broker=None)], one.engine, SimBroker())
    rows.refresh()
    (row,) = rows.rows
    assert (row.mode, row.state, row.books_ns, row.open_orders) == ("data", "healthy", 0, 0)
    assert set(row.headroom) == {"trading", "data"}


def test_bars_that_could_not_be_had_are_told_where_the_account_is_shown(one: Sides) -> None:
    assert one.row().missed == ""
    early = Missed(1_700_000_000 * 10**9, (0,), 0, "no answer")
    late = Missed(1_795_660_920 * 10**9, (3, 0, 1, 2), 1_795_660_800 * 10**9, "HTTP 503")
    one.feed.instruments = [Instrument(0, "SPY"), Instrument(3, "QQQ")]
    one.feed.late_bars = [SimpleNamespace(missed=missed) for missed in (late, None, early)]
    row = one.row()
    assert row.missed == (
        "bars of QQQ, SPY, instrument 1 and 1 more after 2026-11-26 02:40 UTC were missed and could not be had: "
        "indicators lack them (noticed 2026-11-26 02:42 UTC: HTTP 503)"
    )
    assert row.state == "healthy"  # they are missing, the connection is not
    for shown in (account_line(row), "\n".join(account_text(row)), accounts_html([row]), one_line(row)):
        assert row.missed in shown
