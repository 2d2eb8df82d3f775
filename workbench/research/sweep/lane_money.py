"""The money of a fill in floats that hold whole numbers of 1e-8: exact, and quick in vectors.

A float64 holds every whole number up to 2**53. Cash and values of an account of less than 45 million stay far below
that when they are counted in 1e-8, so sums and products of them are exact, and equal to the integers of
`kernels/fills.py` to the last unit. Positions are counted in lots; a price enters as what one lot costs, split into
whole units of 1e-8 and a rest of 1e-16, which is 0 wherever a lot is a whole unit.

Plain functions; the lane loop compiles them. Not here: when something fills (lane_trades.py).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.model.scale import SCALE

__all__ = [
    "MOST_E8",
    "MOST_LOTS",
    "MOST_QTY_E8",
    "lot_px",
    "rate_fee",
    "rounded_value",
    "wanted_lots",
    "whole_value",
]

MOST_E8 = 4.5e15
"""Values and cash beyond this (45 million) are left to integers."""

MOST_LOTS = 1e7
"""Positions of more lots than this too, ..."""

MOST_QTY_E8 = 1e15
"""... and of more units than this (10 million)."""


def lot_px(px_e8: npt.NDArray[np.int64], lot_e8: int) -> tuple[Any, Any]:
    """What one lot costs at prices int64[n] of 1e-8: float64[n] whole units of 1e-8, and float64[n] the rest in 1e-16.

    >>> whole, rest = lot_px(np.array([36_748_000_001]), 10)
    >>> float(whole[0]), float(rest[0])
    (3674.0, 80000010.0)
    """
    px1, px0 = np.divmod(px_e8, SCALE)
    lot1, lot0 = divmod(lot_e8, SCALE)
    low = px0 * lot0
    whole = px1 * lot1 * SCALE + px1 * lot0 + px0 * lot1 + low // SCALE
    return whole.astype(np.float64), (low % SCALE).astype(np.float64)


def whole_value(lots: float, whole: float, rest: float) -> float:
    """Value of a number of lots where a lot is a whole number of units: nothing is left to round."""
    return lots * whole


# Divisions by 1e8 are multiplications here: dividing takes a processor several times as long. Half a unit added to a
# whole number keeps the product away from the next whole quotient, so rounding down is exact (up to quotients of 1e7).


def rounded_value(lots: float, whole: float, rest: float) -> float:
    """Value of an unsigned number of lots in 1e-8, rounded half up (as the venue books a fill)."""
    return lots * whole + np.floor((lots * rest + 50_000_000.5) * 1e-8)  # type: ignore[no-any-return]


def rate_fee(value: float, rate_e8: float) -> float:
    """A rate (in 1e-8, at most 1e7) of an unsigned value, rounded half up."""
    above = np.floor(value * 1e-8)
    below = value - above * 1e8
    return rate_e8 * above + np.floor((rate_e8 * below + 50_000_000.5) * 1e-8)  # type: ignore[no-any-return]


def wanted_lots(target: float, full_e8: float, lots_per_e8: float) -> float:
    """Signed lots of a target: the fraction of full size, to the nearest 1e-8, then towards zero to whole lots.

    >>> float(wanted_lots(-0.29, 100 * 1e8, 1e-8))
    -29.0
    """
    lots: float = np.floor((np.rint(abs(target) * full_e8) + 0.5) * lots_per_e8)
    return -lots if target < 0.0 else lots
