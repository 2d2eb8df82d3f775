"""Is the venue well, and what time is it there? Asked for all the time, not once at the start.

    unknown -> healthy <-> degraded <-> down; unauthorised (the keys are refused; only a new connect ends it); closed

Lives here: the state with its reason, the probing, the clock offset. Not here: what a probe asks (the venue's folder).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic, monotonic_ns, time_ns
from typing import Final

import msgspec

from workbench.brokers.pool.meters import Durations
from workbench.errors import KeysRefused, WorkbenchError

__all__ = ["ClockOffset", "Health", "Probed"]

logger = logging.getLogger(__name__)

_KEEP: Final = 8
_DOWN_AFTER: Final = 3  # probes that failed one after another


class Probed(msgspec.Struct, frozen=True):
    """What one probe brought: when it was sent and answered (monotonic ns), and the venue's wall time (0: not told)."""

    called_ns: int
    came_ns: int
    venue_ns: int = 0


class ClockOffset:
    """The venue's clock minus ours. Of the last few measurements the one with the shortest round trip is believed; one
    that contradicts it means a clock was set, and starts anew.

    >>> clock = ClockOffset()
    >>> clock.measured(venue_ns=1_000_050, sent_ns=900_000, came_ns=1_000_000)
    >>> clock.offset_ns, clock.error_ns
    (50050, 50000)
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=_KEEP)  # (error, offset)
        self.offset_ns = 0
        self.error_ns = 0
        self.steps = 0

    def measured(self, venue_ns: int, sent_ns: int, came_ns: int, tick_ns: int = 0) -> None:
        """One measurement, all in wall ns; `tick_ns` is how coarse the venue tells its time."""
        error_ns = max(1, (came_ns - sent_ns) // 2) + tick_ns
        offset_ns = venue_ns + tick_ns // 2 - (sent_ns + came_ns) // 2
        if self._samples and abs(offset_ns - self.offset_ns) > error_ns + self.error_ns:
            self._samples.clear()
            self.steps += 1
        self._samples.append((error_ns, offset_ns))
        self.error_ns, self.offset_ns = min(self._samples)

    @property
    def known(self) -> bool:
        return bool(self._samples)


class Health:
    """One venue's state as this account sees it. `probe` asks something cheap; `changed(state, reason)` is told."""

    def __init__(
        self,
        probe: Callable[[], Awaitable[Probed]] | None = None,
        *,
        every_s: float = 15.0,
        slow_s: float = 2.0,
        tick_ns: int = 0,
        latency: Durations | None = None,
        changed: Callable[[str, str], None] | None = None,
    ) -> None:
        self.state = "unknown"
        self.reason = "not asked yet"
        self.since_s = monotonic()
        self.clock = ClockOffset()
        self.latency = latency if latency is not None else Durations()
        self.probe = probe
        self._every_s, self._slow_s, self._tick_ns = every_s, slow_s, tick_ns
        self._changed = changed
        self.trouble: Callable[[], str] | None = None  # what else is wrong while probes are answered
        self._failed = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Probe from now on."""
        if self.probe is not None and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="venue probe")

    async def close(self) -> None:
        """Probe no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.say("closed", "the connection was given up")

    def say(self, state: str, reason: str) -> None:
        """Note a state somebody found out; "unauthorised" stays until the next connect."""
        if self.state == "unauthorised" and state not in ("closed", "unknown"):
            return
        if state != self.state:
            self.since_s = monotonic()
            self.state, self.reason = state, reason
            if self._changed is not None:
                self._changed(state, reason)
        self.reason = reason

    async def check(self) -> None:
        """Probe once, now. Whatever it finds becomes the state."""
        if self.probe is None:
            return
        try:
            probed = await self.probe()
        except KeysRefused as error:
            self.say("unauthorised", str(error))
        except WorkbenchError as error:
            self._failed += 1
            self.say("down" if self._failed >= _DOWN_AFTER else "degraded", str(error))
        except Exception as error:
            # a mistake in a venue's reader must not be the last probe
            logger.exception("a probe's answer was not understood")
            self._failed += 1
            text = f"a probe's answer was not understood ({type(error).__name__}: {error})"
            self.say("down" if self._failed >= _DOWN_AFTER else "degraded", text)
        else:
            self._failed = 0
            self.heard(probed)

    def heard(self, probed: Probed) -> None:
        """Take the time and the latency from a probe's answer."""
        took_ns = probed.came_ns - probed.called_ns
        self.latency.record(took_ns)
        if probed.venue_ns:
            wall_ns = time_ns() - monotonic_ns()  # what turns our monotonic stamps into wall time
            sent_ns, came_ns = probed.called_ns + wall_ns, probed.came_ns + wall_ns
            self.clock.measured(probed.venue_ns, sent_ns, came_ns, self._tick_ns)
        trouble = self.trouble() if self.trouble is not None else ""
        if trouble:
            self.say("degraded", trouble)
        elif took_ns > self._slow_s * 1e9:
            self.say("degraded", f"a probe took {took_ns / 1e9:.1f} s")
        else:
            self.say("healthy", f"a probe took {took_ns / 1e6:.1f} ms")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.check()
