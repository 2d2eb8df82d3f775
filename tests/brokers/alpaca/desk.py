"""A small desk over the adapter and its emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.brokers.pool.wires import until
from workbench.brokers.alpaca.broker import AlpacaBroker
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import BUY, DAY, LIMIT, MARKET
from workbench.model.reports import Filled, Report
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.rigs.alpaca import opened

SPY, BTC = Instrument(0, "SPY"), Instrument(1, "BTC/USD", tick_e8=1, lot_e8=1, calendar="24/7")
ENDS = ("Filled", "Cancelled", "Rejected", "Expired", "Unsent")


class Desk:
    """One connected adapter. Orders are numbered; `kinds(order)` are its reports' names so far."""

    def __init__(self, venue: Emulator, broker: AlpacaBroker, first_id: int = 1, epoch: int = 7) -> None:
        self.venue, self.broker = venue, broker
        self.reports: list[Report] = []
        self._next, self._epoch = first_id, epoch

    @property
    def px(self) -> float:
        return float(self.venue.exchange.market.board("SPY").last)

    def order(
        self, side: int = BUY, qty: float = 10, kind: int = MARKET, limit: float = 0.0, **more: Any
    ) -> Submit:
        number, self._next = self._next, self._next + 1
        iid, tif, stop = more.pop("iid", 0), more.pop("tif", DAY), more.pop("stop", 0.0)
        return Submit(
            number,
            number,
            self._epoch,
            1,
            iid,
            side,
            kind,
            tif,
            to_e8(qty),
            to_e8(limit),
            to_e8(stop),
            **more,
        )

    def away(self, share: float = 0.9, **more: Any) -> Submit:
        """A limit order that rests."""
        return self.order(kind=LIMIT, limit=round(self.px * share, 2), **more)

    def of(self, order: Submit) -> list[Report]:
        return [report for report in self.reports if report.order_id == order.order_id]

    def kinds(self, order: Submit) -> list[str]:
        return [type(report).__name__ for report in self.of(order)]

    def filled(self, order: Submit | None = None) -> int:
        chosen = self.reports if order is None else self.of(order)
        found = {r.exec_id: r.qty_e8 for r in chosen if isinstance(r, Filled)}
        return sum(found.values()) // SCALE

    async def submit(self, *orders: Submit) -> None:
        """Hand over, and wait until each has a report."""
        for order in orders:
            self.broker.submit(order)
        await until(lambda: all(self.of(order) for order in orders))

    async def cancel(self, order: Submit) -> None:
        self.broker.cancel(Cancel(order.ts_ns, order.order_id))
        await until(lambda: any(k in ("Cancelled", "CancelRefused") for k in self.kinds(order)))

    async def amend(self, order: Submit, qty: float, limit: float) -> None:
        self.broker.amend(Amend(order.ts_ns, order.order_id, to_e8(qty), to_e8(limit), 0))
        await until(lambda: any(k in ("Amended", "AmendRefused") for k in self.kinds(order)), 20)

    async def over(self, *orders: Submit) -> None:
        """Wait until every order is filled in full or has ended otherwise."""
        await until(
            lambda: all(
                self.filled(order) * SCALE >= order.qty_e8
                or self.kinds(order)[-1:] in (["Cancelled"], ["Rejected"], ["Expired"], ["Unsent"])
                for order in orders
            ),
            20,
        )

    def at_venue(self, order: Submit) -> list[Any]:
        """Every order the venue has ever taken under this client id."""
        return [o for o in self.venue.exchange.orders.values() if o.ticket.client_id == order.client_id]

    def fault(self, what: str, where: str, **more: Any) -> int:
        return self.venue.faults.add(Fault(what=what, where=where, **more))


@contextlib.asynccontextmanager
async def trading(
    *instruments: Instrument, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated("alpaca", **settings))
        at = venue
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(at, list(instruments or (SPY, BTC)), **{"sweep_s": 0.0, **more})
        desk = Desk(at, broker, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
