"""The checks every strategy must pass, ours and the users': run by the tests over all that is found, and by hand."""

import numpy as np
from numpy.typing import NDArray

from workbench.errors import StrategyError, UnknownName
from workbench.kernels.checks import CheckResult, sample_bars, sample_times
from workbench.model.market import Bar
from workbench.strategy.base import Strategy, is_event
from workbench.strategy.event_checks import check_hooks
from workbench.strategy.loader import load_strategy
from workbench.strategy.program import Program, code_hash
from workbench.strategy.provenance import strategy_source

__all__ = ["CheckResult", "check_strategy", "decisions", "sample_bars"]

type Bars = NDArray[np.float64]


def check_strategy(cls: type[Strategy], bars: Bars | None = None) -> list[CheckResult]:
    """All checks on one class with its default parameters, on `bars` (float64[n, 5]; default: 3,000 made ones).

    Raises:
        BadInput: the class is no strategy, or a parameter has no default.
        StrategyError: its own code raised.
    """
    table = sample_bars(3_000) if bars is None else bars
    shared = [_parameters(cls), _travels(cls)]
    if is_event(cls):
        return [*shared, *check_hooks(cls, table)]
    return [*shared, *_forms(cls, table), _no_peeking(cls, table), _survives(cls, table)]


def decisions(program: Program, strategy: Strategy, bars: Bars) -> NDArray[np.float64]:
    """The target after every bar, from flat; NaN from the first NaN on."""
    row = program.add(strategy)
    out = np.full(len(bars), np.nan)
    target = 0.0
    for k, bar in enumerate(_bars(bars)):
        target = program.step(row, bar, target)
        if target != target:
            break
        out[k] = target
    program.release(row)
    return out


def _parameters(cls: type[Strategy]) -> CheckResult:
    try:
        cls(no_such_parameter=1)
    except UnknownName as error:
        return CheckResult("misspelt parameters are refused", True, str(error))
    return CheckResult("misspelt parameters are refused", False, "an unknown parameter was taken")


def _travels(cls: type[Strategy]) -> CheckResult:
    name = "its source travels"
    try:
        source = strategy_source(cls)
    except StrategyError as error:
        return CheckResult(name, False, str(error))
    same = code_hash(load_strategy(source.source, cls.__name__)) == source.code_hash
    return CheckResult(name, same, f"{source.provenance}, code {source.code_hash[:12]}")


def _forms(cls: type[Strategy], bars: Bars) -> list[CheckResult]:
    program = Program(cls)
    first = decisions(program, cls(), bars)
    again = decisions(program, cls(), bars)
    results = [
        CheckResult("the same bars give the same decisions", _equal(first, again), f"{len(bars)} bars")
    ]
    if program.form == "compiled":
        plain = decisions(Program(cls, compiled=False), cls(), bars)
        apart = np.flatnonzero(~((first == plain) | (np.isnan(first) & np.isnan(plain))))
        text = f"{len(bars)} bars" if not len(apart) else f"first apart on bar {apart[0]}"
        results.append(CheckResult("compiled equals interpreted", not len(apart), text))
    else:
        results.append(CheckResult("compiled equals interpreted", True, program.why_interpreted))
    sane = not bool(np.isnan(first).any())
    results.append(
        CheckResult("every decision is a number", sane, "" if sane else "NaN or infinity was answered")
    )
    return results


def _no_peeking(cls: type[Strategy], bars: Bars) -> CheckResult:
    """Decisions up to a bar stay when everything after it is different."""
    cut = len(bars) * 2 // 3
    program = Program(cls)
    whole = decisions(program, cls(), bars)
    other = bars.copy()
    other[cut:] = other[cut:][::-1] * 1.5
    changed = decisions(program, cls(), other)
    short = decisions(program, cls(), bars[:cut])
    same = _equal(whole[:cut], short) and _equal(whole[:cut], changed[:cut])
    return CheckResult("no look at the future", same, f"the first {cut} decisions, with two other futures")


def _survives(cls: type[Strategy], bars: Bars) -> CheckResult:
    """Saved in the middle and restored into another program, it decides as if nothing had happened."""
    name = "a saved state goes on"
    cut = len(bars) // 2
    one, two = Program(cls), Program(cls)
    row, other = one.add(cls()), two.add(cls())
    target = 0.0
    events = _bars(bars)
    for bar in events[:cut]:
        target = one.step(row, bar, target)
    two.load_state(other, one.state_bytes(row))
    restored = target
    for k, bar in enumerate(events[cut:], cut):
        target, restored = one.step(row, bar, target), two.step(other, bar, restored)
        if target != restored and not (target != target and restored != restored):
            return CheckResult(name, False, f"apart on bar {k}")
    same = one.state_bytes(row) == two.state_bytes(other)
    return CheckResult(name, same, f"saved after {cut} bars")


def _bars(bars: Bars) -> list[Bar]:
    """The table as minutes of trading days, so that what reads the clock has one."""
    return [Bar(ts, 0, *bar) for ts, bar in zip(sample_times(len(bars)).tolist(), bars.tolist(), strict=True)]


def _equal(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))
