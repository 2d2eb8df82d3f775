"""A chunk of a sweep through the lanes: sets into vectors, the compiled loop, figures out of the lanes' memory.

    columns of parameters -> groups that share indicators -> vectors -> loop -> rows of `ROW`

Lives here: that path, for one market. Not here: the loop (lane_loop.py), who calls it (runners), what a set is called.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import StrategyError
from workbench.kernels.layout import Layout
from workbench.model import to_e8
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.lane_state import WIDTH
from workbench.research.sweep.markets import Market
from workbench.research.sweep.starts import Row, Starts

__all__ = ["ROW", "Figures", "Lanes"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

ROW: Final = np.dtype(
    [
        ("final_equity", "f8"),
        ("max_drawdown", "f8"),
        ("sharpe", "f8"),
        ("fees", "f8"),
        ("exposure", "f8"),
        ("orders", "i4"),
        ("code", "i4"),
    ]
)
"""What is kept of a set. `code` holds the bits of lane_state: rules that would have said no, and what went wrong."""

_OWN_FROM: Final = 3.0
"""Sets that share their indicators with fewer others than this are better off with their own in lanes."""
_WORTH_COMPILING: Final = 1e8
"""Set-bars from which the second form of the loop pays for its compilation."""


@dataclass
class Figures:
    """The figures of some sets, in their order: rows of `ROW`, equity at period ends float64[n, periods], and what went
    wrong by set."""

    rows: npt.NDArray[np.void]
    equity: Floats
    errors: dict[int, str] = field(default_factory=dict)


class Lanes:
    """One strategy class ready for the lanes, with its compiled loop; used by any number of threads.

    `why` is one sentence when the class does not compile. `planned` are the set-bars the whole sweep will take.
    """

    def __init__(self, starts: Starts) -> None:
        self.cls = starts.cls
        self.starts = starts
        self.layout: Layout = starts.layout
        self.planned = 0.0
        self._loops: dict[tuple[bool, bool], Callable[..., None]] = {}
        self._lock = threading.Lock()
        self._memory = threading.local()
        self.why = ""
        first = self._found(False, False)
        if isinstance(first, str):
            self.why = first
        else:
            self._loops[False, False] = first

    def _found(self, own: bool, fractional: bool) -> Callable[..., None] | str:
        from workbench.research.sweep.lane_loop import lane_loop  # numba loads here, not before

        return lane_loop(self.layout, self.cls.decide, own=own, fractional=fractional)  # type: ignore[attr-defined]

    def _loop(self, own: bool, fractional: bool) -> Callable[..., None]:
        with self._lock:
            if (own, fractional) not in self._loops:
                found = self._found(own, fractional)
                if isinstance(found, str):
                    raise StrategyError(found)
                self._loops[own, fractional] = found
            return self._loops[own, fractional]

    def run(
        self, market: Market, columns: Mapping[str, npt.NDArray[Any]], count: int, stop: Ints, periods: bool
    ) -> Figures:
        """The figures of `count` sets, whose varying parameters are `columns`; `stop[0]` = 1 ends it early (the
        figures are then worthless). `periods`: keep equity at period ends.

        Raises:
            Exception: whatever a compiled `decide` raises.
        """
        group, rows = self.starts.groups(columns, count)
        errors: dict[int, str] = {}
        bad = [g for g, row in enumerate(rows) if isinstance(row, str)]
        if bad:
            errors = {int(k): str(rows[group[k]]) for k in np.flatnonzero(np.isin(group, bad))}
        good = [row for row in rows if isinstance(row, Row)]
        figures = Figures(
            np.zeros(count, ROW), np.empty((count if periods else 0, len(market.periods))), errors
        )
        if good:
            renumbered = np.cumsum([isinstance(row, Row) for row in rows]) - 1
            sets = np.flatnonzero(~np.isin(group, bad)) if bad else np.arange(count)
            self._fly(market, columns, sets, renumbered[group[sets]], good, stop, figures)
        for k in errors:
            figures.rows[k] = (np.nan, np.nan, np.nan, np.nan, np.nan, 0, s.FAILED)
        return figures

    def _fly(
        self, market: Market, columns: Mapping[str, Any], sets: Ints, group: Ints, rows: list[Row], stop: Ints,
        figures: Figures,
    ) -> None:  # fmt: skip
        fractional = market.setup[s.LOT_E8] % 1e8 != 0.0
        own = len(rows) * _OWN_FROM > len(sets) and (
            (True, fractional) in self._loops or self.planned > _WORTH_COMPILING
        )
        loop = self._loop(own, fractional)
        order = np.argsort(group, kind="stable")
        if own:
            lane_set = _padded(order, np.array([len(order)]))
            vectors = len(lane_set) // WIDTH
            vector_at, row_at = np.arange(vectors + 1), np.arange(vectors) * (self.layout.stride * WIDTH)
            words, rings = _laned([rows[g] for g in group[lane_set]], self.layout)
        else:
            sizes = np.bincount(group, minlength=len(rows))
            lane_set = _padded(order, sizes)
            vector_at = np.concatenate([[0], np.cumsum(-(-sizes // WIDTH))])
            vectors = int(vector_at[-1])
            row_at = np.arange(len(rows)) * self.layout.stride
            words, rings = _stacked(rows, self.layout)
        lane_set = sets[lane_set]
        states = _first_states(vectors, market)
        broken = np.zeros(vectors * WIDTH, np.int64)
        kept = len(market.periods) if len(figures.equity) else 0
        equity = np.empty(vectors * kept * WIDTH)
        setup = market.setup.copy()
        setup[s.COLUMNS] = self.starts.values + 1
        loop(
            words, rings, row_at, vector_at, market.bars.reshape(-1), market.ts_ns, market.marks,
            market.prices.reshape(-1), self._parameters(columns, lane_set, vectors), states.reshape(-1), broken, equity,
            self._table(own, int(setup[s.BLOCK])), np.empty(5 * WIDTH), setup, stop,
        )  # fmt: skip
        place = np.zeros(len(figures.rows), np.int64)
        place[lane_set[::-1]] = np.arange(len(lane_set))[::-1]  # padding repeats a set: the first lane counts
        place = place[sets]
        by_lane = states.transpose(1, 0, 2).reshape(s.STATE_N, -1)
        figures.rows[sets] = _figures(market, by_lane[:, place], broken[place])
        if len(figures.equity):
            curves = equity.reshape(vectors, kept, WIDTH).transpose(0, 2, 1).reshape(-1, kept)
            figures.equity[sets] = curves[place]

    def _parameters(self, columns: Mapping[str, Any], lane_set: Ints, vectors: int) -> Ints:
        """decide's parameters as words, [vector][parameter][lane]."""
        names, kinds = self.layout.params.names, self.layout.params.kinds
        words = np.empty((vectors, len(names), WIDTH), np.int64)
        for f, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            wanted = np.float64 if kind == "f" else np.int64
            if name in columns:
                values = np.asarray(columns[name])[lane_set].astype(wanted)
                words[:, f, :] = values.view(np.int64).reshape(vectors, WIDTH)
            else:
                words[:, f, :] = np.array([self.starts.fixed[name]], wanted).view(np.int64)
        return words.reshape(-1)

    def _table(self, own: bool, block: int) -> Floats:
        """Where indicator values stand between the two halves of the loop; one a thread."""
        held: dict[bool, Floats] = self._memory.__dict__.setdefault("tables", {})
        if own not in held:
            held[own] = np.zeros((self.starts.values + 1) * (WIDTH if own else block))
        return held[own]


def _padded(order: Ints, sizes: Ints) -> Ints:
    """Set numbers by lane: each group's sets, then its last one again until its last vector is full.

    >>> _padded(np.arange(3), np.array([1, 2]))[:18].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    lanes = -(-sizes // WIDTH) * WIDTH
    within = np.arange(int(lanes.sum())) - np.repeat(np.cumsum(lanes) - lanes, lanes)
    start = np.repeat(np.cumsum(sizes) - sizes, lanes)
    answer: Ints = order[start + np.minimum(within, np.repeat(sizes, lanes) - 1)]
    return answer


def _stacked(rows: list[Row], layout: Layout) -> tuple[Ints, Floats]:
    """Rows one after the other, and their rings."""
    words = np.concatenate([row.words for row in rows])
    at = 0
    for g, row in enumerate(rows):
        for part in layout.parts:
            if part.ring_at >= 0:
                words[g * layout.stride + part.ring_at] += at
        at += row.rings
    return words, np.zeros(at)


def _laned(rows: list[Row], layout: Layout) -> tuple[Ints, Floats]:
    """A row for every lane, as [vector][word][lane], and their rings."""
    flat = np.stack([row.words for row in rows])
    sizes = np.array([row.rings for row in rows])
    starts = np.cumsum(sizes) - sizes
    for part in layout.parts:
        if part.ring_at >= 0:
            flat[:, part.ring_at] += starts
    words = np.ascontiguousarray(flat.reshape(-1, WIDTH, layout.stride).transpose(0, 2, 1))
    return words.reshape(-1), np.zeros(int(sizes.sum()))


def _first_states(vectors: int, market: Market) -> Floats:
    states = np.zeros((vectors, s.STATE_N, WIDTH))
    states[:, s.CASH] = to_e8(market.terms.cash)
    states[:, [s.EQUITY, s.PEAK, s.SESSION_EQUITY, s.DAY_EQUITY]] = market.terms.cash
    states[:, s.WORST] = 1.0
    return states


def _figures(market: Market, lane: Floats, broken: Ints) -> npt.NDArray[np.void]:
    sessions, seconds = market.sessions, float(market.ts_ns[-1] / 1e9 - market.ts_ns[0] / 1e9)
    rows = np.zeros(lane.shape[1], ROW)
    equity = lane[s.EQUITY]
    rows["final_equity"] = equity
    rows["max_drawdown"] = np.minimum(lane[s.WORST], equity / np.maximum(lane[s.PEAK], equity)) - 1.0
    deviation = np.sqrt(lane[s.SESSION_M2] / max(sessions - 1, 1))
    moved = (deviation > 0.0) & (sessions > 2)
    ratio = np.divide(lane[s.SESSION_MEAN], deviation, out=np.full(len(rows), np.nan), where=moved)
    rows["sharpe"] = ratio * market.sessions_a_year**0.5
    rows["fees"] = lane[s.FEES] / 1e8
    still = np.where(lane[s.HELD] != 0.0, seconds - lane[s.SINCE], 0.0)
    rows["exposure"] = (lane[s.TIME_HELD] + still) / seconds if seconds else 0.0
    rows["orders"] = lane[s.ORDERS]
    rows["code"] = broken
    return rows
