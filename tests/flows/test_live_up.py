"""`workbench up` with accounts at a venue: a desk from a configuration file, and what is said when that is wrong."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

import workbench as wb
from workbench.config import home_folder
from workbench.testbed.accounts import account_at, write_keys

COMMAND = [sys.executable, "-m", "workbench.cli"]


@pytest.fixture(scope="module")
def facts(home: Path) -> Iterator[Mapping[str, Any]]:
    """An emulated Alpaca in a process of its own: what its first line says."""
    command = [*COMMAND, "emulate", "alpaca", "--port", "0", "--json", "--speed", "600"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as emulator:
        yield json.loads(said_by(emulator.stdout))
        emulator.terminate()


def said_by(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def config(folder: Path, facts: Mapping[str, Any], symbols: list[str] | None = None, **changed: Any) -> Path:
    account = account_at(facts, write_keys(home_folder() / "secrets", "paper", facts), limited=True) | changed
    lines = ["[market]", 'brokers = ["paper"]', f"symbols = {json.dumps(symbols or ['AAPL', 'SPY'])}"]
    lines += ["[brokers.paper]", *(f"{key} = {toml(value)}" for key, value in account.items())]
    path = folder / "workbench.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def test_a_desk_comes_up_at_a_venue_and_goes_down_on_a_signal(
    tmp_path: Path, facts: Mapping[str, Any]
) -> None:
    command = [*COMMAND, "up", "--name", "venue", "--config", str(config(tmp_path, facts)), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as desk:
        assert json.loads(said_by(desk.stdout))["name"] == "venue"
        try:
            with wb.attach("venue") as session:
                shot = session.wait(
                    until=lambda shot: bool(shot.session.market_ts_ns and shot.accounts), timeout_s=60
                )
        finally:
            desk.terminate()
        _, err = desk.communicate(timeout=60)
    assert desk.returncode == 0, err
    assert shot.session.market == "live"
    assert [(row.account, row.venue, row.mode) for row in shot.accounts] == [("paper", "alpaca", "paper")]


@pytest.mark.parametrize(
    ("symbols", "changed", "said"),
    [
        (["APPL"], {}, ("alpaca", "APPL", "field symbol")),
        (
            None,
            {"addresses": {"rest": "http://127.0.0.1:9"}},
            ("alpaca", "no connection", "nothing was sent"),
        ),
    ],
)
def test_what_is_wrong_with_an_account_is_said_in_one_line(
    tmp_path: Path, facts: Mapping[str, Any], symbols: list[str] | None, changed: dict[str, Any], said: Any
) -> None:
    path = config(tmp_path, facts, symbols, **changed)
    done = subprocess.run(
        [*COMMAND, "up", "--name", "wrong", "--config", str(path)],
        env=os.environ, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode > 0
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("workbench: engine ended: ")
    assert all(word in line for word in said), line


def test_a_section_that_is_wrong_as_a_whole_does_not_show_its_values(
    tmp_path: Path, facts: Mapping[str, Any]
) -> None:
    path = config(tmp_path, facts, mode="live")
    done = subprocess.run(
        [*COMMAND, "up", "--name", "wrong", "--config", str(path)],
        env=os.environ, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("workbench: brokers.paper: live trading needs the account id")
    assert "credentials" not in done.stderr
