"""Market data through the emulators, streamed and asked for, and rows that cannot be true."""

import asyncio
from collections.abc import AsyncIterator
from time import time_ns
from typing import Any

import pytest

from tests.brokers.ccxt.desk import BOTH
from tests.brokers.pool.wires import until
from workbench.brokers.ccxt.feed import CcxtFeed
from workbench.brokers.ccxt.parse import Dropped, bar_of, quote_of, trade_of
from workbench.errors import KeysRefused, UnknownName, VenueRefused
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.rigs.ccxt import EXCHANGES, ccxt_account, keys_of


def feed_of(venue: Emulator, exchange: str, *symbols: str, **options: Any) -> CcxtFeed:
    account = ccxt_account(venue, exchange, options=options)
    named = symbols or (EXCHANGES[exchange].symbol,)
    return CcxtFeed(
        account, [Instrument(iid, name) for iid, name in enumerate(named)], environ=keys_of(venue)
    )


async def minute_on(venue: Emulator, feed: CcxtFeed) -> None:
    """The venue's market goes on a minute, and the feed knows its clock."""
    board = venue.exchange.market.board("BTCUSDT")
    there = len(board.candles)
    venue.console.advance(60.0)
    now_ns = time_ns()
    feed.pool.health.clock.measured(venue.exchange.clock.now_ns(), now_ns, now_ns)
    await until(lambda: len(board.candles) > there)


@pytest.fixture(params=BOTH)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Emulator, str]]:
    async with emulated(EXCHANGES[request.param].venue, speed=600.0, limits=False) as made:
        yield made, request.param


@pytest.mark.parametrize("events", ["stream", "poll"])
async def test_bars_quotes_and_prints_flow(place: tuple[Emulator, str], events: str) -> None:
    venue, exchange = place
    feed, came = feed_of(venue, exchange, events=events, poll_s=0.05), list[MarketEvent]()
    assert feed.state == "closed"
    await feed.connect(came.append)
    assert feed.state == "live"
    for kind in (Bar, Quote, Trade):
        await until(lambda kind=kind: sum(type(e) is kind for e in came) >= 2)  # type: ignore[misc]
    assert all(e.ts_ns > 1_600_000_000 * 10**9 for e in came)
    bars = [e for e in came if isinstance(e, Bar)]
    assert all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)
    assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
    assert all(q.bid <= q.ask for q in came if isinstance(q, Quote))
    assert feed.watches.connects == 0 if events == "poll" else feed.watches.connects >= 1
    await feed.close()
    await feed.close()
    assert feed.state == "closed"


async def test_only_what_was_asked_for_is_watched(place: tuple[Emulator, str]) -> None:
    venue, exchange = place
    feed, came = feed_of(venue, exchange, channels="quotes"), list[MarketEvent]()
    await feed.connect(came.append)
    await until(lambda: len(came) >= 2)
    assert {type(event) for event in came} == {Quote}
    assert list(feed.watches.ledger.channels) == [f"quotes {EXCHANGES[exchange].symbol}"]
    await feed.close()


async def test_after_a_break_it_watches_again(place: tuple[Emulator, str]) -> None:
    venue, exchange = place
    feed, came = feed_of(venue, exchange, channels="quotes"), list[MarketEvent]()
    await feed.connect(came.append)
    await until(lambda: bool(came))
    venue.faults.add(Fault(what="status", where="connect:*", status=503, count=1))
    venue.server.close_links(cut=True)
    await until(lambda: feed.watches.connects >= 2)
    came.clear()
    await until(lambda: bool(came))
    assert feed.state == "live"
    assert feed.watches.resyncs >= 1
    await feed.close()


async def test_one_that_is_closed_tells_nothing_more(place: tuple[Emulator, str]) -> None:
    venue, exchange = place
    feed, came = feed_of(venue, exchange), list[MarketEvent]()
    await feed.connect(came.append)
    await until(lambda: bool(came))
    await feed.close()
    told = len(came)
    await asyncio.sleep(0)
    assert len(came) == told
    again = list[MarketEvent]()
    await feed.connect(again.append)
    await until(lambda: bool(again))
    await feed.close()


async def test_what_is_not_listed_and_wrong_keys_are_refused() -> None:
    async with emulated("alpaca", speed=0) as venue:
        with pytest.raises(UnknownName, match="did you mean 'BTC/USD'"):
            await feed_of(venue, "alpaca", "BTC/USDD").connect(lambda event: None)
        keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": "wrong-wrong"}
        feed = CcxtFeed(ccxt_account(venue, "alpaca"), [Instrument(0, "BTC/USD")], environ=keys)
        with pytest.raises((KeysRefused, VenueRefused), match="alpaca"):
            await feed.connect(lambda event: None)
        assert not feed.pool.is_open


# -- rows ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "row",
    [
        [60_000, 1.0, 2.0, 0.5, None, 3.0],
        [60_000, 3.0, 2.0, 0.5, 1.0, 3.0],
        [60_000, 1.0, 2.0, 0.0, 1.0, 3.0],
        [60_000, 1.0, 2.0, 0.5, 1.0, -3.0],
        [60_000, 1.0, float("inf"), 0.5, 1.0, 3.0],
    ],
)
def test_bars_that_cannot_be_true_are_dropped(row: list[Any]) -> None:
    with pytest.raises(Dropped):
        bar_of(row, 0)


def test_a_bar_carries_its_close() -> None:
    assert bar_of([60_000, 1.0, 2.0, 0.5, 1.5, 3.0], 4) == Bar(120 * 10**9, 4, 1.0, 2.0, 0.5, 1.5, 3.0)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"bid": 1.0, "ask": None}, "one side only"),
        ({"bid": 2.0, "ask": 1.0}, "crossed"),
        ({"bid": float("nan"), "ask": 1.0}, "one side only"),
    ],
)
def test_quotes_that_cannot_be_true_are_dropped(row: dict[str, Any], why: str) -> None:
    with pytest.raises(Dropped, match=why):
        quote_of(row, 0, 7)


def test_a_quote_without_a_time_is_of_now() -> None:
    assert quote_of({"bid": "1.5", "ask": 2.0, "bidVolume": None, "askVolume": -1}, 1, 7) == Quote(
        7, 1, 1.5, 0.0, 2.0, 0.0
    )


@pytest.mark.parametrize(
    "row",
    [
        {"price": 0.0, "amount": 1.0, "timestamp": 1},
        {"price": "x", "amount": 1.0, "timestamp": 1},
        {"price": 1.0, "amount": -1.0, "timestamp": 1},
        {"price": 1.0, "amount": 1.0, "timestamp": None},
    ],
)
def test_prints_that_cannot_be_true_are_dropped(row: dict[str, Any]) -> None:
    with pytest.raises(Dropped):
        trade_of(row, 0)


def test_a_print_knows_its_aggressor() -> None:
    row = {"price": 2.0, "amount": 3.0, "timestamp": 5, "side": "sell"}
    assert trade_of(row, 1) == Trade(5_000_000, 1, 2.0, 3.0, -1)


async def test_bars_that_were_missed_while_nothing_could_be_asked_come_first() -> None:
    """Where bars are asked for, not streamed: the last three are not enough after a while."""
    async with emulated("binance", speed=1.0, limits=False) as venue:
        feed, came = feed_of(venue, "binance", events="poll", poll_s=0.05, channels="bars"), list[Any]()
        board = venue.exchange.market.board("BTCUSDT")
        await feed.connect(came.append)
        feed.pool.health.probe = None  # the clock is set by hand

        await minute_on(venue, feed)
        await until(lambda: bool(came) and came[-1].ts_ns == board.candles[-1].end_ns)
        fault = venue.faults.add(Fault(what="status", where="rest:GET /api/v3/klines", status=503))
        await until(lambda: feed.state != "live")
        for _ in range(7):
            await minute_on(venue, feed)
        venue.faults.remove(fault)
        await until(lambda: came[-1].ts_ns == board.candles[-1].end_ns)
        told = [(bar.ts_ns, bar.close) for bar in came]
        assert told == [(c.end_ns, c.close) for c in board.candles if c.end_ns >= told[0][0]]
        assert feed.watches.backfilled >= 4
        await feed.close()


async def test_the_beginning_of_a_minute_that_ccxt_still_keeps_is_not_told_after_a_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A frame came while nobody watched, and the rest of its minute was lost: ccxt tells it with the next one."""
    async with emulated("binance", speed=1.0, limits=False) as venue:
        feed, came = feed_of(venue, "binance", channels="bars"), list[Any]()
        board = venue.exchange.market.board("BTCUSDT")
        await feed.connect(came.append)
        feed.pool.health.probe = None  # the clock is set by hand

        for _ in range(2):
            await minute_on(venue, feed)
        await until(lambda: bool(came) and came[-1].ts_ns == board.candles[-1].end_ns)
        monkeypatch.setattr(feed.late_bars[0], "_hold_s", 60.0)
        unanswered = venue.faults.add(Fault(what="status", where="rest:GET /api/v3/klines", status=503))
        fault = venue.faults.add(Fault(what="invalid_json", where="stream:market:kline_1m"))
        last = board.candles[-1]
        [kept] = feed.client.exchange.ohlcvs["BTC/USDT"].values()
        kept.append([last.end_ns // 1_000_000, last.close, last.close, last.close, last.close, 0.0])
        await minute_on(venue, feed)
        await until(lambda: feed.watches.garbled > 0)
        venue.faults.remove(fault)
        await until(lambda: feed.state == "live")
        frames = feed.watches.frames
        await minute_on(venue, feed)
        await until(lambda: feed.watches.frames > frames)
        venue.faults.remove(unanswered)  # so what is streamed comes first
        for _ in range(2):
            await minute_on(venue, feed)
            await until(lambda: came[-1].ts_ns == board.candles[-1].end_ns)
        told = [(bar.ts_ns, bar.high, bar.low, bar.close) for bar in came]
        assert told == [(c.end_ns, c.high, c.low, c.close) for c in board.candles if c.end_ns >= told[0][0]]
        await feed.close()
