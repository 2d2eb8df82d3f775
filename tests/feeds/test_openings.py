"""When opening prints stand: what the trades of a daily market are dated by."""

import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench.feeds import Recording, open_data
from workbench.feeds.openings import opening_ns, own_length_ns
from workbench.model.instrument import Instrument
from workbench.model.market import Bar

MINUTE, HOUR, DAY = 60_000_000_000, 3_600_000_000_000, 86_400_000_000_000


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
    ts = DAY + np.array([0, 60, 100, 120, 150]) * 1_000_000_000
    iid = np.array([0, 0, 1, 0, 0], np.int32)
    two = [Instrument(0, "ABC"), Instrument(1, "XYZ")]
    made = opening_ns(ts, iid, MINUTE, two)
    assert ((made - DAY - 1) // 1_000_000_000).tolist() == [-60, 0, 40, 60, 120]  # not 90


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


def two_lengths() -> Recording:
    """Three days of minutes of AAA and three daily bars of BBB."""
    minutes = pd.concat(
        pd.Series(pd.date_range(f"2021-03-0{day} 14:31", periods=390, freq="min", tz="UTC"))
        for day in (1, 2, 3)
    )
    fine = pd.DataFrame({"ts": minutes, "symbol": "AAA", "open": 100.0, "high": 101.0, "low": 99.0})
    coarse = pd.DataFrame(
        {"ts": pd.to_datetime([f"2021-03-0{day} 21:00Z" for day in (1, 2, 3)]), "symbol": "BBB"}
    )
    fine = fine.assign(close=100.0, volume=10.0)
    coarse = coarse.assign(
        open=[50.0, 60.0, 70.0], high=80.0, low=40.0, close=[55.0, 65.0, 75.0], volume=10.0
    )
    return open_data(pd.concat([fine, coarse]).sort_values(["ts", "symbol"]))


class Afternoon(wb.Strategy):
    """Buys the symbol of daily bars at a time of the second day."""

    hour: int = 18

    def on_bar(self, ctx: wb.Context, bar: Bar) -> wb.OrderRequest | None:
        at = pd.Timestamp(2021, 3, 2, self.hour, tz="UTC").value
        return wb.OrderRequest("buy", 1, symbol="BBB") if bar.iid == 0 and bar.ts_ns == at else None


@pytest.mark.parametrize("loop", ["events", "engine"])
def test_an_open_of_the_morning_is_not_traded_at_in_the_afternoon(loop: str) -> None:
    """Minutes and daily bars in one recording: the day's open had been before the order was thought of."""
    result = wb.backtest(Afternoon(), two_lengths(), loop=loop, limits="off")
    assert result.fills["px"].tolist() == [65.0]  # the close, and not the open of 60
    assert str(result.fills["ts"].iloc[0])[:16] == "2021-03-02 21:00"
    late = wb.backtest(Afternoon(hour=21), two_lengths(), loop=loop, limits="off")
    assert late.fills["px"].tolist() == [70.0]
    assert str(late.fills["ts"].iloc[0])[:16] == "2021-03-03 14:30"


def test_a_symbol_taken_from_among_others_has_bars_of_its_own_length() -> None:
    market = two_lengths()
    assert [market.bar_ns, market.select(["BBB"]).bar_ns, market.select(["AAA"]).bar_ns] == [
        MINUTE,
        DAY,
        MINUTE,
    ]
    assert opens(market.select(["BBB"])) == [f"2021-03-0{day}T14:30" for day in (1, 2, 3)]
    assert market.select(["AAA"], end_ns=int(market.ts_ns[5])).bar_ns == MINUTE


@pytest.mark.parametrize(
    ("steps", "usual", "length"),
    [
        ([MINUTE, 3 * MINUTE], MINUTE, MINUTE),  # minutes without a trade
        ([2 * MINUTE, 3 * MINUTE], MINUTE, MINUTE),  # not one of them beside the next
        ([5 * MINUTE, 15 * MINUTE] * 4, MINUTE, 5 * MINUTE),
        ([2 * MINUTE, 4 * MINUTE], MINUTE, MINUTE),  # too few to tell
        ([21 * HOUR, 31 * HOUR], MINUTE, MINUTE),  # one trade a day, whenever
        ([MINUTE] * 3, HOUR, MINUTE),
        ([23 * HOUR, 25 * HOUR, 3 * DAY], MINUTE, DAY),  # clocks change, then a weekend
        ([2 * DAY, 3 * DAY], DAY, DAY),
        ([7 * DAY, 14 * DAY], DAY, 7 * DAY),
        ([], HOUR, HOUR),
    ],
)
def test_how_long_a_symbols_bars_are(steps: list[int], usual: int, length: int) -> None:
    assert own_length_ns(np.cumsum([DAY, *steps]), usual) == length
