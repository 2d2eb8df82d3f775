"""Portfolio analyst: how the account did since it was opened here, and what was traded in it.

Lives here: the `/pa` routes. Not here: the account as it stands (money.py), executions as rows (rows.py).
"""

from time import gmtime, strftime
from typing import Any, Final

from workbench.model.orders import BUY
from workbench.model.scale import SCALE
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.account import Account
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.money import money_of
from workbench.testbed.ibkr.refusals import Refusal
from workbench.testbed.ibkr.words import amount
from workbench.testbed.market import DAY_NS

__all__ = ["Performance"]

_PERIODS: Final = ("1D", "7D", "MTD", "1M", "3M", "6M", "12M", "YTD")
_USUAL_DAYS: Final = 90


class Performance:
    """Reports on one account. It begins with the emulator: there are two figures, then and now."""

    def __init__(self, exchange: Exchange, account: Account, contracts: Contracts) -> None:
        self.exchange, self._account, self._contracts = exchange, account, contracts
        self._opened_ns = exchange.clock.now_ns()
        self._opening = amount(money_of(exchange).net)

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/pa/performance", self.performance),
            Route("POST", "/pa/allperiods", self.all_periods),
            Route("POST", "/pa/transactions", self.transactions),
        ]

    def _said(self, call: Call) -> dict[str, Any]:
        said = json_object(call.body)
        accounts = said.get("acctIds")
        if not isinstance(accounts, list) or not accounts:
            raise Refusal("Bad Request: acctIds is required", 400)
        for account in accounts:
            self._account.check(str(account))
        return said

    def _figures(self) -> tuple[list[str], list[float], list[float]]:
        """(days, values, returns since the beginning)."""
        now_ns = self.exchange.clock.now_ns()
        values = [self._opening, amount(money_of(self.exchange).net)]
        days = [_day(self._opened_ns), _day(max(now_ns, self._opened_ns))]
        return days, values, [0.0, values[1] / values[0] - 1 if values[0] else 0.0]

    def performance(self, call: Call) -> Answer:
        period = self._said(call).get("period", "1D")
        if period not in _PERIODS:
            raise Refusal(f"Bad Request: period {period} is not valid", 400)
        account, currency = self._account.account, self._account.currency
        days, values, returns = self._figures()
        who = {"idType": "acctid", "id": account, "baseCurrency": currency}
        span = {"start": days[0], "end": days[-1]}
        start = {"date": days[0], "val": values[0]}
        return Answer(
            {
                "currencyType": "base",
                "rc": 0,
                "nav": {"data": [{**who, **span, "navs": values, "startNAV": start}], "freq": "D", "dates": days},
                "nd": len(days),
                "cps": {"data": [{**who, **span, "returns": returns}], "freq": "D", "dates": days},
                "tpps": {"data": [{**who, **span, "returns": returns[-1:]}], "freq": "M", "dates": [days[-1][:6]]},
                "id": "getPerformanceData",
                "included": [account],
                "pm": "TWR",
            }
        )  # fmt: skip

    def all_periods(self, call: Call) -> Answer:
        self._said(call)
        account = self._account.account
        days, values, returns = self._figures()
        one = {
            "nav": values,
            "cps": returns,
            "freq": "D",
            "dates": days,
            "startNAV": {"date": days[0], "val": values[0]},
        }
        body: dict[str, Any] = {
            **dict.fromkeys(_PERIODS, one),
            "periods": list(_PERIODS),
            "baseCurrency": self._account.currency,
            "start": days[0],
            "end": days[-1],
            "lastSuccessfulUpdate": strftime("%Y-%m-%d %H:%M:%S", gmtime(self._now_s())),
        }
        return Answer(
            {
                account: body,
                "currencyType": "base",
                "rc": 0,
                "view": [account],
                "nd": len(days),
                "id": "getPerformanceAllPeriods",
                "included": [account],
                "pm": "TWR",
            }
        )

    def _now_s(self) -> int:
        return self.exchange.clock.shown_ns() // 1_000_000_000

    def transactions(self, call: Call) -> Answer:
        """Executions in some contracts of the last days, newest first."""
        said = self._said(call)
        conids, days = said.get("conids"), said.get("days", _USUAL_DAYS)
        if not isinstance(conids, list) or not conids:
            raise Refusal("Bad Request: conids is required", 400)
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            raise Refusal(f"Bad Request: days {days} is not valid", 400)
        wanted = {self._contracts.board(conid).listing.iid for conid in conids}
        now_ns = self.exchange.clock.now_ns()
        start_ns = now_ns - days * DAY_NS
        rows = []
        for execution in reversed(self.exchange.executions):
            order = self.exchange.orders[execution.order_id]
            if execution.ts_ns < start_ns or order.listing.iid not in wanted:
                continue
            sign = 1 if order.side == BUY else -1
            value = execution.qty_e8 * execution.px_e8 / SCALE**2
            rows.append(
                {
                    "date": strftime("%a %b %d 00:00:00 UTC %Y", gmtime(execution.ts_ns // 1_000_000_000)),
                    "rawDate": _day(execution.ts_ns),
                    "cur": self._account.currency,
                    "acctid": self._account.account,
                    "fxRate": 1,
                    "pr": amount(execution.px_e8),
                    "qty": sign * amount(execution.qty_e8),
                    "conid": self._contracts.conids[order.listing.iid],
                    "amt": round(-sign * value, 2),
                    "type": "Buy" if sign > 0 else "Sell",
                    "desc": order.listing.name.upper(),
                }
            )
        return Answer(
            {
                "rc": 0,
                "nd": days,
                "rpnl": {"data": [], "amt": "0"},
                "currency": self._account.currency,
                "from": start_ns // 1_000_000,
                "to": now_ns // 1_000_000,
                "id": "getTransactions",
                "includesRealTime": True,
                "transactions": rows,
            }
        )


def _day(ts_ns: int) -> str:
    return strftime("%Y%m%d", gmtime(ts_ns // 1_000_000_000))
