"""Market data through the emulator, and rows that cannot be true."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.feed import AlpacaFeed
from workbench.brokers.alpaca.market import DataRow, Dropped, bar_of, quote_of, time_of, trade_of
from workbench.brokers.alpaca.rules import instruments_of
from workbench.errors import KeysRefused, UnknownName, VenueGarbled, VenueRefused
from workbench.feeds.live import LiveFeed
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.rigs.alpaca import alpaca_account

SPY, BTC = Instrument(0, "SPY"), Instrument(1, "BTC/USD", tick_e8=1, lot_e8=1, calendar="24/7")


def feed_of(venue: Emulator, *instruments: Instrument, **more: Any) -> AlpacaFeed:
    keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": more.pop("secret", venue.facts["secret"])}
    account = alpaca_account(venue, options=more.pop("options", {}))
    return AlpacaFeed(account, instruments, environ=keys, **more)


@pytest.fixture
async def venue() -> AsyncIterator[Emulator]:
    async with emulated("alpaca", speed=600.0, limits=False) as made:
        yield made


@pytest.mark.parametrize("packed", [False, True])
async def test_stocks_and_crypto_flow_with_our_numbers(venue: Emulator, packed: bool) -> None:
    feed, events = feed_of(venue, SPY, BTC, packed=packed), list[MarketEvent]()
    assert isinstance(feed, LiveFeed)
    assert feed.state == "closed"
    await feed.connect(events.append)
    assert feed.state == "live"
    for kind in (Bar, Quote, Trade):
        for iid in (0, 1):
            await until(lambda kind=kind, iid=iid: any(type(e) is kind and e.iid == iid for e in events))  # type: ignore[misc, union-attr]
    assert all(e.ts_ns > 1_600_000_000 * 10**9 for e in events)
    bars = [e for e in events if isinstance(e, Bar) and e.iid == 0]
    assert all(b.low <= min(b.open, b.close) <= max(b.open, b.close) <= b.high for b in bars)
    assert [b.ts_ns for b in bars] == sorted({b.ts_ns for b in bars})
    rows = feed.pool.snapshot().streams
    assert [(row.state, row.unconfirmed) for row in rows] == [("live", 0)] * 2
    await feed.close()
    await feed.close()
    assert feed.state == "closed"


async def test_only_what_was_asked_for_is_subscribed(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY, options={"channels": "bars"}), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: len(events) >= 2)
    assert {type(event) for event in events} == {Bar}
    await feed.close()


async def test_after_a_break_it_subscribes_again(venue: Emulator) -> None:
    feed, events = feed_of(venue, SPY), list[MarketEvent]()
    await feed.connect(events.append)
    await until(lambda: bool(events))
    await venue.console.do("streams", {"cut": True}) if hasattr(venue.console, "do") else cut(venue)
    [stream] = feed.pool.streams
    await until(lambda: stream.connects >= 2 and stream.state == "live")
    events.clear()
    await until(lambda: bool(events))
    await feed.close()


def cut(venue: Emulator) -> None:
    for client in list(venue.venue.stocks._clients):  # type: ignore[attr-defined]
        client.link.cut()


async def test_a_wrong_key_is_refused_by_name(venue: Emulator) -> None:
    feed = feed_of(venue, BTC, secret="wrong")
    with pytest.raises(KeysRefused, match=r"alpaca: .*auth failed"):
        await feed.connect(lambda event: None)
    assert feed.state == "closed"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"feed": "iexx"}, "alpaca feed 'iexx' is unknown: did you mean 'iex'"),
        ({"channels": "bars,quots"}, "alpaca channel 'quots' is unknown: did you mean 'quotes'"),
        ({"fed": "iex"}, "alpaca option 'fed' is unknown: did you mean 'feed'"),
    ],
)
async def test_options_are_checked_before_anything_connects(
    venue: Emulator, options: dict[str, str], says: str
) -> None:
    with pytest.raises(UnknownName) as caught:
        feed_of(venue, SPY, options=options)
    assert says in str(caught.value)


async def test_history_comes_page_by_page(venue: Emulator) -> None:
    feed = feed_of(venue, SPY, BTC)
    await feed.connect(lambda event: None)
    await until(lambda: feed.events > 30)
    for symbol in ("SPY", "BTC/USD"):
        bars = await feed.history.bars(symbol, "2020-01-01", "2030-01-01")
        assert len(bars) > 10
        assert [b.ts_ns for b in bars] == sorted(b.ts_ns for b in bars)
        prints = await feed.history.trades(symbol, "2020-01-01", "2030-01-01")
        assert all(p.px > 0 for p in prints)
    assert (await feed.history.quotes("SPY", "2020-01-01", "2030-01-01"))[0].iid == 0
    await feed.close()


async def test_bad_frames_are_counted_and_the_feed_goes_on(venue: Emulator) -> None:
    venue.faults.add(Fault(what="invalid_json", where="stream:stocks:q", count=3))
    feed, events = feed_of(venue, SPY), list[MarketEvent]()
    await feed.connect(events.append)
    [stream] = feed.pool.streams
    await until(lambda: stream.garbled >= 3 and any(isinstance(e, Quote) for e in events))
    assert stream.connects == 1
    await feed.close()


async def test_instruments_are_found_with_their_grids(venue: Emulator) -> None:
    keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}
    from pathlib import Path

    found = await instruments_of(alpaca_account(venue), ["SPY", "BTC/USD"], Path(), keys)
    assert [(i.iid, i.symbol, i.venue, i.calendar) for i in found] == [
        (0, "SPY", "ALPACA", "XNYS"),
        (1, "BTC/USD", "ALPACA", "24/7"),
    ]
    with pytest.raises(VenueRefused, match=r"alpaca: .*NOPE") as caught:
        await instruments_of(alpaca_account(venue), ["NOPE"], Path(), keys)
    assert (caught.value.status, caught.value.field) == (404, "symbol")


# -- rows --------------------------------------------------------------------------------------------------------
def row(**fields: Any) -> DataRow:
    return msgspec.convert({"t": "2024-07-18T05:02:00Z", **fields}, DataRow)


GOOD_BAR = {"o": 64625.4, "h": 64625.4, "l": 64598.55, "c": 64616.2175, "v": 0.015155213}


def test_a_bar_is_named_by_its_close() -> None:
    bar = bar_of(row(**GOOD_BAR), 3)
    assert bar == Bar(1721278980 * 10**9, 3, 64625.4, 64625.4, 64598.55, 64616.2175, 0.015155213)


@pytest.mark.parametrize(
    "wrong",
    [
        {"o": math.nan},
        {"h": math.inf},
        {"l": 0.0},
        {"l": -1.0},
        {"c": 64598.0},
        {"o": 64626.0},
        {"v": -1.0},
        {"v": math.inf},
        {"c": None},
    ],
)
def test_bars_that_cannot_be_true_are_dropped(wrong: dict[str, float]) -> None:
    with pytest.raises(Dropped):
        bar_of(row(**{**GOOD_BAR, **wrong}), 0)


def test_quotes_and_prints() -> None:
    quote = quote_of(row(bp=69625.1, bs=0.675524, ap=69684.9, **{"as": 0.682}), 0)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (69625.1, 0.675524, 69684.9, 0.682)
    trade = trade_of(row(p=64625.4, s=0.015155213, tks="B", i=2880534893454904000), 0)
    assert (trade.px, trade.size, trade.side) == (64625.4, 0.015155213, 1)


@pytest.mark.parametrize(
    "wrong", [{"bp": 0.0}, {"ap": 0.0}, {"bp": 70000.0}, {"bp": math.nan}, {"ap": math.inf}, {"bp": -1.0}]
)
def test_quotes_that_cannot_be_true_are_dropped(wrong: dict[str, float]) -> None:
    with pytest.raises(Dropped):
        quote_of(row(**{"bp": 69625.1, "ap": 69684.9, **wrong}), 0)


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"p": math.nan}, {"p": 1e400}, {"s": -1.0}, {"s": math.inf}])
def test_prints_that_cannot_be_true_are_dropped(wrong: dict[str, float]) -> None:
    with pytest.raises(Dropped):
        trade_of(row(**{"p": 1.0, "s": 1.0, **wrong}), 0)


@pytest.mark.parametrize(
    "wrong",
    ["", "yesterday", "2024-07-18", None, msgspec.msgpack.Ext(5, b"12345678"), msgspec.msgpack.Ext(-1, b"1")],
)
def test_times_that_are_none_are_typed_errors(wrong: Any) -> None:
    if wrong == "":
        assert time_of(wrong) == 0
        return
    with pytest.raises(VenueGarbled):
        time_of(wrong)


def test_message_pack_times_of_every_length() -> None:
    ext = msgspec.msgpack.Ext
    assert time_of(ext(-1, (1721278943).to_bytes(4, "big"))) == 1721278943 * 10**9
    assert time_of(ext(-1, (898910982 << 34 | 1721278943).to_bytes(8, "big"))) == 1721278943898910982
    long = (898910982).to_bytes(4, "big") + (1721278943).to_bytes(8, "big")
    assert time_of(ext(-1, long)) == 1721278943898910982


async def test_late_quotes_are_merged_to_the_newest_and_prints_never() -> None:
    async with emulated("alpaca", speed=0, limits=False) as venue:
        feed, events = feed_of(venue, SPY), list[MarketEvent]()
        await feed.connect(events.append)
        [stream] = feed.pool.streams
        old = [row(T="q", S="SPY", bp=1.0 + n, ap=2.0 + n) for n in range(5)] + [
            row(T="t", S="SPY", p=1.0, s=1.0, i=n, x=x) for n, x in ((1, "V"), (2, "V"), (2, "V"), (2, "D"))
        ]
        before = len(events)
        feed.take(old, {"SPY": 0}, stream)
        assert [getattr(e, "bid", None) for e in events[before:]] == [5.0, None, None, None]
        assert (feed.merged, feed.dropped) == (4, {"told before": 1})
        await feed.close()
        await asyncio.sleep(0)
