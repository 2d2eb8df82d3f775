"""A plan run by one compiled loop: exactly what the engine would have done, some ten thousand times as fast.

    class -> layout, pieces -> loop (compiled, kept on disk) -> int64 and float64 arrays -> rules doubted? -> Run

Where the loop cannot be taken, `fused_run` answers one sentence that says why; the caller runs the engine instead. That
includes every case in which a risk rule might have said no. Orders, quantities, fills and fees are equal to the
engine's; equity is equal within 1e-8 of a currency unit and 1e-12 of the sums that make it up.

Not here: one instrument (one.py), many (many.py), the loops (loop.py, panel.py).
"""

from weakref import WeakKeyDictionary

import numpy as np

from workbench.brokers.sim import beyond_plain
from workbench.engine.limits import Limits
from workbench.engine.sizing import NOTIONAL, PERCENT, UNITS
from workbench.feeds import Recording
from workbench.research.fused.many import many
from workbench.research.fused.one import one
from workbench.research.plan import Plan
from workbench.research.run import Run
from workbench.strategy import is_event
from workbench.strategy.program import indicators_of

__all__ = ["fused_run", "unfit"]

_HIGHEST_PX = 9e7
_LARGEST = {UNITS: 9e7, PERCENT: 1e5, NOTIONAL: 9e9}

_looked_at: "WeakKeyDictionary[Recording, str]" = WeakKeyDictionary()


def fused_run(plan: Plan) -> Run | str:
    """The run, or one sentence why it has to go through the engine.

    Raises:
        StrategyError, BadInput: the strategy's `indicators` or an indicator's `init` fails.
    """
    why = _cannot(plan) or unfit(plan.recording) or _declares(plan)
    if why:
        return why
    if len(plan.recording.instruments) == 1 and len(plan.placements) == 1:
        return one(plan)
    return many(plan)


def _cannot(plan: Plan) -> str:
    """What compiled loops cannot do of the plan; "" when nothing."""
    kinds = {type(placement.strategy) for placement in plan.placements}
    if len(kinds) > 1:
        return "strategies of several classes share the account"
    name = next(iter(kinds)).__name__
    if is_event(next(iter(kinds))):
        return f"{name} is an event strategy"
    for placement in plan.placements:
        if placement.sizing not in _LARGEST:
            return f"sizing '{placement.sizing}' is not compiled"
        if placement.watches_bars:
            return "sizes that are followed from bar to bar are not compiled"
        if placement.quantity > _LARGEST[placement.sizing]:
            return "the quantity is too large for exact 64-bit figures"
    sim = plan.sim
    if sim.slippage in ("ticks", "rate"):
        sim = sim.model_copy(update={"slippage": "none", "slippage_amount": 0.0})
    if plan.fees is not None:
        return "the fees are a function of their own"
    beyond = beyond_plain(sim)
    if beyond:
        return f"the venue has {beyond}"
    if plan.sim.ack_median_us or plan.sim.fill_median_us or plan.sim.measured:
        return "the venue has latency"
    limits = Limits().changed(plan.limits.items())
    if limits.hours_from_s > 0 or limits.hours_to_s < 86_400:
        return "orders may only be sent within a daily window"
    return ""


def _declares(plan: Plan) -> str:
    """A class must declare the same indicators whatever its parameters: the engine, which refuses it, says so."""
    kind = type(plan.placements[0].strategy)
    if any(parameter.required for parameter in kind.parameters_declared.values()):
        return ""  # there is no default to compare with
    usual = {name: type(indicator) for name, indicator in indicators_of(kind()).items()}
    for placement in plan.placements:
        if {name: type(indicator) for name, indicator in indicators_of(placement.strategy).items()} != usual:
            return "its parameters change which indicators it declares"
    return ""


def unfit(recording: Recording) -> str:
    """Why compiled loops cannot run over this data; looked at once."""
    why = _looked_at.get(recording)
    if why is None:
        why = _looked_at[recording] = _look(recording)
    return why


def _look(recording: Recording) -> str:
    if recording.has_actions:
        return "the data holds splits or dividends"
    if len(recording.columns("bars")) != len(recording):
        return "the data holds quotes or trades"
    if recording.start_ns <= 0:
        return "the data begins before 1970"
    o, h, low, c, v = recording.values.T
    sound = (low > 0.0) & (low <= o) & (o <= h) & (low <= c) & (c <= h) & (h < _HIGHEST_PX)
    sound &= (v >= 0.0) & (v < np.inf)
    return "" if sound.all() else "the data holds a bar that the engine would drop"
