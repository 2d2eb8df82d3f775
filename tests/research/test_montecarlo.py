"""The Monte Carlo of trades against what is known of sums, orders and chance."""

import numpy as np
import pytest

from workbench.errors import BadValue
from workbench.research.montecarlo import monte_carlo


def test_equal_trades_leave_nothing_to_chance() -> None:
    found = monte_carlo([5.0] * 20, 1_000.0)
    assert found.final_equity == (1_100.0, 1_100.0, 1_100.0)
    assert found.max_drawdown == (0.0, 0.0, 0.0)
    assert found.loss == 0.0


def test_two_trades_worked_by_hand() -> None:
    """+30 and -10 on 100: drawn with replacement the sums are 60, 20 (twice) and -20; in the one order the account
    falls from 130 to 120, in the other from 100 to 90."""
    found = monte_carlo([30.0, -10.0], 100.0, draws=20_000)
    assert found.final_equity == (80.0, 120.0, 160.0)
    assert found.loss == pytest.approx(0.25, abs=0.01)
    low, _, high = found.max_drawdown
    assert [low, high] == pytest.approx([-0.1, 120 / 130 - 1])
    # less their mean of 10 the trades are +20 and -20: only +20 twice (a quarter) earns 20 or more
    assert found.p_value == pytest.approx(0.25, abs=0.01)


def test_an_edge_shows_and_its_absence_does() -> None:
    random = np.random.default_rng(4)
    assert monte_carlo(random.normal(5, 10, 200), 10_000.0).p_value < 0.01
    values = [monte_carlo(random.normal(0, 10, 50), 10_000.0, draws=400).p_value for _ in range(120)]
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_the_bootstrap_spreads_as_sums_do() -> None:
    trades = np.random.default_rng(5).normal(1, 10, 400)
    found = monte_carlo(trades, 1e6, draws=4_000)
    spread = (found.final_equity[2] - found.final_equity[0]) / (2 * 1.645)
    assert spread == pytest.approx(trades.std() * 20, rel=0.05)
    assert found.final_equity[1] == pytest.approx(1e6 + trades.sum(), abs=15)


def test_the_same_seed_gives_the_same_answer_whatever_fits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trades = np.random.default_rng(6).normal(1, 10, 30)
    assert monte_carlo(trades, 100.0, seed=3) == monte_carlo(trades, 100.0, seed=3)
    assert monte_carlo(trades, 100.0, seed=3) != monte_carlo(trades, 100.0, seed=4)


@pytest.mark.parametrize("profits", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_too_few_or_broken_trades_are_refused(profits: list[float]) -> None:
    with pytest.raises(BadValue, match="two trades or more"):
        monte_carlo(profits, 100.0)
    with pytest.raises(BadValue, match="1 or more"):
        monte_carlo([1.0, 2.0], 100.0, draws=0)
