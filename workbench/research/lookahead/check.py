"""Does a strategy look ahead? It is run again and again over changed markets, and its decisions are compared.

- The future is changed, at several instants and in several ways: what was decided before must stay.
- It is shown other markets of the same instants, and the recorded one some rows late: what it does there must not
  foresee the one that was recorded. That catches what no change of the future can: prices it carries with it in a
  constant, a file, or from an earlier run.
- It is run twice, and once more from a class that never ran: three times the same.
- The past is cut off: how many bars back do decisions depend on? That is told, not judged.

What it cannot prove: that a strategy was not fitted to the data it is tried on.
"""

import math
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import StrategyError
from workbench.feeds import Recording, open_data, synthetic, synthetic_pair, synthetic_quotes
from workbench.research.lookahead.markets import another_market, cuts, futures, late_market, moves_of
from workbench.research.lookahead.trial import Trace, Trials
from workbench.strategy import CheckResult, Strategy, check_strategy

__all__ = ["check"]

_CUTS: Final = 4
_MARKETS: Final = 3
_LATE: Final = (4, 12)  # rows
_MOST_INSTANTS: Final = 20_000
_FORESEEN: Final = 5.0  # deviations; once in some hundred thousand runs by chance
_SMOOTHED: Final = (1, 5, 20)  # rows over which what it wants is summed up
_FEWEST_MOVES: Final = 30
_PLACES: Final = 6
_WINDOW: Final = 50  # instants over which decisions must agree

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]

type Say = Callable[[str], None]


def check(
    strategy: Strategy | type[Strategy],
    data: "str | Recording | None" = None,
    *,
    quantity: float = 100.0,
    say: Say | None = None,
) -> list[CheckResult]:
    """Whether a strategy looks ahead, and the checks every strategy must pass.

    Args:
        strategy: an instance with its parameters, or the class with its defaults.
        data: a name from `workbench data list`, a file, or a `Recording`; None takes the bundled bars, or a made market
            when it decides nothing on those (pairs, quotes).
        quantity: units a target of 1 means.
        say: told what is being done.

    Raises:
        UnknownName: unknown data. StrategyError: its code raised.

    >>> from workbench.strategy import find_strategy
    >>> all(result.ok for result in check(find_strategy("RsiReversion")))
    True
    """
    chosen = strategy() if isinstance(strategy, type) else strategy
    cls, tell = type(chosen), say or _silent
    try:
        trials = Trials(chosen, quantity)
    except StrategyError as error:  # what cannot be loaded anew cannot be compared with itself
        return [CheckResult("its source travels", False, str(error))]
    tell("the checks every strategy must pass")
    required = any(parameter.required for parameter in cls.parameters_declared.values())
    results = [] if required else check_strategy(cls)
    market, whole = _market(trials, data, tell)
    decided = _decided(whole)
    text = f"{decided} decisions over {len(market):,} rows of {market.name}"
    results.append(CheckResult("it decides something here", decided > 0, text))
    if not decided:
        return results
    tell("the same market again")
    results.append(_repeats(trials, market, whole))
    tell("other futures")
    results.append(_future(trials, market, whole))
    tell("another market")
    results.append(_foresight(trials, market, whole))
    results.append(_opened(trials))
    tell("a shorter past")
    results.append(_past(trials, market, whole))
    return results


def _market(trials: Trials, data: "str | Recording | None", tell: Say) -> tuple[Recording, Trace]:
    """The market to try on, and what is decided there."""
    if data is not None:
        given = data if isinstance(data, Recording) else open_data(data)
        market = _shortened(given)
        return market, trials.run(market)
    market = open_data("SPY")
    tell(f"a first run over {market.name}")
    trace = trials.run(market)
    for made in ("quotes", "pair", "several"):
        if _decided(trace):
            break
        market = _made(made)
        tell(f"a first run over {market.name}")
        trace = trials.run(market)
    return market, trace


def _made(kind: str) -> Recording:
    if kind == "quotes":
        return synthetic_quotes(1, 20)
    return synthetic_pair(1_950) if kind == "pair" else synthetic(6, 780)


def _silent(text: str) -> None:
    pass


def _shortened(recording: Recording) -> Recording:
    instants = recording.instants
    if len(instants) <= _MOST_INSTANTS:
        return recording
    return recording.select(end_ns=int(instants[_MOST_INSTANTS - 1]))


def _decided(trace: Trace) -> int:
    """How many decisions changed anything: orders of an event strategy, new targets of a signal strategy."""
    first = [parts[0][1] for parts in trace.wants.values()]
    return sum(int(np.count_nonzero(np.diff(values, prepend=0.0))) for values in first)


def _repeats(trials: Trials, market: Recording, whole: Trace) -> CheckResult:
    name = "the same market gives the same decisions"
    again = trials.run(market)
    fresh = trials.loaded_anew()
    first, second = trials.run(market, fresh), trials.run(market, fresh)
    for other, what in (
        (again, "a second run decides differently"),
        (first, "a class that never ran decides differently"),
        (second, "the second run of a fresh class decides differently"),
    ):
        if other.what != whole.what:
            return CheckResult(name, False, f"{what}: something is kept from run to run, or drawn by chance")
    return CheckResult(name, True, "4 runs, two of them of a class loaded anew")


def _future(trials: Trials, market: Recording, whole: Trace) -> CheckResult:
    name = "other futures change nothing before them"
    tried = 0
    for cut_ns in cuts(market, _CUTS):
        expected = whole.through(cut_ns)
        for what, changed in futures(market, cut_ns):
            tried += 1
            got = trials.run(changed).through(cut_ns)
            if got != expected:
                pairs = enumerate(zip_longest(got, expected))
                at = next(k for k, (a, b) in pairs if a != b)
                when = _utc(int(whole.ts_ns[min(at, len(whole.ts_ns) - 1)]))
                text = f"a decision at {when} changes when the market after {_utc(cut_ns)} is {what}"
                return CheckResult(name, False, text)
    return CheckResult(name, True, f"{tried} of them, from {_CUTS} instants on")


def _foresight(trials: Trials, market: Recording, whole: Trace) -> CheckResult:
    """Its decisions on other markets against the moves of the recorded one, which it has not been shown. On a late one
    it may foresee what it foresees on the recorded one, that many rows later: only what it wants beyond that counts."""
    name = "it knows no prices that it was not shown"
    strongest, moves = 0.0, {iid: moves_of(market, iid) for iid in range(len(market.instruments))}
    others: list[tuple[Callable[[Recording, int], Recording], int, int]]
    others = [(another_market, seed, 0) for seed in range(1, _MARKETS + 1)]
    others += [(late_market, late, late) for late in _LATE]
    for make, number, late in others:
        try:
            trace = trials.run(make(market, number))
        except StrategyError as error:
            return CheckResult(name, False, f"it fails on another market of the same instants: {error}")
        for iid, parts in trace.wants.items():
            ts_ns, returns = moves[iid]
            for part, honest in zip(parts, whole.wants[iid], strict=True):
                wants = _by_row(ts_ns, *part)
                if late:
                    before = np.maximum(np.arange(len(ts_ns)) - late, 0)
                    wants = wants - _by_row(ts_ns, *honest)[before]
                strongest = max(strongest, *map(abs, _scores(returns, wants)))
    ok = strongest <= _FORESEEN
    if ok:
        text = (
            f"shown {len(others)} other markets, it foresees this one by {strongest:.1f} deviations: chance"
        )
    else:
        text = f"shown another market, it foresees this one by {strongest:.0f} deviations: it brings prices along"
    return CheckResult(name, ok, text)


def _by_row(ts_ns: Ints, times: Ints, values: Floats) -> Floats:
    """What it wanted at each of the rows `ts_ns`; 0 before it wanted anything."""
    if not len(times):
        return np.zeros(len(ts_ns))
    at = np.searchsorted(times, ts_ns, side="right") - 1
    return np.where(at >= 0, values[np.maximum(at, 0)], 0.0)


def _scores(returns: Floats, wants: Floats) -> list[float]:
    """How far what it wanted goes with the returns that followed, in deviations: sum(w r) / root(sum(w^2 r^2)), w the
    wants less their mean. Wants that know nothing of the returns score like chance, whatever the distribution."""
    known = np.isfinite(returns)
    scores = [0.0]
    for rows in _SMOOTHED:
        summed = np.convolve(wants, np.ones(rows))[: len(wants)]
        part = (summed - summed[known].mean())[known] * returns[known]
        if np.count_nonzero(part) >= _FEWEST_MOVES:
            scores.append(float(part.sum() / math.sqrt(float(part @ part))))
    return scores


def _opened(trials: Trials) -> CheckResult:
    name = "opens nothing while it decides"
    if trials.deciding:
        return CheckResult(
            name, False, f"its code opens {_some(trials.deciding)}: it must see its arguments alone"
        )
    loading = f"; when it is loaded it opens {_some(trials.loading)}" if trials.loading else ""
    return CheckResult(name, True, f"no file, no connection{loading}")


def _past(trials: Trials, market: Recording, whole: Trace) -> CheckResult:
    """The fewest instants of past from which on decisions are what they are with all of it."""
    name = "how far back it looks"
    instants, needed = market.instants, 0
    for at in _changes(market, whole):
        first_ns, last_ns = int(instants[at]), int(instants[min(at + _WINDOW, len(instants) - 1)])
        expected = whole.between(first_ns, last_ns)
        back = max(needed, 1)
        while back < at and _recent(trials, market, whole, at, back, last_ns) != expected:
            back *= 2
        if back >= at:
            what = "the whole past, or on what it holds" if trials.events else "the whole past"
            return CheckResult(name, True, f"at {_utc(first_ns)} decisions depend on {what} ({at} bars)")
        needed = back
    warm = f"; its indicators are warm after {whole.warm_bars}" if whole.warm_bars > 0 else ""
    return CheckResult(name, True, f"with {needed} bars of past it decides as with all of it{warm}")


def _changes(market: Recording, whole: Trace) -> list[int]:
    """Some instants (their numbers) at which decisions changed, spread over the second half of a market."""
    found = [
        times[np.flatnonzero(np.diff(values, prepend=0.0))] for [(times, values), *_] in whole.wants.values()
    ]
    at = np.unique(np.searchsorted(market.instants, np.concatenate(found)))
    late = at[(at >= len(market.instants) // 2) & (at < len(market.instants))]
    return late[np.unique(np.linspace(0, len(late) - 1, _PLACES).astype(int))].tolist() if len(late) else []


def _recent(trials: Trials, market: Recording, whole: Trace, at: int, back: int, last_ns: int) -> list[Any]:
    """What is decided from instant `at` on when only `back` instants before it are known."""
    instants = market.instants
    first_ns = int(instants[at - back])
    part = market.select(start_ns=first_ns, end_ns=last_ns)
    if trials.events:
        trace = trials.run(part)
        return trace.between(int(instants[at]), last_ns)
    before = {}
    for iid, [(ts_ns, targets), *_] in whole.wants.items():
        low, high = np.searchsorted(ts_ns, [first_ns, int(instants[at])])
        before[iid] = targets[low:high].tolist()
    return trials.by_program(part, trials.strategy, before).between(int(instants[at]), last_ns)


def _some(names: dict[str, None]) -> str:
    shown = list(names)[:3]
    return ", ".join(shown) + (", ..." if len(names) > 3 else "")


def _utc(ts_ns: int) -> str:
    return str(np.datetime64(ts_ns, "ns").astype("datetime64[s]")).replace("T", " ")
