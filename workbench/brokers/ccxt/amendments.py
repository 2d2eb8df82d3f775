"""Changing orders: two ways, and which of them an exchange goes says config.py.

    in_place    the order stays; its quantity is the whole, what has filled included
    new_order   another order takes its place, under our id with a number behind it. It counts from nothing: only
                what has not filled at all is changed so, and it holds once the old order was taken out

Lives here: that, and finding out which version holds when an answer was lost. Not here: who may ask (broker.py).
"""

from time import time_ns
from typing import Any

from workbench.brokers.ccxt.client import CcxtClient
from workbench.brokers.ccxt.finder import Finder
from workbench.brokers.ccxt.parse import client_id_of, e8, number, state_of
from workbench.brokers.pool import CANCEL
from workbench.brokers.pool.tracker import Tracked, Tracker
from workbench.errors import OutcomeUnknown, VenueGarbled, VenueRefused, WorkbenchError
from workbench.model.effects import Amend
from workbench.model.orders import FILLED, TERMINAL

__all__ = ["Amendments"]


class Amendments:
    """The amendments of one account."""

    def __init__(self, client: CcxtClient, tracker: Tracker, finder: Finder) -> None:
        self._client, self._tracker, self._finder = client, tracker, finder
        self._anew = client.plan.amend == "new_order"

    async def change(self, tracked: Tracked, wanted: Amend, arguments: tuple[Any, ...]) -> None:
        """Ask for an amendment and tell the tracker when it holds; `arguments` are those the order was sent with.

        Raises:
            OutcomeUnknown: which version holds is not known. VenueRefused and others: the old one does.
        """
        note, name = self._finder.note(tracked), self._client.name
        if wanted.qty_e8 <= tracked.filled_e8 or note.moved_e8 or (self._anew and tracked.filled_e8):
            text = "a part has filled: another order in its place could buy more than was wanted"
            raise VenueRefused(name, text, "cancel the rest", code="TOO_LATE", field="qty")
        symbol, kind, side, _, _, sent = arguments
        params: dict[str, Any] = {}
        if self._anew:
            params["clientOrderId"] = client_id_of(
                tracked.client_id, self._client.plan.client_ids, len(note.ids) + 1
            )
        if "triggerPrice" in sent:
            params |= {key: sent[key] for key in ("triggerPrice", "triggerDirection") if key in sent}
            params["triggerPrice"] = number(wanted.stop_px_e8)
        limit = number(wanted.limit_px_e8) if wanted.limit_px_e8 else None
        note.looks = 0
        asked = (symbol, kind, side, number(wanted.qty_e8), limit, params)
        try:
            row = await self._client.edit(tracked.venue_id, asked)
            number_there = str(row["id"]) if row.get("id") else ""
        except VenueGarbled as error:
            raise OutcomeUnknown(f"{error}: which version holds is asked about") from None
        if not self._anew:
            self._tell(tracked, tracked.venue_id, wanted)
        elif not number_there or not await self._succeeded_now(tracked, number_there, wanted):
            raise OutcomeUnknown(f"{name}: which of two orders holds is asked about")

    async def changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        """Whether an amendment holds whose answer was lost (the tracker was told), does not, or is not known yet."""
        note = self._finder.note(tracked)
        if not self._anew:
            row = await self._client.order(tracked.venue_id, note.symbol, CANCEL)
            shows = [e8(row.get(name), name) for name in ("amount", "price", "triggerPrice")]
            asked = [wanted.qty_e8, wanted.limit_px_e8, wanted.stop_px_e8]
            if all(there == mine for there, mine in zip(shows, asked, strict=True) if mine):
                self._tell(tracked, tracked.venue_id, wanted)
                return True
        else:
            later = await self._finder.successors(tracked)
            if later:
                try:
                    return await self._succeeded(tracked, later[-1], wanted) or None
                except VenueRefused as error:
                    if error.code == "TOO_LATE":
                        return False
                    raise
        note.looks += 1
        return False if note.looks > 1 else None  # once proves nothing: lists lag behind

    async def _succeeded_now(self, tracked: Tracked, new_id: str, wanted: Amend) -> bool:
        """`_succeeded` right after the answer: a question that fails then says nothing about the amendment."""
        try:
            return await self._succeeded(tracked, new_id, wanted)
        except VenueRefused as error:
            if error.code == "TOO_LATE":
                raise
            return False
        except WorkbenchError:
            return False

    async def _succeeded(self, tracked: Tracked, new_id: str, wanted: Amend) -> bool:
        """Whether another order has taken an order's place: so when the old one was taken out.

        Raises:
            VenueRefused: it was not, because the old one filled first.
        """
        note = self._finder.note(tracked)
        self._tracker.known_also_as(tracked, new_id)
        old = await self._client.order(tracked.venue_id, note.symbol, CANCEL)
        state = state_of(old)
        if state == FILLED:
            raise VenueRefused(self._client.name, "it was filled first", "nothing to do", code="TOO_LATE")
        if state not in TERMINAL:
            return False
        note.ids.append(new_id)
        self._tell(tracked, new_id, wanted, e8(old.get("filled"), "filled"))
        return True

    def _tell(self, tracked: Tracked, venue_id: str, wanted: Amend, before_e8: int = 0) -> None:
        """It holds; what the old order filled meanwhile comes on top: so much is bought now."""
        terms = wanted.qty_e8 + before_e8, wanted.limit_px_e8, wanted.stop_px_e8
        self._tracker.amended(tracked, venue_id, time_ns(), *terms)
