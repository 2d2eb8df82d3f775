"""A small client of the emulated gateway, for its tests: requests, orders, a socket that keeps what it hears."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from workbench.testbed import Emulator, Fault, emulated

AAPL, SPY = 265_598, 756_733


class Gate:
    """Requests to one emulated gateway."""

    def __init__(self, venue: Emulator, session: aiohttp.ClientSession) -> None:
        self.venue, self.session = venue, session
        self.account: str = venue.facts["account"]
        self._numbers = 0

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, JSON of the answer) of a request."""
        async with self.session.request(method, self.venue.facts["rest"] + path, json=body) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> Any:
        """The answer to a question that must be answered."""
        status, said = await self("GET", path)
        assert status == 200, (path, status, said)
        return said

    def ticket(self, **more: Any) -> dict[str, Any]:
        """A market order of one AAPL with an id of its own."""
        self._numbers += 1
        usual = {
            "conid": AAPL,
            "orderType": "MKT",
            "side": "BUY",
            "quantity": 1,
            "tif": "DAY",
            "cOID": f"gate-{self._numbers}",
        }
        return {k: v for k, v in {**usual, **more}.items() if v is not None}

    async def post(self, *tickets: dict[str, Any]) -> tuple[int, Any]:
        return await self("POST", f"/iserver/account/{self.account}/orders", {"orders": list(tickets)})

    async def order(self, **more: Any) -> dict[str, Any]:
        """Place one order, answer yes to everything, and return its row."""
        status, said = await self.post(self.ticket(**more))
        while status == 200 and isinstance(said, list) and "message" in said[0]:
            status, said = await self("POST", f"/iserver/reply/{said[0]['id']}", {"confirmed": True})
        assert status == 200, said
        assert isinstance(said, list), said
        row: dict[str, Any] = said[0]
        return row

    async def status(self, order_id: str) -> str:
        said = await self.get(f"/iserver/account/order/status/{order_id}")
        return str(said["order_status"])

    def px(self, factor: float) -> float:
        """A price on the grid near AAPL's."""
        return round(self.venue.exchange.market.board("AAPL").last * factor, 2)

    def by_hand(self, *, logged_in: bool) -> None:
        """What somebody in front of the gateway does with a browser."""
        self.venue.server.console._does["login"]({"in": logged_in})

    def fault(self, quirk: str, **more: Any) -> int:
        return self.venue.faults.add(Fault(what="quirk", where=f"quirk:{quirk}", **more))


class Heard:
    """A client of the socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.said: list[Any] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self.socket:
            self.said.append(message.json())

    async def send(self, command: str) -> None:
        await self.socket.send_str(command)

    def topics(self) -> list[str]:
        return [message.get("topic", "") for message in self.said]

    def rows(self, topic: str) -> list[dict[str, Any]]:
        """Rows of a topic so far."""
        return [row for m in self.said if m.get("topic") == topic for row in m.get("args", [])]

    def told(self, word: str, value: bool, since: int = 0) -> bool:
        """Whether a message after the first `since` says so; heartbeats come in between whenever they like."""
        args = [message.get("args") for message in self.said[since:]]
        return any(isinstance(each, dict) and each.get(word) is value for each in args)

    def charts(self, conid: int) -> list[dict[str, Any]]:
        """Charts of a contract so far."""
        return [m for m in self.said if m.get("topic") == f"smh+{conid}" and "data" in m]

    async def until(self, holds: Callable[[], Any]) -> Any:
        async with asyncio.timeout(60):
            while not (found := holds()):  # noqa: ASYNC110 - any condition
                await asyncio.sleep(0.002)
        return found

    async def settled(self) -> None:
        """Everything sent before has been heard."""
        count = self.topics().count("tic")
        await self.send("tic")
        await self.until(lambda: self.topics().count("tic") > count)

    async def close(self) -> None:
        self._task.cancel()
        await self.socket.close()


@contextlib.asynccontextmanager
async def gate(**settings: Any) -> AsyncIterator[Gate]:
    """A gateway whose market stands still, with its accounts asked for."""
    settings = {"speed": 0, "limits": False} | settings
    async with emulated("ibkr", **settings) as venue, aiohttp.ClientSession() as session:
        found = Gate(venue, session)
        await found.get("/iserver/accounts")
        await found.get("/portfolio/accounts")
        yield found


@contextlib.asynccontextmanager
async def listening(found: Gate, *commands: str) -> AsyncIterator[Heard]:
    """A socket with the session's cookie."""
    number = (await found.get("/tickle"))["session"]
    headers = {"Cookie": "api=" + json.dumps({"session": number})}
    async with found.session.ws_connect(found.venue.facts["ws"], headers=headers) as socket:
        heard = Heard(socket)
        await heard.until(lambda: "sts" in heard.topics())
        for command in commands:
            await heard.send(command)
        await heard.settled()
        yield heard
        await heard.close()
