"""Quantities in the live view, asked of the script itself in a browser: the smallest lot is not shown as nothing."""

import base64

import pytest
from playwright.sync_api import Page

from workbench.ui import LIVE_SCRIPT

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

ASK = """async ([script, values]) => {
    const { units, signedUnits } = await import(script)
    return values.map((value) => [units(value), signedUnits(value)])
}"""
TOLD = {
    10: ("10", "+10"),
    -1234567: ("−1,234,567", "−1,234,567"),
    0: ("0", "0"),
    0.02: ("0.02", "+0.02"),
    1e-8: ("0.00000001", "+0.00000001"),
    -0.00001: ("−0.00001", "−0.00001"),
    0.1 + 0.2: ("0.3", "+0.3"),
    1234.5: ("1,234.5", "+1,234.5"),
    1e-12: ("0", "0"),
}


def test_quantities_are_told_down_to_the_smallest_lot(page: Page) -> None:
    script = "data:text/javascript;base64," + base64.b64encode(LIVE_SCRIPT.read_bytes()).decode()
    assert page.evaluate(ASK, [script, list(TOLD)]) == [list(words) for words in TOLD.values()]
