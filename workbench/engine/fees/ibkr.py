"""Interactive Brokers Pro, US shares: fixed and tiered commissions, and what is passed through.

Sources: docs/matching.md.

Lives here: its prices. Not here: the regulators' rates (regulatory.py). An order's commission is worked out on all it
has filled; a fill pays what that adds.
"""

from typing import Final, NamedTuple

from workbench.engine.fees.regulatory import regulatory_e8
from workbench.engine.fees.schedule import CENT_E8, Dated, SoFar
from workbench.model.scale import SCALE, notional_e8

__all__ = ["PLANS", "IbkrFixed", "IbkrTiered", "Plan"]


class Plan(NamedTuple):
    """One price list: `tiers` are (from this many shares a month, 1e-8 a share)."""

    tiers: tuple[tuple[int, int], ...]
    least_e8: int  # an order of whole shares pays at least this
    least_fraction_e8: int  # an order of less than a share pays at least this
    most_rate_e8: int  # and no order more than this share of its value, the minimum notwithstanding
    passes_through: bool  # the exchange's and the clearing house's fees come on top


_TIERED: Final = (
    (0, 350_000),
    (300_001, 200_000),
    (3_000_001, 150_000),
    (20_000_001, 100_000),
    (100_000_001, 50_000),
)
PLANS: Final[dict[str, Dated[Plan]]] = {
    "fixed": Dated((20190101, Plan(((0, 500_000),), SCALE, CENT_E8, 1_000_000, False))),
    "tiered": Dated((20190101, Plan(_TIERED, 35_000_000, CENT_E8, 1_000_000, True))),
}

_TAKES_E8: Final = (
    300_000  # an exchange's fee for taking, a share: the most the rules allow; making is free here
)
_TAKES_LOW_E8: Final = 300_000  # and of the value, where a share costs less than 1
_CLEARS_E8: Final = 20_000  # NSCC and DTC, a share
_CLEARS_MOST_E8: Final = 500_000  # but no more than this share of the value
_NYSE_E8: Final = 17_500  # of the commission
_FINRA_E8: Final = 56_000  # of the commission
_FINRA_MOST_E8: Final = 830_000_000


class IbkrFixed:
    """$0.005 a share, at least $1.00 and at most 1 % of the value an order; regulators' fees on top.

    >>> IbkrFixed()(1, 25 * SCALE, 1_000 * SCALE, 0, False, SoFar()) / 10**8
    5.0
    """

    __slots__ = ("_monthly_shares",)
    _plan = "fixed"

    def __init__(self, monthly_shares: int = 0) -> None:
        self._monthly_shares = monthly_shares

    def __call__(
        self, side: int, px_e8: int, qty_e8: int, ts_ns: int, maker: bool, order_so_far: SoFar
    ) -> int:
        plan = PLANS[self._plan].at(ts_ns)
        value_e8 = notional_e8(px_e8, qty_e8)
        all_qty_e8, all_value_e8 = order_so_far.qty_e8 + qty_e8, order_so_far.value_e8 + value_e8
        commission_e8 = self._commission_e8(plan, all_qty_e8, all_value_e8)
        if order_so_far.qty_e8:
            commission_e8 -= self._commission_e8(plan, order_so_far.qty_e8, order_so_far.value_e8)
        now = sum(regulatory_e8(side, all_value_e8, all_qty_e8, ts_ns))
        before = sum(regulatory_e8(side, order_so_far.value_e8, order_so_far.qty_e8, ts_ns))
        fee_e8 = commission_e8 + now - before
        if plan.passes_through:
            fee_e8 += _passed_through_e8(px_e8, qty_e8, value_e8, maker, commission_e8)
        return fee_e8

    def _commission_e8(self, plan: Plan, qty_e8: int, value_e8: int) -> int:
        rate_e8 = next(rate for start, rate in reversed(plan.tiers) if self._monthly_shares >= start)
        least_e8 = plan.least_e8 if qty_e8 >= SCALE else plan.least_fraction_e8
        most_e8 = notional_e8(plan.most_rate_e8, value_e8)
        return min(max(notional_e8(rate_e8, qty_e8), least_e8), most_e8)


class IbkrTiered(IbkrFixed):
    """$0.0035 a share (less by the month's shares), at least $0.35 and at most 1 % of the value an order; exchange,
    clearing, pass-through and regulators' fees on top.

    >>> IbkrTiered()(1, 25 * SCALE, 1_000 * SCALE, 0, True, SoFar()) / SCALE
    3.7025725
    """

    __slots__ = ()
    _plan = "tiered"


def _passed_through_e8(px_e8: int, qty_e8: int, value_e8: int, maker: bool, commission_e8: int) -> int:
    takes_e8 = 0
    if not maker:
        takes_e8 = notional_e8(_TAKES_E8, qty_e8) if px_e8 >= SCALE else notional_e8(_TAKES_LOW_E8, value_e8)
    clears_e8 = min(notional_e8(_CLEARS_E8, qty_e8), notional_e8(_CLEARS_MOST_E8, value_e8))
    finra_e8 = min(notional_e8(_FINRA_E8, commission_e8), _FINRA_MOST_E8)
    return takes_e8 + clears_e8 + notional_e8(_NYSE_E8, commission_e8) + finra_e8
