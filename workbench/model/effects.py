"""What the engine wants done. `Engine.handle` returns these; the driver journals, then performs them."""

import msgspec

__all__ = ["Amend", "Cancel", "Effect", "Refusal", "StrategyHalted", "Submit"]


class Submit(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=70):
    """Send this order to its venue, once. Trail, parent and group as on `Order`; the orders of one bracket come one
    right after another, the parent first."""

    ts_ns: int
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
    why: str = ""
    trail_e8: int = 0
    trail_rate_e8: int = 0
    parent_id: int = 0
    group: int = 0

    @property
    def client_id(self) -> str:
        """The id the venue sees (the same text as `Order.client_id`)."""
        return f"wb-{self.epoch}-{self.order_id}"


class Cancel(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=71):
    """Ask the venue to cancel this order; may be repeated."""

    ts_ns: int
    order_id: int


class Refusal(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=72):
    """A risk rule said no: nothing was sent. `numbers` are the figures the rule compared."""

    ts_ns: int
    strategy_id: int
    iid: int
    side: int
    qty_e8: int
    code: str
    text: str
    numbers: tuple[tuple[str, float], ...] = ()


class StrategyHalted(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=73):
    """A strategy was paused by the engine: it raised, answered NaN, or broke a throttle. Others go on."""

    ts_ns: int
    strategy_id: int
    code: str
    text: str


class Amend(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=74):
    """Ask the venue to change a working order. All three are the wanted values; `qty_e8` is the whole quantity, filled
    parts included; a price the kind does not have is 0. Until the answer either version may trade."""

    ts_ns: int
    order_id: int
    qty_e8: int
    limit_px_e8: int
    stop_px_e8: int


type Effect = Submit | Cancel | Amend | Refusal | StrategyHalted
