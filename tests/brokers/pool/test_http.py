"""The lean HTTP client: framing whatever the pieces, connections kept and given up."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.brokers.pool.wires import http_server, raw_server, request_of, until
from workbench.brokers.pool.connection import BrokenOff, Connection, HttpHeaders, TooLarge
from workbench.brokers.pool.http import Http, NotSent

CAP = 100_000
BODY = b'{"ok": true, "text": "' + b"x" * 300 + b'"}'
CHUNKED = (
    b"".join(b"%x;ext=1\r\n%s\r\n" % (len(p), p) for p in (BODY[:5], BODY[5:200], BODY[200:])) + b"0\r\n\r\n"
)
ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-LENGTH: %d\r\n\r\n%s" % (len(BODY), BODY),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
    % (len(BODY), BODY),
    "gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
    % (len(gzip.compress(BODY, mtime=0)), gzip.compress(BODY, mtime=0)),
}


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        self.written = b""
        self.ended = ""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


def fed(answer: bytes, cuts: list[int], cap: int = CAP) -> tuple[int, HttpHeaders, bytes]:
    """The answer as a connection makes it out, fed in pieces."""

    async def run() -> tuple[int, HttpHeaders, bytes]:
        connection = Connection(asyncio.get_running_loop())
        connection.connection_made(FakeTransport())
        waiter = connection.request(b"GET / HTTP/1.1\r\n\r\n", cap, 10.0, 10.0)
        at = 0
        for cut in [*sorted(cuts), len(answer)]:
            if answer[at:cut] and not connection.closed:
                connection.data_received(answer[at:cut])
            at = max(at, cut)
        if not waiter.done():
            connection.connection_lost(None)
        return await waiter

    return asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(ANSWERS)), data=st.data())
def test_law_the_answer_is_the_same_whatever_the_pieces(kind: str, data: st.DataObject) -> None:
    answer = ANSWERS[kind]
    cuts = data.draw(st.lists(st.integers(0, len(answer)), max_size=30))
    status, headers, body = fed(answer, cuts)
    assert (status, body) == (200, BODY)
    assert all(name == name.lower() for name in headers)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_law_any_bytes_are_an_answer_or_a_typed_end(noise: bytes) -> None:
    for answer in (noise, b"HTTP/1.1 200 OK\r\n" + noise, ANSWERS["chunked"][:60] + noise):
        with contextlib.suppress(BrokenOff, TooLarge):
            fed(answer, [len(answer) // 2])


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_every_cut_short_answer_is_broken_off(kind: str) -> None:
    answer = ANSWERS[kind]
    for length in range(len(answer) - 1):
        with pytest.raises(BrokenOff):
            fed(answer[:length], [])


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert fed(b"HTTP/1.0 200 OK\r\n\r\n" + BODY, [3, 30])[2] == BODY


def test_answers_without_a_body() -> None:
    for status in (204, 304):
        assert fed(b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\n" % status, [])[::2] == (status, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n%s\r\n" % (b"x" * 500) * 3,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
        % (len(gzip.compress(b"0" * 5000)), gzip.compress(b"0" * 5000)),
    ],
)
def test_what_is_too_large_is_given_up(answer: bytes) -> None:
    with pytest.raises(TooLarge) as caught:
        fed(answer, [], cap=1000)
    assert caught.value.status == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000,
    ],
)
def test_what_is_no_http_is_broken_off(answer: bytes) -> None:
    with pytest.raises((BrokenOff, TooLarge)):
        fed(answer, [])


# -- connections -------------------------------------------------------------------------------------------------
@pytest.fixture
async def counted() -> AsyncIterator[tuple[Http, list[str]]]:
    """A client and what its server saw: one mark a request."""
    seen: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        assert request.transport is not None
        seen.append(f"{request.method} {request.path_qs} {request.transport.get_extra_info('peername')[1]}")
        body = await request.read()
        return web.Response(
            body=body or b"nothing", headers={"Connection": request.headers.get("Want", "keep-alive")}
        )

    async with http_server(serve) as root:
        http = Http(root, keepalive_s=600.0)
        yield http, seen
        await http.close()


async def test_one_connection_serves_one_request_after_another(counted: tuple[Http, list[str]]) -> None:
    http, seen = counted
    for n in range(5):
        status, _, body = await http.exchange("POST", f"/a?n={n}", {"X-A": "1"}, b"body %d" % n, CAP)
        assert (status, body) == (200, b"body %d" % n)
    assert http.opened == 1
    assert len({mark.rsplit(" ", 1)[1] for mark in seen}) == 1


async def test_bodies_and_targets_arrive_as_they_are(counted: tuple[Http, list[str]]) -> None:
    http, seen = counted
    status, headers, body = await http.exchange("PATCH", "/v2/x%2Fy?a=b%20c", {}, b"\x00\xff", CAP)
    assert (status, body, headers.get("CONTENT-length")) == (200, b"\x00\xff", "2")
    assert seen[0].startswith("PATCH /v2/x%2Fy?a=b%20c ")
    assert (await http.exchange("GET", "/", {}, b"", CAP))[2] == b"nothing"


async def test_as_many_connections_as_requests_under_way(counted: tuple[Http, list[str]]) -> None:
    http, _ = counted
    await asyncio.gather(*(http.exchange("POST", "/", {}, b"%d" % n, CAP) for n in range(20)))
    assert http.opened == 20
    await asyncio.gather(*(http.exchange("POST", "/", {}, b"%d" % n, CAP) for n in range(20)))
    assert http.opened == 20


async def test_a_connection_the_venue_closes_is_not_used_again(counted: tuple[Http, list[str]]) -> None:
    http, _ = counted
    await http.exchange("GET", "/", {"Want": "close"}, b"", CAP)
    await http.exchange("GET", "/", {}, b"", CAP)
    assert http.opened == 2


async def test_a_connection_that_was_idle_too_long_is_not_used_again(counted: tuple[Http, list[str]]) -> None:
    http, _ = counted
    await http.exchange("GET", "/", {}, b"", CAP)
    http._free[0].idle_since_s -= 601
    await http.exchange("GET", "/", {}, b"", CAP)
    assert http.opened == 2


async def test_a_connection_that_ended_while_idle_is_not_used_again() -> None:
    served = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await request_of(reader)
        served += 1
        writer.write(ANSWERS["length"])
        await writer.drain()  # and hangs up without having said so

    async with raw_server(talk) as root:
        http = Http(root)
        for _ in range(3):
            assert (await http.exchange("POST", "/", {}, b"x", CAP))[2] == BODY
            await until(lambda: http._free[-1].closed if http._free else True)
        assert (served, http.opened) == (3, 3)
        await http.close()


async def test_what_is_given_up_leaves_no_connection_behind() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.Event().wait()

    async with raw_server(talk) as root:
        http = Http(root)
        task = asyncio.ensure_future(http.exchange("GET", "/", {}, b"", CAP))
        await until(lambda: bool(http._used))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not http._used
        assert not http._free
        under_way = asyncio.ensure_future(http.exchange("GET", "/", {}, b"", CAP))
        await until(lambda: bool(http._used))
        await http.close()
        with pytest.raises(BrokenOff, match="was closed"):
            await under_way
        with pytest.raises(NotSent, match="was closed"):
            await http.exchange("GET", "/", {}, b"", CAP)


class HandTimers:
    """The part of a loop that a connection uses, its time moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.create_future = asyncio.get_running_loop().create_future
        self._due: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr("workbench.brokers.pool.connection.monotonic", lambda: self.now_s)

    def call_later(self, wait_s: float, call: Callable[[], None]) -> SimpleNamespace:
        self._due = [(self.now_s + wait_s, call)]  # a connection has one timer
        return SimpleNamespace(cancel=self._due.clear)

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        for at_s, call in [*self._due]:
            if at_s <= self.now_s:
                call()


@pytest.mark.parametrize(
    ("piece", "every_s", "told"),
    [(40, 9.0, ""), (1, 9.0, "no answer within 100 s"), (40, 10.5, "no answer within 10 s")],
    ids=["slow", "trickle", "silent"],
)
async def test_a_slow_answer_may_take_its_time_and_a_trickle_has_an_end(
    piece: int, every_s: float, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers, answer = HandTimers(monkeypatch), ANSWERS["length"]
    connection = Connection(cast(asyncio.AbstractEventLoop, timers))
    connection.connection_made(FakeTransport())
    waiter = connection.request(b"GET / HTTP/1.1\r\n\r\n", CAP, 10.0, 100.0)
    for at in range(0, len(answer), piece):
        timers.passes(every_s)
        if connection.closed:
            break
        connection.data_received(answer[at : at + piece])
    if told:
        with pytest.raises(BrokenOff, match=told):
            await waiter
    else:
        assert (await waiter)[2] == BODY
        assert timers.now_s > 100.0 + 10.0 * 2


async def test_a_trickle_ends_on_the_wire_too() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for at in range(len(ANSWERS["length"])):
            writer.write(ANSWERS["length"][at : at + 1])
            await writer.drain()
            await asyncio.sleep(0.03)

    async with raw_server(talk) as root:
        http = Http(root, read_s=1.0, total_s=1.5)
        with pytest.raises(BrokenOff, match="no answer within"):
            await http.exchange("GET", "/trickle", {}, b"", CAP)
        await http.close()


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(ANSWERS["length"])

    async with raw_server(talk) as root:
        http = Http(root)
        http._addresses = (float("inf"), ["127.0.0.2", "127.0.0.1"])
        assert (await http.exchange("GET", "/", {}, b"", CAP))[0] == 200
        await http.close()


@pytest.mark.parametrize("root", ["http://127.0.0.1:9", "http://name.invalid", "http://localhost:9"])
async def test_no_connection_means_nothing_was_sent(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*asked: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if "invalid" in root:  # whatever the machine's name servers say to that
        monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    http = Http(URL(root), connect_s=30.0)
    with pytest.raises(NotSent):
        await http.exchange("POST", "/", {}, b"x", CAP)
    await http.close()
