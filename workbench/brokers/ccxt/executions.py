"""Executions by list: asked for once for all orders of a symbol that lack some, and again while they still do.

    somebody wants a symbol -> one question at a time -> each execution to the order it names

Lives here: that. Not here: when executions lack (the tracker), reading one (parse.py).
"""

import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from time import time_ns
from typing import Any, Final

from workbench.brokers.ccxt.client import CcxtClient
from workbench.brokers.ccxt.finder import Note, note_of, prices_of
from workbench.brokers.ccxt.parse import Booked, booked_of
from workbench.brokers.ccxt.rules import Rules
from workbench.brokers.pool.tracker import Tracked, Tracker
from workbench.errors import VenueGarbled, WorkbenchError

__all__ = ["Executions"]

logger = logging.getLogger(__name__)

_OVERLAP_MS: Final = 10_000  # lists lag behind: what is younger is asked for again
_MARGIN_MS: Final = 60_000

type Run = Callable[[Coroutine[Any, Any, None]], None]


class Executions:
    """`run` starts a task of the broker's; `lacking(tracked)` is called for an order that still lacks executions after
    its symbol was asked for."""

    def __init__(
        self,
        client: CcxtClient,
        tracker: Tracker,
        rules: Rules,
        run: Run,
        lacking: Callable[[Tracked], None],
        odd: Callable[[str], None],
    ) -> None:
        self._client, self._tracker, self._rules = client, tracker, rules
        self._run, self._lacking, self._odd = run, lacking, odd
        self._wanted: dict[str, set[int]] = {}  # by symbol: the orders that lack executions
        self._asking: set[str] = set()
        self._seen_ms: dict[str, int] = {}
        self._strangers: set[str] = set()  # symbols with executions of orders whose answer has not come yet

    def want(self, tracked: Tracked, symbol: str) -> None:
        """An order lacks executions."""
        self._wanted.setdefault(symbol, set()).add(tracked.order_id)
        if symbol not in self._asking:
            self._asking.add(symbol)
            self._run(self._ask(symbol))

    def placed(self, tracked: Tracked, symbol: str) -> None:
        """An order has its number now: executions told before belong to it, perhaps."""
        if symbol in self._strangers:
            self._strangers.discard(symbol)
            self.want(tracked, symbol)

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Executions as they come, by stream or list."""
        for row in rows:
            symbol, number = str(row.get("symbol") or ""), str(row.get("order") or "")
            tracked = self._tracker.by_venue.get(number)
            if tracked is None:
                if self._rules.quote_of(symbol):
                    self._strangers.add(symbol)
                continue
            try:
                booked = booked_of(row, self._rules.quote_of(symbol))
            except VenueGarbled:
                self._odd("execution")  # the order still lacks it: it is looked up
                continue
            self._book(tracked, booked, number)

    def _book(self, tracked: Tracked, booked: Booked, number: str) -> None:
        """One execution. When less has moved than was traded (a fee in the coin), the order is told to be for as much
        less, then to have filled."""
        tracker, execution = self._tracker, booked.execution
        if execution.exec_id in tracked.exec_ids:
            return
        if booked.moved_e8 and tracked.active:
            tracker.accept(tracked, number, execution.ts_ns)
            note_of(tracked).moved_e8 += booked.moved_e8
            qty_e8 = tracked.qty_e8 + booked.moved_e8
            tracker.amended(tracked, tracked.venue_id, execution.ts_ns, qty_e8, *prices_of(tracked))
        tracker.fill(tracked, execution, number)

    async def _ask(self, symbol: str) -> None:
        try:
            while wanted := self._wanted.pop(symbol, None):
                orders = [self._tracker.by_order[n] for n in wanted if n in self._tracker.by_order]
                if not orders:
                    continue
                oldest_ms = min(tracked.since_ns for tracked in orders) // 1_000_000 - _MARGIN_MS
                since_ms = max(oldest_ms, self._seen_ms.get(symbol, 0) - _OVERLAP_MS)
                try:
                    rows = await self._client.trades(symbol, max(0, since_ms))
                except WorkbenchError as error:
                    logger.warning("%s: executions could not be asked for (%s)", self._client.name, error)
                    rows = []
                self.take(rows)
                newest_ms = max((int(row.get("timestamp") or 0) for row in rows), default=0)
                self._seen_ms[symbol] = max(
                    self._seen_ms.get(symbol, 0), min(newest_ms, time_ns() // 1_000_000)
                )
                for tracked in orders:
                    note = tracked.note
                    if isinstance(note, Note) and note.filled_e8 + note.moved_e8 > tracked.filled_e8:
                        self._lacking(tracked)
        finally:
            self._asking.discard(symbol)
