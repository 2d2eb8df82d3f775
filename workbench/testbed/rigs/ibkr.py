"""Interactive Brokers' adapter against its emulator, for the shared broker checks.

Lives here: the rig, and knowing when nothing is on its way. Not here: the checks (brokers/checks.py).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from workbench.brokers.ibkr.broker import IbkrBroker
from workbench.brokers.rig import BrokerRig
from workbench.config import BrokerSettings
from workbench.errors import Refused
from workbench.model.instrument import Instrument
from workbench.testbed.emulator import Emulator, emulated
from workbench.testbed.faults import Fault
from workbench.testbed.ibkr import adapter_addresses
from workbench.testbed.orders import OrderEvent

__all__ = ["IbkrMarket", "ibkr_account", "make_rig", "opened"]

_SYMBOL: Final = "SPY"
_PRINTED: Final = 1e9  # more than any order: a print fills what it reaches, in full
_NEVER_S: Final = 600.0
_SETTLED_S: Final = 20.0
_LIFTED: Final = {"*": 1_000_000_000}


def ibkr_account(venue: Emulator, **more: Any) -> BrokerSettings:
    """The settings of an account at the emulator; limits far away are agreed to."""
    usual = {
        "venue": "ibkr",
        "addresses": adapter_addresses(venue.facts),
        "absent_after_s": 0.0,
        "limits": _LIFTED,
        "options": {"answers": "o163=yes", **more.pop("options", {})},
    }
    return BrokerSettings(**{**usual, **more})


def opened(venue: Emulator, instruments: list[Instrument], **more: Any) -> IbkrBroker:
    """The adapter for one emulator, not connected yet."""
    settings = ibkr_account(venue, **more.pop("settings", {}))
    return IbkrBroker(settings, instruments, **{"look_first_s": 0.02, **more})


class IbkrMarket:
    """The emulator's market of one symbol, moved by prints alone."""

    iid = 0

    def __init__(self, venue: Emulator, broker: IbkrBroker) -> None:
        self.venue, self.broker = venue, broker
        self._board = venue.exchange.market.board(_SYMBOL)
        self.px = round(self._board.last, 2)
        self._told = 0
        venue.exchange.sinks.append(self._count)

    def _count(self, event: OrderEvent) -> None:
        """Every event is one row of `sor`, an execution one of `str` besides."""
        if event.kind != "cancel_refused":
            self._told += 1 + (event.execution is not None)

    def print_at(self, px: float) -> None:
        self.px = px
        self._board.go_to(px)
        self.venue.exchange.print_at(self._board, px, _PRINTED)

    async def settle(self) -> None:
        """Nothing is settled before the adapter has no request under way, nothing is due at the exchange, and every
        row of the socket has been taken."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _SETTLED_S
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(0.001)
            still = not self.broker.pending and self.broker.updates.taken >= self._told
            quiet = quiet + 1 if still else 0
            if loop.time() > deadline_s:
                seen = f"{self.broker.updates.taken} of {self._told} rows, {self.broker.pending} requests"
                raise Refused(f"the rig does not settle ({seen}): the adapter has lost something")


@asynccontextmanager
async def make_rig(**settings: Any) -> AsyncIterator[BrokerRig]:
    """A connected adapter; orders fill at the next print, never by themselves."""
    async with emulated(
        "ibkr", speed=0, fill_s=_NEVER_S, cash=10_000_000.0, limits=False, **settings
    ) as venue:
        for quirk in ("cold_orders", "cold_trades"):
            venue.faults.add(Fault(what="quirk", where=f"quirk:{quirk}"))
        broker = opened(venue, [Instrument(0, _SYMBOL)], sweep_s=0.0)
        market = IbkrMarket(venue, broker)
        rig = BrokerRig(broker, market)
        await broker.connect(rig.reports.append)
        try:
            yield rig
        finally:
            await broker.close()
