"""A small desk over the adapter and its emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, cast

from tests.brokers.pool.wires import until
from workbench.brokers.ibkr.broker import IbkrBroker
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import BUY, DAY, LIMIT, MARKET
from workbench.model.reports import CashMoved, Filled, Report
from workbench.model.scale import SCALE, notional_e8, to_e8
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.ibkr.venue import IbkrVenue
from workbench.testbed.market import Board
from workbench.testbed.rigs.ibkr import opened

SPY, AAPL = Instrument(0, "SPY"), Instrument(1, "AAPL")
POST: Final = "rest:POST /v1/api/iserver/account/{account}/orders"
REPLY: Final = "rest:POST /v1/api/iserver/reply/*"
CHANGE: Final = "rest:POST /v1/api/iserver/account/{account}/order/*"
DELETE: Final = "rest:DELETE /v1/api/iserver/account/{account}/order/*"
LIST: Final = "rest:GET /v1/api/iserver/account/orders"
TRADES: Final = "rest:GET /v1/api/iserver/account/trades"
STATUS: Final = "rest:GET /v1/api/iserver/account/order/status/*"


class Desk:
    """One connected adapter. Orders are numbered; `kinds(order)` are its reports' names so far."""

    def __init__(self, venue: Emulator, broker: IbkrBroker, first_id: int = 1, epoch: int = 7) -> None:
        self.venue, self.broker = venue, broker
        self.reports: list[Report] = []
        self._sides: dict[int, tuple[int, int]] = {}
        self._next, self._epoch = first_id, epoch

    @property
    def ibkr(self) -> IbkrVenue:
        return cast(IbkrVenue, self.venue.venue)

    @property
    def board(self) -> Board:
        return self.venue.exchange.market.board("SPY")

    @property
    def px(self) -> float:
        return float(self.board.last)

    def order(
        self, side: int = BUY, qty: float = 10, kind: int = MARKET, limit: float = 0.0, **more: Any
    ) -> Submit:
        number, self._next = self._next, self._next + 1
        iid, tif, stop = more.pop("iid", 0), more.pop("tif", DAY), more.pop("stop", 0.0)
        self._sides[number] = (iid, side)
        sizes = to_e8(qty), to_e8(limit), to_e8(stop)
        return Submit(number, number, self._epoch, 1, iid, side, kind, tif, *sizes, **more)

    def away(self, share: float = 0.98, **more: Any) -> Submit:
        """A limit order that rests; nothing is asked about it within three per cent."""
        return self.order(kind=LIMIT, limit=round(self.px * share, 2), **more)

    def of(self, order: Submit) -> list[Report]:
        return [report for report in self.reports if report.order_id == order.order_id]

    def kinds(self, order: Submit) -> list[str]:
        return [type(report).__name__ for report in self.of(order)]

    def fills(self, order: Submit | None = None) -> list[Filled]:
        chosen = self.reports if order is None else self.of(order)
        return list({r.exec_id: r for r in chosen if isinstance(r, Filled)}.values())

    def filled(self, order: Submit | None = None) -> int:
        return sum(fill.qty_e8 for fill in self.fills(order)) // SCALE

    def books(self) -> tuple[int, dict[int, int]]:
        """What cash and positions have changed by, by the reports alone."""
        cash, held = 0, dict[int, int]()
        for fill in self.fills():
            iid, side = self._sides[fill.order_id]
            cash -= notional_e8(fill.px_e8, side * fill.qty_e8) + fill.fee_e8
            held[iid] = held.get(iid, 0) + side * fill.qty_e8
        moves = {r.move_id: r.amount_e8 for r in self.reports if isinstance(r, CashMoved)}
        return cash + sum(moves.values()), {iid: qty for iid, qty in held.items() if qty}

    async def submit(self, *orders: Submit) -> None:
        """Hand over, and wait until each has a report."""
        for order in orders:
            self.broker.submit(order)
        await until(lambda: all(self.of(order) for order in orders))

    async def cancel(self, order: Submit) -> None:
        self.broker.cancel(Cancel(order.ts_ns, order.order_id))
        await until(lambda: any(k in ("Cancelled", "CancelRefused") for k in self.kinds(order)))

    async def amend(self, order: Submit, qty: float, limit: float) -> str:
        """Ask for a change; what it was answered with."""
        before = len(self.of(order))
        self.broker.amend(Amend(order.ts_ns, order.order_id, to_e8(qty), to_e8(limit), 0))
        found = ("Amended", "AmendRefused")
        await until(lambda: any(k in found for k in self.kinds(order)[before:]), 20)
        return next(k for k in self.kinds(order)[before:] if k in found)

    async def over(self, *orders: Submit) -> None:
        """Wait until every order has ended at the adapter."""
        active = self.broker.tracker.active
        await until(lambda: all(o.order_id not in active and self.of(o) for o in orders), 20)

    def print_at(self, px: float, size: float = 1e6) -> None:
        """A trade between others."""
        self.venue.exchange.print_at(self.board, px, size)

    def fill_at_limit(self, order: Submit, size: float = 1e6) -> None:
        """A trade at an order's limit."""
        self.print_at(order.limit_px_e8 / SCALE, size)

    def at_venue(self, order: Submit) -> list[Any]:
        """Every order the venue has ever taken under this client id."""
        return [o for o in self.venue.exchange.orders.values() if o.ticket.client_id == order.client_id]

    def cut_streams(self) -> None:
        self.venue.console.streams(cut=True)

    def fault(self, what: str, where: str, **more: Any) -> int:
        return self.venue.faults.add(Fault(what=what, where=where, **more))

    def quirk(self, name: str, **more: Any) -> int:
        return self.fault("quirk", f"quirk:{name}", **more)


@contextlib.asynccontextmanager
async def trading(
    *instruments: Instrument, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated("ibkr", **settings))
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(venue, list(instruments or (SPY, AAPL)), **{"sweep_s": 0.0, **more})
        desk = Desk(venue, broker, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
