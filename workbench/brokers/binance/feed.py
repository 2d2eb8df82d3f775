"""Binance's market data as a live feed: one connection to the streams of every instrument, and history by REST.

Lives here: the stream's script, what is subscribed, what is dropped, books kept live. Not here: rows (market.py),
connections (pool).

    [brokers.mine.options]
    channels = "bars,quotes,trades"    # and depth: books kept from changes
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from time import time_ns
from typing import Final

import msgspec
from pydantic import SecretStr

from workbench.brokers.binance.book import LocalBook
from workbench.brokers.binance.client import BinanceClient
from workbench.brokers.binance.config import addresses_of, budgets, channels_of, options_of
from workbench.brokers.binance.market import (
    Dropped,
    Row,
    StreamFrame,
    TickerBody,
    bar_of,
    bar_of_row,
    quote_of,
    trade_of,
    trade_of_row,
)
from workbench.brokers.binance.signer import Signer
from workbench.brokers.binance.words import VENUE, Number
from workbench.brokers.pool import (
    MOST_LATE_BARS,
    Credentials,
    Frame,
    LateBars,
    Pool,
    Stream,
    Wire,
    decode,
    encode,
)
from workbench.config import BrokerSettings
from workbench.errors import BadInput, VenueGarbled, VenueRefused, WorkbenchError
from workbench.feeds.live import EventSink
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, Quote, Trade

__all__ = ["BinanceFeed"]

logger = logging.getLogger(__name__)

_LIVE_S: Final = 15.0
_SILENT_S: Final = 10.0
_MINUTE_NS: Final = 60_000_000_000
_STREAMS: Final = {
    "bars": "kline_1m",
    "quotes": "bookTicker",
    "trades": "trade",
    "depth": "depth@100ms",
}
_MOST_STREAMS: Final = 1_024  # of one connection
_SNAPSHOT: Final = 1_000
_AGAIN_S: Final = 0.5


class _Script:
    """The script of the market streams: nobody logs in, channels are asked for by their names."""

    def __init__(self, feed: "BinanceFeed") -> None:
        self._feed = feed
        self.stream: Stream
        self.confirmed = asyncio.Event()
        self._asked: dict[int, list[str]] = {}
        self._number = 0

    async def greet(self, wire: Wire) -> None:
        """Nothing is said."""
        self._feed.broken()

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """One frame for all that is new, one for all that is not wanted any more."""
        for method, channels in (("SUBSCRIBE", add), ("UNSUBSCRIBE", drop)):
            if channels:
                self._number += 1
                self._asked[self._number] = channels if method == "SUBSCRIBE" else []
                yield encode({"method": method, "params": channels, "id": self._number}).decode()

    def frame(self, frame: Frame) -> None:
        body = frame.encode() if isinstance(frame, str) else frame
        said = decode(VENUE, body, StreamFrame, what="a frame of market data", deepest=0)
        if said.data is not None and said.stream and said.stream[0] != "!":
            self._feed.take(said.stream, said.data)
        elif isinstance(said.id, int):
            self._answered(said.id, said)
        elif "serverShutdown" in (said.e, said.data.e if said.data is not None else ""):
            self.stream.doubt("the venue is about to shut the connection down")
        elif said.error is not None:
            raise VenueGarbled(VENUE, f"the stream says {said.error}", "report it")

    def _answered(self, number: int, said: StreamFrame) -> None:
        channels = self._asked.pop(number, [])
        if said.error is not None:
            self.stream.doubt(f"the venue refused to subscribe: {said.error}")
            return
        self.stream.ledger.confirmed(channels)
        if not self.stream.ledger.unconfirmed:
            self.confirmed.set()

    async def catch_up(self) -> None:
        """Bars are asked for, and the rest goes on meanwhile: quotes and prints that were missed are missed."""
        self._feed.late_bars[0].look()

    def heartbeat(self) -> Frame | None:
        """Only five messages a second are allowed: the connection's own pings are enough."""
        return None


class BinanceFeed:
    """Market data of `instruments`. `dropped` counts by reason, `missed` prints whose numbers were skipped.

    Raises:
        BadInput: they are more streams than one connection may have.
    """

    name = VENUE

    def __init__(
        self, settings: BrokerSettings, instruments: Sequence[Instrument], *, account_name: str = ""
    ) -> None:
        self.settings, self.addresses = settings, addresses_of(settings)
        self.channels = channels_of(settings)
        self.instruments = tuple(instruments)
        count = len(self.channels) * len(self.instruments)
        if count > _MOST_STREAMS:
            text = f"{len(self.instruments)} symbols with {len(self.channels)} channels are {count} streams"
            raise BadInput(f"binance: {text}, at most {_MOST_STREAMS}: take fewer symbols, or fewer channels")
        self.pool = Pool(
            VENUE,
            budgets(),
            name=f"{account_name or VENUE} data",
            mode=settings.mode,
            limits=settings.limits,
        )
        nobody = Signer("none", _unsigned)
        keys = Credentials("", SecretStr(""))
        self.client = BinanceClient(self.pool, self.addresses, keys, nobody, options_of(settings))
        self.books = {i.symbol: LocalBook(i.symbol) for i in instruments if "depth" in self.channels}
        self.dropped: Counter[str] = Counter()
        self.missed = self.events = 0
        self._iids = {instrument.symbol.lower(): instrument.iid for instrument in instruments}
        self._symbols = {instrument.symbol.lower(): instrument.symbol for instrument in instruments}
        self._sink: EventSink | None = None
        self._prints: dict[int, int] = {}
        self._jumped: set[int] = set()  # instruments whose prints go on behind a break: their numbers jump
        self.late_bars: list[LateBars] = []
        self._snapshots: dict[str, asyncio.Task[None]] = {}
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
        return "stale" if any(stream.age_s > _SILENT_S for stream in streams) else "live"

    async def connect(self, sink: EventSink) -> None:
        """Subscribe to every instrument; see the contract of feeds for what it raises."""
        self._sink, self._closed = sink, False
        self.pool.open()
        try:
            await self._open()
        except BaseException:
            await self.pool.close()
            raise

    async def _open(self) -> None:
        self.pool.health.heard(await self.client.probe())
        self.client.limits.aligned()
        self.pool.health.probe = self.client.probe
        self.pool.health.start()
        script = _Script(self)
        script.stream = stream = self.pool.stream(
            "market", self.addresses.stream / "stream", script, silent_s=3 * _SILENT_S
        )
        wanted = self._iids.values() if "bars" in self.channels else ()
        self.late_bars = [LateBars(stream, wanted, self._bars_since, self._on, self._now_ns)]
        stream.subscribe(
            f"{symbol}@{_STREAMS[channel]}" for channel in self.channels for symbol in self._iids
        )
        stream.start()
        await stream.until("live", within_s=_LIVE_S)
        try:
            await asyncio.wait_for(script.confirmed.wait(), _LIVE_S)
        except TimeoutError:
            text = f"the stream has not confirmed what was asked for in {_LIVE_S:g} s"
            raise VenueRefused(VENUE, text, "check the symbols") from None

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        self._closed = True
        for task in self._snapshots.values():
            task.cancel()
        await asyncio.gather(*self._snapshots.values(), return_exceptions=True)
        self._snapshots.clear()
        for late in self.late_bars:
            await late.close()
        await self.pool.close()

    def broken(self) -> None:
        """A connection begins: books of the one before are worth nothing."""
        self._jumped.update(self._prints)
        for book in self.books.values():
            book.stale()

    # -- rows ------------------------------------------------------------------------------------------------------

    def take(self, channel: str, row: Row) -> None:
        """One message of a stream."""
        symbol, _, kind = channel.partition("@")
        iid = self._iids.get(symbol)
        if iid is None:
            self.dropped["not asked for"] += 1
            return
        for stream in self.pool.streams:
            stream.ledger.seen(channel)
        try:
            if kind == "bookTicker":
                self._on(quote_of(row, iid, self._now_ns()))
            elif kind == "trade":
                self._trade(row, iid)
            elif row.k is not None:
                if row.k.x:
                    self._bar(bar_of(row.k, iid))
            elif row.e == "depthUpdate":
                self._depth(self._symbols[symbol], row)
        except Dropped as error:
            self.dropped[str(error)] += 1

    def _now_ns(self) -> int:
        return time_ns() + self.pool.health.clock.offset_ns

    def _trade(self, row: Row, iid: int) -> None:
        last = self._prints.get(iid, 0)
        if row.t and row.t <= last:
            raise Dropped("told before")
        if last and row.t > last + 1:
            self.missed += row.t - last - 1
            if iid not in self._jumped:
                self.pool.streams[0].gap("prints are missing")
        self._jumped.discard(iid)
        self._prints[iid] = row.t
        self._on(trade_of(row, iid))

    def _bar(self, bar: Bar) -> None:
        if not self.late_bars[0].take(bar):
            raise Dropped("told before")

    def _on(self, event: Bar | Quote | Trade) -> None:
        self.events += 1
        if self._sink is not None:
            self._sink(event)

    # -- books -----------------------------------------------------------------------------------------------------

    def book(self, symbol: str) -> LocalBook | None:
        """The book of a symbol kept from changes (channel `depth`); None when there is none."""
        return self.books.get(symbol)

    def _depth(self, symbol: str, row: Row) -> None:
        book = self.books[symbol]
        bids, asks = row.b, row.a
        if not isinstance(bids, list) or not isinstance(asks, list):
            raise Dropped("a change without levels")
        gaps = book.gaps
        book.change(row.U, row.u, bids, asks)
        if book.gaps > gaps:
            for stream in self.pool.streams:
                stream.gaps += 1
        if not book.is_live and symbol not in self._snapshots:
            task = asyncio.get_running_loop().create_task(self._snapshot(book), name=f"book {symbol}")
            self._snapshots[symbol] = task
            task.add_done_callback(lambda _: self._snapshots.pop(symbol, None))

    async def _snapshot(self, book: LocalBook) -> None:
        """Until the book is live: a snapshot older than the first change that waits is no use."""
        while not book.is_live:
            try:
                body = await self.client.market(
                    "depth", [("symbol", book.symbol), ("limit", str(_SNAPSHOT))], weight=50
                )
                found = decode(VENUE, body, _Depth, what="a book", deepest=0)
                book.snapshot(found.last_update_id, found.bids, found.asks)
            except WorkbenchError as error:
                logger.warning("binance: the book of %s could not be read (%s)", book.symbol, error)
            if not book.is_live:
                await asyncio.sleep(_AGAIN_S)

    # -- questions ---------------------------------------------------------------------------------------------------

    async def bars(
        self,
        symbol: str,
        start_ms: int | None = None,
        end_ms: int | None = None,
        timeframe: str = "1m",
        limit: int = 500,
    ) -> list[Bar]:
        """Bars of one symbol between two times, oldest first; the one that still forms is left out."""
        times = [("startTime", start_ms), ("endTime", end_ms)]
        found = await self._candles(
            symbol, timeframe, limit, [(k, str(v)) for k, v in times if v is not None]
        )
        now_ns = self._now_ns()
        return [bar for bar in found if bar.ts_ns <= now_ns]

    async def _candles(
        self, symbol: str, timeframe: str, limit: int, times: list[tuple[str, str]]
    ) -> list[Bar]:
        """Bars of one symbol, oldest first, with the one that still forms."""
        params = [("symbol", symbol), ("interval", timeframe), ("limit", str(limit)), *times]
        body = await self.client.market("klines", params)
        rows = decode(VENUE, body, list[list[Number]], what="candles", deepest=0)
        iid, found = self._iids.get(symbol.lower(), -1), []
        for row in rows:
            try:
                found.append(bar_of_row(row, iid))
            except Dropped as error:
                self.dropped[str(error)] += 1
        return found

    async def _bars_since(self, iid: int, since_ns: int) -> list[Bar]:
        """Bars of one instrument from `since_ns` on, the newest when they are too many."""
        symbol = next(i.symbol for i in self.instruments if i.iid == iid)
        few = self._now_ns() - since_ns < (MOST_LATE_BARS - 2) * _MINUTE_NS
        times = [("startTime", str((since_ns - _MINUTE_NS) // 1_000_000))] if few else []
        return await self._candles(symbol, "1m", MOST_LATE_BARS, times)

    async def trades(self, symbol: str, limit: int = 500) -> list[Trade]:
        """The newest prints of one symbol, oldest first."""
        params = [("symbol", symbol), ("limit", str(limit))]
        body = await self.client.market("trades", params, weight=25)
        rows = decode(VENUE, body, list[dict[str, str | int | float | bool]], what="trades", deepest=0)
        return [trade_of_row(row, self._iids.get(symbol.lower(), -1)) for row in rows]

    async def depth(self, symbol: str, limit: int = 0) -> LocalBook:
        """The book of one symbol as it is now."""
        params = [("symbol", symbol), *([("limit", str(limit))] if limit else [])]
        found = decode(
            VENUE, await self.client.market("depth", params, weight=50), _Depth, what="a book", deepest=0
        )
        book = LocalBook(symbol)
        book.snapshot(found.last_update_id, found.bids, found.asks)
        return book

    async def ticker(self, symbol: str) -> TickerBody:
        """The last twenty-four hours of one symbol."""
        body = await self.client.market("ticker/24hr", [("symbol", symbol)])
        return decode(VENUE, body, TickerBody, what="a ticker", deepest=0)

    async def tickers(self, symbols: Sequence[str], *, rolling: bool = False) -> list[TickerBody]:
        """The last twenty-four hours of several symbols, to the minute or `rolling`."""
        text = msgspec.json.encode(list(symbols)).decode()
        path = "ticker" if rolling else "ticker/24hr"
        body = await self.client.market(path, [("symbols", text)], weight=20)
        return decode(VENUE, body, list[TickerBody], what="tickers", deepest=0)


def _unsigned(payload: bytes) -> str:
    """Public questions are not signed."""
    return ""


class _Depth(msgspec.Struct, rename="camel"):
    last_update_id: int
    bids: list[list[str]]
    asks: list[list[str]]
