"""How long the simulated venue takes: delays drawn from a hash of seed and order id, never from a state.

The same order gets the same delays in every run, whatever else happened before it. The distribution is log-normal, or
what a desk has measured of its own stages.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue, UnknownName
from workbench.model.stages import STAGES

__all__ = ["Latency"]

_MASK: Final = (1 << 64) - 1
_normal = NormalDist()

type Figures = Sequence[float] | npt.NDArray[np.number[Any]]
type Distribution = Figures | tuple[Figures, Figures]


def _splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def _uniform(seed: int, which: int, order_id: int) -> float:
    """A number strictly between 0 and 1 that belongs to this seed, stage and order."""
    bits = _splitmix64(_splitmix64(seed * 4 + which) ^ (order_id & _MASK))
    return ((bits >> 11) + 0.5) / (1 << 53)


class Latency:
    """`latency(order_id) -> (ack_ns, fill_ns)`, both after the submit; the fill is never before the acceptance.

    >>> Latency(400.0, 900.0, 0.0, seed=7)(1)
    (400000, 900000)
    >>> Latency(400.0, 900.0, 0.35, seed=7)(1) == Latency(400.0, 900.0, 0.35, seed=7)(1)
    True

    Raises:
        BadValue: a median or sigma below zero or not finite.
    """

    __slots__ = ("_measured", "ack_median_us", "fill_median_us", "seed", "sigma")

    def __init__(
        self, ack_median_us: float = 400.0, fill_median_us: float = 900.0, sigma: float = 0.35, seed: int = 7
    ) -> None:
        for name, value in (
            ("ack_median_us", ack_median_us),
            ("fill_median_us", fill_median_us),
            ("sigma", sigma),
        ):
            if not 0 <= value < math.inf:
                raise BadValue(name, value, "give a number of 0 or more")
        self.ack_median_us, self.fill_median_us, self.sigma, self.seed = (
            ack_median_us,
            fill_median_us,
            sigma,
            seed,
        )
        self._measured: tuple[tuple[_Measured, ...], _Measured | None] | None = None

    @classmethod
    def measured(cls, stages: Mapping[str, Distribution], seed: int = 7) -> "Latency":
        """Delays as measured, stage by stage (names of `model.stages.STAGES`, in ns).

        A stage is given by quantiles, evenly spaced from the least to the largest (`[least, median, largest]`, or 101
        percentiles), or by a histogram `(edges, counts)` with one edge more than counts. Between two of them every
        duration is equally likely. The acceptance takes the sum of all stages given but "fill", the fill that and
        "fill"; each stage is drawn by itself. Take "fill" from orders that did not have to wait for their price.

        >>> delays = Latency.measured({"wire": [200_000, 300_000, 900_000], "fill": ([0, 1_000], [5])})
        >>> ack_ns, fill_ns = delays(1)
        >>> 200_000 <= ack_ns <= 900_000, 0 <= fill_ns - ack_ns <= 1_000
        (True, True)

        Raises:
            UnknownName: no such stage. BadValue: durations that fall, are negative or none; counts of nothing.
        """
        known = STAGES[:-1]  # booking is the desk's own business, after the fill was known
        for name in stages:
            if name not in known:
                raise UnknownName("stage", name, known)
        made = {name: _Measured(name, STAGES.index(name), stages[name]) for name in known if name in stages}
        latency = cls(0.0, 0.0, 0.0, seed)
        latency._measured = tuple(m for name, m in made.items() if name != "fill"), made.get("fill")
        return latency

    def __call__(self, order_id: int) -> tuple[int, int]:
        """The delays of one order: acceptance and first fill, in ns after the submit."""
        if self._measured is not None:
            before, fill = self._measured
            ack_ns = sum(stage.draw(self.seed, order_id) for stage in before)
            return ack_ns, ack_ns + (fill.draw(self.seed, order_id) if fill is not None else 0)
        ack_ns = self._draw(order_id, 1, self.ack_median_us)
        return ack_ns, max(ack_ns, self._draw(order_id, 2, self.fill_median_us))

    def _draw(self, order_id: int, which: int, median_us: float) -> int:
        normal = _normal.inv_cdf(_uniform(self.seed, which, order_id))
        return round(median_us * 1e3 * math.exp(self.sigma * normal))


class _Measured:
    """One stage's distribution as points (share, duration), drawn by its inverse."""

    __slots__ = ("_ns", "_share", "_which")

    def __init__(self, name: str, at: int, given: Distribution) -> None:
        self._which = 16 + at  # apart from the log-normal draws
        if isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1:
            edges, counts = (np.asarray(part, np.float64) for part in given)
            total = float(counts.sum()) if counts.ndim == 1 else 0.0
            if len(edges) != len(counts) + 1 or not total > 0 or bool((counts < 0).any()):
                raise BadValue(
                    f"stages['{name}']", _shown(given), "give n + 1 edges and n counts, some above 0"
                )
            share, ns = np.concatenate(([0.0], np.cumsum(counts) / total)), edges
        else:
            ns = np.asarray(given, np.float64)
            share = np.linspace(0.0, 1.0, max(len(ns), 1))
        if len(ns) < 2 or not bool(np.isfinite(ns).all()) or ns[0] < 0 or bool((np.diff(ns) < 0).any()):
            raise BadValue(
                f"stages['{name}']", _shown(given), "give 2 or more durations in ns, from small to large"
            )
        self._share, self._ns = share, ns

    def draw(self, seed: int, order_id: int) -> int:
        """The duration of this stage for one order, in ns."""
        return round(float(np.interp(_uniform(seed, self._which, order_id), self._share, self._ns)))


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
