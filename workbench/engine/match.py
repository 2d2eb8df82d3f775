"""The simulated venue for one account: orders in, market data in, reports out. Pure: no clock, no randomness.

Rules, chosen to be simple to state and never to look ahead:

- An order decided at T sees only data with a later `ts_ns`. A market order fills at the first such print or quote.
- A print or quote fills directly: market orders at its price; a limit when the price is at it or better, at the price
  of the print; a stop is triggered at or beyond its price and then is a market (or limit) order at that same print.
  A quote's price is the ask for buys, the bid for sells. A known size caps what it can fill (orders in order of
  arrival share it, the rest waits); size 0 means unknown and fills all.
- A bar without a print before it fills an order that was there for all of it: at its open first (gaps fill at the
  open), then along the path open-low-high-close when close >= open, else open-high-low-close, at the order's own price
  when touched. An order that arrived inside the bar can only trade at its close, since the path before is unknown.
- DAY orders are good for the first UTC day that has data after their arrival (sent after the close: the next session)
  and expire with the first data of a later one; IOC and FOK are decided by the first data they see.
- Every report's `ts_ns` is the later of the data's time and the submit's time plus the order's latency.

Its cash, positions and open orders are its own books: reconciliation compares them with the engine's ledger.
Feeding it the journal's submits, cancels and market data again gives the same venue again.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np

from workbench.model.effects import Cancel, Submit
from workbench.model.market import Bar, BarSlice, MarketEvent, Quote, Trade
from workbench.model.orders import BUY, DAY, FOK, GTC, IOC, LIMIT, MARKET, SELL, STOP, STOP_LIMIT
from workbench.model.reports import Accepted, Cancelled, CancelRefused, Expired, Filled, Rejected, Report
from workbench.model.scale import SCALE, notional_e8

__all__ = ["Match", "Resting"]

_DAY_NS: Final = 86_400_000_000_000
_NOWHERE: Final = -1.0

type Delays = Callable[[int], tuple[int, int]]


def _no_delay(order_id: int) -> tuple[int, int]:
    return (0, 0)


class Resting:
    """One order as the venue holds it. `state` is open, filled, cancelled, expired or rejected."""

    __slots__ = ("ack_ns", "day", "fill_ns", "filled_e8", "fills", "order", "state", "triggered", "venue_id")

    def __init__(self, order: Submit, ack_ns: int, fill_ns: int) -> None:
        self.order = order
        self.ack_ns = ack_ns
        self.fill_ns = fill_ns
        self.venue_id = f"v-{order.order_id}"
        self.filled_e8 = 0
        self.fills = 0
        self.triggered = order.kind in (MARKET, LIMIT)
        self.state = "open"
        self.day = -1  # the UTC day it is good for; known with the first data it sees

    @property
    def open_e8(self) -> int:
        """Quantity that may still fill."""
        return self.order.qty_e8 - self.filled_e8 if self.state == "open" else 0

    def at(self, px: float) -> bool:
        """Whether the order trades when the market is at `px`; a stop is triggered on the way."""
        order = self.order
        if not self.triggered:
            stop = order.stop_px_e8 / SCALE
            if (px < stop) if order.side == BUY else (px > stop):
                return False
            self.triggered = True
        if order.kind in (MARKET, STOP):
            return True
        limit = order.limit_px_e8 / SCALE
        return px <= limit if order.side == BUY else px >= limit

    def along(self, start: float, end: float) -> float:
        """The price at which the order trades on the way from `start` to `end`, or -1.0."""
        order = self.order
        if not self.triggered:
            stop = order.stop_px_e8 / SCALE
            if not (start <= stop <= end if order.side == BUY else end <= stop <= start):
                return _NOWHERE
            self.triggered = True
            start = stop
            if self.at(stop):
                return stop
        if order.kind in (MARKET, STOP):
            return start
        limit = order.limit_px_e8 / SCALE
        touched = end <= limit if order.side == BUY else end >= limit
        if not touched:
            return _NOWHERE
        return min(start, limit) if order.side == BUY else max(start, limit)


class Match:
    """Matching for one account.

    `latency(order_id) -> (ack_ns, fill_ns)`; fees are `fee_per_unit_e8` a unit plus `fee_rate` of the value.

    >>> venue = Match(cash_e8=1_000_000 * SCALE)
    >>> reports = venue.submit(Submit(1, 1, 1, 0, 0, BUY, MARKET, DAY, 10 * SCALE, 0, 0))
    >>> [fill] = venue.on_market(Trade(2, 0, 367.5))
    >>> fill.px_e8 / SCALE, venue.positions[0] // SCALE, venue.cash_e8 // SCALE
    (367.5, 10, 996325)
    """

    def __init__(
        self, cash_e8: int = 0, latency: Delays = _no_delay, fee_per_unit_e8: int = 0, fee_rate: float = 0.0
    ) -> None:
        self.cash_e8 = cash_e8
        self.fees_e8 = 0
        self.positions: dict[int, int] = {}
        self.orders: dict[int, Resting] = {}
        self._latency = latency
        self._fee_per_unit_e8 = fee_per_unit_e8
        self._fee_rate_e8 = round(fee_rate * SCALE)
        self._open: dict[int, dict[int, Resting]] = {}
        self._whole_ns: dict[int, int] = {}  # orders up to here were there for all of the coming bar
        self._printed: set[int] = set()  # instruments with a print or quote since their last bar

    # -- orders --------------------------------------------------------------------------------------------------

    def submit(self, order: Submit) -> list[Report]:
        """Take an order: an acceptance, or a rejection. It can fill from the next data on."""
        ack_ns, fill_ns = self._latency(order.order_id)
        complaint = self._complaint(order)
        if complaint is not None:
            code, text = complaint
            return [Rejected(order.ts_ns + ack_ns, order.order_id, code, text)]
        resting = Resting(order, ack_ns, fill_ns)
        self.orders[order.order_id] = resting
        self._open.setdefault(order.iid, {})[order.order_id] = resting
        return [Accepted(order.ts_ns + ack_ns, order.order_id, resting.venue_id)]

    def _complaint(self, order: Submit) -> tuple[str, str] | None:
        if order.order_id in self.orders:
            return "DUPLICATE_ID", f"client id {order.client_id} was used before"
        if (
            order.side not in (BUY, SELL)
            or not MARKET <= order.kind <= STOP_LIMIT
            or not DAY <= order.tif <= FOK
        ):
            return "BAD_ORDER", f"unknown side {order.side}, type {order.kind} or time in force {order.tif}"
        if order.qty_e8 <= 0:
            return "BAD_ORDER", f"quantity {order.qty_e8 / SCALE:g} is not above 0"
        if order.kind in (LIMIT, STOP_LIMIT) and order.limit_px_e8 <= 0:
            return "BAD_ORDER", "a limit order needs a limit price above 0"
        if order.kind in (STOP, STOP_LIMIT) and order.stop_px_e8 <= 0:
            return "BAD_ORDER", "a stop order needs a stop price above 0"
        return None

    def cancel(self, cancel: Cancel) -> list[Report]:
        """Take an order out of the book, or say why not."""
        order_id = cancel.order_id
        resting = self.orders.get(order_id)
        ts_ns = cancel.ts_ns + self._latency(order_id)[0]
        if resting is None:
            return [CancelRefused(ts_ns, order_id, "UNKNOWN_ORDER", "no such order")]
        if resting.state != "open":
            return [CancelRefused(ts_ns, order_id, "TOO_LATE", f"the order is {resting.state}")]
        self.end(resting, "cancelled")
        return [Cancelled(ts_ns, order_id, "cancelled on request")]

    @property
    def open_orders(self) -> list[int]:
        """Ids of the orders that may still fill, in order of arrival."""
        return [order_id for order_id, resting in self.orders.items() if resting.state == "open"]

    def resting(self, iid: int) -> list[Resting]:
        """The orders of one instrument that may still fill, in order of arrival."""
        return list(self._open.get(iid, {}).values())

    def saw(self, iid: int, ts_ns: int, *, bar: bool) -> None:
        """Note that a bar closed, or a print or quote came, at `ts_ns`: the coming bar begins there. (For an exchange
        rebuilt from its reports; `on_market` does it by itself.)"""
        if bar:
            self._whole_ns[iid] = ts_ns
            self._printed.discard(iid)
        elif iid not in self._printed:
            self._whole_ns[iid] = ts_ns - 1
            self._printed.add(iid)

    # -- market data -----------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> list[Report]:
        """What an event of the market does to the resting orders; by instrument, then in order of arrival."""
        kind = event.__class__
        if kind is BarSlice:
            return self._on_slice(event)  # type: ignore[arg-type]
        iid, ts_ns = event.iid, event.ts_ns  # type: ignore[union-attr]
        reports: list[Report] = []
        here = self._open.get(iid)
        if here:
            if kind is Bar:
                reports = self._on_bar(event, here)  # type: ignore[arg-type]
            elif kind is Trade:
                trade: Trade = event  # type: ignore[assignment]
                if trade.px > 0:
                    size_e8 = round(trade.size * SCALE) if trade.size > 0 else None
                    reports = self._at(ts_ns, here, trade.px, trade.px, size_e8, size_e8, shared=True)
            else:
                quote: Quote = event  # type: ignore[assignment]
                if 0 < quote.bid < quote.ask:
                    ask_e8 = round(quote.ask_size * SCALE) if quote.ask_size > 0 else None
                    bid_e8 = round(quote.bid_size * SCALE) if quote.bid_size > 0 else None
                    reports = self._at(ts_ns, here, quote.ask, quote.bid, ask_e8, bid_e8, shared=False)
        self.saw(iid, ts_ns, bar=kind is Bar)
        return reports

    def _on_slice(self, event: BarSlice) -> list[Report]:
        reports: list[Report] = []
        rows = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5)
        for place, iid in enumerate(np.frombuffer(event.iids, "<i4").tolist()):
            if self._open.get(iid):
                reports += self._on_bar(Bar(event.ts_ns, iid, *rows[place].tolist()), self._open[iid])
            self.saw(iid, event.ts_ns, bar=True)
        return reports

    def _at(
        self,
        ts_ns: int,
        here: dict[int, Resting],
        buy_px: float,
        sell_px: float,
        buy_size_e8: int | None,
        sell_size_e8: int | None,
        *,
        shared: bool,
    ) -> list[Report]:
        reports: list[Report] = []
        for resting in list(here.values()):
            order = resting.order
            if order.ts_ns >= ts_ns or self._expired(resting, ts_ns, reports):
                continue
            buys = order.side == BUY
            px, room = (buy_px, buy_size_e8) if buys else (sell_px, sell_size_e8)
            qty = resting.open_e8
            if resting.at(px) and (room is None or room > 0):
                part = qty if room is None else min(qty, room)
                if part == qty or order.tif != FOK:
                    self._fill(resting, ts_ns, px, part, reports)
                    if room is not None:
                        if buys or shared:
                            buy_size_e8 = room - part
                        if not buys or shared:
                            sell_size_e8 = room - part
            self._now_or_never(resting, ts_ns, reports)
        return reports

    def _on_bar(self, bar: Bar, here: dict[int, Resting]) -> list[Report]:
        reports: list[Report] = []
        if not 0 < bar.low <= bar.high:
            return reports
        ts_ns = bar.ts_ns
        turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
        path = (bar.open, *turns, bar.close)
        whole_since = self._whole_ns.get(bar.iid, 0)
        for resting in list(here.values()):
            order = resting.order
            if order.ts_ns >= ts_ns or self._expired(resting, ts_ns, reports):
                continue
            px = _NOWHERE
            if order.ts_ns > whole_since:
                if resting.at(bar.close):
                    px = bar.close
            elif resting.at(bar.open):
                px = bar.open
            elif order.tif not in (IOC, FOK):
                for start, end in pairwise(path):
                    px = resting.along(start, end)
                    if px != _NOWHERE:
                        break
            if px != _NOWHERE:
                self._fill(resting, ts_ns, px, resting.open_e8, reports)
            self._now_or_never(resting, ts_ns, reports)
        return reports

    # -- ends ------------------------------------------------------------------------------------------------------

    def _fill(self, resting: Resting, ts_ns: int, px: float, qty_e8: int, reports: list[Report]) -> None:
        order = resting.order
        px_e8 = round(px * SCALE)
        signed = order.side * qty_e8
        value_e8 = notional_e8(px_e8, signed)
        fee_e8 = notional_e8(self._fee_per_unit_e8, qty_e8) + notional_e8(self._fee_rate_e8, abs(value_e8))
        self.cash_e8 -= value_e8 + fee_e8
        self.fees_e8 += fee_e8
        self.positions[order.iid] = self.positions.get(order.iid, 0) + signed
        resting.filled_e8 += qty_e8
        resting.fills += 1
        exec_id = f"x-{order.epoch}-{order.order_id}-{resting.fills}"
        at_ns = max(ts_ns, order.ts_ns + resting.fill_ns)
        if resting.filled_e8 == order.qty_e8:
            self.end(resting, "filled")
        reports.append(Filled(at_ns, order.order_id, exec_id, px_e8, qty_e8, fee_e8))

    def _expired(self, resting: Resting, ts_ns: int, reports: list[Report]) -> bool:
        order, day = resting.order, ts_ns // _DAY_NS
        if resting.day < 0:
            resting.day = day
        if order.tif == GTC or resting.day == day:
            return False
        self.end(resting, "expired")
        reports.append(Expired(max(ts_ns, order.ts_ns + resting.ack_ns), order.order_id))
        return True

    def _now_or_never(self, resting: Resting, ts_ns: int, reports: list[Report]) -> None:
        order = resting.order
        if resting.state == "open" and order.tif in (IOC, FOK):
            self.end(resting, "cancelled")
            at_ns = max(ts_ns, order.ts_ns + resting.fill_ns)
            reports.append(Cancelled(at_ns, order.order_id, "not filled at once"))

    def end(self, resting: Resting, state: str) -> None:
        """Take an order out of the book for good."""
        resting.state = state
        del self._open[resting.order.iid][resting.order.order_id]
