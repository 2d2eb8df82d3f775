"""The times under a backtest's picture, told by its axis in a browser: no date stands where its day does not begin."""

from typing import Any

import numpy as np
import pytest
from bokeh.plotting import figure
from playwright.sync_api import Page

from workbench.research.plot import time_axis

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]

MINUTE_NS, DAY_NS = 60 * 10**9, 86_400 * 10**9
ASK = """([code, args, ticks]) => {
    const tell = new Function("tick", "ticks", ...Object.keys(args), code)
    return ticks.map((tick) => tell(tick, ticks, ...Object.values(args)))
}"""


def told(page: Page, ts_ns: list[int], ticks: list[int]) -> Any:
    made = figure()
    time_axis(made, np.array(ts_ns, np.int64))
    formatter: Any = made.xaxis[0].formatter
    args = {name: value.tolist() if name == "ts" else value for name, value in formatter.args.items()}
    return page.evaluate(ASK, [formatter.code, args, ticks])


def test_sessions_of_minutes_are_told_with_the_hour(page: Page) -> None:
    first = int(np.datetime64("2020-12-15T14:31", "ns").astype(np.int64))
    times = [first + day * DAY_NS + minute * MINUTE_NS for day in range(4) for minute in range(391)]
    assert told(page, times, [0, 500, 1000, 1500]) == [
        "14:31\n2020-12-15", "16:20\n2020-12-16", "18:09\n2020-12-17", "19:58\n2020-12-18",
    ]  # fmt: skip


def test_days_are_told_by_their_date(page: Page) -> None:
    first = int(np.datetime64("2020-12-14T21:00", "ns").astype(np.int64))
    weeks = [first + (7 * week + day) * DAY_NS for week in range(3) for day in range(5)]
    assert told(page, weeks, [0, 5, 10]) == ["2020-12-14", "2020-12-21", "2020-12-28"]
    assert told(page, weeks, [0, 1]) == ["2020-12-14", "2020-12-15"]


def test_years_of_minutes_are_told_by_their_date(page: Page) -> None:
    first = int(np.datetime64("2019-01-02T14:31", "ns").astype(np.int64))
    times = [first + day * DAY_NS + minute * MINUTE_NS for day in range(100) for minute in range(0, 390, 10)]
    assert told(page, times, [0, 1950]) == ["2019-01-02", "2019-02-21"]
