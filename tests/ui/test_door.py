"""The dashboard's door, on the real server: the link once, then the cookie; nothing without; exact names only."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.ui.processes import RunningDesk, running
from workbench.ui.dashboard.door import load_keys


class Dashboard:
    """A dashboard that runs."""

    def __init__(self, folder: Path, log: Path) -> None:
        said = json.loads((folder / "dashboard.json").read_text())
        self.url, self.token, self.link = said["url"], said["token"], said["link"]
        self.version = said["version"]
        self.folder, self.log = folder, log
        self.host = self.url.removeprefix("http://").rstrip("/")


@pytest.fixture(scope="module")
def dashboard(desk: RunningDesk) -> Iterator[Dashboard]:
    import sys

    argv = [sys.executable, "-m", "workbench.ui.dashboard", "--name", desk.name, "--port", "0"]
    log = desk.home / "dashboard.log"
    ready = (desk.folder / "dashboard.json").exists
    with running(argv, log, ready, {"WORKBENCH_HOME": str(desk.home)}):
        yield Dashboard(desk.folder, log)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def cookie_from(http: aiohttp.ClientSession, dashboard: Dashboard) -> str:
    async with http.get(dashboard.link) as answer:
        assert answer.status == 200
        (name,) = [value for value in answer.headers.getall("Set-Cookie") if value.startswith("workbench-")]
        return name


@pytest.mark.parametrize("path", ["", "?theme=dark", "autoload.js?bokeh-autoload-element=1", "metadata"])
async def test_without_the_cookie_everything_leads_to_the_login(
    path: str, http: aiohttp.ClientSession, dashboard: Dashboard
) -> None:
    async with http.get(dashboard.url + path, allow_redirects=False) as answer:
        assert answer.status in (302, 403)
        assert "equity" not in (await answer.text()).lower()
        if answer.status == 302:
            assert answer.headers["Location"].lstrip(".").startswith("/login")


@pytest.mark.parametrize("token", ["", "wrong", "a" * 300, "é", "' or 1=1 --", "<script>alert(1)</script>"])
async def test_a_wrong_token_does_not_open(
    token: str, http: aiohttp.ClientSession, dashboard: Dashboard
) -> None:
    async with http.post(dashboard.url + "login", data={"token": token}) as answer:
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers
        text = await answer.text()
        assert "is not the dashboard" in text
        assert "<script>" not in text


def test_the_address_tells_the_version_that_serves(dashboard: Dashboard) -> None:
    assert dashboard.version == version("workbench")


async def test_the_link_gives_a_signed_strict_cookie_and_no_token_in_the_next_address(
    http: aiohttp.ClientSession, dashboard: Dashboard
) -> None:
    set_cookie = await cookie_from(http, dashboard)
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert dashboard.token not in set_cookie
    cookie = set_cookie.split(";")[0]
    async with http.get(dashboard.url, headers={"Cookie": cookie}) as page:
        assert page.status == 200
        assert dashboard.token not in await page.text()


async def test_a_forged_cookie_does_not_open(http: aiohttp.ClientSession, dashboard: Dashboard) -> None:
    name, value = (await cookie_from(http, dashboard)).split(";")[0].split("=", 1)
    good = value.strip('"')
    signed_otherwise = good[:-1] + ("0" if good[-1] != "0" else "1")
    for given, status in (
        (good, 200),
        ("visitor", 302),
        (signed_otherwise, 302),
        (good.replace("2|", "1|"), 302),
        ("", 302),
    ):
        headers = {"Cookie": f'{name}="{given}"'}
        async with http.get(dashboard.url, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status, given


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", ""])
async def test_another_host_name_is_refused(
    host: str, http: aiohttp.ClientSession, dashboard: Dashboard
) -> None:
    cookie = (await cookie_from(http, dashboard)).split(";")[0]
    for path in ("", "login"):
        async with http.get(dashboard.url + path, headers={"Host": host, "Cookie": cookie}) as answer:
            assert answer.status in (400, 403)


async def open_stream(http: aiohttp.ClientSession, dashboard: Dashboard, **headers: str) -> Any:
    url = dashboard.url.replace("http", "ws", 1) + "ws"
    return await http.ws_connect(url, headers=headers, protocols=["bokeh", "x.y.z"])


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "http://127.0.0.1.evil.example",
        "null",
    ],
)
async def test_a_foreign_page_cannot_open_the_pages_stream(
    origin: str, http: aiohttp.ClientSession, dashboard: Dashboard
) -> None:
    cookie = (await cookie_from(http, dashboard)).split(";")[0]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await open_stream(http, dashboard, Origin=origin, Cookie=cookie)
    assert refused.value.status == 403


def test_its_secrets_are_in_private_files_and_nowhere_else(dashboard: Dashboard, desk: RunningDesk) -> None:
    for name in ("dashboard.json", "dashboard.keys"):
        assert (dashboard.folder / name).stat().st_mode & 0o777 == 0o600
    assert dashboard.token not in dashboard.log.read_text()
    assert dashboard.token != desk.address.token


def test_keys_outlive_a_restart_unless_others_could_read_them(tmp_path: Path) -> None:
    first = load_keys(tmp_path)
    assert load_keys(tmp_path) == first
    assert first.token not in repr(first)
    (tmp_path / "dashboard.keys").chmod(0o644)
    assert load_keys(tmp_path).token != first.token


def test_a_taken_port_is_one_line(dashboard: Dashboard, desk: RunningDesk) -> None:
    import subprocess
    import sys

    port = dashboard.host.split(":")[1]
    argv = [sys.executable, "-m", "workbench.ui.dashboard", "--name", "other", "--port", port]
    env = {**os.environ, "WORKBENCH_HOME": str(desk.home)}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100, env=env)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert port in done.stderr
