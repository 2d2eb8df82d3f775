"""A small desk over the adapter and its emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.brokers.desk import VenueDesk
from workbench.brokers.alpaca.broker import AlpacaBroker
from workbench.model.instrument import Instrument
from workbench.testbed import Emulator, emulated
from workbench.testbed.rigs.alpaca import opened

SPY, BTC = Instrument(0, "SPY"), Instrument(1, "BTC/USD", tick_e8=1, lot_e8=1, calendar="24/7")


class Desk(VenueDesk[AlpacaBroker]):
    """One connected adapter."""


@contextlib.asynccontextmanager
async def trading(
    *instruments: Instrument, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated("alpaca", **settings))
        at = venue
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(at, list(instruments or (SPY, BTC)), **{"sweep_s": 0.0, **more})
        desk = Desk(at, broker, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
