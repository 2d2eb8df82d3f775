"""`workbench sweep`: axes as they are typed, one JSON document, files, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import Cli
from workbench.cli import completion
from workbench.cli.sweep import axis_of
from workbench.errors import BadValue
from workbench.research.sweep import sweep
from workbench.strategy import find_strategy

ASKED = ("sweep", "RsiReversion", "--axis", "period=5:9", "--axis", "low=20:40:10")


@pytest.mark.parametrize(
    ("text", "ranges", "axis"),
    [
        ("period=5:8", False, ("period", [5, 6, 7])),
        ("low=10:40:15", False, ("low", [10, 25])),
        ("low=0.1:0.5:0.1", False, ("low", [0.1, 0.2, 0.3, 0.4])),
        ("low=10:10", False, ("low", [])),
        ("high=60,70", False, ("high", [60, 70])),
        ("short=true", False, ("short", True)),
        ("period=5:35", True, ("period", (5, 35))),
        ("low=1:100:log", True, ("low", (1, 100, "log"))),
        ("high=60,70", True, ("high", [60, 70])),
    ],
)
def test_an_axis_is_read_as_typed(text: str, ranges: bool, axis: Any) -> None:
    assert axis_of(text, ranges) == axis


@pytest.mark.parametrize(
    "text", ["period", "=5", "period=", "period=5:x", "period=1:2:3:4", "low=5:1:0", "a-b=1", "a=1,"]
)
def test_an_axis_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="--axis"):
        axis_of(text, False)


def test_it_answers_what_the_library_answers(cli: Cli) -> None:
    code, out, err = cli(*ASKED, "--best", "3", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    result = sweep(find_strategy("RsiReversion"), "SPY", period=range(5, 9), low=[20, 30], progress=False)
    assert (told["sets"], told["axes"], told["loop"]) == (8, ["period", "low"], "lanes")
    assert [row["set"] for row in told["best"]] == result.best(3).index.tolist()
    assert told["best"][0]["final_equity"] == result.best(1).iloc[0]["final_equity"]
    assert told["guards"]["overfitting_probability"] == result.guards.overfitting.probability  # type: ignore[union-attr]


def test_files_and_pictures(cli: Cli, tmp_path: Path) -> None:
    rows, picture = tmp_path / "rows.parquet", tmp_path / "picture.html"
    code, out, err = cli(*ASKED, "--out", str(rows), "--plot", str(picture))
    assert code == 0
    assert "deflated Sharpe ratio" in out
    assert str(rows) in err.replace("\n", "")
    assert len(pd.read_parquet(rows)) == 8
    page = picture.read_text("utf-8")
    assert "Sweep of RsiReversion" in page
    kept = tmp_path / "mine.sweep"
    assert cli(*ASKED, "--out", str(kept), "--json")[0] == 0
    assert kept.stat().st_size > 0


def test_draws_and_trials(cli: Cli) -> None:
    ranges = ("--axis", "period=5:30", "--axis", "low=10:40", "--objective", "total_return", "--json")
    drawn = json.loads(cli("sweep", "RsiReversion", *ranges, "--draws", "12", "--seed", "3")[1])
    assert (drawn["sets"], drawn["method"]) == (12, "random")
    chosen = json.loads(cli("sweep", "RsiReversion", *ranges, "--trials", "8")[1])
    assert (chosen["sets"], chosen["method"]) == (8, "optuna")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--axis", "perod=5:9"), "did you mean 'period'?"),
        (("--axis", "period=9:5"), "give at least one value"),
        (("--axis", "period=5:9", "--objective", "sharp"), "did you mean 'sharpe'?"),
        (("--axis", "period=5:9", "--symbol", "SPX"), "did you mean 'SPY'?"),
        (("--axis", "period"), "write NAME=START:STOP"),
    ],
)
def test_what_was_typed_wrong_is_one_line(cli: Cli, words: tuple[str, ...], text: str) -> None:
    code, out, err = cli("sweep", "RsiReversion", *words)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1


def test_names_complete() -> None:
    assert "RsiReversion" in completion.strategy_names()
    assert {"SPY", "spy_1m_2020-12"} <= set(completion.data_names())
    assert "sharpe" in completion.objectives()
    assert {"compiled", "events", "engine"} < set(completion.loops())
    assert {"alpaca", "all"} < set(completion.trading_venues())


def test_axes_complete_with_the_strategys_parameters() -> None:
    from types import SimpleNamespace

    names = ["period=", "low=", "high=", "short="]
    for read, unread in (({"strategy": "RsiReversion"}, []), ({"strategy": None}, ["RsiReversion"])):
        typed: Any = SimpleNamespace(params=read, args=unread)
        assert completion.axis_names(typed) == names
    nothing: Any = SimpleNamespace(params={}, args=[])
    assert completion.axis_names(nothing) == []
