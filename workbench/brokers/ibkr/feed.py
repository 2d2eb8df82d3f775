"""The gateway's market data as a live feed: quotes, prints and bars over the socket, history by REST.

Lives here: subscriptions, and bars told in time. Not here: fields (screens.py), making bars (bars.py), the socket's
words (topics.py), history (charts.py).

    [brokers.paper.options]
    channels = "bars,quotes,trades"
    bars = "ticks"                     # or "history": each minute's bar is asked for when it is over

The venue tells what changed, a few times a second: a print here is the growth of the day's volume at the last price. A
subscription ends by itself after some minutes, so it is asked for again every eight.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import monotonic, time_ns
from typing import Any, Final

import msgspec

from workbench.brokers.ibkr.bars import BarMaker, history_bars
from workbench.brokers.ibkr.charts import charted, timeframe_of
from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.config import VENUE, Allowances, options_of, place_of
from workbench.brokers.ibkr.contracts import Contracts
from workbench.brokers.ibkr.hours import Hours
from workbench.brokers.ibkr.parse import Frame
from workbench.brokers.ibkr.screens import FIELDS, Screen
from workbench.brokers.ibkr.session import Session
from workbench.brokers.ibkr.topics import SILENT_S, Topics
from workbench.brokers.pool import MOST_LATE_BARS, LateBars, Pool, Stream
from workbench.brokers.pool import Frame as RawFrame
from workbench.config import BrokerSettings
from workbench.errors import VenueGarbled, VenueRefused, WorkbenchError
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade

__all__ = ["IbkrFeed"]

logger = logging.getLogger(__name__)

type EventSink = Callable[[MarketEvent], None]

_LIVE_S: Final = 20.0
_STALE_S: Final = 10.0  # in session, without any data
_DEAD_S: Final = 30.0
_RENEW_S: Final = 480.0
_LATEST_S: Final = (0.25, 0.2)  # a bar is over this long after its end, at most a fifth of it
_HISTORY_S: Final = 3.0
_LATER_S: Final = 1.0
_SAMPLES: Final = 256


class IbkrFeed:
    """Market data of `instruments`. `dropped` counts by reason what could not be used."""

    name = VENUE

    def __init__(
        self, settings: BrokerSettings, instruments: Sequence[Instrument], *, account_name: str = ""
    ) -> None:
        self.settings, self.options = settings, options_of(settings)
        self.place = place_of(settings, self.options)
        self.instruments = tuple(instruments)
        self._allowances = Allowances.of(self.place)
        self.pool = Pool(
            VENUE,
            self._allowances.all(),
            name=f"{account_name or VENUE} data",
            mode=settings.mode,
            limits=settings.limits,
        )
        self.dropped: Counter[str] = Counter()
        self.events = 0
        self.client = IbkrClient(self.pool, self.place)
        self.session = Session(self.client, settings, self.options)
        self.hours = Hours()
        self.stream: Stream
        self._script: _DataTopics
        self._sink: EventSink | None = None
        self._screens: dict[int, Screen] = {}
        self._conids: dict[str, int] = {}
        self._length_ns = round(self.options.bar_s * 1e9)
        self._offsets: deque[int] = deque(maxlen=_SAMPLES)
        self._told_ns: dict[int, int] = {}
        self.late_bars: list[LateBars] = []
        self._soon: asyncio.TimerHandle | None = None
        self._data_s = 0.0
        self._closing: asyncio.Task[None] | None = None
        self._closed = False

    # -- the contract ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """connecting, live, stale or closed."""
        if self._closed or not self.pool.is_open:
            return "closed"
        if not self.pool.streams or self.stream.state != "live":
            return "connecting"
        return "stale" if self.hours.is_open() and monotonic() - self._data_s > _STALE_S else "live"

    async def connect(self, sink: EventSink) -> None:
        """Subscribe to every instrument; see the contract of feeds for what it raises."""
        self._sink, self._closed = sink, False
        self.pool.open()
        try:
            await self._open()
        except BaseException:
            await self.session.close()
            await self.pool.close()
            raise
        self.pool.health.start()
        self._closing = asyncio.get_running_loop().create_task(self._bars_for_ever(), name="ibkr bars")

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        self._closed = True
        task, self._closing = self._closing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for late in self.late_bars:
            await late.close()
        await self.session.close()
        await self.pool.close()

    async def _open(self) -> None:
        await self.session.open(trading=False)
        self.pool.health.probe = self.session.probe
        contracts = Contracts(self.client, str(self.place.rest), self.options)
        fields = msgspec.json.encode({"fields": FIELDS}).decode()
        for instrument in self.instruments:
            conid = (await contracts.find(instrument.symbol)).conid
            self._conids[instrument.symbol] = conid
            maker = BarMaker(instrument.iid, self._length_ns, self._bar)
            self._screens[conid] = Screen(instrument.iid, f"smd+{conid}+{fields}", maker, self.dropped)
        await self.hours.learn()
        self._script = script = _DataTopics(self)
        self.stream = script.stream = self.pool.stream(
            "data",
            self.place.stream,
            script,
            key_id="data",
            headers=self.session.headers,
            tls=self.place.tls,
            silent_s=SILENT_S,
            heartbeat_s=1.0,
            changed=self._changed,
        )
        wanted = [i.iid for i in self.instruments] if "bars" in self.options.chosen else []
        self.late_bars = [
            LateBars(
                self.stream,
                wanted,
                self._bars_since,
                self._on,
                lambda: self.venue_ns,
                bar_ns=self._length_ns,
                final_ns=round(_HISTORY_S * 1e9),
            )
        ]
        self.session.back = self._session_back
        self.stream.subscribe(screen.channel for screen in self._screens.values())
        self.stream.start()
        await self.stream.until("live", within_s=_LIVE_S)

    def _session_back(self) -> None:
        self.stream.doubt("the session was opened again")

    # -- what the socket tells -----------------------------------------------------------------------------------------

    def begun(self) -> None:
        """Another connection: what is told first is where things stand, not what happens."""
        self._data_s = monotonic()
        for screen in self._screens.values():
            screen.forget()

    def _changed(self, state: str, reason: str) -> None:
        if state == "waiting":  # the span under way is not whole, however it goes on
            for screen in self._screens.values():
                screen.maker.broken()

    async def look(self) -> None:
        """The socket is open (again), or has missed frames: ask for the bars it has not told; and for that of the span
        under way, of which nobody sees all, when it is over."""
        [late] = self.late_bars
        if not late.look():
            return
        if self._soon is not None:
            self._soon.cancel()
        left_ns = self._length_ns - self.venue_ns % self._length_ns
        self._soon = asyncio.get_running_loop().call_later(left_ns / 1e9 + _HISTORY_S + _LATER_S, late.look)

    def silent(self) -> bool:
        """Whether data should come and does not."""
        return self.hours.is_open() and monotonic() - self._data_s > _DEAD_S

    def commands(self) -> list[str]:
        """What is subscribed, to be asked for again before it ends."""
        return [screen.channel for screen in self._screens.values()]

    def take(self, topic: str, frame: Frame, raw: bytes) -> None:
        """One frame: the fields of a contract that have changed."""
        if frame.error is not None:
            self.dropped[f"error {frame.code or ''}".strip()] += 1
            logger.warning("ibkr: the socket says %s (%s)", frame.error, topic)
            return
        if not topic.startswith("smd+"):
            return
        conid = topic[4:].partition("+")[0]
        screen = self._screens.get(int(conid)) if conid.isdigit() else None
        if screen is None:
            self.dropped["not asked for"] += 1
            return
        self._data_s = monotonic()
        self.stream.ledger.seen(screen.channel)
        try:
            said: dict[str, Any] = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise VenueGarbled(
                VENUE, f"a frame of data cannot be read ({error})", "it was not used"
            ) from error
        ts_ns = self._time_of(said)
        quote, trade = screen.quote(said, ts_ns), screen.trade(said, ts_ns)
        if quote is not None and "quotes" in self.options.chosen:
            self._on(quote)
        if trade is None:
            return
        if "trades" in self.options.chosen:
            self._on(trade)
        if self.options.bars == "ticks":
            screen.maker.tick(ts_ns, trade.px, trade.size)

    def _time_of(self, said: dict[str, Any]) -> int:
        """The venue's time of a frame, and from it how far its clock is from ours."""
        updated, now_ns = said.get("_updated"), time_ns()
        if not isinstance(updated, int) or updated <= 0:
            return now_ns
        ts_ns = updated * 1_000_000
        self._offsets.append(ts_ns - now_ns)
        return ts_ns

    def _on(self, event: Bar | Quote | Trade) -> None:
        self.events += 1
        if self._sink is not None:
            self._sink(event)

    # -- bars ----------------------------------------------------------------------------------------------------------

    def _bar(self, bar: Bar) -> None:
        if bar.ts_ns > self._told_ns.get(bar.iid, 0):
            self._told_ns[bar.iid] = bar.ts_ns
            if "bars" in self.options.chosen and not self.late_bars[0].take(bar):
                self.dropped["told before"] += 1

    async def _bars_since(self, iid: int, since_ns: int) -> list[Bar]:
        """Bars of one instrument that close after `since_ns`, of the last `MOST_LATE_BARS` spans at most."""
        timeframe = timeframe_of(self._length_ns)
        if not timeframe:
            text = f"its history has no bars of {self._length_ns / 1e9:g} s"
            raise VenueRefused(VENUE, text, "take bar_s = 60, or do without what is missed")
        first_ns = self.venue_ns - MOST_LATE_BARS * self._length_ns
        if since_ns < first_ns:
            text = "ibkr: instrument %d: only the last %d spans are asked for what was missed"
            logger.info(text, iid, MOST_LATE_BARS)
        conid = next(conid for conid, screen in self._screens.items() if screen.iid == iid)
        times = (max(since_ns, first_ns) // 1_000_000_000, self.venue_ns // 1_000_000_000 + 1)
        start, end = (datetime.fromtimestamp(moment, UTC).isoformat() for moment in times)
        found, bad = await charted(self.client, conid, iid, start, end, timeframe, self.venue_ns)
        self.dropped["prices that cannot be true"] += bad
        return found

    @property
    def venue_ns(self) -> int:
        """The time at the venue: what came fastest of late tells how far its clock is from ours."""
        return time_ns() + (max(self._offsets) if self._offsets else 0)

    async def _bars_for_ever(self) -> None:
        """Tell bars when they are over, also when no tick comes that says so."""
        by_history = self.options.bars == "history"
        grace_ns = round(min(_LATEST_S[0] * 1e9, _LATEST_S[1] * self._length_ns))
        if by_history:
            grace_ns = round(_HISTORY_S * 1e9)
        while True:
            now_ns = self.venue_ns
            due_ns = (now_ns - grace_ns) // self._length_ns * self._length_ns + self._length_ns + grace_ns
            await asyncio.sleep((due_ns - now_ns) / 1e9)
            try:
                if by_history:
                    await self._ask_for_bars()
                else:
                    for screen in self._screens.values():
                        screen.maker.over(self.venue_ns - grace_ns)
            except Exception:  # a mistake of who is told, or in a reader, must not leave out every later bar
                self.dropped["bars that failed"] += 1
                logger.exception("ibkr: bars that are over could not be told")

    async def _ask_for_bars(self) -> None:
        for symbol, conid in self._conids.items():
            iid = self._screens[conid].iid
            try:
                body = await self.client.history({"conid": str(conid), "period": "3min", "bar": "1min"})
                bars, bad = history_bars(body, iid, self.venue_ns)
            except WorkbenchError as error:
                self.dropped["bars not to be had"] += 1
                logger.warning("ibkr: the last bar of %s is not to be had (%s)", symbol, error)
                self.late_bars[0].look()
                continue
            self.dropped["prices that cannot be true"] += bad
            for bar in bars:
                if iid in self._told_ns:
                    self._bar(bar)
            if bars:
                self._told_ns[iid] = max(self._told_ns.get(iid, 0), bars[-1].ts_ns)

    async def bars(self, symbol: str, start: str, end: str, timeframe: str = "1Min") -> list[Bar]:
        """Finished bars of one symbol between two times (RFC 3339 or dates), oldest first.

        Raises:
            BadValue: a time or a timeframe there is not.
        """
        conid = self._conids.get(symbol)
        if conid is None:
            contracts = Contracts(self.client, str(self.place.rest), self.options)
            conid = (await contracts.find(symbol)).conid
        screen = self._screens.get(conid)
        iid = screen.iid if screen is not None else -1
        found, bad = await charted(self.client, conid, iid, start, end, timeframe, self.venue_ns)
        self.dropped["prices that cannot be true"] += bad
        return found


class _DataTopics(Topics):
    """The script of the data socket: besides, subscriptions are renewed and silence is noticed."""

    def __init__(self, feed: IbkrFeed) -> None:
        super().__init__(feed.session, feed.take, feed.look)
        self._feed = feed
        self._due: deque[str] = deque()
        self._renewed_s = 0.0

    def subscribe(self, add: list[str], drop: list[str]) -> Any:
        self._feed.begun()
        self._renewed_s = monotonic()
        self._due.clear()
        return super().subscribe(add, drop)

    def heartbeat(self) -> RawFrame | None:
        """One of: a subscription that is to be renewed, a tic."""
        if self._feed.silent():
            self.stream.doubt(f"no market data for {_DEAD_S:g} s")
            return None
        if monotonic() - self._renewed_s > _RENEW_S:
            self._renewed_s = monotonic()
            self._due.extend(self._feed.commands())
        return self._due.popleft() if self._due else super().heartbeat()
