"""A small desk over the bridge and an emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.brokers.desk import VenueDesk
from workbench.brokers.ccxt.broker import CcxtBroker
from workbench.model.instrument import Instrument
from workbench.model.orders import GTC
from workbench.testbed import Emulator, emulated
from workbench.testbed.rigs.ccxt import EXCHANGES, listed, opened

BOTH = ("alpaca", "binance")
POST = {"alpaca": "rest:POST /v2/orders", "binance": "rest:POST /api/v3/order"}
LOOKS = {"alpaca": "rest:GET /v2/orders*", "binance": "rest:GET /api/v3/*rder*"}
CANCEL = {"alpaca": "rest:DELETE /v2/orders/{order_id}", "binance": "rest:DELETE /api/v3/order"}


class Desk(VenueDesk[CcxtBroker]):
    """One connected bridge."""

    qty, tif = 1.0, GTC

    def __init__(self, venue: Emulator, broker: CcxtBroker, exchange: str, first_id: int, epoch: int) -> None:
        super().__init__(venue, broker, first_id, epoch)
        self.exchange, self.symbol = exchange, EXCHANGES[exchange].listed


@contextlib.asynccontextmanager
async def trading(
    exchange: str = "alpaca", *, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated(EXCHANGES[exchange].venue, **settings))
        account = {"options": more.pop("options", {}), **more.pop("settings", {})}
        instruments: list[Instrument] = more.pop("instruments", None) or await listed(venue, exchange)
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(venue, exchange, instruments, settings=account, **{"sweep_s": 0.0, **more})
        desk = Desk(venue, broker, exchange, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
