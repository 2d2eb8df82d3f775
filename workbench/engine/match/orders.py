"""What happens to orders without the market: they arrive, are amended, end, and pull others along.

Lives here: arrival, cancels, amendments, groups, parents and children, expiry. Not here: prices and quantities of
executions (ticks.py, bars.py), the books (books.py), what is wrong with an order (complaints.py).
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from msgspec import structs

from workbench.engine.fees.schedule import FeeSchedule
from workbench.engine.match.books import Books
from workbench.engine.match.complaints import Complaint, amended, complaint_of
from workbench.engine.match.resting import Resting
from workbench.engine.match.sessions import SessionTable
from workbench.engine.match.tape import Tape
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import CLS, FOK, GTC, IOC, OPG
from workbench.model.reports import (
    Accepted,
    Amended,
    AmendRefused,
    Cancelled,
    CancelRefused,
    Expired,
    Filled,
    Rejected,
    Report,
)

__all__ = ["ON_REQUEST", "Delays", "Desk", "Told"]

type Delays = Callable[[int], tuple[int, int]]
ON_REQUEST: Final = "cancelled on request"


class Told(Protocol):
    """What a venue that is being rebuilt asks: nothing happens there but what was reported."""

    def next_fill(self, order_id: int) -> Filled | None:
        """The order's next execution, if this event brought one."""
        ...

    def ends(self, order_id: int) -> bool:
        """Whether this event ended the order."""
        ...


_DAY_NS: Final = 86_400_000_000_000


class Desk(Books):
    """The orders of one account at the venue, by id, by instrument, by group and by parent."""

    def __init__(
        self,
        cash_e8: int,
        latency: Delays,
        fees: FeeSchedule,
        instruments: Iterable[Instrument],
        sessions: SessionTable,
        *,
        cancels_group: bool,
    ) -> None:
        super().__init__(cash_e8, fees)
        self.orders: dict[int, Resting] = {}
        self._latency = latency
        listed = list(instruments)
        self._ticks = {i.iid: i.tick_e8 for i in listed}
        self._lots = {i.iid: i.lot_e8 for i in listed}
        self._sessions = sessions
        self.session_of = sessions.number
        self._cancels_group = cancels_group
        self.tapes: dict[int, Tape] = {}
        self._groups: dict[int, list[Resting]] = {}
        self._children: dict[int, list[Resting]] = {}
        self.woken: list[Resting] = []  # children whose parent has just had its first fill
        self.told: Told | None = (
            None  # set while a venue is rebuilt: executions are told, nothing ends by itself
        )

    # -- what others read ----------------------------------------------------------------------------------------

    @property
    def open_orders(self) -> list[int]:
        """Ids of the orders that may still fill, in order of arrival."""
        return [order_id for order_id, resting in self.orders.items() if resting.state == "open"]

    def resting(self, iid: int) -> list[Resting]:
        """The orders of one instrument that may still fill, in order of arrival (an amendment that costs the place
        in the queue is a new arrival)."""
        tape = self.tapes.get(iid)
        return list(tape.orders.values()) if tape is not None else []

    def tape(self, iid: int) -> Tape:
        """What the venue has seen of an instrument."""
        tape = self.tapes.get(iid)
        if tape is None:
            tape = self.tapes[iid] = Tape(iid)
        return tape

    def is_tied(self, order: Submit) -> bool:
        """Whether an order is part of a bracket or a group."""
        return bool(order.parent_id or order.group or order.order_id in self._children)

    def lot_e8(self, iid: int) -> int:
        """The quantity step of an instrument; 1 when nobody told."""
        return self._lots.get(iid, 1)

    # -- arrival ---------------------------------------------------------------------------------------------------

    def submit(self, order: Submit) -> list[Report]:
        """Take an order: an acceptance, or a rejection. It can fill from the next data on (where the venue fills at
        the close, a market order fills at once)."""
        complaint = self.complaint(order)
        if complaint is not None:
            code, text = complaint
            return [Rejected(order.ts_ns + self._latency(order.order_id)[0], order.order_id, code, text)]
        reports: list[Report] = []
        resting = self.take(order, reports)
        reports.insert(0, Accepted(order.ts_ns + resting.ack_ns, order.order_id, resting.venue_id))
        if resting.state == "open":
            self.arrived(resting, reports)
        return reports

    def complaint(self, order: Submit) -> Complaint | None:
        """Why this order is not taken; None when it is."""
        if order.order_id in self.orders:
            return "DUPLICATE_ID", f"client id {order.client_id} was used before"
        wrong = complaint_of(order)
        if wrong is not None:
            return wrong
        if order.tif == CLS and not self._sessions.knows_closes:
            return "NO_SESSIONS", "this venue knows no closing times: it cannot tell a session's last print"
        if order.parent_id:
            parent = self.orders.get(order.parent_id)
            if parent is None:
                return "NO_PARENT", f"order {order.parent_id} is not known: send the parent first"
            if parent.state != "open" and not parent.filled_e8:
                return "NO_PARENT", f"order {order.parent_id} is {parent.state} and has not filled"
        return None

    def take(self, order: Submit, reports: list[Report]) -> Resting:
        """Put an order into the book; what its group and its parent leave of it is reported."""
        ack_ns, fill_ns = self._latency(order.order_id)
        parent = self.orders.get(order.parent_id) if order.parent_id else None
        resting = Resting(order, ack_ns, fill_ns, self._ticks.get(order.iid, 1), parent)
        self.orders[order.order_id] = resting
        self.tape(order.iid).orders[order.order_id] = resting
        if order.group:
            self._groups.setdefault(order.group, []).append(resting)
        if parent is not None:
            self._children.setdefault(order.parent_id, []).append(resting)
        if resting.woken:
            self.queued(resting)
        if order.group or parent is not None:
            self._trim(resting, order.ts_ns, reports)
        return resting

    def arrived(self, resting: Resting, reports: list[Report]) -> None:
        """What an order does at the moment of its arrival."""

    # -- cancel and amend ------------------------------------------------------------------------------------------

    def cancel(self, cancel: Cancel) -> list[Report]:
        """Take an order out of the book, or say why not. Orders that waited for it go with it; others of its group
        stay."""
        order_id = cancel.order_id
        resting = self.orders.get(order_id)
        ts_ns = cancel.ts_ns + self._latency(order_id)[0]
        if resting is None:
            return [CancelRefused(ts_ns, order_id, "UNKNOWN_ORDER", "no such order")]
        if resting.state != "open":
            return [CancelRefused(ts_ns, order_id, "TOO_LATE", f"the order is {resting.state}")]
        reports: list[Report] = [Cancelled(ts_ns, order_id, ON_REQUEST)]
        self.end(resting, "cancelled", cancel.ts_ns, reports)
        return reports

    def amend(self, amend: Amend) -> list[Report]:
        """Change an order, or say why not. It keeps its place in the queue only where nothing but the quantity
        changes, and that down."""
        order_id = amend.order_id
        resting = self.orders.get(order_id)
        ts_ns = amend.ts_ns + self._latency(order_id)[0]
        if resting is None:
            return [AmendRefused(ts_ns, order_id, "UNKNOWN_ORDER", "no such order")]
        if resting.state != "open":
            return [AmendRefused(ts_ns, order_id, "TOO_LATE", f"the order is {resting.state}")]
        wanted = amended(resting, amend)
        if isinstance(wanted, Submit):
            complaint = self.amend_complaint(resting, wanted)
            if complaint is None:
                self.change(resting, wanted, amend.ts_ns)
                return [self.amended(resting, ts_ns)]
            wanted = complaint
        code, text = wanted
        return [AmendRefused(ts_ns, order_id, code, text)]

    def amend_complaint(self, resting: Resting, wanted: Submit) -> Complaint | None:
        """Why this amendment is not taken, beyond its words; None when it is."""
        return None

    def change(self, resting: Resting, wanted: Submit, ts_ns: int) -> None:
        """Let an order be another from `ts_ns` on, as asked for."""
        was = resting.order
        keeps = (
            wanted.qty_e8 <= was.qty_e8
            and wanted.limit_px_e8 == was.limit_px_e8
            and wanted.stop_px_e8 == was.stop_px_e8
        )
        resting.full_e8 = wanted.qty_e8 + self._filled_by_others(resting)
        resting.holds(wanted)
        if not keeps:
            here = self.tape(was.iid).orders
            here[was.order_id] = here.pop(was.order_id)
            resting.rested = False
            resting.ahead_e8 = -1
            if resting.woken:
                resting.after_ns = resting.since_ns = max(ts_ns, resting.after_ns)
            self.queued(resting)

    def queued(self, resting: Resting) -> None:
        """An order came to rest at its price, or at another one."""

    @staticmethod
    def amended(resting: Resting, ts_ns: int) -> Amended:
        """The report of what holds for an order now."""
        order = resting.order
        return Amended(
            ts_ns, order.order_id, order.qty_e8, order.limit_px_e8, order.stop_px_e8, resting.venue_id
        )

    # -- ends ------------------------------------------------------------------------------------------------------

    def end(self, resting: Resting, state: str, ts_ns: int, reports: list[Report]) -> None:
        """Take an order out of the book for good; those that waited for it are cut to what it has filled."""
        order = resting.order
        resting.state = state
        del self.tapes[order.iid].orders[order.order_id]
        for child in self._children.get(order.order_id, ()) if self._children else ():
            if child.state == "open":
                self._trim(child, ts_ns, reports)

    def _trim(self, resting: Resting, ts_ns: int, reports: list[Report]) -> None:
        """Cut an order to what its group and its parent leave it; end it when that is nothing."""
        order, parent = resting.order, resting.parent
        left_e8 = resting.full_e8 - self._filled_by_others(resting)
        why = "another order of its group filled"
        if parent is not None and parent.state != "open":
            covers_e8 = resting.filled_e8 + parent.filled_e8 - parent.covered_e8
            if covers_e8 < left_e8:
                left_e8 = covers_e8
                why = f"the order it waited for is {parent.state}"
        if left_e8 >= order.qty_e8:
            return
        at_ns = max(ts_ns, order.ts_ns + resting.ack_ns)
        if left_e8 <= resting.filled_e8:
            reports.append(Cancelled(at_ns, order.order_id, why))
            self.end(resting, "cancelled", ts_ns, reports)
        else:
            resting.holds(structs.replace(order, qty_e8=left_e8))
            reports.append(self.amended(resting, at_ns))

    def _filled_by_others(self, resting: Resting) -> int:
        group = resting.order.group
        return sum(r.filled_e8 for r in self._groups[group]) - resting.filled_e8 if group else 0

    def filled(self, resting: Resting, fill: Filled, ts_ns: int, reports: list[Report]) -> None:
        """Book an execution and let it take effect on the orders tied to this one. `ts_ns` is the data's time."""
        order = resting.order
        self.book_fill(resting, fill)
        reports.append(fill)
        if resting.state == "open" and resting.filled_e8 >= order.qty_e8:
            self.end(resting, "filled", ts_ns, reports)
        if order.group:
            for other in self._groups[order.group]:
                if other is resting or other.state != "open":
                    continue
                if self._cancels_group:
                    at_ns = max(ts_ns, other.order.ts_ns + other.ack_ns)
                    reports.append(
                        Cancelled(at_ns, other.order.order_id, "another order of its group filled")
                    )
                    self.end(other, "cancelled", ts_ns, reports)
                else:
                    self._trim(other, ts_ns, reports)
        if self._children:
            for child in self._children.get(order.order_id, ()):
                if not child.woken and child.state == "open":
                    child.woken = True
                    # it sees later data than its parent's; of the coming bar it misses what its parent missed
                    child.after_ns, child.since_ns = ts_ns, ts_ns - 1
                    self.woken.append(child)
                    self.queued(child)

    def expired(self, resting: Resting, ts_ns: int, reports: list[Report]) -> bool:
        """Whether the order's time is over with this data; then it is out of the book."""
        order = resting.order
        session = self.session_of(ts_ns)
        # an order for the opening ends there, whenever that is
        if resting.session < 0 or order.tif in (GTC, OPG):
            resting.session = session
        if resting.session == session or (self.told is not None and not self.told.ends(order.order_id)):
            return False
        self._expire(resting, ts_ns, reports)
        return True

    def _expire(self, resting: Resting, ts_ns: int, reports: list[Report]) -> None:
        order = resting.order
        reports.append(Expired(max(ts_ns, order.ts_ns + resting.ack_ns), order.order_id))
        self.end(resting, "expired", ts_ns, reports)

    def now_or_never(self, resting: Resting, ts_ns: int, reports: list[Report]) -> None:
        """An order whose moment this was ends when it has not filled."""
        order = resting.order
        if resting.state != "open" or (self.told is not None and not self.told.ends(order.order_id)):
            return
        at_ns = max(ts_ns, order.ts_ns + resting.fill_ns)
        if order.tif in (IOC, FOK):
            reports.append(Cancelled(at_ns, order.order_id, "not filled at once"))
            self.end(resting, "cancelled", ts_ns, reports)
        elif order.tif in (OPG, CLS):
            self._expire(resting, ts_ns, reports)
