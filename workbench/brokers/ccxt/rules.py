"""What an exchange takes and what not, by what ccxt says of it: markets, grids, least sizes, kinds of orders.

Lives here: claims from ccxt's `has` and `features`, the checks before anything is sent. Not here: sending (broker.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from workbench.brokers.ccxt.client import CcxtClient
from workbench.brokers.ccxt.config import DOLLARS, IN_COINS, Plan
from workbench.brokers.ccxt.parse import client_id_of, e8, number
from workbench.brokers.pool.order_checks import Complaint, prices_complaint, quantity_complaint, unlisted
from workbench.brokers.pool.order_checks import number as shown
from workbench.errors import BadInput, Refused, UnknownName, VenueRefused
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    BUY,
    DAY,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TYPE_NAMES,
)
from workbench.model.scale import SCALE

__all__ = ["Listing", "Rules", "check_able", "arguments_of", "claims_of", "instruments_of"]

_DECIMALS, _TICKS = 2, 4  # ccxt's precisionMode; 3 counts significant digits: no grid of prices
_LONGEST: Final = 32


def claims_of(exchange: Any, plan: Plan) -> frozenset[str]:
    """What the broker claims of an exchange (a ccxt object, connected or not). Stops only where they stand in one list
    with the other orders: elsewhere a triggered stop comes back as an order of another number."""
    has, claims = exchange.has, {"gtc"}
    times = _feature(exchange, "createOrder", "timeInForce") or {}
    claims |= {word.lower() for word in ("IOC", "FOK") if times.get(word)}
    if plan.amend and has.get("editOrder") is True:
        claims.add("amend")
    if not _feature(exchange, "fetchOrder", "trigger"):
        if has.get("createStopMarketOrder") is True:
            claims.add("stop")
        said = has.get("createStopLimitOrder")
        triggers = has.get("createTriggerOrder") is True and _feature(exchange, "createOrder", "triggerPrice")
        if said is True or (said is None and triggers):
            claims.add("stop_limit")
    return frozenset(claims)


def check_able(exchange: Any) -> None:
    """Refuse an exchange whose orders could not be followed.

    Raises:
        Refused: naming what ccxt cannot ask it.
    """
    has = exchange.has
    needs = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchBalance")
    missing = [name for name in needs if not has.get(name)]
    if (
        has.get("fetchMyTrades") is not True
    ):  # fetchOrderTrades alone needs a number that a lost answer does not leave
        missing.append("fetchMyTrades")
    if has.get("fetchOrder") is not True:
        missing.append("fetchOrder")
    if not has.get("spot"):
        missing.append("spot")
    if missing:
        text = f"ccxt has no {', '.join(missing)} for '{exchange.id}'"
        raise Refused(f"{text}: orders there could not be followed; take another exchange")


def _feature(exchange: Any, method: str, name: str) -> Any:
    return exchange.feature_value_by_type("spot", None, method, name)


class Listing(msgspec.Struct, frozen=True):
    """One instrument as an exchange lists it, in 1e-8 units; 0: it names none."""

    instrument: Instrument
    base: str
    quote: str
    active: bool
    tick_e8: int
    lot_e8: int
    min_qty_e8: int
    min_value_e8: int


def _grid_e8(exchange: Any, precision: Any) -> int:
    """A step of prices or quantities; one finer than 1e-8 counts as 1e-8."""
    if precision is None:
        return 1
    if exchange.precisionMode == _TICKS:
        return max(1, e8(precision, "precision"))
    if exchange.precisionMode == _DECIMALS:
        return max(1, round(SCALE / 10.0 ** int(precision)))
    return 1


def listing_of(exchange: Any, market: Mapping[str, Any], iid: int) -> Listing:
    """What a market of ccxt's says.

    Raises:
        VenueRefused: it is no spot market, or its symbol is too long for a desk.
    """
    symbol, precision, limits = str(market["symbol"]), market["precision"], market["limits"]
    if not market.get("spot"):
        text = f"'{symbol}' is a {market.get('type')} market"
        raise VenueRefused(exchange.id, text, "the bridge trades spot markets alone", field="symbol")
    if len(symbol) > _LONGEST:
        raise VenueRefused(
            exchange.id, f"'{symbol}' is too long a symbol", "take another one", field="symbol"
        )
    tick_e8, lot_e8 = _grid_e8(exchange, precision.get("price")), _grid_e8(exchange, precision.get("amount"))
    instrument = Instrument(iid, symbol, exchange.id.upper(), str(market["quote"]), tick_e8, lot_e8, "24/7")
    return Listing(
        instrument,
        str(market["base"]),
        str(market["quote"]),
        market.get("active") is not False,
        tick_e8,
        lot_e8,
        e8((limits.get("amount") or {}).get("min"), "limits"),
        e8((limits.get("cost") or {}).get("min"), "limits"),
    )


def instruments_of(exchange: Any, markets: Mapping[str, Any], symbols: Sequence[str]) -> list[Instrument]:
    """The instruments behind symbols as ccxt writes them, numbered from 0.

    Raises:
        UnknownName: a symbol the exchange does not list. VenueRefused: one that cannot be traded here.
        BadInput: two of them would share a coin, or are paid in different moneys.
    """
    found = []
    for iid, symbol in enumerate(symbols):
        if symbol not in markets:
            spot = [name for name, market in markets.items() if market.get("spot")]
            raise UnknownName(f"symbol at {exchange.id}", symbol, spot)
        listing = listing_of(exchange, markets[symbol], iid)
        if not listing.active:
            text = f"'{symbol}' cannot be traded now"
            raise VenueRefused(exchange.id, text, "take another symbol", field="symbol", code="NOT_TRADABLE")
        found.append(listing)
    _check_coins(exchange.id, found)
    return [listing.instrument for listing in found]


def _takes_money(exchange: Any) -> bool:
    """Whether a market buy says how much money to spend, not how many coins to buy."""
    options = exchange.options
    said = (options, options.get("createOrder"))
    wants = any(isinstance(one, dict) and one.get("createMarketBuyOrderRequiresPrice") for one in said)
    return exchange.id not in IN_COINS and (
        wants or bool(_feature(exchange, "createOrder", "marketBuyRequiresPrice"))
    )


def _check_coins(exchange: str, listings: Sequence[Listing]) -> None:
    """A spot account holds coins, not positions: each must belong to one symbol, and cash is of one money."""
    money = {"USD" if listing.quote in DOLLARS else listing.quote: listing for listing in listings}
    if len(money) > 1:
        named = " and ".join(f"{one.instrument.symbol} ({one.quote})" for one in list(money.values())[:2])
        raise BadInput(f"{named} at {exchange} are paid in different moneys: give each an account of its own")
    owner: dict[str, str] = {}
    for listing in listings:
        if listing.base in (other.quote for other in listings):
            text = f"{listing.instrument.symbol} at {exchange} trades what other symbols are paid in"
            raise BadInput(f"{text}: {listing.base} would be position and cash; leave one of them out")
        first = owner.setdefault(listing.base, listing.instrument.symbol)
        if first != listing.instrument.symbol:
            both = f"{first} and {listing.instrument.symbol}"
            raise BadInput(f"{both} at {exchange} are both held as {listing.base}: trade one of them")


class Rules:
    """The instruments of one account, and what may be ordered of them."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self.instruments = {instrument.iid: instrument for instrument in instruments}
        self.listings: dict[int, Listing] = {}
        self.exchange = ""
        self._claims: frozenset[str] = frozenset()
        self._at_market = self._in_coins = True
        self._iids: dict[str, int] = {}

    def learn(self, exchange: Any, markets: Mapping[str, Any], claims: frozenset[str]) -> list[str]:
        """Take what the exchange lists; returns the symbols it does not: orders in them are rejected.

        Raises:
            VenueRefused, BadInput: as `instruments_of` does.
        """
        self.exchange, self._claims, missing = exchange.id, claims, []
        self._at_market, self._in_coins = (
            exchange.has.get("createMarketOrder") is not False,
            not _takes_money(exchange),
        )
        for iid, instrument in self.instruments.items():
            market = markets.get(instrument.symbol)
            if market is None:
                missing.append(instrument.symbol)
            else:
                self.listings[iid] = listing_of(exchange, market, iid)
                self._iids[instrument.symbol] = iid
        _check_coins(exchange.id, list(self.listings.values()))
        return missing

    def symbol_of(self, iid: int) -> str:
        """ccxt's symbol of one of our instruments."""
        return self.listings[iid].instrument.symbol

    def quote_of(self, symbol: str) -> str:
        """What a symbol is paid in; empty when it is not one of ours."""
        iid = self._iids.get(symbol)
        return "" if iid is None else self.listings[iid].quote

    def complaint(self, order: Submit) -> Complaint:
        """Why an order would be refused, as code and text; None when there is no reason."""
        listing = self.listings.get(order.iid)
        if listing is None:
            return unlisted(self.instruments, order.iid, f"is not listed at {self.exchange}")
        if not listing.active:
            return "NOT_TRADABLE", f"{listing.instrument.symbol} cannot be traded at {self.exchange} now"
        lots_e8 = (listing.instrument.lot_e8, listing.lot_e8)
        return (
            self._words(order)
            or quantity_complaint(order.qty_e8, lots_e8, listing.min_qty_e8)
            or prices_complaint(order, lambda _: (listing.tick_e8,))
            or self._value(order, listing)
        )

    def _words(self, order: Submit) -> Complaint:
        kind, tif = order.kind, order.tif
        if kind not in (MARKET, LIMIT) and TYPE_NAMES[kind] not in self._claims:
            return "TYPE", f"{TYPE_NAMES[kind]} orders cannot be sent to {self.exchange} by ccxt"
        if kind in (MARKET, STOP) and not self._at_market:
            return "TYPE", f"{self.exchange} takes no market orders by ccxt: send a limit order"
        if kind in (MARKET, STOP) and order.side == BUY and not self._in_coins:
            text = f"{self.exchange} takes market buys as an amount of money, not of coins"
            return "TYPE", f"{text}: send a limit order"
        if order.parent_id or order.group:
            return "TOGETHER", "orders that belong together are not sent by ccxt: send them one by one"
        if tif in (IOC, FOK) and TIF_NAMES[tif] in self._claims and kind in (MARKET, LIMIT):
            return None
        if tif not in (DAY, GTC):  # the market never closes: a day order is one that rests
            return "TIF", f"{self.exchange} takes no {TYPE_NAMES[kind]} order {TIF_NAMES[tif]} by ccxt"
        return None

    @staticmethod
    def _value(order: Submit, listing: Listing) -> Complaint:
        value_e8 = order.limit_px_e8 * order.qty_e8 // SCALE
        if order.kind in (LIMIT, STOP_LIMIT) and value_e8 < listing.min_value_e8:
            return (
                "MIN_VALUE",
                f"a value of {shown(value_e8)} is below the least, {shown(listing.min_value_e8)}",
            )
        return None


def arguments_of(order: Submit, rules: Rules, client: CcxtClient) -> tuple[Any, ...]:
    """An order as ccxt's createOrder takes it: symbol, type, side, amount, price, params."""
    kind = order.kind
    params: dict[str, Any] = {"clientOrderId": client_id_of(order.client_id, client.plan.client_ids)}
    if order.tif in (IOC, FOK):
        params["timeInForce"] = TIF_NAMES[order.tif].upper()
    if kind in (STOP, STOP_LIMIT):
        params["triggerPrice"] = number(order.stop_px_e8)
        if _feature(client.exchange, "createOrder", "triggerDirection"):
            params["triggerDirection"] = "ascending" if order.side == BUY else "descending"
    limited = kind in (LIMIT, STOP_LIMIT)
    return (
        rules.symbol_of(order.iid),
        "limit" if limited else "market",
        "buy" if order.side == BUY else "sell",
        number(order.qty_e8),
        number(order.limit_px_e8) if limited else None,
        params,
    )
