"""Stage durations of finished orders, one histogram a stage. What a stage is: `model/stages.py`."""

from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from workbench.model.snapshot import LatencyRow
from workbench.model.stages import BOOKED, CALLED, DECIDED, EDGE, FILL_SEEN, INBOX, N_STAMPS, RISKED, STAGES
from workbench.monitor.budgets import Budgets
from workbench.monitor.histogram import Histogram

__all__ = ["SPANS", "TOTAL", "StageSet", "Stages"]

SPANS: Final[dict[str, tuple[int, int]]] = {
    "signal_to_broker": (DECIDED, CALLED),
    "order_to_execution": (RISKED, FILL_SEEN),
    "total": (EDGE, BOOKED),
}
"""Durations over several stages, by their first and last stamp; the ceilings of the same names bound them."""

TOTAL: Final = ("", "")
"""The key of all brokers and all strategies together."""

# Orders folded at once: appending nine stamps costs 0.2 us, counting them one by one over 5.
_BATCH: Final = 256
_FIRST: Final = [*range(N_STAMPS - 1), *(first for first, _ in SPANS.values())]
_LAST: Final = [*range(1, N_STAMPS), *(last for _, last in SPANS.values())]
_TOTAL_COLUMN: Final = len(STAGES) + list(SPANS).index("total")


class StageSet:
    """The histograms of one key: one a stage, one a span. Stamps are kept as they come and counted later."""

    __slots__ = ("_out_of_order", "_pending", "_spans", "_stages")

    def __init__(self) -> None:
        self._stages: tuple[Histogram, ...] = tuple(Histogram() for _ in STAGES)
        self._spans: dict[str, Histogram] = {name: Histogram() for name in SPANS}
        self._out_of_order = 0
        self._pending = array("q")

    def record(self, stamps: Sequence[int]) -> None:
        pending = self._pending
        pending.extend(stamps)
        if len(pending) >= _BATCH * N_STAMPS:
            self._fold()

    @property
    def stages(self) -> tuple[Histogram, ...]:
        self._fold()
        return self._stages

    @property
    def spans(self) -> dict[str, Histogram]:
        self._fold()
        return self._spans

    @property
    def out_of_order(self) -> int:
        self._fold()
        return self._out_of_order

    def _fold(self) -> None:
        if not self._pending:
            return
        stamps = np.array(self._pending, np.int64).reshape(-1, N_STAMPS)
        del self._pending[:]
        firsts, lasts = stamps[:, _FIRST], stamps[:, _LAST]
        # an operator's order has no market data behind it: its total begins in the inbox
        firsts[:, _TOTAL_COLUMN] = np.where(stamps[:, EDGE], stamps[:, EDGE], stamps[:, INBOX])
        lengths = np.where((firsts != 0) & (lasts != 0), lasts - firsts, -1)
        self._out_of_order += int(((lasts < firsts) & (lasts != 0))[:, : len(STAGES)].sum())
        Histogram.record_columns((*self._stages, *self._spans.values()), lengths)

    def merge(self, other: "StageSet") -> None:
        for mine, theirs in zip(self.stages, other.stages, strict=True):
            mine.merge(theirs)
        for name, histogram in self.spans.items():
            histogram.merge(other.spans[name])
        self._out_of_order += other.out_of_order


class Stages:
    """Histograms per stage, fed with the stamps of finished orders.

    A stage whose first or last stamp is missing (0) is skipped, never counted as 0. A stage that would be
    negative (a fill that overtook its acceptance) is left out and counted in `out_of_order`.

    >>> stages = Stages()
    >>> stages.record([1_000, 3_000, 10_000, 0, 0, 0, 0, 0, 0])
    >>> [(row.stage, row.n, row.max_us) for row in stages.rows()][:3]
    [('feed', 1, 2.0), ('decide', 1, 7.0), ('risk', 0, 0.0)]
    """

    __slots__ = ("by_key",)

    def __init__(self) -> None:
        # Keyed by (broker, strategy); only TOTAL is filled today.
        self.by_key: dict[tuple[str, str], StageSet] = {TOTAL: StageSet()}

    def record(self, stamps: Sequence[int], key: tuple[str, str] = TOTAL) -> None:
        """Count one finished order's nine stamps (monotonic ns, 0 = never reached). Copied, not kept."""
        chosen = self.by_key.get(key)
        if chosen is None:
            chosen = self.by_key[key] = StageSet()
        chosen.record(stamps)

    def histogram(self, stage: str, key: tuple[str, str] = TOTAL) -> Histogram:
        """The histogram of a stage or a span by name."""
        chosen = self.by_key[key]
        return chosen.spans[stage] if stage in SPANS else chosen.stages[STAGES.index(stage)]

    @property
    def out_of_order(self) -> int:
        """Stages left out because their stamps ran backwards."""
        return sum(part.out_of_order for part in self.by_key.values())

    def rows(self, budgets: Budgets | None = None, key: tuple[str, str] = TOTAL) -> list[LatencyRow]:
        """One row a stage, in the order of an order's life; empty stages show zeros with n = 0."""
        chosen = self.by_key[key]
        return [
            _row(stage, histogram, budgets.stage_us(stage) if budgets else 0.0)
            for stage, histogram in zip(STAGES, chosen.stages, strict=True)
        ]

    def span_rows(self, budgets: Budgets | None = None, key: tuple[str, str] = TOTAL) -> list[LatencyRow]:
        """One row for each of `SPANS`, against the ceiling of the same name."""
        return [
            _row(name, histogram, budgets.span_us(name) if budgets else 0.0)
            for name, histogram in self.by_key[key].spans.items()
        ]

    def merge(self, other: "Stages") -> None:
        """Add another's observations, key by key."""
        for key, part in other.by_key.items():
            self.by_key.setdefault(key, StageSet()).merge(part)


def _row(stage: str, histogram: Histogram, budget_us: float) -> LatencyRow:
    if not histogram.count:
        return LatencyRow(stage, 0, 0.0, 0.0, 0.0, 0.0, budget_us, 0.0)
    p50, p90, p99 = histogram.percentiles((50, 90, 99))
    over = histogram.share_over(budget_us * 1e3) if budget_us else 0.0
    return LatencyRow(
        stage, histogram.count, p50 / 1e3, p90 / 1e3, p99 / 1e3, histogram.max_ns / 1e3, budget_us, over
    )
