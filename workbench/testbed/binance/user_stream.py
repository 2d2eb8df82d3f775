"""What Binance tells an account of itself: execution reports, balances, lists. Over the WebSocket API alone.

Lives here: the events and who hears them. Not here: subscribing (ws_api.py), what happens (orders.py, lists.py).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from workbench.model.scale import notional_e8
from workbench.testbed.binance.balances import Balances
from workbench.testbed.binance.bodies import (
    OrderList,
    client_id_of,
    commission_asset,
    list_of,
    list_shown,
    status_of,
)
from workbench.testbed.binance.words import SIDE_WORDS, text8
from workbench.testbed.orders import Execution, OrderEvent, VenueOrder
from workbench.testbed.stream import Link

__all__ = ["Subscription", "UserStream"]

_encode = msgspec.json.Encoder().encode
_TYPES: Final = {"new": "NEW", "held": "NEW", "fill": "TRADE", "amended": "REPLACED", "expired": "EXPIRED"}

type Time = Callable[[int], int]
type Body = Callable[[Time], dict[str, Any]]


class Subscription:
    """One subscription of one connection; `of_session` ends when its session logs out."""

    __slots__ = ("link", "micro", "number", "of_session")

    def __init__(self, link: Link, number: int, *, micro: bool, of_session: bool) -> None:
        self.link, self.number, self.micro, self.of_session = link, number, micro, of_session


class UserStream:
    """The account's events and its subscriptions."""

    def __init__(self, balances: Balances) -> None:
        self.balances, self.exchange = balances, balances.exchange
        self.subscriptions: dict[tuple[Link, int], Subscription] = {}
        self._held: list[tuple[str, Body]] | None = None
        self.reports = 0  # execution reports so far
        self.exchange.sinks.append(self._told)

    # -- who hears ---------------------------------------------------------------------------------------------------

    def subscribe(self, link: Link, number: int, *, micro: bool, of_session: bool) -> None:
        """Tell a connection from now on."""
        self.subscriptions[link, number] = Subscription(link, number, micro=micro, of_session=of_session)

    def unsubscribe(
        self, link: Link, number: int | None = None, *, of_session: bool = False, silent: bool = False
    ) -> int:
        """Tell it no more (of one subscription, of the session's, or of any); how many there were."""
        gone = [
            key
            for key, one in self.subscriptions.items()
            if key[0] is link and number in (None, key[1]) and (one.of_session or not of_session)
        ]
        for key in gone:
            one = self.subscriptions.pop(key)
            if not silent:
                self._send(one, "eventStreamTerminated", self._terminated)
        return len(gone)

    def _terminated(self, time: Time) -> dict[str, Any]:
        return {"e": "eventStreamTerminated", "E": time(self._now_ns())}

    @contextmanager
    def held(self) -> Iterator[None]:
        """What happens inside is told at its end: after the answer to the request that made it happen."""
        outer, self._held = self._held, []
        try:
            yield
        finally:
            events, self._held = self._held, outer
            for name, body in events:
                self.tell(name, body)

    def tell(self, name: str, body: Body) -> None:
        """One event to everybody who listens."""
        if not self.subscriptions:
            return
        if self._held is not None:
            fixed = {micro: body(_unit(micro)) for micro in {s.micro for s in self.subscriptions.values()}}
            self._held.append((name, lambda time: fixed[time is _micro]))
            return
        for one in list(self.subscriptions.values()):
            self._send(one, name, body)

    @staticmethod
    def _send(one: Subscription, name: str, body: Body) -> None:
        event = body(_unit(one.micro))
        one.link.send(name, _encode({"subscriptionId": one.number, "event": event}))

    def _now_ns(self) -> int:
        return self.exchange.clock.shown_ns()

    # -- what is told ------------------------------------------------------------------------------------------------

    def _told(self, event: OrderEvent) -> None:
        order = event.order
        if event.kind in ("rejected", "cancel_refused", "replaced") or not self.subscriptions:
            return
        if event.kind == "cancelled":
            kind = "CANCELED" if status_of(order) == "CANCELED" else "EXPIRED"
        else:
            kind = _TYPES[event.kind]
        self.report(order, kind, event.execution)
        self.positions(order, event.execution)

    def report(self, order: VenueOrder, kind: str, execution: Execution | None = None) -> None:
        """An execution report."""
        self.reports += 1
        number, now_ns = self.reports, self._now_ns()
        self.tell("executionReport", lambda time: _report(order, kind, execution, number, now_ns, time))

    def placed(self, order: VenueOrder) -> None:
        """A pending order of a list has been placed."""
        self.report(order, "NEW")

    def positions(self, order: VenueOrder, execution: Execution | None) -> None:
        """The balances an event has changed."""
        assets = [order.listing.asset, self.balances.quote]
        if execution is not None and execution.fee_asset and execution.fee_asset not in assets:
            assets.append(execution.fee_asset)
        rows = [self.balances.row(asset, ("a", "f", "l")) for asset in assets]
        now_ns = self._now_ns()
        self.tell(
            "outboundAccountPosition",
            lambda time: {"e": "outboundAccountPosition", "E": time(now_ns), "u": time(now_ns), "B": rows},
        )

    def moved(self, asset: str, delta_e8: int) -> None:
        """Something came into the account or left it."""
        now_ns = self._now_ns()
        self.tell(
            "balanceUpdate",
            lambda time: {
                "e": "balanceUpdate",
                "E": time(now_ns),
                "a": asset,
                "d": text8(delta_e8),
                "T": time(now_ns),
            },
        )

    def listed(self, group: OrderList) -> None:
        """A list has begun or is done."""
        now_ns = self._now_ns()
        self.tell("listStatus", lambda time: _list_status(group, now_ns, time))


def _milli(ts_ns: int) -> int:
    return ts_ns // 1_000_000


def _micro(ts_ns: int) -> int:
    return ts_ns // 1_000


def _unit(micro: bool) -> Time:
    return _micro if micro else _milli


def _report(
    order: VenueOrder, kind: str, execution: Execution | None, number: int, now_ns: int, time: Time
) -> dict[str, Any]:
    extra, group = order.extra, list_of(order)
    own, original = client_id_of(order), ""
    if kind == "CANCELED":
        own, original = extra.get("cancel_id") or own, own
    elif kind == "REPLACED":
        original = order.client_id
    report: dict[str, Any] = {
        "e": "executionReport",
        "E": time(now_ns),
        "s": order.listing.symbol,
        "c": own,
        "S": SIDE_WORDS[order.side],
        "o": extra["type"],
        "f": extra["tif"],
        "q": text8(order.qty_e8),
        "p": text8(order.limit_px_e8),
        "P": text8(order.ticket.stop_px_e8),
        "F": text8(extra.get("iceberg_e8", 0)),
        "g": group.list_id if group is not None else -1,
        "C": original,
        "x": kind,
        "X": status_of(order),
        "r": "NONE",
        "i": order.order_id,
        "l": "0.00000000",
        "z": text8(order.filled_e8),
        "L": "0.00000000",
        "n": "0",
        "N": None,
        "T": time(order.updated_ns),
        "t": -1,
        "I": number,
        "w": order.is_open and order.state == "working",
        "m": False,
        "M": False,
        "O": time(order.created_ns),
        "Z": text8(order.value_e8),
        "Y": "0.00000000",
        "Q": text8(extra["quote_e8"]),
    }
    if execution is not None:
        report |= {
            "l": text8(execution.qty_e8),
            "z": text8(execution.filled_e8),
            "L": text8(execution.px_e8),
            "n": text8(execution.fee_e8),
            "N": commission_asset(order, execution),
            "T": time(execution.ts_ns),
            "t": execution.number,
            "m": execution.maker,
            "M": True,
            "Y": text8(notional_e8(execution.px_e8, execution.qty_e8)),
        }
    if order.accepted_ns:
        report["W"] = time(order.accepted_ns)
    if extra.get("trail"):
        report["d"] = extra["trail"]
        if extra.get("trailing_ns"):
            report["D"] = time(extra["trailing_ns"])
    for field, name in (("j", "strategyId"), ("J", "strategyType")):
        if extra.get(name):
            report[field] = extra[name]
    report["V"] = extra["stp"]
    return report


def _list_status(group: OrderList, now_ns: int, time: Time) -> dict[str, Any]:
    shown = list_shown(group, time)
    return {
        "e": "listStatus",
        "E": time(now_ns),
        "s": shown["symbol"],
        "g": group.list_id,
        "c": shown["contingencyType"],
        "l": shown["listStatusType"],
        "L": shown["listOrderStatus"],
        "r": "NONE",
        "C": group.client_id,
        "T": time(group.ts_ns),
        "O": [
            {"s": shown["symbol"], "i": row["orderId"], "c": row["clientOrderId"]} for row in shown["orders"]
        ],
    }
