"""The dashboard's tab of accounts at venues: bands for what is frozen, charts that take each second once."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.fake_snapshot import account_row
from workbench.model.snapshot import AccountHistoryRow, DifferenceRow, Snapshot
from workbench.ui.dashboard.charts import Colours
from workbench.ui.dashboard.venue_charts import KEPT, VenueCharts
from workbench.ui.dashboard.venues import VenuesTab, bands_html
from workbench.ui.desk_calls import DeskCalls

SECOND_NS = 10**9


def past(account: str, first_s: int, seconds: int) -> AccountHistoryRow:
    """`seconds` even seconds of an account from `first_s` on."""
    ts_ns = [(1_700_000_000 + first_s + n) * SECOND_NS for n in range(seconds)]
    rest: list[Any] = [
        [0.5] * seconds,
        [1] * seconds,
        [2_000.0] * seconds,
        [3] * seconds,
        [1_500.0] * seconds,
    ]
    return AccountHistoryRow(account, ts_ns, *rest)


def test_a_frozen_symbol_and_a_difference_each_have_a_band(empty: Snapshot) -> None:
    assert bands_html(empty) == ""
    session = msgspec.structs.replace(empty.session, frozen={"<SPY>": "the desk says 0, the broker 3"})
    differences = [
        DifferenceRow("", 100.0, 90.5, 0),
        DifferenceRow("<SPY>", 0.0, 3.0, 0),
        DifferenceRow("AAPL", 1.0, 2.0, 0),
    ]
    told = bands_html(msgspec.structs.replace(empty, session=session, differences=differences))
    assert told.count("wb-band") == 3  # a frozen symbol says why by itself
    assert "<b>&lt;SPY&gt; is frozen</b> Only orders that reduce the position pass. the desk says 0" in told
    assert "<b>Cash differs</b> The desk says 100, the broker 90.5." in told
    assert "<b>AAPL differs</b>" in told


def test_charts_keep_a_quarter_of_an_hour_in_their_own_units() -> None:
    charts = VenueCharts(["alpaca", "binance"], Colours(dark=False))
    charts.update([past("alpaca", 0, KEPT), past("binance", 0, 0), past("nobody", 0, 5)])
    charts.update([past("alpaca", KEPT, 5)])
    held = charts.sources["alpaca"].data
    assert {len(column) for column in held.values()} == {KEPT}
    assert (held["headroom"][-1], held["wire"][-1], held["waited"][-1]) == (50.0, 1.5, 2.0)
    assert len(charts.sources["binance"].data["time"]) == 0


@pytest.mark.parametrize("dark", [False, True])
async def test_the_tab_asks_only_for_what_is_new(empty: Snapshot, tmp_path: Path, dark: bool) -> None:
    asked: list[int] = []

    class Calls(DeskCalls):
        def account_history(self, since_ns: int = 0) -> list[AccountHistoryRow]:
            asked.append(since_ns)
            return [past("alpaca", 10 * len(asked), 3)]

    first = msgspec.structs.replace(empty, accounts=[account_row("alpaca")])
    look = {"style": "", "theme": "midnight" if dark else "simple"}
    tab = VenuesTab(Calls("default", tmp_path), first, dark, lambda title, *content: content[0], look)
    await tab.refresh()
    await tab.refresh()
    assert asked == [0, (1_700_000_000 + 10 + 2) * SECOND_NS]
    assert len(tab.charts.sources["alpaca"].data["time"]) == 6
    assert tab.tables["accounts"].view.value["Account"].tolist() == ["alpaca"]
    tab.update(first)
    assert tab.bands.visible is False
