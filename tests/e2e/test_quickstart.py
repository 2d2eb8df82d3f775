"""`workbench demo` as a person meets it: the real engine, the quickstart run in JupyterLab, the dashboard beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import moves, press_stop
from tests.e2e.test_lab import begun, kernel_ready, open_lab
from tests.ui.processes import until
from workbench.api import attach

pytestmark = [pytest.mark.e2e, pytest.mark.chromium, pytest.mark.timeout(420)]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(
    tmp_path: Path, jupyter_folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """The running demo's links; ended by SIGTERM, as Ctrl-C ends it, and it must end well."""
    home, notebooks = tmp_path / "home", tmp_path / "notebooks"
    shutil.copytree(ROOT / "notebooks", notebooks)
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    argv = [sys.executable, "-m", "workbench.cli", "demo", "--json", "--no-browser"]
    with (tmp_path / "demo.log").open("w") as log:
        process = subprocess.Popen(
            [*argv, "--notebooks", str(notebooks), "--speed", "600"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **jupyter_folders},
            cwd=tmp_path,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (tmp_path / "demo.log").read_text()
        yield json.loads(line)
        process.terminate()
        process.stdout.close()
        assert process.wait(60) == 0
    assert not list(home.glob("demo/*.json.tmp"))
    assert not (home / "demo" / "engine.json").exists()


def test_the_quickstart_in_a_browser(demo: dict[str, Any], page: Page) -> None:
    open_lab(page, demo["lab"])
    kernel_ready(page)

    def run_all() -> None:
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    begun(page.locator(".jp-Notebook .jp-CodeCell").first, run_all)
    figure = page.locator("#workbench-live-panel [data-wb=equity]")
    with attach("demo") as desk:
        until(lambda: len(desk.snapshot().fills) >= 6, "six fills, which the notebook waits for", 180)
        desk.market.speed(120)  # so that the market is not over before everything below was looked at
        moves(figure)

        board = page.context.new_page()
        board.goto(demo["dashboard"])
        equity = board.locator("[data-wb=equity]").first
        equity.wait_for()
        moves(equity)

        # the last cell has run when its report stands there; nothing on the way raised
        last = page.locator(".jp-Notebook .jp-CodeCell").last
        last.scroll_into_view_if_needed()
        expect(last.locator(".jp-OutputArea-output").first).to_contain_text(
            "blocked_after_us", timeout=300_000
        )
        assert (
            page.locator("[data-mime-type='application/vnd.jupyter.error'], .jp-RenderedError").count() == 0
        )

        board.bring_to_front()
        board.locator("[data-panel=strategies] tbody tr").first.locator("button").click()
        until(
            lambda: desk.snapshot().strategies[0].state == "paused",
            "the strategy to be paused from the dashboard",
        )
        press_stop(board.locator("[data-wb=stop]").first)
        until(lambda: desk.snapshot().session.state == "killed", "the desk to be stopped")
        expect(board.locator("[data-wb=outcome]").first).to_contain_text("acknowledged by the engine")
        checked = desk.check()
        assert checked["replay_hash_equal"]
        assert checked["positions_equal_broker"]
        assert checked["cash_conserved"]
