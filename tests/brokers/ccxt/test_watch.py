"""Watching one by one: what an exchange wants beside, refused keys, questions in the place of streams."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.brokers.ccxt.desk import Desk, trading
from tests.brokers.pool.wires import until
from workbench.brokers.ccxt.library import library
from workbench.brokers.ccxt.watch import Watches
from workbench.brokers.pool import Backoff
from workbench.errors import KeysRefused, VenueDown


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr("workbench.brokers.ccxt.watch.Backoff", lambda *_, **__: Backoff(0.001, 0.01))
    async with trading() as made:
        yield made


def nothing(rows: Any) -> None:
    return


async def for_ever() -> Any:
    await asyncio.get_running_loop().create_future()


async def test_an_exchange_that_wants_a_symbol_is_watched_symbol_by_symbol(desk: Desk) -> None:
    watches, asked = Watches(desk.broker.client, "more"), list[str]()

    async def watch() -> Any:
        raise library().ArgumentsRequired("watchOrders() requires a symbol argument")

    watches.watch("orders", watch, nothing, lambda: asked.append("one by one"))
    await until(lambda: asked == ["one by one"])
    assert watches.resyncs == 0
    watches.watch("fills", watch, nothing)
    await until(lambda: watches.state == "down")
    with pytest.raises(VenueDown, match=r"more is not live after 0.01 s but down .*requires a symbol"):
        await watches.until_live(0.01)


async def test_the_broker_itself_watches_symbol_by_symbol(desk: Desk) -> None:
    exchange, asked = desk.broker.client.exchange, list[tuple[str, ...]]()

    async def watch_orders(*symbol: str) -> Any:
        asked.append(symbol)
        if not symbol:
            raise library().ArgumentsRequired("watchOrders() requires a symbol argument")
        await for_ever()

    exchange.watch_orders = watch_orders
    desk.broker._watch_orders()
    await until(lambda: asked == [(), ("BTC/USD",)])


async def test_keys_that_are_refused_are_tried_twice_and_never_again(desk: Desk) -> None:
    watches, tries = Watches(desk.broker.client, "more"), 0

    async def watch() -> Any:
        nonlocal tries
        tries += 1
        raise library().AuthenticationError("no such key")

    watches.watch("orders", watch, nothing)
    with pytest.raises(KeysRefused, match="check the keys"):
        await watches.until_live(10.0)
    assert tries == 2


async def test_a_watch_that_ccxt_gives_up_begins_again(desk: Desk) -> None:
    watches, tries = Watches(desk.broker.client, "more"), 0

    async def watch() -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise asyncio.CancelledError
        if tries == 3:
            return []
        return await for_ever()

    watches.watch("orders", watch, nothing)
    await until(lambda: watches.state == "live")
    assert (watches.resyncs, watches.frames) == (2, 1)
    await watches.close()


async def test_a_question_that_fails_is_asked_again(desk: Desk) -> None:
    watches, answers = Watches(desk.broker.client, "more"), list[Any]()

    async def ask() -> Any:
        answers.append(None)
        if len(answers) < 3:
            raise library().NetworkError("gone")
        return ["row"]

    came: list[Any] = []
    watches.poll("orders", ask, came.append, 0.001)
    await until(lambda: len(came) >= 2)
    assert watches.state == "live"
    assert came[:2] == [["row"], ["row"]]
    await watches.close()
