"""What an event strategy gets and what it may answer, in words and floats: the engine makes its integers of them."""

import math
from types import MappingProxyType
from typing import Any

import msgspec

from workbench.errors import BadValue, UnknownName

__all__ = ["Context", "OrderRequest", "Signal"]

_SIDES = ("buy", "sell")
_TYPES = ("market", "limit", "stop", "stop_limit")
_TIFS = ("day", "gtc", "ioc", "fok")


class Signal(msgspec.Struct, frozen=True):
    """Hold `target` of full size, from -1 to 1. `symbol` "" is the event's own.

    >>> Signal(0.5)
    Signal(target=0.5, symbol='', why='')
    """

    target: float
    symbol: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        target: Any = self.target
        if not isinstance(target, (int, float)) or not -1.0 <= target <= 1.0:
            raise BadValue("Signal.target", self.target, "give a fraction of full size from -1 to 1")


class OrderRequest(msgspec.Struct, frozen=True):
    """One order: side buy or sell; type market, limit, stop or stop_limit; time in force day, gtc, ioc or fok.

    Raises:
        UnknownName: a word nobody knows.
        BadValue: a quantity or price that cannot be.
    """

    side: str
    quantity: float
    symbol: str = ""
    type: str = "market"
    limit_px: float = 0.0
    stop_px: float = 0.0
    tif: str = "day"
    why: str = ""

    def __post_init__(self) -> None:
        for word, kind, known in (
            (self.side, "side", _SIDES),
            (self.type, "type", _TYPES),
            (self.tif, "tif", _TIFS),
        ):
            if word not in known:
                raise UnknownName(f"order {kind}", word, known)
        if not _positive(self.quantity):
            raise BadValue("OrderRequest.quantity", self.quantity, "give a number above 0")
        for name, value, wanted in (
            ("limit_px", self.limit_px, self.type in ("limit", "stop_limit")),
            ("stop_px", self.stop_px, self.type in ("stop", "stop_limit")),
        ):
            if wanted and not _positive(value):
                raise BadValue(f"OrderRequest.{name}", value, f"a {self.type} order needs a price above 0")
            if not wanted and value != 0:
                raise BadValue(f"OrderRequest.{name}", value, f"a {self.type} order takes none: leave it out")


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


class Context:
    """What was known at `ts_ns`, and nothing later. The engine fills it; a strategy reads it.

    `symbol` is the event's own ("" for a timer), `position` what this strategy holds of it (units, signed), `last_px`
    its last price (NaN before the first), `x` the declared indicators by name (None until all are warm).
    `positions` and `prices` are the same for every symbol of the strategy.
    """

    __slots__ = ("last_px", "position", "positions", "prices", "symbol", "ts_ns", "x")

    def __init__(
        self,
        ts_ns: int,
        symbol: str,
        position: float,
        last_px: float,
        positions: dict[str, float] | None = None,
        prices: dict[str, float] | None = None,
        x: Any = None,
    ) -> None:
        self.ts_ns = ts_ns
        self.symbol = symbol
        self.position = position
        self.last_px = last_px
        self.positions = MappingProxyType(positions if positions is not None else {symbol: position})
        self.prices = MappingProxyType(prices if prices is not None else {symbol: last_px})
        self.x = x

    @property
    def flat(self) -> bool:
        """Whether nothing of the event's symbol is held."""
        return self.position == 0

    def __repr__(self) -> str:
        return (
            f"Context(ts_ns={self.ts_ns}, symbol={self.symbol!r}, position={self.position:g}, "
            f"last_px={self.last_px:g})"
        )
