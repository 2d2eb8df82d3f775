import asyncio
import time

import pytest

from workbench.errors import BadValue
from workbench.monitor.looplag import LoopLag


async def until(condition, deadline_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.001)


async def test_a_blocked_loop_is_seen_with_its_length_and_every_tick_it_swallowed() -> None:
    lag = LoopLag(interval_ms=2)
    lag.start()
    try:
        await until(lambda: lag.histogram.count >= 5)
        before = time.monotonic_ns()
        blocked = time.monotonic_ns() + 60_000_000
        while time.monotonic_ns() < blocked:
            pass
        after = time.monotonic_ns()
        count = lag.histogram.count
        await until(lambda: lag.histogram.count >= count + 10)
    finally:
        lag.stop()
    assert lag.histogram.max_ns >= 50_000_000
    # a 60 ms stall under a 2 ms timer is about 30 late ticks, spread evenly from 0 to 60 ms
    assert lag.histogram.count_upto(1e12) - lag.histogram.count_upto(20e6) >= 10
    assert any(p.what == "loop" and p.length_ns >= 50_000_000 for p in lag.between(before, after))
    assert lag.between(0, 1) == []


async def test_the_fallback_timer_sees_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.monitor.looplag.sys.platform", "darwin")
    lag = LoopLag(interval_ms=2)
    lag.start()
    try:
        assert lag.source == "call_later"
        await until(lambda: lag.histogram.count >= 3)
        blocked = time.monotonic_ns() + 30_000_000
        while time.monotonic_ns() < blocked:
            pass
        count = lag.histogram.count
        await until(lambda: lag.histogram.count >= count + 5)
    finally:
        lag.stop()
    assert lag.histogram.max_ns >= 25_000_000


async def test_stop_ends_it_and_start_twice_is_one() -> None:
    lag = LoopLag(interval_ms=1)
    lag.start()
    lag.start()
    await until(lambda: lag.histogram.count >= 2)
    lag.stop()
    lag.stop()
    count = lag.histogram.count
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert lag.histogram.count == count
    lag.start()
    await until(lambda: lag.histogram.count > count)
    lag.stop()


def test_a_silly_interval_is_refused() -> None:
    with pytest.raises(BadValue, match="interval_ms"):
        LoopLag(interval_ms=0)
