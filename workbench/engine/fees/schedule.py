"""What a fee schedule is: a pure function of one execution, and the simplest of them.

Lives here: the contract, the order's sums a schedule may need, fees per unit and per value. Not here: any venue's
prices (one file each beside this one).
"""

from typing import NamedTuple, Protocol

from workbench.model.scale import notional_e8

__all__ = ["FeeSchedule", "PerUnit", "SoFar"]


class SoFar(NamedTuple):
    """What the order had done before this execution: quantity, value and fees, in 1e-8."""

    qty_e8: int = 0
    value_e8: int = 0
    fee_e8: int = 0


class FeeSchedule(Protocol):
    """Fee of one execution in 1e-8 of the account's currency; below 0 is a rebate."""

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int: ...


class PerUnit:
    """`per_unit_e8` for every unit plus `rate` of the value.

    >>> PerUnit(500_000, 0.001)(1, 100 * 10**8, 10 * 10**8, 0, False, SoFar())
    105000000
    """

    __slots__ = ("per_unit_e8", "rate_e8")

    def __init__(self, per_unit_e8: int = 0, rate: float = 0.0) -> None:
        self.per_unit_e8 = per_unit_e8
        self.rate_e8 = round(rate * 100_000_000)

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        if not (self.per_unit_e8 or self.rate_e8):
            return 0
        value_e8 = notional_e8(px_e8, qty_e8)
        return notional_e8(self.per_unit_e8, qty_e8) + notional_e8(self.rate_e8, value_e8)
