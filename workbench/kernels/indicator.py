"""What an indicator is: a small record of state, moved one bar at a time. Formulas live in one file each beside this.

    class Sma(Indicator):
        period: int = 20                            # parameters, as annotated attributes
        def ring(p): return p.period                # length of the ring buffer `buf`; leave out when none is needed
        def init(p): return SmaState(0, 0.0)        # a namedtuple of whole numbers, floats and truth values
        def step(p, s, buf, bar): return SmaState(...), value    # the new state, and the value (NaN while warming)
        def warm_up(self): return self.period       # bars until the first value; leave out when it is 1

`p` is a namedtuple of the parameters and stands where `self` would: `step` is a pure function, so the same text runs
compiled (live, sweeps) and interpreted. `value` is a float, or a namedtuple of floats for several outputs.
`bar` has `open high low close volume ts_s`, the last one its close in seconds since 1970 (UTC). A state field keeps
the kind (whole or float) it has in `init`. An indicator of two series is a `PairIndicator`: its `step` sees a `Pair`
where the others see a bar.

One rule for what is no number. Bars are checked where they enter, so NaN and infinity do not arrive. Should one come
in a field that `step` reads, that bar is left out: its value is NaN, and the state stays as if the bar had not been.
One rule for gaps. Bars are counted, not minutes: a gap in time changes nothing, but for indicators that say
`reads_time`.
"""

from collections import namedtuple
from typing import Any, ClassVar

from workbench.errors import BadValue
from workbench.kernels.parameters import Parametrised

__all__ = ["Indicator", "Ohlcv", "Pair", "PairIndicator"]

Ohlcv = namedtuple("Ohlcv", "open high low close volume ts_s")
Pair = namedtuple("Pair", "y x ts_s")


class Indicator(Parametrised):
    """Base of all indicators; see the module for the contract.

    Subclasses define `init(p)`, `step(p, s, buf, bar)`, with a ring buffer `ring(p)`, and `warm_up(self)`. As data:

    - `limits`: lowest and highest value by parameter, both included; every `period` is 1 or more anyway.
    - `price_power`: what the value does when every price is multiplied: 1 it is multiplied too, 0 nothing; a tuple for
      several outputs; None when there is no such law.
    - `reads_time`: whether `bar.ts_s` matters.
    """

    limits: ClassVar[dict[str, tuple[float, float]]] = {}
    price_power: ClassVar[int | tuple[int, ...] | None] = None
    reads_time: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        period = self.__dict__.get("period", 1)
        if isinstance(period, int) and period < 1:
            raise BadValue(f"{type(self).__name__}.period", period, "give a whole number of bars from 1 up")
        for name, (low, high) in self.limits.items():
            if not low <= (value := self.__dict__[name]) <= high:
                span = f"{low:g} up" if high == float("inf") else f"{low:g} to {high:g}"
                raise BadValue(f"{type(self).__name__}.{name}", value, f"give a number from {span}")

    @classmethod
    def has_ring(cls) -> bool:
        """Whether `step` gets a ring buffer."""
        return callable(getattr(cls, "ring", None))

    def warm_up(self) -> int:
        """On which bar, counted from 1, every output is known for the first time."""
        return 1


class PairIndicator(Indicator):
    """Base of indicators of two series, `y` explained by `x`.

    `step(p, s, buf, pair)` sees `pair.y`, `pair.x` and `pair.ts_s`. A strategy declares indicators of one symbol, so
    these are not declared: `batch(indicator, y, x)` moves one over two arrays, and `Stream(indicator)` one pair at a
    time, inside an event strategy or a notebook.
    """
