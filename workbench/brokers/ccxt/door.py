"""What ccxt gets for its HTTP session: the pool's, with the rules of the house in front.

    an address that is not the account's     refused before anything leaves
    a redirect                               never followed: it could lead keys anywhere
    an answer larger than `cap`              given up

Lives here: those rules. Not here: limits and what an error means (client.py), TLS (pool/sessions.py).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from workbench.brokers.pool import is_loopback
from workbench.errors import OutcomeUnknown, UnsafeVenue, VenueGarbled

__all__ = ["Door"]

_SAFE: Final = frozenset({"https", "wss"})
_MOST_BYTES: Final = 64_000_000


class _Read:
    """An answer as ccxt reads one."""

    content = b""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.reason, self.headers = answer.status, answer.reason, answer.headers
        self._body = body

    async def text(self, errors: str = "strict") -> str:
        return self._body.decode("utf-8", errors)


class Door:
    """`origins` are the only ones that may be spoken to: none, until they are set."""

    def __init__(self, venue: str, session: aiohttp.ClientSession, cap: int = _MOST_BYTES) -> None:
        self.origins: frozenset[URL] = frozenset()
        self._venue, self._session, self._cap = venue, session, cap

    @property
    def closed(self) -> bool:
        return self._session.closed

    @property
    def headers(self) -> Mapping[str, str]:
        return self._session.headers

    @property
    def cookie_jar(self) -> aiohttp.abc.AbstractCookieJar:
        return self._session.cookie_jar

    def get(self, url: URL, **more: Any) -> Any:
        return self._request("GET", url, **more)

    def post(self, url: URL, **more: Any) -> Any:
        return self._request("POST", url, **more)

    def put(self, url: URL, **more: Any) -> Any:
        return self._request("PUT", url, **more)

    def patch(self, url: URL, **more: Any) -> Any:
        return self._request("PATCH", url, **more)

    def delete(self, url: URL, **more: Any) -> Any:
        return self._request("DELETE", url, **more)

    def ws_connect(self, url: str, **more: Any) -> Any:
        """A stream; refused as requests are."""
        self._check(URL(url))
        return self._session.ws_connect(url, **more)

    @asynccontextmanager
    async def _request(self, method: str, url: URL, **more: Any) -> AsyncIterator[_Read]:
        self._check(url)
        more["allow_redirects"] = False
        async with self._session.request(method, url, **more) as answer:
            if 300 <= answer.status < 400:
                to = _origin(answer.headers.get("Location", ""))
                if method != "GET":
                    raise OutcomeUnknown(
                        f"{self._venue}: redirects an order to '{to}': it is asked about, and not sent there"
                    )
                text = f"redirects to '{to}'"
                raise UnsafeVenue(
                    self._venue, text, "check the address in the settings", status=answer.status
                )
            body = bytearray()
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > self._cap:
                    text = f"the answer is larger than {self._cap // 1_000_000} MB"
                    raise VenueGarbled(self._venue, text, "report it; it was not used")
            yield _Read(answer, bytes(body))

    def _check(self, url: URL) -> None:
        """Raises UnsafeVenue for an address that is not the account's, or not encrypted."""
        if url.scheme not in _SAFE and not is_loopback(url.host):
            text = f"address '{url.origin()}' is not encrypted"
            raise UnsafeVenue(self._venue, text, "nothing was sent; use https or wss")
        if url.origin() not in self.origins:
            text = f"ccxt asks for '{url.origin()}', which is none of the account's addresses"
            raise UnsafeVenue(self._venue, text, "nothing was sent; name the address under [brokers]")


def _origin(location: str) -> str:
    """Where a redirect leads, without its path and query: there could be keys in them."""
    try:
        return str(URL(location).origin())
    except ValueError:
        return "another path"
