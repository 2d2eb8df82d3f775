"""The WebSocket as clients meet it: hello, snapshots, dense sequence numbers, gaps, commands, slow readers."""

import asyncio
import contextlib
import os
import socket as sockets
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.api.conftest import Serve, Served, eventually, next_op
from workbench.api.routes import STREAM_PATH
from workbench.api.server import ServerLimits
from workbench.api.topics import TOPICS

QUICK = ServerLimits(failed_login_delay_s=0.0, tick_s=0.01, hello_s=0.1)


async def test_hello_with_a_token_is_welcomed_with_its_scope(served: Served) -> None:
    for scope in ("view", "view+stop", "full"):
        socket, welcome = await served.hello(token=served.scoped(scope))
        assert welcome["op"] == "welcome"
        assert (welcome["scope"], welcome["desk"], welcome["epoch"]) == (scope, "fake", 1)
        assert welcome["heartbeat_s"] == 1.0
        await socket.close()


@pytest.mark.parametrize(
    "first",
    [
        {"op": "hello"},
        {"op": "hello", "token": "wrong"},
        {"op": "hello", "ticket": "wrong"},
        {"op": "hello", "resume": "wrong"},
        {"op": "hello", "token": "TOKEN", "ticket": "x"},
        {"op": "hello", "token": "TOKEN", "extra": 1},
        {"op": "subscribe", "topics": ["orders"]},
        {"op": "kill", "id": "1"},
        {"op": "nonsense"},
        [],
        "text",
    ],
)
async def test_any_other_first_message_is_refused_and_closed(served: Served, first: Any) -> None:
    socket = await served.http.ws_connect(served.url + STREAM_PATH)
    await socket.send_str(msgspec.json.encode(first).decode().replace("TOKEN", served.token))
    assert (await socket.receive_json(timeout=30))["op"] == "error"
    closed = await socket.receive(timeout=30)
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4401)
    assert not served.desk.killed


async def test_a_token_in_the_address_opens_nothing(served: Served) -> None:
    socket = await served.http.ws_connect(f"{served.url}{STREAM_PATH}?token={served.token}")
    await socket.send_json({"op": "subscribe", "topics": ["orders"]})
    assert (await socket.receive_json(timeout=30))["code"] == "Unauthorised"


async def test_who_says_nothing_is_closed(serve: Serve) -> None:
    served = await serve(QUICK)
    socket = await served.http.ws_connect(served.url + STREAM_PATH)
    closed = await socket.receive(timeout=30)
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4408)


async def test_a_ticket_opens_once_and_becomes_a_rotating_resume_token(served: Served) -> None:
    _, ticket, _ = await served.ask("POST", "/api/v1/tickets", json={"scope": "view+stop", "ttl_s": 30})
    assert ticket["expires_s"] == 30
    socket, welcome = await served.hello(ticket=ticket["ticket"])
    assert welcome["scope"] == "view+stop"
    _, refused = await served.hello(ticket=ticket["ticket"])
    assert refused["code"] == "Unauthorised"
    await socket.close()
    _, second = await served.hello(resume=welcome["resume"])
    assert (second["op"], second["scope"]) == ("welcome", "view+stop")
    assert second["resume"] != welcome["resume"]
    _, refused = await served.hello(resume=welcome["resume"])
    assert refused["code"] == "Unauthorised"


async def test_every_topic_starts_with_a_snapshot_and_goes_on_without_a_hole(served: Served) -> None:
    await served.desk.add_strategy("S", "", {}, ["SPY", "QQQ"], 10)
    clients = [await served.follow(*TOPICS) for _ in range(3)]

    async def follow(
        socket: aiohttp.ClientWebSocketResponse,
    ) -> tuple[dict[str, int], dict[int, str], list[str]]:
        seq: dict[str, int] = {}
        orders: dict[int, str] = {}
        fills: list[str] = []
        while True:
            told = await next_op(socket, "data", "pong")
            if told["op"] == "pong":
                return seq, orders, fills
            topic = told["topic"]
            assert told["kind"] == ("update" if topic in seq else "snapshot")
            assert told["seq"] == seq.get(topic, told["seq"] - 1) + 1
            seq[topic] = told["seq"]
            if topic == "orders":
                orders |= {row["order_id"]: row["state"] for row in told["rows"]}
            elif topic == "fills":
                fills += [row["exec_id"] for row in told["rows"]]

    following = [asyncio.create_task(follow(socket)) for socket in clients]
    for _ in range(150):
        served.desk.step()
        await asyncio.sleep(0.002)
    late = await served.follow(*TOPICS)
    following.append(asyncio.create_task(follow(late)))
    for _ in range(50):
        served.desk.step()
        await asyncio.sleep(0.002)
    served.server.stream.publish()
    for socket in [*clients, late]:
        await socket.send_json({"op": "ping", "t": 1})
    shot = served.desk.snapshot()
    for seq, orders, fills in await asyncio.gather(*following):
        assert set(seq) == set(TOPICS)
        for row in shot.orders:
            assert orders[row.order_id] == row.state
        assert fills[-len(shot.fills) :] == [row.exec_id for row in shot.fills][-len(fills) :]
        assert len(set(fills)) == len(fills)


async def test_frames_are_coalesced_to_the_tick(serve: Serve) -> None:
    served = await serve(ServerLimits(tick_s=0.1))
    socket = await served.follow("session")
    await next_op(socket, "data")
    loop = asyncio.get_running_loop()
    began_s, got = loop.time(), 0
    while got < 5:
        served.desk.step()
        with contextlib.suppress(TimeoutError):
            got += (await socket.receive_json(timeout=0.002))["op"] == "data"
    # hundreds of changes, and five frames of them need at least three whole ticks
    assert loop.time() - began_s > 0.3


async def test_nothing_but_beats_when_nothing_changes(serve: Serve) -> None:
    served = await serve(ServerLimits(tick_s=0.02))
    socket = await served.follow("session", "orders")
    for _ in range(2):
        assert (await next_op(socket, "data"))["kind"] == "snapshot"
    for _ in range(2):
        assert set(await socket.receive_json(timeout=30)) == {"op", "ts_ns"}


async def test_ping_unsubscribe_and_unknown_topics(served: Served) -> None:
    socket = await served.follow("session")
    await next_op(socket, "data")
    await socket.send_json({"op": "ping", "t": 12.5})
    assert await next_op(socket, "pong") == {"op": "pong", "t": 12.5}
    await socket.send_json({"op": "subscribe", "topics": ["ordres"]})
    assert "did you mean 'orders'" in (await next_op(socket, "error"))["text"]
    await socket.send_json({"op": "unsubscribe", "topics": ["session"]})
    await socket.send_json({"op": "ping", "t": 1})
    await next_op(socket, "pong")
    served.desk.step()
    await socket.send_json({"op": "subscribe", "topics": ["account"]})
    assert (await next_op(socket, "data"))["topic"] == "account"


async def test_kill_over_the_stream_is_acknowledged_with_its_report(served: Served) -> None:
    await served.desk.place("SPY", "buy", 1, type="limit", limit_px=200)
    socket, _ = await served.hello(token=served.scoped("view+stop"))
    await socket.send_json({"op": "kill", "id": "k1", "reason": "panic"})
    ack = await next_op(socket, "ack")
    assert (ack["id"], ack["ok"], ack["result"]["cancels"]) == ("k1", True, 1)
    assert served.desk.killed.startswith("panic")


async def test_scopes_hold_on_the_stream(served: Served) -> None:
    await served.desk.add_strategy("S", "", {}, ["SPY"], 10)
    view, _ = await served.hello(token=served.scoped("view"))
    stop, _ = await served.hello(token=served.scoped("view+stop"))
    full, _ = await served.hello(token=served.scoped("full"))
    pause = {"op": "pause", "id": "p", "strategy_id": 1}
    resume = {"op": "resume", "id": "r", "strategy_id": 1}
    for socket, op, wanted in (
        (view, {"op": "kill", "id": "k"}, "error"),
        (view, pause, "error"),
        (stop, resume, "error"),
        (stop, pause, "ack"),
        (full, resume, "ack"),
        (full, {**pause, "strategy_id": 9}, "error"),
    ):
        await socket.send_json(op)
        told = await next_op(socket, "ack", "error")
        assert (told["op"], told["id"]) == (wanted, op["id"])
    assert not served.desk.killed


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"op": 1}', '{"op": "kill"}', '{"op": "ping", "t": {}}', "[" * 100_000, '{"op": "hello"}',
     '{"op": "pause", "id": "1", "strategy_id": "1"}', '{"op": "subscribe", "topics": "orders"}'],
)  # fmt: skip
async def test_a_malformed_message_gets_an_error_and_the_connection_goes_on(
    served: Served, text: str
) -> None:
    socket, _ = await served.hello()
    await socket.send_str(text)
    assert "\n" not in (await next_op(socket, "error"))["text"]
    await socket.send_json({"op": "ping", "t": 1})
    await next_op(socket, "pong")


async def test_binary_and_oversized_frames(served: Served) -> None:
    socket, _ = await served.hello()
    await socket.send_bytes(b"\x00")
    assert (await next_op(socket, "error"))["code"] == "BadInput"
    await socket.send_str("x" * (256 * 1024 + 1))
    closed = await socket.receive(timeout=30)
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_a_flood_of_messages_is_limited_per_connection(served: Served) -> None:
    socket, _ = await served.hello()
    [client] = served.server.stream._clients
    client._rate._clock = lambda: (
        0.0
    )  # however long the flood takes: the bucket does not fill again meanwhile
    for _ in range(201):
        await socket.send_json({"op": "ping", "t": 1})
    told = [(await next_op(socket, "pong", "error")) for _ in range(201)]
    assert [message["op"] for message in told] == ["pong"] * 200 + ["error"]
    assert told[-1]["code"] == "Busy"
    other, _ = await served.hello()
    await other.send_json({"op": "ping", "t": 1})
    await next_op(other, "pong")


async def _raw_client(
    served: Served, receive_bytes: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket by hand whose reader we control, with a small socket buffer."""
    host, port = served.url.removeprefix("http://").split(":")
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive_bytes)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=raw, limit=receive_bytes)
    writer.write(
        f"GET {STREAM_PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    for message in ({"op": "hello", "token": served.token}, {"op": "subscribe", "topics": list(TOPICS)}):
        payload, mask = msgspec.json.encode(message), os.urandom(4)
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        writer.write(bytes((0x81, 0xFE)) + len(payload).to_bytes(2) + mask + masked)
    await writer.drain()
    return reader, writer


async def _frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    async with asyncio.timeout(30):
        head = await reader.readexactly(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
        return head[0] & 0x0F, await reader.readexactly(size)


async def _fill_up(served: Served, others: list[aiohttp.ClientWebSocketResponse], until: Any) -> None:
    async with asyncio.timeout(30):
        while not until():
            for _ in range(20):
                served.desk.step()
                await served.desk.place("SPY", "buy", 1, why="w" * 400)
            served.server.stream.publish()
            await asyncio.sleep(0)
            for socket in others:
                await next_op(socket, "data")


async def test_a_slow_client_gets_a_gap_and_a_fresh_snapshot_and_others_lose_nothing(serve: Serve) -> None:
    served = await serve(ServerLimits(tick_s=60.0, slow_s=60.0, stream_high_water=32_768))
    await served.desk.add_strategy("S", "", {}, ["SPY"], 10)
    healthy = await served.follow("account")
    last = (await next_op(healthy, "data"))["seq"]
    reader, writer = await _raw_client(served, 4096)
    stream = served.server.stream
    await eventually(lambda: len([client for client in stream._clients if client.topics]) == 2)
    slow = next(client for client in stream._clients if len(client.topics) > 1)
    await _fill_up(served, [], lambda: slow._missed.get("account", 0))
    missed_from = slow._missed["account"]
    for _ in range(5):
        served.desk.step()
        stream.publish()
    seen: dict[str, int] = {}
    gaps: dict[str, tuple[int, int]] = {}
    while (
        set(gaps) != set(slow.topics) & set(gaps)
        or "account" not in gaps
        or seen["account"] < stream.seq("account")
    ):
        # what reads drains; each turn lets the server notice
        stream.publish()
        _, payload = await _frame(reader)
        told = msgspec.json.decode(payload)
        if told["op"] == "gap":
            gaps[told["topic"]] = (told["from_seq"], told["to_seq"])
        elif told["op"] == "data":
            topic = told["topic"]
            if topic in gaps and seen[topic] < gaps[topic][0]:
                # dense up to the gap, then a snapshot at its end
                assert gaps[topic][0] == seen[topic] + 1
                assert (told["kind"], told["seq"]) == ("snapshot", gaps[topic][1])
            elif topic in seen:
                assert told["seq"] == seen[topic] + 1
            seen[topic] = told["seq"]
    assert gaps["account"][0] == missed_from
    writer.close()
    while last < stream.seq("account"):
        told = await next_op(healthy, "data", "gap")
        assert (told["op"], told["seq"]) == ("data", last + 1)
        last += 1


async def test_a_hopeless_client_is_closed_with_4008(serve: Serve) -> None:
    served = await serve(ServerLimits(tick_s=0.01, slow_s=0.1, linger_s=30.0, stream_high_water=16_384))
    reader, writer = await _raw_client(served, 4096)
    stream = served.server.stream
    await eventually(lambda: [client for client in stream._clients if client.topics])
    await _fill_up(served, [], lambda: not stream._clients)
    assert served.desk.clients == 0
    opcode, payload = 0, b""
    while opcode != 8:
        opcode, payload = await _frame(reader)
    assert int.from_bytes(payload[:2]) == 4008
    writer.close()


async def test_a_failing_snapshot_is_logged_and_the_stream_goes_on(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    socket = await served.follow("session")
    await next_op(socket, "data")
    with monkeypatch.context() as patch:
        patch.setattr(served.desk, "snapshot", lambda: 1 / 0)
        await eventually(lambda: "stream tick failed" in caplog.text)
    served.desk.step()
    assert (await next_op(socket, "data"))["topic"] == "session"


async def test_the_desk_knows_how_many_look_on(served: Served) -> None:
    sockets_open = [(await served.hello())[0] for _ in range(4)]
    assert served.desk.clients == 4
    for socket in sockets_open:
        await socket.close()
    await eventually(lambda: served.desk.clients == 0)
