"""What market data leaves behind in an engine when it changes nothing else: clock, counts, prices and marks.

A loop that calls a strategy's hooks itself (research/events) need not hand every bar to `Engine.handle`: as long as
no hook answers and no report comes, all that the engine would keep of a thousand bars is what stands here. It puts that
right before the engine is next asked. No order, no decision. A test holds it equal to handling the same events.
"""

from typing import TYPE_CHECKING, NamedTuple

from workbench.engine.risk import DAY_NS
from workbench.model.scale import SCALE

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["Clock", "clock_of", "new_day", "set_clock", "set_price", "set_quote", "tell_time"]


class Clock(NamedTuple):
    """The engine's sense of time, to be put back by `set_clock`."""

    ts_ns: int
    now_ns: int
    next_day_ns: int
    day_equity_e8: int


def clock_of(engine: "Engine") -> Clock:
    """The clock as it stands."""
    return Clock(engine.ts_ns, engine.now_ns, engine._next_day_ns, engine.risk.day_equity_e8)


def set_clock(engine: "Engine", clock: Clock) -> None:
    """Put the clock back to where it stood."""
    risk = engine.risk
    engine.ts_ns = risk.ts_ns = clock.ts_ns
    engine.now_ns = risk.now_ns = clock.now_ns
    engine._next_day_ns, risk.day_equity_e8 = clock.next_day_ns, clock.day_equity_e8


def new_day(engine: "Engine", ts_ns: int) -> bool:
    """Whether the first event of a later UTC day is among those up to `ts_ns`."""
    return ts_ns >= engine._next_day_ns


def tell_time(engine: "Engine", ts_ns: int) -> None:
    """An event of `ts_ns` begins, before its price is noted: a new day starts from the equity there is."""
    risk = engine.risk
    engine.ts_ns = risk.ts_ns = ts_ns
    if ts_ns > engine.now_ns:
        engine.now_ns = risk.now_ns = ts_ns
        if ts_ns >= engine._next_day_ns:
            engine._next_day_ns = (ts_ns // DAY_NS + 1) * DAY_NS
            risk.day_equity_e8 = risk.equity_e8


def set_price(engine: "Engine", iid: int, px: float, previous_px: float, ts_ns: int) -> None:
    """The last good price of an instrument, and the one before it (0.0: none)."""
    book = engine.book
    book.last_px[iid], book.previous_px[iid], book.last_ts[iid] = px, previous_px, ts_ns
    book.mark_e8[iid] = mark_e8 = int(px * SCALE + 0.5) if px else 0
    engine.exposure.mark(iid, mark_e8)


def set_quote(engine: "Engine", iid: int, bid: float, ask: float) -> None:
    """The top of the book of an instrument."""
    engine.book.bid[iid], engine.book.ask[iid] = bid, ask
