"""The compiled loop of one strategy class on many instruments in one account: shared cash, shared limits.

It walks the recording's units of time in the engine's order. An opening print fills what was decided on that instrument
and moves its mark. At the bars of one instant all marks move first; then every seat (one strategy on one instrument) is
asked in order of placement, and its order is sized with the account as it stands then. Instruments may miss bars.
All sums are the engine's own integers, so equity is equal to the last unit. A risk rule that says no, or might where a
sum is kept in floats, ends the loop: the engine runs the plan instead.

Not here: the loop of one instrument (fused_loop.py), its data and its result (fused_many.py). Imports numba.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numba.extending
import numpy as np
from llvmlite.ir import Constant

from workbench.kernels import fills
from workbench.kernels.compose import OPTIONS, Pieces, compiling_freezer
from workbench.kernels.indicator import Ohlcv
from workbench.research.fused_rules import (
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

__all__ = ["ACCOUNT", "LINE", "PANEL_SIGNATURE", "SEAT", "SUMS", "panel_over"]

_S: Final = 100_000_000
_DAY_NS: Final = 86_400_000_000_000
_SECOND_NS: Final = 1_000_000_000
_NEARLY: Final = 1.0 - 1e-6  # sums kept in floats drift: doubt them a little early

# the account, int64[ACCOUNT]: value is what is held at the marks, in 1e-8 and the rest in 1e-16
CASH, VALUE, VALUE_REST, N_ORDERS, N_FILLS, STATUS, INSTANT, DAY_END, DAY_EQUITY, SENT = range(10)
FEE_UNIT, FEE_RATE, REVERSAL, AT_CLOSE = range(10, 14)
ACCOUNT: Final = 14
# sums in currency units: worst-case gross exposure, open purchases at the marks; and slippage as a fraction
GROSS_SUM, BUYS_SUM, SLIP = range(3)
SUMS: Final = 3
# one strategy on one instrument, int64[n, SEAT]; targets lie beside them in float64[n]
IID, PLACED, SEAT_HELD, PENDING, ORDER_NO, FULL, PERCENT, LAST_SIDE, REPEATS, FROM_NS, BAR = range(11)
SEAT: Final = 11
# one instrument, int64[m, LINE]
HELD, BUYS, SELLS, WORST, MARK, LOT, WORTH, WORTH_REST, TICK, WORSE = range(10)
LINE: Final = 10

FINE, NAN, TOO_LARGE, DOUBTED = 0, 1, 2, 10  # from DOUBTED on: the number of the rule

types: Any = numba.types
_I = types.Array(types.int64, 1, "C")
_I2 = types.Array(types.int64, 2, "C")
_F = types.Array(types.float64, 1, "C")
_F2 = types.Array(types.float64, 2, "C")
PANEL_SIGNATURE: Final = (
    *(_I, _F, types.int64),  # slots, rings, stride
    *(_I, _I, _I),  # units: time, first row, rows (0: the opening print of that row's bar)
    *(types.Array(types.int32, 1, "C", readonly=True), types.Array(types.float64, 2, "C", readonly=True)),
    *(types.int64, types.int64),  # first unit, one past the last
    *(_I, _F, _I2, _F, _I2),  # account, sums, seats, targets, lines
    *(_I, _I),  # seats of each instrument: where they begin in ..., the seats
    *(_I2, _I, _F),  # when the last orders were sent (by strategy, then the account's), limits
    *(_F, _I, _I, _I),  # equity by instant; orders: time, seat, quantity
    *(_I, _I, _I, _I, _I),  # fills: order, time, price, value, fee
)

_frozen = compiling_freezer().function
_room = _frozen(fills.room)
_value_e8 = _frozen(fills.value_e8)
_over_e8 = _frozen(fills.over_e8)
_fee_e8 = _frozen(fills.fee_e8)
_floor_lot = _frozen(fills.floor_lot)
_percent_qty_e8 = _frozen(fills.percent_qty_e8)
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


_borrowed = _intrinsic(_borrow)


def _compiled[F: Callable[..., Any]](function: F) -> F:
    return _njit(forceinline=True, **OPTIONS)(function)  # type: ignore[no-any-return]


@_compiled
def _settle(account: Any, sums: Any, lines: Any, iid: int, held: int, buys: int, sells: int) -> bool:
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
def _mark(account: Any, sums: Any, lines: Any, iid: int, px: float) -> bool:
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
def _equity(account: Any) -> int:
    return account[CASH] + account[VALUE] + account[VALUE_REST] // _S  # type: ignore[no-any-return]


@_compiled
def _doubt(
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
        if float(account[DAY_EQUITY] - _equity(account)) >= numbers[MAX_LOSS] * _NEARLY:
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
def _opened(
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
    return _settle(account, sums, lines, iid, lines[iid, HELD], buys, sells)


@_compiled
def _filled(
    account: Any, sums: Any, seats: Any, r: int, lines: Any, px_now: float, low: float, high: float, now: int, n: int,
    fill_order: Any, fill_ts: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
) -> bool:  # fmt: skip
    """What seat `r` has on its way fills, as fill number `n`, within `low` and `high` (0: no bounds); False when a
    product leaves 64 bits."""
    iid, qty = seats[r, IID], seats[r, PENDING]
    px = np.int64(np.rint(px_now * 1e8))
    if lines[iid, WORSE] != 0 or sums[SLIP] != 0.0:
        px = _slipped_px_e8(px, qty, lines[iid, WORSE], sums[SLIP], lines[iid, TICK])
        if low > 0.0:
            px = min(max(px, np.int64(np.rint(low * 1e8))), np.int64(np.rint(high * 1e8)))
    if not _room(px, abs(qty)):
        return False
    value = _value_e8(px, qty)
    fee = _fee_e8(value, qty, account[FEE_UNIT], account[FEE_RATE])
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
    return _settle(account, sums, lines, iid, lines[iid, HELD] + qty, buys, sells)


def panel_over(pieces: Pieces) -> Callable[..., Any]:
    """The loop over the pieces of one strategy class; compile it for `PANEL_SIGNATURE`.

    Answers nothing: `account[STATUS]` says whether it went well (`NAN`, `TOO_LARGE`, or `DOUBTED` plus the rule),
    `account[N_ORDERS]` and `account[N_FILLS]` how many rows the arrays got.
    """
    load, advance, warm, store, decide, _ = pieces

    def loop(
        slots: Any, rings: Any, stride: int, unit_ts: Any, unit_row: Any, unit_count: Any, iids: Any, values: Any,
        first: int, end: int, account: Any, sums: Any, seats: Any, targets: Any, lines: Any, seats_at: Any,
        seats_of: Any, sent: Any, whole: Any, numbers: Any, equity: Any, order_ts: Any, order_seat: Any, order_qty: Any,
        fill_order: Any, fill_ts: Any, fill_px: Any, fill_value: Any, fill_fee: Any,
    ) -> None:  # fmt: skip
        account, sums, seats = _borrowed(account), _borrowed(sums), _borrowed(seats)
        lines, sent, whole, numbers = _borrowed(lines), _borrowed(sent), _borrowed(whole), _borrowed(numbers)
        fill_order, fill_ts, fill_px = _borrowed(fill_order), _borrowed(fill_ts), _borrowed(fill_px)
        fill_value, fill_fee = _borrowed(fill_value), _borrowed(fill_fee)
        slots, rings = _borrowed(slots), _borrowed(rings)
        n_orders, n_fills, base = 0, 0, account[SENT]
        status = FINE
        one_placed = sent.shape[0] == 2
        for u in range(first, end):
            now, row, count = unit_ts[u], unit_row[u], unit_count[u]
            if now >= account[DAY_END]:
                account[DAY_END] = (now // _DAY_NS + 1) * _DAY_NS
                account[DAY_EQUITY] = _equity(account)
            if count == 0:  # an opening print
                iid = iids[row]
                for k in range(seats_at[iid], seats_at[iid + 1]):
                    r = seats_of[k]
                    if seats[r, PENDING] != 0:
                        if not _filled(
                            account, sums, seats, r, lines, values[row, 0], 0.0, 0.0, now, n_fills,
                            fill_order, fill_ts, fill_px, fill_value, fill_fee,
                        ):  # fmt: skip
                            status = TOO_LARGE
                        n_fills += 1
                if not _mark(account, sums, lines, iid, values[row, 0]):
                    status = TOO_LARGE
                if status != FINE:
                    break
                continue
            for b in range(row, row + count):
                if not _mark(account, sums, lines, iids[b], values[b, 3]):
                    status = TOO_LARGE
                    break
            b, before = row, n_orders
            for r in range(seats.shape[0]):
                if status != FINE or (one_placed and b == row + count):
                    break
                iid = seats[r, IID]
                if one_placed:  # seats and the instant's bars both stand in order of instruments
                    if iids[b] != iid:
                        continue
                    at = b
                    b += 1
                else:
                    at = row
                    while at < row + count and iids[at] < iid:
                        at += 1
                    if at == row + count or iids[at] != iid:
                        continue
                o, c = values[at, 0], values[at, 3]
                params, windows, state = load(slots, rings, r * stride)
                bar = Ohlcv(o, values[at, 1], values[at, 2], c, values[at, 4], now / 1e9)
                state, x = advance(params, windows, state, bar)
                store(slots, r * stride, state)
                if not warm(x):
                    continue
                pos = targets[r]
                target = 1.0 * decide(params[0], x, pos)
                if target == pos:
                    continue
                if target - target != 0.0:  # NaN or infinite
                    status = NAN
                    break
                target = min(max(target, -1.0), 1.0)
                if target == pos:
                    continue
                full, lot, mark = seats[r, FULL], lines[iid, LOT], lines[iid, MARK]
                if seats[r, PERCENT] != 0:
                    worth = _equity(account)
                    if float(worth) * seats[r, PERCENT] > 9e19 * mark:
                        status = TOO_LARGE
                        break
                    full = _floor_lot(_percent_qty_e8(worth, seats[r, PERCENT], mark), lot)
                wanted = _floor_lot(np.int64(np.rint(target * full)), lot)
                if target == 1.0:
                    wanted = full
                elif target == -1.0:
                    wanted = -full
                have = seats[r, SEAT_HELD]
                delta = wanted - have
                if account[REVERSAL] == 0 and (have > 0 > wanted or have < 0 < wanted):
                    delta, target = -have, 0.0
                targets[r] = target
                if delta == 0:
                    continue
                rule = _doubt(account, sums, seats, r, lines, sent, whole, numbers, now, delta, o, c)
                if rule != FINE:
                    status = DOUBTED + rule
                    break
                seats[r, BAR], order_ts[n_orders], order_seat[n_orders], order_qty[n_orders] = (
                    at,
                    now,
                    r,
                    delta,
                )
                seats[r, ORDER_NO] = base + n_orders
                n_orders += 1
                if not _opened(account, sums, seats, r, lines, sent, whole[REPEAT_NS], now, delta):
                    status = TOO_LARGE
                    break
            if account[AT_CLOSE] != 0 and status == FINE:
                for k in range(before, n_orders):
                    r = order_seat[k]
                    bar_at = seats[r, BAR]
                    if not _filled(
                        account, sums, seats, r, lines, values[bar_at, 3], values[bar_at, 2], values[bar_at, 1],
                        now, n_fills,
                        fill_order, fill_ts, fill_px, fill_value, fill_fee,
                    ):  # fmt: skip
                        status = TOO_LARGE
                    n_fills += 1
            if status != FINE:
                break
            equity[account[INSTANT]] = _equity(account) / 1e8
            account[INSTANT] += 1
        account[N_ORDERS], account[N_FILLS], account[STATUS] = n_orders, n_fills, status
        account[SENT] = base + n_orders

    return loop
