"""From symbols to contracts: one of several by that name, its price bands, and a cache of what was found.

Lives here: the look-up. Not here: what may be ordered (rules.py), requests (client.py).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

import msgspec

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.config import Allowances, Options, options_of, place_of
from workbench.brokers.ibkr.session import Session
from workbench.brokers.ibkr.words import VENUE, Number, e8
from workbench.brokers.pool import Pool
from workbench.config import BrokerSettings
from workbench.errors import BadValue, VenueGarbled, VenueRefused
from workbench.model.instrument import Instrument
from workbench.model.scale import SCALE

__all__ = ["Contract", "Contracts", "instruments_of", "one_in_the_us"]

_DAY_S: Final = 86_400.0
_CENT_E8: Final = SCALE // 100
_ORDER_TYPES: Final = frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"})


class _Band(msgspec.Struct):
    lowerEdge: Number = 0.0
    increment: Number = 0.01


class _Rules(msgspec.Struct):
    orderTypes: list[str] = []
    increment: Number | None = None
    incrementRules: list[_Band] | None = None
    canTradeAcctIds: list[str] | None = None
    error: str | None = None


class _Info(msgspec.Struct):
    con_id: int | None = None
    symbol: str = ""
    currency: str = "USD"
    instrument_type: str = "STK"
    exchange: str = ""
    rules: _Rules = msgspec.field(default_factory=_Rules)


class _Place(msgspec.Struct):
    conid: int
    exchange: str = ""
    isUS: bool = False


class _Stock(msgspec.Struct):
    name: str | None = ""
    assetClass: str = "STK"
    contracts: list[_Place] = []


class Contract(msgspec.Struct, frozen=True):
    """One contract: `edges` are prices (1e-8) from which on the step at the same place in `steps` holds."""

    conid: int
    symbol: str
    currency: str
    edges: tuple[int, ...]
    steps: tuple[int, ...]
    order_types: frozenset[str]
    accounts: tuple[str, ...]  # who may trade it; empty: not told

    def step_e8(self, px_e8: int) -> int:
        """The step of prices around one.

        >>> cents = Contract(1, "X", "USD", (0, SCALE), (10_000, 1_000_000), frozenset(), ())
        >>> cents.step_e8(SCALE // 2), cents.step_e8(230 * SCALE)
        (10000, 1000000)
        """
        return self.steps[max(0, bisect_right(self.edges, px_e8) - 1)]

    def instrument(self, iid: int) -> Instrument:
        """As the engine knows it: the step of prices above a dollar, whole shares."""
        return Instrument(iid, self.symbol, VENUE.upper(), self.currency, self.step_e8(1_000 * SCALE))


def contract_of(symbol: str, conid: int, said: Any) -> Contract:
    """A contract from what the gateway says of it.

    Raises:
        VenueGarbled: it cannot be read, or it is another one.
    """
    try:
        info = msgspec.convert(said, _Info)
    except msgspec.ValidationError as error:
        text = f"what it says of contract {conid} has another shape: {error}"
        raise VenueGarbled(VENUE, text, "report it; it was not used") from error
    if info.con_id not in (None, conid):
        raise VenueGarbled(VENUE, f"asked for contract {conid}, heard of {info.con_id}", "ask again")
    bands = sorted(
        (e8(band.lowerEdge, "lowerEdge"), e8(band.increment, "increment"))
        for band in info.rules.incrementRules or ()
    )
    if not bands:
        step = info.rules.increment
        bands = [(0, e8(step, "increment") if step is not None else _CENT_E8)]
    if any(step_e8 <= 0 for _, step_e8 in bands):
        raise VenueGarbled(
            VENUE, f"contract {conid} has a price step of nothing", "report it", field="increment"
        )
    return Contract(
        conid,
        symbol,
        info.currency,
        tuple(edge for edge, _ in bands),
        tuple(step for _, step in bands),
        frozenset(info.rules.orderTypes) & _ORDER_TYPES,
        tuple(info.rules.canTradeAcctIds or ()),
    )


_FOUND: Final[dict[tuple[str, str], tuple[float, Contract]]] = {}


class Contracts:
    """Look-ups through one client. What was found is kept for a day, for every connection to the same gateway."""

    def __init__(self, client: IbkrClient, gateway: str, options: Options) -> None:
        self._client, self._gateway = client, gateway
        self._named = _named(options.conids)

    async def find(self, symbol: str) -> Contract:
        """The contract of a symbol.

        Raises:
            VenueRefused: there is none, or there are several.
        """
        key = (self._gateway, f"{symbol}={self._named.get(symbol, '')}")
        known = _FOUND.get(key)
        if known is not None and monotonic() - known[0] < _DAY_S:
            return known[1]
        conid = self._named.get(symbol) or one_in_the_us(symbol, await self._client.stocks(symbol))
        found = contract_of(symbol, conid, await self._client.rules(conid))
        _FOUND[key] = (monotonic(), found)
        return found

    async def find_all(self, symbols: Sequence[str]) -> list[Contract]:
        """The contracts of symbols, one after another."""
        return [await self.find(symbol) for symbol in symbols]


def _named(said: str) -> Mapping[str, int]:
    """The option `conids`: "SYMBOL=NUMBER, ..." for symbols that stand for several contracts.

    >>> _named("SAN=12442, BRK B=72063691")
    {'SAN': 12442, 'BRK B': 72063691}
    """
    found = {}
    for part in (piece.strip() for piece in said.split(",")):
        symbol, equals, number = part.partition("=")
        if part and not (equals and number.strip().isdigit()):
            raise BadValue("ibkr conids", part, "write SYMBOL=NUMBER, with commas")
        if part:
            found[symbol.strip()] = int(number)
    return found


def one_in_the_us(symbol: str, said: Any) -> int:
    """The one US contract among what a symbol stands for."""
    try:
        stocks = msgspec.convert(said, dict[str, list[_Stock]]).get(symbol, [])
    except msgspec.ValidationError as error:
        text = f"what it says of '{symbol}' has another shape: {error}"
        raise VenueGarbled(VENUE, text, "report it; it was not used") from error
    hits = [(stock.name or "", place) for stock in stocks for place in stock.contracts if place.isUS]
    if len(hits) == 1:
        return hits[0][1].conid
    if not hits:
        text = f"'{symbol}' is no stock in the US"
        raise VenueRefused(VENUE, text, "take another symbol", field="symbol", code="UNKNOWN_SYMBOL")
    listed = ", ".join(f"{place.conid} ({name}, {place.exchange})" for name, place in hits)
    advice = f'name one: options.conids = "{symbol}={hits[0][1].conid}"'
    text = f"'{symbol}' stands for several contracts: {listed}"
    raise VenueRefused(VENUE, text, advice, field="symbol", code="AMBIGUOUS")


async def instruments_of(settings: BrokerSettings, symbols: Sequence[str]) -> list[Instrument]:
    """The instruments behind symbols, asked for one by one."""
    options = options_of(settings)
    place = place_of(settings, options)
    allowances = Allowances.of(place)
    pool = Pool(VENUE, allowances.all(), name="instruments", mode=settings.mode, limits=settings.limits)
    pool.open()
    try:
        client = IbkrClient(pool, place)
        session = Session(client, settings, options)
        try:
            await session.open(trading=False)
            found = await Contracts(client, str(place.rest), options).find_all(symbols)
        finally:
            await session.close()  # it may be about to open a lost session again
        return [contract.instrument(iid) for iid, contract in enumerate(found)]
    finally:
        await pool.close()
