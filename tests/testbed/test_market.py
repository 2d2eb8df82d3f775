"""The market of an emulated venue: tapes, ladders, candles, pace; the same seed, the same market."""

import asyncio
from itertools import pairwise

import aiohttp
import numpy as np
import pytest

from tests.brokers.pool.wires import until
from tests.testbed.conftest import Floor
from workbench.errors import BadValue, UnknownName
from workbench.feeds import open_data
from workbench.testbed import EmulatorSettings, emulated
from workbench.testbed.clock import VenueClock
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import pair, stock
from workbench.testbed.market import MINUTE_NS, Candle, Market, Print
from workbench.testbed.pace import Pace, steps_of
from workbench.testbed.tape import Shape, Tape, bars_of

AAPL = stock(0, "AAPL", "x")


def test_a_tape_plays_the_second_half_of_what_was_recorded_then_walks_on() -> None:
    rows = bars_of(open_data("SPY"), "SPY")
    assert rows is not None
    tape = Tape(stock(0, "SPY", "x"), 1, rows)
    half = len(rows) // 2
    assert np.array_equal(tape.history, rows[:half])
    played = [tape.next_bar() for _ in range(len(rows) - half + 400)]
    assert [tuple(row) for row in rows[half:].tolist()] == [tuple(bar) for bar in played[: len(rows) - half]]
    walked = played[len(rows) - half :]
    assert walked[0].open == pytest.approx(rows[-1, 3])
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in walked)


def test_a_walk_begins_where_its_history_ends() -> None:
    tape = Tape(AAPL, 5)
    assert tape.history[-1, 3] == pytest.approx(AAPL.start_px)
    assert tape.next_bar().open == pytest.approx(AAPL.start_px)
    assert tape.days[-1, 3] == pytest.approx(tape.history[0, 0], rel=1e-3)


def test_stocks_trade_in_whole_shares() -> None:
    for symbol in ("AAPL", "SPY", "NFLX"):
        tape = Tape(stock(0, symbol, "x"), 5)
        volumes = np.concatenate(
            [tape.history[:, 4], tape.days[:, 4], [tape.next_bar().volume for _ in range(400)]]
        )
        assert (volumes >= 1).all()
        assert np.array_equal(volumes, np.rint(volumes))


@pytest.mark.parametrize("steps", [1, 2, 4, 5, 60, 240])
@pytest.mark.parametrize("close", [99.0, 101.0])
def test_a_path_touches_what_its_bar_touched(steps: int, close: float) -> None:
    shape = Shape(100.0, 102.0, 98.0, close, 1_000.0)
    path = Tape(AAPL, 1).path(shape, steps)
    assert len(path) == steps
    assert path[-1] == close
    assert all(98.0 <= px <= 102.0 for px in path)
    if steps >= 4:
        assert {100.0, 102.0, 98.0} <= set(path)
        assert (path.index(98.0) < path.index(102.0)) == (close > 100)


def test_recorded_quotes_and_trades_become_bars() -> None:
    frame = open_data("SPY").frame().head(50)
    quotes = frame[["ts", "symbol", "low", "high"]].rename(columns={"low": "bid", "high": "ask"})
    trades = frame[["ts", "symbol", "close", "volume"]].rename(columns={"close": "price", "volume": "size"})
    for kind in (quotes, trades):
        rows = bars_of(open_data(kind), "SPY")
        assert rows is not None
        assert len(rows) == 50
        assert (rows[:, 2] <= rows[:, 1]).all()
    assert bars_of(open_data("SPY"), "QQQ") is None


@pytest.mark.parametrize("listing", [AAPL, pair(1, "BTC/USD", "BTC", "USD", "x", tick=0.01, lot=1e-8)])
def test_books_are_on_the_grid_and_never_cross(listing: object) -> None:
    market = Market([AAPL, pair(1, "BTC/USD", "BTC", "USD", "x", tick=0.01, lot=1e-8)], VenueClock(), seed=3)
    for board in market.boards.values():
        for at in range(50):
            board.refresh(at)
            book = board.book
            assert [px for px, _ in book.asks] == sorted({px for px, _ in book.asks})
            assert [px for px, _ in book.bids] == sorted({px for px, _ in book.bids}, reverse=True)
            assert book.bids[0][0] < board.px < book.asks[0][0]
            assert all(size > 0 for _, size in (*book.bids, *book.asks))
            assert min(book.bids[0][1], book.asks[0][1]) * board.px >= 0.9 * board.listing.best_value
            for px, _ in (*book.bids, *book.asks):
                assert round(px * 1e8) % board.listing.instrument.tick_e8 == 0


def test_there_is_a_past_from_the_first_moment() -> None:
    clock = VenueClock()
    board = Market([AAPL], clock).board("AAPL")
    assert len(board.candles) >= 300
    assert len(board.days) > 200
    assert len(board.prints) > 50
    assert len(board.quotes) > 50
    starts = [candle.start_ns for candle in board.candles]
    assert all(later - earlier == MINUTE_NS for earlier, later in pairwise(starts))
    assert board.prints[-1].ts_ns <= clock.now_ns()


def test_candles_are_what_was_printed() -> None:
    floor = Floor()
    seen: list[Candle] = []
    prints: list[Print] = []

    def note(board: object, told: object) -> None:
        if board is floor.board():
            seen.extend([told] if isinstance(told, Candle) else [])
            prints.extend([told] if isinstance(told, Print) else [])

    floor.market.sinks.append(note)
    pace = Pace(floor.exchange, 0.0)
    for _ in range(floor.market.steps):
        pace.step()
    [candle] = seen
    pxs = [done.px for done in prints]
    assert (candle.open, candle.high, candle.low, candle.close) == (pxs[0], max(pxs), min(pxs), pxs[-1])
    assert candle.count == len(prints) == floor.market.steps
    assert candle.volume == pytest.approx(sum(done.size for done in prints))
    assert candle.low <= candle.vwap <= candle.high


def test_the_same_seed_is_the_same_market() -> None:
    def market(seed: int) -> list[object]:
        board = Market([AAPL], VenueClock(wall=lambda: 10**18), seed=seed).board("AAPL")
        return [board.next_px(60) for _ in range(200)] + [board.refresh(at) for at in range(20)]

    assert market(1) == market(1) != market(2)


async def test_the_pace_keeps_to_the_clock() -> None:
    """At speed 60 a candle lasts a second: boundaries are on the clock, and a jump of the clock is caught up with."""
    span_ns, steps = steps_of(60.0)
    clock = VenueClock()
    market = Market([AAPL], clock, span_ns=span_ns, steps=steps)
    before = len(market.board("AAPL").candles)
    pace = asyncio.create_task(Pace(Exchange(market, cash=1.0), 60.0).run())
    await asyncio.sleep(0)
    clock.advance(30.0)
    async with asyncio.timeout(30):
        while len(market.board("AAPL").candles) < before + 30:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)
    pace.cancel()
    fresh = list(market.board("AAPL").candles)[before:]
    assert all(candle.end_ns - candle.start_ns == span_ns for candle in fresh)
    assert all(earlier.end_ns == later.start_ns for earlier, later in pairwise(fresh))


def test_a_jump_and_what_comes_after_it() -> None:
    floor = Floor()
    board = floor.board()
    floor.exchange.move(board, 300.0)
    assert board.last == board.px == 300.0
    for _ in range(500):
        floor.exchange.step(board)
    assert 280 < board.px < 320


def test_unknown_symbols_and_impossible_settings() -> None:
    with pytest.raises(UnknownName, match="did you mean 'AAPL'"):
        Floor().market.board("APPL")
    for settings, error, text in (
        ({"speed": -1.0}, BadValue, "speed = -1"),
        ({"cash": 0.0}, BadValue, "cash = 0"),
        ({"port": 70_000}, BadValue, "port"),
        ({"market_open": "nights"}, UnknownName, "market-open 'nights'"),
        ({"fee_rate": 0.5}, BadValue, "fee-rate = 0.5"),
    ):
        with pytest.raises(error, match=text):
            EmulatorSettings(**settings)


async def test_what_is_asked_for_does_not_come_from_a_market_that_is_behind_its_clock() -> None:
    """Else a minute under way is shown as if it were over: its end is past, its last prints are missing."""
    async with (
        emulated("binance", speed=1.0, limits=False, symbols=("BTCUSDT",)) as venue,
        aiohttp.ClientSession() as session,
    ):
        clock, board = venue.exchange.clock, venue.exchange.market.board("BTCUSDT")
        await until(lambda: venue.pace._runs)
        [steps] = [t for t in venue.server._tasks if t.get_coro().__qualname__ == "Pace.run"]  # type: ignore[union-attr]
        steps.cancel()  # as if they were late
        while board.forming is None:
            venue.pace.step()
        for _ in range(3):
            venue.console.advance(60.0)
            address = f"{venue.facts['rest']}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3"
            asked_ms = clock.now_ns() // 1_000_000
            async with session.get(address) as answer:
                rows = await answer.json()
            over = [[row[0], *map(float, row[1:5])] for row in rows if row[0] + 60_000 <= asked_ms]
            assert len(over) >= 2
            there = [[c.start_ns // 1_000_000, c.open, c.high, c.low, c.close] for c in board.candles]
            assert all(row in there for row in over)
