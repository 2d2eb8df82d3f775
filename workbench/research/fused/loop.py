"""The compiled loop of one strategy on one instrument: fill, indicators, decision, size, equity, in one pass.

Per bar: what was decided on the last close fills at this open (or, with `AT_CLOSE`, at that close); every indicator
moves; once all are warm the strategy decides; a changed target becomes an order; equity at the close. Money and
quantities are the engine's own integers, so what follows from a decision is exact.

Lives here: the loop over the pieces of `kernels.compose`. Not here: its data and its result (run.py), whether a risk
rule would have said no (rules.py), many instruments (panel.py). Imports numba.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np

from workbench.kernels import fills
from workbench.kernels.compose import Pieces, compiling_freezer
from workbench.kernels.indicator import Ohlcv

__all__ = ["ACCOUNT", "NUMBERS", "SIGNATURE", "loop_over"]

# what the loop is told and what it answers, in one int64 array; the first six go on where the last call left off
CASH, HELD, PENDING, N_ORDERS, N_FILLS, STATUS = range(6)
FULL, PERCENT, LOT, FEE_UNIT, FEE_RATE, REVERSAL, AT_CLOSE, TICK, WORSE, FIXED, FEE_ORDER = range(6, 17)
ACCOUNT: Final = 17
# the same in floats: the target held; slippage as a fraction (as a distance it is `WORSE`)
POS, SLIP = range(2)
NUMBERS: Final = 2

FINE, NAN, TOO_LARGE = range(3)

types: Any = numba.types
_I = types.Array(types.int64, 1, "C")
_F = types.Array(types.float64, 1, "C")
SIGNATURE: Final = (
    *(_I, _F, types.int64),  # slots, rings, row
    *(_I, _F, _F, _F, _F, _F, _F),  # ts, open, high, low, close, volume, marks
    *(types.int64, types.int64),  # first bar, one past the last
    *(_I, _F),  # account, numbers
    *(_F, _I, _I, _I, _I, _I),  # equity, order bar, order quantity, fill price, fill value, fill fee
)

_frozen = compiling_freezer().function
_room = _frozen(fills.room)
_value_e8 = _frozen(fills.value_e8)
_over_e8 = _frozen(fills.over_e8)
_fee_e8 = _frozen(fills.fee_e8)
_floor_lot = _frozen(fills.floor_lot)
_percent_qty_e8 = _frozen(fills.percent_qty_e8)
_slipped_px_e8 = _frozen(fills.slipped_px_e8)


def loop_over(pieces: Pieces) -> Callable[..., Any]:
    """The loop over the pieces of one strategy class; compile it for `SIGNATURE`.

    Answers nothing: `account[STATUS]` says whether it went well (`NAN`: a decision was none, `TOO_LARGE`: a product
    left 64 bits), `account[N_ORDERS]` and `account[N_FILLS]` how many rows the arrays got. Order k is filled by fill k.
    """
    load, advance, warm, store, decide, _ = pieces

    def loop(
        slots: Any, rings: Any, at: Any,
        ts: Any, o: Any, h: Any, low: Any, c: Any, v: Any, marks: Any,
        first: int, end: int, account: Any, numbers: Any,
        equity: Any, order_bar: Any, order_qty: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
    ) -> None:  # fmt: skip
        params, windows, state = load(slots, rings, at)
        cash, held, pending = account[CASH], account[HELD], account[PENDING]
        n_orders, n_fills = account[N_ORDERS], account[N_FILLS]
        pos = numbers[POS]
        cash_now, held_now = cash / 1e8, held / 1e8
        status = FINE
        for i in range(first, end):
            if pending != 0:
                px = np.int64(np.rint((o[i] if account[AT_CLOSE] == 0 else c[i - 1]) * 1e8))
                if account[WORSE] != 0 or numbers[SLIP] != 0.0:
                    px = _slipped_px_e8(px, pending, account[WORSE], numbers[SLIP], account[TICK])
                if not _room(px, abs(pending)):
                    status = TOO_LARGE
                    break
                value = _value_e8(px, pending)
                fee = _fee_e8(value, pending, account[FEE_UNIT], account[FEE_RATE]) + account[FEE_ORDER]
                cash -= value + fee
                held += pending
                fill_px[n_fills], fill_value[n_fills], fill_fee[n_fills] = px, value, fee
                n_fills += 1
                pending = 0
                cash_now, held_now = cash / 1e8, held / 1e8
                if account[AT_CLOSE] != 0:
                    equity[i - 1] = cash_now + held_now * marks[i - 1]
            state, x = advance(params, windows, state, Ohlcv(o[i], h[i], low[i], c[i], v[i], ts[i] / 1e9))
            if warm(x):
                target = 1.0 * decide(params[0], x, pos)
                if target != pos:
                    if target - target != 0.0:  # NaN or infinite
                        status = NAN
                        break
                    target = min(max(target, -1.0), 1.0)
                    full = account[FULL]
                    if target != pos and account[PERCENT] != 0:
                        mark = np.int64(c[i] * 1e8 + 0.5)
                        if not _room(mark, abs(held)):
                            status = TOO_LARGE
                            break
                        worth = cash + _over_e8(mark, held)[0]
                        if worth > 0 and account[FIXED] != 0:  # an amount is so many percent of a hundred
                            worth = account[FIXED]
                        if float(worth) * account[PERCENT] > 9e19 * mark:  # the quantity would leave them too
                            status = TOO_LARGE
                            break
                        full = _floor_lot(_percent_qty_e8(worth, account[PERCENT], mark), account[LOT])
                    wanted = _floor_lot(np.int64(np.rint(target * full)), account[LOT])
                    if target == 1.0:
                        wanted = full
                    elif target == -1.0:
                        wanted = -full
                    delta = wanted - held
                    if target == pos:
                        delta = 0
                    elif account[REVERSAL] == 0 and (held > 0 > wanted or held < 0 < wanted):
                        delta, target = -held, 0.0
                    pos = target
                    if delta != 0:
                        order_bar[n_orders], order_qty[n_orders] = i, delta
                        n_orders += 1
                        pending = delta
            equity[i] = cash_now + held_now * marks[i]
        store(slots, at, state)
        account[CASH], account[HELD], account[PENDING] = cash, held, pending
        account[N_ORDERS], account[N_FILLS], account[STATUS] = n_orders, n_fills, status
        numbers[POS] = pos

    return loop
