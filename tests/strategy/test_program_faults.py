"""What a program says when a strategy's own code is wrong: while it runs, when it is compiled, in what it declares."""

import math
from typing import Any

import numpy as np
import pytest

from workbench.errors import BadInput, StrategyError
from workbench.kernels import Ema, Rsi, Sma
from workbench.kernels.indicator import Indicator
from workbench.model.market import Bar
from workbench.strategy import Program, Strategy


class Raising(Strategy):
    """Raises above a price; compiles."""

    limit: float = 100.0

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if x.close > p.limit:
            raise ValueError("too dear")
        return 1.0


class Texting(Strategy):
    mode: str = "long"

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if p.mode == "long" else -1.0


class Silent(Strategy):
    def decide(p: Any, x: Any, pos: Any) -> Any:  # noqa: RET503 - the missing answer is what is tested
        if x.close > 100.0:
            return 1.0


class Misspelling(Strategy):
    def indicators(self) -> dict[str, Indicator]:
        return {"rsi": Rsi(2)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if x.rsj < 30 else 0.0


def bar(close: float, k: int = 0) -> Bar:
    return Bar(k, 0, close, close, close, close, 1.0)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_raising_row_stops_alone(compiled: bool) -> None:
    program = Program(Raising, compiled=compiled)
    assert (program.form == "compiled") is compiled
    rows = np.array([program.add(Raising(limit)) for limit in (100.0, 50.0, 100.0, 60.0, 70.0)], np.int32)
    with pytest.raises(StrategyError, match=r"Raising.* raised ValueError: too dear"):
        program.step(1, bar(75.0), 0.0)
    out = program.step_many(rows, np.zeros(5, np.int32), np.full((1, 5), 65.0), np.zeros(5))
    assert np.array_equal(out, [1.0, math.nan, 1.0, math.nan, 1.0], equal_nan=True)
    assert "too dear" in program.complaint(1)
    assert "too dear" in program.complaint(3)
    assert "too dear" not in program.complaint(0)


def test_a_text_in_a_decision_is_named_and_still_decides() -> None:
    program = Program(Texting)
    assert "it reads the text parameter 'mode': use a whole number or a bool" in program.why_interpreted
    rows = [program.add(Texting()), program.add(Texting("short"))]
    assert [program.step(row, bar(1.0), 0.0) for row in rows] == [1.0, -1.0]


def test_a_path_without_an_answer_is_named() -> None:
    program = Program(Silent)
    assert "answers nothing on some path: end it with 'return pos'" in program.why_interpreted
    with pytest.raises(StrategyError, match=r"Silent\.decide raised TypeError"):
        program.step(program.add(Silent()), bar(1.0), 0.0)


def test_a_misspelt_indicator_names_the_line() -> None:
    program = Program(Misspelling)
    assert "rsj" in program.why_interpreted
    row = program.add(Misspelling())
    program.step(row, bar(1.0), 0.0)
    program.step(row, bar(2.0), 0.0)
    with pytest.raises(
        StrategyError, match=r"AttributeError: .*'rsj'.*\(line \d+: return 1.0 if x.rsj < 30 else 0.0\)"
    ):
        program.step(row, bar(3.0), 0.0)


def test_indicators_that_change_with_the_parameters_are_refused() -> None:
    class Chooser(Strategy):
        fast: bool = True

        def indicators(self) -> dict[str, Indicator]:
            return {"mean": Ema(3) if self.fast else Sma(3)}

        def decide(p: Any, x: Any, pos: Any) -> Any:
            return 1.0

    program = Program(Chooser, compiled=False)
    with pytest.raises(BadInput, match="declare all of them always"):
        program.add(Chooser(fast=False))


def test_a_parameter_without_a_default_waits_for_the_first_row() -> None:
    class Needy(Strategy):
        period: int

        def indicators(self) -> dict[str, Indicator]:
            return {"mean": Sma(self.period)}

        def decide(p: Any, x: Any, pos: Any) -> Any:
            return 1.0 if x.close > x.mean else 0.0

    program = Program(Needy, compiled=False)
    forms = [str(program.form)]
    program.add(Needy(3))
    assert [*forms, program.form] == ["pending", "interpreted"]


def test_neither_and_both_forms_are_refused() -> None:
    class Nothing(Strategy):
        pass

    class Both(Strategy):
        def decide(p: Any, x: Any, pos: Any) -> Any:
            return pos

        def on_bar(self, ctx: Any, event: Any) -> None: ...

    with pytest.raises(BadInput, match="Nothing decides nothing: define decide"):
        Program(Nothing)
    with pytest.raises(BadInput, match="keep one form"):
        Program(Both)
