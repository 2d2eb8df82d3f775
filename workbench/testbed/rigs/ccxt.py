"""The ccxt bridge against the emulators, for the shared broker checks: ccxt's `alpaca` (crypto) and `binance`.

Lives here: the rig, how ccxt is pointed at an emulator, knowing when nothing is on its way. Not here: the checks
(brokers/checks.py).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, Final

import msgspec

from workbench.brokers.ccxt.broker import CcxtBroker
from workbench.brokers.rig import BrokerRig
from workbench.config import BrokerSettings, Settings, load_settings
from workbench.errors import Refused
from workbench.model.instrument import Instrument
from workbench.testbed.accounts import UNLIMITED
from workbench.testbed.emulator import Emulator, emulated
from workbench.testbed.orders import VenueOrder

__all__ = ["EXCHANGES", "CcxtMarket", "At", "ccxt_account", "ccxt_addresses", "make_rig", "opened"]

_PRINTED: Final = 1e9  # more than any order: a print fills what it reaches, in full
_NEVER_S: Final = 600.0
_SETTLED_S: Final = 20.0
_HELD_E8: Final = 1_000 * 10**8  # a spot account sells what it has


class At(msgspec.Struct, frozen=True):
    """Where an exchange of ccxt's is emulated: the venue there, the symbol as either writes it, our folder for it."""

    venue: str
    symbol: str
    listed: str
    folder: str = "ccxt"


EXCHANGES: Final = {
    "alpaca": At("alpaca", "BTC/USD", "BTC/USD"),
    "binance": At("binance", "BTC/USDT", "BTCUSDT"),
    "binanceus": At("binance", "BTC/USDT", "BTCUSDT", "binanceus"),
}


def ccxt_addresses(exchange: str, facts: Mapping[str, Any]) -> dict[str, str]:
    """An emulator's addresses by ccxt's names of them."""
    rest, ws = str(facts["rest"]), facts["ws"]
    if EXCHANGES[exchange].venue == "alpaca":
        crypto = f"{facts['ws_root']}/v1beta2/crypto"
        return {"trader": rest, "market": rest, "ws.crypto": crypto, "ws.trading": ws}
    return {
        "public": f"{rest}/api/v3",
        "private": f"{rest}/api/v3",
        "ws.spot": f"{ws}/ws",
        "ws.ws-api.spot": facts["ws_api"],
    }


def ccxt_account(venue: Emulator, exchange: str, **more: Any) -> BrokerSettings:
    """The settings of an account at the emulator; its keys are in the environment given to `opened`."""
    folder = EXCHANGES[exchange].folder
    named = {"exchange": exchange} if folder == "ccxt" else {}
    usual = {
        "venue": folder,
        "credentials": "env:EMULATED",
        "addresses": ccxt_addresses(exchange, venue.facts),
        "absent_after_s": 0.0,
        "limits": {"*": UNLIMITED},
        "options": {**named, **more.pop("options", {})},
    }
    return BrokerSettings(**{**usual, **more})


def keys_of(venue: Emulator) -> dict[str, str]:
    """The emulator's keys as an environment."""
    return {"EMULATED_KEY": venue.facts["key"], "EMULATED_SECRET": venue.facts["secret"]}


async def listed(venue: Emulator, exchange: str, **settings: Any) -> list[Instrument]:
    """The instrument a rig trades, as the exchange lists it."""
    package, chosen = _package(venue, exchange, settings)
    found: list[Instrument] = await package.find_instruments(
        chosen, "emulated", [EXCHANGES[exchange].symbol], environ=keys_of(venue)
    )
    return found


def opened(venue: Emulator, exchange: str, instruments: list[Instrument], **more: Any) -> CcxtBroker:
    """The bridge for one emulator, not connected yet."""
    package, chosen = _package(venue, exchange, more.pop("settings", {}))
    usual = {"environ": keys_of(venue), "look_first_s": 0.02}
    broker: CcxtBroker = package.open_broker(chosen, "emulated", instruments, **{**usual, **more})
    return broker


def _package(venue: Emulator, exchange: str, settings: dict[str, Any]) -> tuple[Any, Settings]:
    account = ccxt_account(venue, exchange, **settings)
    chosen = load_settings(brokers={"emulated": account.model_dump()})
    return import_module(f"workbench.brokers.{EXCHANGES[exchange].folder}"), chosen


class CcxtMarket:
    """The emulator's market of one symbol, moved by prints alone."""

    iid = 0

    def __init__(self, venue: Emulator, broker: CcxtBroker, symbol: str) -> None:
        self.venue, self.broker = venue, broker
        self._board = venue.exchange.market.board(symbol)
        self.px = round(self._board.last, 2)

    def print_at(self, px: float) -> None:
        self.px = px
        self._board.go_to(px)
        self.venue.exchange.print_at(self._board, px, _PRINTED)

    async def settle(self) -> None:
        """Nothing is settled before the bridge has no request under way and knows of every order what the exchange
        knows: what has filled, and whether it is over. (ccxt merges messages: they cannot be counted.)"""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _SETTLED_S
        quiet = 0
        while quiet < 3:
            await asyncio.sleep(0.001)
            quiet = quiet + 1 if not self.broker.pending and not self._behind() else 0
            if loop.time() > deadline_s:
                raise Refused(
                    f"the rig does not settle ({self.broker.pending} requests, behind on {self._behind()})"
                )

    def _behind(self) -> list[str]:
        """Orders of which the bridge does not know all."""
        tracker, by_order = self.broker.tracker, dict[int, list[VenueOrder]]()
        for order in self.venue.exchange.orders.values():
            tracked = tracker.by_venue.get(order.venue_id) or tracker.by_venue.get(str(order.order_id))
            if tracked is not None:
                by_order.setdefault(tracked.order_id, []).append(order)
        behind = []
        for number, orders in by_order.items():
            tracked = tracker.by_order[number]
            filled_e8 = sum(execution.qty_e8 for order in orders for execution in order.executions)
            over = not any(order.is_open or order.state == "pending" for order in orders)
            if tracked.filled_e8 != filled_e8 or over == tracked.active:
                behind.append(f"{tracked}")
        return behind


@asynccontextmanager
async def make_rig(exchange: str = "alpaca", **settings: Any) -> AsyncIterator[BrokerRig]:
    """A connected bridge; orders fill at the next print, never by themselves."""
    at = EXCHANGES[exchange]
    options = {"options": settings.pop("options", {})}
    async with emulated(
        at.venue, speed=0, fill_s=_NEVER_S, cash=10_000_000.0, limits=False, **settings
    ) as venue:
        board = venue.exchange.market.board(at.listed)
        venue.exchange.match.positions[board.listing.iid] = _HELD_E8
        instruments = await listed(venue, exchange, **options)
        broker = opened(venue, exchange, instruments, settings=options, sweep_s=0.0)
        rig = BrokerRig(broker, CcxtMarket(venue, broker, at.listed))
        await broker.connect(rig.reports.append)
        try:
            yield rig
        finally:
            await broker.close()
