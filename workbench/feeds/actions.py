"""Splits and dividends in a table of bars, and as rows of a recording.

Lives here: the two columns, where their events stand, and how rows of one instant follow each other. Not here: reading
files (files.py, frames.py), the stream itself (recording.py), what they do to positions (engine).

A table of bars may carry two more columns, `dividend` (cash a unit) and `split` (units that one unit becomes), on the
first bar of the day from which they hold. In a recording they are rows of their own, right before that bar's opening
print, the split first: whatever was decided on the bar before has been, and nothing of the new day has traded.
"""

from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.model.market import Dividend, Split
from workbench.model.scale import SCALE

__all__ = [
    "ACTIONS",
    "BAR",
    "DIVIDEND",
    "NO_ACTION",
    "SPLIT",
    "ActionRows",
    "action_of",
    "action_rows",
    "back_on_bars",
    "in_order",
    "tidied",
]

ACTIONS: Final = ("dividend", "split")
NO_ACTION: Final = (0.0, 1.0)
BAR: Final = 2  # row kinds of a recording; trades and quotes come before it
SPLIT: Final = 3
DIVIDEND: Final = 4
_FINEST: Final = 10_000  # a split is told as a fraction of whole numbers up to here

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]


class ActionRows(NamedTuple):
    """Rows to be merged: times int64[n], `iid` int32[n], `kind` int8[n], values float64[n, 5] (the amount in 1e-8; or
    numerator and denominator)."""

    ts_ns: Ints
    iid: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    values: Floats


def tidied(actions: Floats) -> Floats | None:
    """float64[n, 2] of dividend and split with one spelling of "none" (0 and 1; empty, and a split of 0, mean it too);
    None when there is none at all.

    >>> tidied(np.array([[np.nan, 0.0], [0.5, 1.0]])).tolist(), tidied(np.array([[0.0, 0.0]]))
    ([[0.0, 1.0], [0.5, 1.0]], None)
    """
    tidy = np.where(np.isnan(actions), np.array(NO_ACTION), actions)
    tidy[tidy[:, 1] == 0.0, 1] = 1.0
    return tidy if bool((tidy != np.array(NO_ACTION)).any()) else None


def action_rows(opens: Ints, iid: npt.NDArray[np.int32], actions: Floats) -> ActionRows:
    """The rows that stand before the bars they were written at, at their opening prints; bars in order of time."""
    splits, dividends = np.flatnonzero(actions[:, 1] != 1.0), np.flatnonzero(actions[:, 0] != 0.0)
    at = np.concatenate([splits, dividends])
    kind = np.concatenate([np.full(len(splits), SPLIT, np.int8), np.full(len(dividends), DIVIDEND, np.int8)])
    values = np.zeros((len(at), 5))
    for place, row in enumerate(splits.tolist()):
        ratio = Fraction(float(actions[row, 1])).limit_denominator(_FINEST)
        values[place, :2] = ratio.numerator, ratio.denominator
    values[len(splits) :, 0] = np.rint(actions[dividends, 0] * SCALE)
    return ActionRows(opens[at], iid[at], kind, values)


def action_of(ts_ns: int, iid: int, kind: int, first: float, second: float) -> Split | Dividend:
    """The event of a row."""
    if kind == SPLIT:
        return Split(ts_ns, iid, int(first), int(second))
    return Dividend(ts_ns, iid, int(first))


def back_on_bars(rows: ActionRows, ts_ns: Ints, iid: npt.NDArray[np.int32]) -> Floats:
    """The two columns again for bars in order of time: each row on the first bar of its symbol that closes after it."""
    actions = np.tile(np.array(NO_ACTION), (len(ts_ns), 1))
    for at, number, kind, values in zip(*(part.tolist() for part in rows), strict=True):
        mine = np.flatnonzero((iid == number) & (ts_ns >= at))
        if len(mine):
            column, figure = (1, values[0] / values[1]) if kind == SPLIT else (0, values[0] / SCALE)
            actions[mine[0], column] = figure
    return actions


def in_order(ts_ns: Ints, iid: npt.NDArray[np.int32], kind: npt.NDArray[np.int8]) -> npt.NDArray[np.intp]:
    """The order of a recording's rows: by time; then splits, dividends, ticks as the source had them, bars by iid."""
    turn = np.where(kind == BAR, 3, np.where(kind < BAR, 2, kind - DIVIDEND))
    return np.lexsort((np.arange(len(ts_ns)), np.where(kind == BAR, iid, 0), turn, ts_ns))
