"""One fixed scale for every price, quantity and amount: integers of 1e-8.

Prices, quantities and cash are exact integers inside the engine, so books add up to the last unit and a
replay is equal to the bit. One scale for all instruments keeps the journal readable without an instrument
table; tick and lot are multiples of it. Indicators and strategies see floats: the edge converts.
"""

from decimal import Decimal

__all__ = ["SCALE", "from_e8", "notional_e8", "to_e8"]

SCALE = 100_000_000


def to_e8(value: float | int | str | Decimal) -> int:
    """The integer of 1e-8 units nearest to `value`.

    >>> to_e8("367.48"), to_e8(0.1)
    (36748000000, 10000000)
    """
    if isinstance(value, float):
        return round(value * SCALE)
    return int((Decimal(value) * SCALE).to_integral_value())


def from_e8(units: int) -> float:
    """The float nearest to `units` of 1e-8.

    >>> from_e8(36_748_000_000)
    367.48
    """
    return units / SCALE


def notional_e8(px_e8: int, qty_e8: int) -> int:
    """Price times quantity in cash units, rounded half away from zero when the grid is finer than 1e-8.

    >>> from_e8(notional_e8(to_e8("367.48"), to_e8(10)))
    3674.8
    """
    product = px_e8 * qty_e8
    if product >= 0:
        return (product + SCALE // 2) // SCALE
    return -((SCALE // 2 - product) // SCALE)
