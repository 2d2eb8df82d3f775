"""Missed bars of several hundred symbols: all of them told, by a few questions, as long as bars can wait for them."""

from collections.abc import AsyncIterator
from time import time_ns
from typing import Any

import pytest

from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.feed import AlpacaFeed
from workbench.brokers.alpaca.history import TOGETHER
from workbench.brokers.pool import MOST_LATE_BARS
from workbench.errors import VenueDown
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.market import MINUTE_NS
from workbench.testbed.rigs.alpaca import alpaca_account

SYMBOLS = tuple(f"{a}{b}" for a in "ABCDEFGHIJKLMNOPQRST" for b in "ABCDEFGHIJKLMNO")
BARS = "/v2/stocks/bars"


class Crowd:
    """A feed of all SYMBOLS at an emulator whose minutes the test makes: one print a symbol, then its bar."""

    def __init__(self, venue: Emulator) -> None:
        self.venue, self.market = venue, venue.exchange.market
        keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}
        account = alpaca_account(venue, options={"channels": "bars"})
        instruments = [Instrument(iid, symbol) for iid, symbol in enumerate(SYMBOLS)]
        self.feed = AlpacaFeed(account, instruments, environ=keys)
        self.told: list[tuple[int, int]] = []  # minute, iid
        self.questions: list[int] = []  # by question: symbols in it
        self._minutes = 0

    def take(self, event: MarketEvent) -> None:
        assert isinstance(event, Bar)
        self.told.append(((event.ts_ns - self.market.base_ns) // MINUTE_NS, event.iid))

    @property
    def stream(self) -> Any:
        [stream] = self.feed.pool.streams
        return stream

    def minute(self, symbols: tuple[str, ...] = SYMBOLS, *, streamed: bool = True) -> None:
        self._minutes += 1
        clock = self.venue.exchange.clock
        end_ns = self.market.base_ns + self._minutes * MINUTE_NS
        clock.advance((end_ns - clock.now_ns()) / 1e9 + 2.0)
        now_ns = time_ns()
        self.feed.pool.health.clock.measured(clock.now_ns(), now_ns, now_ns)
        for symbol in symbols:
            board = self.market.board(symbol)
            self.venue.exchange.print_at(board, board.last, 1.0)
            candle = board.close_candle(end_ns)
            if streamed:
                self.market.tell(board, candle)

    async def away(self) -> None:
        self.venue.faults.add(Fault(what="status", where="connect:*", status=503))
        self.venue.console.streams(cut=True)
        await until(lambda: self.feed.state != "live")

    async def back(self) -> None:
        self.venue.faults.clear()
        await until(lambda: self.feed.state == "live")

    def everything(self, *minutes: int) -> list[tuple[int, int]]:
        return [(minute, iid) for minute in minutes for iid in range(len(SYMBOLS))]


@pytest.fixture
async def crowd(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    async with emulated("alpaca", speed=0, limits=False, market_open="always", symbols=SYMBOLS) as venue:
        made = Crowd(venue)
        await made.feed.connect(made.take)
        made.feed.pool.health.probe = None  # the clock is set by hand
        made.feed.late_bars[0]._hold_s = 60.0  # a busy machine may take its seconds
        plain = made.feed.client.market

        async def market(path: str, query: Any) -> bytes:
            if path == BARS:
                made.questions.append(query["symbols"].count(",") + 1)
            return await plain(path, query)

        monkeypatch.setattr(made.feed.client, "market", market)
        made.minute()
        await until(lambda: len(made.told) == len(SYMBOLS))
        yield made
        await made.feed.close()


async def test_all_missed_bars_are_told_after_a_few_questions(crowd: Crowd) -> None:
    await crowd.away()
    for _ in range(3):
        crowd.minute()
    await crowd.back()
    await until(lambda: len(crowd.told) == 4 * len(SYMBOLS))
    assert sorted(crowd.told) == crowd.everything(1, 2, 3, 4)
    assert [minute for minute, _ in crowd.told] == sorted(minute for minute, _ in crowd.told)
    assert crowd.questions == [TOGETHER] * 3
    assert (crowd.stream.backfilled, crowd.stream.unfilled) == (3 * len(SYMBOLS), 0)
    crowd.minute()
    await until(lambda: len(crowd.told) == 5 * len(SYMBOLS))
    assert sorted(crowd.told[-len(SYMBOLS) :]) == crowd.everything(5)
    assert len(crowd.questions) == 3


async def test_a_minute_that_shows_a_gap_in_all_of_them_is_asked_about_together(crowd: Crowd) -> None:
    """The history was behind when it was asked first; then 300 bars come that do not follow."""
    await crowd.away()
    await crowd.back()
    await until(lambda: len(crowd.questions) == 3)
    await until(lambda: not crowd.feed.late_bars[0]._tasks)
    crowd.minute(streamed=False)
    crowd.minute()
    await until(lambda: len(crowd.told) == 3 * len(SYMBOLS))
    assert sorted(crowd.told) == crowd.everything(1, 2, 3)
    assert crowd.stream.backfilled == len(SYMBOLS)
    assert len(crowd.questions) < len(SYMBOLS) / 10  # how many depends on the frames that are read at once


async def test_one_that_has_not_traded_for_long_is_asked_about_by_itself(crowd: Crowd) -> None:
    """Else hours of all the others would come with it."""
    for _ in range(200):
        crowd.minute(SYMBOLS[1:3])
    await until(lambda: len(crowd.told) == len(SYMBOLS) + 400)
    late = crowd.feed.late_bars[0]
    since_ns = {iid: late._join.sent_ns[iid] for iid in range(4)}
    before = len(crowd.questions)
    bars = await crowd.feed.history.bars_since(since_ns)
    assert crowd.questions[before:] == [2, 2]
    assert {bar.iid for bar in bars if bar.ts_ns > since_ns[bar.iid]} == set()
    assert len([bar for bar in bars if bar.iid in (1, 2)]) <= 4


async def test_pages_are_turned_and_only_the_newest_of_each_symbol_are_kept(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.brokers.alpaca.history._ROWS", "7")
    monkeypatch.setattr("workbench.brokers.alpaca.history.MOST_LATE_BARS", 5)
    for _ in range(8):
        crowd.minute(SYMBOLS[:3])
    since_ns = dict.fromkeys(range(3), crowd.market.base_ns)
    bars = await crowd.feed.history.bars_since(since_ns)
    found = sorted(((bar.ts_ns - crowd.market.base_ns) // MINUTE_NS, bar.iid) for bar in bars)
    assert found == [(minute, iid) for minute in range(5, 10) for iid in range(3)]
    assert MOST_LATE_BARS > 5


async def test_pages_that_do_not_end_are_an_error(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    async def same(path: str, query: Any) -> bytes:
        return b'{"bars": {}, "next_page_token": "again"}'

    monkeypatch.setattr(crowd.feed.client, "market", same)
    with pytest.raises(VenueDown, match="do not end"):
        await crowd.feed.history.bars("AA", "2024-01-01", "2024-01-02")
