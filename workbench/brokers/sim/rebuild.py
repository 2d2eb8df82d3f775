"""The built-in exchange after a restart: what the journal's reports said of it, nothing more.

The exchange lives in the engine's process and dies with it. Its truth is what it had reported: an acceptance makes an
order known, fills make positions and cash. What it did but had not reported never happened; an order whose
acceptance was not reported never arrived.

What was never reported, because nobody asks (which stops are triggered, how far a trailing stop has followed, which
exits work, what stands ahead in a queue), comes from the journal's market data: it passes by once more, and orders fill
and end as the reports say and not otherwise. The reports of an event stand before it in the journal, so they wait for
it; what no event takes up is booked as it stands.
"""

from collections.abc import Callable, Iterable

from msgspec import structs

from workbench.engine.match import ON_REQUEST, Match, Resting
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

type Reported = Accepted | Filled | Cancelled | Expired | Rejected | Amended


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
    telling.settle()
    return telling.known


class _Telling:
    """The journal being told to the exchange; what it asks meanwhile is `match.Told`."""

    def __init__(self, match: Match) -> None:
        self.match = match
        self.known: Known = {}
        self.submits: dict[int, Submit] = {}
        self.asked: dict[int, list[Amend]] = {}
        self._waiting: list[Reported] = []  # for the event that brought them, in order
        self._executions: set[str] = set()

    # -- what the exchange asks while the market passes ---------------------------------------------------------------

    def next_fill(self, order_id: int) -> Filled | None:
        for at, report in enumerate(self._waiting):
            if isinstance(report, Filled) and report.order_id == order_id:
                del self._waiting[at]
                return report
        return None

    def ends(self, order_id: int) -> bool:
        return any(
            report.order_id == order_id
            and type(report) in _ENDS
            and getattr(report, "reason", "") != ON_REQUEST
            for report in self._waiting
        )

    # -- what the journal tells ----------------------------------------------------------------------------------------

    def reported(self, report: Reported) -> None:
        """One report about one order. Once one waits all later ones do: they came after it."""
        order_id = report.order_id
        order = self.submits.get(order_id)
        if order is None or (isinstance(report, Filled) and report.exec_id in self._executions):
            return
        if isinstance(report, Filled):
            self._executions.add(report.exec_id)
        self.known.setdefault(order_id, (order, []))[1].append(report)
        if self._waiting or not self._at_once(report):
            self._waiting.append(report)
        else:
            self._apply(report)

    def _at_once(self, report: Reported) -> bool:
        """Whether a report answers a request, or follows from such an answer, and no event of the market."""
        resting = self.match.orders.get(report.order_id)
        if isinstance(report, Accepted | Rejected) or resting is None:
            return True
        if isinstance(report, Filled):
            return self.match.filled_on_arrival(resting)
        if resting.state != "open":
            return True
        if isinstance(report, Amended):
            return self._is_known(resting, report)
        return isinstance(report, Cancelled) and report.reason == ON_REQUEST

    def passes(self, event: Bar | BarSlice | Quote | Trade | Split | Dividend) -> None:
        """The market passes by: what was reported happens, and nothing else does."""
        match = self.match
        match.told = self
        try:
            self._keep(match.on_market(event))
        finally:
            match.told = None
        self.settle()

    def settle(self) -> None:
        """Book what was reported and no event has brought."""
        waiting, self._waiting = self._waiting, []
        for report in waiting:
            self._apply(report)

    def _apply(self, report: Reported) -> None:
        order_id = report.order_id
        if order_id not in self.match.orders and not isinstance(report, Rejected):
            self._made(self.match.take, self.submits[order_id])
        resting = self.match.orders.get(order_id)
        if resting is None:
            return
        if isinstance(report, Filled):
            self._made(self.match.filled, resting, report, report.ts_ns)
            self.match.woken.clear()
        elif isinstance(report, Amended):
            self._amended(resting, report)
        elif type(report) in _ENDS and resting.state == "open":
            self._made(self.match.end, resting, _ENDS[type(report)], report.ts_ns)

    def _is_known(self, resting: Resting, report: Amended) -> bool:
        """Whether an amendment answers a request, or only repeats what holds already (what a group left of a new order
        is known with the order)."""
        order = resting.order
        if _values(report) == (order.qty_e8, order.limit_px_e8, order.stop_px_e8):
            return True
        return any(_values(amend) == _values(report) for amend in self.asked.get(report.order_id, ()))

    def _amended(self, resting: Resting, report: Amended) -> None:
        if resting.state != "open":
            return
        order, values = resting.order, _values(report)
        wanted = structs.replace(order, qty_e8=values[0], limit_px_e8=values[1], stop_px_e8=values[2])
        asked = self.asked.get(report.order_id, [])
        for at, amend in enumerate(asked):
            if _values(amend) == values:
                del asked[: at + 1]
                self.match.change(resting, wanted, amend.ts_ns)
                return
        resting.holds(wanted)  # the venue's own doing: its group, its parent, a split
        resting.amended_ns = report.ts_ns
        if not self.match.is_tied(order):
            resting.full_e8 = wanted.qty_e8

    # -- what follows --------------------------------------------------------------------------------------------------

    def _made(self, change: Callable[..., object], *values: object) -> None:
        reports: list[Report] = []
        change(*values, reports)
        self._keep(reports)

    def _keep(self, reports: list[Report]) -> None:
        """What followed from a report and was not reported itself any more: whoever asks for the order is told."""
        for report in reports:
            if isinstance(report, Filled) or report.order_id not in self.known:
                continue
            told = self.known[report.order_id][1]
            if isinstance(report, Amended):
                if not any(isinstance(r, Amended) and _values(r) == _values(report) for r in told):
                    told.append(report)
            elif not any(type(r) in _ENDS for r in told):
                told.append(report)


def _values(words: Amend | Amended) -> tuple[int, int, int]:
    return words.qty_e8, words.limit_px_e8, words.stop_px_e8
