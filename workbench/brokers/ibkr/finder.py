"""Finding orders at the venue: by their number, and, because nothing can be asked by client id, among everything that
was ordered today and filled in the last days.

Lives here: the looking, and which order or execution is which of ours. Not here: what follows from it (broker.py).

An order's number is the gateway's and may be used again after a restart of its back end; a client id is ours and names
one order. Where both are told the client id counts. A number that names two orders of ours is not used any more.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic, time_ns
from typing import Any, Final

from msgspec.structs import replace

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.executions import Executions
from workbench.brokers.ibkr.legs import leg_of, named_legs
from workbench.brokers.ibkr.parse import OrderRow, StatusBody, TradeRow, evidence_of, execution_of
from workbench.brokers.ibkr.words import SIDES, STATES, VENUE, optional_e8
from workbench.brokers.pool import CANCEL, DATA
from workbench.brokers.pool.tracker import Evidence, Execution, Tracked, Tracker, order_id_of
from workbench.errors import Unreachable, VenueRefused
from workbench.model.orders import CANCELLED, FILLED, PARTIAL, REJECTED, TERMINAL, WORKING

__all__ = ["Finder", "Note", "note_of"]

logger = logging.getLogger(__name__)

_DAYS: Final = 7
_MOST_LISTED: Final = 1_000  # rows of the list of orders: a full one may lack some
_PACE_S: Final = 5.5
_OPEN: Final = "Submitted"


class Note:
    """What IBKR's order keeps beside: its ticket, since when it is inactive or listed nowhere, how often a change was
    looked for."""

    __slots__ = ("absent", "absent_s", "again_s", "inactive_s", "looks", "ticket")

    def __init__(self) -> None:
        self.ticket: dict[str, Any] | None = None
        self.inactive_s = self.absent_s = self.again_s = 0.0
        self.absent = self.looks = 0


def note_of(tracked: Tracked) -> Note:
    if not isinstance(tracked.note, Note):
        tracked.note = Note()
    return tracked.note


class Finder:
    """One account's orders at the venue. `again(tracked, seconds)` asks for another look later; an order that is
    inactive is believed to be over when it still is `inactive_s` later, one that the venue held and that is listed
    nowhere any more after `absent_times` looks over `absent_after_s`."""

    def __init__(
        self,
        client: IbkrClient,
        tracker: Tracker,
        again: Callable[[Tracked, float], None],
        *,
        inactive_s: float = 1.0,
        absent_after_s: float = 30.0,
        absent_times: int = 3,
    ) -> None:
        self._client, self._tracker, self._again = client, tracker, again
        self._inactive_s = inactive_s
        self._absent_after_s, self._absent_times = absent_after_s, absent_times
        self.executions = Executions()
        self.strangers: set[str] | None = None  # open orders that are not ours; None: nobody has looked yet
        self.collided: set[str] = set()
        self._scanning = asyncio.Lock()
        self._scanned_s = float("-inf")
        self._listed: list[Evidence] = []
        self._listed_s = float("-inf")
        self._listing = asyncio.Lock()
        self._rows: list[OrderRow] = []
        self._trades: list[TradeRow] = []

    # -- which is which ----------------------------------------------------------------------------------------------

    def owner(self, order_ref: str | None, number: str) -> Tracked | None:
        """Our order, by client id where one is told, else by number."""
        if order_ref:
            return self._tracker.by_client.get(order_ref)
        return None if number in self.collided else self._tracker.by_venue.get(number)

    def numbered(self, tracked: Tracked, number: str) -> None:
        """The venue calls an order by this number. Two of ours with one number: neither is called by it any more."""
        other = self._tracker.by_venue.get(number)
        if other is not None and other is not tracked and number not in self.collided:
            self.collided.add(number)
            logger.error(
                "ibkr: number %s names %s and %s: neither can be cancelled or changed by it",
                number,
                other.client_id,
                tracked.client_id,
            )

    def number_of(self, tracked: Tracked) -> str:
        """The number an order can be called by.

        Raises:
            VenueRefused: there is none, or it names two orders.
        """
        number = tracked.venue_id
        if not number or number in self.collided:
            text = f"order number '{number}' names more than one order" if number else "it has no number"
            raise VenueRefused(VENUE, text, "cancel it at the venue's own page", code="COLLISION")
        return number

    # -- looking -----------------------------------------------------------------------------------------------------

    async def look(self, tracked: Tracked) -> Evidence | None:
        """An order as the venue shows it; None when today's orders and the trades of a week all lack it."""
        lane = DATA if tracked.answered else CANCEL
        number = tracked.venue_id
        if number and number not in self.collided:
            try:
                body = await self._client.status(number, lane=lane)
            except (Unreachable, VenueRefused) as error:  # an order of another day is not told by its number
                logger.info("%s: not by its number (%s)", tracked.client_id, error)
            else:
                if _is_his(tracked, body):
                    return await self._from_status(tracked, body, lane)
        return await self.scan(tracked.client_id, tracked.qty_e8, lane, tracked)

    async def _from_status(self, tracked: Tracked, body: StatusBody, lane: int) -> Evidence:
        fills = None
        filled = body.cum_fill if body.cum_fill is not None else body.filled_quantity
        if optional_e8(filled, "cum_fill") > tracked.filled_e8:
            fills = self._fills(tracked.client_id, tracked.venue_id, await self._client.trades(lane=lane))
        found = evidence_of(
            tracked.client_id,
            tracked.venue_id,
            body.order_status,
            body.total_size if body.total_size not in (None, "") else body.size,
            filled,
            time_ns(),
            fills,
            body.order_cancellation_by_system_reason or "",
        )
        return self.believed(tracked, found)

    async def scan(
        self, client_id: str, qty_e8: int, lane: int = DATA, tracked: Tracked | None = None
    ) -> Evidence | None:
        """An order by its client id, among all that there is."""
        rows, trades = await self._everything(lane)
        row = next((row for row in rows if row.order_ref == client_id), None) or leg_of(client_id, rows)
        fills = self._fills(client_id, row.number if row is not None else "", trades)
        if row is None:
            if tracked is not None and tracked.active and (fills or tracked.answered):
                return self._listed_nowhere(tracked, fills, trades, len(rows))
            # executions alone do not say how much was wanted: without that nobody can tell filled from cancelled
            return _of_another_day(client_id, qty_e8, fills, trades) if fills and qty_e8 else None
        if tracked is not None:
            self.numbered(tracked, row.number)
        found = self._from_row(client_id, row, fills)
        return found if tracked is None else self.believed(tracked, found)

    def _listed_nowhere(
        self, tracked: Tracked, fills: list[Execution], trades: Iterable[TradeRow], listed: int
    ) -> Evidence:
        """An order that the venue has held and that is not among today's: it has ended on another day. A list that
        lacks it once, or that is full, proves nothing."""
        ended = _of_another_day(tracked.client_id, tracked.qty_e8, fills, trades, tracked.venue_id)
        if ended.state == FILLED:
            return ended
        note, now_s = note_of(tracked), monotonic()
        note.absent_s = note.absent_s or now_s
        note.absent += listed < _MOST_LISTED
        if note.absent >= self._absent_times and now_s - note.absent_s >= self._absent_after_s:
            return ended
        if now_s >= note.again_s:  # one look at a time: sweeps look as well
            wait_s = max(self._inactive_s, self._absent_after_s / self._absent_times)
            note.again_s = now_s + wait_s
            self._again(tracked, wait_s)
        return replace(ended, state=PARTIAL if ended.filled_e8 else WORKING)

    async def _everything(self, lane: int) -> tuple[list[OrderRow], list[TradeRow]]:
        """Today's orders and a week's trades, fetched after this call began; who waits meanwhile shares them."""
        since_s = monotonic()
        async with self._scanning:
            if self._scanned_s <= since_s:
                begun_s = monotonic()
                self._rows = await self._client.orders(fresh=True, lane=lane)
                self._trades = await self._client.trades(_DAYS, lane=lane)
                self._scanned_s = begun_s
            return self._rows, self._trades

    async def list_open(self) -> list[Evidence]:
        """Our open orders, without their executions.

        The list may be asked for every five seconds. Before the next time it is the last one, and what has been told
        of our orders since; who asks while somebody waits for it shares it.
        """
        if monotonic() - self._listed_s < _PACE_S and not self._client.may_list_orders:
            return self._as_told_since()
        shares = self._listing.locked()
        async with self._listing:
            if shares and monotonic() - self._listed_s < _PACE_S:
                return self._as_told_since()
            return await self._list()

    async def _list(self) -> list[Evidence]:
        found, strangers = [], set()
        now_s = monotonic()
        rows = await self._client.orders()
        legs = named_legs(rows)
        for row in rows:
            if not row.status or STATES.get(row.status) in TERMINAL:
                continue
            owner = self.owner(row.order_ref, row.number)
            client_id = owner.client_id if owner is not None else row.order_ref or legs.get(row.number, "")
            if order_id_of(client_id):
                # by a word nobody knows it may be open: the others are listed all the same
                known = row if row.status in STATES else replace(row, status=_OPEN)
                found.append(self._from_row(client_id, known, None))
            else:
                strangers.add(row.number)
        self.strangers = strangers
        self._listed, self._listed_s = found, now_s
        return found

    def _as_told_since(self) -> list[Evidence]:
        tracker = self._tracker
        kept = []
        for evidence in self._listed:
            tracked = tracker.by_client.get(evidence.client_id)
            if tracked is None or tracked.active:
                kept.append(evidence)
        listed = {evidence.client_id for evidence in kept}
        for tracked in tracker.active.values():
            if tracked.answered and tracked.client_id not in listed and tracked.since_s >= self._listed_s:
                told = Evidence(
                    tracked.client_id,
                    tracked.venue_id,
                    tracked.state,
                    tracked.qty_e8,
                    tracked.filled_e8,
                    tracked.since_ns,
                )
                kept.append(told)
        return kept

    async def row_of(self, tracked: Tracked) -> OrderRow | None:
        """The order among the live ones."""
        rows = await self._client.orders()
        named = next((row for row in rows if row.order_ref == tracked.client_id), None)
        return named or leg_of(tracked.client_id, rows)

    # -- what is seen --------------------------------------------------------------------------------------------------

    def from_row(self, tracked: Tracked, row: OrderRow) -> Evidence:
        """What a row says of one of our orders."""
        self.numbered(tracked, row.number)
        return self.believed(tracked, self._from_row(tracked.client_id, row, None))

    def _from_row(self, client_id: str, row: OrderRow, fills: Iterable[Execution] | None) -> Evidence:
        ts_ns = (row.lastExecutionTime_r or 0) * 1_000_000 or time_ns()
        return evidence_of(
            client_id,
            row.number,
            row.status or "",
            row.totalSize,
            row.filledQuantity,
            ts_ns,
            fills,
            row.order_cancellation_by_system_reason or "",
        )

    def believed(self, tracked: Tracked, found: Evidence) -> Evidence:
        """Inactive may pass: it is an end only when it stays."""
        if not tracked.active:
            return found
        note = note_of(tracked)
        note.absent, note.absent_s = 0, 0.0
        if found.state != REJECTED:
            note.inactive_s = 0.0
            return found
        now_s = monotonic()
        note.inactive_s = note.inactive_s or now_s
        if now_s - note.inactive_s >= self._inactive_s:
            return found
        self._again(tracked, self._inactive_s)
        return replace(found, state=WORKING)

    def _fills(self, client_id: str, number: str, trades: Iterable[TradeRow]) -> list[Execution]:
        """The executions of one order, oldest first."""
        mine = [
            row
            for row in trades
            if row.order_ref == client_id
            or (not row.order_ref and number and row.number == number and number not in self.collided)
        ]
        booked = self._tracker.by_client.get(client_id)
        known = booked.exec_ids if booked is not None else frozenset[str]()
        found: dict[str, Execution] = {}
        for row in sorted(mine, key=lambda row: row.execution_id or ""):
            execution = execution_of(row)
            first = self.executions.first(execution.exec_id)
            if first not in known and row.commission in (None, ""):
                self.executions.owe(first)
            found.setdefault(first, replace(execution, exec_id=first))
        return sorted(found.values(), key=lambda one: one.ts_ns)


def _is_his(tracked: Tracked, body: StatusBody) -> bool:
    """Whether what a number names can be the order: a number may have been given again."""
    order, said = tracked.order, note_of(tracked).ticket
    if said is not None and body.conid is not None and body.conid != said["conid"]:
        return False
    return order is None or not body.side or body.side[:1] == SIDES[order.side][:1]


def _of_another_day(
    client_id: str, qty_e8: int, fills: list[Execution], trades: Iterable[TradeRow], number: str = ""
) -> Evidence:
    """An order that is not among today's: it has ended since, as far as its executions go."""
    total_e8 = sum(one.qty_e8 for one in fills)
    number = next((row.number for row in trades if row.order_ref == client_id), number)
    state = FILLED if fills and total_e8 >= qty_e8 else CANCELLED
    reason = "" if state == FILLED else "not among today's orders any more"
    return Evidence(
        client_id,
        number,
        state,
        qty_e8 or total_e8,
        total_e8,
        fills[-1].ts_ns if fills else time_ns(),
        tuple(fills),
        "",
        reason,
    )
