"""Orders as a venue keeps them: what was asked for, what became of it, every execution.

Lives here: the records. Not here: what changes them (exchange.py), how a venue spells them (its folder).

    pending -> working -> filled, cancelled, expired          (pending: taken in, not in the book yet)
       |   +-> held -> working                                (a leg waits for its parent; or the market is closed)
       +-> rejected                     working -> replaced   (another order has taken its place)
"""

from typing import Any, Final, Literal

import msgspec

from workbench.model.orders import BUY, DAY, LIMIT, MARKET
from workbench.testbed.listing import Listing

__all__ = ["ENDED", "Execution", "OrderEvent", "State", "Ticket", "VenueOrder"]

type State = Literal["pending", "held", "working", "filled", "cancelled", "expired", "rejected", "replaced"]
ENDED: Final = frozenset({"filled", "cancelled", "expired", "rejected", "replaced"})


class Ticket(msgspec.Struct, frozen=True):
    """What a client asks for, in the workbench's words and 1e-8 units. `value_e8` is the amount of money the order was
    given by (0: by quantity). `extra` is the venue's own: kept, never read here."""

    listing: Listing
    side: int
    qty_e8: int
    kind: int = MARKET
    tif: int = DAY
    limit_px_e8: int = 0
    stop_px_e8: int = 0
    trail_e8: int = 0
    trail_rate_e8: int = 0
    client_id: str = ""
    value_e8: int = 0
    extra: dict[str, Any] = {}


class Execution(msgspec.Struct, frozen=True, gc=False):
    """One fill. `number` counts all executions of the venue from 1, `exec_id` is a UUID; `position_e8` is the account's
    position after it, `filled_e8` the order's filled quantity. `fee_asset` is "" for a fee in cash."""

    number: int
    exec_id: str
    order_id: int
    ts_ns: int
    px_e8: int
    qty_e8: int
    fee_e8: int
    filled_e8: int
    position_e8: int
    maker: bool
    fee_asset: str = ""


class VenueOrder(msgspec.Struct):
    """One order in the venue's books. `venue_id` is a UUID, `order_id` a dense number from 1: a venue shows either."""

    order_id: int
    venue_id: str
    ticket: Ticket
    created_ns: int
    qty_e8: int
    limit_px_e8: int
    stop_px_e8: int
    state: State = "pending"
    filled_e8: int = 0
    value_e8: int = 0  # sum of price times quantity of its fills
    fee_e8: int = 0
    updated_ns: int = 0
    accepted_ns: int = 0
    ended_ns: int = 0
    reason: str = ""
    cancel_asked_ns: int = 0
    match_id: int = 0  # its number in the matching core, 0 while it is not there
    parent: "VenueOrder | None" = None
    group: int = 0  # orders of one group cancel one another
    replaces: "VenueOrder | None" = None
    replaced_by: "VenueOrder | None" = None
    hold_e8: int = 0  # what it holds back: quantity of a sell, money of a buy
    executions: list[Execution] = []
    legs: list["VenueOrder"] = []
    extra: dict[str, Any] = {}

    @property
    def listing(self) -> Listing:
        return self.ticket.listing

    @property
    def side(self) -> int:
        return self.ticket.side

    @property
    def kind(self) -> int:
        return self.ticket.kind

    @property
    def client_id(self) -> str:
        return self.ticket.client_id

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.state not in ENDED

    @property
    def open_e8(self) -> int:
        """Quantity that may still fill."""
        return self.qty_e8 - self.filled_e8 if self.state not in ENDED else 0

    @property
    def average_px(self) -> float:
        """Average price of its fills, 0.0 without any."""
        return self.value_e8 / self.filled_e8 if self.filled_e8 else 0.0

    def crosses(self, px_e8: int) -> bool:
        """Whether it would trade at `px_e8` right now (a stop: whether it would be triggered)."""
        kind, buys = self.ticket.kind, self.ticket.side == BUY
        if kind == MARKET:
            return True
        if kind == LIMIT:
            return self.limit_px_e8 >= px_e8 if buys else self.limit_px_e8 <= px_e8
        return bool(self.stop_px_e8) and (px_e8 >= self.stop_px_e8 if buys else px_e8 <= self.stop_px_e8)


class OrderEvent(msgspec.Struct, frozen=True):
    """Something happened to an order; `order` is the record itself, as it stands at this moment.

    `kind`: new, fill (`execution` tells which), cancelled, expired, rejected, replaced, amended, held, cancel_refused.
    """

    kind: str
    order: VenueOrder
    ts_ns: int
    execution: Execution | None = None
