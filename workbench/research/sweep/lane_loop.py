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

from workbench.kernels.compose import OPTIONS, Pieces, compiling_freezer, njit, types
from workbench.kernels.disk_cache import is_kept
from workbench.kernels.fills import floor_lot, over_e8, percent_qty_e8
from workbench.kernels.freeze import Freezer
from workbench.kernels.indicator import Ohlcv
from workbench.kernels.layout import Layout
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_money import rate_fee, rounded_value, wanted_lots, whole_value
from workbench.research.sweep.lane_pieces import (
    element,
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
from workbench.research.sweep.lane_trades import (
    fill_lanes,
    order_lanes,
    session_ends,
    size_by_percent,
    size_rules,
)
from workbench.research.telling import telling
from workbench.strategy.compiled import built_loop, loop_key

__all__ = ["lane_loop"]

_WORDS = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "C")
_ARGUMENTS = (
    _WORDS,  # slots
    _FLOATS,  # rings
    _WORDS,  # row_at: first word of each group's row
    _WORDS,  # vector_at: first vector of each group, and the end
    _FLOATS,  # bars by [bar][open high low close volume]
    _WORDS,  # ts_ns
    _WORDS,  # marks
    _FLOATS,  # prices by [bar][column]: see lane_state
    _WORDS,  # params by [vector][parameter][lane]
    _FLOATS,  # states by [vector][field][lane]
    _WORDS,  # broken: rules by [vector][lane]
    _FLOATS,  # periods: equity by [vector][period][lane]
    _FLOATS,  # table of indicator values
    _FLOATS,  # scratch: five vectors of lanes
    _FLOATS,  # setup
    _WORDS,  # stop
)

_built: dict[tuple[str, bool, bool], Callable[..., None] | str] = {}


def lane_loop(
    layout: Layout, decide: Callable[..., Any], *, own: bool = False, fractional: bool = False
) -> Callable[..., None] | str:
    """The compiled loop, from memory, disk or the compiler (other threads run while it does); or one sentence why there
    is none.

    `own`: every lane has its own indicators. `fractional`: a lot is no whole number of units.
    """
    key, complete = loop_key(layout, decide)
    form = (key, own, fractional)
    if form in _built and complete:
        return _built[form]
    digest = hashlib.sha256(f"lanes {form} {_own_text()}".encode()).hexdigest()
    name = f"lanes_{digest[:24]}"
    with telling(f"compiling {layout.owner} for the sweep (once)...", quiet=complete and is_kept(name)):
        made: Callable[..., None] | str = ""
        for options in ({"_nrt": False}, {}):  # memory management costs a little; what makes lists needs it
            made = built_loop(
                layout, decide, lambda pieces: _lanes(pieces, layout, own, fractional), name,
                _ARGUMENTS, digest if complete else "", nogil=True, **options,
            )  # fmt: skip
            if not isinstance(made, str) or not made.startswith("the loop around"):
                break
    if complete:
        _built[form] = made
    return made


@functools.cache
def _own_text() -> str:
    """Digest of the sources the loop is made of, besides those of the kernels."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("lane_*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _bar_at(bars: Any, ts_ns: Any, i: int) -> Any:
    at = i * 5
    return Ohlcv(
        element(bars, at), element(bars, at + 1), element(bars, at + 2), element(bars, at + 3), element(bars, at + 4),
        element(ts_ns, i) / 1e9,
    )  # fmt: skip


def _lanes(pieces: Pieces, layout: Layout, own: bool, fractional: bool) -> Callable[..., None]:
    _, advance, warm, _, decided, _ = pieces
    put, take = taken(layout, advance, WIDTH if own else 1)
    frozen = compiling_freezer().function
    pick = lane_params(layout)
    load, store = row_load(layout, WIDTH if own else 1), row_store(layout)
    params_n = len(layout.params.kinds)
    booked = frozen(rounded_value if fractional else whole_value)
    rated, lots_of = frozen(rate_fee), frozen(wanted_lots)
    over, percent, floored = frozen(over_e8), frozen(percent_qty_e8), frozen(floor_lot)
    inlined = Freezer(lambda copy: njit(**OPTIONS, forceinline=True, _nrt=False)(copy)).function
    fill, order, bar_at = inlined(fill_lanes), inlined(order_lanes), inlined(_bar_at)
    sizes, by_percent, end_session = inlined(size_rules), frozen(size_by_percent), frozen(session_ends)

    def lanes(
        slots: Any, rings: Any, row_at: Any, vector_at: Any, bars: Any, ts_ns: Any, marks: Any, prices: Any,
        params: Any, states: Any, broken: Any, periods: Any, table: Any, scratch: Any, setup: Any, stop: Any,
    ) -> None:  # fmt: skip
        cash, held, wanted, cash_now, held_now = (
            lane_floats(),
            lane_floats(),
            lane_floats(),
            lane_floats(),
            lane_floats(),
        )
        target, aim, equity, peak, worst = (
            lane_floats(),
            lane_floats(),
            lane_floats(),
            lane_floats(),
            lane_floats(),
        )
        orders, fees, since, time_held = lane_floats(), lane_floats(), lane_floats(), lane_floats()
        bad = lane_words()
        n, block, at_close = ts_ns.shape[0], int(setup[s.BLOCK]), setup[s.AT_CLOSE] != 0.0
        begin_s = ts_ns[0] / 1e9
        lot_e8, columns, large = setup[s.LOT_E8], int(setup[s.COLUMNS]), setup[s.LARGE] != 0.0
        periods_n = periods.shape[0] // (vector_at[row_at.shape[0]] * WIDTH)
        for g in range(row_at.shape[0]):
            row = row_at[g]
            if not own:
                fixed, windows, state = load(slots, rings, row)
            period, session = 0, 0
            for first in range(0, n, block):
                if stop[0] != 0:
                    return
                m, all_warm = min(block, n - first), True
                if not own:
                    for k in range(m):
                        state, x = advance(fixed, windows, state, bar_at(bars, ts_ns, first + k))
                        good = warm(x)
                        all_warm &= good
                        put(table, k * columns, x, 1.0 if good else 0.0)
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
                    fetch(time_held, states, at + s.TIME_HELD * WIDTH)
                    fetch(bad, broken, v * WIDTH)
                    for w in range(WIDTH):
                        cash_now[w], held_now[w] = cash[w] / 1e8, held[w] * lot_e8 / 1e8
                        pending |= wanted[w] != held[w]
                    for k in range(m):
                        i = first + k
                        mark, px, bar = (
                            element(marks, i),
                            element(prices, i * s.PRICES_N + s.MARK),
                            bar_at(bars, ts_ns, i),
                        )
                        if own:
                            for w in range(WIDTH):
                                fixed, windows, state = load(slots, rings, row + w)
                                state, x = advance(fixed, windows, state, bar)
                                put(table, w, x, 1.0 if warm(x) else 0.0)
                                store(slots, row + w, state)
                        if mark & s.NEW_DAY_AT_OPEN:
                            keep(equity, states, at + s.DAY_EQUITY * WIDTH)
                        if pending and not at_close:
                            fill(
                                bar.ts_s - begin_s, prices, i, setup, cash, held, wanted, cash_now, held_now, fees,
                                since, time_held, booked, rated,
                            )  # fmt: skip
                            pending = False
                        if mark & s.NEW_DAY_AT_CLOSE:
                            for w in range(WIDTH):
                                states[at + s.DAY_EQUITY * WIDTH + w] = cash_now[w] + held_now[w] * bar.open
                        awake = mark & s.ASLEEP == 0
                        if not own and not all_warm:
                            awake = awake and element(table, (k + 1) * columns - 1) != 0.0
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
                                    new = new if element(table, (columns - 1) * WIDTH + w) != 0.0 else was
                                aim[w] = new
                                turned |= 1 if new != was else 0
                        else:
                            for w in range(WIDTH):
                                top = max(peak[w], equity[w])
                                peak[w], worst[w] = top, min(worst[w], equity[w] / top)
                                equity[w] = cash_now[w] + held_now[w] * px
                        if turned != 0:
                            if setup[s.PERCENT_E8] != 0.0:
                                keep(cash, scratch, 0)
                                keep(held, scratch, WIDTH)
                                keep(target, scratch, 2 * WIDTH)
                                keep(aim, scratch, 3 * WIDTH)
                                by_percent(
                                    scratch,
                                    setup,
                                    int(bar.close * 1e8 + 0.5),
                                    lots_of,
                                    over,
                                    percent,
                                    floored,
                                )
                                fetch(wanted, scratch, 4 * WIDTH)
                            pending = order(
                                mark, prices, i, states, at, setup, cash, held, wanted, target, aim, equity, orders,
                                bad, booked, lots_of,
                            )  # fmt: skip
                            if pending and large:
                                sizes(prices, i, setup, cash, held, wanted, bad, booked)
                            if pending and at_close:
                                fill(
                                    bar.ts_s - begin_s, prices, i, setup, cash, held, wanted, cash_now, held_now, fees,
                                    since, time_held, booked, rated,
                                )  # fmt: skip
                                pending = False
                                for w in range(WIDTH):
                                    equity[w] = cash_now[w] + held_now[w] * px
                        if mark & (s.PERIOD_END | s.SESSION_END):
                            if periods_n > 0 and mark & s.PERIOD_END:
                                keep(equity, periods, (v * periods_n + period) * WIDTH)
                                period += 1
                            if mark & s.SESSION_END:
                                session += 1
                                keep(equity, scratch, 0)
                                end_session(scratch, states, at, float(session))
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
                    keep(time_held, states, at + s.TIME_HELD * WIDTH)
                    keep(bad, broken, v * WIDTH)

    return lanes
