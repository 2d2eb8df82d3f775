"""Starting an engine: as a process of its own that outlives the notebook, or in a thread for tests."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from workbench.api.address import Address, desk_folder, pid_alive, read_address
from workbench.api.bodies import ErrorBody
from workbench.api.loop_thread import LoopThread
from workbench.api.raised import error_from
from workbench.config import load_settings
from workbench.errors import Refused

__all__ = ["EngineThread", "spawn_engine", "wait_until_ended"]

# engines this process started: their exit must be collected, or they stay as zombies while the kernel lives
_spawned: dict[int, "subprocess.Popen[bytes]"] = {}


class _Told(msgspec.Struct):
    ready: bool
    error: ErrorBody | None = None


def spawn_engine(
    name: str,
    home: Path,
    overrides: dict[str, Any],
    *,
    config: Path | None,
    play: bool,
    fresh: bool,
    timeout_s: float,
    tick: Callable[[float], None],
) -> Address:
    """Start a detached engine and wait until it accepts orders; `tick(seconds)` is called while waiting.

    Raises:
        WorkbenchError: what the engine said when it refused, as the same type.
        Refused: it ended without a word, or was not ready in time (it is stopped then).
    """
    folder = desk_folder(name, home)
    argv = [sys.executable, "-m", "workbench.api.serve", "--json", "--name", name]
    argv += ["--overrides", msgspec.json.encode(overrides).decode()]
    argv += ["--config", str(config)] if config is not None else []
    argv += ["--play" if play else "--hold", *(["--fresh"] if fresh else [])]
    with open(
        os.open(folder / "engine.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab"
    ) as errors_file:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors_file,
            env={**os.environ, "WORKBENCH_HOME": str(home)},
            start_new_session=True,
        )
    _spawned[child.pid] = child
    try:
        line = _first_line(child, timeout_s, tick)
    except BaseException:
        child.terminate()
        wait_until_ended(child.pid, 10.0)
        raise
    if not line:
        wait_until_ended(child.pid, 10.0)
        raise Refused(f"the engine of desk '{name}' ended without a word: see {folder / 'engine.out'}")
    told = msgspec.json.decode(line, type=_Told)
    if not told.ready:
        wait_until_ended(child.pid, 10.0)
        raise error_from(told.error or ErrorBody("Refused", "the engine refused to start: see engine.log"))
    return read_address(folder)


def _first_line(child: "subprocess.Popen[bytes]", timeout_s: float, tick: Callable[[float], None]) -> bytes:
    if child.stdout is None:
        raise Refused("the engine was started without a pipe")
    began_s, got = time.monotonic(), b""
    with child.stdout as pipe:
        while b"\n" not in got:
            waited_s = time.monotonic() - began_s
            if waited_s > timeout_s:
                raise Refused(
                    f"the engine was not ready within {timeout_s:g} s: it was stopped; see engine.log"
                )
            if select.select([pipe], [], [], 0.2)[0]:
                chunk = os.read(pipe.fileno(), 65536)
                if not chunk:
                    return b""
                got += chunk
            else:
                tick(waited_s)
    return got.split(b"\n", 1)[0]


def wait_until_ended(pid: int, timeout_s: float) -> bool:
    """Whether the process has ended within `timeout_s`; collects it when it is a child of ours."""
    child = _spawned.get(pid)
    if child is not None:
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        del _spawned[pid]
        return True
    deadline_s = time.monotonic() + timeout_s
    while pid_alive(pid):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


class EngineThread:
    """Desk and server in a thread of this process: for tests and quick research. It ends with the process."""

    def __init__(
        self,
        name: str,
        home: Path,
        overrides: dict[str, Any],
        *,
        config: Path | None,
        play: bool,
        timeout_s: float,
    ) -> None:
        from workbench.api.engine_host import EngineHost

        settings = load_settings(config, **{**overrides, "name": name})
        self._thread = LoopThread(f"engine-{name}")

        async def begin() -> tuple[EngineHost, Address]:
            host = EngineHost(settings, home, play=play)
            return host, await host.start()

        try:
            self._host, self.address = self._thread.call(begin(), timeout_s)
        except BaseException:
            self._thread.close()
            raise

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop in good order."""
        try:
            self._thread.call(self._host.stop(), timeout_s)
        finally:
            self._thread.close()
