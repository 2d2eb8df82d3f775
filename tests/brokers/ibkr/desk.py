"""A small desk over the adapter and its emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, cast

from tests.brokers.desk import VenueDesk
from workbench.brokers.ibkr.broker import IbkrBroker
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE
from workbench.testbed import Emulator, emulated
from workbench.testbed.ibkr.venue import IbkrVenue
from workbench.testbed.rigs.ibkr import opened

SPY, AAPL = Instrument(0, "SPY"), Instrument(1, "AAPL")
POST: Final = "rest:POST /v1/api/iserver/account/{account}/orders"
REPLY: Final = "rest:POST /v1/api/iserver/reply/*"
CHANGE: Final = "rest:POST /v1/api/iserver/account/{account}/order/*"
DELETE: Final = "rest:DELETE /v1/api/iserver/account/{account}/order/*"
LIST: Final = "rest:GET /v1/api/iserver/account/orders"
TRADES: Final = "rest:GET /v1/api/iserver/account/trades"
STATUS: Final = "rest:GET /v1/api/iserver/account/order/status/*"


class Desk(VenueDesk[IbkrBroker]):
    """One connected adapter. A limit order away from the market is within three per cent: nothing is asked about it."""

    share = 0.98

    @property
    def ibkr(self) -> IbkrVenue:
        return cast(IbkrVenue, self.venue.venue)

    def fill_at_limit(self, order: Submit, size: float = 1e6) -> None:
        """A trade at an order's limit."""
        self.print_at(order.limit_px_e8 / SCALE, size)

    def quirk(self, name: str, **more: Any) -> int:
        return self.fault("quirk", f"quirk:{name}", **more)


@contextlib.asynccontextmanager
async def trading(
    *instruments: Instrument, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated("ibkr", **settings))
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(venue, list(instruments or (SPY, AAPL)), **{"sweep_s": 0.0, **more})
        desk = Desk(venue, broker, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
