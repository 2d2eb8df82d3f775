"""An exchange's market data as a live feed: ccxt's streams, and questions where it has none.

    bars     watchOHLCV, else fetchOHLCV; a minute is told once, when the next one begins or a second after its end
    quotes   watchBidsAsks, else watchTicker, else fetchTicker
    trades   watchTrades, else fetchTrades

Lives here: what is watched, what is dropped. Not here: rows (parse.py), connections (watch.py).

    [brokers.kraken.options]
    channels = "bars,quotes,trades"
    poll_s = 1.0
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Final

from workbench.brokers.ccxt.client import CcxtClient, Row
from workbench.brokers.ccxt.config import plan_of
from workbench.brokers.ccxt.opening import markets, open_client, pool_of
from workbench.brokers.ccxt.parse import Dropped, bar_of, quote_of, trade_of
from workbench.brokers.ccxt.watch import Watches
from workbench.brokers.pool import DATA, MOST_LATE_BARS, LateBars, Pool, Probed
from workbench.config import BrokerSettings
from workbench.errors import KeysRefused, UnknownName
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade

__all__ = ["CcxtFeed"]

logger = logging.getLogger(__name__)

type EventSink = Callable[[MarketEvent], None]

_LIVE_S: Final = 15.0
_STALE_S: Final = 30.0
_GRACE_S: Final = 1.0  # how long after its end the last word on a minute may come
_MINUTE_NS: Final = 60_000_000_000
_REMEMBERED: Final = 512
_ROWS: Final = 100
_MOST_PAGES: Final = 5
_SOON_S: Final = 1.0


class CcxtFeed:
    """Market data of `instruments`. `dropped` counts by reason."""

    def __init__(
        self,
        settings: BrokerSettings,
        instruments: Sequence[Instrument],
        *,
        account_name: str = "",
        secrets: Path = Path(),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.settings, self.plan, self.name = settings, plan_of(settings), settings.venue
        self.instruments = tuple(instruments)
        self.pool: Pool = pool_of(settings, self.plan, f"{account_name or settings.venue} data")
        self.dropped: Counter[str] = Counter()
        self.events = 0
        self.client: CcxtClient
        self.watches: Watches
        self._secrets, self._environ = secrets, environ
        self._sink: EventSink | None = None
        self._minutes: dict[int, Bar] = {}  # the minute that is not over yet
        self._told_ns: dict[int, int] = {}
        self.late_bars: list[LateBars] = []
        self._soon: asyncio.TimerHandle | None = None
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._ids: dict[int, deque[str]] = {}
        self._closed = True

    # -- the contract ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """connecting, live, stale or closed."""
        if self._closed or not self.pool.is_open:
            return "closed"
        if not hasattr(self, "watches") or self.watches.state != "live":
            return "connecting"
        return "stale" if self.watches.age_s > _STALE_S else "live"

    async def connect(self, sink: EventSink) -> None:
        """Watch every instrument; see the contract of feeds for what it raises."""
        self._sink, self._closed = sink, False
        self.pool.open()
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for late in self.late_bars:
            await late.close()
        await self.pool.close()

    async def _open(self) -> None:
        self.client = client = open_client(self.pool, self.settings, self.plan, self._secrets, self._environ)
        self.watches = Watches(client, "market data")
        self.watches.on_connected, self.watches.on_unreadable = self._doubt, self._missed
        listed = await markets(client, self.settings)
        self.pool.health.probe = self._probe
        await self.pool.health.check()
        if self.pool.health.state == "unauthorised":
            reason = self.pool.health.reason
            raise KeysRefused(self.plan.exchange, reason, "check the keys and their environment")
        self.pool.health.start()
        wanted = [i.iid for i in self.instruments] if "bars" in self.plan.channels else []
        self.late_bars = [LateBars(self.watches, wanted, self._bars_since, self._on, self._now_ns)]
        self.late_bars[0].look()
        for instrument in self.instruments:
            if instrument.symbol not in listed:
                raise UnknownName(f"symbol at {self.plan.exchange}", instrument.symbol, listed)
            for channel in self.plan.channels:
                {"bars": self._bars, "quotes": self._quotes, "trades": self._trades}[channel](instrument)
        await self.watches.until_live(_LIVE_S)
        self.watches.on_connected = self.watches.on_resumed = self._back

    def _missed(self) -> None:
        """A frame could not be read: bars are asked for soon, however many such frames there are."""
        self._doubt()
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(_SOON_S, self._back)

    def _back(self) -> None:
        """After a break."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._doubt()
        self.late_bars[0].look()

    def _doubt(self) -> None:
        """What was seen of a minute may not be all of it, nor is what ccxt still keeps for a watch to come."""
        for iid in list(self._minutes):
            self._forget(iid)
        self.client.forget_bars()

    async def _probe(self) -> Probed:
        probed = await self.client.probe()
        self.client.keep_time()
        return probed

    # -- channels --------------------------------------------------------------------------------------------------

    def _follow(
        self,
        channel: str,
        stream: str,
        watch: Callable[[], Any],
        ask: Callable[[], Any],
        took: Callable[[Any], None],
    ) -> None:
        if self.client.streams(stream):
            self.watches.watch(channel, watch, took)
        else:
            self.watches.poll(
                channel, lambda: self.client.ask("data", ask, lane=DATA), took, self.plan.poll_s
            )

    def _bars(self, instrument: Instrument) -> None:
        exchange, symbol, iid = self.client.exchange, instrument.symbol, instrument.iid
        self._follow(
            f"bars {symbol}",
            "watchOHLCV",
            lambda: exchange.watch_ohlcv(symbol, "1m"),
            lambda: exchange.fetch_ohlcv(symbol, "1m", None, 3),
            lambda rows: self._on_minutes(rows, iid),
        )

    def _quotes(self, instrument: Instrument) -> None:
        exchange, symbol, iid = self.client.exchange, instrument.symbol, instrument.iid
        best = self.client.has.get("watchBidsAsks") is True
        self._follow(
            f"quotes {symbol}",
            "watchBidsAsks" if best else "watchTicker",
            (lambda: exchange.watch_bids_asks([symbol])) if best else (lambda: exchange.watch_ticker(symbol)),
            lambda: exchange.fetch_ticker(symbol),
            lambda row: self._on_quote(row.get(symbol, row), iid),
        )

    def _trades(self, instrument: Instrument) -> None:
        exchange, symbol, iid = self.client.exchange, instrument.symbol, instrument.iid
        self._follow(
            f"trades {symbol}",
            "watchTrades",
            lambda: exchange.watch_trades(symbol),
            lambda: exchange.fetch_trades(symbol, None, _ROWS),
            lambda rows: self._on_trades(rows, iid),
        )

    # -- rows ------------------------------------------------------------------------------------------------------

    def _on_quote(self, row: Row, iid: int) -> None:
        try:
            self._on(quote_of(row, iid, time_ns()))
        except Dropped as error:
            self.dropped[str(error)] += 1

    def _on_trades(self, rows: Sequence[Row], iid: int) -> None:
        seen = self._ids.setdefault(iid, deque(maxlen=_REMEMBERED))
        for row in rows:
            number = str(row.get("id") or f"{row.get('timestamp')} {row.get('price')} {row.get('amount')}")
            if number in seen:
                self.dropped["told before"] += 1
                continue
            seen.append(number)
            try:
                self._on(trade_of(row, iid))
            except Dropped as error:
                self.dropped[str(error)] += 1

    def _on_minutes(self, rows: Sequence[Sequence[Any]], iid: int) -> None:
        for row in rows:
            try:
                bar = bar_of(row, iid)
            except Dropped as error:
                self.dropped[str(error)] += 1
                continue
            kept = self._minutes.get(iid)
            if kept is not None and bar.ts_ns > kept.ts_ns:
                self._finish(iid)
            if bar.ts_ns > self._told_ns.get(iid, 0):
                self._minutes[iid] = bar
        if iid in self._minutes and iid not in self._timers:
            end_s = (self._minutes[iid].ts_ns - self._now_ns()) / 1e9
            loop = asyncio.get_running_loop()
            self._timers[iid] = loop.call_later(max(0.0, end_s) + _GRACE_S, self._late, iid)

    def _late(self, iid: int) -> None:
        """A minute is over and no other has begun: nothing was traded since."""
        self._timers.pop(iid, None)
        bar = self._minutes.get(iid)
        if bar is None or bar.ts_ns > self._now_ns():
            return
        if self.watches.state == "live":
            self._finish(iid)
        else:  # nobody saw how it ended
            self._forget(iid)

    def _forget(self, iid: int) -> Bar:
        timer = self._timers.pop(iid, None)
        if timer is not None:
            timer.cancel()
        return self._minutes.pop(iid)

    def _finish(self, iid: int) -> None:
        bar = self._forget(iid)
        self._told_ns[iid] = bar.ts_ns
        if not self.late_bars[0].take(bar):
            self.dropped["told before"] += 1

    async def _bars_since(self, iid: int, since_ns: int) -> list[Bar]:
        """Bars of one instrument from `since_ns` on, the newest when they are too many; an exchange may answer with
        fewer than it was asked for, and is asked to go on."""
        symbol = next(i.symbol for i in self.instruments if i.iid == iid)
        exchange, now_ns = self.client.exchange, self._now_ns()
        found, since_ns = list[Bar](), max(since_ns, now_ns - MOST_LATE_BARS * _MINUTE_NS) - _MINUTE_NS
        for _ in range(_MOST_PAGES):
            limit = min(MOST_LATE_BARS, (now_ns - since_ns) // _MINUTE_NS + 2)
            ask = partial(exchange.fetch_ohlcv, symbol, "1m", since_ns // 1_000_000, limit)
            rows = await self.client.ask("data", ask, lane=DATA)
            for row in rows:
                try:
                    found.append(bar_of(row, iid))
                except Dropped as error:
                    self.dropped[str(error)] += 1
            newest_ns = found[-1].ts_ns if found else 0
            if not rows or not since_ns < newest_ns < now_ns:
                break
            since_ns = newest_ns
        return found

    def _now_ns(self) -> int:
        return time_ns() + self.pool.health.clock.offset_ns

    def _on(self, event: Bar | Quote | Trade) -> None:
        self.events += 1
        if self._sink is not None and not self._closed:
            self._sink(event)
