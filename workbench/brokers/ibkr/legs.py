"""Exits of a bracket that are listed without their client ids: which is which.

Lives here: the names. Not here: looking (finder.py).

Recorded lists show exits with their parent's number alone. The entry has the number before its exits; the one with the
profit, a limit order, comes first.
"""

from collections.abc import Sequence

from workbench.brokers.ibkr.parse import OrderRow
from workbench.brokers.ibkr.tickets import kind_of
from workbench.brokers.pool.tracker import order_id_of
from workbench.model.orders import LIMIT

__all__ = ["leg_of", "named_legs"]


def named_legs(rows: Sequence[OrderRow]) -> dict[str, str]:
    """Client ids by number, of rows that have none and whose parent is an entry of ours.

    >>> entry = OrderRow(orderId=5, order_ref="wb-7-1")
    >>> loss = OrderRow(orderId=6, parentId=5, orderType="Stop")
    >>> take = OrderRow(orderId=7, parentId=5, orderType="Limit")
    >>> named_legs([loss, take, entry, OrderRow(orderId=8, parentId=4)])
    {'7': 'wb-7-2', '6': 'wb-7-3'}
    """
    entries = {row.number: row.order_ref for row in rows if row.order_ref and order_id_of(row.order_ref)}
    below: dict[str, list[OrderRow]] = {}
    for row in rows:
        if not row.order_ref and row.parent in entries:
            below.setdefault(row.parent, []).append(row)
    found = dict[str, str]()
    for parent, legs in below.items():
        head, _, number = entries[parent].rpartition("-")
        legs.sort(key=lambda row: (kind_of(row) != LIMIT, int(row.number)))
        found |= {row.number: f"{head}-{int(number) + n}" for n, row in enumerate(legs, 1)}
    return found


def leg_of(client_id: str, rows: Sequence[OrderRow]) -> OrderRow | None:
    """The exit of this client id among rows, when it is listed without one."""
    number = next((n for n, name in named_legs(rows).items() if name == client_id), None)
    return next((row for row in rows if row.number == number), None) if number is not None else None
