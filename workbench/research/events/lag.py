"""What the event loop owes the engine and the venue, and paying it: both lag behind while nothing happens.

The engine is told the last prices, the time and the counts of everything that was left out. The venue sees every quote
and print; of a recording of bars it sees the events since the last bar of every instrument, all it keeps of them. Both
then stand as if each event had been handed to them. Not here: when that is needed (run.py).
"""

from typing import TYPE_CHECKING

from workbench.engine.catch_up import Clock, clock_of, new_day, set_clock, set_price, set_quote, tell_time
from workbench.engine.risk import DAY_NS
from workbench.engine.seats import Placed
from workbench.model import Quote, Trade
from workbench.research.events.timetable import Timetable

if TYPE_CHECKING:
    from workbench.engine import Engine, Match

__all__ = ["Lag"]


class Lag:
    """`engine_at` and `match_at` are the units before which everything has reached the engine and the venue."""

    __slots__ = (
        "_before",
        "_cursor",
        "_quote_cursor",
        "_refused",
        "_timed",
        "_watched",
        "engine",
        "engine_at",
        "match",
        "match_at",
        "placed",
        "table",
    )

    def __init__(self, engine: "Engine", match: "Match", placed: Placed, table: Timetable) -> None:
        self.engine, self.match, self.placed, self.table = engine, match, placed, table
        self.engine_at = self.match_at = self._refused = 0
        self._timed = bool(engine.host.timed)
        program = placed.event_program
        self._watched = program is not None and program.wants_bars
        self._cursor = [0] * len(table.prices)
        self._quote_cursor = [0] * len(table.prices)
        self._before: tuple[int, Clock] | None = (
            None  # where the engine stood before it peeked, and its clock there
        )

    def engine_to(self, unit: int) -> None:
        """Let the engine stand right before a unit. Back goes only into what `peek` has led over."""
        if self._before is not None:
            at, clock = self._before
            self._before = None
            if unit < self.engine_at:
                self._count(at)
                set_clock(self.engine, clock)
                if unit == at:
                    self._prices_to(unit)
        at = self.engine_at
        if unit == at:
            return
        table, engine = self.table, self.engine
        last_ns = table.ts[unit - 1]
        if new_day(engine, last_ns):
            first = self._first_of_day(at, last_ns)
            self._prices_to(first)
            tell_time(engine, table.ts[first])
        self._refuse_to(unit)
        self._count(unit)
        tell_time(engine, last_ns)
        self._prices_to(unit)

    def peek(self, unit: int) -> None:
        """Let the engine stand as a hook called in this unit sees it: the unit's prices are known."""
        if self._before is not None and self.engine_at == unit + 1:
            return
        before = (self.engine_at, clock_of(self.engine))
        self._before = None
        self.engine_to(unit + 1)
        self._before = before

    def handled(self, unit: int) -> None:
        """The engine has handled this unit itself."""
        self.engine_at = unit + 1

    def match_to(self, unit: int) -> None:
        """Let the venue stand right before a unit. Only while no order is open there."""
        table, match = self.table, self.match
        first = self.match_at
        if table.only_bars:  # of bars and their openings a venue keeps no more than the last ones
            first = max(first, table.last_bar_through(unit))
        for left_out in range(first, unit):
            match.on_market(table.event(left_out))
        self.match_at = unit

    def _refuse_to(self, unit: int) -> None:
        """Let the book see what it refuses: it counts that by reason."""
        hard, book = self.table.hard, self.engine.book
        while self._refused < len(hard) and hard[self._refused] < unit:
            event = self.table.event(hard[self._refused])
            if isinstance(event, Quote):
                book.on_quote(event)
            elif isinstance(event, Trade):
                book.on_trade(event)
            self._refused += 1

    def _count(self, unit: int) -> None:
        table, at = self.table, self.engine_at
        events = unit - at
        if self._timed:
            events += int(table.bar_units_through[unit] - table.bar_units_through[at])
        self.engine.events += events
        if self._watched and not self.placed.halted:
            self.placed.bars += int(table.bars_through[unit] - table.bars_through[at])
        self.engine_at = unit

    def _first_of_day(self, at: int, last_ns: int) -> int:
        """The first unit from `at` on that lies on the day of `last_ns`."""
        ts, day_ns = self.table.unit_ts, last_ns // DAY_NS * DAY_NS
        return max(at, int(ts.searchsorted(day_ns, side="left")))

    def _prices_to(self, unit: int) -> None:
        engine, ts, cursor = self.engine, self.table.ts, self._cursor
        for iid, series in enumerate(self.table.prices):
            n = series.before(unit)
            if n == cursor[iid]:
                continue
            cursor[iid] = n
            units, px = series
            if n > 1:
                set_price(engine, iid, px[n - 1], px[n - 2], ts[units[n - 1]])
            elif n:
                set_price(engine, iid, px[0], 0.0, ts[units[0]])
            else:
                set_price(engine, iid, 0.0, 0.0, 0)
            self._quote_to(iid, unit)

    def _quote_to(self, iid: int, unit: int) -> None:
        quotes = self.table.quotes[iid]
        n = quotes.before(unit)
        if n != self._quote_cursor[iid]:
            self._quote_cursor[iid] = n
            set_quote(self.engine, iid, quotes.bid[n - 1] if n else 0.0, quotes.ask[n - 1] if n else 0.0)
