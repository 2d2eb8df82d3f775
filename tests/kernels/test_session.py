"""What starts anew each day: which day a bar belongs to, the average price, the opening range."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadValue
from workbench.feeds import open_data
from workbench.kernels import OpeningRange, Vwap, batch
from workbench.kernels.checks import sample_bars
from workbench.kernels.session import day_end_s

type Floats = np.ndarray[Any, np.dtype[Any]]


def at(text: str) -> int:
    """Nanoseconds of a UTC time."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 10**9


def times(*texts: str) -> list[int]:
    return [at(f"2021-03-0{text}") for text in texts]


def lines(indicator: Any, bars: Floats, ts_ns: Any) -> dict[str, Floats]:
    found = batch(indicator, bars, ts_ns=ts_ns)
    return found if isinstance(found, dict) else {"value": found}


def by_hand(bars: Floats, ts_ns: Floats, start_h: float) -> list[float]:
    """The average price with days found by the calendar."""
    out, day, money, volume = [], None, 0.0, 0.0
    for bar, ts in zip(bars, ts_ns, strict=True):
        moved = dt.datetime.fromtimestamp(ts / 1e9, dt.UTC) - dt.timedelta(hours=start_h, microseconds=1)
        if moved.date() != day:
            day, money, volume = moved.date(), 0.0, 0.0
        money += bar[1:4].sum() / 3.0 * bar[4]
        volume += bar[4]
        out.append(money / volume if volume else np.nan)
    return out


@given(st.floats(0.0, 24.0), st.integers(0, 4 * 10**9))
@settings(max_examples=300, deadline=None)
def test_a_day_is_24_hours_and_ends_on_its_last_second(start_h: float, ts_s: int) -> None:
    end = day_end_s(float(ts_s), start_h)
    assert end - 86_400.0 < ts_s <= end
    assert (end / 3600.0 - start_h + 1.0) % 24.0 == pytest.approx(1.0, abs=0.51 / 3600.0)
    assert day_end_s(end, start_h) == end


def test_vwap_of_the_sample_is_the_published_one() -> None:
    ts_ns, bars = open_data("SPY").bars("SPY")
    found = lines(Vwap(), bars, ts_ns)["value"]
    assert found[[0, 1, 369, 390]].round(4).tolist() == [367.4800, 367.4223, 367.9494, 368.1804]
    np.testing.assert_allclose(found, by_hand(bars, ts_ns, 0.0), rtol=1e-12)
    days = np.flatnonzero(np.diff(ts_ns) > 3600 * 10**9) + 1
    assert len(days) == 3
    typical = bars[days, 1:4].mean(axis=1)
    np.testing.assert_allclose(found[days], typical, rtol=1e-12)  # each day begins with its own first bar


@pytest.mark.parametrize("start_h", [0.0, 9.0, 23.5])
def test_days_begin_where_one_says(start_h: float) -> None:
    """Ten minutes a bar around the clock: a day's first figure is its first bar's own price."""
    bars = sample_bars(1_000, seed=5)
    ts_ns = at("2021-03-01 00:00") + np.arange(1_000) * 600 * 10**9
    np.testing.assert_allclose(
        lines(Vwap(start_h), bars, ts_ns)["value"], by_hand(bars, ts_ns, start_h), rtol=1e-12
    )


def test_a_bar_that_closes_where_the_day_begins_belongs_to_the_day_before() -> None:
    bars = np.tile([10.0, 10.0, 10.0, 10.0, 5.0], (3, 1)) * np.array([[1.0], [2.0], [3.0]])
    bars[:, 4] = 5.0
    stamps = times("1 23:59", "2 00:00", "2 00:01")
    assert lines(Vwap(), bars, stamps)["value"].tolist() == [10.0, 15.0, 30.0]


def test_a_day_without_volume_has_no_average() -> None:
    bars = np.tile([10.0, 10.0, 10.0, 10.0, 0.0], (3, 1))
    bars[1, 4] = 1.0
    found = lines(Vwap(), bars, times("1 10:00", "1 10:01", "2 10:00"))["value"]
    np.testing.assert_array_equal(found, [np.nan, 10.0, np.nan])


def test_without_the_time_it_is_refused() -> None:
    for indicator in (Vwap(), OpeningRange()):
        with pytest.raises(BadValue, match=r"ts_ns = None: .* reads the time"):
            batch(indicator, np.ones((3, 5)))
    with pytest.raises(BadValue, match="one time a bar, 3 of them"):
        batch(Vwap(), np.ones((3, 5)), ts_ns=[1, 2])


def test_the_opening_range_of_the_sample() -> None:
    ts_ns, bars = open_data("SPY").bars("SPY")
    found = lines(OpeningRange(30), bars, ts_ns)
    firsts = [0, *(np.flatnonzero(np.diff(ts_ns) > 3600 * 10**9) + 1)]
    ends = [*firsts[1:], len(bars)]
    for first, end in zip(firsts, ends, strict=True):
        assert np.isnan(found["high"][first : first + 29]).all()
        assert (found["high"][first + 29 : end] == bars[first : first + 30, 1].max()).all()
        assert (found["low"][first + 29 : end] == bars[first : first + 30, 2].min()).all()


def ranged(minutes: float, stamps: list[int], bar_minutes: float = 1.0) -> list[float]:
    """Highs of the opening range over bars whose highs are 1, 2, 3, ..."""
    bars = np.ones((len(stamps), 5))
    bars[:, 1] = np.arange(1.0, len(stamps) + 1.0)
    return list(lines(OpeningRange(minutes, bar_minutes=bar_minutes), bars, stamps)["high"])


def test_a_missing_bar_shortens_no_opening_range() -> None:
    nan = np.nan
    # 09:31 opens at 09:30, so three minutes end at 09:33
    np.testing.assert_array_equal(
        ranged(3, times("1 09:31", "1 09:33", "1 09:34", "2 09:31", "2 09:32", "2 09:40", "2 09:41")),
        [nan, 2.0, 2.0, nan, nan, 5.0, 5.0],
    )


def test_the_opening_range_of_longer_bars() -> None:
    five = times("1 09:35", "1 09:40", "1 09:45", "1 09:50")
    np.testing.assert_array_equal(ranged(10, five, bar_minutes=5.0), [np.nan, 2.0, 2.0, 2.0])
    # taken for minute bars it holds the same bars, and is known one bar later
    np.testing.assert_array_equal(ranged(10, five), [np.nan, np.nan, 2.0, 2.0])
    np.testing.assert_array_equal(ranged(5, five, bar_minutes=5.0), [1.0, 1.0, 1.0, 1.0])
    assert OpeningRange(30, bar_minutes=5.0).warm_up() == 6
    assert OpeningRange(31, bar_minutes=5.0).warm_up() == 7


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: OpeningRange(0), r"OpeningRange\.minutes = 0\.0: give a number from 0\.0166667 to 1440"),
        (lambda: OpeningRange(bar_minutes=0), r"OpeningRange\.bar_minutes = 0\.0"),
        (lambda: Vwap(25), r"Vwap\.day_start_h = 25\.0: give a number from 0 to 24"),
    ],
)
def test_impossible_days_and_minutes_are_refused(make: Any, says: str) -> None:
    with pytest.raises(BadValue, match=says):
        make()
