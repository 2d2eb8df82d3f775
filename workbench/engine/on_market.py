"""What market data does: the book and the marks first, then every strategy that watches the instrument."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.engine.hooks import call_hook
from workbench.engine.host import FEW, Cohort
from workbench.engine.sizers import rebalance
from workbench.model.market import Bar, BarSlice, Quote, Trade

if TYPE_CHECKING:
    from workbench.engine.core import Engine

__all__ = ["MARKET_EVENTS"]


def on_bar(engine: "Engine", bar: Bar) -> None:
    """One bar of one instrument."""
    book = engine.book
    if not book.on_bar(bar):
        return
    iid, sized = bar.iid, engine.sized
    engine.exposure.mark(iid, book.mark_e8[iid])
    if sized is not None:
        sized.see(bar)
    for cohort, slots in engine.host.on[iid]:
        if len(slots) > FEW:
            ohlcv = np.array([[bar.open, bar.high, bar.low, bar.close, bar.volume]])
            _step_batch(engine, cohort, iid.to_bytes(4, "little"), ohlcv)
        else:
            for slot in slots:
                _step_one(engine, cohort, slot, bar)
    for placed in engine.host.hooked[iid]:
        call_hook(engine, placed, "on_bar", iid, bar)
    if sized is not None:
        rebalance(engine, sized, iid)


def on_slice(engine: "Engine", event: BarSlice) -> None:
    """All bars of one instant: one batch call for each strategy class."""
    if len(event.iids) % 4 or len(event.ohlcv) != len(event.iids) * 10:
        engine.book.drop("slice whose arrays do not fit together")
        return
    book, exposure = engine.book, engine.exposure
    iids = np.frombuffer(event.iids, "<i4")
    ohlcv = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5).copy()  # the compiled call takes writable arrays
    key = event.iids
    low, high = ohlcv[:, 2], ohlcv[:, 1]
    good = (low > 0) & (high < 1e12) & (ohlcv[:, 4] >= 0) & (ohlcv[:, 4] < np.inf)
    good &= (low <= ohlcv[:, 0]) & (ohlcv[:, 0] <= high) & (low <= ohlcv[:, 3]) & (ohlcv[:, 3] <= high)
    good &= (iids >= 0) & (iids < len(book.instruments))
    if not good.all():
        book.drop("bar with impossible prices, volume or instrument", int((~good).sum()))
        iids, ohlcv = iids[good], np.ascontiguousarray(ohlcv[good])
        key = iids.tobytes()
    ts_ns, mark_e8 = event.ts_ns, book.mark_e8
    iid_list = iids.tolist()
    if len(set(iid_list)) != len(iid_list):
        book.drop("slice that names an instrument twice")
        return
    for iid, close in zip(iid_list, ohlcv[:, 3].tolist(), strict=True):
        book.price(iid, ts_ns, close)
        exposure.mark(iid, mark_e8[iid])
    sized = engine.sized
    if sized is not None:
        for place, iid in enumerate(iid_list):
            if iid in sized.gauges:
                sized.see(Bar(ts_ns, iid, *ohlcv[place].tolist()))
    for cohort in engine.host.cohorts:
        _step_batch(engine, cohort, key, ohlcv)
    hooked = engine.host.hooked
    for place, iid in enumerate(iid_list):
        if hooked[iid]:
            bar = Bar(ts_ns, iid, *ohlcv[place].tolist())
            for placed in hooked[iid]:
                call_hook(engine, placed, "on_bar", iid, bar)
    if sized is not None:
        for iid in iid_list:
            rebalance(engine, sized, iid)


def on_trade(engine: "Engine", trade: Trade) -> None:
    """A print."""
    if engine.book.on_trade(trade):
        engine.exposure.mark(trade.iid, engine.book.mark_e8[trade.iid])
        for placed in engine.host.hooked[trade.iid]:
            call_hook(engine, placed, "on_trade", trade.iid, trade)


def on_quote(engine: "Engine", quote: Quote) -> None:
    """Top of the book."""
    if engine.book.on_quote(quote):
        engine.exposure.mark(quote.iid, engine.book.mark_e8[quote.iid])
        for placed in engine.host.hooked[quote.iid]:
            call_hook(engine, placed, "on_quote", quote.iid, quote)


def _step_one(engine: "Engine", cohort: Cohort, slot: int, bar: Bar) -> None:
    seat = cohort.seats[slot]
    try:
        target = cohort.program.step(cohort.rows[slot], bar, seat.target)
    except Exception as error:  # noqa: BLE001 - the edge to user code: whatever it raises halts it alone, by name
        if seat.placed.running:
            engine.user_error(seat.placed, error)
        return
    seat.placed.bars += 1
    if target != seat.target:
        engine.decided_ns = engine.stamp()
        engine.retarget(seat, target)


def _step_batch(
    engine: "Engine", cohort: Cohort, iids: bytes, ohlcv: "np.ndarray[Any, np.dtype[np.float64]]"
) -> None:
    slots, targets = cohort.step_slice(iids, ohlcv, engine.ts_ns)
    if slots:
        engine.decided_ns = engine.stamp()
        seats = cohort.seats
        for slot, target in zip(slots, targets, strict=True):
            engine.retarget(seats[slot], target)


MARKET_EVENTS: Final[dict[type, Callable[["Engine", Any], None]]] = {
    Bar: on_bar,
    BarSlice: on_slice,
    Trade: on_trade,
    Quote: on_quote,
}
