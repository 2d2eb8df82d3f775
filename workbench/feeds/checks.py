"""Judging recorded rows before anything trades on them: every complaint is a typed finding with row and value.

Lives here: what is wrong with rows (errors), what is merely worth knowing (gaps), and the few repairs a person
may ask for by name. Nothing is ever repaired silently. Not here: reading (sources.py), writing (importer.py).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, UnknownName
from workbench.feeds.actions import NO_ACTION
from workbench.feeds.calendars import Sessions
from workbench.feeds.columns import FIELDS, Columns, bar_length_ns

__all__ = ["REPAIRS", "CheckReport", "DataRefused", "Finding", "check_columns", "repair_columns"]

DAY_NS: Final = 86_400_000_000_000
CLOSED_NS: Final = 3_600_000_000_000
"""Without a calendar a silence longer than this counts as closed hours, not as a gap."""
_KEEP: Final = 200  # findings kept a kind; the counts are always complete

REPAIRS: Final = {
    "sort": "put rows in order of time (stable)",
    "drop-duplicates": "drop rows that repeat an earlier row of the same symbol and time exactly",
    "keep-last": "of rows with one symbol and time but other figures keep the last",
    "drop-bad": "drop rows that are crossed, not finite, not above zero, or have a negative volume",
    "drop-actions": "leave out all dividends and splits",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint. `row` counts as the source does (a CSV line, else the row from 1); `is_error` rows may not
    be traded on, the others are only worth knowing."""

    code: str
    row: int
    symbol: str
    ts_ns: int
    value: str
    text: str
    is_error: bool = True


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found: `counts` by code are complete, `findings` hold the first 200 of each code."""

    rows: int
    counts: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.is_error)

    def refuse(self, source: str) -> None:
        """Raise when there is an error.

        Raises:
            DataRefused: naming the first bad row, its value, and what can be done.
        """
        if self.errors:
            raise DataRefused(source, self)


class DataRefused(BadInput):
    """Data that cannot be traded on. `report` holds every finding."""

    def __init__(self, source: str, report: CheckReport) -> None:
        first = min(report.errors, key=lambda finding: finding.row)
        codes = {finding.code for finding in report.errors}
        total = sum(count for code, count in report.counts.items() if code in codes)
        more = f" ({total - 1:,} more)" if total > 1 else ""
        super().__init__(
            f"{source} row {first.row}: {first.text}{more}: mend the rows, or import them with repair="
            f"{_mending(codes)}"
        )
        self.report, self.source = report, source


def _mending(codes: Collection[str]) -> list[str]:
    cure = {"unsorted": "sort", "duplicate": "drop-duplicates", "conflict": "keep-last"}
    cure |= {"bad_action": "drop-actions", "repeated_action": "drop-actions"}
    return sorted({cure.get(code, "drop-bad") for code in codes})


def check_columns(columns: Columns, sessions: Sessions | None = None) -> CheckReport:
    """Every finding in `columns`: order, duplicates, crossed prices, bad numbers; and gaps in bars.

    With `sessions` a gap is a missing bar inside a session; without, any silence of up to an hour.
    """
    counts: dict[str, int] = {}
    findings: list[Finding] = []
    for code, rows, text, is_error in _complaints(columns, sessions):
        if not len(rows):
            continue
        counts[code] = counts.get(code, 0) + len(rows)
        for row in rows[:_KEEP].tolist():
            value = _figures(columns, row)
            said = text if isinstance(text, str) else text[row]
            symbol, ts_ns = columns.symbols[columns.code[row]], int(columns.ts_ns[row])
            said = f"{symbol} {_utc(ts_ns)} {said} ({value})"
            findings.append(Finding(code, row + columns.first_line, symbol, ts_ns, value, said, is_error))
    return CheckReport(len(columns), counts, tuple(findings))


type _Rows = npt.NDArray[np.intp]
type _Complaint = tuple[str, _Rows, str | dict[int, str], bool]


def _complaints(columns: Columns, sessions: Sessions | None) -> Iterator[_Complaint]:
    yield from _bad_numbers(columns)
    yield from _bad_actions(columns)
    if columns.kind == "bars":
        yield "crossed", _crossed(columns), "has a high or low that does not bound open and close", True
    by_symbol = np.argsort(columns.code, kind="stable")
    ts, code = columns.ts_ns[by_symbol], columns.code[by_symbol]
    back = (np.diff(ts) < 0) & (np.diff(code) == 0)
    yield "unsorted", np.sort(by_symbol[1:][back]), "comes before the row above it", True
    if columns.kind == "bars":
        identical, conflicting, _ = _repeats(columns)
        yield "duplicate", identical, "repeats an earlier row", True
        yield "conflict", conflicting, "has the time of an earlier row and other figures", True
        yield from _gaps(columns, sessions)


def _bad_numbers(columns: Columns) -> Iterator[_Complaint]:
    names = FIELDS[columns.kind]
    for at, name in enumerate(names):
        values = columns.values[:, at]
        if name == "side":
            continue
        if name == "volume" or name.endswith("size"):  # NaN: the source does not know it
            yield "not_finite", np.flatnonzero(np.isinf(values)), f"has an infinite {name}", True
            yield "negative", np.flatnonzero(values < 0), f"has a negative {name}", True
            continue
        yield "not_finite", np.flatnonzero(~np.isfinite(values)), f"has no finite {name}", True
        yield "not_positive", np.flatnonzero(values <= 0), f"has a {name} that is not above zero", True


def _bad_actions(columns: Columns) -> Iterator[_Complaint]:
    """Dividends and splits that cannot be, or that are written on more than one bar of a day."""
    if columns.actions is None:
        return
    dividend, split = columns.actions.T
    bad = [~np.isfinite(dividend) | (dividend < 0), ~np.isfinite(split) | (split <= 0)]
    yield "bad_action", np.flatnonzero(bad[0] | bad[1]), "has a dividend or split that cannot be", True
    day = columns.ts_ns // DAY_NS
    for name, there in (("dividend", dividend != 0), ("split", split != 1)):
        rows = np.flatnonzero(there)
        order = rows[np.lexsort((columns.ts_ns[rows], columns.code[rows]))]
        again = (np.diff(day[order]) == 0) & (np.diff(columns.code[order]) == 0)
        text = f"repeats the day's {name}: write it on the day's first bar only"
        yield "repeated_action", np.sort(order[1:][again]), text, True


def _crossed(columns: Columns) -> _Rows:
    o, h, low, c = columns.values[:, :4].T
    slack = 1e-9 * np.abs(c)  # adjusted prices carry the rounding of their factor
    with np.errstate(invalid="ignore"):
        return np.flatnonzero((h + slack < np.maximum(o, c)) | (low - slack > np.minimum(o, c)) | (h < low))


def _repeats(columns: Columns) -> tuple[_Rows, _Rows, _Rows]:
    """(rows equal to the row before them in time, rows that contradict it, rows that a later one contradicts)."""
    order = np.lexsort((np.arange(len(columns)), columns.ts_ns, columns.code))
    ts, code, values = columns.ts_ns[order], columns.code[order], columns.values[order]
    same = (np.diff(ts) == 0) & (np.diff(code) == 0)
    equal = np.all((values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1])), axis=1)
    later = order[1:]
    return np.sort(later[same & equal]), np.sort(later[same & ~equal]), np.sort(order[:-1][same & ~equal])


def _gaps(columns: Columns, sessions: Sessions | None) -> Iterator[_Complaint]:
    if len(columns) < 2:
        return
    length = bar_length_ns(columns.ts_ns, columns.code)
    order = np.lexsort((columns.ts_ns, columns.code))
    ts, code = columns.ts_ns[order], columns.code[order]
    step = np.diff(ts)
    hole = (np.diff(code) == 0) & (step > length)
    if sessions is None:
        hole &= step <= CLOSED_NS
    else:
        inside = sessions.numbers_of(ts - length)
        hole &= (np.diff(inside) == 0) & (inside[1:] >= 0)
    rows = order[1:][hole]
    missing = dict(zip(rows.tolist(), (step[hole] // length - 1).tolist(), strict=True))
    texts = {row: f"follows a gap of {count:,} missing bars" for row, count in missing.items()}
    yield "gap", np.sort(rows), texts, False


def repair_columns(columns: Columns, repairs: Collection[str]) -> tuple[Columns, dict[str, int]]:
    """The rows after the named repairs (see `REPAIRS`), and how many rows each of them touched.

    Raises:
        UnknownName: a repair nobody knows.
    """
    for name in repairs:
        if name not in REPAIRS:
            raise UnknownName("repair", name, REPAIRS)
    touched: dict[str, int] = {}

    def drop(name: str, rows: _Rows) -> None:
        nonlocal columns
        touched[name] = len(np.unique(rows))
        columns = columns.take(np.delete(np.arange(len(columns)), rows))

    if "drop-actions" in repairs and columns.actions is not None:
        touched["drop-actions"] = int((columns.actions != np.array(NO_ACTION)).any(axis=1).sum())
        columns = replace(columns, actions=None)
    if "drop-bad" in repairs:
        bad = [rows for _, rows, _, _ in _bad_numbers(columns)]
        crossed = [_crossed(columns)] if columns.kind == "bars" else []
        drop("drop-bad", np.unique(np.concatenate([*bad, *crossed])))
    if "drop-duplicates" in repairs and columns.kind == "bars":
        drop("drop-duplicates", _repeats(columns)[0])
    if "keep-last" in repairs and columns.kind == "bars":
        drop("keep-last", _repeats(columns)[2])
    if "sort" in repairs:
        order = np.argsort(columns.ts_ns, kind="stable")
        touched["sort"] = int(np.count_nonzero(order != np.arange(len(columns))))
        columns = columns.take(order)
    return columns, touched


def _figures(columns: Columns, row: int) -> str:
    pairs = zip(FIELDS[columns.kind], columns.values[row].tolist(), strict=True)
    return " ".join(f"{name} {value:g}" for name, value in pairs)


def _utc(ts_ns: int) -> str:
    return str(np.datetime64(ts_ns, "ns").astype("datetime64[s]")).replace("T", " ")
