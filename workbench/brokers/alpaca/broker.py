"""Alpaca behind the broker contract: orders, brackets, pairs, amendments, the account, and what keeps them true.

Lives here: what follows from Alpaca's answers and its account stream. Not here: requests (client.py), shapes
(parse.py), what an order must look like (rules.py), what all venues do alike (brokers/pool).
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from workbench.brokers.alpaca.cash import CashMoves
from workbench.brokers.alpaca.client import AlpacaClient
from workbench.brokers.alpaca.config import addresses_of, budgets, check_keys, check_options
from workbench.brokers.alpaca.finder import ENDS, Finder, note_of, superseded
from workbench.brokers.alpaca.parse import (
    AccountBody,
    OrderBody,
    TradeUpdate,
    amend_body,
    evidence_of,
    execution_of,
    order_body,
)
from workbench.brokers.alpaca.rules import Rules
from workbench.brokers.alpaca.trades import TradeUpdates
from workbench.brokers.alpaca.words import VENUE, e8, ts_ns_of
from workbench.brokers.contract import BrokerAccount
from workbench.brokers.pool import CANCEL, DATA, Pool, Stream, read_credentials
from workbench.brokers.pool.linked import linked
from workbench.brokers.pool.tracker import Evidence, Tracked, order_id_of
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.config import BrokerSettings
from workbench.errors import Refused, VenueGarbled, VenueRefused, WorkbenchError
from workbench.model.effects import Amend, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import LIMIT, STOP
from workbench.model.reports import AmendRefused, CancelRefused

__all__ = ["AlpacaBroker", "External"]

logger = logging.getLogger(__name__)

_LIVE_S = 15.0
_LIST_S = 5.0  # a kill does not wait longer for what is open
_CASH_S = 10.0  # more often than a desk compares its books: a fee is known before it is missed


class External(msgspec.Struct, frozen=True):
    """An order at the venue that is not ours: placed by hand or by another program."""

    venue_id: str
    client_id: str
    symbol: str
    side: str
    qty_e8: int
    filled_e8: int
    status: str


class AlpacaBroker(VenueBroker):
    """One account at Alpaca. `secrets` is the folder for credentials of the form file:NAME."""

    name = VENUE
    capabilities = frozenset(
        {
            "amend", "stop", "stop_limit", "trailing", "oco", "bracket",
            "gtc", "ioc", "fok", "opg", "cls",
        }
    )  # fmt: skip

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
        check_options(settings.options)
        self.settings, self.addresses = settings, addresses_of(settings)
        pool = Pool(VENUE, budgets(), name=account_name, mode=settings.mode, limits=settings.limits)
        super().__init__(
            pool,
            absent_after_s=settings.absent_after_s,
            absent_times=settings.absent_times,
            look_first_s=look_first_s,
            sweep_s=sweep_s,
        )
        self.rules = Rules(instruments)
        self.client: AlpacaClient
        self.finder: Finder
        self.stream: Stream
        self._script: TradeUpdates
        self._cash: CashMoves
        self.oddities: dict[str, int] = {}  # what the venue said that nobody here understands, by kind
        self._secrets, self._environ = secrets, environ
        self._strangers: dict[str, list[TradeUpdate]] = {}  # told before their order's answer came
        self._placing = 0  # brackets whose legs' ids are not known yet

    # -- opening ---------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        settings, pool = self.settings, self.pool
        keys = read_credentials(settings.credentials, self._secrets, environ=self._environ)
        check_keys(settings, keys, self.addresses)
        self.client = AlpacaClient(pool, self.addresses, keys)
        self.finder = Finder(self.client, self.tracker, self._leg_found)
        self._check_account(await self.client.account())
        await self.rules.learn(self.client)
        pool.health.probe = self.client.probe
        self._script = script = TradeUpdates(keys, self._told, self._caught_up)
        self.stream = pool.stream(
            "trade_updates", self.addresses.stream, script, key_id=keys.key, catch_up_s=60.0
        )
        script.stream = self.stream
        self.stream.subscribe(["trade_updates"])
        self.stream.start()
        await self.stream.until("live", within_s=_LIVE_S)
        self._cash = CashMoves(self.client, self.rules.iid_of, self.tracker.tell)
        await self._cash.look()
        self._every(_CASH_S, self._cash.look)

    def _check_account(self, body: AccountBody) -> None:
        wanted = self.settings.account
        if wanted and wanted not in (body.account_number, body.id):
            text = f"alpaca: the keys belong to another account than '{wanted}'"
            raise Refused(f"{text}: name the account of these keys, or use its keys")
        if body.status != "ACTIVE" or body.account_blocked or body.trading_blocked:
            blocked = "trading is blocked" if body.status == "ACTIVE" else f"its status is {body.status}"
            raise VenueRefused(VENUE, f"the account cannot trade ({blocked})", "see the venue's web page")

    async def account(self) -> BrokerAccount:
        """The account as the venue sees it now. Positions in symbols that are not ours are in `external()`."""
        body, positions, open_orders = await asyncio.gather(
            self.client.account(), self.client.positions(), self._list_open()
        )
        held: dict[int, int] = {}
        for position in positions:
            iid = self.rules.iid_of(position.symbol)
            if iid is not None:
                qty_e8 = abs(e8(position.qty, "qty"))
                held[iid] = -qty_e8 if position.side == "short" else qty_e8
        self.tracker.held = dict(held)
        ids = {order_id_of(evidence.client_id) for evidence in open_orders}
        return BrokerAccount(e8(body.cash, "cash"), held, tuple(sorted(ids)))

    @property
    def updates_taken(self) -> int:
        """Messages of the account stream taken so far."""
        return self._script.received

    async def external(self) -> tuple[list[External], dict[str, int]]:
        """What is at the venue and not ours: open orders without our ids, and positions (1e-8) in symbols this account
        was not opened with."""
        bodies, positions = await asyncio.gather(self.client.orders(), self.client.positions())
        flat = [leg for body in bodies for leg in (body, *(body.legs or ()))]
        orders = [
            External(b.id, b.client_order_id, b.symbol, b.side, b.qty_e8, b.filled_e8, b.status)
            for b in flat
            if self.finder.ours(b) is None
        ]
        held = {p.symbol: e8(p.qty, "qty") for p in positions if self.rules.iid_of(p.symbol) is None}
        return orders, held

    async def cancel_all(self) -> int:
        """Ask for a cancel of every open order of the account, ours or not; how many were asked about."""
        return len(await self.client.cancel_all())

    async def flatten(self) -> int:
        """Cancel everything and close every position of the account by market orders of the venue's own making. They
        are not ours: the books show the difference."""
        return await self.client.close_all(cancel_orders=True)

    # -- orders ----------------------------------------------------------------------------------------------------

    def _check(self, order: Submit) -> tuple[str, str] | None:
        return self.rules.complaint(order)

    def _batches(self, orders: Sequence[Submit]) -> Iterable[list[Submit]]:
        return linked(orders)

    async def _place(self, batch: list[Tracked]) -> None:
        orders = [tracked.order for tracked in batch if tracked.order is not None]
        complaint = (
            self.rules.together(orders) if len(orders) > 1 or orders[0].parent_id or orders[0].group else None
        )
        if complaint is not None:
            raise VenueRefused(VENUE, complaint[1], "send them one by one", code=complaint[0])
        listing = self.rules.listings[orders[0].iid]
        head, lane = batch[0], self.tracker.lane_of(orders[0])
        if len(batch) == 1:
            body = await self.client.place(
                order_body(orders, listing.symbol, crypto=listing.crypto), lane, self.called(batch)
            )
            self.finder.placed_as(head, body)
            return
        if not orders[1].parent_id:  # a pair: the limit order leads
            head = next(t for t in batch if t.order is not None and t.order.kind == LIMIT)
        for tracked in batch:
            note = note_of(tracked)
            note.head = head.client_id if tracked is not head else ""
            note.leg = LIMIT if tracked.order is not None and tracked.order.kind == LIMIT else STOP
        self._placing += 1
        try:
            body = await self.client.place(order_body(orders, listing.symbol), lane, self.called(batch))
            self.finder.placed_as(head, body)
            self.finder.legs_of(body)
        finally:
            self._placing -= 1
            if not self._placing:
                self._strangers.clear()

    async def _withdraw(self, tracked: Tracked) -> None:
        await self.client.cancel(tracked.venue_id)

    async def _withdraw_all(self) -> bool | frozenset[str]:
        try:
            async with asyncio.timeout(_LIST_S):
                await self.finder.list_open(CANCEL)  # as it is now: the last list may be old
        except TimeoutError:
            return False
        if self.finder.strangers:  # by hand, or another program's: they are not ours to cancel
            return False
        return frozenset(asked.id for asked in await self.client.cancel_all() if 200 <= asked.status < 300)

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        note = note_of(tracked)
        was = note.chain.get(tracked.venue_id)
        if was is None:
            was = await self.client.order(tracked.venue_id)
            if was is None:
                raise VenueRefused(VENUE, "the order is not known", "look it up", status=404)
        if wanted.qty_e8 <= tracked.filled_e8:
            raise VenueRefused(
                VENUE, "as much has filled already", "cancel the rest", code="TOO_LATE", field="qty"
            )
        client_id = f"{tracked.client_id}.{len(note.chain) + 1}"
        note.wanted, note.asked, note.looks = wanted, client_id, 0
        new = await self.client.replace(
            tracked.venue_id, amend_body(wanted, tracked.filled_e8, was, client_id)
        )
        note.chain[new.id] = new
        self.tracker.known_also_as(tracked, new.id)

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        chain = await self.finder.chain(tracked, CANCEL)
        if not chain or chain[-1].status == "pending_replace":
            return None
        note = note_of(tracked)
        if chain[-1].client_order_id == note.asked:
            if tracked.venue_id != chain[-1].id:
                self._amended(tracked, chain[-1], chain[-1].at_ns)
            return True
        note.looks += 1
        return False if note.looks > 1 else None  # once proves nothing: its copies lag behind

    def _amended(
        self, tracked: Tracked, new: OrderBody, ts_ns: int, new_filled_e8: int | None = None
    ) -> None:
        """The new order holds; the quantity is what the venue makes of it. `new_filled_e8` is how much of it had filled
        when `tracked` was as it is."""
        note, filled_e8 = note_of(tracked), new.filled_e8 if new_filled_e8 is None else new_filled_e8
        note.chain[new.id] = new
        note.wanted = None
        before_e8 = tracked.filled_e8 if filled_e8 < tracked.filled_e8 else 0
        limit_e8 = e8(new.limit_price, "limit_price") if new.limit_price is not None else 0
        stop_e8 = e8(new.stop_price, "stop_price") if new.stop_price is not None else 0
        self.tracker.amended(tracked, new.id, ts_ns, before_e8 + new.qty_e8, limit_e8, stop_e8)

    # -- finding out -----------------------------------------------------------------------------------------------

    async def _look(self, tracked: Tracked) -> Evidence | None:
        return await self.finder.look(tracked)

    async def _find(self, client_id: str) -> Evidence | None:
        return await self.finder.find(client_id)

    async def _list_open(self) -> list[Evidence]:
        return await self.finder.list_open()

    async def _caught_up(self) -> None:
        """After each connect: what the stream may not have told."""
        await self.sweep(settled_s=0.0)

    def _swept(self, finds: int) -> None:
        if finds and self.stream.state == "live" and self.stream.age_s > 1.0:
            self.stream.doubt(f"a sweep found news of {finds} orders that the stream had not told")

    # -- the account stream ----------------------------------------------------------------------------------------

    def _told(self, update: TradeUpdate) -> None:
        body = update.order
        if body is None:
            return
        tracked = self.tracker.by_venue.get(body.id)
        if tracked is None:
            tracked = self.tracker.by_client.get(body.client_order_id.partition(".")[0])
        if tracked is not None:
            self._update(tracked, update)
        elif self._placing and not order_id_of(body.client_order_id):
            self._strangers.setdefault(body.id, []).append(
                update
            )  # a leg whose order's answer is still to come

    def _leg_found(self, tracked: Tracked) -> None:
        """What the stream told of a leg before its order's answer came."""
        for update in self._strangers.pop(tracked.venue_id, ()):
            self._update(tracked, update)

    def _update(self, tracked: Tracked, update: TradeUpdate) -> None:
        body, event, tracker = update.order, update.event, self.tracker
        if body is None:
            return
        ts_ns = ts_ns_of(update.timestamp) or body.at_ns
        note = note_of(tracked)
        if event == "fill" or event == "partial_fill":
            if update.qty is None or update.price is None:
                raise VenueGarbled(
                    VENUE, "an execution without quantity or price", "it is looked up", field="qty"
                )
            note.chain.setdefault(body.id, body)
            execution = execution_of(body.id, body.filled_qty, update.qty, update.price, update.timestamp)
            if body.replaces is not None and body.replaces == tracked.venue_id and tracked.active:
                # faster than the answer to the amendment: by its old terms the order could be over
                self._amended(tracked, body, ts_ns, body.filled_e8 - execution.qty_e8)
            tracker.fill(tracked, execution, tracked.venue_id or body.id)
        elif event == "replaced":
            new = note.chain.get(body.replaced_by or "")
            if new is not None and not superseded(tracked, new):
                self._amended(tracked, new, ts_ns)
            elif new is None:
                self._run(self._learn_change(tracked))
        elif event in ENDS:
            self._ended(tracked, body, event)
        elif event == "order_replace_rejected":
            self._not_amended(tracked, ts_ns, "the venue refused to replace the order")
        elif event == "order_cancel_rejected":
            tracker.tell(CancelRefused(ts_ns, tracked.order_id, "REFUSED", "the venue refused to cancel"))
        elif event in ("new", "accepted", "pending_new", "restated", "held"):
            if body.replaces is None:
                note.chain.setdefault(body.id, body)
                tracker.accept(tracked, body.id, ts_ns)
        elif event not in (
            "pending_cancel",
            "pending_replace",
            "done_for_day",
            "stopped",
            "suspended",
            "calculated",
        ):
            self.oddities[event] = self.oddities.get(event, 0) + 1
            raise VenueGarbled(VENUE, f"event '{event}' is unknown", "the order is looked up", field="event")

    def _ended(self, tracked: Tracked, body: OrderBody, event: str) -> None:
        note = note_of(tracked)
        if body.id != tracked.venue_id and note.wanted is not None and body.id in note.chain:
            # the order that should have replaced ours has ended before it did
            self._not_amended(tracked, body.at_ns, body.reject_reason or "the order was filled first")
            return
        note.chain[body.id] = body
        self.tracker.ended(tracked, evidence_of([*self._before(tracked, body), body], tracked.client_id))

    def _before(self, tracked: Tracked, body: OrderBody) -> list[OrderBody]:
        return [known for known in note_of(tracked).chain.values() if known.id != body.id]

    def _not_amended(self, tracked: Tracked, ts_ns: int, text: str) -> None:
        note = note_of(tracked)
        if note.wanted is not None:
            note.wanted = None
            self.tracker.tell(AmendRefused(ts_ns, tracked.order_id, "REFUSED", text))

    async def _learn_change(self, tracked: Tracked) -> None:
        """Somebody else, or a lost answer of ours, has replaced the order."""
        try:
            chain = await self.finder.chain(tracked, DATA)
        except WorkbenchError as error:  # a sweep will find it
            logger.warning("%s: could not be asked about (%s)", tracked.client_id, error)
            return
        if chain and chain[-1].id != tracked.venue_id:
            self._amended(tracked, chain[-1], chain[-1].at_ns)
        await self._learn(tracked)
