"""The built-in exchange as a broker: matching at once, reports after the latency model's delay on the wall clock.

Lives here: when a report is delivered. Not here: what it says (engine/match), how long it takes (engine/latency),
coming back after a restart (rebuild.py).

The matching itself runs in the order of the calls, so its outcome never depends on the clock; only the delivery
waits. `settled()` returns when nothing is on its way, which is what makes a replay at any speed equal.
"""

import asyncio
from collections.abc import Sequence
from heapq import heappop, heappush
from pathlib import Path
from time import monotonic

from workbench.brokers.contract import CAPABILITIES, BrokerAccount, BrokerOrder, Sink
from workbench.brokers.sim.alarm import Alarm
from workbench.brokers.sim.venue import latency_of, make_match
from workbench.config import SimSettings
from workbench.engine.match import SessionTable
from workbench.errors import Unreachable
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.market import MarketEvent
from workbench.model.orders import CANCELLED, EXPIRED, FILLED, PARTIAL, REJECTED, WORKING
from workbench.model.reports import (
    AmendRefused,
    CancelRefused,
    OutcomeLost,
    Rejected,
    Report,
    Unsent,
)
from workbench.model.scale import from_e8

__all__ = ["SimBroker"]

_STATES = {"filled": FILLED, "cancelled": CANCELLED, "expired": EXPIRED}
_ANSWERS = (CancelRefused, AmendRefused)  # to a request: no part of an order's history


class SimBroker:
    """One account at the built-in exchange; market data reaches it by `on_market`.

    With `instruments` it knows its symbols: others, and prices or quantities off the grid, are rejected.
    """

    name = "sim"
    capabilities = frozenset(CAPABILITIES)

    def __init__(
        self,
        settings: SimSettings | None = None,
        *,
        cash_e8: int = 0,
        instruments: Sequence[Instrument] = (),
        sessions: SessionTable | None = None,
    ) -> None:
        sim = settings if settings is not None else SimSettings.model_validate({})
        self._latency = latency_of(sim)
        self.match = make_match(
            sim, cash_e8=cash_e8, instruments=instruments, sessions=sessions, latency=self._latency
        )
        self._instruments = {instrument.iid: instrument for instrument in instruments}
        self._sink: Sink | None = None
        self._closed = False
        self._alarm: Alarm | None = None
        self._flying: list[tuple[float, int, Report]] = []  # by due time, then as they happened
        self._arriving: list[tuple[float, Submit]] = []
        self._sent = 0
        self._due_s: dict[int, float] = {}  # of an order's last report: the next never overtakes it
        self._submitted_s: dict[int, float] = {}
        self._known: dict[int, tuple[Submit, list[Report]]] = {}
        self._landing: list[asyncio.Future[None]] = []

    @property
    def pending(self) -> int:
        """Orders and reports on their way. Orders that rest in the book do not count."""
        return len(self._flying) + len(self._arriving)

    async def connect(self, sink: Sink) -> None:
        """Reports go to `sink` from now on, on this loop."""
        if self._alarm is not None:
            self._alarm.close()
        self._sink, self._closed = sink, False
        self._alarm = Alarm(asyncio.get_running_loop(), self._deliver)

    def submit(self, order: Submit) -> None:
        """Hand the order over; it arrives before anything else happens here, and its acceptance follows after the
        acceptance delay.

        Raises:
            Unreachable: not connected yet.
        """
        if self._sink is None or self._closed:
            self._refuse(
                Unsent(order.ts_ns, order.order_id, "the connection was closed before the hand-over")
            )
            return
        if not self._arriving:
            asyncio.get_running_loop().call_soon(self._arrive)
        self._arriving.append((monotonic(), order))

    def cancel(self, order: Cancel) -> None:
        """Take the order out of the book now; the answer follows after its delay. Raises as `submit` does."""
        if self._sink is None or self._closed:
            self._refuse(CancelRefused(order.ts_ns, order.order_id, "CLOSED", "the connection was closed"))
            return
        self._arrive()
        self._answer(order.ts_ns, self.match.cancel(order))

    def amend(self, order: Amend) -> None:
        """Change the order now; the answer follows after its delay. Raises as `submit` does."""
        if self._sink is None or self._closed:
            self._refuse(AmendRefused(order.ts_ns, order.order_id, "CLOSED", "the connection was closed"))
            return
        self._arrive()
        resting = self.match.orders.get(order.order_id)
        instrument = self._instruments.get(resting.order.iid) if resting is not None else None
        complaint = _off_grid(instrument, order) if instrument is not None else None
        if complaint is None:
            reports = self.match.amend(order)
        else:
            ts_ns = order.ts_ns + self._latency(order.order_id)[0]
            reports = [AmendRefused(ts_ns, order.order_id, *complaint)]
        self._answer(order.ts_ns, reports)

    def _answer(self, asked_ns: int, reports: list[Report]) -> None:
        now_s = monotonic()
        for report in reports:
            self._note(report)
            self._send(now_s + (report.ts_ns - asked_ns) / 1e9, report)

    def on_market(self, event: MarketEvent) -> None:
        """What the market does to the orders in the book; a fill follows no sooner than the order's fill delay."""
        self._arrive()
        reports = self.match.on_market(event)
        if reports:
            now_s = monotonic()
            for report in reports:
                self._note(report)
                order_id = report.order_id
                resting = self.match.orders.get(order_id)  # cash that moved is no order's
                delay_s = resting.fill_ns / 1e9 if resting is not None else 0.0
                self._send(max(now_s, self._submitted_s.get(order_id, 0.0) + delay_s), report)

    async def settled(self) -> None:
        """Return when no report is on its way."""
        while self.pending:
            landed = asyncio.get_running_loop().create_future()
            self._landing.append(landed)
            await landed

    async def account(self) -> BrokerAccount:
        """The exchange's own books, which may be ahead of the reports delivered."""
        self._arrive()
        held = {iid: qty for iid, qty in self.match.positions.items() if qty}
        return BrokerAccount(self.match.cash_e8, held, tuple(self.match.open_orders))

    async def order(self, client_id: str) -> BrokerOrder | None:
        """What the exchange knows of an order, whether reported yet or not."""
        self._arrive()
        tail = client_id.rpartition("-")[2]
        known = self._known.get(int(tail)) if tail.isascii() and tail.isdigit() else None
        if known is None or known[0].client_id != client_id:
            return None
        order, reports = known
        resting = self.match.orders.get(order.order_id)
        if resting is None:
            return BrokerOrder(client_id, order.order_id, "", REJECTED, order.qty_e8, 0, tuple(reports))
        filled_e8, qty_e8 = resting.filled_e8, resting.order.qty_e8
        state = _STATES.get(resting.state, PARTIAL if filled_e8 else WORKING)
        return BrokerOrder(
            client_id, order.order_id, resting.venue_id, state, qty_e8, filled_e8, tuple(reports)
        )

    async def close(self) -> None:
        """Deliver at once what is on its way, then stop; harmless when repeated."""
        self._arrive()
        self._closed = True
        if self._alarm is not None:
            self._hand_out(float("inf"))

    def rebuild(self, journal: Path) -> int:
        """Be again the exchange that the journal's reports told of; returns the number of orders known.

        Raises:
            JournalError: the journal cannot be read.
        """
        from workbench.brokers.sim.rebuild import rebuilt
        from workbench.journal import read

        self._known = rebuilt(self.match, (record for _, record in read(journal)))
        return len(self._known)

    # -- delivery --------------------------------------------------------------------------------------------------

    def _send(self, due_s: float, report: Report) -> None:
        order_id = report.order_id
        due_s = max(due_s, self._due_s.get(order_id, 0.0))
        self._due_s[order_id] = due_s
        self._sent += 1
        heappush(self._flying, (due_s, self._sent, report))
        if self._flying[0][1] == self._sent and self._alarm is not None:
            self._alarm.set(due_s)

    def _deliver(self) -> None:
        self._hand_out(monotonic())

    def _hand_out(self, until_s: float) -> None:
        flying, sink = self._flying, self._sink
        try:
            while flying and flying[0][0] <= until_s and sink is not None:
                _, _, report = heappop(flying)
                self._forget(report)
                sink(report)
        finally:
            if flying and self._alarm is not None:
                self._alarm.set(flying[0][0])
            elif not flying:
                for landed in self._landing:
                    if not landed.done():
                        landed.set_result(None)
                self._landing.clear()
                if self._closed and self._alarm is not None:
                    self._alarm.close()
                    self._alarm = None

    def _forget(self, report: Report) -> None:
        """Delivery times are kept only while more may come."""
        resting = self.match.orders.get(report.order_id)
        if (resting is None or resting.state != "open") and self._due_s.get(
            report.order_id, 0.0
        ) <= monotonic():
            self._due_s.pop(report.order_id, None)
            self._submitted_s.pop(report.order_id, None)

    def _note(self, report: Report) -> None:
        known = self._known.get(report.order_id)
        if known is not None and type(report) not in _ANSWERS:
            known[1].append(report)

    # -- arrival -------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Match the orders handed over, in order; every other way into this class comes through here first."""
        if not self._arriving:
            return
        arriving, self._arriving = self._arriving, []
        for now_s, order in arriving:
            order_id = order.order_id
            if order_id in self._known:
                text = f"client id {order.client_id} was used before: ask for the order"
                self._send(now_s, OutcomeLost(order.ts_ns, order_id, text))
                continue
            complaint = self._complaint(order) if self._instruments else None
            if complaint is None:
                reports = self.match.submit(order)
            else:
                reports = [Rejected(order.ts_ns + self._latency(order_id)[0], order_id, *complaint)]
            self._known[order_id] = (order, [])
            self._submitted_s[order_id] = now_s
            for report in reports:
                self._note(report)
                self._send(now_s + (report.ts_ns - order.ts_ns) / 1e9, report)

    def _refuse(self, answer: Report) -> None:
        if self._sink is None:
            raise Unreachable("broker 'sim' is not connected: call connect() first; nothing was sent")
        asyncio.get_running_loop().call_soon(self._sink, answer)

    def _complaint(self, order: Submit) -> tuple[str, str] | None:
        instrument = self._instruments.get(order.iid)
        if instrument is None:
            return "UNKNOWN_SYMBOL", f"no instrument has the number {order.iid}"
        return _off_grid(instrument, order)


def _off_grid(instrument: Instrument, order: Submit | Amend) -> tuple[str, str] | None:
    if order.qty_e8 % instrument.lot_e8:
        return (
            "GRID",
            f"quantity {from_e8(order.qty_e8):g} is no multiple of {from_e8(instrument.lot_e8):g}",
        )
    for px_e8 in (order.limit_px_e8, order.stop_px_e8, getattr(order, "trail_e8", 0)):
        if px_e8 % instrument.tick_e8:
            return "GRID", f"price {from_e8(px_e8):g} is no multiple of {from_e8(instrument.tick_e8):g}"
    return None
