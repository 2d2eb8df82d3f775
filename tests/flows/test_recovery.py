"""Engines that die in mid-market and come back: nothing lost, nothing doubled; and engines that must not start."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import workbench as wb
from tests.flows.days import DAY, QUANTITY, day_strategies, decided_rows, one_line, truths, until
from workbench.api.address import read_address
from workbench.api.host_process import wait_until_ended
from workbench.api.loop_thread import LoopThread
from workbench.api.session import Session
from workbench.errors import NotRunning
from workbench.feeds import open_data
from workbench.journal import FORMAT, read
from workbench.model import Bar, Filled, StartSession, Submit, Trade
from workbench.model.snapshot import OrderRow, RefusalRow, Snapshot
from workbench.orchestrator.supervisor import Child, Supervisor
from workbench.research import backtest

pytestmark = pytest.mark.flow

LAST_WORDS = ("filled", "cancelled", "rejected", "expired", "not_sent")
# the day in 12 s: even where starting again takes seconds, most of it is to come at each death
MARKET = {"data": "SPY", "start": DAY, "end": DAY, "speed": 2_000.0}


def serve(*arguments: str, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run an engine that is expected to refuse."""
    return subprocess.run(
        [sys.executable, "-m", "workbench.api.serve", *arguments],
        env={**os.environ, **({"WORKBENCH_HOME": str(home)} if home else {})},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def pid_of(name: str, home: Path) -> int:
    """The engine's process, or 0 while there is none."""
    try:
        return read_address(home / name).pid
    except NotRunning:
        return 0


def kill_9(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# -- killed and started again by a supervisor -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def supervised(home: Path) -> Iterator[Child]:
    """An engine that a supervisor keeps alive, with a day's market that waits."""
    overrides = msgspec.json.encode({"market": MARKET}).decode()
    child = Child(
        "engine",
        [sys.executable, "-m", "workbench.api.serve", "--name", "kept", "--overrides", overrides],
        home / "kept" / "engine.json",
        home / "kept" / "engine.out",
    )
    thread = LoopThread("supervisor")
    supervisor = Supervisor([child], lambda _: None)
    thread.call(supervisor.start(), 60)
    yield child
    thread.call(supervisor.stop(), 30)
    thread.close()


class Death:
    """What was known before the engine was killed, and what the one after it knew when it was ready.

    Market data and reports reach the disk some milliseconds after they were handled (intents before they are sent):
    what is compared is what was shown and durable. The market has gone on meanwhile, so the kill hits it anywhere."""

    def __init__(self, before: wb.Session, home: Path, pid: int) -> None:
        self.pid = pid
        self.orders = before.client_orders(limit=10_000)
        asked_ns = time.time_ns()
        self.shot = until(lambda: (shot := before.snapshot()).ts_ns > asked_ns and shot, "a fresh snapshot")
        until(lambda: before.snapshot().health.journal_synced_seq >= self.shot.seq, "all of it is on disk")
        kill_9(pid)
        self.next_pid = until(lambda: (new := pid_of("kept", home)) != pid and new, "the engine comes back")
        with wb.attach("kept") as after:
            self.shot_after = after.snapshot()
            self.orders_after = after.client_orders(limit=10_000)


@pytest.fixture(scope="module")
def day(supervised: Child, home: Path) -> dict[str, Any]:
    """A day in which the engine is killed twice while the market plays."""
    deaths: list[Death] = []
    with wb.attach("kept") as desk:
        for cls in day_strategies().values():
            desk.run(cls, symbols="SPY", quantity=QUANTITY)
        desk.market.play()
        for share in (0.2, 0.4):
            desk.wait(until=lambda shot, share=share: shot.session.progress > share)  # type: ignore[misc]
            deaths.append(Death(desk, home, supervised.pid))
        desk.market.speed(0)
        end = desk.wait(finished=True)  # the same session, over three engines
        return {
            "deaths": deaths,
            "end": end,
            "orders": desk.client_orders(limit=10_000),
            "checked": desk.check(),
            "journal": [record for _, record in read(home / "kept" / "journal.sqlite")],
        }


def _same_order(a: OrderRow, b: OrderRow) -> bool:
    names = ("order_id", "client_id", "strategy_id", "symbol", "side", "type", "quantity", "ts_ns", "why")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def test_the_next_engine_knows_every_order(day: dict[str, Any]) -> None:
    for death in day["deaths"]:
        assert len(death.orders) > 5
        later = {row.order_id: row for row in death.orders_after}
        assert len(later) == len(death.orders_after)
        for row in death.orders:
            assert _same_order(row, later[row.order_id])
            if row.state in LAST_WORDS:
                assert later[row.order_id] == row


def test_the_next_engine_has_the_same_strategies(day: dict[str, Any]) -> None:
    def told(shot: Snapshot) -> list[tuple[Any, ...]]:
        return [
            (s.strategy_id, s.name, s.parameters, s.symbols, s.code_hash, s.quantity) for s in shot.strategies
        ]

    for death in day["deaths"]:
        assert told(death.shot_after) == told(death.shot)
        assert len(told(death.shot)) == 4
        for old, new in zip(death.shot.strategies, death.shot_after.strategies, strict=True):
            assert new.decisions >= old.decisions > 0
            assert new.state in ("running", "warming")


def test_the_market_goes_on_where_it_was(day: dict[str, Any]) -> None:
    for number, death in enumerate(day["deaths"], 2):
        assert death.next_pid != death.pid
        assert death.shot_after.session.epoch == number
        assert death.shot_after.session.market == "playing"
        assert death.shot.session.progress <= death.shot_after.session.progress < 1.0
    recorded = list(open_data("SPY", start=DAY, end=DAY).events())
    seen = [record for record in day["journal"] if isinstance(record, Bar | Trade)]
    assert seen == recorded  # every event once, in order, over three engines
    assert all(row.decisions == 391 for row in day["end"].strategies)


def test_nothing_is_doubled(day: dict[str, Any]) -> None:
    journal = day["journal"]
    assert [r.epoch for r in journal if isinstance(r, StartSession)] == [1, 2, 3]
    sent = [r.order_id for r in journal if isinstance(r, Submit)]
    assert sent == list(range(1, len(sent) + 1))
    executions = {r.exec_id: (r.order_id, r.px_e8, r.qty_e8) for r in journal if isinstance(r, Filled)}
    filled: dict[int, int] = {}
    for order_id, _, qty_e8 in executions.values():
        filled[order_id] = filled.get(order_id, 0) + qty_e8
    for row in day["orders"]:
        assert round(row.filled * 1e8) == filled.get(row.order_id, 0)
        assert row.filled <= row.quantity


def test_the_books_are_right_in_the_end(day: dict[str, Any]) -> None:
    assert all(truths(day["checked"]).values()), day["checked"]
    assert day["checked"]["differences"] == []


def test_the_day_was_decided_as_without_the_deaths(day: dict[str, Any]) -> None:
    """Only an order that had not reached the venue when its engine died may make a difference, and it says so."""
    decided = decided_rows(day["orders"])
    lost = [(row.client_id.split("-")[1], row.strategy) for row in day["orders"] if row.state == "not_sent"]
    assert len(lost) == len(set(lost))  # at most the one order that a strategy had under way at a death
    unsent = {strategy for _, strategy in lost}
    for name, cls in day_strategies().items():
        result = backtest(cls, "SPY", start=DAY, end=DAY, quantity=QUANTITY)
        if name in unsent:
            first = next(d.ts_ns for d in decided[name] if d.state == "not_sent")
            assert [d for d in decided[name] if d.ts_ns < first] == [
                d for d in result.decisions if d.ts_ns < first
            ]
        else:
            assert decided[name] == result.decisions, name


# -- killed and started again by hand ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Callable[[], Session]]:
    """Start the desk `hand`, or attach to it; stopped in the end."""

    def start() -> Session:
        return wb.start("hand", speed=0, play=False, quiet=True, start=DAY, end=DAY)

    yield start
    start().stop()


def test_a_kill_outlives_its_engine(running: Callable[[], Session], home: Path) -> None:
    with running() as desk:
        desk.kill("a test of the switch")
        first = desk.address.pid
    kill_9(first)
    assert wait_until_ended(first, 30.0)
    assert pid_of("hand", home) == 0
    with running() as desk:
        session = desk.snapshot().session
        assert session.pid != first
        assert (session.state, session.kill_reason, session.market) == (
            "killed",
            "a test of the switch",
            "paused",
        )
        refusal = desk.place("SPY", "buy", 1)
        assert isinstance(refusal, RefusalRow)
        assert refusal.code == "KILLED"
        desk.arm()
        assert desk.snapshot().session.state == "running"
        assert desk.address.epoch == 2


def test_a_second_engine_is_refused_and_told_who_holds_the_account(running: Callable[[], Session]) -> None:
    with running() as desk:
        pid = desk.address.pid
        told = serve("--name", "hand")
        assert told.returncode == 1
        line = one_line(told.stderr)
        assert f"process {pid}" in line
        assert "attach" in line
        assert desk.snapshot().session.pid == pid  # and the first one goes on
        with running() as again:  # a notebook that starts it once more is attached
            assert again.address.pid == pid


# -- engines that must not start ---------------------------------------------------------------------------------------


@pytest.fixture
def left(home: Path, tmp_path: Path) -> Path:
    """The journal of a desk that was stopped in good order, in a home of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(tmp_path))
        wb.start("old", host="thread", play=False, start=DAY, end=DAY).stop()
    return tmp_path / "old" / "journal.sqlite"


def _edit(journal: Path, sql: str) -> None:
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute(sql)


def test_an_old_journal_is_refused(left: Path) -> None:
    _edit(left, f"UPDATE meta SET value = '{FORMAT + 1}' WHERE key = 'format'")
    before = left.read_bytes()
    told = serve("--name", "old", home=left.parent.parent)
    assert told.returncode == 1
    line = one_line(told.stderr)
    assert str(left) in line
    assert f"format {FORMAT + 1}" in line
    assert "move the file away" in line
    assert left.read_bytes() == before


def test_a_damaged_journal_is_refused(left: Path) -> None:
    _edit(
        left,
        "UPDATE frames SET payload = CAST(substr(payload, 1, length(payload) - 1) "
        "|| CASE substr(payload, -1) WHEN X'00' THEN X'01' ELSE X'00' END AS BLOB) "
        "WHERE first_seq = (SELECT max(first_seq) FROM frames)",
    )
    told = serve("--name", "old", home=left.parent.parent)
    assert told.returncode == 1
    line = one_line(told.stderr)
    assert str(left) in line
    assert "is damaged at seq" in line
    assert "backup" in line


def test_another_market_is_refused(left: Path, tmp_path: Path) -> None:
    csv = tmp_path / "qqq.csv"
    csv.write_text(
        "ts,symbol,open,high,low,close,volume\n"
        + "".join(f"2020-12-16T15:0{n}:00Z,QQQ,300,301,299,300,10\n" for n in range(5))
    )
    told = serve("--name", "old", "--data", str(csv), home=left.parent.parent)
    assert told.returncode == 1
    line = one_line(told.stderr)
    assert "SPY" in line
    assert "QQQ" in line
    assert "--fresh" in line


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "file"
    closed.write_text("not a folder")
    homes = [closed / "home"]
    if os.geteuid() == 0:
        homes.append(Path("/sys/workbench"))  # root may write everywhere but there
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        homes.append(tmp_path / "closed")
    for folder in homes:
        told = serve("--name", "desk", home=folder)
        assert told.returncode == 1, told.stderr
        line = one_line(told.stderr)
        assert str(folder) in line
        assert "WORKBENCH_HOME" in line


def test_a_busy_port_is_refused(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = serve("--name", "busy", "--port", str(port))
    assert told.returncode == 1
    line = one_line(told.stderr)
    assert str(port) in line
