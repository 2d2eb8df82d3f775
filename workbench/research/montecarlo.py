"""What else the same trades could have added up to: bootstrap and shuffle of a run's trades.

- bootstrap: as many trades, drawn with replacement (B. Efron, "Bootstrap Methods", 1979): how sure is the profit?
- shuffle: the same trades in another order: how deep could the drawdown have been?
- p-value: how often trades without an edge (the same, less their mean) would have earned as much by chance; with one
  added to both counts (A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 4.2).

Trades are taken as independent of each other and as sums of money, not of shares of the account. Plain arrays in and
out. Not here: which trades (the result of a backtest).
"""

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue

__all__ = ["MonteCarlo", "monte_carlo"]

type Floats = npt.NDArray[np.float64]

_AT_ONCE = 200_000


class MonteCarlo(msgspec.Struct, frozen=True):
    """Quantiles at 5, 50 and 95 % of final equity (bootstrap) and of the largest drawdown (shuffle; shares, 0 or below,
    so the 5 % one is the deep one), the share of bootstraps that end in a loss, and the p-value of the profit."""

    trades: int
    draws: int
    final_equity: tuple[float, float, float]
    max_drawdown: tuple[float, float, float]
    loss: float
    p_value: float

    def __repr__(self) -> str:
        low, middle, high = self.final_equity
        return (
            f"<MonteCarlo of {self.trades:,} trades: final equity {low:,.0f} to {high:,.0f} (median {middle:,.0f}), "
            f"drawdown to {self.max_drawdown[0]:.2%}, p-value {self.p_value:.3f}>"
        )


def monte_carlo(profits: npt.ArrayLike, cash: float, *, draws: int = 2_000, seed: int = 0) -> MonteCarlo:
    """Bootstrap and shuffle a run's trades. `profits` float64[n]: what each trade earned, net, in order.

    >>> monte_carlo([10.0, -5.0, 10.0, -5.0, 10.0], 1_000.0).trades
    5

    Raises:
        BadValue: fewer than two trades, or an impossible number of draws.
    """
    p = np.asarray(profits, np.float64)
    if p.ndim != 1 or len(p) < 2 or not np.isfinite(p).all():
        raise BadValue("profits", p.shape, "give the profit of two trades or more")
    if draws < 1:
        raise BadValue("draws", draws, "give 1 or more")
    random = np.random.default_rng(seed)
    final, deepest = np.empty(draws), np.empty(draws)
    rows = max(1, _AT_ONCE // len(p))
    for low in range(0, draws, rows):
        part = slice(low, min(low + rows, draws))
        count = part.stop - part.start
        final[part] = p[random.integers(0, len(p), (count, len(p)))].sum(axis=1)
        deepest[part] = _deepest(random.permuted(np.tile(p, (count, 1)), axis=1), cash)
    lucky = int(
        np.count_nonzero(final - p.sum() >= p.sum())
    )  # a draw less its mean earns as much as was earned
    return MonteCarlo(
        trades=len(p),
        draws=draws,
        final_equity=_quantiles(cash + final),
        max_drawdown=_quantiles(deepest),
        loss=float(np.mean(final < 0.0)),
        p_value=(1.0 + lucky) / (1.0 + draws),
    )


def _deepest(profits: Floats, cash: float) -> Floats:
    equity = cash + np.cumsum(profits, axis=1)
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), cash)
    answer: Floats = np.minimum((equity / peak - 1.0).min(axis=1), 0.0)
    return answer


def _quantiles(values: Floats) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95]).tolist()
    return low, middle, high
