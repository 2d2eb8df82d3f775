"""Market data of Binance through the emulator, and rows that cannot be true."""

import contextlib
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tests.brokers.binance.desk import BTC, ETH
from tests.brokers.pool.wires import until
from workbench.brokers.binance import feed as feed_module
from workbench.brokers.binance.feed import BinanceFeed
from workbench.brokers.binance.market import Dropped, Kline, Row, bar_of, bar_of_row, quote_of, trade_of
from workbench.errors import BadInput, VenueGarbled, VenueRefused
from workbench.feeds.live import LiveFeed
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade
from workbench.model.scale import to_e8
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.market import Board
from workbench.testbed.rigs.binance import binance_account


class Watch:
    """A connected feed and what it has told."""

    def __init__(self, feed: BinanceFeed) -> None:
        self.feed, self.events = feed, list[MarketEvent]()

    def of[T](self, kind: type[T], iid: int = 0) -> list[T]:
        return [e for e in self.events if type(e) is kind and e.iid == iid]  # type: ignore[union-attr]


@contextlib.asynccontextmanager
async def watching(venue: Emulator, *instruments: Instrument, **options: Any) -> AsyncIterator[Watch]:
    watch = Watch(BinanceFeed(binance_account(venue, options=options), instruments or (BTC, ETH)))
    await watch.feed.connect(watch.events.append)
    try:
        yield watch
    finally:
        await watch.feed.close()


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("binance", speed=600.0, limits=False) as made:
        yield made


@pytest.fixture
async def still() -> AsyncIterator[Emulator]:
    """A venue whose market stands still."""
    async with emulated("binance", speed=0, limits=False) as made:
        yield made


def board(venue: Emulator) -> Board:
    return venue.exchange.market.board("BTCUSDT")


async def test_bars_quotes_and_trades_flow_with_our_numbers(venue: Emulator) -> None:
    async with watching(venue) as watch:
        assert isinstance(watch.feed, LiveFeed)
        assert watch.feed.state == "live"
        for kind in (Bar, Quote, Trade):
            for iid in (0, 1):
                await until(lambda kind=kind, iid=iid: bool(watch.of(kind, iid)))  # type: ignore[misc]
        await until(lambda: len(watch.of(Bar)) >= 3)
        bars = watch.of(Bar)
        assert all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)
        assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
        [row] = watch.feed.pool.snapshot().streams
        assert (row.state, row.unconfirmed) == ("live", 0)
        assert (watch.feed.missed, watch.feed.dropped) == (0, {})
    await watch.feed.close()
    assert watch.feed.state == "closed"


async def test_only_what_was_asked_for_is_subscribed(venue: Emulator) -> None:
    async with watching(venue, BTC, channels="bars") as watch:
        await until(lambda: len(watch.events) >= 2)
        assert {type(event) for event in watch.events} == {Bar}


@pytest.mark.parametrize("what", ["cut", "shutdown"])
async def test_after_a_break_it_subscribes_again(venue: Emulator, what: str) -> None:
    async with watching(venue) as watch:
        await until(lambda: bool(watch.events))
        if what == "cut":
            venue.console.streams(cut=True)
        else:  # the venue says that it is about to go away
            venue.venue.streams.farewell()  # type: ignore[attr-defined]
        [stream] = watch.feed.pool.streams
        await until(lambda: stream.connects >= 2 and watch.feed.state == "live")
        watch.events.clear()
        await until(lambda: bool(watch.of(Trade)) and bool(watch.of(Quote)))


async def test_a_mute_stream_is_stale_and_then_opened_again(
    venue: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pongs still come: only the data's age tells."""
    monkeypatch.setattr(feed_module, "_SILENT_S", 0.3)
    async with watching(venue, BTC, channels="trades,depth") as watch:
        book = watch.feed.book("BTCUSDT")
        assert book is not None
        await until(lambda: bool(watch.of(Trade)) and book.is_live)
        [stream] = watch.feed.pool.streams
        begun = stream.connects
        fault = venue.faults.add(Fault(what="mute", where="stream:market:*@*"))
        other = venue.faults.add(Fault(what="mute", where="stream:market:*"))
        await until(lambda: watch.feed.state == "stale")
        await until(lambda: stream.connects > begun)
        venue.faults.remove(fault)
        venue.faults.remove(other)
        await until(lambda: watch.feed.state == "live" and not stream.ledger.unconfirmed)
        watch.events.clear()
        await until(lambda: bool(watch.of(Trade)) and book.is_live)


async def test_a_subscription_the_venue_refuses_is_asked_for_again(still: Emulator) -> None:
    wrong = {"error": {"code": 2, "msg": "Invalid request: too many parameters"}}
    still.faults.add(Fault(what="mutate", where="stream:market:answer", count=1, set=wrong))
    async with watching(still, BTC, channels="trades") as watch:
        [stream] = watch.feed.pool.streams
        assert stream.connects == 2
        assert stream.ledger.unconfirmed == 0
        still.exchange.print_at(board(still), 60_000.0, 1.0)
        await until(lambda: len(watch.events) == 1)


async def test_more_streams_than_a_connection_may_have_are_refused(still: Emulator) -> None:
    many = [Instrument(n, f"A{n}USDT", "BINANCE", "USDT", 1, 1, "24/7") for n in range(257)]
    settings = binance_account(still, options={"channels": "bars,quotes,trades,depth"})
    with pytest.raises(BadInput, match=r"257 symbols with 4 channels are 1028 streams, at most 1024"):
        BinanceFeed(settings, many)
    assert BinanceFeed(settings, many[:256]).state == "closed"


async def test_a_symbol_nobody_lists_is_silent_and_the_others_are_not(venue: Emulator) -> None:
    """The venue confirms any name: orders in it are refused, its data never comes."""
    nope = Instrument(2, "NOPEUSDT", "BINANCE", "USDT", 1, 1, "24/7")
    async with watching(venue, BTC, nope) as watch:
        await until(lambda: bool(watch.of(Trade)))
        assert not watch.of(Trade, 2)


async def test_prints_that_are_skipped_are_counted_and_repeated_ones_dropped(still: Emulator) -> None:
    async with watching(still, BTC, channels="trades") as watch:
        still.exchange.print_at(board(still), 60_000.0, 1.0)
        await until(lambda: len(watch.events) == 1)
        still.faults.add(Fault(what="drop", where="stream:market:trade", count=2))
        for px in (60_001.0, 60_002.0, 60_003.0):
            still.exchange.print_at(board(still), px, 1.0)
        await until(lambda: len(watch.events) == 2)
        still.faults.clear()
        still.faults.add(Fault(what="duplicate", where="stream:market:trade", times=2))
        still.exchange.print_at(board(still), 60_004.0, 1.0)
        await until(lambda: watch.feed.dropped["told before"] >= 1)
        assert [e.px for e in watch.of(Trade)] == [60_000.0, 60_003.0, 60_004.0]
        assert watch.feed.missed == 2


async def test_bad_frames_are_counted_and_the_feed_goes_on(venue: Emulator) -> None:
    venue.faults.add(Fault(what="invalid_json", where="stream:market:bookTicker", count=3))
    async with watching(venue) as watch:
        [stream] = watch.feed.pool.streams
        await until(lambda: stream.garbled >= 3 and bool(watch.of(Quote)))
        assert stream.connects == 1


# -- books -------------------------------------------------------------------------------------------------------
def there(venue: Emulator) -> tuple[dict[int, int], dict[int, int]]:
    """The venue's own book."""
    bids, asks = dict(board(venue).book.bids), dict(board(venue).book.asks)
    return tuple(
        {to_e8(f"{px:.8f}"): to_e8(f"{size:.8f}") for px, size in side.items()} for side in (bids, asks)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("what", ["", "drop", "duplicate", "cut"])
async def test_law_a_book_kept_from_changes_is_the_venues(still: Emulator, what: str) -> None:
    """Whatever is lost or doubled on the way: a gap is seen, and the book begins anew."""

    def stirred(condition: Callable[[], bool]) -> bool:
        if not condition():
            still.console.step()
        return condition()

    async with watching(still, BTC, channels="depth") as watch:
        book = watch.feed.book("BTCUSDT")
        assert book is not None
        await until(lambda: stirred(lambda: book.is_live and book.last_id > 0))
        if what in ("drop", "duplicate"):
            times = 2 if what == "duplicate" else 1
            still.faults.add(Fault(what=what, where="stream:market:depth*", count=2, times=times))
        elif what == "cut":
            still.console.streams(cut=True)
            await until(lambda: not book.is_live)
        await until(lambda: stirred(lambda: what != "drop" or book.gaps > 0))
        begun = board(still).book.version
        await until(lambda: stirred(lambda: book.is_live and book.last_id > begun))
        await until(lambda: book.is_live and book.last_id == board(still).book.version)
        assert (book.bids, book.asks) == there(still)
        assert book.best is not None
        bids, asks = book.depth(3)
        assert bids[0][0] == book.best[0] < book.best[2] == asks[0][0]
        [stream] = watch.feed.pool.streams
        assert stream.gaps == book.gaps == (1 if what == "drop" else 0)
        assert not watch.events  # quotes come from the best prices alone


async def test_a_book_nobody_asked_for_is_not_kept(venue: Emulator) -> None:
    async with watching(venue, BTC) as watch:
        assert watch.feed.book("BTCUSDT") is None


async def test_while_a_snapshot_cannot_be_had_the_book_is_stale(venue: Emulator) -> None:
    venue.faults.add(Fault(what="status", where="rest:GET /api/v3/depth", status=503, count=4))
    async with watching(venue, BTC, channels="depth") as watch:
        book = watch.feed.book("BTCUSDT")
        assert book is not None
        await until(lambda: watch.feed.pool.meters.retried > 0)
        assert (book.is_live, book.best) == (False, None)
        await until(lambda: book.is_live)


# -- questions ---------------------------------------------------------------------------------------------------
async def test_history_and_tickers(venue: Emulator) -> None:
    async with watching(venue) as watch:
        await until(lambda: len(watch.of(Bar)) >= 2)
        bars = await watch.feed.bars("BTCUSDT", limit=100)
        assert len(bars) > 10
        assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
        streamed = watch.of(Bar)[0]
        assert streamed in await watch.feed.bars("BTCUSDT", start_ms=streamed.ts_ns // 10**6 - 60_000)
        prints = await watch.feed.trades("BTCUSDT", limit=50)
        assert all(p.px > 0 and p.iid == 0 for p in prints)
        ticker = await watch.feed.ticker("ETHUSDT")
        assert ticker.last > 0
        both = await watch.feed.tickers(["BTCUSDT", "ETHUSDT"], rolling=True)
        assert [one.symbol for one in both] == ["BTCUSDT", "ETHUSDT"]
        book = await watch.feed.depth("BTCUSDT", 5)
        assert len(book.bids) == len(book.asks) == 5
        with pytest.raises(VenueRefused, match="Invalid symbol"):
            await watch.feed.ticker("NOPEUSDT")


# -- rows --------------------------------------------------------------------------------------------------------
GOOD = {
    "t": 1_706_630_400_000,
    "T": 1_706_630_459_999,
    "o": "5",
    "h": "6",
    "l": "4",
    "c": "5.5",
    "v": "2",
    "x": True,
}


def kline(**fields: Any) -> Kline:
    return msgspec.convert({**GOOD, **fields}, Kline)


def test_a_bar_is_named_by_the_moment_it_closes() -> None:
    assert bar_of(kline(), 3) == Bar(1_706_630_460 * 10**9, 3, 5.0, 6.0, 4.0, 5.5, 2.0)
    micro = kline(t=1_706_630_400_000_000, T=1_706_630_459_999_999)
    assert bar_of(micro, 3) == bar_of(kline(), 3)


@pytest.mark.parametrize(
    "wrong",
    [{"l": "0"}, {"h": "5.2"}, {"l": "5.1"}, {"c": "nan"}, {"o": "ten"}, {"v": "-1"}, {"h": "inf"}],
    ids=str,
)
def test_bars_that_cannot_be_true_are_dropped(wrong: dict[str, str]) -> None:
    with pytest.raises(Dropped):
        bar_of(kline(**wrong), 0)


def test_a_candle_cut_short_is_garbled() -> None:
    with pytest.raises(VenueGarbled, match="a candle of 3 values"):
        bar_of_row([1, "2", "3"], 0)


def test_quotes_of_one_side_or_crossed_are_dropped() -> None:
    row = Row(b="100", B="1", a="101", A="2")
    assert quote_of(row, 0, 7) == Quote(7, 0, 100.0, 1.0, 101.0, 2.0)
    for bid, ask in (("0", "101"), ("100", ""), ("102", "101"), ("nan", "101")):
        with pytest.raises(Dropped):
            quote_of(Row(b=bid, B="1", a=ask, A="2"), 0, 7)


def test_who_made_the_price_says_who_took_it() -> None:
    sold = trade_of(Row(T=1_706_630_400_000, p="100", q="2", m=True), 0)
    assert sold == Trade(1_706_630_400 * 10**9, 0, 100.0, 2.0, -1)
    assert trade_of(Row(T=1, p="100", q="2", m=False), 0).side == 1
    for px, size in (("0", "1"), ("-1", "1"), ("100", "nan"), ("100", "-1"), (str(math.inf), "1")):
        with pytest.raises(Dropped):
            trade_of(Row(T=1, p=px, q=size), 0)
