"""What makes one set better than another, and what is remembered of all sets while they pass by.

Larger is better for every objective (a drawdown is a number below 0). Sets that the risk rules would have let through
come before all others. Lives here: scores and running sums. Not here: the rows' file (store.py).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.errors import UnknownName
from workbench.research.sweep import lane_state as s
from workbench.research.sweep.chunk import ROW

__all__ = ["BROKEN", "OBJECTIVES", "REFUSED", "Summary", "known_objective", "leaders", "led", "scores"]

OBJECTIVES: Final = ("sharpe", "total_return", "final_equity", "max_drawdown")
REFUSED: Final = s.NOT_A_NUMBER - 1  # all bits of rules
BROKEN: Final = s.NOT_A_NUMBER | s.FAILED
_KEPT: Final = 20

type Floats = npt.NDArray[np.float64]


def known_objective(name: str) -> str:
    """`name` itself, when it is an objective.

    Raises:
        UnknownName: it is not.
    """
    if name in OBJECTIVES:
        return name
    raise UnknownName("objective", name, OBJECTIVES)


def scores(rows: npt.NDArray[np.void], objective: str) -> Floats:
    """The objective's value of every row; NaN where there is none."""
    column = "final_equity" if objective == "total_return" else objective
    values = rows[column].astype(np.float64)
    values[(rows["code"] & BROKEN) != 0] = np.nan
    return values


def leaders(rows: npt.NDArray[np.void], objective: str, n: int) -> npt.NDArray[np.int64]:
    """Places of the best `n` rows, best first; those the rules would have refused last, those without a value never."""
    value = scores(rows, objective)
    there = np.flatnonzero(~np.isnan(value))
    refused = (rows["code"][there] & REFUSED) != 0
    if len(there) > 4 * n:  # a full sort of a large chunk costs more than all the rest
        rank = np.where(refused, -1e300, 0.0) + value[there]
        near = np.argpartition(-rank, n - 1)[: n + 1]
        edge = rank[near].min()
        there, refused = there[rank >= edge], refused[rank >= edge]
    order = np.lexsort((there, -value[there], refused))
    answer: npt.NDArray[np.int64] = there[order[:n]]
    return answer


@dataclass
class Summary:
    """Running figures over all sets seen: how many, how many refused or broken, their Sharpe ratios' mean and spread
    (Welford, merged chunk by chunk: Chan, Golub & LeVeque, 1979), and the best `rows` with their `places`."""

    objective: str
    sets: int = 0
    refused: int = 0
    broken: int = 0
    sharpe_n: int = 0
    sharpe_mean: float = 0.0
    sharpe_m2: float = 0.0
    profitable: int = 0
    places: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, ROW))

    def add(self, first: int, rows: npt.NDArray[np.void], cash: float) -> None:
        """Take the rows of places `first` on."""
        self.sets += len(rows)
        self.broken += int(np.count_nonzero(rows["code"] & BROKEN))
        self.refused += int(np.count_nonzero(rows["code"] & REFUSED))
        self.profitable += int(np.count_nonzero(rows["final_equity"] > cash))
        sharpe = scores(rows, "sharpe")
        sharpe = sharpe[np.isfinite(sharpe)]
        if len(sharpe):
            mean, m2 = float(sharpe.mean()), float(((sharpe - sharpe.mean()) ** 2).sum())
            n, off = self.sharpe_n + len(sharpe), mean - self.sharpe_mean
            self.sharpe_m2 += m2 + off * off * self.sharpe_n * len(sharpe) / n
            self.sharpe_mean += off * len(sharpe) / n
            self.sharpe_n = n
        mine = leaders(rows, self.objective, _KEPT)
        self.places, self.rows = led(
            np.concatenate([self.places, first + mine]),
            np.concatenate([self.rows, rows[mine]]),
            self.objective,
            _KEPT,
        )

    @property
    def sharpe_variance(self) -> float:
        """Variance (ddof 1) of the sets' Sharpe ratios; NaN below two."""
        return self.sharpe_m2 / (self.sharpe_n - 1) if self.sharpe_n > 1 else float("nan")


def led(
    places: npt.NDArray[np.int64], rows: npt.NDArray[np.void], objective: str, n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.void]]:
    """The best `n` of some rows, best first; of equals the one whose place comes first."""
    walk = np.argsort(places)
    places, rows = places[walk], rows[walk]
    best = leaders(rows, objective, n)
    return places[best], rows[best]
