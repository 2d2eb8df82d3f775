"""One account's connection to its venue: session, limiter, breakers, health and streams, opened and closed together.

Lives here: putting the parts together. Not here: what each part does (its own file), anything a venue says.
"""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, Final

import aiohttp
from yarl import URL

from workbench.brokers.pool import meters as _meters
from workbench.brokers.pool.breaker import Breaker
from workbench.brokers.pool.budgets import Budget, Slots
from workbench.brokers.pool.health import Health
from workbench.brokers.pool.http import Http
from workbench.brokers.pool.lanes import LANE_NAMES
from workbench.brokers.pool.limiter import Limiter
from workbench.brokers.pool.meters import BreakerRow, Meters, PoolSnapshot, StreamRow
from workbench.brokers.pool.rest import Dialect, Rest
from workbench.brokers.pool.script import Script
from workbench.brokers.pool.sessions import Tls, open_session
from workbench.brokers.pool.stream import Stream
from workbench.errors import BadValue, KeysRefused, Unreachable

__all__ = ["EVERY", "Pool"]

EVERY: Final = "*"
"""The name that means every allowance but those of what is in flight."""

_MOST_REFUSALS: Final = 2


class Pool:
    """Make it with the venue's allowances, `open()` it on the loop, hand it to the venue's client, `close()` it.

    `limits` are the user's own figures by name of the allowance; they replace the venue's and stay whatever it says.
    """

    def __init__(
        self,
        venue: str,
        budgets: Iterable[Budget],
        *,
        name: str = "",
        mode: str = "paper",
        limits: Mapping[str, int] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.venue, self.name, self.mode = venue, name, mode
        self.limiter = Limiter(budgets, clock=clock)
        self.meters = Meters()
        self.health = Health(latency=self.meters.probe)
        self.health.trouble = self._trouble
        self.breakers: dict[str, Breaker] = {}
        self.streams: list[Stream] = []
        self.keys_refused = 0  # one after another
        self._session: aiohttp.ClientSession | None = None
        self._https: dict[tuple[str, str], Http] = {}
        self._timeouts: dict[str, float] = {}
        for budget_name, limit in (limits or {}).items():
            for budget in self._named(budget_name, limit):
                budget.set_limit(limit)
                budget.pinned = True

    def _named(self, name: str, limit: int) -> list[Budget]:
        if name == EVERY:
            return [budget for budget in self.limiter.budgets.values() if not isinstance(budget, Slots)]
        budget = self.limiter.budgets.get(name)
        if budget is None:
            known = ", ".join(sorted(self.limiter.budgets))
            raise BadValue(f"{self.venue} limits.{name}", limit, f"no such allowance; there are: {known}")
        return [budget]

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session of the WebSockets. Raises Unreachable before `open()` and after `close()`."""
        if self._session is None:
            raise Unreachable(
                f"broker '{self.venue}' is not connected: call connect() first; nothing was sent"
            )
        return self._session

    def http(self, root: URL, tls: Tls) -> Http:
        """The connections to an origin. Raises Unreachable as `session` does."""
        if self._session is None:
            raise Unreachable(
                f"broker '{self.venue}' is not connected: call connect() first; nothing was sent"
            )
        key = (str(root.origin()), str(tls))
        if key not in self._https:
            self._https[key] = Http(root, tls, **self._timeouts)
        return self._https[key]

    @property
    def is_open(self) -> bool:
        return self._session is not None

    def open(self, **timeouts: float) -> None:
        """Be ready to connect (time-outs as `Http` has them)."""
        if self._session is None:
            self._session = open_session()
            self._timeouts = timeouts
            self.health.say("unknown", "connecting")
            self.keys_refused = 0
            _meters.opened(self)

    async def close(self) -> None:
        """Close streams, probe and session; harmless when repeated. Who waits at the limiter is let go unsent."""
        _meters.closed(self)
        for stream in self.streams:
            await stream.close()
        self.streams.clear()
        await self.health.close()
        self.limiter.close()
        for http in self._https.values():
            await http.close()
        self._https.clear()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def refused_keys(self, error: KeysRefused) -> None:
        """The venue does not accept the keys. Once may be its mistake; the second time nothing more is asked."""
        self.keys_refused += 1
        if self.keys_refused >= _MOST_REFUSALS:
            self.health.say("unauthorised", str(error))

    def rest(
        self, root: URL, dialect: Dialect, *, breaker: str = "rest", tls: Tls = True, **more: Any
    ) -> Rest:
        """Requests to `root`; those that name one breaker share it."""
        shared = self.breakers.setdefault(breaker, Breaker(breaker))
        return Rest(self, root, dialect, breaker=shared, tls=tls, **more)

    def stream(self, name: str, url: URL, script: Script, **more: Any) -> Stream:
        """A stream that closes with the pool; `start()` it."""
        stream = Stream(self, name, url, script, **more)
        self.streams.append(stream)
        return stream

    def _trouble(self) -> str:
        """A stream that is not live, or a class of requests that is left alone."""
        for stream in self.streams:
            if stream.state not in ("live", "syncing"):
                return f"stream '{stream.name}' is {stream.state} ({stream.reason})"
        shut = [breaker for breaker in self.breakers.values() if breaker.state == "open"]
        return f"'{shut[0].name}' are left alone ({shut[0].reason})" if shut else ""

    def snapshot(self) -> PoolSnapshot:
        """All its numbers now."""
        meters, limiter, clock = self.meters, self.limiter, self.health.clock
        return PoolSnapshot(
            venue=self.venue,
            name=self.name,
            mode=self.mode,
            state=self.health.state,
            reason=self.health.reason,
            requests=dict(meters.requests),
            errors=dict(meters.errors),
            limited=meters.limited,
            lost=meters.lost,
            retried=meters.retried,
            headroom=limiter.headroom(),
            waiting=limiter.waiting,
            waited={LANE_NAMES[lane]: n for lane, n in enumerate(limiter.waited)},
            waited_s=limiter.waited_s,
            longest_wait_s=limiter.longest_wait_s,
            breakers=tuple(BreakerRow(b.name, b.state, b.reason, b.opened) for b in self.breakers.values()),
            streams=tuple(StreamRow.of(stream) for stream in self.streams),
            clock_offset_s=clock.offset_ns / 1e9,
            clock_error_s=clock.error_ns / 1e9,
            probe_p50_s=meters.probe.percentile_s(50),
            probe_p99_s=meters.probe.percentile_s(99),
            wire_p50_s=meters.wire.percentile_s(50),
            wire_p99_s=meters.wire.percentile_s(99),
        )
