"""What an instrument was worth: one price an instant of its own data, whatever kind the data is, and what splits did to
its units.

Lives here: closes of bars, middles of quotes, prints; factors of splits. Not here: what is made of them.
"""

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.feeds.actions import SPLIT

__all__ = ["last_at", "prices_of", "units_at_end"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

_QUOTE = 1


def prices_of(recording: Recording, iid: int) -> tuple[Ints, Floats]:
    """(times int64[n], prices float64[n]) of an instrument: of its bars where it has some, else of quotes, trades."""
    series = recording.series(recording.symbols[iid])
    if len(series.ts_ns):
        return series.ts_ns, series.close
    mine = np.flatnonzero((recording.iid == iid) & (recording.kind < SPLIT))
    values = recording.values[mine]
    quoted = recording.kind[mine] == _QUOTE
    return recording.ts_ns[mine], np.where(quoted, (values[:, 0] + values[:, 2]) / 2, values[:, 0])


def last_at(times: Ints, prices: Floats, ts_ns: Ints, before: float = np.nan) -> Floats:
    """The last price at each of `ts_ns`; `before` where there was none yet."""
    if np.array_equal(times, ts_ns):  # it has data at every instant
        return prices
    if not len(times):
        return np.full(len(ts_ns), before)
    at = np.searchsorted(times, ts_ns, side="right") - 1
    return np.where(at >= 0, prices[np.maximum(at, 0)], before)


def units_at_end(recording: Recording, iid: int, ts_ns: Ints) -> Floats:
    """How many units at the end of the recording one unit at each of `ts_ns` has become by splits, float64[n]."""
    factor = np.ones(len(ts_ns))
    if recording.has_actions:
        for row in np.flatnonzero((recording.iid == iid) & (recording.kind == SPLIT)):
            numerator, denominator = recording.values[row, :2]
            factor[ts_ns < recording.ts_ns[row]] *= numerator / denominator
    return factor
