import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import AccountLocked
from workbench.journal import AccountLock, Journal

HOLD = """
import sys, pathlib
from workbench.journal import Journal
journal = Journal.open(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_engine_is_told_who_holds_the_account(
    path: Path, child: Callable[..., subprocess.Popen[str]]
) -> None:
    first = child(HOLD, str(path))
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(
            AccountLocked, match=rf"held by process {first.pid}.*: attach to that one, or stop"
        ):
            Journal.open(path)
    finally:
        first.kill()
        first.communicate()
    with Journal.open(path) as journal:  # a dead holder holds nothing
        assert journal.epoch == 2


def test_two_journals_of_one_process_exclude_each_other(path: Path) -> None:
    with Journal.open(path), pytest.raises(AccountLocked, match=f"process {os.getpid()}"):
        Journal.open(path.with_name("other.sqlite"))


def test_a_torn_lock_file_is_only_a_hint(tmp_path: Path) -> None:
    (tmp_path / "account.lock").write_bytes(b'{"pid": 12')
    lock = AccountLock(tmp_path)
    assert lock.epoch == 0
    lock.release()
    lock.release()


def test_a_failed_opening_frees_the_account(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no journal " * 100)
    for _ in range(2):
        with pytest.raises(Exception, match="damaged"):
            Journal.open(path)
    path.unlink()
    Journal.open(path).close()


def test_sigkill_frees_the_account(path: Path, child: Callable[..., subprocess.Popen[str]]) -> None:
    first = child(HOLD, str(path))
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    Journal.open(path).close()
