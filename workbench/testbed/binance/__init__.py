"""Binance Spot emulated: REST, the WebSocket API with the account's events, market streams.

Facts and what could not be confirmed: docs/emulators.md.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from workbench.errors import BadInput, BadValue
from workbench.model.scale import from_e8
from workbench.testbed.binance.filters import filters_of
from workbench.testbed.binance.venue import BinanceVenue
from workbench.testbed.binance.words import split_symbol
from workbench.testbed.exchange import Exchange
from workbench.testbed.listing import Listing, pair
from workbench.testbed.venue import EmulatorSettings

__all__ = ["CASH", "SYMBOLS", "adapter_addresses", "listings", "open_venue"]

CASH = 10_000_000.0
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def listings(symbols: tuple[str, ...]) -> list[Listing]:
    """Pairs as the venue spells them, all paid in one asset.

    Raises:
        BadValue: a symbol Binance could not have. BadInput: symbols are paid in several assets.
    """
    found: list[Listing] = []
    for iid, symbol in enumerate(dict.fromkeys(symbols)):
        parts = split_symbol(symbol) if symbol.isascii() and symbol.isalnum() and symbol.isupper() else None
        if parts is None:
            raise BadValue("symbols", symbol, "give pairs like BTCUSDT")
        base, quote = parts
        if found and found[0].instrument.currency != quote:
            other = found[0].instrument.currency
            raise BadInput(f"symbols are paid in {other} and {quote}: one emulator has one quote asset")
        filters = filters_of(base)
        tick, step = from_e8(filters.tick_e8), from_e8(filters.step_e8)
        listed = pair(iid, symbol, base, quote, "binance", tick=tick, lot=step)
        found.append(structs.replace(listed, min_qty_e8=filters.step_e8, min_value_e8=filters.least_value_e8))
    return found


def open_venue(exchange: Exchange, settings: EmulatorSettings) -> BinanceVenue:
    """A spot account over an exchange."""
    return BinanceVenue(exchange, settings)


def adapter_addresses(facts: Mapping[str, Any]) -> dict[str, str]:
    """The emulator's addresses as the adapter's settings name them."""
    return {"rest": facts["rest"], "stream": facts["ws"], "ws_api": facts["ws_api"]}
