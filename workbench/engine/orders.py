"""The order table: every order of the journal's life, and what each broker report does to it.

The states and their arrows are drawn in `model/orders.py`. Reports may come late, twice or in the wrong order:

- a fill may overtake the acceptance; the acceptance then only brings the venue's id;
- an `exec_id` counts once for ever;
- a fill is booked whatever the state, because it is money: beyond the quantity or after the end it is flagged;
- a cancel that lost the race against a fill ends as FILLED;
- UNKNOWN ends by evidence of the broker only (any of its own reports, or a proof that the order never arrived);
- while an amendment is under way either version of the order may trade: until its answer the larger quantity decides
  whether it is filled.

What a report means for cash, positions and strategies is decided in `core`, not here.
"""

from collections.abc import Iterator
from typing import Final

from workbench.model.effects import Amend
from workbench.model.orders import (
    ALLOWED,
    CANCELLING,
    FILLED,
    NEW,
    NOT_SENT,
    PARTIAL,
    REJECTED,
    SENT,
    STATE_NAMES,
    TERMINAL,
    UNKNOWN,
    WORKING,
    Order,
)

__all__ = ["FLAG_LATE", "FLAG_NONE", "FLAG_OVER", "FLAG_TWICE", "OrderTable"]

FLAG_NONE: Final = 0
FLAG_TWICE: Final = 1  # this exec_id was counted before: nothing booked
FLAG_OVER: Final = 2  # more filled than was ordered: booked and flagged
FLAG_LATE: Final = 3  # filled after the order had ended: booked and flagged

_UNANSWERED: Final = frozenset({NEW, SENT})
_AMENDABLE: Final = frozenset({WORKING, PARTIAL})


class OrderTable:
    """Orders by id: `by_id` all of them, `active` those that may still fill (both in order of id), `by_key` the order
    each idempotency key opened, `amending` what was asked of orders whose amendment has no answer yet, `exits` the
    orders that wait for an entry, by its number. `oddities` counts by reason what a report said that did not fit."""

    __slots__ = ("active", "amending", "by_id", "by_key", "executions", "exits", "next_id", "oddities")

    def __init__(self) -> None:
        self.by_id: dict[int, Order] = {}
        self.active: dict[int, Order] = {}
        self.by_key: dict[str, int] = {}
        self.amending: dict[int, Amend] = {}
        self.exits: dict[int, list[int]] = {}
        self.executions: dict[str, None] = {}  # in order of arrival
        self.oddities: dict[str, int] = {}
        self.next_id = 1

    def __len__(self) -> int:
        return len(self.by_id)

    def __iter__(self) -> Iterator[Order]:
        return iter(self.by_id.values())

    def open(self, order: Order) -> None:
        """Add a new order; its id must be `next_id`."""
        order_id = order.order_id
        self.by_id[order_id] = order
        self.active[order_id] = order
        self.next_id = order_id + 1
        if order.parent_id:
            self.exits.setdefault(order.parent_id, []).append(order_id)

    def move(self, order: Order, state: int, ts_ns: int) -> bool:
        """Change an order's state when the table of arrows allows it; otherwise count an oddity and return False."""
        if state not in ALLOWED[order.state]:
            self.odd(f"{STATE_NAMES[order.state]} -> {STATE_NAMES[state]}")
            return False
        order.state = state
        order.updated_ns = ts_ns
        if state in TERMINAL:
            del self.active[order.order_id]
            if self.amending:
                self.amending.pop(order.order_id, None)
        return True

    def odd(self, reason: str) -> None:
        """Count something a report said that did not fit."""
        self.oddities[reason] = self.oddities.get(reason, 0) + 1

    # -- one method a report ------------------------------------------------------------------------------------

    def sent(self, order: Order, ts_ns: int) -> None:
        """Our own note: the bytes are out. A faster answer of the venue wins."""
        if order.state == NEW:
            self.move(order, SENT, ts_ns)

    def accepted(self, order: Order, ts_ns: int, venue_id: str) -> bool:
        """The venue holds it. False when that contradicts what was known (it had been proven unsent or rejected)."""
        order.venue_id = venue_id
        state = order.state
        if state in _UNANSWERED or state == UNKNOWN:
            return self.move(order, PARTIAL if order.filled_e8 else WORKING, ts_ns)
        if state in TERMINAL and state != FILLED and order.filled_e8 == 0:
            self.odd(f"accepted after {STATE_NAMES[state]}")
            return state != NOT_SENT
        return True

    def filled(self, order: Order, ts_ns: int, exec_id: str, qty_e8: int) -> int:
        """Count one execution; returns a flag. Cash is not touched here."""
        executions = self.executions
        if exec_id in executions:
            self.odd("execution reported again")
            return FLAG_TWICE
        executions[exec_id] = None
        cumulative = order.filled_e8 + qty_e8
        order.filled_e8 = cumulative
        order.updated_ns = ts_ns
        state, most, amend = order.state, order.qty_e8, None
        if self.amending:
            amend = self.amending.get(order.order_id)
            if amend is not None and amend.qty_e8 > most:
                most = amend.qty_e8
                if cumulative > order.qty_e8:
                    order.qty_e8 = most  # more than the old version had: the new one is in force
        over = cumulative > most
        if state in TERMINAL:
            self.odd("overfill" if over else "fill after the end")
            return FLAG_OVER if over else FLAG_LATE
        if cumulative >= most:
            order.state = FILLED  # allowed from every active state
            del self.active[order.order_id]
            if amend is not None:
                del self.amending[order.order_id]
        elif state != CANCELLING:  # a cancel stays asked for while parts fill
            order.state = PARTIAL
        if over:
            self.odd("overfill")
            return FLAG_OVER
        return FLAG_NONE

    def ended(self, order: Order, state: int, ts_ns: int, reason: str) -> bool:
        """The venue says cancelled, rejected or expired. False when the order had already ended."""
        if order.state in TERMINAL:
            # an exit that was closed with its entry hears the venue's own word for it afterwards
            if order.state != state and not (order.state == NOT_SENT and order.parent_id):
                self.odd(f"{STATE_NAMES[state]} after {STATE_NAMES[order.state]}")
            return False
        if self.move(order, state, ts_ns):
            order.reason = reason
            return True
        return False

    def cancel_asked(self, order: Order, ts_ns: int) -> None:
        """We asked for a cancel. UNKNOWN stays UNKNOWN: only the broker ends that."""
        if order.state != UNKNOWN and order.state != CANCELLING:
            self.move(order, CANCELLING, ts_ns)

    def cancel_refused(self, order: Order, ts_ns: int, text: str) -> None:
        """The venue would not cancel: back to what is known. Without an acceptance that is UNKNOWN."""
        if order.state == CANCELLING:
            if order.filled_e8:
                self.move(order, PARTIAL, ts_ns)
            else:
                self.move(order, WORKING if order.venue_id else UNKNOWN, ts_ns)
            order.reason = text

    def lost(self, order: Order, ts_ns: int, text: str) -> bool:
        """The answer to a submit is lost. Ignored when the venue has answered since."""
        if order.state in _UNANSWERED or (
            order.state == CANCELLING and not order.venue_id and not order.filled_e8
        ):
            self.move(order, UNKNOWN, ts_ns)
            order.reason = text
            return True
        return False

    def unsent(self, order: Order, ts_ns: int, evidence: str) -> bool:
        """Proof that it never reached the venue. Refused (False) when the venue itself had answered or filled."""
        if order.state == NOT_SENT:
            return False
        if order.state in TERMINAL or order.filled_e8 or order.venue_id:
            self.odd(f"unsent after {STATE_NAMES[order.state]}")
            return False
        if order.state not in (NEW, UNKNOWN):
            self.move(order, UNKNOWN, ts_ns)
        self.move(order, NOT_SENT, ts_ns)
        order.reason = evidence
        return True

    def can_amend(self, order: Order) -> str:
        """Why this order cannot be amended now; "" when it can."""
        if order.state not in _AMENDABLE:
            return (
                f"order {order.order_id} is {STATE_NAMES[order.state]}: only a working order can be amended"
            )
        if order.order_id in self.amending:
            return f"order {order.order_id} has an amendment under way: wait for the venue's answer"
        return ""

    def amend_asked(self, order: Order, amend: Amend) -> None:
        """We asked for a change; both versions may trade until the answer."""
        self.amending[order.order_id] = amend

    def amended(
        self, order: Order, ts_ns: int, qty_e8: int, limit_px_e8: int, stop_px_e8: int, venue_id: str
    ) -> bool:
        """The order is changed, whether we asked or the venue did it by itself. False when it had ended, or when that
        cannot be."""
        if order.state in TERMINAL or qty_e8 <= 0 or limit_px_e8 < 0 or stop_px_e8 < 0:
            ended = order.state in TERMINAL
            self.odd(f"amended after {STATE_NAMES[order.state]}" if ended else "amended to what cannot be")
            return False
        self.amending.pop(order.order_id, None)
        order.qty_e8, order.limit_px_e8, order.stop_px_e8 = qty_e8, limit_px_e8, stop_px_e8
        order.venue_id = venue_id or order.venue_id
        order.updated_ns = ts_ns
        if order.filled_e8 >= qty_e8:
            if order.filled_e8 > qty_e8:
                self.odd("overfill")
            self.move(order, FILLED, ts_ns)
        elif order.state in _UNANSWERED or order.state == UNKNOWN:
            self.move(order, PARTIAL if order.filled_e8 else WORKING, ts_ns)
        return True

    def amend_refused(self, order: Order, ts_ns: int, text: str) -> bool:
        """The old version holds. False when no amendment was under way."""
        if self.amending.pop(order.order_id, None) is None:
            if order.state not in TERMINAL:
                self.odd("amend refused that nobody asked for")
            return False
        order.reason = text
        order.updated_ns = ts_ns
        if order.filled_e8 >= order.qty_e8:  # it had filled while the larger version was still possible
            if order.filled_e8 > order.qty_e8:
                self.odd("overfill")
            self.move(order, FILLED, ts_ns)
        return True

    def close_exits(self, entry: Order, ts_ns: int) -> Iterator[tuple[Order, int]]:
        """The entry is proved never to have lived, so nothing can set off its exits: those without a word of the venue
        end with it. What the venue has answered for stays until it says more. They come one by one as they end, with
        what they had open."""
        if entry.state in (REJECTED, NOT_SENT) and not entry.filled_e8:
            for number in self.exits.get(entry.order_id, ()):
                order = self.active.get(number)
                if order is None or order.venue_id or order.filled_e8:
                    continue
                open_e8 = order.open_e8
                evidence = f"its entry, order {entry.order_id}, is {STATE_NAMES[entry.state]}"
                if self.unsent(order, ts_ns, evidence):
                    yield order, open_e8

    def new_epoch(self, ts_ns: int) -> list[Order]:
        """The engine restarted: every order without an answer may be live. Returns those that became UNKNOWN."""
        doubtful = [o for o in self.active.values() if o.state in _UNANSWERED]
        for order in doubtful:
            self.move(order, UNKNOWN, ts_ns)
            order.reason = "the engine restarted before an answer came"
        return doubtful
