"""A market as it happens: venues' feeds in, venues' brokers out (or the built-in exchange, for paper trading).

    feed of each account -> bars of one instant together -> (the built-in exchange) -> deliver
    orders -> router -> the account its route names

Lives here: opening accounts, instruments and feeds, and what a new desk begins with. Not here: any venue (brokers/),
the routes (routes.py), what the desk does with events.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from workbench.brokers.contract import Broker
from workbench.brokers.pool import Backoff
from workbench.brokers.registry import find_instruments, open_broker, open_feed
from workbench.brokers.router import Router
from workbench.brokers.sim import SimBroker
from workbench.config import Settings
from workbench.errors import BadInput, BadValue, Refused, Retryable, UnknownName
from workbench.feeds.live import BarGatherer, EventSink, LiveFeed
from workbench.journal import Recovered
from workbench.model import Instrument, Submit, to_e8
from workbench.model.commands import LATE, Timer
from workbench.model.market import MarketEvent
from workbench.orchestrator.account_rows import VenueSide, badness, standing
from workbench.orchestrator.clock import MarketTime, SessionClock
from workbench.orchestrator.market import Deliver
from workbench.orchestrator.routes import Routes

__all__ = ["LiveMarket"]

logger = logging.getLogger(__name__)

# booked as the same money: a stablecoin is worth what it says, until it is not
_DOLLARS: Final = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD"})


class LiveMarket:
    """Venues under one roof. `strategy_of(strategy_id)` names a strategy, for its routes."""

    def __init__(self, settings: Settings, strategy_of: Callable[[int], str]) -> None:
        self._settings = settings
        self._strategy_of = strategy_of
        self._brokers: dict[str, Broker] = {}
        self._feeds: dict[str, LiveFeed] = {}
        self._symbols: dict[str, tuple[str, ...]] = {}  # by account: what may be traded there
        self._joining: set[str] = set()  # feeds that have not been connected yet, and are tried again
        self._instruments: tuple[Instrument, ...] = ()
        self._broker: Broker
        self._routes: Routes
        self._deliver: Deliver
        self._sim: SimBroker | None = None
        self._closed = False
        self._time = MarketTime()
        chosen = [settings.brokers[name] for name in settings.market.brokers if name in settings.brokers]
        money = not settings.market.paper and any(account.mode == "live" for account in chosen)
        self.mode = "live" if money else "paper"

    async def open(self) -> None:
        """Ask every venue for its instruments; nothing is traded and no stream is open yet.

        Raises:
            UnknownName, BadInput: account, symbol or route. Unreachable, Unauthorised: as the venues say.
            Refused: money is at stake and no limits are set.
        """
        settings = self._settings
        accounts, symbols = list(settings.market.brokers), list(dict.fromkeys(settings.market.symbols))
        for name in accounts:
            if name not in settings.brokers:
                raise UnknownName("account in market.brokers", name, settings.brokers)
        if not symbols:
            raise BadValue("market.symbols", [], "name what shall be traded: a live market has no list")
        if self.mode == "live" and not settings.limits:
            raise Refused("live trading needs risk limits: set at least max_order_notional under [limits]")
        self._routes = routes = Routes(settings.routes, accounts, symbols)
        number = {symbol: iid for iid, symbol in enumerate(symbols)}
        found: dict[str, Instrument] = {}
        by_account: dict[str, list[Instrument]] = {name: [] for name in accounts}
        for name in accounts:
            mine = [symbol for symbol in symbols if name in routes.accounts_of(symbol)]
            if not mine:
                continue
            venue = settings.brokers[name].venue
            for listed in await find_instruments(venue, settings, account=name, symbols=mine):
                known = replace(listed, iid=number[listed.symbol])
                self._check_currency(name, known)
                by_account[name].append(known)
                found[known.symbol] = _coarser(found.get(known.symbol), known)
        self._instruments = tuple(found[symbol] for symbol in symbols)
        for name in accounts:
            venue, mine_listed = settings.brokers[name].venue, by_account[name]
            self._symbols[name] = tuple(i.symbol for i in mine_listed)
            self._brokers[name] = open_broker(venue, settings, account=name, instruments=mine_listed)
            shown = [i for i in mine_listed if routes.accounts_of(i.symbol)[0] == name]
            if shown:
                self._feeds[name] = open_feed(venue, settings, account=name, instruments=shown)
                self._joining.add(name)
        if settings.market.paper:
            cash_e8 = to_e8(settings.account.cash)
            self._sim = SimBroker(settings.sim, cash_e8=cash_e8, instruments=self._instruments)
            self._broker = self._sim
        else:
            traded = {name: [i.iid for i in listed] for name, listed in by_account.items()}
            self._broker = Router(self._brokers, self._candidates, traded)

    @property
    def name(self) -> str:
        return "+".join(self._settings.market.brokers)

    @property
    def broker(self) -> Broker:
        return self._broker

    @property
    def accounts(self) -> Mapping[str, Broker]:
        """The venues' brokers by account."""
        return {} if self._sim is not None else self._brokers

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self._instruments

    @property
    def feeds(self) -> Mapping[str, LiveFeed]:
        """The feeds by account."""
        return self._feeds

    @property
    def sides(self) -> Sequence[VenueSide]:
        """The accounts with what belongs to each; on paper those whose market data is used."""
        out, brokers = [], self.accounts
        for name in self._settings.market.brokers:
            broker, feed = brokers.get(name), self._feeds.get(name)
            if broker is not None or feed is not None:
                account = self._settings.brokers[name]
                mine = self._symbols.get(name, ())
                joining = name in self._joining
                out.append(VenueSide(name, account.venue, account.mode, mine, broker, feed, joining))
        return out

    def clock(self, market_ns: Callable[[], int]) -> SessionClock:
        """The wall clock."""
        return SessionClock()

    def restore(self, journal: Path, recovered: Recovered) -> None:
        """The venues remember; the built-in exchange is told again."""
        if self._sim is not None:
            self._sim.rebuild(journal)

    def attach(self, deliver: Deliver, settled: Callable[[], Awaitable[None]]) -> None:
        self._deliver = deliver

    async def opening(self) -> tuple[int, dict[int, int]]:
        """What the venues say the accounts hold."""
        account = await self._broker.account()
        return account.cash_e8, {iid: qty for iid, qty in account.positions.items() if qty}

    async def run(self) -> None:
        """Subscribe, and deliver until cancelled."""
        gather = BarGatherer(self._event, [i.iid for i in self._instruments])
        await asyncio.gather(*(self._subscribed(name, gather) for name in self._feeds))
        logger.info("live: %s", ", ".join(f"{name} {feed.state}" for name, feed in self._feeds.items()))
        await asyncio.get_running_loop().create_future()  # for ever: the desk cancels it

    def resume(self) -> None:
        """A live market always goes on."""

    def pause(self) -> None:
        raise Refused("a live market cannot be paused: pause its strategies, or kill the desk")

    @property
    def state(self) -> str:
        return "live"

    @property
    def progress(self) -> float:
        return 0.0

    @property
    def speed(self) -> float:
        return 1.0

    def set_speed(self, speed: float) -> None:
        raise Refused(f"a live market has no speed: {speed:g} was not set")

    @property
    def pending(self) -> bool:
        return self._sim is not None and self._sim.pending > 0

    async def settled(self) -> None:
        if self._sim is not None:
            await self._sim.settled()

    async def close(self) -> None:
        await asyncio.gather(*(feed.close() for feed in self._feeds.values()))
        if not self._closed:
            self._closed = True
            await self._broker.close()

    def health(self) -> tuple[str, str]:
        """The worst state among accounts and feeds, with its reason."""
        state, reason, name = max(((*standing(side), side.account) for side in self.sides), key=badness)
        return ("connected", "") if state == "healthy" else (state, f"{name}: {reason}")

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _subscribed(self, name: str, sink: EventSink) -> None:
        """Connect a feed, trying again while its venue cannot be reached; what it refuses ends the market."""
        backoff = Backoff(per_minute=10)
        while True:
            try:
                await self._feeds[name].connect(sink)
            except Retryable as error:
                wait_s = backoff.next_s()
                logger.warning("market data of '%s' (%s): tried again in %.1f s", name, error, wait_s)
                await asyncio.sleep(wait_s)
            except BaseException:
                self._joining.discard(name)
                raise
            else:
                self._joining.discard(name)
                return

    def _event(self, event: MarketEvent) -> None:
        late_ns = self._time.late(event.ts_ns)
        if late_ns:  # fetched after a break: what is decided on it must not trade at its price
            self._deliver(Timer(late_ns, LATE))
        if self._sim is not None:
            self._sim.on_market(event)
        self._deliver(event)

    def _candidates(self, order: Submit) -> tuple[str, ...]:
        symbol = self._instruments[order.iid].symbol
        return self._routes.candidates(self._strategy_of(order.strategy_id), symbol)

    def _check_currency(self, account: str, instrument: Instrument) -> None:
        own = self._settings.account.currency
        if instrument.currency != own and not {instrument.currency, own} <= _DOLLARS:
            raise BadInput(
                f"{instrument.symbol} at '{account}' is paid in {instrument.currency} and the desk counts in {own}: "
                f"a desk has one currency; trade it on a desk of its own with account.currency = "
                f'"{instrument.currency}"'
            )


def _coarser(one: Instrument | None, other: Instrument) -> Instrument:
    """One symbol at two venues: the grid both accept."""
    if one is None:
        return other
    return replace(one, tick_e8=max(one.tick_e8, other.tick_e8), lot_e8=max(one.lot_e8, other.lot_e8))
