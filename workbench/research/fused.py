"""A plan run by one compiled loop: exactly what the engine would have done, some ten thousand times as fast.

    class -> layout, pieces -> loop (compiled, kept on disk) -> int64 and float64 arrays -> rules doubted? -> Run

Where the loop cannot be taken, `fused_run` answers one sentence that says why; the caller runs the engine instead. That
includes every case in which a risk rule might have said no. Orders, quantities, fills and fees are equal to the
engine's; equity is equal within 1e-8 of a currency unit and 1e-12 of the sums that make it up.

Not here: the loop (fused_loop.py), the rules (fused_rules.py), many instruments (fused_panel.py).
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from workbench.engine.limits import Limits
from workbench.engine.sizing import PERCENT, UNITS
from workbench.feeds import Recording, Series
from workbench.kernels import fills as exact
from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import sample_states
from workbench.model import to_e8
from workbench.model.dtypes import FILL, ORDER
from workbench.model.orders import CANCELLED, FILLED, WORKING
from workbench.research.plan import CLOSE, Placement, Plan
from workbench.research.run import Run
from workbench.research.telling import telling
from workbench.strategy import Strategy, is_event
from workbench.strategy.rows import RowMemory

__all__ = ["fused_run"]

_BARS_A_CALL = 1 << 20
_EXACT = 2**53  # up to here a whole number is one float
_HIGHEST_PX = 9e7

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]


def fused_run(plan: Plan) -> Run | str:
    """The run, or one sentence why it has to go through the engine.

    Raises:
        StrategyError, BadInput: the strategy's `indicators` or an indicator's `init` fails.
    """
    why = _cannot(plan)
    if why:
        return why
    placement = plan.placements[0]
    market = _market(plan.recording)
    if isinstance(market, str):
        return market
    return _one(plan, placement, market)


def _cannot(plan: Plan) -> str:
    """What a compiled loop cannot do of the plan; "" when nothing."""
    recording, sim = plan.recording, plan.sim
    if len(plan.placements) != 1:
        return "several strategies share the account"
    placement = plan.placements[0]
    if is_event(type(placement.strategy)):
        return f"{type(placement.strategy).__name__} is an event strategy"
    if len(recording.instruments) != 1:
        return "several symbols share the account"
    if placement.sizing not in (UNITS, PERCENT):
        return f"sizing '{placement.sizing}' is not compiled"
    if placement.quantity > (1e5 if placement.sizing == PERCENT else _HIGHEST_PX):
        return "the quantity is too large for exact 64-bit figures"
    if sim.ack_median_us or sim.fill_median_us:
        return "the venue has latency"
    limits = Limits().changed(plan.limits.items())
    if limits.hours_from_s > 0 or limits.hours_to_s < 86_400:
        return "orders may only be sent within a daily window"
    return ""


class Market(NamedTuple):
    """One instrument's bars as the loop takes them; `marks` are the closes as whole numbers of 1e-8 have them."""

    series: Series
    marks: Floats


_markets: "WeakKeyDictionary[Recording, Market | str]" = WeakKeyDictionary()


def _market(recording: Recording) -> Market | str:
    """The recording's bars, looked through once; or why they cannot be taken."""
    found = _markets.get(recording)
    if found is None:
        found = _markets[recording] = _looked_through(recording)
    return found


def _looked_through(recording: Recording) -> Market | str:
    series = recording.series(recording.symbols[0])
    if len(series.ts_ns) != len(recording):
        return "the data holds quotes or trades"
    if series.ts_ns[0] <= 0:
        return "the data begins before 1970"
    o, h, low, c, v = series[1:]
    sound = (low > 0.0) & (low <= o) & (o <= h) & (low <= c) & (c <= h) & (h < _HIGHEST_PX)
    sound &= (v >= 0.0) & (v < np.inf)
    if not sound.all():
        return "the data holds a bar that the engine would drop"
    marks = np.floor(c * 1e8 + 0.5) / 1e8
    if np.all(np.abs(marks - c) <= 4e-16 * c):
        marks = c
    return Market(series, marks)


class Loop(NamedTuple):
    """The compiled loop of a strategy class: the machine code itself, no type dispatch."""

    call: Callable[..., None]


_built: dict[str, Loop | str] = {}


@functools.cache
def _sources() -> str:
    """A digest of the loops' own sources: part of what compiled code is remembered by."""
    digest = hashlib.sha256()
    for name in ("fused_loop.py", "fused_rules.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()


def _layout(strategy: Strategy) -> tuple[Layout, dict[str, Any]]:
    owner = type(strategy).__name__
    indicators = strategy.indicators()
    return layout_of(owner, strategy.parameters, indicators, sample_states(owner, indicators)), indicators


def _loop(layout: Layout, decide: Callable[..., Any]) -> Loop | str:
    """The loop, from memory, disk or the compiler; or why there is none."""
    from workbench.research.fused_loop import SIGNATURE, loop_over  # numba loads here, not before
    from workbench.strategy.compiled import built_loop, loop_key

    key, complete = loop_key(layout, decide)
    key = hashlib.sha256(f"{key} {_sources()}".encode()).hexdigest()
    if complete and key in _built:
        return _built[key]
    with telling(f"compiling {layout.owner} (once)..."):
        made = built_loop(layout, decide, loop_over, f"fused_{key[:24]}", SIGNATURE, key if complete else "")
    answer = made if isinstance(made, str) else Loop(made)
    if complete:
        _built[key] = answer
    return answer


@functools.cache
def _audit() -> Callable[..., int]:
    """The compiled audit, kept on disk."""
    from workbench.kernels.compose import compiled_loop
    from workbench.kernels.disk_cache import library_versions, remember
    from workbench.research.fused_rules import AUDIT_SIGNATURE, audit

    key = hashlib.sha256(f"{library_versions()} {_sources()}".encode()).hexdigest()
    function = compiled_loop(audit, f"audit_{key[:24]}")
    remember(function, key)
    function.compile(AUDIT_SIGNATURE)
    return function.get_overload(AUDIT_SIGNATURE)  # type: ignore[no-any-return]


class _Filled(NamedTuple):
    """What a loop answered: bars and signed quantities of the orders; prices, values and fees of the fills."""

    order_bar: Ints
    order_qty: Ints
    px: Ints
    value: Ints
    fee: Ints


def _one(plan: Plan, placement: Placement, market: Market) -> Run | str:
    """One instrument through its loop."""
    from workbench.research import fused_loop as at
    from workbench.research.fused_rules import DOUBTS, limit_arrays

    recording, strategy = plan.recording, placement.strategy
    layout, indicators = _layout(strategy)
    loop = _loop(layout, type(strategy).decide)  # type: ignore[attr-defined]
    if isinstance(loop, str):
        return loop
    memory = RowMemory(layout)
    memory.fill(memory.take(), strategy, indicators)
    limits = Limits().changed(plan.limits.items())
    account = np.zeros(at.ACCOUNT, np.int64)
    account[at.CASH] = cash = to_e8(plan.cash)
    _sized(account, at, placement, recording)
    account[at.FEE_UNIT], account[at.FEE_RATE] = to_e8(plan.sim.fee_per_unit), round(plan.sim.fee_rate * 1e8)
    account[at.REVERSAL], account[at.AT_CLOSE] = limits.allow_reversal != 0, plan.fill == CLOSE
    numbers = np.zeros(at.NUMBERS)
    series, marks = market
    n = len(series.ts_ns)
    equity = np.empty(n)
    pieces: list[_Filled] = []
    for first in range(0, n, _BARS_A_CALL):
        end = min(first + _BARS_A_CALL, n)
        rows = _Filled(*(np.empty(end - first + 1, np.int64) for _ in _Filled._fields))
        account[at.N_ORDERS] = account[at.N_FILLS] = 0
        try:
            loop.call(
                memory.slots, memory.rings, 0, *series, marks, first, end, account, numbers, equity, *rows
            )
        except Exception as error:  # noqa: BLE001 - the strategy's own code raised: the engine says where
            return f"{type(error).__name__} in the strategy's own code"
        if account[at.STATUS] != at.FINE:
            return ("", "a decision was no number", "a figure is too large for exact 64-bit arithmetic")[
                account[at.STATUS]
            ]
        pieces.append(_cut(rows, int(account[at.N_ORDERS]), int(account[at.N_FILLS])))
        if plan.progress is not None:
            plan.progress(end, n)
    done = _Filled(*(np.concatenate(columns) for columns in zip(*pieces, strict=True)))
    ended = _end(plan, account, at, series, marks, done, equity)
    if any(column.size and np.abs(column).max() >= _EXACT for column in ended.rows):
        return "a figure is too large for exact 64-bit arithmetic"
    whole, edges = limit_arrays(limits, recording.bar_ns)
    n_orders = len(ended.rows.order_bar)
    cancelled = n_orders - 1 - ended.extra if ended.cancelled else -1
    doubt = _audit()(
        series.ts_ns, series.open, series.close, equity,
        cash, n_orders, len(ended.rows.px), cancelled, *ended.rows, whole, edges,
    )  # fmt: skip
    if doubt:
        return f"the risk rule {DOUBTS[doubt]} could have refused an order"
    orders, filled = _tables(plan, series, ended)
    return Run(recording, "compiled", plan.cash, series.ts_ns, equity, filled, orders)


def _sized(account: Ints, at: Any, placement: Placement, recording: Recording) -> None:
    lot = recording.instruments[0].lot_e8
    quantity = to_e8(placement.quantity)
    account[at.LOT] = lot
    if placement.sizing == PERCENT:
        account[at.PERCENT] = quantity
    else:
        account[at.FULL] = exact.floor_lot(quantity, lot)


def _cut(rows: _Filled, orders: int, fills: int) -> _Filled:
    return _Filled(rows.order_bar[:orders], rows.order_qty[:orders], *(column[:fills] for column in rows[2:]))


class _Ended(NamedTuple):
    """Everything that happened: `cancelled` orders were open at the end, and `extra` closed what was held there."""

    rows: _Filled
    cancelled: int
    extra: int


def _end(
    plan: Plan, account: Ints, at: Any, series: Series, marks: Floats, done: _Filled, equity: Floats
) -> _Ended:
    """What the last bar leaves: an order at its close fills there; with `flat_at_end` what is held is closed."""
    pending = int(account[at.PENDING])
    cash, held = int(account[at.CASH]), int(account[at.HELD])
    last = len(series.ts_ns) - 1
    px = round(float(series.close[last]) * 1e8)
    rows: list[list[int]] = [[], [], [], [], []]
    cancelled = extra = 0
    closing = []
    if pending and plan.fill == CLOSE:
        closing.append(pending)
        held += pending
    if plan.flat_at_end:
        cancelled = 1 if pending and plan.fill != CLOSE else 0
        if held:
            extra = 1
            closing.append(-held)
            rows[0].append(last)
            rows[1].append(-held)
            held = 0
    for qty in closing:
        value = exact.value_e8(px, qty)
        fee = exact.fee_e8(value, qty, int(account[at.FEE_UNIT]), int(account[at.FEE_RATE]))
        cash -= value + fee
        for column, figure in zip(rows[2:], (px, value, fee), strict=True):
            column.append(figure)
    if closing:
        equity[last] = cash / 1e8 + held / 1e8 * marks[last]
    more = (np.array(column, np.int64) for column in rows)
    return _Ended(_Filled(*(np.concatenate(pair) for pair in zip(done, more, strict=True))), cancelled, extra)


def _tables(plan: Plan, series: Series, ended: _Ended) -> tuple[Any, Any]:
    """Orders and fills as rows of `ORDER` and `FILL`."""
    rows = ended.rows
    n, k = len(rows.order_bar), len(rows.px)
    ts = series.ts_ns
    # order j is filled by fill j, but for one that was cancelled at the end
    of = np.arange(n)
    if ended.cancelled:
        of = np.delete(of, n - 1 - ended.extra)
    of = of[:k]
    bar = rows.order_bar[of]
    if plan.fill == CLOSE:
        when = ts[bar]
    else:
        after = np.minimum(bar + 1, len(ts) - 1)
        when = np.maximum(ts[after] - max(plan.recording.bar_ns, 1), ts[bar]) + 1
    quantity = np.abs(rows.order_qty)
    orders = np.zeros(n, ORDER)
    orders["ts_ns"] = orders["updated_ns"] = ts[rows.order_bar]
    orders["order_id"] = np.arange(1, n + 1)
    orders["strategy_id"] = 1
    orders["side"] = np.sign(rows.order_qty)
    orders["qty"] = quantity / 1e8
    orders["state"] = WORKING
    if ended.cancelled:
        orders["state"][n - 1 - ended.extra] = CANCELLED
    filled = np.zeros(k, FILL)
    orders["state"][of] = FILLED
    orders["filled"][of] = filled["qty"] = orders["qty"][of]
    orders["average_px"][of] = np.abs(rows.value) / quantity[of]
    orders["fee"][of] = filled["fee"] = rows.fee / 1e8
    orders["updated_ns"][of] = filled["ts_ns"] = when
    filled["order_id"] = orders["order_id"][of]
    filled["strategy_id"] = 1
    filled["side"] = orders["side"][of]
    filled["px"] = rows.px / 1e8
    return orders, filled
