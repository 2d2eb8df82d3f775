"""Alpaca emulated: trading and market data over REST, `trade_updates`, data streams.

Facts and what could not be confirmed: docs/emulators.md.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from workbench.errors import BadValue
from workbench.model.scale import to_e8
from workbench.testbed.alpaca.venue import AlpacaVenue
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import Listing, pair, stock
from workbench.testbed.venue import EmulatorSettings, check_options

__all__ = ["CASH", "SYMBOLS", "adapter_addresses", "listings", "open_venue"]

CASH = 10_000_000.0
SYMBOLS = ("AAPL", "SPY", "BTC/USD")


def listings(symbols: tuple[str, ...]) -> list[Listing]:
    """Stocks as they are named, pairs with a slash.

    Raises:
        BadValue: a symbol Alpaca could not have.
    """
    found: list[Listing] = []
    for iid, symbol in enumerate(dict.fromkeys(symbols)):
        base, slash, quote = symbol.partition("/")
        if not base.isalnum() or not base.isupper() or (slash and not quote.isalpha()):
            raise BadValue("symbols", symbol, "give stocks like AAPL and pairs like BTC/USD")
        if slash:
            listed = pair(iid, symbol, base, quote, "alpaca", tick=0.01, lot=1e-8)
            found.append(structs.replace(listed, min_qty_e8=to_e8(round(10 / listed.start_px, 8))))
        else:
            found.append(stock(iid, symbol, "alpaca", lot_e8=1))
    return found


def open_venue(exchange: Exchange, settings: EmulatorSettings) -> AlpacaVenue:
    """A paper account over an exchange."""
    check_options("alpaca", settings.options, ())
    return AlpacaVenue(exchange, settings)


def adapter_addresses(facts: Mapping[str, Any]) -> dict[str, str]:
    """The emulator's addresses as the adapter's settings name them."""
    return {
        "rest": facts["rest"],
        "stream": facts["ws"],
        "data": facts["rest"],
        "data_stream": facts["ws_root"],
    }
