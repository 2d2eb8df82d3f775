"""JupyterLab in a browser: live before any cell ran, while a cell blocks, after the kernel was killed, and after a
reload; STOP over the dialog that says the kernel died."""

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import moves, press_stop
from tests.ui.processes import until
from workbench.api.address import read_address
from workbench.ui.desk_calls import DeskCalls

pytestmark = [pytest.mark.e2e, pytest.mark.chromium, pytest.mark.timeout(300)]

PANEL = "#workbench-live-panel [data-wb=equity]"
CELL = ".jp-OutputArea [data-wb=equity]"
BLANK = re.compile(r"^\s*\[\s*\]:?\s*$")  # the prompt of a cell that has not run


def open_lab(page: Page, link: str) -> None:
    """The notebook in a workspace of its own: JupyterLab would restore an earlier one."""
    page.goto(link.replace("/lab/tree/", f"/lab/workspaces/w{time.time_ns()}/tree/").replace("?", "?reset&"))
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()


def kernel_ready(page: Page) -> None:
    page.locator(".jp-Spinner").first.wait_for(state="detached")
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    page.wait_for_timeout(500)  # the word comes before the connection; a key pressed sooner is lost


def begun(cell: Locator, press: Callable[[], None]) -> None:
    """Press what runs a cell, until it is seen to run: what is pressed before the kernel's connection is lost."""

    def tried() -> bool:
        press()
        with contextlib.suppress(AssertionError):
            expect(cell.locator(".jp-InputPrompt")).not_to_have_text(BLANK, timeout=10_000)
            return True
        return False

    until(tried, "a cell to run")


def run_cell(page: Page, place: int) -> None:
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(place)

    def press() -> None:
        cell.locator(".jp-InputArea-editor").click()
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Enter")

    begun(cell, press)


def test_the_view_and_stop_do_not_need_the_kernel(
    lab: str, page: Page, calls: DeskCalls, shot: Callable[[str], None], tmp_path: Path
) -> None:
    open_lab(page, lab)
    page.locator(PANEL).wait_for()  # no cell ran
    moves(page.locator(PANEL))
    kernel_ready(page)

    run_cell(page, 0)
    page.locator(CELL).wait_for()
    moves(page.locator(CELL))
    links = "() => [...globalThis[Symbol.for('workbench.live/1')].links.values()].length"
    assert page.evaluate(links) == 1  # the cell and the panel share one connection
    shot("lab-live")

    run_cell(page, 1)  # blocks until the file is there
    page.locator("#jp-main-statusbar", has_text="| Busy").wait_for()
    moves(page.locator(CELL))
    moves(page.locator(PANEL))
    strategy = page.locator("#workbench-live-panel [data-panel=strategies] tbody tr").first.locator("button")
    strategy.click()
    until(
        lambda: calls.snapshot().strategies[0].state == "paused",
        "the strategy to be paused under a busy kernel",
    )
    page.locator(
        "#jp-main-statusbar", has_text="| Busy"
    ).wait_for()  # the cell still blocks: none of it waited
    (tmp_path / "notebooks" / "go-on").touch()
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()

    run_cell(page, 2)  # kills its kernel
    page.get_by_text("appears to have died").wait_for()
    moves(page.locator(CELL))
    moves(page.locator(PANEL))
    pill = page.locator(".workbench-pill [data-wb=stop]")
    pill.wait_for()  # the dialog covers the page, not this
    shot("lab-died")
    press_stop(pill)
    expect(page.locator(".workbench-pill [data-wb=outcome]")).to_contain_text("acknowledged by the engine")
    assert calls.snapshot().session.state == "killed"
    shot("lab-stopped")
    page.get_by_role("button", name="Ok", exact=True).click()
    expect(pill).to_be_hidden()  # the views' own STOP is back in reach


def test_a_reload_under_a_busy_kernel_brings_the_panel_back(lab: str, page: Page, tmp_path: Path) -> None:
    open_lab(page, lab)
    kernel_ready(page)
    run_cell(page, 1)
    page.locator("#jp-main-statusbar", has_text="| Busy").wait_for()
    page.reload()
    page.locator(PANEL).wait_for()
    moves(page.locator(PANEL))
    (tmp_path / "notebooks" / "go-on").touch()
    page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()


def test_the_saved_notebook_holds_no_secret_and_a_picture(
    lab: str, page: Page, calls: DeskCalls, tmp_path: Path
) -> None:
    open_lab(page, lab)
    kernel_ready(page)
    run_cell(page, 0)
    page.locator(CELL).wait_for()
    page.keyboard.press("Control+s")
    path = tmp_path / "notebooks" / "desk.ipynb"
    until(lambda: "Static picture" in path.read_text(), "the notebook to be saved with its picture")
    text = path.read_text()
    assert read_address(calls.home / calls.name).token not in text
    assert lab.split("token=")[1] not in text
    assert '"ticket"' not in text
