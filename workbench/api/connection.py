"""One WebSocket client: hello, subscriptions, commands, and frames that never wait for a slow reader.

Frames go straight to the transport. When its buffer is above `high_water` bytes the client's frames are dropped
and noted; once it has drained, each topic gets a gap marker and a fresh snapshot. A client that stays behind
longer than `slow_s` is closed with code 4008.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSMsgType, web

from workbench.api.answers import error_body
from workbench.api.bodies import decode_body
from workbench.api.routes_act import kill_desk
from workbench.api.security import Forbidden, RateLimit
from workbench.api.tokens import Grant, allows
from workbench.api.topics import TOPICS, text_frame
from workbench.errors import BadInput, Unauthorised, UnknownName, WorkbenchError

if TYPE_CHECKING:
    from workbench.api.stream import Stream

__all__ = ["CLOSE_LATE", "CLOSE_SLOW", "CLOSE_UNAUTHORISED", "Connection"]

CLOSE_SLOW = 4008
CLOSE_UNAUTHORISED = 4401
CLOSE_LATE = 4408

logger = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class _Op(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op"):
    pass


class Hello(_Op, frozen=True, tag="hello"):
    token: str = ""
    ticket: str = ""
    resume: str = ""


class Subscribe(_Op, frozen=True, tag="subscribe"):
    topics: list[str]


class Unsubscribe(_Op, frozen=True, tag="unsubscribe"):
    topics: list[str]


class KillOp(_Op, frozen=True, tag="kill"):
    id: str
    reason: str = "stream"


class PauseOp(_Op, frozen=True, tag="pause"):
    id: str
    strategy_id: int
    reason: str = "paused by the operator"


class ResumeOp(_Op, frozen=True, tag="resume"):
    id: str
    strategy_id: int


class PingOp(_Op, frozen=True, tag="ping"):
    t: float | int | str | None = None


type ClientOp = Hello | Subscribe | Unsubscribe | KillOp | PauseOp | ResumeOp | PingOp
_OPS: dict[str, type[ClientOp]] = {
    "hello": Hello,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "kill": KillOp,
    "pause": PauseOp,
    "resume": ResumeOp,
    "ping": PingOp,
}


class _AnyOp(msgspec.Struct):
    op: str = ""
    id: str = ""


class Connection:
    """A client of the stream, from hello to close."""

    def __init__(self, stream: "Stream", request: web.Request, socket: web.WebSocketResponse) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left during the handshake")
        self._transport: asyncio.Transport = transport
        self._stream = stream
        self._socket = socket
        self._rate = RateLimit(per_s=100.0, burst=200.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind_since_s: float | None = None
        self._missed: dict[str, int] = {}
        self.topics: frozenset[str] = frozenset()
        self.grant = Grant("", "view")
        self.resume = ""

    async def run(self) -> None:
        """Serve until the socket closes."""
        if not await self._hello():
            return
        self._stream.join(self)
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._take(message.data)
                else:
                    self._error("", BadInput("binary frames are not understood: send JSON text"))
        finally:
            self._stream.leave(self)
            self._stream.tokens.release(self.resume)

    async def close(self, code: int, why: str) -> None:
        await self._socket.close(code=code, message=why.encode())

    # ------------------------------------------------------------ out
    def offer(self, topics: frozenset[str], frames: bytes, seqs: dict[str, int]) -> None:
        """Hand over joined frames about `topics`, or note what was missed when the reader is behind.
        `seqs` tells each topic's newest number."""
        if self._behind_since_s is not None or self._buffered() > self._stream.high_water:
            self._fall_behind(topics, seqs)
        else:
            self._write(frames)

    def catch_up(self, now_s: float) -> None:
        """Called every tick: gap markers and snapshots once the buffer has drained; close when it never does."""
        if self._behind_since_s is None:
            return
        if self._buffered() <= self._stream.high_water // 8:
            self._behind_since_s = None
            missed, self._missed = self._missed, {}
            for topic, from_seq in missed.items():
                to_seq = self._stream.seq(topic)
                self.say({"op": "gap", "topic": topic, "from_seq": from_seq, "to_seq": to_seq})
                self._write(self._stream.snapshot_frame(topic))
        elif now_s - self._behind_since_s > self._stream.slow_s:
            logger.warning("stream client of %s closed: %d bytes behind", self.grant.id, self._buffered())
            reason = b"too slow"
            self._write(bytes((0x88, 2 + len(reason))) + CLOSE_SLOW.to_bytes(2) + reason)
            self._stream.leave(self)
            asyncio.get_running_loop().call_later(self._stream.linger_s, self._transport.abort)

    def beat(self, frame: bytes) -> None:
        if self._behind_since_s is None:
            self._write(frame)

    def say(self, message: dict[str, Any]) -> None:
        self._write(text_frame(_encode(message)))

    def _write(self, frames: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frames)

    def _buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    def _fall_behind(self, topics: frozenset[str], seqs: dict[str, int]) -> None:
        if self._behind_since_s is None:
            self._behind_since_s = time.monotonic()
        for topic in topics:
            self._missed.setdefault(topic, seqs[topic])

    def _error(self, op_id: str, error: WorkbenchError) -> None:
        body = error_body(error)
        self.say({"op": "error", "id": op_id, "code": body.code, "text": body.text})

    # ------------------------------------------------------------ in
    async def _hello(self) -> bool:
        try:
            async with asyncio.timeout(self._stream.hello_s):
                message = await self._socket.receive()
        except TimeoutError:
            await self.close(CLOSE_LATE, "no hello")
            return False
        if message.type is not WSMsgType.TEXT:
            await self.close(CLOSE_UNAUTHORISED, "hello first")
            return False
        try:
            self.grant = self._admit(_decode(message.data))
        except WorkbenchError as error:
            await asyncio.sleep(self._stream.failed.delay_s())
            self._error("", error)
            await self.close(CLOSE_UNAUTHORISED, "not accepted")
            return False
        self.resume = self._stream.tokens.new_resume(self.grant)
        self.say(self._stream.welcome(self.grant, self.resume))
        return True

    def _admit(self, op: ClientOp) -> Grant:
        tokens = self._stream.tokens
        if not isinstance(op, Hello):
            raise Unauthorised("the first message must be a hello with a token, ticket or resume token")
        if sum(map(bool, (op.token, op.ticket, op.resume))) != 1:
            raise Unauthorised("hello needs exactly one of token, ticket, resume")
        if op.token:
            return tokens.check(op.token)
        return tokens.redeem(op.ticket) if op.ticket else tokens.resume(op.resume)

    def _take(self, text: str) -> None:
        op_id = ""
        try:
            op = _decode(text)
            op_id = getattr(op, "id", "")
            self._rate.take(self.grant.id)
            self._obey(op)
        except WorkbenchError as error:
            self._error(op_id, error)

    def _obey(self, op: ClientOp) -> None:
        if isinstance(op, PingOp):
            self.say({"op": "pong", "t": op.t})
        elif isinstance(op, Subscribe):
            wanted = self._known(op.topics)
            fresh = [topic for topic in TOPICS if topic in wanted - self.topics]
            self._stream.bring_up_to_date(fresh)
            for topic in fresh:
                self._write(self._stream.snapshot_frame(topic))
            self.topics |= wanted
        elif isinstance(op, Unsubscribe):
            self.topics -= self._known(op.topics)
            self._missed = {topic: seq for topic, seq in self._missed.items() if topic in self.topics}
        elif isinstance(op, Hello):
            raise BadInput("hello was said already: open a new connection to change who you are")
        else:
            self._start(op)

    def _known(self, topics: list[str]) -> frozenset[str]:
        for topic in topics:
            if topic not in TOPICS:
                raise UnknownName("topic", topic[:40], TOPICS)
        return frozenset(topics)

    def _start(self, op: KillOp | PauseOp | ResumeOp) -> None:
        needed = "full" if isinstance(op, ResumeOp) else "view+stop"
        if not allows(self.grant.scope, needed):
            raise Forbidden(
                f"scope '{self.grant.scope}' may not {type(op).__struct_config__.tag}: needs '{needed}'"
            )
        # a task each: a kill must not wait behind anything, not even this client's own earlier command
        task = asyncio.get_running_loop().create_task(self._act(op))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _act(self, op: KillOp | PauseOp | ResumeOp) -> None:
        desk = self._stream.desk
        result: Any = {}
        try:
            if isinstance(op, KillOp):
                result = await kill_desk(desk, op.reason[:500], self.grant.label or "stream")
            elif isinstance(op, PauseOp):
                await desk.pause(op.strategy_id, op.reason[:500])
            else:
                await desk.resume(op.strategy_id)
        except WorkbenchError as error:
            self._error(op.id, error)
        except Exception:
            logger.exception("stream command %s failed", type(op).__name__)
            self._error(op.id, WorkbenchError("the engine failed on this command: see engine.log"))
        else:
            self.say({"op": "ack", "id": op.id, "ok": True, "result": result})


def _decode(text: str) -> ClientOp:
    raw = text.encode("utf-8", "surrogateescape")
    name = decode_body(_AnyOp, raw).op
    if name not in _OPS:
        raise UnknownName("op", name[:40], _OPS)
    return decode_body(_OPS[name], raw)
