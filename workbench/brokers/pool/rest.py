"""Requests to a venue: through the limiter and the breaker, with everything that can go wrong as a typed error.

    ask    a question (GET): asked again when nothing or nothing readable came back
    send   an order, a cancel: sent once; when its outcome is not known, that is what is said

Lives here: one request's way out and back. Not here: signing, and what an answer means (the venue's `Dialect`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from yarl import URL

from workbench.brokers.pool.backoff import Backoff
from workbench.brokers.pool.breaker import Breaker
from workbench.brokers.pool.connection import BrokenOff, TooLarge
from workbench.brokers.pool.http import Http, NotSent, Untrusted
from workbench.brokers.pool.lanes import CANCEL, DATA, ENTRY
from workbench.brokers.pool.payload import broken_off, shorten
from workbench.brokers.pool.sessions import Tls
from workbench.errors import (
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Retryable,
    UnsafeVenue,
    VenueDown,
    VenueError,
    VenueGarbled,
    VenueRefused,
    WorkbenchError,
)

if TYPE_CHECKING:
    from workbench.brokers.pool.limiter import Route
    from workbench.brokers.pool.pool import Pool

__all__ = ["Answer", "Dialect", "Rest", "retry_after_s"]

_MB: Final = 1_000_000


class Answer(msgspec.Struct, frozen=True, eq=False):
    """What came back, and when (monotonic ns): `called_ns` is the moment the limiter let the request pass."""

    status: int
    headers: Mapping[str, str]  # looked up whatever the case
    body: bytes
    called_ns: int
    came_ns: int


class Dialect(Protocol):
    """What a venue's client.py tells the pool: how it signs, how it says no, and what it says about its limits."""

    def sign(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        """The query as it is to be sent and the headers, made at the last moment (time stamps count from here)."""
        ...

    def judge(self, answer: Answer) -> WorkbenchError | None:
        """The error an answer stands for, of any status; None when the status says it all (2xx: it worked).

        For an order, returning a `Refused` or `Retryable` error means: proof that it is not live."""
        ...

    def heard(self, answer: Answer) -> None:
        """What the answer's headers say about the venue's limits."""
        ...


class Rest:
    """Requests to one root address of a venue. `breaker` is shared by those that stand and fall together."""

    def __init__(
        self,
        pool: "Pool",
        root: URL,
        dialect: Dialect,
        *,
        breaker: Breaker,
        tls: Tls = True,
        body_cap: int = 4 * _MB,
        tries: int = 4,
    ) -> None:
        self.root = root
        self.breaker = breaker
        self._pool, self._dialect, self._tls = pool, dialect, tls
        self._limiter, self._meters, self._venue = pool.limiter, pool.meters, pool.venue
        self._body_cap, self._tries = body_cap, tries
        self._path = root.raw_path.rstrip("/")
        self._http: Http | None = None
        # what to do about an error before a question is asked again (a clock to set, say)
        self.before_again: Callable[[WorkbenchError], Awaitable[None]] | None = None

    async def ask(
        self,
        route: "Route",
        path: str,
        query: str = "",
        *,
        lane: int = DATA,
        body_cap: int = 0,
        tries: int = 0,
        most_wait_s: float = 60.0,
    ) -> Answer:
        """The answer to a question; `query` is encoded already.

        Raises:
            VenueDown, Unreachable: no answer after several tries. VenueGarbled: it cannot be read.
            RateLimited, Busy: not in time. KeysRefused, VenueRefused, UnsafeVenue: the venue, or prudence, says no.
        """
        backoff = Backoff(0.1, 2.0)
        for left in range(tries or self._tries, 0, -1):
            try:
                return await self._once(
                    "GET", route, path, query, b"", lane, True, None, most_wait_s, body_cap or self._body_cap
                )
            except Retryable as error:
                if left == 1 or type(error) is WorkbenchError:
                    raise
                self._meters.retried += 1
                if self.before_again is not None:
                    await self.before_again(error)
                if not isinstance(
                    error, RateLimited
                ):  # else the limiter holds it back as long as it was asked to
                    await asyncio.sleep(max(backoff.next_s(), self.breaker.wait_s))
        raise AssertionError("unreachable: the last try returns or raises")

    async def send(
        self,
        method: str,
        route: "Route",
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        lane: int = ENTRY,
        called: Callable[[int], None] | None = None,
        most_wait_s: float = 5.0,
    ) -> Answer:
        """Send something that changes the world, once. `called(ns)` is told when the limiter lets it pass.

        Raises:
            OutcomeUnknown: it may have been carried out: ask the venue.
            Unreachable, Busy: it was not sent. RateLimited, KeysRefused, VenueRefused: the venue did not do it.
        """
        return await self._once(
            method, route, path, query, body, lane, False, called, most_wait_s, self._body_cap
        )

    async def _once(
        self,
        method: str,
        route: "Route",
        path: str,
        query: str,
        body: bytes,
        lane: int,
        harmless: bool,
        called: Callable[[int], None] | None,
        most_wait_s: float,
        body_cap: int,
    ) -> Answer:
        breaker, meters = self.breaker, self._meters
        self._check_keys()
        if lane != CANCEL and not breaker.allows():
            text = f"left alone after failures ({breaker.reason})"
            raise self._counted(
                VenueDown(self._venue, text, f"nothing was sent; next try in {breaker.wait_s:.1f} s")
            )
        if not self._limiter.admit(route, lane):
            await self._limiter.wait(route, lane, most_wait_s)
            if self._pool.health.state == "unauthorised":  # since it began to wait
                self._limiter.release(route)
                self._check_keys()
        try:
            called_ns = monotonic_ns()
            if called is not None:
                called(called_ns)
            meters.requests[route.name] += 1
            signed, headers = self._dialect.sign(method, path, query, body)
            target = f"{self._path}{path}?{signed}" if signed else self._path + path
            answer = await self._exchange(method, target, body, headers, harmless, body_cap, called_ns)
            meters.wire.record(answer.came_ns - called_ns)
            self._dialect.heard(answer)
            error = self._judged(answer, harmless)
        except WorkbenchError as failure:
            breaker.failed(str(failure))
            raise self._counted(failure) from failure.__cause__
        finally:
            self._limiter.release(route)
        if error is None:
            breaker.worked()
            self._pool.keys_refused = 0
            return answer
        if isinstance(error, VenueDown | VenueGarbled | OutcomeUnknown):
            breaker.failed(str(error))
        else:
            breaker.worked()
            if isinstance(error, RateLimited):
                meters.limited += 1
                self._limiter.penalise(route, error.retry_after_s)
            elif isinstance(error, KeysRefused):
                self._pool.refused_keys(error)
        raise self._counted(error)

    def _check_keys(self) -> None:
        """Raises KeysRefused once they were: every further try with a refused key invites a ban."""
        if self._pool.health.state == "unauthorised":
            text = f"left alone: {self._pool.health.reason}"
            advice = "nothing was sent; renew the keys, start again"
            raise self._counted(KeysRefused(self._venue, text, advice))

    async def _exchange(
        self,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
        harmless: bool,
        body_cap: int,
        called_ns: int,
    ) -> Answer:
        venue = self._venue
        try:
            http = self._http or self._opened()
            status, said, content = await http.exchange(method, target, headers, body, body_cap)
        except Untrusted as error:
            text = f"the certificate of {self.root.host} cannot be trusted ({error})"
            advice = "nothing was sent; check the address and this machine's clock"
            raise UnsafeVenue(venue, text, advice) from error
        except NotSent as error:
            raise VenueDown(venue, f"no connection ({error})", "nothing was sent; try again") from error
        except (BrokenOff, OSError) as error:
            if harmless:
                raise VenueDown(venue, f"no answer ({error})", "ask again") from error
            text = f"{venue}: no answer ({error}): the venue is asked what became of the request"
            raise OutcomeUnknown(text) from error
        except TooLarge as error:
            self._meters.garbled += 1
            text = f"the answer is larger than {body_cap / _MB:g} MB"
            if harmless:
                raise VenueGarbled(venue, text, "report it; it was not used", status=error.status) from error
            text = f"{venue}: {text}: the venue is asked what became of the request"
            raise OutcomeUnknown(text) from error
        return Answer(status, said, content, called_ns, monotonic_ns())

    def _opened(self) -> Http:
        http = self._http = self._pool.http(self.root, self._tls)
        return http

    def _judged(self, answer: Answer, harmless: bool) -> WorkbenchError | None:
        status = answer.status
        error = self._dialect.judge(answer)
        if type(error) is VenueRefused and broken_off(answer.body):
            # of an id used twice, say: that would be no proof against the first order
            text = "it says no, and why cannot be read"
            error = VenueError(self._venue, text, "look whether it was done", status=status)
        if error is not None:
            if isinstance(error, Refused | Retryable | OutcomeUnknown):
                return error
            if harmless and isinstance(
                error, VenueError
            ):  # it does not know itself: a question may be asked again
                return VenueDown(error.venue, error.said, "ask again", status=error.status, code=error.code)
            return OutcomeUnknown(f"{error}: the venue is asked what became of the request")
        if 200 <= status < 300:
            return None
        said, venue = shorten(answer.body) or "no reason given", self._venue
        if status in (418, 429):
            limited = RateLimited(venue, said, "the pool waits", status=status)
            limited.retry_after_s = retry_after_s(answer.headers)
            return limited
        if status in (401, 403):
            return KeysRefused(venue, said, "check the keys and their environment", status=status)
        late = status == 408  # given up while it was under way: that proves nothing
        if 400 <= status < 500 and not late:
            return VenueRefused(venue, said, "see the venue's documentation", status=status)
        if harmless and (late or status >= 500):
            return VenueDown(venue, said, "ask again", status=status)
        if harmless:  # a redirect is never followed: it could lead keys anywhere
            text = f"redirects to '{_origin(answer.headers.get('Location', ''))}'"
            return UnsafeVenue(venue, text, "check the address in the settings", status=status)
        return OutcomeUnknown(
            f"{venue}: HTTP {status} to a request that may have been carried out: the venue is asked about it"
        )

    def _counted(self, error: WorkbenchError) -> WorkbenchError:
        self._meters.errors[type(error).__name__] += 1
        return error


def _origin(location: str) -> str:
    """Where a redirect leads, without its path and query: a signature could be in them."""
    try:
        return str(URL(location).origin())
    except ValueError:
        return "another path"


def retry_after_s(headers: Mapping[str, str], default_s: float = 1.0) -> float:
    """The pause a Retry-After header asks for; only seconds are understood, within a day.

    >>> retry_after_s({"Retry-After": "7"}), retry_after_s({"Retry-After": "soon"})
    (7.0, 1.0)
    """
    said = headers.get("Retry-After", "")
    return min(float(said), 86_400.0) if said.isascii() and said.isdigit() else default_s
