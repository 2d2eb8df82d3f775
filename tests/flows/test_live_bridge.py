"""A desk at an exchange through ccxt, live: bars by its streams, orders by the bridge, the books agree."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.flows.test_live_venues import SPEED, TURNS, all_true, books, held, quiet
from tests.orchestrator.test_desk import eventually
from workbench.config import load_settings
from workbench.orchestrator import Desk
from workbench.testbed import emulated
from workbench.testbed.accounts import write_keys
from workbench.testbed.rigs.ccxt import EXCHANGES, ccxt_account


@pytest.mark.parametrize("exchange", ["alpaca", "binance"])
async def test_a_desk_trades_through_ccxt_and_the_books_agree(
    exchange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    at = EXCHANGES[exchange]
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(emulated(at.venue, speed=SPEED))
        reference = write_keys(tmp_path / "secrets", "bridge", venue.facts)
        account = ccxt_account(venue, exchange, credentials=reference, limits={})
        settings = load_settings(
            name="bridge",
            brokers={"bridge": account.model_dump()},
            market={"brokers": ("bridge",), "symbols": (at.symbol,)},
        )
        desk = Desk(settings, tmp_path)
        await desk.start()
        stack.push_async_callback(desk.stop)
        await desk.add_strategy("Turns", TURNS, {}, [at.symbol], 0.01)
        await eventually(lambda: desk.engine.ledger.fills >= 3)
        await quiet(desk)
        verdict = await desk.reconcile()
        assert all_true(verdict), verdict
        assert list(held(desk).values()) == list(books(venue).values())
        row = desk.orders()[0]
        assert {"journal", "limiter", "wire", "fill"} <= set(desk.trace(row.order_id).stages)
        assert (await desk.replay_check())["equal"]
