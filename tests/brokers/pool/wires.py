"""A venue made of sockets that misbehaves on purpose, and the smallest client there can be. Test apparatus only."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import WSMsgType, web
from yarl import URL

from workbench.brokers.pool import Answer, Budget, Frame, Pool, Rest, Rolling, Route, Slots, Wire
from workbench.errors import KeysRefused, RateLimited, VenueError, VenueGarbled, VenueRefused, WorkbenchError

type Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def http_server(serve: Serve) -> AsyncIterator[URL]:
    """A real HTTP server on loopback; every request goes to `serve`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield URL(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def raw_server(talk: Raw) -> AsyncIterator[URL]:
    """A TCP server that says whatever `talk` writes."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection that was taken just now gets its transport
        ended = asyncio.ensure_future(server.wait_closed())
        while not ended.done():
            for task in tasks:  # more of them with every turn: a handler begins a turn after its connection
                task.cancel()
            await asyncio.wait({ended}, timeout=0.01)
        await asyncio.gather(*tasks, return_exceptions=True)


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """One whole request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    return head + await reader.readexactly(length)


class Plain:
    """The dialect of a venue that signs with one header."""

    def __init__(self) -> None:
        self.heard_headers: list[Mapping[str, str]] = []

    def sign(self, method: str, path: str, query: str, body: bytes) -> tuple[str, Mapping[str, str]]:
        return query, {"X-Key": "k"}

    def judge(self, answer: Answer) -> WorkbenchError | None:
        if answer.status == 422:
            return VenueRefused("test", "no such thing", "ask for another", status=422, code="7", field="qty")
        if answer.status == 400 and answer.body == b"who knows":
            return VenueError("test", "nobody knows", "look", status=400, code="-1")
        if answer.status == 200 and answer.body == b"error":
            return VenueGarbled("test", "an error in disguise", "report it", status=200)
        return None

    def heard(self, answer: Answer) -> None:
        self.heard_headers.append(answer.headers)


def small_pool(*budgets: Budget) -> Pool:
    return Pool("test", budgets or (Rolling("all", 10_000, 60.0), Slots("in_flight", 100)))


def rest_of(pool: Pool, root: URL, **more: Any) -> tuple[Rest, Route]:
    """A way to ask `root`, and a route of one request."""
    return pool.rest(root, Plain(), **more), pool.limiter.route("call", all=1, in_flight=1)


class Talk:
    """A stream's script: greets with a word, takes text frames `channel:value`, catches up by `snapshot`."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.catch_ups = 0
        self.snapshot: Callable[[], Awaitable[None]] | None = None
        self.on_frame: Callable[[str], None] | None = None
        self.beat: Frame | None = None

    async def greet(self, wire: Wire) -> None:
        await wire.send("hello")
        answer = await wire.next()
        if answer == "wrong key":
            raise KeysRefused("test", "wrong key", "check it")
        if answer == "too many":
            limited = RateLimited("test", "too many connections", "wait")
            limited.retry_after_s = 0.05
            raise limited

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        for channel in add:
            yield f"+{channel}"
        for channel in drop:
            yield f"-{channel}"

    def frame(self, frame: Frame) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        if text == "bad":
            raise VenueGarbled("test", "cannot be read", "report it")
        if self.on_frame is not None:
            self.on_frame(text)
        self.taken.append(text)

    async def catch_up(self) -> None:
        self.catch_ups += 1
        if self.snapshot is not None:
            await self.snapshot()

    def heartbeat(self) -> Frame | None:
        return self.beat


class Sockets:
    """The other end of streams: `answers` to hello in turn (the last one stays), what came in, the open ones."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers) or ["welcome"]
        self.received: list[str] = []
        self.open: list[web.WebSocketResponse] = []
        self.opened = 0
        self.refuse_with = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuse_with:
            return web.Response(status=self.refuse_with)
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.opened += 1
        async for message in ws:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            text = message.data if isinstance(message.data, str) else message.data.decode()
            self.received.append(text)
            if text == "hello":
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await ws.send_str(answer)
                self.open.append(ws)
        if ws in self.open:
            self.open.remove(ws)
        return ws

    async def say(self, *frames: Frame) -> None:
        for ws in list(self.open):
            for frame in frames:
                await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait for a condition with a deadline."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come true"
        await asyncio.sleep(0.002)
