"""What a sweep has to do, cut into chunks, and one chunk done: the same in a thread, in a worker process, on a cluster.

    Job: strategy class, space, markets, terms -> chunk numbers -> run(number) -> Figures

Lives here: the chunks and the choice between lanes and single runs. Not here: who runs chunks (threads.py, workers.py,
cluster.py), what becomes of the figures (board.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, StrategyError
from workbench.research.result import Result
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.chunk import ROW, Figures, Lanes
from workbench.research.sweep.lane_state import WIDTH
from workbench.research.sweep.markets import Market
from workbench.research.sweep.space import Space
from workbench.research.sweep.starts import starts_of
from workbench.research.sweep.terms import Terms
from workbench.strategy import Strategy, code_hash, is_event, load_strategy, strategy_source

__all__ = ["CURVES_KEPT", "Chunk", "Job"]

type Ints = npt.NDArray[np.int64]

CURVES_KEPT: Final = 2_000
"""Sets whose equity over time is looked at by the guards; drawn evenly when there are more."""
_SET_BARS: Final = 1.5e7
_MOST_SETS: Final = 4_096
_GO_ON: Final = np.zeros(1, np.int64)


class Chunk(NamedTuple):
    """`sets` neighbours on the walk from place `first` on, in one market."""

    number: int
    market: int
    first: int
    sets: int


@dataclass
class Job:
    """`fixed` are parameters no axis varies; `size` is how many sets a chunk holds (0: chosen well)."""

    cls: type[Strategy]
    fixed: dict[str, Any]
    space: Space
    markets: Sequence[Market]
    terms: Terms
    size: int = 0

    def __post_init__(self) -> None:
        if not self.size:
            self.size = self._fitting_size()

    @property
    def n(self) -> int:
        """Sets in all, over every market."""
        return self.space.n * len(self.markets)

    @cached_property
    def why_single(self) -> str:
        """Why every set is run by itself, in one sentence; "" when the lanes take them."""
        if is_event(self.cls):
            return f"{self.cls.__name__} is an event strategy"
        why = self.terms.not_in_lanes() or next((m.not_in_lanes for m in self.markets if m.not_in_lanes), "")
        return why or self.lanes.why

    @cached_property
    def lanes(self) -> Lanes:
        """The compiled lanes; only for a signal strategy."""
        lanes = Lanes(starts_of(self.cls, self.fixed, self.space))
        lanes.planned = float(self.space.n) * sum(len(market) for market in self.markets)
        return lanes

    def _fitting_size(self) -> int:
        n = self.space.n
        if self.why_single:
            return 1 if n <= 64 else 4 if n <= 10_000 else 16
        most = max(WIDTH, min(_MOST_SETS, int(_SET_BARS / max(len(market) for market in self.markets))))
        stretch = self.space.stretch
        whole = stretch if stretch <= most else WIDTH
        return min(max(n, 1), most // whole * whole)

    # ------------------------------------------------------------------ chunks
    @property
    def chunks_a_market(self) -> int:
        return -(-self.space.n // self.size)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self.chunks_a_market * len(self.markets)

    def chunk(self, number: int) -> Chunk:
        """The chunk of that number."""
        market, k = divmod(number, self.chunks_a_market)
        first = k * self.size
        return Chunk(number, market, first, min(self.size, self.space.n - first))

    @cached_property
    def sample(self) -> Ints:
        """Sets whose curves are kept, as places over all markets, rising; the same for the same sweep."""
        if self.n <= CURVES_KEPT:
            return np.arange(self.n)
        return np.sort(np.random.default_rng(self.n).choice(self.n, CURVES_KEPT, replace=False))

    def sampled(self, chunk: Chunk) -> Ints:
        """Which sets of a chunk (from 0) are in the sample."""
        first = chunk.market * self.space.n + chunk.first
        low, high = np.searchsorted(self.sample, [first, first + chunk.sets])
        return self.sample[low:high] - first

    # ------------------------------------------------------------------ running
    def run(self, number: int, stop: Ints = _GO_ON) -> tuple[Figures, Ints | None]:
        """The figures of a chunk; for single runs with the curves of the sets in the sample."""
        chunk = self.chunk(number)
        places = np.arange(chunk.first, chunk.first + chunk.sets)
        columns, market = self.space.columns(places), self.markets[chunk.market]
        if self.why_single:
            kept = self.sampled(chunk)
            return self._single(market, columns, np.arange(chunk.sets), kept), kept
        return self.figures(market, columns, chunk.sets, stop), None

    def figures(
        self, market: Market, columns: Mapping[str, npt.NDArray[Any]], count: int, stop: Ints = _GO_ON, *,
        periods: bool = False,
    ) -> Figures:  # fmt: skip
        """The figures of sets by their columns, through the lanes; with curves when `periods`."""
        try:
            figures = self.lanes.run(market, columns, count, stop, periods)
        except Exception:  # noqa: BLE001 - a compiled decide raised for some set: by themselves they say which
            figures = Figures(np.zeros(count, ROW), np.empty((count if periods else 0, len(market.periods))))
            alone = np.arange(count)
        else:
            alone = np.flatnonzero(figures.rows["code"] & s.TOO_LARGE)
        if len(alone):
            single = self._single(market, columns, alone, alone if periods else alone[:0])
            figures.rows[alone] = single.rows
            figures.errors |= {int(alone[k]): text for k, text in single.errors.items()}
            if periods:
                figures.equity[alone] = single.equity
        return figures

    def _single(self, market: Market, columns: Mapping[str, Any], sets: Ints, kept: Ints) -> Figures:
        rows, errors, curves = np.zeros(len(sets), ROW), {}, []
        wanted = set(kept.tolist())
        for at, k in enumerate(sets.tolist()):
            values = {name: column[k].item() for name, column in columns.items()}
            curve = np.full(len(market.periods), np.nan)
            try:
                result = self.terms.backtest(self.cls(**{**self.fixed, **values}), market.recording)
            except (BadInput, StrategyError) as error:
                errors[at] = str(error)
                rows[at] = (np.nan, np.nan, np.nan, np.nan, np.nan, 0, s.FAILED)
            else:
                rows[at] = _row(result)
                curve = result.run.equity[market.periods]
            if k in wanted:
                curves.append(curve)
        return Figures(rows, np.array(curves).reshape(len(curves), len(market.periods)), errors)

    # ------------------------------------------------------------------ travelling
    def told(self) -> dict[str, Any]:
        """Everything the figures depend on, as plain values."""
        return {
            "strategy": self.cls.__name__,
            "code": code_hash(self.cls),
            "fixed": dict(sorted(self.fixed.items())),
            "space": self.space.told(),
            "markets": [[m.symbols, m.span, digest_of(m.recording)] for m in self.markets],
            "terms": self.terms.told(),
            "chunk": self.size,
        }

    def packed(self) -> dict[str, Any]:
        """The job as something that can be pickled, whatever cell or file the class stands in.

        Raises:
            StrategyError: its source cannot travel.
        """
        found = strategy_source(self.cls)
        return {
            "source": found.source,
            "name": found.name,
            "fixed": self.fixed,
            "space": self.space,
            "terms": self.terms,
            "size": self.size,
            "labels": [(market.symbols, market.span) for market in self.markets],
        }

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any], recordings: Sequence[Any]) -> "Job":
        """The job again, in another process."""
        terms = packed["terms"]
        return cls(
            load_strategy(packed["source"], packed["name"]),
            packed["fixed"],
            packed["space"],
            [Market(r, terms, *label) for r, label in zip(recordings, packed["labels"], strict=True)],
            terms,
            packed["size"],
        )


def digest_of(recording: Any) -> str:
    """Hash of a recording's rows and instruments."""
    digest = hashlib.sha256(repr([repr(i) for i in recording.instruments]).encode())
    for column in (recording.ts_ns, recording.iid, recording.kind, recording.values):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _row(result: Result) -> tuple[float | int, ...]:
    stats = result.stats
    code = 0
    for refusal in result.refusals:
        code |= getattr(s, refusal.code, 0) if refusal.code in s.RULE_NAMES else s.OTHER_RULE
    return (
        stats["final_equity"],
        stats["max_drawdown"],
        stats["sharpe"],
        stats["fees"],
        stats["exposure"],
        int(stats["orders"]),
        code | (s.ACTUAL if result.refusals else 0),
    )
