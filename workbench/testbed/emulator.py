"""An emulated venue put together: market, exchange, venue, server; started and stopped by handle.

Lives here: the assembly and the handle tests hold. Not here: the parts.

    async with emulated("alpaca", cash=50_000) as venue:
        venue.facts["rest"], venue.facts["key"], venue.exchange, venue.faults, venue.console
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import msgspec

from workbench.errors import BadInput, Refused
from workbench.feeds.recording import Recording
from workbench.feeds.sources import open_data
from workbench.testbed.clock import VenueClock
from workbench.testbed.console import CONSOLE, Console
from workbench.testbed.exchange import Exchange
from workbench.testbed.faults import Faults, read_faults
from workbench.testbed.hours import Hours
from workbench.testbed.market import Market
from workbench.testbed.pace import Pace, steps_of
from workbench.testbed.server import Server
from workbench.testbed.venue import EmulatorSettings, Venue, venue_package

__all__ = ["Emulator", "emulated"]

_BUNDLED = "SPY"


class Emulator:
    """One emulated venue. `facts` is what a client needs to find it and be let in; known once it is started."""

    def __init__(
        self, name: str, settings: EmulatorSettings | None = None, clock: VenueClock | None = None
    ) -> None:
        self.settings = chosen = settings or EmulatorSettings()
        package = venue_package(name)
        recording: Recording | None = open_data(chosen.data) if chosen.data else None
        symbols = chosen.symbols or package.SYMBOLS
        if recording is not None and not chosen.symbols:
            symbols += tuple(symbol for symbol in recording.symbols if symbol not in symbols)
        listings = package.listings(symbols)
        if recording is None and any(listing.symbol == _BUNDLED for listing in listings):
            recording = open_data(_BUNDLED)
        span_ns, steps = steps_of(chosen.speed)
        self.faults = Faults(chosen.seed)
        market = Market(
            listings,
            clock or VenueClock(),
            seed=chosen.seed,
            recording=recording,
            span_ns=span_ns,
            steps=steps,
        )
        self.exchange = Exchange(
            market,
            cash=package.CASH if chosen.cash is None else chosen.cash,
            seed=chosen.seed,
            hours=Hours(chosen.market_open),
            faults=self.faults,
            fee_per_unit=chosen.fee_per_unit,
            fee_rate=chosen.fee_rate,
            ack_s=chosen.ack_s,
            fill_s=chosen.fill_s,
        )
        self.venue: Venue = package.open_venue(self.exchange, chosen)
        self.pace = Pace(self.exchange, chosen.speed)
        self.server = Server(self.venue, self.faults, self.pace, new_secret(24))
        if chosen.faults:
            for fault in read_faults(Path(chosen.faults)):
                self.faults.add(fault)

    @property
    def console(self) -> Console:
        return self.server.console

    @property
    def facts(self) -> dict[str, Any]:
        """Keys, account, symbols and addresses, as `workbench emulate --json` prints them."""
        venue, root, certificate = self.venue, self.server.root, self.server.certificate
        return {
            "venue": venue.name,
            "key": venue.key,
            "secret": venue.secret,
            "account": venue.account,
            "symbols": [board.listing.symbol for board in self.exchange.market.boards.values()],
            "speed": self.settings.speed,
            **venue.addresses(root),
            "console": root + CONSOLE,
            "console_token": self.server.console.token,
            **({"certificate": certificate.pem} if certificate is not None else {}),
        }

    async def start(self) -> None:
        """Listen and let the market move.

        Raises:
            Refused: the port is taken.
        """
        try:
            await self.server.start(self.settings.port, self.settings.tls)
        except OSError as error:
            text = f"port {self.settings.port} cannot be used ({error.strerror or error})"
            raise Refused(f"{text}: give --port another one, or 0 for a free one") from error

    async def stop(self) -> None:
        """Close everything; harmless when repeated."""
        await self.server.stop()


def new_secret(length: int, seed: int | None = None) -> str:
    """A random text of capital letters and digits; with a seed, always the same one.

    >>> len(new_secret(20)), new_secret(8, seed=1) == new_secret(8, seed=1)
    (20, True)
    """
    chance = SystemRandom() if seed is None else Random(f"{seed}-secret")
    return "".join(chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(length))


@asynccontextmanager
async def emulated(name: str, **settings: Any) -> AsyncIterator[Emulator]:
    """A venue that runs while the block does; the keywords are those of `EmulatorSettings`.

    Raises:
        UnknownName: no such venue. BadInput: an unknown or impossible setting.
    """
    try:
        chosen = msgspec.convert(settings, EmulatorSettings)
    except msgspec.ValidationError as error:
        raise BadInput(f"emulator settings: {error}") from error
    emulator = Emulator(name, chosen)
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()
