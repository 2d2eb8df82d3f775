"""Run one step of the setup and show how it goes: live in a terminal, as plain lines in a log.

Lives here: progress lines, the copy of what a step said, stopping it with us. Not here: which steps there are
(setup.py). Standard library only, from Python 3.9.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import BinaryIO, Iterator, Sequence

HEARTBEAT_S = 10.0
LOG_TAIL_LINES = 12
# uv's closing list of every package put in or taken out: kept in the log, no news to a person.
_PACKAGE_LINE = re.compile(rb"^ (\x1b\[\d+m)?[-+~].*\r?\n", re.MULTILINE)


class SetupRefusedError(Exception):
    """Setting up cannot go on; the message is one line that says what to do."""


class Progress:
    """Plain lines with the seconds gone by: they read well in a terminal, in a log and in CI."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    def say(self, text: str) -> None:
        print("setup: [{:5.1f} s] {}".format(time.monotonic() - self._began_s, text), flush=True)


def run_step(
    command: Sequence[str],
    doing: str,
    *,
    log_file: Path,
    progress: Progress,
    cwd: Path,
    env: dict[str, str] | None = None,
) -> None:
    """Run one step to its end; raise SetupRefusedError with its last lines when it fails."""
    log_file.parent.mkdir(exist_ok=True)
    with log_file.open("wb") as log:
        if sys.stderr.isatty():
            status = run_in_terminal(command, log, env, cwd)
        else:
            status = run_quietly(command, doing, log, progress, env, cwd)
    if status != 0:
        tail = log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        raise SetupRefusedError("\n".join([*tail, "{} failed (exit status {})".format(doing, status)]))


def run_quietly(
    command: Sequence[str],
    doing: str,
    log: BinaryIO,
    progress: Progress,
    env: dict[str, str] | None,
    cwd: Path,
) -> int:
    """Run with its words in the log only, and one line every ten seconds that it still goes on."""
    began_s = time.monotonic()
    process = subprocess.Popen(list(command), stdout=log, stderr=log, env=env, cwd=str(cwd))
    with stopped_with_us(process):
        while True:
            try:
                return process.wait(HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                progress.say("still {} ({:.0f} s)".format(doing, time.monotonic() - began_s))


@contextlib.contextmanager
def stopped_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C stops the step that runs, not only this program."""
    try:
        yield
    except BaseException:
        process.terminate()
        process.wait()
        raise


def run_in_terminal(command: Sequence[str], log: BinaryIO, env: dict[str, str] | None, cwd: Path) -> int:
    """Run behind a terminal of its own, so that uv draws its progress, and keep a copy of what it said."""
    ours, theirs = pty.openpty()
    with contextlib.suppress(OSError):  # a terminal that does not tell its size: uv takes 80 columns
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(sys.stderr, termios.TIOCGWINSZ, b"\0" * 8))
    process = subprocess.Popen(list(command), stdout=theirs, stderr=theirs, env=env, cwd=str(cwd))
    os.close(theirs)
    with stopped_with_us(process):
        while True:
            try:
                said = os.read(ours, 65536)
            except OSError:  # Linux says so when the last writer has gone
                break
            if not said:
                break
            log.write(said)
            sys.stderr.buffer.write(_PACKAGE_LINE.sub(b"", said))
            sys.stderr.flush()
        os.close(ours)
        return process.wait()
