"""What sizes are measured by: the volatility and the true range of an instrument, from its own bars.

A gauge exists only while somebody sizes by it, and is shared by all who do with the same parameters. It sees a bar
before the strategies decide on it. The formulas are the kernels'; here is only who is fed, and when.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, Final

from workbench.kernels import Atr, EwmaVolatility
from workbench.model.market import Bar

__all__ = ["Gauge", "Range", "Volatility"]

_NAN: Final = float("nan")


class Gauge(ABC):
    """One measure of one instrument; `value` is NaN until it counts."""

    __slots__ = ("_kernel", "_state", "bar_ns", "last_ns", "users", "value")

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._state = type(kernel).init(kernel)
        self.value = _NAN
        self.users: set[int] = set()  # strategy ids
        self.bar_ns = 0  # the shortest step between two bars so far
        self.last_ns = 0

    def see(self, bar: Bar) -> None:
        """Take in a finished bar."""
        step_ns = bar.ts_ns - self.last_ns
        if self.last_ns and step_ns > 0 and not 0 < self.bar_ns <= step_ns:
            self.bar_ns = step_ns
        self.last_ns = bar.ts_ns
        self._state, self.value = type(self._kernel).step(self._kernel, self._state, None, bar)

    @abstractmethod
    def split(self, ratio: float) -> None:
        """The instrument's prices are multiplied by `ratio` from now on."""

    @property
    def told(self) -> tuple[Any, ...]:
        """Everything that its next value depends on, for the state's hash."""
        return (*self._state, self.value if self.value == self.value else None, self.bar_ns, self.last_ns)


class Volatility(Gauge):
    """Exponentially weighted volatility of the returns, per bar."""

    def __init__(self, decay: float, settle: int) -> None:
        super().__init__(EwmaVolatility(decay=decay, settle=settle))

    def split(self, ratio: float) -> None:
        self._state = self._state._replace(prev=self._state.prev * ratio)

    def yearly(self, bars_a_year: float) -> float:
        """The volatility of a year; NaN until it counts."""
        return self.value * math.sqrt(bars_a_year)


class Range(Gauge):
    """Average true range, in the price's unit."""

    def __init__(self, period: int) -> None:
        super().__init__(Atr(period=period))

    def split(self, ratio: float) -> None:
        state = self._state
        self._state = state._replace(prev=state.prev * ratio, value=state.value * ratio)
        self.value *= ratio
