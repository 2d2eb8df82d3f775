"""Walk-forward: windows, choosing by the past alone, stitching, warm indicators; held to sweeps by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.research.test_sweep_lanes import Reverses, market
from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import Recording
from workbench.research.backtest import backtest
from workbench.research.sweep import sweep
from workbench.research.walkforward import walk_forward, windows
from workbench.strategy import Strategy

RSI = wb.strategies.RsiReversion
ASKED: dict[str, Any] = {
    "period": [4, 9, 16],
    "low": [30.0, 40.0, 45.0],
    "objective": "total_return",
    "progress": False,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.kernels.disk_cache import cache_folder

    monkeypatch.setenv("WORKBENCH_CACHE", str(cache_folder()))
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def data() -> Recording:
    """Ten sessions of 390 bars."""
    recording: Recording = market(3_900, seed=11).recording
    return recording


def test_windows_follow_each_other() -> None:
    assert [tuple(w) for w in windows(12, 5, 2, 3)] == [(0, 5, 5, 7), (3, 8, 8, 10), (6, 11, 11, 12)]
    assert [w.train_from for w in windows(12, 5, 2, anchored=True)] == [0] * 4
    for w in windows(100, 20, 7):
        assert w.train_to == w.test_from


def test_every_window_trades_what_its_training_span_chose(data: Recording) -> None:
    walked = walk_forward(Reverses, data, train=4, test=2, **ASKED)
    table = walked.windows
    assert len(table) == 3
    assert table["warm"].all()
    days = np.unique(data.ts_ns // 86_400_000_000_000)
    cash = 1_000_000.0
    for k, row in table.iterrows():
        first = 2 * int(str(k))
        fit = _days(data, days[first : first + 4])
        trade = _days(data, days[first + 4 : first + 6])
        swept = sweep(Reverses, fit, cash=cash, **ASKED)
        chosen = swept.parameters(int(swept.best(1).index[0]))
        assert (row["period"], row["low"]) == (chosen["period"], chosen["low"])
        assert row["test_from"].value == trade.start_ns
        assert row["test_to"].value == trade.end_ns
        assert row["train_total_return"] == swept.best(1).iloc[0]["total_return"]
        # the same by hand: the whole span at once, asleep until the test begins
        run = walked._walked[int(str(k))].run
        assert run.cash == cash
        assert (run.fills["ts_ns"] >= trade.start_ns).all()
        cash = float(run.equity[-1])
    stats = walked.result.stats
    assert stats["final_equity"] == cash
    assert stats["orders"] == table["test_orders"].sum() > 20
    assert walked.result.equity.index.is_monotonic_increasing
    assert len(walked.result.equity) == 6 * 390
    assert stats["trades"] * 2 == pytest.approx(stats["fills"], abs=stats["fills"])
    assert (
        float(np.sum(walked.result.run.fills["side"] * walked.result.run.fills["qty"])) == 0.0
    )  # flat at every end


def _days(data: Recording, days: Any) -> Recording:
    day_ns = 86_400_000_000_000
    return data.select(None, int(days[0]) * day_ns, (int(days[-1]) + 1) * day_ns - 1)


class Slow(Strategy):
    """In and out on every bar once its long average is warm: shows when it began to decide."""

    period: int = 300

    def indicators(self) -> Any:
        from workbench.kernels import Sma

        return {"mean": Sma(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if pos == 0.0 else 0.0


def test_no_strategy_is_taken_for_another_while_it_sleeps() -> None:
    from workbench.kernels.fingerprint import fingerprint
    from workbench.research.walkforward import _sleeper

    codes = {fingerprint(_sleeper(cls).decide) for cls in (Slow, Reverses, RSI)}  # type: ignore[attr-defined]
    assert len(codes) == 3


def test_indicators_are_warm_when_a_test_span_begins_and_nothing_is_decided_before(data: Recording) -> None:
    walked = walk_forward(Slow, data, train=3, test=1, period=[300], progress=False, objective="total_return")
    for window in walked._walked:
        cold = backtest(Slow(), window.trade, flat_at_end=True)
        assert window.warm
        assert window.run.orders["ts_ns"].min() == window.trade.start_ns
        assert cold.run.orders["ts_ns"].min() == window.trade.start_ns + 299 * 60 * 10**9


def test_anchored_windows_train_from_the_start(data: Recording) -> None:
    walked = walk_forward(Reverses, data, train=4, test=3, anchored=True, **ASKED)
    assert walked.windows["train_from"].nunique() == 1
    assert walked.windows["train_to"].is_monotonic_increasing


def test_spans_may_be_counted_in_bars(data: Recording) -> None:
    walked = walk_forward(Reverses, data, train=1_000, test=500, unit="bars", **ASKED)
    assert len(walked.windows) == 6
    assert len(walked.result.equity) == 2_900


def test_future_bars_do_not_reach_the_past(data: Recording) -> None:
    walked = walk_forward(Reverses, data, train=4, test=2, **ASKED)
    shorter = _days(data, np.unique(data.ts_ns // 86_400_000_000_000)[:8])
    before = walk_forward(Reverses, shorter, train=4, test=2, **ASKED)
    kept = len(before.result.run.equity)
    assert np.array_equal(walked.result.run.equity[:kept], before.result.run.equity)
    assert walked.windows.iloc[:2].equals(before.windows)


class OnEvents(Strategy):
    every: int = 50

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        self.seen = getattr(self, "seen", 0) + 1
        side = "buy" if self.seen % (2 * self.every) else "sell"
        return wb.OrderRequest(side, 1) if self.seen % self.every == 0 else None


def test_event_strategies_walk_too_without_warming(data: Recording) -> None:
    walked = walk_forward(
        OnEvents, data, train=4, test=3, every=[40, 90], objective="total_return", workers=1, progress=False
    )
    assert not walked.windows["warm"].any()
    assert walked.result.stats["orders"] > 0


def test_spans_nothing_could_be_chosen_for_are_not_traded(data: Recording) -> None:
    with pytest.raises(BadInput, match="no training span has a set with a sharpe"):
        walk_forward(RSI, data, train=3, test=2, low=[0.5], progress=False)


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"train": 0, "test": 1}, BadValue, "train = 0"),
        ({"train": 2, "test": 2, "step": 1}, BadValue, "no span may be traded twice"),
        ({"train": 10, "test": 1}, BadValue, "less than the 10"),
        ({"train": 2, "test": 1, "unit": "session"}, UnknownName, "did you mean 'sessions'?"),
        ({"train": 2, "test": 1, "perod": [3]}, UnknownName, "did you mean 'period'?"),
    ],
)
def test_what_was_typed_wrong_is_one_line(data: Recording, asked: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        walk_forward(RSI, data, progress=False, **asked)


def test_it_tells_draws_and_shows_itself(data: Recording) -> None:
    from workbench.ui.sweeps import walk_html

    told: list[tuple[int, int]] = []
    asked = {**ASKED, "progress": lambda done, total: told.append((done, total))}
    walked = walk_forward(Reverses, data, train=4, test=2, **asked)
    assert told[-1] == (3, 3)
    assert "3 windows, out of sample return" in repr(walked)
    assert walked.efficiency == pytest.approx(
        sum(w.run.equity[-1] / w.run.cash - 1 for w in walked._walked) / 780
        / (walked.windows["train_total_return"].sum() / 1_560)
    )  # fmt: skip
    picture: Any = walked.plot()
    figures = picture.children
    assert [f.yaxis[0].axis_label for f in figures[:2]] == ["equity", "return"]
    assert all(f.x_range is figures[0].x_range for f in figures)
    html = walk_html(walked)
    assert html.count("<tr>") >= 3
    assert "efficiency" in html
