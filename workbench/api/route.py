"""One row of the route table, and what a route's function is given."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from workbench.api.contract import DeskContract
from workbench.api.security import Gate
from workbench.api.tokens import Grant, Tokens
from workbench.errors import BadValue

__all__ = ["Call", "Route", "Services"]


class Services(Protocol):
    """What the server itself offers to routes."""

    tokens: Tokens
    gate: Gate
    metrics_text: Callable[[], bytes]

    def ask_to_stop(self) -> None: ...
    async def close_streams_of(self, token_id: str) -> None: ...


class Call(msgspec.Struct, frozen=True):
    """One accepted request: decoded, authorised, ready to run."""

    desk: DeskContract
    services: Services
    grant: Grant
    id_text: str = ""
    body: Any = None
    query: Any = None

    @property
    def id(self) -> int:
        """The number in the path."""
        if not (self.id_text.isascii() and self.id_text.isdigit() and len(self.id_text) <= 18):
            raise BadValue("id", self.id_text[:40], "give a whole number")
        return int(self.id_text)


class Route(msgspec.Struct, frozen=True):
    """`scope` "" needs no token. `answer` is the type of the successful answer (bytes: not JSON); `patience_s` is how
    long it may take (0: the server's usual limit)."""

    method: str
    path: str
    scope: str
    summary: str
    run: Callable[[Call], Any | Awaitable[Any]]
    answer: Any
    body: type | None = None
    query: type | None = None
    status: int = 200
    content_type: str = "application/json"
    patience_s: float = 0.0
