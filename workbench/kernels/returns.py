"""Figures of merit of a series of returns or of an equity curve: plain numpy, one pure function each.

`returns` is float64[n], one simple return a period (a session, mostly). NaN is a period without a return: it counts as
time and as nothing else. `periods` is how many periods a year has. What cannot be said (too few returns, no loss to
divide by, none but equal returns) is NaN; a yearly return beyond what a float holds is infinite.

Not here: which returns and which year a backtest has, what is made of trades (research/).
"""

import numpy as np
import numpy.typing as npt

__all__ = [
    "alpha_beta",
    "annual_return",
    "calmar",
    "deviation",
    "drawdown",
    "expected_shortfall",
    "kurtosis",
    "max_drawdown",
    "omega",
    "sharpe",
    "skew",
    "sortino",
    "stability",
    "tail_ratio",
    "total_return",
    "ulcer",
    "under_water",
    "value_at_risk",
    "volatility",
]

type Floats = npt.NDArray[np.float64]

_NAN = float("nan")


def _known(returns: Floats) -> Floats:
    return returns[~np.isnan(returns)]


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NAN


def deviation(known: Floats, ddof: int) -> float:
    """Standard deviation of one number or more, none of them NaN; 0 where it is nothing but rounding, so that no ratio
    is made of it.

    >>> deviation(np.full(10, 0.01), 1)
    0.0
    """
    spread = float(np.std(known, ddof=ddof))
    return spread if spread > 1e-13 * float(np.abs(known).max()) else 0.0


def _compounded(growth: float, power: float) -> float:
    """`growth` to the `power`, less one; -1 where nothing is left, infinite beyond what a float holds."""
    if growth <= 0.0:
        return -1.0
    try:
        return float(growth**power - 1.0)
    except OverflowError:
        return float("inf")


def total_return(returns: Floats) -> float:
    """The product of all growth factors, less one.

    >>> round(total_return(np.array([0.1, -0.1])), 10)
    -0.01
    """
    return float(np.prod(1.0 + _known(returns)) - 1.0)


def annual_return(returns: Floats, periods: float) -> float:
    """The constant yearly return that compounds to the same end (CAGR)."""
    if not len(returns):
        return _NAN
    return _compounded(1.0 + total_return(returns), periods / len(returns))


def volatility(returns: Floats, periods: float) -> float:
    """Sample deviation (ddof 1) of the returns, times the root of a year's periods."""
    known = _known(returns)
    return deviation(known, 1) * periods**0.5 if len(known) > 1 else _NAN


def sharpe(returns: Floats, periods: float, risk_free: float = 0.0) -> float:
    """Mean over deviation (ddof 1) of the returns above the risk-free rate, times the root of a year's periods.

    `risk_free` is a year's; a period has its share of it. W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio
    Management (1994). NaN below three returns, and where all are equal.

    >>> round(sharpe(np.array([np.nan, 1, 10, -4, 2, 3, 2, 1, -10]) / 100, 252), 10)
    1.7238613962
    """
    known = _known(returns)
    if len(known) < 3:
        return _NAN
    return _ratio(float(np.mean(known) - risk_free / periods) * periods**0.5, deviation(known, 1))


def sortino(returns: Floats, periods: float, required: float = 0.0) -> float:
    """Mean return above `required` (a year's) over the downside deviation, both a year's.

    The downside deviation is the root of the mean square of the shortfalls, over all periods. F. Sortino and L. Price,
    "Performance Measurement in a Downside Risk Framework", Journal of Investing (1994).
    """
    above = _known(returns) - required / periods
    if len(above) < 2:
        return _NAN
    downside = float(np.mean(np.minimum(above, 0.0) ** 2)) ** 0.5
    return _ratio(float(np.mean(above)) * periods**0.5, downside)


def omega(returns: Floats, required: float = 0.0) -> float:
    """Sum of what lies above `required` (a period's) over the sum of what lies below.

    C. Keating and W. Shadwick, "A Universal Performance Measure", Journal of Performance Measurement (2002).
    """
    above = _known(returns) - required
    return _ratio(float(above[above > 0].sum()), -float(above[above < 0].sum()))


def calmar(returns: Floats, periods: float, worst: float) -> float:
    """Annual return over the largest drawdown `worst` (below 0). T. Young, "Calmar Ratio", Futures (1991)."""
    return _ratio(annual_return(returns, periods), -worst)


def drawdown(equity: Floats, start: float) -> Floats:
    """Share lost since the highest value so far (`start` included), 0 or below, float64[n]."""
    peak = np.maximum.accumulate(equity)
    np.maximum(peak, start, out=peak)
    np.divide(equity, peak, out=peak)
    peak -= 1.0
    return peak


def max_drawdown(equity: Floats, start: float) -> float:
    """The largest share lost since a peak, 0 or below.

    >>> max_drawdown(np.array([110.0, 99.0, 120.0]), 100.0)
    -0.09999999999999998
    """
    return float(drawdown(equity, start).min()) if len(equity) else _NAN


def under_water(drawdowns: Floats, ts_ns: npt.NDArray[np.int64]) -> tuple[float, int]:
    """(share of the time spent below an earlier peak, the longest such stretch in ns, to its recovery or the end)."""
    below = drawdowns < 0.0
    if len(below) < 2 or not below.any():
        return 0.0, 0
    # a step belongs to the water when it ends below the peak; the one that surfaces ends a stretch
    share = float((np.diff(ts_ns) @ below[1:]) / (ts_ns[-1] - ts_ns[0]))
    edges = np.diff(below.astype(np.int8), prepend=0, append=0)
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    begun = ts_ns[np.maximum(first - 1, 0)]
    ended = ts_ns[np.minimum(after, len(ts_ns) - 1)]
    return share, int((ended - begun).max())


def ulcer(drawdowns: Floats) -> float:
    """Root of the mean square of the drawdowns. P. Martin and B. McCann, The Investor's Guide to Fidelity Funds
    (1989)."""
    return float(np.mean(drawdowns**2)) ** 0.5 if len(drawdowns) else _NAN


def value_at_risk(returns: Floats, share: float = 0.05) -> float:
    """The return that `share` of all returns lie below (linear between ranks): historical value at risk.

    >>> value_at_risk(np.array([-0.02, -0.01, 0.0, 0.01, 0.02]), 0.25)
    -0.01
    """
    known = _known(returns)
    return float(np.percentile(known, share * 100.0)) if len(known) else _NAN


def expected_shortfall(returns: Floats, share: float = 0.05) -> float:
    """Mean of the worst returns, as many as `share` of them (at least one): conditional value at risk.

    R. T. Rockafellar and S. Uryasev, "Optimization of Conditional Value-at-Risk", Journal of Risk (2000).
    """
    known = _known(returns)
    if not len(known):
        return _NAN
    count = int((len(known) - 1) * share) + 1
    return float(np.partition(known, count - 1)[:count].mean())


def skew(returns: Floats) -> float:
    """Third central moment over the cube of the deviation (ddof 0), Fisher's g1."""
    known = _known(returns)
    if len(known) < 3:
        return _NAN
    off = known - known.mean()
    return _ratio(float(np.mean(off**3)), deviation(known, 0) ** 3)


def kurtosis(returns: Floats) -> float:
    """Fourth central moment over the square of the variance (ddof 0), less 3: 0 for a normal law, Fisher's g2."""
    known = _known(returns)
    if len(known) < 4:
        return _NAN
    off = known - known.mean()
    return _ratio(float(np.mean(off**4)), deviation(known, 0) ** 4) - 3.0


def tail_ratio(returns: Floats) -> float:
    """Size of the 95th percentile over that of the 5th: above 1 the good tail is the longer one."""
    known = _known(returns)
    if not len(known):
        return _NAN
    low, high = np.percentile(known, [5.0, 95.0])
    return _ratio(abs(float(high)), abs(float(low)))


def stability(returns: Floats) -> float:
    """R squared of a straight line through the cumulative log returns: 1 is steady growth (or steady loss)."""
    known = _known(returns)
    if len(known) < 3 or np.any(known <= -1.0):
        return _NAN
    grown = np.cumsum(np.log1p(known))
    if np.ptp(grown) == 0.0:
        return _NAN
    return float(np.corrcoef(np.arange(len(grown)), grown)[0, 1] ** 2)


def alpha_beta(returns: Floats, benchmark: Floats, periods: float) -> tuple[float, float]:
    """(yearly alpha, beta) of the returns against a benchmark's of the same periods, risk-free rate 0.

    Beta is covariance over variance; alpha is the mean of what beta does not explain, compounded over a year.
    M. Jensen, "The Performance of Mutual Funds in the Period 1945-1964", Journal of Finance (1968).
    """
    both = ~(np.isnan(returns) | np.isnan(benchmark))
    mine, other = returns[both], benchmark[both]
    if len(mine) < 3 or not deviation(other, 0):
        return _NAN, _NAN
    off = other - other.mean()
    beta = float(np.mean(off * mine) / np.mean(off**2))
    daily = float(np.mean(mine - beta * other))
    return _compounded(1.0 + daily, periods), beta
