"""Programs: compiled equals interpreted, rows, and state that goes on. Wrong strategies: `test_program_faults.py`."""

import math
import subprocess
import sys
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import BadInput, BadValue
from workbench.kernels import Atr, Bollinger, Ema, Rsi, Sma
from workbench.kernels.indicator import Indicator
from workbench.model.market import Bar
from workbench.strategy import Program, Programs, Strategy, program_for
from workbench.strategy.checks import decisions, sample_bars

BARS = sample_bars(30_000)


def banded(value: float, low: float, high: float) -> float:
    """A helper outside the class, called by `decide`."""
    return max(low, min(high, value))


class Mixed(Strategy):
    """Uses most of what a strategy may: several indicators, rings, a helper, a text, a bool, math."""

    period: int = 14
    low: float = 30.0
    calm: float = 0.004
    short: bool = True
    note: str = "free text"

    def indicators(self) -> dict[str, Indicator]:
        return {
            "rsi": Rsi(self.period),
            "near": Ema(self.period),
            "far": Sma(3 * self.period),
            "bands": Bollinger(self.period, 1.5),
            "reach": Atr(self.period),
        }

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if x.reach / x.close > p.calm:
            return 0.0
        if x.rsi < p.low and x.close < x.bands.lower:
            return 1.0
        if p.short and x.near < x.far:
            return -banded(math.sqrt(abs(x.far / x.near - 1.0)) * 10.0, 0.1, 1.0)
        return pos


class Dividing(Strategy):
    """Divides by zero in every way on flat bars (high == low)."""

    way: int = 0

    def decide(p: Any, x: Any, pos: Any) -> Any:
        span = x.high - x.low
        if p.way == 0:
            return 1.0 if (x.close - x.low) / span > 0.5 else -1.0
        if p.way == 1:
            return 1.0 if 1.0 / span > 100.0 else -1.0
        if p.way == 2:
            return 1.0 / span
        if p.way == 3:
            return 1.0 if math.log(span) < -1.0 else -1.0
        return 1.0 if math.sqrt(x.low - x.high) >= 0.0 else -1.0


class Answering(Strategy):
    value: float = 0.0

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return p.value


class Uncompilable(Strategy):
    period: int = 3

    def indicators(self) -> dict[str, Indicator]:
        return {"mean": Sma(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.close > float(f"{x.mean:.2f}") else 0.0


CountState = namedtuple("CountState", "n up total")


class Counter(Indicator):
    """A user's own indicator, with every kind of state field and two outputs."""

    start: int = 0

    def init(p: Any) -> Any:
        return CountState(p.start, False, 0.0)

    def step(p: Any, s: Any, buf: Any, bar: Any) -> Any:
        up = bar.close > bar.open
        n = s.n + 1 if up == s.up else 0
        return CountState(n, up, s.total + bar.volume), Pair(n, s.total)


Pair = namedtuple("Pair", "run traded")


class Streak(Strategy):
    start: int = 0

    def indicators(self) -> dict[str, Indicator]:
        return {"count": Counter(self.start)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return x.count.run > 2 and x.count.traded % 7 > 2


def bar(close: float, k: int = 0) -> Bar:
    return Bar(k, 0, close, close, close, close, 1.0)


@pytest.mark.parametrize("cls", [Mixed, Streak])
def test_compiled_equals_interpreted_over_30000_bars(cls: type[Strategy]) -> None:
    compiled, plain = Program(cls), Program(cls, compiled=False)
    assert compiled.form == "compiled", compiled.why_interpreted
    assert plain.form == "interpreted"
    a, b = decisions(compiled, cls(), BARS), decisions(plain, cls(), BARS)
    assert np.array_equal(a, b)
    assert len(np.unique(a)) >= 2


@given(st.integers(1, 40), st.floats(1, 99), st.floats(0, 0.05), st.booleans(), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_any_parameters_decide_alike_in_both_forms(
    period: int, low: float, calm: float, short: bool, seed: int
) -> None:
    strategy = Mixed(period, low, calm, short)
    bars = sample_bars(300, seed=seed)
    a = decisions(program_for(Mixed), strategy, bars)
    assert np.array_equal(a, decisions(Program(Mixed, compiled=False), strategy, bars))


@pytest.mark.parametrize("way", range(5))
def test_division_by_zero_answers_alike_in_both_forms(way: int) -> None:
    flat, wide = bar(100.0), Bar(0, 0, 100.0, 101.0, 99.0, 100.5, 1.0)
    for event in (flat, wide):
        answers = []
        for compiled in (True, False):
            program = Program(Dividing, compiled=compiled)
            row = program.add(Dividing(way))
            answers.append(program.step(row, event, 0.0))
        assert answers[0] == answers[1] or (math.isnan(answers[0]) and math.isnan(answers[1])), event


@pytest.mark.parametrize("compiled", [True, False])
def test_an_answer_beyond_full_size_counts_as_full_and_nan_is_told(compiled: bool) -> None:
    program = Program(Answering, compiled=compiled)
    answers = [program.step(program.add(Answering(v)), bar(1.0), 0.0) for v in (5.0, -3.0, 0.25, math.inf)]
    assert answers[:3] == [1.0, -1.0, 0.25]
    assert math.isnan(answers[3])
    assert program.complaint(3) == "Answering.decide answered NaN or infinity: give a number from -1 to 1"


def test_what_cannot_compile_says_why_and_still_runs() -> None:
    program = Program(Uncompilable)
    assert program.form == "interpreted"
    why = program.why_interpreted
    assert why.startswith("Uncompilable runs interpreted: decide cannot be compiled: ")
    assert "\n" not in why
    assert "unsupported" in why or "not supported" in why  # the wording differs between Python versions
    assert "test_program.py line " in why
    assert len(why) < 400
    assert decisions(program, Uncompilable(), sample_bars(50)).max() == 1.0


def test_step_many_equals_single_steps() -> None:
    single, many = Program(Mixed), Program(Mixed)
    k = 40
    mine = [single.add(Mixed(period=2 + j % 7)) for j in range(k)]
    rows = np.array([many.add(Mixed(period=2 + j % 7)) for j in range(k)], np.int32)
    symbols = [sample_bars(200, seed=s) for s in range(4)]
    bar_of_row = np.array([j % 4 for j in range(k)], np.int32)
    pos = np.zeros(k)
    for t in range(200):
        table = np.array([s[t] for s in symbols])
        table.flags.writeable = False  # as it comes out of a slice's bytes
        expected = [single.step(mine[j], Bar(t, 0, *table[j % 4].tolist()), float(pos[j])) for j in range(k)]
        pos = many.step_many(rows, bar_of_row, table, pos).copy()
        assert pos.tolist() == expected
    assert all(many.state_bytes(int(r)) == single.state_bytes(m) for r, m in zip(rows, mine, strict=True))


def test_step_many_takes_reversed_and_foreign_arrays_and_refuses_wrong_ones() -> None:
    program = Program(Answering)
    rows = np.array([program.add(Answering(v)) for v in (0.1, 0.2, 0.3)], np.int64)
    table = np.asfortranarray(np.ones((2, 5), np.float32))
    out = program.step_many(rows[::-1], np.array([0, 1, 0]), table, np.zeros(6)[::2])  # type: ignore[arg-type]
    assert out.tolist() == [0.3, 0.2, 0.1]
    with pytest.raises(BadValue, match="give k rows"):
        program.step_many(np.zeros(2, np.int32), np.zeros(1, np.int32), np.ones((1, 5)), np.zeros(2))
    bad = program.step_many(np.array([9, 0], np.int32), np.zeros(2, np.int32), np.ones((1, 5)), np.zeros(2))
    assert math.isnan(bad[0])
    assert "no such row or bar" in program.complaint(9)
    assert bad[1] == 0.1


@pytest.mark.parametrize(("saved_by", "loaded_by"), [(True, True), (True, False), (False, True)])
def test_state_goes_on_in_either_form(saved_by: bool, loaded_by: bool) -> None:
    bars = sample_bars(400, seed=9)
    one, two = Program(Mixed, compiled=saved_by), Program(Mixed, compiled=loaded_by)
    one.add(Mixed())
    row, other = one.add(Mixed(5)), two.add(Mixed(5))
    target = 0.0
    for k in range(200):
        target = one.step(row, Bar(k, 0, *bars[k].tolist()), target)
    two.load_state(other, one.state_bytes(row))
    assert two.warm(other)
    again = target
    for k in range(200, 400):
        event = Bar(k, 0, *bars[k].tolist())
        target, again = one.step(row, event, target), two.step(other, event, again)
        assert target == again
    assert one.state_bytes(row) == two.state_bytes(other)


def test_a_foreign_state_is_refused() -> None:
    program, other = Program(Mixed), Program(Streak)
    row = program.add(Mixed(5))
    with pytest.raises(BadInput, match="another version of Mixed"):
        program.load_state(row, other.state_bytes(other.add(Streak())))
    with pytest.raises(BadInput, match="saved with other parameters"):
        program.load_state(row, program.state_bytes(program.add(Mixed(6))))
    with pytest.raises(BadInput, match="cannot be read"):
        program.load_state(row, b"\x00garbage")


@pytest.mark.parametrize("compiled", [True, False])
def test_rows_warm_up_restart_and_are_given_out_again(compiled: bool) -> None:
    program = Program(Uncompilable if not compiled else Mixed, compiled=compiled)
    cls = program.cls
    rows = [program.add(cls(period=3)) for _ in range(40)]  # grows the arrays while rows are alive
    for k in range(9):
        assert program.step(rows[7], bar(10.0 + k), 0.5) == 0.5 or program.warm(rows[7])
    assert program.warm(rows[7])
    assert not program.warm(rows[8])
    program.restart(rows[7], cls(period=4))
    assert not program.warm(rows[7])
    assert program.step(rows[7], bar(10.0), 0.5) == 0.5
    fresh = program.state_bytes(rows[8])
    program.step(rows[9], bar(99.0), 0.0)
    program.release(rows[9])
    with pytest.raises(BadValue, match="released it already"):
        program.release(rows[9])
    again = program.add(cls(period=3))
    assert again == rows[9]
    assert program.state_bytes(again) == fresh
    with pytest.raises(BadValue, match="rows 0 to 39"):
        program.warm(40)


@pytest.mark.parametrize("compiled", [True, False])
def test_refused_parameters_leave_the_row_as_it_was(compiled: bool) -> None:
    program = Program(Uncompilable if not compiled else Mixed, compiled=compiled)
    row = program.add(program.cls(period=3))
    program.step(row, bar(5.0), 0.0)
    before = program.state_bytes(row)
    with pytest.raises(BadValue, match="period = 0"):
        program.restart(row, program.cls(period=0))
    assert program.state_bytes(row) == before
    with pytest.raises(BadValue, match="period = 0"):
        program.add(program.cls(period=0))


def test_programs_are_shared_by_code_and_compiling_is_told() -> None:
    told: list[tuple[str, float | None]] = []
    programs = Programs(lambda name, seconds: told.append((name, seconds)))
    assert programs(Mixed) is programs(Mixed)
    assert Programs()(Mixed) is not programs(Mixed)
    assert [name for name, _ in told] == ["Mixed", "Mixed"]
    assert told[0][1] is None
    assert isinstance(told[1][1], float)


def test_importing_the_room_does_not_import_numba() -> None:
    code = "import sys, workbench.strategy, workbench.kernels; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
