"""The checks of event strategies: every hook that the market calls, over two made symbols, without an engine.

What an engine adds (orders that work, fills, positions) is tried by `research.check`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import StrategyError, WorkbenchError
from workbench.kernels.checks import CheckResult, sample_times
from workbench.model.commands import Timer
from workbench.model.market import Bar, Quote, Trade
from workbench.strategy.base import Strategy
from workbench.strategy.event_program import EventProgram
from workbench.strategy.events import Context
from workbench.strategy.loader import load_strategy
from workbench.strategy.provenance import strategy_source

__all__ = ["check_hooks"]

type Bars = NDArray[np.float64]

_SYMBOLS = ("ONE", "OTHER")
_LAG = 7  # bars by which the other symbol follows the first


def check_hooks(cls: type[Strategy], bars: Bars) -> list[CheckResult]:
    """Whether its answers repeat, do not depend on the future, and go on from a saved state."""
    return [_repeats(cls, bars), _no_peeking(cls, bars), _survives(cls, bars)]


def _repeats(cls: type[Strategy], bars: Bars) -> CheckResult:
    name = "the same events give the same answers"
    try:
        first, second = _answers(cls, bars), _answers(cls, bars)
        anew = _answers(_loaded_anew(cls), bars)
    except WorkbenchError as error:
        return CheckResult(name, False, str(error))
    said = sum(len(answers) for answers in first)
    if first != second:
        return CheckResult(name, False, "a second run answers differently")
    return CheckResult(
        name, first == anew, f"{len(first)} calls, {said} answers; a class loaded anew gives them too"
    )


def _loaded_anew(cls: type[Strategy]) -> type[Strategy]:
    """The class from its text once more: one that never ran."""
    try:
        source = strategy_source(cls).source
    except StrategyError:
        return cls  # that it does not travel is told by a check of its own
    return load_strategy(f"{source}\n# anew {id(object())}\n", cls.__name__)


def _no_peeking(cls: type[Strategy], bars: Bars) -> CheckResult:
    """Answers up to a bar stay when everything after it is different."""
    name = "no look at the future"
    cut = len(bars) * 2 // 3
    other = bars.copy()
    other[cut:] = other[cut:][::-1] * 1.5
    try:
        whole, changed, short = (_answers(cls, table) for table in (bars, other, bars[:cut]))
    except WorkbenchError as error:
        return CheckResult(name, False, str(error))
    before = len(short)
    same = whole[:before] == short and changed[:before] == short
    return CheckResult(name, same, f"the first {before} calls, with two other futures")


def _survives(cls: type[Strategy], bars: Bars) -> CheckResult:
    """Saved in the middle and restored into another program, it answers as if nothing had happened."""
    name = "a saved state goes on"
    one, two = EventProgram(cls), EventProgram(cls)
    row, other = one.add(cls()), two.add(cls())
    events = list(_events(bars, one.hooks, one.wants_bars))
    cut = len(events) // 2
    try:
        for call in events[:cut]:
            _call(one, row, call)
        try:
            saved = one.state_bytes(row)
        except StrategyError as error:
            return CheckResult(name, True, f"{error} (a restart folds the journal instead)")
        two.load_state(other, saved)
        for k, call in enumerate(events[cut:], cut):
            if _call(one, row, call) != _call(two, other, call):
                return CheckResult(name, False, f"apart at call {k}")
    except WorkbenchError as error:
        return CheckResult(name, False, str(error))
    same = one.state_bytes(row) == two.state_bytes(other)
    return CheckResult(name, same, f"saved after {cut} calls")


type Call = tuple[str, str, Any, dict[str, float]]


def _answers(cls: type[Strategy], bars: Bars) -> list[list[str]]:
    """What was answered at every call."""
    program = EventProgram(cls)
    row = program.add(cls())
    return [_call(program, row, call) for call in _events(bars, program.hooks, program.wants_bars)]


def _call(program: EventProgram, row: int, call: Call) -> list[str]:
    hook, symbol, event, prices = call
    flat = dict.fromkeys(prices, 0.0)
    ctx = Context(
        event.ts_ns, symbol, 0.0, prices.get(symbol, float("nan")), flat, dict(prices), cash=1e6, equity=1e6
    )
    return [repr(answer) for answer in program.call(row, hook, ctx, event)]


def _events(bars: Bars, hooks: frozenset[str], wants_bars: bool) -> Iterator[Call]:
    """(hook, symbol, event, prices): a quote and a print within each minute, then the bars, then the clock."""
    lagging = np.concatenate([bars[:_LAG], bars])[: len(bars)] * 0.6
    prices: dict[str, float] = {}
    for k, ts in enumerate(sample_times(len(bars)).tolist()):
        pair = [(symbol, table[k].tolist()) for symbol, table in zip(_SYMBOLS, (bars, lagging), strict=True)]
        for iid, (symbol, row) in enumerate(pair):
            opened, close, volume = row[0], row[3], row[4]
            if "on_quote" in hooks:
                prices[symbol] = opened
                quote = Quote(ts - 2, iid, opened - 0.01, 100.0, opened + 0.01, 300.0)
                yield "on_quote", symbol, quote, prices
            if "on_trade" in hooks:
                prices[symbol] = close
                yield "on_trade", symbol, Trade(ts - 1, iid, close, volume, 1 if k % 3 else -1), prices
        prices.update((symbol, row[3]) for symbol, row in pair)
        for iid, (symbol, row) in enumerate(pair):
            if wants_bars:
                yield "on_bar", symbol, Bar(ts, iid, *row), prices
        if "on_timer" in hooks:
            yield "on_timer", "", Timer(ts, "bar"), prices
