"""Figures of return series against another library, published values and hand-made cases."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from workbench.kernels import returns as of
from workbench.research.overfit import moments

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it lags behind what it imports
    import empyrical  # type: ignore[import-untyped]

MIXED = np.array([np.nan, 1.0, 10.0, -4.0, 2.0, 3.0, 2.0, 1.0, -10.0]) / 100
NEGATIVE = np.array([0.0, -6.0, -7.0, -1.0, -9.0, -2.0, -6.0, -8.0, -5.0]) / 100
BENCHMARK = np.random.default_rng(4).normal(0.0002, 0.01, 400)
WALK = BENCHMARK * 0.6 + np.random.default_rng(5).normal(0.0005, 0.008, 400)


def curve(returns: Any) -> Any:
    return np.cumprod(1.0 + np.nan_to_num(returns))


@pytest.mark.parametrize(
    ("name", "mixed", "negative"),
    [
        ("total_return", 0.0389310917, -0.3659073035),
        ("max_drawdown", -0.1, -0.3659073035),
        ("annual_return", 1.9135925373, None),
        ("volatility", 0.9136465400, None),
        ("sharpe", 1.7238613962, -24.4068086339),
        ("sortino", 2.6055312517, -13.5327430750),
    ],
)
def test_published_values(name: str, mixed: float, negative: float | None) -> None:
    """As empyrical's own tests have them, 252 periods a year."""
    for returns, expected in ((MIXED, mixed), (NEGATIVE, negative)):
        if expected is None:
            continue
        if name == "total_return":
            got = of.total_return(returns)
        elif name == "max_drawdown":
            got = of.max_drawdown(curve(returns), 1.0)
        else:
            got = getattr(of, name)(returns, 252)
        assert got == pytest.approx(expected, abs=5e-9)


@pytest.mark.parametrize("returns", [MIXED, NEGATIVE, WALK], ids=["mixed", "negative", "walk"])
def test_equal_to_empyrical(returns: Any) -> None:
    known = returns[~np.isnan(returns)]
    worst = of.max_drawdown(curve(returns), 1.0)
    pairs = {
        "total": (of.total_return(returns), empyrical.cum_returns_final(returns)),
        "annual": (of.annual_return(returns, 252), empyrical.annual_return(returns)),
        "volatility": (of.volatility(returns, 252), empyrical.annual_volatility(returns)),
        "sharpe": (of.sharpe(returns, 252, 0.05), empyrical.sharpe_ratio(returns, risk_free=0.05 / 252)),
        "sortino": (
            of.sortino(returns, 252, 0.1),
            empyrical.sortino_ratio(returns, required_return=0.1 / 252),
        ),
        "omega": (of.omega(returns), empyrical.omega_ratio(returns)),
        "calmar": (of.calmar(returns, 252, worst), empyrical.calmar_ratio(returns)),
        "drawdown": (worst, empyrical.max_drawdown(returns)),
        "value at risk": (of.value_at_risk(returns), empyrical.value_at_risk(known)),
        "shortfall": (of.expected_shortfall(returns), empyrical.conditional_value_at_risk(known)),
        "tail": (of.tail_ratio(returns), empyrical.tail_ratio(returns)),
        "stability": (of.stability(returns), empyrical.stability_of_timeseries(returns)),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours == pytest.approx(theirs, rel=1e-9), name


def test_alpha_and_beta_equal_empyrical() -> None:
    index = pd.date_range("2020-01-01", periods=len(WALK))
    theirs = empyrical.alpha_beta(pd.Series(WALK, index), pd.Series(BENCHMARK, index))
    assert of.alpha_beta(WALK, BENCHMARK, 252) == pytest.approx(tuple(theirs), rel=1e-9)
    assert of.alpha_beta(BENCHMARK, BENCHMARK, 252) == pytest.approx((0.0, 1.0), abs=1e-12)


def test_moments_equal_scipy() -> None:
    from scipy import stats  # type: ignore[import-untyped]

    assert of.skew(WALK) == pytest.approx(stats.skew(WALK), rel=1e-12)
    assert of.kurtosis(WALK) == pytest.approx(stats.kurtosis(WALK), rel=1e-12)


def test_ulcer_and_under_water_by_hand() -> None:
    equity = np.array([100.0, 110.0, 99.0, 104.5, 110.0, 121.0, 60.5])
    drawdowns = of.drawdown(equity, 100.0)
    assert drawdowns == pytest.approx([0, 0, -0.1, -0.05, 0, 0, -0.5])
    assert of.ulcer(drawdowns) == pytest.approx(math.sqrt((0.01 + 0.0025 + 0.25) / 7))
    ts_ns = np.arange(7) * 10
    share, longest = of.under_water(drawdowns, ts_ns)
    assert share == pytest.approx(3 / 6)  # the steps that end below a peak
    assert longest == 30  # from the 110 until it is 110 again
    assert of.under_water(np.zeros(5), np.arange(5)) == (0.0, 0)


def test_the_starting_cash_is_a_peak() -> None:
    assert of.max_drawdown(np.array([90.0, 95.0]), 100.0) == pytest.approx(-0.1)


def test_what_cannot_be_said_is_nan() -> None:
    nothing, one, flat = np.zeros(0), np.array([0.01]), np.zeros(10)
    for name in ("volatility", "sharpe", "sortino"):
        for returns in (nothing, one, flat):
            value = getattr(of, name)(returns, 252)
            assert math.isnan(value) or value == 0.0, (name, returns)
    for name in ("skew", "kurtosis", "stability", "tail_ratio", "omega"):
        for returns in (nothing, flat):
            assert math.isnan(getattr(of, name)(returns)), (name, returns)
    assert math.isnan(of.alpha_beta(flat, flat, 252)[1])
    assert of.annual_return(np.array([-1.0, 0.5]), 252) == -1.0


@pytest.mark.parametrize("value", [0.01, -0.01, 0.1, 1e-9])
@pytest.mark.parametrize("n", [3, 7, 10, 100])
def test_equal_returns_have_no_deviation_to_divide_by(value: float, n: int) -> None:
    """A rounding error is no risk: the ratio would be some 1e16."""
    returns = np.full(n, value)
    assert of.volatility(returns, 252) == 0.0
    assert math.isnan(of.sharpe(returns, 252))
    assert math.isnan(of.skew(returns))
    assert math.isnan(of.kurtosis(np.full(n + 1, value)))
    assert math.isnan(of.alpha_beta(WALK[:n], returns, 252)[1])
    assert all(math.isnan(figure) for figure in moments(returns))


def test_a_year_of_an_enormous_return_is_infinite_and_one_of_a_total_loss_is_lost() -> None:
    """As empyrical has it; it must not raise."""
    assert of.annual_return(np.array([40.0]), 252) == math.inf
    assert of.annual_return(np.array([40.0]), 12.5) == pytest.approx(41.0**12.5 - 1.0)
    assert of.annual_return(np.array([-1.5]), 252) == -1.0
    rising = np.array([30.0, 50.0, 40.0])
    assert of.alpha_beta(rising, WALK[:3], 252)[0] == math.inf
    assert of.alpha_beta(-rising, WALK[:3], 12.5)[0] == -1.0


@given(npst.arrays(np.float64, st.integers(3, 60), elements=st.floats(-0.5, 0.5)))
def test_law_what_must_hold_of_any_returns(returns: Any) -> None:
    equity = curve(returns)
    worst = of.max_drawdown(equity, 1.0)
    assert -1.0 <= worst <= 0.0
    assert worst <= min(0.0, equity[-1] - 1.0) + 1e-12 or equity[-1] >= 1.0
    assert of.expected_shortfall(returns) <= of.value_at_risk(returns) + 1e-12
    assert of.total_return(returns) == pytest.approx(equity[-1] - 1.0, abs=1e-9)
    if returns.std() > 1e-9:
        assert np.sign(of.sharpe(returns, 252)) == np.sign(returns.mean())
        assert of.sharpe(returns * 0.5, 252) == pytest.approx(of.sharpe(returns, 252), rel=1e-6)
