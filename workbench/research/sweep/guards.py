"""The guards beside a sweep's best row: what chance alone would have shown after so many tries.

Lives here: which figures of a sweep go into which formula. Not here: the formulas (research/overfit.py,
research/montecarlo.py), when they are computed (result.py).
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.research.montecarlo import MonteCarlo, monte_carlo
from workbench.research.overfit import (
    Overfitting,
    deflated_sharpe,
    effective_trials,
    expected_max_sharpe,
    mean_correlation,
    moments,
    probability_of_overfitting,
)
from workbench.research.sweep.job import CURVES_KEPT, Job
from workbench.research.sweep.markets import BLOCKS
from workbench.research.sweep.scores import Summary
from workbench.research.sweep.store import Store

if TYPE_CHECKING:
    from workbench.research.result import Result

__all__ = ["Guards", "guards_of", "period_returns"]

type Floats = npt.NDArray[np.float64]

_AT_ONCE = 256
_FEW_TRADES = 30
_SET_BARS, _FEWEST = 2e9, 200


class Guards(msgspec.Struct, frozen=True):
    """`deflated_sharpe`: probability that the best set's Sharpe ratio is more than the luck of `trials` tries, which
    would show `luck_sharpe` (annualised) by itself; `effective_trials` is what the trials amount to, alike as they are.
    `overfitting`: see `probability_of_overfitting`. `monte_carlo`: of the best set's trades. What could not be
    computed is NaN or None, and `notes` say why."""

    deflated_sharpe: float
    luck_sharpe: float
    trials: int
    effective_trials: float
    overfitting: Overfitting | None
    monte_carlo: MonteCarlo | None
    notes: tuple[str, ...] = ()

    def lines(self) -> list[tuple[str, str, str]]:
        """(guard, figure, what it says) for people."""
        rows = []
        if not math.isnan(self.deflated_sharpe):
            rows.append(
                (
                    "deflated Sharpe ratio",
                    f"{self.deflated_sharpe:.1%}",
                    f"chance that it is skill: luck alone shows a Sharpe ratio of {self.luck_sharpe:.2f} in "
                    f"{self.trials:,} tries (as good as {self.effective_trials:,.0f} independent ones)",
                )
            )
        if self.overfitting is not None:
            over = self.overfitting
            rows.append(
                (
                    "probability of overfitting",
                    f"{over.probability:.1%}",
                    f"how often the best of one half of the time was below the middle in the other half "
                    f"({over.sets:,} sets, {len(over.logits):,} splits)",
                )
            )
        if self.monte_carlo is not None:
            mc = self.monte_carlo
            rows.append(
                (
                    "Monte Carlo of trades",
                    f"p = {mc.p_value:.3f}" if mc.p_value >= 0.001 else "p < 0.001",
                    f"final equity {mc.final_equity[0]:,.0f} to {mc.final_equity[2]:,.0f}, drawdown to "
                    f"{mc.max_drawdown[0]:.2%} (90 % of {mc.draws:,} draws of its {mc.trades:,} trades)"
                    + (": too few trades to say much" if mc.trades < _FEW_TRADES else ""),
                )
            )
        return [*rows, *(("", "", note) for note in self.notes)]

    def facts(self) -> dict[str, Any]:
        """The figures as plain values; None where there is none."""
        over, mc = self.overfitting, self.monte_carlo
        return {
            "deflated_sharpe": _known(self.deflated_sharpe),
            "luck_sharpe": _known(self.luck_sharpe),
            "trials": self.trials,
            "effective_trials": _known(self.effective_trials),
            "overfitting_probability": over.probability if over is not None else None,
            "overfitting_sets": over.sets if over is not None else None,
            "monte_carlo": msgspec.to_builtins(mc) if mc is not None else None,
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        return "\n".join(f"{name:26} {figure:>10}  {text}".rstrip() for name, figure, text in self.lines())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def guards_of(job: Job, store: Store, summary: Summary, backtest: "Callable[[], Result]") -> Guards:
    """The guards for the best set of a sweep; `backtest` runs it."""
    if not len(summary.places):
        return Guards(math.nan, math.nan, summary.sets, math.nan, None, None, ("no set could be ranked",))
    notes: list[str] = []
    place = int(summary.places[0])
    result = backtest()
    returns = period_returns(job, store, place // job.space.n)
    correlation = mean_correlation(returns) if returns.shape[1] > 1 else math.nan
    trials = max(summary.sharpe_n, 1)
    effective = trials if math.isnan(correlation) else effective_trials(trials, correlation)
    year = job.markets[place // job.space.n].sessions_a_year
    variance = summary.sharpe_variance / year
    daily = result.returns.to_numpy()
    daily = daily[~np.isnan(daily)]
    sharpe, skew, kurtosis = moments(daily) if len(daily) else (math.nan,) * 3
    deflated = luck = math.nan
    if math.isnan(sharpe) or math.isnan(variance):
        notes.append("no deflated Sharpe ratio: it takes three sessions and two sets that trade")
    else:
        luck = expected_max_sharpe(effective, variance) * year**0.5
        deflated = deflated_sharpe(
            sharpe, len(daily), trials=effective, variance=variance, skew=skew, kurtosis=kurtosis
        )
    overfitting = None
    if returns.shape[1] < 2 or len(returns) < BLOCKS:
        notes.append("no probability of overfitting: it takes two sets and 64 bars")
    else:
        overfitting = probability_of_overfitting(returns, BLOCKS)
    profits = result.round_trips.profit[~result.round_trips.open]
    if len(profits) < 2:
        notes.append("no Monte Carlo: the best set has fewer than two finished trades")
    simulated = monte_carlo(profits, job.terms.cash) if len(profits) > 1 else None
    return Guards(deflated, luck, trials, float(effective), overfitting, simulated, tuple(notes))


def period_returns(job: Job, store: Store, market: int) -> Floats:
    """Returns float64[periods, sets] of a market's sets over equal stretches of its bars: of all sets, or of an even
    sample of 2,000 (fewer over a million bars and more: they are run once more for this). Sets that failed are left
    out."""
    if job.why_single:
        kept = [
            (number, curves) for number, _, curves in store.curves() if job.chunk(number).market == market
        ]
        curves = np.concatenate([c for _, c in kept]) if kept else np.empty((0, 0))
    else:
        n, bars = job.space.n, len(job.markets[market])
        most = min(CURVES_KEPT, max(_FEWEST, int(_SET_BARS / bars)))
        places = np.arange(n)
        if n > most:
            places = np.sort(np.random.default_rng(n).choice(n, most, replace=False))
        parts = []
        for low in range(0, len(places), _AT_ONCE):
            some = places[low : low + _AT_ONCE]
            columns = job.space.columns(some)
            parts.append(job.figures(job.markets[market], columns, len(some), periods=True).equity)
        curves = np.concatenate(parts)
    if not curves.size:
        return np.empty((0, len(curves)))
    curves = curves[np.isfinite(curves).all(axis=1)]
    full = np.concatenate([np.full((len(curves), 1), job.terms.cash), curves], axis=1)
    answer: Floats = (np.diff(full, axis=1) / full[:, :-1]).T
    return answer
