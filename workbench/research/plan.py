"""What a backtest was asked to do, with every argument checked: the record every loop takes, whichever loop it is.

    arguments -> Plan -> a loop (compiled, events, engine) -> Run -> Result

Lives here: the record and the checks of plain arguments. Not here: how data is opened (feeds), how a loop runs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from workbench.config import SimSettings
from workbench.engine.fees import FeeSchedule, fees_named
from workbench.engine.limits import Limits
from workbench.engine.match import Slippage
from workbench.engine.sizing import Sizing
from workbench.errors import BadValue, UnknownName
from workbench.feeds import Recording
from workbench.strategy import Strategy

__all__ = ["FILLS", "NO_LIMITS", "Placement", "Plan", "Progress", "limits_of", "venue_of"]

type Progress = Callable[[int, int], None]

NEXT_OPEN, CLOSE = "next_open", "close"
FILLS = (NEXT_OPEN, CLOSE)


NO_LIMITS: Final[dict[str, float]] = {
    **dict.fromkeys(
        (
            "max_order_qty", "max_order_notional", "max_position_qty", "max_gross", "credit", "max_daily_loss",
            "max_data_age_s", "price_collar",
        ),
        1e15,
    ),
    **dict.fromkeys(("orders_per_s_strategy", "orders_per_s_account", "max_repeats", "breaches_to_halt"), 1e9),
    **dict.fromkeys(("max_jump", "duplicate_window_s", "rejects_to_halt"), 0.0),
}  # fmt: skip
"""Every risk limit out of reach."""


def limits_of(limits: "Mapping[str, float] | str | None") -> dict[str, float]:
    """Risk limits by name; "off" puts all of them out of reach.

    Raises:
        UnknownName: another word, or no such limit. BadValue: an impossible limit.
    """
    if isinstance(limits, str):
        if limits != "off":
            raise UnknownName("limits", limits, ["off"], "Or give limits by name")
        return dict(NO_LIMITS)
    if limits is not None and not isinstance(limits, Mapping):
        raise BadValue("limits", limits, 'give limits by name, like {"max_order_qty": 500}, or "off"')
    chosen = dict(limits or {})
    Limits().changed(chosen.items())
    return chosen


def venue_of(
    sim: SimSettings | None,
    fees: "float | str | FeeSchedule" = 0.0,
    fee_per_unit: float = 0.0,
    slippage: "float | tuple[str, float]" = 0.0,
    fee_per_order: float = 0.0,
) -> tuple[SimSettings, FeeSchedule | None]:
    """Settings of the venue with these fees and this slippage, and the schedule where the fees are one of their own.

    A number of fees is a fraction of the value filled, a text a venue's schedule by name; slippage is a fraction of the
    price, or a model's name and amount.

    Raises:
        UnknownName: no such schedule or model. BadValue: an impossible figure.
    """
    changes: dict[str, Any] = {}
    own = None
    given: Any = fees
    if isinstance(fees, str):
        fees_named(fees)
        changes["fees"] = fees
    elif callable(fees):
        own = fees
    elif fees != 0.0:
        if not isinstance(given, (int, float)) or not 0 <= given < 1:
            raise BadValue("fees", fees, "give a fraction of the value from 0 to below 1, like 0.001")
        changes["fee_rate"] = float(given)
    for name, amount in (("fee_per_unit", fee_per_unit), ("fee_per_order", fee_per_order)):
        figure: Any = amount
        if not isinstance(figure, (int, float)) or not 0 <= figure < 1e7:
            raise BadValue(name, amount, "give an amount of 0 or more")
        if figure:
            changes[name] = float(figure)
    model, worse = _slippage(slippage)
    if worse:
        changes |= {"slippage": model, "slippage_amount": worse}
    plain: Any = SimSettings(ack_median_us=0, fill_median_us=0) if sim is None else sim
    if not isinstance(plain, SimSettings):
        raise BadValue("sim", sim, "give a workbench.config.SimSettings, like SimSettings(queue=True)")
    venue: SimSettings = plain.model_copy(update=changes)
    return venue, own


def _slippage(given: Any) -> tuple[str, float]:
    """Model and amount."""
    plain = isinstance(given, (int, float)) and not isinstance(given, bool)
    pair = ("rate", given) if plain else given
    if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[1], (int, float))):
        raise BadValue(
            "slippage", given, 'give a fraction of the price, or a model and its amount: ("ticks", 2)'
        )
    Slippage(*pair)
    return pair[0], float(pair[1])


@dataclass(frozen=True, slots=True)
class Placement:
    """One strategy of the account: on which instruments, and what a target of 1 means. Ids count from 1."""

    strategy: Strategy
    iids: tuple[int, ...]
    quantity: float
    sizing: str
    sizing_parameters: tuple[tuple[str, float], ...] = ()

    @classmethod
    def checked(
        cls, strategy: Strategy, iids: Iterable[int], quantity: float, sizing: "str | Sizing"
    ) -> "Placement":
        """A placement whose figures can be.

        Raises:
            BadValue: an impossible quantity. UnknownName: no such sizing or parameter of it.
        """
        if not 0 < quantity < 1e10:
            raise BadValue("quantity", quantity, "give a number above 0 and below 1e10")
        chosen = Sizing.of(sizing)
        return cls(strategy, tuple(iids), float(quantity), chosen.name, chosen.pairs)

    @property
    def watches_bars(self) -> bool:
        """Whether its sizing must see every bar."""
        return Sizing(self.sizing, **dict(self.sizing_parameters)).watches_bars


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a loop needs to know.

    `fees` is a schedule that goes before those of `sim`. `fill` is "next_open" (decided on a close, filled at the next
    open) or "close" (filled at that same close). `flat_at_end` closes what is held at the last bar's close. `progress`
    is told (events done, events in all).
    """

    recording: Recording
    placements: tuple[Placement, ...]
    cash: float = 1_000_000.0
    sim: SimSettings = field(default_factory=SimSettings)
    limits: Mapping[str, float] = field(default_factory=dict)
    fees: FeeSchedule | None = None
    fill: str = NEXT_OPEN
    flat_at_end: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not 0 < self.cash < 9e10:
            raise BadValue("cash", self.cash, "give a finite amount above 0")
        if self.fill not in FILLS:
            raise UnknownName("fill", self.fill, FILLS)
        if self.progress is not None and not callable(self.progress):
            raise BadValue(
                "progress", self.progress, "give a function that takes (events done, events in all)"
            )
        Limits().changed(self.limits.items())
