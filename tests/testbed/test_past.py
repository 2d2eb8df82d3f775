"""Candles from before the minutes an emulated market remembers, as its venues show them."""

import math
from itertools import pairwise

import aiohttp
import pytest

from workbench.testbed import emulated
from workbench.testbed.market import DAY_NS, MINUTE_NS
from workbench.testbed.past import before

HOUR_MS = 3_600_000


@pytest.mark.parametrize("minutes", [5, 15, 60, 240])
async def test_parts_of_days_follow_one_another_and_the_days(minutes: int) -> None:
    async with emulated("binance", speed=0) as venue:
        board = venue.exchange.market.board("BTCUSDT")
        parts = before(board, minutes * MINUTE_NS)
        assert len(parts) > 7 * 24
        for one, two in pairwise(parts):
            assert one.end_ns == two.start_ns
            assert one.close == two.open
        assert 0 <= board.candles[0].start_ns - parts[-1].end_ns < 5 * MINUTE_NS
        assert parts == before(board, minutes * MINUTE_NS)
        day = board.days[-3]
        inside = [one for one in parts if day.start_ns <= one.start_ns < day.end_ns]
        assert (inside[0].open, inside[-1].close) == (day.open, day.close)
        assert day.low <= min(one.low for one in inside)
        assert max(one.high for one in inside) <= day.high
        assert math.isclose(sum(one.volume for one in inside), day.volume, rel_tol=0.01)


async def test_none_for_odd_steps_and_for_stocks() -> None:
    async with emulated("alpaca", speed=0) as venue:
        market = venue.exchange.market
        assert before(market.board("BTC/USD"), 60 * MINUTE_NS)
        for step_ns in (MINUTE_NS, 7 * MINUTE_NS, DAY_NS):
            assert before(market.board("BTC/USD"), step_ns) == []
        assert before(market.board("AAPL"), 60 * MINUTE_NS) == []


async def test_binance_has_as_many_hours_as_are_asked_for() -> None:
    async with emulated("binance", speed=0) as venue, aiohttp.ClientSession() as session:
        url = f"{venue.facts['rest']}/api/v3/klines?symbol=BTCUSDT"
        for interval, limit in (("5m", 1_000), ("15m", 500), ("1h", 1_000), ("4h", 100)):
            async with session.get(f"{url}&interval={interval}&limit={limit}") as answer:
                rows = await answer.json()
            assert len(rows) == limit
            starts = [row[0] for row in rows]
            assert len({b - a for a, b in pairwise(starts)}) == 1
        async with session.get(f"{url}&interval=1h&limit=2&startTime={starts[0]}") as answer:
            assert [row[0] - starts[0] for row in await answer.json()] == [0, HOUR_MS]


async def test_alpaca_has_hours_of_pairs() -> None:
    async with emulated("alpaca", speed=0) as venue, aiohttp.ClientSession() as session:
        keys = {"APCA-API-KEY-ID": venue.facts["key"], "APCA-API-SECRET-KEY": venue.facts["secret"]}
        query = "symbols=BTC/USD&timeframe=1Hour&limit=200&start=2000-01-01"
        url = f"{venue.facts['rest']}/v1beta3/crypto/us/bars?{query}"
        async with session.get(url, headers=keys) as answer:
            said = await answer.json()
        assert (len(said["bars"]["BTC/USD"]), said["next_page_token"] is None) == (200, False)
