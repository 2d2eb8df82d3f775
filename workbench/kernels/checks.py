"""The checks every indicator must pass, ours and the users': run by the tests over all there are, and by hand."""

import json
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.kernels.batch import batch
from workbench.kernels.cell import value_class
from workbench.kernels.indicator import Indicator, PairIndicator
from workbench.kernels.stream import Stream

__all__ = ["CheckResult", "check_indicator", "find_indicators", "sample_bars", "sample_times"]

type Floats = NDArray[np.float64]


class CheckResult(NamedTuple):
    """One check: its name, whether it passed, and what was seen."""

    name: str
    ok: bool
    text: str


def find_indicators() -> dict[str, type[Indicator]]:
    """Every indicator that `workbench.kernels` exports, by name."""
    kernels = sys.modules["workbench.kernels"]
    found = {name: getattr(kernels, name) for name in kernels.__all__}
    return {
        name: kind
        for name, kind in found.items()
        if isinstance(kind, type) and issubclass(kind, Indicator) and kind not in (Indicator, PairIndicator)
    }


def sample_bars(n: int, seed: int = 1, px: float = 100.0) -> Floats:
    """Bars of a random walk on a cent grid, with quiet stretches (equal closes) and jumps among them."""
    random = np.random.default_rng(seed)
    moves = random.normal(0.0, 0.002, n) * (random.random(n) > 0.1)
    moves[random.random(n) < 0.002] *= 20.0
    close = np.maximum(np.round(px * np.exp(np.cumsum(moves)), 2), 0.01)
    opened = np.concatenate([[close[0]], close[:-1]])
    reach = np.round(np.abs(random.normal(0.0, 0.001, (2, n))) * close, 2)
    high = np.maximum(opened, close) + reach[0]
    low = np.maximum(np.minimum(opened, close) - reach[1], 0.01)
    return np.column_stack([opened, high, low, close, random.integers(0, 5_000, n).astype(np.float64)])


def sample_times(n: int, start_ns: int = 1_608_042_600 * 10**9) -> NDArray[np.int64]:
    """Closes of one-minute bars, 390 a day from 14:30 UTC, on successive days (default: from 2020-12-15), in ns."""
    k = np.arange(n)
    return start_ns + (k // 390 * 86_400 + (k % 390 + 1) * 60) * 10**9


def check_indicator(indicator: Indicator, bars: Floats | None = None) -> list[CheckResult]:
    """All checks on one indicator with its parameters, on `bars` (float64[n, 5]; default: 700 made ones or more).

    Raises:
        StrategyError: its own code raised, or does not compile.
    """
    table = sample_bars(max(700, 4 * indicator.warm_up())) if bars is None else bars
    seen = _Seen(indicator, table, sample_times(len(table)))
    return [
        _documented(indicator),
        _forms(seen),
        _warms_up(seen),
        _leaves_out(seen),
        _gaps(seen),
        _goes_on(seen),
        _no_peeking(seen),
        *([] if indicator.price_power is None else [_scales(seen)]),
    ]


class _Seen:
    """An indicator with what it is shown: rows of its own kind (bars, or pairs made of them), and their times."""

    def __init__(self, indicator: Indicator, bars: Floats, times: NDArray[np.int64]) -> None:
        self.indicator = indicator
        self.pairs = isinstance(indicator, PairIndicator)
        self.rows = bars
        self.times = times
        if self.pairs:
            other = 50.0 * np.exp(np.cumsum(np.random.default_rng(77).normal(0.0, 0.002, len(bars))))
            self.rows = np.column_stack([0.7 * bars[:, 3] + 0.4 * other, other])
        outputs = value_class(indicator)
        self.width = len(outputs._fields) if outputs else 1

    def values(self, rows: Floats | None = None, times: NDArray[np.int64] | None = None) -> Floats:
        """Batch over rows, as float64[n, outputs]."""
        rows = self.rows if rows is None else rows
        series = (rows[:, 0], rows[:, 1]) if self.pairs else (rows,)
        found = batch(self.indicator, *series, ts_ns=self.times[: len(rows)] if times is None else times)
        return np.column_stack(list(found.values()) if isinstance(found, dict) else [found])

    def streamed(self, stream: Stream, rows: Floats, times: NDArray[np.int64]) -> Floats:
        """The stream's values over rows, moved one by one."""
        out = np.empty((len(rows), self.width))
        for k, row in enumerate(rows):
            at = int(times[k])
            out[k] = stream.update(row[0], row[1], ts_ns=at) if self.pairs else stream.update(row, ts_ns=at)
        return out

    def spoilt(self) -> tuple[Floats, NDArray[np.bool_]]:
        """Rows with figures that are no numbers in one of twenty, and which those are."""
        random = np.random.default_rng(5)
        bad = random.random(len(self.rows)) < 0.05
        rows = self.rows.copy()
        rows[bad] = random.choice([np.nan, np.inf, -np.inf], size=(int(bad.sum()), 1))
        return rows, bad


def _documented(indicator: Indicator) -> CheckResult:
    text = type(indicator).__doc__ or ""
    missing = [word for word in ("Formula:", "Seeding:", "Warm-up:") if word not in text]
    said = f"its docstring lacks {', '.join(missing)}" if missing else text.splitlines()[0]
    return CheckResult("it names formula, seeding and warm-up", not missing, said)


def _forms(seen: _Seen) -> CheckResult:
    rows, _ = seen.spoilt()
    text = _apart(seen.values(rows), seen.streamed(Stream(seen.indicator), rows, seen.times))
    return CheckResult("batch equals streaming to the last bit", not text, text or f"{len(rows)} bars")


def _warms_up(seen: _Seen) -> CheckResult:
    name = "the first value comes when warm_up says"
    known = ~np.isnan(seen.values()).any(axis=1)
    first = int(np.argmax(known)) + 1 if known.any() else 0
    told = seen.indicator.warm_up()
    text = f"bar {first}, warm_up says {told}"
    if first == told and not seen.indicator.reads_time and not known[first - 1 :].all():
        return CheckResult(name, False, f"NaN again on bar {first + int(np.argmin(known[first - 1 :]))}")
    return CheckResult(name, first == told, text)


def _leaves_out(seen: _Seen) -> CheckResult:
    """A bar with a figure that is no number: NaN, and afterwards all is as if it had not been."""
    name = "what is no number is left out"
    whole = seen.values()
    rows, bad = seen.spoilt()
    expected = np.full_like(whole, np.nan)
    expected[~bad] = seen.values(rows[~bad], seen.times[~bad])
    text = _apart(expected, seen.values(rows))
    for column in range(rows.shape[1]):
        if text:
            break
        one = seen.rows.copy()
        one[bad, column] = rows[bad, column]
        got = seen.values(one)
        if not _same(got, whole):  # the column is read
            text = _apart(expected, got)
            text = text and f"column {column}: {text}"
    return CheckResult(name, not text, text or f"{int(bad.sum())} of {len(rows)} bars")


def _gaps(seen: _Seen) -> CheckResult:
    """Only the indicators that say so may tell one minute from another."""
    name = "a gap in time changes nothing"
    if seen.indicator.reads_time:
        return CheckResult(name, True, "it reads the time")
    other = np.sort(np.random.default_rng(3).integers(0, 10**18, len(seen.rows)))
    text = _apart(seen.values(), seen.values(times=other))
    return CheckResult(name, not text, text or "other times, same values")


def _goes_on(seen: _Seen) -> CheckResult:
    """Saved anywhere and restored into a fresh stream of either form, it goes on as if nothing had happened."""
    name = "a saved state goes on"
    whole = seen.values()
    warm = seen.indicator.warm_up()
    plain, fast = Stream(seen.indicator), Stream(seen.indicator, compiled=True)
    done = 0
    for cut in sorted({0, 1, warm // 2, warm - 1, warm, warm + 1, len(whole) // 2}):
        seen.streamed(plain, seen.rows[done:cut], seen.times[done:cut])
        seen.streamed(fast, seen.rows[done:cut], seen.times[done:cut])
        done = cut
        saved = json.loads(json.dumps(plain.saved()))
        if saved != fast.saved():
            return CheckResult(name, False, f"the forms hold different states after {cut} bars")
        for stream in (Stream(seen.indicator), Stream(seen.indicator, compiled=True)):
            to = cut + 150
            got = seen.streamed(stream.restored(saved), seen.rows[cut:to], seen.times[cut:to])
            if text := _apart(whole[cut:to], got):
                return CheckResult(name, False, f"saved after {cut} bars: {text}")
    return CheckResult(name, True, f"after {done} bars, and earlier")


def _no_peeking(seen: _Seen) -> CheckResult:
    cut = len(seen.rows) * 2 // 3
    whole = seen.values()
    other = seen.rows.copy()
    other[cut:] = other[cut:][::-1] * 1.5
    text = _apart(whole[:cut], seen.values(other)[:cut]) or _apart(whole[:cut], seen.values(seen.rows[:cut]))
    return CheckResult(
        "no look at the future", not text, text or f"the first {cut} bars, with two other futures"
    )


def _scales(seen: _Seen) -> CheckResult:
    """Prices times a power of two: every rounding is the same, so the law must hold to the last bit."""
    name = "its law of price holds"
    power = seen.indicator.price_power
    powers = power if isinstance(power, tuple) else (power,) * seen.width
    if len(powers) != seen.width:
        return CheckResult(name, False, f"price_power has {len(powers)} entries for {seen.width} outputs")
    rows = seen.rows.copy()
    rows[:, : rows.shape[1] if seen.pairs else 4] *= 4.0
    law = np.array([4.0 ** float(p or 0) for p in powers])
    text = _apart(seen.values() * law, seen.values(rows))
    return CheckResult(name, not text, text or f"to the power {powers}")


def _same(a: Floats, b: Floats) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _apart(expected: Floats, got: Floats) -> str:
    """Where two tables differ first; empty when nowhere."""
    rows = np.flatnonzero(~((expected == got) | (np.isnan(expected) & np.isnan(got))).all(axis=1))
    if not len(rows):
        return ""
    k = int(rows[0])
    return f"bar {k + 1}: {_shown(expected[k])} expected, {_shown(got[k])} answered"


def _shown(values: Any) -> str:
    return ", ".join(repr(float(value)) for value in values)
