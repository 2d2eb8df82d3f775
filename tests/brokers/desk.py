"""What the small desks of the venues' tests have in common: orders in, reports by order, faults. Test apparatus only.

Lives here: that. Not here: a venue's emulator and adapter, its routes and its habits (the desk.py of its folder).
"""

from typing import Any

from tests.brokers.pool.wires import until
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.orders import BUY, DAY, LIMIT, MARKET
from workbench.model.reports import CashMoved, Filled, Report
from workbench.model.scale import from_e8, notional_e8, to_e8
from workbench.testbed import Emulator, Fault
from workbench.testbed.market import Board

__all__ = ["VenueDesk"]


class VenueDesk[B: VenueBroker]:
    """One connected adapter. Orders are numbered; `kinds(order)` are its reports' names so far. `symbol` names the
    market that `px`, `away` and `print_at` are about; `qty`, `share` and `tif` are what an order has unless it is said.
    """

    symbol = "SPY"
    qty, share, tif = 10.0, 0.9, DAY

    def __init__(self, venue: Emulator, broker: B, first_id: int = 1, epoch: int = 7) -> None:
        self.venue, self.broker = venue, broker
        self.reports: list[Report] = []
        self._sides: dict[int, tuple[int, int]] = {}
        self._next, self._epoch = first_id, epoch

    @property
    def board(self) -> Board:
        return self.venue.exchange.market.board(self.symbol)

    @property
    def px(self) -> float:
        return float(self.board.last)

    # -- orders ----------------------------------------------------------------------------------------------------

    def order(
        self, side: int = BUY, qty: float | None = None, kind: int = MARKET, limit: float = 0.0, **more: Any
    ) -> Submit:
        number, self._next = self._next, self._next + 1
        iid, tif, stop = more.pop("iid", 0), more.pop("tif", self.tif), more.pop("stop", 0.0)
        self._sides[number] = (iid, side)
        sizes = to_e8(self.qty if qty is None else qty), to_e8(limit), to_e8(stop)
        return Submit(number, number, self._epoch, 1, iid, side, kind, tif, *sizes, **more)

    def away(self, share: float = 0.0, **more: Any) -> Submit:
        """A limit order that rests."""
        return self.order(kind=LIMIT, limit=round(self.px * (share or self.share), 2), **more)

    async def submit(self, *orders: Submit) -> None:
        """Hand over, and wait until each has a report."""
        for order in orders:
            self.broker.submit(order)
        await until(lambda: all(self.of(order) for order in orders))

    async def cancel(self, order: Submit) -> None:
        self.broker.cancel(Cancel(order.ts_ns, order.order_id))
        await until(lambda: any(k in ("Cancelled", "CancelRefused") for k in self.kinds(order)))

    async def amend(self, order: Submit, qty: float, limit: float, stop: float = 0.0) -> str:
        """Ask for a change; what it was answered with."""
        before = len(self.of(order))
        self.broker.amend(Amend(order.ts_ns, order.order_id, to_e8(qty), to_e8(limit), to_e8(stop)))
        found = ("Amended", "AmendRefused")
        await until(lambda: any(k in found for k in self.kinds(order)[before:]))
        return next(k for k in self.kinds(order)[before:] if k in found)

    async def over(self, *orders: Submit) -> None:
        """Wait until every order has ended at the adapter."""
        active = self.broker.tracker.active
        await until(lambda: all(o.order_id not in active and self.of(o) for o in orders))

    # -- what was reported -----------------------------------------------------------------------------------------

    def of(self, order: Submit) -> list[Report]:
        return [report for report in self.reports if report.order_id == order.order_id]

    def kinds(self, order: Submit) -> list[str]:
        return [type(report).__name__ for report in self.of(order)]

    def fills(self, order: Submit | None = None) -> list[Filled]:
        """Executions, each once."""
        chosen = self.reports if order is None else self.of(order)
        return list({r.exec_id: r for r in chosen if isinstance(r, Filled)}.values())

    def filled(self, order: Submit | None = None) -> float:
        return from_e8(sum(fill.qty_e8 for fill in self.fills(order)))

    def books(self) -> tuple[int, dict[int, int]]:
        """What cash and positions have changed by, by the reports alone."""
        cash, held = 0, dict[int, int]()
        for fill in self.fills():
            iid, side = self._sides[fill.order_id]
            cash -= notional_e8(fill.px_e8, side * fill.qty_e8) + fill.fee_e8
            held[iid] = held.get(iid, 0) + side * fill.qty_e8
        moves = {r.move_id: r.amount_e8 for r in self.reports if isinstance(r, CashMoved)}
        return cash + sum(moves.values()), {iid: qty for iid, qty in held.items() if qty}

    # -- the venue -------------------------------------------------------------------------------------------------

    def print_at(self, px: float, size: float = 1e6) -> None:
        """A trade between others."""
        self.venue.exchange.print_at(self.board, px, size)

    def at_venue(self, order: Submit) -> list[Any]:
        """Every order the venue has ever taken under this client id."""
        return [o for o in self.venue.exchange.orders.values() if o.ticket.client_id == order.client_id]

    def cut_streams(self) -> None:
        self.venue.console.streams(cut=True)

    def fault(self, what: str, where: str, **more: Any) -> int:
        return self.venue.faults.add(Fault(what=what, where=where, **more))
