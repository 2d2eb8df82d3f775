"""The engine process with the real desk: ready, run, restart, refusals of one line, orderly end."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.api.test_session import home as home  # the fixture: a private WORKBENCH_HOME
from workbench.api.address import read_address
from workbench.api.serve import main
from workbench.api.session import Session
from workbench.api.starting import attach, start
from workbench.errors import (
    AccountLocked,
    BadValue,
    JournalDamaged,
    NotRunning,
    Refused,
    StrategyError,
    UnknownName,
)
from workbench.model.snapshot import RefusalRow, Snapshot
from workbench.strategy import Strategy

pytestmark = pytest.mark.flow

CELL = """
from workbench.kernels import Rsi
from workbench.strategy import Strategy

class QuickRsi(Strategy):
    period: int = 3

    def indicators(self):
        return {"rsi": Rsi(self.period)}

    def decide(p, x, pos):
        if x.rsi < 45.0:
            return 1.0
        if x.rsi > 55.0:
            return 0.0
        return pos
"""


def two_fills(desk: Session) -> Snapshot:
    """Let the market run until a strategy has traded, then hold it: however slow the machine, the day goes on."""
    desk.market.play()
    desk.wait(until=lambda shot: len(shot.fills) >= 2, timeout_s=60)
    desk.market.pause()
    return desk.snapshot()


@pytest.fixture
def desk(home: Path) -> Iterator[Session]:
    session = start("flow", data="SPY", speed=600, quiet=True, play=False)
    yield session
    with contextlib.suppress(NotRunning):
        attach("flow").stop()
    session.close()


@pytest.fixture
def quick_rsi(tmp_path: Path) -> type[Strategy]:
    """A strategy of the user's own, from a file outside the project."""
    import importlib.util

    path = tmp_path / "quick_rsi.py"
    path.write_text(CELL)
    spec = importlib.util.spec_from_file_location("quick_rsi", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["quick_rsi"] = module
    spec.loader.exec_module(module)
    found: type[Strategy] = module.QuickRsi
    return found


def test_a_desk_runs_outlives_its_session_and_stops(
    desk: Session, quick_rsi: type[Strategy], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = desk.run(quick_rsi(period=2), symbols="SPY", quantity=10)
    assert (handle.name, handle.parameters) == ("QuickRsi", {"period": 2})
    two_fills(desk)
    assert handle.orders[0].state == "filled"
    assert handle.orders[0].trace().total_us > 0
    with pytest.raises(UnknownName, match="did you mean 'SPY'"):
        desk.run(quick_rsi, symbols=["SPX"])
    with pytest.raises(UnknownName, match="did you mean 'period'"):
        handle.set(perod=3)
    # what a command did is seen by the very next look
    assert handle.pause("lunch").state == "paused"
    assert handle.set(period=4).parameters == {"period": 4}
    placed = desk.place("SPY", "buy", 1, "limit", limit_px=350.0)
    assert not isinstance(placed, RefusalRow)
    refused = desk.place("SPY", "buy", 1e7)
    assert isinstance(refused, RefusalRow)
    assert refused.code == "SIZE"
    desk.close()
    with start("flow", data="SPY", cash=1_000_000) as again:
        assert "attached" in capsys.readouterr().err
        assert again.strategies["QuickRsi"].state == "paused"
        report = again.kill("end of test")
        assert report.cancels == 1
        assert {row.order_id for row in report.unconfirmed} <= {placed.order_id}  # a disk may be slow to sync
        again.wait(until=lambda shot: all(row.state != "cancelling" for row in shot.orders))
        assert again.order(placed.order_id).state == "cancelled"
        told = again.check()
        assert told["replay_hash_equal"]
        assert told["positions_equal_broker"]
        assert told["cash_conserved"]
        token, pid = again.address.token, again.address.pid
        assert "workbench_up_seconds" in asyncio.run(_metrics(again))
        again.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    log = (home / "flow" / "engine.log").read_text()
    assert "stopped" in log
    assert token not in log
    assert {path.stat().st_mode & 0o077 for path in (home / "flow").iterdir()} == {0}
    assert not (home / "flow" / "engine.json").exists()


async def _metrics(session: Session) -> str:
    text: str = await session.aio.metrics()
    return text


def test_a_killed_engine_is_started_again_and_knows_everything(
    desk: Session, quick_rsi: type[Strategy]
) -> None:
    desk.run(quick_rsi(period=2), symbols="SPY", quantity=10)
    before = two_fills(desk)
    # what a look shows may be a sync ahead of the disk; what is on disk must come back
    desk.wait(until=lambda shot: shot.health.journal_synced_seq >= before.seq, timeout_s=60)
    pid = desk.address.pid
    os.kill(pid, signal.SIGKILL)
    from workbench.api.host_process import wait_until_ended

    assert wait_until_ended(pid, 20)
    with pytest.raises(NotRunning):
        desk.snapshot()
    with start("flow", data="SPY", speed=600, quiet=True, play=False) as again:
        after = again.snapshot()
        assert after.session.epoch == before.session.epoch + 1
        ended = {row.order_id: row for row in before.orders if row.state == "filled"}
        assert ended
        assert ended == {row.order_id: row for row in again.client_orders() if row.order_id in ended}
        assert [row.name for row in after.strategies] == ["QuickRsi"]
        # the session from before finds the new engine by itself
        assert desk.snapshot().session.epoch == after.session.epoch


def test_a_second_engine_on_the_account_is_refused_in_one_line(
    desk: Session, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--name", "flow", "--json"]) == 1
    out, err = capfd.readouterr()
    assert msgspec.json.decode(out)["error"]["code"] == AccountLocked.__name__
    assert err.count("\n") == 1
    assert desk.snapshot().session.state == "running"


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """`main` gives the process's log to a file; the test run keeps its own."""
    root = logging.getLogger()
    handlers, level, mask = list(root.handlers), root.level, os.umask(0o022)
    os.umask(mask)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    os.umask(mask)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--name", "No Name"], 2, "name = 'No Name'"),
        (["--data", "SPX"], 2, "data 'SPX' is unknown: did you mean 'SPY'"),
        (["--speed", "-1"], 2, "market.speed = -1.0"),
        (["--cash", "0"], 2, "account.cash = 0.0"),
        (["--overrides", "{"], 2, "--overrides is not one JSON object"),
        (["--overrides", '{"markt": {}}'], 2, "did you mean 'market'"),
        (["--overrides", '{"limits": {"max_order_qt": 1}}'], 2, "max_order_qty"),
        (["--overrides", '{"api": {"host": "0.0.0.0"}}'], 2, "give 127.0.0.1"),
        (["--config", "/nowhere.toml"], 2, "does not exist"),
    ],
)
def test_a_wrong_setting_is_one_line(
    home: Path, arguments: list[str], status: int, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", *arguments]) == status
    out, err = capfd.readouterr()
    assert text in err
    assert err.startswith("workbench-engine: ")
    assert err.count("\n") == 1
    assert msgspec.json.decode(out)["ready"] is False


def test_a_busy_port_is_one_line(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capfd.readouterr().err


def test_a_damaged_journal_is_one_line_and_is_left_as_it_is(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start("torn", quiet=True, play=False).stop()
    journal = home / "torn" / "journal.sqlite"
    raw = bytearray(journal.read_bytes())
    middle = raw.find(b"XNYS")
    assert middle > 0
    raw[middle : middle + 4] = b"XXXX"
    journal.write_bytes(bytes(raw))
    assert main(["--name", "torn", "--json"]) == 1
    out, err = capfd.readouterr()
    assert msgspec.json.decode(out)["error"]["code"] == JournalDamaged.__name__
    assert err.count("\n") == 1
    assert journal.read_bytes() == bytes(raw)
    with pytest.raises(JournalDamaged):
        start("torn", quiet=True)


def test_a_home_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "file" / "home"))
    assert main([]) == 1
    assert "WORKBENCH_HOME" in capfd.readouterr().err


def test_sigterm_stops_it_in_good_order(home: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "workbench.api.serve", "--name", "term", "--json"], stdout=subprocess.PIPE
    )
    with child:
        try:
            assert child.stdout is not None
            told = msgspec.json.decode(child.stdout.readline())
            assert (told["ready"], told.get("pid")) == (True, child.pid)
            assert read_address(home / "term").url == told["url"]
        finally:
            child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    assert not (home / "term" / "engine.json").exists()


def test_a_thread_host_for_tests(home: Path, quick_rsi: type[Strategy]) -> None:
    with pytest.raises(BadValue, match="name"):
        start("No", host="thread", quiet=True)
    session = start("thread", data="SPY", end="2020-12-15", speed=0, host="thread", play=False, quiet=True)
    session.run(quick_rsi(period=2), symbols="SPY", quantity=10)
    session.market.play()
    shot = session.wait(finished=True, timeout_s=60)
    assert len(shot.fills) > 5
    assert session.check()["replay_hash_equal"]
    session.stop()
    with pytest.raises(Refused, match="attach again"):
        session.snapshot()
    # played to the end: the next start begins anew
    again = start("thread", data="SPY", host="thread", play=False, quiet=True)
    assert not again.fills
    again.stop()


def test_a_strategy_that_cannot_be_loaded_leaves_the_others_alone(desk: Session) -> None:
    with pytest.raises(StrategyError):
        asyncio.run(_add(desk, "class Broken(", "Broken"))
    with pytest.raises((StrategyError, UnknownName)):
        asyncio.run(_add(desk, CELL, "SlowRsi"))
    assert len(desk.strategies) == 0
    assert desk.snapshot().session.state == "running"


async def _add(session: Session, source: str, name: str) -> None:
    await session.aio.add_strategy(name, source, ["SPY"])
