"""A backtest: the live engine and the simulated venue in one plain loop over a recording.

Nothing here decides: the same `Engine`, the same risk rules, the same `Match` as on paper, the same order of events
(the venue sees an event first, its reports are handled, then the engine sees the event).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from workbench.config import SimSettings
from workbench.engine import Engine, Latency, Match
from workbench.engine.sizing import known_sizing
from workbench.errors import BadValue, StrategyError
from workbench.feeds import Recording, open_data, timer_after
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Cancel,
    Effect,
    Event,
    Filled,
    OpenAccount,
    Refusal,
    SetLimits,
    StartSession,
    StrategyHalted,
    Submit,
    to_e8,
)
from workbench.research.result import Result
from workbench.strategy import Strategy, parameters_of, strategy_source

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["backtest"]


def backtest(
    strategy: Strategy | type[Strategy],
    data: "str | Recording" = "SPY",
    *,
    symbols: Iterable[str] | None = None,
    start: str | int | None = None,
    end: str | int | None = None,
    quantity: float = 10.0,
    sizing: str = "quantity",
    cash: float = 1_000_000.0,
    sim: SimSettings | None = None,
    limits: Mapping[str, float] | None = None,
    progress: "Callable[[int, int], None] | None" = None,
) -> Result:
    """Run a strategy over recorded bars; decisions on a bar's close fill at the next open.

    Args:
        strategy: an instance with its parameters, or the class with its defaults.
        data: a name from `workbench data list`, a file, or a `Recording`.
        symbols: which of its symbols to trade; None takes all.
        start, end: dates (whole exchange days), times (the exchange's wall time unless they carry a zone) or ns;
            only bars with start <= ts <= end are seen.
        quantity: units a target of 1 means.
        cash: starting cash of the account.
        sim: latency and fees of the venue.
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
    run = _Run(recording, sim or SimSettings(), cash, limits or {})
    run.place(chosen, tuple(i.iid for i in recording.instruments), quantity, sizing)
    run.play(progress)
    return Result(
        name=type(chosen).__name__,
        parameters=dict(parameters_of(chosen)),
        recording=recording,
        engine=run.engine,
        fills=run.fills,
        refusals=run.refusals,
        equity_ts=run.equity_ts,
        equity=run.equity,
        cash=cash,
    )


class _Run:
    """One engine, one venue, and what they say to each other."""

    def __init__(
        self, recording: Recording, sim: SimSettings, cash: float, limits: Mapping[str, float]
    ) -> None:
        if not 0 < cash < 9e10:
            raise BadValue("cash", cash, "give a finite amount above 0")
        self.recording = recording
        self.engine = Engine()
        latency = Latency(sim.ack_median_us, sim.fill_median_us, sim.sigma, seed=sim.seed)
        self.match = Match(to_e8(float(cash)), latency, to_e8(sim.fee_per_unit), sim.fee_rate)
        self.fills: list[Filled] = []
        self.refusals: list[Refusal] = []
        self.equity_ts: list[int] = []
        self.equity: list[float] = []
        now = recording.start_ns - max(recording.bar_ns, 1)
        self.begin_ns = now
        self.handle(StartSession(now, 1, "backtest", "backtest", ""))
        self.handle(OpenAccount(now, "BACKTEST", to_e8(float(cash))))
        for i in recording.instruments:
            self.handle(AddInstrument.of(now, i))
        if limits:
            self.engine.risk.limits.changed(limits.items())
            self.handle(SetLimits(now, tuple(sorted(limits.items())), "backtest"))

    def place(self, strategy: Strategy, iids: tuple[int, ...], quantity: float, sizing: str) -> None:
        if not 0 < quantity < 1e10:
            raise BadValue("quantity", quantity, "give a finite number of units above 0")
        sizing = known_sizing(sizing)
        found = strategy_source(type(strategy))
        command = AddStrategy(
            self.begin_ns,
            1,
            found.name,
            found.source,
            found.code_hash,
            parameters_of(strategy),
            iids,
            sizing,
            to_e8(float(quantity)),
            found.provenance,
        )
        for effect in self.handle(command):
            if isinstance(effect, StrategyHalted):
                raise StrategyError(effect.text)

    def play(self, progress: "Callable[[int, int], None] | None") -> None:
        total = self.recording.n_events
        step = max(1, total // 100)
        engine, match = self.engine, self.match
        for number, event in enumerate(self.recording.events()):
            for report in match.on_market(event):
                self.handle(report)
            self.handle(event)
            timer = timer_after(event) if engine.host.timed else None
            if timer is not None:
                self.handle(timer)
            if not self.equity_ts or self.equity_ts[-1] != event.ts_ns:
                self.equity_ts.append(event.ts_ns)
                self.equity.append(engine.risk.equity_e8 / 1e8)
            else:
                self.equity[-1] = engine.risk.equity_e8 / 1e8
            if progress is not None and number % step == 0:
                progress(number, total)
        if progress is not None:
            progress(total, total)

    def handle(self, event: Event) -> list[Effect]:
        """One event and all that follows from it at once."""
        if type(event) is Filled:
            self.fills.append(event)
        effects = self.engine.handle(event)
        for effect in effects:
            if type(effect) is Submit:
                reports: list[Any] = self.match.submit(effect)
            elif type(effect) is Cancel:
                reports = self.match.cancel(effect)
            elif isinstance(effect, StrategyHalted) and effect.code in ("ERROR", "NAN", "TARGET", "LOAD"):
                raise StrategyError(effect.text)
            else:
                if isinstance(effect, Refusal):
                    self.refusals.append(effect)
                continue
            for report in reports:
                self.handle(report)
        return effects
