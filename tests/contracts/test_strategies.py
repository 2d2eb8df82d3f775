"""Every strategy found in `strategies/` passes the shared checks; adding a file there adds it here."""

from pathlib import Path

import pytest

from workbench.strategy import Program, Strategy, check_strategy, find_strategies
from workbench.strategy.checks import decisions, sample_bars
from workbench.strategy.events import Context

FOLDER = Path(__file__).parents[2] / "strategies"
FOUND = find_strategies(FOLDER)


def test_the_examples_are_there() -> None:
    assert {"RsiReversion", "MovingAverageCross", "BollingerBreakout"} <= set(FOUND)


@pytest.mark.parametrize("cls", FOUND.values(), ids=list(FOUND))
def test_every_strategy_passes_the_shared_checks(cls: type[Strategy]) -> None:
    failed = [result for result in check_strategy(cls) if not result.ok]
    assert failed == []


@pytest.mark.parametrize("name", ["RsiReversion", "MovingAverageCross", "BollingerBreakout"])
def test_the_examples_compile_and_trade(name: str) -> None:
    program = Program(FOUND[name])
    assert program.form == "compiled", program.why_interpreted
    assert set(decisions(program, FOUND[name](), sample_bars(3_000))) == {0.0, 1.0}


@pytest.mark.parametrize("cls", FOUND.values(), ids=list(FOUND))
def test_an_example_is_at_most_15_lines(cls: type[Strategy]) -> None:
    """Counted as a reader does: no blank lines, no docstring."""
    import ast
    import inspect

    text = Path(inspect.getfile(cls)).read_text("utf-8")
    [node] = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    body = node.body[1:] if ast.get_docstring(node) else node.body
    lines = text.splitlines()[body[0].lineno - 1 : node.end_lineno]
    assert len([line for line in lines if line.strip()]) + 1 <= 15


@pytest.mark.parametrize("peeks", [True, False])
def test_the_shared_checks_catch_a_peeking_and_a_forgetful_strategy(peeks: bool) -> None:
    """The checks can fail: a strategy whose answers change from run to run is found out."""
    calls = [0]

    class Moody(Strategy):
        def on_bar(self, ctx: Context, bar: object) -> object:
            from workbench.strategy import Signal

            calls[0] += 1
            return Signal(1.0) if peeks and calls[0] == 4_000 else None

    results = {result.name: result.ok for result in check_strategy(Moody)}
    assert results["the same events give the same answers"] is not peeks
