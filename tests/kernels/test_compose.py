"""What the machine code of a fused loop is spared: counted references and calls, bar by bar."""

import re
from pathlib import Path

import numpy as np
import pytest

from workbench.kernels import Indicator, StdDev
from workbench.kernels.compose import compiled_loop, compiling_freezer, compose, types
from workbench.kernels.indicator import Ohlcv
from workbench.kernels.layout import layout_of
from workbench.kernels.start import sample_states
from workbench.strategy import Program, Strategy
from workbench.strategy.checks import decisions, sample_bars


def machine_code(indicator: Indicator) -> str:
    """The optimised code of a loop over one indicator."""
    from workbench.kernels.compose import RINGS, SLOTS

    parts = {"it": indicator}
    layout = layout_of("test", {}, parts, sample_states("test", parts))
    step = compiling_freezer().function(type(indicator).step)  # type: ignore[attr-defined]
    load, advance, _, store, _, emit = compose(layout, (step,), None)

    def loop(slots, rings, ohlcv, out):  # type: ignore[no-untyped-def]
        params, windows, state = load(slots, rings, 0)
        for k in range(ohlcv.shape[0]):
            bar = Ohlcv(ohlcv[k, 0], ohlcv[k, 1], ohlcv[k, 2], ohlcv[k, 3], ohlcv[k, 4], 0.0)
            state, x = advance(params, windows, state, bar)
            emit(out, k, x)
        store(slots, 0, state)

    compiled = compiled_loop(loop, f"looked_at_{type(indicator).__name__}")
    table = types.Array(types.float64, 2, "C")
    signature = (SLOTS, RINGS, table, table)
    compiled.compile(signature)
    text = str(compiled.inspect_llvm(signature))
    return text[: text.index("\n}\n")]  # the loop itself, not what calls it from Python


def test_a_loop_counts_no_references_per_bar_and_calls_no_step() -> None:
    code = machine_code(StdDev(20))
    assert "step" not in "".join(re.findall(r"call [^\n]*", code))
    assert len(re.findall(r"call void @NRT_incref", code)) <= 4  # one an array, before the loop
    assert len(re.findall(r"call void @NRT_decref", code)) <= 8


def depth(n: int) -> float:
    return 0.0 if n <= 0 else 1.0 + depth(n - 1)


class Recursive(Strategy):
    """A helper that calls itself cannot be inlined for good, and must work all the same."""

    def decide(p, x, pos):  # type: ignore[no-untyped-def]
        return depth(3) / 4.0 if x.close > x.open else 0.0


def test_a_helper_that_calls_itself_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    program = Program(Recursive)
    assert program.form == "compiled", program.why_interpreted
    bars = sample_bars(200)
    fast = decisions(program, Recursive(), bars)
    np.testing.assert_array_equal(fast, decisions(Program(Recursive, compiled=False), Recursive(), bars))
    assert set(fast) == {0.0, 0.75}
