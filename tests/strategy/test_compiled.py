"""The composed pieces serve loops of other rooms: one whole pass in registers decides as the live entry does."""

from typing import Any

import numpy as np
import pytest

from workbench.errors import BadInput
from workbench.kernels import Bollinger, Rsi, Sma
from workbench.kernels.compose import compiled_loop
from workbench.kernels.indicator import Indicator, Ohlcv
from workbench.strategy import Program, Strategy, program_for
from workbench.strategy.checks import decisions, sample_bars
from workbench.strategy.compiled import loop_key, pieces_for
from workbench.strategy.rows import RowMemory


class Both(Strategy):
    period: int = 5
    low: float = 40.0

    def indicators(self) -> dict[str, Indicator]:
        return {"rsi": Rsi(self.period), "bands": Bollinger(self.period)}

    def decide(p: Any, x: Any, pos: Any) -> Any:
        if x.rsi < p.low:
            return 1.0
        return 0.0 if x.close > x.bands.upper else pos


def test_a_fused_loop_over_the_pieces_decides_as_the_live_entry() -> None:
    bars = sample_bars(2_000)
    program = Program(Both)
    live = decisions(program, Both(), bars)
    decide: Any = Both.decide
    load, advance, warm, store, decided, emit = pieces_for(program.layout, decide)

    def whole(slots: Any, rings: Any, ohlcv: Any, targets: Any, values: Any) -> None:
        params, windows, state = load(slots, rings, 0)
        target = 0.0
        for k in range(ohlcv.shape[0]):
            bar = Ohlcv(ohlcv[k, 0], ohlcv[k, 1], ohlcv[k, 2], ohlcv[k, 3], ohlcv[k, 4], 0.0)
            state, x = advance(params, windows, state, bar)
            if warm(x):
                target = 1.0 * decided(params[0], x, target)
            targets[k] = target
            emit(values, k, x)
        store(slots, 0, state)

    memory = RowMemory(program.layout)
    memory.fill(memory.take(), Both(), Both().indicators())
    key, complete = loop_key(program.layout, decide)
    assert complete
    targets, values = np.empty(len(bars)), np.empty((len(bars), 4))
    compiled_loop(whole, f"whole_{key[:24]}")(memory.slots, memory.rings, bars, targets, values)
    assert np.array_equal(targets, live)
    assert np.isnan(values[4]).tolist() == [True, False, False, False]
    row = program.add(Both())
    target = 0.0
    for k, values_of_bar in enumerate(bars.tolist()):
        target = program.step(row, _bar(k, values_of_bar), target)
    assert memory.saved(0) == _without_flag(program.state_bytes(row), memory)


def middle(a: Any, b: Any, c: Any) -> Any:
    held = [a, b, c]
    held.sort()
    return held[1]


class Sorts(Strategy):
    """A helper makes a list, which is memory to be counted and freed."""

    def decide(p: Any, x: Any, pos: Any) -> Any:
        return 1.0 if middle(x.open, x.close, x.low) == x.close else -pos


def test_what_makes_lists_compiles_too() -> None:
    bars = sample_bars(500)
    program = Program(Sorts)
    assert program.form == "compiled", program.why_interpreted
    plain = decisions(Program(Sorts, compiled=False), Sorts(), bars)
    assert np.array_equal(decisions(program, Sorts(), bars), plain)


def _bar(k: int, values: list[float]) -> Any:
    from workbench.model.market import Bar

    return Bar(k, 0, *values)


def _without_flag(data: bytes, memory: RowMemory) -> bytes:
    """The live entry also notes that the row is warm; the loop above does not."""
    other = RowMemory(memory.layout)
    other.fill(other.take(), Both(), Both().indicators())
    other.restored(0, data)
    other.slots[0] = 0
    return other.saved(0)


@pytest.mark.parametrize("name", ["class", "a b", "close", "_own", "", 1])
def test_an_indicator_has_a_name_that_can_be_written(name: Any) -> None:
    class Named(Strategy):
        def indicators(self) -> dict[Any, Any]:
            return {name: Sma(3)}

        def decide(p: Any, x: Any, pos: Any) -> Any:
            return 1.0

    with pytest.raises(BadInput, match="cannot be used: give a plain name"):
        program_for(Named)
