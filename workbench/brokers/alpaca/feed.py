"""Alpaca's market data as a live feed: stocks and crypto, each over a stream of its own, and history by REST.

Lives here: what is subscribed, what is dropped, history. Not here: what is said on a stream (data_script.py), rows
(market.py), connections (pool).

    [brokers.paper.options]
    feed = "iex"                       # sip, delayed_sip, test
    channels = "bars,quotes,trades"
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any, Final

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
from workbench.brokers.alpaca.hours import Hours
from workbench.brokers.alpaca.market import (
    MINUTE_NS,
    DataRow,
    Dropped,
    Latest,
    Page,
    SnapshotBody,
    bar_of,
    latest_of,
    quote_of,
    time_of,
    trade_of,
)
from workbench.brokers.alpaca.words import VENUE
from workbench.brokers.pool import (
    MOST_LATE_BARS,
    Credentials,
    LateBars,
    Pool,
    Stream,
    decode,
    read_credentials,
)
from workbench.config import BrokerSettings
from workbench.errors import BadValue, VenueRefused
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
_BARS: Final = {"1Min": 60, "5Min": 300, "15Min": 900, "30Min": 1800, "1Hour": 3600, "1Day": 86_400}
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
        self.hours: Hours
        self._feed = feed_of(settings)
        self._secrets, self._environ, self._packed = secrets, environ, packed
        self._sink: EventSink | None = None
        self._late: dict[int, LateBars] = {}  # by instrument; those of one stream share one
        self._ids: dict[int, deque[int | str]] = {}
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
            await self.pool.close()
            raise

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        self._closed = True
        for late in self.late_bars:
            await late.close()
        await self.pool.close()

    async def _open(self) -> None:
        keys = read_credentials(self.settings.credentials, self._secrets, environ=self._environ)
        check_keys(self.settings, keys, self.addresses)
        self.client = AlpacaClient(self.pool, self.addresses, keys)
        self.hours = Hours(self.client)
        root = self.addresses.data_stream
        stocks = {i.symbol: i.iid for i in self.instruments if "/" not in i.symbol}
        crypto = {i.symbol: i.iid for i in self.instruments if "/" in i.symbol}
        if stocks:
            await self.hours.learn()
            self._stream(f"stocks {self._feed}", root / "v2" / self._feed, keys, stocks, self.hours.is_open)
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
            late = LateBars(script.stream, symbols.values(), self._bars_since, self._on, self._now_ns)
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
            if row.i in seen:
                raise Dropped("told before")
            seen.append(row.i)
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

    # -- history ---------------------------------------------------------------------------------------------------

    async def bars(self, symbol: str, start: str, end: str, timeframe: str = "1Min") -> list[Bar]:
        """Finished bars of one symbol between two times (RFC 3339 or dates), oldest first."""
        length_s = _BARS.get(timeframe)
        if length_s is None:
            raise BadValue("timeframe", timeframe, f"give one of {', '.join(_BARS)}")
        rows = await self._history("bars", symbol, {"start": start, "end": end, "timeframe": timeframe})
        return self._kept(rows, lambda row: bar_of(row, self._iid(symbol), length_s * 1_000_000_000))

    async def _bars_since(self, iid: int, since_ns: int) -> list[Bar]:
        """Bars of one instrument that close after `since_ns`, the newest when they are too many."""
        symbol = next(i.symbol for i in self.instruments if i.iid == iid)
        opened = datetime.fromtimestamp(max(0, since_ns - MINUTE_NS) // 1_000_000_000, UTC)
        query = {
            "start": opened.isoformat(),
            "timeframe": "1Min",
            "sort": "desc",
            "limit": str(MOST_LATE_BARS),
        }
        return self._kept(await self._history("bars", symbol, query, pages=1), lambda row: bar_of(row, iid))

    async def trades(self, symbol: str, start: str, end: str) -> list[Trade]:
        """Prints of one symbol between two times, oldest first."""
        rows = await self._history("trades", symbol, {"start": start, "end": end})
        return self._kept(rows, lambda row: trade_of(row, self._iid(symbol)))

    async def quotes(self, symbol: str, start: str, end: str) -> list[Quote]:
        """Quotes of one stock between two times, oldest first."""
        rows = await self._history("quotes", symbol, {"start": start, "end": end})
        return self._kept(rows, lambda row: quote_of(row, self._iid(symbol)))

    async def latest(self, symbol: str) -> Latest:
        """The newest trade, quote, minute bar and day bar of one symbol."""
        crypto = "/" in symbol
        path = "/v1beta3/crypto/us/snapshots" if crypto else "/v2/stocks/snapshots"
        query = {"symbols": symbol} if crypto else {"symbols": symbol, "feed": self._feed}
        answer = await self.client.market(path, query)
        kind = dict[str, dict[str, SnapshotBody]] if crypto else dict[str, SnapshotBody]
        found: Any = decode(VENUE, answer, kind, what="a snapshot")
        body = (found.get("snapshots", {}) if crypto else found).get(symbol)
        if body is None:
            raise VenueRefused(VENUE, f"no data of '{symbol}'", "check the symbol", field="symbol")
        return latest_of(body, self._iid(symbol))

    def _iid(self, symbol: str) -> int:
        return next((i.iid for i in self.instruments if i.symbol == symbol), -1)

    def _kept[E](self, rows: list[DataRow], made: Callable[[DataRow], E]) -> list[E]:
        out = []
        for row in rows:
            try:
                out.append(made(row))
            except Dropped as error:
                self.dropped[str(error)] += 1
        return out

    async def _history(
        self, kind: str, symbol: str, query: dict[str, str], pages: int = 1_000_000
    ) -> list[DataRow]:
        crypto = "/" in symbol
        path = f"/v1beta3/crypto/us/{kind}" if crypto else f"/v2/stocks/{kind}"
        query = {"symbols": symbol, "limit": "10000", **query}
        if not crypto:
            query["feed"] = self._feed
        rows: list[DataRow] = []
        for _ in range(pages):
            page = decode(
                VENUE, await self.client.market(path, query), Page, what=f"a page of {kind}", deepest=0
            )
            found: dict[str, list[DataRow]] = getattr(page, kind) or {}
            rows += found.get(symbol, [])
            if not page.next_page_token:
                break
            query["page_token"] = page.next_page_token
        return sorted(rows, key=lambda row: time_of(row.t))
