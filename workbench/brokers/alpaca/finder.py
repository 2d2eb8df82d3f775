"""Finding orders at Alpaca: by their ids, along replacements, inside brackets, and, when nothing else is left, among
everything that was ordered and filled since.

Lives here: the looking, and which order at the venue is which of ours. Not here: what follows from it (broker.py).
"""

from collections.abc import Callable
from datetime import UTC, datetime

from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.parse import BEHIND, OrderBody, evidence_of, leg_kind
from workbench.brokers.alpaca.words import ts_ns_of
from workbench.brokers.pool import CANCEL, DATA
from workbench.brokers.pool.tracker import Evidence, Tracked, Tracker, order_id_of
from workbench.model.effects import Amend
from workbench.model.orders import CANCELLED, EXPIRED, LIMIT, REJECTED
from workbench.model.reports import Accepted

__all__ = ["ENDS", "Finder", "Note", "note_of", "superseded"]

ENDS = {"canceled": CANCELLED, "expired": EXPIRED, "rejected": REJECTED}


class Note:
    """What Alpaca's order keeps beside: the bodies seen by id (an amendment makes a new one), the legs' head, the
    amendment under way, the client id it was asked for under, and how often it was not found."""

    __slots__ = ("asked", "chain", "head", "leg", "looks", "wanted")

    def __init__(self) -> None:
        self.chain: dict[str, OrderBody] = {}
        self.head = ""  # client id of the entry whose leg this is
        self.leg = LIMIT
        self.wanted: Amend | None = None
        self.asked = ""
        self.looks = 0


def note_of(tracked: Tracked) -> Note:
    if not isinstance(tracked.note, Note):
        tracked.note = Note()
    return tracked.note


def superseded(tracked: Tracked, body: OrderBody) -> bool:
    """Whether an order of the chain is what holds, or was replaced since: told again after a look, or late."""
    chain, known = note_of(tracked).chain, tracked.venue_id
    for _ in range(len(chain) + 1):  # what a venue says may go round in circles
        if known == body.id:
            return True
        newer = chain.get(known)
        if newer is None or newer.replaces is None:
            break
        known = newer.replaces
    return False


class Finder:
    """One account's orders at the venue. `leg_found` is told when an order turns out to be a leg of another."""

    def __init__(self, client: AlpacaClient, tracker: Tracker, leg_found: Callable[[Tracked], None]) -> None:
        self._client, self._tracker, self._leg_found = client, tracker, leg_found
        self.strangers = 0  # open orders there that are not ours, when they were last listed

    def placed_as(self, tracked: Tracked, body: OrderBody) -> None:
        """The answer to a submit. Whatever its status is called, the venue holds the order, or tells how it ended."""
        note = note_of(tracked)
        note.chain.setdefault(body.id, body)
        if body.status in ENDS and ENDS[body.status] == REJECTED:
            self._tracker.rejected(tracked, "REJECTED", body.reject_reason or "rejected at once")
        else:
            self._tracker.accept(tracked, body.id, ts_ns_of(body.submitted_at or body.created_at))

    def legs_of(self, body: OrderBody) -> None:
        """Find the orders that are the legs of one at the venue, which names them itself."""
        for leg in body.legs or ():
            tracked = self._tracker.by_venue.get(leg.id)
            if tracked is None:
                tracked = next(
                    (
                        t
                        for t in self._tracker.active.values()
                        if not t.venue_id
                        and note_of(t).head == body.client_order_id.partition(".")[0]
                        and note_of(t).leg == leg_kind(leg)
                    ),
                    None,
                )
            if tracked is not None:
                self.placed_as(tracked, leg)
                self._leg_found(tracked)

    async def chain(self, tracked: Tracked, lane: int) -> list[OrderBody]:
        """The order at the venue and the orders that replaced it, oldest first; empty when it has none of them."""
        note = note_of(tracked)
        if note.head:
            head = self._tracker.by_client.get(note.head)
            if not tracked.venue_id:
                body = await self._named(note.head, lane)
                if body is not None:
                    if head is not None:
                        self.placed_as(head, body)
                    self.legs_of(body)
            if not tracked.venue_id:
                return []
            first = await self._client.order(next(iter(note.chain), tracked.venue_id), lane=lane)
        elif (
            tracked.order is None and tracked.venue_id
        ):  # an earlier connection's: a leg has no client id there
            first = await self._client.order(_first_id(tracked), lane=lane)
            if first is not None:  # its newest order's execution may have been the first news of it
                first = await self._first(first)
        elif note.chain:
            first = await self._client.order(next(iter(note.chain)), lane=lane)
        else:
            order = tracked.order
            pair = order is None or bool(order.group and not order.parent_id)
            first = await self._named(tracked.client_id, lane, pair=pair)
        return await self._forward(first, lane)

    async def _named(self, client_id: str, lane: int, *, pair: bool = True) -> OrderBody | None:
        """An order by our id; the limit order of a pair may have a mark behind it."""
        body = await self._client.order_by_client_id(client_id, lane=lane)
        if body is None and pair:
            body = await self._client.order_by_client_id(client_id + BEHIND, lane=lane)
        return body

    async def _forward(self, first: OrderBody | None, lane: int) -> list[OrderBody]:
        chain: list[OrderBody] = []
        body = first
        while body is not None and body.id not in {known.id for known in chain}:
            chain.append(body)
            body = await self._client.order(body.replaced_by, lane=lane) if body.replaced_by else None
        return chain

    async def look(self, tracked: Tracked) -> Evidence | None:
        lane = DATA if tracked.answered else CANCEL
        chain = await self.chain(tracked, lane)
        if not chain and tracked.order is None and not tracked.answered:
            leg = await self._leg(tracked.client_id)
            chain = await self._forward(leg, lane)
        if not chain:
            return None if tracked.answered else await self._search(tracked.client_id, tracked.since_ns, lane)
        note = note_of(tracked)
        note.chain = {body.id: body for body in chain}
        for body in chain:
            self._tracker.known_also_as(tracked, body.id)
        return await self._evidence(chain, tracked.client_id, lane)

    async def _evidence(self, chain: list[OrderBody], client_id: str, lane: int) -> Evidence:
        fills = None
        filled_e8 = sum(body.filled_e8 for body in chain)
        if filled_e8:
            ids = {body.id for body in chain}
            fills = await self._client.fills_of(ids, filled_e8, _just_before(chain[0]), lane=lane)
        return evidence_of(chain, client_id, fills)

    async def _search(self, client_id: str, since_ns: int, lane: int) -> Evidence | None:
        """Look for an order that cannot be had by its id: among open orders, history and fills."""
        after = _rfc3339(since_ns - 60_000_000_000)
        bodies = await self._client.orders("all", after=after, lane=lane)
        flat = {leg.id: leg for body in bodies for leg in (body, *(body.legs or ()))}
        for fill in await self._client.fills(after, lane=lane):
            if fill.order_id not in flat and fill.order_id not in self._tracker.by_venue:
                stranger = await self._client.order(fill.order_id, lane=lane)
                if stranger is not None:
                    flat[stranger.id] = stranger
        names = (client_id, client_id + BEHIND)
        found = next((body for body in flat.values() if body.client_order_id in names), None)
        if found is None:
            return None
        return await self._evidence(await self._forward(found, lane), client_id, lane)

    async def find(self, client_id: str) -> Evidence | None:
        first = await self._named(client_id, DATA)
        if first is not None:
            return await self._evidence(await self._forward(first, DATA), client_id, DATA)
        leg = await self._leg(client_id)
        return (
            await self._evidence(await self._forward(leg, DATA), client_id, DATA) if leg is not None else None
        )

    async def _leg(self, client_id: str) -> OrderBody | None:
        """The leg an order of ours is at the venue: the entry has the number before it or the one before that, and the
        exit with a profit comes first; the limit order of a pair has the number before it, or the one behind it and a
        mark that says so."""
        start, _, number = client_id.rpartition("-")
        if not number.isdigit():
            return None
        for back in (1, 2):
            head = await self._client.order_by_client_id(f"{start}-{int(number) - back}")
            legs = (head.legs or []) if head is not None else []
            if len(legs) >= back:
                ordered = sorted(legs, key=lambda body: leg_kind(body) != LIMIT)
                return await self._first(ordered[back - 1])
        head = await self._client.order_by_client_id(f"{start}-{int(number) + 1}{BEHIND}")
        return await self._first(head.legs[0]) if head is not None and head.legs else None

    async def _first(self, body: OrderBody) -> OrderBody:
        """The order that others have replaced: a bracket names its legs as they are now."""
        seen = {body.id}
        while body.replaces is not None and body.replaces not in seen:
            older = await self._client.order(body.replaces)
            if older is None:
                break
            seen.add(body.replaces)
            body = older
        return body

    async def list_open(self, lane: int = DATA) -> list[Evidence]:
        """Our open orders; others are counted."""
        found, strangers = list[Evidence](), 0
        for body in await self._client.orders(lane=lane):
            for one in (body, *(body.legs or ())):
                client_id = self.ours(one)
                strangers += client_id is None
                if client_id is not None and one.status not in ("replaced", "filled", *ENDS):
                    found.append(evidence_of([one], client_id))
        self.strangers = strangers
        return found

    def ours(self, body: OrderBody) -> str | None:
        tracked = self._tracker.by_venue.get(body.id)
        if tracked is not None:
            return tracked.client_id
        if not order_id_of(body.client_order_id):
            return None
        return body.client_order_id.partition(".")[0]


def _first_id(tracked: Tracked) -> str:
    """The venue's id that an order was accepted under; amendments gave it others."""
    accepted = (report for report in tracked.reports if isinstance(report, Accepted))
    return next((report.venue_id for report in accepted), tracked.venue_id)


def _rfc3339(ts_ns: int) -> str:
    return datetime.fromtimestamp(max(ts_ns, 0) // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _just_before(body: OrderBody) -> str:
    return _rfc3339(ts_ns_of(body.created_at or body.submitted_at) - 1_000_000_000)
