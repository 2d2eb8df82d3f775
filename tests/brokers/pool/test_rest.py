"""One request's way out and back, and every way it can go wrong."""

import asyncio
import gzip
import socket
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from tests.brokers.pool.wires import http_server, raw_server, request_of, rest_of, small_pool, until
from workbench.brokers.pool import CANCEL, DATA, ENTRY, Breaker, Pool, Rolling, Slots
from workbench.errors import (
    Busy,
    KeysRefused,
    OutcomeUnknown,
    RateLimited,
    Retryable,
    Unreachable,
    UnsafeVenue,
    VenueDown,
    VenueGarbled,
    VenueRefused,
)


async def test_a_question_and_an_order(pool: Pool) -> None:
    seen: list[tuple[str, str, bytes, str | None]] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, await request.read(), request.headers.get("X-Key")))
        return web.json_response({"ok": True})

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root / "v2")
        stamps: list[int] = []
        answer = await rest.ask(route, "/clock", "a=1%2F2")
        sent = await rest.send("POST", route, "/orders", body=b'{"x":1}', called=stamps.append)
    assert answer.body == b'{"ok": true}'
    assert seen == [("GET", "/v2/clock?a=1%2F2", b"", "k"), ("POST", "/v2/orders", b'{"x":1}', "k")]
    assert stamps == [sent.called_ns]
    assert sent.called_ns < sent.came_ns
    numbers = pool.snapshot()
    assert (numbers.requests, numbers.errors) == ({"call": 2}, {})
    assert 0 < numbers.wire_p50_s <= numbers.wire_p99_s
    assert numbers.headroom == {"all": 0.9998, "in_flight": 1.0}


@pytest.mark.parametrize(
    ("status", "asked", "sent"),
    [
        (422, VenueRefused, VenueRefused),
        (404, VenueRefused, VenueRefused),
        (408, VenueDown, OutcomeUnknown),
        (401, KeysRefused, KeysRefused),
        (403, KeysRefused, KeysRefused),
        (418, RateLimited, RateLimited),
        (429, RateLimited, RateLimited),
        (500, VenueDown, OutcomeUnknown),
        (502, VenueDown, OutcomeUnknown),
        (503, VenueDown, OutcomeUnknown),
        (504, VenueDown, OutcomeUnknown),
        (302, UnsafeVenue, OutcomeUnknown),
    ],
)
async def test_statuses_are_typed_errors(
    pool: Pool, status: int, asked: type[Exception], sent: type[Exception]
) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(
            status=status, text="so", headers={"Retry-After": "0", "Location": "https://evil.example/"}
        )

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(asked) as question:
            await rest.ask(route, "/x", tries=1)
        with pytest.raises(sent) as order:
            await rest.send("POST", route, "/x")
    for error in (question, order):
        assert type(error.value) in (asked, sent)
        assert str(error.value).startswith("test: ")
        assert "\n" not in str(error.value)
    assert pool.snapshot().errors == (
        {asked.__name__: 2} if asked is sent else {asked.__name__: 1, sent.__name__: 1}
    )


async def test_what_a_venue_does_not_know_itself_is_asked_again_and_no_refusal(pool: Pool) -> None:
    answers = [web.Response(status=400, text="who knows"), web.Response(text="it is so")]

    async def serve(request: web.Request) -> web.Response:
        return answers.pop(0) if answers else web.Response(status=400, text="who knows")

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        assert (await rest.ask(route, "/x")).body == b"it is so"
        with pytest.raises(VenueDown, match=r"nobody knows.*HTTP 400, code -1"):
            await rest.ask(route, "/x", tries=1)
        with pytest.raises(OutcomeUnknown, match="asked what became"):
            await rest.send("POST", route, "/x")


async def test_a_refused_key_is_tried_twice_at_most_and_shows(pool: Pool) -> None:
    asked = 0

    async def serve(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=401, text="unauthorized.")

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(KeysRefused, match="check the keys"):
            await rest.ask(route, "/x")
        assert (asked, pool.health.state) == (1, "unknown")
        for _ in range(3):
            with pytest.raises(KeysRefused):
                await rest.send("POST", route, "/x")
    assert asked == 2
    assert pool.health.state == "unauthorised"


async def test_who_waits_at_the_limiter_is_not_sent_with_keys_that_were_refused_meanwhile() -> None:
    """A queue of orders with a revoked key is what venues ban for."""
    pool = small_pool(Rolling("all", 1000, 60.0), Slots("in_flight", 2, reserve=0.0, orders_reserve=0.0))
    pool.open()
    came, go = 0, asyncio.Event()

    async def serve(request: web.Request) -> web.Response:
        nonlocal came
        came += 1
        if came > 1:
            await go.wait()
        return web.Response(status=401, text="unauthorized.")

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(KeysRefused):  # once may be the venue's mistake: the next one counts
            await rest.send("POST", route, "/x")
        sent = [asyncio.create_task(rest.send("POST", route, "/x", most_wait_s=600.0)) for _ in range(6)]
        await until(lambda: came == 3 and pool.limiter.waiting == 4)
        go.set()
        answers = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(answer) for answer in answers] == [KeysRefused] * 6
    assert came == 3
    assert pool.limiter.budgets["in_flight"].free(0.0) == 2
    await pool.close()


async def test_where_a_redirect_leads_is_told_without_its_query(pool: Pool) -> None:
    async def serve(request: web.Request) -> web.Response:
        to = f"https://elsewhere.example/v3/order?{request.query_string}"
        return web.Response(status=307, headers={"Location": to})

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(UnsafeVenue, match=r"redirects to 'https://elsewhere\.example'") as caught:
            await rest.ask(route, "/x", "timestamp=1&signature=abcdef", tries=1)
    assert "abcdef" not in str(caught.value)


async def test_a_question_is_asked_again_an_order_never(pool: Pool) -> None:
    answers = [502, 200, 502]
    asked = 0

    async def serve(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=answers.pop(0), text="{}")

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        assert (await rest.ask(route, "/x")).status == 200
        assert asked == 2
        with pytest.raises(OutcomeUnknown, match="HTTP 502"):
            await rest.send("POST", route, "/x")
    assert asked == 3
    assert pool.snapshot().retried == 1


REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: application/json\r\n\r\n" + b'{"ok": true}'


@pytest.mark.parametrize("cut", [0, 1, 9, 15, 20, len(REPLY) - 12, len(REPLY) - 1])
async def test_an_answer_that_breaks_off_anywhere(pool: Pool, cut: int) -> None:
    talked = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal talked
        await request_of(reader)
        talked += 1
        writer.write(REPLY[:cut])
        await writer.drain()

    async with raw_server(talk) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(VenueDown):
            await rest.ask(route, "/x", tries=1)
        with pytest.raises(OutcomeUnknown):
            await rest.send("DELETE", route, "/x")
    assert talked == 2  # nothing is sent again behind our back


async def test_silence_is_a_time_out() -> None:
    pool = small_pool()
    pool.open(read_s=0.3)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        await asyncio.Event().wait()

    async with raw_server(talk) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(OutcomeUnknown, match="no answer"):
            await rest.send("POST", route, "/x")
        with pytest.raises(VenueDown, match="no answer"):
            await rest.ask(route, "/x", tries=1)
    await pool.close()


async def test_a_closed_port_means_nothing_was_sent(pool: Pool) -> None:
    with socket.socket() as held:  # it is ours, so nobody else listens there
        held.bind(("127.0.0.1", 0))
        rest, route = rest_of(pool, URL(f"http://127.0.0.1:{held.getsockname()[1]}"))
        with pytest.raises(Unreachable, match="nothing was sent") as caught:
            await rest.send("POST", route, "/x")
    assert isinstance(caught.value, Retryable)


async def test_bodies_are_bounded(pool: Pool) -> None:
    bomb = gzip.compress(b"0" * 3_000_000)

    async def serve(request: web.Request) -> web.StreamResponse:
        if request.path == "/chunked":
            response = web.StreamResponse()
            response.enable_chunked_encoding()
            await response.prepare(request)
            try:
                for _ in range(64):
                    await response.write(b"0" * 65_536)
            except ConnectionError:
                pass
            return response
        if request.path == "/bomb":
            return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
        return web.Response(body=b"0" * 2_000_001)

    async with http_server(serve) as root:
        for path in ("/plain", "/chunked", "/bomb"):
            rest, route = rest_of(pool, root, body_cap=2_000_000, breaker=path)
            with pytest.raises(VenueGarbled, match="larger than 2 MB"):
                await rest.ask(route, path, tries=1)
            with pytest.raises(OutcomeUnknown, match="larger than 2 MB"):
                await rest.send("POST", route, path)
        assert (await rest.ask(route, "/plain", body_cap=2_000_001)).status == 200
    assert pool.meters.garbled == 6


async def test_an_error_in_an_answer_that_says_200(pool: Pool) -> None:
    async def serve(request: web.Request) -> web.Response:
        return web.Response(text="error")

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(VenueGarbled, match="in disguise"):
            await rest.ask(route, "/x", tries=1)


async def test_the_breaker_spares_a_venue_that_fails_and_lets_cancels_through(pool: Pool) -> None:
    well = False
    pool.breakers["rest"] = Breaker("rest", pause_s=600)

    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=200 if well else 503)

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        for _ in range(5):
            with pytest.raises(OutcomeUnknown):
                await rest.send("POST", route, "/x", lane=ENTRY)
        assert pool.snapshot().breakers[0].state == "open"
        with pytest.raises(Unreachable, match="left alone after failures"):
            await rest.send("POST", route, "/x", lane=ENTRY)
        assert pool.snapshot().requests == {"call": 5}
        well = True
        assert (await rest.send("DELETE", route, "/x", lane=CANCEL)).status == 200
        assert rest.breaker.state == "closed"
        assert (await rest.send("POST", route, "/x", lane=ENTRY)).status == 200


async def test_a_pause_the_venue_asks_for_is_kept() -> None:
    pool = small_pool(Rolling("all", 100, 60.0), Slots("in_flight", 10))
    pool.open()
    limited = True

    async def serve(request: web.Request) -> web.Response:
        return web.Response(status=429 if limited else 200, headers={"Retry-After": "30"})

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        with pytest.raises(RateLimited) as caught:
            await rest.send("POST", route, "/x")
        assert caught.value.retry_after_s == 30
        limited = False
        with pytest.raises(Busy, match=r"waited 0\.02 s"):
            await rest.send("POST", route, "/x", most_wait_s=0.02)
        assert pool.snapshot().limited == 1
        assert pool.snapshot().headroom["all"] == 0.0
    await pool.close()


async def test_requests_stay_below_the_cap_and_cancels_find_room() -> None:
    pool = small_pool(Rolling("all", 1_000, 60.0), Slots("in_flight", 10))
    pool.open()
    now, most = 0, 0
    gate = asyncio.Event()

    async def serve(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return web.Response()

    async with http_server(serve) as root:
        rest, route = rest_of(pool, root)
        at_length: dict[str, Any] = {"most_wait_s": 600.0}
        orders = [
            asyncio.ensure_future(rest.send("POST", route, "/x", lane=ENTRY, **at_length)) for _ in range(30)
        ]
        questions = [asyncio.ensure_future(rest.ask(route, "/x", lane=DATA, **at_length)) for _ in range(5)]
        await until(lambda: now == 8 and pool.limiter.waiting == 27)
        cancels = [
            asyncio.ensure_future(rest.send("DELETE", route, "/x", lane=CANCEL, **at_length))
            for _ in range(2)
        ]
        await until(lambda: now == 10)
        assert pool.limiter.waiting == 27
        gate.set()
        await asyncio.gather(*orders, *questions, *cancels)
    assert most == 10
    await pool.close()


async def test_a_closed_pool_sends_nothing(pool: Pool) -> None:
    rest, route = rest_of(pool, URL("http://127.0.0.1:9"))
    await pool.close()
    await pool.close()
    with pytest.raises(Unreachable, match=r"call connect\(\) first"):
        await rest.send("POST", route, "/x")
    assert pool.health.state == "closed"
