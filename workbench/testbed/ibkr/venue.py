"""The gateway, put together: sessions, pacing, routes, the socket, addresses.

Lives here: what stands before every route. Not here: the routes (session_routes.py, account.py, portfolio.py,
contracts.py, data.py, orders.py, lists.py, scanners.py, watchlists.py, performance.py, absent.py), the socket
(socket.py).

Everything is below /v1/api.
"""

from collections.abc import Awaitable, Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, Final

from workbench.testbed.call import Answer, Call, Reply, Route
from workbench.testbed.emulator import new_secret
from workbench.testbed.exchange import Exchange
from workbench.testbed.faults import Fault
from workbench.testbed.ibkr.absent import absent_routes
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.data import Data
from workbench.testbed.ibkr.fields import Fields
from workbench.testbed.ibkr.lists import Lists
from workbench.testbed.ibkr.numbers import Numbers
from workbench.testbed.ibkr.orders import Orders
from workbench.testbed.ibkr.pacing import Pacing
from workbench.testbed.ibkr.performance import Performance
from workbench.testbed.ibkr.portfolio import Portfolio
from workbench.testbed.ibkr.questions import Questions
from workbench.testbed.ibkr.quirks import Quirks, quirk_of
from workbench.testbed.ibkr.refusals import Refusal, fault_answer, no_bridge, no_login, too_many, unavailable
from workbench.testbed.ibkr.scanners import Scanners
from workbench.testbed.ibkr.segments import Segments
from workbench.testbed.ibkr.session import Session
from workbench.testbed.ibkr.session_routes import SessionRoutes
from workbench.testbed.ibkr.socket import Gateway
from workbench.testbed.ibkr.tickets import Tickets
from workbench.testbed.ibkr.trading_days import TradingDays
from workbench.testbed.ibkr.watchlists import WatchLists
from workbench.testbed.venue import EmulatorSettings, Socket

__all__ = ["IbkrVenue"]

_ROOT: Final = "/v1/api"
_DATA_LOST: Final = (0, 1101)


class IbkrVenue:
    """A gateway with one paper account, logged in."""

    name = "ibkr"

    def __init__(self, exchange: Exchange, settings: EmulatorSettings) -> None:
        self.exchange = exchange
        self.key = "user" + new_secret(6, settings.seed).lower()
        self.secret = new_secret(24, settings.seed + 1)
        self.account = "DU" + "".join(str(ord(c) % 10) for c in new_secret(7, settings.seed + 2))
        self.pacing = Pacing(lifted=not settings.limits)
        quirks = Quirks(exchange.faults)
        self.numbers = Numbers(exchange, settings.seed)
        self.session = Session(exchange.clock, settings.seed, self.key)
        contracts = Contracts(exchange, self.account)
        fields = Fields(exchange, contracts)
        account = Account(exchange, self.session, self.account)
        portfolio = Portfolio(exchange, self.session, account, contracts, quirks)
        self._data = Data(exchange, self.session, contracts, fields, limited=settings.limits)
        self._questions = Questions(exchange, self.session, quirks)
        tickets = Tickets(contracts, self.account)
        orders = Orders(
            exchange, self.session, account, tickets, self._questions, self.numbers, quirks, settings
        )
        lists = Lists(exchange, self.session, account, self.numbers, quirks)
        self._session_routes = SessionRoutes(self.session)
        self._parts: tuple[Any, ...] = (
            self._session_routes,
            account,
            Segments(exchange, account),
            portfolio,
            contracts,
            TradingDays(exchange, contracts),
            self._data,
            orders,
            lists,
            Scanners(exchange, contracts, fields),
            WatchLists(exchange, contracts),
            Performance(exchange, account, contracts),
        )
        self.gateway = Gateway(exchange, self.session, account, portfolio, fields, self._data, lists, quirks)
        self.session.sinks.append(self._questions.forget)
        exchange.faults.added.append(self._fault_added)
        exchange.faults.removed.append(self._fault_removed)

    def routes(self) -> Iterable[Route]:
        for route in [route for part in self._parts for route in part.routes()] + absent_routes():
            yield Route(route.method, _ROOT + route.path, _refusals_answered(route.reply), open=route.open)

    def sockets(self) -> Iterable[Socket]:
        yield Socket(f"{_ROOT}/ws", "ws", self.gateway.serve)

    def guard(self, call: Call) -> Answer | None:
        """Pacing first, then the login, then the brokerage session for what needs it."""
        session, now_ns = self.session, call.ts_ns
        path = call.route.path.removeprefix(_ROOT)
        if not self.pacing.allows(path, now_ns / 1e9):
            return too_many()
        session.touch(now_ns)
        if not session.logged_in:
            return no_login()
        if path.startswith("/iserver") and not call.route.open:
            if not session.linked:
                return unavailable().answer()
            if not session.brokerage:
                return no_bridge()
        return None

    def refuse(self, status: int, text: str) -> Answer:
        return fault_answer(status, text)

    def addresses(self, root: str) -> dict[str, str]:
        return {"rest": root + _ROOT, "ws": f"{root.replace('http', 'ws', 1)}{_ROOT}/ws"}

    def lift_limits(self, lifted: bool) -> None:
        self.pacing.lifted = lifted
        self._data.limited = not lifted

    def nightly_reset(self) -> None:
        """The brokerage session ends as it does each night; the login stays."""
        self.session.drop()

    def console_calls(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """Calls of the console that only this venue has."""
        return {"login": self._session_routes.by_hand}

    # -- quirks that are no single request's -----------------------------------------------------------------------

    def _fault_added(self, fault: Fault) -> None:
        quirk = quirk_of(fault)
        if quirk == "competing":
            self.session.take_over()
        elif quirk == "link":
            self.session.set_link(False)
        elif quirk == "relogin":
            self.session.renew()
        elif quirk == "id_rollback":
            self.numbers.rollback()
        elif quirk == "bulletin":
            self.gateway.notify(fault.text or "Emulated bulletin")

    def _fault_removed(self, fault: Fault) -> None:
        quirk = quirk_of(fault)
        if quirk == "competing":
            self.session.competing = False
        elif quirk == "link":
            if fault.code in _DATA_LOST:
                self.session.started.clear()
            self.gateway.linked(data_lost=fault.code in _DATA_LOST)


def _refusals_answered(reply: Reply) -> Reply:
    if iscoroutinefunction(reply):

        async def awaited(call: Call) -> Answer:
            try:
                answer: Answer = await reply(call)
            except Refusal as refusal:
                return refusal.answer()
            return answer

        return awaited

    def answered(call: Call) -> Answer | Awaitable[Answer]:
        try:
            return reply(call)
        except Refusal as refusal:
            return refusal.answer()

    return answered
