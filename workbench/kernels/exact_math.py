"""`math` for interpreted strategies, answering as compiled code does: no exception for a value out of range.

Compiled code follows IEEE 754: a division by zero is infinite, the root of a negative is NaN. Python's `math` raises
instead, so the two forms of one strategy would part. Here the same calls answer the same values.
"""

import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["exact_math"]

# At these the answer is infinite, not NaN: log(0), and overflow.
_POLES: dict[str, Callable[[Any], float]] = {
    "log": lambda x: -math.inf if x == 0 else math.nan,
    "log2": lambda x: -math.inf if x == 0 else math.nan,
    "log10": lambda x: -math.inf if x == 0 else math.nan,
    "log1p": lambda x: -math.inf if x == -1 else math.nan,
    "atanh": lambda x: math.copysign(math.inf, x) if abs(x) == 1 else math.nan,
    "gamma": lambda x: math.inf if x == 0 else math.nan,
}


def _answering(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*args: Any) -> Any:
        try:
            value = function(*args)
        except ValueError:
            return np.float64(_POLES.get(name, lambda _: math.nan)(args[0]))
        except OverflowError:
            negative = name == "sinh" and args[0] < 0
            return np.float64(-math.inf if negative else math.inf)
        return np.float64(value) if isinstance(value, float) else value

    answer.__name__ = name
    return answer


def exact_math() -> types.ModuleType:
    """A module like `math` whose floats are numpy's and whose functions never raise for a number.

    >>> m = exact_math()
    >>> float(m.log(0.0)), float(m.sqrt(-1.0)), float(m.sqrt(4.0))
    (-inf, nan, 2.0)
    """
    module = types.ModuleType("math")
    for name, value in vars(math).items():
        if name.startswith("_"):
            continue
        keep = not callable(value) or name in (
            "floor",
            "ceil",
            "trunc",
            "isnan",
            "isinf",
            "isfinite",
            "gcd",
            "comb",
        )
        setattr(module, name, value if keep else _answering(name, value))
    return module
