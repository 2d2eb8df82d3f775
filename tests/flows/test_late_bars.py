"""A live desk whose stream of market data breaks: no bar is lost, and nothing trades at old prices."""

from pathlib import Path
from time import time_ns

import pytest

from tests.brokers.pool.wires import until
from workbench.config import load_settings
from workbench.journal import read
from workbench.model import Bar, BarSlice, Refusal, Submit
from workbench.model.commands import LATE, Timer
from workbench.orchestrator import Desk
from workbench.orchestrator.clock import MarketTime
from workbench.orchestrator.live_market import LiveMarket
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.accounts import account_at, write_keys

FLIP = '''
from workbench import Strategy

class Flip(Strategy):
    """Changes its mind at every bar."""

    def indicators(self):
        return {}

    def decide(p, x, pos):
        return 0.0 if pos > 0.0 else 1.0
'''
AWAY = 6
MINUTE_NS = 60_000_000_000


def next_minute(venue: Emulator) -> None:
    """Go to just after a minute's end, so that none ends by itself while the test looks."""
    venue.console.advance(60.5 - venue.exchange.clock.now_ns() % MINUTE_NS / 1e9)


async def test_bars_of_a_broken_stream_are_seen_once_in_order_and_trade_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    async with emulated("binance", speed=1.0, limits=False, symbols=("BTCUSDT",)) as venue:
        next_minute(venue)
        account = account_at(
            venue.facts, write_keys(tmp_path / "secrets", "here", venue.facts), limited=False
        )
        account["options"] = {"channels": "bars"}
        market = {"brokers": ["here"], "symbols": ["BTCUSDT"]}
        settings = load_settings(name="late", brokers={"here": account}, market=market)
        desk = Desk(settings, tmp_path)
        await desk.start()
        try:
            live = desk.market
            assert isinstance(live, LiveMarket)
            live._time = MarketTime(venue.exchange.clock.now_ns)  # the venue's minutes are made by hand
            feed = live.feeds["here"]
            board = venue.exchange.market.board("BTCUSDT")
            await until(lambda: feed.state == "live")
            feed.pool.health.probe = None  # type: ignore[attr-defined]  # the clock is set by hand

            async def minute() -> None:
                there = len(board.candles)
                next_minute(venue)
                now_ns = time_ns()
                feed.pool.health.clock.measured(venue.exchange.clock.now_ns(), now_ns, now_ns)  # type: ignore[attr-defined]
                await until(lambda: len(board.candles) > there)

            def seen() -> int:
                return desk.engine.host.strategies[1].bars

            def orders() -> int:
                return len(desk.engine.orders.by_id)

            await desk.add_strategy("Flip", FLIP, {}, ["BTCUSDT"], 0.01)
            for n in range(1, 4):
                await minute()
                await until(lambda n=n: seen() >= n)  # type: ignore[misc]
                await until(lambda n=n: orders() >= n and not desk.engine.orders.active)  # type: ignore[misc]
            assert orders() == 3

            venue.faults.add(Fault(what="status", where="connect:market", status=503))
            venue.console.streams(cut=True)
            await until(lambda: feed.state != "live")
            for _ in range(AWAY):
                await minute()
            assert seen() == 3
            venue.faults.clear()
            await until(lambda: seen() >= 3 + AWAY - 1)
            before = orders()
            await minute()
            await until(lambda: seen() >= 3 + AWAY + 1)
            await until(lambda: orders() > before and not desk.engine.orders.active)
        finally:
            await desk.stop()

        told, late = list[Bar](), list[int]()
        submits, refused = list[Submit](), list[Refusal]()
        for _, record in read(desk.journal.path):
            assert not isinstance(record, BarSlice)
            if isinstance(record, Bar):
                told.append(record)
            elif isinstance(record, Timer) and record.name == LATE:
                late.append(record.ts_ns)
            elif isinstance(record, Submit):
                submits.append(record)
            elif isinstance(record, Refusal):
                refused.append(record)
        candles = [c for c in board.candles if c.end_ns >= told[0].ts_ns]
        assert [(b.ts_ns, b.close) for b in told] == [(c.end_ns, c.close) for c in candles][: len(told)]
        assert len(told) >= 3 + AWAY + 1  # a real minute may have ended meanwhile
        assert len(late) >= 1
        old = [b.ts_ns for b in told[3:] if late[0] - b.ts_ns > 120 * 10**9]
        assert len(old) >= AWAY - 3
        assert not {order.ts_ns for order in submits} & set(old)
        assert "STALE" in {refusal.code for refusal in refused}
