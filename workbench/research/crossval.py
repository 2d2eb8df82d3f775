"""Cross-validation for series: training without what the test could have leaked into it.

Two leaks are closed (M. Lopez de Prado, "Advances in Financial Machine Learning", 2018, chapters 7 and 12):
- purging: an observation whose outcome reaches into the test set is left out of the training set;
- embargo: so are some observations right after the test set, which still remember it.

`purged_folds` cuts time into folds, each the test set once; `combinatorial_purged` takes every choice of several groups
as test set, which gives many paths through time instead of one. Both are generators of index arrays, usable alone.

Lives here: splits, and a sweep's sets chosen and tested by them. Not here: CSCV (overfit.py), walk-forward
(walkforward.py).
"""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue

__all__ = ["CrossValidation", "Split", "combinatorial_purged", "cross_validated", "paths_of", "purged_folds"]

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]


class Split(NamedTuple):
    """Indices to train on and to test on, rising; `groups` are the stretches of time the test set is made of."""

    train: Ints
    test: Ints
    groups: tuple[int, ...]


def purged_folds(n: int, folds: int = 5, *, horizon: Any = 0, embargo: int = 0) -> Iterator[Split]:
    """Each of `folds` stretches of `n` observations as the test set, purged and with an embargo.

    `horizon`: how many observations ahead an outcome reaches: a number, or int64[n] for each. `embargo`: how many
    observations after the test set are left out too.

    >>> [split.train.tolist() for split in purged_folds(6, 3, horizon=1, embargo=1)]
    [[4, 5], [0], [0, 1, 2]]

    Raises:
        BadValue: fewer observations than folds, or impossible numbers.
    """
    yield from combinatorial_purged(n, folds, 1, horizon=horizon, embargo=embargo)


def combinatorial_purged(
    n: int, groups: int = 6, test_groups: int = 2, *, horizon: Any = 0, embargo: int = 0
) -> Iterator[Split]:
    """Every choice of `test_groups` out of `groups` stretches of `n` observations as the test set, purged and with an
    embargo; there are C(groups, test_groups) of them.

    >>> splits = list(combinatorial_purged(12, 6, 2))
    >>> len(splits), splits[0].test.tolist(), splits[1].groups
    (15, [0, 1, 2, 3], (0, 2))

    Raises:
        BadValue: fewer observations than groups, or impossible numbers.
    """
    if groups < 2 or n < groups:
        raise BadValue("groups", groups, f"give 2 or more, at most the {n} observations there are")
    if not 1 <= test_groups < groups:
        raise BadValue("test_groups", test_groups, f"give 1 to {groups - 1}")
    if embargo < 0:
        raise BadValue("embargo", embargo, "give 0 or more observations")
    reach = np.broadcast_to(np.asarray(horizon, np.int64), (n,))
    if (reach < 0).any():
        raise BadValue("horizon", horizon, "give 0 or more observations")
    index = np.arange(n)
    last = np.minimum(index + reach, n - 1)
    edges = np.arange(groups + 1) * n // groups
    for chosen in combinations(range(groups), test_groups):
        free = np.ones(n, bool)
        test = np.zeros(n, bool)
        for group in chosen:
            low, high = edges[group], edges[group + 1] - 1
            test[low : high + 1] = True
            ends = int(last[low : high + 1].max())
            free &= (last < low) | (index > ends + embargo)
        yield Split(index[free & ~test], index[test], chosen)


def paths_of(groups: int, test_groups: int) -> int:
    """How many whole paths through time the test sets of `combinatorial_purged` make: C(N, k) k / N.

    >>> paths_of(6, 2)
    5
    """
    return math.comb(groups, test_groups) * test_groups // groups


class CrossValidation:
    """What came of choosing the best set by training data, split after split.

    `chosen` int64[splits]: columns of the returns; `train_sharpe` and `test_sharpe` float64[splits]: Sharpe ratios a
    period. `path_sharpe` float64[paths]: of whole paths through time, each stretch by a split that tested on it.
    """

    def __init__(
        self, splits: list[Split], chosen: Ints, train: Floats, test: Floats, paths: Floats, groups: int
    ) -> None:
        self.splits, self.chosen, self.train_sharpe, self.test_sharpe = splits, chosen, train, test
        self.path_sharpe, self.groups = paths, groups

    @property
    def degradation(self) -> float:
        """Mean test over mean training Sharpe ratio: 1 keeps what it promised, 0 nothing of it."""
        promised = float(self.train_sharpe.mean())
        return float(self.test_sharpe.mean()) / promised if promised > 0 else float("nan")

    def frame(self) -> Any:
        """One row a split: test stretches, chosen set, Sharpe ratios a period."""
        import pandas as pd

        return pd.DataFrame(
            {
                "test": [" ".join(map(str, split.groups)) for split in self.splits],
                "train_size": [len(split.train) for split in self.splits],
                "chosen": self.chosen,
                "train_sharpe": self.train_sharpe,
                "test_sharpe": self.test_sharpe,
            }
        )

    def __repr__(self) -> str:
        lost = float(np.mean(self.path_sharpe < 0.0))
        sets = len(np.unique(self.chosen))
        return (
            f"<CrossValidation: {len(self.splits)} splits of {self.groups} stretches, {sets} sets chosen;"
            f" Sharpe a period {self.train_sharpe.mean():.3f} in training, {self.test_sharpe.mean():.3f} in test;"
            f" {lost:.0%} of {len(self.path_sharpe)} paths lose>"
        )


def cross_validated(
    returns: npt.ArrayLike, groups: int = 6, test_groups: int = 2, *, horizon: Any = 0, embargo: int = 0
) -> CrossValidation:
    """Choose among sets by training periods and test the choice: float64[periods, sets] returns, in order of time.

    >>> steady = np.tile([[0.01, -0.01], [0.02, 0.01]], (6, 1))
    >>> cross_validated(steady, 4, 1).chosen.tolist()
    [0, 0, 0, 0]

    Raises:
        BadValue: as `combinatorial_purged`; or nothing is left to train on.
    """
    r = np.asarray(returns, np.float64)
    if r.ndim != 2 or not r.shape[1]:
        raise BadValue("returns", r.shape, "give periods x sets")
    splits = list(combinatorial_purged(len(r), groups, test_groups, horizon=horizon, embargo=embargo))
    edges = np.arange(groups + 1) * len(r) // groups
    chosen = np.zeros(len(splits), np.int64)
    train, test = np.zeros(len(splits)), np.zeros(len(splits))
    by_group: list[list[Floats]] = [[] for _ in range(groups)]
    for k, split in enumerate(splits):
        if len(split.train) < 2:
            raise BadValue(
                "embargo", embargo, "so little is left to train on: give fewer groups or a shorter one"
            )
        ratios = _sharpe(r[split.train])
        chosen[k] = best = int(np.argmax(ratios))
        train[k], test[k] = ratios[best], _sharpe(r[split.test][:, [best]])[0]
        for group in split.groups:
            by_group[group].append(r[edges[group] : edges[group + 1], best])
    paths = [np.concatenate([parts[j] for parts in by_group]) for j in range(paths_of(groups, test_groups))]
    return CrossValidation(splits, chosen, train, test, _sharpe(np.array(paths).T), groups)


def _sharpe(r: Floats) -> Floats:
    """Sharpe ratio a period of every column (ddof 1); 0 where nothing moves."""
    if len(r) < 2:
        return np.zeros(r.shape[1])
    spread = r.std(axis=0, ddof=1)
    moves = spread > 1e-15
    return np.divide(r.mean(axis=0), spread, out=np.zeros(r.shape[1]), where=moves)
