"""When opening prints stand: what the trades of a daily market are dated by."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.feeds import Recording, open_data
from workbench.feeds.openings import opening_ns
from workbench.model.instrument import Instrument

HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000


def days(dates: list[str], calendar: str = "") -> Recording:
    rows = {"date": dates, "open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 100.0}
    return open_data(pd.DataFrame(rows), stamp="session", calendar=calendar or "XNYS")


def opens(recording: Recording) -> list[str]:
    return [str(np.datetime64(int(ns) - 1, "ns"))[:16] for ns in recording.opens_ns]


def test_a_daily_bar_opens_with_its_session_and_not_at_the_close_before() -> None:
    """On both sides of a change of clocks, and after a weekend."""
    market = days(["2021-03-11", "2021-03-12", "2021-03-15"])
    assert opens(market) == ["2021-03-11T14:30", "2021-03-12T14:30", "2021-03-15T13:30"]


def test_an_exchange_whose_opening_is_in_its_calendar_alone() -> None:
    assert opens(days(["2021-03-11", "2021-03-12"], "XLON")) == ["2021-03-11T08:00", "2021-03-12T08:00"]


def test_what_never_closes_opens_where_the_bar_before_ended() -> None:
    market = days(["2021-03-12", "2021-03-13", "2021-03-14"], "24/7")
    assert (market.opens_ns[1:] == market.ts_ns[:-1] + 1).all()


@pytest.mark.parametrize("bar_ns", [60_000_000_000, HOUR, 7 * DAY])
def test_bars_shorter_or_longer_than_a_session_open_when_they_start(bar_ns: int) -> None:
    ts = np.array([1_615_496_400_000_000_000]) + np.arange(3) * bar_ns
    made = opening_ns(ts, np.zeros(3, np.int32), bar_ns, [Instrument(0, "ABC")])
    assert made.tolist() == (ts - bar_ns + 1).tolist()


def test_a_print_never_stands_before_the_close_of_its_symbols_bar_before() -> None:
    ts = np.array([DAY, DAY, DAY + 60_000_000_000, DAY + 90_000_000_000])
    iid = np.array([0, 1, 0, 1], np.int32)
    two = [Instrument(0, "ABC"), Instrument(1, "XYZ")]
    made = opening_ns(ts, iid, 120_000_000_000, two)
    assert made.tolist() == [DAY - 120_000_000_000 + 1] * 2 + [DAY + 1] * 2


def test_times_that_are_no_close_keep_their_bars_start() -> None:
    """Midnight, as a file may have it: the session of that date has not begun."""
    ts = np.array([1_615_525_200_000_000_000])  # 2021-03-12 00:00 in New York
    made = opening_ns(ts, np.zeros(1, np.int32), DAY, [Instrument(0, "ABC")])
    assert made.tolist() == (ts - DAY + 1).tolist()


class Buys(wb.Strategy):
    """Holds from the first bar on."""

    def decide(p: object, x: object, pos: float) -> float:
        return 1.0


@pytest.mark.parametrize("loop", ["compiled", "engine"])
def test_a_fill_at_the_next_open_is_dated_by_that_day(loop: str) -> None:
    result = wb.backtest(Buys(), days(["2021-03-11", "2021-03-12", "2021-03-15"]), loop=loop)
    assert str(result.fills["ts"].iloc[0]) == "2021-03-12 14:30:00+00:00"
    assert str(result.trades["entry"].iloc[0])[:10] == "2021-03-12"
    assert str(result.orders["ts"].iloc[0])[:16] == "2021-03-11 21:00"


def test_a_split_stands_at_the_opening_of_its_day() -> None:
    frame = pd.DataFrame(
        {"date": ["2021-03-11", "2021-03-12"], "open": [20.0, 10.0], "high": [21.0, 12.0]}
        | {"low": [19.0, 9.0], "close": [20.0, 11.0], "split": [1.0, 2.0]}
    )
    market = open_data(frame, stamp="session", calendar="XNYS")
    at = market.ts_ns[market.kind == 3]
    assert [str(np.datetime64(int(ns), "ns"))[:16] for ns in at] == ["2021-03-12T14:30"]
