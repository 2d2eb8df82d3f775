"""What an indicator is: a small record of state, moved one bar at a time. Formulas live in one file each beside this.

    class Sma(Indicator):
        period: int = 20                            # parameters, as annotated attributes
        def ring(p): return p.period                # length of the ring buffer `buf`; leave out when none is needed
        def init(p): return SmaState(0, 0.0)        # a namedtuple of whole numbers and floats
        def step(p, s, buf, bar): return SmaState(...), value    # the new state, and the value (NaN while warming)

`p` is a namedtuple of the parameters and stands where `self` would: `step` is a pure function, so the same text runs
compiled (live, sweeps) and interpreted. `value` is a float, or a namedtuple of floats for several outputs.
`bar` has `open high low close volume ts_s`, the last one its close in seconds since 1970 (UTC). A state field keeps
the kind (whole or float) it has in `init`.
"""

from collections import namedtuple
from typing import Any

from workbench.errors import BadValue
from workbench.kernels.parameters import Parametrised

__all__ = ["Indicator", "Ohlcv"]

Ohlcv = namedtuple("Ohlcv", "open high low close volume ts_s")


class Indicator(Parametrised):
    """Base of all indicators; see the module for the contract.

    Subclasses define `init(p)`, `step(p, s, buf, bar)` and, with a ring buffer, `ring(p)`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        period = self.__dict__.get("period", 1)
        if isinstance(period, int) and period < 1:
            raise BadValue(f"{type(self).__name__}.period", period, "give a whole number of bars from 1 up")

    @classmethod
    def has_ring(cls) -> bool:
        """Whether `step` gets a ring buffer."""
        return callable(getattr(cls, "ring", None))
