"""Interactive Brokers behind the broker contract: orders, brackets, pairs, amendments, the account, and what keeps
them true.

Lives here: what follows from the gateway's answers. Not here: the socket (updates.py, topics.py), requests (client.py),
sessions (session.py), finding orders (finder.py), what an order must look like (rules.py), what all venues do alike
(pool).

Executions are believed as the socket tells them (`str`, which repeats today's after every connect). Order updates
(`sor`) are only hints: what they say is taken, what they do not say means nothing; open orders are asked for.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from time import time_ns
from typing import Final

import msgspec

from workbench.brokers.contract import BrokerAccount
from workbench.brokers.ibkr.chain import Chain, failed, taken
from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.config import VENUE, Allowances, options_of, place_of
from workbench.brokers.ibkr.contracts import Contracts
from workbench.brokers.ibkr.fills import Fills
from workbench.brokers.ibkr.finder import Finder, note_of
from workbench.brokers.ibkr.parse import PlacedRow, cash_of
from workbench.brokers.ibkr.rules import Rules
from workbench.brokers.ibkr.session import Session
from workbench.brokers.ibkr.tickets import amended_ticket, closing_ticket, ticket_of, tickets
from workbench.brokers.ibkr.topics import BEAT_S, SILENT_S, Topics
from workbench.brokers.ibkr.turns import Turns
from workbench.brokers.ibkr.updates import FILLS, HINTS, Updates
from workbench.brokers.ibkr.words import REGISTERED, e8, optional_e8
from workbench.brokers.pool import EXIT, Pool, Stream
from workbench.brokers.pool.linked import linked
from workbench.brokers.pool.tracker import Evidence, Tracked, order_id_of
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.config import BrokerSettings
from workbench.errors import VenueRefused
from workbench.model.effects import Amend, Submit
from workbench.model.instrument import Instrument

__all__ = ["External", "IbkrBroker"]

logger = logging.getLogger(__name__)

_LIVE_S: Final = 20.0
_LIST_S: Final = 5.0  # a kill does not wait longer for what is open
_HINT_S: Final = 0.05
_PAY_S: Final = 10.0
_AFTER_CANCEL_S: Final = (0.5, 1.5)


class External(msgspec.Struct, frozen=True):
    """An order at the venue that is not ours: placed by hand or by another program."""

    venue_id: str
    client_id: str
    symbol: str
    side: str
    qty_e8: int
    filled_e8: int
    status: str


class IbkrBroker(VenueBroker):
    """One account behind one gateway."""

    name = VENUE
    capabilities = frozenset(
        {"amend", "stop", "stop_limit", "trailing", "oco", "bracket", "gtc", "ioc", "opg", "cls"}
    )

    def __init__(
        self,
        settings: BrokerSettings,
        instruments: Sequence[Instrument] = (),
        *,
        account_name: str = "",
        look_first_s: float = 1.0,
        sweep_s: float = 5.0,
    ) -> None:
        self.settings, self.options = settings, options_of(settings)
        self.place = place_of(settings, self.options)
        self._allowances = Allowances.of(self.place)
        pool = Pool(
            VENUE, self._allowances.all(), name=account_name, mode=settings.mode, limits=settings.limits
        )
        super().__init__(
            pool,
            absent_after_s=settings.absent_after_s,
            absent_times=settings.absent_times,
            look_first_s=look_first_s,
            sweep_s=sweep_s,
        )
        self.rules = Rules(instruments)
        self.client = IbkrClient(pool, self.place)
        self.session = Session(self.client, settings, self.options)
        self.finder = Finder(
            self.client,
            self.tracker,
            self._look_later,
            inactive_s=look_first_s,
            absent_after_s=settings.absent_after_s,
            absent_times=settings.absent_times,
        )
        self.chain = Chain(self.client, self.session.policy)
        self.fills = Fills(self.tracker, self.finder, self.client)
        self.updates = Updates(self.tracker, self.finder, self.fills, self._look_later)
        self.stream: Stream
        self._turns = Turns(self.options.orders_at_once)

    # -- opening ---------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        try:
            await self._opened()
        except BaseException:
            await self.session.close()  # else it would go on opening a session that nobody uses
            raise

    async def _opened(self) -> None:
        await self.session.open()
        await self.rules.learn(Contracts(self.client, str(self.place.rest), self.options))
        self.pool.health.probe = self.session.probe
        script = Topics(self.session, self.updates.told, self._caught_up)
        script.extra = (HINTS,)
        self.stream = script.stream = self.updates.stream = self.pool.stream(
            "orders",
            self.place.stream,
            script,
            key_id="orders",
            headers=self.session.headers,
            tls=self.place.tls,
            silent_s=SILENT_S,
            heartbeat_s=BEAT_S,
            catch_up_s=60.0,
        )
        self.session.back = self._session_back
        self.stream.subscribe([FILLS])
        self.stream.start()
        await self.stream.until("live", within_s=_LIVE_S)
        self._every(_PAY_S, self.fills.pay)

    def _session_back(self) -> None:
        """The session was lost and is there again: the socket of the old one is dead, whatever it says."""
        self.finder.strangers = None
        if self.stream.state == "unauthorised":
            self._run(self._reopened())
        else:
            self.stream.doubt("the session was opened again")

    async def _reopened(self) -> None:
        await self.stream.close()
        self.stream.start()

    async def close(self) -> None:
        """Wait for what is under way, then hang up."""
        await self.session.close()
        await super().close()

    # -- the account -------------------------------------------------------------------------------------------------

    async def account(self) -> BrokerAccount:
        """The account as the venue sees it now, cash in dollars. Positions in contracts that are not ours are in
        `external()`."""
        number = self.session.account
        ledger, positions, open_orders = await asyncio.gather(
            self.client.ledger(number), self.client.positions(number), self._list_open()
        )
        row = cash_of(ledger)
        held: dict[int, int] = {}
        for position in positions:
            iid = self.rules.iid_of(position.conid)
            qty_e8 = e8(position.position, "position")
            if iid is not None and qty_e8:
                held[iid] = qty_e8
        self.tracker.held = dict(held)
        ids = {order_id_of(evidence.client_id) for evidence in open_orders}
        return BrokerAccount(e8(row.cashbalance, "cashbalance"), held, tuple(sorted(ids)))

    async def external(self) -> tuple[list[External], dict[str, int]]:
        """What is at the venue and not ours: open orders without our ids, and positions (1e-8) in contracts this
        account was not opened with."""
        rows, positions = await asyncio.gather(
            self.client.orders(), self.client.positions(self.session.account)
        )
        await self.finder.list_open()
        strangers = self.finder.strangers or set()
        orders = [
            External(
                row.number,
                row.order_ref or "",
                row.ticker or "",
                row.side or "",
                optional_e8(row.totalSize, "totalSize"),
                optional_e8(row.filledQuantity, "filledQuantity"),
                row.status or "",
            )
            for row in rows
            if row.number in strangers
        ]
        held = {
            p.ticker or p.contractDesc or str(p.conid): e8(p.position, "position")
            for p in positions
            if self.rules.iid_of(p.conid) is None
        }
        return orders, held

    async def cancel_all(self) -> None:
        """Ask for a cancel of every open order of the account, ours or not."""
        await self.client.cancel(self.session.account, "-1")

    async def flatten(self) -> int:
        """Cancel everything, then close every position in our contracts by market orders; how many. They are not ours:
        the books show the difference. Each is tried before the first error is raised.

        Raises:
            VenueRefused: a closing order was refused. OutcomeUnknown: what became of one is not known: look again.
        """
        await self.cancel_all()
        account = await self.account()
        outcomes = await asyncio.gather(
            *(self._flat(iid, qty_e8) for iid, qty_e8 in account.positions.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(outcomes)

    async def _flat(self, iid: int, qty_e8: int) -> None:
        said = closing_ticket(self.session.account, self.rules.contracts[iid].conid, qty_e8, time_ns())
        async with self._turns.turn(EXIT):
            rows = await self.client.place(self.session.account, [said], EXIT)
            rows = await self.chain.answered(rows, EXIT, said["cOID"])
        taken(rows, "the position is open still")

    # -- orders ------------------------------------------------------------------------------------------------------

    def _check(self, order: Submit) -> tuple[str, str] | None:
        return self.rules.complaint(order)

    def _batches(self, orders: Sequence[Submit]) -> Iterable[list[Submit]]:
        return linked(orders)

    async def _place(self, batch: list[Tracked]) -> None:
        orders = [tracked.order for tracked in batch if tracked.order is not None]
        if len(orders) > 1 or orders[0].parent_id or orders[0].group:
            complaint = self.rules.together(orders)
            if complaint is not None:
                raise VenueRefused(VENUE, complaint[1], "send them one by one", code=complaint[0])
        said = tickets(orders, self.session.account, self.rules.contracts[orders[0].iid].conid)
        for tracked, one in zip(batch, said, strict=True):
            note_of(tracked).ticket = one
        lane = self.tracker.lane_of(orders[0])
        async with self._turns.turn(lane):
            rows = await self.client.place(self.session.account, said, lane, self.called(batch))
            rows = await self.chain.answered(rows, lane, batch[0].client_id)
        self._placed_as(batch, rows)

    def _placed_as(self, batch: list[Tracked], rows: list[PlacedRow]) -> None:
        """What the answer to a submit says of each order. One it says nothing of for sure stays unanswered."""
        told: dict[str, PlacedRow] = {}
        if len(batch) == 1 and len(rows) == 1:
            told[batch[0].client_id] = rows[0]
        else:
            told = {row.local_order_id: row for row in rows if row.local_order_id}
            if not told and len(rows) == len(batch) and all(failed(row) for row in rows):
                told = {tracked.client_id: row for tracked, row in zip(batch, rows, strict=True)}
            left = [tracked for tracked in batch if tracked.client_id not in told]
            legs = [row for row in rows if not row.local_order_id and row.parent_order_id]
            if len(left) == len(legs) == 1:
                told[left[0].client_id] = legs[0]
        missing = []
        for tracked in batch:
            row = told.get(tracked.client_id)
            if row is None or row.order_id is None:
                missing.append(tracked)
            else:
                self._took(tracked, row)
        for tracked in missing:
            self._lost(tracked, "the answer does not say which order is which")

    def _lost(self, tracked: Tracked, text: str) -> None:
        self.pool.meters.lost += 1
        self.inquest.open(tracked, text)

    def _took(self, tracked: Tracked, row: PlacedRow) -> None:
        if failed(row):
            text = row.text or row.warning_message or row.error or "refused without a reason"
            if REGISTERED in text:
                self._lost(tracked, text)
            else:
                self.tracker.rejected(tracked, "FAILED", text)
            return
        number = str(row.order_id)
        self.finder.numbered(tracked, number)
        self.tracker.accept(tracked, number, time_ns())
        if row.order_status not in ("Submitted", "PreSubmitted", "PendingSubmit", ""):
            self._look_later(tracked, _HINT_S)

    # -- cancels and amendments --------------------------------------------------------------------------------------

    async def _withdraw(self, tracked: Tracked) -> None:
        await self.client.cancel(self.session.account, self.finder.number_of(tracked))
        for seconds in _AFTER_CANCEL_S:
            self._look_later(tracked, seconds)

    async def _withdraw_all(self) -> bool:
        try:
            async with asyncio.timeout(_LIST_S):
                await self.finder.list_open()  # as it is now: the last list may be old
        except TimeoutError:
            return False
        if self.finder.strangers is None or self.finder.strangers:
            return False  # by hand, or another program's: they are not ours to cancel
        await self.cancel_all()
        return True

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        order, note = tracked.order, note_of(tracked)
        if order is not None and (said := self.rules.amendment(order, wanted)) is not None:
            raise VenueRefused(VENUE, said[1], "correct the amendment", code=said[0])
        number = self.finder.number_of(tracked)
        ticket = note.ticket
        if ticket is None:
            row = await self.finder.row_of(tracked)
            if row is None:
                raise VenueRefused(VENUE, "the order is not among the live ones", "cancel it", code="TICKET")
            ticket, _ = ticket_of(row, self.session.account)
        changed = amended_ticket(ticket, wanted)
        note.looks = 0
        lane = self.tracker.lane_of(order) if order is not None else 0
        async with self._turns.turn(lane):
            rows = await self.client.modify(self.session.account, number, changed, lane)
            rows = await self.chain.answered(rows, lane, tracked.client_id)
        number = taken(rows, "the order stays as it was")
        note.ticket = changed
        self._amended(tracked, number, wanted)

    def _amended(self, tracked: Tracked, number: str, wanted: Amend) -> None:
        self.tracker.amended(tracked, number, time_ns(), wanted.qty_e8, wanted.limit_px_e8, wanted.stop_px_e8)

    async def took_hold(self, amend: Amend) -> bool:
        """Whether an amendment that an earlier connection asked for holds; it is reported then. Neither the number of
        an order nor its quantity need show that it was changed."""
        tracked = self.tracker.by_order.get(amend.order_id)
        return tracked is not None and tracked.active and bool(await self._changed_to(tracked, amend))

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        body = await self.client.status(self.finder.number_of(tracked))
        note = note_of(tracked)
        held = (
            optional_e8(body.total_size, "total_size"),
            optional_e8(body.limit_price, "limit_price"),
            optional_e8(body.stop_price, "stop_price"),
        )
        if held == (wanted.qty_e8, wanted.limit_px_e8, wanted.stop_px_e8):
            self._amended(tracked, tracked.venue_id, wanted)
            return True
        note.looks += 1  # it may be on its way still
        return False if note.looks >= 3 else None

    # -- finding out -------------------------------------------------------------------------------------------------

    def _look_later(self, tracked: Tracked, seconds: float) -> None:
        self._loop.call_later(seconds, self._look_now, tracked)

    def _look_now(self, tracked: Tracked) -> None:
        self.updates.asked(tracked)
        if tracked.active and not self._closed:
            self._run(self._learn(tracked))

    async def _look(self, tracked: Tracked) -> Evidence | None:
        return await self.finder.look(tracked)

    async def _find(self, client_id: str) -> Evidence | None:
        if not order_id_of(client_id):
            return None
        return await self.finder.scan(client_id, 0)

    async def _list_open(self) -> list[Evidence]:
        return await self.finder.list_open()

    async def _caught_up(self) -> None:
        """After each connect: today's executions are told again by the socket; what else became of orders is asked."""
        if self.tracker.active:
            await self.sweep(settled_s=0.0)
