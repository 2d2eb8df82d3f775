"""`sweep` as it is called: axes, markets, results, going on after an interruption, what is refused."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from tests.research.test_sweep_lanes import Picky, Reverses, market
from workbench.errors import BadInput, BadValue, Refused, UnknownName
from workbench.feeds import synthetic
from workbench.research.backtest import backtest
from workbench.research.sweep import SweepResult, sweep
from workbench.research.sweep import sweeping as sweeping_module

RSI = wb.strategies.RsiReversion
QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: results files of one test are no other's."""
    from workbench.kernels.disk_cache import cache_folder

    monkeypatch.setenv("WORKBENCH_CACHE", str(cache_folder()))  # compiled loops may be shared
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


def test_a_grid_runs_every_combination_in_the_order_of_its_axes() -> None:
    result = sweep(RSI, "SPY", low=[20, 30], period=range(5, 8), high=60, **QUIET)
    frame = result.frame()
    assert result.loop == "lanes"
    assert frame.index.tolist() == list(range(6))
    assert frame[["low", "period"]].to_numpy().tolist() == [
        [20, 5], [20, 6], [20, 7], [30, 5], [30, 6], [30, 7],
    ]  # fmt: skip
    for number, row in frame.iterrows():
        own = backtest(RSI(period=int(row["period"]), low=row["low"], high=60), "SPY").stats
        assert row["final_equity"] == own["final_equity"]
        assert row["max_drawdown"] == own["max_drawdown"]
        assert row["orders"] == own["orders"]
        assert row["sharpe"] == pytest.approx(own["sharpe"], nan_ok=True)
        assert result.parameters(number) == {
            "period": row["period"],
            "low": row["low"],
            "high": 60,
            "short": False,
        }
        assert row["limits"] == "ok"


def test_the_best_rows_come_first_and_can_be_run_in_full() -> None:
    result = sweep(RSI, "SPY", period=range(4, 16), low=[25, 30, 35], **QUIET)
    frame = result.frame()
    assert result.best(5).index.tolist() == frame.sort_values("sharpe", ascending=False).index[:5].tolist()
    by_return = result.best(30, by="total_return")["total_return"]
    assert by_return.tolist() == sorted(frame["total_return"], reverse=True)[:30]
    best = result.best(1).iloc[0]
    assert result.backtest().stats["final_equity"] == best["final_equity"]
    assert result.backtest(best).stats["final_equity"] == best["final_equity"]
    assert result.backtest(7).stats["final_equity"] == frame.loc[7, "final_equity"]
    assert "best by sharpe" in repr(result)
    assert f"set {best.name}" in repr(result)
    assert "deflated Sharpe ratio" in repr(result)


def test_random_sets_depend_on_the_seed_alone() -> None:
    asked: dict[str, Any] = {"n": 40, "period": (3, 40), "low": (5.0, 45.0, "log"), "high": [60, 70], **QUIET}
    one = sweep(RSI, "SPY", **asked).frame()
    again = sweep(RSI, "SPY", **asked, resume=False, workers=1).frame()
    other = sweep(RSI, "SPY", **asked, seed=1).frame()
    pd.testing.assert_frame_equal(one, again)
    assert not one["period"].equals(other["period"])
    assert one["period"].between(3, 40).all()
    assert one["low"].between(5, 45).all()
    assert set(one["high"]) == {60.0, 70.0}
    assert one["low"].median() < 20  # logarithmic: half of it lies below the geometric middle


def test_drawn_numbers_cover_their_range_evenly() -> None:
    from workbench.research.sweep.axes import Span
    from workbench.research.sweep.space import Random

    space = Random({"a": Span("int", 1, 4, False), "b": Span("float", 0.0, 1.0, False)}, 20_000, 3)
    drawn = space.columns(np.arange(20_000))
    assert np.bincount(drawn["a"])[1:].tolist() == pytest.approx([5_000] * 4, rel=0.05)
    assert abs(np.corrcoef(drawn["a"], drawn["b"])[0, 1]) < 0.03
    assert drawn["b"].mean() == pytest.approx(0.5, abs=0.01)
    assert drawn["b"][7] == space.columns(np.array([7]))["b"][0]


class Quantile:
    """A distribution as scipy's: all it needs is `ppf`."""

    def ppf(self, u: Any) -> Any:
        return 10.0 + 5.0 * np.asarray(u)


def test_sets_may_be_drawn_or_listed() -> None:
    drawn = sweep(RSI, "SPY", method="random", n=10, period=Quantile(), **QUIET).frame()
    assert drawn["period"].between(10, 15).all()
    rows = [{"period": 5, "low": 30}, {"period": 9, "low": 20.5}]
    listed = sweep(RSI, "SPY", sets=rows, **QUIET).frame()
    assert listed[["period", "low"]].to_dict("records") == rows
    framed = sweep(RSI, "SPY", sets=pd.DataFrame(rows), **QUIET).frame()
    pd.testing.assert_frame_equal(listed, framed)


def test_symbols_and_spans_are_axes_too() -> None:
    data = synthetic(symbols=3, bars=300, seed=2)
    names = data.symbols
    result = sweep(RSI, data, symbols=[names[2], names[0], (names[0], names[1])], period=[5, 9], **QUIET)
    frame = result.frame()
    assert frame["symbols"].tolist() == [names[2], names[2], names[0], names[0], *["+".join(names[:2])] * 2]
    own = backtest(RSI(period=9), data, symbols=[names[0]]).stats
    assert frame.loc[3, "final_equity"] == own["final_equity"]
    both = backtest(RSI(period=5), data, symbols=names[:2]).stats
    assert frame.loc[4, "final_equity"] == both["final_equity"]
    assert "several symbols" in result.loop
    each = sweep(RSI, data, symbols="each", period=[5], **QUIET)
    assert each.loop == "lanes"
    assert each.frame()["symbols"].tolist() == list(names)
    spans = [("2020-12-15", "2020-12-15"), ("2020-12-16", "2020-12-17")]
    dated = sweep(RSI, "SPY", spans=spans, period=[5, 9], **QUIET)
    assert dated.frame()["span"].tolist() == [f"{a} to {b}" for a, b in spans for _ in range(2)]
    assert dated.backtest(3).recording.start_ns == backtest(RSI, "SPY", start="2020-12-16").recording.start_ns


def test_an_interrupted_sweep_goes_on_and_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.research.sweep import job as job_module

    monkeypatch.setattr(job_module, "_SET_BARS", 1564.0 * 16)  # 16 sets a chunk
    asked: dict[str, Any] = {"period": range(3, 23), "low": range(10, 45, 5), **QUIET}
    whole = sweep(RSI, "SPY", **asked).frame()
    ran: list[int] = []
    run = job_module.Job.run

    def stopping(self: Any, number: int, stop: Any) -> Any:
        if len(ran) == 4:
            raise KeyboardInterrupt
        ran.append(number)
        return run(self, number, stop)

    monkeypatch.setattr(job_module.Job, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        sweep(RSI, "SPY", **asked, resume=False, workers=1)

    def noting(self: Any, number: int, stop: Any) -> Any:
        ran.append(number)
        return run(self, number, stop)

    monkeypatch.setattr(job_module.Job, "run", noting)
    result = sweep(RSI, "SPY", **asked, workers=2)
    pd.testing.assert_frame_equal(result.frame(), whole)
    assert len(ran) == len(set(ran)) == 10
    assert result.summary.sets == len(result) == 140
    ran.clear()
    again = sweep(RSI, "SPY", **asked)
    assert ran == []
    assert repr(again) == repr(result)


def test_a_file_that_was_torn_is_read_up_to_the_tear(tmp_path: Path) -> None:
    out = tmp_path / "mine.sweep"
    asked: dict[str, Any] = {"period": range(3, 12), "out": out, **QUIET}
    whole = sweep(RSI, "SPY", **asked).frame()
    data = out.read_bytes()
    for cut in (len(data) - 1, len(data) - 200):
        out.write_bytes(data[:cut])
        pd.testing.assert_frame_equal(sweep(RSI, "SPY", **asked).frame(), whole)
    out.write_bytes(data[:-40] + bytes(40))
    pd.testing.assert_frame_equal(sweep(RSI, "SPY", **asked).frame(), whole)


def test_anything_the_figures_depend_on_starts_anew(tmp_path: Path) -> None:
    out = tmp_path / "mine.sweep"
    first = sweep(RSI, "SPY", period=[5, 6], out=out, **QUIET).frame()
    dear = sweep(RSI, "SPY", period=[5, 6], out=out, quantity=20, **QUIET).frame()
    assert not np.array_equal(first["total_return"], dear["total_return"])
    other = sweep(Reverses, "SPY", period=[5, 6], out=out, **QUIET).frame()
    assert len(other) == 2
    assert "low" not in other.columns


def test_one_file_is_written_by_one_sweep_at_a_time(tmp_path: Path) -> None:
    from workbench.research.sweep.store import Store

    held = Store(tmp_path / "x.sweep", {"a": 1})
    with pytest.raises(Refused, match="another sweep"):
        Store(tmp_path / "x.sweep", {"a": 1})
    held.close()
    Store(tmp_path / "x.sweep", {"a": 1}).close()
    (tmp_path / "y.sweep").write_text("something else entirely")
    with pytest.raises(BadInput, match="no results file"):
        Store(tmp_path / "y.sweep", {"a": 1})


def test_sets_that_fail_are_told_and_stop_nobody() -> None:
    result = sweep(
        Picky, market(200).recording, period=[2, 3, 4], harm=[0, 1], objective="total_return", **QUIET
    )
    frame = result.frame()
    assert frame["limits"].tolist() == ["ok", "failed", "failed", "failed", "ok", "failed"]
    assert "odd" in str(frame.loc[2, "why"])
    assert frame.loc[1, "why"] == "decide answered NaN or infinity"
    assert result.best(10).index.tolist() in ([0, 4], [4, 0])
    assert result.summary.broken == 4


def test_a_compiled_decision_that_raises_fails_its_set_alone() -> None:
    frame = sweep(
        Picky, market(200).recording, harm=[0, 3, 0], period=[2, 4], objective="total_return", **QUIET
    ).frame()
    assert frame["limits"].tolist() == ["ok", "ok", "failed", "failed"]
    assert "ValueError: three" in str(frame.loc[2, "why"])
    own = backtest(Picky(period=4), market(200).recording, sim=market(9).terms.sim).stats
    assert frame.loc[1, "orders"] == own["orders"] > 0


def test_a_disk_that_is_full_or_closed_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    out = tmp_path / "mine.sweep"
    sweep(RSI, "SPY", period=[5], out=out, **QUIET)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Refused, match="No space left on device"):
        sweep(RSI, "SPY", period=[5], out=out, resume=False, **QUIET)
    with pytest.raises(Refused, match="give another out="):
        sweep(RSI, "SPY", period=[5], out=out / "below" / "x.sweep", **QUIET)


def test_sets_the_rules_would_have_refused_come_last() -> None:
    limits = {"max_order_qty": 15.0}
    result = sweep(Reverses, market().recording, limits=limits, period=[3, 7], part=[1.0, 0.2], **QUIET)
    frame = result.frame()
    assert frame["limits"].tolist() == ["would be refused", "ok"] * 2
    assert frame["why"].tolist() == ["SIZE", ""] * 2
    assert result.best(4)["limits"].tolist() == ["ok", "ok", "would be refused", "would be refused"]
    assert "2 would be refused" in repr(result)


def test_memory_does_not_hold_the_grid() -> None:
    from workbench.research.sweep.axes import Choice
    from workbench.research.sweep.space import Grid

    axes = {name: Choice("int", np.arange(1_000)) for name in ("a", "b", "c")}
    grid = Grid(axes, slow={"c"})
    assert grid.n == 10**9
    numbers = np.array([0, 1, 999_999_999, 123_456_789])
    places = grid.places(numbers)
    assert grid.numbers(places).tolist() == numbers.tolist()
    columns = grid.columns(places)
    assert (columns["a"] * 10**6 + columns["b"] * 10**3 + columns["c"]).tolist() == numbers.tolist()
    assert len(np.unique(grid.columns(np.arange(5_000))["c"])) == 1


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"period": []}, BadValue, r"RsiReversion.period = \[\]: give at least one value"),
        ({"perod": [5]}, UnknownName, "'perod' is unknown: did you mean 'period'?"),
        ({"period": [5.5]}, BadValue, "RsiReversion.period = 5.5: give a whole number"),
        ({"period": ["five"]}, BadValue, "RsiReversion.period = 'five': give a whole number"),
        ({"low": [float("nan")]}, BadValue, "RsiReversion.low = nan"),
        ({"period": {5, 6}}, BadValue, "its order is the axis"),
        ({"period": [5], "method": "gird"}, UnknownName, "did you mean 'grid'?"),
        ({"period": [5], "objective": "sharp"}, UnknownName, "did you mean 'sharpe'?"),
        ({"period": [5], "method": "random"}, BadValue, "n = None"),
        ({"period": (5, 1), "n": 3}, BadValue, "lower end first"),
        ({"low": (0, 10, "log"), "n": 3}, BadValue, "above 0"),
        ({"period": (1, 10, "lin"), "n": 3}, BadValue, 'can only be "log"'),
        ({"short": (0.0, 1.0), "n": 3}, BadValue, "list its values"),
        ({"period": [5], "sets": [{"low": 3}]}, BadInput, "sets= takes the place of axes"),
        ({"sets": []}, BadInput, "at least one parameter set"),
        ({"sets": [{"low": 3}, {"high": 3}]}, BadInput, "sets\\[1\\] names high, the first one low"),
        ({"period": [5], "spans": []}, BadValue, "spans = \\[\\]"),
        ({"period": [5], "spans": ["2020-12-15"]}, BadValue, "\\(start, end\\) pairs"),
        ({"period": [5], "symbols": ["SPX"]}, UnknownName, "did you mean 'SPY'?"),
        ({"period": [5], "workers": 0}, BadValue, "workers = 0"),
        ({"period": [5], "fill": "clos"}, UnknownName, "did you mean 'close'?"),
        ({"period": [5], "quantity": -1}, BadValue, "quantity = -1.0"),
        ({"period": [5], "limits": {"max_ordr_qty": 1}}, UnknownName, "max_order_qty"),
        ({"period": np.arange(10**5), "low": np.arange(10**6)}, BadInput, "100,000,000,000 parameter sets"),
    ],
)
def test_what_was_typed_wrong_is_one_line_before_anything_runs(asked: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        sweep(RSI, "SPY", **asked, **QUIET)
    assert "\n" not in str(caught.value)


def test_a_parameter_called_like_an_argument_goes_into_axes() -> None:
    result = sweep(RSI, "SPY", axes={"period": [5, 6]}, low=30, **QUIET)
    assert result.axes == ["period"]


def test_an_instance_gives_what_no_axis_varies() -> None:
    result = sweep(RSI(low=22, short=True), "SPY", period=[5, 6], **QUIET)
    assert result.parameters(1) == {"period": 6, "low": 22.0, "high": 70.0, "short": True}


def test_progress_is_told_and_ends_with_all_sets() -> None:
    told: list[tuple[int, int]] = []
    sweep(
        RSI,
        "SPY",
        period=range(3, 40),
        low=range(10, 40),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (37 * 30, 37 * 30)


def test_results_go_to_parquet_chunk_by_chunk(tmp_path: Path) -> None:
    result = sweep(RSI, "SPY", period=range(3, 40), low=range(10, 40), **QUIET)
    written = pd.read_parquet(result.to_parquet(tmp_path / "all.parquet")).sort_index()
    pd.testing.assert_frame_equal(written, result.frame(), check_dtype=False)


def test_a_sweep_in_a_thread_of_its_own_works() -> None:
    made: list[SweepResult] = []
    thread = threading.Thread(target=lambda: made.append(sweep(RSI, "SPY", period=[5, 6], **QUIET)))
    thread.start()
    thread.join(60)
    assert len(made[0]) == 2


def test_every_method_is_one_that_is_known() -> None:
    assert sweeping_module.METHODS == ("grid", "random", "sets", "optuna")
