"""Accounts at venues in a browser: a card and a line each, what is frozen or away, and a page that fits a phone."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import press_stop
from tests.e2e.venue_desk import console, venue_desk
from tests.ui.processes import RunningDesk, running, until
from workbench.ui.desk_calls import DeskCalls

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

type Shot = Callable[[str], None]

VENUES = ("alpaca", "binance", "ibkr")


@contextmanager
def shown(desk: RunningDesk, page: Page) -> Iterator[None]:
    """The desk's dashboard, open in `page`."""
    address = desk.folder / "dashboard.json"
    argv = [sys.executable, "-m", "workbench.ui.dashboard", "--name", desk.name, "--port", "0"]
    with running(argv, desk.home / "dashboard.log", address.exists, {"WORKBENCH_HOME": str(desk.home)}):
        page.goto(str(json.loads(address.read_text())["link"]))
        page.locator("[data-wb=equity]").wait_for()
        yield
        page.goto("about:blank")


def card(page: Page, account: str) -> Locator:
    return page.locator(f".venue[data-account={account}]")


def tab(page: Page, title: str) -> None:
    page.locator(".bk-tab", has_text=title).first.click()


def points(page: Page, column: str) -> list[int]:
    """How many points each line of the charts has that holds `column`."""
    found: list[int] = page.evaluate(
        "column => [...Bokeh.documents[0]._all_models.values()]"
        ".filter(m => m.type === 'ColumnDataSource' && m.data[column]).map(m => m.data[column].length)",
        column,
    )
    return found


def test_three_venues_have_a_card_and_a_line_each(page: Page, tmp_path: Path, shot: Shot) -> None:
    with venue_desk(tmp_path / "home", VENUES) as desk, shown(desk, page):
        for account in VENUES:
            expect(card(page, account)).to_have_attribute("data-light", "good")
            expect(card(page, account)).to_contain_text("paperarmedhealthy")
            expect(card(page, account).locator("[role=meter]")).to_have_attribute(
                "aria-valuenow", re.compile(r"^\d+$")
            )
            expect(card(page, account)).to_contain_text("trip")
            expect(card(page, account)).to_contain_text("data 0.")
        # a market that happens has no progress and nothing to play
        expect(page.locator("[data-wb=market]")).to_have_text("● live market")
        expect(page.locator(".progress")).to_be_hidden()
        expect(page.locator(".workbench-live").get_by_role("button", name="play")).to_have_count(0)
        calls = DeskCalls(desk.name, desk.home)
        until(lambda: {row.account for row in calls.snapshot().fills} == set(VENUES), "fills at every venue")
        line = page.locator("[data-panel=orders] tbody tr", has_text="BTCUSDT").first
        expect(line.locator("td.several")).to_have_text("binance")
        shot("venues-live")
        tab(page, "Venues")
        for account in VENUES:
            row = page.locator(".tabulator-row:visible", has_text=f"{account} paper")
            expect(row).to_contain_text("healthy")
        expect(page.locator(".tabulator-row:visible", has_text="trade_updates")).to_contain_text("live")
        until(lambda: min(points(page, "headroom")) > 0, "a first point of each account")
        first = points(page, "headroom")
        assert len(first) == len(VENUES)
        until(
            lambda: all(now > then for now, then in zip(points(page, "headroom"), first, strict=True)),
            "growth",
        )
        shot("venues-tab")
        tab(page, "Orders")
        sent = page.locator(".tabulator-row:visible", has_text="BTCUSDT").filter(has_text="target").first
        expect(sent.locator("[tabulator-field=Account]")).to_have_text("binance")
        page.set_viewport_size({"width": 400, "height": 900})
        for title in ("Live", "Venues", "Engine"):
            tab(page, title)
            until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 400, f"{title} to fit")
        shot("venues-narrow")


def test_a_venue_that_is_away_and_a_symbol_that_is_frozen_are_seen(
    page: Page, tmp_path: Path, shot: Shot
) -> None:
    with venue_desk(tmp_path / "home", ("alpaca", "binance")) as desk, shown(desk, page):
        expect(card(page, "binance")).to_have_attribute("data-light", "good")
        console(desk, "binance", "POST", "faults", what="outage")
        expect(card(page, "binance")).to_have_attribute(
            "data-light", re.compile("warn|bad")
        )  # bad in the end
        # a stream that broke, until a probe has found that nothing answers either
        expect(card(page, "binance").locator(".why")).to_contain_text(
            re.compile("stream|no answer|left alone")
        )
        expect(card(page, "alpaca").locator(".why")).to_be_hidden()
        console(desk, "binance", "DELETE", "faults")
        expect(card(page, "binance")).to_have_attribute("data-light", "good")
        calls = DeskCalls(desk.name, desk.home)
        for strategy in calls.snapshot().strategies:
            if "AAPL" in strategy.symbols:
                calls.pause_strategy(strategy.strategy_id, "what is compared must not move")
        console(desk, "alpaca", "POST", "position", symbol="AAPL", qty=777)
        band = page.locator("[data-wb=bands] [data-band=AAPL]")
        expect(band).to_contain_text("AAPL is frozen")
        expect(card(page, "alpaca").locator("[data-wb=guard]")).to_have_text("AAPL frozen")
        expect(card(page, "binance").locator("[data-wb=guard]")).to_have_text("armed")
        shot("venues-frozen")
        tab(page, "Venues")
        expect(page.locator(".wb-band:visible")).to_contain_text("AAPL is frozen")
        page.locator(".tabulator-row:visible", has_text="DIFFERENCE").first.wait_for()
        shot("venues-frozen-tab")
        tab(page, "Live")
        press_stop(page.locator(".workbench-live [data-wb=stop]"))
        for account in ("alpaca", "binance"):
            expect(card(page, account).locator("[data-wb=guard]")).to_have_text("stopped")


def test_paper_trading_on_a_venues_data_says_so(page: Page, tmp_path: Path) -> None:
    with venue_desk(tmp_path / "home", ("alpaca",), paper=True) as desk, shown(desk, page):
        expect(card(page, "alpaca")).to_contain_text("data only")
        expect(card(page, "alpaca").locator("[data-wb=guard]")).to_be_hidden()
        page.locator("[data-panel=orders] tbody tr").first.wait_for()
        expect(page.locator("[data-panel=orders] th.several")).to_be_hidden()  # there is but one place to go
