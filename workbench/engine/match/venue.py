"""The simulated venue for one account: what the market does to the orders in its book.

Lives here: the ways in for market data, and execution. Not here: orders without the market (orders.py), one order's
prices (resting.py), the pass of a bar (bars.py), of a print or quote (ticks.py).
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from workbench.engine.fees.schedule import FeeSchedule, PerUnit
from workbench.engine.match.bars import on_bar
from workbench.engine.match.orders import Delays, Desk
from workbench.engine.match.resting import Resting
from workbench.engine.match.sessions import SessionTable, UtcDays
from workbench.engine.match.tape import Tape
from workbench.engine.match.ticks import on_print, on_quote
from workbench.errors import UnknownName
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, BarSlice, MarketEvent, Quote, Trade
from workbench.model.orders import CLS, FOK, MARKET, OPG
from workbench.model.reports import Filled, Report
from workbench.model.scale import SCALE

__all__ = ["Match"]

FILL_AT: Final = ("next", "close")
GROUPS: Final = ("reduce", "cancel")


def _no_delay(order_id: int) -> tuple[int, int]:
    return (0, 0)


class Match(Desk):
    """Matching for one account.

    Args:
        cash_e8: starting cash.
        latency: `latency(order_id) -> (ack_ns, fill_ns)`, both after the submit.
        fee_per_unit_e8, fee_rate: fees a unit and of the value; `fees` in their place is a schedule.
        fill_at: "next" data, or a market order decided on a bar's "close" fills there at once.
        group: what a fill does to the others of its group: "reduce" them by as much, or "cancel" them.
        instruments: their ticks (without them a tick is 1e-8).
        sessions: opens and closes; UTC days when omitted.

    >>> venue = Match(cash_e8=1_000_000 * SCALE)
    >>> reports = venue.submit(Submit(1, 1, 1, 0, 0, BUY, MARKET, DAY, 10 * SCALE, 0, 0))
    >>> [fill] = venue.on_market(Trade(2, 0, 367.5))
    >>> fill.px_e8 / SCALE, venue.positions[0] // SCALE, venue.cash_e8 // SCALE
    (367.5, 10, 996325)

    Raises:
        UnknownName: a word nobody knows, with the nearest right one.
    """

    def __init__(
        self,
        cash_e8: int = 0,
        latency: Delays = _no_delay,
        fee_per_unit_e8: int = 0,
        fee_rate: float = 0.0,
        *,
        fees: FeeSchedule | None = None,
        fill_at: str = "next",
        group: str = "reduce",
        instruments: Iterable[Instrument] = (),
        sessions: SessionTable | None = None,
    ) -> None:
        for name, word, known in (("fill_at", fill_at, FILL_AT), ("group", group, GROUPS)):
            if word not in known:
                raise UnknownName(name, word, known)
        super().__init__(
            cash_e8,
            latency,
            fees if fees is not None else PerUnit(fee_per_unit_e8, fee_rate),
            instruments,
            sessions if sessions is not None else UtcDays(),
            cancels_group=group == "cancel",
        )
        self._at_close = fill_at == "close"
        self._keeps_bars = self._at_close

    # -- market data -----------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> list[Report]:
        """What an event of the market does to the resting orders; by instrument, then as the market meets them."""
        kind = event.__class__
        if kind is BarSlice:
            return self._on_slice(event)  # type: ignore[arg-type]
        reports: list[Report] = []
        tape = self._tapes.get(event.iid)  # type: ignore[union-attr]
        if tape is None:
            tape = self.tape(event.iid)  # type: ignore[union-attr]
        if kind is Bar:
            self._on_bar(tape, event, reports)  # type: ignore[arg-type]
        elif kind is Trade:
            trade: Trade = event  # type: ignore[assignment]
            if tape.orders and trade.px > 0:
                on_print(self, tape, trade, reports)
            tape.saw_tick(trade.ts_ns)
        elif kind is Quote:
            quote: Quote = event  # type: ignore[assignment]
            if tape.orders and 0 < quote.bid < quote.ask:
                on_quote(self, tape, quote, reports)
            tape.saw_tick(quote.ts_ns)
        return reports

    def _on_bar(self, tape: Tape, bar: Bar, reports: list[Report]) -> None:
        if self._keeps_bars:
            tape.bar = bar
        if tape.orders:
            tape.room_e8 = None
            on_bar(self, tape, bar, reports)
        tape.saw_bar(bar.ts_ns)

    def _on_slice(self, event: BarSlice) -> list[Report]:
        reports: list[Report] = []
        ts_ns, keeps = event.ts_ns, self._keeps_bars
        rows = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5)
        for place, iid in enumerate(np.frombuffer(event.iids, "<i4").tolist()):
            tape = self._tapes.get(iid) or self.tape(iid)
            if tape.orders or keeps:
                self._on_bar(tape, Bar(ts_ns, iid, *rows[place].tolist()), reports)
            else:
                tape.saw_bar(ts_ns)
        return reports

    def is_opening(self, tape: Tape, ts_ns: int) -> bool:
        """Whether data of this instant is the instrument's first of a session."""
        sessions = self._sessions
        if not sessions.has_opened(ts_ns):
            return False
        seen_ns = tape.seen_ns
        return (
            seen_ns < 0
            or sessions.number(seen_ns) != sessions.number(ts_ns)
            or not sessions.has_opened(seen_ns)
        )

    def is_closing(self, ts_ns: int) -> bool:
        """Whether data of this instant is a session's close."""
        return self._sessions.is_closing(ts_ns)

    # -- execution ---------------------------------------------------------------------------------------------------

    def filled_on_arrival(self, resting: Resting) -> bool:
        """Whether an order fills at the close of the bar it was decided on, with no data after it."""
        order = resting.order
        if not (self._at_close and order.kind == MARKET and order.tif not in (OPG, CLS)):
            return False
        tape = self.tape(order.iid)
        bar = tape.bar
        return (
            bar is not None and bar.ts_ns == order.ts_ns == tape.seen_ns and bar.close > 0 and resting.woken
        )

    def arrived(self, resting: Resting, reports: list[Report]) -> None:
        if self.filled_on_arrival(resting):
            order = resting.order
            tape = self.tape(order.iid)
            bar = tape.bar
            assert bar is not None
            self.expired(resting, order.ts_ns, reports)  # notes the session it is good for
            self.trade(resting, order.ts_ns, bar.close, tape, reports, bar)
            self.now_or_never(resting, order.ts_ns, reports)
            self.woken.clear()

    def share_of(self, size_e8: int | None) -> int | None:
        """How much of a size our orders may take together; None is no limit."""
        return size_e8

    def trade(
        self,
        resting: Resting,
        ts_ns: int,
        px: float,
        tape: Tape,
        reports: list[Report],
        bar: Bar | None = None,
        volume_e8: int | None = None,
    ) -> int:
        """Execute as much of an order as may be at `px`; returns the quantity."""
        order = resting.order
        if self.told is not None:
            told = self.told(order.order_id)
            if told is None:
                return 0
            self.filled(resting, told, ts_ns, reports)
            return told.qty_e8
        qty_e8, room_e8 = resting.workable_e8, tape.room_e8
        if room_e8 is not None and room_e8 < qty_e8:
            qty_e8 = room_e8
        if qty_e8 <= 0 or (order.tif == FOK and qty_e8 < resting.open_e8):
            return 0
        px_e8 = round(px * SCALE)
        fee_e8 = self.fee_of(resting, px_e8, qty_e8, ts_ns)
        exec_id = f"x-{order.epoch}-{order.order_id}-{resting.fills + 1}"
        at_ns = max(ts_ns, order.ts_ns + resting.fill_ns)
        if room_e8 is not None:
            tape.room_e8 = room_e8 - qty_e8
        self.filled(resting, Filled(at_ns, order.order_id, exec_id, px_e8, qty_e8, fee_e8), ts_ns, reports)
        return qty_e8
