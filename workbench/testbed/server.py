"""The server of an emulated venue: one port for its REST routes, its WebSockets and the fault console.

Lives here: sockets, the way of a request, starting and stopping. Not here: what is answered (a venue's folder), what a
fault does to it (wire.py, stream.py), how the parts are put together (emulator.py).

    request -> route -> faults -> guard (keys, limits) -> reply -> answer -> settle()

It sits on aiohttp's low-level server: no application, no middleware, one dictionary look-up for a route.
"""

import asyncio
import logging
from inspect import isawaitable

from aiohttp import http_exceptions, web
from aiohttp.web_request import BaseRequest

from workbench.testbed.call import Answer, Call, Route, Routes
from workbench.testbed.console import CONSOLE, Console
from workbench.testbed.faults import Fault, Faults, struck
from workbench.testbed.pace import Pace
from workbench.testbed.stream import Link
from workbench.testbed.tls import Certificate
from workbench.testbed.venue import Socket, Venue
from workbench.testbed.wire import faulty

__all__ = ["HOST", "Server"]

logger = logging.getLogger("workbench.testbed")

_requests = logging.getLogger("workbench.testbed.requests")
"""What aiohttp has to say; not of what was no HTTP (it is answered with 400), nor of who left in the middle."""
_requests.addFilter(lambda record: not _clients_own(record))

HOST = "127.0.0.1"
_SHUTDOWN_S = 0.5


class Server:
    """Serves one venue on loopback."""

    def __init__(self, venue: Venue, faults: Faults, pace: Pace, console_token: str) -> None:
        self.venue = venue
        self.faults = faults
        self.pace = pace
        self.port = 0
        self.requests = 0
        self.certificate: Certificate | None = None
        self.links: set[Link] = set()
        self.console = Console(self, console_token)
        self._exchange = venue.exchange
        self._routes = Routes(venue.routes())
        sockets = list(venue.sockets())
        self._sockets = Routes(Route("WS", socket.path, _no_reply) for socket in sockets)
        self._serve = {socket.path: socket for socket in sockets}
        self._missing = Route("GET", "/{path}", _no_reply)
        self._runner: web.ServerRunner | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._settling: asyncio.Handle | None = None
        self._settle_at = 0.0
        faults.added.append(self._fault_added)
        faults.removed.append(self._fault_removed)

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0, tls: str = "") -> None:
        """Listen, and let the market move; with a certificate of a mode of tls.py when one is named.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._exchange.wake = self._wake
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, logger=_requests), shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        self.certificate = Certificate(tls) if tls else None
        context = self.certificate.context if self.certificate is not None else None
        site = web.TCPSite(self._runner, HOST, port, backlog=1_024, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._tasks.add(loop.create_task(self.pace.run()))

    async def stop(self) -> None:
        """Close everything; harmless when repeated."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._exchange.wake = _asleep
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        for link in list(self.links):
            link.close(1001)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def root(self) -> str:
        return f"{'http' if self.certificate is None else 'https'}://{HOST}:{self.port}"

    # -- letting things happen -------------------------------------------------------------------------------------

    def _wake(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + delay_s
        if self._settling is not None:
            if self._settle_at <= at:
                return
            self._settling.cancel()
        self._settle_at = at
        self._settling = (
            loop.call_later(delay_s, self._settle) if delay_s > 0 else loop.call_soon(self._settle)
        )

    def _settle(self) -> None:
        self._settling = None
        self._exchange.settle()

    # -- requests --------------------------------------------------------------------------------------------------

    async def _handle(self, request: BaseRequest) -> web.StreamResponse:
        self.requests += 1
        raw_path = request.rel_url.raw_path
        if raw_path.startswith(CONSOLE):
            return _response(await self.console.reply(request), None)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request, raw_path)
        found = self._routes.find(request.method, raw_path)
        route, path = found if found is not None else (self._missing, {})
        call = Call(request, route, path, self._exchange.clock.now_ns())
        if request.can_read_body:
            try:
                call.body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                return _response(self.venue.refuse(413, "request entity too large"), None)
        if self.faults.any:
            hits = self.faults.hit(route.point if found is not None else f"rest:{request.method} {raw_path}")
            if hits:

                async def carry() -> Answer:
                    answer = await self._answer(call, found is not None)
                    self._exchange.settle()
                    return _with(answer, call.headers)

                response = await faulty(request, hits, carry, self.venue.refuse)
                if response is not None:
                    return response
        return _response(await self._answer(call, found is not None), call.headers)

    async def _answer(self, call: Call, found: bool) -> Answer:
        refused = self.venue.guard(call)
        if refused is not None:
            return refused
        if not found:
            return self.venue.refuse(404, "")
        try:
            self.pace.catch_up()
            answer = call.route.reply(call)
            return await answer if isawaitable(answer) else answer
        except Exception:
            logger.exception("%s failed", call.route.point)
            return self.venue.refuse(500, "")

    # -- streams -----------------------------------------------------------------------------------------------------

    async def _stream(self, request: BaseRequest, raw_path: str) -> web.StreamResponse:
        found = self._sockets.find("WS", raw_path) or self._sockets.find("WS", raw_path.rstrip("/"))
        if found is None:
            return _response(self.venue.refuse(404, ""), None)
        route, path = found
        socket: Socket = self._serve[route.path]
        if self.faults.any:
            hits = self.faults.hit(f"connect:{socket.name}")
            late = struck(hits, "delay")
            if late is not None:
                await asyncio.sleep(late.seconds)
            refused = struck(hits, "status", "outage")
            if refused is not None:
                return _response(self.venue.refuse(refused.status or 503, refused.text), refused.headers)
        link = Link(request, socket.name, self.faults)
        await link.open()
        self.links.add(link)
        try:
            await socket.serve(link, path)
        except Exception:
            logger.exception("stream %s failed", socket.name)
            link.close(1011)
        finally:
            self.links.discard(link)
            await link.end()
        return link.socket

    def close_links(self, code: int = 1012, *, cut: bool = False) -> None:
        """End every stream: in good order, or without a word."""
        for link in list(self.links):
            if cut:
                link.cut()
            else:
                link.close(code)

    # -- faults that are no single request's -----------------------------------------------------------------------

    def _fault_added(self, fault: Fault) -> None:
        if fault.what == "clock_skew":
            self._exchange.clock.skew_ns += round(fault.seconds * 1e9)
        elif fault.what == "outage":
            self.close_links(cut=True)
        elif fault.what == "nightly_reset":
            self.venue.nightly_reset()
            self.close_links()

    def _fault_removed(self, fault: Fault) -> None:
        if fault.what == "clock_skew":
            self._exchange.clock.skew_ns -= round(fault.seconds * 1e9)


def _response(answer: Answer, headers: dict[str, str] | None) -> web.Response:
    return web.Response(
        body=answer.body,
        status=answer.status,
        headers=_merged(answer.headers, headers),
        content_type=answer.content_type,
    )


def _merged(own: dict[str, str] | None, more: dict[str, str] | None) -> dict[str, str] | None:
    return own or more if not (own and more) else {**more, **own}


def _with(answer: Answer, headers: dict[str, str]) -> Answer:
    answer.headers = _merged(answer.headers, headers)
    return answer


def _clients_own(record: logging.LogRecord) -> bool:
    info = record.exc_info
    return isinstance(info, tuple) and isinstance(
        info[1], http_exceptions.HttpProcessingError | ConnectionError
    )


def _no_reply(call: Call) -> Answer:
    return Answer(status=404)


def _asleep(delay_s: float) -> None:
    """The wake of an exchange whose server has stopped."""
