"""The gateway's WebSocket: greeting, heartbeats, and topics that are asked for with `s..` and ended with `u..`.

Lives here: what is sent, when. Not here: a client's state (client.py), rows (rows.py), fields (fields.py).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from workbench.model.market import Quote
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.balances import chosen, ledger_rows, summary_rows
from workbench.testbed.ibkr.client import Client, Feed, command_of
from workbench.testbed.ibkr.data import FORMATS, Data
from workbench.testbed.ibkr.fields import BOOK_FIELDS, PRINT_FIELDS, Fields
from workbench.testbed.ibkr.lists import Lists
from workbench.testbed.ibkr.portfolio import Portfolio
from workbench.testbed.ibkr.quirks import Quirks
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.rows import bare_row, live_row
from workbench.testbed.ibkr.session import SERVER, Session
from workbench.testbed.market import Board, Halted, Print, Seen
from workbench.testbed.orders import OrderEvent
from workbench.testbed.stream import Link

__all__ = ["Gateway"]

_BEAT_S: Final = 10.0
_PROFIT_S: Final = 1.0
_EXPIRES_NS: Final = 600_000_000_000
_CHARTS: Final = 5
_SILENT: Final = frozenset({"cancel_refused"})


class Gateway:
    """All clients of the socket."""

    def __init__(
        self,
        exchange: Exchange,
        session: Session,
        account: Account,
        portfolio: Portfolio,
        fields: Fields,
        data: Data,
        lists: Lists,
        quirks: Quirks,
    ) -> None:
        self.exchange, self.session = exchange, session
        self._account, self._portfolio = account, portfolio
        self._fields, self._data, self._lists, self._quirks = fields, data, lists, quirks
        self._clients: set[Client] = set()
        self._does: dict[str, Callable[[Client, str, dict[str, Any]], None]] = {
            "tic": self._tic,
            "smd": self._smd,
            "umd": self._umd,
            "smh": self._smh,
            "umh": self._umh,
            "sbd": self._sbd,
            "ubd": lambda c, _target, _said: c.ladders.clear(),
            "sor": self._sor,
            "uor": lambda c, _target, _said: setattr(c, "orders", False),
            "str": self._str,
            "utr": lambda c, _target, _said: setattr(c, "trades", False),
            "spl": self._spl,
            "upl": lambda c, _target, _said: setattr(c, "profit", False),
            "ssd": partial(self._balances, "ssd"),
            "sld": partial(self._balances, "sld"),
            "usd": partial(self._no_balances, "ssd"),
            "uld": partial(self._no_balances, "sld"),
        }
        exchange.sinks.append(self._order_told)
        exchange.market.sinks.append(self._seen)
        session.sinks.append(self._session_changed)

    # -- one client --------------------------------------------------------------------------------------------------

    async def serve(self, link: Link, path: dict[str, str]) -> None:
        """One client, until it leaves."""
        client = Client(link)
        self._clients.add(client)
        beating = asyncio.get_running_loop().create_task(self._beat(client))
        try:
            client.send("waiting", {"message": "waiting for session"})
            self._greet(client)
            async for raw in link.messages():
                topic, target, said = command_of(raw)
                if self._alive(client) and topic in self._does:
                    self._does[topic](client, target, said)
        finally:
            self._clients.discard(client)
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    def _alive(self, client: Client) -> bool:
        """Whether a client's session is the gateway's, with the brokerage session open."""
        session = self.session
        return client.session == session.number and session.authenticated

    def _greet(self, client: Client) -> None:
        """Tell a client of the session it came with."""
        session = self.session
        if client.greeted or client.session != session.number or not session.logged_in:
            return
        client.greeted = True
        client.send("system", {"topic": "system", "success": session.user, "isFT": False, "isPaper": True})
        client.send("act", {"topic": "act", "args": self._account.body()})
        client.send("sts", {"topic": "sts", "args": self._status()})

    def _status(self) -> dict[str, Any]:
        session = self.session
        return {
            "authenticated": session.authenticated,
            "competing": session.competing,
            "connected": session.linked,
            "message": "",
            "fail": "",
            **SERVER,
            "username": session.user,
        }

    def _session_changed(self) -> None:
        """A brokerage session has ended or begun: whoever is connected hears it. What was subscribed ends with the
        session; while only the back end is away it stays."""
        for client in list(self._clients):
            if not self.session.authenticated:
                client.send("sts", {"topic": "sts", "args": self._status()})
                if not self.session.brokerage:
                    client.mute()
            elif client.session == self.session.number:
                self._greet(client)
                client.send("sts", {"topic": "sts", "args": self._status()})

    def linked(self, *, data_lost: bool) -> None:
        """The back end is there again, with what was subscribed or without."""
        if data_lost:
            for client in self._clients:
                client.mute()
        self.session.set_link(True)

    async def _beat(self, client: Client) -> None:
        """Heartbeats go on whatever has become of the session."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + _BEAT_S
        while True:
            await asyncio.sleep(_PROFIT_S)
            if client.profit and self._alive(client):
                self._tell_profit(client)
            if loop.time() >= due_s:
                due_s += _BEAT_S
                now_ms = self.exchange.clock.shown_ns() // 1_000_000
                client.send("system", {"topic": "system", "hb": now_ms})
                if self._alive(client):
                    for topic in client.summaries:
                        self._tell_balances(client, topic)

    def notify(self, text: str) -> None:
        """A bulletin for everybody."""
        number = self.exchange.new_id()
        for client in self._clients:
            client.send("blt", {"topic": "blt", "args": [{"id": number, "message": text}]})

    # -- commands ----------------------------------------------------------------------------------------------------

    def _tic(self, client: Client, target: str, said: dict[str, Any]) -> None:
        now_ns = self.exchange.clock.shown_ns()
        self.session.touch(self.exchange.clock.now_ns())
        client.send(
            "tic",
            {"topic": "tic", "alive": True, "id": client.session, "lastAccessed": now_ns // 1_000_000},
        )

    def _board(self, client: Client, topic: str, target: str) -> Board | None:
        try:
            return self._fields.contracts.board(target)
        except Refusal as refusal:
            client.send("error", {"error": refusal.text, "code": 400, "topic": topic})
            return None

    def _smd(self, client: Client, target: str, said: dict[str, Any]) -> None:
        """Market data of a contract: all fields now, then those that change, until ten minutes are over."""
        board = self._board(client, "smd", target)
        if board is None:
            return
        given = said.get("fields")
        names = tuple(str(f) for f in given) if isinstance(given, list) and given else ("31", "84", "86")
        feed = Feed(names, self.exchange.clock.now_ns() + _EXPIRES_NS)
        client.feeds[board.listing.iid] = feed
        self._tell_data(client, board, feed, self._fields.of(board, names))

    def _umd(self, client: Client, target: str, said: dict[str, Any]) -> None:
        board = self._board(client, "umd", target)
        if board is not None:
            client.feeds.pop(board.listing.iid, None)

    def _smh(self, client: Client, target: str, said: dict[str, Any]) -> None:
        """A chart, once; it holds one of five places until it is ended by its number."""
        board = self._board(client, "smh", target)
        if board is None:
            return
        if len(client.charts) >= _CHARTS:
            client.send("error", {"error": "too many charts", "code": 429, "topic": f"smh+{target}"})
            return
        try:
            chart = self._data.chart(board, {**said, "outsideRth": said.get("outsideRth", False)})
        except Refusal as refusal:
            client.send("error", {"error": refusal.text, "code": 500, "topic": f"smh+{target}"})
            return
        letters = "".join(
            letter for mark, letter in FORMATS.items() if mark in str(said.get("format") or mark)
        )
        for row in chart["data"]:
            for letter in set(row) - set(letters) - {"t"}:
                del row[letter]
        client.charts.add(chart["serverId"])
        client.send("smh", {"topic": f"smh+{target}", **chart})

    def _umh(self, client: Client, target: str, said: dict[str, Any]) -> None:
        client.charts.discard(target)
        client.send("smh", {"message": f"Unsubscribed {target}"})

    def _sbd(self, client: Client, target: str, said: dict[str, Any]) -> None:
        """A price ladder: the book's levels around the last price."""
        _, _, rest = target.partition("+")
        board = self._board(client, "sbd", rest.partition("+")[0])
        if board is None:
            return
        client.ladders.add(board.listing.iid)
        client.send("sbd", {"topic": f"sbd+{target}", "data": _ladder(board)})

    def _sor(self, client: Client, target: str, said: dict[str, Any]) -> None:
        """Live order updates: what is open now by numbers alone, then rows as things happen."""
        if self._quirks.hit("sor_refused"):
            client.send("sor", {"error": "unable to subscribe", "code": 500, "topic": "sor"})
            return
        client.orders = True
        rows = [bare_row(o, self._account.account) for o in self.exchange.open.values() if "ib_id" in o.extra]
        if rows and not self.session.filtered:
            client.send("sor", {"topic": "sor", "args": rows})

    def _str(self, client: Client, target: str, said: dict[str, Any]) -> None:
        """Executions: those of some days at once (maybe none), then each as it happens."""
        client.trades = True
        only_new = said.get("realtimeUpdatesOnly", said.get("realtime_updates_only", False)) is True
        days = said.get("days", 1)
        days = days if isinstance(days, int) and 1 <= days <= 7 else 1
        client.send("str", {"topic": "str", "args": [] if only_new else self._lists.trade_rows(days)})

    def _spl(self, client: Client, target: str, said: dict[str, Any]) -> None:
        client.profit, client.told_profit = True, {}
        self._tell_profit(client)

    def _tell_profit(self, client: Client) -> None:
        row = self._account.pnl_row()
        if row != client.told_profit:
            client.told_profit = row
            client.send("spl", {"topic": "spl", "args": row})

    def _balances(self, topic: str, client: Client, target: str, said: dict[str, Any]) -> None:
        """The account's summary or its ledger: now, then every ten seconds."""
        if target != self._account.account:
            client.send("error", {"error": f"Account {target} is not available", "code": 400, "topic": topic})
            return
        client.summaries[topic] = said
        self._tell_balances(client, topic)

    def _no_balances(self, topic: str, client: Client, target: str, said: dict[str, Any]) -> None:
        client.summaries.pop(topic, None)
        client.send(topic, {"result": f"unsubscribed from {'summary' if topic == 'ssd' else 'ledger'}"})

    def _tell_balances(self, client: Client, topic: str) -> None:
        ours = topic == "ssd"
        rows = summary_rows(self.exchange, self._account) if ours else ledger_rows(self._portfolio)
        shown = chosen(rows, client.summaries[topic])
        client.send(topic, {"topic": f"{topic}+{self._account.account}", "result": shown})

    # -- what happens ------------------------------------------------------------------------------------------------

    def _order_told(self, event: OrderEvent) -> None:
        if not self._clients or event.kind in _SILENT:
            return
        order, account = event.order, self._account.account
        trade = orders = None
        for client in self._clients:
            if not self._alive(client):
                continue
            if client.trades and event.execution is not None:
                trade = trade or {"topic": "str", "args": [self._lists.trade_row(event.execution)]}
                client.send("str", trade)
            if client.orders and not self.session.filtered:
                if orders is None:
                    bare = self._quirks.hit("sor_bare") is not None
                    row = bare_row(order, account) if bare else live_row(order, account, self.exchange)
                    orders = {"topic": "sor", "args": [row]}
                client.send("sor", orders)
            if event.kind == "rejected":
                note = {"id": order.venue_id, "title": "Order rejected", "text": order.reason, "url": ""}
                client.send("ntf", {"topic": "ntf", "args": [note]})

    def _seen(self, board: Board, seen: Seen) -> None:
        if isinstance(seen, Print):
            self._fields.saw(board, seen)
            touched = PRINT_FIELDS
        elif isinstance(seen, Quote):
            touched = BOOK_FIELDS
        elif isinstance(seen, Halted):
            touched = PRINT_FIELDS
        else:
            return
        iid = board.listing.iid
        values: dict[str, str] = {}
        for client in self._clients:
            feed = client.feeds.get(iid)
            if feed is None or not self._alive(client):
                continue
            if self.exchange.clock.now_ns() > feed.until_ns:
                del client.feeds[iid]
                continue
            wanted = [name for name in feed.fields if name in touched]
            missing = [name for name in wanted if name not in values]
            if missing:
                values |= self._fields.of(board, missing)
            changed = {n: values[n] for n in wanted if n in values and feed.sent.get(n) != values[n]}
            if changed:
                self._tell_data(client, board, feed, changed)

    def _tell_data(self, client: Client, board: Board, feed: Feed, values: dict[str, str]) -> None:
        feed.sent |= values
        conid = self._fields.contracts.conids[board.listing.iid]
        client.send("smd", {"topic": f"smd+{conid}", **self._fields.head(board), **values})


def _ladder(board: Board) -> list[dict[str, Any]]:
    levels = [(px, "ask", size) for px, size in reversed(board.book.asks)]
    levels += [(px, "bid", size) for px, size in board.book.bids]
    return [
        {"row": row, "focus": 0, "price": f"{px:.2f}", side: f"{size:g}"}
        for row, (px, side, size) in enumerate(levels)
    ]
