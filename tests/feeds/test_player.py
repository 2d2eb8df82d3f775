"""Pacing on a clock that the test moves, and the order of calls: venue, settle, engine, settle."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from workbench.errors import BadValue
from workbench.feeds import Columns, Player, Recording, open_data, synthetic
from workbench.feeds import player as player_module
from workbench.model import MarketEvent

MINUTE = 60_000_000_000


class Stage:
    """What a player is wired to; every call is written down."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.at_s: list[float] = []
        self.clock: Clock | None = None
        self.settle_s = 0.0

    def venue(self, event: MarketEvent) -> None:
        self.calls.append(("venue", event.ts_ns))
        if self.clock is not None:
            self.at_s.append(self.clock.now)

    def deliver(self, event: MarketEvent) -> None:
        self.calls.append(("deliver", event.ts_ns))

    async def settled(self) -> None:
        self.calls.append(("settled", 0))
        if self.clock is not None:
            self.clock.now += self.settle_s

    def player(self, recording: Recording, speed: float) -> Player:
        return Player(recording, speed=speed, venue=self.venue, deliver=self.deliver, settled=self.settled)


class Clock:
    """Stands in for the monotonic clock and for the loop's timers: time passes when nothing else can happen."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._loop = loop

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any, *args: Any) -> asyncio.Handle:
        def ring() -> None:
            self.now += max(0.0, delay)
            callback(*args)

        self.waits.append(delay)
        return self._loop.call_soon(ring)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    loop = asyncio.get_running_loop()
    made = Stage()
    made.clock = Clock(loop)
    monkeypatch.setattr(player_module, "monotonic", made.clock.monotonic)
    monkeypatch.setattr(loop, "call_later", made.clock.call_later)
    yield made
    monkeypatch.undo()


def flat(minutes: list[int]) -> Recording:
    ts = np.array(minutes, np.int64) * MINUTE
    table = Columns("bars", ("A",), ts, np.zeros(len(ts), np.int32), np.full((len(ts), 5), 9.0))
    return Recording.merged("flat", table, bar_ns=MINUTE)


async def test_each_event_goes_to_the_venue_first_and_settles_twice() -> None:
    stage, recording = Stage(), synthetic(2, 3)
    player = stage.player(recording, 0)
    assert (player.state, player.progress) == ("paused", 0.0)
    await player.run()
    expected = []
    for event in recording.events():
        expected += [("venue", event.ts_ns), ("settled", 0), ("deliver", event.ts_ns), ("settled", 0)]
    assert stage.calls == expected
    assert (player.state, player.progress, player.market_ts_ns) == ("finished", 1.0, recording.end_ns)


async def test_the_schedule_is_kept_at_the_speed_asked_for(stage: Stage) -> None:
    recording = flat([1, 2, 3, 5])
    await stage.player(recording, 60).run()
    due = (recording.event_ts() - recording.event_ts()[0]) / 1e9 / 60
    assert stage.at_s == pytest.approx((1000 + due).tolist())


async def test_an_event_that_settles_late_does_not_push_the_others_back(stage: Stage) -> None:
    stage.settle_s = 0.2  # two settlements an event: 0.4 s of every second, and 0.8 s between print and bar
    recording = flat(list(range(1, 30)))
    await stage.player(recording, 60).run()
    due = 1000 + (recording.event_ts() - recording.event_ts()[0]) / 1e9 / 60
    late = np.array(stage.at_s) - due
    assert late.max() == pytest.approx(0.4)  # the print 1 ns behind a bar waits for it, and nothing adds up
    assert late[-1] < 0.01


async def test_a_speed_that_cannot_be_held_plays_on_without_waiting(stage: Stage) -> None:
    stage.settle_s = 5.0
    player = stage.player(flat(list(range(1, 10))), 60)
    assert stage.clock is not None
    await player.run()
    assert stage.clock.waits == []
    assert player.state == "finished"


async def test_closed_hours_are_played_as_one_bar(stage: Stage) -> None:
    recording = open_data("SPY", start="2020-12-15", end="2020-12-16")
    player = stage.player(recording, 60)
    await player.run()
    # two days of 391 minutes, and one minute for the night; the first print stands at the start
    assert stage.at_s[-1] - stage.at_s[0] == pytest.approx(2 * 391, abs=1.1)


async def test_pause_resume_and_speed_take_effect_while_it_waits(stage: Stage) -> None:
    recording = flat([1, 2, 3])
    player = stage.player(recording, 60)
    assert stage.clock is not None
    player.pause()
    running = asyncio.create_task(player.run())
    await turns()
    assert (stage.calls, player.state) == ([], "paused")
    stage.clock.now += 500
    player.resume()
    player.speed = 6.0
    await running
    span_s = (recording.end_ns - recording.start_ns + MINUTE) / 1e9
    assert stage.at_s[0] == pytest.approx(1500)  # what went by while it was paused is not caught up
    assert stage.at_s[-1] - stage.at_s[0] == pytest.approx(span_s / 6)


async def test_a_pause_keeps_the_part_of_the_wait_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, now = Stage(), [100.0]
    monkeypatch.setattr(player_module, "monotonic", lambda: now[0])
    player = stage.player(flat([1, 2]), 1.0)
    running = asyncio.create_task(player.run())
    await turns()
    assert len(stage.calls) == 4  # the opening print; the bar is due a minute later
    now[0] += 45
    player.pause()
    now[0] += 1000
    player.resume()
    assert player.behind_s == 0.0
    now[0] += 14
    player.speed = 1.0  # wakes it to look at the clock
    await turns()
    assert len(stage.calls) == 4
    now[0] += 1.5
    player.speed = 1.0
    await turns()
    assert len(stage.calls) > 4
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert player.state == "paused"


async def test_a_player_can_go_on_after_it_was_cancelled() -> None:
    stage, recording = Stage(), synthetic(1, 50)
    player = stage.player(recording, 0)

    def stop_once(event: MarketEvent) -> None:
        stage.deliver(event)
        if len(stage.calls) == 3 + 4 * 9:
            running.cancel()

    player._deliver = stop_once
    settled = stage.settled

    async def settle() -> None:
        await settled()
        await asyncio.sleep(0)

    player._settled = settle
    running = asyncio.create_task(player.run())
    with pytest.raises(asyncio.CancelledError):
        await running
    assert player.progress == 10 / 100
    await player.run()
    delivered = [ts for what, ts in stage.calls if what == "deliver"]
    assert delivered == [event.ts_ns for event in recording.events()]


async def test_an_engine_that_was_restarted_skips_what_it_has_seen() -> None:
    stage, recording = Stage(), flat([1, 2, 3, 4])
    player = stage.player(recording, 0)
    player.skip_to(2 * MINUTE)
    assert (player.progress, player.market_ts_ns) == (0.5, 2 * MINUTE)
    player.skip_to(0)  # never back
    await player.run()
    delivered = [ts for what, ts in stage.calls if what == "deliver"]
    assert delivered == [2 * MINUTE + 1, 3 * MINUTE, 3 * MINUTE + 1, 4 * MINUTE]


async def test_skipping_to_the_end_leaves_nothing_to_play() -> None:
    stage, recording = Stage(), flat([1, 2])
    player = stage.player(recording, 60)
    player.skip_to(10 * MINUTE)
    await player.run()
    assert (stage.calls, player.state) == ([], "finished")


async def test_the_loop_gets_its_turn_while_events_pour() -> None:
    stage = Stage()
    player = stage.player(synthetic(1, 20_000), 0)
    turns_seen = 0

    async def others() -> None:
        nonlocal turns_seen
        while player.state != "finished":
            turns_seen += 1
            await asyncio.sleep(0)

    await asyncio.gather(player.run(), others())
    assert turns_seen > 3


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(BadValue, match="speed = "):
        Stage().player(flat([1]), speed)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
