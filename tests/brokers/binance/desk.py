"""A small desk over the adapter and its emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from tests.brokers.desk import VenueDesk
from tests.brokers.pool.wires import until
from workbench.brokers.binance.broker import BinanceBroker
from workbench.model.instrument import Instrument
from workbench.model.scale import to_e8
from workbench.testbed import Emulator, emulated
from workbench.testbed.binance.venue import BinanceVenue
from workbench.testbed.rigs.binance import opened

BTC = Instrument(0, "BTCUSDT", "BINANCE", "USDT", to_e8("0.01"), to_e8("0.00001"), "24/7")
ETH = Instrument(1, "ETHUSDT", "BINANCE", "USDT", to_e8("0.01"), to_e8("0.0001"), "24/7")
POST, WS_POST = "rest:POST /api/v3/order", "rest:WS order.place"
PLACE = {"rest": POST, "ws": WS_POST}
WAYS = ("ws", "rest")


class Desk(VenueDesk[BinanceBroker]):
    """One connected adapter."""

    symbol = "BTCUSDT"
    qty = 0.1

    @property
    def binance(self) -> BinanceVenue:
        return cast(BinanceVenue, self.venue.venue)

    async def quiet(self) -> None:
        """Wait until every report of the account's stream was taken."""
        user = self.binance.user
        await until(lambda: not self.broker.pending and self.broker.updates_taken >= user.reports)

    def impatient(self) -> None:
        """From now on an answer over the WebSocket is soon called lost: for what is never answered."""
        socket = self.broker.trading.socket
        if socket is not None:
            socket.answer_s = 0.2

    def move(self, px: float) -> None:
        """The market goes there and something trades."""
        self.venue.console.move("BTCUSDT", px)


@contextlib.asynccontextmanager
async def trading(
    *instruments: Instrument, venue: Emulator | None = None, orders: str = "ws", **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    given = more.pop("settings", {})
    given = {**given, "options": {"orders": orders, **given.get("options", {})}}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated("binance", **settings))
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        chosen = list(instruments or (BTC, ETH))
        broker = opened(venue, chosen, settings=given, **{"sweep_s": 0.0, **more})
        desk = Desk(venue, broker, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
