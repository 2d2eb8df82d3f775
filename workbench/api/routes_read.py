"""Routes that only look: the snapshot and its parts, orders and their traces, metrics, the document itself."""

from workbench.api.answers import Raw
from workbench.api.bodies import Done, OrdersQuery, RowsQuery, SinceQuery
from workbench.api.route import Call, Route
from workbench.errors import UnknownName
from workbench.model.orders import STATE_NAMES
from workbench.model.snapshot import (
    AccountHistoryRow,
    AccountRow,
    AlertRow,
    DifferenceRow,
    FillRow,
    HealthRow,
    LatencyRow,
    OrderRow,
    PositionRow,
    RefusalRow,
    SessionRow,
    Snapshot,
    StrategyRow,
    TraceRow,
    VenueAccountRow,
)

__all__ = ["ROUTES"]

_V1 = "/api/v1"


def _healthz(call: Call) -> Done:
    return Done()


def _openapi(call: Call) -> Raw:
    from workbench.api.openapi import document_bytes

    return Raw(document_bytes(), "application/json; charset=utf-8")


def _metrics(call: Call) -> Raw:
    return Raw(call.services.metrics_text(), "text/plain; version=0.0.4; charset=utf-8")


def _orders(call: Call) -> list[OrderRow]:
    query: OrdersQuery = call.query
    if query.state is not None and query.state not in STATE_NAMES:
        raise UnknownName("state", query.state, STATE_NAMES)
    return list(call.desk.orders(limit=query.limit, strategy_id=query.strategy_id, state=query.state))


def _order(call: Call) -> OrderRow:
    return call.desk.order(call.id)


def _trace(call: Call) -> TraceRow:
    return call.desk.trace(call.id)


def _last_fills(call: Call) -> list[FillRow]:
    return call.desk.snapshot().fills[-call.query.limit :]


def _account_history(call: Call) -> list[AccountHistoryRow]:
    return list(call.desk.account_history(call.query.since_ns))


def _last_refusals(call: Call) -> list[RefusalRow]:
    return call.desk.snapshot().refusals[-call.query.limit :]


ROUTES: tuple[Route, ...] = (
    Route("GET", "/healthz", "", "The process answers", _healthz, Done),
    Route("GET", "/openapi.json", "view", "This document", _openapi, bytes),
    Route("GET", "/metrics", "view", "Prometheus text", _metrics, bytes, content_type="text/plain"),
    Route(
        "GET", f"{_V1}/snapshot", "view", "Everything at one instant", lambda c: c.desk.snapshot(), Snapshot
    ),
    Route(
        "GET",
        f"{_V1}/session",
        "view",
        "Mode, state, market",
        lambda c: c.desk.snapshot().session,
        SessionRow,
    ),
    Route(
        "GET", f"{_V1}/account", "view", "Cash and equity", lambda c: c.desk.snapshot().account, AccountRow
    ),
    Route(
        "GET",
        f"{_V1}/accounts",
        "view",
        "The accounts at venues: state, allowances, streams",
        lambda c: c.desk.snapshot().accounts,
        list[VenueAccountRow],
    ),
    Route(
        "GET",
        f"{_V1}/accounts/history",
        "view",
        "Their last quarter of an hour, second by second",
        _account_history,
        list[AccountHistoryRow],
        query=SinceQuery,
    ),
    Route(
        "GET",
        f"{_V1}/differences",
        "view",
        "Figures on which the desk and its brokers do not agree",
        lambda c: c.desk.snapshot().differences,
        list[DifferenceRow],
    ),
    Route(
        "GET",
        f"{_V1}/positions",
        "view",
        "Positions by strategy, and the account's totals under strategy -1",
        lambda c: c.desk.snapshot().positions,
        list[PositionRow],
    ),
    Route("GET", f"{_V1}/orders", "view", "Orders, newest last", _orders, list[OrderRow], query=OrdersQuery),
    Route("GET", f"{_V1}/orders/{{id}}", "view", "One order", _order, OrderRow),
    Route("GET", f"{_V1}/orders/{{id}}/trace", "view", "One order's time by stage", _trace, TraceRow),
    Route(
        "GET", f"{_V1}/fills", "view", "Last fills, newest last", _last_fills, list[FillRow], query=RowsQuery
    ),
    Route(
        "GET",
        f"{_V1}/refusals",
        "view",
        "Last risk refusals",
        _last_refusals,
        list[RefusalRow],
        query=RowsQuery,
    ),
    Route(
        "GET",
        f"{_V1}/strategies",
        "view",
        "Placed strategies",
        lambda c: c.desk.snapshot().strategies,
        list[StrategyRow],
    ),
    Route(
        "GET",
        f"{_V1}/latency",
        "view",
        "Latency by stage against its budget",
        lambda c: c.desk.snapshot().latency,
        list[LatencyRow],
    ),
    Route("GET", f"{_V1}/health", "view", "Engine health", lambda c: c.desk.snapshot().health, HealthRow),
    Route("GET", f"{_V1}/alerts", "view", "Alerts", lambda c: c.desk.snapshot().alerts, list[AlertRow]),
)
