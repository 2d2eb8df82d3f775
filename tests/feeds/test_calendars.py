"""Sessions on dates that have gone wrong before: clock changes, half days, a hurricane, the closing auction."""

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from workbench.errors import BadValue, UnknownName
from workbench.feeds import Sessions, sessions_between
from workbench.feeds.calendars import zone_of

MINUTE = 60_000_000_000


def ns(text: str) -> int:
    """UTC nanoseconds of an ISO time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def new_york(first: str, last: str) -> Sessions:
    return sessions_between("XNYS", ns(first), ns(last + " 23:59"))


def hours(sessions: Sessions) -> dict[str, tuple[str, str]]:
    def clock(ts_ns: int) -> str:
        return datetime.fromtimestamp(ts_ns / 1e9, UTC).strftime("%H:%M")

    return {day.date: (clock(day.open_ns), clock(day.close_ns)) for day in sessions.days}


def test_summer_time_moves_the_opening_by_an_hour() -> None:
    assert hours(new_york("2011-03-11", "2011-03-14")) == {
        "2011-03-11": ("14:30", "21:00"),
        "2011-03-14": ("13:30", "20:00"),
    }


def test_winter_time_moves_it_back() -> None:
    assert hours(new_york("2019-11-01", "2019-11-04")) == {
        "2019-11-01": ("13:30", "20:00"),
        "2019-11-04": ("14:30", "21:00"),
    }


@pytest.mark.parametrize(
    ("date", "close"), [("2013-11-29", "18:00"), ("2014-12-24", "18:00"), ("2013-07-03", "17:00")]
)
def test_half_days_close_early(date: str, close: str) -> None:
    [day] = new_york(date, date).days
    assert day.half_day
    assert hours(new_york(date, date))[date][1] == close


def test_a_full_day_is_no_half_day() -> None:
    assert [day.half_day for day in new_york("2014-12-23", "2014-12-24").days] == [False, True]


def test_the_hurricane_closed_two_days() -> None:
    assert [day.date for day in new_york("2012-10-26", "2012-10-31").days] == ["2012-10-26", "2012-10-31"]
    assert new_york("2012-10-26", "2012-10-31").session_of(ns("2012-10-29 15:00")) is None


def test_london_and_new_york_change_their_clocks_on_other_days() -> None:
    march = ns("2011-03-21"), ns("2011-03-21 23:59")
    assert hours(sessions_between("XLON", *march))["2011-03-21"][0] == "08:00"
    assert hours(sessions_between("XNYS", *march))["2011-03-21"][0] == "13:30"


def test_the_closing_auction_belongs_to_the_day() -> None:
    day = new_york("2020-12-15", "2020-12-15")
    auction = day.session_of_bar(ns("2020-12-15 21:01"), MINUTE)
    assert auction is not None
    assert auction.date == "2020-12-15"
    assert day.session_of(ns("2020-12-15 21:01")) is not None
    assert day.session_of_bar(ns("2020-12-15 21:02"), MINUTE) is None
    assert not day.is_open(ns("2020-12-15 21:00"))


def test_the_bar_that_closes_at_the_opening_is_not_of_the_day() -> None:
    day = new_york("2020-12-15", "2020-12-15")
    assert day.session_of_bar(ns("2020-12-15 14:30"), MINUTE) is None
    first = day.session_of_bar(ns("2020-12-15 14:31"), MINUTE)
    assert first is not None
    assert day.is_open(ns("2020-12-15 14:30"))
    assert not day.is_open(ns("2020-12-15 14:29"))


def test_next_open_and_close_across_a_holiday_weekend() -> None:
    days = new_york("2014-12-24", "2014-12-24")
    assert days.next_close(ns("2014-12-24 15:00")) == ns("2014-12-24 18:00")
    assert days.next_open(ns("2014-12-24 15:00")) == ns("2014-12-26 14:30")  # outside the span asked for
    assert days.next_close(ns("2014-12-24 18:00")) == ns("2014-12-26 21:00")


def test_a_lunch_break_is_closed() -> None:
    day = sessions_between("XHKG", ns("2021-03-01"), ns("2021-03-01 23:59"))
    assert day.is_open(ns("2021-03-01 03:59"))
    assert not day.is_open(ns("2021-03-01 04:30"))
    assert day.is_open(ns("2021-03-01 05:00"))


def test_numbers_agree_with_single_questions() -> None:
    days = new_york("2020-12-15", "2020-12-18")
    ts_ns = np.arange(ns("2020-12-15"), ns("2020-12-19"), 7 * MINUTE, dtype=np.int64)
    for ts, number in zip(ts_ns.tolist(), days.numbers_of(ts_ns).tolist(), strict=True):
        day = days.session_of(ts)
        assert (None if number < 0 else days.days[number]) == day


def test_a_market_that_never_closes() -> None:
    days = sessions_between("24/7", ns("2020-12-19"), ns("2020-12-20 12:00"))
    assert days.is_open(ns("2020-12-19 00:00"))
    assert [day.date for day in days.days] == ["2020-12-18", "2020-12-19", "2020-12-20"]
    assert days.zone == "UTC"


def test_an_unknown_calendar_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'XNYS'"):
        sessions_between("XNSY", 0, 1)
    with pytest.raises(UnknownName, match="calendar 'nowhere' is unknown"):
        zone_of("nowhere")


@pytest.mark.parametrize(("calendar", "zone"), [("XTKS", "Asia/Tokyo"), ("XSHG", "Asia/Shanghai")])
def test_the_zone_of_an_exchange_whose_holidays_begin_after_1970(calendar: str, zone: str) -> None:
    assert zone_of(calendar) == zone


def test_a_calendar_that_cannot_be_built_is_told_in_one_line() -> None:
    with pytest.raises(BadValue, match="calendar XTKS does not reach it") as caught:
        sessions_between("XTKS", 0, 1)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadValue, match="end_ns = 5: give an end not before the start 10"):
        sessions_between("XNYS", 10, 5)


def test_a_span_before_the_holidays_are_known_is_refused() -> None:
    with pytest.raises(BadValue, match="does not reach it"):
        sessions_between("XHKG", ns("1900-01-02"), ns("1900-02-02"))


def test_importing_and_opening_the_sample_builds_no_calendar() -> None:
    code = (
        "import sys; from workbench.feeds import open_data; r = open_data('SPY'); len(r.sessions);"
        "print(sorted({'pandas', 'exchange_calendars'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
