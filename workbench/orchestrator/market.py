"""Where a desk's events come from and its orders go: one contract, whether the market is recorded or live.

    RecordedMarket    a recording, played at a speed, and the built-in exchange that trades it (here)
    LiveMarket        venues' feeds and their brokers (live_market.py)

Lives here: the contract, and the recorded market. Not here: what the desk does with either (desk.py).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from workbench.brokers.contract import Broker
from workbench.brokers.sim import SimBroker
from workbench.config import Settings
from workbench.engine.match import TradingSessions
from workbench.feeds import Player, Recording, open_data, session_bounds
from workbench.journal import Recovered
from workbench.model import Instrument, to_e8
from workbench.model.commands import Timer
from workbench.model.market import MarketEvent
from workbench.orchestrator.account_rows import VenueSide
from workbench.orchestrator.clock import SessionClock

__all__ = ["Market", "RecordedMarket"]

type Deliver = Callable[[MarketEvent | Timer], None]


class Market(Protocol):
    """What a desk asks of its market; the calls come in this order.

    `state` is "playing", "paused", "finished" or "live". `mode` is "paper" or "live": whether money is at stake.
    """

    mode: str

    async def open(self) -> None:
        """Find out what is traded there. Raises the typed errors of unknown data, unreachable venues, bad keys."""
        ...

    @property
    def name(self) -> str: ...

    @property
    def broker(self) -> Broker: ...

    @property
    def instruments(self) -> Sequence[Instrument]: ...

    def clock(self, market_ns: Callable[[], int]) -> SessionClock:
        """Session time; `market_ns` tells how far the engine has come."""
        ...

    def restore(self, journal: Path, recovered: Recovered) -> None:
        """Go on where the journal of an earlier start ends."""
        ...

    def attach(self, deliver: Deliver, settled: Callable[[], Awaitable[None]]) -> None:
        """Events go to `deliver` from the first `run` on; `settled` returns when all they led to has settled."""
        ...

    @property
    def accounts(self) -> Mapping[str, Broker]:
        """Venues' brokers by account; none at the built-in exchange."""
        ...

    @property
    def sides(self) -> Sequence[VenueSide]:
        """The accounts at venues with what belongs to each, for those who show them; none for a recording."""
        ...

    async def opening(self) -> tuple[int, dict[int, int]]:
        """What a new account begins with, all in 1e-8: cash, and by `iid` what it holds."""
        ...

    async def run(self) -> None:
        """Deliver events until the market ends; cancelled when the desk stops."""
        ...

    def resume(self) -> None: ...

    def pause(self) -> None: ...

    @property
    def state(self) -> str: ...

    @property
    def progress(self) -> float: ...

    @property
    def speed(self) -> float: ...

    def set_speed(self, speed: float) -> None: ...

    @property
    def pending(self) -> bool:
        """Whether a simulated venue has something on its way; a real one never tells."""
        ...

    async def settled(self) -> None:
        """Return when nothing is on its way there."""
        ...

    def health(self) -> tuple[str, str]:
        """How the venues are, the worst first, and why: "connected" when all is well."""
        ...

    async def close(self) -> None:
        """Give up feeds and broker; harmless when repeated."""
        ...


class RecordedMarket:
    """A recording played into the engine; the built-in exchange sees each event first."""

    mode = "paper"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sim: SimBroker
        self.recording: Recording
        self.player: Player
        self._skip: tuple[int, int | None] | None = None

    async def open(self) -> None:
        """Read the data.

        Raises:
            UnknownName, BadValue: data, symbol or span. DataRefused: rows that cannot be traded on.
        """
        market, account = self._settings.market, self._settings.account
        symbols = list(market.symbols) or None
        self.recording = open_data(market.data, symbols, market.start or None, market.end or None)
        self._sim = SimBroker(
            self._settings.sim,
            cash_e8=to_e8(account.cash),
            instruments=self.recording.instruments,
            sessions=TradingSessions(*session_bounds(self.recording)),
        )

    @property
    def name(self) -> str:
        return self._settings.market.data

    @property
    def broker(self) -> SimBroker:
        return self._sim

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.recording.instruments

    def clock(self, market_ns: Callable[[], int]) -> SessionClock:
        """The market's own time; it begins before the first bar, which is still to come."""
        before = self.recording.start_ns - max(self.recording.bar_ns, 1)
        return SessionClock(market_ns, floor_ns=before)

    def restore(self, journal: Path, recovered: Recovered) -> None:
        """Make the exchange what its reports told of it, and leave out what was played."""
        self._sim.rebuild(journal)
        self._skip = (recovered.market_ns, recovered.market_there)

    def attach(self, deliver: Deliver, settled: Callable[[], Awaitable[None]]) -> None:
        speed, venue = self._settings.market.speed, self._sim.on_market
        self.player = Player(self.recording, speed=speed, venue=venue, deliver=deliver, settled=settled)
        if self._skip is not None:
            self.player.skip_to(*self._skip)

    @property
    def accounts(self) -> Mapping[str, Broker]:
        return {}

    @property
    def sides(self) -> Sequence[VenueSide]:
        return ()

    async def opening(self) -> tuple[int, dict[int, int]]:
        return to_e8(self._settings.account.cash), {}

    async def run(self) -> None:
        await self.player.run()

    def resume(self) -> None:
        self.player.resume()

    def pause(self) -> None:
        self.player.pause()

    @property
    def state(self) -> str:
        return self.player.state

    @property
    def progress(self) -> float:
        return self.player.progress

    @property
    def speed(self) -> float:
        return self.player.speed

    def set_speed(self, speed: float) -> None:
        self.player.speed = speed

    @property
    def pending(self) -> bool:
        return self._sim.pending > 0

    async def settled(self) -> None:
        await self._sim.settled()

    def health(self) -> tuple[str, str]:
        return "connected", ""

    async def close(self) -> None:
        await self._sim.close()
