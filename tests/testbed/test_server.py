"""Faults as a client meets them on the wire, the console, and the life of a server."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from tests.testbed.conftest import Caller
from workbench.errors import Refused
from workbench.testbed import Emulator, Fault, emulated

SUBMIT = "rest:POST /v2/orders"


@asynccontextmanager
async def called(**settings: Any) -> AsyncIterator[Caller]:
    chosen = {"symbols": ("AAPL", "BTC/USD"), "speed": 0.0, **settings}
    async with emulated("alpaca", **chosen) as venue, aiohttp.ClientSession() as session:
        yield Caller(venue, session)


async def soon(condition: Any, what: str) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


async def test_no_fault_no_trouble() -> None:
    async with called() as call:
        status, order = await call.order()
        assert (status, order["status"]) == (200, "pending_new")
        status, order = await call("GET", f"/v2/orders/{order['id']}")
        assert order["status"] == "filled"


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        (Fault(what="drop", where=SUBMIT, count=1), 0),
        (Fault(what="reset", where=SUBMIT, count=1), 0),
        (Fault(what="reset", where=SUBMIT, count=1, handled=True), 1),
        (Fault(what="reset", where=SUBMIT, count=1, bytes=40), 1),
        (Fault(what="truncate", where=SUBMIT, count=1, bytes=40), 1),
        (Fault(what="lost_reply", where=SUBMIT, count=1, seconds=0.05), 1),
        (Fault(what="outage", where=SUBMIT, count=1), 0),
    ],
)
async def test_an_answer_that_never_comes_whole(fault: Fault, carried_out: int) -> None:
    async with called() as call:
        call.venue.faults.add(fault)
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await call.order(client_order_id="once")
        assert len(call.venue.exchange.orders) == carried_out
        status, _ = await call("GET", "/v2/orders:by_client_order_id?client_order_id=once")
        assert status == (200 if carried_out else 404)
        assert (await call.order())[0] == 200


async def test_a_reset_is_one() -> None:
    """The socket says connection reset, not an orderly end, and what came before it is the answer's beginning."""
    async with called() as call:
        call.venue.faults.add(Fault(what="reset", where="rest:GET /v2/account", bytes=10))
        reader, writer = await asyncio.open_connection("127.0.0.1", call.venue.server.port)
        head = "".join(f"{k}: {v}\r\n" for k, v in call.headers.items())
        writer.write(f"GET /v2/account HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        got = bytearray()

        async def read() -> None:
            while True:
                got.extend(await reader.readexactly(1))

        with pytest.raises(ConnectionResetError):
            await read()
        assert got.startswith(b"HTTP/1.1 200")
        assert len(got.partition(b"\r\n\r\n")[2]) == 10
        writer.close()


async def test_half_open_and_hanging_answers_end_with_the_client_or_the_server() -> None:
    async with called() as call:
        for what in ("half_open", "lost_reply"):
            call.venue.faults.clear()
            call.venue.faults.add(Fault(what=what, where=SUBMIT))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call.order(), 0.1)


async def test_statuses_in_the_venues_shape() -> None:
    async with called() as call:
        for status in (429, 418, 500, 503, 404):
            call.venue.faults.add(
                Fault(what="status", where=SUBMIT, status=status, count=1, headers={"Retry-After": "7"})
            )
            got, body = await call.order()
            assert (got, sorted(body)) == (status, ["code", "message"])
        call.venue.faults.add(
            Fault(what="status", where=SUBMIT, status=503, handled=True, text="later", count=1)
        )
        got, body = await call.order(client_order_id="done")
        assert (got, body["message"]) == (503, "later")
        assert (await call("GET", "/v2/orders:by_client_order_id?client_order_id=done"))[0] == 200


async def test_a_request_carried_out_twice_is_told_so() -> None:
    async with called() as call:
        call.venue.faults.add(Fault(what="twice", where=SUBMIT, count=1))
        status, body = await call.order(client_order_id="twin")
        assert (status, body["message"]) == (422, "client_order_id must be unique")
        assert len(call.venue.exchange.orders) == 1


async def test_bodies_spoiled() -> None:
    async with called() as call:
        call.venue.faults.add(
            Fault(
                what="mutate",
                where="rest:GET /v2/account",
                set={"status": "BRAND_NEW", "x.y": 1},
                unset=["cash"],
                count=1,
            )
        )
        _, account = await call("GET", "/v2/account")
        assert account["status"] == "BRAND_NEW"
        assert "cash" not in account
        call.venue.faults.add(Fault(what="huge", where="rest:GET /v2/account", bytes=100_000, count=1))
        _, account = await call("GET", "/v2/account")
        assert len(account["padding"]) == 100_000
        call.venue.faults.add(Fault(what="deep", where="rest:GET /v2/account", times=300, count=1))
        _, account = await call("GET", "/v2/account")
        assert json.dumps(account["deep"]).count("[") == 300
        call.venue.faults.add(Fault(what="bomb", where="rest:GET /v2/account", bytes=2_000_000, count=1))
        headers = {**call.headers, "Accept-Encoding": "gzip"}
        async with call.session.get(call.venue.facts["rest"] + "/v2/account", headers=headers) as answer:
            assert int(answer.headers["Content-Length"]) < 10_000
            assert len(await answer.read()) > 2_000_000
        call.venue.faults.add(Fault(what="invalid_json", where="rest:GET /v2/account", count=1))
        with pytest.raises(json.JSONDecodeError):
            await call("GET", "/v2/account")
        call.venue.faults.add(
            Fault(what="trickle", where="rest:GET /v2/account", bytes=200, seconds=0.001, count=1)
        )
        assert (await call("GET", "/v2/account"))[1]["cash"]


async def test_delays_hold_the_answer_back() -> None:
    async with called() as call:
        for seconds, name in ((3_600.0, "an hour"), (0.01, "a moment")):
            call.venue.faults.add(Fault(what="delay", where=SUBMIT, seconds=seconds, count=1))
            slow = asyncio.create_task(call.order(client_order_id=name))
            await soon(lambda: call.venue.faults.listed()[-1]["struck"], "the delay")
            assert (await call.order(client_order_id=f"while {name} passes"))[0] == 200
            if name == "an hour":
                assert not slow.done()
                slow.cancel()
                await asyncio.gather(slow, return_exceptions=True)
            else:
                assert (await slow)[0] == 200
        carried_out = [o.client_id for o in call.venue.exchange.orders.values()]
        assert sorted(carried_out) == ["a moment", "while a moment passes", "while an hour passes"]


async def test_clock_skew_is_shown_and_ends_with_its_fault() -> None:
    async with called() as call:
        number = call.venue.faults.add(Fault(what="clock_skew", seconds=3_600))
        clock = call.venue.exchange.clock
        assert clock.shown_ns() - clock.now_ns() == pytest.approx(3.6e12, rel=1e-3)
        call.venue.faults.remove(number)
        assert clock.skew_ns == 0
        call.venue.faults.add(Fault(what="clock_skew", seconds=5, for_s=0.05))
        await soon(lambda: clock.skew_ns == 0, "the end of the skew")


# ---------------------------------------------------------------- the console


async def test_the_console_wants_its_token() -> None:
    async with called() as call:
        url = call.venue.facts["console"] + "/state"
        for headers in ({}, {"Authorization": "Bearer wrong"}, call.headers):
            async with call.session.get(url, headers=headers) as answer:
                assert answer.status == 401


async def test_the_console_moves_the_market_and_the_books() -> None:
    async with called() as call:
        assert (await call.console("POST", "/move", {"symbol": "AAPL", "px": 250.0}))[0] == 200
        assert call.venue.exchange.market.board("AAPL").last == 250.0
        await call.order(qty="10")
        for path, body in (
            ("/print", {"symbol": "AAPL", "px": 249.5, "size": 5}),
            ("/step", {"steps": 10}),
            ("/cash", {"amount": 1_000}),
            ("/halt", {"symbol": "AAPL", "halted": True}),
            ("/halt", {"symbol": "AAPL", "halted": False}),
            ("/split", {"symbol": "AAPL", "numerator": 2, "denominator": 1}),
            ("/position", {"symbol": "BTC/USD", "qty": 0.5}),
            ("/hours", {"open": False}),
            ("/hours", {"open": None}),
            ("/clock", {"advance_s": 60}),
            ("/streams", {"close": 1001}),
            ("/limits", {"lifted": True}),
        ):
            assert await call.console("POST", path, body) == (200, {"ok": True})
        _, placed = await call.console(
            "POST", "/order", {"symbol": "AAPL", "side": "buy", "qty": 3, "limit": 1.0}
        )
        _, state = await call.console("GET", "/state")
        assert [order["id"] for order in state["open_orders"]] == [placed["id"]]
        assert state["positions"] == {"AAPL": 20.0, "BTC/USD": 0.5}
        assert state["filled"] == {"AAPL": 10.0, "BTC/USD": 0.0}
        assert (state["orders"], state["executions"], len(state["open_orders"])) == (2, 1, 1)


async def test_the_console_sets_faults() -> None:
    async with called() as call:
        _, answer = await call.console(
            "POST", "/faults", {"what": "status", "status": 500, "where": SUBMIT, "count": 1}
        )
        await call.order()
        _, listed = await call.console("GET", "/faults")
        assert [(f["id"], f["struck"]) for f in listed["faults"]] == [(answer["id"], 1)]
        assert (await call.console("DELETE", f"/faults/{answer['id']}"))[1] == {"faults": []}
        await call.console("POST", "/faults", {"what": "drop"})
        assert (await call.console("DELETE", "/faults"))[1] == {"faults": []}


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "/move", {"symbol": "APPL", "px": 1}, "did you mean 'AAPL'"),
        ("POST", "/move", {"symbol": "AAPL", "px": -1}, "px = -1"),
        ("POST", "/move", {"symbol": "AAPL"}, "'px'"),
        ("POST", "/move", [1], "not one JSON object"),
        ("POST", "/print", {"symbol": "AAPL", "px": 1, "size": 0}, "size = 0"),
        ("POST", "/step", {"steps": 0}, "steps = 0"),
        ("POST", "/split", {"symbol": "AAPL", "numerator": 0, "denominator": 1}, "from 1 up"),
        ("POST", "/order", {"symbol": "AAPL", "side": "hold", "qty": 1}, "side 'hold'"),
        ("POST", "/order", {"symbol": "AAPL", "side": "buy", "qty": 0}, "qty = 0"),
        ("POST", "/move", {"symbol": "AAPL", "px": "high"}, "wrong type"),
        ("POST", "/faults", {"what": "sulk"}, "fault 'sulk' is unknown"),
        ("DELETE", "/faults/99", None, "fault number '99'"),
        ("GET", "/nothing", None, "console call 'GET nothing' is unknown"),
    ],
)
async def test_the_console_says_what_is_wrong(method: str, path: str, body: Any, text: str) -> None:
    async with called() as call:
        status, answer = await call.console(method, path, body)
        assert status == 422
        assert text in answer["error"]


# ---------------------------------------------------------------- life


async def test_a_port_that_is_taken() -> None:
    async with emulated("alpaca", symbols=("AAPL",)) as venue:
        with pytest.raises(Refused, match=f"port {venue.server.port} cannot be used"):
            async with emulated("alpaca", symbols=("AAPL",), port=venue.server.port):
                pass


async def test_stopping_twice_and_with_open_streams() -> None:
    async with called() as call, call.session.ws_connect(call.venue.facts["ws"]) as socket:
        assert [link.name for link in call.venue.server.links] == ["trade_updates"]
        await call.venue.stop()
        await call.venue.stop()
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.parametrize(("tls", "text"), [("good", ""), ("wrong-host", "mismatch"), ("expired", "expired")])
async def test_certificates(tls: str, text: str) -> None:
    async with called(tls=tls) as call:
        facts = call.venue.facts
        assert facts["rest"].startswith("https://")
        assert facts["ws"].startswith("wss://")
        pinned = ssl.create_default_context(cadata=facts["certificate"])
        for trusted in (None, pinned):
            if trusted is pinned and not text:
                async with call.session.get(
                    facts["rest"] + "/v2/clock", headers=call.headers, ssl=pinned
                ) as answer:
                    assert answer.status == 200
                async with call.session.ws_connect(facts["ws"], ssl=pinned):
                    pass
            else:
                context = trusted or ssl.create_default_context()
                with pytest.raises(
                    aiohttp.ClientConnectorCertificateError,
                    match=text if trusted else "self-signed|mismatch|expired",
                ):
                    await call.session.get(facts["rest"] + "/v2/clock", ssl=context)


async def test_paths_that_are_not_there() -> None:
    async with called() as call:
        assert (await call("GET", "/v2/nothing"))[0] == 404
        assert (await call("PUT", "/v2/orders"))[0] == 404
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await call.session.ws_connect(call.venue.facts["ws_root"] + "/v9")


def test_an_emulator_needs_no_loop_to_be_made() -> None:
    assert Emulator("alpaca").exchange.cash_e8 > 0


@pytest.mark.parametrize("venue", ["alpaca", "binance", "ibkr"])
async def test_what_is_no_http_or_too_much_is_refused_quietly(
    venue: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with emulated(venue, speed=0.0) as emulator, aiohttp.ClientSession() as session:
        port = emulator.server.port
        for sent in (
            b"FOO\x01 / HTTP/1.1\r\n\r\n",
            b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent + b"\r\n\r\n")
            assert b"400" in await asyncio.wait_for(reader.readline(), 60)
            writer.close()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        await writer.drain()
        await soon(lambda: emulator.server.requests == 1, "a request that is never finished")
        writer.transport.abort()
        async with session.post(f"{emulator.server.root}/nowhere", data=BytesIO(b"x" * 2_000_000)) as answer:
            assert (answer.status, answer.content_type) == (413, "application/json")
        assert [record for record in caplog.records if record.exc_info] == []
