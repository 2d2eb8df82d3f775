"""`backtest`: a strategy over recorded bars, by the fastest loop that answers as the live engine would."""

from collections.abc import Iterable, Mapping

from workbench.config import SimSettings
from workbench.engine import Sizing
from workbench.errors import BadValue
from workbench.feeds import Recording, open_data
from workbench.research.loops import run_plan
from workbench.research.plan import Placement, Plan, Progress
from workbench.research.result import Result
from workbench.strategy import Strategy, parameters_of

__all__ = ["backtest"]


def backtest(
    strategy: Strategy | type[Strategy],
    data: "str | Recording" = "SPY",
    *,
    symbols: Iterable[str] | None = None,
    start: str | int | None = None,
    end: str | int | None = None,
    quantity: float = 10.0,
    sizing: str | Sizing = "quantity",
    cash: float = 1_000_000.0,
    fill: str = "next_open",
    flat_at_end: bool = False,
    loop: str = "auto",
    sim: SimSettings | None = None,
    limits: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Run a strategy over recorded bars; decisions on a bar's close fill at the next open.

    Args:
        strategy: an instance with its parameters, or the class with its defaults.
        data: a name from `workbench data list`, a file, or a `Recording`.
        symbols: which of its symbols to trade; None takes all.
        start, end: dates (whole exchange days), times (the exchange's wall time unless they carry a zone) or ns;
            only bars with start <= ts <= end are seen.
        quantity: units a target of 1 means; with another `sizing` what that says.
        sizing: quantity, percent, notional, volatility, kelly or risk, by name or with parameters as a
            `workbench.engine.Sizing`.
        cash: starting cash of the account.
        fill: "next_open", or "close" to fill at the very close that was decided on.
        flat_at_end: close what is held at the last bar's close.
        loop: "auto" takes the fastest loop that answers as the live engine would; "compiled" and "engine" ask for
            one. `result.run.loop` names the one that ran, `result.run.why` what kept it from a faster one.
        sim: latency and fees of the venue; no latency when omitted.
        limits: risk limits by name (`workbench.engine.Limits`).
        progress: called about a hundred times with (events done, events in all).

    Raises:
        UnknownName, BadValue: unknown data, symbol, limit or date. StrategyError: its code raised or answered NaN.

    >>> import workbench as wb
    >>> result = wb.backtest(wb.strategies.RsiReversion(period=14), data="SPY")
    >>> result.stats["fills"] > 0
    True
    """
    chosen = strategy() if isinstance(strategy, type) else strategy
    recording = data if isinstance(data, Recording) else open_data(data, None, start, end)
    names = list(symbols) if symbols is not None else list(recording.symbols)
    if not names:
        raise BadValue("symbols", names, "name at least one symbol of the data")
    recording = recording.select(names)
    iids = (instrument.iid for instrument in recording.instruments)
    plan = Plan(
        recording=recording,
        placements=(Placement.checked(chosen, iids, quantity, sizing),),
        cash=float(cash),
        sim=sim or SimSettings(ack_median_us=0, fill_median_us=0),
        limits=dict(limits or {}),
        fill=fill,
        flat_at_end=flat_at_end,
        progress=progress,
    )
    return Result(run_plan(plan, loop), type(chosen).__name__, dict(parameters_of(chosen)))
