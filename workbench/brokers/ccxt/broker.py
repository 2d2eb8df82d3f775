"""A ccxt exchange behind the broker contract: orders, amendments, the account, and what keeps them true.

    createOrder's answer, watchOrders, sweeps, looks   what an order is
    fetchMyTrades (watchMyTrades where its numbers are the list's)   what has filled

Lives here: what follows from answers and streams. Not here: requests (client.py), looking (finder.py), executions
(executions.py), what an order must look like (rules.py), what all venues do alike (brokers/pool).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Final

from workbench.brokers.ccxt.amendments import Amendments
from workbench.brokers.ccxt.client import CcxtClient, Row
from workbench.brokers.ccxt.config import Plan, allowances, plan_of, wanted_exchange
from workbench.brokers.ccxt.executions import Executions
from workbench.brokers.ccxt.finder import Finder, note_of
from workbench.brokers.ccxt.library import shown
from workbench.brokers.ccxt.opening import markets, open_client, pool_of
from workbench.brokers.ccxt.parse import (
    e8,
    evidence_of,
    number,
    of_order,
    our_id,
    part_of,
    state_of,
    ts_ns_of,
)
from workbench.brokers.ccxt.rules import Rules, arguments_of, claims_of
from workbench.brokers.ccxt.watch import Watches
from workbench.brokers.contract import BrokerAccount
from workbench.brokers.pool import Pool
from workbench.brokers.pool.tracker import Evidence, Tracked, order_id_of
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.config import BrokerSettings
from workbench.errors import (
    Busy,
    VenueGarbled,
    VenueRefused,
    WorkbenchError,
)
from workbench.model.effects import Amend, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import (
    CANCELLED,
    REJECTED,
)

__all__ = ["CcxtBroker"]

logger = logging.getLogger(__name__)

_LIVE_S: Final = 15.0
_AGAIN_S: Final = (
    1.0  # after a connection opened: its subscription may take that long, and nothing confirms it
)


class CcxtBroker(VenueBroker):
    """One account at one exchange of ccxt's. `secrets` is the folder for credentials of the form file:NAME."""

    def __init__(
        self,
        settings: BrokerSettings,
        instruments: Sequence[Instrument] = (),
        *,
        account_name: str = "",
        secrets: Path = Path(),
        environ: Mapping[str, str] | None = None,
        look_first_s: float = 1.0,
        sweep_s: float = 5.0,
    ) -> None:
        self.settings, self.name = settings, settings.venue
        named = bool(wanted_exchange(settings))
        pool = (
            pool_of(settings, plan_of(settings), account_name)
            if named
            else Pool(settings.venue, allowances(1_000.0))
        )
        super().__init__(
            pool,
            absent_after_s=settings.absent_after_s,
            absent_times=settings.absent_times,
            look_first_s=look_first_s,
            sweep_s=sweep_s,
        )
        self.plan: Plan
        self.client: CcxtClient
        self.finder: Finder
        self.executions: Executions
        self.amendments: Amendments
        self.watches: Watches
        self.rules = Rules(instruments)
        self.oddities: dict[str, int] = {}  # what the exchange said that nobody here understands, by kind
        self.tracker.missing = self._missing
        self.capabilities = (
            claims_of(shown(wanted_exchange(settings)), plan_of(settings)) if named else frozenset()
        )
        self._secrets, self._environ = secrets, environ
        self._no_ids = ""
        self._ids_seen = False
        self._catching = False

    # -- opening ---------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        settings, pool = self.settings, self.pool
        self.plan = plan = plan_of(settings)
        self.client = client = open_client(pool, settings, plan, self._secrets, self._environ)
        self.watches = watches = Watches(client, "orders")
        self.finder = Finder(client, self.tracker, self.rules)
        self.amendments = Amendments(client, self.tracker, self.finder)
        self.executions = Executions(
            client, self.tracker, self.rules, self._run, self._fetch_missing, self._odd
        )
        pool.health.heard(await client.probe(tries=4))
        client.keep_time()  # before anything is stamped
        await client.balance()  # the keys are good
        missing = self.rules.learn(client.exchange, await markets(client, settings), self.capabilities)
        for symbol in missing:
            logger.warning("%s: '%s' is not listed: orders in it will be rejected", plan.exchange, symbol)
        pool.health.probe = self._probe
        watches.on_connected = self._caught_up_soon
        others = pool.health.trouble
        pool.health.trouble = lambda: self._no_ids or (others() if others is not None else "")
        if self._streams("watchOrders"):
            self._watch_orders()
            if plan.fills == "stream" and self._streams("watchMyTrades"):
                exchange = client.exchange
                watches.watch("fills", lambda: exchange.watch_my_trades(), self._on_trades)
        else:
            watches.poll("orders", self._polled, _nothing, plan.poll_s)
        await watches.until_live(_LIVE_S)

    def _streams(self, what: str) -> bool:
        return self.client.streams(what)

    def _watch_orders(self) -> None:
        exchange = self.client.exchange

        def one_by_one() -> None:
            for symbol in self.finder.symbols:
                self.watches.watch(
                    f"orders {symbol}", partial(exchange.watch_orders, symbol), self._on_orders
                )

        self.watches.watch("orders", lambda: exchange.watch_orders(), self._on_orders, one_by_one)

    async def _probe(self) -> Any:
        probed = await self.client.probe()
        self.client.keep_time()
        return probed

    async def account(self) -> BrokerAccount:
        """The account as the exchange sees it now: each coin as the position of the symbol it is traded in, money in
        the currencies our symbols are paid in as cash."""
        balance, open_orders = await asyncio.gather(self.client.balance(), self._list_open())
        listings = self.rules.listings
        held = {iid: _total_e8(balance, listing.base) for iid, listing in listings.items()}
        held = {iid: qty_e8 for iid, qty_e8 in held.items() if qty_e8}
        cash_e8 = sum(_total_e8(balance, quote) for quote in {listing.quote for listing in listings.values()})
        self.tracker.held = dict(held)
        ids = {order_id_of(evidence.client_id) for evidence in open_orders}
        return BrokerAccount(cash_e8, held, tuple(sorted(ids)))

    # -- orders ----------------------------------------------------------------------------------------------------

    def _check(self, order: Submit) -> tuple[str, str] | None:
        if self._no_ids:
            return "NO_CLIENT_IDS", self._no_ids
        return self.rules.complaint(order)

    async def _place(self, batch: list[Tracked]) -> None:
        for tracked in batch:
            if tracked.order is None:
                continue
            lane = self.tracker.lane_of(tracked.order)
            row = await self.client.place(
                arguments_of(tracked.order, self.rules, self.client), lane, self.called(batch)
            )
            self._placed_as(tracked, row)

    def _placed_as(self, tracked: Tracked, row: Row) -> None:
        """The answer to an order."""
        if not row or not row.get("id"):
            raise VenueGarbled(self.plan.exchange, "the answer to an order has no id", "it is asked about")
        venue_id, note = str(row["id"]), self.finder.note(tracked)
        note.ids = [venue_id]
        self.tracker.known_also_as(tracked, venue_id)
        if not self._ids_seen:
            self._check_ids(tracked, row)
        state = state_of(row)
        if state == REJECTED:
            self.tracker.rejected(tracked, "REJECTED", f"rejected by {self.plan.exchange}")
            return
        self.tracker.accept(tracked, venue_id, ts_ns_of(row.get("timestamp")) or time_ns())
        self._learn_row(
            tracked, {**row, "symbol": note.symbol, "amount": row.get("amount") or number(tracked.qty_e8)}
        )
        self.executions.placed(tracked, note.symbol)

    def _check_ids(self, tracked: Tracked, row: Row) -> None:
        """Once a connection: does the exchange keep our ids? Without them a lost answer could never be resolved."""
        told = row.get("clientOrderId")
        if told is None:
            self._run(self._ask_for_id(tracked, str(row["id"])))
        elif our_id(told) == tracked.client_id:
            self._ids_seen = True
        else:
            self._give_up_ids(f"'{told}' for '{tracked.client_id}'")

    async def _ask_for_id(self, tracked: Tracked, number: str) -> None:
        try:
            row = await self.client.order(number, note_of(tracked).symbol)
        except WorkbenchError as error:
            logger.warning("%s: not known whether our ids are kept (%s)", self.plan.exchange, error)
            return
        if our_id(row.get("clientOrderId")) == tracked.client_id:
            self._ids_seen = True
        elif not self._ids_seen:
            self._give_up_ids("none")

    def _give_up_ids(self, shown_id: str) -> None:
        self._no_ids = (
            f"{self.plan.exchange} does not keep our client ids (it shows {shown_id}): a lost answer could not be "
            f"resolved, so nothing is sent; option client_ids may help"
        )
        logger.error("%s", self._no_ids)
        self.pool.health.say("degraded", self._no_ids)

    async def _withdraw(self, tracked: Tracked) -> None:
        await self.client.cancel(tracked.venue_id, self.finder.note(tracked).symbol)
        if not self._streams("watchOrders"):
            self._run(self._learn(tracked))

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        if "amend" not in self.capabilities or tracked.order is None:
            text = (
                "orders cannot be changed here" if tracked.order is not None else "an earlier run has sent it"
            )
            raise VenueRefused(self.plan.exchange, text, "cancel it and send another", code="AMEND")
        try:
            await self.amendments.change(
                tracked, wanted, arguments_of(tracked.order, self.rules, self.client)
            )
        finally:
            self._run(self._learn_after(tracked))

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        changed = await self.amendments.changed_to(tracked, wanted)
        if changed is not None:
            self._run(self._learn_after(tracked))
        return changed

    async def _learn_after(self, tracked: Tracked) -> None:
        """What happened to the order while its amendment was under way was not listened to."""
        await asyncio.sleep(0)
        await self._learn(tracked)

    # -- finding out -----------------------------------------------------------------------------------------------

    async def _look(self, tracked: Tracked) -> Evidence | None:
        evidence = await self.finder.look(tracked)
        if evidence is not None and self._replacing(tracked) and evidence.state == CANCELLED:
            raise Busy(
                f"{tracked.client_id} is being amended: its old order has ended, its new one is not known yet"
            )
        return evidence

    async def _find(self, client_id: str) -> Evidence | None:
        return await self.finder.find(client_id)

    async def _list_open(self) -> list[Evidence]:
        return await self.finder.list_open()

    async def _polled(self) -> None:
        if self.tracker.active:
            await self.sweep(settled_s=min(0.2, self.plan.poll_s))

    def _caught_up_soon(self) -> None:
        """A stream has opened: what it did not tell, now and once more when it is subscribed for sure."""
        for wait_s in (0.0, _AGAIN_S):
            self._loop.call_later(wait_s, self._catch_up)

    def _catch_up(self) -> None:
        if self.tracker.active and not self._closed and not self._catching:
            self._catching = True
            self._run(self._caught_up())

    async def _caught_up(self) -> None:
        try:
            await self.sweep(settled_s=0.0)
        except WorkbenchError as error:
            logger.warning(
                "%s: what a break swallowed could not be asked for (%s)", self.plan.exchange, error
            )
        finally:
            self._catching = False

    def _swept(self, finds: int) -> None:
        if (
            finds
            and self._streams("watchOrders")
            and self.watches.state == "live"
            and self.watches.age_s > 1.0
        ):
            self.watches.doubt(f"a sweep found news of {finds} orders that the stream had not told")

    def _missing(self, tracked: Tracked) -> None:
        symbol = self.finder.note(tracked).symbol
        if symbol and not self._closed:
            self.executions.want(tracked, symbol)
        else:
            self._fetch_missing(tracked)

    # -- streams ---------------------------------------------------------------------------------------------------

    def _on_orders(self, rows: Sequence[Row]) -> None:
        """Orders as the stream shows them."""
        for row in rows:
            told = our_id(row.get("clientOrderId"))
            tracked = self.tracker.by_venue.get(str(row.get("id"))) or self.tracker.by_client.get(told)
            if tracked is None or self._replacing(tracked):
                continue
            note = self.finder.note(tracked)
            if len(note.ids) > 1 or part_of(row.get("clientOrderId")) > 1:
                self._run(self._learn(tracked))  # two orders are one here: both are asked for
                continue
            try:
                if not note.ids:
                    note.ids = [str(row["id"])]
                    self.tracker.known_also_as(tracked, note.ids[0])
                self._learn_row(tracked, row)
            except VenueGarbled as error:
                self._odd("order")
                logger.warning("%s: an order's message was not understood (%s)", self.plan.exchange, error)
                self._run(self._learn(tracked))

    def _on_trades(self, rows: Sequence[Row]) -> None:
        self.executions.take(rows)

    def _learn_row(self, tracked: Tracked, row: Row) -> None:
        """One order as it was answered or streamed. Executions come by their own way."""
        note = self.finder.note(tracked)
        note.filled_e8 = max(note.filled_e8, e8(row.get("filled"), "filled"))
        trades = row.get("trades") or ()
        if self.plan.fills == "stream" and trades and all(trade.get("id") for trade in trades):
            self.executions.take(of_order(trade, row, note.symbol) for trade in trades)
        evidence = evidence_of([row], tracked.client_id, time_ns(), moved_e8=note.moved_e8)
        self.tracker.learn(tracked, evidence)

    def _replacing(self, tracked: Tracked) -> bool:
        return tracked.busy == "amendment" and self.plan.amend == "new_order"

    def _odd(self, kind: str) -> None:
        self.oddities[kind] = self.oddities.get(kind, 0) + 1


def _nothing(rows: object) -> None:
    """A sweep has told everything itself."""


def _total_e8(balance: Row, currency: str) -> int:
    """All of a currency, what open orders hold included."""
    found = balance.get(currency) or {}
    total = found.get("total")
    if total is None:
        return e8(found.get("free"), "free") + e8(found.get("used"), "used")
    return e8(total, "total")
