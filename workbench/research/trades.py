"""Round trips: what was bought is matched with what was sold, first in first out, per strategy and instrument.

The k-th unit that entered (long or short) leaves with the k-th unit that left, so all of them fall out of two running
sums; a fill that turns a position around leaves with one part and enters with the other. Units and prices are those of
the end of the data, splits before it reckoned in. Not here: figures of trades (statistics.py), their table (result.py).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.research.prices import prices_of, steps_of, units_at_end
from workbench.research.run import Run

__all__ = ["Trades", "trades_of"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]


class Trades(NamedTuple):
    """One row a matched quantity, in order of entry. `side` is 1 long, -1 short; times are UTC ns.

    `profit` is after the fees of both ends; `gross` before. `open` rows are still held: they are valued at the last
    close, and their exit is that. `bars` counts bars of the instrument after the entry up to the exit. `worst` and
    `best` are the largest loss and gain a unit on the way, as fractions of the entry price (0 or below, 0 or above):
    from the highs and lows of the bars that lie between the two fills.
    """

    strategy_id: Ints
    iid: Ints
    side: Ints
    quantity: Floats
    entry_ns: Ints
    entry_px: Floats
    exit_ns: Ints
    exit_px: Floats
    fees: Floats
    gross: Floats
    profit: Floats
    open: npt.NDArray[np.bool_]
    bars: Ints
    worst: Floats
    best: Floats


class _Ends(NamedTuple):
    """Entries or exits of one direction: steps of each (whole numbers), and the fill they are part of."""

    units: Any
    fill: Ints


def trades_of(run: Run) -> Trades:
    """The round trips of a run."""
    fills, recording = run.fills, run.recording
    if recording.has_actions:
        fills = _in_last_units(fills, recording)
    keys = fills["strategy_id"].astype(np.int64) * len(recording.instruments) + fills["iid"]
    pairs: list[tuple[Ints, Floats, Ints, Ints]] = []  # side, quantity, entry fill, exit fill (-1: open)
    for key in np.unique(keys):
        mine = np.flatnonzero(keys == key)
        steps, per_unit = steps_of(recording, int(fills["iid"][mine[0]]), fills["qty"][mine])
        pairs += _matched(_whole(steps) * fills["side"][mine], per_unit, mine)
    if not pairs:
        empty = np.zeros(0, np.int64)
        pairs = [(empty, np.zeros(0), empty, empty)]
    side, quantity, entry, leave = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    order = np.lexsort((leave, leave < 0, entry))
    return _priced(fills, recording, side[order], quantity[order], entry[order], leave[order])


def _in_last_units(fills: npt.NDArray[np.void], recording: Recording) -> npt.NDArray[np.void]:
    """The fills in the units of the end: what a split turned into seven counts as seven, at a seventh of the price."""
    changed = fills.copy()
    for iid in range(len(recording.instruments)):
        mine = fills["iid"] == iid
        factor = units_at_end(recording, iid, fills["ts_ns"][mine])
        changed["qty"][mine] *= factor
        changed["px"][mine] /= factor
    return changed


def _whole(steps: Floats) -> Any:
    """Steps as whole numbers whose sums are exact: int64[n], or Python's own where 64 bits do not hold the sum."""
    if float(steps.sum()) < 4e18:
        return steps.astype(np.int64)
    return np.array([int(step) for step in steps.tolist()], object)


def _matched(units: Any, per_unit: float, mine: Ints) -> list[tuple[Ints, Floats, Ints, Ints]]:
    """The pairs of one strategy in one instrument, longs and shorts; `units` are steps, signed."""
    after = np.cumsum(units)
    before = after - units
    found = []
    for side in (1, -1):
        # how much of each fill opens this direction, and how much closes it
        more = np.maximum(side * after, 0) - np.maximum(side * before, 0)
        enters, leaves = np.maximum(more, 0), np.maximum(-more, 0)
        ins = _Ends(enters[enters > 0], mine[enters > 0])
        outs = _Ends(leaves[leaves > 0], mine[leaves > 0])
        if len(ins.units):
            found.append(_in_turn(side, per_unit, ins, outs))
    return found


def _in_turn(side: int, per_unit: float, ins: _Ends, outs: _Ends) -> tuple[Ints, Floats, Ints, Ints]:
    """Cut two rows of quantities at one another's ends."""
    in_to, out_to = np.cumsum(ins.units), np.cumsum(outs.units)
    ends = np.union1d(in_to, out_to)
    quantity = np.diff(ends, prepend=0).astype(np.float64) / per_unit
    entry = ins.fill[np.searchsorted(in_to, ends, side="left")]
    at = np.searchsorted(out_to, ends, side="left")
    known = np.append(outs.fill, -1)
    return np.full(len(ends), side), quantity, entry, known[np.minimum(at, len(outs.fill))]


def _priced(
    fills: npt.NDArray[np.void], recording: Recording, side: Ints, quantity: Floats, entry: Ints, leave: Ints
) -> Trades:
    still = leave < 0
    iid = fills["iid"][entry].astype(np.int64)
    last_ns, last_px = _lasts(recording)
    entry_px, entry_ns = fills["px"][entry], fills["ts_ns"][entry]
    exit_px = np.where(still, last_px[iid], fills["px"][leave]) if len(leave) else np.zeros(0)
    exit_ns = np.where(still, last_ns[iid], fills["ts_ns"][leave]) if len(leave) else np.zeros(0, np.int64)
    with np.errstate(invalid="ignore"):
        share = fills["fee"] / fills["qty"]
    fees = quantity * (share[entry] + np.where(still, 0.0, share[leave])) if len(leave) else np.zeros(0)
    gross = side * quantity * (exit_px - entry_px)
    bars, worst, best = _on_the_way(recording, iid, side, entry_ns, entry_px, exit_ns, exit_px)
    return Trades(
        strategy_id=fills["strategy_id"][entry].astype(np.int64),
        iid=iid,
        side=side,
        quantity=quantity,
        entry_ns=entry_ns,
        entry_px=entry_px,
        exit_ns=exit_ns,
        exit_px=exit_px,
        fees=fees,
        gross=gross,
        profit=gross - fees,
        open=still,
        bars=bars,
        worst=worst,
        best=best,
    )


def _lasts(recording: Recording) -> tuple[Ints, Floats]:
    """Time and price of each instrument's last row."""
    ts, px = np.zeros(len(recording.instruments), np.int64), np.full(len(recording.instruments), np.nan)
    for iid in range(len(recording.instruments)):
        times, prices = prices_of(recording, iid)
        if len(times):
            ts[iid], px[iid] = times[-1], prices[-1]
    return ts, px


def _on_the_way(
    recording: Recording,
    iid: Ints,
    side: Ints,
    entry_ns: Ints,
    entry_px: Floats,
    exit_ns: Ints,
    exit_px: Floats,
) -> tuple[Ints, Floats, Floats]:
    """(bars held, largest loss, largest gain a unit of the entry price) of each trade."""
    n = len(iid)
    bars, low, high = np.zeros(n, np.int64), np.minimum(entry_px, exit_px), np.maximum(entry_px, exit_px)
    for number in np.unique(iid):
        series = recording.series(recording.symbols[number])
        mine = np.flatnonzero(iid == number)
        first = np.searchsorted(series.ts_ns, entry_ns[mine], side="right")
        after = np.searchsorted(series.ts_ns, exit_ns[mine], side="right")
        bars[mine] = np.maximum(after - first, 0)
        held = after > first
        if held.any():
            spans = np.column_stack([first[held], after[held]]).ravel()
            some = mine[held]
            grown = units_at_end(recording, int(number), series.ts_ns)
            # one value more, so that a span may end with the data; every second answer is a span's own
            low[some] = np.minimum(
                low[some], np.minimum.reduceat(np.append(series.low / grown, np.inf), spans)[::2]
            )
            high[some] = np.maximum(
                high[some], np.maximum.reduceat(np.append(series.high / grown, -np.inf), spans)[::2]
            )
    down, up = low / entry_px - 1.0, high / entry_px - 1.0
    return bars, np.where(side > 0, down, -up), np.where(side > 0, up, -down)
