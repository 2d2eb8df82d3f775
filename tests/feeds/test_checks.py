"""Every kind of bad row is found, with its row and value; only what is asked for is mended."""

import numpy as np
import pytest

from workbench.errors import UnknownName
from workbench.feeds import Columns, DataRefused, check_columns, sessions_between, synthetic
from workbench.feeds.checks import REPAIRS, repair_columns

MINUTE = 60_000_000_000
OPEN = 1_608_042_600_000_000_000  # 2020-12-15 14:30 UTC


def day(minutes: int = 10) -> Columns:
    """A clean table: `minutes` bars of one symbol from the opening on."""
    ts = OPEN + np.arange(1, minutes + 1, dtype=np.int64) * MINUTE
    values = np.tile(np.array([10.0, 11.0, 9.0, 10.5, 100.0]), (minutes, 1))
    return Columns("bars", ("A",), ts, np.zeros(minutes, np.int32), values)


def spoilt(row: int, column: int, value: float) -> Columns:
    table = day()
    table.values[row, column] = value
    return table


def test_clean_rows_have_no_finding() -> None:
    report = check_columns(day(), sessions_between("XNYS", OPEN, OPEN + 10 * MINUTE))
    assert (report.rows, report.counts, report.findings) == (10, {}, ())
    report.refuse("clean")
    assert check_columns(synthetic(5, 100).columns()).counts == {}


@pytest.mark.parametrize(
    ("row", "column", "value", "code", "said"),
    [
        (3, 1, 10.2, "crossed", "does not bound open and close"),  # high below close
        (3, 2, 10.2, "crossed", "does not bound open and close"),  # low above open
        (4, 3, float("nan"), "not_finite", "has no finite close"),
        (4, 0, float("inf"), "not_finite", "has no finite open"),
        (5, 2, 0.0, "not_positive", "has a low that is not above zero"),
        (5, 2, -3.0, "not_positive", "has a low that is not above zero"),
        (6, 4, -1.0, "negative", "has a negative volume"),
        (6, 4, float("inf"), "not_finite", "has an infinite volume"),
    ],
)
def test_a_bad_figure_is_named_with_its_row(
    row: int, column: int, value: float, code: str, said: str
) -> None:
    report = check_columns(spoilt(row, column, value))
    [finding] = [found for found in report.findings if found.code == code]
    assert (finding.row, finding.symbol, finding.ts_ns) == (row + 1, "A", OPEN + (row + 1) * MINUTE)
    assert said in finding.text
    assert f"{value:g}" in finding.value
    with pytest.raises(DataRefused, match=rf"x\.csv row {row + 1}: A 2020-12-15 14:3\d:00 has "):
        report.refuse("x.csv")


def test_an_unknown_volume_is_no_finding() -> None:
    assert check_columns(spoilt(2, 4, float("nan"))).counts == {}


def test_rounding_of_adjusted_prices_is_not_crossed() -> None:
    assert check_columns(spoilt(2, 1, 10.5 * (1 - 1e-12))).counts == {}


def test_wrong_order_is_found_at_the_row_that_steps_back() -> None:
    table = day().take(np.array([0, 1, 2, 4, 3, 5, 6, 7, 8, 9]))
    report = check_columns(table)
    assert report.counts == {"unsorted": 1}
    assert report.findings[0].row == 5
    with pytest.raises(DataRefused, match=r"comes before the row above it .*repair=\['sort'\]"):
        report.refuse("x")


def test_symbols_one_after_the_other_are_in_order() -> None:
    a = day()
    table = Columns(
        "bars",
        ("A", "B"),
        np.concatenate([a.ts_ns, a.ts_ns]),
        np.repeat(np.array([0, 1], np.int32), 10),
        np.vstack([a.values, a.values]),
    )
    assert check_columns(table).counts == {}


def test_repeated_rows_are_told_from_contradicting_ones() -> None:
    table = day().take(np.array([0, 1, 1, 2, 3, 3, 4]))
    table.values[5, 3] = 10.6
    report = check_columns(table)
    assert report.counts == {"duplicate": 1, "conflict": 1}
    assert [(finding.code, finding.row) for finding in report.findings] == [("duplicate", 3), ("conflict", 6)]


def test_gaps_are_notes_and_count_what_is_missing() -> None:
    table = day().take(np.array([0, 1, 2, 6, 7, 9]))
    report = check_columns(table, sessions_between("XNYS", OPEN, OPEN + 10 * MINUTE))
    assert [(finding.row, finding.is_error) for finding in report.findings] == [(4, False), (6, False)]
    assert "follows a gap of 3 missing bars" in report.findings[0].text
    report.refuse("gaps are no errors")


def test_the_night_is_no_gap_but_a_long_halt_is_one_when_sessions_are_known() -> None:
    two_days = day(2).ts_ns.tolist() + [OPEN + 24 * 3600 * 10**9 + n * MINUTE for n in (1, 2, 200)]
    table = Columns(
        "bars", ("A",), np.array(two_days, np.int64), np.zeros(5, np.int32), np.tile(day(1).values, (5, 1))
    )
    assert check_columns(table).counts == {}
    known = check_columns(table, sessions_between("XNYS", two_days[0], two_days[-1]))
    assert known.counts == {"gap": 1}
    assert known.findings[0].row == 5


def test_bad_quotes_and_trades_are_found() -> None:
    quotes = Columns(
        "quotes",
        ("Q",),
        np.array([1, 2, 3], np.int64),
        np.zeros(3, np.int32),
        np.array([[9.9, 1, 10.0, 1], [0, 1, 10.0, 1], [9.9, -1, float("nan"), np.nan]]),
    )
    assert check_columns(quotes).counts == {"not_positive": 1, "negative": 1, "not_finite": 1}
    trades = Columns(
        "trades", ("T",), np.array([2, 2, 1], np.int64), np.zeros(3, np.int32), np.full((3, 3), 1.0)
    )
    assert check_columns(trades).counts == {"unsorted": 1}  # equal times are legitimate for prints


def test_findings_are_capped_and_counts_are_not() -> None:
    table = day(1000)
    table.values[:, 4] = -1
    report = check_columns(table)
    assert report.counts == {"negative": 1000}
    assert len(report.findings) == 200
    with pytest.raises(DataRefused, match=r"\(999 more\)"):
        report.refuse("x")


def test_each_repair_mends_its_own_and_nothing_else() -> None:
    table = day().take(np.array([0, 2, 1, 3, 3, 4, 4, 5, 6, 7]))
    table.values[6, 3] = 10.6  # contradicts row 5
    table.values[9, 1] = 1.0  # crossed
    assert set(check_columns(table).counts) == {"unsorted", "duplicate", "conflict", "crossed"}
    for repair, mended in {
        "sort": "unsorted",
        "drop-duplicates": "duplicate",
        "keep-last": "conflict",
        "drop-bad": "crossed",
    }.items():
        after, touched = repair_columns(table, [repair])
        assert set(check_columns(after).counts) & {"unsorted", "duplicate", "conflict", "crossed"} == {
            "unsorted",
            "duplicate",
            "conflict",
            "crossed",
        } - {mended}
        assert touched[repair] >= 1
    after, touched = repair_columns(table, REPAIRS)
    assert check_columns(after).errors == ()
    assert touched == {"drop-bad": 1, "drop-duplicates": 1, "keep-last": 1, "sort": 2}
    assert 10.6 in after.values[:, 3]  # the later of two contradicting rows stays


def test_an_unknown_repair_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'sort'"):
        repair_columns(day(), ["sorted"])
