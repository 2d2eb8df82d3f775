"""The alarm rings at its time on either kind of timer, once set anew only for the new time, and never once closed."""

import asyncio
from time import monotonic

import pytest

from workbench.brokers.sim.alarm import Alarm


@pytest.fixture(params=[True, False], ids=["timer-file", "loop-timer"])
def timer_file(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_it_rings_no_sooner_than_asked(timer_file: bool) -> None:
    rung = asyncio.Event()
    alarm = Alarm(asyncio.get_running_loop(), rung.set, timer_file=timer_file)
    at_s = monotonic() + 0.003
    alarm.set(at_s)
    await asyncio.wait_for(rung.wait(), 60)
    assert monotonic() >= at_s - 0.0015  # a loop's own timer may be early by its resolution
    alarm.close()


async def test_a_past_time_rings_on_the_next_turn(timer_file: bool) -> None:
    rung: list[bool] = []
    alarm = Alarm(asyncio.get_running_loop(), lambda: rung.append(True), timer_file=timer_file)
    alarm.set(monotonic() - 1)
    assert rung == []
    await asyncio.sleep(0)
    assert rung == [True]
    alarm.close()


async def test_set_sooner_it_rings_sooner(timer_file: bool) -> None:
    rung = asyncio.Event()
    alarm = Alarm(asyncio.get_running_loop(), rung.set, timer_file=timer_file)
    alarm.set(monotonic() + 3600)
    alarm.set(monotonic() + 0.001)
    await asyncio.wait_for(rung.wait(), 60)
    alarm.close()


async def test_closed_it_is_silent(timer_file: bool) -> None:
    rung: list[bool] = []
    alarm = Alarm(asyncio.get_running_loop(), lambda: rung.append(True), timer_file=timer_file)
    alarm.set(monotonic() + 0.001)
    alarm.close()
    alarm.close()
    other = asyncio.Event()
    witness = Alarm(asyncio.get_running_loop(), other.set, timer_file=timer_file)
    witness.set(monotonic() + 0.004)
    await asyncio.wait_for(other.wait(), 60)
    witness.close()
    assert rung == []
