"""What an instrument was worth: one price an instant of its own data, whatever kind the data is, and what splits did to
its units.

Lives here: closes of bars, middles of quotes, prints; factors of splits; quantities counted in whole steps. Not here:
what is made of them.
"""

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.feeds.actions import SPLIT

__all__ = ["last_at", "prices_of", "steps_of", "units_at_end"]

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


def steps_of(recording: Recording, iid: int, quantities: Floats) -> tuple[Floats, float]:
    """Quantities counted in whole steps (float64[n], whole numbers), and how many steps a unit has.

    A step is the lot, so that large numbers of a coin that costs next to nothing still add up exactly; 1e-8 where they
    do not lie on the lots: after splits.
    """
    per_unit = 1e8 / recording.instruments[iid].lot_e8
    counted = quantities * per_unit
    steps = np.rint(counted)
    if (np.abs(steps - counted) > np.maximum(1e-6, 4e-16 * counted)).any():
        per_unit = 1e8
        steps = np.rint(quantities * per_unit)
    return steps, per_unit
