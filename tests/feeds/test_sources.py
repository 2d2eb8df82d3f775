"""Names, files and frames: what they mean, and what is said when they mean nothing."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.errors import BadInput, BadValue, UnknownName, WorkbenchError
from workbench.feeds import DataRefused, list_data, open_data, synthetic
from workbench.feeds.files import read_facts

MINUTE = 60_000_000_000
HEAD = "date,open,high,low,close,volume\n"
ROWS = "2020-12-15 09:31:00,10,11,9,10.5,100\n2020-12-15 09:32:00,10.5,11,10,10.6,50\n"


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "abc.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


# -- names and spans ---------------------------------------------------------------------------------------------


def test_the_sample_answers_to_its_name_and_its_symbol(tmp_path: Path) -> None:
    for name in ("SPY", "spy_1m_2020-12"):
        assert len(open_data(name, home=tmp_path)) == 1_564
    [sample] = list_data(tmp_path)
    assert (sample.name, sample.symbols, sample.rows, sample.is_ours) == (
        "spy_1m_2020-12",
        ("SPY",),
        1_564,
        True,
    )
    assert sample.facts["licence"] == "Apache-2.0"


def test_listing_makes_no_folder(tmp_path: Path) -> None:
    list_data(tmp_path / "home")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("name", "near"), [("SPX", "SPY"), ("spy", "SPY"), ("spy_1m_2020-11", "spy_1m_2020-12")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=f"data '{name}' is unknown: did you mean '{near}'"):
        open_data(name, home=tmp_path)


def test_a_missing_file_names_its_neighbour(csv: Callable[..., Path]) -> None:
    there = csv(HEAD + ROWS)
    with pytest.raises(UnknownName, match=r"did you mean 'abc\.csv'"):
        open_data(there.with_name("abd.csv"))
    with pytest.raises(
        UnknownName, match=r"data file 'x\.parquet' is unknown: none is there\. Looked in /.*/nowhere"
    ):
        open_data("nowhere/x.parquet")


def test_an_unknown_symbol_of_a_set(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="symbol 'SPX' is unknown: did you mean 'SPY'"):
        open_data("SPY", symbols=["SPX"], home=tmp_path)


@pytest.mark.parametrize(
    ("start", "end", "first", "last", "rows"),
    [
        ("2020-12-16", "2020-12-16", "2020-12-16 14:31", "2020-12-16 21:01", 391),
        ("2020-12-16", None, "2020-12-16 14:31", "2020-12-18 21:01", 3 * 391),
        (None, "2020-12-15", "2020-12-15 14:31", "2020-12-15 21:01", 391),
        ("2020-12-16 10:00", "2020-12-16 10:04", "2020-12-16 15:00", "2020-12-16 15:04", 5),
        ("2020-12-16T15:00+00:00", "2020-12-16T15:04+00:00", "2020-12-16 15:00", "2020-12-16 15:04", 5),
    ],
)
def test_spans_are_days_or_moments_of_the_exchange(
    start: str | None, end: str | None, first: str, last: str, rows: int
) -> None:
    recording = open_data("SPY", start=start, end=end)
    assert (recording.start_ns, recording.end_ns, len(recording)) == (ns(first), ns(last), rows)


def test_spans_may_be_numbers_and_datetimes() -> None:
    at = ns("2020-12-16 15:00")
    assert len(open_data("SPY", start=at, end=at)) == 1
    assert len(open_data("SPY", start=datetime(2020, 12, 16, 15, tzinfo=UTC), end=at)) == 1


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2020-13-45", None, "start = '2020-13-45': give a date like 2020-12-15"),
        (None, "soon", "end = 'soon': give a date like 2020-12-15"),
        ("2021-01-04", None, "covers 2020-12-15 14:31:00 to 2020-12-18 21:01:00 UTC"),
        (None, "2019-01-04", "covers 2020-12-15 14:31:00 to 2020-12-18 21:01:00 UTC"),
        ("2020-12-17", "2020-12-16", "end = '2020-12-16': give a moment not before start 2020-12-17"),
    ],
)
def test_an_impossible_span_is_refused(start: str | None, end: str | None, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        open_data("SPY", start=start, end=end)


def test_a_recording_is_narrowed(tmp_path: Path) -> None:
    day = synthetic(3, 5)
    assert open_data(day) is day
    assert open_data(day, symbols="S001").symbols == ("S001",)


# -- files and frames ---------------------------------------------------------------------------------------------


def test_a_csv_with_wall_times(csv: Callable[..., Path]) -> None:
    recording = open_data(csv(HEAD + ROWS), tz="America/New_York")
    assert recording.symbols == ("ABC",)
    assert recording.start_ns == ns("2020-12-15 14:31")
    assert recording.bars("ABC")[1].tolist() == [[10, 11, 9, 10.5, 100], [10.5, 11, 10, 10.6, 50]]


def test_bar_starts_become_bar_ends(csv: Callable[..., Path]) -> None:
    assert open_data(csv(HEAD + ROWS), tz="America/New_York", stamp="start").start_ns == ns(
        "2020-12-15 14:32"
    )


@pytest.mark.parametrize(
    "times",
    [
        ("2020-12-15 14:31:00+00:00", "2020-12-15 14:32:00+00:00"),
        ("2020-12-15T09:31:00-05:00", "2020-12-15T09:32:00-05:00"),
        ("1608042660", "1608042720"),
        ("1608042660000", "1608042720000"),
        ("1608042660000000", "1608042720000000"),
        ("1608042660000000000", "1608042720000000000"),
    ],
)
def test_times_of_every_shape(csv: Callable[..., Path], times: tuple[str, str]) -> None:
    text = "Timestamp,Open,High,Low,Close\n" + "".join(f"{time},10,11,9,10\n" for time in times)
    recording = open_data(csv(text))
    assert recording.ts_ns.tolist() == [ns("2020-12-15 14:31"), ns("2020-12-15 14:32")]


def test_date_and_time_in_two_columns(csv: Callable[..., Path]) -> None:
    text = "Date,Time,Open,High,Low,Close\n12/15/2020,09:31,1,1,1,1\n12/15/2020,09:32,1,1,1,1\n"
    assert open_data(csv(text), tz="America/New_York").start_ns == ns("2020-12-15 14:31")


def test_dates_become_session_closes(csv: Callable[..., Path]) -> None:
    text = HEAD + "2013-11-27,1,1,1,1,9\n2013-11-29,1,1,1,1,9\n"
    recording = open_data(csv(text), stamp="session")
    assert recording.ts_ns.tolist() == [ns("2013-11-27 21:00"), ns("2013-11-29 18:00")]
    with pytest.raises(BadInput, match=r"row 3: 2013-11-28 is no session of XNYS \(nearest: 2013-11-2[79]\)"):
        open_data(csv(HEAD + "2013-11-27,1,1,1,1,9\n2013-11-28,1,1,1,1,9\n"), stamp="session")


def test_a_packed_csv_with_several_symbols(tmp_path: Path) -> None:
    path = tmp_path / "two.csv.gz"
    text = "symbol," + HEAD + "B," + ROWS.split("\n")[0] + "\nA," + ROWS.split("\n")[0] + "\n"
    path.write_bytes(gzip.compress(text.encode()))
    assert open_data(path, tz="UTC").symbols == ("B", "A")


def test_quotes_and_trades_are_told_from_bars(csv: Callable[..., Path]) -> None:
    quotes = open_data(csv("ts,bid,ask\n2020-12-15T14:31:00Z,9.9,10.1\n"))
    assert type(next(iter(quotes.events()))).__name__ == "Quote"
    trades = open_data(csv("ts,price,size,side\n2020-12-15T14:31:00Z,9.9,5,sell\n"))
    assert str(next(iter(trades.events()))).endswith("px=9.9, size=5.0, side=-1)")


def test_a_frame_by_its_index_or_its_column() -> None:
    index = pd.date_range("2020-12-15 14:31", periods=3, freq="min", tz="UTC")
    frame = pd.DataFrame({"Open": 10.0, "High": 11.0, "Low": 9.0, "Close": [10.0, 10.5, 10.0]}, index=index)
    by_index = open_data(frame)
    assert by_index.bars("DATA")[1][:, 3].tolist() == [10.0, 10.5, 10.0]
    by_column = open_data(frame.rename_axis("ts").reset_index())
    assert list(by_column.events()) == list(by_index.events())


def test_a_foreign_parquet_file(tmp_path: Path) -> None:
    frame = synthetic(2, 4).frame()
    path = tmp_path / "foreign.parquet"
    frame.to_parquet(path)
    recording = open_data(path)
    assert list(recording.events()) == list(synthetic(2, 4).events())
    facts = read_facts(path)
    assert (facts.is_ours, facts.symbols, facts.rows) == (False, ("S000", "S001"), 8)


def test_a_foreign_parquet_file_with_holes(tmp_path: Path) -> None:
    frame = synthetic(1, 4).frame()
    frame.loc[2, "volume"] = None
    frame.to_parquet(tmp_path / "holes.parquet")
    assert open_data(tmp_path / "holes.parquet").bars("S000")[1][2, 4] == 0.0
    frame.loc[1, "close"] = None
    frame.to_parquet(tmp_path / "holes.parquet")
    with pytest.raises(DataRefused, match=r"row 2: S000 .* has no finite close"):
        open_data(tmp_path / "holes.parquet")


def test_a_row_that_names_no_symbol_is_refused_whatever_holds_it(tmp_path: Path) -> None:
    """It must not be taken for a row of the last symbol."""
    frame = synthetic(2, 4).frame()
    frame["symbol"] = frame["symbol"].astype(object)
    frame.loc[2, "symbol"] = None
    frame.to_parquet(tmp_path / "unnamed.parquet")
    frame.to_csv(tmp_path / "unnamed.csv", index=False)
    for source in (frame, tmp_path / "unnamed.parquet", tmp_path / "unnamed.csv"):
        with pytest.raises(BadInput, match=r"row [34]: .*symbol"):
            open_data(source)


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        (HEAD + ROWS, {}, BadValue, "carry no zone: say which with tz, for example America/New_York"),
        (HEAD + ROWS, {"tz": "America/NewYork"}, UnknownName, "did you mean 'America/New_York'"),
        (HEAD + ROWS, {"tz": "UTC", "stamp": "begin"}, UnknownName, "stamp 'begin' is unknown"),
        (
            HEAD.replace("close", "clos") + ROWS,
            {"tz": "UTC"},
            UnknownName,
            "column 'close' is unknown: did you mean 'clos'",
        ),
        ("open,high,low,close\n1,1,1,1\n", {}, UnknownName, "needs a column of times"),
        (
            HEAD + ROWS.replace("09:32:00", "25:32:00"),
            {"tz": "UTC"},
            BadInput,
            "row 3: date '2020-12-15 25:32:00' is no time",
        ),
        (
            HEAD + "2020-03-08 02:30:00,1,1,1,1,1\n",
            {"tz": "America/New_York"},
            BadInput,
            "row 2: .*the clocks change",
        ),
        (
            HEAD + ROWS.replace("10.6", "n/a?"),
            {"tz": "UTC"},
            DataRefused,
            "row 3: ABC .* has no finite close",
        ),
        (
            HEAD + ROWS.replace(",10.5,11,", ",10.5,1,"),
            {"tz": "UTC"},
            DataRefused,
            "row 3: .* does not bound open and close",
        ),
        (HEAD + ROWS + ROWS, {"tz": "UTC"}, DataRefused, "row 4: .*repair="),
        (HEAD, {"tz": "UTC"}, BadInput, "has no rows"),
        ("", {"tz": "UTC"}, BadInput, "cannot be read as CSV: No columns"),
    ],
)
def test_what_cannot_be_used_is_named(
    csv: Callable[..., Path], text: str, options: dict[str, str], error: type[WorkbenchError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        open_data(csv(text), **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("not parquet")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        open_data(path)


def test_the_grid_of_prices_is_taken_from_the_figures(csv: Callable[..., Path]) -> None:
    text = "ts,bid,ask\n" + "".join(
        f"2020-12-15T14:31:{n:02}Z,1.386{n:02},1.387{n:02}\n" for n in range(10, 40)
    )
    [fx] = open_data(csv(text)).instruments
    assert fx.tick_e8 == 1_000
    assert open_data("SPY").instruments[0].tick_e8 == 1_000_000
    assert np.isfinite(open_data("SPY").values).all()
