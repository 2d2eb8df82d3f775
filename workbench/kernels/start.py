"""How an indicator starts: its parameters as a tuple, its first state, the length of its ring; and how errors of
the user's own code are told."""

import os
import traceback
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from workbench.errors import BadValue, StrategyError
from workbench.kernels.indicator import Indicator

__all__ = ["parameter_tuple", "ring_length", "sample_states", "told"]

_PACKAGE: Final = str(Path(__file__).resolve().parents[1]) + os.sep


def parameter_tuple(parameters: dict[str, Any]) -> Any:
    """Parameters as the namedtuple that stands where `self` would, in numpy's 64-bit scalars (texts as they are)."""
    kinds: dict[type, Callable[[Any], Any]] = {bool: np.bool_, int: np.int64, float: np.float64}
    values = [kinds.get(type(value), lambda v: v)(value) for value in parameters.values()]
    return namedtuple("Parameters", parameters)(*values)


def sample_states(owner: str, indicators: dict[str, Indicator]) -> dict[str, Any]:
    """Each indicator's first state, from its `init`."""
    states = {}
    for name, indicator in indicators.items():
        kind = type(indicator)
        try:
            with np.errstate(all="ignore"):
                states[name] = kind.init(parameter_tuple(indicator.parameters))  # type: ignore[attr-defined]
        except Exception as error:
            raise StrategyError(f"{owner}: {told(f'{kind.__name__}.init', error)}") from error
    return states


def ring_length(owner: str, indicator: Indicator) -> int:
    """The length an indicator asks for its ring buffer."""
    length = int(type(indicator).ring(parameter_tuple(indicator.parameters)))  # type: ignore[attr-defined]
    if length < 1:
        raise BadValue(f"{owner}: {indicator!r} ring", length, "give a length of 1 or more")
    return length


def told(what: str, error: BaseException) -> str:
    """`what` raised this, at that line of the user's own text."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not _is_plumbing(f.filename)]
    place = f" (line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what} raised {text}{place}"


def _is_plumbing(file: str) -> bool:
    """Whether a file is this package's own, but for indicators: not a line the user wrote, or asked for by name."""
    inside = file.startswith(_PACKAGE)
    return inside and not file.startswith(_PACKAGE + "kernels" + os.sep)
