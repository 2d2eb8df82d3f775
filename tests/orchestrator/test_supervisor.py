"""The supervisor over tiny processes: restart, refusal, order of stopping, giving up."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from workbench.errors import Refused
from workbench.orchestrator import supervisor as room
from workbench.orchestrator.supervisor import Child, Supervisor

# A process that notes its start, gets ready, and notes its end when asked to stop.
STAYS = """
import pathlib, signal, sys, time
ready, note = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
def end(*_):
    with note.open("a") as file: file.write(ready.stem + " stopped\\n")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, end)
with note.open("a") as file: file.write(ready.stem + " started\\n")
ready.write_text("{}")
while True: time.sleep(0.05)
"""
REFUSES = "print('loading'); print('port 80 is busy: take another'); raise SystemExit(1)"
LEAVES = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text("{}")
while not pathlib.Path(sys.argv[2]).with_name("leave").exists(): time.sleep(0.01)
"""
CRASHES = LEAVES + "raise SystemExit(3)"
DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("{}")
while True: time.sleep(0.05)
"""


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - the condition is a process's state
            await asyncio.sleep(0.005)


class Rig:
    """Children by script, and every state they went through."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.note = folder, folder / "note.txt"
        self.states: list[tuple[str, str]] = []
        self.supervisors: list[Supervisor] = []

    def __call__(self, **scripts: str) -> Supervisor:
        children = [
            Child(
                name,
                [sys.executable, "-c", script, str(self.folder / f"{name}.json"), str(self.note)],
                self.folder / f"{name}.json",
                self.folder / f"{name}.out",
            )
            for name, script in scripts.items()
        ]
        supervisor = Supervisor(children, lambda child: self.states.append((child.name, child.state)))
        self.supervisors.append(supervisor)
        return supervisor

    def noted(self) -> list[str]:
        return self.note.read_text().splitlines() if self.note.exists() else []

    def of(self, name: str) -> list[str]:
        return [state for child, state in self.states if child == name]


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(room, "RESTART_S", 0.01)
    monkeypatch.setattr(room, "RESTART_LONGEST_S", 0.02)
    # what a slow machine needs longer for is no other outcome
    monkeypatch.setattr(room, "RESTART_WINDOW_S", 3_600.0)
    monkeypatch.setattr(room, "STOP_S", 60.0)
    made = Rig(tmp_path)
    yield made
    for supervisor in made.supervisors:
        await supervisor.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_they_start_in_order_and_stop_in_reverse(rig: Rig) -> None:
    supervisor = rig(first=STAYS, second=STAYS)
    await supervisor.start(100)
    assert [c.state for c in supervisor.children] == ["running", "running"]
    assert all(c.ready_s > 0 for c in supervisor.children)
    pids = [c.pid for c in supervisor.children]
    await supervisor.stop()
    assert rig.noted() == ["first started", "second started", "second stopped", "first stopped"]
    assert [c.state for c in supervisor.children] == ["stopped", "stopped"]
    assert not any(alive(pid) for pid in pids)
    await asyncio.wait_for(supervisor.wait(), 1)


async def test_a_killed_child_comes_back_and_the_others_stay(rig: Rig) -> None:
    supervisor = rig(first=STAYS, second=STAYS)
    await supervisor.start(100)
    first, second = supervisor.children
    pids = first.pid, second.pid
    os.kill(first.pid, signal.SIGKILL)
    await eventually(lambda: rig.of("first").count("running") == 2)
    assert rig.noted().count("first started") == 2
    assert (first.restarts, second.restarts) == (1, 0)
    assert first.pid != pids[0]
    assert second.pid == pids[1]
    assert "died (SIGKILL), restarting" in rig.of("first")
    await supervisor.stop()
    assert rig.noted()[-2:] == ["second stopped", "first stopped"]


async def test_a_refusal_stops_the_rest_and_tells_the_last_line(rig: Rig) -> None:
    supervisor = rig(first=STAYS, second=REFUSES, third=STAYS)
    with pytest.raises(Refused, match=r"second ended: port 80 is busy: take another \(log: .*second\.out\)"):
        await supervisor.start(100)
    assert rig.noted() == ["first started", "first stopped"]
    assert rig.of("third") == []
    assert supervisor.children[1].restarts == 0  # asking again would get the same answer
    assert not alive(supervisor.children[0].pid)


async def test_an_old_log_is_not_told_as_the_reason(rig: Rig) -> None:
    supervisor = rig(first="raise SystemExit(1)")
    supervisor.children[0].log.write_text("all was well yesterday\n")
    with pytest.raises(Refused, match="first ended: it said nothing"):
        await supervisor.start(100)


async def test_one_that_is_never_ready_is_refused(rig: Rig) -> None:
    supervisor = rig(first="import time; time.sleep(60)")
    with pytest.raises(Refused, match=r"first not ready after 0\.3 s: it said nothing"):
        await supervisor.start(0.3)
    assert not alive(supervisor.children[0].pid)


async def test_an_orderly_exit_is_no_death(rig: Rig) -> None:
    supervisor = rig(first=LEAVES, second=STAYS)
    await supervisor.start(100)
    (rig.folder / "leave").touch()
    await eventually(lambda: supervisor.children[0].state == "stopped")
    assert supervisor.children[0].restarts == 0
    assert supervisor.children[1].state == "running"


async def test_one_that_dies_again_and_again_is_given_up(rig: Rig) -> None:
    supervisor = rig(second=STAYS, first=CRASHES)
    await supervisor.start(100)
    crashing = supervisor.children[1]
    (rig.folder / "leave").touch()
    await eventually(lambda: crashing.state == "failed")
    assert crashing.restarts == room.RESTARTS_MAX
    assert rig.of("first").count("died (exit status 3), restarting") == room.RESTARTS_MAX
    assert supervisor.children[0].state == "running"
    await supervisor.stop()
    assert crashing.state == "failed"  # a stop does not hide it


async def test_a_deaf_child_is_killed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STOP_S", 0.1)
    supervisor = rig(first=DEAF)
    await supervisor.start(100)
    pid = supervisor.children[0].pid
    await supervisor.stop()
    assert not alive(pid)
    assert rig.of("first")[-2:] == ["stopping", "stopped"]
