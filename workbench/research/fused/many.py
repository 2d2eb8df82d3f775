"""One strategy class on many instruments of one account through its compiled loop, in any number of variants.

Not here: the loop (panel.py), what may run at all (run.py). `many` imports numba.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.engine.limits import Limits
from workbench.engine.sizing import NOTIONAL, PERCENT
from workbench.kernels import fills as exact
from workbench.model import to_e8
from workbench.model.scale import SCALE
from workbench.research.fused.build import layout_and_indicators, loop_call
from workbench.research.fused.tables import TOO_LARGE, Fills, Orders, Slips, tables
from workbench.research.plan import CLOSE, Plan
from workbench.research.run import Run
from workbench.strategy.rows import RowMemory

__all__ = ["UNITS_A_CALL", "many"]

UNITS_A_CALL = 1 << 18

type Ints = npt.NDArray[np.int64]


class _Rows(NamedTuple):
    """What the loop writes: orders (time, seat, quantity), then fills (order, time, price, value, fee)."""

    order_ts: Ints
    order_seat: Ints
    order_qty: Ints
    fill_order: Ints
    fill_ts: Ints
    px: Ints
    value: Ints
    fee: Ints


class _State(NamedTuple):
    """The arrays the loop reads and writes from call to call."""

    account: Ints
    sums: npt.NDArray[np.float64]
    seats: Ints
    targets: npt.NDArray[np.float64]
    lines: Ints
    seats_at: Ints
    seats_of: Ints
    sent: Ints


def many(plan: Plan) -> Run | str:
    """The run, or one sentence why the engine must do it."""
    from workbench.research.fused import books as at
    from workbench.research.fused import panel
    from workbench.research.fused.rules import DOUBTS, limit_arrays

    recording, limits = plan.recording, Limits().changed(plan.limits.items())
    strategy = plan.placements[0].strategy
    layout, _ = layout_and_indicators(strategy)
    call = loop_call(layout, type(strategy).decide, "panel", panel.panel_over, panel.PANEL_SIGNATURE)  # type: ignore[attr-defined]
    if isinstance(call, str):
        return call
    memory = RowMemory(layout)
    for placement in plan.placements:
        own, indicators = layout_and_indicators(placement.strategy)
        kinds = [(part.name, part.indicator) for part in own.parts]
        if own.key != layout.key or kinds != [(part.name, part.indicator) for part in layout.parts]:
            return "its variants declare different indicators"
        for _ in placement.iids:
            memory.fill(memory.take(), placement.strategy, indicators)
    state = _state(plan, at, limits)
    whole, edges = limit_arrays(limits)
    unit_ts, unit_row, unit_count = (np.ascontiguousarray(column) for column in recording.units(True))
    instants = recording.instants
    equity = np.empty(len(instants))
    parts: list[_Rows] = []
    for first in range(0, len(unit_ts), UNITS_A_CALL):
        end = min(first + UNITS_A_CALL, len(unit_ts))
        room = int(np.maximum(unit_count[first:end], 1).sum()) * len(plan.placements) + len(state.seats)
        rows = _Rows(*(np.empty(room, np.int64) for _ in _Rows._fields))
        try:
            call(
                memory.slots, memory.rings, memory.stride, unit_ts, unit_row, unit_count,
                recording.iid, recording.values, first, end, *state, whole, edges, equity, *rows,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - the strategy's own code raised: the engine says where
            return f"{type(error).__name__} in the strategy's own code"
        status = int(state.account[at.STATUS])
        if status >= at.DOUBTED:
            return f"the risk rule {DOUBTS[status - at.DOUBTED]} could have refused an order"
        if status != at.FINE:
            return "a decision was no number" if status == at.NAN else TOO_LARGE
        orders, fills = int(state.account[at.N_ORDERS]), int(state.account[at.N_FILLS])
        parts.append(_Rows(*(column[: orders if k < 3 else fills] for k, column in enumerate(rows))))
        if plan.progress is not None:
            plan.progress(end, len(unit_ts))
    cancelled: list[int] = []
    if plan.flat_at_end:
        parts.append(_flat(plan, at, state, equity, cancelled))
    rows = _Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    of = state.seats[rows.order_seat]
    made = tables(
        Orders(rows.order_ts, of[:, at.PLACED] + 1, of[:, at.IID], rows.order_qty),
        Fills(*rows[3:]),
        np.array(cancelled, np.int64),
        recording.end_ns,
    )
    if isinstance(made, str):
        return made
    return Run(recording, "compiled", plan.cash, instants, equity, made[1], made[0])


def _state(plan: Plan, at: Any, limits: Limits) -> _State:
    recording, placements = plan.recording, plan.placements
    m, n = len(recording.instruments), sum(len(placement.iids) for placement in placements)
    account, lines = np.zeros(at.ACCOUNT, np.int64), np.zeros((m, at.LINE), np.int64)
    account[at.CASH] = account[at.DAY_EQUITY] = to_e8(plan.cash)
    account[at.FEE_UNIT], account[at.FEE_RATE] = to_e8(plan.sim.fee_per_unit), round(plan.sim.fee_rate * 1e8)
    account[at.FEE_ORDER] = to_e8(plan.sim.fee_per_order)
    account[at.REVERSAL], account[at.AT_CLOSE] = limits.allow_reversal != 0, plan.fill == CLOSE
    lines[:, at.LOT] = [instrument.lot_e8 for instrument in recording.instruments]
    slips = [Slips.of(plan.sim, instrument.tick_e8) for instrument in recording.instruments]
    lines[:, at.TICK], lines[:, at.WORSE] = [s.tick_e8 for s in slips], [s.worse_e8 for s in slips]
    sums = np.zeros(at.SUMS)
    sums[at.SLIP] = slips[0].rate
    seats = np.zeros((n, at.SEAT), np.int64)
    r = 0
    for number, placement in enumerate(placements):
        quantity = to_e8(placement.quantity)
        for iid in placement.iids:
            seats[r, at.IID], seats[r, at.PLACED] = iid, number
            if placement.sizing in (PERCENT, NOTIONAL):
                seats[r, at.PERCENT] = quantity
                seats[r, at.FIXED] = 100 * SCALE if placement.sizing == NOTIONAL else 0
            else:
                seats[r, at.FULL] = exact.floor_lot(quantity, int(lines[iid, at.LOT]))
            r += 1
    seats_of = np.argsort(seats[:, at.IID], kind="stable")
    seats_at = np.searchsorted(seats[seats_of, at.IID], np.arange(m + 1))
    # rings of the times of the last orders; a limit above all that can be sent never binds
    largest = len(recording) * len(placements) + n + 1
    most = [min(int(limits.orders_per_s_strategy), largest)] * len(placements)
    most.append(min(int(limits.orders_per_s_account), largest))
    sent = np.zeros((len(most), 2 + max(most)), np.int64)
    sent[:, 0] = most
    return _State(account, sums, seats, np.zeros(n), lines, seats_at, seats_of, sent)


def _flat(plan: Plan, at: Any, state: _State, equity: Any, cancelled: list[int]) -> _Rows:
    """Cancel what is open and close what is held at the last closes, as the engine's `Flatten` does: seats without an
    open order first, then those whose order was cancelled."""
    recording, account, seats = plan.recording, state.account, state.seats
    now, m = recording.end_ns, len(recording.instruments)
    waiting = [r for r in range(len(seats)) if seats[r, at.PENDING]]
    waiting.sort(key=lambda r: int(seats[r, at.ORDER_NO]))
    cancelled += [int(seats[r, at.ORDER_NO]) for r in waiting]
    closing = [
        r
        for r in [*(r for r in range(len(seats)) if r not in set(waiting)), *waiting]
        if seats[r, at.SEAT_HELD]
    ]
    last_row = np.zeros(m, np.int64)
    last_row[recording.iid] = np.arange(len(recording))
    base, cash = int(account[at.SENT]), int(account[at.CASH])
    rows: list[list[int]] = [[] for _ in _Rows._fields]
    fills: list[tuple[int, ...]] = []
    for k, r in enumerate(closing):
        iid, qty = int(seats[r, at.IID]), -int(seats[r, at.SEAT_HELD])
        bar = recording.values[last_row[iid]].tolist()
        at_once = plan.fill == CLOSE and int(recording.ts_ns[last_row[iid]]) == now
        slips = Slips.of(plan.sim, recording.instruments[iid].tick_e8)
        px = slips.px_e8(round(bar[3] * 1e8), qty)
        value = exact.value_e8(px, qty)
        fee = exact.fee_e8(value, qty, int(account[at.FEE_UNIT]), int(account[at.FEE_RATE]))
        fee += int(account[at.FEE_ORDER])
        cash -= value + fee
        for column, figure in zip(rows, (now, r, qty), strict=False):
            column.append(figure)
        # at once in order of closing; by the last print in order of instruments, then of arrival at the venue
        turn = (0, 0, k) if at_once else (1, iid, k if r not in waiting else k - len(closing))
        fills.append((*turn, base + k, now if at_once else now + 1, px, value, fee))
    for fill in sorted(fills):
        for column, figure in zip(rows[3:], fill[3:], strict=True):
            column.append(figure)
    equity[-1] = cash / 1e8
    return _Rows(*(np.array(column, np.int64) for column in rows))
