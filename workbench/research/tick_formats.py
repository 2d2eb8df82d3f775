"""Formats for the numbers at an axis: as many decimals as tell neighbouring ticks apart, and no more.

Lives here: Bokeh's numeral formats by how far the values spread. Not here: figures in tables (report/parts.py), times.
"""

import math
from typing import Final

__all__ = ["amounts", "decimals", "percents"]

_TICKS: Final = 5  # an axis has about as many
_MOST: Final = 8


def decimals(spread: float) -> int:
    """Decimals that tell numbers apart which lie a tick of an axis of that length from each other.

    >>> decimals(1000.0), decimals(4.0), decimals(0.02), decimals(0.0), decimals(float("nan"))
    (0, 1, 3, 0, 0)
    """
    if not 0.0 < spread < math.inf:
        return 0
    return min(_MOST, max(0, math.ceil(-math.log10(spread / _TICKS) - 1e-9)))


def amounts(spread: float) -> str:
    """A format of plain numbers whose axis is that long.

    >>> amounts(20_000.0), amounts(2.0)
    ('0,0', '0,0.0')
    """
    places = decimals(spread)
    return "0,0" + ("." + "0" * places if places else "")


def percents(spread: float) -> str:
    """A format of fractions, written in percent, whose axis is that long.

    >>> percents(0.3), percents(0.01), percents(0.00002)
    ('0%', '0.0%', '0.0000%')
    """
    places = decimals(100.0 * spread)
    return "0" + ("." + "0" * places if places else "") + "%"
