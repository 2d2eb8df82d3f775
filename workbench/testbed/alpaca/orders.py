"""Alpaca's order routes: submit, look up, list, replace, cancel.

Lives here: from a request to the exchange and back. Not here: what an order must look like (tickets.py), what the
account can carry (rules.py), positions (positions.py).
"""

from typing import Any, Final

import msgspec

from workbench.testbed.alpaca.bodies import order_body, order_status
from workbench.testbed.alpaca.refusals import Refusal, malformed, not_found, refused_value
from workbench.testbed.alpaca.rules import check_means
from workbench.testbed.alpaca.tickets import board_of, check_px, legs_of, ticket_of
from workbench.testbed.alpaca.words import SIDES, TIFS, number, wanted_ns
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.orders import Ticket, VenueOrder

__all__ = ["Orders", "json_object"]

_MOST: Final = 500
_USUAL: Final = 50
_decode = msgspec.json.Decoder().decode


def json_object(body: bytes) -> dict[str, Any]:
    """A request's body.

    Raises:
        Refusal: it is not one JSON object.
    """
    try:
        said = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = None
    if not isinstance(said, dict):
        raise Refusal(400, 40010000, "request body format is invalid")
    return said


class Orders:
    """The order routes over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/orders", self.submit),
            Route("GET", "/v2/orders", self.listed),
            Route("DELETE", "/v2/orders", self.cancel_all),
            Route("GET", "/v2/orders:by_client_order_id", self.by_client_id),
            Route("GET", "/v2/orders/{order_id}", self.one),
            Route("PATCH", "/v2/orders/{order_id}", self.replace),
            Route("DELETE", "/v2/orders/{order_id}", self.cancel),
        ]

    def submit(self, call: Call) -> Answer:
        """Take an order in; its legs with it."""
        exchange = self.exchange
        said = json_object(call.body)
        entry = ticket_of(said, exchange)
        take, stop = legs_of(said, entry, exchange)
        check_means(entry, exchange)
        if entry.extra["order_class"] == "oco":
            assert take is not None
            assert stop is not None
            group = exchange.new_group()
            take = msgspec.structs.replace(take, client_id=entry.client_id)
            order = exchange.place(take, group=group)
            leg = exchange.place(stop, group=group, leads=False)
            order.legs.append(leg)
        else:
            order = exchange.place(entry)
            group = exchange.new_group() if take is not None and stop is not None else 0
            for ticket, leads in ((take, True), (stop, not group)):
                if ticket is not None:
                    exchange.place(ticket, parent=order, group=group, leads=leads)
        return Answer(order_body(order, exchange, nested=True))

    def one(self, call: Call) -> Answer:
        order = self._order(call.path["order_id"])
        return Answer(order_body(order, self.exchange, nested=call.query.get("nested", "").lower() == "true"))

    def by_client_id(self, call: Call) -> Answer:
        given = call.query.get("client_order_id", "")
        order = self.exchange.by_client_id.get(given)
        if order is None:
            raise not_found(f"order not found for {given}")
        return Answer(order_body(order, self.exchange, nested=True))

    def listed(self, call: Call) -> Answer:
        """Orders by status, time, symbol and side; newest first unless asked otherwise."""
        query = call.query
        limit = _whole(query.get("limit"), _USUAL, _MOST, "limit")
        status = query.get("status", "open")
        if status not in ("open", "closed", "all"):
            raise malformed("invalid status")
        nested = query.get("nested", "").lower() == "true"
        after, until = _moment(query, "after"), _moment(query, "until")
        wanted = {s.replace("/", "") for s in query["symbols"].split(",")} if query.get("symbols") else None
        side = SIDES.get(query.get("side", ""))
        source = self.exchange.open if status == "open" else self.exchange.orders
        ascending = query.get("direction", "desc") == "asc"
        found: list[dict[str, Any]] = []
        for order in source.values() if ascending else reversed(list(source.values())):
            if status == "closed" and order.is_open:
                continue
            if (after is not None and order.created_ns <= after) or (
                until is not None and order.created_ns >= until
            ):
                continue
            if wanted is not None and order.listing.symbol.replace("/", "") not in wanted:
                continue
            if (side is not None and order.side != side) or (nested and _is_leg(order)):
                continue
            found.append(order_body(order, self.exchange, nested=nested))
            if len(found) == limit:
                break
        return Answer(found)

    def replace(self, call: Call) -> Answer:
        """Put a new order in the place of one."""
        exchange = self.exchange
        old = self._order(call.path["order_id"])
        said = json_object(call.body)
        exchange.settle()
        status = order_status(old)
        if status not in ("new", "partially_filled", "held"):
            raise refused_value(f"cannot replace order in {status} status")
        ticket = self._changed(old, said)
        check_means(ticket, exchange, replacing=old)
        new = exchange.replace(old, ticket)
        if new is None:
            raise refused_value("qty must be > filled_qty")
        return Answer(order_body(new, exchange, nested=True))

    def _changed(self, old: VenueOrder, said: dict[str, Any]) -> Ticket:
        changes: dict[str, Any] = {"qty_e8": old.qty_e8}
        listing = old.listing
        if said.get("qty") is not None:
            qty_e8 = number(said["qty"])
            if qty_e8 is None or qty_e8 <= 0:
                raise malformed("qty must be > 0")
            changes["qty_e8"] = qty_e8
        for field, name in (("limit_price", "limit_px_e8"), ("stop_price", "stop_px_e8")):
            if said.get(field) is not None:
                if not getattr(old, name):
                    raise refused_value(f"{field} cannot be changed for this order type")
                changes[name] = check_px(field, said[field], listing)
            else:
                changes[name] = getattr(old, name)
        if said.get("trail") is not None:
            trail_e8 = number(said["trail"])
            if trail_e8 is None or trail_e8 <= 0:
                raise malformed("trail must be > 0")
            changes["trail_rate_e8" if old.ticket.trail_rate_e8 else "trail_e8"] = (
                trail_e8 // 100 if old.ticket.trail_rate_e8 else trail_e8
            )
        if said.get("time_in_force") is not None:
            if said["time_in_force"] not in TIFS:
                raise refused_value("invalid time_in_force")
            changes["tif"] = TIFS[said["time_in_force"]]
        changes["client_id"] = said.get("client_order_id") or self.exchange.new_id()
        if len(changes["client_id"]) > 128:
            raise malformed("client_order_id must be no more than 128 characters")
        return msgspec.structs.replace(old.ticket, **changes)

    def cancel(self, call: Call) -> Answer:
        order = self._order(call.path["order_id"])
        if order.parent is None and order.state == "pending":
            self.exchange.settle()  # an order that would fill at once cannot be caught
        if not self.exchange.cancel(order):
            raise refused_value(f'order is already in "{order_status(order)}" state')
        return Answer(status=204)

    def cancel_all(self, call: Call) -> Answer:
        """The kill switch: a request for every open order."""
        self.exchange.settle()
        asked = [order for order in self.exchange.open.values() if self.exchange.cancel(order)]
        return Answer([{"id": order.venue_id, "status": 200} for order in asked], 207)

    def _order(self, order_id: str) -> VenueOrder:
        order = self.exchange.by_venue_id.get(order_id)
        if order is None:
            raise not_found(f"order not found for {order_id}")
        return order


def _is_leg(order: VenueOrder) -> bool:
    return order.parent is not None or (bool(order.group) and not order.extra.get("leads", True))


def _whole(given: str | None, usual: int, most: int, name: str) -> int:
    if given is None:
        return usual
    if not given.isdigit() or not 1 <= int(given) <= most:
        raise malformed(f"invalid {name}")
    return int(given)


def _moment(query: dict[str, str], name: str) -> int | None:
    if not query.get(name):
        return None
    ts_ns = wanted_ns(query[name])
    if ts_ns is None:
        raise malformed(f"invalid {name}")
    return ts_ns


def known_symbol(exchange: Exchange, symbol: str) -> bool:
    """Whether a symbol is listed, with or without a pair's slash."""
    return board_of(exchange, symbol) is not None
