"""A served in-memory desk for each test, on a free loopback port, and ways to talk to it raw."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.api.fake_desk import FakeDesk
from workbench.api.address import desk_folder
from workbench.api.server import Server, ServerLimits, free_socket

type Serve = Callable[..., Awaitable["Served"]]

# a quick stream tick, no delay for failed logins, and no time-out that a machine which stalls would meet
PATIENT = ServerLimits(failed_login_delay_s=0.0, tick_s=0.01, hello_s=60.0, first_request_s=60.0)


class Served:
    """A running server over a fake desk, its full token, and a plain HTTP session."""

    def __init__(self, desk: FakeDesk, server: Server, http: aiohttp.ClientSession) -> None:
        self.desk, self.server, self.http = desk, server, http
        self.stopped = False
        self.token, self.grant = server.tokens.issue("full", "test")

    @property
    def url(self) -> str:
        return self.server.url

    def scoped(self, scope: str) -> str:
        return self.server.tokens.issue(scope)[0]

    async def ask(
        self, method: str, path: str, token: str | None = "", **more: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, decoded body, response; the full token unless another (or None) is given."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        async with self.http.request(method, self.url + path, headers=headers, **more) as response:
            raw = await response.read()
        is_json = response.content_type == "application/json"
        return response.status, msgspec.json.decode(raw) if is_json and raw else raw, response

    async def hello(self, **secret: str) -> tuple[aiohttp.ClientWebSocketResponse, dict[str, Any]]:
        """A stream connection past its welcome."""
        socket = await self.http.ws_connect(f"{self.url}/api/v1/stream", max_msg_size=0)
        await socket.send_json({"op": "hello", **(secret or {"token": self.token})})
        welcome: dict[str, Any] = await socket.receive_json(timeout=30)
        return socket, welcome

    async def follow(self, *topics: str) -> aiohttp.ClientWebSocketResponse:
        socket, _ = await self.hello()
        await socket.send_json({"op": "subscribe", "topics": list(topics)})
        return socket


async def next_op(socket: aiohttp.ClientWebSocketResponse, *ops: str) -> dict[str, Any]:
    """The next message whose op is one of `ops`."""
    while True:
        told: dict[str, Any] = await socket.receive_json(timeout=30)
        if told["op"] in ops:
            return told


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition()` is true; fails after 100 s."""
    async with asyncio.timeout(100):
        while not condition():  # noqa: ASYNC110 - the condition is the other side's state, which sets no event
            await asyncio.sleep(0.005)


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start a server: `served = await serve(limits=ServerLimits(...))`."""
    running: list[Served] = []

    async def start(limits: ServerLimits | None = None, **more: Any) -> Served:
        desk = FakeDesk(desk_folder("fake", tmp_path))
        slot: list[Served] = []

        def stopped() -> None:
            slot[0].stopped = True

        server = Server(
            desk,
            free_socket("127.0.0.1", 0),
            metrics_text=lambda: b"# HELP workbench_up_seconds up\n",
            on_stop=stopped,
            limits=limits or PATIENT,
            **more,
        )
        await server.start()
        served = Served(desk, server, aiohttp.ClientSession(auto_decompress=True))
        slot.append(served)
        running.append(served)
        return served

    yield start
    for served in running:
        await served.http.close()
        await served.server.close()


@pytest.fixture
async def served(serve: Serve) -> Served:
    """A server with the usual limits, a quick stream tick and no delay for failed logins."""
    return await serve()
