"""How much of a backtest's success is the luck of having tried often: formulas on plain arrays.

- Probabilistic and deflated Sharpe ratio: D. H. Bailey, M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012)
  and "The Deflated Sharpe Ratio" (2014).
- Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV): D. H. Bailey, J. Borwein,
  M. Lopez de Prado, Q. J. Zhu, "The Probability of Backtest Overfitting" (2015).

Sharpe ratios here are per observation (not annualised) unless said otherwise. Not here: sweeps (research/sweep/), the
Monte Carlo of trades (montecarlo.py).
"""

import math
from itertools import combinations
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue
from workbench.kernels.returns import deviation

__all__ = [
    "Overfitting",
    "deflated_sharpe",
    "effective_trials",
    "expected_max_sharpe",
    "mean_correlation",
    "moments",
    "probabilistic_sharpe",
    "probability_of_overfitting",
]

type Floats = npt.NDArray[np.float64]

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_AT_ONCE = 64


def moments(returns: npt.ArrayLike) -> tuple[float, float, float]:
    """(Sharpe ratio with ddof 1, skewness, kurtosis) of returns, the last two by central moments; normal: (., 0, 3)."""
    r = np.asarray(returns, np.float64)
    spread = deviation(r, 0) if len(r) > 2 else 0.0
    if spread == 0.0:
        return float("nan"), float("nan"), float("nan")
    off = r - r.mean()
    sharpe = float(r.mean() / r.std(ddof=1))
    return sharpe, float(np.mean(off**3)) / spread**3, float(np.mean(off**4)) / spread**4


def probabilistic_sharpe(
    sharpe: float, n: int, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Probability that the true Sharpe ratio is above `benchmark`, from `n` returns with that skewness and kurtosis.

    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)), Bailey & Lopez de Prado 2012, eq. 10.

    >>> round(probabilistic_sharpe(0.1, 1_000), 4)
    0.9992
    """
    if n < 2:
        raise BadValue("n", n, "give at least two observations")
    spread = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    if not spread > 0.0:
        return float("nan")
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(n - 1.0) / math.sqrt(spread))


def expected_max_sharpe(trials: float, variance: float) -> float:
    """The highest Sharpe ratio to expect of `trials` independent strategies without any skill, whose ratios have this
    variance: sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant, Z the normal quantile
    (Bailey & Lopez de Prado 2014, eq. 1).

    >>> round(expected_max_sharpe(100, 0.5 / 250), 4)
    0.1132
    """
    if not trials >= 1:
        raise BadValue("trials", trials, "give 1 or more")
    if not variance >= 0:
        raise BadValue("variance", variance, "give 0 or more")
    if trials <= 1:
        return 0.0
    high = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    higher = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * high + _EULER * higher)


def deflated_sharpe(
    sharpe: float, n: int, *, trials: float, variance: float, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the best of `trials` strategies has a Sharpe ratio above what luck alone would have given the
    best of them (Bailey & Lopez de Prado 2014, eq. 2). `variance` is that of all the trials' ratios.

    >>> round(deflated_sharpe(2.5 / 250**0.5, 1250, trials=100, variance=0.5 / 250, skew=-3, kurtosis=10), 4)
    0.9004
    """
    luck = expected_max_sharpe(trials, variance)
    return probabilistic_sharpe(sharpe, n, skew=skew, kurtosis=kurtosis, benchmark=luck)


def effective_trials(trials: int, correlation: float) -> float:
    """How many independent trials so many correlated ones amount to: rho + (1 - rho) N, with their mean correlation
    (Bailey & Lopez de Prado 2014, appendix 3).

    >>> effective_trials(100, 0.5), effective_trials(100, 1.0)
    (50.5, 1.0)
    """
    rho = min(max(correlation, 0.0), 1.0)
    return rho + (1.0 - rho) * trials


def mean_correlation(returns: npt.ArrayLike) -> float:
    """Mean correlation between all pairs of columns of float64[periods, sets]; columns that never move are left out.

    NaN with fewer than two that do. Takes time and memory in proportion to the array, not to the pairs.
    """
    r = np.asarray(returns, np.float64)
    off = r - r.mean(axis=0)
    length = np.sqrt((off**2).sum(axis=0))
    moving = length > 1e-12
    n = int(moving.sum())
    if n < 2:
        return float("nan")
    total = ((off[:, moving] / length[moving]).sum(axis=1) ** 2).sum()
    return float((total - n) / (n * (n - 1.0)))


class Overfitting(msgspec.Struct, frozen=True):
    """`probability`: share of splits in which the set that was best in one half did no better than the median in the
    other half. `logits`: the log odds of its rank there, float64[splits]. `loss`: share of splits in which it lost
    there. `slope`: of its performance there on its performance where it was chosen, by least squares."""

    probability: float
    loss: float
    slope: float
    logits: Any
    sets: int
    blocks: int

    def __repr__(self) -> str:
        return (
            f"<Overfitting: probability {self.probability:.1%} over {len(self.logits):,} splits of {self.blocks}"
            f" blocks, {self.sets:,} sets; chosen ones lose in {self.loss:.1%}>"
        )


def probability_of_overfitting(returns: npt.ArrayLike, blocks: int = 16) -> Overfitting:
    """The probability of backtest overfitting by CSCV: of float64[periods, sets] returns, periods in order of time.

    The periods are cut into `blocks` equal stretches; every choice of half of them is a training set, the others its
    test set. In each, the set with the best Sharpe ratio is chosen; a set that never moves counts as 0.

    >>> good = np.array([[0.01, 0.0], [0.02, 0.01], [0.015, -0.01], [0.012, 0.0]])
    >>> probability_of_overfitting(good, blocks=4).probability
    0.0

    Raises:
        BadValue: fewer than two sets, an odd number of blocks, or fewer periods than blocks.
    """
    r = np.asarray(returns, np.float64)
    if r.ndim != 2 or r.shape[1] < 2:
        raise BadValue("returns", r.shape, "give periods x sets, two sets or more")
    if blocks < 2 or blocks % 2 or blocks > 20:
        raise BadValue("blocks", blocks, "give an even number from 2 to 20")
    size, sets = len(r) // blocks, r.shape[1]
    if size < 1:
        raise BadValue("returns", r.shape, f"give at least {blocks} periods")
    cut = r[: size * blocks].reshape(blocks, size, sets)
    sums, squares = cut.sum(axis=1), (cut**2).sum(axis=1)
    half = blocks // 2
    choices = np.array(list(combinations(range(blocks), half)))
    chosen = np.zeros((len(choices), blocks))
    np.put_along_axis(chosen, choices, 1.0, axis=1)
    logits, inside, outside = (np.empty(len(choices)) for _ in range(3))
    for low in range(0, len(choices), _AT_ONCE):
        some = chosen[low : low + _AT_ONCE]
        train = _sharpe(some @ sums, some @ squares, half * size)
        test = _sharpe((1.0 - some) @ sums, (1.0 - some) @ squares, half * size)
        best = train.argmax(axis=1)
        row = np.arange(len(best))
        got = test[row, best]
        below, equal = (test < got[:, None]).sum(axis=1), (test == got[:, None]).sum(axis=1)
        rank = (below + (equal + 1.0) / 2.0) / (sets + 1.0)
        part = slice(low, low + len(best))
        logits[part], inside[part], outside[part] = np.log(rank / (1.0 - rank)), train[row, best], got
    off = inside - inside.mean()
    spread = float((off**2).sum())
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        loss=float(np.mean(outside < 0.0)),
        slope=float((off * outside).sum() / spread) if spread > 0.0 else float("nan"),
        logits=logits,
        sets=sets,
        blocks=blocks,
    )


def _sharpe(total: Floats, square: Floats, n: int) -> Floats:
    mean = total / n
    variance = square / n - mean**2
    moves = variance > 1e-24 + 1e-12 * mean**2
    return np.divide(mean, np.sqrt(np.where(moves, variance, 1.0)), out=np.zeros_like(mean), where=moves)
