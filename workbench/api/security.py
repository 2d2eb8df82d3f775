"""Which requests may come in at all: exact Host and Origin lists, failed-login delay, request rate per token.

Host and Origin are compared as whole strings, never by prefix, and both are needed: a rebinding page has a
matching Origin and Host of its own. Origins allowed at run time live in `origins.json` in the desk's folder.
"""

import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from workbench.errors import BadInput, BadValue, Busy, Unauthorised

__all__ = ["FailedLogins", "Forbidden", "Gate", "RateLimit", "check_origin_text"]

_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


class Forbidden(Unauthorised):
    """Known or not, this caller may not do that (403, where a missing or wrong token is 401)."""


def check_origin_text(origin: str) -> str:
    """`origin` when it is one exact web origin: scheme, host, optional port, nothing else.

    >>> check_origin_text("http://127.0.0.1:8888")
    'http://127.0.0.1:8888'
    """
    if not _ORIGIN.fullmatch(origin):
        raise BadValue("origin", origin, "give scheme, host and port only, like http://127.0.0.1:8888")
    return origin


class Gate:
    """The Host and Origin lists of one server."""

    def __init__(
        self, port: int, folder: Path, *, extra_hosts: Iterable[str] = (), extra_origins: Iterable[str] = ()
    ) -> None:
        own = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
        self._hosts = frozenset([*own, *extra_hosts])
        self._fixed = frozenset(
            [f"http://{host}" for host in own] + [check_origin_text(o) for o in extra_origins]
        )
        self._path = folder / "origins.json"
        self._seen: tuple[int, int, int] | None = None
        self._from_file: frozenset[str] = frozenset()

    def check_host(self, values: list[str]) -> None:
        """Exactly one Host header, and it is on the list."""
        if len(values) != 1 or values[0] not in self._hosts:
            raise Forbidden("Host header is not accepted: use the address in the desk's address book")

    def check_origin(self, values: list[str]) -> None:
        """No Origin header (not a browser), or exactly one that is on the list."""
        if not values:
            return
        if len(values) != 1 or (values[0] not in self._fixed and values[0] not in self._listed()):
            raise Forbidden("Origin is not accepted: allow it with POST /api/v1/origins or in origins.json")

    def allow(self, origin: str) -> None:
        """Add an origin to `origins.json` (written atomically); it counts at once and after a restart."""
        listed = sorted({*self._listed(), check_origin_text(origin)})
        temporary = self._path.with_name(f".origins-{os.getpid()}.tmp")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(listed)))
        temporary.replace(self._path)

    def _listed(self) -> frozenset[str]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._from_file = None, frozenset()
            return self._from_file
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            if stat.st_mode & 0o022 or stat.st_uid != os.getuid():
                raise BadInput(f"{self._path} can be written by others: make it 0600 and your own")
            try:
                values = msgspec.json.decode(self._path.read_bytes(), type=list[str])
            except msgspec.DecodeError as error:
                raise BadInput(f"{self._path} is not a JSON list of origins: mend or delete it") from error
            self._from_file = frozenset(check_origin_text(value) for value in values)
            self._seen = seen
        return self._from_file


class RateLimit:
    """A token bucket per grant id: `per_s` requests a second with bursts of `burst`."""

    def __init__(self, per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, grant_id: str) -> None:
        """Count one request.

        Raises:
            Busy: the bucket is empty.
        """
        now_s = self._clock()
        level, then_s = self._level.get(grant_id, (self._burst, now_s))
        level = min(self._burst, level + (now_s - then_s) * self._per_s)
        if level < 1.0:
            self._level[grant_id] = (level, now_s)
            raise Busy(f"more than {self._per_s:g} requests a second with one token: slow down and try again")
        self._level[grant_id] = (level - 1.0, now_s)


class FailedLogins:
    """After `allowed` failures within a minute every further failure is answered late; good tokens never wait."""

    def __init__(
        self, allowed: int = 10, delay_s: float = 0.5, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed, self._delay_s, self._clock = allowed, delay_s, clock
        self._times: deque[float] = deque(maxlen=max(allowed, 1))

    def delay_s(self) -> float:
        """Record a failure; how long its answer should wait."""
        now_s = self._clock()
        late = len(self._times) >= self._allowed and now_s - self._times[0] < 60.0
        self._times.append(now_s)
        return self._delay_s if late else 0.0
