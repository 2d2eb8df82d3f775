"""The typed client against the served desk: round trips, typed errors, and what it does when the engine moves."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.conftest import Serve, Served
from workbench import errors
from workbench.api.address import Address
from workbench.api.answers import RiskRefusal, error_body
from workbench.api.bodies import ErrorBody
from workbench.api.client import Client
from workbench.api.raised import error_from
from workbench.api.server import ServerLimits
from workbench.errors import BadValue, Busy, NotRunning, OutcomeUnknown, Refused, UnknownName, Unreachable
from workbench.model import snapshot as rows


def address_of(served: Served, token: str = "") -> Address:
    return Address(served.url, token or served.token, 1, 1, 0, "0.1.0")


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    async with Client(lambda: address_of(served)) as made:
        yield made


async def test_every_look_comes_back_as_its_type(served: Served, client: Client) -> None:
    await served.desk.add_strategy("S", "", {"period": 14}, ["SPY"], 10)
    await served.desk.place("SPY", "buy", 9000)
    await served.desk.kill("x", "y")
    await served.desk.arm("y")
    for _ in range(100):
        served.desk.step()
    shot = await client.snapshot()
    assert shot == served.desk.snapshot()
    assert await client.session() == shot.session
    assert await client.account() == shot.account
    assert await client.positions() == shot.positions
    assert await client.orders() == shot.orders[-200:]
    assert await client.order(1) == served.desk.order(1)
    assert await client.trace(1) == served.desk.trace(1)
    assert await client.fills(5) == shot.fills[-5:]
    assert await client.refusals() == shot.refusals
    assert await client.strategies() == shot.strategies
    assert await client.latency() == shot.latency
    assert await client.alerts() == shot.alerts
    assert (await client.health()).journal_seq == shot.health.journal_seq
    assert (await client.metrics()).startswith("# HELP")
    assert (await client.openapi())["openapi"] == "3.1.0"


async def test_acting(served: Served, client: Client) -> None:
    number = await client.add_strategy("S", "src", ["SPY"], parameters={"period": 14}, quantity=5)
    await client.set_parameters(number, {"period": 20})
    await client.pause(number, "lunch")
    assert (await client.strategies())[0].reason == "lunch"
    await client.resume(number)
    placed = await client.place("SPY", "buy", 1, "limit", limit_px=200.0, why="test")
    assert isinstance(placed, int)
    await client.cancel(placed)
    assert served.desk.order(placed).state == "cancelled"
    refused = await client.place("SPY", "buy", 9000)
    assert isinstance(refused, rows.RefusalRow)
    assert refused.code == "SIZE"
    assert (await client.kill("why", "me")).cancels == 0
    await client.arm()
    await client.market("speed", 5.0)
    await client.remove(number)
    assert (await client.check()).reconcile["cash_conserved"] is True
    assert (await client.ticket("view+stop", 3.0)).scope == "view+stop"
    token = await client.new_token("view", "looker")
    await client.revoke_token(token.id)
    await client.allow_origin("http://127.0.0.1:8888")


async def test_refusals_come_back_as_the_errors_they_were(client: Client) -> None:
    with pytest.raises(UnknownName, match="did you mean 'SPY'") as unknown:
        await client.place("SPX", "buy", 1)
    assert (unknown.value.kind, unknown.value.name, unknown.value.nearest) == ("symbol", "SPX", "SPY")
    with pytest.raises(BadValue) as bad:
        await client.place("SPY", "buy", 1, "limit")
    assert bad.value.field == "limit_px"
    with pytest.raises(UnknownName):
        await client.order(77)
    placed = await client.place("SPY", "buy", 1, "limit", limit_px=1.0)
    assert isinstance(placed, int)
    await client.cancel(placed)
    with pytest.raises(Refused, match="nothing to cancel"):
        await client.cancel(placed)


def test_every_error_of_the_tree_survives_the_way_out_and_back() -> None:
    made = [UnknownName("a", "b", ["c"]), BadValue("f", 1, "x"), *_plain_errors()]
    assert len(made) == len(errors.__all__)
    for error in made:
        body = msgspec.json.decode(msgspec.json.encode(error_body(error)), type=ErrorBody)
        again = error_from(body)
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert {k: str(v) for k, v in vars(again).items()} == {k: str(v) for k, v in vars(error).items()}
    assert type(error_from(ErrorBody("Nonsense", "x"))) is errors.WorkbenchError
    row = rows.RefusalRow(0, 0, "SPY", "buy", 1.0, "SIZE", "too big", {})
    assert error_body(RiskRefusal(row)).refusal == row


def _plain_errors() -> list[errors.WorkbenchError]:
    made = []
    for name in sorted(set(errors.__all__) - {"UnknownName", "BadValue"}):
        kind = getattr(errors, name)
        venue = issubclass(kind, errors.VenueError)
        made.append(kind("alpaca", "no", "wait", status=429, code="7") if venue else kind("one line"))
    return made


async def test_nobody_there_says_so() -> None:
    gone = Address("http://127.0.0.1:9", "t", 123, 1, 0, "0.1.0")
    async with Client(lambda: gone) as client:
        with pytest.raises(NotRunning, match=r"nothing answers at http://127.0.0.1:9 .*workbench\.start"):
            await client.snapshot()
        with pytest.raises(NotRunning):
            await client.kill()


async def test_a_restarted_engine_is_found_through_the_address_book(serve: Serve) -> None:
    first, second = await serve(), await serve()
    book = [address_of(first)]
    async with Client(lambda: book[0]) as client:
        await client.snapshot()
        await first.server.close()
        book[0] = address_of(second)
        # also over a kept connection that broke: a kill may be repeated
        assert (await client.kill("test")).unconfirmed == []
        await client.arm()
        assert isinstance(await client.place("SPY", "buy", 1), int)
        assert len(second.desk.orders()) == 1
        # the same engine with a new token: the old one is refused, the book is read again
        book[0] = address_of(second, second.scoped("full"))
        second.server.tokens.revoke(second.grant.id)
        await client.snapshot()


async def test_an_order_whose_answer_was_lost_is_unknown_and_not_sent_twice() -> None:
    received = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"}"))
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Client(lambda: Address(f"http://127.0.0.1:{port}", "t", 1, 1, 0, "0.1.0")) as client:
        with pytest.raises(OutcomeUnknown, match="look at the desk before repeating"):
            await client.place("SPY", "buy", 1)
    assert len(received) == 1
    server.close()


async def test_a_late_answer_is_an_error_in_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    served = await serve()
    never = asyncio.Event()

    async def stuck(*_: object, **__: object) -> int:
        await never.wait()
        return 1

    monkeypatch.setattr(served.desk, "place", stuck)
    async with Client(lambda: address_of(served), timeout_s=0.1) as client:
        with pytest.raises(OutcomeUnknown, match=r"within 0.1 s"):
            await client.place("SPY", "buy", 1)
    never.set()
    hung = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Client(lambda: Address(f"http://127.0.0.1:{port}", "t", 1, 1, 0, ""), timeout_s=0.1) as client:
        with pytest.raises(Unreachable, match=r"within 0.1 s"):
            await client.snapshot()
    hung.set()
    server.close()


async def test_too_busy_is_busy(serve: Serve) -> None:
    served = await serve(ServerLimits(requests_per_s=0.001, burst=1))
    async with Client(lambda: address_of(served)) as client:
        await client.session()
        with pytest.raises(Busy):
            await client.session()


async def test_the_stream_follows_topics(served: Served, client: Client) -> None:
    seen = []
    async for told in client.stream("session", "orders"):
        if told["op"] == "data":
            seen.append((told["topic"], told["kind"]))
            if len(seen) == 2:
                await served.desk.place("SPY", "buy", 1)
            if ("orders", "update") in seen:
                break
    assert seen[:2] == [("session", "snapshot"), ("orders", "snapshot")]
    with pytest.raises(UnknownName, match="did you mean 'orders'"):
        _ = [told async for told in client.stream("ordres")]
