"""The event loop: a strategy's hooks called one after another with next to nothing around them, and an exact shortcut.

    hook answers nothing, no order open     nothing else happens at all
    hook answers nothing, orders open       the venue sees each event; the engine hears of it when a report comes
    hook answers                            engine and venue catch up (events_lag.py); the engine handles the event

The engine, its risk rules, its books and the venue are the real ones, and what they get to see where it matters is what
they would have seen: orders, fills, refusals, equity and the engine's own hash are those of its own loop. Tests hold
the two together over every event strategy found and over random ones.

Not here: what cannot be run this way (`why_not` says it; the engine's own loop takes over), results (result.py).
"""

from collections.abc import Iterator
from itertools import chain, repeat
from sys import getrefcount
from typing import Any, Final

import numpy as np

from workbench.engine.hooks import context_of, orders_of
from workbench.engine.seats import OPERATOR, Placed
from workbench.errors import StrategyError
from workbench.model import Bar, MarketEvent, Quote, Timer, Trade
from workbench.model.scale import SCALE
from workbench.research.engine_loop import Desk
from workbench.research.events_equity import Changes, equity_curve
from workbench.research.events_hooks import DirectProgram, Raised, lazy_context
from workbench.research.events_inputs import Inputs
from workbench.research.events_lag import Lag
from workbench.research.events_timetable import BAR_CALL, QUOTE_CALL, TIMER_CALL, Timetable
from workbench.research.plan import CLOSE, Plan
from workbench.research.run import Run
from workbench.strategy import Context, Signal

__all__ = ["EventLoop", "events_run"]

_CHUNK: Final = 4_096  # calls laid out as Python objects at a time
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
        self._at_close = desk.plan.fill == CLOSE
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
        self._names = (*symbols, "")
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
        recording = desk.plan.recording
        if sorted(placed[0].iids) != list(range(len(recording.instruments))):
            return "the strategy must trade every instrument of the recording"
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
        upcoming = chain.from_iterable(self._chunks())
        n, table, placed, active = 0, self.table, self.placed, self.engine.orders.active
        unit = 0
        while unit < table.n:
            if active or placed.halted:
                if placed.halted and not active:
                    break
                n = self._with_orders(upcoming, unit, n)
                unit += 1
                continue
            stopped = self._freely(upcoming)
            if stopped is None:
                break
            at, answer = stopped
            unit = self._unit_of[at]
            n = self._answered(upcoming, unit, at, answer)
            unit += 1
        self.lag.engine_to(table.n)
        if not active:
            self.lag.match_to(table.n)
        desk = self.desk
        desk.equity[:] = equity_curve(table, self._changes, desk.instants)
        if desk.plan.progress is not None:
            desk.plan.progress(table.n, table.n)

    # -- calling hooks -------------------------------------------------------------------------------------------

    def _freely(self, upcoming: Iterator[Any]) -> tuple[int, Any] | None:
        """Call hooks until one answers something new: its number and the answer; None at the end."""
        context, positions, targets, orders = self._context, self._positions, self._targets, self._orders
        probe = context(0, "", 0.0, 0.0, None, (), 0)
        kept = getrefcount(probe)
        del probe
        for at, event, hook, symbol, iid, px, x in upcoming:
            ctx = context(event.ts_ns, symbol, positions[iid], px, x, orders, at)
            try:
                answer = hook(ctx, event)
            except Exception as error:  # noqa: BLE001 - the edge to user code: the engine halts it, by name
                return at, Raised(error)
            if getrefcount(ctx) > kept:
                ctx.positions  # noqa: B018 - somebody keeps it: it must stay what was known now
            if answer is not None:
                if type(answer) is Signal and answer.target == targets[iid] and answer.symbol in ("", symbol):
                    continue  # what it aims at already: the engine would do nothing
                return at, answer
        return None

    def _with_orders(self, upcoming: Iterator[Any], unit: int, n: int) -> int:
        """One unit while orders are open: the venue first, then the hooks. Answers the number of the next call."""
        lag, desk, program = self.lag, self.desk, self.program
        event = self.table.event(unit)
        program.unit = program.known_before = unit
        reports = self.match.on_market(event)
        lag.match_at = unit + 1
        if reports:
            lag.engine_to(unit)
            for report in reports:
                desk.handle(report)
            self._look(unit)
        if self._at_close and self.table.is_bar(unit):  # orders may fill between the bar and the timer
            lag.engine_to(unit)
            self._by_engine(unit, event)
            return self._skip(upcoming, unit, n)
        calls = self._calls_in(unit, n)
        if not calls or self.placed.halted:
            return n
        stopped = self._freely(_first(upcoming, calls))
        if stopped is None:
            return n + calls
        return self._answered(upcoming, unit, stopped[0], stopped[1], event)

    def _answered(
        self, upcoming: Iterator[Any], unit: int, at: int, answer: Any, seen: MarketEvent | None = None
    ) -> int:
        """A hook has answered: let the engine handle the unit. `seen` is its event when the venue has had it. Answers
        the number of the next unit's first call."""
        units, desk, program, event = self._unit_of, self.desk, self.program, seen
        first = at
        while first and units[first - 1] == unit:
            first -= 1
        self.lag.engine_to(unit)
        program.unit = program.known_before = unit
        if event is None:
            event = self.table.event(unit)
            self.lag.match_to(unit)
            for report in self.match.on_market(event):
                desk.handle(report)
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

    # -- the calls as Python objects -------------------------------------------------------------------------------

    def _chunks(self) -> Iterator[Iterator[Any]]:
        """The calls in order, as (number, event, hook, symbol, iid, price, inputs)."""
        progress = self.desk.plan.progress
        for low in range(0, self._n_calls, _CHUNK):
            if progress is not None:
                progress(self._unit_of[low] if low else 0, self.table.n)
            yield self._chunk(low, min(low + _CHUNK, self._n_calls))

    def _chunk(self, low: int, high: int) -> Iterator[Any]:
        calls, recording, strategy = self.calls, self.desk.plan.recording, self.program.strategy
        chosen = slice(low, high)
        rows, kinds, units = calls.row[chosen], calls.kind[chosen], calls.unit[chosen]
        iid = np.where(kinds == TIMER_CALL, -1, recording.iid[rows])
        ts = self.table.unit_ts[units].tolist()
        iids = iid.tolist()
        values = recording.values[rows]
        one_kind = int(kinds[0]) if (kinds == kinds[0]).all() else -1
        if one_kind == BAR_CALL:
            events: list[Any] = list(map(Bar, ts, iids, *values.T.tolist()))
            hooks: Any = repeat(strategy.on_bar)  # type: ignore[attr-defined]
        else:
            events, hooks = self._mixed(kinds, ts, iids, values, calls.opening[chosen])
        one = len(self._names) == 2 and one_kind != TIMER_CALL and -1 not in iids
        symbols = repeat(self._names[0]) if one else [self._names[i] for i in iids]
        return zip(
            range(low, high), events, hooks, symbols, repeat(0) if one else iids, calls.px[chosen].tolist(),
            self._inputs_of(iid, units, kinds), strict=False,
        )  # fmt: skip

    def _mixed(
        self, kinds: Any, ts: list[int], iids: list[int], values: Any, opening: Any
    ) -> tuple[list[Any], list[Any]]:
        events: list[Any] = [None] * len(ts)
        hooks: list[Any] = [None] * len(ts)
        strategy: Any = self.program.strategy
        for at, (kind, ts_ns, iid, row, opens) in enumerate(
            zip(kinds.tolist(), ts, iids, values.tolist(), opening.tolist(), strict=True)
        ):
            if kind == BAR_CALL:
                events[at], hooks[at] = Bar(ts_ns, iid, *row), strategy.on_bar
            elif kind == QUOTE_CALL:
                events[at], hooks[at] = Quote(ts_ns, iid, *row[:4]), strategy.on_quote
            elif kind == TIMER_CALL:
                events[at], hooks[at] = Timer(ts_ns, "bar"), strategy.on_timer
            elif opens:
                events[at], hooks[at] = Trade(ts_ns, iid, row[0]), strategy.on_trade
            else:
                events[at], hooks[at] = Trade(ts_ns, iid, row[0], row[1], int(row[2])), strategy.on_trade
        return events, hooks

    def _inputs_of(self, iid: Any, units: Any, kinds: Any) -> Any:
        """`ctx.x` of each call."""
        inputs = self.inputs
        if inputs is None:
            return repeat(None)
        made: list[Any] = [None] * len(iid)
        for one in np.unique(iid[iid >= 0]).tolist():
            mine = np.flatnonzero(iid == one)
            bar_units = np.asarray(self.table.bars[one].unit)
            bars = np.searchsorted(bar_units, units[mine], side="left")  # bars before the unit
            is_bar = kinds[mine] == BAR_CALL
            known = np.where(is_bar, bars, inputs.known_many(one, bars))
            got = inputs.many(one, known)
            if len(mine) == len(made):
                return got
            for at, x in zip(mine.tolist(), got, strict=True):
                made[at] = x
        return made


def _first(upcoming: Iterator[Any], count: int) -> Iterator[Any]:
    """The next `count` calls, taken one by one: what is not asked for stays."""
    for _ in range(count):
        yield next(upcoming)
