"""Looking orders up: live orders, one order's status, trades.

Lives here: those routes. Not here: what a row says (rows.py), changing orders (orders.py).
"""

from itertools import chain
from typing import Any, Final

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.asked import truth
from workbench.testbed.ibkr.numbers import Numbers
from workbench.testbed.ibkr.quirks import Quirks
from workbench.testbed.ibkr.refusals import Refusal, accounts_first, unavailable
from workbench.testbed.ibkr.rows import live_row, status_row, trade_row
from workbench.testbed.ibkr.session import Session
from workbench.testbed.ibkr.words import FILTERS, status_of
from workbench.testbed.market import DAY_NS
from workbench.testbed.orders import Execution, VenueOrder

__all__ = ["Lists"]

_MOST_ORDERS: Final = 1_000
_MOST_DAYS: Final = 7
_FRESH_NS: Final = 30_000_000_000


class Lists:
    """The look-ups of one account."""

    def __init__(
        self, exchange: Exchange, session: Session, account: Account, numbers: Numbers, quirks: Quirks
    ) -> None:
        self.exchange, self.session = exchange, session
        self._account, self._numbers, self._quirks = account, numbers, quirks
        self._cleared_ns = -_FRESH_NS

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/iserver/account/orders", self.live),
            Route("GET", "/iserver/account/order/status/{order_id}", self.status),
            Route("GET", "/iserver/account/trades", self.trades),
            Route("GET", "/iserver/account/trades/", self.trades),
        ]

    def live(self, call: Call) -> Answer:
        """Orders of today, finished ones too, and those that are open.

        `force` clears what the gateway remembers: that answer is empty, the next ones are not. Filters silence the live
        updates until somebody forces.
        """
        if not self.session.accounts_asked:
            raise accounts_first()
        if call.query.get("accountId"):
            self._account.check(call.query["accountId"])
        wanted = _filters(call.query.get("filters", ""))
        session, now_ns = self.session, self.exchange.clock.now_ns()
        if wanted:
            session.filtered = True
        if truth(call.query.get("force")):
            session.filtered, session.orders_read = False, True
            if now_ns - self._cleared_ns > _FRESH_NS:
                self._cleared_ns = now_ns
                return Answer({"orders": [], "snapshot": False})
        elif not session.orders_read:
            session.orders_read = True
            if self._quirks.hit("cold_orders"):
                return Answer({"orders": [], "snapshot": False})
        return Answer({"orders": self.rows(wanted), "snapshot": True})

    def rows(self, wanted: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
        """Rows of today's orders, open ones first, newest first; a list that is full lacks ended ones."""
        now_ns, account = self.exchange.clock.now_ns(), self._account.account
        today_ns = now_ns // DAY_NS * DAY_NS
        ended = (
            order
            for order in reversed(self.exchange.orders.values())
            if not order.is_open and order.updated_ns >= today_ns
        )
        found: list[VenueOrder] = []
        for order in chain(reversed(self.exchange.open.values()), ended):
            if not wanted or status_of(order).lower() in wanted:
                self._numbers.give(order)
                found.append(order)
                if len(found) == _MOST_ORDERS:
                    break
        return [live_row(order, account, self.exchange) for order in found]

    def status(self, call: Call) -> Answer:
        """One order; a number nobody knows finds the back end speechless."""
        order = self._numbers.find(call.path["order_id"])
        if order is None:
            raise unavailable()
        return Answer(status_row(order, self._account.account))

    def trades(self, call: Call) -> Answer:
        """Executions, newest first, of up to seven days."""
        given = call.query.get("days", "1")
        if not (given.isascii() and given.isdigit()) or not 1 <= int(given) <= _MOST_DAYS:
            raise Refusal(f"Bad Request: days {given} is not 1 to {_MOST_DAYS}", 400)
        if not self.session.trades_read:
            self.session.trades_read = True
            if self._quirks.hit("cold_trades"):
                return Answer([])
        return Answer(self.trade_rows(int(given)))

    def trade_rows(self, days: int) -> list[dict[str, Any]]:
        """Rows of the executions of some days, newest first."""
        start_ns = (self.exchange.clock.now_ns() // DAY_NS - days + 1) * DAY_NS
        rows = []
        for execution in reversed(self.exchange.executions):
            if execution.ts_ns < start_ns:
                break
            rows.append(self.trade_row(execution))
        return rows

    def trade_row(self, execution: Execution) -> dict[str, Any]:
        order = self.exchange.orders[execution.order_id]
        self._numbers.give(order)
        return trade_row(order, execution, self._account.account)


def _filters(given: str) -> frozenset[str]:
    """Filters as lower-case statuses without underscores; what only sorts is no filter."""
    wanted = {part.strip().lower().replace("_", "") for part in given.split(",") if part.strip()}
    if wanted - FILTERS:
        raise Refusal(f"Bad Request: filters {given} is not valid", 400)
    return frozenset(wanted - {"sortbytime"})
