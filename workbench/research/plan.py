"""What a backtest was asked to do, with every argument checked: the record every loop takes, whichever loop it is.

    arguments -> Plan -> a loop (compiled, events, engine) -> Run -> Result

Lives here: the record and the checks of plain arguments. Not here: how data is opened (feeds), how a loop runs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from workbench.config import SimSettings
from workbench.engine.limits import Limits
from workbench.engine.sizing import Sizing
from workbench.errors import BadValue, UnknownName
from workbench.feeds import Recording
from workbench.strategy import Strategy

__all__ = ["FILLS", "Placement", "Plan", "Progress"]

type Progress = Callable[[int, int], None]

NEXT_OPEN, CLOSE = "next_open", "close"
FILLS = (NEXT_OPEN, CLOSE)


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
            raise BadValue("quantity", quantity, "give a finite number of units above 0")
        chosen = Sizing.of(sizing)
        return cls(strategy, tuple(iids), float(quantity), chosen.name, chosen.pairs)

    @property
    def watches_bars(self) -> bool:
        """Whether its sizing must see every bar."""
        return Sizing(self.sizing, **dict(self.sizing_parameters)).watches_bars


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a loop needs to know.

    `fill` is "next_open" (decided on a close, filled at the next open) or "close" (filled at that same close).
    `flat_at_end` closes what is held at the last bar's close. `progress` is told (events done, events in all).
    """

    recording: Recording
    placements: tuple[Placement, ...]
    cash: float = 1_000_000.0
    sim: SimSettings = field(default_factory=SimSettings)
    limits: Mapping[str, float] = field(default_factory=dict)
    fill: str = NEXT_OPEN
    flat_at_end: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if not 0 < self.cash < 9e10:
            raise BadValue("cash", self.cash, "give a finite amount above 0")
        if self.fill not in FILLS:
            raise UnknownName("fill", self.fill, FILLS)
        Limits().changed(self.limits.items())
