"""Lists that do not end, answers nobody expects, tasks and memory: errors instead of half a list, and nothing stays."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.brokers.alpaca.desk import trading
from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.cash import CashBody, CashMoves
from workbench.brokers.alpaca.feed import AlpacaFeed
from workbench.brokers.alpaca.hours import Hours
from workbench.brokers.pool import Answer
from workbench.errors import VenueDown, VenueRefused
from workbench.model.instrument import Instrument
from workbench.testbed import emulated
from workbench.testbed.rigs.alpaca import alpaca_account


async def test_lists_that_do_not_end_are_errors_and_no_part_of_them_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = b'{"id": "%d", "client_order_id": "c", "status": "new", "created_at": "2026-01-02T15:00:00Z"}'
    full = b"[" + b",".join(order % n for n in range(500)) + b"]"
    entries = b"[" + b",".join(b'{"id": "a%d"}' % n for n in range(100)) + b"]"

    async def ask(route: Any, path: str, *_: Any, **__: Any) -> Answer:
        return Answer(200, {}, full if path.endswith("/orders") else entries, 0, 0)

    async with trading() as desk:
        monkeypatch.setattr(desk.broker.client.trading, "ask", ask)
        with pytest.raises(VenueDown, match="orders does not end"):  # all of them of one moment
            await desk.broker.client.orders()
        with pytest.raises(VenueDown, match="activities does not end"):
            await desk.broker.client.cash_entries("2026-01-01T00:00:00Z")
        monkeypatch.undo()


async def test_figures_that_only_look_like_numbers_are_left_out() -> None:
    async with trading() as desk:
        dialect = desk.broker.client.trading._dialect
        odd = {"X-RateLimit-Limit": "20\u00b2", "X-RateLimit-Remaining": "\u00b9"}
        dialect.heard(Answer(200, odd, b"", 0, 0))
        error = dialect.judge(Answer(422, {}, '{"code": "\u00b2", "message": "no"}'.encode(), 0, 0))
        assert isinstance(error, VenueRefused)


async def test_entries_of_cash_that_are_not_asked_about_any_more_are_forgotten() -> None:
    told: list[Any] = []
    asked: list[str] = []
    now = [CashBody("a1", "CSD", "1", None, "2024-07-01")]

    async def cash_entries(after: str) -> list[CashBody]:
        asked.append(after)
        return list(now)

    there: Any = SimpleNamespace(cash_entries=cash_entries)
    moves = CashMoves(there, lambda symbol: None, told.append)
    await moves.look()
    for n in range(50):
        now[:] = [CashBody(f"b{n}", "FEE", "-1", None, "2024-07-02")]
        await moves.look()
    assert len(told) == 50
    assert moves._seen == {"b49"}
    assert asked == sorted(asked)


async def test_hours_that_cannot_be_read_are_asked_for_later_and_nothing_stays_at_the_close() -> None:
    asked, never = 0, asyncio.Event()

    async def clock() -> Any:
        nonlocal asked
        asked += 1
        if asked > 1:
            await never.wait()
        raise KeyError("is_open")

    client: Any = SimpleNamespace(clock=clock)
    hours = Hours(client)
    assert not hours.is_open()
    await until(lambda: asked == 1 and hours._asking is not None and hours._asking.done())
    assert not hours.is_open()
    assert asked == 1  # in some seconds
    hours._until_ns = 0
    assert not hours.is_open()
    await until(lambda: asked == 2)
    await hours.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "alpaca hours"]


async def test_a_feed_that_did_not_open_asks_for_no_bars_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stocks were live, and had a break, while its crypto could not be connected."""
    async with emulated("alpaca", speed=0, limits=False) as venue:
        keys = {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}
        instruments = [Instrument(0, "SPY"), Instrument(1, "BTC/USD")]
        feed = AlpacaFeed(alpaca_account(venue), instruments, environ=keys)
        plain = AlpacaFeed._open

        async def opened(self: AlpacaFeed) -> None:
            await plain(self)

            async def away(*_: Any) -> Any:
                raise VenueDown("alpaca", "away", "wait")

            monkeypatch.setattr(self.client, "market", away)
            for late in self.late_bars:
                late.look()
            await until(lambda: all(late.asked for late in self.late_bars))
            raise VenueDown("alpaca", "stream 'crypto' is not live", "it goes on trying")

        monkeypatch.setattr(AlpacaFeed, "_open", opened)
        with pytest.raises(VenueDown, match="crypto"):
            await feed.connect(lambda event: None)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("late bars")]
