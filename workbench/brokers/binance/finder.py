"""Finding orders at Binance: by our ids, along replacements, and, when nothing else is left, among everything that was
ordered and traded since.

Lives here: the looking, and executions with what their commission did. Not here: what follows from it (broker.py).

An order is asked for by symbol and our id. Amendments that need another order give it our id with a number
(`wb-7-12_2`), so a chain can be followed without remembering it.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from workbench.brokers.binance.bodies import Event, OrderBody, TradeBody
from workbench.brokers.binance.client import BinanceClient
from workbench.brokers.binance.parse import Commission, commission_of, evidence_of, side_of, trade_id
from workbench.brokers.binance.rates import Rates
from workbench.brokers.binance.rules import Rules
from workbench.brokers.binance.words import STATES, amended_id, e8, own_id, ts_ns_of, whole
from workbench.brokers.pool import CANCEL, DATA
from workbench.brokers.pool.tracker import Evidence, Execution, Tracked, Tracker
from workbench.model.reports import CashMoved
from workbench.model.scale import notional_e8

__all__ = ["Booked", "Finder", "Note"]

_MOST_OF_SYMBOLS = 13  # asked one by one; more are cheaper all at once


class Note:
    """What an order here keeps beside: its symbol and side, which version of it holds, the events that wait for an
    answer, what commissions moved, and fees that another asset paid."""

    __slots__ = (
        "absent",
        "held",
        "limit_px_e8",
        "linked",
        "moved",
        "paid",
        "replacing",
        "side",
        "stop_px_e8",
        "symbol",
        "tif",
        "type",
        "version",
    )

    def __init__(self) -> None:
        self.symbol = ""
        self.side = 0
        self.type = self.tif = ""  # of an order that an earlier connection sent
        self.version = 1
        self.replacing = 0  # the version that was asked for, while nobody knows whether it holds
        self.absent = 0  # looks that have not found it
        self.held: list[tuple[int, Event]] = []
        self.moved: dict[str, int] = {}  # by execution: by how much its commission changed what moved
        self.paid: dict[str, CashMoved] = {}  # by execution: its fee given back, since another asset paid it
        self.linked = False  # one of a pair or a bracket
        self.limit_px_e8 = self.stop_px_e8 = 0

    @property
    def moved_e8(self) -> int:
        return sum(self.moved.values())


class Booked(msgspec.Struct, frozen=True):
    """An execution as it is booked; `paid` is its fee given back when another asset paid it."""

    execution: Execution
    moved_e8: int
    paid: CashMoved | None


class Finder:
    """One account's orders at the venue."""

    def __init__(self, client: BinanceClient, tracker: Tracker, rules: Rules, rates: Rates) -> None:
        self._client, self._tracker, self._rules, self._rates = client, tracker, rules, rates
        self._found: dict[str, Note] = {}  # of orders that are about to be known
        self.pays_otherwise = False  # fees were paid by an asset that is neither bought nor cash

    def note(self, tracked: Tracked) -> Note:
        """What is kept beside an order."""
        known = tracked.note
        if isinstance(known, Note):
            return known
        note = self._found.pop(tracked.client_id, None) or Note()
        tracked.note, order = note, tracked.order
        if order is not None:
            note.side, note.limit_px_e8, note.stop_px_e8 = order.side, order.limit_px_e8, order.stop_px_e8
        return note

    def symbol_of(self, tracked: Tracked) -> str:
        """The symbol an order is in; "" when only its id is known yet."""
        note = self.note(tracked)
        if not note.symbol and tracked.order is not None:
            listing = self._rules.listings.get(tracked.order.iid)
            note.symbol = listing.symbol if listing is not None else ""
        return note.symbol

    @property
    def symbols(self) -> list[str]:
        return [listing.symbol for listing in self._rules.listings.values()]

    # -- executions --------------------------------------------------------------------------------------------------

    def booked(self, trade: TradeBody, symbol: str, side: int, worth_e8: int = 0) -> Booked:
        """An execution as it is booked; `worth_e8` is what a commission in another asset was worth."""
        px_e8, qty_e8 = e8(trade.price, "price"), e8(trade.qty, "qty")
        booking = self.commission(trade, symbol, side)
        number, ts_ns = trade_id(symbol, trade.id), ts_ns_of(trade.time)
        paid = None
        if booking.asset and worth_e8:
            reason = f"the fee was paid in {booking.asset}"
            paid = CashMoved(ts_ns, f"{number}-fee", worth_e8, self._rules.iid_of(symbol) or 0, reason)
        execution = Execution(ts_ns, number, px_e8, booking.qty_e8, booking.fee_e8 + worth_e8)
        return Booked(execution, booking.qty_e8 - qty_e8, paid)

    def commission(self, trade: TradeBody, symbol: str, side: int) -> Commission:
        """What an execution's commission does."""
        listing = self._rules.listings[self._rules.iid_of(symbol) or 0]
        px_e8, qty_e8 = e8(trade.price, "price"), e8(trade.qty, "qty")
        amount_e8 = e8(trade.commission or "0", "commission")
        return commission_of(
            side, px_e8, qty_e8, amount_e8, trade.commission_asset, listing.base, listing.quote
        )

    def worth_known_e8(self, booking: Commission, ts_ns: int) -> int | None:
        """What a commission in another asset was worth, when that is known already."""
        px_e8 = self._rates.known_e8(booking.asset, ts_ns)
        return None if px_e8 is None else notional_e8(px_e8, booking.amount_e8)

    async def booked_at_last(self, trade: TradeBody, symbol: str, side: int) -> Booked:
        """The same when what a commission was worth may have to be asked for."""
        booking = self.commission(trade, symbol, side)
        if not booking.asset:
            return self.booked(trade, symbol, side)
        worth = await self._rates.worth_e8(booking.asset, booking.amount_e8, ts_ns_of(trade.time))
        return self.booked(trade, symbol, side, worth)

    # -- one order ---------------------------------------------------------------------------------------------------

    async def chain(self, tracked: Tracked, lane: int) -> list[OrderBody]:
        """The order at the venue and those that replaced it, oldest first; empty when it has none of them."""
        symbol = self.symbol_of(tracked)
        for one in [symbol] if symbol else self.symbols:
            first = await self._client.order(one, tracked.client_id, lane=lane)
            if first is not None:
                self._noted(tracked, one, first)
                return await self._forward(tracked, one, first, lane)
        return []

    def _noted(self, tracked: Tracked, symbol: str, body: OrderBody) -> None:
        note = self.note(tracked)
        note.symbol, note.side, note.type = symbol, side_of(body.side), body.type
        if tracked.order is None:
            note.tif, note.linked = body.time_in_force, whole(body.order_list_id, "orderListId") >= 0
            note.limit_px_e8, note.stop_px_e8 = e8(body.price, "price"), e8(body.stop_price, "stopPrice")

    async def _forward(self, tracked: Tracked, symbol: str, first: OrderBody, lane: int) -> list[OrderBody]:
        chain, note = [first], self.note(tracked)
        while chain[-1].status == "CANCELED" or len(chain) < max(note.version, note.replacing):
            following = amended_id(tracked.client_id, len(chain) + 1)
            body = await self._client.order(symbol, following, lane=lane)
            if body is None:
                break
            chain.append(body)
        return chain

    async def look(self, tracked: Tracked) -> Evidence | None:
        lane = DATA if tracked.answered else CANCEL
        chain = await self.chain(tracked, lane)
        if not chain and not tracked.answered:
            chain = await self._search(tracked, lane)
        return await self.evidence(tracked, chain, lane) if chain else None

    async def evidence(self, tracked: Tracked, chain: list[OrderBody], lane: int) -> Evidence:
        """What a chain proves, its executions with it."""
        note = self.note(tracked)
        newest = chain[-1]
        if note.replacing > len(chain) and newest.status == "CANCELED":
            # taken out for another order, which may be in its place: that it is not shown yet proves nothing
            chain = [*chain[:-1], msgspec.structs.replace(newest, status="NEW")]
        if not note.replacing:
            note.version = max(note.version, own_id(newest.own)[1])
        fills: list[Execution] = []
        for body in chain:
            if body.filled_e8:
                trades = await self._client.trades_of(note.symbol, body.venue_id, lane=lane)
                booked = [await self.booked_at_last(trade, note.symbol, note.side) for trade in trades]
                fills += self.note_booked(tracked, booked)
        return evidence_of(chain, tracked.client_id, fills, moved_e8=note.moved_e8)

    def note_booked(self, tracked: Tracked, booked: Sequence[Booked]) -> list[Execution]:
        """Remember what commissions did; the executions."""
        note = self.note(tracked)
        for one in booked:
            if one.moved_e8:
                note.moved[one.execution.exec_id] = one.moved_e8
            if one.paid is not None:
                self.pays_otherwise = True
                note.paid[one.execution.exec_id] = one.paid
        return [one.execution for one in booked]

    async def _search(self, tracked: Tracked, lane: int) -> list[OrderBody]:
        """Look for an order that cannot be had by its id: among open orders, history and trades of each symbol it could
        be in. Finding nothing there is one look of several that proof needs."""
        since_ns = tracked.since_ns - 60_000_000_000
        symbol = self.symbol_of(tracked)
        for one in [symbol] if symbol else self.symbols:
            bodies = {body.venue_id: body for body in await self._client.open_orders(one, lane=lane)}
            bodies |= {body.venue_id: body for body in await self._client.orders(one, since_ns, lane=lane)}
            for trade in await self._client.trades_since(one, since_ns, lane=lane):
                order_id = str(trade.order_id)
                if order_id not in bodies and order_id not in self._tracker.by_venue:
                    stranger = await self._client.order_by_id(one, order_id, lane=lane)
                    if stranger is not None:
                        bodies[order_id] = stranger
            mine = {
                own_id(body.own)[1]: body
                for body in bodies.values()
                if own_id(body.own)[0] == tracked.client_id
            }
            if mine:
                chain = [mine[version] for version in sorted(mine)]
                self._noted(tracked, one, chain[0])
                return chain
        return []

    async def find(self, client_id: str) -> Evidence | None:
        """An order of ours that this connection does not know yet."""
        stand_in = Tracked(client_id, 0, 0, None, 0.0, 0)
        chain = await self.chain(stand_in, DATA)
        if not chain:
            return None
        evidence = await self.evidence(stand_in, chain, DATA)
        self._found[client_id] = self.note(stand_in)
        return evidence

    # -- all of them -------------------------------------------------------------------------------------------------

    async def list_open(self, *, active_only: bool = False) -> list[Evidence]:
        """Every open order of ours; of the symbols in which this connection has some, when that is enough."""
        found = []
        for body in await self.open_bodies(active_only=active_only):
            client_id, _ = own_id(body.own)
            if client_id:
                if (
                    body.status not in STATES
                ):  # it may be open: a look at it alone tells, and the others are listed
                    body = msgspec.structs.replace(body, status="NEW")
                tracked = self._tracker.by_client.get(client_id)
                moved_e8 = self.note(tracked).moved_e8 if tracked is not None else 0
                found.append(evidence_of([body], client_id, moved_e8=moved_e8))
        return found

    async def open_bodies(self, *, active_only: bool = False) -> list[OrderBody]:
        """Open orders in our symbols, ours or not."""
        symbols = self.symbols
        if active_only:
            symbols = sorted({self.symbol_of(tracked) for tracked in self._tracker.active.values()} - {""})
        if len(symbols) > _MOST_OF_SYMBOLS:
            return await self._client.open_orders()
        pages = await asyncio.gather(*(self._client.open_orders(symbol) for symbol in symbols))
        return [body for page in pages for body in page]
