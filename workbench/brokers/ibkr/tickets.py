"""Orders as the Client Portal is told of them: pure functions of plain values.

Lives here: tickets, of new orders, of changed ones and of what closes a position. Not here: answers (parse.py), sending
(client.py), single words (words.py).
"""

from collections.abc import Sequence
from typing import Any, Final

from workbench.brokers.ibkr.parse import OrderRow
from workbench.brokers.ibkr.words import CLOSING, KINDS, SIDES, TIFS, VENUE, number_of
from workbench.errors import VenueGarbled
from workbench.model.effects import Amend, Submit
from workbench.model.orders import BUY, CLS, DAY, LIMIT, MARKET, SELL, STOP, STOP_LIMIT, TRAILING

__all__ = ["amended_ticket", "closing_ticket", "kind_of", "ticket", "ticket_of", "tickets"]

_ROW_KINDS: Final = {"LIMIT": LIMIT, "STOP": STOP, "STOP_LIMIT": STOP_LIMIT}
_WORD_KINDS: Final = {word: kind for words in (KINDS, CLOSING) for kind, word in words.items()}
_SAID_TIFS: Final = {"": "DAY", "CLOSE": "DAY"}  # a day order is listed as one until the close


def ticket(
    order: Submit, account: str, conid: int, parent: str = "", *, grouped: bool = False
) -> dict[str, Any]:
    """The ticket of one order. `parent` is the client id of the entry whose exit it is.

    >>> said = ticket(Submit(0, 5, 7, 1, 0, 1, LIMIT, 0, 10 * 10**8, 36_748_000_000, 0), "DU1", 756733)
    >>> said["cOID"], said["price"], said["quantity"], said["orderType"]
    ('wb-7-5', 367.48, 10, 'LMT')
    """
    kind = order.kind
    said: dict[str, Any] = {
        "acctId": account,
        "conid": conid,
        "secType": f"{conid}:STK",
        "cOID": order.client_id,
        "orderType": CLOSING[kind] if order.tif == CLS else KINDS[kind],
        "side": SIDES[order.side],
        "quantity": number_of(order.qty_e8),
        "tif": TIFS[order.tif],
        "outsideRTH": False,
    }
    _priced(said, kind, order.limit_px_e8, order.stop_px_e8)
    if kind == TRAILING:
        by_amount = bool(order.trail_e8)
        said["trailingType"] = "amt" if by_amount else "%"
        said["trailingAmt"] = number_of(order.trail_e8 if by_amount else order.trail_rate_e8 * 100)
    if parent:
        said["parentId"] = parent
    if grouped:
        said["isSingleGroup"] = True
    return said


def closing_ticket(account: str, conid: int, qty_e8: int, now_ns: int) -> dict[str, Any]:
    """The ticket of a market order that closes a position of `qty_e8` (below 0: sold short), under an id that is none
    of our orders'.

    >>> said = closing_ticket("DU1", 756733, -3 * 10**8, 5_000_000)
    >>> said["side"], said["quantity"], said["orderType"], said["cOID"]
    ('BUY', 3, 'MKT', 'flat-756733-5')
    """
    return {
        "acctId": account,
        "conid": conid,
        "secType": f"{conid}:STK",
        "cOID": f"flat-{conid}-{now_ns // 1_000_000}",
        "orderType": KINDS[MARKET],
        "side": SIDES[SELL if qty_e8 > 0 else BUY],
        "quantity": number_of(abs(qty_e8)),
        "tif": TIFS[DAY],
        "outsideRTH": False,
    }


def _priced(said: dict[str, Any], kind: int, limit_e8: int, stop_e8: int) -> None:
    """`price` is the limit, of a stop order the stop; a stop-limit order has its stop in `auxPrice`."""
    if kind == LIMIT:
        said["price"] = number_of(limit_e8)
    elif kind == STOP:
        said["price"] = number_of(stop_e8)
    elif kind == STOP_LIMIT:
        said["price"], said["auxPrice"] = number_of(limit_e8), number_of(stop_e8)


def tickets(batch: Sequence[Submit], account: str, conid: int) -> list[dict[str, Any]]:
    """The tickets of one order, of a bracket (entry first) or of a pair."""
    head = batch[0]
    if len(batch) == 1:
        return [ticket(head, account, conid)]
    if batch[1].parent_id == head.order_id:
        first = ticket(head, account, conid)
        return [first, *(ticket(order, account, conid, head.client_id) for order in batch[1:])]
    return [ticket(order, account, conid, grouped=True) for order in batch]


def amended_ticket(said: dict[str, Any], wanted: Amend) -> dict[str, Any]:
    """The whole ticket again, with what is wanted now; the quantity is the whole order's."""
    changed = {**said, "quantity": number_of(wanted.qty_e8)}
    changed.pop("parentId", None)
    changed.pop("isSingleGroup", None)
    _priced(changed, _WORD_KINDS[said["orderType"]], wanted.limit_px_e8, wanted.stop_px_e8)
    return changed


def kind_of(row: OrderRow) -> int | None:
    """The type of an order that can be changed, by its row; None for the others.

    >>> kind_of(OrderRow(orderType="Stop Limit")) == STOP_LIMIT, kind_of(OrderRow(orderType="Market"))
    (True, None)
    """
    return _ROW_KINDS.get((row.origOrderType or row.orderType or "").upper().replace(" ", "_"))


def ticket_of(row: OrderRow, account: str) -> tuple[dict[str, Any], int]:
    """The ticket of an order another connection has sent, and its type, from its row among the live orders.

    Raises:
        VenueGarbled: the row does not say enough for it.
    """
    kind = kind_of(row)
    if kind is None or row.conid is None or not row.side:
        raise VenueGarbled(VENUE, f"order {row.number} is of a type that cannot be changed here", "cancel it")
    said: dict[str, Any] = {
        "acctId": account,
        "conid": row.conid,
        "secType": f"{row.conid}:STK",
        "cOID": row.order_ref,
        "orderType": KINDS[kind],
        "side": row.side,
        "tif": _SAID_TIFS.get(row.timeInForce or "", row.timeInForce),
        "outsideRTH": False,
    }
    return said, kind
