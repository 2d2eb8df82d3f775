"""What the engine wants done. `Engine.handle` returns these; the driver journals, then performs them."""

import msgspec

__all__ = ["Cancel", "Effect", "Refusal", "StrategyHalted", "Submit"]


class Submit(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=70):
    """Send this order to its venue, once."""

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


type Effect = Submit | Cancel | Refusal | StrategyHalted
