"""Signed requests to an emulated Binance, each part of them open to be spoiled. Test apparatus only."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from workbench.testbed import Emulator

__all__ = ["Spot"]


class Spot:
    """Requests over HTTP, signed with the account's HMAC key unless told otherwise."""

    def __init__(self, venue: Emulator, session: aiohttp.ClientSession) -> None:
        self.venue, self.session = venue, session
        self.key, self.secret = venue.facts["key"], venue.facts["secret"]
        self.root = "/api/v3"
        self.answered: Mapping[str, str] = {}  # headers of the last answer

    def sign(self, payload: str) -> str:
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    async def raw(
        self, verb: str, path: str, query: str = "", body: str = "", **headers: str
    ) -> tuple[int, Any]:
        """(status, answer) of a request as it stands."""
        url = f"{self.venue.facts['rest']}{self.root}/{path}{'?' if query else ''}{query}"
        sent = {"Content-Type": "application/x-www-form-urlencoded", **headers} if body else headers
        async with self.session.request(
            verb, URL(url, encoded=True), data=body.encode() or None, headers=sent
        ) as answer:
            self.answered = answer.headers
            return answer.status, await answer.json()

    async def __call__(self, verb: str, path: str, **params: Any) -> tuple[int, Any]:
        """A signed request, its parameters in the query; `timestamp` and `recvWindow` may be given."""
        given = {"timestamp": self.venue.exchange.clock.now_ns() // 10**6, **params}
        query = urlencode({k: v for k, v in given.items() if v is not None}, quote_via=quote)
        signed = f"{query}&signature={self.sign(query)}"
        return await self.raw(verb, path, signed, **{"X-MBX-APIKEY": self.key})

    async def order(self, **changed: Any) -> tuple[int, Any]:
        """A limit order that rests, with changes; None leaves a parameter out."""
        usual = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.01",
        }
        return await self("POST", "order", **{**usual, "price": self.px(0.9), **changed})

    def fresh(self, window_s: int) -> None:
        """To the beginning of the next window of the venue's clock."""
        clock = self.venue.exchange.clock
        clock.advance(window_s - clock.now_ns() % (window_s * 10**9) / 1e9)

    def px(self, share: float) -> str:
        """A price on the grid, as a share of the market's."""
        return f"{self.venue.exchange.market.board('BTCUSDT').last * share:.2f}"
