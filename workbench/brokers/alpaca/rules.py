"""What Alpaca takes and what not, checked before anything is sent: assets, grids, times in force, brackets.

Lives here: the rules that need no account (its means are judged by the venue). Not here: sending (broker.py).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.config import addresses_of, budgets, check_keys
from workbench.brokers.alpaca.parse import AssetBody
from workbench.brokers.alpaca.words import VENUE, optional_e8
from workbench.brokers.pool import Pool, read_credentials
from workbench.brokers.pool.order_checks import (
    Complaint,
    exits_complaint,
    prices_complaint,
    quantity_complaint,
    unlisted,
)
from workbench.config import BrokerSettings
from workbench.errors import VenueRefused
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    CLS,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TRAILING,
    TYPE_NAMES,
)
from workbench.model.scale import SCALE

__all__ = ["Listing", "Rules", "instruments_of"]

logger = logging.getLogger(__name__)

_CENT_E8 = SCALE // 100
_FINE_E8 = SCALE // 10_000  # prices below one dollar


class Listing(msgspec.Struct, frozen=True):
    """One instrument as Alpaca lists it, in 1e-8 units."""

    instrument: Instrument
    symbol: str
    crypto: bool
    tradable: bool
    fractionable: bool
    min_qty_e8: int
    qty_step_e8: int
    tick_e8: int  # 0: by the price, as stocks have it


def listing_of(instrument: Instrument, asset: AssetBody) -> Listing:
    """What an asset's answer says of an instrument. A step finer than 1e-8 counts as 1e-8."""
    crypto = asset.class_ == "crypto"
    step_e8 = max(1, optional_e8(asset.min_trade_increment, "min_trade_increment"))
    return Listing(
        instrument,
        asset.symbol,
        crypto,
        asset.tradable and asset.status == "active",
        asset.fractionable,
        optional_e8(asset.min_order_size, "min_order_size"),
        step_e8 if crypto or asset.fractionable else SCALE,
        max(1, optional_e8(asset.price_increment, "price_increment")) if crypto else 0,
    )


class Rules:
    """The instruments of one account, and what may be ordered of them."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self.instruments = {instrument.iid: instrument for instrument in instruments}
        self.listings: dict[int, Listing] = {}
        self._iids: dict[str, int] = {}

    async def learn(self, client: AlpacaClient) -> None:
        """Ask what each instrument is there. One that is not listed stays unknown, and orders in it are rejected."""
        found = await asyncio.gather(*(self._asset(client, one) for one in self.instruments.values()))
        for instrument, asset in zip(self.instruments.values(), found, strict=True):
            if asset is None:
                logger.warning("alpaca: '%s' is not listed: orders in it will be rejected", instrument.symbol)
                continue
            listing = self.listings[instrument.iid] = listing_of(instrument, asset)
            self._iids[listing.symbol] = self._iids[listing.symbol.replace("/", "")] = instrument.iid

    async def _asset(self, client: AlpacaClient, instrument: Instrument) -> AssetBody | None:
        try:
            return await client.asset(instrument.symbol)
        except VenueRefused as error:
            if error.status not in (404, 422):
                raise
            return None

    def iid_of(self, symbol: str) -> int | None:
        """Our number of a symbol, with or without a pair's slash; None when it is not one of ours."""
        return self._iids.get(symbol)

    def complaint(self, order: Submit) -> Complaint:
        """Why an order would be refused, as code and text; None when there is no reason."""
        listing = self.listings.get(order.iid)
        if listing is None:
            return unlisted(self.instruments, order.iid, "is not listed at alpaca")
        if not listing.tradable:
            return "NOT_TRADABLE", f"{listing.symbol} cannot be traded at alpaca now"
        steps_e8 = (listing.instrument.lot_e8, listing.qty_step_e8)
        return (
            quantity_complaint(order.qty_e8, steps_e8, listing.min_qty_e8)
            or prices_complaint(
                order, lambda px_e8: (listing.instrument.tick_e8, listing.tick_e8 or _stock_tick_e8(px_e8))
            )
            or self._words(order, listing)
        )

    def _words(self, order: Submit, listing: Listing) -> Complaint:
        kind, tif = order.kind, order.tif
        words = f"{TYPE_NAMES[kind]} order {TIF_NAMES[tif]}"
        if kind == TRAILING and (order.trail_e8 <= 0) == (order.trail_rate_e8 <= 0):
            return "TRAIL", "a trailing order needs either a distance or a rate above 0"
        if listing.crypto:
            if kind not in (MARKET, LIMIT, STOP_LIMIT):
                return "TYPE", f"alpaca takes no {TYPE_NAMES[kind]} orders in {listing.symbol}"
            if tif not in (GTC, IOC) and not (kind == MARKET and tif == DAY):
                return "TIF", f"{listing.symbol} takes gtc and ioc only, not a {words}"
            return None
        if order.qty_e8 % SCALE and (tif != DAY or kind == TRAILING):
            return "FRACTION", f"a fraction of a share takes day orders that do not trail, not a {words}"
        if tif in (OPG, CLS) and kind not in (MARKET, LIMIT):
            return "TIF", f"auctions take market and limit orders, not a {words}"
        if kind in (STOP, STOP_LIMIT, TRAILING) and tif in (IOC, FOK):
            return "TIF", f"alpaca takes no {words}"
        return None

    def together(self, orders: Sequence[Submit]) -> Complaint:
        """Why orders cannot go as a bracket or a pair."""
        listing, head = self.listings[orders[0].iid], orders[0]
        if listing.crypto or any(order.qty_e8 % SCALE for order in orders):
            return "TOGETHER", "brackets and pairs are for whole shares"
        if head.tif not in (DAY, GTC) or any(order.tif != head.tif for order in orders):
            return "TOGETHER", "orders that belong together are all day or all gtc"
        return exits_complaint(orders, (MARKET, LIMIT), "market or limit")


async def instruments_of(
    settings: BrokerSettings, symbols: Sequence[str], secrets: Path, environ: Mapping[str, str] | None = None
) -> list[Instrument]:
    """The instruments behind symbols, asked for one by one.

    Raises:
        VenueRefused: one is not listed, or cannot be traded.
    """
    keys = read_credentials(settings.credentials, secrets, environ=environ)
    addresses = addresses_of(settings)
    check_keys(settings, keys, addresses)
    pool = Pool(VENUE, budgets(), name="instruments", mode=settings.mode, limits=settings.limits)
    pool.open()
    try:
        client = AlpacaClient(pool, addresses, keys)
        return [_instrument(iid, await client.asset(symbol)) for iid, symbol in enumerate(symbols)]
    finally:
        await pool.close()


def _instrument(iid: int, asset: AssetBody) -> Instrument:
    listing = listing_of(Instrument(iid, asset.symbol), asset)
    if not listing.tradable:
        text = f"'{asset.symbol}' cannot be traded"
        raise VenueRefused(VENUE, text, "take another symbol", field="symbol", code="NOT_TRADABLE")
    if listing.crypto:
        currency = asset.symbol.partition("/")[2] or "USD"
        grid = max(1, listing.tick_e8), max(1, listing.qty_step_e8)
        return Instrument(iid, asset.symbol, VENUE.upper(), currency, *grid, "24/7")
    return Instrument(iid, asset.symbol, VENUE.upper())


def _stock_tick_e8(px_e8: int) -> int:
    return _CENT_E8 if px_e8 >= SCALE else _FINE_E8
