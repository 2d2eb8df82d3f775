"""The equity curve of an event loop, from the fills and the prices alone, exact to the last unit of 1e-8.

    equity = cash + sum over instruments of held x last price

Between two changes of what is held, cash and quantities are constant, so one pass over each instrument's prices gives
the whole curve. Products of quantity and price need up to 128 bits; they are split into parts that fit 64.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from workbench.model.scale import SCALE
from workbench.research.events.timetable import Timetable

__all__ = ["Changes", "equity_curve"]

type Ints = npt.NDArray[np.int64]

_MOST_E8: Final = 2**62


class Changes(NamedTuple):
    """What an account held, from which unit on: (unit, cash in 1e-8) and for each instrument (unit, quantity in 1e-8),
    units rising; the first entries stand at unit 0."""

    cash: list[tuple[int, int]]
    held: dict[int, list[tuple[int, int]]]


def equity_curve(table: Timetable, changes: Changes, instants: Ints) -> npt.NDArray[np.float64]:
    """Equity float64[n] after all that happened at each of `instants` (int64[n], times of units)."""
    last = np.searchsorted(table.unit_ts, instants, side="right") - 1  # the last unit of each instant
    kind = _kind_of_numbers(table, changes)
    whole = _as_of(changes.cash, last, kind)
    rest: Any = np.zeros(len(last), kind)
    for iid, steps in changes.held.items():
        units = np.asarray(table.prices[iid].unit)
        if not len(units):
            continue
        held = _as_of(steps, last, kind)
        at = np.searchsorted(units, last, side="right") - 1
        px = np.asarray(table.prices[iid].value)[np.maximum(at, 0)]
        mark: Any = np.where(at >= 0, (px * SCALE + 0.5).astype(np.int64), 0).astype(kind)
        held_units, mark_units = held // SCALE, mark // SCALE
        held_rest, mark_rest = held - held_units * SCALE, mark - mark_units * SCALE
        whole += held_units * mark + held_rest * mark_units
        rest += held_rest * mark_rest
    return ((whole + rest // SCALE) / SCALE).astype(np.float64)  # type: ignore[no-any-return]


def _kind_of_numbers(table: Timetable, changes: Changes) -> type:
    """64-bit integers where everything fits them with room to spare, else Python's own."""
    most = max(abs(cash) for _, cash in changes.cash)
    for iid, steps in changes.held.items():
        px = np.asarray(table.prices[iid].value)
        most += max(abs(qty) for _, qty in steps) * int(px.max() + 1 if len(px) else 0)
    return np.int64 if most < _MOST_E8 else object


def _as_of(steps: list[tuple[int, int]], units: Ints, kind: type) -> Any:
    """The value of a step function at the end of each unit."""
    at = np.array([unit for unit, _ in steps], np.int64)
    values: Any = np.array([value for _, value in steps], kind)
    return values[np.searchsorted(at, units, side="right") - 1]
