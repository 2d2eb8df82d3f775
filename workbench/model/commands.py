"""What the operator, the session and the clock say, as events: one queue, one order of things."""

from typing import Final

import msgspec

from workbench.model.instrument import Instrument

__all__ = [
    "LATE",
    "AddInstrument",
    "AddStrategy",
    "AmendOrder",
    "Arm",
    "CancelOrder",
    "Command",
    "Flatten",
    "Freeze",
    "Kill",
    "OpenAccount",
    "OpenPosition",
    "PauseStrategy",
    "PlaceOrder",
    "RemoveStrategy",
    "ResumeStrategy",
    "SetLimits",
    "SetParameters",
    "StartSession",
    "Thaw",
    "Timer",
]

LATE: Final = "late"
"""The name of a timer that says what time it is because what comes next is old."""


class StartSession(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=40):
    """A new epoch: written at every start of the engine, before anything else."""

    ts_ns: int
    epoch: int
    name: str
    mode: str
    code_version: str


class OpenAccount(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=41):
    """Starting cash of the account in 1e-8 units of its currency."""

    ts_ns: int
    account: str
    cash_e8: int
    currency: str = "USD"


class OpenPosition(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=56):
    """What the account held when the desk took it over, at the price it is valued at from then on. It is the
    operator's: no strategy trades it."""

    ts_ns: int
    iid: int
    qty_e8: int
    px_e8: int


class AddInstrument(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=42):
    """Make an instrument known under `iid` (dense from 0)."""

    ts_ns: int
    iid: int
    symbol: str
    venue: str
    currency: str
    tick_e8: int
    lot_e8: int
    calendar: str

    @classmethod
    def of(cls, ts_ns: int, i: Instrument) -> "AddInstrument":
        """The command that makes `i` known."""
        return cls(ts_ns, i.iid, i.symbol, i.venue, i.currency, i.tick_e8, i.lot_e8, i.calendar)


class AddStrategy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=43):
    """Place a strategy. `source` is the text that defines the class `name`: replay uses it, whatever the file
    says by then; `parameters` are name and value pairs, `sizing_parameters` likewise (what is left out has the default
    of `engine.sizing`); `provenance` tells notebook, cell and file."""

    ts_ns: int
    strategy_id: int
    name: str
    source: str
    code_hash: str
    parameters: tuple[tuple[str, float | int | bool | str], ...]
    iids: tuple[int, ...]
    sizing: str
    quantity_e8: int
    provenance: str = ""
    sizing_parameters: tuple[tuple[str, float], ...] = ()


class PauseStrategy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=44):
    """Stop deciding; open orders stay as they are unless `cancel`."""

    ts_ns: int
    strategy_id: int
    reason: str
    cancel: bool = False


class ResumeStrategy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=45):
    ts_ns: int
    strategy_id: int


class RemoveStrategy(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=46):
    """Cancel its open orders and forget it; positions stay booked under its id."""

    ts_ns: int
    strategy_id: int


class SetParameters(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=47):
    """New parameters for a placed strategy; indicators whose parameters changed start anew (warm-up applies)."""

    ts_ns: int
    strategy_id: int
    parameters: tuple[tuple[str, float | int | bool | str], ...]


class PlaceOrder(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=48):
    """A manual order (strategy 0). `key` makes a repeated request harmless.

    With `take_profit_px_e8` or `stop_loss_px_e8` it becomes a bracket: exits of the same quantity on the other side, at
    the venue from the start, that work once this order has filled and cancel one another (`stop_loss_limit_px_e8`
    makes the stop a stop-limit order)."""

    ts_ns: int
    iid: int
    side: int
    kind: int
    tif: int
    qty_e8: int
    limit_px_e8: int = 0
    stop_px_e8: int = 0
    key: str = ""
    why: str = ""
    trail_e8: int = 0
    trail_rate_e8: int = 0
    take_profit_px_e8: int = 0
    stop_loss_px_e8: int = 0
    stop_loss_limit_px_e8: int = 0


class CancelOrder(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=49):
    ts_ns: int
    order_id: int


class Kill(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=50):
    """Block every new order from now on and cancel all that is open. Durable; only `Arm` ends it."""

    ts_ns: int
    reason: str
    by: str


class Arm(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=51):
    """A person allows trading again after a kill."""

    ts_ns: int
    by: str


class SetLimits(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=52):
    """New risk limits: name and value pairs of `engine.risk.Limits`."""

    ts_ns: int
    limits: tuple[tuple[str, float | int], ...]
    by: str


class Timer(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=53):
    """The clock reached `ts_ns`. `name` says why that is told: "bar", "kill", or `LATE`: what comes next is old."""

    ts_ns: int
    name: str


class AmendOrder(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=54):
    """Change a working order; 0 keeps what it has."""

    ts_ns: int
    order_id: int
    qty_e8: int = 0
    limit_px_e8: int = 0
    stop_px_e8: int = 0


class Flatten(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=55):
    """Close everything held in `iid` (-1: in all instruments): its strategies are paused, their open orders
    cancelled, and each sends a market order for what it holds."""

    ts_ns: int
    iid: int
    reason: str
    by: str


class Freeze(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=57):
    """Send nothing in `iid` that could enlarge its position: the desk's books and the broker's do not agree there."""

    ts_ns: int
    iid: int
    reason: str
    by: str


class Thaw(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=58):
    """Trade `iid` again."""

    ts_ns: int
    iid: int
    by: str


type Command = (
    StartSession
    | OpenAccount
    | OpenPosition
    | AddInstrument
    | AddStrategy
    | PauseStrategy
    | ResumeStrategy
    | RemoveStrategy
    | SetParameters
    | PlaceOrder
    | CancelOrder
    | AmendOrder
    | Flatten
    | Freeze
    | Thaw
    | Kill
    | Arm
    | SetLimits
    | Timer
)
