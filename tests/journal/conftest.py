"""What the journal's tests share: a place for a journal, a filled journal, a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.journal.cross_engine import CrossEngine, bar, feed
from workbench.journal import Journal
from workbench.model import Event, Filled, SetLimits, StartSession

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "SIM-1" / "journal.sqlite"


@pytest.fixture
def filled(path: Path) -> Path:
    """A closed journal: a session, 30 bars, 10 orders (the first filled), a limit of 0 before the last ten bars."""
    engine = CrossEngine()
    with Journal.open(path, account="SIM-1", code_version="1.0") as journal:
        first: list[Event] = [StartSession(1, 1, "test", "paper", "1.0"), *map(bar, range(1, 21))]
        feed(journal, engine, first)
        feed(journal, engine, [Filled(5, 1, "x1", 100, 5), SetLimits(6, (("size", 0.0),), "me")])
        feed(journal, engine, [bar(i) for i in range(21, 31)])
    return path


@pytest.fixture
def child() -> Callable[..., subprocess.Popen[str]]:
    """Start Python code in a process of its own, this tree first on its path."""

    def start(code: str, *args: str, **env: str) -> subprocess.Popen[str]:
        whole = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-c", code, *args], stdout=pipe, stderr=pipe, text=True, env=whole
        )

    return start
