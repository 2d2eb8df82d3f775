"""The simulated venue for one account: what the market does to the orders in its book.

Lives here: the ways in for market data, and execution. Not here: orders without the market (orders.py), one order's
prices (resting.py), the pass of a bar (bars.py), of a print or quote (ticks.py).
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from workbench.engine.fees import FeeSchedule, PerUnit, fees_named
from workbench.engine.match.actions import pay_dividend, split
from workbench.engine.match.bars import on_bar
from workbench.engine.match.complaints import Complaint
from workbench.engine.match.margin import charge_days, on_margin_call, refusal
from workbench.engine.match.orders import Delays, Desk
from workbench.engine.match.queue import take_place
from workbench.engine.match.resting import Resting
from workbench.engine.match.sessions import SessionTable, UtcDays
from workbench.engine.match.slippage import Slippage
from workbench.engine.match.tape import Tape
from workbench.engine.match.terms import Terms
from workbench.engine.match.ticks import on_print, on_quote
from workbench.errors import BadValue, UnknownName
from workbench.model.effects import Submit
from workbench.model.instrument import Instrument
from workbench.model.market import Bar, BarSlice, Dividend, MarketEvent, Quote, Split, Trade
from workbench.model.orders import CLS, FOK, MARKET, OPG
from workbench.model.reports import Filled, Report
from workbench.model.scale import SCALE

__all__ = ["Match"]

FILL_AT: Final = ("next", "close")
ARRIVALS: Final = ("at_once", "delayed")
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
        arrival: orders are there "at_once", or "delayed": no quote or sized print before their acceptance fills them
            (bars are too coarse for that).
        group: what a fill does to the others of its group: "reduce" them by as much, or "cancel" them.
        queue: limit orders stand in a queue at their price, as far as quotes and prints tell of it.
        participation: of a bar's volume and of a shown or printed size our orders together take at most this share
            (0: no limit), in whole lots; what tells no size fills nothing then.
        slippage: how much worse orders without a limit fill.
        instruments: their ticks and lots (without them both are 1e-8).
        sessions: opens and closes; UTC days when omitted.
        terms: what the account may do, and what it borrows at; everything, and free, when omitted.

    >>> from workbench.model import Submit, Trade
    >>> venue = Match(cash_e8=1_000_000 * 10**8)
    >>> reports = venue.submit(Submit(1, 1, 1, 0, 0, 1, 0, 0, 10 * 10**8, 0, 0))  # buy 10 at the market, for the day
    >>> [fill] = venue.on_market(Trade(2, 0, 367.5))
    >>> fill.px_e8 / 10**8, venue.positions[0] // 10**8, venue.cash_e8 // 10**8
    (367.5, 10, 996325)

    Raises:
        UnknownName: a word nobody knows, with the nearest right one. BadValue: a participation that is no share.
    """

    def __init__(
        self,
        cash_e8: int = 0,
        latency: Delays = _no_delay,
        fee_per_unit_e8: int = 0,
        fee_rate: float = 0.0,
        *,
        fees: FeeSchedule | str | None = None,
        fill_at: str = "next",
        arrival: str = "at_once",
        group: str = "reduce",
        queue: bool = False,
        participation: float = 0.0,
        slippage: Slippage | None = None,
        instruments: Iterable[Instrument] = (),
        sessions: SessionTable | None = None,
        terms: Terms | None = None,
    ) -> None:
        words = (("fill_at", fill_at, FILL_AT), ("arrival", arrival, ARRIVALS), ("group", group, GROUPS))
        for name, word, known in words:
            if word not in known:
                raise UnknownName(name, word, known)
        if not 0 <= participation <= 1:
            raise BadValue("participation", participation, "give a share from 0 (no limit) to 1")
        if isinstance(fees, str):
            fees = fees_named(fees)
        super().__init__(
            cash_e8,
            latency,
            fees if fees is not None else PerUnit(fee_per_unit_e8, fee_rate),
            instruments,
            sessions if sessions is not None else UtcDays(),
            cancels_group=group == "cancel",
        )
        self._at_close = fill_at == "close"
        self.delayed = arrival == "delayed"
        self.keeps_queue = queue
        self._share_e8 = round(participation * SCALE)
        self.has_share = self._share_e8 > 0
        self._slippage = slippage if slippage is not None else Slippage()
        self._slips = bool(self._slippage)
        self.terms = terms if terms is not None else Terms()
        self._checks = self.terms.checks
        self._watches = self.terms.accrues or self.terms.calls
        self._charged_day = -1  # the day of the last event's session

    @property
    def needs_every_event(self) -> bool:
        """Whether something can happen here while no order is open (but for splits and dividends)."""
        return self.terms.accrues

    # -- market data -----------------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> list[Report]:
        """What an event of the market does to the resting orders; by instrument, then as the market meets them."""
        reports: list[Report] = []
        if not self._watches:
            self._event(event, reports)
            return reports
        if self.terms.accrues:
            self._nights(event.ts_ns, reports)
        self._event(event, reports)
        if self.terms.calls and self.told is None:
            on_margin_call(self, self.terms, event.ts_ns, reports)
        return reports

    def _event(self, event: MarketEvent, reports: list[Report]) -> None:
        kind = event.__class__
        if kind is BarSlice:
            self._on_slice(event, reports)  # type: ignore[arg-type]
            return
        tape = self.tapes.get(event.iid)  # type: ignore[union-attr]
        if tape is None:
            tape = self.tape(event.iid)  # type: ignore[union-attr]
        if kind is Trade:
            trade: Trade = event  # type: ignore[assignment]
            if trade.px > 0:
                waits = self.has_share and not trade.size > 0  # for the bar that tells a volume
                if tape.orders and not waits:
                    on_print(self, tape, trade, reports)
                if self.keeps_queue and trade.size > 0:
                    tape.has_sizes = True
                tape.last = trade
                if not waits:
                    tape.seen_ns = trade.ts_ns
                if not tape.printed:
                    tape.whole_ns, tape.printed = trade.ts_ns - 1, True
        elif kind is Bar:
            bar: Bar = event  # type: ignore[assignment]
            if tape.orders or self.has_share:
                self._on_bar(tape, bar, reports)
            tape.last = tape.bars = bar
            tape.whole_ns = tape.seen_ns = bar.ts_ns
            tape.printed = False
        elif kind is Quote:
            quote: Quote = event  # type: ignore[assignment]
            if 0 < quote.bid < quote.ask:
                if tape.orders:
                    on_quote(self, tape, quote, reports)
                tape.last = tape.quote = quote
                tape.has_sizes = True
                tape.seen_ns = quote.ts_ns
                if not tape.printed:
                    tape.whole_ns, tape.printed = quote.ts_ns - 1, True
        elif kind is Split:
            split(self, event, reports)  # type: ignore[arg-type]
        elif kind is Dividend:
            pay_dividend(self, event, reports)  # type: ignore[arg-type]

    def _on_bar(self, tape: Tape, bar: Bar, reports: list[Report]) -> None:
        tape.room_e8 = None
        if self.has_share:
            tape.room_e8 = self.share_of(round(bar.volume * SCALE) if bar.volume > 0 else 0)
        if tape.orders:
            on_bar(self, tape, bar, reports)

    def _on_slice(self, event: BarSlice, reports: list[Report]) -> None:
        ts_ns, every = event.ts_ns, self.has_share
        rows = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5)
        for place, iid in enumerate(np.frombuffer(event.iids, "<i4").tolist()):
            tape = self.tapes.get(iid) or self.tape(iid)
            if tape.orders or every:
                self._on_bar(tape, Bar(ts_ns, iid, *rows[place].tolist()), reports)
            tape.last = tape.bars = event
            tape.whole_ns = tape.seen_ns = ts_ns
            tape.printed = False

    def _nights(self, ts_ns: int, reports: list[Report]) -> None:
        """Charge the nights since the last event, at its prices, on what was held over them."""
        day = self._sessions.day_of(ts_ns)
        if day == self._charged_day:
            return
        if self._charged_day >= 0 and self.told is None:
            charge_days(self, self.terms, ts_ns, day, day - self._charged_day, reports)
        self._charged_day = day

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

    # -- what the account can carry ----------------------------------------------------------------------------------

    def complaint(self, order: Submit) -> Complaint | None:
        wrong = super().complaint(order)
        return refusal(self, self.terms, order) if wrong is None and self._checks else wrong

    def amend_complaint(self, resting: Resting, wanted: Submit) -> Complaint | None:
        return refusal(self, self.terms, wanted, resting) if self._checks else None

    # -- execution ---------------------------------------------------------------------------------------------------

    def filled_on_arrival(self, resting: Resting) -> bool:
        """Whether an order fills at the close of the bar it was decided on, with no data after it."""
        return self._close_for(resting) is not None

    def _close_for(self, resting: Resting) -> Bar | None:
        order = resting.order
        if not (self._at_close and order.kind == MARKET and order.tif not in (OPG, CLS) and resting.woken):
            return None
        tape = self.tape(order.iid)
        bar = tape.bar
        if bar is None or not bar.ts_ns == order.ts_ns == tape.seen_ns or bar.close <= 0:
            return None
        return bar

    def arrived(self, resting: Resting, reports: list[Report]) -> None:
        bar = self._close_for(resting) if self._at_close else None
        if bar is not None:
            order = resting.order
            self.expired(resting, order.ts_ns, reports)  # notes the session it is good for
            self.trade(resting, order.ts_ns, bar.close, self.tape(order.iid), reports, bar)
            self.now_or_never(resting, order.ts_ns, reports)
            self.woken.clear()

    def share_of(self, size_e8: int | None) -> int | None:
        """How much of a size our orders may take together; None is no limit."""
        if not self._share_e8:
            return size_e8
        return size_e8 * self._share_e8 // SCALE if size_e8 is not None else 0

    def queued(self, resting: Resting) -> None:
        if self.keeps_queue:
            take_place(resting, self.tape(resting.order.iid))

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
        qty_e8, room_e8 = resting.workable_e8, tape.room_e8
        if room_e8 is not None and room_e8 < qty_e8:
            lot_e8 = self.lot_e8(order.iid) if self._share_e8 else 1
            qty_e8 = room_e8 // lot_e8 * lot_e8
        if qty_e8 <= 0 or (order.tif == FOK and qty_e8 < resting.open_e8):
            return 0
        if self.told is not None:
            told = self.told.next_fill(order.order_id)
            if told is None:
                return 0
            if room_e8 is not None:
                tape.room_e8 = room_e8 - told.qty_e8
            self.filled(resting, told, ts_ns, reports)
            return told.qty_e8
        px_e8 = round(px * SCALE)
        if self._slips and not resting.limit:
            inside = bar is not None and px == resting.stop and px != bar.open
            px_e8 = self._slipped(order, px_e8, qty_e8, tape, bar, volume_e8, inside)
        fee_e8 = self.fee_of(resting, px_e8, qty_e8, ts_ns)
        exec_id = f"x-{order.epoch}-{order.order_id}-{resting.fills + 1}"
        at_ns = max(ts_ns, order.ts_ns + resting.fill_ns)
        if room_e8 is not None:
            tape.room_e8 = room_e8 - qty_e8
        self.filled(resting, Filled(at_ns, order.order_id, exec_id, px_e8, qty_e8, fee_e8), ts_ns, reports)
        return qty_e8

    def _slipped(
        self,
        order: Submit,
        px_e8: int,
        qty_e8: int,
        tape: Tape,
        bar: Bar | None,
        volume_e8: int | None,
        inside: bool,
    ) -> int:
        """The price after slippage. A stop that is met inside a bar stays within the bar; an open, a close, a print or
        a quote knows no bounds: a bar that closes at its high would else cost a buy at its close nothing."""
        if bar is not None:
            volume_e8 = round(bar.volume * SCALE) if bar.volume > 0 else 0
        elif volume_e8 is None:
            volume_e8 = tape.volume_e8
        slipped_e8 = self._slippage.px_e8(order.side, px_e8, qty_e8, volume_e8, self._ticks.get(order.iid, 1))
        if bar is None or not inside:
            return slipped_e8
        return min(max(slipped_e8, round(bar.low * SCALE)), round(bar.high * SCALE))
