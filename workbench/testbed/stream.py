"""The server's end of one WebSocket: messages out in order, through the faults that strike there.

Lives here: the queue of a client, its writer, what faults do to messages. Not here: what a stream says (a venue's
folder), finding the route (server.py).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import WSMsgType, web
from aiohttp.web_request import BaseRequest

from workbench.testbed.faults import Fault, Faults, struck
from workbench.testbed.wire import MANGLED, hard_close, mangled

__all__ = ["Link"]

_SLOW: Final = 20_000  # messages a client may be behind before it is told to go
_CLOSING_S: Final = 0.5


class Link:
    """One client's socket. `send` never waits: a writer sends in order, applying faults to each message by its event.

    `name` is the stream's; faults strike at `stream:NAME:EVENT`.
    """

    def __init__(self, request: BaseRequest, name: str, faults: Faults) -> None:
        self.request = request
        self.name = name
        self.faults = faults
        self.socket = web.WebSocketResponse(
            compress=False, max_msg_size=16 * 2**20, timeout=_CLOSING_S, autoping=False
        )
        self.frames = 0  # frames the client has sent, pings and pongs too
        self.pong_s = 0.0  # when its last pong came (loop time)
        self._queue: deque[tuple[str, bytes, bool]] = deque()
        self._held: list[
            tuple[int, str, bytes, bool]
        ] = []  # reordered messages: how many are still to pass them
        self._more = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._code = 0
        self.dead = False  # half-open: the socket stays, nothing moves

    async def open(self) -> None:
        """Shake hands and begin to send."""
        await self.socket.prepare(self.request)
        self._writer = asyncio.create_task(self._write())

    def send(self, event: str, payload: bytes, *, binary: bool = False) -> None:
        """Queue a message. A client 20,000 messages behind is closed."""
        if self._code or self.socket.closed:
            return
        if len(self._queue) >= _SLOW:
            self.close(1008)
            return
        self._queue.append((event, payload, binary))
        self._more.set()

    def close(self, code: int = 1000) -> None:
        """Close once everything queued has been sent."""
        self._code = self._code or code
        self._more.set()

    def cut(self) -> None:
        """End the connection without a word, as a dying server does."""
        transport = self.request.transport
        if transport is not None:
            hard_close(transport)

    async def messages(self) -> AsyncIterator[bytes]:
        """What the client sends, text and binary alike, fragments joined; ends when the socket does."""
        async for message in self.socket:
            if self.dead:
                continue
            self.frames += 1
            if message.type == WSMsgType.PING:
                await self.socket.pong(message.data)
            elif message.type == WSMsgType.PONG:
                self.pong_s = asyncio.get_running_loop().time()
            elif message.type == WSMsgType.TEXT:
                yield message.data.encode()
            elif message.type == WSMsgType.BINARY:
                yield message.data

    async def end(self) -> None:
        """Stop sending; called once, when the route is done with the socket."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        if not self.socket.closed and not self.dead:
            await self.socket.close(code=self._code or 1000)

    # -- the writer ----------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        queue, more = self._queue, self._more
        while True:
            while queue:
                event, payload, binary = queue.popleft()
                if self.faults.any:
                    await self._through_faults(event, payload, binary)
                else:
                    await self._out(payload, binary)
            if self._code:
                await self.socket.close(code=self._code)
                return
            more.clear()
            await more.wait()

    async def _out(self, payload: bytes, binary: bool) -> None:
        if self.dead or self.socket.closed:
            return
        try:
            if binary:
                await self.socket.send_bytes(payload)
            else:
                await self.socket.send_str(payload.decode())
        except ConnectionError:
            self._queue.clear()  # the client is gone; the reading side ends the link

    async def _through_faults(self, event: str, payload: bytes, binary: bool) -> None:
        hits = self.faults.hit(f"stream:{self.name}:{event}")
        if struck(hits, "mute", "drop"):
            return
        ended = struck(hits, "reset", "outage", "close", "half_open")
        if ended is not None:
            self._finish(ended)
            return
        late = struck(hits, "delay")
        if late is not None:
            await asyncio.sleep(max(0.0, late.seconds))
        for fault in hits:
            if fault.what in MANGLED:
                payload = mangled(fault, payload)
        swapped = struck(hits, "reorder")
        if swapped is not None:
            self._held.append((swapped.times, event, payload, binary))
            self.faults.later(swapped.seconds or 1.0, self._release)
            return
        await self._out(payload, binary)
        again = struck(hits, "duplicate")
        for _ in range(again.times if again is not None else 0):
            await self._out(payload, binary)
        held, self._held = self._held, []
        for left, name, body, is_binary in held:
            if left <= 1:
                await self._out(body, is_binary)
            else:
                self._held.append((left - 1, name, body, is_binary))

    def _release(self) -> None:
        """Nothing has passed the held messages for too long: let them go."""
        held, self._held = self._held, []
        for _, _, payload, binary in held:
            if not self.socket.closed and not self.dead:
                self._queue.appendleft(("released", payload, binary))
        self._more.set()

    def _finish(self, fault: Fault) -> None:
        self._queue.clear()
        if fault.what == "close":
            self._code = fault.status or 1011
        elif fault.what == "half_open":
            self.dead = True
            transport = self.request.transport
            if transport is not None and not transport.is_closing():
                transport.pause_reading()
        else:
            self.cut()
