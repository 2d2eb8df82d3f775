"""Orders: their words, their states, and the record the engine keeps of each.

    NEW -> SENT -> WORKING -> PARTIAL -> FILLED
     |      |         |          |
     |      |         +----------+--> CANCELLING -> CANCELLED
     |      +-> REJECTED, FILLED, PARTIAL, CANCELLED, EXPIRED      (a fill may overtake the acceptance)
     |      +-> UNKNOWN -> (broker evidence only) any state but NEW and SENT
     +-> NOT_SENT      (journaled, and proven never to have reached the venue)

Words are small integers on the hot path; `*_NAMES` turn them into text at the edge.
"""

from typing import Final

import msgspec

from workbench.model.stages import N_STAMPS

__all__ = [
    "ACTIVE",
    "ALLOWED",
    "BUY",
    "CANCELLED",
    "CANCELLING",
    "CLS",
    "DAY",
    "EXPIRED",
    "FILLED",
    "FOK",
    "GTC",
    "IOC",
    "LIMIT",
    "MARKET",
    "NEW",
    "NOT_SENT",
    "OPG",
    "Order",
    "PARTIAL",
    "REJECTED",
    "SELL",
    "SENT",
    "SIDE_NAMES",
    "STATE_NAMES",
    "STOP",
    "STOP_LIMIT",
    "TERMINAL",
    "TIF_NAMES",
    "TRAILING",
    "TYPE_NAMES",
    "UNKNOWN",
    "WORKING",
]

BUY: Final = 1
SELL: Final = -1
SIDE_NAMES: Final = {BUY: "buy", SELL: "sell"}

MARKET: Final = 0
LIMIT: Final = 1
STOP: Final = 2
STOP_LIMIT: Final = 3
TRAILING: Final = 4  # a stop that follows the market at a distance, then a market order
TYPE_NAMES: Final = ("market", "limit", "stop", "stop_limit", "trailing")

DAY: Final = 0
GTC: Final = 1
IOC: Final = 2
FOK: Final = 3
OPG: Final = 4  # at the opening of a session only: market- or limit-on-open
CLS: Final = 5  # at its close only: market- or limit-on-close
TIF_NAMES: Final = ("day", "gtc", "ioc", "fok", "opg", "cls")

NEW: Final = 0
SENT: Final = 1
WORKING: Final = 2
PARTIAL: Final = 3
CANCELLING: Final = 4
UNKNOWN: Final = 5
FILLED: Final = 6
CANCELLED: Final = 7
REJECTED: Final = 8
EXPIRED: Final = 9
NOT_SENT: Final = 10
STATE_NAMES: Final = (
    "new",
    "sent",
    "working",
    "partial",
    "cancelling",
    "unknown",
    "filled",
    "cancelled",
    "rejected",
    "expired",
    "not_sent",
)
ACTIVE: Final = frozenset({NEW, SENT, WORKING, PARTIAL, CANCELLING, UNKNOWN})
TERMINAL: Final = frozenset({FILLED, CANCELLED, REJECTED, EXPIRED, NOT_SENT})
_ENDS = {PARTIAL, FILLED, CANCELLED, REJECTED, EXPIRED}
ALLOWED: Final[dict[int, frozenset[int]]] = {
    NEW: frozenset({SENT, UNKNOWN, NOT_SENT, CANCELLING, WORKING} | _ENDS),
    SENT: frozenset({WORKING, CANCELLING, UNKNOWN} | _ENDS),
    WORKING: frozenset({CANCELLING, UNKNOWN} | _ENDS),
    PARTIAL: frozenset({CANCELLING, UNKNOWN} | _ENDS),
    CANCELLING: frozenset({WORKING, UNKNOWN} | _ENDS),
    UNKNOWN: frozenset({WORKING, CANCELLING, NOT_SENT} | _ENDS),
    FILLED: frozenset(),
    CANCELLED: frozenset(),
    REJECTED: frozenset(),
    EXPIRED: frozenset(),
    NOT_SENT: frozenset(),
}


class Order(msgspec.Struct, gc=False):
    """One order as the engine knows it. Mutable: the order table alone changes it.

    `order_id` is dense over the journal's life and never reused; `epoch` is the session that opened it.
    `strategy_id` 0 is the operator (a manual order).

    A TRAILING order follows the best price since it began to work at `trail_e8` (a price distance) or `trail_rate_e8`
    (a fraction of that price, in 1e-8); one of the two is 0. Orders of one `group` (not 0) cancel one another: when one
    fills, the others end. An order with a `parent_id` waits at the venue until that order has filled, and covers no
    more than what has. `counted`: it can enlarge the account's position, so exposure counts it.
    """

    order_id: int
    epoch: int
    strategy_id: int
    iid: int
    side: int
    kind: int
    tif: int
    qty_e8: int
    limit_px_e8: int
    stop_px_e8: int
    ts_ns: int
    state: int = NEW
    filled_e8: int = 0
    notional_e8: int = 0
    fee_e8: int = 0
    updated_ns: int = 0
    venue_id: str = ""
    reason: str = ""
    why: str = ""
    # set up by the engine when the order opens; see model/stages.py
    stamps: list[int] = msgspec.field(default_factory=lambda: [0] * N_STAMPS)
    trail_e8: int = 0
    trail_rate_e8: int = 0
    parent_id: int = 0
    group: int = 0
    counted: bool = True

    @property
    def client_id(self) -> str:
        """The id the venue sees: ours, carrying the epoch, never reused."""
        return f"wb-{self.epoch}-{self.order_id}"

    @property
    def open_e8(self) -> int:
        """Quantity that may still fill."""
        return self.qty_e8 - self.filled_e8 if self.state in ACTIVE else 0
