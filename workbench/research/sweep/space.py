"""The parameter sets of a sweep, each computed from its number: a million sets take no more memory than ten.

    Grid      every combination of the axes, the last one moving fastest
    Random    `n` draws, each from a hash of its number and the seed
    Listed    as given

Inside, a grid is walked with the indicators' parameters moving slowest, so that neighbours share them; `numbers` says
which set (as people count) a place on that walk is.

Lives here: sets by place. Not here: what an axis may be (axes.py), markets (plan of the sweep).
"""

import hashlib
import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadInput
from workbench.research.sweep.axes import Choice, Drawn, Span

__all__ = ["Grid", "Listed", "Random", "Space"]

type Ints = npt.NDArray[np.int64]
type Columns = dict[str, npt.NDArray[Any]]

MOST_SETS: Final = 10**10


class Space(ABC):
    """`n` parameter sets over the parameters `names`."""

    method = ""
    n: int
    names: tuple[str, ...]

    @abstractmethod
    def columns(self, places: Ints) -> Columns:
        """Values by parameter at places of the walk."""

    def numbers(self, places: Ints) -> Ints:
        """The sets' numbers at places of the walk."""
        return places

    def places(self, numbers: Ints) -> Ints:
        """Where sets stand on the walk."""
        return numbers

    @abstractmethod
    def told(self) -> dict[str, Any]:
        """What the sets depend on, as plain values."""

    @property
    def stretch(self) -> int:
        """How many neighbours on the walk share their indicators at least."""
        return 1

    @property
    def known(self) -> int:
        """How many of the sets, from the first on, are settled by now."""
        return self.n


class Grid(Space):
    """Every combination. `slow` names the parameters whose values should change as seldom as possible.

    >>> from workbench.research.sweep.axes import Choice
    >>> axes = {"a": Choice("int", np.array([1, 2])), "b": Choice("int", np.array([5, 6, 7]))}
    >>> grid = Grid(axes, slow={"b"})
    >>> grid.columns(np.arange(3))["a"].tolist(), grid.numbers(np.arange(3)).tolist()
    ([1, 2, 1], [0, 3, 1])
    """

    method = "grid"

    def __init__(self, axes: Mapping[str, Choice], slow: Collection[str] = ()) -> None:
        self.axes = dict(axes)
        self.names = tuple(self.axes)
        sizes = [len(axis.values) for axis in self.axes.values()]
        self.n = math.prod(sizes)
        if self.n > MOST_SETS:
            raise BadInput(f'{self.n:,} parameter sets: give fewer values, or method="random" and n=')
        self._size = dict(zip(self.names, sizes, strict=True))
        self._stride = self._strides(self.names)
        self._walk = sorted(self.names, key=lambda name: name not in slow)
        self._walk_stride = self._strides(self._walk)
        self._stretch = math.prod(self._size[name] for name in self.names if name not in slow)

    def _strides(self, order: Collection[str]) -> dict[str, int]:
        strides, stride = {}, 1
        for name in reversed(list(order)):
            strides[name] = stride
            stride *= self._size[name]
        return strides

    def columns(self, places: Ints) -> Columns:
        return {
            name: self.axes[name].values[places // self._walk_stride[name] % self._size[name]]
            for name in self.names
        }

    def numbers(self, places: Ints) -> Ints:
        digits = ((name, places // self._walk_stride[name] % self._size[name]) for name in self.names)
        return sum((digit * self._stride[name] for name, digit in digits), np.zeros_like(places))

    def places(self, numbers: Ints) -> Ints:
        digits = ((name, numbers // self._stride[name] % self._size[name]) for name in self.names)
        return sum((digit * self._walk_stride[name] for name, digit in digits), np.zeros_like(numbers))

    def told(self) -> dict[str, Any]:
        return {"method": self.method, "axes": {name: axis.told() for name, axis in self.axes.items()}}

    @property
    def stretch(self) -> int:
        return self._stretch


class Random(Space):
    """`n` draws from the axes."""

    method = "random"

    def __init__(self, axes: Mapping[str, Choice | Span | Drawn], n: int, seed: int) -> None:
        self.axes, self.n, self.seed = dict(axes), n, seed
        self.names = tuple(self.axes)

    def columns(self, places: Ints) -> Columns:
        return {name: axis.at(_uniform(places, name, self.seed)) for name, axis in self.axes.items()}

    def told(self) -> dict[str, Any]:
        axes = {name: axis.told() for name, axis in self.axes.items()}
        return {"method": self.method, "axes": axes, "n": self.n, "seed": self.seed}


class Listed(Space):
    """The sets as given, by column."""

    method = "sets"

    def __init__(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        self._columns = dict(columns)
        self.names = tuple(self._columns)
        self.n = len(next(iter(self._columns.values()))) if self._columns else 1

    def columns(self, places: Ints) -> Columns:
        return {name: column[places] for name, column in self._columns.items()}

    @property
    def known(self) -> int:
        return len(next(iter(self._columns.values()))) if self._columns else 1

    def told(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for name, column in self._columns.items():
            digest.update(f"{name} {column.dtype}".encode() + column.tobytes())
        return {"method": self.method, "n": self.n, "sets": digest.hexdigest()}


def _uniform(places: Ints, name: str, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for every place: its hash (Steele, Lea & Flood, SplitMix64, 2014), the same everywhere."""
    key = np.uint64(zlib.crc32(name.encode()) << 32 | (seed & 0xFFFFFFFF))
    z = (places.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
    for _ in range(2):  # twice, so that neighbouring seeds have nothing in common
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31)) ^ key
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
