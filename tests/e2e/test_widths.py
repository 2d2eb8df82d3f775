"""The dashboard in narrow windows: figures, buttons and the words of alerts stay in sight."""

import pytest
from playwright.sync_api import Page

from tests.ui.processes import until

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

# how many parts there are, and which are drawn beyond the right edge of the box they belong to
CUT = """([boxes, inside]) => {
    let parts = 0
    const cut = []
    const look = (root) => {
        for (const box of root.querySelectorAll(boxes)) {
            const edge = box.getBoundingClientRect().right + 0.5
            for (const part of box.querySelectorAll(inside)) {
                const its = part.getBoundingClientRect()
                if (its.width) parts += 1
                if (its.width && its.right > edge) cut.push(part.textContent)
            }
        }
        for (const node of root.querySelectorAll("*")) if (node.shadowRoot) look(node.shadowRoot)
    }
    look(document)
    return [parts, cut]
}"""


def open_at(page: Page, link: str, wide: int) -> None:
    page.set_viewport_size({"width": wide, "height": 900})
    page.goto(link)
    page.locator("[data-wb=equity]").wait_for()
    page.locator("[data-panel=strategies] button[data-action]").nth(2).wait_for()  # each of the three has one


def sides(page: Page, title: str) -> tuple[float, float]:
    """Left and right edge of the card with this title."""
    box = page.locator(
        ".wb-card:visible", has=page.get_by_role("heading", name=title, exact=True)
    ).bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


@pytest.mark.parametrize("wide", [420, 600, 900])
def test_figures_and_buttons_of_the_live_view_are_whole(dashboard: str, page: Page, wide: int) -> None:
    open_at(page, dashboard, wide)
    for boxes, inside in ((".figure", ".value, .note"), (".scroll", "button[data-action]")):
        parts, cut = page.evaluate(CUT, [boxes, inside])
        assert parts >= 3
        assert cut == []


def test_health_stands_above_alerts_where_there_is_no_room_beside_them(dashboard: str, page: Page) -> None:
    open_at(page, dashboard, 1280)
    page.locator(".bk-tab", has_text="Engine").first.click()
    page.locator(".tabulator-row:visible", has_text="Loop lag p99").first.wait_for()
    until(lambda: sides(page, "Health")[1] <= sides(page, "Alerts")[0], "health and alerts side by side")
    page.set_viewport_size({"width": 900, "height": 900})
    until(lambda: sides(page, "Health") == sides(page, "Alerts"), "health above alerts")
