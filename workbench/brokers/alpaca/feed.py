"""Alpaca's market data as a live feed: stocks and crypto, each over a stream of its own.

Lives here: what is subscribed, what is dropped. Not here: what is said on a stream (data_script.py), rows (market.py),
the past (history.py), connections (pool).

    [brokers.paper.options]
    feed = "iex"                       # sip, delayed_sip, test
    channels = "bars,quotes,trades"
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import Final

from yarl import URL

from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.config import (
    CHANNELS,
    addresses_of,
    budgets,
    channels_of,
    check_keys,
    check_options,
    feed_of,
)
from workbench.brokers.alpaca.data_script import DataScript
from workbench.brokers.alpaca.history import TOGETHER, History
from workbench.brokers.alpaca.hours import Hours
from workbench.brokers.alpaca.market import DataRow, Dropped, bar_of, quote_of, trade_of
from workbench.brokers.alpaca.words import VENUE
from workbench.brokers.pool import AskTogether, Credentials, LateBars, Pool, Stream, read_credentials
from workbench.config import BrokerSettings
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, MarketEvent, Quote, Trade

__all__ = ["AlpacaFeed"]

logger = logging.getLogger(__name__)

type EventSink = Callable[[MarketEvent], None]

_LIVE_S: Final = 15.0
_SILENT_S: Final = 10.0  # in session, without any frame
_LATE_NS: Final = 500_000_000  # events older than this are merged to the newest
_REMEMBERED: Final = 256
_KIND_CHANNELS: Final = {"q": "quotes", "t": "trades", "b": "bars"}
_PACKED: Final = "application/msgpack"


class AlpacaFeed:
    """Market data of `instruments`. `dropped` counts by reason, `merged` what was left out because we were late."""

    name = VENUE

    def __init__(
        self,
        settings: BrokerSettings,
        instruments: Sequence[Instrument],
        *,
        account_name: str = "",
        secrets: Path = Path(),
        environ: Mapping[str, str] | None = None,
        packed: bool = False,
    ) -> None:
        check_options(settings.options)
        self.settings, self.addresses = settings, addresses_of(settings)
        self.instruments = tuple(instruments)
        self.channels = channels_of(settings)
        self.pool = Pool(
            VENUE,
            budgets(),
            name=f"{account_name or VENUE} data",
            mode=settings.mode,
            limits=settings.limits,
        )
        self.dropped: Counter[str] = Counter()
        self.merged = 0
        self.events = 0
        self.client: AlpacaClient
        self.history: History
        self.hours: Hours | None = None
        self._feed = feed_of(settings)
        self._secrets, self._environ, self._packed = secrets, environ, packed
        self._sink: EventSink | None = None
        self._late: dict[int, LateBars] = {}  # by instrument; those of one stream share one
        self._ids: dict[int, deque[tuple[str | None, int | str]]] = {}  # each exchange numbers its own
        self._closed = False

    # -- the contract ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """connecting, live, stale or closed."""
        streams = self.pool.streams
        if self._closed or not self.pool.is_open:
            return "closed"
        if not streams or any(stream.state != "live" for stream in streams):
            return "connecting"
        silent = any(stream.age_s > _SILENT_S and stream.in_session() for stream in streams)
        return "stale" if silent else "live"

    async def connect(self, sink: EventSink) -> None:
        """Subscribe to every instrument; see the contract of feeds for what it raises."""
        self._sink, self._closed = sink, False
        self.pool.open()
        try:
            await self._open()
        except BaseException:
            await self._hang_up()
            raise

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        self._closed = True
        await self._hang_up()

    async def _hang_up(self) -> None:
        for late in self.late_bars:  # one stream may have been live, and asking, while another did not open
            await late.close()
        if self.hours is not None:
            await self.hours.close()
        await self.pool.close()

    async def _open(self) -> None:
        keys = read_credentials(self.settings.credentials, self._secrets, environ=self._environ)
        check_keys(self.settings, keys, self.addresses)
        self.client = AlpacaClient(self.pool, self.addresses, keys)
        self.history = History(self.client, self.instruments, self._feed, self.dropped)
        self.hours = hours = Hours(self.client)
        root = self.addresses.data_stream
        stocks = {i.symbol: i.iid for i in self.instruments if "/" not in i.symbol}
        crypto = {i.symbol: i.iid for i in self.instruments if "/" in i.symbol}
        if stocks:
            await hours.learn()
            self._stream(f"stocks {self._feed}", root / "v2" / self._feed, keys, stocks, hours.is_open)
        if crypto:
            self._stream("crypto", root / "v1beta3" / "crypto" / "us", keys, crypto, lambda: True)
        for stream in self.pool.streams:
            stream.start()
        await asyncio.gather(*(stream.until("live", within_s=_LIVE_S) for stream in self.pool.streams))

    def _stream(
        self,
        name: str,
        url: URL,
        keys: Credentials,
        symbols: Mapping[str, int],
        in_session: Callable[[], bool],
    ) -> None:
        script = DataScript(keys, self, symbols)
        headers = {"Content-Type": _PACKED} if self._packed else None
        script.stream = self.pool.stream(
            name,
            url,
            script,
            key_id=keys.key,
            headers=headers,
            silent_s=3 * _SILENT_S,
            in_session=in_session,
        )
        script.stream.subscribe(f"{kind}:{symbol}" for kind in self.channels for symbol in symbols)
        if "bars" in self.channels:
            ask = AskTogether(self.history.bars_since, TOGETHER)
            late = LateBars(script.stream, symbols.values(), ask, self._on, self._now_ns)
            self._late.update(dict.fromkeys(symbols.values(), late))

    @property
    def late_bars(self) -> list[LateBars]:
        """What asks for missed bars, one a stream."""
        return list({id(late): late for late in self._late.values()}.values())

    def look(self, symbols: Mapping[str, int]) -> None:
        """The stream of `symbols` is open, or has missed frames: ask for the bars it has not told."""
        late = next((self._late[iid] for iid in symbols.values() if iid in self._late), None)
        if late is not None:
            late.look()

    # -- rows ------------------------------------------------------------------------------------------------------

    def take(self, rows: list[DataRow], symbols: Mapping[str, int], stream: Stream) -> None:
        """One frame's rows, in order. When we are late, only the newest quote of each symbol in it goes on."""
        newest: dict[int, DataRow] = {}
        for row in rows:
            if row.T == "q" and (iid := symbols.get(row.S)) is not None:
                newest[iid] = row
        for row in rows:
            kind = row.T
            iid = symbols.get(row.S)
            if iid is None:
                self._said(row, stream)
                continue
            stream.ledger.seen(f"{_KIND_CHANNELS.get(kind, '')}:{row.S}")
            try:
                if kind == "q":
                    quote = quote_of(row, iid)
                    if row is not newest[iid] and time_ns() - quote.ts_ns > _LATE_NS:
                        self.merged += 1
                    else:
                        self._on(quote)
                elif kind == "t":
                    self._trade(row, iid)
                elif kind == "b":
                    self._bar(row, iid)
            except Dropped as error:
                self.dropped[str(error)] += 1

    def _trade(self, row: DataRow, iid: int) -> None:
        trade = trade_of(row, iid)
        if row.i is not None:
            seen = self._ids.setdefault(iid, deque(maxlen=_REMEMBERED))
            if (row.x, row.i) in seen:
                raise Dropped("told before")
            seen.append((row.x, row.i))
        self._on(trade)

    def _bar(self, row: DataRow, iid: int) -> None:
        late = self._late.get(iid)
        if late is None:
            raise Dropped("not asked for")
        if not late.take(bar_of(row, iid)):
            raise Dropped("told before")

    def _now_ns(self) -> int:
        return time_ns() + self.pool.health.clock.offset_ns

    def _on(self, event: Bar | Quote | Trade) -> None:
        self.events += 1
        if self._sink is not None:
            self._sink(event)

    def _said(self, row: DataRow, stream: Stream) -> None:
        """What is no data: lists of what is subscribed, and errors."""
        if row.T == "subscription":
            lists = {kind: getattr(row, kind) or () for kind in CHANNELS}
            stream.ledger.confirmed(f"{kind}:{symbol}" for kind, names in lists.items() for symbol in names)
        elif row.T == "error":
            logger.warning("alpaca: stream '%s' says %s %s", stream.name, row.code, row.msg)
            self.dropped[f"error {row.code}"] += 1
            if row.code not in (403, 405, 409):  # these stay as they are, however often it connects
                stream.doubt(f"error {row.code} {row.msg}")
        elif row.T not in ("success", "") and row.S:
            self.dropped["not asked for"] += 1
