"""A venue's part in a stream: how it is greeted and asked, what its frames mean, what is fetched after a break.

Lives here: the contract between a stream and a venue. Not here: the connection's life (stream.py).
"""

from collections.abc import Iterable
from typing import Protocol

import aiohttp

from workbench.errors import VenueDown

__all__ = ["Frame", "Script", "Wire"]

type Frame = str | bytes


class Wire:
    """What a script may do while it logs in: send, and take the next frame."""

    def __init__(self, venue: str, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._venue, self._ws = venue, ws

    async def send(self, frame: Frame) -> None:
        if isinstance(frame, str):
            await self._ws.send_str(frame)
        else:
            await self._ws.send_bytes(frame)

    async def next(self) -> Frame:
        """The next frame, text or binary.

        Raises:
            VenueDown: the connection ended instead.
        """
        message = await self._ws.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            frame: Frame = message.data
            return frame
        text = f"the stream ended ({message.type.name.lower()} {message.data or ''})"
        raise VenueDown(self._venue, text, "it is opened again")


class Script(Protocol):
    """A venue's part in a stream."""

    async def greet(self, wire: Wire) -> None:
        """Log in. Raises KeysRefused when the keys are refused, RateLimited when there are too many connections."""
        ...

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[Frame]:
        """The frames that ask for channels and end them."""
        ...

    def frame(self, frame: Frame) -> None:
        """Take one frame: quick, on the loop. Raises VenueGarbled when it cannot be read (it is counted and the
        stream catches up by REST, because what it said is not known)."""
        ...

    async def catch_up(self) -> None:
        """Fetch by REST what may have been missed; frames wait meanwhile. Market data needs none."""
        ...

    def heartbeat(self) -> Frame | None:
        """A frame that keeps the venue from hanging up; None when it wants none."""
        ...
