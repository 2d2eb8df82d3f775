"""What each broker report (and our own Cancel or Amend) does to an order, as in the engine. No money here."""

from collections.abc import Callable
from typing import Any, Final

from workbench.engine.orders import OrderTable
from workbench.model import (
    Accepted,
    Amend,
    Amended,
    AmendRefused,
    Cancel,
    Cancelled,
    CancelRefused,
    Expired,
    OutcomeLost,
    Rejected,
    Sent,
    Unsent,
)
from workbench.model.orders import CANCELLED, EXPIRED, REJECTED, Order

__all__ = ["MOVES"]

type Move = Callable[[OrderTable, Order, Any], object]

MOVES: Final[dict[type, Move]] = {
    Sent: lambda table, order, r: table.sent(order, r.ts_ns),
    Accepted: lambda table, order, r: table.accepted(order, r.ts_ns, r.venue_id),
    Cancelled: lambda table, order, r: table.ended(order, CANCELLED, r.ts_ns, r.reason),
    Rejected: lambda table, order, r: table.ended(order, REJECTED, r.ts_ns, f"{r.code}: {r.text}"),
    Expired: lambda table, order, r: table.ended(order, EXPIRED, r.ts_ns, "time in force ran out"),
    CancelRefused: lambda table, order, r: table.cancel_refused(
        order, r.ts_ns, f"cancel refused: {r.code} {r.text}"
    ),
    OutcomeLost: lambda table, order, r: table.lost(order, r.ts_ns, r.text),
    Unsent: lambda table, order, r: table.unsent(order, r.ts_ns, r.evidence),
    Cancel: lambda table, order, r: table.cancel_asked(order, r.ts_ns),
    Amend: lambda table, order, r: table.amend_asked(order, r),
    Amended: lambda table, order, r: table.amended(
        order, r.ts_ns, r.qty_e8, r.limit_px_e8, r.stop_px_e8, r.venue_id
    ),
    AmendRefused: lambda table, order, r: table.amend_refused(
        order, r.ts_ns, f"amend refused: {r.code} {r.text}"
    ),
}
