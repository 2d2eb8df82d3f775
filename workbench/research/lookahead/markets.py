"""Markets that never were, made of one that was: other futures after a cut, and another market altogether.

Rows keep their times, kinds and instruments; prices are scaled row by row, so that a bar stays a bar and a quote a
quote. Not here: what is run over them (trial.py), what is concluded (check.py).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.model.scale import SCALE

__all__ = ["FUTURES", "another_market", "cuts", "futures", "late_market", "moves_of", "reference"]

type Floats = npt.NDArray[np.float64]
type Rows = npt.NDArray[np.intp]

FUTURES: Final = ("backwards", "upside down", "three times as wild", "with noise")
_QUOTE, _BAR = 1, 2  # kinds of rows; those above are splits and dividends, which have no price


def cuts(recording: Recording, count: int) -> list[int]:
    """Instants (ns) spread over a recording, away from both ends."""
    instants = recording.instants
    shares = np.linspace(0.25, 0.9, count) * (len(instants) - 1)
    return list(dict.fromkeys(instants[shares.astype(int)].tolist()))


def futures(recording: Recording, cut_ns: int, seed: int = 1) -> Iterator[tuple[str, Recording]]:
    """Recordings equal up to an instant and different after it, by what was done to them; first the one that ends
    there."""
    after = recording.ts_ns > cut_ns
    if not after.any():
        return
    yield "cut off", recording.select(end_ns=cut_ns)
    random = np.random.default_rng([seed, cut_ns % 2**31])
    for name in FUTURES:
        scale = np.ones(len(recording))
        for _, rows in _by_symbol(recording, after):
            start, path = _path(recording, rows)
            steps = np.diff(path, prepend=0.0)
            if name == "backwards":
                other = np.cumsum(steps[::-1])
            elif name == "upside down":
                other = -path
            elif name == "three times as wild":
                other = np.clip(3.0 * path, -2.0, 2.0)
            else:
                other = path + np.cumsum(random.normal(0.0, _size_of(steps), len(steps)))
            scale[rows] = start * np.exp(other) / reference(recording)[rows]
        yield name, _scaled(recording, after, scale, random)


def another_market(recording: Recording, seed: int) -> Recording:
    """The same instants and instruments with prices of a random walk that knows nothing of the recorded ones."""
    random = np.random.default_rng([seed, len(recording)])
    every = np.ones(len(recording), bool)
    scale = np.ones(len(recording))
    for _, rows in _by_symbol(recording, every):
        start, path = _path(recording, rows)
        walk = np.cumsum(random.normal(0.0, _size_of(np.diff(path, prepend=0.0)), len(rows)))
        scale[rows] = start * np.exp(walk) / reference(recording)[rows]
    return _scaled(recording, every, scale, random)


def late_market(recording: Recording, late: int) -> Recording:
    """Every instrument with its own prices as they were `late` rows before (at first, as they began): near to the
    recorded ones, so that who compares them with prices of his own finds sense in it, and yet nothing of the future."""
    values, every = recording.values.copy(), recording.kind <= _BAR
    for iid in range(len(recording.instruments)):
        for kind in (0, _QUOTE, _BAR):
            rows = np.flatnonzero(every & (recording.iid == iid) & (recording.kind == kind))
            values[rows] = recording.values[rows[np.maximum(np.arange(len(rows)) - late, 0)]]
    return _with(recording, values)


def reference(recording: Recording) -> Floats:
    """One price a row: a bar's close, a quote's middle, a trade's price."""
    values, kind = recording.values, recording.kind
    px = values[:, 0].copy()
    px[kind == _BAR] = values[kind == _BAR, 3]
    px[kind == _QUOTE] = (values[kind == _QUOTE, 0] + values[kind == _QUOTE, 2]) * 0.5
    return np.maximum(px, 1.0 / SCALE)


def moves_of(recording: Recording, iid: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """(times, log return from each row to the next one) of one instrument."""
    rows = np.flatnonzero((recording.iid == iid) & (recording.kind <= _BAR))
    return recording.ts_ns[rows], np.diff(np.log(reference(recording)[rows]), append=np.nan)


def _by_symbol(recording: Recording, chosen: npt.NDArray[np.bool_]) -> Iterator[tuple[int, Rows]]:
    for iid in range(len(recording.instruments)):
        rows = np.flatnonzero(chosen & (recording.iid == iid) & (recording.kind <= _BAR))
        if len(rows):
            yield iid, rows


def _path(recording: Recording, rows: Rows) -> tuple[float, Floats]:
    """The price before the first of these rows (of one instrument), and the log of each row's price over it."""
    px = reference(recording)
    here = slice(0, rows[0])
    before = np.flatnonzero((recording.iid[here] == recording.iid[rows[0]]) & (recording.kind[here] <= _BAR))
    start = float(px[before[-1]] if len(before) else px[rows[0]])
    return start, np.log(px[rows] / start)


def _size_of(steps: Floats) -> float:
    """The deviation of usual steps: a split or a bad night would make a walk of nothing else."""
    low, high = np.quantile(steps, [0.02, 0.98])
    return float(np.std(np.clip(steps, low, high))) or 1e-4


def _scaled(
    recording: Recording, chosen: npt.NDArray[np.bool_], scale: Floats, random: np.random.Generator
) -> Recording:
    """Prices of the chosen rows scaled and put on the tick grid; their sizes shuffled."""
    values = recording.values.copy()
    tick = np.array([i.tick_e8 for i in recording.instruments])[recording.iid] / SCALE
    for kind, prices, sizes in ((0, [0], [1]), (_QUOTE, [0, 2], [1, 3]), (_BAR, [0, 1, 2, 3], [4])):
        rows = np.flatnonzero(chosen & (recording.kind == kind))
        if not len(rows):
            continue
        step = tick[rows, None]
        moved = np.maximum(np.round(values[rows][:, prices] * scale[rows, None] / step), 1.0)
        if kind == _QUOTE:
            moved[:, 1] = np.maximum(moved[:, 1], moved[:, 0] + 1.0)
        values[np.ix_(rows, prices)] = np.round(moved * step, 8)
        shuffled = random.permutation(rows)
        values[np.ix_(rows, sizes)] = recording.values[np.ix_(shuffled, sizes)]
    return _with(recording, values)


def _with(recording: Recording, values: Floats) -> Recording:
    return Recording(
        recording.name,
        recording.instruments,
        recording.ts_ns.copy(),
        recording.iid.copy(),
        recording.kind.copy(),
        values,
        bar_ns=recording.bar_ns,
        sessions=recording.sessions,
    )
