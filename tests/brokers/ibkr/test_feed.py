"""Market data through the emulated gateway: quotes, prints, bars; sessions that end, data that stops."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.brokers.pool.wires import until
from workbench.brokers.ibkr import find_instruments
from workbench.brokers.ibkr.feed import IbkrFeed
from workbench.config import load_settings
from workbench.errors import BadValue, VenueRefused
from workbench.feeds.live import LiveFeed
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.ibkr import adapter_addresses
from workbench.testbed.rigs.ibkr import ibkr_account

SPY, AAPL = Instrument(0, "SPY"), Instrument(1, "AAPL")
SPEED = 600.0
MINUTE_NS = 60_000_000_000


def feed_of(venue: Emulator, *instruments: Instrument, **options: Any) -> IbkrFeed:
    account = ibkr_account(venue, options={"bar_s": 60.0 / SPEED, **options})
    return IbkrFeed(account, instruments or (SPY, AAPL))


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("ibkr", speed=SPEED, limits=False) as made:
        yield made


async def live(feed: IbkrFeed, connects: int) -> None:
    await until(lambda: feed.stream.connects >= connects and feed.stream.state == "live")


async def test_quotes_prints_and_bars_flow_with_our_numbers(venue: Emulator) -> None:
    feed, events = feed_of(venue), list[MarketEvent]()
    assert isinstance(feed, LiveFeed)
    assert feed.state == "closed"
    await feed.connect(events.append)
    assert feed.state == "live"
    for kind in (Quote, Trade, Bar):
        for iid in (0, 1):
            await until(lambda kind=kind, iid=iid: any(type(e) is kind and e.iid == iid for e in events))  # type: ignore[misc, union-attr]
    await until(lambda: sum(isinstance(e, Bar) for e in events) >= 8)
    for iid in (0, 1):
        bars = [e for e in events if isinstance(e, Bar) and e.iid == iid]
        assert all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)
        assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
        assert all(b.ts_ns % round(60.0 / SPEED * 1e9) == 0 for b in bars)
        quotes = [e for e in events if isinstance(e, Quote) and e.iid == iid]
        assert all(0 < q.bid <= q.ask for q in quotes)
    [row] = feed.pool.snapshot().streams
    assert (row.state, row.unconfirmed) == ("live", 0)
    await feed.close()
    await feed.close()
    assert feed.state == "closed"


async def test_bars_are_told_in_time_after_a_mistake(venue: Emulator) -> None:
    feed, calls = feed_of(venue, SPY), list[int]()
    await feed.connect(lambda event: None)
    [screen] = feed._screens.values()
    over = screen.maker.over

    def clumsy(now_ns: int) -> None:
        calls.append(now_ns)
        if len(calls) == 1:
            raise KeyError("px")
        over(now_ns)

    screen.maker.over = clumsy  # type: ignore[method-assign]
    await until(lambda: len(calls) >= 3)
    await feed.close()
    assert feed.dropped["bars that failed"] == 1


async def test_bars_hold_the_prints_of_their_span(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: sum(isinstance(e, Bar) for e in events) >= 3)
    await feed.close()
    length_ns = round(60.0 / SPEED * 1e9)
    for place, bar in enumerate(events):
        if not isinstance(bar, Bar):
            continue
        prints = [e for e in events[:place] if isinstance(e, Trade)]  # what comes later is late, and left out
        within = [p for p in prints if bar.ts_ns - length_ns <= p.ts_ns < bar.ts_ns]
        assert within
        found = (within[0].px, max(p.px for p in within), min(p.px for p in within), within[-1].px)
        assert (bar.open, bar.high, bar.low, bar.close) == found
        assert bar.volume == pytest.approx(sum(p.size for p in within))


async def test_only_what_was_asked_for_is_told(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY, channels="bars"), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: len(events) >= 2)
    assert {type(event) for event in events} == {Bar}
    await feed.close()


async def test_bars_from_the_history_are_the_venue_s_own() -> None:
    history = "rest:GET /v1/api/iserver/marketdata/history"
    async with emulated("ibkr", speed=1.0, limits=False) as venue:
        account = ibkr_account(venue, options={"bars": "history", "channels": "bars"})
        feed, events = IbkrFeed(account, [SPY]), list[MarketEvent]()
        clock, board = venue.exchange.clock, venue.exchange.market.board("SPY")
        await feed.connect(events.append)
        try:
            # to five seconds after a minute: none ends by itself while the test looks
            venue.console.advance(65.0 - clock.now_ns() % MINUTE_NS / 1e9)
            await until(lambda: board.candles[-1].end_ns == clock.now_ns() // MINUTE_NS * MINUTE_NS)
            await feed._ask_for_bars()
            first_ns = feed._told_ns[0]
            assert not events  # what was before is no event
            venue.console.advance(60.0)
            await until(lambda: venue.exchange.market.board("SPY").candles[-1].end_ns > first_ns)
            venue.console.step(5)
            await until(lambda: feed.venue_ns > first_ns + 30 * 10**9)
            await feed._ask_for_bars()
            [bar] = events
            candle = venue.exchange.market.board("SPY").candles[-1]
            assert isinstance(bar, Bar)
            assert (bar.open, bar.high, bar.low, bar.close) == (
                candle.open,
                candle.high,
                candle.low,
                candle.close,
            )
            assert bar.volume == pytest.approx(candle.volume, abs=1.0)  # shares
            assert bar.ts_ns > first_ns
            await feed._ask_for_bars()
            assert len(events) == 1
            venue.faults.add(Fault(what="status", where=history, status=400))
            await feed._ask_for_bars()
            assert feed.dropped["bars not to be had"] == 1
        finally:
            await feed.close()


@pytest.mark.parametrize("what", ["cut", "relogin", "nightly"])
async def test_after_a_break_it_goes_on_and_leaves_out_the_span_nobody_saw_whole(
    venue: Emulator, what: str
) -> None:
    feed, events = feed_of(venue, SPY), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: any(isinstance(e, Bar) for e in events))
    if what == "cut":
        venue.console.streams(cut=True)
    elif what == "relogin":
        venue.faults.add(Fault(what="quirk", where="quirk:relogin"))
        await feed.session.probe()
    else:
        venue.faults.add(Fault(what="nightly_reset"))
    await live(feed, 2)
    after_ns = max(e.ts_ns for e in events)
    events.clear()
    await until(lambda: any(isinstance(e, Bar) for e in events))
    length_ns = round(60.0 / SPEED * 1e9)
    first = next(e for e in events if isinstance(e, Bar))
    assert first.ts_ns - length_ns >= after_ns // length_ns * length_ns
    await feed.close()


async def test_the_span_under_way_when_the_socket_breaks_is_not_told_as_whole(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY, channels="bars", bar_s=60.0), list[MarketEvent]()
    await feed.connect(events.append)
    [screen] = feed._screens.values()
    at_ns = feed.venue_ns // (60 * 10**9) * (60 * 10**9) + 600 * 10**9  # later than all that comes meanwhile
    for minute in range(3):
        screen.maker.tick(at_ns + minute * 60 * 10**9, 100.0 + minute, 1.0)
    told = [e.close for e in events if isinstance(e, Bar)]
    assert told[-1] == 101.0
    venue.faults.add(Fault(what="status", where="connect:*", status=503))
    venue.console.streams(cut=True)
    await until(lambda: feed.stream.state == "waiting")
    screen.maker.over(at_ns + 180 * 10**9)
    assert [e.close for e in events if isinstance(e, Bar)] == told
    await feed.close()


async def test_bars_of_a_length_the_history_has_not_are_told_as_missing(
    venue: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    feed = feed_of(venue, SPY, channels="bars")
    await feed.connect(lambda event: None)
    venue.console.streams(cut=True)
    await live(feed, 2)
    await until(lambda: feed.stream.unfilled >= 1)
    assert "its history has no bars of 0.1 s" in caplog.text
    await feed.close()


async def test_subscriptions_are_renewed_before_they_end(venue: Emulator) -> None:
    feed = feed_of(venue)
    await feed.connect(lambda event: None)
    script = feed._script
    script._renewed_s -= 481
    commands = [script.heartbeat(), script.heartbeat()]
    assert commands == feed.commands()
    assert script.heartbeat() != commands[0]
    await feed.close()


async def test_silence_in_trading_hours_is_stale_and_then_a_reason_to_connect_anew(venue: Emulator) -> None:
    feed = feed_of(venue, SPY)
    await feed.connect(lambda event: None)
    feed.hours.is_open = lambda: True  # type: ignore[method-assign]
    venue.faults.add(Fault(what="drop", where="stream:ws:smd"))
    await until(lambda: feed._data_s > 0)
    feed._data_s -= 11
    assert feed.state == "stale"
    feed._data_s -= 30
    assert feed._script.heartbeat() is None
    await live(feed, 2)
    feed.hours.is_open = lambda: False  # type: ignore[method-assign]
    feed._data_s -= 3_600
    assert (feed.state, feed.silent()) == ("live", False)
    await feed.close()


async def test_frames_that_cannot_be_true_are_counted_and_left_out(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: len(events) > 5)
    for fault in (
        Fault(what="invalid_json", where="stream:ws:smd", count=2),
        Fault(what="mutate", where="stream:ws:smd", count=20, set={"31": "-5", "84": "1e999", "86": "x"}),
        Fault(what="mutate", where="stream:ws:smd", count=3, after=20, set={"topic": "smd+1"}),
    ):
        venue.faults.add(fault)
    await until(lambda: feed.dropped["not asked for"] >= 1)
    assert feed.dropped["prices that cannot be true"] >= 1
    assert feed.dropped["figures that cannot be true"] >= 1
    assert feed.pool.snapshot().streams[0].garbled >= 1
    events.clear()
    await until(lambda: len(events) > 20)
    assert all(e.px > 0 for e in events if isinstance(e, Trade))
    await feed.close()


async def test_history_comes_piece_by_piece_from_the_end(venue: Emulator) -> None:
    feed = feed_of(venue, SPY)
    await feed.connect(lambda event: None)
    await until(lambda: bool(feed._offsets))
    now_s = venue.exchange.clock.now_ns() / 1e9
    start, end = (datetime.fromtimestamp(s, UTC).isoformat() for s in (now_s - 86_400, now_s + 60))
    bars = await feed.bars("SPY", start, end)
    assert len(bars) > 1
    assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
    assert await feed.bars("AAPL", "2001-01-01", "2001-01-02") == []
    with pytest.raises(BadValue, match="give one of 1Min"):
        await feed.bars("SPY", start, end, "2Min")
    with pytest.raises(BadValue, match="give a date"):
        await feed.bars("SPY", "yesterday", end)
    await feed.close()


async def test_a_symbol_that_is_not_listed_is_refused_by_name(venue: Emulator) -> None:
    feed = feed_of(venue, Instrument(0, "NOSUCH"))
    with pytest.raises(VenueRefused, match="'NOSUCH' is no stock in the US"):
        await feed.connect(lambda event: None)
    assert feed.state == "closed"
    settings = load_settings(
        brokers={"ib": {"venue": "ibkr", "addresses": adapter_addresses(venue.facts), "limits": {"*": 10**6}}}
    )
    found = await find_instruments(settings, "ib", ["SPY", "AAPL"])
    assert [(i.iid, i.symbol, i.tick_e8) for i in found] == [(0, "SPY", 1_000_000), (1, "AAPL", 1_000_000)]
    with pytest.raises(VenueRefused, match="NOSUCH"):
        await find_instruments(settings, "ib", ["NOSUCH"])
