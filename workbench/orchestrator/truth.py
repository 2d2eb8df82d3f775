"""Books against fills against the broker. Differences are shown, never mended by an invented fill."""

from typing import Any

import msgspec

from workbench.brokers.contract import Broker, BrokerAccount, BrokerOrder
from workbench.engine import Engine
from workbench.model import Amend, Amended, AmendRefused, Order, Unsent, from_e8
from workbench.orchestrator.clock import SessionClock
from workbench.orchestrator.driver import Driver

__all__ = ["Difference", "differences", "reconcile", "settle_with_broker"]


class Difference(msgspec.Struct, frozen=True):
    """One figure on which the desk and its broker do not agree."""

    what: str
    ours: float
    theirs: float


def differences(engine: Engine, account: BrokerAccount) -> list[Difference]:
    """Position by position and cash: what the broker says and we do not, or the other way round."""
    ours = {iid: total.qty_e8 for iid, total in engine.ledger.totals.items() if total.qty_e8}
    theirs = {iid: qty for iid, qty in account.positions.items() if qty}
    found = [
        Difference(
            f"position {engine.book.symbol(iid)}", from_e8(ours.get(iid, 0)), from_e8(theirs.get(iid, 0))
        )
        for iid in sorted(ours.keys() | theirs.keys())
        if ours.get(iid, 0) != theirs.get(iid, 0)
    ]
    if engine.ledger.cash_e8 != account.cash_e8:
        found.append(Difference("cash", from_e8(engine.ledger.cash_e8), from_e8(account.cash_e8)))
    return found


def reconcile(engine: Engine, account: BrokerAccount) -> dict[str, Any]:
    """Three independent sums of the same thing: the ledger, the orders' fills (in the units of today), the broker."""
    filled = {iid: total.given_e8 for iid, total in engine.ledger.totals.items()}
    for order in engine.orders.by_id.values():
        if order.filled_e8:
            filled[order.iid] = filled.get(order.iid, 0) + order.side * order.filled_e8
    held = {iid: total.qty_e8 for iid, total in engine.ledger.totals.items()}
    by_strategy: dict[int, int] = {}
    for (_, iid), position in engine.ledger.positions.items():
        by_strategy[iid] = by_strategy.get(iid, 0) + position.qty_e8
    found = differences(engine, account)
    return {
        "positions_equal_sum_of_fills": _nonzero(held) == _nonzero(filled) == _nonzero(by_strategy),
        "positions_equal_broker": not any(d.what.startswith("position") for d in found),
        "cash_conserved": engine.ledger.balanced() and not any(d.what == "cash" for d in found),
        "open_orders_equal_broker": set(engine.orders.active) == set(account.open_orders),
        "differences": [msgspec.to_builtins(d) for d in found],
    }


async def settle_with_broker(engine: Engine, broker: Broker, driver: Driver, clock: SessionClock) -> int:
    """After a recovery: ask the broker about every order that was under way, and post what it proves.

    An order the broker has never heard of did not reach it: it ends as not sent, and is never sent again by itself. A
    broker that answers from copies which may lag goes on looking (`find_out`); the order stays unknown till it tells.
    An amendment that neither the reports nor the quantity there show did not arrive, and counts as refused, unless the
    broker can be asked for its prices (`took_hold`) and shows them.
    Returns how many orders were asked about.
    """
    asked = 0
    for order in list(engine.orders.active.values()):
        asked += 1
        known = await broker.order(order.client_id)
        if known is None:
            find_out = getattr(broker, "find_out", None)
            if find_out is not None and find_out(order.client_id, order.qty_e8):
                continue
            driver.post(Unsent(clock.now_ns(), order.order_id, f"broker knows no {order.client_id}"))
            continue
        for report in known.reports:
            driver.post(report)
        await driver.idle()
        amend = engine.orders.amending.get(order.order_id)
        took_hold = getattr(broker, "took_hold", None)
        if amend is not None and not (took_hold is not None and await took_hold(amend)):
            driver.post(_evidence(amend, order, known, clock.now_ns()))
    await driver.idle()
    return asked


def _evidence(amend: Amend, order: Order, known: BrokerOrder, now_ns: int) -> Amended | AmendRefused:
    """What the broker's word on an order says of a change that was under way."""
    if known.qty_e8 == amend.qty_e8 != order.qty_e8:
        values = (amend.qty_e8, amend.limit_px_e8, amend.stop_px_e8)
        return Amended(now_ns, order.order_id, *values, known.venue_id)
    return AmendRefused(now_ns, order.order_id, "LOST", "the broker shows no such change")


def _nonzero(quantities: dict[int, int]) -> dict[int, int]:
    return {iid: qty for iid, qty in quantities.items() if qty}
