"""The loop of a sweep: one block of bars after another, indicators once for all sets that share them, then every set
in vectors of lanes. Compiled once for a strategy class and remembered on disk. Imports numba.

    for each group of sets with the same indicators
        for each block of bars
            indicators into a small table, bar after bar
            for each vector of lanes
                for each bar: fill what was ordered; equity; decide; order; drawdown

Fills come first and at the open ("next_open"), or after the orders and at the close ("close"): as the engine and the
venue do it, whose figures the lanes equal. Most bars change nothing, so what fills and orders do stands behind one
question for the whole vector. A second form (`own`) is for sets that share no indicators: there the indicators move in
lanes too.

Lives here: the loop and its compilation. Not here: what trades do (lane_trades.py), how sets come into lanes and
figures out (chunk.py).
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.kernels.compose import OPTIONS, compiling_freezer, compose, njit, types
from workbench.kernels.disk_cache import remember
from workbench.kernels.fills import floor_lot, over_e8, percent_qty_e8
from workbench.kernels.freeze import Freezer
from workbench.kernels.indicator import Ohlcv
from workbench.kernels.layout import Layout
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_money import rate_fee, rounded_value, wanted_lots
from workbench.research.sweep.lane_pieces import (
    fetch,
    keep,
    lane_floats,
    lane_params,
    lane_words,
    row_load,
    row_store,
    taken,
)
from workbench.research.sweep.lane_state import WIDTH
from workbench.research.sweep.lane_trades import fill_lanes, order_lanes, size_by_percent
from workbench.strategy.compiled import loop_key

__all__ = ["lane_loop"]

_WORDS = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_TABLE = types.Array(types.float64, 2, "C")
_ARGUMENTS = (
    _WORDS,  # slots
    _FLOATS,  # rings
    _WORDS,  # row_at: first word of each group's row
    _WORDS,  # vector_at: first vector of each group, and the end
    _TABLE,  # bars
    _WORDS,  # ts_ns
    _WORDS,  # marks
    _TABLE,  # prices: see lane_state
    _WORDS,  # params by [vector][parameter][lane]
    _FLOATS,  # states by [vector][field][lane]
    _WORDS,  # broken: rules by [vector][lane]
    _FLOATS,  # periods: equity by [vector][period][lane]
    _FLOATS,  # table of indicator values
    _FLOATS,  # setup
    _WORDS,  # stop
)

_BUILT: dict[tuple[str, bool], Callable[..., None]] = {}


def lane_loop(layout: Layout, decide: Callable[..., Any], *, own: bool = False) -> Callable[..., None]:
    """The compiled loop, from memory, disk or the compiler; other threads run while it does.

    `own`: every lane has its own indicators.
    """
    key, complete = loop_key(layout, decide)
    if (key, own) in _BUILT and complete:
        return _BUILT[key, own]
    digest = hashlib.sha256(f"lanes {own} {key} {_own_text()}".encode()).hexdigest()
    loop = _lanes(layout, decide, own)
    loop.__name__ = loop.__qualname__ = f"lanes_{digest[:24]}"
    loop.__module__ = __name__
    compiled = njit(**{**OPTIONS, "nogil": True}, _nrt=False)(loop)
    if complete:
        remember(compiled, digest)
    compiled.compile(_ARGUMENTS)
    entry: Callable[..., None] = compiled.get_overload(_ARGUMENTS)
    if complete:
        _BUILT[key, own] = entry
    return entry


@functools.cache
def _own_text() -> str:
    """Digest of the sources the loop is made of, besides those of the kernels."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("lane_*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _lanes(layout: Layout, decide: Callable[..., Any], own: bool) -> Callable[..., None]:
    freezer = compiling_freezer()
    frozen = freezer.function
    steps = tuple(frozen(part.indicator.step) for part in layout.parts)  # type: ignore[attr-defined]
    _, advance, warm, _, decided, _ = compose(layout, steps, frozen(decide))
    put, take = taken(layout, steps, WIDTH if own else 1)
    pick = lane_params(layout)
    load, store = row_load(layout, WIDTH if own else 1), row_store(layout)
    params_n = len(layout.params.kinds)
    booked, rated, lots_of = frozen(rounded_value), frozen(rate_fee), frozen(wanted_lots)
    over, percent, floored = frozen(over_e8), frozen(percent_qty_e8), frozen(floor_lot)
    inlined = Freezer(lambda copy: njit(**OPTIONS, forceinline=True, _nrt=False)(copy)).function
    fill, order, by_percent = inlined(fill_lanes), inlined(order_lanes), inlined(size_by_percent)

    def lanes(
        slots: Any, rings: Any, row_at: Any, vector_at: Any, bars: Any, ts_ns: Any, marks: Any, prices: Any,
        params: Any, states: Any, broken: Any, periods: Any, table: Any, setup: Any, stop: Any,
    ) -> None:  # fmt: skip
        cash, held, wanted = lane_floats(), lane_floats(), lane_floats()
        cash_now, held_now, equity = lane_floats(), lane_floats(), lane_floats()
        target, aim, peak, worst = lane_floats(), lane_floats(), lane_floats(), lane_floats()
        orders, fees, since, bars_held = lane_floats(), lane_floats(), lane_floats(), lane_floats()
        day_equity, bad = lane_floats(), lane_words()
        n, block, at_close = bars.shape[0], int(setup[s.BLOCK]), setup[s.AT_CLOSE] != 0.0
        lot_e8, columns = setup[s.LOT_E8], int(setup[s.COLUMNS])
        periods_n = periods.shape[0] // (vector_at[row_at.shape[0]] * WIDTH)
        for g in range(row_at.shape[0]):
            if not own:
                fixed, windows, state = load(slots, rings, row_at[g])
            period, session = 0, 0.0
            for first in range(0, n, block):
                if stop[0] != 0:
                    return
                m = min(block, n - first)
                if not own:
                    for k in range(m):
                        i = first + k
                        bar = Ohlcv(
                            bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4], ts_ns[i] / 1e9
                        )
                        state, x = advance(fixed, windows, state, bar)
                        put(table, k * columns, x, 1.0 if warm(x) else 0.0)
                period_0, session_0 = period, session
                for v in range(vector_at[g], vector_at[g + 1]):
                    at, by = v * s.STATE_N * WIDTH, v * params_n * WIDTH
                    period, session, pending = period_0, session_0, False
                    fetch(cash, states, at + s.CASH * WIDTH)
                    fetch(held, states, at + s.HELD * WIDTH)
                    fetch(wanted, states, at + s.WANTED * WIDTH)
                    fetch(target, states, at + s.TARGET * WIDTH)
                    fetch(equity, states, at + s.EQUITY * WIDTH)
                    fetch(peak, states, at + s.PEAK * WIDTH)
                    fetch(worst, states, at + s.WORST * WIDTH)
                    fetch(orders, states, at + s.ORDERS * WIDTH)
                    fetch(fees, states, at + s.FEES * WIDTH)
                    fetch(since, states, at + s.SINCE * WIDTH)
                    fetch(bars_held, states, at + s.BARS_HELD * WIDTH)
                    fetch(day_equity, states, at + s.DAY_EQUITY * WIDTH)
                    fetch(bad, broken, v * WIDTH)
                    for w in range(WIDTH):
                        cash_now[w], held_now[w] = cash[w] / 1e8, held[w] * lot_e8 / 1e8
                        pending |= wanted[w] != held[w]
                    for k in range(m):
                        i = first + k
                        mark, px = marks[i], prices[i, s.MARK]
                        bar = Ohlcv(
                            bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4], ts_ns[i] / 1e9
                        )
                        if own:
                            for w in range(WIDTH):
                                fixed, windows, state = load(slots, rings, row_at[g] + w)
                                state, x = advance(fixed, windows, state, bar)
                                put(table, w, x, 1.0 if warm(x) else 0.0)
                                store(slots, row_at[g] + w, state)
                        if mark & s.NEW_DAY_AT_OPEN:
                            for w in range(WIDTH):
                                day_equity[w] = equity[w]
                        if pending and not at_close:
                            fill(
                                float(i), prices, i, setup, cash, held, wanted, cash_now, held_now, fees, since,
                                bars_held, booked, rated,
                            )  # fmt: skip
                            pending = False
                        if mark & s.NEW_DAY_AT_CLOSE:
                            for w in range(WIDTH):
                                day_equity[w] = cash_now[w] + held_now[w] * bars[i, 0]
                        awake = mark & s.ASLEEP == 0
                        if not own:
                            awake = awake and table[(k + 1) * columns - 1] != 0.0
                        turned = 0
                        if awake:
                            for w in range(WIDTH):  # all in one loop: the compiler then makes vectors of it
                                top = max(peak[w], equity[w])  # of the last bar, when all is said about it
                                peak[w], worst[w] = top, min(worst[w], equity[w] / top)
                                equity[w] = cash_now[w] + held_now[w] * px
                                x = take(table, w if own else k * columns, bar)
                                was = target[w]
                                new = 1.0 * decided(pick(params, by + w), x, was)
                                if own:
                                    new = new if table[(columns - 1) * WIDTH + w] != 0.0 else was
                                aim[w] = new
                                turned |= 1 if new != was else 0
                        else:
                            for w in range(WIDTH):
                                top = max(peak[w], equity[w])
                                peak[w], worst[w] = top, min(worst[w], equity[w] / top)
                                equity[w] = cash_now[w] + held_now[w] * px
                        if turned != 0:
                            if setup[s.PERCENT_E8] != 0.0:
                                close_e8 = int(bars[i, 3] * 1e8 + 0.5)
                                by_percent(
                                    setup,
                                    close_e8,
                                    cash,
                                    held,
                                    wanted,
                                    target,
                                    aim,
                                    lots_of,
                                    over,
                                    percent,
                                    floored,
                                )
                            pending = order(
                                mark, prices, i, setup, cash, held, wanted, target, aim, equity, day_equity, orders,
                                bad, booked, lots_of,
                            )  # fmt: skip
                            if pending and at_close:
                                fill(
                                    float(i + 1), prices, i, setup, cash, held, wanted, cash_now, held_now, fees, since,
                                    bars_held, booked, rated,
                                )  # fmt: skip
                                pending = False
                                for w in range(WIDTH):
                                    equity[w] = cash_now[w] + held_now[w] * px
                        if periods_n > 0 and mark & s.PERIOD_END:
                            for w in range(WIDTH):
                                periods[(v * periods_n + period) * WIDTH + w] = equity[w]
                            period += 1
                        if mark & s.SESSION_END:
                            session += 1.0
                            for w in range(WIDTH):
                                before, mean = (
                                    states[at + s.SESSION_EQUITY * WIDTH + w],
                                    states[at + s.SESSION_MEAN * WIDTH + w],
                                )
                                gain = (equity[w] - before) / before
                                states[at + s.SESSION_EQUITY * WIDTH + w] = equity[w]
                                off = gain - mean
                                mean += off / session
                                states[at + s.SESSION_MEAN * WIDTH + w] = mean
                                states[at + s.SESSION_M2 * WIDTH + w] += off * (gain - mean)
                    keep(cash, states, at + s.CASH * WIDTH)
                    keep(held, states, at + s.HELD * WIDTH)
                    keep(wanted, states, at + s.WANTED * WIDTH)
                    keep(target, states, at + s.TARGET * WIDTH)
                    keep(equity, states, at + s.EQUITY * WIDTH)
                    keep(peak, states, at + s.PEAK * WIDTH)
                    keep(worst, states, at + s.WORST * WIDTH)
                    keep(orders, states, at + s.ORDERS * WIDTH)
                    keep(fees, states, at + s.FEES * WIDTH)
                    keep(since, states, at + s.SINCE * WIDTH)
                    keep(bars_held, states, at + s.BARS_HELD * WIDTH)
                    keep(day_equity, states, at + s.DAY_EQUITY * WIDTH)
                    keep(bad, broken, v * WIDTH)

    return lanes
