"""Interactive Brokers' Client Portal gateway emulated: session rules, question chains, portfolio, data, one WebSocket.

Facts and what could not be confirmed: docs/emulators.md.
"""

from collections.abc import Mapping
from typing import Any

from workbench.errors import BadValue
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.venue import IbkrVenue
from workbench.testbed.listing import Listing, stock
from workbench.testbed.venue import EmulatorSettings, check_options

__all__ = ["CASH", "SYMBOLS", "adapter_addresses", "adapter_options", "listings", "open_venue"]

CASH = 10_000_000.0
SYMBOLS = ("AAPL", "SPY")


def listings(symbols: tuple[str, ...]) -> list[Listing]:
    """US stocks and funds, whole shares.

    Raises:
        BadValue: a symbol that could be none.
    """
    found: list[Listing] = []
    for iid, symbol in enumerate(dict.fromkeys(symbols)):
        if not symbol.replace(".", "").isalnum() or symbol != symbol.upper():
            raise BadValue("symbols", symbol, "give stocks like AAPL")
        found.append(stock(iid, symbol, "ibkr"))
    return found


def open_venue(exchange: Exchange, settings: EmulatorSettings) -> IbkrVenue:
    """A gateway with a paper account over an exchange, logged in."""
    check_options("ibkr", settings.options, ())
    return IbkrVenue(exchange, settings)


def adapter_addresses(facts: Mapping[str, Any]) -> dict[str, str]:
    """The emulator's addresses as the adapter's settings name them."""
    return {"rest": facts["rest"], "stream": facts["ws"]}


def adapter_options(facts: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """The adapter's options for this emulator: bars are made of prints, and at another speed a minute is shorter."""
    speed = float(facts.get("speed", 1.0))
    return {"bar_s": 60.0 / speed} if speed > 1.0 else {}
