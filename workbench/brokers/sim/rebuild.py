"""The built-in exchange after a restart: what the journal's reports said of it, nothing more.

The exchange lives in the engine's process and dies with it. Its truth is what it had reported: an acceptance makes an
order known, fills make positions and cash. What it did but had not reported never happened; an order whose
acceptance was not reported never arrived.

What was never reported, because nobody asks (which stops are triggered, how far a trailing stop has followed, which
children work), comes from the journal's market data: it passes by once more, and orders fill as the reports say and
not otherwise. The reports of an event stand before it in the journal, so they wait for it.
"""

from collections.abc import Callable, Iterable

from msgspec import structs

from workbench.engine.match import Match, Resting
from workbench.model.effects import Amend, Submit
from workbench.model.market import Bar, BarSlice, Dividend, Quote, Split, Trade
from workbench.model.records import Record
from workbench.model.reports import (
    Accepted,
    Amended,
    AmendRefused,
    Cancelled,
    CashMoved,
    Expired,
    Filled,
    Rejected,
    Report,
)

__all__ = ["rebuilt"]

type Known = dict[int, tuple[Submit, list[Report]]]

_ENDS = {Cancelled: "cancelled", Expired: "expired"}
_MARKET = (Bar, BarSlice, Quote, Trade, Split, Dividend)


def rebuilt(match: Match, records: Iterable[Record]) -> Known:
    """Fill a fresh `match` from the records of a journal; returns the orders known, with their reports."""
    telling = _Telling(match)
    for record in records:
        if isinstance(record, Submit):
            telling.submits[record.order_id] = record
        elif isinstance(record, Amend):
            telling.asked.setdefault(record.order_id, []).append(record)
        elif isinstance(record, _MARKET):
            telling.passes(record)
        elif isinstance(record, CashMoved):
            match.move_cash(record, [])
        elif isinstance(record, AmendRefused):
            asked = telling.asked.get(record.order_id)
            if asked:
                asked.pop(0)
        elif isinstance(record, Accepted | Filled | Cancelled | Expired | Rejected | Amended):
            telling.reported(record)
    for order_id in list(telling.fills):
        telling.book(order_id)
    return telling.known


class _Telling:
    """The journal being told to the exchange."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.known: Known = {}
        self.submits: dict[int, Submit] = {}
        self.asked: dict[int, list[Amend]] = {}
        self.fills: dict[int, list[Filled]] = {}  # reported, and waiting for the event that brought them
        self._executions: set[str] = set()

    def reported(self, report: Accepted | Filled | Cancelled | Expired | Rejected | Amended) -> None:
        """One report about one order."""
        order_id = report.order_id
        order = self.submits.get(order_id)
        if order is None or (isinstance(report, Filled) and report.exec_id in self._executions):
            return
        if order_id not in self.known:
            self.known[order_id] = (order, [])
            if not isinstance(report, Rejected):
                self.match.accept(order)
        self.known[order_id][1].append(report)
        resting = self.match.orders.get(order_id)
        if resting is None:
            return
        if isinstance(report, Filled):
            self._executions.add(report.exec_id)
            self.fills.setdefault(order_id, []).append(report)
            if self.match.filled_on_arrival(resting):
                self.book(order_id)
        elif isinstance(report, Amended):
            self._amended(resting, report)
        elif type(report) in _ENDS:
            self.book(order_id)
            if resting.state == "open":
                self._made(self.match.end, resting, _ENDS[type(report)], report.ts_ns)

    def _amended(self, resting: Resting, report: Amended) -> None:
        values = (report.qty_e8, report.limit_px_e8, report.stop_px_e8)
        wanted = structs.replace(resting.order, qty_e8=values[0], limit_px_e8=values[1], stop_px_e8=values[2])
        asked = self.asked.get(report.order_id, [])
        for at, amend in enumerate(asked):
            if (amend.qty_e8, amend.limit_px_e8, amend.stop_px_e8) == values:
                del asked[: at + 1]
                self.match.change(resting, wanted, amend.ts_ns)
                return
        resting.holds(wanted)  # the venue's own doing: its group, its parent, a split
        resting.amended_ns = report.ts_ns

    def passes(self, event: Bar | BarSlice | Quote | Trade | Split | Dividend) -> None:
        """The market passes by: what was reported happens, and nothing else does."""
        match = self.match
        match.told = self._next
        try:
            self._keep([report for report in match.on_market(event) if not isinstance(report, Filled)])
        finally:
            match.told = None
        for order_id in list(self.fills):
            if isinstance(event, BarSlice) or match.orders[order_id].order.iid == event.iid:
                self.book(order_id)

    def _next(self, order_id: int) -> Filled | None:
        fills = self.fills.get(order_id)
        if not fills:
            return None
        fill = fills.pop(0)
        if not fills:
            del self.fills[order_id]
        return fill

    def book(self, order_id: int) -> None:
        """Book what was reported of an order and no event has brought."""
        for fill in self.fills.pop(order_id, ()):
            self._made(self.match.filled, self.match.orders[order_id], fill, fill.ts_ns)
        self.match.woken.clear()

    def _made(self, change: Callable[..., None], *values: object) -> None:
        reports: list[Report] = []
        change(*values, reports)
        self._keep([report for report in reports if not isinstance(report, Filled)])

    def _keep(self, reports: list[Report]) -> None:
        """What followed from a report and was not reported itself any more: whoever asks for the order is told."""
        for report in reports:
            if report.order_id in self.known:
                self.known[report.order_id][1].append(report)
