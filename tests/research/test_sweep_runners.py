"""Who does a sweep's chunks: processes, a Dask cluster, a search; what happens when they die or are interrupted."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.errors import BadInput, Unreachable
from workbench.research.backtest import backtest
from workbench.research.sweep import sweep
from workbench.strategy import Strategy

RSI = wb.strategies.RsiReversion
QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from workbench.kernels.disk_cache import cache_folder

    monkeypatch.setenv("WORKBENCH_CACHE", str(cache_folder()))
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    return tmp_path


class Buys(Strategy):
    """An event strategy: buys every `every` bars, `size` a time, and dies or complains when told to."""

    every: int = 100
    size: float = 1.0
    marker: str = ""

    def on_bar(self, ctx: Any, bar: Any) -> Any:
        import os

        if self.marker and self.every == 50 and not os.path.exists(self.marker):
            with open(self.marker, "w"):
                os.kill(os.getpid(), 9)
        if self.every == 13:
            raise ValueError("thirteen")
        self.seen = getattr(self, "seen", 0) + 1
        return wb.OrderRequest("buy", self.size) if self.seen % self.every == 0 else None


def test_event_strategies_run_in_processes_with_the_same_figures() -> None:
    result = sweep(Buys, "SPY", every=[100, 300], size=[1, 5], objective="total_return", workers=2, **QUIET)
    assert "event strategy" in result.loop
    for number, row in result.frame().iterrows():
        own = backtest(Buys(every=int(row["every"]), size=row["size"]), "SPY").stats
        assert row["final_equity"] == own["final_equity"]
        assert row["orders"] == own["orders"]
        assert result.parameters(number)["marker"] == ""
    assert result.guards.overfitting is not None
    assert result.guards.overfitting.sets == 4


def test_a_worker_that_dies_is_replaced_and_nothing_counts_twice(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"every": [40, 50, 60], "objective": "total_return", "workers": 2, **QUIET}
    died = sweep(Buys, "SPY", marker=str(tmp_path / "died"), **asked).frame()
    assert (tmp_path / "died").exists()
    well = sweep(Buys, "SPY", marker=str(tmp_path / "died"), resume=False, **asked).frame()
    pd.testing.assert_frame_equal(died, well)
    assert len(died) == 3


def test_a_set_whose_code_raises_fails_alone() -> None:
    frame = sweep(Buys, "SPY", every=[12, 13, 14], objective="total_return", workers=2, **QUIET).frame()
    assert frame["limits"].tolist() == ["ok", "failed", "ok"]
    assert "thirteen" in str(frame.loc[1, "why"])


SCRIPT = """
    import sys
    import workbench as wb
    from workbench.research.sweep import sweep

    class Waits(wb.Strategy):
        n: int = 1
        def on_bar(self, ctx, bar):
            import os, time
            while self.n > 4 and not os.path.exists(os.environ["GO_ON"]):
                time.sleep(0.01)
            if ctx.flat and self.n > 0:
                return wb.OrderRequest("buy", self.n)

    def told(done, total):
        print(done, file=sys.stderr, flush=True)

    result = sweep(Waits, "SPY", axes={"n": range(1, 9)}, objective="total_return", workers=2, progress=told)
    print(len(result), result.frame()["orders"].sum())
"""


def test_ctrl_c_ends_every_process_and_the_same_call_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(textwrap.dedent(SCRIPT))
    root = str(Path(wb.__file__).parents[1])
    # the later half of the sets waits, so that a slow look at them finds the sweep still under way
    environment = {**os.environ, "PYTHONPATH": root, "GO_ON": str(tmp_path / "go-on")}
    begun = subprocess.Popen(
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert begun.stderr is not None
    for line in begun.stderr:  # some sets are done
        if line.strip().isdigit() and int(line) >= 2:
            break
    children = _children(begun.pid)
    assert len(children) == 2
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=100)
    assert "sets are kept in" in said
    assert "the same call goes on there" in said
    assert begun.returncode != 0
    _until(lambda: not any(_alive(pid) for pid in children))
    (tmp_path / "go-on").touch()
    again = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=100
    )
    assert again.stdout.split()[0] == "8"
    counts = [int(line) for line in again.stderr.split() if line.isdigit()]
    assert counts[0] >= 2
    assert counts[-1] == 8


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task")
    return [int(c) for task in path.iterdir() for c in (task / "children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def _until(condition: Any, seconds: float = 100.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as made:
        yield made
    gc.collect()  # what a worker that was killed leaves open is complained of here, and in no later test


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_figures_and_survives_the_death_of_a_worker(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.research.sweep import job as job_module

    monkeypatch.setattr(job_module, "_SET_BARS", 1564.0 * 16)
    asked: dict[str, Any] = {"period": range(3, 43), "low": range(10, 45, 5), "high": [60, 65, 70], **QUIET}
    here = sweep(RSI, "SPY", **asked, resume=False)
    victims = [worker.pid for worker in cluster.workers.values()]
    handed: list[int] = []
    killed = threading.Event()

    def watch(done: int, total: int) -> None:
        handed.append(done)
        if done and not killed.is_set():
            killed.set()
            os.kill(victims[0], signal.SIGKILL)

    from workbench.research.sweep import board as board_module

    take_in = board_module.Board.hand_in

    def noting(self: Any, number: int, figures: Any, kept: Any = None) -> None:
        take_in(self, number, figures, kept)
        watch(self.summary.sets, self.job.n)

    monkeypatch.setattr(board_module.Board, "hand_in", noting)
    there = sweep(RSI, "SPY", **asked, resume=False, cluster=cluster.scheduler_address)
    assert killed.is_set()
    pd.testing.assert_frame_equal(there.frame(), here.frame())
    assert there.summary.sets == len(there) == 840
    assert handed[-1] == 840


def test_a_scheduler_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.research.sweep import cluster as cluster_module

    monkeypatch.setattr(cluster_module, "_CONNECT_S", 0.2)
    with pytest.raises(Unreachable, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        sweep(RSI, "SPY", period=[5], cluster="tcp://127.0.0.1:9", **QUIET)


@pytest.mark.parametrize(
    ("module", "asked"), [("distributed", {"cluster": "tcp://x:1"}), ("optuna", {"trials": 3})]
)
def test_what_is_not_installed_names_its_extra(
    module: str, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=r"`pip install -e '\.\[(cluster|optimise)\]'`"):
        sweep(RSI, "SPY", period=[5, 6], **asked, **QUIET)


def test_a_search_looks_where_it_is_promising_and_goes_on_after_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from workbench.research.sweep import job as job_module

    asked: dict[str, Any] = {
        "trials": 96, "period": (3, 60), "low": (5.0, 45.0), "high": [55, 60, 70], "objective": "total_return", **QUIET
    }  # fmt: skip
    run = job_module.Job.run
    done: list[int] = []

    def stopping(self: Any, number: int, *rest: Any) -> Any:
        if number == 2 and len(done) == 2:
            done.append(-1)
            raise KeyboardInterrupt
        done.append(number)
        return run(self, number, *rest)

    monkeypatch.setattr(job_module.Job, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        sweep(RSI, "SPY", **asked)
    result = sweep(RSI, "SPY", **asked)
    assert done == [0, 1, -1, 2]
    frame = result.frame()
    assert len(frame) == result.summary.sets == 96
    assert frame["period"].between(3, 60).all()
    assert set(frame["high"]) <= {55.0, 60.0, 70.0}
    best = result.best(1).iloc[0]
    own = backtest(RSI(**result.parameters(best)), "SPY").stats
    assert best["final_equity"] == own["final_equity"]
    blind = sweep(RSI, "SPY", n=32, period=(3, 60), low=(5.0, 45.0), high=[55, 60, 70], **QUIET).frame()
    assert frame["total_return"][64:].mean() > blind["total_return"].mean()


def test_threads_share_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.research.sweep import job as job_module

    monkeypatch.setattr(job_module, "_SET_BARS", 1564.0 * 16)
    one = sweep(RSI, "SPY", period=range(3, 40), low=range(10, 40), workers=1, **QUIET).frame()
    four = sweep(RSI, "SPY", period=range(3, 40), low=range(10, 40), workers=4, resume=False, **QUIET).frame()
    pd.testing.assert_frame_equal(one, four)
    assert np.isfinite(one["final_equity"]).all()
