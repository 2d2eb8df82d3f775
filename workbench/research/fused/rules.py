"""Whether a risk rule could have said no to an order of a compiled run. If one could, the engine runs it instead.

The rules themselves are in `engine/rules.py`; for the orders of a compiled loop (market orders, sized from a target, on
a price just seen) they come down to the comparisons below. Where the loop's figures are exact integers the comparison
is exact; where they are floats it doubts a little early. Both lists are held together by a test.
Imports numba.
"""

from typing import Any, Final

import numba
import numpy as np

from workbench.engine.book import Book
from workbench.engine.exposure import Exposure
from workbench.engine.ledger import Ledger
from workbench.engine.limits import Limits
from workbench.engine.orders import OrderTable
from workbench.engine.risk import Risk
from workbench.kernels import fills
from workbench.kernels.compose import compiling_freezer

__all__ = ["AUDIT_SIGNATURE", "DOUBTS", "NUMBERS", "WHOLE", "audit", "limit_arrays"]

_S: Final = 100_000_000
_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000
_NEARLY: Final = 1.0 - 1e-9

FINE, SIZE, NOTIONAL, COLLAR, POSITION, GROSS, CREDIT, DAILY_LOSS, REPEAT, RATE = range(10)
DOUBTS: Final = (
    "", "SIZE", "NOTIONAL", "COLLAR", "POSITION", "GROSS", "CREDIT", "DAILY_LOSS", "REPEAT", "RATE",
)  # fmt: skip
"""Rules by the number `audit` answers. The other rules cannot say no in a compiled run: nobody kills, freezes or
pauses, sized orders are on the grid and no duplicates, market orders meet no order of ours, a price just seen is not
stale; a daily window (HOURS) goes to the engine at once."""

# limits in whole units of 1e-8 and in counts ...
MAX_QTY, MAX_POSITION, CREDIT_E8, SHORT, REPEAT_NS, MAX_REPEATS, MAX_RATE = range(7)
WHOLE: Final = 7
# ... and those that need floats
MAX_NOTIONAL, MAX_GROSS, MAX_LOSS, MAX_JUMP = range(4)
NUMBERS: Final = 4

types: Any = numba.types
_I = types.Array(types.int64, 1, "C")
_F = types.Array(types.float64, 1, "C")
AUDIT_SIGNATURE: Final = (_I, _I, _F, _F, _F, *(types.int64,) * 4, *(_I,) * 5, _I, _F)

_frozen = compiling_freezer().function
_over_e8 = _frozen(fills.over_e8)


def limit_arrays(limits: Limits) -> tuple[Any, Any]:
    """The limits as `audit` takes them: int64[WHOLE], float64[NUMBERS]."""
    risk = Risk(Book(), Ledger(), Exposure(), OrderTable())
    risk.set_limits(limits)
    most = np.iinfo(np.int64).max
    whole = np.zeros(WHOLE, np.int64)
    for at, value in (
        (MAX_QTY, risk.max_qty_e8),
        (MAX_POSITION, risk.max_position_e8),
        (CREDIT_E8, min(risk.credit_e8, 2 * 10**17)),
        (SHORT, risk.short),
        (REPEAT_NS, risk.repeat_ns),
        (MAX_REPEATS, risk.max_repeats),
        (MAX_RATE, min(risk.per_strategy, risk.account_window.most)),
    ):
        whole[at] = min(value, most)
    numbers = np.array(
        [
            risk.max_notional_e16 / _S,
            risk.max_gross_e16 / _S,
            float(risk.max_loss_e8),
            risk.max_jump,
        ]
    )
    return whole, numbers


def audit(
    ts: Any, opens_ns: Any, o: Any, c: Any, equity: Any,
    cash: int, n_orders: int, n_fills: int, cancelled: int,
    order_bar: Any, order_qty: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
    whole: Any, numbers: Any,
) -> int:  # fmt: skip
    """The number in `DOUBTS` of the first rule that might have said no, 0 when none: follows the orders of one
    instrument, each filled before the next is decided, but for the one numbered `cancelled` (-1: none)."""
    held = filled = 0
    last_side = repeats = from_ns = 0
    day_end = np.int64(-1)
    day_equity = float(cash)
    for k in range(n_orders):
        i, qty = order_bar[k], order_qty[k]
        side = 1 if qty > 0 else -1
        size = qty * side
        now = ts[i]
        mark = np.int64(c[i] * 1e8 + 0.5)
        wanted = held + qty
        worst = wanted * side
        notional = float(size) * float(mark) / 1e8
        if size > whole[MAX_QTY]:
            return SIZE
        if notional > numbers[MAX_NOTIONAL] * _NEARLY:
            return NOTIONAL
        if numbers[MAX_JUMP] != 0.0 and abs(c[i] - o[i]) > numbers[MAX_JUMP] * o[i] * _NEARLY:
            return COLLAR
        if worst > whole[MAX_POSITION] or (whole[SHORT] == 0 and side < 0 and worst > 0):
            return POSITION
        if worst > abs(held) and float(worst) * float(mark) / 1e8 > numbers[MAX_GROSS] * _NEARLY:
            return GROSS
        if now >= day_end:  # the day's first order: how the account stood before the day's first event
            start = now // _DAY_NS * _DAY_NS
            day_end = start + _DAY_NS
            low, high = 0, i
            while low < high:
                middle = (low + high) // 2
                if ts[middle] >= start:
                    high = middle
                else:
                    low = middle + 1
            if low > 0:
                day_equity = equity[low - 1] * 1e8
                if opens_ns[low] < start:  # its opening print still belongs to the day before
                    before = held
                    if k > 0 and order_bar[k - 1] == low - 1:
                        before = held - order_qty[k - 1]
                    day_equity += float(before) * (o[low] - c[low - 1])
        if worst > 0:
            if side > 0:
                price, rest = _over_e8(mark, size)
                if cash + whole[CREDIT_E8] < price + (1 if rest > 0 else 0):
                    return CREDIT
            worth = float(cash) + float(held) * float(mark) / 1e8
            if day_equity - worth >= numbers[MAX_LOSS] * (1.0 - 1e-6) - 1.0:
                return DAILY_LOSS
        if repeats >= whole[MAX_REPEATS] and last_side == side and now - from_ns < whole[REPEAT_NS]:
            return REPEAT
        if k >= whole[MAX_RATE] and now - ts[order_bar[k - whole[MAX_RATE]]] < _SECOND_NS:
            return RATE
        if side == last_side and now - from_ns < whole[REPEAT_NS]:
            repeats += 1
        else:
            repeats, from_ns = 1, now
        last_side = side
        if k != cancelled and filled < n_fills:
            held += qty
            cash -= fill_value[filled] + fill_fee[filled]
            filled += 1
    return FINE
