"""What the journal costs on this disk, next to a bare write + fdatasync on the same disk in the same run.

`run()` gives one flat dictionary; `workbench bench journal --json` prints it. Under asyncio and uvloop:
one intent at a time (closed loop), 10,000 intents a second from another process (open loop), and records a second
in batches; then how fast a journal of 100,000 events is read back and folded.
Latency counts from `append` to the callback on the loop. Open loop: one commit for all intents of a loop iteration,
and a `Sent` note for each once it is durable, as the driver does it.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from workbench.journal import Journal, recover
from workbench.model import Bar, Event, Sent, Submit

__all__ = ["run"]

_LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
# Another process sends 8 bytes for each intent that is due; it sleeps between, so it leaves the cores alone.
_FEEDER = """
import socket, sys, time
sock = socket.socket(fileno=int(sys.argv[1]))
rate, total = int(sys.argv[2]), int(sys.argv[3])
begun, sent = time.monotonic_ns(), 0
while sent < total:
    due = min(total, (time.monotonic_ns() - begun) * rate // 10**9)
    if due > sent:
        sock.sendall(bytes(8 * (due - sent)))
        sent = due
    time.sleep(5e-5)
"""


def run(folder: Path | None = None, *, scale: float = 1.0) -> dict[str, float]:
    """Measure in a new folder below `folder` (default: the temporary one); `scale` 0.1 is a tenth of the work.

    Keys end in their unit; `<loop>_` is asyncio or uvloop, `best_` the better loop at the default switch interval.
    """
    out: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="journal-bench-") as name:
        here = Path(name)
        out |= _raw(here, round(1000 * scale))
        for loop, factory in _LOOPS.items():
            out |= _on(factory, _one_at_a_time(here / f"{loop}-one", round(3000 * scale)), f"{loop}_one")
            out |= _on(
                factory, _open_loop(here / f"{loop}-open", 10_000, round(20_000 * scale)), f"{loop}_open10k"
            )
            out |= _on(factory, _batches(here / f"{loop}-batch", round(400_000 * scale)), f"{loop}_batch")
        default_s = sys.getswitchinterval()
        for micros in (50, 500):
            sys.setswitchinterval(micros / 1e6)
            try:
                work = _open_loop(here / f"switch-{micros}", 10_000, round(20_000 * scale))
                out |= _on(_LOOPS["uvloop"], work, f"uvloop_open10k_switch{micros}us")
            finally:
                sys.setswitchinterval(default_s)
        out |= _fold(here / "fold", round(100_000 * scale))
    for what in ("one_p50_us", "one_p99_us", "open10k_p50_us", "open10k_p99_us"):
        out[f"best_{what}"] = min(out[f"{loop}_{what}"] for loop in _LOOPS)
    out["best_records_per_s"] = max(out[f"{loop}_batch_records_per_s"] for loop in _LOOPS)
    out["one_over_raw"] = out["best_one_p50_us"] / out["raw_fsync_p50_us"]
    return {key: round(value, 3) for key, value in out.items()}


def _raw(here: Path, n: int) -> dict[str, float]:
    """256 bytes written over existing ones, then fdatasync: the least a durable record can cost."""
    sync = getattr(os, "fdatasync", os.fsync)
    fd = os.open(here / "raw", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.pwrite(fd, bytes(256 * n), 0)
        os.fsync(fd)
        took = []
        for i in range(n):
            begun = time.perf_counter_ns()
            os.pwrite(fd, b"x" * 256, 256 * i)
            sync(fd)
            took.append(time.perf_counter_ns() - begun)
    finally:
        os.close(fd)
    return {f"raw_fsync_{key}": value for key, value in _percentiles(took).items()}


def _on(factory: Callable[[], asyncio.AbstractEventLoop], work: Any, prefix: str) -> dict[str, float]:
    with asyncio.Runner(loop_factory=factory) as runner:
        figures: dict[str, float] = runner.run(work)
    return {f"{prefix}_{key}": value for key, value in figures.items()}


async def _one_at_a_time(folder: Path, n: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    took = []
    with Journal.open(folder / "journal.sqlite", loop=loop) as journal:
        for i in range(1, n + 1):
            done: asyncio.Future[int] = loop.create_future()
            begun = time.perf_counter_ns()
            journal.append(_submit(i))
            journal.commit(done.set_result)
            await done
            took.append(time.perf_counter_ns() - begun)
        syncs = journal.stats.since(0)
    return _percentiles(took) | {f"sync_{k}": v for k, v in _percentiles(list(syncs)).items()}


async def _open_loop(folder: Path, rate: int, total: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    took: list[int] = []
    finished = loop.create_future()
    with Journal.open(folder / "journal.sqlite", loop=loop) as journal:
        seen = 0

        def on_intents() -> None:
            nonlocal seen
            n = len(ours.recv(1 << 16)) // 8
            begun = time.perf_counter_ns()
            first, seen = seen + 1, seen + n
            for order_id in range(first, seen + 1):
                journal.append(_submit(order_id))

            def on_synced(_seq: int) -> None:
                took.extend([time.perf_counter_ns() - begun] * n)
                for order_id in range(first, first + n):
                    journal.append(Sent(order_id, order_id))
                journal.commit(sync=False)
                if len(took) == total:
                    finished.set_result(None)

            journal.commit(on_synced)

        loop.add_reader(ours.fileno(), on_intents)
        args = [sys.executable, "-c", _FEEDER, str(theirs.fileno()), str(rate), str(total)]
        begun = time.perf_counter()
        feeder = await asyncio.create_subprocess_exec(*args, pass_fds=[theirs.fileno()])
        try:
            await asyncio.wait_for(finished, 60 + total / rate)
        finally:
            loop.remove_reader(ours.fileno())
            if feeder.returncode is None:
                feeder.terminate()
            await feeder.wait()
            ours.close()
            theirs.close()
        seconds = time.perf_counter() - begun
        syncs = journal.stats.syncs
    return _percentiles(took) | {"per_s": total / seconds, "intents_per_sync": total / syncs}


async def _batches(folder: Path, n: int) -> dict[str, float]:
    """Append and commit 1,000 at a time, at most eight batches unanswered; encoding included."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(8)
    with Journal.open(folder / "journal.sqlite", loop=loop) as journal:
        begun = time.perf_counter()
        for start in range(0, n, 1000):
            await room.acquire()
            for i in range(start, min(start + 1000, n)):
                journal.append(_submit(i))
            journal.commit(lambda _seq: room.release())
        done = loop.create_future()
        journal.commit(done.set_result)
        await done
        return {"records_per_s": n / (time.perf_counter() - begun)}


class _Every20:
    """The cheapest engine there is: an order for every twentieth bar."""

    def handle(self, event: Event) -> list[Submit]:
        return [_submit(event.ts_ns)] if isinstance(event, Bar) and event.ts_ns % 20 == 0 else []


def _fold(folder: Path, events: int) -> dict[str, float]:
    engine = _Every20()
    with Journal.open(folder / "journal.sqlite", market_flush_ms=1e6) as journal:
        for i in range(events):
            bar = Bar(i, 0, 1.0, 2.0, 0.5, 1.5, 100.0)
            journal.append(bar)
            for effect in engine.handle(bar):
                journal.append(effect)
            if i % 4 == 0:
                journal.commit(sync=False)
    recovered = recover(folder / "journal.sqlite", engine)
    return {"recover_events": recovered.events, "recover_s": recovered.seconds}


def _submit(order_id: int) -> Submit:
    return Submit(order_id, order_id, 1, 1, 0, 1, 0, 0, 10 * 10**8, 0, 0, "rsi 28.4 < 30")


def _percentiles(ns: list[int]) -> dict[str, float]:
    ordered = sorted(ns)
    last = len(ordered) - 1
    return {name: ordered[round(last * share)] / 1e3 for name, share in (("p50_us", 0.5), ("p99_us", 0.99))}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
