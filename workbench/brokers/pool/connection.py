"""One kept-alive HTTP/1.1 connection and the framing of its answers: lengths, chunks, ends, whatever the pieces.

Lives here: bytes to (status, headers, body), with caps and time-outs. Not here: opening connections and choosing one
(http.py), what an answer means (rest.py).
"""

import asyncio
import zlib
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Final

__all__ = ["BrokenOff", "Connection", "HttpHeaders", "Parts", "TooLarge"]

_HEAD_CAP: Final = 65_536
_NO_BODY: Final = frozenset({204, 304})


class BrokenOff(Exception):
    """The request left and no whole answer came back."""


class TooLarge(Exception):
    """The answer is larger than it may be."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class HttpHeaders(Mapping[str, str]):
    """An answer's headers, looked up whatever the case; read when somebody asks.

    >>> HttpHeaders(b"HTTP/1.1 200 OK\\r\\nX-Used: 7\\r\\nX-Used: 8")["x-used"]
    '8'
    """

    __slots__ = ("_found", "_head")

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._found: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        found = self._found
        if found is None:
            found = self._found = {}
            for line in self._head.decode("latin-1").split("\r\n")[1:]:
                name, _, value = line.partition(":")
                found[name.strip().lower()] = value.strip()
        return found

    def __getitem__(self, name: str) -> str:
        return self._all()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<headers {', '.join(self._all())}>"


type Parts = tuple[int, HttpHeaders, bytes]


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    __slots__ = (
        "_body",
        "_buffer",
        "_chunked",
        "_ends",
        "_got",
        "_head",
        "_left",
        "_limits_s",
        "_moved",
        "_since_s",
        "_timer",
        "cap",
        "closed",
        "idle_since_s",
        "loop",
        "status",
        "transport",
        "waiter",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: asyncio.Transport
        self.closed = False
        self.waiter: asyncio.Future[Parts] | None = None
        self.idle_since_s = 0.0
        self.cap = self.status = 0
        self._timer: asyncio.TimerHandle | None = None
        self._limits_s = (0.0, 0.0)
        self._since_s = 0.0
        self._moved = False
        self._buffer = b""
        self._begin()

    def _begin(self) -> None:
        self._head: bytes | None = None
        self._left = -1  # length of the body; -1: until the connection ends
        self._chunked = self._ends = False
        self._body: list[bytes] = []
        self._got = 0  # of the body

    def request(self, data: bytes, cap: int, read_s: float, total_s: float) -> "asyncio.Future[Parts]":
        """Send, and promise the answer: something of it every `read_s`, all of it within `total_s`."""
        self.cap = cap
        waiter = self.waiter = self.loop.create_future()
        self._limits_s, self._since_s, self._moved = (read_s, total_s), monotonic(), False
        self._timer = self.loop.call_later(read_s, self._late)
        self.transport.write(data)
        return waiter

    # -- the transport's calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream connection's is a Transport

    def data_received(self, data: bytes) -> None:
        if self.waiter is None:  # nobody asked: such a connection is not used again
            self.abort(BrokenOff("an answer to nothing"))
            return
        self._moved = True
        try:
            if self._head is not None and not self._chunked:
                self._more(data)
            else:
                self._buffer = self._buffer + data if self._buffer else data
                self._advance()
        except (ValueError, IndexError) as error:
            self.abort(BrokenOff(f"what came is no HTTP ({error})"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self.waiter is None:
            return
        if self._head is not None and self._left == -1 and not self._chunked and exc is None:
            self._finish()  # its end was the end of the connection
        else:
            said = str(exc) if exc else "the venue hung up"
            self._fail(BrokenOff(f"{said} after {self._got} bytes of the body" if self._head else said))

    # -- the answer ------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        while self._head is None:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                if len(self._buffer) > _HEAD_CAP:
                    raise ValueError("no end of the headers")
                return
            version, status, *_ = head.split(b"\r\n", 1)[0].split(b" ", 2)
            if not version.startswith(b"HTTP/1."):
                raise ValueError("another protocol")
            self.status, self._buffer = int(status), rest
            if self.status >= 200:  # else 100 Continue and the like: the answer follows
                self._head = head
                lower = head.lower()
                self._ends = version == b"HTTP/1.0" or b"\r\nconnection: close" in lower
                self._length(lower)
        if self.waiter is None:
            return
        if self._chunked:
            self._chunks()
        else:
            data, self._buffer = self._buffer, b""
            self._more(data)

    def _length(self, head: bytes) -> None:
        at = head.find(b"\r\ncontent-length:")
        if self.status in _NO_BODY:
            self._left = 0
        elif head.find(b"\r\ntransfer-encoding:") >= 0:
            self._chunked = True
        elif at >= 0:
            end = head.find(b"\r\n", at + 2)
            self._left = int(head[at + 17 : end if end >= 0 else len(head)])
            if self._left < 0:
                raise ValueError("a negative length")
            if self._left > self.cap:
                self.abort(TooLarge(self.status))

    def _more(self, data: bytes) -> None:
        """A piece of a body whose length is known, or that ends with the connection."""
        left = self._left
        if left < 0 or self._got + len(data) <= left:
            self._keep(data)
        else:
            self._buffer = data[left - self._got :]  # more than was promised
            self._keep(data[: left - self._got])
        if self._got == left:
            self._finish()

    def _chunks(self) -> None:
        while self.waiter is not None:
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                if len(self._buffer) > 4096:
                    raise ValueError("no end of a chunk's size")
                return
            size = int(line.split(b";", 1)[0], 16)
            if size < 0 or size > self.cap:
                self.abort(TooLarge(self.status))
                return
            if len(rest) < size + 2:
                return
            self._buffer = rest[size + 2 :]
            if size == 0:
                self._finish()  # trailers are not sent by venues
                return
            self._keep(rest[:size])

    def _keep(self, data: bytes) -> None:
        self._body.append(data)
        self._got += len(data)
        if self._got > self.cap:
            self.abort(TooLarge(self.status))

    def _finish(self) -> None:
        head, body = self._head or b"", self._body
        waiter, self.waiter = self.waiter, None
        if self._timer is not None:
            self._timer.cancel()
        if self._ends or self._buffer or (self._left < 0 and not self._chunked):
            self.closed = True
            self.transport.close()
        whole = body[0] if len(body) == 1 else b"".join(body)
        self._begin()
        if waiter is None or waiter.done():
            return
        if b"\r\ncontent-encoding:" in head.lower():
            unpacked = _unpacked(whole, self.cap)
            if unpacked is None:
                waiter.set_exception(TooLarge(self.status))
                return
            whole = unpacked
        waiter.set_result((self.status, HttpHeaders(head), whole))

    def _late(self) -> None:
        read_s, total_s = self._limits_s
        if self._moved and monotonic() - self._since_s < total_s:
            self._moved = False
            self._timer = self.loop.call_later(read_s, self._late)
        else:
            self.abort(BrokenOff(f"no answer within {total_s if self._moved else read_s:g} s"))

    def abort(self, error: Exception) -> None:
        """Give the connection up at once."""
        self.closed = True
        self.transport.abort()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        waiter, self.waiter = self.waiter, None
        if self._timer is not None:
            self._timer.cancel()
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)


def _unpacked(body: bytes, cap: int) -> bytes | None:
    """A compressed body unpacked, None when that is more than `cap` (or no such thing at all)."""
    try:
        out = zlib.decompressobj(47).decompress(body, cap + 1)
    except zlib.error:
        return body  # an encoding we do not know: the reader will say that it cannot be read
    return None if len(out) > cap else out
