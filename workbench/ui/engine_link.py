"""One connection to a desk's stream for the relay: ticket, hello, frames. The token never leaves this process."""

import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import aiohttp

from workbench.api.address import Address
from workbench.errors import Unauthorised, Unreachable

__all__ = ["EngineLink"]

SCOPE = "view+stop"
CONNECT_S = 3.0


class EngineLink:
    """The engine's stream with scope view+stop; iterate for its text frames.

    Raises (from `hello`):
        Unreachable: nothing answers, or not in time.
        Unauthorised: the address book's token is not the engine's.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        # own cookie jar that keeps nothing: no cookie goes to the engine, none comes from it
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=CONNECT_S),
            trust_env=False,
        )
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self._http.close()

    async def hello(self) -> dict[str, Any]:
        """Connect and introduce ourselves; the engine's welcome."""
        url, token = self._address.url, self._address.token
        try:
            async with self._http.post(
                f"{url}/api/v1/tickets", json={"scope": SCOPE}, headers={"Authorization": f"Bearer {token}"}
            ) as answer:
                if answer.status in (401, 403):
                    raise Unauthorised(
                        "the engine does not accept the address book's token: restart the desk"
                    )
                answer.raise_for_status()
                ticket = (await answer.json())["ticket"]
            self._socket = await self._http.ws_connect(
                f"{url.replace('http', 'ws', 1)}/api/v1/stream",
                max_msg_size=0,
                compress=0,
                heartbeat=20.0,
                timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=2.0),
            )
            await self._socket.send_json({"op": "hello", "ticket": ticket})
            welcome: dict[str, Any] = json.loads(await self._socket.receive_str(timeout=CONNECT_S))
        except (aiohttp.ClientError, TimeoutError, TypeError) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(
                f"the engine at {url} does not answer ({why}): see `workbench status`"
            ) from error
        if welcome.get("op") != "welcome":
            raise Unauthorised(f"the engine refused the relay: {welcome.get('text', welcome)}")
        return welcome

    async def send(self, text: str) -> None:
        """One message to the engine; nothing when the stream is already closing (the page learns it from that)."""
        if self._socket is not None and not self._socket.closed:
            await self._socket.send_str(text)

    async def __aiter__(self) -> AsyncIterator[str]:
        if self._socket is None:
            raise Unreachable("say hello before reading")
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data
