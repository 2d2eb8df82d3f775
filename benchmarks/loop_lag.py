"""Loop lag of the engine's process, alone and while a notebook kernel burns a Python thread and long C calls.

The engine is the real one: its own process, API open, the recorded market playing at 60 times with a strategy placed.
The burner is a real Jupyter kernel. Lag is how late a 5 ms timer fires in the engine's loop. `raw` is how late a bare
5 ms sleep wakes in a process that does nothing else, over the same seconds: what the machine itself allows.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

BURN = """
import threading

def spin():
    while True:
        sum(i * i for i in range(1000))

threading.Thread(target=spin, daemon=True).start()
while True:
    pow(7, 3_000_000)  # one long C call that holds the interpreter
"""
SECONDS = 20.0


async def engine_process(home: Path) -> None:
    """The child: a desk with its server; answers `measure SECONDS` lines on stdin with one JSON line each."""
    from workbench.api.engine_host import EngineHost
    from workbench.config import load_settings
    from workbench.monitor import Histogram
    from workbench.strategy import find_strategy, strategy_source

    host = EngineHost(load_settings(name="lag", market={"speed": 60.0}), home, play=True)
    await host.start()
    found = strategy_source(find_strategy("RsiReversion"))
    await host.desk.add_strategy(found.name, found.source, {}, ["SPY"], 10.0)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while line := await reader.readline():
        seconds = float(line.split()[1])
        host.desk.loop_lag.histogram = lag = Histogram()
        await asyncio.sleep(seconds)
        p50, p99, p999 = lag.percentiles((50, 99, 99.9))
        figures = {
            "p50_ms": p50 / 1e6,
            "p99_ms": p99 / 1e6,
            "p999_ms": p999 / 1e6,
            "max_ms": lag.max_ns / 1e6,
        }
        print(json.dumps({**figures, "samples": lag.count, "timer": host.desk.loop_lag.source}), flush=True)
    await host.stop()


def measured(child: "subprocess.Popen[str]") -> dict[str, Any]:
    """One measurement in the child, the bare sleeper's beside it."""
    inlet, outlet = _pipes(child)
    inlet.write(f"measure {SECONDS}\n")
    inlet.flush()
    late: list[int] = []
    done = threading.Event()
    sleeper = threading.Thread(target=_sleep_bare, args=(late, done))
    sleeper.start()
    try:
        found: dict[str, Any] = json.loads(outlet.readline())
    finally:  # an interrupted run ends, too
        done.set()
        sleeper.join()
    late.sort()
    return {**found, "raw_p99_ms": late[len(late) * 99 // 100] / 1e6}


def _sleep_bare(late: list[int], done: threading.Event) -> None:
    while not done.is_set():
        begun = time.monotonic_ns()
        time.sleep(0.005)
        late.append(time.monotonic_ns() - begun - 5_000_000)


def _pipes(child: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the engine's process was started without pipes")
    return child.stdin, child.stdout


def run(say: Callable[[str], None] = print) -> dict[str, Any]:
    """All figures; about 50 s."""
    from jupyter_client.manager import KernelManager

    home = Path(tempfile.mkdtemp(prefix="loop-lag-"))
    environment = {**os.environ, "WORKBENCH_HOME": str(home)}
    command = [sys.executable, __file__, str(home)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    kernel = KernelManager(transport="ipc")
    try:
        _pipes(child)[1].readline()
        say(f"idle: {SECONDS:g} s")
        idle = measured(child)
        kernel.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = kernel.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute(BURN)
        time.sleep(1.0)
        say(f"busy: {SECONDS:g} s, a kernel burns a thread and C calls")
        busy = measured(child)
        client.stop_channels()
    finally:
        if kernel.has_kernel:
            kernel.shutdown_kernel(now=True)
        _pipes(child)[0].close()
        child.wait(30)
    return {
        **{f"idle_{name}": round(value, 4) for name, value in idle.items() if name.endswith("_ms")},
        **{f"busy_{name}": round(value, 4) for name, value in busy.items() if name.endswith("_ms")},
        "samples": busy["samples"],
        "timer": busy["timer"],
    }


if __name__ == "__main__":
    import uvloop

    with contextlib.suppress(KeyboardInterrupt):  # whoever started it says so
        uvloop.run(engine_process(Path(sys.argv[1])))
