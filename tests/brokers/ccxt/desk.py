"""A small desk over the bridge and an emulator: orders in, reports by order, faults. Test apparatus only."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.brokers.pool.wires import until
from workbench.brokers.ccxt.broker import CcxtBroker
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import BUY, GTC, LIMIT, MARKET
from workbench.model.reports import Filled, Report
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import Emulator, Fault, emulated
from workbench.testbed.rigs.ccxt import EXCHANGES, listed, opened

BOTH = ("alpaca", "binance")
POST = {"alpaca": "rest:POST /v2/orders", "binance": "rest:POST /api/v3/order"}
LOOKS = {"alpaca": "rest:GET /v2/orders*", "binance": "rest:GET /api/v3/*rder*"}
CANCEL = {"alpaca": "rest:DELETE /v2/orders/{order_id}", "binance": "rest:DELETE /api/v3/order"}


class Desk:
    """One connected bridge. Orders are numbered; `kinds(order)` are its reports' names so far."""

    def __init__(self, venue: Emulator, broker: CcxtBroker, exchange: str, first_id: int, epoch: int) -> None:
        self.venue, self.broker, self.exchange = venue, broker, exchange
        self.board = venue.exchange.market.board(EXCHANGES[exchange].listed)
        self.reports: list[Report] = []
        self._next, self._epoch = first_id, epoch

    def order(
        self, side: int = BUY, qty: float = 1, kind: int = MARKET, limit: float = 0.0, **more: Any
    ) -> Submit:
        number, self._next = self._next, self._next + 1
        iid, tif, stop = more.pop("iid", 0), more.pop("tif", GTC), more.pop("stop", 0.0)
        prices = to_e8(qty), to_e8(limit), to_e8(stop)
        return Submit(number, number, self._epoch, 1, iid, side, kind, tif, *prices, **more)

    def away(self, share: float = 0.9, **more: Any) -> Submit:
        """A limit order that rests."""
        return self.order(kind=LIMIT, limit=round(self.board.last * share, 2), **more)

    def of(self, order: Submit) -> list[Report]:
        return [report for report in self.reports if report.order_id == order.order_id]

    def kinds(self, order: Submit) -> list[str]:
        return [type(report).__name__ for report in self.of(order)]

    def filled(self, order: Submit | None = None) -> float:
        chosen = self.reports if order is None else self.of(order)
        found = {r.exec_id: r.qty_e8 for r in chosen if isinstance(r, Filled)}
        return sum(found.values()) / SCALE

    async def submit(self, *orders: Submit) -> None:
        """Hand over, and wait until each has a report."""
        for order in orders:
            self.broker.submit(order)
        await until(lambda: all(self.of(order) for order in orders), 20)

    async def cancel(self, order: Submit) -> None:
        self.broker.cancel(Cancel(order.ts_ns, order.order_id))
        await until(lambda: any(k in ("Cancelled", "CancelRefused") for k in self.kinds(order)), 20)

    async def amend(self, order: Submit, qty: float, limit: float) -> None:
        self.broker.amend(Amend(order.ts_ns, order.order_id, to_e8(qty), to_e8(limit), 0))
        await until(lambda: any(k in ("Amended", "AmendRefused") for k in self.kinds(order)), 20)

    async def over(self, *orders: Submit) -> None:
        """Wait until every order is filled in full or has ended otherwise."""
        ends = (["Cancelled"], ["Rejected"], ["Expired"], ["Unsent"])
        await until(
            lambda: all(
                self.filled(order) * SCALE >= order.qty_e8 or self.kinds(order)[-1:] in ends
                for order in orders
            ),
            20,
        )

    def at_venue(self, order: Submit) -> list[Any]:
        """Every order the venue has ever taken under this client id."""
        return [o for o in self.venue.exchange.orders.values() if o.ticket.client_id == order.client_id]

    def print_at(self, px: float, size: float = 1e6) -> None:
        self.venue.exchange.print_at(self.board, px, size)

    def fault(self, what: str, where: str, **more: Any) -> int:
        return self.venue.faults.add(Fault(what=what, where=where, **more))


@contextlib.asynccontextmanager
async def trading(
    exchange: str = "alpaca", *, venue: Emulator | None = None, **more: Any
) -> AsyncIterator[Desk]:
    """A desk at an emulator of its own (or at `venue`); the market stands still, limits are lifted."""
    settings = {"speed": 0, "limits": False, **more.pop("emulator", {})}
    async with contextlib.AsyncExitStack() as stack:
        if venue is None:
            venue = await stack.enter_async_context(emulated(EXCHANGES[exchange].venue, **settings))
        account = {"options": more.pop("options", {}), **more.pop("settings", {})}
        instruments: list[Instrument] = more.pop("instruments", None) or await listed(venue, exchange)
        first_id, epoch = more.pop("first_id", 1), more.pop("epoch", 7)
        broker = opened(venue, exchange, instruments, settings=account, **{"sweep_s": 0.0, **more})
        desk = Desk(venue, broker, exchange, first_id, epoch)
        await broker.connect(desk.reports.append)
        try:
            yield desk
        finally:
            await broker.close()
