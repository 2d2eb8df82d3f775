"""The HTTP server of one desk: one gate in front of every route, typed errors, timing on every answer.

Order at the door: Host, Origin, token, scope, rate, then body. A path that does not exist answers 401 to a
stranger like any other. Nothing here decides about trading.
"""

import asyncio
import errno
import inspect
import logging
import socket
import time
from collections.abc import Callable

import msgspec
from aiohttp import web

from workbench.api.answers import answer, error_answer
from workbench.api.bodies import decode_body, decode_query
from workbench.api.contract import DeskContract
from workbench.api.route import Call, Route
from workbench.api.routes import ROUTES, STREAM_PATH
from workbench.api.security import FailedLogins, Forbidden, Gate, RateLimit
from workbench.api.stream import Stream
from workbench.api.tokens import Grant, Tokens, allows
from workbench.errors import BadInput, Refused, Retryable, Unauthorised, UnknownName, WorkbenchError

__all__ = ["Server", "ServerLimits", "free_socket", "on_port"]

logger = logging.getLogger(__name__)
_NOBODY = Grant("", "view")
_PORTS_TRIED = 20
_BEGAN_NS = web.RequestKey("began_ns", int)


class ServerLimits(msgspec.Struct, frozen=True):
    """What one caller may take. The defaults are far above a person and below a flood."""

    body_bytes: int = 1 << 20
    request_s: float = 30.0
    first_request_s: float = 10.0
    requests_per_s: float = 20_000.0
    burst: float = 20_000.0
    failed_logins: int = 10
    failed_login_delay_s: float = 0.5
    tick_s: float = 0.1
    hello_s: float = 5.0
    slow_s: float = 10.0
    linger_s: float = 5.0
    stream_high_water: int = 1 << 20


def free_socket(host: str, port: int, setting: str = "api.port") -> socket.socket:
    """A bound TCP socket; port 0 takes a free one. `setting` is what the port was asked for by.

    Raises:
        Refused: the port is taken, or the address is not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Refused(
            f"cannot listen on {host}:{port} ({error.strerror}): give {setting} another port, or 0"
        ) from error
    return bound


def on_port[T](host: str, port: int, setting: str, serve: Callable[[int], T]) -> T:
    """What `serve(port)` answers, for a server that must know its port before it binds it. Port 0 stands for a free
    one, and for another one when somebody else took that in between.

    Raises:
        Refused: the port is taken, or the address is not one of this machine's.
    """
    tried = 0
    while True:
        with free_socket(host, port, setting) as probe:
            chosen = int(probe.getsockname()[1])
        tried += 1
        try:
            return serve(chosen)
        except OSError as error:
            if port or tried == _PORTS_TRIED or error.errno != errno.EADDRINUSE:
                text = (
                    f"cannot listen on {host}:{chosen} ({error.strerror}): give {setting} another port, or 0"
                )
                raise Refused(text) from error


class Server:
    """Serves `desk` on one socket.

    `metrics_text` answers /metrics; `on_stop` is called when a client asks for an orderly stop.
    """

    def __init__(
        self,
        desk: DeskContract,
        bound: socket.socket,
        *,
        metrics_text: Callable[[], bytes],
        on_stop: Callable[[], None],
        extra_hosts: tuple[str, ...] = (),
        extra_origins: tuple[str, ...] = (),
        limits: ServerLimits | None = None,
    ) -> None:
        self.limits = limits or ServerLimits()
        self.desk = desk
        self.metrics_text = metrics_text
        self._on_stop = on_stop
        self._socket = bound
        host, port = bound.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self.tokens = Tokens()
        self.gate = Gate(port, desk.folder, extra_hosts=extra_hosts, extra_origins=extra_origins)
        self._failed = FailedLogins(self.limits.failed_logins, self.limits.failed_login_delay_s)
        self._rate = RateLimit(self.limits.requests_per_s, self.limits.burst)
        self.stream = Stream(
            desk,
            self.tokens,
            self._failed,
            tick_s=self.limits.tick_s,
            hello_s=self.limits.hello_s,
            slow_s=self.limits.slow_s,
            linger_s=self.limits.linger_s,
            high_water=self.limits.stream_high_water,
        )
        self._silent: dict[object, asyncio.TimerHandle] = {}
        app = web.Application(client_max_size=self.limits.body_bytes, middlewares=[self._door])
        app.on_response_prepare.append(_stamp)
        self._routes: dict[object, Route] = {}
        for route in ROUTES:
            added = app.router.add_route(route.method, route.path, _unreached)
            self._routes[added] = route
        self._stream_route = app.router.add_route("GET", STREAM_PATH, self.stream.serve)
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, keepalive_timeout=75.0, shutdown_timeout=2.0
        )
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; from here on requests are answered."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, sock=self._socket, backlog=512)
        self.stream.start()

    async def close(self) -> None:
        """Stop listening, close the streams, let running requests finish."""
        if self._listener is not None:
            self._listener.close()
        await self.stream.close()
        await self._runner.cleanup()
        self._socket.close()

    def ask_to_stop(self) -> None:
        # after the answer has left
        asyncio.get_running_loop().call_later(0.05, self._on_stop)

    async def close_streams_of(self, token_id: str) -> None:
        await self.stream.close_of(token_id)

    # ------------------------------------------------------------ the door
    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None:
            raise Refused("the server is closing")
        protocol = server()
        loop = asyncio.get_running_loop()
        self._silent[protocol] = loop.call_later(self.limits.first_request_s, self._drop_silent, protocol)
        return protocol

    def _drop_silent(self, protocol: web.RequestHandler) -> None:
        """A connection that has not finished its first request head by now is holding a place for nothing."""
        self._silent.pop(protocol, None)
        if protocol.transport is not None:
            protocol.transport.close()

    @web.middleware
    async def _door(
        self, request: web.Request, handler: Callable[[web.Request], object]
    ) -> web.StreamResponse:
        request[_BEGAN_NS] = time.perf_counter_ns()
        if self._silent and (timer := self._silent.pop(request.protocol, None)) is not None:
            timer.cancel()
        resource = request.match_info.get("id")
        try:
            self.gate.check_host(request.headers.getall("Host", []))
            self.gate.check_origin(request.headers.getall("Origin", []))
            async with asyncio.timeout(None) as patience:
                if request.match_info.route is self._stream_route:
                    return await self.stream.serve(request)
                route = self._routes.get(request.match_info.route)
                limit_s = (route.patience_s if route is not None else 0.0) or self.limits.request_s
                patience.reschedule(asyncio.get_running_loop().time() + limit_s)
                return await self._run(request, route)
        except Unauthorised as error:
            if not isinstance(error, Forbidden):
                await asyncio.sleep(self._failed.delay_s())
            return error_answer(request, error)
        except WorkbenchError as error:
            if not isinstance(error, BadInput | Refused | Retryable):
                logger.error("%s %s: %s", request.method, request.path, error)
            return error_answer(request, error, resource)
        except web.HTTPRequestEntityTooLarge:
            limit = self.limits.body_bytes
            return error_answer(request, _TooLarge(f"body is larger than {limit} bytes: send less"))
        except web.HTTPException as error:
            if error.status >= 400:
                return answer(request, {"code": "BadInput", "text": error.reason}, error.status)
            raise
        except TimeoutError:
            text = "no answer in the time allowed: it may still happen, look before repeating"
            return answer(request, {"code": "OutcomeUnknown", "text": text}, 504)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            text = "the engine failed on this request: see engine.log in the desk's folder"
            return answer(request, {"code": "WorkbenchError", "text": text}, 500)

    async def _run(self, request: web.Request, route: Route | None) -> web.StreamResponse:
        if route is not None and not route.scope:
            grant = _NOBODY
        else:
            grant = self._grant(request)
            self._rate.take(grant.id)
        if route is None:
            raise self._no_route(request)
        if route.scope and not allows(grant.scope, route.scope):
            raise Forbidden(f"scope '{grant.scope}' may not do this: needs a token of scope '{route.scope}'")
        raw = await request.read() if request.can_read_body else b""
        body = decode_body(route.body, raw) if route.body is not None else None
        query = decode_query(route.query, _single(request)) if route.query is not None else None
        call = Call(self.desk, self, grant, request.match_info.get("id", ""), body, query)
        value = route.run(call)
        if inspect.isawaitable(value):
            value = await value
        return answer(request, value, route.status)

    def _grant(self, request: web.Request) -> Grant:
        given = request.headers.getall("Authorization", [])
        if len(given) != 1 or not given[0].startswith("Bearer "):
            raise Unauthorised("token is missing: send the header Authorization: Bearer <token>")
        return self.tokens.check(given[0][7:])

    def _no_route(self, request: web.Request) -> BadInput:
        paths = {route.path for route in ROUTES} | {STREAM_PATH}
        error = request.match_info.http_exception
        if error is not None and error.status == 405:
            return _NotAllowed(
                f"method {request.method} is not allowed on {request.path[:100]}: see /openapi.json"
            )
        return _NoRoute("path", request.path[:100], paths)


class _NoRoute(UnknownName):
    status = 404


class _NotAllowed(BadInput):
    status = 405


class _TooLarge(BadInput):
    status = 413


def _single(request: web.Request) -> dict[str, str]:
    for key in request.query:
        if len(request.query.getall(key)) > 1:
            raise BadInput(f"{key[:40]} is given twice: give it once")
    return dict(request.query)


async def _unreached(request: web.Request) -> web.StreamResponse:
    raise WorkbenchError(f"route {request.path} was reached past the door")


async def _stamp(request: web.Request, response: web.StreamResponse) -> None:
    taken_ms = (time.perf_counter_ns() - request[_BEGAN_NS]) / 1e6
    response.headers["Server-Timing"] = f"app;dur={taken_ms:.3f}"
    response.headers["X-Response-Time"] = f"{taken_ms:.3f}ms"
    response.headers["Server"] = "workbench"
