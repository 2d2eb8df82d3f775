"""One strategy on one instrument through its compiled loop: the data in, the answers out, the rules asked.

Not here: the loop (loop.py), what may run at all (run.py). `one` imports numba.
"""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from workbench.engine.limits import Limits
from workbench.engine.sizing import NOTIONAL, PERCENT
from workbench.feeds import Recording, Series
from workbench.kernels import fills as exact
from workbench.model import to_e8
from workbench.model.scale import SCALE
from workbench.research.fused.build import audit_call, layout_and_indicators, loop_call
from workbench.research.fused.tables import TOO_LARGE, Fills, Orders, Slips, tables
from workbench.research.plan import CLOSE, Plan
from workbench.research.run import Run
from workbench.strategy.rows import RowMemory

__all__ = ["BARS_A_CALL", "account_of", "marks_of", "one"]

BARS_A_CALL = 1 << 20  # progress is told, and scratch memory used, for so many at a time

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

_marks: "WeakKeyDictionary[Recording, Floats]" = WeakKeyDictionary()


class _Rows(NamedTuple):
    """What the loop writes: bar and signed quantity of each order; price, value and fee of each fill, in 1e-8."""

    order_bar: Ints
    order_qty: Ints
    px: Ints
    value: Ints
    fee: Ints


def one(plan: Plan) -> Run | str:
    """The run, or one sentence why the engine must do it."""
    from workbench.research.fused import loop as at
    from workbench.research.fused.rules import DOUBTS, limit_arrays

    recording, strategy = plan.recording, plan.placements[0].strategy
    layout, indicators = layout_and_indicators(strategy)
    call = loop_call(layout, type(strategy).decide, "fused", at.loop_over, at.SIGNATURE)  # type: ignore[attr-defined]
    if isinstance(call, str):
        return call
    memory = RowMemory(layout)
    memory.fill(memory.take(), strategy, indicators)
    limits = Limits().changed(plan.limits.items())
    account, numbers = account_of(plan, at, limits.allow_reversal != 0), np.zeros(at.NUMBERS)
    numbers[at.SLIP] = Slips.of(plan.sim, 1).rate
    cash = int(account[at.CASH])
    series, marks = recording.series(recording.symbols[0]), marks_of(recording)
    n = len(series.ts_ns)
    equity = np.empty(n)
    parts: list[_Rows] = []
    for first in range(0, n, BARS_A_CALL):
        end = min(first + BARS_A_CALL, n)
        rows = _Rows(*(np.empty(end - first + 1, np.int64) for _ in _Rows._fields))
        account[at.N_ORDERS] = account[at.N_FILLS] = 0
        try:
            call(memory.slots, memory.rings, 0, *series, marks, first, end, account, numbers, equity, *rows)
        except Exception as error:  # noqa: BLE001 - the strategy's own code raised: the engine says where
            return f"{type(error).__name__} in the strategy's own code"
        if account[at.STATUS] != at.FINE:
            return "a decision was no number" if account[at.STATUS] == at.NAN else TOO_LARGE
        orders, fills = int(account[at.N_ORDERS]), int(account[at.N_FILLS])
        parts.append(
            _Rows(rows.order_bar[:orders], rows.order_qty[:orders], *(column[:fills] for column in rows[2:]))
        )
        if plan.progress is not None:
            plan.progress(end, n)
    ended = _end(plan, account, at, series, marks, equity)
    rows = _Rows(*(np.concatenate(columns) for columns in zip(*parts, ended.rows, strict=True)))
    extra, n_orders = len(ended.rows.order_qty), len(rows.order_qty)
    cancelled = n_orders - 1 - extra if ended.cancelled else -1
    whole, edges = limit_arrays(limits)
    doubt = audit_call()(
        series.ts_ns, recording.opens_ns, series.open, series.close, equity,
        cash, n_orders - extra, len(rows.px), cancelled, *rows, whole, edges,
    )  # fmt: skip
    if doubt:
        return f"the risk rule {DOUBTS[doubt]} could have refused an order"
    made = tables(
        *_happened(plan, series, rows, cancelled),
        np.array([cancelled][: ended.cancelled], np.int64),
        recording.end_ns,
    )
    if isinstance(made, str):
        return made
    return Run(recording, "compiled", plan.cash, series.ts_ns, equity, made[1], made[0])


def account_of(plan: Plan, at: Any, reversal: bool) -> Ints:
    """The account as the loop takes it; `at` is the module of the loop."""
    placement, lot = plan.placements[0], plan.recording.instruments[0].lot_e8
    quantity = to_e8(placement.quantity)
    account = np.zeros(at.ACCOUNT, np.int64)
    account[at.CASH], account[at.LOT] = to_e8(plan.cash), lot
    if placement.sizing in (PERCENT, NOTIONAL):
        account[at.PERCENT] = quantity
        account[at.FIXED] = 100 * SCALE if placement.sizing == NOTIONAL else 0
    else:
        account[at.FULL] = exact.floor_lot(quantity, lot)
    account[at.FEE_UNIT], account[at.FEE_RATE] = to_e8(plan.sim.fee_per_unit), round(plan.sim.fee_rate * 1e8)
    account[at.FEE_ORDER] = to_e8(plan.sim.fee_per_order)
    account[at.REVERSAL], account[at.AT_CLOSE] = reversal, plan.fill == CLOSE
    slips = Slips.of(plan.sim, plan.recording.instruments[0].tick_e8)
    account[at.TICK], account[at.WORSE] = slips.tick_e8, slips.worse_e8
    return account


def marks_of(recording: Recording) -> Floats:
    """The closes as whole numbers of 1e-8 have them: the closes themselves where that is the same to the last bit or
    so."""
    marks = _marks.get(recording)
    if marks is None:
        close = recording.series(recording.symbols[0]).close
        marks = np.floor(close * 1e8 + 0.5) / 1e8
        if np.all(np.abs(marks - close) <= 4e-16 * close):
            marks = close
        _marks[recording] = marks
    return marks


class _Ended(NamedTuple):
    """What the end of the data brings: more rows, and whether the last order was cancelled there."""

    rows: _Rows
    cancelled: int


def _end(plan: Plan, account: Ints, at: Any, series: Series, marks: Floats, equity: Floats) -> _Ended:
    """An order at the last close fills there; with `flat_at_end` what is held is closed."""
    pending, held, cash = (int(account[place]) for place in (at.PENDING, at.HELD, at.CASH))
    last = len(series.ts_ns) - 1
    mark = round(float(series.close[last]) * 1e8)
    slips = Slips.of(plan.sim, plan.recording.instruments[0].tick_e8)
    rows: list[list[int]] = [[], [], [], [], []]
    closing: list[int] = []
    if pending and plan.fill == CLOSE:
        closing.append(pending)
        held += pending
    if plan.flat_at_end and held:
        closing.append(-held)
        rows[0].append(last)
        rows[1].append(-held)
        held = 0
    for qty in closing:
        px = slips.px_e8(mark, qty)
        value = exact.value_e8(px, qty)
        fee = exact.fee_e8(value, qty, int(account[at.FEE_UNIT]), int(account[at.FEE_RATE]))
        fee += int(account[at.FEE_ORDER])
        cash -= value + fee
        for column, figure in zip(rows[2:], (px, value, fee), strict=True):
            column.append(figure)
    if closing:
        equity[last] = cash / 1e8 + held / 1e8 * marks[last]
    cancelled = 1 if plan.flat_at_end and pending and plan.fill != CLOSE else 0
    return _Ended(_Rows(*(np.array(column, np.int64) for column in rows)), cancelled)


def _happened(plan: Plan, series: Series, rows: _Rows, cancelled: int) -> tuple[Orders, Fills]:
    """The loop's rows as orders and fills. Order k is filled by fill k, but for the one that was cancelled."""
    ts, n = series.ts_ns, len(rows.order_bar)
    of = np.delete(np.arange(n), cancelled) if cancelled >= 0 else np.arange(n)
    of = of[: len(rows.px)]
    bar = rows.order_bar[of]
    if plan.fill == CLOSE:
        when = ts[bar]
    else:
        after = np.minimum(bar + 1, len(ts) - 1)
        when = np.maximum(plan.recording.opens_ns[after], ts[bar] + 1)
    orders = Orders(ts[rows.order_bar], np.ones(n, np.int64), np.zeros(n, np.int64), rows.order_qty)
    return orders, Fills(of, when, rows.px, rows.value, rows.fee)
