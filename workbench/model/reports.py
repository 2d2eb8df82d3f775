"""What a broker says, as events. Every report names our own order by `order_id`."""

import msgspec

__all__ = [
    "Accepted",
    "AmendRefused",
    "Amended",
    "CashMoved",
    "CancelRefused",
    "Cancelled",
    "Expired",
    "Filled",
    "OutcomeLost",
    "Rejected",
    "Report",
    "Sent",
    "Unsent",
]


class Sent(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=20):
    """Our own note that the order's bytes were handed to the broker client."""

    ts_ns: int
    order_id: int


class Accepted(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=21):
    """The venue holds the order."""

    ts_ns: int
    order_id: int
    venue_id: str


class Filled(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=22):
    """One execution. `exec_id` is the venue's and counts once for ever; `fee_e8` is positive when paid."""

    ts_ns: int
    order_id: int
    exec_id: str
    px_e8: int
    qty_e8: int
    fee_e8: int = 0


class Cancelled(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=23):
    """The venue took the order out of its book."""

    ts_ns: int
    order_id: int
    reason: str = ""


class Rejected(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=24):
    """The venue refused the order; proof that it is not live."""

    ts_ns: int
    order_id: int
    code: str
    text: str


class Expired(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=25):
    """Time in force ran out."""

    ts_ns: int
    order_id: int


class CancelRefused(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=26):
    """The venue would not cancel (too late, or unknown); the order's own reports decide what it is."""

    ts_ns: int
    order_id: int
    code: str
    text: str


class OutcomeLost(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=27):
    """The submit's answer was lost: the order may be live. Only broker evidence ends this."""

    ts_ns: int
    order_id: int
    text: str


class Unsent(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=28):
    """Proof that the order never reached the venue (`evidence` says what was asked and answered)."""

    ts_ns: int
    order_id: int
    evidence: str


class Amended(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=29):
    """The venue has changed the order: these hold from now on. `venue_id` is the order's id there since (some venues
    give a new one)."""

    ts_ns: int
    order_id: int
    qty_e8: int
    limit_px_e8: int
    stop_px_e8: int
    venue_id: str = ""


class AmendRefused(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=30):
    """The venue would not change the order (too late, or not possible): the old one holds."""

    ts_ns: int
    order_id: int
    code: str
    text: str


class CashMoved(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=31):
    """The venue moved cash without a trade: a dividend, interest, a fee for borrowed stock, a transfer.

    `move_id` is the venue's and counts once for ever; `iid` is -1 when it is about no instrument. `order_id` is always
    0: no order's."""

    ts_ns: int
    move_id: str
    amount_e8: int
    iid: int
    reason: str
    order_id: int = 0


type Report = (
    Sent
    | Accepted
    | Filled
    | Cancelled
    | Rejected
    | Expired
    | CancelRefused
    | OutcomeLost
    | Unsent
    | Amended
    | AmendRefused
    | CashMoved
)
