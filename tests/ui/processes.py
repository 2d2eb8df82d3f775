"""Processes the ui's tests need, started and stopped by handle: an in-memory desk behind the real API, others."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from workbench.api.address import Address

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 100.0


class RunningDesk:
    """A desk that runs: its name, the home it is in, and its address."""

    def __init__(self, name: str, home: Path, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.name, self.home, self.process = name, home, process

    @property
    def folder(self) -> Path:
        return self.home / self.name

    @property
    def address(self) -> Address:
        return msgspec.json.decode((self.folder / "engine.json").read_bytes(), type=Address)


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition()` is true; fail with `what` when it does not become so."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_s:g} s: {what}")
        time.sleep(0.02)


@contextmanager
def running(
    argv: list[str],
    log: Path,
    ready: Callable[[], object],
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `argv` until the block ends; it has to be `ready()` first."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}, cwd=cwd
        )
    try:
        until(lambda: ready() or process.poll() is not None, f"{argv[:4]} to be ready")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


@contextmanager
def fake_desk(home: Path, name: str = "default", strategies: int = 3) -> Iterator[RunningDesk]:
    """The in-memory desk with moving numbers, served by the real API server in a process of its own."""
    folder = home / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "tests.api.fake_server", "--home", str(home), "--name", name]
    argv += ["--port", "0", "--strategies", str(strategies)]
    with running(argv, home / f"{name}.log", (folder / "engine.json").exists) as process:
        yield RunningDesk(name, home, process)
