"""Finding orders at an exchange: by its number, by our id, and, when nothing else is left, among everything that is
open, over and filled.

Lives here: the looking, and which order there is which of ours. Not here: what follows from it (broker.py).
"""

import asyncio
from collections.abc import Sequence
from time import time_ns
from typing import Any, Final

from workbench.brokers.ccxt.client import CcxtClient, Row
from workbench.brokers.ccxt.config import BY_CLIENT_ID
from workbench.brokers.ccxt.parse import (
    Booked,
    booked_of,
    client_id_of,
    e8,
    evidence_of,
    of_order,
    our_id,
    part_of,
    ts_ns_of,
)
from workbench.brokers.ccxt.rules import Rules
from workbench.brokers.pool import CANCEL, DATA
from workbench.brokers.pool.tracker import Evidence, Tracked, Tracker
from workbench.errors import VenueRefused
from workbench.model.reports import Accepted, Amended

__all__ = ["Finder", "Note", "note_of", "prices_of"]

_MARGIN_MS: Final = 60_000  # clocks differ, and lists know milliseconds only
_LONG_AGO_NS: Final = 30 * 86_400_000_000_000
_MANY: Final = 3


class Note:
    """What we keep of one order: its symbol, its numbers at the exchange (a later one took the place of those before),
    how much of it the exchange says has filled, and what moved beside it (fees in the coin)."""

    __slots__ = ("filled_e8", "ids", "looks", "moved_e8", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.ids: list[str] = []
        self.filled_e8 = self.moved_e8 = 0
        self.looks = 0


def note_of(tracked: Tracked, symbol: str = "") -> Note:
    """The note of an order, made at first sight."""
    note = tracked.note
    if not isinstance(note, Note):
        note = tracked.note = Note(symbol)
        told = (report.venue_id for report in tracked.reports if isinstance(report, Accepted | Amended))
        note.ids = list(dict.fromkeys(filter(None, told)))  # of an order that is over, say
    note.symbol = note.symbol or symbol
    return note


def prices_of(tracked: Tracked) -> tuple[int, int]:
    """Limit and stop price that hold for an order, as far as this connection was told."""
    for report in reversed(tracked.reports):
        if isinstance(report, Amended):
            return report.limit_px_e8, report.stop_px_e8
    order = tracked.order
    return (0, 0) if order is None else (order.limit_px_e8, order.stop_px_e8)


class Finder:
    """The looking for one account."""

    def __init__(self, client: CcxtClient, tracker: Tracker, rules: Rules) -> None:
        self._client, self._tracker, self._rules = client, tracker, rules
        self._found: dict[
            str, tuple[str, list[str]]
        ] = {}  # by client id: an order that was found and not noted yet
        self._foreign: set[str] = set()  # numbers of orders that are not ours
        self._by_client_id = (
            client.name in BY_CLIENT_ID or client.has.get("fetchOrderWithClientOrderId") is True
        )

    @property
    def symbols(self) -> list[str]:
        """Those of our instruments that the exchange lists."""
        return [listing.instrument.symbol for listing in self._rules.listings.values()]

    def note(self, tracked: Tracked) -> Note:
        """The note of an order, with its symbol when that is known."""
        order = tracked.order
        symbol = (
            self._rules.symbol_of(order.iid)
            if order is not None and order.iid in self._rules.listings
            else ""
        )
        note = note_of(tracked, symbol)
        if not note.symbol and tracked.client_id in self._found:
            note.symbol, note.ids = self._found.pop(tracked.client_id)
            for number in note.ids:
                self._tracker.known_also_as(tracked, number)
        return note

    # -- looking ---------------------------------------------------------------------------------------------------

    async def look(self, tracked: Tracked) -> Evidence | None:
        """An order as the exchange shows it, executions included; None when open orders, history and fills lack it."""
        lane = DATA if tracked.answered else CANCEL
        note = self.note(tracked)
        chain = await self.chain(tracked, lane)
        if not chain:
            return None
        note.symbol = note.symbol or str(chain[0]["symbol"])
        note.ids = [str(row["id"]) for row in chain]
        for number in note.ids:
            self._tracker.known_also_as(tracked, number)
        return await self._evidence(chain, tracked.client_id, lane, tracked)

    async def find(self, client_id: str) -> Evidence | None:
        """The same for an order that an earlier connection has sent."""
        chain = await self._search(client_id, self.symbols, time_ns() - _LONG_AGO_NS, DATA)
        if not chain:
            return None
        self._found[client_id] = str(chain[0]["symbol"]), [str(row["id"]) for row in chain]
        return await self._evidence(chain, client_id, DATA)

    async def chain(self, tracked: Tracked, lane: int) -> list[Row]:
        """An order and those that took its place, oldest first."""
        note = self.note(tracked)
        if note.ids:
            rows = [await self._by_number(number, note.symbol, lane) for number in note.ids]
            if all(row is not None for row in rows):
                return [row for row in rows if row is not None]
        symbols = [note.symbol] if note.symbol else self.symbols
        return await self._search(tracked.client_id, symbols, tracked.since_ns, lane)

    async def _by_number(self, number: str, symbol: str, lane: int) -> Row | None:
        try:
            return await self._client.order(number, symbol, lane)
        except VenueRefused:
            return None  # not there by that question: the lists are asked

    async def _search(self, client_id: str, symbols: Sequence[str], since_ns: int, lane: int) -> list[Row]:
        since_ms = max(0, since_ns // 1_000_000 - _MARGIN_MS)
        for symbol in symbols:
            found: dict[str, Row] = {}
            if self._by_client_id:
                found |= await self._by_our_id(client_id, symbol, lane)
            if not found:
                rows = await self._client.open_orders(symbol, lane)
                rows += await self._client.past_orders(symbol, since_ms, lane)
                found |= {
                    str(row["id"]): row for row in rows if our_id(row.get("clientOrderId")) == client_id
                }
            if not found:
                found |= await self._behind_fills(client_id, symbol, since_ms, lane)
            if found:
                return sorted(
                    found.values(),
                    key=lambda row: (part_of(row.get("clientOrderId")), row.get("timestamp") or 0),
                )
        return []

    async def _by_our_id(self, client_id: str, symbol: str, lane: int) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for part in range(1, 100):
            told = client_id_of(client_id, self._client.plan.client_ids, part)
            try:
                row = await self._client.order_by_client_id(told, symbol, lane)
            except VenueRefused:
                break
            if our_id(row.get("clientOrderId")) != client_id or not row.get("id"):
                break
            found[str(row["id"])] = row
            if row.get("status") != "canceled":  # only an order that was taken out can have a successor
                break
        return found

    async def _behind_fills(self, client_id: str, symbol: str, since_ms: int, lane: int) -> dict[str, Row]:
        """An order that filled before any list showed it: its executions name it."""
        for trade in await self._client.trades(symbol, since_ms, lane):
            number = str(trade.get("order") or "")
            if not number or number in self._tracker.by_venue or number in self._foreign:
                continue
            row = await self._by_number(number, symbol, lane)
            if row is not None and our_id(row.get("clientOrderId")) == client_id:
                return {number: row}
            if row is not None and not our_id(row.get("clientOrderId")):
                self._foreign.add(number)
        return {}

    async def successors(self, tracked: Tracked) -> list[str]:
        """The numbers of orders that took an order's place and that we have no answer about, oldest first."""
        note = self.note(tracked)
        chain = await self._search(tracked.client_id, [note.symbol], tracked.since_ns, CANCEL)
        later = {str(row["id"]) for row in chain if part_of(row.get("clientOrderId")) > len(note.ids)}
        return [str(row["id"]) for row in chain if str(row["id"]) in later]

    async def _evidence(
        self, chain: Sequence[Row], client_id: str, lane: int, tracked: Tracked | None = None
    ) -> Evidence:
        total_e8 = sum(e8(row.get("filled"), "filled") for row in chain)
        note = None if tracked is None else self.note(tracked)
        if note is not None and tracked is not None and len(chain) == 1:
            note.filled_e8 = max(note.filled_e8, total_e8)
            if tracked.filled_e8 >= total_e8 + note.moved_e8:
                return evidence_of(chain, client_id, time_ns(), moved_e8=note.moved_e8)
        fills: list[Booked] = []
        for row in chain:
            if e8(row.get("filled"), "filled"):
                fills += await self._fills_of(row, lane)
        if note is not None:
            note.moved_e8 = sum(booked.moved_e8 for booked in fills)
        return evidence_of(chain, client_id, time_ns(), fills)

    async def _fills_of(self, row: Row, lane: int) -> list[Booked]:
        symbol, number = str(row["symbol"]), str(row["id"])
        quote = self._rules.quote_of(symbol)
        trades = row.get("trades") or []
        if any(not trade.get("id") for trade in trades) or _sum(trades) != e8(row.get("filled"), "filled"):
            since_ms = max(0, int(row.get("timestamp") or 0) - _MARGIN_MS)
            trades = await self._client.trades_of(number, symbol, since_ms, lane)
        return [booked_of(of_order(trade, row, symbol), quote) for trade in trades]

    # -- what is open ----------------------------------------------------------------------------------------------

    async def open_rows(self) -> list[Row]:
        """Every open order in our symbols; in all at once when they are many and the exchange allows it."""
        symbols, exchange = self.symbols, self._client.exchange
        needed = exchange.feature_value_by_type("spot", None, "fetchOpenOrders", "symbolRequired")
        if (
            len(symbols) > _MANY
            and needed is False
            and "warnOnFetchOpenOrdersWithoutSymbol" not in exchange.options
        ):
            rows = await self._client.open_orders(None)
            return [row for row in rows if row.get("symbol") in symbols]
        lists = await asyncio.gather(*(self._client.open_orders(symbol) for symbol in symbols))
        return [row for rows in lists for row in rows]

    async def list_open(self) -> list[Evidence]:
        """Our open orders, executions not fetched."""
        found = []
        for row in await self.open_rows():
            tracked, moved_e8 = self._tracker.by_venue.get(str(row["id"])), 0
            client_id = our_id(row.get("clientOrderId"))
            if tracked is not None:
                client_id, moved_e8 = tracked.client_id, self.note(tracked).moved_e8
            if client_id:
                at_ns = ts_ns_of(row.get("timestamp")) or time_ns()
                found.append(evidence_of([row], client_id, at_ns, moved_e8=moved_e8))
        return found


def _sum(trades: Sequence[Any]) -> int:
    return sum(e8(trade.get("amount"), "amount") for trade in trades)
