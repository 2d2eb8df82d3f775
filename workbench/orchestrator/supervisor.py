"""Keeps the desk's processes alive: starts them, restarts the ones that die, stops them in order.

Knows commands and files only, no room above or beside it: who wants what supervised says so in `Child`s.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from workbench.errors import Refused

__all__ = ["Child", "Supervisor"]

RESTARTS_MAX = 5
RESTART_WINDOW_S = 60.0
STOP_S = 10.0
READY_POLL_S = 0.01
RESTART_S = 0.5
RESTART_LONGEST_S = 8.0


class Child(msgspec.Struct):
    """One process to keep alive. `ready_file` appears when it accepts work, `ready_s` after the process started."""

    name: str
    argv: list[str]
    ready_file: Path
    log: Path
    env: dict[str, str] = {}
    restarts: int = 0
    started_s: float = 0.0
    ready_s: float = 0.0
    pid: int = 0
    state: str = "stopped"


class Supervisor:
    """Runs children until `stop()`; `on_change(child)` is called at every change of state.

    A child that ends by itself is started again after 0.5 s, doubling to 8 s; after five restarts within a minute
    it stays down, its state says `failed`, and the others go on.
    """

    def __init__(self, children: list[Child], on_change: Callable[[Child], None]) -> None:
        self.children = children
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._log_from: dict[str, int] = {}

    async def start(self, timeout_s: float = 60.0) -> None:
        """Start all children in order, each after the one before is ready.

        Raises:
            Refused: one of them ended, or was not ready in time; the rest is stopped, its last log line is told.
        """
        for child in self.children:
            child.ready_file.unlink(missing_ok=True)
            child.state = "starting"
            self._tasks[child.name] = asyncio.create_task(self._keep(child), name=f"keep-{child.name}")
            deadline = time.monotonic() + timeout_s
            while child.state != "running":
                down = child.state in ("failed", "ended", "stopped")
                if down or time.monotonic() > deadline:
                    await self.stop()
                    why = "ended" if down else f"not ready after {timeout_s:g} s"
                    raise Refused(f"{child.name} {why}: {self._last_line(child)} (log: {child.log})")
                await asyncio.sleep(READY_POLL_S)

    async def wait(self) -> None:
        """Return when `stop()` was called from elsewhere."""
        await self._stopping.wait()

    async def stop(self) -> None:
        """Stop the children, last started first: SIGTERM, then SIGKILL after 10 s."""
        self._stopping.set()
        for child in reversed(self.children):
            process = self._processes.get(child.name)
            if process is not None and process.returncode is None:
                self._tell(child, "stopping")
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()
            task = self._tasks.get(child.name)
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            if child.state not in ("failed", "ended", "stopped"):
                self._tell(child, "stopped")

    async def _keep(self, child: Child) -> None:
        died: list[float] = []
        while not self._stopping.is_set():
            self._tell(child, "starting")
            code = await self._run_once(child)
            if self._stopping.is_set():
                return
            if code == 0:
                self._tell(child, "stopped")  # somebody asked it to stop: that is not a death
                return
            if not child.ready_file.exists():
                self._tell(
                    child, "ended"
                )  # it never came up: a refusal, not a crash; starting again cannot help
                return
            died = [t for t in died if time.monotonic() - t < RESTART_WINDOW_S] + [time.monotonic()]
            if len(died) > RESTARTS_MAX:
                self._tell(child, "failed")
                return
            child.restarts += 1
            self._tell(child, f"died ({_exit_words(code)}), restarting")
            await asyncio.sleep(min(RESTART_LONGEST_S, RESTART_S * 2 ** (len(died) - 1)))

    async def _run_once(self, child: Child) -> int:
        child.log.parent.mkdir(parents=True, exist_ok=True)
        child.ready_file.unlink(missing_ok=True)
        with child.log.open("ab") as log:
            self._log_from[child.name] = log.tell()
            process = await asyncio.create_subprocess_exec(
                *child.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **child.env},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in order
            )
        child.pid, child.started_s = process.pid, time.monotonic()
        self._processes[child.name] = process
        watching = asyncio.create_task(self._until_ready(child))
        try:
            return await process.wait()
        finally:
            watching.cancel()

    async def _until_ready(self, child: Child) -> None:
        while not child.ready_file.exists():  # noqa: ASYNC110 - another process makes the file
            await asyncio.sleep(READY_POLL_S)
        child.ready_s = time.monotonic() - child.started_s
        self._tell(child, "running")

    def _last_line(self, child: Child) -> str:
        """What the process that ran last said last; the log may hold the words of earlier ones."""
        try:
            said = child.log.read_bytes()[self._log_from.get(child.name, 0) :]
        except OSError as error:
            return f"no log ({error.strerror})"
        lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def _tell(self, child: Child, state: str) -> None:
        child.state = state
        self._on_change(child)


def _exit_words(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"
