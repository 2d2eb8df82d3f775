"""The compiled loop of one strategy class on many instruments in one account: shared cash, shared limits.

It walks the recording's units of time in the engine's order. An opening print fills what was decided on that instrument
and moves its mark. At the bars of one instant all marks move first; then every seat (one strategy on one instrument) is
asked in order of placement, and its order is sized with the account as it stands then. Instruments may miss bars.
All sums are the engine's own integers, so equity is equal to the last unit. A risk rule that says no, or might where a
sum is kept in floats, ends the loop: the engine runs the plan instead.

Not here: what is booked (books.py), its data and its result (many.py). Imports numba.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np

from workbench.kernels import fills
from workbench.kernels.compose import Pieces, compiling_freezer
from workbench.kernels.indicator import Ohlcv
from workbench.research.fused.books import (
    ACCOUNT,
    AT_CLOSE,
    BAR,
    DAY_END,
    DAY_EQUITY,
    DOUBTED,
    FINE,
    FIXED,
    FULL,
    IID,
    INSTANT,
    LINE,
    LOT,
    MARK,
    N_FILLS,
    N_ORDERS,
    NAN,
    ORDER_NO,
    PENDING,
    PERCENT,
    REVERSAL,
    SEAT,
    SEAT_HELD,
    SENT,
    STATUS,
    SUMS,
    TOO_LARGE,
    book_fill,
    borrowed,
    equity_e8,
    move_mark,
    note_order,
    rule_against,
)
from workbench.research.fused.rules import REPEAT_NS

__all__ = ["ACCOUNT", "LINE", "PANEL_SIGNATURE", "SEAT", "SUMS", "panel_over"]

_DAY_NS: Final = 86_400_000_000_000

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
_floor_lot = _frozen(fills.floor_lot)
_percent_qty_e8 = _frozen(fills.percent_qty_e8)


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
        account, sums, seats = borrowed(account), borrowed(sums), borrowed(seats)
        lines, sent, whole, numbers = borrowed(lines), borrowed(sent), borrowed(whole), borrowed(numbers)
        fill_order, fill_ts, fill_px = borrowed(fill_order), borrowed(fill_ts), borrowed(fill_px)
        fill_value, fill_fee = borrowed(fill_value), borrowed(fill_fee)
        slots, rings = borrowed(slots), borrowed(rings)
        n_orders, n_fills, base = 0, 0, account[SENT]
        status = FINE
        one_placed = sent.shape[0] == 2
        for u in range(first, end):
            now, row, count = unit_ts[u], unit_row[u], unit_count[u]
            if now >= account[DAY_END]:
                account[DAY_END] = (now // _DAY_NS + 1) * _DAY_NS
                account[DAY_EQUITY] = equity_e8(account)
            if count == 0:  # an opening print
                iid = iids[row]
                for k in range(seats_at[iid], seats_at[iid + 1]):
                    r = seats_of[k]
                    if seats[r, PENDING] != 0:
                        if not book_fill(
                            account, sums, seats, r, lines, values[row, 0], now, n_fills,
                            fill_order, fill_ts, fill_px, fill_value, fill_fee,
                        ):  # fmt: skip
                            status = TOO_LARGE
                        n_fills += 1
                if not move_mark(account, sums, lines, iid, values[row, 0]):
                    status = TOO_LARGE
                if status != FINE:
                    break
                continue
            for b in range(row, row + count):
                if not move_mark(account, sums, lines, iids[b], values[b, 3]):
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
                    worth = equity_e8(account)
                    if worth > 0 and seats[r, FIXED] != 0:
                        worth = seats[r, FIXED]
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
                rule = rule_against(account, sums, seats, r, lines, sent, whole, numbers, now, delta, o, c)
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
                if not note_order(account, sums, seats, r, lines, sent, whole[REPEAT_NS], now, delta):
                    status = TOO_LARGE
                    break
            if account[AT_CLOSE] != 0 and status == FINE:
                for k in range(before, n_orders):
                    r = order_seat[k]
                    bar_at = seats[r, BAR]
                    if not book_fill(
                        account, sums, seats, r, lines, values[bar_at, 3], now, n_fills,
                        fill_order, fill_ts, fill_px, fill_value, fill_fee,
                    ):  # fmt: skip
                        status = TOO_LARGE
                    n_fills += 1
            if status != FINE:
                break
            equity[account[INSTANT]] = equity_e8(account) / 1e8
            account[INSTANT] += 1
        account[N_ORDERS], account[N_FILLS], account[STATUS] = n_orders, n_fills, status
        account[SENT] = base + n_orders

    return loop
