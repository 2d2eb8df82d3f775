"""How one row (one strategy on one symbol) lies in memory: 64-bit slots, named, in a fixed order.

    slot 0        1 once every indicator is warm
    then          the strategy's parameters (texts left out)
    then, for each indicator: its ring's start and length (when it has one), its parameters, its state

Whole numbers, floats and truth values take one slot each. Rows of one strategy class share one layout, so they lie side
by side in one array that compiled code walks, and that is saved and restored as bytes. Rings lie in a second array.
"""

from collections import namedtuple
from collections.abc import Callable
from keyword import iskeyword
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, StrategyError
from workbench.kernels.fingerprint import fingerprint
from workbench.kernels.indicator import Indicator, Ohlcv, PairIndicator

__all__ = ["Layout", "Part", "Record", "kept", "layout_of", "record_of"]

type Slots = NDArray[np.int64]


class Record(NamedTuple):
    """A flat namedtuple in slots: `kinds` holds one letter a field (i whole, f float, b truth value)."""

    cls: Any
    kinds: str
    at: int

    @property
    def names(self) -> tuple[str, ...]:
        return self.cls._fields  # type: ignore[no-any-return]

    def write(self, slots: Slots, row_at: int, values: Any) -> None:
        """Put `values` (in field order) into the row that starts at slot `row_at`."""
        floats = slots.view(np.float64)
        for k, (kind, value) in enumerate(zip(self.kinds, values, strict=True), row_at + self.at):
            if kind == "f":
                floats[k] = value
            else:
                slots[k] = int(value)

    def read(self, slots: Slots, row_at: int) -> Any:
        """The namedtuple in the row that starts at slot `row_at`, with numpy scalars as fields."""
        floats = slots.view(np.float64)
        held = []
        for k, kind in enumerate(self.kinds, row_at + self.at):
            held.append(floats[k] if kind == "f" else np.bool_(slots[k]) if kind == "b" else slots[k])
        return self.cls(*held)


class Part(NamedTuple):
    """One indicator's place in the row; `ring_at` is -1 without a ring buffer."""

    name: str
    indicator: type[Indicator]
    ring_at: int
    params: Record
    state: Record


class Layout(NamedTuple):
    """The whole row; `x` is the namedtuple class that `decide` sees; `texts` names parameters left out."""

    owner: str
    params: Record
    parts: tuple[Part, ...]
    stride: int
    x: Any
    texts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Hash of everything compiled code assumes about the row."""
        shape = [
            (p.name, p.ring_at, p.params[1:], p.state[1:], p.params.names, p.state.names) for p in self.parts
        ]
        return fingerprint((self.params.names, self.params[1:], tuple(shape), self.stride))


def record_of(owner: str, cls: Any, sample: Any, at: int) -> Record:
    """The record that holds values like `sample`, a flat tuple of numbers."""
    kinds = ""
    for name, value in zip(cls._fields, sample, strict=True):
        if isinstance(value, (bool, np.bool_)):
            kinds += "b"
        elif isinstance(value, (int, np.integer)):
            kinds += "i"
        elif isinstance(value, (float, np.floating)):
            kinds += "f"
        else:
            raise StrategyError(
                f"{owner}: field '{name}' is {type(value).__name__}: use a whole number, float or bool"
            )
    return Record(cls, kinds, at)


def kept(what: str, record: Record, state: Any) -> Any:
    """The state with each field in the kind it started with, as a numpy scalar; StrategyError when one does not fit."""
    try:
        return record.cls(*[_CASTS[kind](value) for kind, value in zip(record.kinds, state, strict=True)])
    except (TypeError, ValueError) as error:
        raise StrategyError(f"{what}: the state {state!r} does not fit the one of init: {error}") from error


def _whole(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        raise TypeError(f"a field that starts whole became the float {value!r}")
    return np.int64(value)


_CASTS: dict[str, Callable[[Any], Any]] = {"f": np.float64, "i": _whole, "b": np.bool_}


def layout_of(
    owner: str,
    parameters: dict[str, Any],
    indicators: dict[str, Indicator],
    starts: dict[str, Any],
    *,
    pairs: bool = False,
) -> Layout:
    """The layout of a row from one example: parameter values, indicators by name, and each one's first state.

    Raises:
        BadInput: an impossible name, or an indicator of two series where `pairs` are not expected.
        StrategyError: a state that is no flat record of numbers.
    """
    numbers = {name: value for name, value in parameters.items() if not isinstance(value, str)}
    params = record_of(owner, namedtuple("Parameters", numbers), tuple(numbers.values()), 1)
    at = 1 + len(numbers)
    parts = []
    for name, indicator in indicators.items():
        given: object = name  # whatever the user's dictionary holds
        plain = isinstance(given, str) and name.isidentifier() and not iskeyword(name)
        if not plain or name.startswith("_") or name in Ohlcv._fields:
            raise BadInput(
                f"{owner}: indicator name '{name}' cannot be used: give a plain name other than a bar's field"
            )
        kind = type(indicator)
        if isinstance(indicator, PairIndicator) and not pairs:
            raise BadInput(
                f"{owner}.{name}: {kind.__name__} moves two series and a strategy's indicators see one symbol's bars: "
                f"keep a Stream({kind.__name__}(...)) in an event strategy instead"
            )
        values = {n: v for n, v in indicator.parameters.items() if not isinstance(v, str)}
        ring_at = at if kind.has_ring() else -1
        at += 2 if kind.has_ring() else 0
        held = record_of(f"{owner}.{name}", namedtuple("Parameters", values), tuple(values.values()), at)
        at += len(values)
        start = starts[name]
        if not hasattr(start, "_fields"):
            raise StrategyError(
                f"{owner}.{name}: {kind.__name__}.init answers {type(start).__name__}: give a namedtuple"
            )
        state = record_of(f"{owner}.{name}", type(start), start, at)
        at += len(start)
        parts.append(Part(name, kind, ring_at, held, state))
    x = namedtuple("Inputs", (*indicators, *Ohlcv._fields))  # type: ignore[misc]
    texts = tuple(name for name, value in parameters.items() if isinstance(value, str))
    return Layout(owner, params, tuple(parts), at, x, texts)
