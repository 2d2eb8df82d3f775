"""The `workbench` command in this process, and a desk for it to talk to."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import workbench as wb
from workbench.api.session import Session
from workbench.cli import main

type Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`WORKBENCH_HOME` of one module."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(folder))
        yield folder


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path) -> Cli:
    """Exit status, standard output, standard error of a command."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["workbench", *words])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Session]:
    """The desk `cli`, its market held early on the first of three days: what a machine that stalls plays too much does
    not end the day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.orchestrator.operations.CONFIRM_S", 60.0)  # a disk may be slow to sync
        session = wb.start(
            "cli", host="thread", speed=2_400, play=False, start="2020-12-16", end="2020-12-18", quiet=True
        )
        session.market.play()
        session.wait(until=lambda shot: shot.session.progress > 0.02)
        session.market.pause()
        yield session
        session.stop()
