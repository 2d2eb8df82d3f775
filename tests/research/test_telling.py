"""A line while something slow goes on: on a terminal and in a notebook, wiped at the end, never elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from workbench.research.notebooks import execute

SOURCE = """
import sys
from workbench.feeds import synthetic
from workbench.research import backtest
sys.path.insert(0, {folder!r})
from slow import Slow
print(backtest(Slow, synthetic(1, 50)).run.loop)
"""
STRATEGY = """
from workbench import Strategy

class Slow(Strategy):
    def decide(p, x, pos):
        return 1.0 if x.close > x.open else 0.0
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "slow.py").write_text(STRATEGY)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return SOURCE.format(folder=str(tmp_path))


def on_a_terminal(program: str) -> str:
    """What a run shows on a pseudo terminal."""
    mine, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(mine, 4_096):
            said += chunk
    except OSError:  # the other end is closed: it has ended
        pass
    finally:
        os.close(mine)
    assert process.wait(60) == 0
    return said.decode()


def test_compiling_is_told_once_on_a_terminal_and_wiped(program: str) -> None:
    first = on_a_terminal(program)
    assert "compiling Slow (once)..." in first
    assert first.endswith("\r" + " " * len("compiling Slow (once)...") + "\r")
    assert on_a_terminal(program) == ""  # it comes from disk now


def test_nothing_is_told_where_nobody_watches(program: str) -> None:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("compiled\n", "")


def test_a_notebook_shows_it_and_keeps_nothing(program: str, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(program)])  # type: ignore[no-untyped-call]
    nbformat.write(notebook, tmp_path / "in.ipynb")  # type: ignore[no-untyped-call]
    execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {}, progress=False)
    [cell] = nbformat.read(tmp_path / "out.ipynb", 4).cells  # type: ignore[no-untyped-call]
    told = [output for output in cell.outputs if output.output_type == "display_data"]
    assert len(told) == 1
    assert told[0].data["text/html"] == ""
    assert not [output for output in cell.outputs if output.get("name") == "stderr"]


LONG = """
import time
from workbench.research import telling
telling._PATIENCE_S = 0.0
telling._EVERY_S = 0.0
with telling.counting("Slow") as tell:
    for done in (0, 50, 100):
        tell and tell(done, 100)
"""


def test_long_runs_count_on_a_terminal_and_nowhere_else() -> None:
    said = on_a_terminal(LONG)
    assert "Slow: 50%, 0 s left" in said
    assert said.endswith("\r")
    assert said.split("\r")[-2].strip() == ""  # wiped
    run = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert run.stderr == ""
