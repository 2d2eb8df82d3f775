"""One request and its answer, as a venue's routes see them; and the table that finds a route.

Lives here: the words between the server and a venue. Not here: sockets (server.py), faults (wire.py).
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from workbench.errors import BadInput

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

__all__ = ["Answer", "Call", "Reply", "Route", "Routes"]

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class Answer:
    """What goes back: `body` is bytes, or anything msgspec writes as JSON."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: Any = b"",
        status: int = 200,
        headers: dict[str, str] | None = None,
        content_type: str = _JSON,
    ) -> None:
        self.body: bytes = body if body.__class__ is bytes else _encode(body)
        self.status = status
        self.headers = headers
        self.content_type = content_type


class Call:
    """One request. `query` are its parameters (the last one of a name counts), `path` the parts of the route's template
    in braces, `raw_query` the query string as it was sent. `headers` go out with the answer, whatever it is."""

    __slots__ = ("body", "headers", "path", "query", "raw_query", "request", "route", "ts_ns")

    def __init__(self, request: "BaseRequest", route: "Route", path: dict[str, str], ts_ns: int) -> None:
        self.request = request
        self.route = route
        self.path = path
        url = request.rel_url
        self.raw_query = url.raw_query_string
        self.query: dict[str, str] = dict(url.query) if self.raw_query else {}
        self.body = b""
        self.ts_ns = ts_ns
        self.headers: dict[str, str] = {}

    def header(self, name: str) -> str:
        """A header of the request, "" when it is not there."""
        found: str = self.request.headers.get(name, "")
        return found


type Reply = Callable[[Call], Answer | Awaitable[Answer]]


class Route:
    """A method and a path (`{name}` stands for one segment) with what answers it. `open`: without keys."""

    __slots__ = ("method", "open", "path", "point", "reply", "weight")

    def __init__(self, method: str, path: str, reply: Reply, *, open: bool = False, weight: int = 1) -> None:
        self.method = method
        self.path = path
        self.reply = reply
        self.open = open
        self.weight = weight
        self.point = f"rest:{method} {path}"


class Routes:
    """Finds the route of a request: exact paths first, then templates in the order they were given.

    >>> async def nothing(call): ...
    >>> routes = Routes([Route("GET", "/v2/orders", nothing), Route("GET", "/v2/orders/{id}", nothing)])
    >>> routes.find("GET", "/v2/orders/7%2F8")[1]
    {'id': '7/8'}
    >>> routes.find("PUT", "/v2/orders")
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Route] = {}
        self._templates: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in routes:
            if "{" in route.path:
                parts = route.path.split("/")
                self._templates.setdefault((route.method, len(parts)), []).append((parts, route))
            elif (route.method, route.path) in self._exact:
                raise BadInput(f"route {route.method} {route.path} is there twice: give each one reply")
            else:
                self._exact[route.method, route.path] = route

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and the parts of its template; None when nothing is there."""
        route = self._exact.get((method, raw_path))
        if route is not None:
            return route, {}
        given = raw_path.split("/")
        for parts, candidate in self._templates.get((method, len(given)), ()):
            found: dict[str, str] = {}
            for part, text in zip(parts, given, strict=True):
                if part.startswith("{"):
                    found[part[1:-1]] = unquote(text)
                elif part != text:
                    break
            else:
                return candidate, found
        return None
