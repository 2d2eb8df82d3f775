"""A placed strategy, its seats (one seat = one strategy on one instrument), and the intent a seat hands to risk."""

from typing import TYPE_CHECKING, Final

from workbench.engine.exposure import Line
from workbench.engine.sizing import UNITS
from workbench.engine.throttles import Window
from workbench.model.instrument import Instrument
from workbench.model.orders import Order
from workbench.strategy import EventProgram

if TYPE_CHECKING:
    from workbench.engine.host import Cohort
    from workbench.engine.sizers import Sizer

__all__ = ["OPERATOR", "PAUSED", "REMOVED", "RUNNING", "Intent", "Placed", "Seat", "Verdict"]

OPERATOR: Final = 0  # strategy_id of manual orders

RUNNING: Final = "running"
PAUSED: Final = "paused"
REMOVED: Final = "removed"

type Verdict = tuple[str, str, tuple[tuple[str, float], ...]]
"""A rule's no: its code, one line of text, and the figures it compared."""

type Parameters = tuple[tuple[str, float | int | bool | str], ...]


class Placed:
    """One strategy in the engine: who it is, how it is, and what it did so far.

    `state` is running, paused or removed (`reason` says why); whether it still warms up is asked of its program
    through `StrategyHost.warming`. `why_interpreted` is empty when its decisions are compiled.
    """

    __slots__ = (
        "bars",
        "breaches",
        "cls",
        "code_hash",
        "event_program",
        "event_row",
        "fills",
        "form",
        "halted",
        "iids",
        "name",
        "open_orders",
        "orders",
        "parameters",
        "placed_ns",
        "provenance",
        "quantity_e8",
        "reason",
        "refusals",
        "rejects_running",
        "running",
        "seats",
        "sizer",
        "sizing",
        "sizing_parameters",
        "state",
        "strategy_id",
        "why_interpreted",
        "window",
    )

    def __init__(self, strategy_id: int, name: str, windows: tuple[Window, Window]) -> None:
        self.strategy_id = strategy_id
        self.name = name
        self.cls: type | None = None
        self.code_hash = ""
        self.event_program: EventProgram | None = None  # None: a signal strategy
        self.event_row = -1
        self.open_orders: dict[int, Order] | None = None  # kept for event strategies alone: they may look
        self.parameters: Parameters = ()
        self.iids: tuple[int, ...] = ()
        self.sizing = UNITS
        self.sizing_parameters: tuple[tuple[str, float], ...] = ()
        self.sizer: Sizer | None = None  # None: a fixed quantity
        self.quantity_e8 = 0
        self.provenance = ""
        self.placed_ns = 0
        self.form = ""
        self.why_interpreted = ""
        self.state = RUNNING
        self.running = True
        self.halted = False  # paused by the engine, not by a person
        self.reason = ""
        self.window, self.breaches = windows
        self.rejects_running = 0
        self.seats: list[Seat] = []
        self.bars = 0
        self.orders = 0
        self.fills = 0
        self.refusals = 0

    @property
    def id(self) -> int:
        """The strategy's id."""
        return self.strategy_id

    def turn(self, state: str, reason: str) -> None:
        """Change the state, with its reason."""
        self.state, self.reason = state, reason
        self.running = state == RUNNING


class Seat:
    """One strategy on one instrument. `target` is what it last decided and what is not proved impossible; `held_e8`
    and `working_e8` are signed; `full_e8` is the quantity a target of 1 meant when it was last sized."""

    __slots__ = (
        "cohort",
        "full_e8",
        "held_e8",
        "iid",
        "instrument",
        "last_kind",
        "last_ns",
        "last_px_e8",
        "last_qty_e8",
        "last_side",
        "line",
        "placed",
        "quiet_code",
        "quiet_ns",
        "quiet_side",
        "repeats",
        "repeats_from_ns",
        "slot",
        "target",
        "working_e8",
    )

    def __init__(self, placed: Placed, instrument: Instrument, line: Line) -> None:
        self.placed = placed
        self.instrument = instrument
        self.iid = instrument.iid
        self.line = line
        self.cohort: Cohort | None = None  # None: the operator, an event strategy, or removed
        self.slot = -1  # its place in the cohort
        self.target = 0.0
        self.held_e8 = 0
        self.working_e8 = 0
        self.full_e8 = instrument.floor_qty(placed.quantity_e8) if placed.sizing == UNITS else 0
        self.last_side = 0
        self.last_qty_e8 = 0
        self.last_kind = 0
        self.last_px_e8 = 0
        self.last_ns = 0
        self.repeats = 0
        self.repeats_from_ns = 0
        self.quiet_code = ""
        self.quiet_side = 0
        self.quiet_ns = 0

    def aim(self, target: float) -> None:
        """Set the target, here and where the batch call reads it."""
        self.target = target
        if self.cohort is not None:
            self.cohort.targets[self.slot] = target

    def truth(self) -> float:
        """The target that what is held and working amounts to."""
        if not self.full_e8:
            return 0.0
        return max(-1.0, min(1.0, (self.held_e8 + self.working_e8) / self.full_e8))


class Intent:
    """The order somebody wants, as the rules see it; one object is filled again for every plain order.

    `px_e8` is the price it is valued at (its limit or stop when it has one, else the mark). `sized`: it is the
    difference between a target and what is held and working, so it cannot be a duplicate. `worst_e8` is the size of
    the account's position on the order's side when this and all open orders on that side fill; at most 0, it can
    only make the position smaller. `more_e8` is how much of its quantity comes on top of what is open already: all of a
    plain order, less in a group or an amendment, nothing of an exit that waits for its entry. `linked`: it is part of a
    bracket or a group. `closing`: a person closes what a paused strategy holds. `stands`: it changes a stop-limit order
    that may be in the book by now, its stop met."""

    __slots__ = (
        "closing",
        "iid",
        "kind",
        "limit_px_e8",
        "linked",
        "more_e8",
        "notional_e16",
        "px_e8",
        "qty_e8",
        "seat",
        "side",
        "sized",
        "stands",
        "stop_px_e8",
        "tif",
        "trail_e8",
        "trail_rate_e8",
        "why",
        "worst_e8",
    )

    seat: Seat
    iid: int
    side: int
    kind: int
    tif: int
    qty_e8: int
    limit_px_e8: int
    stop_px_e8: int
    px_e8: int
    notional_e16: int
    sized: bool
    why: str
    worst_e8: int
    more_e8: int

    def __init__(self) -> None:
        self.trail_e8 = 0
        self.trail_rate_e8 = 0
        self.linked = False
        self.closing = False
        self.stands = False

    @property
    def told_px_e8(self) -> int:
        """The price or distance that tells it from another order of the same size."""
        return self.limit_px_e8 or self.stop_px_e8 or self.trail_e8 or self.trail_rate_e8
