"""Alpaca's market data of the past by REST: bars, prints, quotes, the newest of a symbol, and what a stream has missed.

Lives here: questions and their pages. Not here: rows (market.py), streams (feed.py), requests (client.py).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from workbench.brokers.alpaca.client import AlpacaClient
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
from workbench.brokers.pool import MOST_LATE_BARS, decode
from workbench.errors import BadValue, VenueDown, VenueRefused
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, Quote, Trade

__all__ = ["TOGETHER", "History"]

TOGETHER: Final = 100  # symbols of one question: the address stays short
_ROWS: Final = "10000"  # of one page, whatever the symbols: the most there is
_MOST_PAGES: Final = 10_000
_BARS: Final = {"1Min": 60, "5Min": 300, "15Min": 900, "30Min": 1800, "1Hour": 3600, "1Day": 86_400}


class History:
    """What the venue remembers of `instruments`, stocks of `feed` and crypto. `dropped` counts rows that cannot be
    true, by reason."""

    def __init__(
        self, client: AlpacaClient, instruments: Sequence[Instrument], feed: str, dropped: Counter[str]
    ) -> None:
        self._client, self._feed, self._dropped = client, feed, dropped
        self._symbols = {i.iid: i.symbol for i in instruments}
        self._iids = {i.symbol: i.iid for i in instruments}

    async def bars(self, symbol: str, start: str, end: str, timeframe: str = "1Min") -> list[Bar]:
        """Finished bars of one symbol between two times (RFC 3339 or dates), oldest first."""
        length_s = _BARS.get(timeframe)
        if length_s is None:
            raise BadValue("timeframe", timeframe, f"give one of {', '.join(_BARS)}")
        rows = await self._rows("bars", symbol, {"start": start, "end": end, "timeframe": timeframe})
        return self._kept(rows, lambda row: bar_of(row, self._iid(symbol), length_s * 1_000_000_000))

    async def trades(self, symbol: str, start: str, end: str) -> list[Trade]:
        """Prints of one symbol between two times, oldest first."""
        rows = await self._rows("trades", symbol, {"start": start, "end": end})
        return self._kept(rows, lambda row: trade_of(row, self._iid(symbol)))

    async def quotes(self, symbol: str, start: str, end: str) -> list[Quote]:
        """Quotes of one stock between two times, oldest first."""
        rows = await self._rows("quotes", symbol, {"start": start, "end": end})
        return self._kept(rows, lambda row: quote_of(row, self._iid(symbol)))

    async def latest(self, symbol: str) -> Latest:
        """The newest trade, quote, minute bar and day bar of one symbol."""
        crypto = "/" in symbol
        path = "/v1beta3/crypto/us/snapshots" if crypto else "/v2/stocks/snapshots"
        query = {"symbols": symbol} if crypto else {"symbols": symbol, "feed": self._feed}
        answer = await self._client.market(path, query)
        kind = dict[str, dict[str, SnapshotBody]] if crypto else dict[str, SnapshotBody]
        found: Any = decode(VENUE, answer, kind, what="a snapshot")
        body = (found.get("snapshots", {}) if crypto else found).get(symbol)
        if body is None:
            raise VenueRefused(VENUE, f"no data of '{symbol}'", "check the symbol", field="symbol")
        return latest_of(body, self._iid(symbol))

    async def bars_since(self, since_ns: Mapping[int, int]) -> list[Bar]:
        """Minute bars of several instruments, all stocks or all crypto, that close after a time each has; of one with
        more than MOST_LATE_BARS the newest. Some older ones are among them: those whose times are about as old are
        asked about by one question, from the earliest on."""
        bars: list[Bar] = []
        for iids in _of_one_age(since_ns):
            opened_ns = max(0, min(since_ns[iid] for iid in iids) - MINUTE_NS)
            start = datetime.fromtimestamp(opened_ns // 1_000_000_000, UTC).isoformat()
            query = {"start": start, "timeframe": "1Min", "sort": "desc"}
            found = await self._pages("bars", [self._symbols[iid] for iid in iids], query, MOST_LATE_BARS)
            for iid in iids:
                rows = found.get(self._symbols[iid], [])
                bars += self._kept(rows, lambda row, iid=iid: bar_of(row, iid))  # type: ignore[misc]
        return bars

    # -- inside ----------------------------------------------------------------------------------------------------

    def _iid(self, symbol: str) -> int:
        return self._iids.get(symbol, -1)

    def _kept[E](self, rows: Iterable[DataRow], made: Callable[[DataRow], E]) -> list[E]:
        out = []
        for row in rows:
            try:
                out.append(made(row))
            except Dropped as error:
                self._dropped[str(error)] += 1
        return out

    async def _rows(self, kind: str, symbol: str, query: Mapping[str, str]) -> list[DataRow]:
        rows = (await self._pages(kind, [symbol], query)).get(symbol, [])
        return sorted(rows, key=lambda row: time_of(row.t))

    async def _pages(
        self, kind: str, symbols: Sequence[str], query: Mapping[str, str], most: int = 0
    ) -> dict[str, list[DataRow]]:
        """Every page of a question, the first `most` rows of each symbol (0: all). A page holds the rows of one symbol
        after the other."""
        crypto = "/" in symbols[0]
        path = f"/v1beta3/crypto/us/{kind}" if crypto else f"/v2/stocks/{kind}"
        asked = {"symbols": ",".join(symbols), "limit": _ROWS, **query}
        if most and len(symbols) == 1:
            asked["limit"] = str(most)
        if not crypto:
            asked["feed"] = self._feed
        found: defaultdict[str, list[DataRow]] = defaultdict(list)
        for _ in range(_MOST_PAGES):
            answer = await self._client.market(path, asked)
            page = decode(VENUE, answer, Page, what=f"a page of {kind}", deepest=0)
            rows: dict[str, list[DataRow]] = getattr(page, kind) or {}
            for symbol, some in rows.items():
                kept = found[symbol]
                kept += some[: most - len(kept)] if most else some
            token = page.next_page_token
            if not token or (most and all(len(found[symbol]) >= most for symbol in symbols)):
                return found
            if token == asked.get("page_token"):
                break
            asked["page_token"] = token
        text = f"the pages of {kind} of {', '.join(symbols[:3])} do not end"
        raise VenueDown(VENUE, text, "ask again, for a shorter time")


def _of_one_age(since_ns: Mapping[int, int]) -> list[list[int]]:
    """Instruments by how old their times are against the newest, in powers of two: what is asked from the earliest of a
    group on is at most about twice as much as is wanted.

    >>> _of_one_age({0: 9_000 * MINUTE_NS, 1: 9_000 * MINUTE_NS, 2: 8_999 * MINUTE_NS, 3: 5_000 * MINUTE_NS})
    [[0, 1, 2], [3]]
    """
    newest_ns = max(since_ns.values(), default=0)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for iid, ns in since_ns.items():
        minutes = (newest_ns - ns) // MINUTE_NS
        groups[max(4, minutes.bit_length())].append(iid)
    return list(groups.values())
