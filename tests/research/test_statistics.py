"""A backtest's figures by plain sums, and against a library on its session returns."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

from tests.research.same import market
from tests.research.test_backtest import CROSS, HOLD, recording, strategy, walk
from workbench.config import SimSettings
from workbench.errors import BadValue
from workbench.feeds import Recording, Session, Sessions, synthetic
from workbench.kernels import returns as of
from workbench.model import Instrument
from workbench.research import FIGURES, Result, backtest
from workbench.research.statistics import periods_of, session_ends

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it lags behind what it imports
    import empyrical  # type: ignore[import-untyped]

DAY_NS = 86_400_000_000_000


@pytest.fixture(scope="module")
def busy() -> Result:
    """Thirty sessions, many trades, fees."""
    data = synthetic(1, 390 * 30, seed=11)
    sim = SimSettings(ack_median_us=0, fill_median_us=0, fee_rate=0.0001)
    return backtest(strategy(CROSS, "AroundMean", period=60), data, quantity=100, cash=60_000.0, sim=sim)


def test_every_figure_is_there_and_explained(busy: Result) -> None:
    assert list(busy.stats) == list(FIGURES)
    assert len(FIGURES) >= 30
    assert all(isinstance(value, float) for value in busy.stats.values())
    assert all(text and "\n" not in text for text in FIGURES.values())


def test_figures_of_returns_equal_empyrical(busy: Result) -> None:
    returns = busy.returns.to_numpy()
    assert len(returns) == 30
    stats = busy.stats
    pairs = {
        "total_return": empyrical.cum_returns_final(returns),
        "annual_return": empyrical.annual_return(returns),
        "volatility": empyrical.annual_volatility(returns),
        "sharpe": empyrical.sharpe_ratio(returns),
        "sortino": empyrical.sortino_ratio(returns),
        "omega": empyrical.omega_ratio(returns),
        "value_at_risk": empyrical.value_at_risk(returns),
        "expected_shortfall": empyrical.conditional_value_at_risk(returns),
        "tail_ratio": empyrical.tail_ratio(returns),
        "stability": empyrical.stability_of_timeseries(returns),
    }
    for name, theirs in pairs.items():
        assert stats[name] == pytest.approx(theirs, rel=1e-9), name
    every = np.diff(np.concatenate([[busy.cash], busy.run.equity])) / np.concatenate(
        [[busy.cash], busy.run.equity[:-1]]
    )
    assert stats["max_drawdown"] == pytest.approx(empyrical.max_drawdown(every), rel=1e-9)
    assert stats["calmar"] == pytest.approx(stats["annual_return"] / -stats["max_drawdown"])
    assert stats["best_session"] == returns.max()
    assert stats["worst_session"] == returns.min()


def test_figures_of_trades_by_plain_sums(busy: Result) -> None:
    trades = busy.trades[~busy.trades["open"]]
    profits = trades["profit"].tolist()
    wins, losses = [p for p in profits if p > 0], [p for p in profits if p < 0]
    s, n = busy.stats, len(profits)
    assert n > 50
    assert s["trades"] == n
    assert s["hit_rate"] == len(wins) / n
    assert s["profit_factor"] == pytest.approx(sum(wins) / -sum(losses))
    assert s["expectancy"] == pytest.approx(sum(profits) / n)
    assert s["average_win"] == pytest.approx(sum(wins) / len(wins))
    assert s["average_loss"] == pytest.approx(sum(losses) / len(losses))
    payoff = (sum(wins) / len(wins)) / -(sum(losses) / len(losses))
    assert s["payoff"] == pytest.approx(payoff)
    assert s["kelly"] == pytest.approx(s["hit_rate"] - (1 - s["hit_rate"]) / payoff)
    mean = sum(profits) / n
    deviation = math.sqrt(sum((p - mean) ** 2 for p in profits) / (n - 1))
    assert s["sqn"] == pytest.approx(math.sqrt(n) * mean / deviation)
    assert (s["best_trade"], s["worst_trade"]) == (max(profits), min(profits))


def test_the_account_adds_up(busy: Result) -> None:
    s = busy.stats
    held = busy.positions()["profit"].sum()
    assert s["final_equity"] == pytest.approx(busy.cash + s["realized"] + held - s["fees"], abs=1e-4)
    assert s["fees"] == pytest.approx(
        sum(f * 0.0001 for f in busy.fills["px"] * busy.fills["quantity"]), rel=1e-6
    )
    assert busy.trades["profit"].sum() == pytest.approx(s["final_equity"] - busy.cash, abs=1e-4)


def test_exposure_is_what_is_held_over_equity(busy: Result) -> None:
    held, at = 0.0, 0
    fills = busy.run.fills
    closes = busy.recording.values[:, 3]
    for k in range(0, len(busy.run.ts_ns), 97):
        while at < len(fills) and fills["ts_ns"][at] <= busy.run.ts_ns[k]:
            held += fills["side"][at] * fills["qty"][at]
            at += 1
        assert busy.exposure.iloc[k] == pytest.approx(abs(held) * closes[k] / busy.run.equity[k], abs=1e-12)
        assert busy.held("S000").iloc[k] == held
    assert 0.9 < busy.stats["exposure"] <= 1.0


def test_risk_free_rate_and_year_can_be_chosen(busy: Result) -> None:
    returns: Any = busy.returns.to_numpy()
    other = busy.statistics(risk_free=0.05, periods=365)
    expected = (returns.mean() - 0.05 / 365) / returns.std(ddof=1) * math.sqrt(365)
    assert other["sharpe"] == pytest.approx(expected)
    assert other["volatility"] == pytest.approx(of.volatility(returns, 365))
    assert busy.stats["sharpe"] != other["sharpe"]


@pytest.mark.parametrize(
    "asked", [{"periods": 0}, {"periods": -252}, {"periods": math.nan}, {"risk_free": math.inf}]
)
def test_a_year_that_cannot_be_is_refused(busy: Result, asked: dict[str, float]) -> None:
    [(field, value)] = asked.items()
    with pytest.raises(BadValue, match=rf"^{field} = {value}: give "):
        busy.statistics(**asked)


def test_the_benchmark_is_holding_everything_in_equal_parts() -> None:
    data = market(400, 2, symbols=3, missing=0.1)
    result = backtest(strategy(HOLD, "Hold"), data)
    worth = [data.series(symbol).close[-1] / data.series(symbol).open[0] for symbol in data.symbols]
    assert result.stats["benchmark_return"] == pytest.approx(sum(worth) / 3 - 1)


def test_a_market_that_never_closes_has_a_longer_year() -> None:
    rows = synthetic(1, 10)
    crypto = Recording(
        "c",
        [Instrument(0, "BTC", calendar="24/7")],
        rows.ts_ns,
        rows.iid,
        rows.kind,
        rows.values,
        bar_ns=rows.bar_ns,
    )
    assert (periods_of(rows), periods_of(crypto)) == (252.0, 365.0)


def test_sessions_are_the_recordings_own() -> None:
    """A session that runs over midnight UTC is one session."""
    ts = np.array([22, 23, 25, 26, 47, 49], np.int64) * 3_600_000_000_000
    days = tuple(
        Session(f"d{k}", (21 + 24 * k) * 3_600_000_000_000, (27 + 24 * k) * 3_600_000_000_000)
        for k in range(2)
    )
    plain = synthetic(1, 6)
    made: dict[str, Any] = {"bar_ns": plain.bar_ns}
    night = Recording(
        "n", plain.instruments, ts, plain.iid, plain.kind, plain.values, **made,
        sessions=Sessions("X", "UTC", days, (), 0),
    )  # fmt: skip
    assert session_ends(night, ts).tolist() == [3, 5]
    utc = Recording("u", plain.instruments, ts, plain.iid, plain.kind, plain.values, **made)
    assert session_ends(utc, ts).tolist() == [1, 4, 5]


def test_nothing_left_is_no_return() -> None:
    """An account that is lost has figures, not exceptions."""
    rows = [
        (f"2020-12-{day}T15:00:00Z", px, px, px, px)
        for day, px in ((14, 100.0), (15, 50.0), (16, 10.0), (17, 20.0))
    ]
    result = backtest(
        strategy(HOLD, "Hold"), recording(rows), quantity=500, cash=5_000.0,
        limits={"credit": 1e9, "max_jump": 0, "max_daily_loss": 1e9}, loop="engine",
    )  # fmt: skip
    assert result.stats["final_equity"] < 0
    assert result.stats["annual_return"] == -1.0
    assert result.stats["max_drawdown"] == pytest.approx(-15_000 / 5_000 - 1)
    assert len(result.plot().children) == 3  # type: ignore[attr-defined]


def test_figures_of_half_a_million_bars_are_quick_enough_to_ask_for() -> None:
    """Not a measurement: it only must not be a loop over bars in Python, which would take minutes with this tracing."""
    import sys

    result = backtest(strategy(CROSS, "AroundMean", period=300), synthetic(1, 60_000, seed=2))
    lines = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        result.stats  # noqa: B018 - asking computes them
    finally:
        sys.settrace(before)
    assert lines < 30 * len(result.run.fills) + 20_000


def test_walks_of_one_session_have_no_yearly_figures() -> None:
    result = backtest(strategy(CROSS, "AroundMean"), recording(walk(60, 3)))
    assert math.isnan(result.stats["sharpe"])
    assert result.stats["sessions"] == 1.0
