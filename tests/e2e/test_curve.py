"""The times under the live view's equity curve, asked of the script itself in a browser."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from workbench.ui import LIVE_SCRIPT

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

ASK = """async ([script, times, wide]) => {
    const { timesUnder } = await import(script)
    return timesUnder(times, wide, (i) => 74 + (wide - 84) * i / (times.length - 1))
}"""


def times_under(page: Page, times: list[datetime], wide: int) -> Any:
    script = "data:text/javascript;base64," + base64.b64encode(LIVE_SCRIPT.read_bytes()).decode()
    return page.evaluate(ASK, [script, [str(int(t.timestamp() * 1e9)) for t in times], wide])


def sessions(count: int) -> list[datetime]:
    first = datetime(2020, 12, 15, 14, 30, tzinfo=UTC)
    return [first + timedelta(days=day, minutes=minute) for day in range(count) for minute in range(391)]


@pytest.mark.parametrize("wide", [300, 440, 700, 860, 1000, 1300])
def test_a_label_of_another_day_says_so(page: Page, wide: int) -> None:
    told = times_under(page, sessions(4), wide)
    assert len(told["days"]) == 3
    labels = told["labels"]
    assert len(labels) >= 2
    dates = [label["text"].split(" ")[0] for label in labels if " " in label["text"]]
    assert dates == sorted(set(dates))  # each day is named once, on its first label
    day, hour = "", ""
    for label in labels:
        *date, time = label["text"].split(" ")
        assert date or time > hour, labels  # without a date it is a later hour of the same day
        day, hour = date[0] if date else day, time
    assert json.dumps(labels[0]["text"]) == '"12-15 14:30"'


def test_a_short_curve_has_seconds(page: Page) -> None:
    first = datetime(2020, 12, 15, 14, 30, tzinfo=UTC)
    told = times_under(page, [first + timedelta(seconds=n) for n in range(120)], 600)
    assert told["days"] == []
    assert all(len(label["text"].split(" ")[-1]) == 8 for label in told["labels"])
