"""A program: one strategy class, with every row (one strategy instance on one symbol) it runs for.

`program_for` answers the compiled form when the class can be compiled, else the interpreted one with the reason;
both give identical decisions. Rows of the compiled form lie in one array, so one call moves all of them.
No engine, no order.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, BadValue, StrategyError
from workbench.kernels.fingerprint import Fingerprint
from workbench.kernels.indicator import Indicator
from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import sample_states, told
from workbench.model.market import Bar
from workbench.strategy.base import Strategy, is_event
from workbench.strategy.interpreted import Rows
from workbench.strategy.rows import RowMemory

__all__ = ["Program", "Programs", "code_hash", "indicators_of", "program_for"]

type Floats = NDArray[np.float64]
type OnCompile = Callable[[str, float | None], None]


def code_hash(cls: type[Strategy]) -> str:
    """What the class computes, as hex: equal in every process, whatever file or notebook cell it stands in.

    Covers its functions, parameters and everything they refer to; another Python version may give another hash.
    """
    state = Fingerprint()
    state.add(cls)
    return state.hexdigest


class Program:
    """Holds rows of one strategy class and moves them by bars.

    Args:
        cls: a signal strategy.
        compiled: False keeps it interpreted.
        on_compile: told (name, None) when compiling starts and (name, seconds) when it is done.

    `form` is "compiled" or "interpreted" ("pending" until the first `add` when a parameter has no default);
    `why_interpreted` is one sentence, empty when compiled.

    Raises:
        BadInput: no signal strategy.
        StrategyError: its `indicators` or an indicator's `init` fails.
    """

    def __init__(
        self, cls: type[Strategy], *, compiled: bool = True, on_compile: OnCompile | None = None
    ) -> None:
        if is_event(cls):
            raise BadInput(f"{cls.__name__} is an event strategy: EventProgram runs it")
        self.name = cls.__name__
        self.cls = cls
        self.form: Literal["compiled", "interpreted", "pending"] = "pending"
        self.why_interpreted = ""
        self._wanted = compiled
        self._on_compile = on_compile
        self._decide: Callable[..., Any] = cls.decide  # type: ignore[attr-defined]
        self._held: RowMemory | None = None
        self._one: Callable[..., float] | None = None
        self._many: Callable[..., None] | None = None
        self._python: Rows | None = None
        self._out: Floats = np.zeros(64)
        self._done = np.zeros(2, np.int64)  # rows done, rows there are
        self._complaints: dict[int, str] = {}
        if not any(parameter.required for parameter in cls.parameters_declared.values()):
            self._settle(cls())

    # ------------------------------------------------------------------ rows
    def add(self, strategy: Strategy) -> int:
        """A new row for `strategy`, with fresh indicators; answers its number (numbers of released rows return)."""
        indicators = self._fitting(strategy)
        row = self._memory.take()
        try:
            self._fill(row, strategy, indicators)
        except (BadInput, StrategyError):
            self._memory.release(row)
            raise
        return row

    def restart(self, row: int, strategy: Strategy) -> None:
        """New parameters for a row: its indicators start anew and warm up again."""
        self._memory.checked(row)
        self._fill(row, strategy, self._fitting(strategy))

    def release(self, row: int) -> None:
        """Forget a row; its number may be given out again."""
        self._memory.release(self._memory.checked(row))

    # ------------------------------------------------------------------ deciding
    def step(self, row: int, bar: Bar, pos: float) -> float:
        """Move a row by one bar and answer its new target in [-1, 1].

        `pos` comes back unchanged while an indicator warms up. NaN means the decision was NaN or infinite. The row
        must come from `add`.

        Raises:
            StrategyError: the strategy's own code raised.
        """
        memory = self._memory
        if self._one is None:
            return self._step_python(
                row, (bar.open, bar.high, bar.low, bar.close, bar.volume), bar.ts_ns, pos
            )
        try:
            return self._one(
                memory.slots,
                memory.rings,
                memory.at[row],
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.ts_ns,
                pos,
            )
        except Exception as error:
            raise StrategyError(told(self.name, error)) from error

    def step_many(
        self,
        rows: NDArray[np.int32],
        bar_of_row: NDArray[np.int32],
        ohlcv: Floats,
        pos: Floats,
        ts_ns: int = 0,
    ) -> Floats:
        """Move many rows in one call: row `rows[k]` by bar `ohlcv[bar_of_row[k]]`, which closes at `ts_ns`, with target
        `pos[k]` held.

        Shapes: int32[k], int32[k], float64[n, 5] (open, high, low, close, volume), float64[k]; every row at most once.
        Answers float64[k] new targets, in a buffer that the next call overwrites; NaN for a row that failed
        (`complaint` tells why), the others go on.
        """
        k = len(rows)
        if self._out.size < k:
            self._out = np.zeros(k * 2)
        out = self._out[:k]
        self._complaints.clear()
        if self._many is None:
            return self._many_python(rows, bar_of_row, ohlcv, ts_ns, pos, out)
        memory, done = self._memory, self._done
        rows = np.ascontiguousarray(rows, np.int32)
        bar_of_row = np.ascontiguousarray(bar_of_row, np.int32)
        ohlcv = np.ascontiguousarray(ohlcv, np.float64)
        pos = np.ascontiguousarray(pos, np.float64)
        if len(bar_of_row) != k or len(pos) != k or ohlcv.ndim != 2 or ohlcv.shape[1] != 5:
            shapes = (k, len(bar_of_row), len(pos), ohlcv.shape)
            raise BadValue("step_many", shapes, "give k rows, k bar places, k targets and n x 5 bars")
        done[0], done[1] = 0, memory.n
        while done[0] < k:
            try:
                self._many(memory.slots, memory.rings, rows, bar_of_row, ohlcv, ts_ns, pos, out, done)
            except Exception as error:  # noqa: BLE001 - user code; told per row, the others go on
                failed = int(done[0])
                out[failed] = np.nan
                self._complaints[int(rows[failed])] = told(self.name, error)
                done[0] = failed + 1
        return out

    def warm(self, row: int) -> bool:
        """Whether every indicator of the row has answered."""
        memory = self._memory
        return bool(memory.slots[memory.at[memory.checked(row)]])

    def complaint(self, row: int) -> str:
        """Why the row's answer was NaN in the last `step` or `step_many`."""
        return self._complaints.get(
            row, f"{self.name}.decide answered NaN or infinity: give a number from -1 to 1"
        )

    # ------------------------------------------------------------------ state
    def state_bytes(self, row: int) -> bytes:
        """The row's whole memory (parameters, indicator states, rings), equal in both forms."""
        memory = self._memory
        memory.checked(row)
        if self._python is not None:
            self._python.flush(row, memory.slots, memory.at[row])
        return memory.saved(row)

    def load_state(self, row: int, data: bytes) -> None:
        """Put back what `state_bytes` gave, into a row with the same parameters.

        Raises:
            BadInput: saved by other code, or with other parameters.
        """
        memory = self._memory
        memory.restored(memory.checked(row), data)
        if self._python is not None:
            self._python.fetch(row, memory.slots, memory.at[row], memory.rings)

    @property
    def layout(self) -> Layout:
        """How a row lies in memory (for loops of other rooms); BadInput while pending."""
        return self._memory.layout

    # ------------------------------------------------------------------ inside
    @property
    def _memory(self) -> RowMemory:
        if self._held is None:
            raise BadInput(f"{self.name} has no row yet: add one first")
        return self._held

    def _settle(self, strategy: Strategy) -> None:
        indicators = indicators_of(strategy)
        layout = layout_of(self.name, strategy.parameters, indicators, sample_states(self.name, indicators))
        why = self._compile(layout) if self._wanted else "that was asked for"
        self.form = "interpreted" if why else "compiled"
        if why:
            self.why_interpreted = f"{self.name} runs interpreted: {why}"
            self._python = Rows(layout, self._decide)
        self._held = RowMemory(layout)

    def _compile(self, layout: Layout) -> str:
        if self._on_compile is not None:
            self._on_compile(self.name, None)
        began = time.monotonic()
        from workbench.strategy.compiled import entries_for  # numba loads here, not before

        entries = entries_for(layout, self._decide)
        if self._on_compile is not None:
            self._on_compile(self.name, time.monotonic() - began)
        if isinstance(entries, str):
            return entries
        self._one, self._many = entries.one, entries.many
        return ""

    def _fitting(self, strategy: Strategy) -> dict[str, Indicator]:
        if self._held is None:
            self._settle(strategy)
        indicators = indicators_of(strategy)
        expected = [(part.name, part.indicator.__name__) for part in self._memory.layout.parts]
        given = [(name, type(indicator).__name__) for name, indicator in indicators.items()]
        if expected != given:
            raise BadInput(
                f"{self.name}.indicators answers {_listed(given)} for {strategy!r} and {_listed(expected)} otherwise: "
                "declare all of them always, and choose in decide"
            )
        return indicators

    def _fill(self, row: int, strategy: Strategy, indicators: dict[str, Indicator]) -> None:
        memory = self._memory
        rings = memory.rings
        memory.fill(row, strategy, indicators)
        self._complaints.pop(row, None)
        if self._python is not None:
            if rings is not memory.rings:
                self._python.moved(memory.slots, memory.at, memory.rings)
            self._python.open(row, strategy, indicators)
            self._python.fetch(row, memory.slots, memory.at[row], memory.rings)

    def _step_python(self, row: int, ohlcv: tuple[float, ...], ts_ns: int, pos: float) -> float:
        memory = self._memory
        assert self._python is not None
        target, warm = self._python.step(memory.checked(row), ohlcv, ts_ns, pos)
        if warm:
            memory.slots[memory.at[row]] = 1
        return target

    def _many_python(
        self, rows: Any, bar_of_row: Any, ohlcv: Any, ts_ns: int, pos: Any, out: Floats
    ) -> Floats:
        for k, row in enumerate(rows):
            try:
                out[k] = self._step_python(int(row), tuple(ohlcv[bar_of_row[k]]), ts_ns, float(pos[k]))
            except StrategyError as error:
                out[k] = np.nan
                self._complaints[int(row)] = str(error)
        return out

    def __repr__(self) -> str:
        return f"<{self.name}: {self.form}, {self._held.used if self._held else 0} rows>"


class Programs:
    """Programs by code hash: the same class placed twice, or loaded twice from its source, shares one.

    Give every engine its own (rows belong to one owner); the compiled code itself is shared by all.
    """

    def __init__(self, on_compile: OnCompile | None = None) -> None:
        self.on_compile = on_compile
        self._held: dict[str, Program] = {}

    def __call__(self, cls: type[Strategy]) -> Program:
        key = code_hash(cls)
        if key not in self._held:
            self._held[key] = Program(cls, on_compile=self.on_compile)
        return self._held[key]


program_for = Programs()


def indicators_of(strategy: Strategy) -> dict[str, Indicator]:
    """The indicators a strategy declares, by name.

    Raises:
        StrategyError: its own code raised (the message quotes the user's line), or answered something else.
    """
    name = type(strategy).__name__
    try:
        indicators = strategy.indicators()
    except (BadInput, StrategyError):
        raise
    except Exception as error:
        raise StrategyError(told(f"{name}.indicators", error)) from error
    named: Any = indicators
    if not isinstance(named, dict) or not all(isinstance(i, Indicator) for i in named.values()):
        raise StrategyError(f"{name}.indicators answers {named!r}: give a dictionary of name to indicator")
    return indicators


def _listed(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in pairs) or "none"
