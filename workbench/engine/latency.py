"""How long the simulated venue takes: log-normal delays drawn from a hash of seed and order id, never from a state.

The same order gets the same delays in every run, whatever else happened before it.
"""

import math
from statistics import NormalDist
from typing import Final

from workbench.errors import BadValue

__all__ = ["Latency"]

_MASK: Final = (1 << 64) - 1
_normal = NormalDist()


def _splitmix64(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


class Latency:
    """`latency(order_id) -> (ack_ns, fill_ns)`, both after the submit; the fill is never before the acceptance.

    >>> Latency(400.0, 900.0, 0.0, seed=7)(1)
    (400000, 900000)
    >>> Latency(400.0, 900.0, 0.35, seed=7)(1) == Latency(400.0, 900.0, 0.35, seed=7)(1)
    True

    Raises:
        BadValue: a median or sigma below zero or not finite.
    """

    __slots__ = ("ack_median_us", "fill_median_us", "seed", "sigma")

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

    def __call__(self, order_id: int) -> tuple[int, int]:
        """The delays of one order: acceptance and first fill, in ns after the submit."""
        ack_ns = self._draw(order_id, 1, self.ack_median_us)
        return ack_ns, max(ack_ns, self._draw(order_id, 2, self.fill_median_us))

    def cancel_ns(self, order_id: int) -> int:
        """How long the answer to a cancel of this order takes."""
        return self._draw(order_id, 3, self.ack_median_us)

    def _draw(self, order_id: int, which: int, median_us: float) -> int:
        bits = _splitmix64(_splitmix64(self.seed * 4 + which) ^ (order_id & _MASK))
        uniform = ((bits >> 11) + 0.5) / (1 << 53)
        return round(median_us * 1e3 * math.exp(self.sigma * _normal.inv_cdf(uniform)))
