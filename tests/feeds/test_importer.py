"""Imports: what is written can be opened again unchanged; what is refused leaves nothing behind."""

from pathlib import Path

import pytest

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.feeds import DataRefused, check_data, import_data, list_data, open_data, synthetic

HEAD = "date,open,high,low,close,volume\n"
GOOD = (
    "2020-12-15 09:30:00,10,11,9,10.5,100\n"
    "2020-12-15 09:31:00,10.5,11,10,10.6,50\n"
    "2020-12-15 09:34:00,10,11,10,10.6,5\n"
)
BAD = GOOD + "2020-12-15 09:33:00,10,9,10,10,1\n2020-12-15 09:31:00,10.5,11,10,10.6,50\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + GOOD)
    return path


def test_an_import_can_be_opened_by_name_and_symbol(source: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    result = import_data(
        source, name="mine", symbol="XYZ", tz="America/New_York", stamp="start", licence="own", home=home
    )
    assert result.report.counts == {"gap": 1}
    assert result.data.path == home / "data" / "mine.parquet"
    assert [facts.name for facts in list_data(home)] == ["spy_1m_2020-12", "mine"]
    for name in ("mine", "XYZ"):
        recording = open_data(name, home=home)
        assert (len(recording), recording.symbols, recording.bar_ns) == (3, ("XYZ",), 60_000_000_000)
        assert recording.start_ns == 1_608_042_660_000_000_000
        assert [day.date for day in recording.sessions.days] == ["2020-12-15"]
    assert (result.data.facts["origin"], result.data.facts["licence"]) == ("bars.csv", "own")
    assert check_data("mine", home=home).counts == {"gap": 1}
    assert list((home / "data").iterdir()) == [result.data.path]


def test_a_frame_of_many_symbols_comes_back_the_same(tmp_path: Path) -> None:
    day = synthetic(5, 30)
    import_data(day.frame(), name="many", home=tmp_path)
    again = open_data("many", home=tmp_path)
    assert list(again.events()) == list(day.events())
    assert again.symbols == day.symbols


def test_tick_and_lot_can_be_stated(source: Path, tmp_path: Path) -> None:
    result = import_data(source, name="m", tz="UTC", calendar="24/7", tick=0.05, lot=100, home=tmp_path)
    [entry] = result.data.facts["instruments"]
    assert (entry["tick_e8"], entry["lot_e8"], entry["calendar"]) == (5_000_000, 10_000_000_000, "24/7")
    assert open_data("m", home=tmp_path).instruments[0].tick_e8 == 5_000_000


def test_bad_rows_are_refused_and_nothing_is_written(source: Path, tmp_path: Path) -> None:
    source.write_text(HEAD + BAD)
    with pytest.raises(DataRefused, match=r"bars\.csv row 5: BARS .* does not bound") as caught:
        import_data(source, name="mine", tz="UTC", home=tmp_path / "home")
    assert set(caught.value.report.counts) >= {"crossed", "unsorted", "duplicate"}
    with pytest.raises(DataRefused, match="repeats an earlier row"):  # what was asked for does not mend all
        import_data(source, name="mine", tz="UTC", repair=["sort", "drop-bad"], home=tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_named_repairs_mend_and_are_counted(source: Path, tmp_path: Path) -> None:
    source.write_text(HEAD + BAD)
    repairs = ["sort", "drop-bad", "drop-duplicates"]
    result = import_data(source, name="mine", tz="UTC", repair=repairs, home=tmp_path)
    assert result.repaired == {"drop-bad": 1, "drop-duplicates": 1, "sort": 0}
    assert len(open_data("mine", home=tmp_path)) == 3


def test_names_are_not_taken_twice(source: Path, tmp_path: Path) -> None:
    import_data(source, name="mine", tz="UTC", home=tmp_path)
    with pytest.raises(BadValue, match="name = 'mine': this data set exists"):
        import_data(source, name="mine", tz="UTC", home=tmp_path)
    import_data(source, name="mine", tz="UTC", replace=True, home=tmp_path)
    for taken in ("SPY", "spy_1m_2020-12"):
        with pytest.raises(BadValue, match="the bundled sample 'spy_1m_2020-12' answers to it"):
            import_data(source, name=taken, tz="UTC", replace=True, home=tmp_path)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_name_that_is_no_file_name_is_refused(name: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="give 1 to 64 letters"):
        import_data(source, name=name, tz="UTC", home=tmp_path)


def test_unknown_words_are_answered_with_the_nearest(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'NYSE'"):
        import_data(source, name="m", tz="UTC", calendar="NYSE2", home=tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'sort'"):
        import_data(source, name="m", tz="UTC", repair=["srt"], home=tmp_path)
    with pytest.raises(UnknownName, match=r"did you mean 'bars\.csv'"):
        import_data(source.with_name("bar.csv"), name="m", tz="UTC", home=tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'spy_1m_2020-12'"):
        check_data("spy_1m_2020", home=tmp_path)
    other = source.with_suffix(".txt")
    other.write_text("x")
    with pytest.raises(BadValue, match=r"give a \.parquet, \.csv"):
        import_data(other, name="m", home=tmp_path)


def test_a_folder_that_cannot_be_written(source: Path, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(BadInput, match=r"m\.parquet' cannot be written"):
        import_data(source, name="m", tz="UTC", home=tmp_path)


def test_a_data_set_of_a_later_format_is_not_misread(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.feeds.files.FORMAT", 2)
    import_data(source, name="later", tz="UTC", home=tmp_path)
    monkeypatch.undo()
    with pytest.raises(BadInput, match="has format 2, this workbench reads up to 1"):
        open_data(tmp_path / "data" / "later.parquet")


def test_a_data_set_changed_by_hand_is_checked_again(tmp_path: Path) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = import_data(synthetic(1, 5).frame(), name="m", home=tmp_path).data.path
    table = pq.read_table(path)
    at = table.column_names.index("high")
    pq.write_table(table.set_column(at, "high", pc.multiply(table["high"], 0.5)), path)
    with pytest.raises(DataRefused, match="does not bound open and close"):
        open_data("m", home=tmp_path)


def test_checking_the_sample_finds_nothing(tmp_path: Path) -> None:
    assert check_data("spy_1m_2020-12", home=tmp_path).counts == {}
