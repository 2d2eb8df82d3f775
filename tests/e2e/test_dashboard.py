"""The dashboard in a browser: every tab, pause and resume, STOP, and what it shows when the engine is silent."""

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import moves, press_stop
from tests.ui.processes import RunningDesk, until
from workbench.ui.desk_calls import DeskCalls

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

type Shot = Callable[[str], None]


def open_dashboard(page: Page, link: str) -> None:
    page.goto(link)
    page.locator("[data-wb=equity]").wait_for()
    assert "token" not in page.url


def tab(page: Page, title: str) -> None:
    page.locator(".bk-tab", has_text=title).first.click()


def test_numbers_move_in_every_tab(dashboard: str, page: Page, shot: Shot) -> None:
    open_dashboard(page, dashboard)
    moves(page.locator("[data-wb=equity]"))
    expect(page.locator(".stage[data-stage=wire] .num").first).to_contain_text("s")
    shot("dashboard-live")
    tab(page, "Equity")
    count = (
        "() => [...Bokeh.documents[0]._all_models.values()]"
        ".filter(m => m.type === 'ColumnDataSource' && m.data.equity).map(m => m.data.equity.length)[0]"
    )
    first = page.evaluate(count)
    until(lambda: page.evaluate(count) > first, "the equity chart to grow")
    shot("dashboard-equity")
    for title in ("Positions", "Orders", "Fills", "Strategies"):
        tab(page, title)
        page.locator(".tabulator-row:visible").first.wait_for()
        shot(f"dashboard-{title.lower()}")
    tab(page, "Latency")
    page.locator(".tabulator-row:visible", has_text="wire").first.wait_for()
    tab(page, "Engine")
    page.locator(".tabulator-row:visible", has_text="Loop lag p99").first.wait_for()


def test_pause_and_resume_from_the_live_view(dashboard: str, page: Page, calls: DeskCalls) -> None:
    open_dashboard(page, dashboard)
    number = calls.snapshot().strategies[0].strategy_id
    button = page.locator("[data-panel=strategies] tbody tr").first.locator("button")
    expect(button).to_have_text("Pause")
    button.click()
    until(lambda: calls.snapshot().strategies[0].state == "paused", f"strategy {number} to be paused")
    expect(button).to_have_text("Resume")
    button.click()  # more than the page's own ticket may do: the dashboard does it on its behalf
    until(lambda: calls.snapshot().strategies[0].state != "paused", f"strategy {number} to be resumed")
    expect(button).to_have_text("Pause")


def test_pause_of_ticked_rows(dashboard: str, page: Page, calls: DeskCalls) -> None:
    open_dashboard(page, dashboard)
    tab(page, "Strategies")
    row = page.locator(".tabulator-row:visible").first
    row.locator("input[type=checkbox]").check()
    page.get_by_text("Pause the ticked").click()
    until(lambda: calls.snapshot().strategies[0].state == "paused", "the ticked strategy to be paused")
    expect(row).to_contain_text("paused")


def test_stop_is_pressed_twice_and_acknowledged(
    dashboard: str, page: Page, calls: DeskCalls, shot: Shot
) -> None:
    open_dashboard(page, dashboard)
    stop = page.locator(".workbench-live [data-wb=stop]")
    stop.click()
    page.keyboard.press("Escape")
    expect(stop).to_have_attribute("data-phase", "idle")
    assert calls.snapshot().session.state == "running"
    press_stop(stop)
    expect(page.locator(".workbench-live [data-wb=outcome]")).to_contain_text("acknowledged by the engine")
    shot("dashboard-stopped")
    assert calls.snapshot().session.state == "killed"


def test_stop_is_within_reach_in_every_tab(dashboard: str, page: Page, calls: DeskCalls) -> None:
    open_dashboard(page, dashboard)
    pill = page.locator(".workbench-pill [data-wb=stop]")
    expect(pill).to_be_hidden()
    tab(page, "Orders")
    pill.wait_for()
    press_stop(pill)
    until(lambda: calls.snapshot().session.state == "killed", "the desk to stop")


@pytest.mark.skipif(bool(os.environ.get("WORKBENCH_E2E_DESK")), reason="needs an engine it may freeze")
def test_a_silent_engine_is_shown_and_stop_is_not_confirmed(
    dashboard: str, page: Page, desk: RunningDesk, shot: Shot
) -> None:
    open_dashboard(page, dashboard)
    moves(page.locator("[data-wb=equity]"))
    assert desk.process is not None
    desk.process.send_signal(signal.SIGSTOP)
    try:
        press_stop(page.locator(".workbench-live [data-wb=stop]"))
        outcome = page.locator(".workbench-live [data-wb=outcome]")
        expect(outcome).to_contain_text("NOT CONFIRMED")
        expect(outcome).to_contain_text("workbench kill")
        page.locator(".workbench-live .wb[data-link=stale]").wait_for()
        expect(page.locator(".workbench-live [data-wb=age]")).to_contain_text("old")
        shot("dashboard-silent")
    finally:
        desk.process.send_signal(signal.SIGCONT)
    expect(outcome).to_contain_text("acknowledged by the engine", timeout=60_000)


def test_a_wrong_link_shows_the_form(dashboard: str, page: Page) -> None:
    base = dashboard.split("login")[0]
    page.goto(base)
    assert "/login" in page.url
    page.get_by_label("token").fill(dashboard.split("token=")[1])
    page.get_by_role("button").click()
    page.locator("[data-wb=equity]").wait_for()
