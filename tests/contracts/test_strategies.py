"""Every strategy found in `strategies/` passes the shared checks; adding a file there adds it here."""

import re
from pathlib import Path

import numpy as np
import pytest

from workbench.feeds import Recording, synthetic, synthetic_pair, synthetic_quotes
from workbench.research import check
from workbench.research.loops import run_plan
from workbench.research.plan import Placement, Plan
from workbench.strategy import Program, Strategy, check_strategy, find_strategies, is_event
from workbench.strategy.checks import decisions, sample_bars
from workbench.strategy.events import Context

ROOT = Path(__file__).parents[2]
FOUND = find_strategies(ROOT / "strategies")
EXAMPLES = re.findall(r"^\| \[`(\w+)`\]", (ROOT / "docs" / "examples.md").read_text("utf-8"), re.MULTILINE)
MARKETS = [synthetic(4, 500), synthetic_pair(500), synthetic_quotes(2, 15)]


def test_the_examples_are_there() -> None:
    """A strategy of one's own in the folder needs no entry anywhere; what the page lists must be there."""
    assert set(EXAMPLES) <= set(FOUND)
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("cls", FOUND.values(), ids=list(FOUND))
def test_every_strategy_passes_the_shared_checks_and_looks_at_no_future(cls: type[Strategy]) -> None:
    results = check(cls)
    assert [result for result in results if not result.ok] == []
    assert {result.name for result in check_strategy(cls)} < {result.name for result in results}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not is_event(FOUND[name])])
def test_the_signal_examples_compile_and_trade(name: str) -> None:
    program = Program(FOUND[name])
    assert program.form == "compiled", program.why_interpreted
    targets = decisions(program, FOUND[name](), sample_bars(3_000))
    assert len(set(targets)) > 1
    assert np.count_nonzero(np.diff(targets)) > 5


@pytest.mark.parametrize("name", [name for name in EXAMPLES if is_event(FOUND[name])])
def test_the_event_examples_trade_on_their_own_kind_of_market(name: str) -> None:
    orders = 0
    for market in MARKETS:
        plan = Plan(
            market,
            (Placement.checked(FOUND[name](), [i.iid for i in market.instruments], 100.0, "quantity"),),
        )
        run = run_plan(plan)
        assert run.refusals == []
        orders += len(run.orders)
    assert orders >= 4


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name: str) -> None:
    """Counted as a reader does: no blank lines, no docstring."""
    import ast
    import inspect

    cls = FOUND[name]
    text = Path(inspect.getfile(cls)).read_text("utf-8")
    [node] = [n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    body = node.body[1:] if ast.get_docstring(node) else node.body
    lines = text.splitlines()[body[0].lineno - 1 : node.end_lineno]
    assert len([line for line in lines if line.strip()]) + 1 <= (30 if is_event(cls) else 15)


@pytest.mark.parametrize(
    "cls", [cls for cls in FOUND.values() if is_event(cls)], ids=[n for n, c in FOUND.items() if is_event(c)]
)
@pytest.mark.parametrize("market", MARKETS, ids=[market.name for market in MARKETS])
def test_an_event_strategy_does_the_same_in_both_loops(cls: type[Strategy], market: Recording) -> None:
    plan = Plan(market, (Placement.checked(cls(), [i.iid for i in market.instruments], 100.0, "quantity"),))
    quick, slow = run_plan(plan, "events"), run_plan(plan, "engine")
    assert np.array_equal(quick.fills, slow.fills)
    assert np.array_equal(quick.orders, slow.orders)
    assert quick.refusals == slow.refusals
    assert np.array_equal(quick.equity, slow.equity)


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
