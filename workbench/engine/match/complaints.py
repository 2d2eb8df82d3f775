"""Why the venue would not take an order or an amendment: codes and texts.

Lives here: what can be judged from the words alone. Not here: buying power and short sales (margin.py).
"""

from msgspec import structs

from workbench.engine.match.resting import Resting
from workbench.model.effects import Amend, Submit
from workbench.model.orders import (
    BUY,
    CLS,
    DAY,
    FOK,
    IOC,
    LIMIT,
    MARKET,
    OPG,
    SELL,
    STOP,
    STOP_LIMIT,
    TIF_NAMES,
    TRAILING,
    TYPE_NAMES,
)
from workbench.model.scale import SCALE

__all__ = ["Complaint", "amended", "complaint_of"]

type Complaint = tuple[str, str]


def complaint_of(order: Submit) -> Complaint | None:
    """What is wrong with an order by itself; None when nothing is."""
    if order.side not in (BUY, SELL) or not MARKET <= order.kind <= TRAILING or not DAY <= order.tif <= CLS:
        return "BAD_ORDER", f"unknown side {order.side}, type {order.kind} or time in force {order.tif}"
    if order.qty_e8 <= 0:
        return "BAD_ORDER", f"quantity {order.qty_e8 / SCALE:g} is not above 0"
    if order.kind in (LIMIT, STOP_LIMIT) and order.limit_px_e8 <= 0:
        return "BAD_ORDER", "a limit order needs a limit price above 0"
    if order.kind in (STOP, STOP_LIMIT) and order.stop_px_e8 <= 0:
        return "BAD_ORDER", "a stop order needs a stop price above 0"
    if order.kind == TRAILING and not _trails(order):
        return (
            "BAD_ORDER",
            "a trailing order needs a distance above 0, or a rate between 0 and 1: one of them",
        )
    if order.tif in (OPG, CLS) and order.kind not in (MARKET, LIMIT):
        return (
            "BAD_ORDER",
            f"{TIF_NAMES[order.tif]} takes market and limit orders, not {TYPE_NAMES[order.kind]}",
        )
    if order.tif in (IOC, FOK) and order.kind == TRAILING:
        return "BAD_ORDER", f"a trailing order waits: {TIF_NAMES[order.tif]} cannot"
    return None


def _trails(order: Submit) -> bool:
    distance, rate = order.trail_e8, order.trail_rate_e8
    return (distance > 0 and rate == 0) or (distance == 0 and 0 < rate < SCALE)


def amended(resting: Resting, wanted: Amend) -> Submit | Complaint:
    """The order as it would be, or why it cannot be."""
    order = resting.order
    if wanted.qty_e8 <= resting.filled_e8:
        filled = resting.filled_e8 / SCALE
        return "BAD_AMEND", f"quantity {wanted.qty_e8 / SCALE:g} is not above the {filled:g} that have filled"
    has_limit, has_stop = order.kind in (LIMIT, STOP_LIMIT), order.kind in (STOP, STOP_LIMIT)
    for name, px_e8, has in (
        ("limit", wanted.limit_px_e8, has_limit),
        ("stop", wanted.stop_px_e8, has_stop),
    ):
        if has and px_e8 <= 0:
            return "BAD_AMEND", f"a {TYPE_NAMES[order.kind]} order needs a {name} price above 0"
        if not has and px_e8:
            return "BAD_AMEND", f"a {TYPE_NAMES[order.kind]} order has no {name} price: give 0"
    if has_stop and resting.triggered and wanted.stop_px_e8 != order.stop_px_e8:
        return "BAD_AMEND", "the stop has been triggered: its price cannot change any more"
    return structs.replace(
        order, qty_e8=wanted.qty_e8, limit_px_e8=wanted.limit_px_e8, stop_px_e8=wanted.stop_px_e8
    )
