"""The built-in exchange after a restart: what the journal's reports said of it, nothing more.

The exchange lives in the engine's process and dies with it. Its truth is what it had reported: an acceptance makes an
order known, fills make positions and cash. What it did but had not reported never happened; an order whose
acceptance was not reported never arrived.
"""

from collections.abc import Iterable

import numpy as np

from workbench.engine.match import Match
from workbench.model.effects import Submit
from workbench.model.market import Bar, BarSlice, Quote, Trade
from workbench.model.orders import BUY
from workbench.model.records import Record
from workbench.model.reports import Accepted, Cancelled, Expired, Filled, Rejected, Report
from workbench.model.scale import notional_e8

__all__ = ["rebuilt"]

type Known = dict[int, tuple[Submit, list[Report]]]

_ENDS = {Cancelled: "cancelled", Expired: "expired"}


def rebuilt(match: Match, records: Iterable[Record]) -> Known:
    """Fill a fresh `match` from the records of a journal; returns the orders known, with their reports."""
    submits: dict[int, Submit] = {}
    known: Known = {}
    executions: set[str] = set()
    for record in records:
        if isinstance(record, Submit):
            submits[record.order_id] = record
        elif isinstance(record, Bar | BarSlice | Quote | Trade):
            _saw(match, record)
        elif isinstance(record, Accepted | Filled | Cancelled | Expired | Rejected):
            order = submits.get(record.order_id)
            if order is None or (isinstance(record, Filled) and record.exec_id in executions):
                continue
            if record.order_id not in known:
                known[record.order_id] = (order, [])
                if not isinstance(record, Rejected):
                    match.submit(order)
            known[record.order_id][1].append(record)
            if isinstance(record, Filled):
                executions.add(record.exec_id)
            _book(match, order, record)
    return known


def _book(match: Match, order: Submit, report: Report) -> None:
    resting = match.orders.get(order.order_id)
    if resting is None:
        return
    if isinstance(report, Filled):
        match.cash_e8 -= notional_e8(report.px_e8, order.side * report.qty_e8) + report.fee_e8
        match.fees_e8 += report.fee_e8
        match.positions[order.iid] = match.positions.get(order.iid, 0) + order.side * report.qty_e8
        resting.filled_e8 += report.qty_e8
        resting.fills += 1
        resting.triggered = True
    ended = "filled" if resting.filled_e8 == order.qty_e8 else _ENDS.get(type(report))
    if ended is not None and resting.state == "open":
        match.end(resting, ended)


def _saw(match: Match, event: Bar | BarSlice | Quote | Trade) -> None:
    """Note the market's time, and the stops it set off: a stop-limit order may rest as a limit order since."""
    if isinstance(event, BarSlice):
        rows = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5).tolist()
        for iid, row in zip(np.frombuffer(event.iids, "<i4").tolist(), rows, strict=True):
            _saw(match, Bar(event.ts_ns, iid, *row))
        return
    for resting in match.resting(event.iid):
        if not resting.triggered and resting.order.ts_ns < event.ts_ns:
            buys = resting.order.side == BUY
            if isinstance(event, Bar):
                resting.at(event.high if buys else event.low)
            elif isinstance(event, Quote):
                resting.at(event.ask if buys else event.bid)
            else:
                resting.at(event.px)
    match.saw(event.iid, event.ts_ns, bar=isinstance(event, Bar))
