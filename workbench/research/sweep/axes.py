"""What may stand behind a parameter's name in a sweep, checked against the strategy before anything runs.

    period=range(5, 35)      every value          low=(10, 40)          anywhere between (random, optuna)
    low=[20, 25, 30]         every value          low=(1, 100, "log")   the same on a logarithmic scale
    high=70                  fixed                low=scipy.stats...    drawn by its `ppf`

Lives here: one axis. Not here: how axes make sets (space.py).
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput, BadValue, UnknownName
from workbench.kernels.parameters import coerced
from workbench.strategy import Strategy

__all__ = ["Choice", "Drawn", "Span", "axes_of", "column_of", "listed_sets"]

type Values = npt.NDArray[Any]

DTYPES: Final = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": np.str_}


@dataclass(frozen=True)
class Choice:
    """Listed values, each once, in the order given."""

    kind: str
    values: Values

    def at(self, u: npt.NDArray[np.float64]) -> Values:
        """Values for numbers in [0, 1)."""
        return self.values[(u * len(self.values)).astype(np.int64)]

    def told(self) -> list[Any]:
        """The axis as plain values."""
        digest = hashlib.sha256("\0".join(map(repr, self.values.tolist())).encode()).hexdigest()
        return [self.kind, len(self.values), digest]


@dataclass(frozen=True)
class Span:
    """Anywhere from `low` to `high`, both included for whole numbers."""

    kind: str
    low: float
    high: float
    log: bool

    def at(self, u: npt.NDArray[np.float64]) -> Values:
        """Values for numbers in [0, 1)."""
        low, high = self.low, self.high + (1 if self.kind == "int" else 0)
        drawn = np.exp(np.log(low) + u * (np.log(high) - np.log(low))) if self.log else low + u * (high - low)
        if self.kind == "int":
            return np.minimum(np.floor(drawn), self.high).astype(np.int64)
        return np.clip(drawn, self.low, self.high)

    def told(self) -> list[Any]:
        """The axis as plain values."""
        return [self.kind, self.low, self.high, self.log]


@dataclass(frozen=True)
class Drawn:
    """By a distribution with a quantile function `ppf`, as those of scipy.stats."""

    kind: str
    distribution: Any

    def at(self, u: npt.NDArray[np.float64]) -> Values:
        """Values for numbers in [0, 1)."""
        drawn = np.asarray(self.distribution.ppf(u), np.float64)
        return np.rint(drawn).astype(np.int64) if self.kind == "int" else drawn

    def told(self) -> list[Any]:
        """The axis as plain values: its name, and what it answers."""
        return [self.kind, self.distribution.ppf(np.arange(1, 16) / 16).tolist()]


def axes_of(
    cls: type[Strategy], given: Mapping[str, Any], *, ranges: bool
) -> tuple[dict[str, Any], dict[str, Choice | Span | Drawn]]:
    """(fixed parameters, axes) of what was given by name. `ranges`: pairs are ends, not two values.

    Raises:
        UnknownName: not a parameter of the strategy. BadValue: an empty axis, or a value of the wrong kind.
    """
    fixed: dict[str, Any] = {}
    axes: dict[str, Choice | Span | Drawn] = {}
    for name, value in given.items():
        if name not in cls.parameters_declared:
            raise UnknownName(f"parameter of {cls.__name__}", name, cls.parameters_declared)
        kind, field = cls.parameters_declared[name].kind, f"{cls.__name__}.{name}"
        if hasattr(value, "ppf"):
            if not ranges:
                raise BadValue(field, value, 'a distribution needs method="random" and n=')
            axes[name] = Drawn(_numeric(field, value, kind), value)
        elif ranges and isinstance(value, tuple) and _ends(value):
            axes[name] = _span(field, value, kind)
        elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
            if isinstance(value, Mapping | set | frozenset):
                raise BadValue(field, value, "give a list, a range or an array: its order is the axis")
            axes[name] = Choice(kind, _distinct(field, value, kind))
        else:
            fixed[name] = coerced(field, value, kind)
    return fixed, axes


def column_of(field: str, values: Any, kind: str) -> Values:
    """`values` as an array of the parameter's kind.

    Raises:
        BadValue: one of them is of the wrong kind.
    """
    array = values if isinstance(values, np.ndarray) else None
    if array is None and hasattr(values, "to_numpy"):
        array = values.to_numpy()
    if array is not None and array.ndim != 1:
        raise BadValue(field, array.shape, "give one row of values")
    quick = array is not None and array.dtype.kind in "iuf" and kind in ("int", "float")
    if quick and array is not None and np.isfinite(array).all():
        if kind == "float":
            return array.astype(np.float64)
        if array.dtype.kind in "iu" or (array == np.floor(array)).all():
            return array.astype(np.int64)
    made = [coerced(field, value, kind) for value in (values if array is None else array)]
    return np.array(made, DTYPES[kind])


def _distinct(field: str, values: Iterable[Any], kind: str) -> Values:
    column = column_of(field, values if hasattr(values, "to_numpy") else _listed(values), kind)
    if not len(column):
        raise BadValue(field, [], "give at least one value")
    _, first = np.unique(column, return_index=True)
    return column[np.sort(first)]


def _listed(values: Iterable[Any]) -> Any:
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, range):
        return np.arange(values.start, values.stop, values.step, dtype=np.int64)
    return list(values)


def _ends(value: tuple[Any, ...]) -> bool:
    return len(value) == 2 or (len(value) == 3 and isinstance(value[2], str))


def _numeric(field: str, value: Any, kind: str) -> str:
    if kind not in ("int", "float"):
        raise BadValue(field, value, f"a {kind} parameter has no range: list its values")
    return kind


def _span(field: str, value: tuple[Any, ...], kind: str) -> Span:
    low, high = (coerced(field, end, _numeric(field, value, kind)) for end in value[:2])
    if len(value) == 3 and value[2] != "log":
        raise BadValue(field, value, 'the third of a range can only be "log"')
    log = len(value) == 3
    if not np.isfinite([low, high]).all() or low > high:
        raise BadValue(field, value, "give the lower end first, both finite")
    if log and low <= 0:
        raise BadValue(field, value, "a logarithmic range needs ends above 0")
    return Span(kind, low, high, log)


def listed_sets(cls: type[Strategy], sets: Any) -> dict[str, Values]:
    """Columns by parameter name of a list of parameter sets: dictionaries, or a DataFrame.

    Raises:
        BadInput: no set, or sets that name different parameters. UnknownName, BadValue: as for axes.
    """
    columns: dict[str, Any]
    if hasattr(sets, "columns"):
        columns = {str(name): sets[name] for name in sets.columns}
        count = len(sets)
    else:
        rows = list(sets) if isinstance(sets, Iterable) else [sets]
        if not all(isinstance(row, Mapping) for row in rows):
            raise BadValue("sets", sets, 'give a list of dictionaries, like [{"period": 5}], or a DataFrame')
        count = len(rows)
        names = list(rows[0]) if rows else []
        for k, row in enumerate(rows):
            if set(row) != set(names):
                raise BadInput(
                    f"sets[{k}] names {', '.join(row) or 'nothing'}, the first one {', '.join(names)}"
                )
        columns = {name: [row[name] for row in rows] for name in names}
    if not count or not columns:
        raise BadInput("sets = []: give at least one parameter set")
    for name in columns:
        if name not in cls.parameters_declared:
            raise UnknownName(f"parameter of {cls.__name__}", name, cls.parameters_declared)
    return {
        name: column_of(f"{cls.__name__}.{name}", values, cls.parameters_declared[name].kind)
        for name, values in columns.items()
    }
