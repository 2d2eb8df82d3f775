"""What an event strategy gets and what it may answer, in words and floats: the engine makes its integers of them."""

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import msgspec

from workbench.errors import BadValue, UnknownName
from workbench.model.orders import TIF_NAMES, TYPE_NAMES

__all__ = [
    "ANSWERS",
    "AmendRequest",
    "Answer",
    "CancelRequest",
    "Context",
    "Fill",
    "OpenOrder",
    "OrderRequest",
    "Signal",
]

_SIDES: Final = ("buy", "sell")


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
    """One order: side buy or sell; type market, limit, stop, stop_limit or trailing; time in force day, gtc, ioc, fok,
    opg (at the opening only) or cls (at the close only).

    A trailing order takes a distance, `trail` (a price) or `trail_percent` (of the best price since it began to work).

    `take_profit_px` and `stop_loss_px` make a bracket: exits of the same quantity on the other side, at the venue from
    the start, that work once this order has filled and cancel one another; `stop_loss_limit_px` makes the stop a
    stop-limit order. Requests of one answer with the same `oco` label and symbol cancel one another. Of a bracket or of
    such a group either every order is sent or none.

    Raises:
        UnknownName: a word nobody knows.
        BadValue: a quantity, price or combination that cannot be.

    >>> OrderRequest("buy", 10, take_profit_px=110.0, stop_loss_px=95.0).bracket
    True
    """

    side: str
    quantity: float
    symbol: str = ""
    type: str = "market"
    limit_px: float = 0.0
    stop_px: float = 0.0
    tif: str = "day"
    why: str = ""
    trail: float = 0.0
    trail_percent: float = 0.0
    take_profit_px: float = 0.0
    stop_loss_px: float = 0.0
    stop_loss_limit_px: float = 0.0
    oco: str = ""

    def __post_init__(self) -> None:
        for word, kind, known in (
            (self.side, "side", _SIDES),
            (self.type, "type", TYPE_NAMES),
            (self.tif, "tif", TIF_NAMES),
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
        if self.type == "trailing" or self.trail != 0 or self.trail_percent != 0:
            self._check_trail()
        if self.take_profit_px != 0 or self.stop_loss_px != 0 or self.stop_loss_limit_px != 0:
            self._check_exits()

    def _check_trail(self) -> None:
        for name, value in (("trail", self.trail), ("trail_percent", self.trail_percent)):
            if value != 0 and self.type != "trailing":
                raise BadValue(f"OrderRequest.{name}", value, f"a {self.type} order takes none: leave it out")
            if value != 0 and not _positive(value):
                raise BadValue(f"OrderRequest.{name}", value, "give a distance above 0")
        if (self.trail == 0) == (self.trail_percent == 0):
            raise BadValue("OrderRequest.trail", self.trail, "give trail or trail_percent, one of the two")

    def _check_exits(self) -> None:
        for name, value in (
            ("take_profit_px", self.take_profit_px),
            ("stop_loss_px", self.stop_loss_px),
            ("stop_loss_limit_px", self.stop_loss_limit_px),
        ):
            if value != 0 and not _positive(value):
                raise BadValue(f"OrderRequest.{name}", value, "give a price above 0")
        if self.stop_loss_limit_px and not self.stop_loss_px:
            raise BadValue(
                "OrderRequest.stop_loss_px", self.stop_loss_px, "its limit alone is no stop: give it"
            )
        if self.oco:
            raise BadValue(
                "OrderRequest.oco", self.oco, "a bracket's exits are a group of their own: leave it out"
            )

    @property
    def bracket(self) -> bool:
        """Whether it comes with exits."""
        return bool(self.take_profit_px or self.stop_loss_px)


class CancelRequest(msgspec.Struct, frozen=True):
    """Cancel one of the strategy's own orders by number, or all it has open in the symbol `all`.

    Raises:
        BadValue: both, or neither.

    >>> CancelRequest(7)
    CancelRequest(order_id=7, all='')
    """

    order_id: int = 0
    all: str = ""

    def __post_init__(self) -> None:
        if (self.order_id == 0) == (self.all == ""):
            raise BadValue(
                "CancelRequest.order_id",
                self.order_id,
                "give an order's number or all=symbol, one of the two",
            )


class AmendRequest(msgspec.Struct, frozen=True):
    """Change one of the strategy's own working orders; what is left out stays. `quantity` is the whole quantity, filled
    parts included.

    Raises:
        BadValue: nothing to change, or a value that cannot be.

    >>> AmendRequest(7, limit_px=367.5)
    AmendRequest(order_id=7, quantity=0.0, limit_px=367.5, stop_px=0.0)
    """

    order_id: int
    quantity: float = 0.0
    limit_px: float = 0.0
    stop_px: float = 0.0

    def __post_init__(self) -> None:
        given = [(n, v) for n in ("quantity", "limit_px", "stop_px") if (v := getattr(self, n)) != 0]
        for name, value in given:
            if not _positive(value):
                raise BadValue(f"AmendRequest.{name}", value, "give a number above 0")
        if not given:
            raise BadValue(
                "AmendRequest.order_id", self.order_id, "say what to change: quantity, limit_px or stop_px"
            )


class OpenOrder(msgspec.Struct, frozen=True):
    """One of the strategy's own orders as `ctx.orders` and `on_order` show it. `state` is a name of
    `model.orders.STATE_NAMES`; `reason` says why it ended, `why` what the strategy gave when it asked."""

    order_id: int
    symbol: str
    side: str
    type: str
    quantity: float
    filled: float
    limit_px: float
    stop_px: float
    state: str
    why: str = ""
    reason: str = ""


class Fill(msgspec.Struct, frozen=True):
    """One execution as `on_fill` sees it. `fee` is positive when paid."""

    symbol: str
    side: str
    quantity: float
    px: float
    fee: float
    order_id: int
    ts_ns: int


type Answer = Signal | OrderRequest | CancelRequest | AmendRequest
ANSWERS: Final = (Signal, OrderRequest, CancelRequest, AmendRequest)


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


type Orders = Callable[[str], tuple[OpenOrder, ...]]


class Context:
    """What was known at `ts_ns`, and nothing later. The engine fills it; a strategy reads it.

    `symbol` is the event's own ("" for a timer), `position` what this strategy holds of it (units, signed), `last_px`
    its last price (NaN before the first), `x` the declared indicators by name (None until all are warm).
    `positions` and `prices` are the same for every symbol of the strategy. `cash` and `equity` (cash plus everything
    held at the last prices) are the account's, whoever else trades in it.
    """

    __slots__ = (
        "_orders",
        "cash",
        "equity",
        "last_px",
        "position",
        "positions",
        "prices",
        "symbol",
        "ts_ns",
        "x",
    )

    def __init__(
        self,
        ts_ns: int,
        symbol: str,
        position: float,
        last_px: float,
        positions: dict[str, float] | None = None,
        prices: dict[str, float] | None = None,
        x: Any = None,
        orders: "Orders | None" = None,
        cash: float = 0.0,
        equity: float = 0.0,
    ) -> None:
        self.ts_ns = ts_ns
        self.symbol = symbol
        self.position = position
        self.last_px = last_px
        self.positions = MappingProxyType(positions if positions is not None else {symbol: position})
        self.prices = MappingProxyType(prices if prices is not None else {symbol: last_px})
        self.x = x
        self.cash = cash
        self.equity = equity
        self._orders: Orders | tuple[OpenOrder, ...] = orders if orders is not None else ()

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """This strategy's orders that may still fill, in the event's symbol (a timer: in all), oldest first."""
        orders = self._orders
        if not isinstance(orders, tuple):  # made when first looked at: most hooks never do
            orders = self._orders = orders(self.symbol)
        return orders

    @property
    def flat(self) -> bool:
        """Whether nothing of the event's symbol is held."""
        return self.position == 0

    def __repr__(self) -> str:
        return (
            f"Context(ts_ns={self.ts_ns}, symbol={self.symbol!r}, position={self.position:g}, "
            f"last_px={self.last_px:g})"
        )
