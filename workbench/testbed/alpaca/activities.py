"""Alpaca's account activities: fills, the fees they cost, and cash that came or went without a trade.

Lives here: the routes and their pages. Not here: the account itself (account.py), how a fill is written (bodies.py).

A fee is an entry of its own, as at the venue, which books regulatory fees apart from the trade. There they come at the
day's end; here with the fill, so that books can be compared at any time.
"""

from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any, Final, NamedTuple

from workbench.testbed.alpaca.bodies import activity_id, fill_body
from workbench.testbed.alpaca.refusals import malformed
from workbench.testbed.alpaca.words import rfc3339, text, wanted_ns
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.orders import Execution

__all__ = ["Activities"]

_MOST: Final = 100
_TRADES: Final = frozenset({"FILL"})


class Entry(NamedTuple):
    """One activity; its id and its body are made when they are asked for: there may be many thousands."""

    ts_ns: int
    kind: str
    token: Callable[[], str]
    body: Callable[[], dict[str, Any]]


class Activities:
    """The activity routes over one exchange."""

    def __init__(self, exchange: Exchange, account_id: str) -> None:
        self.exchange, self.account_id = exchange, account_id

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/account/activities", self.list),
            Route("GET", "/v2/account/activities/{kind}", self.list),
        ]

    def list(self, call: Call) -> Answer:
        """Entries of the kinds asked for, the newest first; `page_token` is the id of the last one had."""
        query = call.query
        size = query.get("page_size", str(_MOST))
        if not size.isdigit() or not 1 <= int(size) <= _MOST:
            raise malformed("page_size must be between 1 and 100")
        wanted = _wanted(call)
        found = [entry for entry in self._entries() if wanted(entry.kind) and _within(entry.ts_ns, query)]
        found.sort(key=attrgetter("ts_ns"), reverse=query.get("direction") != "asc")
        token = query.get("page_token")
        if token:
            place = next((at for at, entry in enumerate(found) if entry.token() == token), None)
            if place is None:
                raise malformed("invalid page_token")
            found = found[place + 1 :]
        return Answer([entry.body() for entry in found[: int(size)]])

    def _entries(self) -> Iterator[Entry]:
        for execution in self.exchange.executions:
            token = partial(activity_id, execution)
            yield Entry(execution.ts_ns, "FILL", token, partial(self._fill, execution))
            if execution.fee_e8:
                fee = partial(_fee_id, execution)
                yield Entry(execution.ts_ns, "FEE", fee, partial(self._fee, execution))
        for number, (ts_ns, amount_e8) in enumerate(self.exchange.cash_moves):
            kind, name = "CSD" if amount_e8 > 0 else "CSW", f"{_day(ts_ns)}000000000::cash-{number}"
            body = partial(self._cash, name, kind, ts_ns, amount_e8, "by hand")
            yield Entry(ts_ns, kind, partial(str, name), body)

    def _fill(self, execution: Execution) -> dict[str, Any]:
        return fill_body(execution, self.exchange.orders[execution.order_id], self.account_id)

    def _fee(self, execution: Execution) -> dict[str, Any]:
        symbol = self.exchange.orders[execution.order_id].listing.symbol
        said = f"fee of {text(execution.qty_e8)} {symbol}"
        return self._cash(_fee_id(execution), "FEE", execution.ts_ns, -execution.fee_e8, said)

    def _cash(self, token: str, kind: str, ts_ns: int, amount_e8: int, description: str) -> dict[str, Any]:
        return {
            "id": token,
            "account_id": self.account_id,
            "activity_type": kind,
            "activity_sub_type": "",
            "date": rfc3339(ts_ns)[:10],
            "created_at": rfc3339(ts_ns),
            "net_amount": text(amount_e8),
            "description": description,
            "status": "executed",
        }


def _day(ts_ns: int) -> str:
    return rfc3339(ts_ns)[:10].replace("-", "")


def _fee_id(execution: Execution) -> str:
    return f"{activity_id(execution)}-fee"


def _wanted(call: Call) -> Callable[[str], bool]:
    asked = call.path.get("kind") or call.query.get("activity_types", "")
    category = call.query.get("category", "")
    if category not in ("", "trade_activity", "non_trade_activity"):
        raise malformed("category must be trade_activity or non_trade_activity")
    if asked and category:
        raise malformed("cannot use category with activity_types")
    if asked:
        return frozenset(asked.upper().split(",")).__contains__
    if category:
        trades = category == "trade_activity"
        return lambda kind: (kind in _TRADES) == trades
    return lambda _: True


def _within(entry_ns: int, query: dict[str, str]) -> bool:
    for name, sign in (("after", 1), ("until", -1)):
        if query.get(name):
            ts_ns = wanted_ns(query[name])
            if ts_ns is None:
                raise malformed(f"invalid {name}")
            if (entry_ns - ts_ns) * sign <= 0:
                return False
    if query.get("date"):
        return rfc3339(entry_ns)[:10] == query["date"][:10]
    return True
