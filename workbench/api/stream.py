"""The live stream: one tick at most ten times a second turns the desk's snapshot into frames for every client."""

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from workbench.api.connection import CLOSE_UNAUTHORISED, Connection
from workbench.api.contract import DeskContract
from workbench.api.security import FailedLogins
from workbench.api.tokens import Grant, Tokens
from workbench.api.topics import TOPICS, TopicFeed, text_frame

__all__ = ["Stream"]

logger = logging.getLogger(__name__)
FRAME_MAX_BYTES = 256 * 1024


class Stream:
    """All clients of one desk. With nobody subscribed it costs nothing but one timer."""

    def __init__(
        self,
        desk: DeskContract,
        tokens: Tokens,
        failed: FailedLogins,
        *,
        tick_s: float = 0.1,
        beat_s: float = 1.0,
        hello_s: float = 5.0,
        slow_s: float = 10.0,
        linger_s: float = 5.0,
        high_water: int = 1 << 20,
    ) -> None:
        self.desk, self.tokens, self.failed = desk, tokens, failed
        self.hello_s, self.slow_s, self.linger_s, self.high_water = hello_s, slow_s, linger_s, high_water
        self._tick_s, self._beat_s = tick_s, beat_s
        self._feeds = {topic: TopicFeed(topic, desk.order) for topic in TOPICS}
        self._clients: set[Connection] = set()
        self._timer: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ life
    def start(self) -> None:
        self._timer = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._close_all(list(self._clients), 1001, "engine stops")

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """The WebSocket route (Host and Origin are already checked)."""
        socket = web.WebSocketResponse(
            max_msg_size=FRAME_MAX_BYTES, compress=False, heartbeat=20.0, timeout=2.0
        )
        await socket.prepare(request)
        await Connection(self, request, socket).run()
        return socket

    async def close_of(self, token_id: str) -> None:
        """Close every connection that came in with this token, or with a ticket from it."""
        theirs = [client for client in self._clients if client.grant.id == token_id]
        await self._close_all(theirs, CLOSE_UNAUTHORISED, "token revoked")

    async def _close_all(self, clients: list[Connection], code: int, why: str) -> None:
        for result in await asyncio.gather(*(c.close(code, why) for c in clients), return_exceptions=True):
            if isinstance(result, Exception):
                logger.warning("closing a stream client failed: %r", result)

    # ------------------------------------------------------------ what connections use
    def join(self, client: Connection) -> None:
        self._clients.add(client)
        self.desk.clients = len(self._clients)

    def leave(self, client: Connection) -> None:
        self._clients.discard(client)
        self.desk.clients = len(self._clients)

    def welcome(self, grant: Grant, resume: str) -> dict[str, Any]:
        return {
            "op": "welcome",
            "resume": resume,
            "scope": grant.scope,
            "epoch": self.desk.snapshot().session.epoch,
            "desk": self.desk.name,
            "heartbeat_s": self._beat_s,
        }

    def seq(self, topic: str) -> int:
        return self._feeds[topic].seq

    def snapshot_frame(self, topic: str) -> bytes:
        return self._feeds[topic].snapshot_frame()

    def bring_up_to_date(self, topics: Iterable[str]) -> None:
        """Advance topics nobody followed until now, so that their snapshot is today's."""
        followed = self._followed()
        snapshot = self.desk.snapshot()
        for topic in topics:
            if topic not in followed:
                self._feeds[topic].advance(snapshot)

    # ------------------------------------------------------------ ticking
    def publish(self) -> None:
        """Send what changed since the last call. Each changed topic is encoded once; clients that follow the
        same topics share one joined buffer, so a tick costs one write a client."""
        now_s = time.monotonic()
        for client in list(self._clients):
            client.catch_up(now_s)
        followed = self._followed()
        if not followed:
            return
        snapshot = self.desk.snapshot()
        frames: dict[str, bytes] = {}
        for topic in TOPICS:
            if topic in followed:
                frame = self._feeds[topic].advance(snapshot)
                if frame is not None:
                    frames[topic] = frame
        if not frames:
            return
        seqs = {topic: self._feeds[topic].seq for topic in frames}
        joined: dict[frozenset[str], tuple[frozenset[str], bytes]] = {}
        for client in list(self._clients):
            ready = joined.get(client.topics)
            if ready is None:
                theirs = frozenset(topic for topic in frames if topic in client.topics)
                ready = theirs, b"".join(frame for topic, frame in frames.items() if topic in theirs)
                joined[client.topics] = ready
            if ready[0]:
                client.offer(*ready, seqs)

    def _followed(self) -> frozenset[str]:
        return frozenset().union(*{client.topics for client in self._clients})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        next_tick_s = loop.time()
        next_beat_s = next_tick_s + self._beat_s
        while True:
            next_tick_s = max(next_tick_s + self._tick_s, loop.time())
            await asyncio.sleep(next_tick_s - loop.time())
            try:
                self.publish()
            except Exception:
                # one bad snapshot must not end the stream: it is logged, and clients see that only beats arrive
                logger.exception("stream tick failed")
            if loop.time() >= next_beat_s:
                next_beat_s = loop.time() + self._beat_s
                frame = text_frame(msgspec.json.encode({"op": "beat", "ts_ns": time.time_ns()}))
                for client in list(self._clients):
                    client.beat(frame)
