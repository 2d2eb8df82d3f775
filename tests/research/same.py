"""What it means that two runs of one plan are the same, and random markets to hold loops to it."""

import numpy as np
import numpy.typing as npt

from workbench.feeds import Recording
from workbench.model import Instrument
from workbench.model.dtypes import FILL, ORDER
from workbench.research.run import Run
from workbench.strategy.checks import sample_bars

MINUTE_NS = 60_000_000_000
START_NS = 1_607_955_060_000_000_000  # a Monday, 14:11 UTC


def assert_same(one: Run, other: Run) -> None:
    """Orders and fills equal to the bit; equity within 1e-8 of a unit and 1e-12 of what makes it up."""
    assert np.array_equal(one.ts_ns, other.ts_ns)
    for kind, a, b in ((ORDER, one.orders, other.orders), (FILL, one.fills, other.fills)):
        assert a.dtype == b.dtype == kind
        assert len(a) == len(b), (len(a), len(b))
        for name in kind.names or ():
            apart = np.flatnonzero(a[name] != b[name])
            assert not len(apart), (name, int(apart[0]), a[apart[0]], b[apart[0]])
    sums = np.abs(one.cash) + np.sum(np.abs(one.fills["px"] * one.fills["qty"]))
    assert np.max(np.abs(one.equity - other.equity)) <= 1e-8 + 1e-12 * sums
    assert one.refusals == other.refusals


def market(
    n: int,
    seed: int,
    *,
    px: float = 100.0,
    gap: float = 0.02,
    bar_ns: int = MINUTE_NS,
    lot_e8: int = 10**8,
    symbols: int = 1,
    missing: float = 0.0,
) -> Recording:
    """Random bars, on a cent grid at 100, with pauses between some of them; symbols miss `missing` of their bars."""
    random = np.random.default_rng([seed, n])
    steps = np.where(random.random(n) < gap, random.integers(2, 3_000, n), 1)
    ts = START_NS + np.cumsum(steps) * bar_ns
    columns: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]] = []
    for iid in range(symbols):
        kept = np.sort(random.permutation(n)[: max(2, round(n * (1 - missing)))])
        bars = sample_bars(n, seed + 1_000 * iid)[kept]
        opened = bars[:, 0] + np.round(random.normal(0, 0.02, len(kept)), 2)
        bars[:, 0] = np.clip(opened, bars[:, 2], bars[:, 1])
        bars[:, :4] *= px / 100.0
        columns.append((ts[kept], np.full(len(kept), iid, np.int32), bars))
    times, iids, values = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order = np.lexsort((iids, times))
    return Recording(
        f"random-{seed}",
        [Instrument(iid, f"S{iid}", lot_e8=lot_e8) for iid in range(symbols)],
        times[order],
        iids[order],
        np.full(len(times), 2, np.int8),
        values[order],
        bar_ns=bar_ns,
    )
