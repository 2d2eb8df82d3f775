"""The event loop: a strategy's hooks called one after another with next to nothing around them, and an exact shortcut.

    hook answers nothing, no order open     nothing else happens at all
    hook answers nothing, orders open       the venue sees each event; the engine hears of it when a report comes
                                            (the same when borrowed stock or cash costs by the day)
    hook answers                            engine and venue catch up (lag.py); the engine handles the event

The engine, its risk rules, its books and the venue are the real ones, and what they get to see where it matters is what
they would have seen: orders, fills, refusals, equity and the engine's own hash are those of its own loop. Tests hold
the two together over every event strategy found and over random ones.

Not here: what cannot be run this way (`why_not` says it; the engine's own loop takes over), results (result.py).
"""

from collections.abc import Iterator
from sys import getrefcount
from typing import Any, Final

import numpy as np

from workbench.engine.hooks import context_of, orders_of
from workbench.engine.seats import OPERATOR, Placed
from workbench.errors import StrategyError
from workbench.model import MarketEvent, Report, Timer
from workbench.model.scale import SCALE
from workbench.research.engine_loop import Desk
from workbench.research.events.calls import upcoming_calls
from workbench.research.events.equity import Changes, equity_curve
from workbench.research.events.hooks import DirectProgram, Raised, lazy_context
from workbench.research.events.inputs import Inputs
from workbench.research.events.lag import Lag
from workbench.research.events.timetable import Timetable
from workbench.research.plan import Plan
from workbench.research.run import Run
from workbench.strategy import Context, Signal

__all__ = ["EventLoop", "events_run"]

_NAN: Final = float("nan")


def events_run(plan: Plan, why: str = "") -> Run:
    """Run a plan of one event strategy; by the engine's own loop when this one cannot (`Run.why` says why).

    Raises:
        StrategyError: the strategy's code raised, or answered something that is no answer.
    """
    desk = Desk(plan)
    loop = EventLoop.of(desk)
    if isinstance(loop, str):
        desk.play()
        return desk.run("engine", loop)
    loop.play()
    return desk.run("events", why)


class EventLoop:
    """One run. `EventLoop.of` answers a text instead when the engine's own loop must run it."""

    def __init__(self, desk: Desk, placed: Placed, table: Timetable, inputs: Inputs | None) -> None:
        self.desk, self.placed, self.table = desk, placed, table
        self.engine, self.match = desk.engine, desk.match
        self._all = self.match.needs_every_event  # days cost something there, orders or not
        program = placed.event_program
        assert program is not None
        self.lag = Lag(self.engine, self.match, placed, table)
        self.program = DirectProgram(program, placed.event_row, table, inputs)
        placed.event_program = self.program
        self.inputs = inputs
        self.calls = table.calls(program.hooks, None if inputs is None else inputs.warm)
        self._unit_of = memoryview(np.ascontiguousarray(self.calls.unit))
        self._n_calls = len(self._unit_of)
        symbols = desk.plan.recording.symbols
        # one place more for timers, whose instrument is -1: nothing held, and no target that a signal could equal
        self._positions = [0.0] * (len(symbols) + 1)
        self._targets = [_NAN] * (len(symbols) + 1)
        self._context: Any = lazy_context(self._whole_context)
        self._changes = Changes(
            [(0, self.engine.ledger.cash_e8)], {iid: [(0, 0)] for iid in range(len(symbols))}
        )
        self._fills_seen = len(desk.fills)
        self._look(0)

    @classmethod
    def of(cls, desk: Desk) -> "EventLoop | str":
        """The loop for what is placed, or one sentence that says why the engine's own loop must run it."""
        placed = [p for sid, p in desk.engine.host.strategies.items() if sid != OPERATOR]
        if len(placed) != 1 or placed[0].event_program is None:
            return "it takes one event strategy"
        if placed[0].halted or desk.engine.orders.active:
            return "it starts from a running strategy without orders"
        if desk.engine.sized is not None:
            return "its size is followed from bar to bar"
        recording = desk.plan.recording
        if sorted(placed[0].iids) != list(range(len(recording.instruments))):
            return "the strategy must trade every instrument of the recording"
        if recording.has_actions:
            return "the recording holds splits or dividends"
        table = Timetable(recording)
        if table.bad or table.doubled():
            return "the recording holds bars that the book refuses"
        strategy = placed[0].event_program.instance(placed[0].event_row)
        try:
            inputs = Inputs(strategy, recording) if strategy.indicators() else None
        except StrategyError as error:
            return f"an indicator raises: {error}"  # at its place in the day, as the engine tells it
        return cls(desk, placed[0], table, inputs)

    def play(self) -> None:
        """Run to the end of the recording; the desk then stands as after its own `play`.

        Raises:
            StrategyError: the strategy's code raised, or answered something that is no answer.
        """
        upcoming = upcoming_calls(self.desk.plan, self.table, self.calls, self.program.strategy, self.inputs)
        table, active = self.table, self.engine.orders.active
        unit = n = 0
        while unit < table.n:
            if active or self._all:
                unit, n = self._with_orders(upcoming, unit, n)
                continue
            if self.placed.halted:
                break
            stopped = self._freely(upcoming)
            if stopped is None:
                break
            at, answer = stopped
            unit = self._unit_of[at]
            n = self._answered(upcoming, unit, at, answer)
            unit += 1
        self.lag.engine_to(table.n)
        if not active and not self._all:
            self.lag.match_to(table.n)
        desk = self.desk
        desk.equity[:] = equity_curve(table, self._changes, desk.instants)
        if desk.plan.progress is not None:
            desk.plan.progress(table.n, table.n)

    # -- calling hooks -------------------------------------------------------------------------------------------

    def _freely(self, upcoming: Iterator[Any]) -> tuple[int, Any] | None:
        """Call hooks until one answers something new: its number and the answer; None at the end."""
        new, positions, targets, orders = self._context, self._positions, self._targets, self._orders
        ctx = new(orders)
        alone = getrefcount(ctx)
        for at, event, hook, symbol, iid, px, x in upcoming:
            ctx.ts_ns = event.ts_ns
            ctx.symbol = symbol
            ctx.position = positions[iid]
            ctx.last_px = px
            ctx.x = x
            ctx.at = at
            try:
                answer = hook(ctx, event)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge to user code: the engine halts it, by name
                return at, Raised(error)
            if getrefcount(ctx) > alone:
                ctx.positions  # noqa: B018 - somebody keeps it: it must stay what was known now
                ctx = new(orders)
            elif ctx.at != at:  # it was completed: what it says of prices is over
                ctx = new(orders)
            if answer is not None:
                if type(answer) is Signal and answer.target == targets[iid] and answer.symbol in ("", symbol):
                    continue  # what it aims at already: the engine would do nothing
                return at, answer
        return None

    def _call(self, call: Any) -> Any:
        """One hook call: the answer, or None when it wants nothing new."""
        at, event, hook, symbol, iid, px, x = call
        ctx = self._context(self._orders)
        ctx.ts_ns, ctx.symbol, ctx.last_px, ctx.x, ctx.at = event.ts_ns, symbol, px, x, at
        ctx.position = self._positions[iid]
        alone = getrefcount(ctx)
        try:
            answer = hook(ctx, event)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            return Raised(error)
        if getrefcount(ctx) > alone:
            ctx.positions  # noqa: B018 - as above
        if type(answer) is Signal and answer.target == self._targets[iid] and answer.symbol in ("", symbol):
            return None
        return answer

    def _with_orders(self, upcoming: Iterator[Any], unit: int, n: int) -> tuple[int, int]:
        """While orders are open: the venue first, then the hooks. Answers the next unit and the number of its call."""
        lag, table, units, total = self.lag, self.table, self._unit_of, self._n_calls
        placed, active, on_market = self.placed, self.engine.orders.active, self.match.on_market
        for event in table.events(unit):
            reports = on_market(event)
            lag.match_at = unit + 1
            if reports:
                self._reported(unit, reports)
            if not placed.halted:
                while n < total and units[n] == unit:
                    answer = self._call(next(upcoming))
                    n += 1
                    if answer is not None:
                        n = self._answered(upcoming, unit, n - 1, answer, event)
            unit += 1
            if not active and not self._all:
                break
        return unit, n

    def _reported(self, unit: int, reports: list[Report]) -> None:
        """The venue has reports before the engine sees the unit."""
        self.lag.engine_to(unit)
        self.program.unit = self.program.known_before = unit
        for report in reports:
            self.desk.handle(report)
        self._look(unit)

    def _answered(
        self, upcoming: Iterator[Any], unit: int, at: int, answer: Any, seen: MarketEvent | None = None
    ) -> int:
        """A hook has answered: let the engine handle the unit. `seen` is its event when the venue has had it. Answers
        the number of the next unit's first call."""
        units, program, event = self._unit_of, self.program, seen
        first = at
        while first and units[first - 1] == unit:
            first -= 1
        self.lag.engine_to(unit)
        program.unit = program.known_before = unit
        if event is None:
            event = self.table.event(unit)
            self.lag.match_to(unit)
            self.match.on_market(event)  # no order is open: nothing is reported
            self.lag.match_at = unit + 1
        program.said.extend([None] * (at - first))
        program.said.append(answer)
        self._by_engine(unit, event)
        program.said.clear()
        return self._skip(upcoming, unit, at + 1)

    def _by_engine(self, unit: int, event: MarketEvent) -> None:
        """The engine handles a unit, and its timer, as in its own loop."""
        desk = self.desk
        self.program.known_before = unit + 1
        desk.handle(event)
        if self.engine.host.timed and self.table.is_bar(unit):
            desk.handle(Timer(event.ts_ns, "bar"))
        self.lag.handled(unit)
        self._look(unit)

    def _calls_in(self, unit: int, n: int) -> int:
        """How many of the calls from number `n` on are in this unit."""
        units, total, here = self._unit_of, self._n_calls, n
        while here < total and units[here] == unit:
            here += 1
        return here - n

    def _skip(self, upcoming: Iterator[Any], unit: int, n: int) -> int:
        """Leave out the calls of this unit from number `n` on: the engine has made them."""
        calls = self._calls_in(unit, n)
        for _ in range(calls):
            next(upcoming)
        return n + calls

    def _look(self, unit: int) -> None:
        """Note what the strategy holds and aims at, and what has changed in the account."""
        positions, targets, placed = self._positions, self._targets, self.placed
        self._orders: Any = orders_of(placed) if placed.open_orders else ()
        for seat in placed.seats:
            positions[seat.iid] = seat.held_e8 / SCALE
            targets[seat.iid] = seat.target
        cash, held = self._changes
        ledger = self.engine.ledger
        if ledger.cash_e8 != cash[-1][1]:
            cash.append((unit, ledger.cash_e8))
        fills = self.desk.fills
        if len(fills) > self._fills_seen:
            orders, lines = self.engine.orders.by_id, self.engine.exposure.lines
            for fill in fills[self._fills_seen :]:
                iid = orders[fill.order_id].iid
                held[iid].append((unit, lines[iid].held_e8))
            self._fills_seen = len(fills)

    def _whole_context(self, ctx: Any) -> Context:
        unit, row = self._unit_of[ctx.at], int(self.calls.row[ctx.at])
        self.lag.peek(unit)
        return context_of(
            self.engine, self.placed, int(self.desk.plan.recording.iid[row]) if ctx.symbol else -1
        )
