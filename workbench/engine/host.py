"""The strategy host: strategies in their programs, grouped so that one instant costs one compiled call a class.

A `Cohort` is one program (one strategy class) with all its seats; targets live in one float64 array beside the seats.
The host decides who is asked and in which order (cohorts in order of arrival, seats in order of arrival); what an
answer leads to is decided in `core`.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from workbench.engine.exposure import Line
from workbench.engine.seats import REMOVED, Placed, Seat
from workbench.model.instrument import Instrument
from workbench.model.market import Bar
from workbench.strategy import EventProgram
from workbench.strategy.base import HOOKS

__all__ = ["FEW", "Cohort", "Program", "StrategyHost"]

FEW: Final = 4  # up to so many rows, single steps are cheaper than one batch call
_PLANS: Final = 64

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int32]
type Slots = npt.NDArray[np.int64]
type Plan = tuple[Ints, Ints, Slots]


class Program(Protocol):
    """What the host asks of a strategy class's program (`workbench.strategy.Program` is one)."""

    @property
    def form(self) -> str: ...
    @property
    def why_interpreted(self) -> str: ...

    def add(self, strategy: Any) -> int: ...
    def restart(self, row: int, strategy: Any) -> None: ...
    def release(self, row: int) -> None: ...
    def step(self, row: int, bar: Bar, pos: float) -> float: ...
    def step_many(self, rows: Ints, bar_of_row: Ints, ohlcv: Floats, pos: Floats, ts_ns: int) -> Floats: ...
    def warm(self, row: int) -> bool: ...
    def complaint(self, row: int) -> str: ...


class Cohort:
    """All seats of one program. `targets[slot]` is the seat's target as the batch call reads it."""

    __slots__ = ("_plans", "bars", "on", "program", "rounds", "rows", "seats", "targets")

    def __init__(self, program: Program) -> None:
        self.program = program
        self.seats: list[Seat] = []
        self.rows: list[int] = []
        self.on: dict[int, list[int]] = {}
        self.targets: Floats = np.zeros(16)
        self.rounds = 0  # slices that stepped every seat; `bars` holds what a seat saw besides
        self.bars: npt.NDArray[np.int64] = np.zeros(16, np.int64)
        self._plans: dict[bytes, Plan] = {}

    def add(self, seat: Seat, strategy: Any) -> None:
        """Give a seat its row and its slot."""
        row = self.program.add(strategy)
        slot = len(self.seats)
        if slot == len(self.targets):
            self.targets = np.concatenate([self.targets, np.zeros(slot)])
            self.bars = np.concatenate([self.bars, np.zeros(slot, np.int64)])
        self.bars[slot] = -self.rounds  # it has seen none of the rounds so far
        self.seats.append(seat)
        self.rows.append(row)
        self.on.setdefault(seat.iid, []).append(slot)
        self._plans.clear()
        seat.slot, seat.cohort = slot, self

    def drop(self, seat: Seat) -> None:
        """Ask this seat no more."""
        slots = self.on[seat.iid]
        slots.remove(seat.slot)
        self.program.release(self.rows[seat.slot])
        if not slots:
            del self.on[seat.iid]
        self._plans.clear()

    def plan(self, iids: bytes) -> Plan:
        """Rows, the bar of each row, and slots, for the instruments of a slice (int32 bytes)."""
        plan = self._plans.get(iids)
        if plan is None:
            slots: list[int] = []
            bars: list[int] = []
            for place, iid in enumerate(np.frombuffer(iids, "<i4").tolist()):
                here = self.on.get(iid, ())
                slots += here
                bars += [place] * len(here)
            # in order of arrival, whatever the order of instruments: it is also the fast order in memory
            order = np.argsort(np.array(slots, np.int64), kind="stable")
            slot_array = np.array(slots, np.int64)[order]
            row_array = np.array(self.rows, np.int32)[slot_array]
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[iids] = (row_array, np.array(bars, np.int32)[order], slot_array)
        return plan

    def step_slice(self, iids: bytes, ohlcv: Floats, ts_ns: int) -> tuple[list[int], list[float]]:
        """Step every seat that has a bar in the slice; slots and targets of those whose answer is new (or NaN)."""
        rows, bar_of_row, slots = self.plan(iids)
        if not len(rows):
            return [], []
        every = len(slots) == len(self.seats)
        before = self.targets[: len(slots)] if every else self.targets[slots]
        targets = self.program.step_many(rows, bar_of_row, ohlcv, before, ts_ns)
        if every:
            self.rounds += 1
        else:
            self.bars[slots] += 1
        changed = np.flatnonzero(targets != before)
        if not len(changed):
            return [], []
        return slots[changed].tolist(), targets[changed].tolist()


class StrategyHost:
    """Strategies by id, seats by (strategy_id, iid), cohorts by program, and for each instrument who is asked."""

    __slots__ = (
        "_classes",
        "_cohort_of",
        "_load",
        "_programs",
        "cohorts",
        "event_programs",
        "hooked",
        "on",
        "seats",
        "strategies",
        "timed",
    )

    def __init__(self, programs: Callable[[type], Program], load: Callable[[str, str], type]) -> None:
        self._programs = programs
        self._load = load
        self._classes: dict[tuple[str, str], type] = {}
        self._cohort_of: dict[type, Cohort] = {}
        self.strategies: dict[int, Placed] = {}
        self.seats: dict[tuple[int, int], Seat] = {}
        self.cohorts: list[Cohort] = []
        self.on: list[list[tuple[Cohort, list[int]]]] = []
        self.event_programs: dict[type, EventProgram] = {}
        self.hooked: list[list[Placed]] = []  # event strategies by iid, in order of arrival
        self.timed: list[Placed] = []  # event strategies that want timers

    def instrument_added(self) -> None:
        """Make room for the next instrument."""
        self.on.append([])
        self.hooked.append([])

    def load(self, name: str, source: str) -> type:
        """The class that `source` defines as `name`; loaded once however often it is placed.

        Raises whatever loading user code raises.
        """
        cls = self._classes.get((name, source))
        if cls is None:
            cls = self._classes[name, source] = self._load(source, name)
        return cls

    def admit(self, placed: Placed, strategy: Any, seats: list[tuple[Instrument, Line]]) -> None:
        """Give a loaded strategy its seats: it is asked from the next event on."""
        cls = type(strategy)
        if any(callable(getattr(cls, hook, None)) for hook in HOOKS):
            program = self.event_programs.get(cls)
            if program is None:
                program = self.event_programs[cls] = EventProgram(cls)
            placed.event_row = program.add(strategy)
            placed.event_program, placed.form = program, program.form
            placed.open_orders = {}
            for instrument, line in seats:
                self.seat(placed, instrument, line)
                self.hooked[instrument.iid].append(placed)
            if "on_timer" in program.hooks:
                self.timed.append(placed)
            return
        cohort = self._cohort(cls)
        for instrument, line in seats:
            self._place(self.seat(placed, instrument, line), cohort, strategy)
        placed.form, placed.why_interpreted = cohort.program.form, cohort.program.why_interpreted

    def _cohort(self, cls: type) -> Cohort:
        cohort = self._cohort_of.get(cls)
        if cohort is None:
            program = self._programs(cls)  # hashes the class's code: once a class is enough
            cohort = next((c for c in self.cohorts if c.program is program), None)
            if cohort is None:
                cohort = Cohort(program)
                self.cohorts.append(cohort)
            self._cohort_of[cls] = cohort
        return cohort

    def seat(self, placed: Placed, instrument: Instrument, line: Line) -> Seat:
        """Make and register a seat (not yet in a cohort)."""
        seat = Seat(placed, instrument, line)
        self.seats[placed.strategy_id, instrument.iid] = seat
        placed.seats.append(seat)
        return seat

    def _place(self, seat: Seat, cohort: Cohort, strategy: Any) -> None:
        cohort.add(seat, strategy)
        asked = self.on[seat.iid]
        if not any(c is cohort for c, _ in asked):
            asked.append((cohort, cohort.on[seat.iid]))

    def restart(self, placed: Placed, strategy: Any) -> None:
        """New parameters (or a clean start) for every seat of a strategy; positions and targets stay."""
        if placed.event_program is not None:
            placed.event_program.restart(placed.event_row, strategy)
        for seat in placed.seats:
            cohort = seat.cohort
            if cohort is not None:
                cohort.program.restart(cohort.rows[seat.slot], strategy)

    def remove(self, placed: Placed, reason: str) -> None:
        """Ask a strategy no more. Its seats stay registered: late fills are still its own."""
        self.withdraw(placed)
        placed.turn(REMOVED, reason)

    def withdraw(self, placed: Placed) -> None:
        """Take a strategy's seats out of what is asked."""
        placed.bars = self.bars_seen(placed)
        for seat in placed.seats:
            if seat.cohort is not None:
                seat.cohort.drop(seat)
                self.on[seat.iid] = [(c, slots) for c, slots in self.on[seat.iid] if slots]
                seat.cohort = None
            self.hooked[seat.iid] = [p for p in self.hooked[seat.iid] if p is not placed]
        self.timed = [p for p in self.timed if p is not placed]
        placed.event_program = None

    def warming(self, placed: Placed) -> bool:
        """Whether a running strategy still waits for enough bars on one of its instruments."""
        if not placed.running:
            return False
        if placed.event_program is not None:
            return not placed.event_program.warm(placed.event_row)
        for seat in placed.seats:
            cohort = seat.cohort
            if cohort is not None and not cohort.program.warm(cohort.rows[seat.slot]):
                return True
        return False

    def complaint(self, seat: Seat) -> str:
        """What a seat's program says about its last answer, which was no number."""
        if seat.cohort is None:
            return "the answer was no number"
        return f"{seat.instrument.symbol}: {seat.cohort.program.complaint(seat.cohort.rows[seat.slot])}"

    def bars_seen(self, placed: Placed) -> int:
        """Bars a strategy was asked about, over all its instruments."""
        batched = 0
        for seat in placed.seats:
            if seat.cohort is not None:
                batched += int(seat.cohort.bars[seat.slot]) + seat.cohort.rounds
        return placed.bars + batched
