"""What is checked of an order at every venue before it is sent: listed, on the grids, exits that fit their entry.

A check answers a code and a text, or None when there is nothing to complain of. Lives here: what venues have in common.
Not here: their own words, grids and limits (each venue's rules.py), what the account can pay (the venue judges it).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.orders import LIMIT, STOP, STOP_LIMIT, TYPE_NAMES
from workbench.model.scale import from_e8

__all__ = [
    "Complaint",
    "exits_complaint",
    "number",
    "off_grid",
    "prices_complaint",
    "quantity_complaint",
    "unlisted",
]

type Complaint = tuple[str, str] | None


def number(amount_e8: int) -> str:
    """An amount for a person, with all the digits that a grid of 1e-8 can show.

    >>> number(12_345_678), number(100_000_000)
    ('0.12345678', '1')
    """
    return f"{from_e8(amount_e8):.10g}"


def off_grid(field: str, value_e8: int, steps_e8: Iterable[int], code: str = "GRID") -> Complaint:
    """The first step that a value is no multiple of; a step of 0 is none.

    >>> off_grid("price", 100_500_000, [0, 1_000_000])
    ('GRID', 'price 1.005 is no multiple of 0.01')
    """
    for step_e8 in steps_e8:
        if step_e8 and value_e8 % step_e8:
            return code, f"{field} {number(value_e8)} is no multiple of {number(step_e8)}"
    return None


def quantity_complaint(qty_e8: int, steps_e8: Iterable[int], least_e8: int = 0) -> Complaint:
    """A quantity that is nothing, off a grid, or below the least."""
    if qty_e8 <= 0:
        return "QTY", f"qty {number(qty_e8)} is not above 0"
    if qty_e8 < least_e8:
        return off_grid("qty", qty_e8, steps_e8) or (
            "MIN_QTY",
            f"qty {number(qty_e8)} is below the least, {number(least_e8)}",
        )
    return off_grid("qty", qty_e8, steps_e8)


def prices_complaint(
    order: Submit,
    steps_e8: Callable[[int], Iterable[int]],
    *,
    fields: tuple[str, str] = ("limit_price", "stop_price"),
    code: str = "GRID",
) -> Complaint:
    """The prices an order of this kind needs: missing, or off the grids that `steps_e8(price)` names."""
    wanted = (
        (fields[0], order.limit_px_e8, order.kind in (LIMIT, STOP_LIMIT)),
        (fields[1], order.stop_px_e8, order.kind in (STOP, STOP_LIMIT)),
    )
    for field, px_e8, needed in wanted:
        if not needed:
            continue
        if px_e8 <= 0:
            return "PRICE", f"a {TYPE_NAMES[order.kind]} order needs a {field} above 0"
        if complaint := off_grid(field, px_e8, steps_e8(px_e8), code):
            return complaint
    return None


def unlisted(instruments: Mapping[int, Instrument], iid: int, where: str) -> tuple[str, str]:
    """An instrument the venue does not have, by its symbol when it is one of ours."""
    known = instruments.get(iid)
    name = f"'{known.symbol}'" if known is not None else f"number {iid}"
    return "UNKNOWN_SYMBOL", f"instrument {name} {where}"


def exits_complaint(orders: Sequence[Submit], entries: Sequence[int], entry: str) -> Complaint:
    """Why orders cannot go as a bracket (an entry of one of the kinds `entries`, and its exits) or as a pair, where a
    venue wants one quantity for all and, of two exits, one on each side of the market."""
    head, others = orders[0], orders[1:]
    if len(orders) not in (2, 3) or any(o.iid != head.iid or o.qty_e8 != head.qty_e8 for o in others):
        return (
            "TOGETHER",
            "a bracket is an entry with one or two exits of its quantity, a pair two such orders",
        )
    bracket = bool(others[0].parent_id)
    exits = others if bracket else orders
    sides = {order.side for order in exits}
    if any(order.kind not in (LIMIT, STOP, STOP_LIMIT) for order in exits) or len(sides) != 1:
        return "TOGETHER", "exits are limit, stop or stop-limit orders on one side"
    if len(exits) == 2 and sorted(LIMIT if o.kind == LIMIT else STOP for o in exits) != [LIMIT, STOP]:
        return (
            "TOGETHER",
            "of two exits one takes profit (limit), the other stops a loss (stop or stop-limit)",
        )
    if bracket and (head.kind not in entries or sides == {head.side}):
        return "TOGETHER", f"a bracket's entry is a {entry} order on the other side of its exits"
    if not bracket and len(orders) != 2:
        return "TOGETHER", "a pair is two orders"
    return None
