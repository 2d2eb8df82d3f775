"""Market data as it happens: what a venue's feed offers, and how bars of several symbols become one event again.

Lives here: the contract (venues keep it in their folder's feed.py), the gathering of bars. Not here: any venue, the
connection's life (brokers/pool), what is done with the events.

A venue's package offers `open_feed(settings, account, instruments) -> LiveFeed` and
`async find_instruments(settings, account, symbols) -> list[Instrument]`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

import numpy as np

from workbench.model.market import Bar, BarSlice, MarketEvent

__all__ = ["GRACE_S", "BarGatherer", "EventSink", "LiveFeed"]

type EventSink = Callable[[MarketEvent], None]

GRACE_S: Final = 0.25
"""How long finished bars wait for those of other symbols that close at the same instant."""


@runtime_checkable
class LiveFeed(Protocol):
    """Market data of some instruments at one venue.

    - Events carry the venue's time in UTC ns; a bar is sent once, when it is finished.
    - After a break the feed subscribes again by itself; `state` tells meanwhile that it is not live. Bars it has missed
      are asked for by REST and told before newer ones, in order of time; quotes and prints are missed.
    - What cannot be true (NaN, negative, crossed) is dropped and counted here already.
    """

    @property
    def name(self) -> str:
        """The venue's folder name."""
        ...

    @property
    def state(self) -> str:
        """ "connecting", "live", "stale" (connected, and silent in trading hours) or "closed"."""
        ...

    async def connect(self, sink: EventSink) -> None:
        """Subscribe to everything asked for; events go to `sink`, called on this loop. Returns when the venue has
        confirmed.

        Raises:
            Unreachable, Unauthorised, RateLimited: as brokers do.
        """
        ...

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        ...


class BarGatherer:
    """Puts bars that close at one instant into one `BarSlice`, so that strategies on many symbols decide on all.

    Bars wait until those of all `iids` are there, or `grace_s`; a symbol without a trade in that minute has none.
    Quotes and prints pass at once. Older bars leave before younger ones; a bar that comes after its slice has left
    goes on alone: nothing is dropped.
    """

    def __init__(self, sink: EventSink, iids: Sequence[int], *, grace_s: float = GRACE_S) -> None:
        self._sink, self._all, self._grace_s = sink, frozenset(iids), grace_s
        self._waiting: dict[int, dict[int, Bar]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def __call__(self, event: MarketEvent) -> None:
        """Take one event; those that are ready go on."""
        if not isinstance(event, Bar):
            self._sink(event)
            return
        ts_ns = event.ts_ns
        waiting = self._waiting.setdefault(ts_ns, {})
        waiting[event.iid] = event
        if self._all <= waiting.keys():
            self._leave(ts_ns)
        elif ts_ns not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[ts_ns] = loop.call_later(self._grace_s, self._leave, ts_ns)

    def _leave(self, until_ns: int) -> None:
        for ts_ns in sorted(ts_ns for ts_ns in self._waiting if ts_ns <= until_ns):
            self._send(ts_ns)

    def _send(self, ts_ns: int) -> None:
        timer = self._timers.pop(ts_ns, None)
        if timer is not None:
            timer.cancel()
        bars = [bar for _, bar in sorted(self._waiting.pop(ts_ns).items())]
        if len(bars) == 1:
            self._sink(bars[0])
        elif bars:
            rows = [[bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]
            iids = np.array([bar.iid for bar in bars], "<i4").tobytes()
            self._sink(BarSlice(ts_ns, iids, np.array(rows, "<f8").tobytes()))

    def flush(self) -> None:
        """Let everything that waits go on now, oldest first."""
        for ts_ns in sorted(self._waiting):
            self._send(ts_ns)
