"""The hook calls of an event loop as Python objects: the event, the bound method, and what its context will hold.

They are made some thousands at a time, with as little Python as it takes. Not here: who calls them (run.py).
"""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any, Final

import numpy as np

from workbench.model import Bar, Quote, Timer, Trade
from workbench.research.events.inputs import Inputs
from workbench.research.events.timetable import BAR_CALL, QUOTE_CALL, TIMER_CALL, Calls, Timetable
from workbench.research.plan import Plan
from workbench.strategy import Strategy

__all__ = ["upcoming_calls"]

_CHUNK: Final = 4_096


def upcoming_calls(
    plan: Plan, table: Timetable, calls: Calls, strategy: Strategy, inputs: Inputs | None
) -> Iterator[Any]:
    """The calls in order, as (number, event, hook, symbol, iid, price, inputs)."""
    return chain.from_iterable(_Feed(plan, table, calls, strategy, inputs).chunks())


class _Feed:
    def __init__(
        self, plan: Plan, table: Timetable, calls: Calls, strategy: Any, inputs: Inputs | None
    ) -> None:
        self.plan, self.table, self.calls, self.strategy, self.inputs = plan, table, calls, strategy, inputs
        self.names = (*plan.recording.symbols, "")  # the last is a timer's, whose instrument is -1

    def chunks(self) -> Iterator[Iterator[Any]]:
        progress = self.plan.progress
        for low in range(0, len(self.calls.unit), _CHUNK):
            if progress is not None:
                progress(int(self.calls.unit[low]) if low else 0, self.table.n)
            yield self._chunk(low, min(low + _CHUNK, len(self.calls.unit)))

    def _chunk(self, low: int, high: int) -> Iterator[Any]:
        calls, recording, strategy = self.calls, self.plan.recording, self.strategy
        chosen = slice(low, high)
        rows, kinds, units = calls.row[chosen], calls.kind[chosen], calls.unit[chosen]
        iid = np.where(kinds == TIMER_CALL, -1, recording.iid[rows])
        ts, iids = self.table.unit_ts[units].tolist(), iid.tolist()
        values = recording.values[rows]
        if (kinds == BAR_CALL).all():
            columns = values.T.tolist()
            events: list[Any] = list(map(Bar, ts, iids, *columns))
            hooks: Any = repeat(strategy.on_bar)
        else:
            columns = None
            events, hooks = self._mixed(kinds, ts, iids, values, calls.opening[chosen])
        one = len(self.names) == 2 and -1 not in iids
        symbols = repeat(self.names[0]) if one else [self.names[i] for i in iids]
        px = columns[3] if columns else calls.px[chosen].tolist()
        inputs = repeat(None) if self.inputs is None else self._inputs_of(iid, units, kinds, columns)
        return zip(
            range(low, high), events, hooks, symbols, repeat(0) if one else iids, px, inputs, strict=False
        )

    def _mixed(
        self, kinds: Any, ts: list[int], iids: list[int], values: Any, opening: Any
    ) -> tuple[list[Any], list[Any]]:
        events: list[Any] = [None] * len(ts)
        hooks: list[Any] = [None] * len(ts)
        strategy: Any = self.strategy
        for at, (kind, ts_ns, iid, row, opens) in enumerate(
            zip(kinds.tolist(), ts, iids, values.tolist(), opening.tolist(), strict=True)
        ):
            if kind == BAR_CALL:
                events[at], hooks[at] = Bar(ts_ns, iid, *row), strategy.on_bar
            elif kind == QUOTE_CALL:
                events[at], hooks[at] = Quote(ts_ns, iid, *row[:4]), strategy.on_quote
            elif kind == TIMER_CALL:
                events[at], hooks[at] = Timer(ts_ns, "bar"), strategy.on_timer
            elif opens:
                events[at], hooks[at] = Trade(ts_ns, iid, row[0]), strategy.on_trade
            else:
                events[at], hooks[at] = Trade(ts_ns, iid, row[0], row[1], int(row[2])), strategy.on_trade
        return events, hooks

    def _inputs_of(self, iid: Any, units: Any, kinds: Any, columns: list[list[float]] | None) -> list[Any]:
        """`ctx.x` of each call; `columns` are the values of the calls' own bars."""
        inputs = self.inputs
        assert inputs is not None
        made: list[Any] = [None] * len(iid)
        for one in np.unique(iid[iid >= 0]).tolist():
            mine = np.flatnonzero(iid == one)
            bar_units = np.asarray(self.table.bars[one].unit)
            bars = np.searchsorted(bar_units, units[mine], side="left")  # bars before the unit
            is_bar = kinds[mine] == BAR_CALL
            known = np.where(is_bar, bars, inputs.known_many(one, bars))
            if len(mine) == len(made):
                return inputs.many(one, known, columns)
            for at, x in zip(mine.tolist(), inputs.many(one, known), strict=True):
                made[at] = x
        return made
