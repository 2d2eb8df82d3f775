"""A program: one strategy class, with every row (one strategy instance on one symbol) it runs for.

`program_for` answers the compiled form when the class can be compiled, else the interpreted one with the reason;
both give identical decisions. Rows of the compiled form lie in one array, so one call moves all of them.
No engine, no order.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, BadValue, StrategyError
from workbench.kernels.fingerprint import Fingerprint
from workbench.kernels.indicator import Indicator
from workbench.kernels.layout import Layout, layout_of
from workbench.model.market import Bar
from workbench.strategy.base import Strategy, is_event
from workbench.strategy.interpreted import Rows, ring_length, sample_states

__all__ = ["Program", "Programs", "code_hash", "program_for"]

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
        self._layout: Layout | None = None
        self._one: Callable[..., float] | None = None
        self._many: Callable[..., None] | None = None
        self._n = 0
        self._at: list[
            int
        ] = []  # where each row starts; also turns a row that does not exist into an IndexError
        self._free: list[int] = []
        self._slots: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rings: Floats = np.zeros(0)
        self._rings_used = 0
        self._rings_free: dict[int, list[int]] = {}
        self._stride = 0
        self._out: Floats = np.zeros(0)
        self._done = np.zeros(2, np.int64)  # rows done, rows there are
        self._complaints: dict[int, str] = {}
        self._python: Rows | None = None
        if not any(parameter.required for parameter in cls.parameters_declared.values()):
            self._settle(cls())

    # ------------------------------------------------------------------ rows
    def add(self, strategy: Strategy) -> int:
        """A new row for `strategy`, with fresh indicators; answers its number (numbers of released rows return)."""
        indicators = self._fitting(strategy)
        if self._free:
            row = self._free.pop()
        else:
            row = self._n
            self._n += 1
            self._at.append(row * self._stride)
            if self._n * self._stride > self._slots.size:
                grown = np.zeros(max(16, self._n * 2) * self._stride, np.int64)
                grown[: self._slots.size] = self._slots
                self._slots = grown
        self._fill(row, strategy, indicators)
        return row

    def restart(self, row: int, strategy: Strategy) -> None:
        """New parameters for a row: its indicators start anew and warm up again."""
        self._check_row(row)
        indicators = self._fitting(strategy)
        self._give_back_rings(row)
        self._fill(row, strategy, indicators)

    def release(self, row: int) -> None:
        """Forget a row; its number may be given out again."""
        self._check_row(row)
        self._give_back_rings(row)
        self._slots[row * self._stride : (row + 1) * self._stride] = 0
        self._free.append(row)

    # ------------------------------------------------------------------ deciding
    def step(self, row: int, bar: Bar, pos: float) -> float:
        """Move a row by one bar and answer its new target in [-1, 1].

        `pos` comes back unchanged while an indicator warms up. NaN means the decision was NaN or infinite: `complaint`
        tells. The row must come from `add`.

        Raises:
            StrategyError: the strategy's own code raised.
        """
        if self._one is None:
            return self._step_python(row, bar.open, bar.high, bar.low, bar.close, bar.volume, pos)
        try:
            return self._one(
                self._slots,
                self._rings,
                self._at[row],
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                pos,
            )
        except Exception as error:
            raise StrategyError(f"{self.name} raised {_said(error)}") from error

    def step_many(
        self,
        rows: NDArray[np.int32],
        bar_of_row: NDArray[np.int32],
        ohlcv: Floats,
        pos: Floats,
    ) -> Floats:
        """Move many rows in one call: row `rows[k]` by bar `ohlcv[bar_of_row[k]]` with target `pos[k]` held.

        Shapes: int32[k], int32[k], float64[n, 5] (open, high, low, close, volume), float64[k]; every row at most once.
        Answers float64[k] new targets, in a buffer that the next call overwrites; NaN for a row that failed
        (`complaint` tells why), the others go on.
        """
        k = len(rows)
        if self._out.size < k:
            self._out = np.zeros(max(64, k * 2))
        out = self._out[:k]
        if self._many is None:
            self._complaints.clear()
            return self._many_python(rows, bar_of_row, ohlcv, pos, out)
        rows = np.ascontiguousarray(rows, np.int32)
        bar_of_row = np.ascontiguousarray(bar_of_row, np.int32)
        ohlcv = np.ascontiguousarray(ohlcv, np.float64)
        pos = np.ascontiguousarray(pos, np.float64)
        if len(bar_of_row) != k or len(pos) != k or ohlcv.ndim != 2 or ohlcv.shape[1] != 5:
            raise BadValue(
                "step_many",
                (k, len(bar_of_row), len(pos), ohlcv.shape),
                "give k, k, k numbers and n x 5 bars",
            )
        self._complaints.clear()
        self._done[0] = 0
        self._done[1] = self._n
        while self._done[0] < k:
            try:
                self._many(self._slots, self._rings, rows, bar_of_row, ohlcv, pos, out, self._done)
            except Exception as error:  # noqa: BLE001 - user code; told per row, the others go on
                failed = int(self._done[0])
                out[failed] = np.nan
                self._complaints[int(rows[failed])] = f"{self.name} raised {_said(error)}"
                self._done[0] = failed + 1
        return out

    def warm(self, row: int) -> bool:
        """Whether every indicator of the row has answered."""
        self._check_row(row)
        return bool(self._slots[row * self._stride])

    def complaint(self, row: int) -> str:
        """Why the row's last answer was NaN."""
        return self._complaints.get(
            row, f"{self.name}.decide answered NaN or infinity: give a number from -1 to 1"
        )

    # ------------------------------------------------------------------ state
    def state_bytes(self, row: int) -> bytes:
        """The row's whole memory (parameters, indicator states, rings), equal in both forms."""
        self._check_row(row)
        layout = self._settled
        if self._python is not None:
            self._python.flush(row, self._slots, row * self._stride)
        slots = self._slots[row * self._stride : (row + 1) * self._stride].copy()
        rings = []
        for part in layout.parts:
            if part.ring_at >= 0:
                start, length = slots[part.ring_at], slots[part.ring_at + 1]
                rings.append(self._rings[start : start + length].astype("<f8").tobytes())
                slots[part.ring_at] = 0
        return msgspec.msgpack.encode((layout.key, slots.astype("<i8").tobytes(), rings))

    def load_state(self, row: int, data: bytes) -> None:
        """Put back what `state_bytes` gave. The row must have the same parameters.

        Raises:
            BadInput: saved by other code, or with other parameters.
        """
        self._check_row(row)
        layout = self._settled
        try:
            key, raw, rings = msgspec.msgpack.decode(data, type=tuple[str, bytes, list[bytes]])
        except msgspec.DecodeError as error:
            raise BadInput(f"the saved state of {self.name} cannot be read: let it warm up anew") from error
        if key != layout.key or len(raw) != 8 * self._stride:
            raise BadInput(f"the saved state belongs to another version of {self.name}: let it warm up anew")
        saved = np.frombuffer(raw, "<i8")
        here = self._slots[row * self._stride : (row + 1) * self._stride]
        own = [range(layout.params.at, layout.params.at + len(layout.params.kinds))]
        own += [range(part.params.at, part.params.at + len(part.params.kinds)) for part in layout.parts]
        own += [range(part.ring_at + 1, part.ring_at + 2) for part in layout.parts if part.ring_at >= 0]
        if any(saved[k] != here[k] for span in own for k in span):
            raise BadInput(f"the state of {self.name} was saved with other parameters: let it warm up anew")
        starts = {part.ring_at: int(here[part.ring_at]) for part in layout.parts if part.ring_at >= 0}
        here[:] = saved
        for (at, start), ring in zip(starts.items(), rings, strict=True):
            here[at] = start
            values = np.frombuffer(ring, "<f8")
            self._rings[start : start + len(values)] = values
        if self._python is not None:
            self._python.fetch(row, self._slots, row * self._stride, self._rings)

    # ------------------------------------------------------------------ inside
    @property
    def layout(self) -> Layout:
        """How a row lies in memory (for loops of other rooms); BadInput while pending."""
        return self._settled

    @property
    def _settled(self) -> Layout:
        if self._layout is None:
            raise BadInput(f"{self.name} has no row yet: add one first")
        return self._layout

    def _settle(self, strategy: Strategy) -> None:
        indicators = _indicators(strategy)
        layout = layout_of(self.name, strategy.parameters, indicators, sample_states(self.name, indicators))
        self._layout = layout
        self._stride = layout.stride
        why = "asked for" if not self._wanted else self._compile(layout)
        self.form = "interpreted" if why else "compiled"
        if why:
            self.why_interpreted = f"{self.name} runs interpreted: {why}"
            self._python = Rows(layout, self._decide)

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
        if self._layout is None:
            self._settle(strategy)
        layout = self._settled
        indicators = _indicators(strategy)
        expected = [(part.name, part.indicator.__name__) for part in layout.parts]
        given = [(name, type(indicator).__name__) for name, indicator in indicators.items()]
        if expected != given:
            raise BadInput(
                f"{self.name}.indicators answers {_listed(given)} for {strategy!r} and {_listed(expected)} otherwise: "
                "declare all of them always, and choose in decide"
            )
        return indicators

    def _fill(self, row: int, strategy: Strategy, indicators: dict[str, Indicator]) -> None:
        layout = self._settled
        at = row * self._stride
        self._slots[at : at + self._stride] = 0
        self._complaints.pop(row, None)
        layout.params.write(
            self._slots, at, [v for v in strategy.parameters.values() if not isinstance(v, str)]
        )
        starts = sample_states(self.name, indicators)
        for part in layout.parts:
            indicator = indicators[part.name]
            part.params.write(
                self._slots, at, [v for v in indicator.parameters.values() if not isinstance(v, str)]
            )
            part.state.write(self._slots, at, starts[part.name])
            if part.ring_at >= 0:
                length = ring_length(self.name, indicator)
                self._slots[at + part.ring_at] = self._ring_start(length)
                self._slots[at + part.ring_at + 1] = length
        if self._python is not None:
            self._python.open(row, strategy, indicators)
            self._python.fetch(row, self._slots, at, self._rings)

    def _ring_start(self, length: int) -> int:
        free = self._rings_free.get(length)
        if free:
            start = free.pop()
            self._rings[start : start + length] = 0.0
            return start
        start = self._rings_used
        self._rings_used += length
        if self._rings_used > self._rings.size:
            grown = np.zeros(max(1024, self._rings_used * 2))
            grown[: self._rings.size] = self._rings
            self._rings = grown
            if self._python is not None:
                self._python.moved(self._slots, self._stride, grown)
        return start

    def _give_back_rings(self, row: int) -> None:
        for part in self._settled.parts:
            if part.ring_at >= 0:
                at = row * self._stride + part.ring_at
                start, length = int(self._slots[at]), int(self._slots[at + 1])
                if length:
                    self._rings_free.setdefault(length, []).append(start)

    def _check_row(self, row: int) -> None:
        if not 0 <= row < self._n:
            raise BadValue("row", row, f"{self.name} has rows 0 to {self._n - 1}")

    def _step_python(self, row: int, *numbers: float) -> float:
        self._check_row(row)
        assert self._python is not None
        *ohlcv, pos = numbers
        target, warm = self._python.step(row, tuple(ohlcv), pos)
        if warm:
            self._slots[row * self._stride] = 1
        return target

    def _many_python(self, rows: Any, bar_of_row: Any, ohlcv: Any, pos: Any, out: Floats) -> Floats:
        for k, row in enumerate(rows):
            try:
                out[k] = self._step_python(int(row), *ohlcv[bar_of_row[k]], float(pos[k]))
            except StrategyError as error:
                out[k] = np.nan
                self._complaints[int(row)] = str(error)
        return out

    def __repr__(self) -> str:
        return f"<{self.name}: {self.form}, {self._n - len(self._free)} rows>"


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


def _indicators(strategy: Strategy) -> dict[str, Indicator]:
    name = type(strategy).__name__
    try:
        indicators = strategy.indicators()
    except (BadInput, StrategyError):
        raise
    except Exception as error:
        raise StrategyError(f"{name}.indicators raised {_said(error)}") from error
    if not isinstance(indicators, dict) or not all(isinstance(i, Indicator) for i in indicators.values()):
        raise StrategyError(
            f"{name}.indicators answers {indicators!r}: give a dictionary of name to indicator"
        )
    return indicators


def _listed(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in pairs) or "none"


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
