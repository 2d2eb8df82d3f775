"""Binance's WebSocket API: orders asked for over one connection, the account's events over another.

    greet: (session.logon with an Ed25519 key) -> request {id, method, params} <-> answer {id, status, result | error}

Lives here: the words of those connections, and matching answers with requests. Not here: the connections' life (pool),
what an event means for an order (broker.py), which way an order goes (trading.py).

Two connections, because the account's events wait while a snapshot is fetched, and answers to orders must not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic_ns
from typing import Any, Final

import msgspec

from workbench.brokers.binance.bodies import ErrorBody, Event, LimitBody
from workbench.brokers.binance.client import BinanceDialect
from workbench.brokers.binance.parse import Params
from workbench.brokers.binance.refusals import ClockOff, error_of
from workbench.brokers.binance.signer import Signer
from workbench.brokers.binance.words import VENUE
from workbench.brokers.pool import (
    Credentials,
    Frame,
    Pool,
    Route,
    Stream,
    Wire,
    decode,
    encode,
)
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Retryable,
    VenueDown,
    VenueGarbled,
    WorkbenchError,
)

__all__ = ["OrderSocket", "Requests", "UserEvents"]

_ANSWER_S: Final = 10.0
_SUBSCRIBE: Final = "userDataStream.subscribe.signature"
_LOGON: Final = "session.logon"


class WsAnswer(msgspec.Struct, rename={"limits": "rateLimits"}):
    """One frame: an answer (`id`, `status`), or an event."""

    id: int | str | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None
    limits: list[LimitBody] = []
    event: Event | None = None


class Requests:
    """Makes requests; their parameters are signed sorted by name, not percent-encoded. Once a session is logged on,
    neither key nor signature is needed."""

    def __init__(
        self,
        keys: Credentials,
        signer: Signer,
        dialect: BinanceDialect,
        window_ms: int,
        clock_again: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._key, self._signer, self.clock_again = keys.key, signer, clock_again
        self._window = {"recvWindow": window_ms} if window_ms != 5_000 else {}
        self.can_log_on = signer.kind == "Ed25519"
        self.now_ms = dialect.now_ms

    def frame(self, number: int, method: str, params: dict[str, Any], *, signed: bool = True) -> str:
        """One request as a frame."""
        dated = {**params, **self._window, "timestamp": self.now_ms()}
        if signed:
            dated["apiKey"] = self._key
            payload = "&".join(f"{name}={dated[name]}" for name in sorted(dated))
            dated["signature"] = self._signer(payload.encode())
        return encode({"id": number, "method": method, "params": dated}).decode()


def _read(frame: Frame) -> WsAnswer:
    body = frame.encode() if isinstance(frame, str) else frame
    return decode(VENUE, body, WsAnswer, what="a frame of the WebSocket API", deepest=0)


def _error(answer: WsAnswer, now_ms: int) -> WorkbenchError | None:
    said = answer.error or ErrorBody()
    until_ms = said.data.retry_after if said.data is not None else None
    pause_s = 5.0 if until_ms is None else max(0.0, until_ms - now_ms) / 1_000
    return error_of(answer.status, said, pause_s)


async def _asked(wire: Wire, requests: Requests, number: int, method: str) -> None:
    """Ask for something while logging in, when nothing else is under way; once more when the time on it was wrong.

    Raises:
        what the venue's answer stands for.
    """
    try:
        await _asked_once(wire, requests, number, method)
    except ClockOff:
        if requests.clock_again is None:
            raise
        await requests.clock_again()
        await _asked_once(wire, requests, number, method)


async def _asked_once(wire: Wire, requests: Requests, number: int, method: str) -> None:
    await wire.send(requests.frame(number, method, {}))
    while True:
        answer = _read(await wire.next())
        if answer.status:
            break
    if answer.status != 200:
        error = _error(answer, requests.now_ms())
        raise error or VenueDown(VENUE, f"'{method}' failed", "it is tried again", status=answer.status)


class OrderSocket:
    """The script of the connection for orders; `request` is what others do with it."""

    def __init__(self, pool: Pool, requests: Requests, dialect: BinanceDialect) -> None:
        self._pool, self._requests, self._dialect = pool, requests, dialect
        self._limiter, self._meters = pool.limiter, pool.meters
        self.stream: Stream
        self.answer_s = _ANSWER_S  # longest wait for an answer
        self.late = 0  # answers that nobody waited for any more
        self._waiting: dict[int, asyncio.Future[WsAnswer]] = {}
        self._number = 0
        self._signed = True

    @property
    def is_live(self) -> bool:
        return self.stream.state == "live"

    async def greet(self, wire: Wire) -> None:
        """Log on where the key can."""
        self._signed = True
        if self._requests.can_log_on:
            await _asked(wire, self._requests, 0, _LOGON)
            self._signed = False

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """Nothing is subscribed to here."""
        return ()

    def frame(self, frame: Frame) -> None:
        answer = _read(frame)
        if isinstance(answer.id, int) and answer.status:
            waiting = self._waiting.pop(answer.id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
            else:
                self.late += 1  # its order is asked about already
        elif answer.event is not None and answer.event.e == "serverShutdown":
            self.stream.doubt("the venue is about to shut the connection down")

    def changed(self, state: str, reason: str) -> None:
        """The connection broke: who waits is told at once that the answer was lost."""
        if state == "waiting":
            self._lose(f"the connection broke before the answer ({reason})")

    async def catch_up(self) -> None:
        """Nothing is missed here: who waits has been told that the answer was lost."""

    def heartbeat(self) -> Frame | None:
        """The connection's own pings are enough; a request without an answer is noticed."""
        return None

    def close(self) -> None:
        """Nobody will be answered any more."""
        self._lose("the connection was closed before the answer")

    def _lose(self, text: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if not one.done():
                one.set_exception(OutcomeUnknown(f"{VENUE}: {text}: the venue is asked about it"))

    async def request(
        self,
        route: Route,
        method: str,
        params: Params,
        *,
        lane: int,
        called: Callable[[int], None] | None = None,
        most_wait_s: float = 5.0,
    ) -> bytes:
        """Send something that changes the world, once; the result as JSON.

        Raises:
            OutcomeUnknown: it may have been carried out: ask the venue.
            VenueDown, Busy: it was not sent. RateLimited, KeysRefused, VenueRefused: the venue did not do it.
        """
        limiter, meters = self._limiter, self._meters
        health = self._pool.health
        if health.state != "unauthorised" and not limiter.admit(route, lane):
            await limiter.wait(route, lane, most_wait_s)
            if health.state == "unauthorised":  # since it began to wait
                limiter.release(route)
        if health.state == "unauthorised":
            raise KeysRefused(VENUE, f"left alone: {health.reason}", "nothing was sent; renew the keys")
        try:
            called_ns = monotonic_ns()
            if called is not None:
                called(called_ns)
            meters.requests[route.name] += 1
            answer = await self._exchange(method, dict(params))
            meters.wire.record(monotonic_ns() - called_ns)
            if answer.limits:
                self._dialect.limits.told(answer.limits, called_ns / 1e9)
        except WorkbenchError as failure:
            meters.errors[type(failure).__name__] += 1
            raise
        finally:
            limiter.release(route)
        if answer.status == 200:
            self._pool.keys_refused = 0
            return bytes(answer.result)
        raise self._refused(answer, route)

    def _refused(self, answer: WsAnswer, route: Route) -> WorkbenchError:
        error = _error(answer, self._dialect.now_ms())
        if error is None:
            text = f"{VENUE}: status {answer.status} to a request that may have been carried out"
            error = OutcomeUnknown(f"{text}: the venue is asked about it")
        elif not isinstance(error, Refused | Retryable | OutcomeUnknown):
            error = OutcomeUnknown(f"{error}: the venue is asked what became of the request")
        error = self._dialect.limits.taken(error)
        self._meters.errors[type(error).__name__] += 1
        if isinstance(error, RateLimited):
            self._meters.limited += 1
            self._limiter.penalise(route, error.retry_after_s)
        elif isinstance(error, KeysRefused):
            self._pool.refused_keys(error)
        return error

    async def _exchange(self, method: str, params: dict[str, Any]) -> WsAnswer:
        self._number += 1
        number = self._number
        waiting: asyncio.Future[WsAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            await self.stream.send(self._requests.frame(number, method, params, signed=self._signed))
        except VenueDown:
            self._waiting.pop(number, None)
            raise
        except OSError as error:
            self._waiting.pop(number, None)
            text = f"{VENUE}: the connection broke while sending ({error})"
            raise OutcomeUnknown(f"{text}: the venue is asked about it") from error
        try:
            return await asyncio.wait_for(waiting, self.answer_s)
        except TimeoutError:
            self._waiting.pop(number, None)
            self.stream.doubt(f"'{method}' was not answered in {self.answer_s:g} s")
            text = f"{VENUE}: no answer in {self.answer_s:g} s"
            raise OutcomeUnknown(f"{text}: the venue is asked what became of the request") from None


class UserEvents:
    """The script of the account's events. There is no replay: `caught_up` looks at the orders again after each
    connect."""

    def __init__(
        self,
        requests: Requests,
        told: Callable[[Event], None],
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._requests, self._told, self._caught_up = requests, told, caught_up
        self.stream: Stream
        self.received = 0  # events about orders

    async def greet(self, wire: Wire) -> None:
        """Subscribe with a signature: every kind of key can."""
        await _asked(wire, self._requests, 1, _SUBSCRIBE)

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """There is one subscription, made while logging in."""
        return ()

    def frame(self, frame: Frame) -> None:
        event = _read(frame).event
        if event is None:
            raise VenueGarbled(VENUE, "a frame without an event", "the orders are looked up")
        if event.e in ("eventStreamTerminated", "serverShutdown"):
            self.stream.doubt(f"the venue says {event.e}")
            return
        if event.e == "executionReport":
            self.received += 1
        self._told(event)

    async def catch_up(self) -> None:
        await self._caught_up()

    def heartbeat(self) -> Frame | None:
        """The connection's own pings are enough."""
        return None
