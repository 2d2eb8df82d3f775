"""Dying processes and dying disks: nothing acknowledged is lost, nothing is sent after a failed sync."""

import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench.errors import JournalError, JournalStopped
from workbench.journal import Journal, failpoints, read
from workbench.model import Sent

type Child = Callable[..., subprocess.Popen[str]]

WRITE = """
import asyncio, os, sys, pathlib
from workbench.journal import Journal
from workbench.model import Sent

async def main():
    with Journal.open(pathlib.Path(sys.argv[1]), loop=asyncio.get_running_loop()) as journal:
        while True:
            for _ in range(5):
                seq = journal.append(Sent(journal.epoch, journal.last_seq + 1))
                journal.commit(lambda seq: os.write(1, b"%d\\n" % seq))
            journal.append(Sent(journal.epoch, journal.last_seq + 1))
            journal.commit(sync=False)
            await asyncio.sleep(0.0005)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def check(path: Path, acknowledged: int) -> int:
    """Everything acknowledged is there, in order, and nothing else than what was appended."""
    records = list(read(path))
    assert [seq for seq, _ in records] == list(range(1, len(records) + 1))
    assert all(isinstance(record, Sent) and record.order_id == seq for seq, record in records)
    assert len(records) >= acknowledged
    return len(records)


@pytest.mark.slow
def test_kill_9_loses_nothing_acknowledged(path: Path, child: Child) -> None:
    lucky = random.Random(20201215)
    acknowledged = 0
    for _ in range(15):
        process = child(WRITE, str(path))
        assert process.stdout is not None
        for _ in range(lucky.randrange(1, 60)):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.communicate(timeout=30)[0].splitlines(keepends=True):
            acknowledged = int(line) if line.endswith("\n") else acknowledged
        assert process.returncode == -signal.SIGKILL
        check(path, acknowledged)
    assert acknowledged > 15


@pytest.mark.parametrize("stage", ["journal.pre_sync", "journal.post_sync"])
def test_killed_around_a_sync(path: Path, child: Child, stage: str) -> None:
    acknowledged = 0
    for passage in ("1", "4"):
        process = child(WRITE, str(path), FAILPOINT=f"{stage}:kill@{passage}")
        out, err = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL, err
        acknowledged = max([acknowledged, *map(int, out.split())])
        kept = check(path, acknowledged)
        if stage == "journal.post_sync":
            assert kept > acknowledged  # durable, and nobody was told: recovery asks the broker


async def test_after_a_failed_sync_nobody_hears_durable_and_nothing_is_taken(path: Path) -> None:
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[JournalStopped] = loop.create_future()
    heard: list[int] = []
    journal = Journal.open(path, loop=loop, on_failed=failed.set_result)
    journal.append(Sent(1, 1))
    first = loop.create_future()
    journal.commit(first.set_result)
    await asyncio.wait_for(first, 100)
    failpoints.arm("journal.pre_sync:eio@1")
    for i in range(2, 5):
        journal.append(Sent(1, i))
        journal.commit(heard.append)
    error = await asyncio.wait_for(failed, 100)
    assert re.search(
        r"stopped after seq 1: the disk refused a sync .OSError: .*Input/output error.*nothing more",
        str(error),
    )
    assert journal.failed is error
    with pytest.raises(JournalStopped, match="stopped after seq 1"):
        journal.append(Sent(1, 5))
    with pytest.raises(JournalStopped, match="stopped after seq 1"):
        journal.commit(heard.append)
    await asyncio.sleep(0)
    journal.close()
    assert (heard, journal.synced_seq) == ([], 1)
    assert [seq for seq, _ in read(path)] == [1]
    Journal.open(path).close()


def test_inline_writer_stops_the_same_way(path: Path) -> None:
    failed: list[JournalStopped] = []
    heard: list[int] = []
    with Journal.open(path, on_failed=failed.append) as journal:
        failpoints.arm("journal.post_sync:eio@1")
        journal.append(Sent(1, 1))
        journal.commit(heard.append)
        assert heard == []
        assert journal.failed is failed[0]
        with pytest.raises(JournalStopped):
            journal.append(Sent(1, 2))


FULL = """
import asyncio, resource, signal, sys, pathlib
from workbench.journal import Journal
from workbench.model import Cancelled

async def main():
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    def on_failed(error):
        print("failed:", error, flush=True)
        stopped.set()
    path = pathlib.Path(sys.argv[1])
    journal = Journal.open(path, loop=loop, on_failed=on_failed)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 100_000,) * 2)
    while not stopped.is_set():
        for _ in range(50):
            if journal.failed is None:
                journal.append(Cancelled(1, journal.last_seq + 1, "x" * 20_000))
        if journal.failed is None:
            journal.commit(lambda seq: print(seq, flush=True))
        await asyncio.sleep(0.001)
    journal.close()

asyncio.run(main())
"""


def test_a_full_disk_stops_the_journal_and_keeps_what_it_promised(path: Path, child: Child) -> None:
    """A real write error from the kernel: files may not grow any more."""
    out, err = child(FULL, str(path)).communicate(timeout=60)
    assert err == ""
    *acknowledged, last = out.splitlines()
    assert re.search(r"^failed: journal '.*' stopped after seq \d+: the disk refused a sync", last)
    promised = max(map(int, acknowledged), default=0)
    assert [seq for seq, _ in read(path)][:promised] == list(range(1, promised + 1))
    with Journal.open(path) as journal:  # and with room again it goes on where it stopped
        assert journal.last_seq >= promised
        journal.append(Sent(1, 1))
        journal.commit()
        assert journal.synced_seq == journal.last_seq


CLOSED = """
import os, sys, pathlib, urllib.request
from workbench.errors import JournalError
from workbench.journal import Journal, read
if os.geteuid() == 0:
    os.setuid(65534)
try:
    if sys.argv[2] == "write":
        Journal.open(pathlib.Path(sys.argv[1]))
    else:
        list(read(pathlib.Path(sys.argv[1])))
except JournalError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("mode", "action", "text"),
    [
        (0o555, "write", r"cannot be written .*: give this user write permission"),
        (
            0o777,
            "write",
            r"journal '.*' cannot be written or read .*: give this user permission to its folder",
        ),
        (
            0o777,
            "read",
            r"journal '.*' cannot be written or read .*: give this user permission to its folder",
        ),
    ],
)
def test_no_permission_is_one_clear_line(child: Child, mode: int, action: str, text: str) -> None:
    """A folder where nobody may write, and a journal of somebody else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "SIM-1"
        Journal.open(folder / "journal.sqlite").close()
        (folder / "account.lock").unlink()
        (folder / "journal.sqlite").chmod(0)
        folder.chmod(mode)
        Path(name).chmod(0o755)
        out, err = child(CLOSED, str(folder / "journal.sqlite"), action).communicate(timeout=60)
        folder.chmod(0o700)
    assert err == ""
    assert re.fullmatch(f"{'' if mode == 0o777 else 'account folder .*'}{text}.*\n", out), out


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        JournalError, match=r"cannot be made .* write permission or choose another WORKBENCH_HOME"
    ):
        Journal.open(tmp_path / "file" / "SIM-1" / "journal.sqlite")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace counts the system's own syncs")
def test_the_kernel_sees_one_sync_per_commit(path: Path, tmp_path: Path) -> None:
    code = """
import sys, pathlib
from workbench.journal import Journal
from workbench.model import Sent
with Journal.open(pathlib.Path(sys.argv[1])) as journal:
    print("mark", file=open(sys.argv[2], "w"))
    for i in range(40):
        journal.append(Sent(1, i)); journal.commit()
    print("mark", file=open(sys.argv[2], "w"))
"""
    log, mark = tmp_path / "strace.log", tmp_path / "mark"
    root = str(Path(__file__).resolve().parents[2])
    command = ["strace", "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,openat"]
    run = subprocess.run(
        [*command, sys.executable, "-c", code, str(path), str(mark)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "ptrace" in run.stderr:
        pytest.skip("ptrace is not allowed here")
    assert run.returncode == 0, run.stderr
    _, between, _ = re.split(r".*openat.*/mark\".*\n", log.read_text())
    assert len(re.findall(r"f(?:data)?sync\(\d+\) += 0", between)) == 40
