"""One WebSocket kept alive: log in, subscribe, catch up by REST, receive; and all over again when it breaks.

    connecting -> greeting -> syncing -> live          unauthorised (the keys are refused: no further try)
        ^____________ waiting (back-off) _____|         closed

Nothing is lost between a snapshot and the stream: from the first frame on everything is kept while the REST snapshot
is fetched, and played afterwards in its order; the receiver counts executions by id, so what is in both counts once.

Lives here: the connection's life. Not here: what a frame means (script.py), what is wanted (subscriptions.py).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Final

import aiohttp
from yarl import URL

from workbench.brokers.pool.backoff import Backoff
from workbench.brokers.pool.rest import retry_after_s
from workbench.brokers.pool.script import Frame, Script, Wire
from workbench.brokers.pool.sessions import TLS_ERRORS, Tls
from workbench.brokers.pool.subscriptions import Ledger, _always
from workbench.errors import (
    KeysRefused,
    RateLimited,
    Refused,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
    WorkbenchError,
)

if TYPE_CHECKING:
    from workbench.brokers.pool.pool import Pool

__all__ = ["Stream"]

logger = logging.getLogger(__name__)

_TAKEN: set[tuple[str, str]] = set()  # (address, key): venues allow one connection each
_MOST_KEPT: Final = 100_000  # frames kept while a snapshot is fetched; more means it takes too long
_RESYNC_EVERY_S: Final = 1.0  # a stream of unreadable frames must not eat the allowance for questions
_MOST_REFUSALS: Final = 2  # of the keys, one after another: more tries invite a ban


class Stream:
    """One connection. `key_id` names the key it logs in with: one stream an address and key.

    `silent_s` is the longest time without any frame while `in_session()` (0: silence is normal); `ping_s` how often the
    connection itself is tested (it is dead half of that later).
    """

    def __init__(
        self,
        pool: "Pool",
        name: str,
        url: URL,
        script: Script,
        *,
        key_id: str = "",
        headers: Mapping[str, str] | None = None,
        tls: Tls = True,
        ping_s: float = 6.0,
        silent_s: float = 0.0,
        in_session: Callable[[], bool] = _always,
        heartbeat_s: float = 0.0,
        greet_s: float = 10.0,
        catch_up_s: float = 30.0,
        frame_cap: int = 8_000_000,
        backoff: Backoff | None = None,
        look_s: float = 0.5,
        changed: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name, self.url = name, url
        self.state, self.reason = "closed", "not started"
        self.ledger = Ledger()
        self.frames = self.connects = self.resyncs = self.gaps = self.garbled = 0
        self.backfilled = self.unfilled = 0  # bars: see late_bars.py
        self._pool, self._script, self._key = pool, script, (str(url), key_id)
        self._headers, self._tls, self.in_session = headers, tls, in_session
        self._ping_s, self._silent_s, self._heartbeat_s = ping_s, silent_s, heartbeat_s
        self._greet_s, self._catch_up_s = greet_s, catch_up_s
        self._frame_cap, self._look_s = frame_cap, look_s
        self._backoff = backoff if backoff is not None else Backoff(0.5, 30.0, per_minute=10)
        self._changed = changed
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._catching: asyncio.Task[None] | None = None
        self._kept: list[Frame] | None = None  # frames that wait for the snapshot; None: none has to wait
        self._again = False
        self._later: asyncio.TimerHandle | None = None
        self._synced_s = float("-inf")
        self._seen_s = self._beat_s = 0.0
        self._doubt, self._refusals = "", 0
        self._states: list[asyncio.Future[None]] = []

    # -- what others do with it ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Connect and stay connected.

        Raises:
            Refused: another stream of this process uses the same address and key.
        """
        if self._task is not None:
            return
        if self._key in _TAKEN:
            text = f"{self._pool.venue}: stream '{self.name}' is open with this key already"
            raise Refused(f"{text}: close that first")
        _TAKEN.add(self._key)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"stream {self.name}")

    async def close(self) -> None:
        """Hang up; harmless when repeated."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            _TAKEN.discard(self._key)
        self._say("closed", "closed by us")

    def subscribe(
        self, channels: Iterable[str], *, most_age_s: float = 0.0, in_session: Callable[[], bool] = _always
    ) -> None:
        """Declare channels; they are asked for now and after every reconnect."""
        new = self.ledger.declare(channels, most_age_s, in_session)
        if new and self._ws is not None and self.state in ("syncing", "live"):
            self._ask_soon(new, [])

    def unsubscribe(self, channels: Iterable[str]) -> None:
        """Declare channels no longer."""
        gone = self.ledger.withdraw(channels)
        if gone and self._ws is not None and self.state in ("syncing", "live"):
            self._ask_soon([], gone)

    async def send(self, frame: Frame) -> None:
        """Send a frame of the venue's own. Raises VenueDown when there is no connection: nothing was sent."""
        if self._ws is None:
            raise VenueDown(self._pool.venue, f"stream '{self.name}' is {self.state}", "nothing was sent")
        await Wire(self._pool.venue, self._ws).send(frame)

    def doubt(self, reason: str) -> None:
        """Somebody knows that this stream misses data: connect anew."""
        self._doubt = self._doubt or reason

    def gap(self, what: str) -> None:
        """A frame is missing in the sequence: catch up by REST while frames wait."""
        self.gaps += 1
        self.resync(what)

    def resync(self, reason: str) -> None:
        """Catch up by REST now, without connecting anew; what arrives meanwhile waits. While a catch-up is under way
        another one follows it."""
        if self.state != "live":
            self._again = self.state == "syncing"
            return
        early_s = self._synced_s + _RESYNC_EVERY_S - monotonic()
        if early_s > 0:
            if self._later is None:
                self._later = asyncio.get_running_loop().call_later(early_s, self._resync_late, reason)
            return
        self.resyncs += 1
        self._say("syncing", reason)
        self._begin_catch_up()

    def _resync_late(self, reason: str) -> None:
        self._later = None
        self.resync(reason)

    async def until(self, state: str, within_s: float = 10.0) -> None:
        """Return when the stream is in `state`.

        Raises:
            VenueDown: not within that time. KeysRefused: the venue refuses the keys.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        while self.state != state:
            if self.state == "unauthorised":
                raise KeysRefused(self._pool.venue, self.reason, "check the keys and their environment")
            changed = loop.create_future()
            self._states.append(changed)
            try:
                await asyncio.wait_for(changed, max(0.0, end_s - loop.time()))
            except TimeoutError:
                text = f"stream '{self.name}' is not {state} after {within_s:g} s but {self.state} ({self.reason})"
                raise VenueDown(self._pool.venue, text, "it goes on trying") from None

    @property
    def age_s(self) -> float:
        """Seconds since the last frame; 0 while it is not live."""
        return monotonic() - self._seen_s if self.state == "live" else 0.0

    # -- its life --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._connected()
                reason = "the venue hung up"
            except KeysRefused as error:
                self._refusals += 1
                reason = str(error)
                if self._refusals >= _MOST_REFUSALS:
                    self._pool.health.say("unauthorised", reason)
                    self._say("unauthorised", reason)
                    return
            except RateLimited as error:
                reason = str(error)
                await self._wait(reason, error.retry_after_s)
            except Exception as error:
                if not isinstance(error, WorkbenchError | aiohttp.ClientError | OSError):
                    logger.exception("stream '%s': a reader failed", self.name)
                reason = str(error) or type(error).__name__
            logger.warning("%s: stream '%s' broke: %s", self._pool.venue, self.name, reason)
            await self._wait(reason, self._backoff.next_s())

    async def _wait(self, reason: str, pause_s: float) -> None:
        self._say("waiting", reason)
        await asyncio.sleep(pause_s)

    async def _connected(self) -> None:
        """One connection, from its opening to its end."""
        self._say("connecting", str(self.url.host))
        self.connects += 1
        self._doubt, self._again = "", False
        try:
            async with asyncio.timeout(self._greet_s):  # a venue may take the connection and say nothing
                ws = await self._pool.session.ws_connect(
                    self.url,
                    headers=self._headers,
                    heartbeat=self._ping_s or None,
                    max_msg_size=self._frame_cap,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    ssl=self._tls,
                )
        except TimeoutError as error:
            said = f"stream '{self.name}' not opened in time"
            raise VenueDown(self._pool.venue, said, "it is tried again") from error
        except TLS_ERRORS as error:
            text = f"the certificate of {self.url.host} cannot be trusted ({error})"
            raise UnsafeVenue(self._pool.venue, text, "check the address and this machine's clock") from error
        except aiohttp.WSServerHandshakeError as error:
            raise self._refused(error) from error
        looking: asyncio.Task[None] | None = None
        try:
            self._say("greeting", "logging in")
            await asyncio.wait_for(self._script.greet(Wire(self._pool.venue, ws)), self._greet_s)
            self._refusals = 0
            self._ws = ws
            self._seen_s = self._beat_s = monotonic()
            self._say("syncing", "catching up")
            await self._ask(self.ledger.reset(), [])
            self._begin_catch_up()
            looking = asyncio.get_running_loop().create_task(self._look(ws), name=f"watch {self.name}")
            await self._receive(ws)
            if self._doubt:
                raise VenueDown(self._pool.venue, self._doubt, "the stream is opened again")
        finally:
            self._ws, self._kept = None, None
            if self._later is not None:
                self._later.cancel()
                self._later = None
            for task in (looking, self._catching):
                if task is not None:
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
            self._catching = None
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await asyncio.wait_for(ws.close(), 2.0)

    def _refused(self, error: aiohttp.WSServerHandshakeError) -> WorkbenchError:
        venue, status = self._pool.venue, error.status
        if status in (401, 403):
            return KeysRefused(venue, f"stream '{self.name}' refused", "check the keys", status=status)
        if status in (418, 429):
            limited = RateLimited(venue, "too many connections", "the pool waits", status=status)
            limited.retry_after_s = retry_after_s(error.headers or {}, 10.0)
            return limited
        return VenueDown(venue, f"stream '{self.name}' not opened", "it is tried again", status=status)

    async def _receive(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        text, binary = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
        while True:
            message = await ws.receive()
            if message.type is not text and message.type is not binary:
                if isinstance(message.data, BaseException):
                    said = f"stream '{self.name}': {message.data}"
                    raise VenueDown(self._pool.venue, said, "it is opened again")
                return
            self.frames += 1
            self._seen_s = monotonic()
            self._take_or_keep(message.data)

    def _take_or_keep(self, frame: Frame) -> None:
        kept = self._kept
        if kept is None:
            self._take(frame)
        elif len(kept) < _MOST_KEPT:
            kept.append(frame)
        else:
            self.doubt(f"more than {_MOST_KEPT} frames came while catching up")

    def _take(self, frame: Frame) -> None:
        try:
            self._script.frame(frame)
        except VenueGarbled as error:
            self.garbled += 1
            self._pool.meters.garbled += 1
            logger.warning("stream '%s': %s", self.name, error)
            self.resync(f"a frame could not be read: {error}")
        except Exception as error:  # a mistake in a reader must not leave the stream mute for ever
            self.garbled += 1
            logger.exception("stream '%s': its reader failed", self.name)
            self.resync(f"the reader failed: {type(error).__name__}: {error}")

    # -- catching up -----------------------------------------------------------------------------------------------

    def _begin_catch_up(self) -> None:
        self._kept = []
        self._synced_s = monotonic()
        loop = asyncio.get_running_loop()
        self._catching = loop.create_task(self._caught_up(), name=f"catch up {self.name}")

    async def _caught_up(self) -> None:
        try:
            await asyncio.wait_for(self._script.catch_up(), self._catch_up_s)
        except Exception as error:
            if not isinstance(error, WorkbenchError | TimeoutError):  # a mistake must not leave it mute
                logger.exception("stream '%s': what it catches up with was not understood", self.name)
            self._kept = None
            self.doubt(f"could not catch up ({str(error) or 'not in time'})")
            return
        kept, self._kept = self._kept, None
        self._say("live", "")
        self._backoff.worked()
        for frame in kept or ():
            self._take_or_keep(frame)
        if self._again:
            self._again = False
            self.resync("asked for while catching up")

    # -- watching --------------------------------------------------------------------------------------------------

    async def _look(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """Notice what TCP does not: silence, doubts, subscriptions nobody confirmed; send heartbeats."""
        while True:
            await asyncio.sleep(self._look_s)
            now_s = monotonic()
            if not self._doubt and self.state == "live":
                self._doubt = self.ledger.complaint() or ""
            if self._silent_s and not self.in_session():
                self._seen_s = now_s  # silence counts from the opening
            elif not self._doubt and self._silent_s and now_s - self._seen_s > self._silent_s:
                self._doubt = f"no frame for {now_s - self._seen_s:.1f} s"
            if self._doubt:
                # the receiver wakes at once; a half-open connection would never answer a polite close
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    await asyncio.wait_for(ws.close(), 1.0)
                return
            if self._heartbeat_s and now_s - self._beat_s >= self._heartbeat_s:
                self._beat_s = now_s
                beat = self._script.heartbeat()
                if beat is not None:
                    await Wire(self._pool.venue, ws).send(beat)

    # -- asking ----------------------------------------------------------------------------------------------------

    async def _ask(self, add: list[str], drop: list[str]) -> None:
        ws = self._ws
        if ws is None or not (add or drop):
            return
        wire = Wire(self._pool.venue, ws)
        for frame in self._script.subscribe(add, drop):
            await wire.send(frame)
        self.ledger.asked(add)

    def _ask_soon(self, add: list[str], drop: list[str]) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(add, drop), name=f"subscribe {self.name}")
        task.add_done_callback(self._asked)

    def _asked(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.doubt(f"could not subscribe ({error})")

    def _say(self, state: str, reason: str) -> None:
        self.reason = reason
        if state == self.state:
            return
        self.state = state
        for waiting in self._states:
            if not waiting.done():
                waiting.set_result(None)
        self._states.clear()
        if self._changed is not None:
            self._changed(state, reason)
