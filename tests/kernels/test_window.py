"""Windows by blocks: what a value depends on, and how exactly."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.kernels import (
    Aroon,
    Bollinger,
    Cci,
    CutlerRsi,
    Donchian,
    Highest,
    Indicator,
    Lowest,
    Mfi,
    Momentum,
    Roc,
    RollingMax,
    RollingMin,
    Slope,
    Sma,
    StdDev,
    Stochastic,
    WilliamsR,
    Wma,
    ZScore,
    batch,
)
from workbench.kernels.checks import sample_bars

type Floats = np.ndarray[Any, np.dtype[np.float64]]

WINDOWS = [
    Sma(9), Wma(9), StdDev(9), ZScore(9), Bollinger(9), Slope(9), Highest(9), Lowest(9), RollingMax(9), RollingMin(9),
    Donchian(9), Donchian(9, before=True), CutlerRsi(9), Mfi(9), Cci(9), WilliamsR(9), Stochastic(9, 3, 4), Aroon(9),
    Momentum(9), Roc(9),
]  # fmt: skip


def table(indicator: Indicator, bars: Any) -> Floats:
    found = batch(indicator, bars)
    return np.column_stack(list(found.values()) if isinstance(found, dict) else [found])


@pytest.mark.parametrize("indicator", WINDOWS, ids=repr)
def test_a_value_depends_on_its_window_only(indicator: Indicator) -> None:
    """Whatever came before, a thousandfold spike among it, the last `warm_up()` bars alone give the same."""
    bars = sample_bars(120, seed=12)
    before = sample_bars(57, seed=13)
    before[::5, :4] *= 1_000.0
    n = indicator.warm_up()
    long = table(indicator, np.vstack([before, bars]))
    for end in range(n, len(bars) + 1, 7):
        alone = table(indicator, bars[end - n : end])[-1]
        np.testing.assert_allclose(long[len(before) + end - 1], alone, rtol=1e-10, atol=1e-10)


closes = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=50)


@given(st.integers(1, 12), closes)
@settings(max_examples=80, deadline=None)
def test_extremes_are_those_of_the_window_to_the_bit(period: int, values: list[float]) -> None:
    top, bottom = table(RollingMax(period), values)[:, 0], table(RollingMin(period), values)[:, 0]
    for k in range(period - 1, len(values)):
        window = values[k + 1 - period : k + 1]
        assert (top[k], bottom[k]) == (max(window), min(window))


@given(st.integers(1, 12), closes)
@settings(max_examples=60, deadline=None)
def test_means_are_exact_sums_but_for_a_few_roundings(period: int, values: list[float]) -> None:
    mean, weighted = table(Sma(period), values)[:, 0], table(Wma(period), values)[:, 0]
    for k in range(period - 1, len(values)):
        window = [Fraction(value) for value in values[k + 1 - period : k + 1]]
        slack = Fraction(2) ** -52 * (period + 2)
        exact = Fraction(sum(window)) / period
        assert abs(Fraction(float(mean[k])) - exact) <= slack * exact
        ramp = Fraction(sum(w * value for w, value in enumerate(window, 1)))
        exact = ramp * Fraction(2, period * (period + 1))
        assert abs(Fraction(float(weighted[k])) - exact) <= 4 * slack * max(window)


@given(st.integers(2, 12), closes)
@settings(max_examples=60, deadline=None)
def test_a_deviation_loses_nothing_to_a_far_away_mean(period: int, values: list[float]) -> None:
    """Its error is that of the window's own spread, not that of the prices' level."""
    found = table(StdDev(period), values)[:, 0]
    for k in range(period - 1, len(values)):
        window = [Fraction(value) for value in values[k + 1 - period : k + 1]]
        mean = sum(window) / period
        exact = math.sqrt(sum((value - mean) ** 2 for value in window) / period)
        assert found[k] == pytest.approx(exact, rel=1e-11, abs=1e-300)


@given(st.integers(1, 9), st.floats(0.01, 1e6), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_what_stands_still_has_no_spread_to_the_bit(period: int, price: float, n: int) -> None:
    moved = sample_bars(n, px=price)
    still = np.full((3 * period + 2, 5), price)
    bars = np.vstack([moved, still])
    last = -period
    assert (table(StdDev(period), bars)[last:] == 0.0).all()
    assert (table(ZScore(period), bars)[last:] == 0.0).all()
    assert (table(Cci(period), bars)[last:] == 0.0).all()
    assert (table(CutlerRsi(period), bars)[last:] == 50.0).all()
    assert (table(WilliamsR(period), bars)[last:] == -50.0).all()
    assert (table(Slope(period + 1), bars)[last:] == 0.0).all()
    bands = table(Bollinger(period), bars)[last:]
    assert (bands == price).all()


@given(st.integers(1, 9), st.integers(0, 1_000))
@settings(max_examples=40, deadline=None)
def test_oscillators_stay_on_their_scales(period: int, seed: int) -> None:
    bars = sample_bars(60, seed=seed)
    for indicator, low, high in (
        (Stochastic(period), 0.0, 100.0),
        (WilliamsR(period), -100.0, 0.0),
        (CutlerRsi(period), 0.0, 100.0),
        (Mfi(period), 0.0, 100.0),
        (Aroon(period), -100.0, 100.0),
    ):
        values = table(indicator, bars)[indicator.warm_up() - 1 :]
        assert ((values >= low - 1e-9) & (values <= high + 1e-9)).all(), indicator


@given(st.integers(2, 9), st.integers(0, 1_000), st.integers(-40, 4_000))
@settings(max_examples=40, deadline=None)
def test_differences_do_not_feel_the_level(period: int, seed: int, level: int) -> None:
    bars = sample_bars(60, seed=seed)
    raised = bars + np.array([level, level, level, level, 0.0])
    for indicator in (Momentum(period), Slope(period), StdDev(period), ZScore(period)):
        np.testing.assert_allclose(
            table(indicator, raised), table(indicator, bars), rtol=1e-6, atol=1e-6, err_msg=repr(indicator)
        )


@given(st.integers(1, 9), st.integers(0, 1_000))
@settings(max_examples=40, deadline=None)
def test_a_mirrored_market_mirrors_its_channel(period: int, seed: int) -> None:
    bars = sample_bars(60, seed=seed)
    mirrored = np.column_stack([-bars[:, 0], -bars[:, 2], -bars[:, 1], -bars[:, 3], bars[:, 4]])
    upper, middle, lower = table(Donchian(period), bars).T
    np.testing.assert_array_equal(
        table(Donchian(period), mirrored), np.column_stack([-lower, -middle, -upper])
    )
    np.testing.assert_array_equal(table(Highest(period), bars)[:, 0], upper)
    np.testing.assert_array_equal(table(Lowest(period), bars)[:, 0], lower)
    before = table(Donchian(period, before=True), bars)
    np.testing.assert_array_equal(before[1:], table(Donchian(period), bars)[:-1])


def test_two_closes_have_one_slope() -> None:
    assert table(Slope(2), [1.0, 4.0, 2.0])[1:, 0].tolist() == [3.0, -2.0]
