"""The door: every route against every bad token, and Host and Origin lists over HTTP and WebSocket."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.conftest import PATIENT, Serve, Served
from workbench.api.routes import ROUTES, STREAM_PATH
from workbench.api.security import Gate, RateLimit, check_origin_text
from workbench.api.server import ServerLimits
from workbench.api.tokens import SCOPES, allows
from workbench.errors import BadInput, BadValue, Busy, Unauthorised

GUARDED = [route for route in ROUTES if route.scope]
BODIES: dict[str, dict[str, Any]] = {"POST": {"json": {}}, "PATCH": {"json": {"parameters": {}}}}


def _path(path: str) -> str:
    return path.replace("{id}", "1")


async def test_no_route_but_healthz_answers_without_a_good_token(served: Served) -> None:
    good = served.token
    bad: list[tuple[str, dict[str, str], str]] = [
        ("none", {}, ""),
        ("empty", {"Authorization": ""}, ""),
        ("empty bearer", {"Authorization": "Bearer "}, ""),
        ("wrong", {"Authorization": "Bearer " + "x" * 43}, ""),
        ("truncated", {"Authorization": f"Bearer {good[:-1]}"}, ""),
        ("longer", {"Authorization": f"Bearer {good}x"}, ""),
        ("basic", {"Authorization": f"Basic {good}"}, ""),
        ("lower-case word", {"Authorization": f"bearer {good}"}, ""),
        ("in the query", {}, f"?token={good}&access_token={good}"),
        ("in a cookie", {"Cookie": f"token={good}"}, ""),
    ]
    tried = 0
    for route in GUARDED:
        for name, headers, query in bad:
            where = served.url + _path(route.path) + query
            async with served.http.request(
                route.method, where, headers=headers, **BODIES.get(route.method, {})
            ) as answer:
                assert answer.status == 401, (route.method, route.path, name)
                assert good not in await answer.text()
            tried += 1
    assert tried == len(GUARDED) * len(bad) >= 300
    status, body, _ = await served.ask("GET", "/healthz", token=None)
    assert (status, body) == (200, {"ok": True})


async def test_a_narrow_scope_gets_403_where_more_is_needed(served: Served) -> None:
    for scope in SCOPES:
        token = served.scoped(scope)
        for route in GUARDED:
            if route.path in ("/api/v1/stop", "/api/v1/tokens/{id}"):
                continue
            status, _, _ = await served.ask(
                route.method, _path(route.path), token, **BODIES.get(route.method, {})
            )
            assert (status == 403) == (not allows(scope, route.scope)), (
                scope,
                route.method,
                route.path,
                status,
            )


async def test_a_stranger_cannot_tell_which_paths_exist(served: Served) -> None:
    for method, path in (
        ("GET", "/api/v1/nothing"),
        ("PUT", "/api/v1/orders"),
        ("OPTIONS", "/api/v1/orders"),
    ):
        status, _, _ = await served.ask(method, path, token=None)
        assert status == 401
    assert (await served.ask("GET", "/api/v1/nothing"))[0] == 404
    assert (await served.ask("PUT", "/api/v1/orders"))[0] == 405


BAD_HOSTS = [
    "evil.com",
    "localhost",
    "localhost.:{port}",
    "localhost.evil.com:{port}",
    "evil.localhost:{port}",
    "127.0.0.1",
    "127.0.0.1.:{port}",
    "127.0.0.1.evil.com:{port}",
    "127.1:{port}",
    "127.0.0.2:{port}",
    "2130706433:{port}",
    "0.0.0.0:{port}",
    "0x7f.0.0.1:{port}",
    "[::1]",
    "[::]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "::1:{port}",
    "LOCALHOST:{port}",
    "LocalHost:{port}",
    "localhost:{port}.evil.com",
    "localhost:{port}:{port}",
    "localhost:0{port}",
    "localhost:1",
    "user@localhost:{port}",
    "localhost:{port}@evil.com",
    "localhost:{port}, evil.com",
    "localhost%00:{port}",
    "null",
]
GOOD_HOSTS = ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"]
BAD_ORIGINS = [
    "null",
    "http://evil.com",
    "http://evil.com:{port}",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}.evil.com",
    "http://127.0.0.1.evil.com:{port}",
    "http://127.0.0.1.:{port}",
    "http://127.attacker.example:{port}",
    "http://localhost.:{port}",
    "http://localhost.evil.com:{port}",
    "http://evil.localhost:{port}",
    "http://LOCALHOST:{port}",
    "HTTP://localhost:{port}",
    "http://user@localhost:{port}",
    "http://localhost:{port}@evil.com",
    "http://localhost:{port}#evil.com",
    "http://localhost:{port}?evil.com",
    "http://localhost:{port} http://evil.com",
    "http://[::1]",
    "http://[::]:{port}",
    "//localhost:{port}",
    "localhost:{port}",
    "file://",
    "ws://localhost:{port}",
    "chrome-extension://abc",
    "*",
    "",
]
GOOD_ORIGINS = [
    "http://127.0.0.1:{port}",
    "http://localhost:{port}",
    "http://[::1]:{port}",
    "http://127.0.0.1:8888",
]


def _cases() -> list[tuple[dict[str, str], bool]]:
    return [
        *(({"Host": host}, False) for host in BAD_HOSTS),
        *(({"Host": host}, True) for host in GOOD_HOSTS),
        *(({"Origin": origin}, False) for origin in BAD_ORIGINS),
        *(({"Origin": origin}, True) for origin in GOOD_ORIGINS),
    ]


async def test_host_and_origin_must_be_on_the_lists_over_http_and_websocket(serve: Serve) -> None:
    served = await serve(extra_origins=("http://127.0.0.1:8888",))
    port = served.url.rsplit(":", 1)[1]
    refused: list[int] = []
    for given, welcome in _cases():
        headers = {key: value.format(port=port) for key, value in given.items()}
        status, _, _ = await served.ask("GET", "/api/v1/session", headers=headers)
        assert status == (200 if welcome else 403), headers
        status, _, _ = await served.ask("GET", "/healthz", token=None, headers=headers)
        assert status == (200 if welcome else 403), headers
        try:
            async with served.http.ws_connect(served.url + STREAM_PATH, headers=headers) as socket:
                await socket.send_json({"op": "hello", "token": served.token})
                opened = (await socket.receive_json(timeout=30))["op"] == "welcome"
        except aiohttp.WSServerHandshakeError as error:
            refused.append(error.status)
            opened = False
        assert opened == welcome, headers
    assert set(refused) == {403}
    assert len(_cases()) >= 60


async def test_two_hosts_or_two_origins_are_refused(served: Served) -> None:
    port = int(served.url.rsplit(":", 1)[1])
    own = f"127.0.0.1:{port}"
    for extra in (
        f"Host: {own}\r\nHost: evil.com",
        f"Host: {own}\r\nOrigin: http://{own}\r\nOrigin: http://evil.com",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /healthz HTTP/1.1\r\n{extra}\r\nConnection: close\r\n\r\n".encode())
        status = (await asyncio.wait_for(reader.readline(), 30)).split()[1]
        writer.close()
        assert status in (b"400", b"403")


async def test_an_origin_can_be_allowed_while_running(served: Served) -> None:
    page = {"Origin": "http://127.0.0.1:9999"}
    assert (await served.ask("GET", "/api/v1/session", headers=page))[0] == 403
    assert (await served.ask("POST", "/api/v1/origins", json={"origin": page["Origin"]}))[0] == 200
    assert (await served.ask("GET", "/api/v1/session", headers=page))[0] == 200
    path = served.desk.folder / "origins.json"
    assert json.loads(path.read_text()) == [page["Origin"]]
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    assert (await served.ask("GET", "/api/v1/session", headers=page))[0] == 403


def test_an_origins_file_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "origins.json"
    path.write_text('["http://evil.com"]')
    path.chmod(0o666)
    with pytest.raises(BadInput, match=r"written by others"):
        Gate(1, tmp_path).check_origin(["http://evil.com"])
    path.chmod(0o600)
    Gate(1, tmp_path).check_origin(["http://evil.com"])
    path.write_text('["*"]')
    with pytest.raises(BadValue):
        Gate(1, tmp_path).check_origin(["http://evil.com"])


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "http://", "http://a/", "http://a b", "http://u@a", "http://A", "ftp://a", "http://a:1/x"],
)
def test_only_exact_origins_can_be_listed(origin: str) -> None:
    with pytest.raises(BadValue):
        check_origin_text(origin)


async def test_failed_logins_are_slowed_down_and_good_ones_are_not(serve: Serve) -> None:
    served = await serve(ServerLimits(failed_logins=3, failed_login_delay_s=30.0))
    for _ in range(3):
        assert (await served.ask("GET", "/api/v1/session", "wrong"))[0] == 401
    late = asyncio.create_task(served.ask("GET", "/api/v1/session", "wrong"))
    assert (await served.ask("GET", "/api/v1/session"))[0] == 200
    assert not late.done()
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late


async def test_too_many_requests_with_one_token_are_refused(serve: Serve) -> None:
    served = await serve(ServerLimits(requests_per_s=0.001, burst=3))
    told = [(await served.ask("GET", "/api/v1/session"))[0] for _ in range(4)]
    assert told == [200, 200, 200, 429]
    assert (await served.ask("GET", "/api/v1/session", served.scoped("view")))[0] == 200


def test_the_bucket_fills_again() -> None:
    now_s = [0.0]
    limit = RateLimit(10.0, 2.0, clock=lambda: now_s[0])
    limit.take("a")
    limit.take("a")
    with pytest.raises(Busy):
        limit.take("a")
    now_s[0] = 0.11
    limit.take("a")


async def test_a_token_revoked_is_out_at_once_and_its_streams_are_closed(served: Served) -> None:
    _, told, _ = await served.ask("POST", "/api/v1/tokens", json={"scope": "view+stop", "label": "dashboard"})
    socket, welcome = await served.hello(token=told["token"])
    assert welcome["scope"] == "view+stop"
    assert (await served.ask("DELETE", f"/api/v1/tokens/{told['id']}"))[0] == 200
    closed = await socket.receive(timeout=30)
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4401)
    assert (await served.ask("GET", "/api/v1/session", told["token"]))[0] == 401
    again, refusal = await served.hello(resume=welcome["resume"])
    assert refusal["code"] == Unauthorised.__name__
    await again.close()


async def test_a_silent_connection_is_dropped(serve: Serve) -> None:
    served = await serve(ServerLimits(first_request_s=0.05))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(served.url.rsplit(":", 1)[1]))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    served.server.limits = PATIENT  # this one may take its time
    assert (await served.ask("GET", "/healthz", token=None))[0] == 200
