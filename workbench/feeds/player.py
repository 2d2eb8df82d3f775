"""Pacing a recorded market: every event at its moment on an absolute schedule, closed hours left out.

Lives here: speed, pause, and the order "venue first, then the engine" for each event. Not here: what the events
are (recording.py), what the venue or the engine does with them (brokers/sim, orchestrator).

For each event: the venue sees it (and may fill what rests there), all that follows from it settles, the engine
sees it, all that follows from it settles; only then comes the next. So a replay at any speed decides the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic  # some loops keep a clock of their own that stands still between turns
from typing import Final

import numpy as np

from workbench.errors import BadValue
from workbench.feeds.recording import Recording
from workbench.model.market import MarketEvent

__all__ = ["Player"]

CLOSED_NS: Final = 3_600_000_000_000
"""A silence longer than this is a night, a weekend or a holiday: it is played as one bar's length."""
_YIELD_S: Final = 0.002  # played without pause the loop still gets its turn this often


class Player:
    """Plays a recording through `venue` and `deliver`, both plain calls on the loop that runs `run()`.

    `speed` is replayed seconds per wall second; 0 plays as fast as everything settles. The schedule is absolute:
    an event that settles late does not push the others back. Setting the speed, or pausing, starts it anew from
    there, so what was late by then is forgotten.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float,
        venue: Callable[[MarketEvent], None],
        deliver: Callable[[MarketEvent], None],
        settled: Callable[[], Awaitable[None]],
        opening_prints: bool = True,
    ) -> None:
        self.recording = recording
        self._venue, self._deliver, self._settled = venue, deliver, settled
        self._opening_prints = opening_prints
        self._ts_ns = ts_ns = recording.event_ts(opening_prints)
        steps = np.diff(ts_ns, prepend=ts_ns[:1])
        steps[steps > CLOSED_NS] = recording.bar_ns or 1_000_000_000
        self._at_s = np.cumsum(steps) / 1e9  # when each event is due, in market seconds since the first
        self._speed = _checked(speed)
        self._done = 0  # events begun
        self._finished = False
        self._paused = False
        self._running = False
        self._market_ts_ns = int(ts_ns[0])
        self._anchor_wall = self._anchor_market = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Future[None] | None = None

    @property
    def state(self) -> str:
        """ "playing", "paused" (also before the first `run()`), or "finished"."""
        if self._finished:
            return "finished"
        return "playing" if self._running and not self._paused else "paused"

    @property
    def progress(self) -> float:
        """Share of the events played, 0 to 1."""
        return self._done / len(self._at_s)

    @property
    def market_ts_ns(self) -> int:
        """Market time of the event played last (of the first one before that)."""
        return self._market_ts_ns

    @property
    def behind_s(self) -> float:
        """How many wall seconds the next event is late; above 0 for long means the speed cannot be held."""
        if self._loop is None or not self._speed or self.state != "playing" or self._done == len(self._at_s):
            return 0.0
        return max(0.0, monotonic() - self._due_s())

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = _checked(speed)
        self._start_anew()
        self._speed = checked

    def pause(self) -> None:
        """Play nothing more until `resume()`; the event being played is played to its end."""
        self._start_anew()
        self._paused = True

    def resume(self) -> None:
        """Go on where `pause()` stopped, without catching up."""
        self._start_anew()
        self._paused = False

    def skip_to(self, ts_ns: int, there: int | None = None) -> None:
        """Leave out every event before `ts_ns`, and of those at `ts_ns` the first `there` (None: all): what an
        engine that was restarted has seen. Call it before `run()`; it never goes back."""
        before, through = (int(np.searchsorted(self._ts_ns, ts_ns, side=side)) for side in ("left", "right"))
        done = through if there is None else min(before + there, through)
        self._done = max(self._done, done)
        if self._done:
            self._market_ts_ns = int(self._ts_ns[self._done - 1])
            self._anchor_market = float(self._at_s[self._done - 1])

    async def run(self) -> None:
        """Play to the end. Cancelling it stops between two events at the latest, or while one settles; a second
        call goes on with the event after the last one begun."""
        self._loop = asyncio.get_running_loop()
        self._anchor_wall = monotonic()
        self._running = True
        try:
            await self._play(self._loop)
            self._finished = True
        finally:
            self._start_anew()
            self._running = False

    async def _play(self, loop: asyncio.AbstractEventLoop) -> None:
        yielded = monotonic()
        for event in self.recording.events(self._opening_prints, self._done):
            if monotonic() - yielded > _YIELD_S:
                await asyncio.sleep(0)
                yielded = monotonic()
            while self._paused or (self._speed > 0 and self._due_s() > monotonic()):
                await self._wait(loop)
                yielded = monotonic()
            self._done += 1
            self._market_ts_ns = event.ts_ns
            self._venue(event)
            await self._settled()
            self._deliver(event)
            await self._settled()

    def _due_s(self) -> float:
        """Monotonic time at which the next event is due."""
        return self._anchor_wall + (float(self._at_s[self._done]) - self._anchor_market) / self._speed

    def _start_anew(self) -> None:
        """Note where the market stands now, before the speed or the pause changes, and wake who waits for it."""
        if self._loop is None:
            return
        now = monotonic()
        if self.state == "playing":
            reached = self._anchor_market + (now - self._anchor_wall) * self._speed
            played = float(self._at_s[max(self._done - 1, 0)])
            following = float(self._at_s[min(self._done, len(self._at_s) - 1)])
            self._anchor_market = min(max(reached, played), following)
        self._anchor_wall = now
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the next event is due, or the speed or the pause changes."""
        waiting = self._waiting = loop.create_future()
        timer = None if self._paused else loop.call_later(self._due_s() - monotonic(), _wake, waiting)
        try:
            await waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _checked(speed: float) -> float:
    if not 0 <= speed < float("inf"):
        raise BadValue(
            "speed", speed, "give replayed seconds per wall second, or 0 for as fast as it settles"
        )
    return float(speed)
