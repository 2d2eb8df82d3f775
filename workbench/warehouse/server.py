"""The warehouse over HTTP: queries as Arrow streams, tables, state. Loopback, one bearer token, exact Host.

POST /api/v1/query {"sql": ..., "params": [...]}   Arrow IPC stream, its last batch empty and with the outcome
GET  /api/v1/tables                                tables, views, columns, row counts
GET  /api/v1/state                                 applied_seq, lag, state
GET  /healthz                                      200 while it follows or waits, 503 when stalled; no token
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec
from aiohttp import web

from workbench.config import WarehouseSettings
from workbench.errors import BadInput, BadValue, Busy, Refused, Unauthorised, WorkbenchError
from workbench.warehouse.follower import Follower
from workbench.warehouse.queries import END_KEY, End, Query
from workbench.warehouse.schema import TABLES, VIEWS

__all__ = ["make_app"]

_WORKERS: Final = 4
_BODY_BYTES: Final = 1 << 20
_SLOW_CLIENT_S: Final = 30.0
_ARROW: Final = "application/vnd.apache.arrow.stream"
_STATUS: Final[tuple[tuple[type[WorkbenchError], int], ...]] = (
    (Unauthorised, 401),
    (Busy, 503),
    (Refused, 403),
    (BadInput, 400),
)

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Ask(msgspec.Struct, forbid_unknown_fields=True):
    sql: str
    params: list[Any] | dict[str, Any] | None = None


class _Desk:
    """What the routes share."""

    def __init__(self, follower: Follower, token: str, settings: WarehouseSettings) -> None:
        self.follower, self.settings = follower, settings
        self._token = token.encode()
        self.pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="warehouse-query")
        # Who finds no place hears at once that it has to wait.
        self.places = asyncio.Semaphore(_WORKERS)
        self.hosts: frozenset[str] = frozenset()

    def check(self, request: web.Request) -> None:
        """Exact Host, no Origin (no page talks to the warehouse), the token."""
        if request.headers.get("Host", "") not in self.hosts:
            raise Unauthorised("this Host is not one the warehouse answers to: use the url in warehouse.json")
        if "Origin" in request.headers:
            raise Unauthorised("the warehouse does not talk to web pages: ask it from Python")
        if request.path == "/healthz":
            return
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            raise Unauthorised("the bearer token is missing or wrong: read it from warehouse.json")

    async def run[T](self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, call)


_DESK: Final = web.AppKey("desk", _Desk)


def make_app(
    follower: Follower, token: str, settings: WarehouseSettings
) -> tuple[web.Application, Callable[[int], None]]:
    """The application, and a function to tell it the port it got (the Host check needs it)."""
    desk = _Desk(follower, token, settings)
    app = web.Application(middlewares=[_front], client_max_size=_BODY_BYTES)
    app[_DESK] = desk
    app.router.add_post("/api/v1/query", _query)
    app.router.add_get("/api/v1/tables", _tables)
    app.router.add_get("/api/v1/state", _state)
    app.router.add_get("/healthz", _health)

    async def end(_: web.Application) -> None:
        desk.pool.shutdown(wait=False, cancel_futures=True)

    app.on_cleanup.append(end)

    def answers_on(port: int) -> None:
        desk.hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})

    return app, answers_on


@web.middleware
async def _front(request: web.Request, handler: Handler) -> web.StreamResponse:
    begun = time.perf_counter()
    try:
        request.app[_DESK].check(request)
        answer = await handler(request)
    except WorkbenchError as error:
        answer = _refusal(error)
    except web.HTTPException as error:
        answer = _json(
            {"code": "BadInput", "text": f"{request.method} {request.path}: {error.reason}"}, error.status
        )
    if not answer.prepared:
        answer.headers["X-Response-Time-Ms"] = f"{(time.perf_counter() - begun) * 1e3:.3f}"
    return answer


async def _health(request: web.Request) -> web.Response:
    state = request.app[_DESK].follower.state
    well = state.state in ("waiting", "applying", "following")
    return _json({"ok": well, "state": state.state}, 200 if well else 503)


async def _state(request: web.Request) -> web.Response:
    return _json(msgspec.to_builtins(request.app[_DESK].follower.state))


async def _tables(request: web.Request) -> web.Response:
    desk = request.app[_DESK]

    def look() -> list[dict[str, Any]]:
        cursor = desk.follower.cursor()
        try:
            sql = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
            columns = cursor.execute(sql).fetchall()
            out = []
            for name in (*TABLES, *VIEWS):
                count = f"SELECT count(*) FROM {name}"  # noqa: S608 - our own names
                rows = cursor.execute(count).fetchall()[0][0] if name in TABLES else None
                fields = [{"name": c, "type": t} for table, c, t in columns if table == name]
                kind = "table" if name in TABLES else "view"
                out.append({"name": name, "kind": kind, "rows": rows, "columns": fields})
            return out
        finally:
            cursor.close()

    return _json({"tables": await desk.run(look)})


async def _query(request: web.Request) -> web.StreamResponse:
    desk = request.app[_DESK]
    try:
        ask = msgspec.json.decode(await request.read(), type=_Ask)
    except msgspec.MsgspecError as error:
        raise BadValue("body", "JSON", f'send {{"sql": "SELECT ...", "params": [...]}} ({error})') from error
    if desk.places.locked():
        raise Busy(f"{_WORKERS} queries are running already: ask again when one has ended")
    async with desk.places:
        row_cap, seconds_cap = desk.settings.row_cap, desk.settings.seconds_cap
        query = Query(desk.follower.cursor(), ask.sql, ask.params, row_cap=row_cap, seconds_cap=seconds_cap)
        try:
            return await _stream(request, desk, query)
        finally:
            await asyncio.shield(desk.run(query.close))


async def _stream(request: web.Request, desk: _Desk, query: Query) -> web.StreamResponse:
    import pyarrow as pa

    applied = desk.follower.state.applied_seq
    answer = web.StreamResponse(headers={"Content-Type": _ARROW})
    parts = _Parts()
    try:
        schema = await desk.run(query.open)
        writer = pa.ipc.new_stream(parts, schema)
        failure: WorkbenchError | None = None
        while True:
            try:
                batch = await desk.run(query.chunk)
            except WorkbenchError as error:
                if not answer.prepared:
                    raise
                failure, batch = error, None
                _look_at(error, desk)
            if batch is not None:
                writer.write_batch(batch)
            else:
                end = End(query.rows, query.spent_s * 1e3, applied, *_said(failure))
                empty = pa.RecordBatch.from_pylist([], schema)
                writer.write_batch(empty, {END_KEY: msgspec.json.encode(end)})
                writer.close()
            if not answer.prepared:
                await answer.prepare(request)
            async with asyncio.timeout(_SLOW_CLIENT_S):
                await answer.write(parts.drain())
            if batch is None:
                break
    except WorkbenchError as error:
        _look_at(error, desk)
        raise
    except BaseException:
        query.cancel()  # the client went away, or reads too slowly
        raise
    await answer.write_eof()
    return answer


class _Parts:
    """Where Arrow writes its stream, to be drained into the answer piece by piece."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def drain(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _look_at(error: WorkbenchError, desk: _Desk) -> None:
    """A query's failure may show that the file is damaged."""
    if error.__cause__ is not None:
        desk.follower.report(error.__cause__)


def _said(error: WorkbenchError | None) -> tuple[str, str]:
    if error is None:
        return "", ""
    kind = next((kind for kind, _ in _STATUS if isinstance(error, kind)), BadInput)
    return kind.__name__, str(error)


def _refusal(error: WorkbenchError) -> web.Response:
    code, text = _said(error)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return _json({"code": code, "text": text}, status)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)
