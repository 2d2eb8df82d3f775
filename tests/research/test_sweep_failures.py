"""Sets of a sweep whose indicators cannot be made, wherever they stand: each fails by itself, and says why.

Not here: what else may go wrong in a set (test_sweep.py).
"""

from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from tests.research.test_sweep_lanes import market
from workbench.errors import BadValue, StrategyError
from workbench.kernels import Sma
from workbench.research.sweep import sweep

QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own: results files of one test are no other's."""
    from workbench.kernels.disk_cache import cache_folder

    monkeypatch.setenv("WORKBENCH_CACHE", str(cache_folder()))  # compiled loops may be shared
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))


class Crossed(wb.Strategy):
    """Two means, of which the fast one has to be the shorter."""

    fast: int = 3
    slow: int = 9

    def indicators(self) -> Any:
        if self.fast >= self.slow:
            raise ValueError("fast must be below slow")
        return {"fast": Sma(self.fast), "slow": Sma(self.slow)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.fast > x.slow else 0.0


@pytest.mark.parametrize(
    "asked",
    [
        {"fast": [8, 3], "slow": [5, 9]},
        {"sets": [{"fast": f, "slow": s} for f, s in ((8, 5), (8, 9), (3, 5), (3, 9))]},
    ],
    ids=["grid", "sets"],
)
def test_a_first_set_that_fails_stops_nobody_either(asked: dict[str, Any]) -> None:
    frame = sweep(Crossed, market(200).recording, objective="total_return", **asked, **QUIET).frame()
    assert frame["limits"].tolist() == ["failed", "ok", "ok", "ok"]
    assert "Crossed.indicators raised ValueError: fast must be below slow" in str(frame.loc[0, "why"])
    own = sweep(Crossed, market(200).recording, fast=[3], slow=[9], objective="total_return", **QUIET).frame()
    assert frame["final_equity"].tolist()[3] == own["final_equity"].tolist()[0]


def test_a_first_draw_that_fails_stops_nobody_either() -> None:
    """Half of all draws are no crossing: whichever comes first, the others go on."""
    drawn: dict[str, Any] = {"n": 12, "fast": (2, 9), "slow": (2, 9), "objective": "total_return"}
    firsts = set()
    for seed in range(6):
        frame = sweep(Crossed, market(60).recording, seed=seed, **drawn, **QUIET).frame()
        assert ((frame["limits"] == "failed") == (frame["fast"] >= frame["slow"])).all()
        firsts.add(frame.loc[0, "limits"])
    assert firsts == {"ok", "failed"}  # both were seen


@pytest.mark.parametrize("seed", [2, 4])  # the first proposal of these is no crossing
def test_a_first_proposal_that_fails_stops_no_search(seed: int) -> None:
    pytest.importorskip("optuna")
    asked: dict[str, Any] = {"trials": 40, "fast": (3, 40), "slow": (3, 40), "objective": "total_return"}
    frame = sweep(Crossed, market(60).recording, seed=seed, **asked, **QUIET).frame()
    assert ((frame["limits"] == "failed") == (frame["fast"] >= frame["slow"])).all()
    assert len(frame) == 40


def test_a_sweep_in_which_every_set_fails_says_what_the_first_one_said() -> None:
    with pytest.raises(
        StrategyError, match="indicators raised ValueError: fast must be below slow"
    ) as raised:
        sweep(Crossed, market(60).recording, fast=[9, 8], slow=[4, 5], **QUIET)
    assert "\n" not in str(raised.value)
    with pytest.raises(BadValue, match=r"Sma\.period = 0"):
        sweep(Crossed, market(60).recording, fast=[0, -1], slow=[9], **QUIET)
