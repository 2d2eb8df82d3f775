"""What ccxt watches for us, kept going: one task a thing, opened again after breaks, told as one stream of the pool.

    watch -> took(rows) -> watch -> ... -> error -> waiting (back-off) -> watch
    poll  -> took(rows) -> `every_s` later -> ...                    (where ccxt has no stream)

ccxt shows neither that a subscription was confirmed nor what a break has swallowed. So `on_connected` is told of every
new connection; who needs what came before fetches it then.

Lives here: those tasks and their state. Not here: what rows mean (broker.py, feed.py), ccxt's frames.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from workbench.brokers.ccxt.client import CcxtClient
from workbench.brokers.ccxt.library import library
from workbench.brokers.ccxt.verdict import cleaned, verdict
from workbench.brokers.pool import Backoff, Ledger
from workbench.errors import KeysRefused, VenueDown

if TYPE_CHECKING:
    from workbench.brokers.pool import Stream

__all__ = ["Watches"]

logger = logging.getLogger(__name__)

type Watch = Callable[[], Awaitable[Any]]
type Took = Callable[[Any], None]

_MOST_REFUSALS: Final = 2
_LEAST_QUIET_S: Final = 0.012
_STEPS: Final = 4
_MOST_QUIET_S: Final = 3.0


class Watches:
    """The streams of one exchange object; it stands among the pool's streams and closes with them."""

    def __init__(self, client: CcxtClient, name: str) -> None:
        self.name = name
        self.state, self.reason = "connecting", "not connected yet"
        self.ledger = Ledger()
        self.frames = self.connects = self.resyncs = self.gaps = self.garbled = 0
        self.backfilled = self.unfilled = 0
        self.on_connected: Callable[[], None] | None = None
        self.on_resumed: Callable[[], None] | None = None  # data comes again, without another connection
        self.on_unreadable: Callable[[], None] | None = None
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen_s = 0.0
        self._changed = asyncio.Event()
        client.on_connected, client.on_unreadable = self._connected, self._unreadable
        # the pool's streams are what it closes and what its numbers are read from; this is one by its attributes
        client.pool.streams.append(cast("Stream", self))

    @property
    def age_s(self) -> float:
        """Seconds since the last rows, or since it was connected; 0 while it is not live."""
        return monotonic() - self._seen_s if self._seen_s and self.state == "live" else 0.0

    # -- starting --------------------------------------------------------------------------------------------------

    def watch(
        self, channel: str, watch: Watch, took: Took, without: Callable[[], None] | None = None
    ) -> None:
        """Watch for ever. `without` is called, once, instead of going on when ccxt says that it needs an argument more
        (some exchanges are watched symbol by symbol only)."""
        self._start(channel, self._watching(channel, watch, took, without))

    def poll(self, channel: str, ask: Watch, took: Took, every_s: float) -> None:
        """Ask for ever, `every_s` apart: the answer to the question shows that it works."""
        self._start(channel, self._polling(channel, ask, took, every_s))

    def _start(self, channel: str, work: Any) -> None:
        self.ledger.declare([channel])
        self.ledger.asked([channel])
        task = asyncio.get_running_loop().create_task(work, name=f"{self._client.name} {channel}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until_live(self, within_s: float) -> None:
        """Return when the first connection is open and nothing is said on it any more (nobody confirms what is
        subscribed), or the first question is answered.

        Raises:
            VenueDown: not within that time. KeysRefused: the exchange refuses the keys.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.state != "unauthorised":
                    if self.state == "live" and await self._is_quiet():
                        return
                    self._changed.clear()
                    await self._changed.wait()
        if self.state == "unauthorised":
            raise KeysRefused(self._client.name, self.reason, "check the keys and their environment")
        text = f"{self.name} is not live after {within_s:g} s but {self.state} ({self.reason})"
        raise VenueDown(self._client.name, text, "it goes on trying")

    async def _is_quiet(self) -> bool:
        """Whether it is still live when nothing has been said for a while, or rows have come.

        Looked at in steps: a loop that was busy for as long has heard nothing.
        """
        client, deadline_s = self._client, monotonic() + _MOST_QUIET_S
        step_s = max(_LEAST_QUIET_S, 3 * client.pool.meters.wire.percentile_s(50)) / _STEPS
        talked_s, still = client.talked_s, 0
        while still < _STEPS and not self.frames and self.state == "live" and monotonic() < deadline_s:
            await asyncio.sleep(step_s)
            still = still + 1 if client.talked_s == talked_s and not client.unsent_frames else 0
            talked_s = client.talked_s
        return self.state == "live"

    async def close(self) -> None:
        """Watch no more, and close ccxt's connections; harmless when repeated."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._say("closed", "closed by us")
        await self._client.close()

    def doubt(self, reason: str) -> None:
        """Somebody knows that data is missing: break the connections; they are opened again."""
        for link in list((self._client.exchange.clients or {}).values()):
            link.on_error(library().NetworkError(reason))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _say(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        self._changed.set()

    def _connected(self, url: str) -> None:
        self.connects += 1
        self._seen_s = monotonic()
        self._say("live", f"connected to {cleaned(url)}")
        if self.on_connected is not None:
            self.on_connected()

    def _unreadable(self, error: Exception) -> None:
        self.garbled += 1
        logger.warning("%s: a frame could not be read (%s)", self._client.name, cleaned(str(error)))
        if self.on_unreadable is not None:
            self.on_unreadable()

    def _came(self, channel: str, took: Took, rows: Any) -> None:
        self.frames += 1
        self._seen_s = monotonic()
        self.ledger.seen(channel)
        if self.state not in ("live", "closed"):
            self._say("live", "data came")
            if self.on_resumed is not None:
                self.on_resumed()
        try:
            took(rows)
        except Exception as error:
            # what ccxt hands on may lack anything: one row must not end the watching
            self.garbled += 1
            logger.exception("%s: %s was not understood (%s)", self._client.name, channel, error)

    async def _watching(
        self, channel: str, watch: Watch, took: Took, without: Callable[[], None] | None
    ) -> None:
        backoff, refusals = Backoff(0.5, 30.0, per_minute=10), 0
        while True:
            try:
                rows = await watch()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                error: Exception = VenueDown(
                    self._client.name, "ccxt gave the stream up", "it is opened again"
                )
            except library().ArgumentsRequired as caught:
                if without is not None:
                    without()
                    return
                self._say("down", cleaned(str(caught)))
                return
            except Exception as caught:  # noqa: BLE001 - ccxt's readers raise anything; verdict() sorts it out
                error = verdict(caught, self._client.name)
            else:
                backoff.worked()
                refusals = 0
                self._came(channel, took, rows)
                continue
            if isinstance(error, KeysRefused):
                refusals += 1
                if refusals >= _MOST_REFUSALS:
                    self._say("unauthorised", str(error))
                    return
            wait_s = backoff.next_s()
            self.resyncs += 1
            self._say("waiting", f"{channel}: {error}")
            logger.warning(
                "%s: %s broke (%s): opened again in %.1f s", self._client.name, channel, error, wait_s
            )
            await asyncio.sleep(wait_s)

    async def _polling(self, channel: str, ask: Watch, took: Took, every_s: float) -> None:
        while True:
            try:
                rows = await ask()
            except Exception as caught:  # noqa: BLE001 - as above
                error = verdict(caught, self._client.name)
                self._say("waiting", f"{channel}: {error}")
                logger.warning("%s: %s could not be asked for (%s)", self._client.name, channel, error)
            else:
                self._came(channel, took, rows)
            await asyncio.sleep(every_s)
