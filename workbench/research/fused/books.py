"""The books of the compiled loop of many instruments: marks, holdings, open orders, and which rule might say no.

All of it lies in arrays that the loop owns; these functions move them as the engine moves its ledger and its exposure.
Not here: the loop (panel.py), one instrument (loop.py). Imports numba.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numba.extending
import numpy as np
from llvmlite.ir import Constant

from workbench.kernels import fills
from workbench.kernels.compose import OPTIONS, compiling_freezer
from workbench.research.fused.rules import (
    COLLAR,
    CREDIT,
    CREDIT_E8,
    DAILY_LOSS,
    GROSS,
    MAX_GROSS,
    MAX_JUMP,
    MAX_LOSS,
    MAX_NOTIONAL,
    MAX_POSITION,
    MAX_QTY,
    MAX_REPEATS,
    NOTIONAL,
    POSITION,
    RATE,
    REPEAT,
    REPEAT_NS,
    SHORT,
    SIZE,
)

__all__ = [
    "ACCOUNT",
    "AT_CLOSE",
    "BAR",
    "CASH",
    "DAY_END",
    "DAY_EQUITY",
    "DOUBTED",
    "FEE_ORDER",
    "FEE_RATE",
    "FEE_UNIT",
    "FINE",
    "FIXED",
    "FULL",
    "IID",
    "INSTANT",
    "LINE",
    "LOT",
    "MARK",
    "NAN",
    "N_FILLS",
    "N_ORDERS",
    "ORDER_NO",
    "PENDING",
    "PERCENT",
    "PLACED",
    "REVERSAL",
    "SEAT",
    "SEAT_HELD",
    "SENT",
    "SLIP",
    "STATUS",
    "SUMS",
    "TICK",
    "TOO_LARGE",
    "WORSE",
    "book_fill",
    "borrowed",
    "equity_e8",
    "move_mark",
    "note_order",
    "rule_against",
]

_S: Final = 100_000_000
_SECOND_NS: Final = 1_000_000_000
_NEARLY: Final = 1.0 - 1e-6  # sums kept in floats drift: doubt them a little early

# the account, int64[ACCOUNT]: value is what is held at the marks, in 1e-8 and the rest in 1e-16
CASH, VALUE, VALUE_REST, N_ORDERS, N_FILLS, STATUS, INSTANT, DAY_END, DAY_EQUITY, SENT = range(10)
FEE_UNIT, FEE_RATE, REVERSAL, AT_CLOSE, FEE_ORDER = range(10, 15)
ACCOUNT: Final = 15
# sums in currency units: worst-case gross exposure, open purchases at the marks; and slippage as a fraction
GROSS_SUM, BUYS_SUM, SLIP = range(3)
SUMS: Final = 3
# one strategy on one instrument, int64[n, SEAT]; targets lie beside them in float64[n]
IID, PLACED, SEAT_HELD, PENDING, ORDER_NO, FULL, PERCENT, LAST_SIDE, REPEATS, FROM_NS, BAR, FIXED = range(12)
SEAT: Final = 12
# one instrument, int64[m, LINE]
HELD, BUYS, SELLS, WORST, MARK, LOT, WORTH, WORTH_REST, TICK, WORSE = range(10)
LINE: Final = 10

FINE, NAN, TOO_LARGE, DOUBTED = 0, 1, 2, 10  # from DOUBTED on: the number of the rule

_frozen = compiling_freezer().function
_room = _frozen(fills.room)
_value_e8 = _frozen(fills.value_e8)
_over_e8 = _frozen(fills.over_e8)
_fee_e8 = _frozen(fills.fee_e8)
_slipped_px_e8 = _frozen(fills.slipped_px_e8)
_njit: Any = numba.njit
_intrinsic: Any = numba.extending.intrinsic


def _borrow(typingctx: Any, array: Any) -> Any:
    """The same array without a count of its users: the caller holds it. Counting would cost two atomic operations every
    time a helper is handed one."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        view = context.make_array(sig.args[0])(context, builder, args[0])
        view.meminfo = Constant(view.meminfo.type, None)
        view.parent = Constant(view.parent.type, None)
        return view._getvalue()

    return array(array), codegen


borrowed = _intrinsic(_borrow)


def _compiled[F: Callable[..., Any]](function: F) -> F:
    return _njit(forceinline=True, **OPTIONS)(function)  # type: ignore[no-any-return]


@_compiled
def settle(account: Any, sums: Any, lines: Any, iid: int, held: int, buys: int, sells: int) -> bool:
    """Let an instrument's holding and open orders be these; False when a product leaves 64 bits."""
    mark = lines[iid, MARK]
    worst = max(held + buys, sells - held)
    if not _room(mark, max(abs(held), worst)):
        return False
    px = float(mark) * 1e-16
    sums[GROSS_SUM] += float(worst - lines[iid, WORST]) * px
    sums[BUYS_SUM] += float(buys - lines[iid, BUYS]) * px
    if held != lines[iid, HELD]:
        worth, rest = _over_e8(mark, held)
        account[VALUE] += worth - lines[iid, WORTH]
        account[VALUE_REST] += rest - lines[iid, WORTH_REST]
        lines[iid, WORTH], lines[iid, WORTH_REST] = worth, rest
    lines[iid, HELD], lines[iid, BUYS], lines[iid, SELLS], lines[iid, WORST] = held, buys, sells, worst
    return True


@_compiled
def move_mark(account: Any, sums: Any, lines: Any, iid: int, px: float) -> bool:
    """Move an instrument's mark; False when a product leaves 64 bits."""
    mark = np.int64(px * 1e8 + 0.5)
    moved = float(mark - lines[iid, MARK]) * 1e-16
    lines[iid, MARK] = mark
    if lines[iid, WORST] != 0:
        held = lines[iid, HELD]
        if not _room(mark, max(abs(held), lines[iid, WORST])):
            return False
        sums[GROSS_SUM] += float(lines[iid, WORST]) * moved
        sums[BUYS_SUM] += float(lines[iid, BUYS]) * moved
        if held != 0:
            worth, rest = _over_e8(mark, held)
            account[VALUE] += worth - lines[iid, WORTH]
            account[VALUE_REST] += rest - lines[iid, WORTH_REST]
            lines[iid, WORTH], lines[iid, WORTH_REST] = worth, rest
    return True


@_compiled
def equity_e8(account: Any) -> int:
    return account[CASH] + account[VALUE] + account[VALUE_REST] // _S  # type: ignore[no-any-return]


@_compiled
def rule_against(
    account: Any, sums: Any, seats: Any, r: int, lines: Any, sent: Any, whole: Any, numbers: Any,
    now: int, qty: int, o: float, c: float,
) -> int:  # fmt: skip
    """The rule that says no to an order of seat `r`, or might; 0 when none."""
    iid = seats[r, IID]
    side = 1 if qty > 0 else -1
    size = qty * side
    mark = lines[iid, MARK]
    worst = (
        lines[iid, HELD] + lines[iid, BUYS] + size
        if side > 0
        else lines[iid, SELLS] - lines[iid, HELD] + size
    )
    notional = float(size) * float(mark) * 1e-16
    if size > whole[MAX_QTY]:
        return SIZE
    if notional > numbers[MAX_NOTIONAL] * 1e-8 * _NEARLY:
        return NOTIONAL
    if numbers[MAX_JUMP] != 0.0 and abs(c - o) > numbers[MAX_JUMP] * o * _NEARLY:
        return COLLAR
    if worst > whole[MAX_POSITION] or (whole[SHORT] == 0 and side < 0 and worst > 0):
        return POSITION
    more = float(worst - lines[iid, WORST]) * float(mark) * 1e-16
    if more > 0.0 and sums[GROSS_SUM] + more > numbers[MAX_GROSS] * 1e-8 * _NEARLY:
        return GROSS
    if worst > 0:
        if side > 0:
            free = float(account[CASH] + whole[CREDIT_E8]) * 1e-8
            if free - sums[BUYS_SUM] - notional < 1e-9 * (abs(free) + sums[BUYS_SUM]) + 1e-7:
                return CREDIT
        if float(account[DAY_EQUITY] - equity_e8(account)) >= numbers[MAX_LOSS] * _NEARLY:
            return DAILY_LOSS
    if (
        seats[r, REPEATS] >= whole[MAX_REPEATS]
        and seats[r, LAST_SIDE] == side
        and now - seats[r, FROM_NS] < whole[REPEAT_NS]
    ):
        return REPEAT
    for ring in (seats[r, PLACED], sent.shape[0] - 1):
        most, count = sent[ring, 0], sent[ring, 1]
        if count >= most and now - sent[ring, 2 + count % most] < _SECOND_NS:
            return RATE
    return FINE


@_compiled
def note_order(
    account: Any, sums: Any, seats: Any, r: int, lines: Any, sent: Any, repeat_ns: int, now: int, qty: int
) -> bool:
    """An order of seat `r` is on its way; False when a product leaves 64 bits."""
    iid = seats[r, IID]
    side = 1 if qty > 0 else -1
    if seats[r, LAST_SIDE] == side and now - seats[r, FROM_NS] < repeat_ns:
        seats[r, REPEATS] += 1
    else:
        seats[r, REPEATS], seats[r, FROM_NS] = 1, now
    seats[r, LAST_SIDE], seats[r, PENDING] = side, qty
    for ring in (seats[r, PLACED], sent.shape[0] - 1):
        count = sent[ring, 1]
        sent[ring, 2 + count % sent[ring, 0]] = now
        sent[ring, 1] = count + 1
    buys, sells = lines[iid, BUYS], lines[iid, SELLS]
    if side > 0:
        buys += qty
    else:
        sells -= qty
    return settle(account, sums, lines, iid, lines[iid, HELD], buys, sells)


@_compiled
def book_fill(
    account: Any, sums: Any, seats: Any, r: int, lines: Any, px_now: float, now: int, n: int,
    fill_order: Any, fill_ts: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
) -> bool:  # fmt: skip
    """What seat `r` has on its way fills, as fill number `n`; False when a product leaves 64 bits."""
    iid, qty = seats[r, IID], seats[r, PENDING]
    px = np.int64(np.rint(px_now * 1e8))
    if lines[iid, WORSE] != 0 or sums[SLIP] != 0.0:
        px = _slipped_px_e8(px, qty, lines[iid, WORSE], sums[SLIP], lines[iid, TICK])
    if not _room(px, abs(qty)):
        return False
    value = _value_e8(px, qty)
    fee = _fee_e8(value, qty, account[FEE_UNIT], account[FEE_RATE]) + account[FEE_ORDER]
    fill_order[n], fill_ts[n], fill_px[n], fill_value[n], fill_fee[n] = (
        seats[r, ORDER_NO],
        now,
        px,
        value,
        fee,
    )
    account[CASH] -= value + fee
    seats[r, SEAT_HELD] += qty
    seats[r, PENDING] = 0
    buys, sells = lines[iid, BUYS], lines[iid, SELLS]
    if qty > 0:
        buys -= qty
    else:
        sells += qty
    return settle(account, sums, lines, iid, lines[iid, HELD] + qty, buys, sells)
