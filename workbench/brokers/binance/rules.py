"""What Binance takes and what not, checked before anything is sent: symbols, filters, words, lists.

Lives here: the rules that need no account (its means are judged by the venue) and no market (how far a price may be
from the last minutes' is judged there too). Not here: sending (broker.py).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from workbench.brokers.binance.bodies import SymbolBody
from workbench.brokers.binance.client import BinanceClient
from workbench.brokers.binance.config import addresses_of, budgets, options_of
from workbench.brokers.binance.signer import signer_of
from workbench.brokers.binance.words import KINDS, VENUE, e8, whole
from workbench.brokers.pool import Pool, read_credentials
from workbench.brokers.pool.order_checks import (
    Complaint,
    exits_complaint,
    number,
    off_grid,
    prices_complaint,
    unlisted,
)
from workbench.config import BrokerSettings
from workbench.errors import BadInput, VenueRefused
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    BUY,
    CLS,
    FOK,
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
from workbench.model.scale import SCALE, from_e8, notional_e8

__all__ = ["Listing", "Rules", "instruments_of", "listing_of"]

logger = logging.getLogger(__name__)

_BIPS_E8: Final = SCALE // 10_000
_NO_END_E8: Final = 10**26


class Listing(msgspec.Struct, frozen=True):
    """One instrument as Binance lists it, in 1e-8 units. A step or a bound of 0 means that there is none."""

    instrument: Instrument
    symbol: str
    base: str
    quote: str
    trading: bool
    order_types: frozenset[str]
    tick_e8: int
    least_px_e8: int
    most_px_e8: int
    step_e8: int
    least_qty_e8: int
    most_qty_e8: int
    market_step_e8: int
    least_market_e8: int
    most_market_e8: int
    least_value_e8: int
    most_value_e8: int
    value_of_market: bool
    trail: tuple[int, int]
    oco: bool
    oto: bool
    amend: bool


def listing_of(instrument: Instrument, body: SymbolBody) -> Listing:
    """What exchangeInfo says of an instrument."""
    filters = {str(one.get("filterType", "")): one for one in body.filters}

    def amount(name: str, field: str) -> int:
        value = filters.get(name, {}).get(field, 0)
        return e8(value, field)

    value_filter = "NOTIONAL" if "NOTIONAL" in filters else "MIN_NOTIONAL"
    value = filters.get(value_filter, {})
    trail = filters.get("TRAILING_DELTA", {})
    bounds = [whole(str(trail.get(field, 0)), field) for field in _TRAILS]
    return Listing(
        instrument,
        body.symbol,
        body.base_asset,
        body.quote_asset,
        body.status == "TRADING" and body.is_spot_trading_allowed,
        frozenset(body.order_types),
        amount("PRICE_FILTER", "tickSize"),
        amount("PRICE_FILTER", "minPrice"),
        amount("PRICE_FILTER", "maxPrice"),
        amount("LOT_SIZE", "stepSize"),
        amount("LOT_SIZE", "minQty"),
        amount("LOT_SIZE", "maxQty"),
        amount("MARKET_LOT_SIZE", "stepSize"),
        amount("MARKET_LOT_SIZE", "minQty"),
        amount("MARKET_LOT_SIZE", "maxQty"),
        amount(value_filter, "minNotional"),
        amount(value_filter, "maxNotional"),
        bool(value.get("applyMinToMarket", value.get("applyToMarket", False))),
        (max(bounds[0], bounds[2]), min(bounds[1], bounds[3])) if body.allow_trailing_stop else (0, 0),
        body.oco_allowed,
        body.oto_allowed,
        body.amend_allowed,
    )


_TRAILS: Final = (
    "minTrailingAboveDelta", "maxTrailingAboveDelta", "minTrailingBelowDelta", "maxTrailingBelowDelta",
)  # fmt: skip


def _outside(low_e8: int, high_e8: int) -> str:
    """How a value is wrong that is not within bounds; a bound of 0 on top is none.

    >>> _outside(1_000_000, 0), _outside(1_000_000, 900_000_000_000)
    ('is below the least, 0.01', 'is not between 0.01 and 9000')
    """
    if not high_e8:
        return f"is below the least, {number(low_e8)}"
    return f"is not between {number(low_e8)} and {number(high_e8)}"


class Rules:
    """The instruments of one account, and what may be ordered of them. Market orders have no price: the venue judges
    what they are worth."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self.instruments = {instrument.iid: instrument for instrument in instruments}
        self.listings: dict[int, Listing] = {}
        self._iids: dict[str, int] = {}
        self.bases: dict[str, int] = {}
        self.quote = ""

    async def learn(self, client: BinanceClient) -> None:
        """Ask what each instrument is there. One that is not listed stays unknown, and orders in it are rejected.

        Raises:
            BadInput: instruments are paid in several assets, or two have the same base.
        """
        listed: dict[str, SymbolBody] = {}
        for symbol in [one.symbol for one in self.instruments.values()]:
            try:
                info = await client.info([symbol])
            except VenueRefused as error:
                if error.code not in ("-1121", "-1100"):
                    raise
                logger.warning("binance: '%s' is not listed: orders in it will be rejected", symbol)
                continue
            client.limits.told(info.rate_limits, 0.0, counts=False)
            listed |= {body.symbol: body for body in info.symbols}
        for instrument in self.instruments.values():
            body = listed.get(instrument.symbol)
            if body is not None:
                self._add(listing_of(instrument, body))

    def _add(self, listing: Listing) -> None:
        iid = listing.instrument.iid
        if self.quote and listing.quote != self.quote:
            text = f"{listing.symbol} is paid in {listing.quote} and others in {self.quote}"
            raise BadInput(f"binance: {text}: one account here has one cash; open another for it")
        if listing.base in self.bases:
            raise BadInput(f"binance: two instruments hold {listing.base}: its balance could be either's")
        self.quote = listing.quote
        self.listings[iid] = listing
        self._iids[listing.symbol] = self.bases[listing.base] = iid

    def iid_of(self, symbol: str) -> int | None:
        """Our number of a symbol; None when it is not one of ours."""
        return self._iids.get(symbol)

    # -- one order ---------------------------------------------------------------------------------------------------

    def complaint(self, order: Submit) -> Complaint:
        """Why an order would be refused, as code and text; None when there is no reason."""
        listing = self.listings.get(order.iid)
        if listing is None:
            return unlisted(self.instruments, order.iid, "is not listed at binance")
        if not listing.trading:
            return "NOT_TRADING", f"{listing.symbol} is not traded at binance now"
        return (
            self._words(order, listing)
            or self._prices(order, listing)
            or self._quantity(order, listing)
            or self._value(order, listing)
        )

    def _words(self, order: Submit, listing: Listing) -> Complaint:
        kind, tif = order.kind, order.tif
        words = f"{TYPE_NAMES[kind]} order {TIF_NAMES[tif]}"
        if tif in (OPG, CLS):
            return "TIF", f"binance has no auctions: it takes no {words}"
        if tif in (IOC, FOK) and kind not in (LIMIT, STOP_LIMIT) and not (kind == MARKET and tif == IOC):
            return "TIF", f"binance takes no {words}"
        if KINDS[kind] not in listing.order_types:
            return "TYPE", f"{listing.symbol} takes no {TYPE_NAMES[kind]} orders"
        return self._trail(order, listing) if kind == TRAILING else None

    @staticmethod
    def _trail(order: Submit, listing: Listing) -> Complaint:
        if order.trail_e8 or order.trail_rate_e8 <= 0:
            return "TRAIL", "binance trails by a share of the price, not by a distance: give a rate"
        if order.trail_rate_e8 % _BIPS_E8:
            return "TRAIL", "binance trails by hundredths of a percent: round the rate to 0.0001"
        low, high = listing.trail
        bips = order.trail_rate_e8 // _BIPS_E8
        if not low <= bips <= high:
            return (
                "TRAILING_DELTA",
                f"a trail of {bips} is not between {low} and {high} hundredths of a percent",
            )
        return None

    @staticmethod
    def _prices(order: Submit, listing: Listing) -> Complaint:
        steps_e8 = (listing.instrument.tick_e8, listing.tick_e8)
        fields, least_e8, most_e8 = ("price", "stopPrice"), listing.least_px_e8, listing.most_px_e8
        complaint = prices_complaint(order, lambda _: steps_e8, fields=fields, code="PRICE_FILTER")
        if complaint:
            return complaint
        for field, px_e8 in zip(fields, (order.limit_px_e8, order.stop_px_e8), strict=True):
            if px_e8 and not least_e8 <= px_e8 <= (most_e8 or _NO_END_E8):
                return "PRICE_FILTER", f"{field} {number(px_e8)} {_outside(least_e8, most_e8)}"
        return None

    @staticmethod
    def _quantity(order: Submit, listing: Listing) -> Complaint:
        qty_e8 = order.qty_e8
        if qty_e8 <= 0:
            return "QTY", f"quantity {number(qty_e8)} is not above 0"
        checks = [
            ("LOT_SIZE", listing.instrument.lot_e8, 0, 0),
            ("LOT_SIZE", listing.step_e8, listing.least_qty_e8, listing.most_qty_e8),
        ]
        if order.kind == MARKET:
            checks.append(
                (
                    "MARKET_LOT_SIZE",
                    listing.market_step_e8,
                    listing.least_market_e8,
                    listing.most_market_e8,
                )
            )
        for name, step_e8, low_e8, high_e8 in checks:
            if complaint := off_grid("quantity", qty_e8, (step_e8,), name):
                return complaint
            if not low_e8 <= qty_e8 <= (high_e8 or _NO_END_E8):
                return name, f"quantity {number(qty_e8)} {_outside(low_e8, high_e8)}"
        return None

    def _value(self, order: Submit, listing: Listing) -> Complaint:
        market = order.kind in (MARKET, STOP, TRAILING)
        px_e8 = order.limit_px_e8 or order.stop_px_e8
        if not px_e8 or (market and not listing.value_of_market):
            return None
        value_e8 = notional_e8(px_e8, order.qty_e8)
        if value_e8 < listing.least_value_e8 and order.kind != MARKET:
            least = from_e8(listing.least_value_e8)
            return (
                "NOTIONAL",
                f"a value of {number(value_e8)} is below the least, {least:g} {listing.quote}",
            )
        if value_e8 > (listing.most_value_e8 or _NO_END_E8) and not market:
            most = from_e8(listing.most_value_e8)
            return "NOTIONAL", f"a value of {number(value_e8)} is above the most, {most:g} {listing.quote}"
        return None

    # -- several orders ----------------------------------------------------------------------------------------------

    def together(self, orders: Sequence[Submit]) -> Complaint:
        """Why orders cannot go as a bracket or a pair."""
        if complaint := exits_complaint(orders, (LIMIT,), "limit"):
            return complaint
        listing, bracket = self.listings[orders[0].iid], bool(orders[1].parent_id)
        exits = orders[1:] if bracket else orders
        if bracket and (not listing.oto or (len(exits) == 2 and not listing.oco)):
            return "TOGETHER", f"{listing.symbol} takes no brackets"
        if not bracket and not listing.oco:
            return "TOGETHER", f"{listing.symbol} takes no pairs"
        if len(exits) == 2 and not _stands(exits):
            return (
                "TOGETHER",
                "the limit order stands on the far side of the market, the stop on the near one",
            )
        return None


def _stands(exits: Sequence[Submit]) -> bool:
    """Whether a limit order and a stop have the market between them: sold above and stopped below, or the reverse."""
    limit, stop = sorted(exits, key=lambda order: order.kind != LIMIT)
    above = limit.limit_px_e8 > stop.stop_px_e8
    return above == (limit.side != BUY)


async def instruments_of(
    settings: BrokerSettings, symbols: Sequence[str], secrets: Path, environ: Mapping[str, str] | None = None
) -> list[Instrument]:
    """The instruments behind symbols, asked for one by one, so that an unknown one is named.

    Raises:
        VenueRefused: one is not listed, or not traded.
    """
    keys = read_credentials(settings.credentials, secrets, environ=environ)
    options = options_of(settings)
    pool = Pool(VENUE, budgets(), name="instruments", mode=settings.mode, limits=settings.limits)
    pool.open()
    try:
        client = BinanceClient(pool, addresses_of(settings), keys, signer_of(keys, secrets), options)
        found = []
        for iid, symbol in enumerate(symbols):
            try:
                info = await client.info([symbol])
            except VenueRefused as error:
                if error.code in ("-1121", "-1100"):
                    text, advice = f"'{symbol}' is not listed", "check its spelling: BTCUSDT"
                    raise VenueRefused(VENUE, text, advice, code=error.code, field="symbol") from error
                raise
            found.append(_instrument(iid, info.symbols[0]))
        return found
    finally:
        await pool.close()


def _instrument(iid: int, body: SymbolBody) -> Instrument:
    listing = listing_of(Instrument(iid, body.symbol), body)
    if not listing.trading:
        text = f"'{body.symbol}' is not traded now ({body.status})"
        raise VenueRefused(VENUE, text, "take another symbol, or wait", field="symbol", code="NOT_TRADING")
    grid = max(1, listing.tick_e8), max(1, listing.step_e8)
    return Instrument(iid, body.symbol, VENUE.upper(), listing.quote, *grid, "24/7")
