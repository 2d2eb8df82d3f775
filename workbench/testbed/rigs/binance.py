"""Binance's adapter against its emulator, for the shared broker checks.

Lives here: the rig, and knowing when nothing is on its way. Not here: the checks (brokers/checks.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from workbench.brokers.binance.broker import BinanceBroker
from workbench.brokers.rig import BrokerRig
from workbench.config import BrokerSettings
from workbench.errors import Refused
from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE, to_e8
from workbench.testbed.binance import adapter_addresses
from workbench.testbed.binance.venue import BinanceVenue
from workbench.testbed.emulator import Emulator, emulated

__all__ = ["BinanceMarket", "binance_account", "make_rig", "opened"]

_SYMBOL: Final = "BTCUSDT"
_PRINTED: Final = 1e9  # more than any order: a print fills what it reaches, in full
_NEVER_S: Final = 600.0
_SETTLED_S: Final = 20.0
_HELD: Final = 1_000  # spot cannot be sold short: the checks sell what is there


def binance_account(venue: Emulator, **more: Any) -> BrokerSettings:
    """The settings of an account at the emulator; its keys are in the environment given to `opened`."""
    addresses = adapter_addresses(venue.facts)
    usual = {"venue": "binance", "credentials": "env:EMULATED", "addresses": addresses, "absent_after_s": 0.0}
    return BrokerSettings(**{**usual, **more})


def opened(venue: Emulator, instruments: list[Instrument], **more: Any) -> BinanceBroker:
    """The adapter for one emulator, not connected yet."""
    facts = venue.facts
    keys = more.pop("keys", (facts["key"], facts["secret"]))
    return BinanceBroker(
        binance_account(venue, **more.pop("settings", {})),
        instruments,
        environ={"EMULATED_KEY": keys[0], "EMULATED_SECRET": keys[1]},
        look_first_s=0.02,
        **more,
    )


class BinanceMarket:
    """The emulator's market of one symbol, moved by prints alone."""

    iid = 0

    def __init__(self, venue: Emulator, broker: BinanceBroker) -> None:
        self.venue, self.broker = venue, broker
        self._user = cast(BinanceVenue, venue.venue).user
        self._board = venue.exchange.market.board(_SYMBOL)
        self.px = round(self._board.last, 2)

    def print_at(self, px: float) -> None:
        self.px = px
        self._board.go_to(px)
        self.venue.exchange.print_at(self._board, px, _PRINTED)

    async def settle(self) -> None:
        """Nothing is settled before the adapter has no request under way, nothing is due at the exchange, and every
        report of the account's stream has been taken."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _SETTLED_S
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(0.001)
            still = not self.broker.pending and self.broker.updates_taken >= self._user.reports
            quiet = quiet + 1 if still else 0
            if loop.time() > deadline_s:
                seen = f"{self.broker.updates_taken} of {self._user.reports} reports, {self.broker.pending} requests"
                raise Refused(f"the rig does not settle ({seen}): the adapter has lost something")


@asynccontextmanager
async def make_rig(**settings: Any) -> AsyncIterator[BrokerRig]:
    """A connected adapter; orders fill at the next print, never by themselves."""
    orders = settings.pop("orders", "ws")
    async with emulated(
        "binance", speed=0, fill_s=_NEVER_S, cash=1e9, limits=False, symbols=(_SYMBOL,), **settings
    ) as venue:
        venue.exchange.match.positions[0] = _HELD * SCALE
        instrument = Instrument(0, _SYMBOL, "BINANCE", "USDT", to_e8("0.01"), to_e8("0.00001"), "24/7")
        broker = opened(venue, [instrument], sweep_s=0.0, settings={"options": {"orders": orders}})
        market = BinanceMarket(venue, broker)
        rig = BrokerRig(broker, market)
        await broker.connect(rig.reports.append)
        try:
            yield rig
        finally:
            await broker.close()
