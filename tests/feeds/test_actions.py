"""Splits and dividends of a table of bars: read, checked, kept, and told before their day."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.errors import UnknownName
from workbench.feeds import DataRefused, check_data, import_data, open_data, session_bounds
from workbench.model import Bar, Dividend, Split, Trade

DAYS = ["2014-06-05", "2014-06-06", "2014-06-09", "2014-06-10"]


def daily(**columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame({"date": DAYS, "open": [640.0, 646, 92.7, 94.7], "high": [650.0, 652, 94, 95.5]})
    frame = frame.assign(low=[638.0, 640, 91.7, 93.5], close=[647.0, 645.6, 93.7, 94.2], volume=1_000.0)
    return frame.assign(**columns)


def written(folder: Path, frame: pd.DataFrame, name: str = "aapl.csv") -> Path:
    frame.to_csv(folder / name, index=False)
    return folder / name


@pytest.fixture
def acted(tmp_path: Path) -> Path:
    """A home with one data set: 7 for 1 on 9 June, a dividend of 0.47 on the 10th."""
    path = written(tmp_path, daily(Dividends=[0, 0, np.nan, 0.47], **{"Stock Splits": [0, 1.0, 7.0, 1.0]}))
    import_data(path, name="acted", symbol="AAPL", stamp="session", home=tmp_path)
    return tmp_path


def test_events_stand_before_the_opening_print_of_the_ex_day(acted: Path) -> None:
    recording = open_data("acted", home=acted)
    assert recording.has_actions
    friday, tuesday = recording.bars("AAPL")[0][[1, 3]].tolist()
    events = list(recording.events())
    at = next(n for n, event in enumerate(events) if isinstance(event, Split))
    before, split, opening = events[at - 1 : at + 2]
    assert split == Split(opening.ts_ns, 0, 7, 1)
    assert isinstance(before, Bar)
    assert before.ts_ns == friday < split.ts_ns
    assert isinstance(opening, Trade)
    assert opening.px == 92.7
    (dividend,) = [event for event in events if isinstance(event, Dividend)]
    assert dividend.amount_e8 == 47_000_000
    assert recording.bars("AAPL")[0][2] < dividend.ts_ns < tuesday
    assert recording.n_events == len(events) == len(recording.event_ts())


def test_a_set_keeps_them_and_a_frame_shows_them(acted: Path) -> None:
    frame = open_data("acted", home=acted).frame()
    assert frame["split"].tolist() == [1, 1, 7, 1]
    assert frame["dividend"].tolist() == [0, 0, 0, 0.47]
    again = open_data(frame)
    assert [type(e) for e in again.events()] == [type(e) for e in open_data("acted", home=acted).events()]
    assert "split" not in open_data("SPY").frame().columns


@pytest.mark.parametrize(
    ("told", "ratio"), [(7.0, (7, 1)), (0.1, (1, 10)), (1.5, (3, 2)), (1 / 3, (1, 3)), (20, (20, 1))]
)
def test_splits_are_fractions_of_whole_numbers(told: float, ratio: tuple[int, int], tmp_path: Path) -> None:
    recording = open_data(daily(split=[1, 1, told, 1]).assign(date=pd.to_datetime(DAYS, utc=True)))
    (split,) = [event for event in recording.events() if isinstance(event, Split)]
    assert (split.numerator, split.denominator) == ratio


def test_columns_that_say_nothing_are_none(tmp_path: Path) -> None:
    quiet = daily(dividend=[0, np.nan, 0, 0], split=[1, 0, np.nan, 1])
    recording = open_data(quiet.assign(date=pd.to_datetime(DAYS, utc=True)))
    assert not recording.has_actions
    assert recording.columns("bars").actions is None


def test_a_part_of_a_recording_keeps_its_own(acted: Path) -> None:
    recording = open_data("acted", home=acted)
    kinds = [type(e).__name__ for e in recording.select(end_ns=int(recording.bars("AAPL")[0][2])).events()]
    assert kinds.count("Split") == 1
    assert "Dividend" not in kinds
    later = recording.select(start_ns=int(recording.bars("AAPL")[0][2]))
    assert [type(e).__name__ for e in later.events()].count("Split") == 0


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"dividend": [0, -1, 0, 0]}, "bad_action"),
        ({"split": [1, 1, -7, 1]}, "bad_action"),
        ({"split": [1, 1, np.inf, 1]}, "bad_action"),
        (
            {"date": [*DAYS[:2], "2014-06-09 14:00", "2014-06-09 15:00"], "split": [1, 1, 7, 7]},
            "repeated_action",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_can_be_left_out(
    columns: dict[str, Any], code: str, tmp_path: Path
) -> None:
    path = written(tmp_path, daily(**columns))
    assert code in check_data(path, tz="UTC").counts
    with pytest.raises(DataRefused, match="drop-actions"):
        import_data(path, name="bad", tz="UTC", home=tmp_path)
    result = import_data(path, name="good", tz="UTC", repair=["drop-actions"], home=tmp_path)
    assert result.repaired["drop-actions"] >= 1
    assert not open_data("good", home=tmp_path).has_actions
    with pytest.raises(UnknownName, match="drop-actions"):
        import_data(path, name="ugly", tz="UTC", repair=["drop-action"], home=tmp_path)


# -- opens and closes --------------------------------------------------------------------------------------------------


def utc(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def test_bars_of_a_day_are_a_session_each(acted: Path) -> None:
    opens, closes = session_bounds(open_data("acted", home=acted))
    assert closes.tolist() == [utc(f"{day}T20:00") for day in DAYS]
    assert opens[1:].tolist() == closes[:-1].tolist()


def test_stored_sessions_open_by_the_calendar_and_close_with_their_last_row() -> None:
    opens, closes = session_bounds(open_data("SPY"))
    assert opens.tolist() == [utc(f"2020-12-{day}T14:30") for day in (15, 16, 17, 18)]
    assert closes.tolist() == [utc(f"2020-12-{day}T21:01") for day in (15, 16, 17, 18)]  # the closing auction


def test_a_session_cut_short_closes_when_the_calendar_says() -> None:
    recording = open_data("SPY", end="2020-12-16 11:00")
    assert session_bounds(recording)[1].tolist() == [utc("2020-12-15T21:01"), utc("2020-12-16T21:00")]


def test_without_stored_sessions_utc_days_close_with_their_last_row() -> None:
    times = pd.to_datetime(
        ["2024-01-01 22:00", "2024-01-01 23:30", "2024-01-02 01:00", "2024-01-03 05:00"], utc=True
    )
    recording = open_data(pd.DataFrame({"ts": times, "price": [1.0, 2, 3, 4], "size": 1.0}))
    opens, closes = session_bounds(recording)
    assert closes.tolist() == [utc("2024-01-01T23:30"), utc("2024-01-02T01:00"), utc("2024-01-03T05:00")]
    assert opens[1:].tolist() == closes[:-1].tolist()
    assert opens[0] < recording.start_ns
