"""Exchanges without a server, and small HTTP clients, for the tests of the emulated venues."""

from typing import Any

import aiohttp
import pytest

from workbench.model.orders import BUY, DAY, MARKET
from workbench.model.scale import SCALE, to_e8
from workbench.testbed import Emulator
from workbench.testbed.clock import VenueClock
from workbench.testbed.exchange import Exchange
from workbench.testbed.faults import Faults
from workbench.testbed.listing import pair, stock
from workbench.testbed.market import Board, Market
from workbench.testbed.orders import OrderEvent, Ticket, VenueOrder

collect_ignore = ["clients"]  # programs of their own: test_clients.py runs them


class Floor:
    """An exchange with two stocks and a pair, and a log of its events. Its clock stands still but for stamps."""

    def __init__(self, **settings: Any) -> None:
        self.wall_ns = 1_800_000_000_000_000_000
        clock = VenueClock(wall=lambda: self.wall_ns)
        listings = [
            stock(0, "AAPL", "x"),
            stock(1, "SPY", "x"),
            pair(2, "BTC/USD", "BTC", "USD", "x", tick=0.01, lot=1e-8),
        ]
        self.market = Market(listings, clock, seed=7)
        self.faults = Faults(seed=7)
        self.exchange = Exchange(self.market, **{"cash": 1_000_000.0, "faults": self.faults, **settings})
        self.events: list[OrderEvent] = []
        self.told: list[tuple[str, int]] = []
        self.exchange.sinks.append(self._note)

    def _note(self, event: OrderEvent) -> None:
        self.events.append(event)
        self.told.append((event.kind, event.order.order_id))

    def board(self, symbol: str = "AAPL") -> Board:
        return self.market.board(symbol)

    def ticket(self, side: int = BUY, qty: float = 10, symbol: str = "AAPL", **more: Any) -> Ticket:
        for name in ("limit", "stop"):
            if name in more:
                more[f"{name}_px_e8"] = to_e8(more.pop(name))
        return Ticket(
            self.board(symbol).listing, side, round(qty * SCALE), **{"kind": MARKET, "tif": DAY, **more}
        )

    def place(self, side: int = BUY, qty: float = 10, symbol: str = "AAPL", **more: Any) -> Any:
        order = self.exchange.place(self.ticket(side, qty, symbol, **more))
        self.exchange.settle()
        return order

    def kinds(self, order: VenueOrder) -> list[str]:
        return [kind for kind, order_id in self.told if order_id == order.order_id]


@pytest.fixture
def floor() -> Floor:
    return Floor()


class Caller:
    """Requests to an emulated Alpaca."""

    def __init__(self, venue: Emulator, session: aiohttp.ClientSession) -> None:
        self.venue = venue
        self.session = session
        self.headers = {"APCA-API-KEY-ID": venue.facts["key"], "APCA-API-SECRET-KEY": venue.facts["secret"]}

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, JSON of the answer) of a request."""
        url = self.venue.facts["rest"] + path
        async with self.session.request(
            method, url, json=body, headers={**self.headers, **headers}
        ) as answer:
            raw = await answer.read()
            return answer.status, (await answer.json() if raw else None)

    async def order(self, **body: Any) -> tuple[int, Any]:
        given = {
            "symbol": "AAPL",
            "qty": "1",
            "side": "buy",
            "type": "market",
            "time_in_force": "day",
            **body,
        }
        return await self("POST", "/v2/orders", {k: v for k, v in given.items() if v is not None})

    async def console(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.venue.facts['console_token']}"}
        async with self.session.request(
            method, self.venue.facts["console"] + path, json=body, headers=headers
        ) as a:
            return a.status, await a.json()
