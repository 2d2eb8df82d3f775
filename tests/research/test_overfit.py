"""The guards' formulas against published numbers, sums by hand, and a plain form of the same definition."""

from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.research.overfit import (
    deflated_sharpe,
    effective_trials,
    expected_max_sharpe,
    mean_correlation,
    moments,
    probabilistic_sharpe,
    probability_of_overfitting,
)


def test_the_published_example_of_the_deflated_sharpe_ratio() -> None:
    """Bailey & Lopez de Prado 2014, "A numerical example": annualised Sharpe ratio 2.5 over 1,250 days, 100 trials
    whose annualised ratios have variance 1/2, skewness -3, kurtosis 10."""
    variance, sharpe = 0.5 / 250, 2.5 / 250**0.5
    assert expected_max_sharpe(100, variance) == pytest.approx(0.1132, abs=5e-5)
    asked: dict[str, Any] = {"variance": variance, "skew": -3.0, "kurtosis": 10.0}
    assert deflated_sharpe(sharpe, 1250, trials=100, **asked) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(sharpe, 1250, trials=46, **asked) == pytest.approx(0.9505, abs=5e-4)
    assert deflated_sharpe(sharpe, 1250, trials=88, variance=variance) == pytest.approx(0.9505, abs=5e-4)


def test_the_published_minimum_of_the_probabilistic_sharpe_ratio() -> None:
    """Bailey & Lopez de Prado 2012: two years of monthly returns with an annualised ratio of 1.585, skewness -2.448 and
    kurtosis 10.164 are above 0 with 0.913; normal ones with 0.982."""
    sharpe = 1.585 / 12**0.5
    assert probabilistic_sharpe(sharpe, 24) == pytest.approx(0.982, abs=2e-3)
    assert probabilistic_sharpe(sharpe, 24, skew=-2.448, kurtosis=10.164) == pytest.approx(0.913, abs=2e-3)


def test_what_can_be_worked_by_hand() -> None:
    assert probabilistic_sharpe(0.1, 101, benchmark=0.1) == 0.5
    by_hand = NormalDist().cdf(0.1 * 10.0 / (1.0 + 0.5 * 0.01) ** 0.5)
    assert probabilistic_sharpe(0.1, 101) == pytest.approx(by_hand)
    assert expected_max_sharpe(1, 3.0) == 0.0
    assert deflated_sharpe(0.1, 101, trials=1, variance=9.0) == probabilistic_sharpe(0.1, 101)
    sharpe, skew, kurtosis = moments([1.0, 2.0, 3.0, 4.0, 5.0])
    assert sharpe == pytest.approx(3.0 / 2.5**0.5)
    assert skew == 0.0
    assert kurtosis == pytest.approx(1.7)
    assert all(np.isnan(moments([1.0, 1.0, 1.0])))
    assert effective_trials(11, 0.1) == pytest.approx(10.0)


def test_luck_is_what_it_says() -> None:
    """The mean of the best of 100 draws from a normal distribution with deviation 2."""
    best = np.random.default_rng(1).normal(0, 2, (20_000, 100)).max(axis=1).mean()
    assert expected_max_sharpe(100, 4.0) == pytest.approx(best, rel=0.02)


def test_mean_correlation_is_the_mean_of_all_pairs() -> None:
    random = np.random.default_rng(3)
    r = random.normal(size=(50, 1)) + random.normal(size=(50, 7))
    r = np.column_stack([r, np.zeros(50)])
    pairs: Any = np.corrcoef(r[:, :7].T)
    assert mean_correlation(r) == pytest.approx(pairs[np.triu_indices(7, 1)].mean())
    assert np.isnan(mean_correlation(r[:, 7:]))


def plainly(r: Any, blocks: int) -> tuple[float, list[float]]:
    """The definition (Bailey et al. 2015, section 3), one split after the other."""
    parts = np.split(r, blocks)
    logits = []
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.concatenate([parts[k] for k in chosen])
        test = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        best = int(np.argmax(train.mean(axis=0) / train.std(axis=0)))
        outside = test.mean(axis=0) / test.std(axis=0)
        rank = 1 + int((outside < outside[best]).sum())
        share = rank / (r.shape[1] + 1)
        logits.append(float(np.log(share / (1 - share))))
    return float(np.mean(np.array(logits) <= 0)), logits


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sets=st.integers(2, 9),
    blocks=st.sampled_from([2, 4, 6]),
    size=st.integers(2, 5),
)
def test_overfitting_equals_its_definition(seed: int, sets: int, blocks: int, size: int) -> None:
    r = np.random.default_rng(seed).normal(0.001, 0.01, (blocks * size, sets))
    probability, logits = plainly(r, blocks)
    found = probability_of_overfitting(r, blocks)
    assert found.probability == pytest.approx(probability)
    assert np.allclose(found.logits, logits)
    assert (found.sets, found.blocks) == (sets, blocks)


def test_a_split_worked_by_hand() -> None:
    """Two sets, two blocks: A is best in the first half and worst in the second, and the other way round."""
    r = np.array([[0.02, 0.01], [0.04, -0.01], [-0.02, 0.03], [0.01, 0.02]])
    found = probability_of_overfitting(r, blocks=2)
    assert found.probability == 1.0
    assert np.allclose(found.logits, np.log((1 / 3) / (2 / 3)))


def test_skill_is_told_from_luck() -> None:
    random = np.random.default_rng(9)
    noise = random.normal(0, 0.01, (160, 40))
    luck = probability_of_overfitting(noise)
    assert 0.3 < luck.probability < 0.8
    skill = noise.copy()
    skill[:, 7] += 0.01
    known = probability_of_overfitting(skill)
    assert known.probability < 0.01
    assert known.loss == 0.0
    assert "160" not in repr(known)
    assert "12,870 splits" in repr(known)


def test_sets_that_never_trade_count_as_nothing_gained() -> None:
    r = np.random.default_rng(2).normal(-0.01, 0.001, (32, 3))
    r[:, 1] = 0.0
    assert probability_of_overfitting(r).probability == 0.0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: probability_of_overfitting(np.zeros((16, 1))), "two sets or more"),
        (lambda: probability_of_overfitting(np.zeros((16, 4)), 3), "even number"),
        (lambda: probability_of_overfitting(np.zeros((15, 4))), "at least 16 periods"),
        (lambda: expected_max_sharpe(0.5, 1.0), "trials"),
        (lambda: expected_max_sharpe(5, -1.0), "variance"),
        (lambda: probabilistic_sharpe(0.1, 1), "two observations"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, text: str) -> None:
    with pytest.raises(BadValue, match=text):
        call()
