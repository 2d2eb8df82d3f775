"""A desk at emulated venues, live: bars come by their streams, orders go by their adapters, the books agree."""

import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.orchestrator.test_desk import eventually
from workbench.brokers import find_brokers
from workbench.config import load_settings
from workbench.errors import BadInput, Refused, UnknownName
from workbench.model import from_e8
from workbench.orchestrator import Desk
from workbench.testbed import Emulator, emulated, find_venues
from workbench.testbed.accounts import account_at, write_keys
from workbench.testbed.faults import Fault

SPEED = 1_200.0  # a candle of a minute in 50 ms

TURNS = """
from workbench.strategy import Signal, Strategy

class Turns(Strategy):
    every: int = 2

    def on_bar(self, ctx, bar):
        seen = self.seen = getattr(self, "seen", {})
        seen[ctx.symbol] = seen.get(ctx.symbol, 0) + 1
        if seen[ctx.symbol] % self.every == 0:
            return Signal(0.0 if ctx.position > 0 else 1.0)
"""


class House:
    """Emulated venues and the desks that trade there."""

    def __init__(self, home: Path, stack: AsyncExitStack) -> None:
        self.home, self.stack = home, stack
        self.venues: dict[str, Emulator] = {}

    async def venue(self, name: str, **settings: Any) -> Emulator:
        settings = {"speed": SPEED} | settings
        self.venues[name] = await self.stack.enter_async_context(emulated(name, **settings))
        return self.venues[name]

    async def desk(self, symbols: list[str], name: str = "live", **overrides: Any) -> Desk:
        brokers = {}
        for venue, emulator in self.venues.items():
            reference = write_keys(self.home / "secrets", f"{name}-{venue}", emulator.facts)
            account = account_at(emulator.facts, reference, limited=emulator.settings.limits)
            brokers[venue] = account | overrides.pop(f"{venue}_account", {})
        market = {"brokers": tuple(brokers), "symbols": tuple(symbols)} | overrides.pop("market", {})
        settings = load_settings(name=name, brokers=brokers, market=market, **overrides)
        desk = Desk(settings, self.home)
        await desk.start()
        self.stack.push_async_callback(_stopped, desk)
        return desk


async def _stopped(desk: Desk) -> None:
    if desk.state not in ("stopping", "stopped"):
        await desk.stop()


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    async with AsyncExitStack() as stack:
        yield House(tmp_path, stack)


def symbols_of(venue: str) -> list[str]:
    return {"alpaca": ["AAPL", "SPY"], "ibkr": ["AAPL", "SPY"], "binance": ["BTCUSDT", "ETHUSDT"]}[venue]


async def quiet(desk: Desk) -> None:
    """Pause everything and wait until no order is open: what is compared must not move."""
    for strategy_id in list(desk.engine.host.strategies):
        await desk.pause(strategy_id, "the end")
    await eventually(lambda: not desk.engine.orders.active)


def books(venue: Emulator) -> dict[str, float]:
    exchange = venue.exchange
    symbols = {board.listing.iid: board.listing.symbol for board in exchange.market.boards.values()}
    return {symbols[iid]: from_e8(qty) for iid, qty in exchange.match.positions.items() if qty}


def held(desk: Desk) -> dict[str, float]:
    engine = desk.engine
    return {engine.book.symbol(iid): from_e8(p.qty_e8) for iid, p in engine.ledger.totals.items() if p.qty_e8}


def all_true(verdict: Mapping[str, Any]) -> bool:
    return all(value is True for value in verdict.values() if isinstance(value, bool))


@pytest.mark.parametrize("name", [name for name in find_venues() if name in find_brokers()])
async def test_a_desk_trades_at_a_venue_and_the_books_agree(house: House, name: str) -> None:
    limits = name != "ibkr"  # there a list of orders may be asked for every five seconds
    venue = await house.venue(name, limits=limits)
    desk = await house.desk(symbols_of(name))
    assert desk.snapshot().session.market == "live"
    quantity = 0.01 if name == "binance" else 3
    await desk.add_strategy("Turns", TURNS, {}, symbols_of(name), quantity)
    await eventually(lambda: desk.engine.ledger.fills >= 12)
    await quiet(desk)
    verdict = await desk.reconcile()
    assert all_true(verdict), verdict
    assert held(desk) == books(venue)
    row = desk.orders()[0]
    trace = desk.trace(row.order_id)
    assert {"journal", "limiter", "wire", "fill"} <= set(trace.stages)
    checked = await desk.replay_check()
    assert checked["equal"]


async def test_what_an_account_held_and_what_a_kill_left_behind(house: House) -> None:
    """A desk takes an account over; another one on the same journal goes on where it stopped."""
    venue = await house.venue("alpaca")
    spy = venue.exchange.market.board("SPY").listing.iid
    venue.exchange.match.positions[spy] = 5 * 10**8
    desk = await house.desk(["AAPL", "SPY"])
    await eventually(lambda: 1 in desk.engine.ledger.totals)
    assert held(desk) == {"SPY": 5.0}
    assert desk.engine.ledger.brought_e8 > 0
    placed = await desk.place("AAPL", "buy", 2, type="limit", limit_px=round(last(venue, "AAPL") * 0.95, 2))
    assert isinstance(placed, int)
    await eventually(lambda: desk.order(placed).state == "working")
    # as a crash leaves it: nothing is cancelled, the journal is simply closed
    for task in desk._tasks:
        task.cancel()
    desk.state = "stopped"
    await desk.market.close()
    await desk.driver.idle()
    desk.journal.close()
    venue.exchange.print_at(venue.exchange.market.board("AAPL"), round(last(venue, "AAPL") * 0.94, 2), 1e6)
    again = await house.desk(["AAPL", "SPY"])
    assert again.order(placed).state == "filled"
    assert held(again) == {"AAPL": 2.0, "SPY": 5.0} == books(venue)
    verdict = await again.reconcile()
    assert all_true(verdict), verdict


def last(venue: Emulator, symbol: str) -> float:
    return venue.exchange.market.board(symbol).last


async def test_paper_trading_on_live_data_touches_no_account(house: House) -> None:
    venue = await house.venue("alpaca")
    desk = await house.desk(["SPY"], market={"paper": True})
    await desk.add_strategy("Turns", TURNS, {}, ["SPY"], 3)
    await eventually(lambda: desk.engine.ledger.fills >= 4)
    await quiet(desk)
    assert books(venue) == {}
    assert traded(venue) == set()
    assert all_true(await desk.reconcile())
    assert desk.snapshot().account.start_cash == 1_000_000.0
    await eventually(lambda: desk.snapshot().accounts[0].state == "healthy")
    desk.accounts.refresh()
    (row,) = desk.accounts.rows
    assert (row.mode, row.books_ns) == ("data", 0)
    assert {stream.carries for stream in row.streams} == {"data"}


async def test_a_venue_that_goes_away_is_seen_at_once_and_again_when_it_is_back(house: House) -> None:
    venue = await house.venue("alpaca")
    desk = await house.desk(["SPY"])

    def row() -> Any:
        return desk.snapshot().accounts[0]

    await eventually(lambda: row().state == "healthy")
    number = venue.console.server.faults.add(Fault(what="outage"))

    def away() -> bool:  # a stream that broke, until a probe has found that nothing answers either
        now = row()
        broken = any(stream.state != "live" for stream in now.streams)
        told = re.search("stream|no answer|left alone", now.reason)
        return now.state != "healthy" and broken and told is not None

    await eventually(away)
    venue.console.server.faults.remove(number)
    await eventually(lambda: row().state == "healthy")
    assert sum(stream.reconnects for stream in row().streams) >= 1


async def test_one_line_for_every_mistake(house: House) -> None:
    await house.venue("alpaca")
    refused: list[tuple[dict[str, Any], list[str], type[Exception], str]] = [
        ({"market": {"brokers": ("alpcaa",)}}, ["SPY"], UnknownName, r"did you mean 'alpaca'"),
        ({}, [], BadInput, r"market\.symbols = \[\]: name what shall be traded"),
        ({}, ["NOSUCH"], Refused, r"NOSUCH"),
        ({"routes": {"SPY": "alpca"}}, ["SPY"], UnknownName, r"account of route 'SPY' 'alpca' .* 'alpaca'"),
        ({"account": {"currency": "EUR"}}, ["SPY"], BadInput, r"a desk has one currency"),
        ({"alpaca_account": {"credentials": "file:nobody"}}, ["SPY"], BadInput, r"nobody"),
    ]
    for overrides, symbols, kind, text in refused:
        with pytest.raises(kind, match=text) as caught:
            await house.desk(symbols, **overrides)
        assert "\n" not in str(caught.value)


async def test_two_venues_on_one_desk(house: House) -> None:
    """Symbols go where their routes say; the desk's books are the sum of both accounts."""
    first = await house.venue("alpaca")
    house.venues["second"] = second = await house.stack.enter_async_context(
        emulated("alpaca", speed=SPEED, seed=9)
    )
    desk = await house.desk(["AAPL", "SPY"], routes={"AAPL": "alpaca", "SPY": "second"})
    await desk.add_strategy("Turns", TURNS, {}, ["AAPL", "SPY"], 2)
    await eventually(lambda: desk.engine.ledger.fills >= 8)
    await quiet(desk)
    assert all_true(await desk.reconcile())
    assert set(books(first)) <= {"AAPL"}
    assert set(books(second)) <= {"SPY"}
    assert traded(first) == {"AAPL"}
    assert traded(second) == {"SPY"}
    # a probe that was slow is followed by others
    await eventually(lambda: all(row.state == "healthy" for row in desk.snapshot().accounts))
    desk.accounts.refresh()
    by_name = {row.account: row for row in desk.accounts.rows}
    assert {name: row.symbols for name, row in by_name.items()} == {"alpaca": ["AAPL"], "second": ["SPY"]}
    cash = sum(row.cash for row in by_name.values())
    assert cash == pytest.approx(from_e8(desk.engine.ledger.cash_e8), abs=1e-6)
    assert all(row.requests > 0 and 0 < min(row.headroom.values()) <= 1 for row in by_name.values())
    for order in desk.orders():
        assert order.account == {"AAPL": "alpaca", "SPY": "second"}[order.symbol]
        assert desk.trace(order.order_id).account == order.account
    assert {fill.account for fill in desk.snapshot().fills} == {"alpaca", "second"}


def traded(venue: Emulator) -> set[str]:
    """Symbols that any order of the venue's books is about."""
    return {order.listing.symbol for order in venue.exchange.orders.values()}


async def test_a_position_edited_at_the_venue_freezes_its_symbol(house: House) -> None:
    venue = await house.venue("alpaca")
    desk = await house.desk(["AAPL", "SPY"], market={"reconcile_s": 0.05})
    spy = venue.exchange.market.board("SPY").listing.iid
    await eventually(lambda: all(desk.engine.book.mark_e8))
    venue.exchange.match.positions[spy] = 3 * 10**8
    await eventually(lambda: desk.engine.risk.frozen)
    assert set(desk.snapshot().session.frozen) == {"SPY"}
    assert {alert.code for alert in desk.snapshot().alerts} >= {"DIFFERENCE"}
    refused = await desk.place("SPY", "buy", 1)
    assert getattr(refused, "code", "") == "FROZEN"
    (differs,) = desk.snapshot().differences
    assert (differs.symbol, differs.ours, differs.theirs) == ("SPY", 0.0, 3.0)
    assert isinstance(await desk.place("AAPL", "buy", 1), int)
    venue.exchange.match.positions[spy] = 0
    await eventually(lambda: not desk.engine.risk.frozen)
    assert isinstance(await desk.place("SPY", "buy", 1), int)
