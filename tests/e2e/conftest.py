"""The whole product as a user meets it: a desk, a dashboard, JupyterLab, and a browser that reports every fault.

`desk` gives name, home and address; set `WORKBENCH_E2E_DESK=NAME` (and WORKBENCH_HOME) to run these tests against
a desk that is up already, for instance the real engine of the quickstart.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.ui.processes import RunningDesk, fake_desk, running, until
from workbench.config import home_folder
from workbench.ui.desk_calls import DeskCalls
from workbench.ui.lab import lab_launch

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
LOOPBACK = {"127.0.0.1", "localhost", ""}
PATIENCE_MS = 60_000  # a stream that broke is tried again after up to half of that
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    """A desk with moving numbers."""
    named = os.environ.get("WORKBENCH_E2E_DESK")
    if named:
        yield RunningDesk(named, home_folder())
        return
    with fake_desk(tmp_path / "home") as started:
        yield started


@pytest.fixture
def calls(desk: RunningDesk) -> DeskCalls:
    """The desk, asked without a browser."""
    return DeskCalls(desk.name, desk.home)


@pytest.fixture
def dashboard(desk: RunningDesk, tmp_path: Path) -> Iterator[str]:
    """The link to a running dashboard, token included."""
    address = desk.folder / "dashboard.json"
    address.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "workbench.ui.dashboard", "--name", desk.name, "--port", "0"]
    with running(argv, tmp_path / "dashboard.log", address.exists, {"WORKBENCH_HOME": str(desk.home)}):
        yield str(json.loads(address.read_text())["link"])


CELLS = {
    "live": "from workbench.ui.widget import LiveView\nLiveView({name!r})",
    # until a file says so, or at last by itself, so that no kernel is left behind
    "sleep": "import pathlib, time\nfor _ in range(5_000):\n    if pathlib.Path('go-on').exists(): break\n"
    "    time.sleep(0.05)",
    "die": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.fixture
def jupyter_folders(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment of a Jupyter of its own. Its runtime folder has a short path, so that kernels talk over files in it:
    TCP ports that are looked for now and bound later may be somebody else's by then."""
    with tempfile.TemporaryDirectory(prefix="wb-") as runtime:
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
        yield {"JUPYTER_RUNTIME_DIR": runtime} | {name: str(tmp_path / name.lower()) for name in names}


@pytest.fixture
def lab(
    desk: RunningDesk, tmp_path: Path, jupyter_folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The link to a running JupyterLab whose only notebook shows the desk, blocks, and kills its kernel."""
    root = tmp_path / "notebooks"
    root.mkdir()
    blank: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [blank | {"id": key, "source": text.format(name=desk.name)} for key, text in CELLS.items()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (root / "desk.ipynb").write_text(json.dumps(notebook))
    monkeypatch.setenv("WORKBENCH_HOME", str(desk.home))
    for name, folder in jupyter_folders.items():
        monkeypatch.setenv(name, folder)
    launch = lab_launch(desk.name, root, notebook="desk.ipynb")
    launch.ready_file.unlink(missing_ok=True)
    with running(launch.argv, tmp_path / "lab.log", launch.ready_file.exists, launch.env, root):
        yield launch.url
        (root / "go-on").touch()  # a kernel that still blocks could not be ended


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for a file's tests. Its loop runs until it is stopped: no asynchronous test could run meanwhile."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own; at the end it must have had no error and have stayed on loopback."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    hosts: set[str] = set()
    opened.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    opened.on(
        "console", lambda said: faults.append(f"console: {said.text}") if said.type == "error" else None
    )
    opened.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    opened.on("websocket", lambda socket: hosts.add(urlsplit(socket.url).hostname or ""))
    yield opened
    context.close()
    assert hosts <= LOOPBACK
    assert faults == []


def moves(figure: Locator) -> None:
    """Wait until the text of `figure` has changed twice."""
    seen = {figure.inner_text()}

    def changed() -> bool:
        seen.add(figure.inner_text())
        return len(seen) >= 3

    until(changed, f"'{figure}' to move; seen {seen}")


def press_stop(stop: Locator) -> None:
    """Press STOP twice, as a person does: the second press is for the confirmation that appeared. Where the machine
    took longer in between than the first press stays good, it begins anew."""
    for _ in range(5):
        stop.click()
        until(lambda: stop.get_attribute("data-phase") == "armed", "STOP to ask for confirmation")
        until(lambda: "again" in stop.inner_text(), "STOP to say so")
        stop.page.wait_for_timeout(350)  # what is pressed sooner counts as the same double click
        stop.click()
        until(lambda: stop.get_attribute("data-phase") != "armed", "STOP to be sent")
        if stop.get_attribute("data-phase") != "idle":
            return
    raise AssertionError("STOP was disarmed before it could be pressed again")


@pytest.fixture
def shot(page: Page) -> Callable[[str], None]:
    """Keep a screenshot when WORKBENCH_SHOTS names a folder."""
    folder = os.environ.get("WORKBENCH_SHOTS")

    def take(name: str) -> None:
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name}.png"))

    return take
