"""What faults do to one HTTP request, down to the socket.

Lives here: delays, lost replies, resets, broken bodies. Not here: when one strikes (faults.py), streams (stream.py).
"""

import asyncio
import gzip
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.web_request import BaseRequest

from workbench.testbed.call import Answer
from workbench.testbed.faults import Fault, struck

__all__ = ["MANGLED", "faulty", "hard_close", "mangled"]

MANGLED: Final = ("invalid_json", "huge", "deep", "mutate")
"""Faults of a body's content, of answers and messages alike."""

_SILENT: Final = ("drop", "outage", "half_open")
_HOLD_S: Final = 3_600.0

type Carry = Callable[[], Awaitable[Answer]]
type Refuse = Callable[[int, str], Answer]


def hard_close(transport: asyncio.BaseTransport | None) -> None:
    """Close so that the other side gets a reset instead of an orderly end."""
    if transport is None or transport.is_closing():
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        twin = socket.socket(fileno=os.dup(raw.fileno()))
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        twin.close()
    abort = getattr(transport, "abort", transport.close)
    abort()


async def faulty(
    request: BaseRequest, faults: list[Fault], carry: Carry, refuse: Refuse
) -> web.StreamResponse | None:
    """Answer a request as the faults want it; None: as `carry` would have, nothing struck the answer itself.

    `carry` does what was asked; `refuse(status, text)` says no in the venue's shape.
    """
    late = struck(faults, "delay")
    if late is not None:
        await asyncio.sleep(max(0.0, late.seconds))
    silent = struck(faults, *_SILENT)
    if silent is not None:
        if silent.what == "half_open":
            await _hang(request, _HOLD_S, reads=False)
        return _gone(request, reset=False)
    refused = struck(faults, "status")
    if refused is not None:
        if refused.handled:
            await carry()
        return _response(refuse(refused.status, refused.text), refused.headers)
    again = struck(faults, "twice")
    if again is not None:
        await carry()
    answer_fault = struck(faults, "lost_reply", "reset", "truncate", "trickle", "bomb", *MANGLED)
    if answer_fault is None:
        return None
    if answer_fault.what == "reset" and not answer_fault.handled and not answer_fault.bytes:
        return _gone(request, reset=True)
    return await _spoiled(request, answer_fault, await carry())


async def _spoiled(request: BaseRequest, fault: Fault, answer: Answer) -> web.StreamResponse:
    if fault.what == "lost_reply":
        await _hang(request, fault.seconds or _HOLD_S)
        return _gone(request, reset=False)
    if fault.what in MANGLED:
        answer.body = mangled(fault, answer.body)
        return _response(answer, fault.headers)
    if fault.what == "bomb":
        answer.body = gzip.compress(answer.body + b" " * fault.bytes)
        return _response(answer, {**fault.headers, "Content-Encoding": "gzip"})
    raw = _raw(answer)
    transport = request.transport
    if transport is None:
        return _gone(request, reset=False)
    if fault.what == "trickle":
        size = max(1, fault.bytes)
        for at in range(0, len(raw), size):
            transport.write(raw[at : at + size])
            await asyncio.sleep(max(0.0, fault.seconds))
        return _gone(request, reset=False, at_once=False)
    head = raw.index(b"\r\n\r\n") + 4
    transport.write(raw[: head + fault.bytes])
    await _flushed(transport)
    return _gone(request, reset=fault.what == "reset")


def mangled(fault: Fault, body: bytes) -> bytes:
    """A JSON (or MessagePack) body as a fault wants it: broken off, padded, nested, or with other fields."""
    if fault.what == "invalid_json":
        return body[: max(1, len(body) // 2)] if len(body) > 2 else b"{"
    if fault.what == "deep":
        return _deep(body, fault.times)
    encode: Callable[[Any], bytes] = msgspec.json.encode
    try:
        content: Any = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        try:
            content, encode = msgspec.msgpack.decode(body), msgspec.msgpack.encode
        except msgspec.DecodeError:
            return body
    if fault.what == "huge":
        padding = "x" * fault.bytes
        if isinstance(content, dict):
            content["padding"] = padding
        elif isinstance(content, list):
            content.append({"padding": padding})
        return encode(content)
    _mutate(content, fault)
    return encode(content)


def _deep(body: bytes, times: int) -> bytes:
    """An object or a list with one more member, nested too deep for most readers (and for any writer but this)."""
    nested = b"[" * times + b"]" * times
    opening, rest = body[:1], body[1:].lstrip()
    comma = b"" if rest[:1] in (b"}", b"]") else b","
    if opening == b"{":
        return b'{"deep":' + nested + comma + rest
    return b"[" + nested + comma + rest if opening == b"[" else body


def _mutate(content: Any, fault: Fault) -> None:
    for path, value in fault.set.items():
        for holder, name in _holders(content, path):
            holder[name] = value
    for path in fault.unset:
        for holder, name in _holders(content, path):
            holder.pop(name, None)


def _holders(content: Any, path: str) -> list[tuple[dict[str, Any], str]]:
    """Where a path ends. A number in it names a member of a list; a list that is the whole body is meant member by
    member when the path does not begin with one."""
    inside, _, name = path.rpartition(".")
    each = isinstance(content, list) and not path.partition(".")[0].isdigit()
    found = [_inside(one, inside) for one in (content if each else [content])]
    return [(holder, name) for holder in found if isinstance(holder, dict)]


def _inside(target: Any, path: str) -> Any:
    for part in path.split(".") if path else ():
        if isinstance(target, list):
            target = target[int(part)] if part.isdigit() and int(part) < len(target) else None
        else:
            target = target.get(part) if isinstance(target, dict) else None
    return target


def _response(answer: Answer, headers: dict[str, str]) -> web.Response:
    return web.Response(
        body=answer.body,
        status=answer.status,
        headers={**(answer.headers or {}), **headers},
        content_type=answer.content_type,
    )


def _raw(answer: Answer) -> bytes:
    """The answer as it goes over the wire, for those that are not to arrive whole."""
    lines = [f"HTTP/1.1 {answer.status} -", f"Content-Type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in (answer.headers or {}).items()]
    lines += [f"Content-Length: {len(answer.body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + answer.body


async def _hang(request: BaseRequest, seconds: float, *, reads: bool = True) -> None:
    """Keep the connection and say nothing, until the time is over, the client has gone or the server stops. One that
    `reads` no more does not notice the client going either."""
    transport = request.transport
    if transport is not None and not reads and not transport.is_closing():
        transport.pause_reading()
    end_s = asyncio.get_running_loop().time() + seconds
    # aiohttp tells nobody that a client has gone: it can only be looked at
    while request.transport is not None and asyncio.get_running_loop().time() < end_s:  # noqa: ASYNC110
        await asyncio.sleep(min(seconds, 0.05))


async def _flushed(transport: asyncio.WriteTransport) -> None:
    """Until the kernel has what was written: an abort throws away what has not left yet."""
    while not transport.is_closing() and transport.get_write_buffer_size():  # noqa: ASYNC110 - nor that it drained
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)  # a loop may hand the bytes over only at the end of its round


class _Gone(web.StreamResponse):
    """An answer that was dealt with on the socket itself: the server writes nothing more and lets the connection go."""

    async def prepare(self, request: BaseRequest) -> Any:
        raise ConnectionResetError("ended by a fault")


def _gone(request: BaseRequest, *, reset: bool, at_once: bool = True) -> web.StreamResponse:
    transport = request.transport
    if transport is not None and not transport.is_closing():
        if reset:
            hard_close(transport)
        elif at_once:
            transport.close()
    return _Gone()
