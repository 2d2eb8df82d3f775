"""What a fee schedule is: a pure function of one execution; dated tables; and the simplest schedule.

Lives here: the contract, the order's sums a schedule may need, looking a row up by its day, rounding. Not here: any
venue's prices (one file each beside this one).
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from workbench.model.scale import SCALE, notional_e8

__all__ = ["CENT_E8", "Dated", "FeeSchedule", "PerUnit", "SoFar", "day_ns", "up_to_cent_e8"]

CENT_E8: Final = SCALE // 100
_DAY_NS: Final = 86_400_000_000_000


class SoFar(NamedTuple):
    """What the order had done before this execution: quantity, value and fees, in 1e-8."""

    qty_e8: int = 0
    value_e8: int = 0
    fee_e8: int = 0


class FeeSchedule(Protocol):
    """Fee of one execution in 1e-8 of the account's currency; below 0 is a rebate. `maker`: the order rested."""

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int: ...


class PerUnit:
    """`per_unit_e8` for every unit, `rate` of the value, and `per_order_e8` with an order's first execution.

    >>> PerUnit(500_000, 0.001)(1, 100 * 10**8, 10 * 10**8, 0, False, SoFar())
    105000000
    >>> PerUnit(per_order_e8=10**8)(1, 100 * 10**8, 10**8, 0, False, SoFar(qty_e8=10**8))
    0
    """

    __slots__ = ("per_order_e8", "per_unit_e8", "rate_e8")

    def __init__(self, per_unit_e8: int = 0, rate: float = 0.0, per_order_e8: int = 0) -> None:
        self.per_unit_e8 = per_unit_e8
        self.rate_e8 = round(rate * SCALE)
        self.per_order_e8 = per_order_e8

    @property
    def free(self) -> bool:
        """Whether nothing is ever charged."""
        return not (self.per_unit_e8 or self.rate_e8 or self.per_order_e8)

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        once = 0 if order_so_far.qty_e8 else self.per_order_e8
        if not (self.per_unit_e8 or self.rate_e8):
            return once
        value_e8 = notional_e8(px_e8, qty_e8)
        return once + notional_e8(self.per_unit_e8, qty_e8) + notional_e8(self.rate_e8, value_e8)


class Dated[Row]:
    """Rows by the day they are valid from, written YYYYMMDD (UTC); before the first day the first row holds.

    >>> rates = Dated((20230227, 800), (20240522, 2_780))
    >>> rates.at(day_ns(20240521)), rates.at(day_ns(20240522)), rates.at(0)
    (800, 2780, 800)
    """

    __slots__ = ("_from_ns", "_rows")

    def __init__(self, *rows: tuple[int, Row]) -> None:
        self._from_ns = [day_ns(day) for day, _ in rows]
        self._rows = [row for _, row in rows]

    def at(self, ts_ns: int) -> Row:
        """The row valid at an instant."""
        return self._rows[max(0, bisect_right(self._from_ns, ts_ns) - 1)]

    @property
    def rows(self) -> Sequence[tuple[int, Row]]:
        """(valid from in UTC ns, row), oldest first."""
        return list(zip(self._from_ns, self._rows, strict=True))


def day_ns(day: int) -> int:
    """Midnight UTC of a day written YYYYMMDD, in ns since 1970 (days counted by Howard Hinnant's `days_from_civil`).

    >>> day_ns(19700102), day_ns(20240229) // _DAY_NS
    (86400000000000, 19782)
    """
    year, month, date = day // 10_000, day // 100 % 100, day % 100
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + date - 1
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    return days * _DAY_NS


def up_to_cent_e8(amount_e8: int) -> int:
    """An amount of 0 or more, rounded up to the next whole cent.

    >>> up_to_cent_e8(1), up_to_cent_e8(1_000_000), up_to_cent_e8(0)
    (1000000, 1000000, 0)
    """
    return -(-amount_e8 // CENT_E8) * CENT_E8
