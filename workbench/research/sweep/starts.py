"""Where indicators begin: which parameters a strategy's `indicators` reads, and the first memory for their values.

Sets that agree in those parameters share their indicators, so the lanes compute them once for all of them. Which ones
they are is watched, not guessed: `indicators` runs on an instance that notes every parameter it is asked for.

Lives here: the watching, the grouping, the rows. Not here: the loop over them (lane_loop.py).
"""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.errors import StrategyError, WorkbenchError
from workbench.kernels.indicator import Indicator, Ohlcv
from workbench.kernels.layout import Layout, layout_of
from workbench.kernels.start import parameter_tuple, ring_length, sample_states, told
from workbench.research.sweep.space import Space
from workbench.strategy import Strategy

__all__ = ["Row", "Starts", "starts_of"]

type Ints = npt.NDArray[np.int64]

_ROWS_KEPT = 4096
_TRIED = 1_000
"""Sets that are tried for a sample one after another, and as many more spread over the whole space."""
_SEEN = "_parameters_read"


class Row:
    """The words a group starts with (int64[stride], rings at offset 0) and how many floats its rings take."""

    __slots__ = ("rings", "words")

    def __init__(self, words: Ints, rings: int) -> None:
        self.words, self.rings = words, rings


class Starts:
    """First rows of one strategy class, by the parameters its indicators depend on.

    `fixed` are the values of parameters that no axis varies, `sample` those of one set for the others.

    Raises:
        StrategyError, BadInput: `indicators` or an indicator's `init` fails for the sample.
    """

    def __init__(self, cls: type[Strategy], fixed: Mapping[str, Any], sample: Mapping[str, Any]) -> None:
        self.cls, self.fixed = cls, dict(fixed)
        self.reads: frozenset[str] = frozenset()
        self._watched = _watched(cls)
        self._rows: dict[tuple[Any, ...], Row | str] = {}
        self._classes: dict[str, Any] = {}
        strategy = cls(**{**self.fixed, **sample})
        indicators = strategy.indicators()
        starts = sample_states(cls.__name__, indicators)
        self.layout: Layout = layout_of(cls.__name__, strategy.parameters, indicators, starts)
        self.values = sum(_values_of(indicators[part.name], starts[part.name]) for part in self.layout.parts)
        self._row_of(sample)

    def groups(self, columns: Mapping[str, npt.NDArray[Any]], count: int) -> tuple[Ints, list[Row | str]]:
        """Which group each of `count` sets belongs to, int64[count], and each group's first row; a text instead where
        the indicators cannot be made. `columns` holds the values of the parameters that vary."""
        while True:
            reads = self.reads
            names = [name for name in columns if name in reads]
            code = np.zeros(count, np.int64)
            for name in names:
                _, inverse = np.unique(columns[name], return_inverse=True)
                _, code = np.unique(code * (int(inverse.max()) + 1) + inverse, return_inverse=True)
            _, first, group = np.unique(code, return_index=True, return_inverse=True)
            rows: list[Row | str] = []
            for k in first.tolist():
                key = tuple(columns[name][k].item() for name in names)
                row = self._rows.get((reads, *key))
                if row is None:
                    row = self._row_of({name: columns[name][k].item() for name in columns})
                    if self.reads != reads:
                        break  # it read one more parameter: the groups are finer than thought
                    if len(self._rows) >= _ROWS_KEPT:
                        self._rows.clear()
                    self._rows[(reads, *key)] = row
                rows.append(row)
            else:
                return group.astype(np.int64), rows

    def _row_of(self, values: Mapping[str, Any]) -> Row | str:
        """The first row for a set, or why it cannot be made; notes in `reads` what it depended on."""
        try:
            strategy = self._watched(**{**self.fixed, **values})
            seen: set[str] = set()
            strategy.__dict__[_SEEN] = seen
            try:
                indicators = strategy.indicators()
            finally:
                self.reads |= seen
            return self._written(indicators)
        except WorkbenchError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the user's own code, for this set alone
            return told(f"{self.cls.__name__}.indicators", error)

    def _written(self, indicators: dict[str, Indicator]) -> Row:
        layout = self.layout
        words = np.zeros(layout.stride, np.int64)
        rings = 0
        given = [(name, type(indicator)) for name, indicator in indicators.items()]
        if given != [(part.name, part.indicator) for part in layout.parts]:
            raise StrategyError(
                f"{self.cls.__name__}.indicators declares others for this set: declare all of them always"
            )
        for part in layout.parts:
            indicator: Any = indicators[part.name]
            kind: Any = part.indicator
            parameters = indicator.parameters
            part.params.write(words, 0, [v for v in parameters.values() if not isinstance(v, str)])
            with np.errstate(all="ignore"):
                part.state.write(words, 0, kind.init(self._tuple(part.name, parameters)))
            if part.ring_at >= 0:
                length = ring_length(layout.owner, indicator)
                words[part.ring_at], words[part.ring_at + 1] = rings, length
                rings += length
        return Row(words, rings)

    def _tuple(self, name: str, parameters: dict[str, Any]) -> Any:
        """As `kernels.start.parameter_tuple`; the class is made once an indicator, not once a set."""
        made = self._classes.get(name)
        if made is None or made._fields != tuple(parameters):
            made = self._classes[name] = namedtuple("Parameters", parameters)
        kinds: dict[type, Any] = {bool: np.bool_, int: np.int64, float: np.float64}
        return made(*(kinds.get(type(value), lambda v: v)(value) for value in parameters.values()))


def starts_of(cls: type[Strategy], fixed: Mapping[str, Any], space: Space) -> Starts:
    """The starts, with the first set whose indicators can be made for their sample: a set that cannot be (a fast mean
    above the slow one) fails by itself, wherever it stands.

    Raises:
        StrategyError, BadInput: where no set's can be, what is wrong with the first one.
    """
    first = range(min(space.known, _TRIED))
    spread = np.linspace(0, space.known - 1, len(first)).astype(np.int64)
    trouble: Exception | None = None
    for place in dict.fromkeys([*first, *spread.tolist()]):
        sample = {name: column[0].item() for name, column in space.columns(np.array([place])).items()}
        try:
            return Starts(cls, fixed, sample)
        except Exception as error:  # noqa: BLE001 - the user's own code, for this set alone
            trouble = trouble or error
    if isinstance(trouble, WorkbenchError):
        raise trouble
    raise StrategyError(told(f"{cls.__name__}.indicators", trouble or ValueError("no sets"))) from trouble


def _values_of(indicator: Indicator, start: Any) -> int:
    """How many numbers an indicator answers a bar."""
    kind: Any = type(indicator)
    ring = np.zeros(ring_length(kind.__name__, indicator)) if kind.has_ring() else None
    bar = Ohlcv(*(np.float64(1.0) for _ in Ohlcv._fields))
    with np.errstate(all="ignore"):
        _, value = kind.step(parameter_tuple(indicator.parameters), start, ring, bar)
    return len(getattr(value, "_fields", (value,)))


def _watched(cls: type[Strategy]) -> Any:
    """A subclass whose instances note, once `_parameters_read` is a set, which parameters they are asked for."""
    declared = frozenset(cls.parameters_declared)
    whole = frozenset({"__dict__", "parameters", "__eq__", "__hash__"})
    fetch = object.__getattribute__

    def __getattribute__(self: Any, name: str) -> Any:
        seen = fetch(self, "__dict__").get(_SEEN)
        if seen is not None:
            if name in declared:
                seen.add(name)
            elif name in whole:
                seen.update(declared)
        return fetch(self, name)

    return type(cls.__name__, (cls,), {"__getattribute__": __getattribute__, "__module__": cls.__module__})
