"""What a target of 1 means: a quantity, or a percentage of the account's equity at the last price."""

from typing import Final

from workbench.errors import UnknownName

__all__ = ["PERCENT", "SIZINGS", "UNITS", "full_qty_e8", "known_sizing"]

UNITS: Final = "quantity"  # `quantity` units at full size
PERCENT: Final = "percent"  # `quantity` percent of the account's equity at full size
SIZINGS: Final = (UNITS, PERCENT)


def known_sizing(name: str) -> str:
    """`name` itself, when it is a sizing.

    Raises:
        UnknownName: it is not.
    """
    if name in SIZINGS:
        return name
    raise UnknownName("sizing", name, SIZINGS)


def full_qty_e8(sizing: str, quantity_e8: int, equity_e8: int, mark_e8: int) -> int:
    """The quantity that a target of 1 means now; 0 when there is no price or no equity to size by.

    >>> from workbench.model import to_e8
    >>> full_qty_e8("percent", to_e8(10), to_e8(1_000_000), to_e8(400)) == to_e8(250)
    True
    """
    if sizing == UNITS:
        return quantity_e8
    if mark_e8 <= 0 or equity_e8 <= 0:
        return 0
    return equity_e8 * quantity_e8 // (100 * mark_e8)
