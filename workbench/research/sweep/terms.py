"""What every run of a sweep has in common: size, cash, fills, costs, limits; and what of it the lanes cannot do.

Lives here: the record and its checks. Not here: the markets (markets.py), the sets (space.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from workbench.brokers.sim import beyond_plain
from workbench.config import SimSettings
from workbench.engine.limits import Limits
from workbench.engine.sizing import PERCENT, UNITS, Sizing
from workbench.errors import BadValue, UnknownName
from workbench.model import to_e8
from workbench.research.backtest import backtest
from workbench.research.plan import FILLS, NEXT_OPEN
from workbench.research.result import Result
from workbench.strategy import Strategy

__all__ = ["Terms"]


def _no_latency() -> SimSettings:
    return SimSettings(ack_median_us=0, fill_median_us=0)


_OPTIONS: Final = ("fees", "flat_at_end", "loop")
"""Arguments of `backtest` for single runs; a number of fees goes into `sim` instead."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The arguments a sweep hands to every backtest, as `backtest` takes them; `options` are those it has besides."""

    quantity: float = 10.0
    sizing: Sizing = field(default_factory=lambda: Sizing(UNITS))
    cash: float = 1_000_000.0
    fill: str = NEXT_OPEN
    sim: SimSettings = field(default_factory=_no_latency)
    limits: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.quantity < 1e10:
            raise BadValue("quantity", self.quantity, "give a number above 0 and below 1e10")
        if not 0 < self.cash < 9e10:
            raise BadValue("cash", self.cash, "give a finite amount above 0")
        if self.fill not in FILLS:
            raise UnknownName("fill", self.fill, FILLS)
        Limits().changed(self.limits.items())
        for name in self.options:
            if name not in _OPTIONS:
                raise UnknownName("option", name, _OPTIONS)

    @property
    def all_limits(self) -> Limits:
        """The limits with their defaults."""
        return Limits().changed(self.limits.items())

    @property
    def by_percent(self) -> bool:
        """Whether full size is a percentage of the equity."""
        return self.sizing.name == PERCENT

    def backtest(self, strategy: Strategy, recording: Any) -> Result:
        """One set by itself."""
        return backtest(
            strategy,
            recording,
            quantity=self.quantity,
            sizing=self.sizing,
            cash=self.cash,
            fill=self.fill,
            sim=self.sim,
            limits=self.limits,
            **self.options,
        )

    def told(self) -> dict[str, Any]:
        """Everything above as plain values: part of what a results file is known by."""
        return {
            "quantity": self.quantity,
            "sizing": [self.sizing.name, self.sizing.pairs],
            "cash": self.cash,
            "fill": self.fill,
            "sim": self.sim.model_dump(),
            "limits": dict(sorted(self.limits.items())),
            "options": {name: repr(value) for name, value in sorted(self.options.items())},
        }

    def not_in_lanes(self) -> str:
        """Why the lanes cannot do it, in one sentence; "" when they can."""
        if self.options:
            return f"the option '{next(iter(self.options))}' is for single runs"
        beyond = beyond_plain(self.sim)
        if beyond:
            return f"the venue has {beyond}"
        if self.sim.ack_median_us or self.sim.fill_median_us or self.sim.measured:
            return "the venue has latency"
        if self.sizing.name not in (UNITS, PERCENT) or self.sizing.watches_bars:
            return f"{self.sizing!r} is for single runs"
        if self.all_limits.allow_reversal == 0:
            return "the limit allow_reversal = 0 splits orders"
        if self.quantity > (1e5 if self.by_percent else 1e7):
            return "the quantity is too large for exact floats"
        if self.sim.fee_per_order > 1e5:
            return "the fee an order is too large for exact floats"
        if to_e8(self.cash) > 4.5e15:
            return "the cash is too large for exact floats"
        return ""
