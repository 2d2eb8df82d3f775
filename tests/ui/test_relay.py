"""The relay in a real Jupyter server: who may use it, what passes, and what never leaves the server."""

import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from tornado.netutil import bind_sockets

from tests.ui.processes import RunningDesk, running, until
from workbench.ui import LIVE_SCRIPT, desk_key
from workbench.ui.desk_calls import DeskCalls
from workbench.ui.lab import lab_launch, lab_settings

ROUTES = ["/workbench/desks", "/workbench/live.js"]


class Jupyter:
    """A Jupyter server with our extension (without JupyterLab: it starts sooner)."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.base = f"http://127.0.0.1:{port}"

    def login(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}


@pytest.fixture(scope="module")
def jupyter(desk: RunningDesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    private = {name: str(folder / name.lower()) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_HOME", str(desk.home))
        patch.setenv("JUPYTER_RUNTIME_DIR", private["JUPYTER_RUNTIME_DIR"])
        launch = lab_launch("relay", folder)
    config = desk.home / "relay" / "lab-config.json"
    settings = json.loads(config.read_text())
    argv = [sys.executable, "-m", "jupyter_server", f"--config={config}"]
    launch.ready_file.unlink(missing_ok=True)
    with running(argv, folder / "jupyter.log", launch.ready_file.exists, {**launch.env, **private}):
        yield Jupyter(settings["ServerApp"]["port"], settings["IdentityProvider"]["token"])


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def connect(http: aiohttp.ClientSession, jupyter: Jupyter, desk: str, **headers: str) -> Any:
    url = f"{jupyter.base}/workbench/relay/{desk}"
    return await http.ws_connect(url, headers={**jupyter.login(), **headers}, max_msg_size=0)


async def welcomed(http: aiohttp.ClientSession, jupyter: Jupyter, desk: str) -> tuple[Any, dict[str, Any]]:
    socket = await connect(http, jupyter, desk)
    await socket.send_json({"op": "hello"})
    return socket, await socket.receive_json(timeout=30)


async def answer_to(socket: Any, op_id: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = await socket.receive_json(timeout=30)
        if told.get("id") == op_id:
            return told


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("authorization", [None, "token wrong", "Bearer wrong", "token "])
async def test_nothing_is_served_without_the_login(
    path: str, authorization: str | None, http: aiohttp.ClientSession, jupyter: Jupyter
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with http.get(jupyter.base + path, headers=headers, allow_redirects=False) as answer:
        assert answer.status in (302, 403)
        assert "workbench" not in (await answer.text()).lower().replace("/workbench/", "")


async def test_the_stream_is_not_opened_without_the_login(
    http: aiohttp.ClientSession, jupyter: Jupyter
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{jupyter.base}/workbench/relay/default")
    assert refused.value.status == 403


async def cookie_of(http: aiohttp.ClientSession, jupyter: Jupyter) -> str:
    """What a browser holds after it opened the link with the token."""
    async with http.get(f"{jupyter.base}/api/status?token={jupyter.token}") as answer:
        assert answer.status == 200
        return "; ".join(value.split(";")[0] for value in answer.headers.getall("Set-Cookie"))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example"]
)
async def test_a_foreign_page_cannot_use_a_visitors_cookie(
    origin: str, http: aiohttp.ClientSession, jupyter: Jupyter
) -> None:
    headers = {"Cookie": await cookie_of(http, jupyter)}
    url = f"{jupyter.base}/workbench/relay/default"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url, headers={**headers, "Origin": origin})
    assert refused.value.status == 403
    socket = await http.ws_connect(url, headers={**headers, "Origin": jupyter.base})
    await socket.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
async def test_a_rebound_name_finds_nothing(host: str, http: aiohttp.ClientSession, jupyter: Jupyter) -> None:
    async with http.get(jupyter.base + ROUTES[0], headers={**jupyter.login(), "Host": host}) as answer:
        assert answer.status == 403


async def test_desks_are_listed_without_secrets(
    http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk
) -> None:
    async with http.get(jupyter.base + "/workbench/desks", headers=jupyter.login()) as answer:
        text = await answer.text()
    rows = {row["name"]: row for row in json.loads(text)["desks"]}
    assert rows[desk.name] == {"name": desk.name, "key": desk_key(desk.home, desk.name), "running": True}
    assert desk.address.token not in text
    assert str(desk.home) not in text


async def test_the_script_is_the_installed_one(http: aiohttp.ClientSession, jupyter: Jupyter) -> None:
    async with http.get(jupyter.base + "/workbench/live.js", headers=jupyter.login()) as answer:
        assert answer.content_type == "text/javascript"
        assert await answer.read() == LIVE_SCRIPT.read_bytes()


async def test_the_welcome_has_no_resume_token_and_no_frame_has_the_engines(
    http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk
) -> None:
    socket, welcome = await welcomed(http, jupyter, desk.name)
    assert (welcome["op"], welcome["resume"], welcome["scope"]) == ("welcome", "", "view+stop")
    topics = ["session", "account", "orders", "equity"]
    await socket.send_json({"op": "subscribe", "topics": topics})
    seen: dict[str, int] = {}
    while len(seen) < len(topics) or min(seen.values()) < 2:
        text = await socket.receive_str(timeout=30)
        assert desk.address.token not in text
        told = json.loads(text)
        if told["op"] == "data":
            seen[told["topic"]] = seen.get(told["topic"], 0) + 1
    await socket.close()


@pytest.mark.parametrize("op", ["resume", "place", "arm", "stop", "", "token"])
async def test_only_looking_pausing_and_stopping_pass(
    op: str, http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk
) -> None:
    socket, _ = await welcomed(http, jupyter, desk.name)
    await socket.send_json({"op": op, "id": "x", "strategy_id": 1, "symbol": "SPY"})
    refused = await answer_to(socket, "x")
    assert refused["op"] == "error"
    assert "does not pass the relay" in refused["text"]
    await socket.close()


@pytest.mark.parametrize(
    "said", ["[]", "not json", '"hello"', '{"op": "kill", "reason": "' + "x" * 70_000 + '"}']
)
async def test_nonsense_is_refused_in_words(
    said: str, http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk
) -> None:
    socket, _ = await welcomed(http, jupyter, desk.name)
    await socket.send_str(said)
    while (told := await socket.receive_json(timeout=30))["op"] != "error":
        assert told["op"] in ("beat", "data")
    assert told["code"] == "BadInput"
    await socket.close()


async def test_before_hello_nothing_reaches_the_engine(
    http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk, calls: DeskCalls
) -> None:
    socket = await connect(http, jupyter, desk.name)
    await socket.send_json({"op": "kill", "id": "k", "reason": "too early"})
    assert (await answer_to(socket, "k"))["code"] == "Unreachable"
    assert calls.snapshot().session.state == "running"
    await socket.close()


async def test_pause_and_stop_pass_and_are_acknowledged(
    http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk, calls: DeskCalls
) -> None:
    socket, _ = await welcomed(http, jupyter, desk.name)
    number = calls.snapshot().strategies[0].strategy_id
    await socket.send_json({"op": "pause", "id": "p", "strategy_id": number})
    assert (await answer_to(socket, "p"))["op"] == "ack"
    assert calls.snapshot().strategies[0].state == "paused"
    await socket.send_json({"op": "kill", "id": "k", "reason": "from the relay"})
    report = await answer_to(socket, "k")
    assert report["ok"] is True
    assert set(report["result"]) == {"blocked_after_us", "cancels", "unconfirmed"}
    assert "from the relay" in calls.snapshot().session.kill_reason
    await socket.close()
    headers = {"Authorization": f"Bearer {desk.address.token}"}
    async with http.post(f"{desk.address.url}/api/v1/arm", json={}, headers=headers) as armed:
        assert armed.status == 200
    calls.resume_strategy(number)


@pytest.mark.parametrize("name", ["nobody", "relay"])
async def test_a_desk_that_does_not_run_is_an_answer(
    name: str, http: aiohttp.ClientSession, jupyter: Jupyter
) -> None:
    socket, told = await welcomed(http, jupyter, name)
    assert (told["op"], told["code"]) == ("error", "NotRunning")
    assert name in told["text"]
    assert (await socket.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a/b", "UPPER", "x" * 40, "a%00b"])
async def test_a_name_that_is_none_has_no_route(
    name: str, http: aiohttp.ClientSession, jupyter: Jupyter
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await connect(http, jupyter, name)
    assert refused.value.status in (403, 404)


async def test_when_the_page_leaves_the_engine_connection_ends(
    http: aiohttp.ClientSession, jupyter: Jupyter, desk: RunningDesk, calls: DeskCalls
) -> None:
    until(lambda: calls.snapshot().health.clients == 0, "earlier pages to be gone")
    socket, _ = await welcomed(http, jupyter, desk.name)
    until(lambda: calls.snapshot().health.clients == 1, "the relay to be a client")
    await socket.close()
    until(lambda: calls.snapshot().health.clients == 0, "the relay to leave")


def test_the_servers_token_is_in_a_private_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    launch = lab_launch("mine", tmp_path)
    config = tmp_path / "mine" / "lab-config.json"
    token = json.loads(config.read_text())["IdentityProvider"]["token"]
    assert len(token) >= 32
    assert config.stat().st_mode & 0o777 == 0o600
    assert launch.url.endswith(f"token={token}")
    assert token not in repr(launch) + " ".join(launch.argv) + json.dumps(launch.env)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a bound port is in Jupyter's way")
def test_its_port_is_kept_until_jupyter_binds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    lab_launch("kept", tmp_path)
    port = json.loads((tmp_path / "kept" / "lab-config.json").read_text())["ServerApp"]["port"]
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    for listening in bind_sockets(port, "127.0.0.1"):  # as Jupyter does it
        listening.close()


def test_lab_settings_stay_on_loopback(tmp_path: Path) -> None:
    settings = lab_settings(8888, "t", tmp_path)
    assert settings["ServerApp"]["ip"] == "127.0.0.1"
    assert settings["ServerApp"]["port_retries"] == 0
    assert settings["LabApp"]["extension_manager"] == "readonly"
    assert msgspec.json.decode(msgspec.json.encode(settings)) == settings
