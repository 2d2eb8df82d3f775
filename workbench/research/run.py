"""What a backtest loop hands over, whichever loop it was: plain arrays that `Result` makes figures of.

    fused loop (compiled)    event loop (Python hooks)    the live engine itself
             \\_________________________|___________________________/
                                       Run

Lives here: the record alone. Not here: how it comes about, what is made of it (result.py).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.model import Refusal

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run over a recording.

    `loop` names the loop: "compiled", "events" or "engine". `cash` is the starting cash. `ts_ns` int64[n] (UTC,
    strictly rising) and `equity` float64[n]: cash plus everything held at the last prices, after all that happened at
    that instant. `fills` and `orders` are arrays of `model.dtypes.FILL` and `ORDER`, in the order they happened; `iid`
    numbers `recording.instruments`. `cash_moves` is the sum of dividends, interest and borrowing fees. `why` is one
    sentence when a faster loop could not be taken, else "".
    """

    recording: Recording
    loop: str
    cash: float
    ts_ns: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    fills: npt.NDArray[np.void]
    orders: npt.NDArray[np.void]
    refusals: list[Refusal] = field(default_factory=list)
    cash_moves: float = 0.0
    why: str = ""
