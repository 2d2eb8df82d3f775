"""The Client Portal's REST API: how it says no, and one method a question. The connections are the pool's.

Lives here: requests and their answers as the shapes of parse.py. Not here: what follows from them (broker.py,
session.py).
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from workbench.brokers.ibkr.config import Place, Routes
from workbench.brokers.ibkr.parse import (
    AccountsBody,
    AuthBody,
    LedgerRow,
    OrderRow,
    OrdersBody,
    PlacedRow,
    PositionRow,
    StatusBody,
    TickleBody,
    TradeRow,
)
from workbench.brokers.ibkr.words import REGISTERED, VENUE
from workbench.brokers.pool import CANCEL, DATA, ENTRY, HISTORY, Answer, Pool, decode, encode
from workbench.brokers.pool.rest import retry_after_s
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    VenueDown,
    VenueRefused,
    WorkbenchError,
)

__all__ = ["IbkrClient", "IbkrDialect"]

_HEADERS: Final = {"Content-Type": "application/json"}
_LOGIN: Final = "log in at the gateway's page in a browser; nothing was sent"
_PAUSES_S: Final = (1.0, 5.0, 60.0, 600.0)
_MINUTE_S: Final = 60.0
_TRIES: Final = 3
_MOST_SUPPRESSED: Final = 51
_WORDS: Final = (  # by a word of the text: code, field, what to do next
    ("NOT ACCEPTED", "FUNDS", "quantity", "lower the quantity, or free what open orders hold"),
    ("nsufficient", "FUNDS", "quantity", "lower the quantity, or free what open orders hold"),
    ("vailable funds", "FUNDS", "quantity", "lower the quantity, or free what open orders hold"),
    ("price variation", "GRID", "price", "correct the price"),
    ("minimum variation", "GRID", "quantity", "correct the quantity"),
    ("doesn't exist", "UNKNOWN", "order_id", "the order is looked up"),
    ("is inactive", "INACTIVE", "order_id", "the order is looked up"),
    ("not confirmed", "QUESTION", "", "see the answers under options"),
    ("trading permissions", "PERMISSION", "conid", "see the account's permissions at the venue"),
    ("is not available", "UNKNOWN_CONTRACT", "conid", "check the symbol"),
    ("quantity", "QTY", "quantity", "correct the order"),
    ("price", "PRICE", "price", "correct the order"),
)


class ErrorBody(msgspec.Struct):
    """How it says no, whatever the status."""

    error: Any = None


class IbkrDialect:
    """Nothing is signed. `{"error": ...}` is a no at any status; `lost` is told when the brokerage session is gone."""

    def __init__(self) -> None:
        self.lost: Callable[[str], None] = _nobody
        self._limited: list[float] = []

    def sign(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        return query, _HEADERS

    def judge(self, answer: Answer) -> WorkbenchError | None:
        """The error an answer stands for. An id that was used before is no proof against the first order."""
        status, body = answer.status, answer.body
        if status < 400:
            if status >= 300 or body[:8] != b'{"error"':
                return None
            text = _said(body)
            return self._refused(text, 0) if text else None
        text = _said(body) or body[:200].decode("utf-8", "replace")
        if status == 401:
            return KeysRefused(VENUE, text or "not logged in", _LOGIN, status=status, code="NO_LOGIN")
        if status == 429:
            limited = RateLimited(VENUE, text, "the pool waits", status=status)
            # it is not known to name a pause; when it does, that one is kept as well
            limited.retry_after_s = max(self._pause_s(), retry_after_s(answer.headers, 0.0))
            return limited
        bridge, accounts = "no bridge" in text, "accounts first" in text
        if bridge or accounts:
            self.lost(text)
        lost = status >= 500 or status == 408  # it may have been carried out all the same
        if accounts and (status == 500 or not lost):  # said with 500, before anything is looked at
            return VenueDown(VENUE, text, "the accounts are asked for again", status=status, code="ACCOUNTS")
        if lost:
            return None
        if bridge:
            return VenueDown(
                VENUE, "there is no brokerage session", "it is opened again", status=status, code="NO_BRIDGE"
            )
        return self._refused(text, status)

    def _refused(self, text: str, status: int) -> WorkbenchError:
        if REGISTERED in text:
            return OutcomeUnknown(f"{VENUE}: {text} An order of this id is there already, it is asked about")
        for word, code, field, advice in _WORDS:
            if word in text:
                return VenueRefused(VENUE, text, advice, status=status, code=code, field=field)
        return VenueRefused(VENUE, text, "see the venue's documentation", status=status)

    def _pause_s(self) -> float:
        """How long to wait after a 429: longer each time within a minute, at last as long as the penalty box."""
        now_s = monotonic()
        self._limited = [s for s in self._limited if now_s - s < _MINUTE_S] + [now_s]
        return _PAUSES_S[min(len(self._limited), len(_PAUSES_S)) - 1]

    def heard(self, answer: Answer) -> None:
        """Its headers say nothing about limits."""


class _Charts:
    """How charts are refused: a chart of nothing is one, whatever the status says (of an order that is no proof)."""

    def __init__(self, dialect: IbkrDialect) -> None:
        self._dialect = dialect
        self.sign, self.heard = dialect.sign, dialect.heard

    def judge(self, answer: Answer) -> WorkbenchError | None:
        """The error an answer stands for."""
        text = _said(answer.body) if answer.status >= 400 else ""
        if text.startswith("No data"):
            return VenueRefused(VENUE, text, "there is none", status=answer.status, code="NO_DATA")
        return self._dialect.judge(answer)


class IbkrClient:
    """Requests to one gateway."""

    def __init__(self, pool: Pool, place: Place) -> None:
        self.pool = pool
        self.routes = Routes(pool.limiter)
        self.dialect = IbkrDialect()
        self.asking = pool.rest(place.rest, self.dialect, breaker="questions", tls=place.tls)
        # a class of its own: questions that are answered say nothing about orders that are not
        self.sending = pool.rest(place.rest, self.dialect, breaker="orders", tls=place.tls)
        self.charts = pool.rest(
            place.rest, _Charts(self.dialect), breaker="data", tls=place.tls, body_cap=32_000_000
        )
        self.orders_primed = self.trades_primed = False

    # -- the session -----------------------------------------------------------------------------------------------

    async def tickle(self, *, tries: int = 0, most_wait_s: float = 60.0) -> tuple[TickleBody, Answer]:
        """Keep the session, and hear of it."""
        answer = await self.asking.ask(
            self.routes.tickle, "/tickle", lane=CANCEL, tries=tries, most_wait_s=most_wait_s
        )
        # who has the session's number has the session
        return decode(VENUE, answer.body, TickleBody, what="a tickle's answer", secret=True), answer

    async def init(self, *, compete: bool) -> AuthBody:
        """Open the brokerage session; the answer says whether it is open."""
        body = encode({"publish": True, "compete": compete})
        answer = await self.sending.send(
            "POST", self.routes.session, "/iserver/auth/ssodh/init", body=body, lane=CANCEL
        )
        return decode(VENUE, answer.body, AuthBody, what="the session's state")

    async def accounts(self) -> AccountsBody:
        """The accounts; this has to be asked before orders."""
        answer = await self.asking.ask(self.routes.session, "/iserver/accounts", lane=CANCEL)
        return decode(VENUE, answer.body, AccountsBody, what="the accounts")

    async def select(self, account: str) -> None:
        """Choose the account that orders are about."""
        await self.sending.send(
            "POST", self.routes.session, "/iserver/account", body=encode({"acctId": account}), lane=CANCEL
        )

    async def portfolio_accounts(self) -> None:
        """This has to be asked before the portfolio."""
        await self.asking.ask(self.routes.portfolio, "/portfolio/accounts")

    async def suppress(self, kinds: Sequence[str]) -> None:
        """Questions that need not be asked in this session."""
        body = encode({"messageIds": list(kinds)[:_MOST_SUPPRESSED]})
        await self.sending.send("POST", self.routes.session, "/iserver/questions/suppress", body=body)

    # -- orders ----------------------------------------------------------------------------------------------------

    async def place(
        self,
        account: str,
        tickets: Sequence[Mapping[str, Any]],
        lane: int = ENTRY,
        called: Callable[[int], None] | None = None,
    ) -> list[PlacedRow]:
        """Send one order, or those that belong together, once."""
        answer = await self.sending.send(
            "POST",
            self.routes.order,
            f"/iserver/account/{account}/orders",
            body=encode({"orders": tickets}),
            lane=lane,
            called=called,
        )
        return _placed(answer.body)

    async def reply(self, reply_id: str, confirmed: bool, lane: int = ENTRY) -> list[PlacedRow]:
        """Answer a question."""
        answer = await self.sending.send(
            "POST",
            self.routes.reply,
            f"/iserver/reply/{quote(reply_id, safe='')}",
            body=encode({"confirmed": confirmed}),
            lane=lane,
            most_wait_s=30.0,
        )
        return _placed(answer.body)

    async def modify(
        self, account: str, order_id: str, ticket: Mapping[str, Any], lane: int = ENTRY
    ) -> list[PlacedRow]:
        """Send a whole ticket for an order that is there."""
        path = f"/iserver/account/{account}/order/{quote(order_id)}"
        answer = await self.sending.send("POST", self.routes.amend, path, body=encode(ticket), lane=lane)
        return _placed(answer.body)

    async def cancel(self, account: str, order_id: str) -> None:
        """Ask for a cancel (-1: of every open order of the account)."""
        path = f"/iserver/account/{account}/order/{quote(order_id)}"
        await self.sending.send("DELETE", self.routes.cancel, path, lane=CANCEL, most_wait_s=30.0)

    async def orders(self, *, fresh: bool = False, lane: int = DATA) -> list[OrderRow]:
        """Today's orders. `fresh` lets the gateway forget what it remembers first.

        The first answers of a session may be empty whatever there is: an empty one counts only when it says that it is
        a snapshot, and when somebody has asked before.

        Raises:
            VenueDown: the list is still not ready after some tries.
        """
        if fresh:
            rows = (await self._orders("force=true", lane)).orders
            if rows:
                return rows
            self.orders_primed = True
        for _ in range(_TRIES):
            body = await self._orders("", lane)
            if body.orders:
                self.orders_primed = True
                return body.orders
            if body.snapshot and self.orders_primed:
                return []
            self.orders_primed = True
        raise VenueDown(VENUE, "the list of orders is not ready", "it is asked for again")

    @property
    def may_list_orders(self) -> bool:
        """Whether the list of orders may be asked for now."""
        limiter = self.pool.limiter
        return limiter.budgets["orders"].room(1, DATA, limiter.clock())

    async def _orders(self, query: str, lane: int) -> OrdersBody:
        answer = await self.asking.ask(self.routes.orders, "/iserver/account/orders", query, lane=lane)
        return decode(VENUE, answer.body, OrdersBody, what="the list of orders")

    async def trades(self, days: int = 2, *, lane: int = DATA) -> list[TradeRow]:
        """Executions of some days, today among them: by default of yesterday as well, a day may have begun since. The
        first answer of a session may be empty whatever there is."""
        query = urlencode({"days": days})
        while True:
            answer = await self.asking.ask(self.routes.trades, "/iserver/account/trades", query, lane=lane)
            rows = decode(VENUE, answer.body, list[TradeRow], what="the list of trades")
            primed, self.trades_primed = self.trades_primed, True
            if rows or primed:
                return rows

    async def status(self, order_id: str, *, lane: int = DATA) -> StatusBody:
        """One order by its number. One of another day may be a VenueDown (503)."""
        path = f"/iserver/account/order/status/{quote(order_id)}"
        answer = await self.asking.ask(self.routes.status, path, lane=lane, tries=2)
        return decode(VENUE, answer.body, StatusBody, what="an order's status")

    # -- the account -----------------------------------------------------------------------------------------------

    async def ledger(self, account: str) -> dict[str, LedgerRow]:
        """Balances by currency; BASE is all of them."""
        answer = await self.asking.ask(self.routes.account, f"/portfolio/{account}/ledger")
        return decode(VENUE, answer.body, dict[str, LedgerRow], what="the ledger")

    async def positions(self, account: str) -> list[PositionRow]:
        """Positions as they stand, not as they were when somebody asked last."""
        answer = await self.asking.ask(self.routes.account, f"/portfolio2/{account}/positions")
        return decode(VENUE, answer.body, list[PositionRow], what="the positions")

    # -- contracts and data ----------------------------------------------------------------------------------------

    async def stocks(self, symbol: str) -> Any:
        """Stocks of a symbol, everywhere."""
        query = urlencode({"symbols": symbol})
        answer = await self.asking.ask(self.routes.contract, "/trsrv/stocks", query, lane=HISTORY)
        return decode(VENUE, answer.body, what="the contracts")

    async def rules(self, conid: int) -> Any:
        """What a contract is, and which orders and steps it takes."""
        path = f"/iserver/contract/{conid}/info-and-rules"
        answer = await self.asking.ask(self.routes.contract, path, "isBuy=true", lane=HISTORY)
        return decode(VENUE, answer.body, what="a contract's rules")

    async def snapshot(self, conids: Sequence[int], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Fields of contracts now; the first answer for a contract holds none."""
        query = urlencode({"conids": ",".join(map(str, conids)), "fields": ",".join(fields)})
        answer = await self.charts.ask(
            self.routes.snapshot, "/iserver/marketdata/snapshot", query, lane=HISTORY
        )
        return decode(VENUE, answer.body, list[dict[str, Any]], what="a snapshot")

    async def history(self, query: Mapping[str, str]) -> bytes:
        """Bars of one contract; `bars.py` reads them."""
        answer = await self.charts.ask(
            self.routes.history, "/iserver/marketdata/history", urlencode(query), lane=HISTORY
        )
        return answer.body


def _nobody(reason: str) -> None:
    """Before there is a session nobody waits for the loss of one."""


def _placed(body: bytes) -> list[PlacedRow]:
    return decode(VENUE, body, list[PlacedRow], what="the answer to an order", deepest=0)


def _said(body: bytes) -> str:
    """The error text of a body, "" when it has none."""
    try:
        said = msgspec.json.decode(body[:65_536], type=ErrorBody).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""
