"""What a connection knows of its orders, and the reports that follow: in order, each once, nothing after the end.

    the venue's answer, stream, sweep, look-up -> accept / fill / end / learn -> reports -> sink

Whatever tells of an order comes here, as often and in whatever order it likes:

- anything that shows that the venue holds an order is its acceptance, which is reported first and once;
- an execution counts once, by its id;
- an end (cancelled, expired, rejected) waits for the executions that came before it: while the venue counts more than
  we have seen, `missing(order)` is asked to fetch them. An order filled in full needs no further report;
- a fill after the end is reported all the same: it is money.

Lives here: that bookkeeping, for all venues. Not here: what a venue calls things (its parse.py), asking (inquest.py).
"""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from workbench.brokers.contract import BrokerOrder, Sink
from workbench.brokers.pool.lanes import ENTRY, EXIT
from workbench.model.effects import Submit
from workbench.model.orders import (
    CANCELLED,
    EXPIRED,
    FILLED,
    NOT_SENT,
    PARTIAL,
    REJECTED,
    SENT,
    STATE_NAMES,
    TERMINAL,
    UNKNOWN,
    WORKING,
)
from workbench.model.reports import (
    Accepted,
    Amended,
    Cancelled,
    Expired,
    Filled,
    OutcomeLost,
    Rejected,
    Report,
    Unsent,
)

__all__ = ["Evidence", "Execution", "Tracked", "Tracker", "order_id_of"]

logger = logging.getLogger(__name__)

_KEPT: Final = 10_000  # ended orders remembered: what comes later is looked up at the venue
_SOUGHT_NS: Final = 86_400_000_000_000  # how far back an order of an earlier connection is looked for
_PREFIX: Final = "wb-"


class Execution(msgspec.Struct, frozen=True):
    """One execution as the venue tells it. `exec_id` must be the same whichever way it is told."""

    ts_ns: int
    exec_id: str
    px_e8: int
    qty_e8: int
    fee_e8: int = 0


class Evidence(msgspec.Struct, frozen=True):
    """One order as the venue shows it now. `state` is working, partial, filled, cancelled, rejected or expired;
    `fills` None means they were not fetched (`filled_e8` says how much there is). An order that was amended names in
    `original_id` the id it was accepted under, and in `terms` what holds now: quantity, limit, stop."""

    client_id: str
    venue_id: str
    state: int
    qty_e8: int
    filled_e8: int
    ts_ns: int
    fills: tuple[Execution, ...] | None = None
    code: str = ""
    reason: str = ""
    original_id: str = ""
    terms: tuple[int, int, int] | None = None


class Tracked:
    """One order as this connection knows it. `venue_id` is its newest id there, `reports` what was reported so far."""

    __slots__ = (
        "afterwards",
        "at_end",
        "busy",
        "client_id",
        "end",
        "exec_ids",
        "filled_e8",
        "note",
        "order",
        "order_id",
        "other_ids",
        "qty_e8",
        "reports",
        "since_ns",
        "since_s",
        "state",
        "venue_id",
        "wanted",
    )

    def __init__(
        self, client_id: str, order_id: int, qty_e8: int, order: Submit | None, since_s: float, since_ns: int
    ) -> None:
        self.client_id, self.order_id, self.qty_e8, self.order = client_id, order_id, qty_e8, order
        self.since_s, self.since_ns = since_s, since_ns  # known here since then: monotonic, and wall time
        self.state = SENT
        self.venue_id = ""
        self.other_ids: tuple[str, ...] = ()  # it is found by as well, whatever was reported
        self.filled_e8 = 0
        self.exec_ids: set[str] = set()
        self.reports: list[Report] = []
        self.end: Evidence | None = None  # waits for the executions before it
        self.busy = ""  # what is asked about it just now: one question at a time
        self.wanted: list[Callable[[], None]] = []  # what waits for its acceptance or its end
        self.at_end: list[Callable[[], None]] = []
        self.afterwards: Callable[[], None] | None = None  # what waits for the question under way
        self.note: object = None  # the venue's own

    @property
    def active(self) -> bool:
        """Whether it may still fill."""
        return self.state not in TERMINAL

    @property
    def answered(self) -> bool:
        """Whether the venue is known to hold it, or to have held it."""
        return self.state != SENT and self.state != UNKNOWN

    def __repr__(self) -> str:
        return f"<{self.client_id} {STATE_NAMES[self.state]} {self.filled_e8}/{self.qty_e8} {self.venue_id}>"


def order_id_of(client_id: str) -> int:
    """The order's number in one of our client ids; 0 when it is not ours.

    >>> order_id_of("wb-7-12"), order_id_of("wb-7-12.2"), order_id_of("somebody-else")
    (12, 12, 0)
    """
    if not client_id.startswith(_PREFIX):
        return 0
    parts = client_id[len(_PREFIX) :].partition(".")[0].split("-")
    return int(parts[1]) if len(parts) == 2 and all(p.isascii() and p.isdigit() for p in parts) else 0


class Tracker:
    """Orders by our number, by client id and by the venue's ids; `missing(order)` fetches executions an end waits for.

    `now_ns` stamps what has no time of the venue's.
    """

    def __init__(self, now_ns: Callable[[], int], clock: Callable[[], float]) -> None:
        self.sink: Sink | None = None
        self.missing: Callable[[Tracked], None] | None = None
        self.by_client: dict[str, Tracked] = {}
        self.by_order: dict[int, Tracked] = {}
        self.by_venue: dict[str, Tracked] = {}
        self.active: dict[int, Tracked] = {}
        self.late_fills = 0
        # by iid, as far as this connection has seen: for the order of requests only
        self.held: dict[int, int] = {}
        self._now_ns, self._clock = now_ns, clock
        self._ended: dict[int, None] = {}

    # -- orders come and go ----------------------------------------------------------------------------------------

    def open(self, order: Submit) -> Tracked | None:
        """Our own order, about to be sent; None when its client id was used before."""
        client_id = order.client_id
        if client_id in self.by_client:
            return None
        now = self._clock(), self._now_ns()
        return self._add(Tracked(client_id, order.order_id, order.qty_e8, order, *now))

    def adopt(self, evidence: Evidence) -> Tracked:
        """An order of ours that this connection has not sent (an earlier one did): known from now on, and nothing is
        reported. Its fills must have been fetched."""
        client_id = evidence.client_id
        now = self._clock(), evidence.ts_ns
        tracked = Tracked(client_id, order_id_of(client_id), evidence.qty_e8, None, *now)
        self._add(tracked)
        sink, self.sink = self.sink, None
        try:
            self.learn(tracked, evidence)
        finally:
            self.sink = sink
        return tracked

    def seek(self, client_id: str, qty_e8: int) -> Tracked:
        """An order an earlier connection sent, or did not: unknown until it is found, or proven absent."""
        known = self.by_client.get(client_id)
        if known is not None:
            return known
        now_ns = self._now_ns() - _SOUGHT_NS
        tracked = self._add(Tracked(client_id, order_id_of(client_id), qty_e8, None, self._clock(), now_ns))
        tracked.state = UNKNOWN
        return tracked

    def known_as(self, tracked: Tracked, venue_id: str) -> None:
        """The venue's id of an order; it may have several, one after another."""
        if venue_id and venue_id != tracked.venue_id:
            tracked.venue_id = venue_id
            self.by_venue[venue_id] = tracked

    def known_also_as(self, tracked: Tracked, venue_id: str) -> None:
        """Another id of an order at the venue, which nothing was reported of (yet)."""
        if self.by_venue.get(venue_id) is not tracked:
            self.by_venue[venue_id] = tracked
            tracked.other_ids += (venue_id,)

    def _add(self, tracked: Tracked) -> Tracked:
        self.by_client[tracked.client_id] = tracked
        self.by_order[tracked.order_id] = self.active[tracked.order_id] = tracked
        return tracked

    # -- what the venue tells --------------------------------------------------------------------------------------

    def accept(self, tracked: Tracked, venue_id: str, ts_ns: int) -> None:
        """The venue holds it."""
        if tracked.state == SENT or tracked.state == UNKNOWN:
            self.known_as(tracked, venue_id)
            tracked.state = WORKING
            self._emit(tracked, Accepted(ts_ns, tracked.order_id, venue_id))
            self._wake(tracked)
        elif not tracked.venue_id:  # a fill that did not name it was faster
            self.known_as(tracked, venue_id)

    def fill(self, tracked: Tracked, execution: Execution, venue_id: str = "") -> None:
        """One execution."""
        if execution.exec_id in tracked.exec_ids:
            return
        self.accept(tracked, venue_id or tracked.venue_id, execution.ts_ns)
        tracked.exec_ids.add(execution.exec_id)
        tracked.filled_e8 += execution.qty_e8
        order = tracked.order
        if order is not None:
            self.held[order.iid] = self.held.get(order.iid, 0) + order.side * execution.qty_e8
        if not tracked.active:
            self.late_fills += 1
        x = execution
        self._emit(tracked, Filled(x.ts_ns, tracked.order_id, x.exec_id, x.px_e8, x.qty_e8, x.fee_e8))
        if tracked.active:
            if tracked.filled_e8 >= tracked.qty_e8:
                self._over(tracked, FILLED)
            else:
                tracked.state = PARTIAL
                if tracked.end is not None:
                    self.ended(tracked, tracked.end)

    def ended(self, tracked: Tracked, evidence: Evidence) -> None:
        """The venue says that it is over."""
        if not tracked.active:
            return
        if evidence.filled_e8 > tracked.filled_e8:
            tracked.end = evidence
            if self.missing is not None:
                self.missing(tracked)
            return
        tracked.end = None
        ts_ns, order_id = evidence.ts_ns, tracked.order_id
        if evidence.state == REJECTED and not tracked.filled_e8:
            self._over(
                tracked, REJECTED, Rejected(ts_ns, order_id, evidence.code or "REJECTED", evidence.reason)
            )
            return
        self.accept(tracked, evidence.venue_id, ts_ns)
        if evidence.state == EXPIRED:
            self._over(tracked, EXPIRED, Expired(ts_ns, order_id))
        else:
            self._over(tracked, CANCELLED, Cancelled(ts_ns, order_id, evidence.reason))

    def learn(self, tracked: Tracked, evidence: Evidence) -> None:
        """Everything the venue shows of an order: what is new in it is reported, in its order."""
        first_id = evidence.original_id or evidence.venue_id
        if not tracked.qty_e8:  # found by its id alone
            tracked.qty_e8 = evidence.qty_e8
        if evidence.state != REJECTED:
            self.accept(tracked, first_id, evidence.ts_ns)
        terms = evidence.terms
        if terms is not None and tracked.active:
            if tracked.venue_id != evidence.venue_id or tracked.qty_e8 != terms[0]:
                self.amended(tracked, evidence.venue_id, evidence.ts_ns, *terms)
        for execution in evidence.fills or ():
            self.fill(tracked, execution, first_id)
        if evidence.state in TERMINAL and (evidence.state != FILLED or tracked.active):
            self.ended(tracked, evidence)
        elif evidence.filled_e8 > tracked.filled_e8 and self.missing is not None:
            self.missing(tracked)

    def rejected(self, tracked: Tracked, code: str, text: str) -> None:
        """Proof that it is not live: the venue refused it."""
        if not tracked.answered:
            self._over(tracked, REJECTED, Rejected(self._now_ns(), tracked.order_id, code, text))

    def unsent(self, tracked: Tracked, evidence: str) -> None:
        """Proof that it never reached the venue."""
        if not tracked.answered:
            self._over(tracked, NOT_SENT, Unsent(self._now_ns(), tracked.order_id, evidence))

    def lost(self, tracked: Tracked, text: str) -> bool:
        """Nobody here knows whether the venue has it; False when that is not so (its stream was faster)."""
        if tracked.state != SENT:
            return tracked.state == UNKNOWN
        tracked.state = UNKNOWN
        self._emit(tracked, OutcomeLost(self._now_ns(), tracked.order_id, text))
        return True

    def amended(
        self, tracked: Tracked, venue_id: str, ts_ns: int, qty_e8: int, limit_px_e8: int, stop_px_e8: int
    ) -> None:
        """The venue has changed it."""
        self.known_as(tracked, venue_id)
        tracked.qty_e8 = qty_e8
        self._emit(tracked, Amended(ts_ns, tracked.order_id, qty_e8, limit_px_e8, stop_px_e8, venue_id))
        if tracked.active and tracked.filled_e8 >= qty_e8:
            self._over(tracked, FILLED)

    def tell(self, report: Report) -> None:
        """A report that changes nothing here (a cancel or an amendment refused, cash moved)."""
        if self.sink is not None:
            self.sink(report)

    def lane_of(self, order: Submit) -> int:
        """Orders that make a position smaller go before those that open one."""
        held_e8 = self.held.get(order.iid, 0) * order.side
        return EXIT if held_e8 < 0 and order.qty_e8 <= -held_e8 else ENTRY

    def when_answered(self, tracked: Tracked, call: Callable[[], None]) -> None:
        """Call once the venue is known to hold the order, or it has ended; at once when that is so already."""
        if tracked.answered:
            call()
        else:
            tracked.wanted.append(call)

    def when_ended(self, tracked: Tracked, call: Callable[[], None]) -> None:
        """Call once the order has ended; at once when it has."""
        if tracked.active:
            tracked.at_end.append(call)
        else:
            call()

    def shown(self, tracked: Tracked) -> BrokerOrder:
        """The order as the contract shows it."""
        state = tracked.state
        return BrokerOrder(
            tracked.client_id,
            tracked.order_id,
            tracked.venue_id,
            state,
            tracked.qty_e8,
            tracked.filled_e8,
            tuple(tracked.reports),
        )

    # -- inside ----------------------------------------------------------------------------------------------------

    def _emit(self, tracked: Tracked, report: Report) -> None:
        tracked.reports.append(report)
        if self.sink is not None:
            self.sink(report)

    def _over(self, tracked: Tracked, state: int, report: Report | None = None) -> None:
        tracked.state, tracked.end, tracked.note = state, None, None
        self.active.pop(tracked.order_id, None)
        if report is not None:
            self._emit(tracked, report)
        self._wake(tracked)
        self._ended[tracked.order_id] = None
        if len(self._ended) > _KEPT:
            self._forget(next(iter(self._ended)))

    def _wake(self, tracked: Tracked) -> None:
        wanted, tracked.wanted = tracked.wanted, []
        if not tracked.active:
            wanted += tracked.at_end
            tracked.at_end = []
        for call in wanted:
            call()

    def _forget(self, order_id: int) -> None:
        del self._ended[order_id]
        gone = self.by_order.pop(order_id, None)
        if gone is not None:
            self.by_client.pop(gone.client_id, None)
            for venue_id in [
                gone.venue_id,
                *gone.other_ids,
                *(r.venue_id for r in gone.reports if isinstance(r, Accepted | Amended)),
            ]:
                self.by_venue.pop(venue_id, None)
