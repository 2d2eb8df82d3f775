"""A stream against a server that misbehaves: breaks, silence, refusals, and the join of snapshot and frames."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.brokers.pool.wires import Sockets, Talk, http_server, until
from workbench.brokers.pool import Backoff, Pool, Stream
from workbench.errors import KeysRefused, Refused, VenueDown, VenueGarbled


def quick(pool: Pool, root: URL, script: Talk, **more: Any) -> Stream:
    """A stream that tries again at once and looks often."""
    more.setdefault("backoff", Backoff(0.001, 0.01))
    return pool.stream("orders", root.with_scheme("ws"), script, look_s=0.02, **more)


def back(stream: Stream, connects: int) -> Callable[[], bool]:
    return lambda: stream.connects == connects and stream.state == "live"


async def test_it_greets_subscribes_and_takes_text_and_binary(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    begun_s = monotonic()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.subscribe(["a", "b", "a"])
        stream.start()
        await stream.until("live")
        stream.subscribe(["b", "c"])
        stream.unsubscribe(["a", "never"])
        await until(lambda: venue.received == ["hello", "+a", "+b", "+c", "-a"])
        await venue.say("a:1", b"b:2")
        await until(lambda: script.taken == ["a:1", "b:2"])
        row = pool.snapshot().streams[0]
        assert (row.state, row.frames, row.connects, row.channels) == ("live", 2, 1, 2)
        assert 0 <= row.age_s <= monotonic() - begun_s
        await pool.close()
        assert (stream.state, stream.reason) == ("closed", "closed by us")


async def test_a_fragmented_message_is_one_frame(pool: Pool) -> None:
    script = Talk()

    async def serve(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        assert (await ws.receive()).data == "hello"
        await ws.send_str("welcome")
        assert request.transport is not None
        request.transport.write(b"\x02\x03a:1" + b"\x00\x02,2" + b"\x80\x02,3")  # binary, continued, last
        await ws.receive()
        return ws

    async with http_server(serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await until(lambda: script.taken == ["a:1,2,3"])
        await stream.close()


async def test_after_a_break_it_asks_for_everything_again(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.subscribe(["a"])
        stream.start()
        for n in range(1, 5):
            await until(back(stream, n))
            # one that is closed reads no more: what was asked has to have come
            await until(lambda n=n: venue.received == ["hello", "+a"] * n)  # type: ignore[misc]
            if n < 4:
                await venue.open[0].close()
        assert script.catch_ups == 4
        await stream.close()


async def test_nothing_is_lost_or_turned_round_between_snapshot_and_frames(pool: Pool) -> None:
    """Frames that come while the snapshot is fetched are taken after it, in their order."""
    venue, script = Sockets(), Talk()
    asked, answer = asyncio.Event(), asyncio.Event()

    async def snapshot() -> None:
        asked.set()
        await answer.wait()
        script.taken.append("snapshot")

    script.snapshot = snapshot
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await asked.wait()
        await venue.say("1", "2", "3")
        await until(lambda: stream.frames == 3)
        assert (script.taken, stream.state) == ([], "syncing")
        answer.set()
        await stream.until("live")
        await venue.say("4")
        await until(lambda: script.taken == ["snapshot", "1", "2", "3", "4"])
        await stream.close()


async def test_a_gap_catches_up_without_a_new_connection(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        script.on_frame = lambda text: stream.gap("1 after 3") if text == "gap" else None
        stream.start()
        await stream.until("live")
        stream._synced_s -= 10  # the last catch-up is a while ago
        await venue.say("gap", "after")
        await until(lambda: script.taken == ["gap", "after"] and stream.state == "live")
        assert script.catch_ups == 2
        assert (stream.gaps, stream.resyncs, stream.connects) == (1, 1, 1)
        await stream.close()


async def test_a_snapshot_asked_for_while_one_is_fetched_is_fetched_afterwards(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    answer = asyncio.Event()
    script.snapshot = answer.wait  # type: ignore[assignment]
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await until(lambda: script.catch_ups == 1)
        stream.resync("something else is missing")
        stream._synced_s -= 10
        answer.set()
        await until(lambda: script.catch_ups == 2 and stream.state == "live")
        await stream.close()


@pytest.mark.parametrize("error", [VenueGarbled("test", "x", "y"), KeyError("a bug of ours")])
async def test_a_reader_that_fails_does_not_leave_the_stream_mute(pool: Pool, error: Exception) -> None:
    venue, script = Sockets(), Talk()

    def fail(text: str) -> None:
        if text == "fail":
            raise error

    script.on_frame = fail
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        stream._synced_s -= 10
        await venue.say("1", "fail", "2")
        await until(lambda: script.taken == ["1", "2"] and stream.state == "live")
        assert (stream.garbled, script.catch_ups) == (1, 2)
        await stream.close()


async def test_a_flood_of_bad_frames_does_not_become_a_flood_of_questions(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.brokers.pool.stream._RESYNC_EVERY_S", 600.0)
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        await venue.say(*["bad"] * 200, "good")
        await until(lambda: script.taken == ["good"])
        assert stream.garbled == 200
        assert (script.catch_ups, stream.resyncs) == (1, 0)
        assert stream._later is not None  # one question, when it may be asked again
        await stream.close()


async def test_wrong_keys_are_tried_twice_and_never_again(pool: Pool) -> None:
    venue, script = Sockets("wrong key"), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        with pytest.raises(KeysRefused, match="wrong key"):
            await stream.until("live")
        assert venue.opened == 2
        assert pool.health.state == "unauthorised"
        await stream.close()


async def test_too_many_connections_wait_as_long_as_they_are_told(pool: Pool) -> None:
    venue, script = Sockets("too many", "too many", "welcome"), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        assert stream.connects == 3
        await stream.close()


@pytest.mark.parametrize(
    ("status", "state"), [(401, "unauthorised"), (403, "unauthorised"), (429, "live"), (503, "live")]
)
async def test_a_refused_handshake(pool: Pool, status: int, state: str) -> None:
    venue, script = Sockets(), Talk()
    venue.refuse_with = status
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await until(lambda: stream.state in ("waiting", "unauthorised"))
        if state == "live":
            venue.refuse_with = 0
            await stream.close() if status == 429 else await stream.until("live")
        else:
            await until(lambda: stream.state == state)
        await stream.close()


async def test_silence_ends_a_connection_although_pongs_flow(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script, silent_s=0.1)
        stream.start()
        await until(lambda: stream.connects >= 3)
        assert "no frame for" in str(stream.reason) or stream.state != "waiting"
        await stream.close()


async def test_a_half_open_connection_is_noticed_by_its_pongs(pool: Pool) -> None:
    """The other end reads nothing and answers nothing, and TCP sees no fault in that."""
    import base64
    import hashlib

    from tests.brokers.pool.wires import raw_server

    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n\x81\x07welcome"
        )
        await asyncio.Event().wait()

    async with raw_server(talk) as root:
        stream = quick(pool, root, Talk(), ping_s=0.1)
        stream.start()
        await until(lambda: connections >= 2)
        await stream.close()


async def test_a_channel_silent_in_session_reconnects_and_off_session_does_not(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    open_now = False
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        script.on_frame = lambda text: stream.ledger.seen(text.split(":")[0])
        stream.subscribe(["a"], most_age_s=0.1, in_session=lambda: open_now)
        stream.start()
        await stream.until("live")
        await venue.say("a:1")
        await until(lambda: script.taken == ["a:1"])
        stream.ledger.channels["a"].seen_s -= 100
        await asyncio.sleep(0.1)  # several looks: closed hours are silent by right
        assert stream.connects == 1
        open_now = True
        await until(lambda: stream.connects >= 2)
        await stream.close()


async def test_a_subscription_nobody_confirms_reconnects(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.ledger._confirm_s = 0.05
        stream.subscribe(["a"])
        stream.start()
        await until(lambda: stream.connects >= 3)
        stream.ledger.confirmed(["a"])
        await stream.close()


async def test_heartbeats_are_sent(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    script.beat = "tic"
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script, heartbeat_s=0.03)
        stream.start()
        await until(lambda: venue.received.count("tic") >= 2)
        await stream.close()


async def test_a_snapshot_that_fails_starts_over(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    failures = 2

    async def snapshot() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise VenueDown("test", "HTTP 502", "ask again")

    script.snapshot = snapshot
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        assert stream.connects == 3
        await stream.close()


async def test_a_doubt_from_outside_reconnects(pool: Pool) -> None:
    venue, script = Sockets(), Talk()
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        stream.doubt("a sweep found a fill the stream did not tell")
        await until(lambda: stream.connects >= 2 and stream.state == "live")
        await stream.close()


async def test_one_connection_an_address_and_key(pool: Pool) -> None:
    venue = Sockets()
    async with http_server(venue.serve) as root:
        first = quick(pool, root, Talk(), key_id="k1")
        first.start()
        second = quick(pool, root, Talk(), key_id="k1")
        with pytest.raises(Refused, match="open with this key already"):
            second.start()
        other = quick(pool, root, Talk(), key_id="k2")
        other.start()
        await first.close()
        second.start()
        await second.until("live")


async def test_waiting_for_a_state_has_an_end(pool: Pool) -> None:
    stream = quick(pool, URL("http://127.0.0.1:9"), Talk())
    stream.start()
    with pytest.raises(VenueDown, match=r"not live after 0\.05 s"):
        await stream.until("live", within_s=0.05)
    await stream.close()


async def test_a_certificate_nobody_vouches_for_is_refused(pool: Pool) -> None:
    from tests.brokers.pool.certificates import tls_server

    async with tls_server() as (root, _):
        stream = pool.stream("orders", root.with_scheme("wss"), Talk(), backoff=Backoff(0.001, 0.01))
        stream.start()
        await until(lambda: stream.state == "waiting")
        assert "cannot be trusted" in stream.reason
        await stream.close()


async def test_a_mistake_while_catching_up_starts_over(pool: Pool) -> None:
    """It would wait for ever otherwise, with all frames kept, and be called syncing."""
    venue, script = Sockets(), Talk()
    mistakes: list[Exception] = [KeyError("status"), TypeError("no number")]

    async def snapshot() -> None:
        if mistakes:
            raise mistakes.pop()

    script.snapshot = snapshot
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        assert stream.connects == 3
        await stream.close()


async def test_a_mistake_while_greeting_starts_over(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    venue, script = Sockets(), Talk()
    plain, mistakes = script.greet, [KeyError("sid")]

    async def greet(wire: Any) -> None:
        if mistakes:
            raise mistakes.pop()
        await plain(wire)

    monkeypatch.setattr(script, "greet", greet)
    async with http_server(venue.serve) as root:
        stream = quick(pool, root, script)
        stream.start()
        await stream.until("live")
        assert stream.connects == 2
        await stream.close()
