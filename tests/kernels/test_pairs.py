"""Indicators of two series against plain definitions."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadInput, BadValue
from workbench.kernels import Correlation, KalmanHedge, PairSlope, Sma, batch
from workbench.strategy import Program, Strategy

type Floats = np.ndarray[Any, np.dtype[np.float64]]


def one(indicator: Any, y: Any, x: Any) -> Floats:
    found = batch(indicator, y, x)
    assert isinstance(found, np.ndarray)
    return found


def walks(n: int = 1_500) -> tuple[Floats, Floats]:
    random = np.random.default_rng(11)
    x = 80.0 + np.cumsum(random.normal(0.0, 0.1, n))
    return 5.0 + 1.3 * x + np.cumsum(random.normal(0.0, 0.05, n)), x


@pytest.mark.parametrize("period", [2, 3, 20, 61])
def test_correlation_and_slope_are_numpys(period: int) -> None:
    y, x = walks()
    correlation, slope = one(Correlation(period), y, x), one(PairSlope(period), y, x)
    for k in range(period - 1, len(y)):
        a, b = y[k + 1 - period : k + 1], x[k + 1 - period : k + 1]
        assert correlation[k] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-8)
        assert slope[k] == pytest.approx(np.polyfit(b - b.mean(), a, 1)[0], rel=1e-7, abs=1e-9)


def test_nothing_of_a_spike_remains() -> None:
    y, x = walks(200)
    fresh = one(Correlation(10), y, x)[-50:], one(PairSlope(10), y, x)[-50:]
    y[:20] *= 1e7
    x[:20] *= -1e7
    np.testing.assert_allclose(one(Correlation(10), y, x)[-50:], fresh[0], rtol=1e-9)
    np.testing.assert_allclose(one(PairSlope(10), y, x)[-50:], fresh[1], rtol=1e-9)


def test_a_series_that_stands_still_has_no_correlation_and_no_line() -> None:
    y = np.arange(30.0)
    still = np.full(30, 0.1)
    assert (one(Correlation(5), y, still)[4:] == 0.0).all()
    assert (one(Correlation(5), still, y)[4:] == 0.0).all()
    assert np.isnan(one(PairSlope(5), y, still)).all()
    assert (one(PairSlope(5), still, y)[4:] == 0.0).all()


@given(
    st.integers(2, 9),
    st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=9, max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_correlation_stays_between_its_ends_and_knows_no_order(
    period: int, pairs: list[tuple[float, float]]
) -> None:
    y, x = np.array(pairs).T
    found = one(Correlation(period), y, x)
    assert (np.abs(found[period - 1 :]) <= 1.0).all()
    np.testing.assert_array_equal(found, one(Correlation(period), x, y))


def kalman(y: Floats, x: Floats, delta: float, noise: float) -> list[list[float]]:
    """The filter in matrices."""
    state, cover = np.zeros(2), np.zeros((2, 2))
    out = []
    for a, b in zip(y, x, strict=True):
        cover = cover + delta / (1.0 - delta) * np.eye(2)
        seen = np.array([1.0, b])
        variance = seen @ cover @ seen + noise
        apart = a - seen @ state
        gain = cover @ seen / variance
        state = state + gain * apart
        cover = cover - np.outer(gain, seen) @ cover
        out.append([*state, apart, math.sqrt(variance)])
    return out


def test_the_kalman_hedge_is_the_filter_in_matrices() -> None:
    y, x = walks(800)
    found = batch(KalmanHedge(1e-5, 2e-3, 30), y, x)
    assert isinstance(found, dict)
    assert list(found) == ["alpha", "beta", "spread", "deviation"]
    table = np.column_stack(list(found.values()))
    assert np.isnan(table[:29]).all()
    np.testing.assert_allclose(table[29:], np.array(kalman(y, x, 1e-5, 2e-3))[29:], rtol=1e-6, atol=1e-8)


def test_the_kalman_hedge_finds_a_ratio_and_follows_it_when_it_changes() -> None:
    random = np.random.default_rng(3)
    x = 50.0 + np.cumsum(random.normal(0.0, 0.3, 4_000))
    y = np.where(np.arange(4_000) < 2_000, 2.0 * x, 1.5 * x) + random.normal(0.0, 0.05, 4_000)
    found = batch(KalmanHedge(), y, x)
    assert isinstance(found, dict)
    implied = (found["alpha"] + found["beta"] * x) / x
    assert implied[1_990] == pytest.approx(2.0, abs=0.01)
    assert implied[3_990] == pytest.approx(1.5, abs=0.01)


def test_two_series_are_asked_for_and_one_where_it_is_one() -> None:
    with pytest.raises(
        BadInput, match=r"Correlation takes two series: give batch\(Correlation\(...\), y, x\)"
    ):
        batch(Correlation(3), [1.0, 2.0, 3.0])
    with pytest.raises(BadInput, match="Sma takes one series: give times by name"):
        batch(Sma(3), [1.0, 2.0, 3.0], [1, 2, 3])
    with pytest.raises(BadValue, match="x = 2: give one number for each of y, 3 of them"):
        batch(Correlation(3), [1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(BadValue, match=r"x = \(3, 4\): give n numbers, or n x 5 of bars"):
        batch(Correlation(3), [1.0, 2.0, 3.0], np.ones((3, 4)))
    with pytest.raises(BadValue, match=r"Correlation\.period = 1: give a number from 2 up"):
        Correlation(1)


def test_closes_of_bars_stand_for_a_series() -> None:
    bars = np.random.default_rng(2).uniform(1.0, 2.0, (40, 5))
    np.testing.assert_array_equal(
        one(Correlation(5), bars, bars[::-1]), one(Correlation(5), bars[:, 3], bars[::-1, 3])
    )


def test_a_strategy_that_declares_a_pair_is_told_what_to_do() -> None:
    class Hedged(Strategy):
        def indicators(self) -> dict[str, Any]:
            return {"hedge": KalmanHedge()}

        def decide(p: Any, x: Any, pos: Any) -> Any:
            return x.hedge.beta

    with pytest.raises(
        BadInput, match=r"Hedged\.hedge: KalmanHedge moves two series .* keep a Stream\(KalmanHedge"
    ):
        Program(Hedged)
