"""HTTP/1.1 over kept-alive connections, as lean as an order's way to a venue has to be.

    request bytes -> a free connection (or a new one) -> one answer: status, headers, body -> the connection is free

Lives here: opening connections and choosing one; whether anything had been sent when it broke. Not here: the framing of
answers (connection.py); limits, retries, meaning (rest.py); WebSockets (stream.py, aiohttp's).

Why not aiohttp: a request through it costs four times as much (docs/decisions/0017). What is left out: redirects,
cookies, proxies, compression that was not asked for beyond undoing it, and every kind of request body but bytes.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from time import monotonic
from typing import Final

import aiohttp
from yarl import URL

from workbench.brokers.pool.connection import BrokenOff, Connection, Parts
from workbench.brokers.pool.sessions import Tls

__all__ = ["Http", "NotSent", "Untrusted"]

_DNS_S: Final = 300.0
_FREE_CAP: Final = 512


class NotSent(Exception):
    """No connection came about: nothing was sent."""


class Untrusted(Exception):
    """The certificate cannot be trusted: nothing was sent."""


class Http:
    """Connections to one origin. `exchange` raises `NotSent`, `Untrusted`, `BrokenOff` or `TooLarge`."""

    def __init__(
        self,
        root: URL,
        tls: Tls = True,
        *,
        connect_s: float = 5.0,
        read_s: float = 10.0,
        total_s: float = 60.0,
        keepalive_s: float = 30.0,
    ) -> None:
        self.root = root
        self.connect_s, self.read_s, self.total_s, self.keepalive_s = connect_s, read_s, total_s, keepalive_s
        self.opened = 0
        self._host, self._port = root.host or "", root.port or 443
        self._pin = tls.fingerprint if isinstance(tls, aiohttp.Fingerprint) else b""
        self._context = _context(tls) if root.scheme == "https" else None
        default = self._port == (443 if self._context else 80)
        self._common = f"Host: {_bracketed(self._host)}{'' if default else f':{self._port}'}\r\n" + (
            "User-Agent: workbench\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        )
        self._free: deque[Connection] = deque()
        self._used: set[Connection] = set()
        self._addresses: tuple[float, list[str]] = (0.0, [])
        self._closed = False

    async def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, cap: int
    ) -> Parts:
        """Send one request, and the whole answer of at most `cap` bytes. Cancelled, the connection is given up."""
        connection = self._idle() or await self._connected()
        self._used.add(connection)
        try:
            data = self._written(method, target, headers, body)
            answer = await connection.request(data, cap, self.read_s, self.total_s)
        except BaseException:
            if not connection.closed:
                connection.abort(BrokenOff("given up"))
            raise
        finally:
            self._used.discard(connection)
        if not connection.closed and not self._closed and len(self._free) < _FREE_CAP:
            connection.idle_since_s = monotonic()
            self._free.append(connection)
        elif not connection.closed:
            connection.abort(BrokenOff("too many"))
        return answer

    async def close(self) -> None:
        """Close every connection; what is under way breaks off."""
        self._closed = True
        for connection in [*self._free, *self._used]:
            if not connection.closed:
                connection.abort(BrokenOff("the connection was closed"))
        self._free.clear()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _written(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {target} HTTP/1.1\r\n", self._common]
        for name, value in headers.items():
            lines.append(f"{name}: {value}\r\n")
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1") + body

    def _idle(self) -> Connection | None:
        free = self._free
        while free:
            connection = free.pop()  # the one used last is the least likely to have been closed meanwhile
            if connection.closed:
                continue
            if monotonic() - connection.idle_since_s > self.keepalive_s:
                connection.abort(BrokenOff("idle"))
                continue
            return connection
        return None

    async def _connected(self) -> Connection:
        if self._closed:
            raise NotSent("the connection was closed")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_s):
                connection = await self._dial(loop)
        except TimeoutError as error:
            raise NotSent(f"no connection within {self.connect_s:g} s") from error
        except (ssl.SSLError, ssl.CertificateError) as error:
            raise Untrusted(str(error)) from error
        except OSError as error:
            self._addresses = (0.0, [])
            raise NotSent(error.strerror or str(error)) from error
        self.opened += 1
        if self._pin:
            shown = connection.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            if sha256(shown or b"").digest() != self._pin:
                connection.abort(BrokenOff("another certificate"))
                raise Untrusted("its fingerprint is another one than the pinned")
        return connection

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> Connection:
        failed: OSError | None = None
        for address in await self._resolved(loop):
            try:
                _, connection = await loop.create_connection(
                    lambda: Connection(loop),
                    address,
                    self._port,
                    ssl=self._context,
                    server_hostname=self._host if self._context else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:  # the next address may answer
                failed = error
            else:
                return connection
        raise failed or OSError(f"'{self._host}' has no address")

    async def _resolved(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        until_s, known = self._addresses
        if monotonic() < until_s:
            return known
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
        self._addresses = (monotonic() + _DNS_S, addresses)
        return addresses


@lru_cache(maxsize=1)
def _verified() -> ssl.SSLContext:
    return ssl.create_default_context()


def _context(tls: Tls) -> ssl.SSLContext:
    if isinstance(tls, ssl.SSLContext):
        return tls
    if tls is True:
        return _verified()
    # loopback alone: pinned (checked after the handshake), or taken as it is (sessions.tls_for holds that)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
