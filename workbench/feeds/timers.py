"""When strategies' clocks strike: once after the bars of each instant, on paper and in a backtest alike."""

from workbench.model.commands import Timer
from workbench.model.market import Bar, BarSlice, MarketEvent

__all__ = ["timer_after"]


def timer_after(event: MarketEvent) -> Timer | None:
    """The timer that follows a market event: after bars, none after quotes and prints.

    >>> timer_after(Bar(60, 0, 1.0, 1.0, 1.0, 1.0, 0.0))
    Timer(ts_ns=60, name='bar')
    """
    return Timer(event.ts_ns, "bar") if isinstance(event, Bar | BarSlice) else None
