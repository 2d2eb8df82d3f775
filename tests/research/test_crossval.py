"""Purging and embargo against their definitions; choosing by training data on sets whose skill is known."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.research.crossval import combinatorial_purged, cross_validated, paths_of, purged_folds


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(4, 60), groups=st.integers(2, 8), pick=st.integers(1, 3), horizon=st.integers(0, 5),
    embargo=st.integers(0, 6),
)  # fmt: skip
def test_nothing_the_test_set_touches_is_trained_on(
    n: int, groups: int, pick: int, horizon: int, embargo: int
) -> None:
    groups = min(groups, n)
    pick = min(pick, groups - 1)
    splits = list(combinatorial_purged(n, groups, pick, horizon=horizon, embargo=embargo))
    assert [split.groups for split in splits] == list(combinations(range(groups), pick))
    for split in splits:
        test, train = set(split.test.tolist()), set(split.train.tolist())
        seen = {j for i in test for j in range(i, min(i + horizon, n - 1) + 1)}  # what the test outcomes span
        for i in range(n):
            spans = set(range(i, min(i + horizon, n - 1) + 1))
            late = any(end < i <= end + embargo for end in _ends(split, groups, n, horizon))
            leaks = bool(spans & seen) or bool(spans & test) or late
            assert (i in train) == (i not in test and not leaks)


def _ends(split: Any, groups: int, n: int, horizon: int) -> list[int]:
    edges = [k * n // groups for k in range(groups + 1)]
    return [min(edges[g + 1] - 1 + horizon, n - 1) for g in split.groups]


def test_every_observation_is_tested_equally_often() -> None:
    tested = np.zeros(30, int)
    for split in combinatorial_purged(30, 6, 2):
        tested[split.test] += 1
    assert set(tested) == {5}
    assert paths_of(6, 2) == 5
    tested[:] = 0
    for split in purged_folds(30, 5):
        tested[split.test] += 1
    assert set(tested) == {1}


def test_outcomes_of_different_reach_are_purged_one_by_one() -> None:
    reach = np.array([0, 5, 0, 0, 0, 0])
    middle = list(purged_folds(6, 3, horizon=reach))[1]
    assert middle.test.tolist() == [2, 3]
    assert middle.train.tolist() == [0, 4, 5]


def test_skill_is_chosen_and_kept_luck_is_not() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(0, 0.01, (240, 30))
    luck = cross_validated(noise, 6, 2, horizon=1, embargo=2)
    assert len(luck.frame()) == 15
    assert luck.path_sharpe.shape == (5,)
    others = [cross_validated(random.normal(0, 0.01, (240, 30)), 6, 2).degradation for _ in range(20)]
    assert np.mean(others) < 0.5
    skill = noise.copy()
    skill[:, 3] += 0.01
    kept = cross_validated(skill, 6, 2)
    assert set(kept.chosen.tolist()) == {3}
    assert kept.degradation == pytest.approx(1.0, abs=0.15)
    ratio = skill[:, 3].mean() / skill[:, 3].std(ddof=1)
    assert np.allclose(kept.path_sharpe, ratio)  # the same set everywhere: every path is its whole history
    assert "15 splits of 6 stretches, 1 sets chosen" in repr(kept)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: list(purged_folds(3, 5)), "at most the 3"),
        (lambda: list(combinatorial_purged(10, 5, 5)), "give 1 to 4"),
        (lambda: list(purged_folds(10, 2, embargo=-1)), "embargo"),
        (lambda: list(purged_folds(10, 2, horizon=-1)), "horizon"),
        (lambda: cross_validated(np.zeros((10, 2)), 2, 1, embargo=10), "left to train on"),
        (lambda: cross_validated(np.zeros(10)), "periods x sets"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Any, text: str) -> None:
    with pytest.raises(BadValue, match=text):
        call()
