"""`workbench accounts`: a table, what is wrong in words, and the exit status that a script wants."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.fake_snapshot import account_row
from tests.api.test_session import Engine
from tests.cli.conftest import Cli
from workbench.model.snapshot import DifferenceRow


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    served = Engine(home)
    yield served
    served.stop()


def test_a_recorded_market_has_none(cli: Cli, engine: Engine) -> None:
    code, out, _ = cli("accounts", "--name", "fake")
    assert (code, "its market is a recording" in out) == (0, True)
    assert "alpaca" not in cli("status", "--name", "fake")[1]


def test_healthy_accounts_are_a_table(cli: Cli, engine: Engine) -> None:
    engine.desk.accounts = [account_row("paper"), account_row("other", books_ns=0)]
    engine.on_loop(engine.desk.changed)
    code, out, _ = cli("accounts", "--name", "fake", "--json")
    told = json.loads(out)
    assert code == 0
    assert [row["account"] for row in told["accounts"]] == ["paper", "other"]
    code, out, _ = cli("accounts", "--name", "fake")
    assert code == 0
    assert "● paper: alpaca paper, healthy" in out
    assert "trading 82% left, 0 waiting" in out
    assert "iex 0.1 s (1 reconnect)" in out
    assert "paper" in cli("status", "--name", "fake")[1]


def test_what_is_not_well_is_said_and_is_status_1(cli: Cli, engine: Engine) -> None:
    engine.desk.accounts = [account_row("paper", state="down", reason="no answer")]
    engine.desk.frozen = {"SPY": "edited by hand"}
    engine.desk.differences = [DifferenceRow("SPY", 0.0, 3.0, 1)]
    engine.on_loop(engine.desk.changed)
    code, out, _ = cli("accounts", "--name", "fake")
    assert code == 1
    assert "○ paper: alpaca paper, down (no answer)" in out
    assert "SPY is FROZEN" in out
    assert "position SPY: the desk says 0, the broker 3" in out
    code, out, _ = cli("accounts", "--name", "fake", "--json")
    assert code == 1
    assert json.loads(out)["frozen"] == {"SPY": "edited by hand"}
    assert "FROZEN SPY: edited by hand" in cli("status", "--name", "fake")[1]
