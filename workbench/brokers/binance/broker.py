"""Binance Spot behind the broker contract: orders, brackets, pairs, amendments, balances as positions, and what keeps
them true.

Lives here: what follows from answers to orders, and the account. Not here: the account's events (events.py), finding
(finder.py), changing (changes.py), requests (client.py, trading.py), what an order must look like (rules.py).
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

from workbench.brokers.binance.bodies import AccountBody, ListBody, OrderBody
from workbench.brokers.binance.changes import Changes
from workbench.brokers.binance.client import BinanceClient
from workbench.brokers.binance.config import addresses_of, budgets, options_of
from workbench.brokers.binance.events import Events
from workbench.brokers.binance.finder import Finder
from workbench.brokers.binance.parse import bracket_params, evidence_of, order_params, pair_params
from workbench.brokers.binance.rates import Rates
from workbench.brokers.binance.rules import Rules
from workbench.brokers.binance.signer import signer_of
from workbench.brokers.binance.sockets import OrderSocket, Requests, UserEvents
from workbench.brokers.binance.trading import Trading
from workbench.brokers.binance.words import VENUE, number_text, own_id, state_of
from workbench.brokers.contract import BrokerAccount, BrokerOrder, Sink
from workbench.brokers.pool import EXIT, Pool, Probed, Stream, read_credentials
from workbench.brokers.pool.linked import linked
from workbench.brokers.pool.tracker import Evidence, Tracked, order_id_of
from workbench.brokers.pool.venue_broker import VenueBroker
from workbench.config import BrokerSettings
from workbench.errors import Refused, VenueRefused
from workbench.model.effects import Amend, Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import CANCELLED, EXPIRED, FILLED, REJECTED
from workbench.model.reports import Filled, Report
from workbench.model.scale import notional_e8, to_e8

__all__ = ["BinanceBroker", "External"]

logger = logging.getLogger(__name__)

_LIVE_S = 15.0
_UNTOLD_S = 2.0  # an order the answer calls filled is looked up when its fills were not told by then


class External(msgspec.Struct, frozen=True):
    """An order at the venue that is not ours: placed by hand or by another program."""

    venue_id: str
    client_id: str
    symbol: str
    side: str
    qty_e8: int
    filled_e8: int
    status: str


class BinanceBroker(VenueBroker):
    """One spot account at Binance. `secrets` is the folder for credentials of the form file:NAME."""

    name = VENUE
    capabilities = frozenset({"amend", "stop", "stop_limit", "oco", "bracket", "gtc", "ioc", "fok"})

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
        self.options = options_of(settings)
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
        self.client: BinanceClient
        self.trading: Trading
        self.finder: Finder
        self.events: Events
        self.changes: Changes
        self.stream: Stream
        self.oddities: dict[str, int] = {}  # what the venue said that nobody here understands, by kind
        self._secrets, self._environ = secrets, environ
        self._script: UserEvents
        self._fee_rate_e8 = 0  # of what is received, while nothing else pays it

    # -- opening ---------------------------------------------------------------------------------------------------

    async def connect(self, sink: Sink) -> None:
        """Open the account; see the contract for what it raises."""
        await super().connect(lambda report: self._out(sink, report))

    def _out(self, sink: Sink, report: Report) -> None:
        """A fee that another asset paid is given back right behind its fill: cash stays as the venue books it."""
        sink(report)
        if type(report) is Filled and self.finder.pays_otherwise:
            tracked = self.tracker.by_order.get(report.order_id)
            paid = self.finder.note(tracked).paid.get(report.exec_id) if tracked is not None else None
            if paid is not None:
                sink(paid)

    async def _open(self) -> None:
        settings, pool = self.settings, self.pool
        keys = read_credentials(settings.credentials, self._secrets, environ=self._environ)
        signer = signer_of(keys, self._secrets)
        self.client = client = BinanceClient(pool, self.addresses, keys, signer, self.options)
        pool.health.heard(await client.probe())
        client.limits.aligned()
        pool.health.probe = self._probe
        account = await client.account(nonzero=True)
        self._check_account(account)
        await self.rules.learn(client)
        await self._learn_fees(account)
        self.finder = Finder(client, self.tracker, self.rules, Rates(client, self.rules.quote))
        self.events = Events(self.finder, self.tracker, self.rules, self._run, self._learn, self.oddities)
        window_ms = self.options.recv_window_ms
        requests = Requests(keys, signer, client.dialect, window_ms, client.clock_again)
        self.trading = Trading(client, self._order_socket(requests, keys.key))
        self.changes = Changes(self.finder, self.tracker, self.rules, self.trading, self.events)
        self._script = script = UserEvents(requests, self.events.told, self._caught_up)
        self.stream = pool.stream(
            "account", self.addresses.ws_api, script, key_id=f"{keys.key} account", catch_up_s=60.0
        )
        script.stream = self.stream
        for stream in pool.streams:
            stream.start()
        await asyncio.gather(*(stream.until("live", within_s=_LIVE_S) for stream in pool.streams))

    def _order_socket(self, requests: Requests, key: str) -> OrderSocket | None:
        if self.options.orders != "ws":
            return None
        socket = OrderSocket(self.pool, requests, self.client.dialect)
        socket.stream = self.pool.stream(
            "orders", self.addresses.ws_api, socket, key_id=f"{key} orders", changed=socket.changed
        )
        return socket

    async def _probe(self) -> Probed:
        probed = await self.client.probe()
        self.client.limits.aligned()
        return probed

    def _check_account(self, body: AccountBody) -> None:
        wanted = self.settings.account
        if wanted and wanted != str(body.uid):
            text = f"binance: the keys belong to another account than '{wanted}'"
            raise Refused(f"{text}: name the account of these keys, or use its keys")
        if not body.can_trade:
            raise VenueRefused(VENUE, "the account cannot trade", "see the venue's web page")

    async def _learn_fees(self, account: AccountBody) -> None:
        """Where fees come from: from what is received, unless BNB pays them all."""
        rates = [to_e8(str(account.commission_rates.get(kind, 0))) for kind in ("maker", "taker")]
        self._fee_rate_e8 = max(rates)
        symbols = [listing.symbol for listing in self.rules.listings.values()]
        if not symbols:
            return
        discount = (await self.client.commission(symbols[0])).discount
        if not discount.enabled_for_account:
            return
        if discount.discount_asset in self.rules.bases:
            asset = discount.discount_asset
            text = f"binance: {asset} pays the fees of this account and is traded on it: the books could not agree"
            raise Refused(f"{text}; switch that off at the venue, or trade {asset} on another account")
        self._fee_rate_e8 = 0

    async def account(self) -> BrokerAccount:
        """Balances as the venue sees them now: base assets (free and locked) as positions, the quote asset as cash.
        Other assets are in `external()`."""
        body, open_orders = await asyncio.gather(self.client.account(nonzero=True), self.finder.list_open())
        bases, quote = self.rules.bases, self.rules.quote
        held = {bases[one.asset]: one.total_e8 for one in body.balances if one.asset in bases}
        cash_e8 = next((one.total_e8 for one in body.balances if one.asset == quote), 0)
        self.tracker.held = dict(held)
        ids = {order_id_of(evidence.client_id) for evidence in open_orders}
        return BrokerAccount(cash_e8, {iid: qty for iid, qty in held.items() if qty}, tuple(sorted(ids)))

    @property
    def updates_taken(self) -> int:
        """Events about orders taken so far."""
        return self._script.received

    async def external(self) -> tuple[list[External], dict[str, int]]:
        """What is at the venue and not ours: open orders in our symbols without our ids, and assets (1e-8) that are
        neither a position nor cash here."""
        bodies, account = await asyncio.gather(self.finder.open_bodies(), self.client.account(nonzero=True))
        orders = [
            External(b.venue_id, b.own, b.symbol, b.side, b.qty_e8, b.filled_e8, b.status)
            for b in bodies
            if not own_id(b.own)[0]
        ]
        known = {*self.rules.bases, self.rules.quote}
        return orders, {one.asset: one.total_e8 for one in account.balances if one.asset not in known}

    async def cancel_all(self) -> int:
        """Ask for a cancel of every open order in our symbols, ours or not; how many were asked about. Each symbol is
        tried before the first error is raised."""
        symbols = {body.symbol for body in await self.finder.open_bodies()}
        return await _all_of(self.trading.cancel_all(symbol) for symbol in symbols)

    async def flatten(self) -> int:
        """Cancel everything, then sell what there is of every base asset by market orders; how many. They are not ours:
        the books show the difference. What is less than a lot, or worth less than the venue's least, stays. Each is
        tried before the first error is raised.

        Raises:
            VenueRefused: an order was refused. OutcomeUnknown: what became of one is not known: look again.
        """
        await self.cancel_all()
        account = await self.account()
        return await _all_of(self._flat(iid, qty_e8) for iid, qty_e8 in account.positions.items())

    async def _flat(self, iid: int, qty_e8: int) -> int:
        """Sell a position, in several orders when one may not be as large; how many."""
        listing, sold = self.rules.listings[iid], 0
        step_e8 = max(1, listing.step_e8, listing.market_step_e8)
        most_e8 = min(listing.most_market_e8 or qty_e8, listing.most_qty_e8 or qty_e8) // step_e8 * step_e8
        left_e8 = qty_e8 // step_e8 * step_e8
        while left_e8 >= max(1, listing.least_qty_e8, listing.least_market_e8):
            now_e8 = min(left_e8, most_e8)
            params = [
                ("symbol", listing.symbol),
                ("side", "SELL"),
                ("type", "MARKET"),
                ("quantity", number_text(now_e8)),
                ("newClientOrderId", f"flat-{iid}-{time_ns() // 1_000}"),
                ("newOrderRespType", "ACK"),
            ]
            try:
                await self.trading.place(params, EXIT)
            except VenueRefused as error:
                if error.code not in ("NOTIONAL", "MIN_NOTIONAL"):
                    raise
                logger.warning("binance: %s %s stays (%s)", number_text(left_e8), listing.base, error)
                break
            sold, left_e8 = sold + 1, left_e8 - now_e8
        return sold

    # -- orders ----------------------------------------------------------------------------------------------------

    def _check(self, order: Submit) -> tuple[str, str] | None:
        return self.rules.complaint(order)

    def _batches(self, orders: Sequence[Submit]) -> Iterable[list[Submit]]:
        return linked(orders)

    async def _place(self, batch: list[Tracked]) -> None:
        orders = [tracked.order for tracked in batch if tracked.order is not None]
        head = orders[0]
        symbol = self.rules.listings[head.iid].symbol
        lane, called = self.tracker.lane_of(head), self.called(batch)
        if len(orders) == 1 and not head.parent_id and not head.group:
            body = await self.trading.place(order_params(head, symbol), lane, called)
            self.placed(batch[0], body)
            return
        complaint = self.rules.together(orders)
        if complaint is not None:
            raise VenueRefused(VENUE, complaint[1], "send them one by one", code=complaint[0])
        for tracked in batch:
            self.finder.note(tracked).linked = True
        exits = batch[1:] if orders[1].parent_id else []
        if exits:
            qty_e8 = self._left_of(head)
            params = bracket_params(head, orders[1:], symbol, qty_e8)
            made = await self.trading.place_bracket(params, len(exits), lane, called)
        else:
            qty_e8 = head.qty_e8
            made = await self.trading.place_pair(pair_params(orders, symbol), lane, called)
        self._placed_list(made)
        for tracked in exits:
            if qty_e8 != tracked.qty_e8 and tracked.order is not None and tracked.active:
                order = tracked.order  # its entry brings in less than it buys: the fee is taken from it
                prices = order.limit_px_e8, order.stop_px_e8
                self.tracker.amended(tracked, tracked.venue_id, time_ns(), qty_e8, *prices)

    def _left_of(self, entry: Submit) -> int:
        """What an entry will bring in, in whole lots, at the most its fee may be."""
        if not self._fee_rate_e8 or entry.side < 0:
            return entry.qty_e8
        step_e8 = max(1, self.rules.listings[entry.iid].step_e8)
        left_e8 = entry.qty_e8 - notional_e8(entry.qty_e8, self._fee_rate_e8)
        return left_e8 // step_e8 * step_e8

    def placed(self, tracked: Tracked, body: OrderBody) -> None:
        """The answer to a submit, or to a cancel: the venue holds the order, or tells how it ended."""
        note = self.finder.note(tracked)
        state = state_of(body.status) if body.status else 0
        if state == REJECTED:
            self.tracker.rejected(tracked, "REJECTED", "rejected at once")
            return
        self.tracker.accept(tracked, body.venue_id, body.at_ns)
        if state in (CANCELLED, EXPIRED):
            evidence = evidence_of([body], tracked.client_id, moved_e8=note.moved_e8)
            self.tracker.ended(tracked, evidence)
        elif state == FILLED:
            self._loop.call_later(_UNTOLD_S, self._unless_told, tracked)

    def _unless_told(self, tracked: Tracked) -> None:
        if tracked.active and not self._closed:
            self._run(self._learn(tracked))

    def _placed_list(self, made: ListBody) -> None:
        for body in made.order_reports:
            tracked = self.tracker.by_client.get(own_id(body.own)[0])
            if tracked is not None:
                self.placed(tracked, body)

    async def _withdraw(self, tracked: Tracked) -> None:
        symbol = self.finder.symbol_of(tracked)
        made = await self.trading.cancel(symbol, tracked.venue_id)
        if isinstance(made, ListBody):
            self._placed_list(made)
        else:
            self.placed(tracked, made)

    async def _change(self, tracked: Tracked, wanted: Amend) -> None:
        await self.changes.change(tracked, wanted)

    async def _changed_to(self, tracked: Tracked, wanted: Amend) -> bool | None:
        return await self.changes.changed_to(tracked, wanted)

    # -- finding out -----------------------------------------------------------------------------------------------

    async def order(self, client_id: str) -> BrokerOrder | None:
        """What the venue knows of one order; see `VenueBroker`. A fee that another asset paid comes with its fill."""
        known = await super().order(client_id)
        if known is None or not self.finder.pays_otherwise:
            return known
        tracked = self.tracker.by_client.get(client_id)
        paid = self.finder.note(tracked).paid if tracked is not None else {}
        reports: list[Report] = []
        for report in known.reports:
            reports.append(report)
            if isinstance(report, Filled) and report.exec_id in paid:
                reports.append(paid[report.exec_id])
        return msgspec.structs.replace(known, reports=tuple(reports))

    async def _look(self, tracked: Tracked) -> Evidence | None:
        return await self.finder.look(tracked)

    async def _find(self, client_id: str) -> Evidence | None:
        return await self.finder.find(client_id)

    async def _list_open(self) -> list[Evidence]:
        return await self.finder.list_open(active_only=True)

    async def _caught_up(self) -> None:
        """After each connect: what the stream may not have told."""
        if self.tracker.active:
            await self.sweep(settled_s=0.0)

    def _swept(self, finds: int) -> None:
        if finds and self.stream.state == "live" and self.stream.age_s > 1.0:
            self.stream.doubt(f"a sweep found news of {finds} orders that the stream had not told")

    async def close(self) -> None:
        """Wait for what is under way, then hang up; see `VenueBroker`."""
        await super().close()
        socket = self.trading.socket if hasattr(self, "trading") else None
        if socket is not None:
            socket.close()


async def _all_of(works: Iterable[Coroutine[Any, Any, int]]) -> int:
    """The sum of all, once each was tried; raises the first error there was."""
    counts = await asyncio.gather(*works, return_exceptions=True)
    for count in counts:
        if isinstance(count, BaseException):
            raise count
    return sum(count for count in counts if not isinstance(count, BaseException))
