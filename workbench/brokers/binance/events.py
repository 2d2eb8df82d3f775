"""The account's events as they bear on our orders: acceptances, executions, ends, changes, cash that moves.

Lives here: what an event means. Not here: the connection (sockets.py), answers to requests (broker.py).
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from workbench.brokers.binance.bodies import Event, TradeBody
from workbench.brokers.binance.finder import Booked, Finder
from workbench.brokers.binance.parse import event_order, side_of
from workbench.brokers.binance.rules import Rules
from workbench.brokers.binance.words import VENUE, e8, state_of, ts_ns_of
from workbench.brokers.pool.tracker import Evidence, Tracked, Tracker
from workbench.errors import VenueGarbled
from workbench.model.orders import TERMINAL
from workbench.model.reports import CashMoved

__all__ = ["Events"]

_ENDS: Final = frozenset({"CANCELED", "EXPIRED", "REJECTED", "TRADE_PREVENTION"})
_NOTHING: Final = frozenset({"outboundAccountPosition", "listStatus", "externalLockUpdate"})


class Events:
    """Takes events one by one. `run` starts a coroutine, `learn` looks an order up and reports what is new."""

    def __init__(
        self,
        finder: Finder,
        tracker: Tracker,
        rules: Rules,
        run: Callable[[Coroutine[Any, Any, None]], None],
        learn: Callable[[Tracked], Coroutine[Any, Any, None]],
        oddities: dict[str, int],
    ) -> None:
        self._finder, self._tracker, self._rules = finder, tracker, rules
        self._run, self._learn, self._oddities = run, learn, oddities

    def told(self, event: Event) -> None:
        """One event of the account.

        Raises:
            VenueGarbled: an event about one of our orders cannot be read.
        """
        if event.e == "executionReport":
            client_id, version = event_order(event)
            tracked = self._tracker.by_client.get(client_id) if client_id else None
            if tracked is not None:
                self._about(tracked, version, event)
        elif event.e == "balanceUpdate":
            self._moved(event)
        elif event.e not in _NOTHING:
            self._oddities[event.e] = self._oddities.get(event.e, 0) + 1

    def _moved(self, event: Event) -> None:
        """A deposit, a withdrawal, a transfer: of the asset that is cash here."""
        asset, delta = event.a, event.d
        if asset == self._rules.quote and delta is not None:
            sign = -1 if str(delta).startswith("-") else 1
            amount_e8 = sign * e8(str(delta).lstrip("-"), "d")
            ts_ns = ts_ns_of(event.T)
            move_id = f"transfer-{asset}-{event.T}-{delta}"
            self._tracker.tell(CashMoved(ts_ns, move_id, amount_e8, -1, "moved into or out of the account"))

    # -- one order ---------------------------------------------------------------------------------------------------

    def _about(self, tracked: Tracked, version: int, event: Event) -> None:
        note = self._finder.note(tracked)
        if note.replacing:  # which version holds is not known yet: the answer tells, or a look
            note.held.append((version, event))
            return
        self.take(tracked, version, event)

    def released(self, tracked: Tracked) -> None:
        """It is known which version of an order holds: take what came meanwhile."""
        note = self._finder.note(tracked)
        held, note.held = note.held, []
        for version, event in held:
            self.take(tracked, version, event)

    def take(self, tracked: Tracked, version: int, event: Event) -> None:
        """What an event about a version of an order means."""
        note, kind, ts_ns = self._finder.note(tracked), event.execution, ts_ns_of(event.T)
        if not note.side:
            note.side = side_of(event.S)
        note.symbol = note.symbol or event.s
        if kind == "TRADE":
            self._filled(tracked, event)
        elif version < note.version:
            return  # an order that another one has replaced
        elif kind == "NEW":
            self._tracker.accept(tracked, str(event.i), ts_ns)
        elif kind == "REPLACED":
            self.amended(tracked, str(event.i), ts_ns, e8(event.q, "q"), e8(event.p, "p"), e8(event.P, "P"))
        elif kind in _ENDS:
            self._ended(tracked, event, ts_ns)
        else:
            self._oddities[kind] = self._oddities.get(kind, 0) + 1
            text = f"execution type '{kind}' is unknown"
            raise VenueGarbled(VENUE, text, "the order is looked up", field="x")

    def amended(
        self, tracked: Tracked, venue_id: str, ts_ns: int, gross_e8: int, limit_e8: int, stop_e8: int
    ) -> None:
        """The venue has changed an order; told twice it counts once."""
        note = self._finder.note(tracked)
        qty_e8 = gross_e8 + note.moved_e8
        known = tracked.qty_e8, note.limit_px_e8, note.stop_px_e8, tracked.venue_id
        if tracked.active and known != (qty_e8, limit_e8, stop_e8, venue_id):
            note.limit_px_e8, note.stop_px_e8 = limit_e8, stop_e8
            self._tracker.amended(tracked, venue_id, ts_ns, qty_e8, limit_e8, stop_e8)

    def _ended(self, tracked: Tracked, event: Event, ts_ns: int) -> None:
        state = state_of(event.status)
        if state not in TERMINAL:
            return  # a part of it was prevented from trading with ourselves; the rest works on
        note = self._finder.note(tracked)
        filled_e8 = e8(event.z, "z") + note.moved_e8
        self._tracker.ended(
            tracked,
            Evidence(
                tracked.client_id,
                str(event.i),
                state,
                e8(event.q, "q"),
                filled_e8,
                ts_ns,
                None,
                event.rejected,
                "taken out at the venue" if event.execution == "CANCELED" else event.status.lower(),
            ),
        )

    # -- executions --------------------------------------------------------------------------------------------------

    def _filled(self, tracked: Tracked, event: Event) -> None:
        note, finder = self._finder.note(tracked), self._finder
        trade = TradeBody(event.t, event.i, event.L, event.l, event.n or "0", event.N or "", event.T)
        booking = finder.commission(trade, note.symbol, note.side)
        if not booking.asset:
            self._book(tracked, finder.booked(trade, note.symbol, note.side), event)
            return
        worth_e8 = finder.worth_known_e8(booking, ts_ns_of(trade.time))
        if worth_e8 is not None:
            self._book(tracked, finder.booked(trade, note.symbol, note.side, worth_e8), event)
        else:
            self._run(self._book_later(tracked, trade, event))

    async def _book_later(self, tracked: Tracked, trade: TradeBody, event: Event) -> None:
        note = self._finder.note(tracked)
        self._book(tracked, await self._finder.booked_at_last(trade, note.symbol, note.side), event)

    def _book(self, tracked: Tracked, booked: Booked, event: Event) -> None:
        """Less (or more) has moved than was traded: the order is told to be for as much less, then to have filled."""
        note, execution = self._finder.note(tracked), booked.execution
        if execution.exec_id in tracked.exec_ids:
            return
        self._finder.note_booked(tracked, [booked])
        if booked.moved_e8 and tracked.active:
            self._tracker.accept(tracked, str(event.i), execution.ts_ns)
            qty_e8 = tracked.qty_e8 + booked.moved_e8
            prices = note.limit_px_e8, note.stop_px_e8
            self._tracker.amended(tracked, tracked.venue_id, execution.ts_ns, qty_e8, *prices)
        self._tracker.fill(tracked, execution, tracked.venue_id or str(event.i))
