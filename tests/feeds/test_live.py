"""Bars of several symbols become one slice again: when all are there, or after a grace."""

import asyncio

from workbench.feeds.live import BarGatherer
from workbench.model.market import Bar, BarSlice, MarketEvent, Quote


def bar(ts_ns: int, iid: int) -> Bar:
    return Bar(ts_ns, iid, 1.0 + iid, 2.0 + iid, 0.5 + iid, 1.5 + iid, 10.0)


def slice_of(ts_ns: int, *iids: int) -> BarSlice:
    import numpy as np

    rows = [[b.open, b.high, b.low, b.close, b.volume] for b in (bar(ts_ns, iid) for iid in iids)]
    return BarSlice(ts_ns, np.array(iids, "<i4").tobytes(), np.array(rows, "<f8").tobytes())


async def test_all_bars_of_an_instant_leave_together_in_order_of_number() -> None:
    seen: list[MarketEvent] = []
    gather = BarGatherer(seen.append, (0, 1, 2), grace_s=60.0)
    gather(bar(60, 2))
    quote = Quote(61, 0, 1.0, 1.0, 2.0, 1.0)
    gather(quote)
    gather(bar(60, 0))
    assert seen == [quote]
    gather(bar(60, 1))
    assert seen == [quote, slice_of(60, 0, 1, 2)]


async def test_a_symbol_without_a_trade_holds_nobody_up_for_long() -> None:
    seen: list[MarketEvent] = []
    left = asyncio.Event()

    def sink(event: MarketEvent) -> None:
        seen.append(event)
        left.set()

    gather = BarGatherer(sink, (0, 1, 2), grace_s=0.001)
    gather(bar(60, 0))
    gather(bar(60, 2))
    async with asyncio.timeout(30):
        await left.wait()
    assert seen == [slice_of(60, 0, 2)]
    gather(bar(60, 1))  # it comes late, and is not lost
    gather.flush()
    assert seen[1:] == [bar(60, 1)]


async def test_two_instants_do_not_mix() -> None:
    seen: list[MarketEvent] = []
    gather = BarGatherer(seen.append, (0, 1), grace_s=60.0)
    gather(bar(60, 0))
    gather(bar(120, 0))
    gather(bar(120, 1))
    assert seen == [bar(60, 0), slice_of(120, 0, 1)]


async def test_one_symbol_waits_for_nobody() -> None:
    seen: list[MarketEvent] = []
    BarGatherer(seen.append, (7,), grace_s=60.0)(bar(60, 7))
    assert seen == [bar(60, 7)]
