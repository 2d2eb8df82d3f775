"""What every venue's feed keeps when its stream breaks: every bar of the venue, once, in order, finished."""

import contextlib
from collections.abc import AsyncIterator, Callable
from time import time_ns
from typing import Any

import msgspec
import pytest

from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.feed import AlpacaFeed
from workbench.brokers.binance.feed import BinanceFeed
from workbench.brokers.ccxt.feed import CcxtFeed
from workbench.brokers.ibkr.feed import IbkrFeed
from workbench.brokers.pool import late_bars
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.market import Candle
from workbench.testbed.rigs.alpaca import alpaca_account
from workbench.testbed.rigs.binance import binance_account
from workbench.testbed.rigs.ccxt import ccxt_account, keys_of
from workbench.testbed.rigs.ibkr import ibkr_account

MINUTE_S = 60.0


class Place(msgspec.Struct):
    """A venue: how it and its feed list what is traded, how its feed is made, where its history and its bars can be
    disturbed."""

    venue: str
    listed: tuple[str, ...]
    feed: Callable[[Emulator, list[Instrument]], Any]
    history: str
    bars: str
    symbols: tuple[str, ...] = ()
    exact: bool = True  # streamed bars are the venue's own, to the last digit


def _alpaca(venue: Emulator, instruments: list[Instrument]) -> AlpacaFeed:
    keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}
    return AlpacaFeed(alpaca_account(venue, options={"channels": "bars"}), instruments, environ=keys)


def _binance(venue: Emulator, instruments: list[Instrument]) -> BinanceFeed:
    return BinanceFeed(binance_account(venue, options={"channels": "bars"}), instruments)


def _ccxt(venue: Emulator, instruments: list[Instrument]) -> CcxtFeed:
    account = ccxt_account(venue, "binance", options={"channels": "bars"})
    return CcxtFeed(account, instruments, environ=keys_of(venue))


def _ibkr(venue: Emulator, instruments: list[Instrument]) -> IbkrFeed:
    return IbkrFeed(ibkr_account(venue, options={"channels": "bars"}), instruments)


PLACES = {
    "alpaca": Place("alpaca", ("SPY", "AAPL"), _alpaca, "rest:GET /v2/stocks/bars", "stream:stocks:b"),
    "alpaca crypto": Place(
        "alpaca", ("BTC/USD",), _alpaca, "rest:GET /v1beta3/crypto/{loc}/bars", "stream:crypto:b"
    ),
    "binance": Place(
        "binance", ("BTCUSDT", "ETHUSDT"), _binance, "rest:GET /api/v3/klines", "stream:market:kline_1m"
    ),
    "ibkr": Place(
        "ibkr",
        ("SPY", "AAPL"),
        _ibkr,
        "rest:GET /v1/api/iserver/marketdata/history",
        "stream:ws:smd",  # bars are made of ticks there
        exact=False,
    ),
    "ccxt": Place(
        "binance",
        ("BTCUSDT", "ETHUSDT"),
        _ccxt,
        "rest:GET /api/v3/klines",
        "stream:market:kline_1m",
        ("BTC/USDT", "ETH/USDT"),
    ),
}


class Watch:
    """A connected feed, what it has told, and the venue's own candles."""

    def __init__(self, place: Place, venue: Emulator) -> None:
        self.place, self.venue = place, venue
        self.instruments = [
            Instrument(iid, symbol) for iid, symbol in enumerate(place.symbols or place.listed)
        ]
        self.feed = place.feed(venue, self.instruments)
        self.told: list[Bar] = []

    def take(self, event: MarketEvent) -> None:
        assert isinstance(event, Bar)
        self.told.append(event)

    @property
    def stream(self) -> Any:
        [stream] = self.feed.pool.streams
        return stream

    def candles(self, iid: int) -> list[Candle]:
        return list(self.venue.exchange.market.board(self.place.listed[iid]).candles)

    @property
    def asked(self) -> int:
        return sum(late.asked for late in self.feed.late_bars)

    def count(self, iid: int) -> int:
        return len(self.candles(iid))

    async def minutes(self, count: int) -> None:
        """The venue's market goes on so many minutes."""
        for _ in range(count):
            await self._minute()

    async def _minute(self) -> None:
        before = {i.iid: self.count(i.iid) for i in self.instruments}
        # to just after its end: none ends by itself, with nothing read of it, while the test looks
        over_s = self.venue.exchange.clock.now_ns() / 1e9 % MINUTE_S
        self.venue.console.advance(MINUTE_S + 0.5 - over_s)
        now_ns = time_ns()
        self.feed.pool.health.clock.measured(self.venue.exchange.clock.now_ns(), now_ns, now_ns)
        await until(lambda: all(self.count(iid) > n for iid, n in before.items()))
        if isinstance(
            self.feed, IbkrFeed
        ):  # its bars are made of ticks: each minute needs one that was read in it
            self.feed._offsets.append(self.venue.exchange.clock.now_ns() - time_ns())
            await until(lambda: self._ticked() or self.feed.state != "live")

    def _ticked(self) -> bool:
        """Whether a price of the minute under way has been read of every instrument."""
        now_ns = self.venue.exchange.clock.now_ns()
        makers = [screen.maker for screen in self.feed._screens.values()]
        return all(m._start_ns == now_ns - now_ns % m._length_ns and m._open > 0 for m in makers)

    def whole(self) -> bool:
        """Whether everything the venue has traded since the first bar told was told, and nothing else."""
        shown = 5 if self.place.exact else 1
        for instrument in self.instruments:
            told = [
                (b.ts_ns, b.open, b.high, b.low, b.close)[:shown]
                for b in self.told
                if b.iid == instrument.iid
            ]
            if not told:
                return False
            there = [
                (c.end_ns, c.open, c.high, c.low, c.close)[:shown]
                for c in self.candles(instrument.iid)
                if c.end_ns >= told[0][0]
            ]
            assert [row[0] for row in told] == sorted({row[0] for row in told})
            assert told == there[: len(told)]
            if len(told) != len(there):
                return False
        return True

    async def caught_up(self) -> None:
        """Everything is told, at the latest when another minute is over (each instrument may be subscribed anew by
        itself, after the stream is open: its next bar tells then that one lies between)."""
        for _ in range(5):
            await self.minutes(1)
            with contextlib.suppress(AssertionError):
                await until(self.whole, 2)
                return
        await until(self.whole)

    async def more(self) -> None:
        """Each instrument's bars go on, at the latest when another minute is over."""
        before = {i.iid: sum(b.iid == i.iid for b in self.told) for i in self.instruments}

        def went_on() -> bool:
            return all(sum(b.iid == iid for b in self.told) > n for iid, n in before.items())

        for _ in range(5):
            await self.minutes(1)
            with contextlib.suppress(AssertionError):
                await until(went_on, 2)
                return
        await until(went_on)

    async def away(self) -> None:
        """The stream breaks, and the venue takes no connection."""
        self.venue.faults.add(Fault(what="status", where="connect:*", status=503))
        self.venue.console.streams(cut=True)
        await until(lambda: self.feed.state != "live")

    async def back(self) -> None:
        self.venue.faults.clear()
        await until(lambda: self.feed.state == "live")


@pytest.fixture(params=PLACES)
async def watch(request: pytest.FixtureRequest) -> AsyncIterator[Watch]:
    place = PLACES[request.param]
    async with emulated(place.venue, speed=1.0, limits=False, market_open="always") as venue:
        made = Watch(place, venue)
        await made.feed.connect(made.take)
        made.feed.pool.health.probe = None  # the clock is set by hand
        for late in made.feed.late_bars:
            late._hold_s = 60.0  # a busy machine may take its seconds
        try:
            await made.minutes(2)
            await made.caught_up()
            yield made
        finally:
            await made.feed.close()


async def test_bars_missed_while_the_stream_was_away_are_told_before_newer_ones(watch: Watch) -> None:
    before = len(watch.told)
    await watch.away()
    await watch.minutes(5)
    assert len(watch.told) == before
    await watch.back()
    await until(lambda: watch.stream.backfilled >= 4 * len(watch.instruments))
    assert [b.ts_ns for b in watch.told] == sorted(b.ts_ns for b in watch.told)  # of all instruments
    await watch.caught_up()
    assert watch.stream.backfilled >= 5 * len(watch.instruments)
    assert (watch.stream.unfilled, watch.stream.gaps > 0) == (0, True)
    [row] = watch.feed.pool.snapshot().streams
    assert (row.backfilled, row.unfilled) == (watch.stream.backfilled, 0)


async def test_a_bar_whose_frame_cannot_be_read_is_asked_for(watch: Watch) -> None:
    # all of a minute's frames, the one that finishes the bar among them; of ticks a few
    count = 0 if watch.place.exact else len(watch.instruments)
    asked = watch.asked
    watch.venue.faults.add(Fault(what="invalid_json", where=watch.place.bars, count=count))
    await watch.minutes(1)
    await until(lambda: watch.stream.garbled >= len(watch.instruments) and watch.asked > asked)
    if watch.place.exact:
        watch.venue.faults.clear()
    await watch.caught_up()
    assert watch.stream.backfilled >= len(watch.instruments) * watch.place.exact
    assert watch.stream.unfilled == 0


async def test_a_history_that_answers_late_is_asked_again(watch: Watch) -> None:
    await watch.away()
    await watch.minutes(3)
    watch.venue.faults.clear()
    watch.venue.faults.add(Fault(what="status", where=watch.place.history, status=503, count=3))
    await until(lambda: watch.feed.state == "live")
    await until(lambda: watch.stream.backfilled >= 2 * len(watch.instruments))
    await watch.caught_up()
    assert watch.stream.unfilled == 0


async def test_a_history_that_never_answers_holds_no_bar_up_for_long(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for late in watch.feed.late_bars:
        monkeypatch.setattr(late, "_hold_s", 0.3)
    await watch.away()
    await watch.minutes(2)
    watch.venue.faults.clear()
    watch.venue.faults.add(Fault(what="status", where=watch.place.history, status=503))
    await until(lambda: watch.feed.state == "live")
    await watch.more()
    assert watch.stream.unfilled >= len(watch.instruments)
    assert watch.stream.backfilled == 0
    assert "could not be had, and is not told" in caplog.text
    watch.venue.faults.clear()
    await watch.more()
    assert watch.feed.state == "live"
    for instrument in watch.instruments:
        times = [b.ts_ns for b in watch.told if b.iid == instrument.iid]
        assert times == sorted(set(times))


async def test_no_break_no_question(watch: Watch) -> None:
    await watch.minutes(3)
    await until(watch.whole)
    assert (watch.stream.backfilled, watch.stream.gaps, watch.stream.unfilled) == (0, 0, 0)
    assert watch.asked == 0


def test_bars_wait_for_seconds_at_most() -> None:
    assert late_bars._HOLD_S <= 5.0
