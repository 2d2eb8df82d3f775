"""Orders changed at Binance: made smaller where they stand, or cancelled and replaced by another.

Lives here: which way an amendment goes, and what becomes of it. Not here: requests (trading.py), events (events.py).

- Only the quantity goes down: the order stays where it is in the queue.
- Anything else, while nothing has filled: a new order in its place; the venue refuses when something has filled in
  between, so never more is bought than was wanted.
- Anything else after a part has filled, and of orders in a pair or a bracket: refused. The rest would be a new order
  beside fills that may still come.
"""

from time import time_ns
from typing import Final

import msgspec

from workbench.brokers.binance.events import Events
from workbench.brokers.binance.finder import Finder
from workbench.brokers.binance.parse import replace_params
from workbench.brokers.binance.rules import Rules
from workbench.brokers.binance.trading import Trading
from workbench.brokers.binance.words import KINDS, SIDES, TIFS, VENUE, amended_id, number_text
from workbench.brokers.pool import CANCEL
from workbench.brokers.pool.tracker import Tracked, Tracker
from workbench.errors import Refused, Retryable, VenueGarbled, VenueRefused
from workbench.model.effects import Amend, Submit
from workbench.model.orders import STOP, TRAILING

__all__ = ["Changes"]

_LOOKS: Final = 3  # that do not find the new order, before the old one is said to hold
_KINDS: Final = {word: kind for kind, word in KINDS.items() if kind != TRAILING}
_SIDES: Final = {word: side for side, word in SIDES.items()}
_TIFS: Final = {word: tif for tif, word in TIFS.items()}


class Changes:
    """The amendments of one account's orders."""

    def __init__(
        self, finder: Finder, tracker: Tracker, rules: Rules, trading: Trading, events: Events
    ) -> None:
        self._finder, self._tracker, self._rules = finder, tracker, rules
        self._trading, self._events = trading, events

    async def change(self, tracked: Tracked, wanted: Amend) -> None:
        """Ask for an amendment, and tell the tracker when it holds.

        Raises:
            VenueRefused: it cannot be, or the venue says no. OutcomeUnknown: nobody knows which version holds.
        """
        note = self._finder.note(tracked)
        symbol = self._finder.symbol_of(tracked)
        if wanted.qty_e8 <= tracked.filled_e8:
            raise VenueRefused(VENUE, "as much has filled already", "cancel the rest", code="TOO_LATE")
        same_prices = (wanted.limit_px_e8, wanted.stop_px_e8) == (note.limit_px_e8, note.stop_px_e8)
        if same_prices and wanted.qty_e8 < tracked.qty_e8 and self._may_shrink(symbol):
            await self._shrink(tracked, wanted, symbol)
            return
        if note.linked:
            text = "an order of a pair or a bracket can only be made smaller"
            raise VenueRefused(VENUE, text, "cancel them and send others", code="LINKED")
        if tracked.filled_e8:
            text = "a part of it has filled: the rest can only be made smaller"
            raise VenueRefused(VENUE, text, "cancel it and send another", code="PARTLY_FILLED")
        await self._replace(tracked, wanted, symbol)

    def _may_shrink(self, symbol: str) -> bool:
        iid = self._rules.iid_of(symbol)
        return iid is not None and self._rules.listings[iid].amend

    async def _shrink(self, tracked: Tracked, wanted: Amend, symbol: str) -> None:
        note = self._finder.note(tracked)
        gross_e8 = wanted.qty_e8 - note.moved_e8
        own = tracked.client_id if note.version == 1 else amended_id(tracked.client_id, note.version)
        params = [
            ("symbol", symbol),
            ("orderId", tracked.venue_id),
            ("newQty", number_text(gross_e8)),
            ("newClientOrderId", own),
        ]
        await self._trading.amend(params)
        self._events.amended(
            tracked, tracked.venue_id, time_ns(), gross_e8, wanted.limit_px_e8, wanted.stop_px_e8
        )

    async def _replace(self, tracked: Tracked, wanted: Amend, symbol: str) -> None:
        note = self._finder.note(tracked)
        order = tracked.order or self._rebuilt(tracked)
        changed = msgspec.structs.replace(
            order, qty_e8=wanted.qty_e8, limit_px_e8=wanted.limit_px_e8, stop_px_e8=wanted.stop_px_e8
        )
        complaint = self._rules.complaint(changed)
        if complaint is not None:
            raise VenueRefused(VENUE, complaint[1], "correct the amendment", code=complaint[0])
        note.replacing, note.absent = note.version + 1, 0
        client_id = amended_id(tracked.client_id, note.replacing)
        params = replace_params(order, wanted, symbol, tracked.venue_id, client_id)
        try:
            made = (await self._trading.replace(params)).new_order_response
        except (Refused, Retryable) as error:
            if not isinstance(error, VenueGarbled):
                self._over(tracked)
            raise  # else events wait until `changed_to` knows, as they do when there is no answer
        self._holds(tracked, wanted, made.venue_id, made.at_ns)

    def _holds(self, tracked: Tracked, wanted: Amend, venue_id: str, ts_ns: int) -> None:
        """The new order is in the place of the old one."""
        note = self._finder.note(tracked)
        note.version = note.replacing
        self._events.amended(tracked, venue_id, ts_ns, wanted.qty_e8, wanted.limit_px_e8, wanted.stop_px_e8)
        self._over(tracked)

    def _over(self, tracked: Tracked) -> None:
        """It is known which version holds."""
        note = self._finder.note(tracked)
        note.replacing = 0
        self._events.released(tracked)

    def _rebuilt(self, tracked: Tracked) -> Submit:
        """An order that an earlier connection sent, from what the venue shows of it.

        Raises:
            VenueRefused: it trails, which cannot be told from here.
        """
        note = self._finder.note(tracked)
        kind = _KINDS.get(note.type)
        if kind is None or (kind == STOP and not note.stop_px_e8):
            raise VenueRefused(VENUE, f"a {note.type} order cannot be changed", "cancel it", code="TYPE")
        iid = self._rules.iid_of(note.symbol) or 0
        tif = _TIFS.get(note.tif, 1)
        prices = note.limit_px_e8, note.stop_px_e8
        epoch = int(tracked.client_id.split("-")[1])
        return Submit(
            time_ns(), tracked.order_id, epoch, 0, iid, note.side, kind, tif, tracked.qty_e8, *prices
        )

    async def changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        """Whether an amendment whose answer was lost took hold (the tracker was told), did not, or is not known yet."""
        note = self._finder.note(tracked)
        chain = await self._finder.chain(tracked, CANCEL)
        if not chain:
            return None
        newest = chain[-1]
        if not note.replacing:
            shrunk = newest.qty_e8 + note.moved_e8 == wanted.qty_e8
            if shrunk:
                prices = wanted.limit_px_e8, wanted.stop_px_e8
                self._events.amended(tracked, newest.venue_id, newest.at_ns, newest.qty_e8, *prices)
            return shrunk or self._absent(tracked)
        if len(chain) >= note.replacing:
            self._holds(tracked, wanted, newest.venue_id, newest.at_ns)
            return True
        if self._absent(tracked) is None:
            return None
        self._over(tracked)
        return False

    def _absent(self, tracked: Tracked) -> bool | None:
        """A look that has not found the change proves nothing; several of them do."""
        note = self._finder.note(tracked)
        note.absent += 1
        return False if note.absent >= _LOOKS else None
