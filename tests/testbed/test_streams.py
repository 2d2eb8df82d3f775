"""The streams of the emulated Alpaca: handshakes, forms, refusals, and what faults do to their messages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgpack
import pytest

from tests.testbed.conftest import Caller
from tests.testbed.test_server import called
from workbench.testbed import Fault


class Heard:
    """A client of a stream that keeps what it is told."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.raw: list[aiohttp.WSMessage] = []
        self.said: list[Any] = []
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.socket:
            self.raw.append(message)
            with contextlib.suppress(ValueError):
                self.said.append(message.json())

    def events(self) -> list[str]:
        """Of the account stream: the events so far."""
        return [m["data"]["event"] for m in self.said if m.get("stream") == "trade_updates"]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def listening(call: Caller) -> AsyncIterator[Heard]:
    facts = call.venue.facts
    async with call.session.ws_connect(facts["ws"]) as socket:
        heard = Heard(socket)
        await socket.send_json(
            {"action": "authenticate", "data": {"key_id": facts["key"], "secret_key": facts["secret"]}}
        )
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        await heard.until(lambda: len(heard.said) == 2)
        yield heard
        heard.task.cancel()


async def test_the_account_stream_in_binary_frames() -> None:
    async with called() as call, listening(call) as heard:
        status, listens = heard.said
        assert status == {
            "stream": "authorization",
            "data": {"action": "authenticate", "status": "authorized"},
        }
        assert listens == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        _, order = await call.order(qty="3")
        await heard.until(lambda: heard.events() == ["new", "fill"])
        assert {m.type for m in heard.raw} == {aiohttp.WSMsgType.BINARY}
        new, fill = (m["data"] for m in heard.said[2:])
        assert new["order"]["status"] == "new"
        assert new["order"]["id"] == fill["order"]["id"] == order["id"]
        assert (fill["order"]["status"], fill["qty"], fill["position_qty"]) == ("filled", "3", "3")
        assert fill["order"]["filled_avg_price"] == fill["price"]
        assert "price" not in new


async def test_the_newer_handshake_and_a_wrong_key() -> None:
    async with called() as call, call.session.ws_connect(call.venue.facts["ws"]) as socket:
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        assert (await socket.receive()).json()["data"]["status"] == "unauthorized"
        await socket.send_json({"action": "auth", "key": "wrong", "secret": "wrong"})
        assert (await socket.receive()).json()["data"]["status"] == "unauthorized"
        await socket.send_json(
            {"action": "auth", "key": call.venue.facts["key"], "secret": call.venue.facts["secret"]}
        )
        assert (await socket.receive()).json()["data"] == {"action": "auth", "status": "authorized"}


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        (Fault(what="drop", where="stream:trade_updates:new"), ["fill"]),
        (
            Fault(what="duplicate", where="stream:trade_updates:fill", times=2),
            ["new", "fill", "fill", "fill"],
        ),
        (Fault(what="reorder", where="stream:trade_updates:new", count=1), ["fill", "new"]),
        (Fault(what="delay", where="stream:trade_updates:*", seconds=0.02), ["new", "fill"]),
        (
            Fault(what="mutate", where="stream:trade_updates:new", set={"data.event": "levitated"}),
            ["levitated", "fill"],
        ),
    ],
)
async def test_messages_lost_doubled_swapped_and_changed(fault: Fault, events: list[str]) -> None:
    async with called() as call, listening(call) as heard:
        call.venue.faults.add(fault)
        await call.order()
        await heard.until(lambda: len(heard.events()) == len(events))
        assert heard.events() == events
        assert len({e["data"]["execution_id"] for e in heard.said[2:] if e["data"]["event"] == "fill"}) == 1


async def test_a_held_message_is_let_go_in_the_end() -> None:
    async with called() as call, listening(call) as heard:
        call.venue.faults.add(Fault(what="reorder", where="stream:*:fill", times=100, seconds=0.05, count=1))
        await call.order()
        await heard.until(lambda: heard.events() == ["new", "fill"])


async def test_a_muted_stream_still_answers_pings() -> None:
    async with called() as call, listening(call) as heard:
        number = call.venue.faults.add(Fault(what="mute", where="stream:trade_updates:*"))
        await call.order()
        await heard.until(lambda: call.venue.faults.listed()[0]["struck"] == 2)
        await heard.socket.ping()
        call.venue.faults.remove(number)
        await call.order()
        await heard.until(lambda: heard.events() == ["new", "fill"])


@pytest.mark.parametrize("what", ["reset", "close", "outage"])
async def test_streams_that_end(what: str) -> None:
    async with called() as call, listening(call) as heard:
        call.venue.faults.add(Fault(what=what, where="*stream*" if what != "outage" else "*", status=4_001))
        with contextlib.suppress(aiohttp.ClientError):
            await call.order()
        async with asyncio.timeout(30):
            await heard.task
        assert heard.events() == []
        assert heard.socket.closed
        if what == "outage":
            with pytest.raises(aiohttp.ClientError):
                await call.session.ws_connect(call.venue.facts["ws"])


async def test_a_half_open_stream_says_nothing_and_does_not_close() -> None:
    async with called() as call, listening(call) as heard:
        call.venue.faults.add(Fault(what="half_open", where="stream:trade_updates:new", count=1))
        await call.order()
        await heard.until(lambda: call.venue.faults.listed()[0]["struck"] == 1)
        await call.order()
        await asyncio.sleep(0)
        assert (heard.events(), heard.socket.closed) == ([], False)


async def test_connecting_can_be_refused() -> None:
    async with called() as call:
        call.venue.faults.add(Fault(what="status", where="connect:trade_updates", status=429, count=1))
        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await call.session.ws_connect(call.venue.facts["ws"])
        async with listening(call):
            pass


async def test_a_nightly_reset_closes_the_streams() -> None:
    async with called() as call, listening(call) as heard:
        call.venue.faults.add(Fault(what="nightly_reset"))
        async with asyncio.timeout(30):
            await heard.task
        assert heard.socket.close_code == 1012


# ---------------------------------------------------------------- market data


@contextlib.asynccontextmanager
async def data_stream(call: Caller, path: str = "/v2/iex", **headers: str) -> AsyncIterator[Any]:
    async with call.session.ws_connect(call.venue.facts["ws_root"] + path, headers=headers) as socket:
        yield socket


async def allowed(call: Caller, socket: Any) -> None:
    assert await socket.receive_json() == [{"T": "success", "msg": "connected"}]
    await socket.send_json(
        {"action": "auth", "key": call.venue.facts["key"], "secret": call.venue.facts["secret"]}
    )
    assert await socket.receive_json() == [{"T": "success", "msg": "authenticated"}]


async def test_data_as_json() -> None:
    async with called() as call, data_stream(call) as socket:
        await allowed(call, socket)
        await socket.send_json(
            {"action": "subscribe", "trades": ["AAPL"], "quotes": ["*"], "statuses": ["AAPL"]}
        )
        [said] = await socket.receive_json()
        assert said == {
            "T": "subscription",
            "trades": ["AAPL"],
            "quotes": ["*"],
            "statuses": ["AAPL"],
            "corrections": ["AAPL"],
            "cancelErrors": ["AAPL"],
            **{name: [] for name in ("bars", "updatedBars", "dailyBars", "lulds", "imbalances")},
        }
        call.venue.console.print_at("AAPL", 200.0, 5)
        [trade] = await socket.receive_json()
        assert (trade["T"], trade["S"], trade["p"], trade["s"]) == ("t", "AAPL", 200.0, 5)
        call.venue.console.move("AAPL", 210.0)
        [[trade], [quote]] = [await socket.receive_json(), await socket.receive_json()]
        assert (trade["p"], quote["T"]) == (210.0, "q")
        assert quote["bp"] < 210.0 < quote["ap"]
        call.venue.console.halt("AAPL")
        [status] = await socket.receive_json()
        assert (status["T"], status["sc"]) == ("s", "H")
        await socket.send_json({"action": "unsubscribe", "quotes": ["*"]})
        [said] = await socket.receive_json()
        assert said["quotes"] == []


async def test_data_as_messagepack_in_fragments() -> None:
    async with called() as call, data_stream(call, **{"Content-Type": "application/msgpack"}) as socket:
        message = await socket.receive()
        assert message.type == aiohttp.WSMsgType.BINARY
        assert msgpack.unpackb(message.data) == [{"T": "success", "msg": "connected"}]
        facts = call.venue.facts
        await socket.send_bytes(
            msgpack.packb({"action": "auth", "key": facts["key"], "secret": facts["secret"]})
        )
        await socket.receive()
        whole = msgpack.packb({"action": "subscribe", "trades": ["AAPL"], "bars": ["AAPL"]})
        writer = socket._writer
        pieces = [whole[at : at + 9] for at in range(0, len(whole), 9)]
        for at, piece in enumerate(pieces):  # one message in several frames: opcode first, then continuations
            first, last = at == 0, at == len(pieces) - 1
            head = bytes([(0x80 if last else 0) | (2 if first else 0), 0x80 | len(piece)]) + b"\0\0\0\0"
            writer.transport.write(head + piece)
        said = msgpack.unpackb((await socket.receive()).data)
        assert said[0]["trades"] == ["AAPL"]
        call.venue.console.print_at("AAPL", 201.5, 2)
        [trade] = msgpack.unpackb((await socket.receive()).data)
        assert (trade["p"], trade["s"]) == (201.5, 2)
        assert isinstance(trade["t"], msgpack.Timestamp)
        assert trade["t"].to_unix_nano() == call.venue.exchange.market.board("AAPL").prints[-1].ts_ns


async def test_books_of_crypto_and_bars() -> None:
    async with called() as call, data_stream(call, "/v1beta3/crypto/us") as socket:
        await allowed(call, socket)
        await socket.send_json({"action": "subscribe", "orderbooks": ["BTC/USD"], "bars": ["BTC/USD"]})
        await socket.receive_json()
        call.venue.console.move("BTC/USD", 61_000.0)
        [book] = await socket.receive_json()
        assert (book["T"], book["r"], len(book["b"])) == ("o", True, 10)
        call.venue.console.step(call.venue.exchange.market.steps)
        while (seen := (await socket.receive_json())[0])["T"] != "b":
            pass
        assert seen["l"] <= seen["c"] <= seen["h"]


async def test_the_test_feed_has_one_symbol() -> None:
    async with called() as call, data_stream(call, "/v2/test") as socket:
        await allowed(call, socket)
        await socket.send_json({"action": "subscribe", "trades": ["FAKEPACA", "AAPL"]})
        await socket.receive_json()
        call.venue.console.print_at("AAPL", 203.0, 5)
        [trade] = await socket.receive_json()
        assert (trade["S"], trade["p"]) == ("FAKEPACA", 203.0)


async def test_refusals_in_band() -> None:
    async with called() as call, data_stream(call) as socket:
        await socket.receive_json()
        wrong = {"action": "auth", "key": "no", "secret": "no"}
        for sent, code in (
            ({"action": "subscribe", "trades": ["AAPL"]}, 401),
            (wrong, 402),
            ({"action": "sing"}, 400),
        ):
            await socket.send_json(sent)
            [said] = await socket.receive_json()
            assert (said["T"], said["code"]) == ("error", code)
        facts = call.venue.facts
        right = {"action": "auth", "key": facts["key"], "secret": facts["secret"]}
        await socket.send_json(right)
        await socket.receive_json()
        many = {"action": "subscribe", "trades": [f"S{at}" for at in range(31)]}
        for sent, code in ((right, 403), (many, 405), ({"action": "subscribe", "trades": "AAPL"}, 400)):
            await socket.send_json(sent)
            [said] = await socket.receive_json()
            assert said["code"] == code
        await socket.send_str("no json")
        assert (await socket.receive_json())[0]["code"] == 400


async def test_one_connection_a_key_and_endpoint() -> None:
    async with called() as call:
        async with data_stream(call) as first:
            await allowed(call, first)
            async with data_stream(call) as second:
                await second.receive_json()
                facts = call.venue.facts
                await second.send_json({"action": "auth", "key": facts["key"], "secret": facts["secret"]})
                assert (await second.receive_json())[0]["code"] == 406
            async with data_stream(call, "/v1beta3/crypto/us") as other:
                await allowed(call, other)
        async with asyncio.timeout(30):
            while call.venue.server.links:  # noqa: ASYNC110 - the server has to notice that they left
                await asyncio.sleep(0.002)
        async with data_stream(call) as again:
            await allowed(call, again)


async def test_a_client_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.testbed.stream._SLOW", 50)
    async with called() as call, data_stream(call) as socket:
        await allowed(call, socket)
        await socket.send_json({"action": "subscribe", "quotes": ["AAPL"]})
        await socket.receive_json()
        call.venue.console.step(200)  # no await between them: the writer cannot keep up
        while (message := await socket.receive()).type == aiohttp.WSMsgType.TEXT:
            pass
        assert message.data == 1008
