"""The engine: one event in, a list of effects out. No clock, file, socket, await or randomness.

    market data -> book -> strategies -> target -> size -> risk rules -> order -> Submit
    reports     -> order table -> ledger, exposure, target
    commands    -> the same, as said by a person, a session or the clock

`Engine` holds the state and the few moves every event shares (send, refuse, halt, cancel); what each class of event
does is in `on_market`, `on_reports`, `on_commands` and `on_changes`. Time is `event.ts_ns`. `handle` never raises for
anything an outside can say: what does not fit is counted (`oddities`) or answered with a `Refusal`.
"""

from collections.abc import Callable
from typing import Any

from workbench.engine.book import Book
from workbench.engine.claims import Claims
from workbench.engine.exposure import Exposure, Line
from workbench.engine.flatten import close_out
from workbench.engine.hashing import state_digest
from workbench.engine.host import Program, StrategyHost
from workbench.engine.ledger import Ledger
from workbench.engine.linked import open_order
from workbench.engine.on_changes import CHANGES
from workbench.engine.on_commands import COMMANDS
from workbench.engine.on_market import MARKET_EVENTS
from workbench.engine.on_reports import REPORTS
from workbench.engine.orders import OrderTable
from workbench.engine.risk import DAY_NS, Risk
from workbench.engine.rules import first_no, plainly_fine
from workbench.engine.seats import OPERATOR, PAUSED, Intent, Placed, Seat, Verdict
from workbench.engine.sizers import Sized
from workbench.errors import WorkbenchError
from workbench.model.effects import Cancel, Effect, Refusal, StrategyHalted, Submit
from workbench.model.orders import DAY, LIMIT, MARKET, NEW, STOP_LIMIT, TRAILING, Order
from workbench.model.records import Event
from workbench.model.stages import RISKED
from workbench.strategy import Programs, load_strategy

__all__ = ["Engine"]

_BREACHES = frozenset({"RATE", "REPEAT", "DUPLICATE"})
_LIMITED = (LIMIT, STOP_LIMIT)
_WHYS = 4096
_INFINITY = float("inf")


def _no_stamp() -> int:
    return 0


class Engine:
    """The pure core of a desk.

    `orders`, `ledger`, `book`, `exposure`, `host` and `risk` are readable at any time between two events.
    `edge_ns` is set by the driver before each `handle`: the monotonic time the event left its socket. `stamp` reads
    the monotonic clock and fills `Order.stamps` alone; no decision sees it.

    `programs` and `load` default to those of `workbench.strategy`; rows of a program belong to one engine, so every
    engine has its own programs.
    """

    def __init__(
        self,
        programs: Callable[[Any], Program] | None = None,
        load: Callable[[str, str], type] = load_strategy,
        stamp: Callable[[], int] = _no_stamp,
    ) -> None:
        self.stamp = stamp
        self.edge_ns = 0
        self.inbox_ns = 0
        self.decided_ns = 0
        self.now_ns = 0  # latest time seen: never goes back
        self.ts_ns = 0  # time of the event in hand
        self.epoch = 0
        self.session = ""
        self.mode = ""
        self.events = 0
        self.oddities: dict[str, int] = {}
        self.book = Book()
        self.ledger = Ledger()
        self.exposure = Exposure()
        self.orders = OrderTable()
        self.claims = Claims(self.orders, self.exposure)
        self.claimed = self.claims.by_order  # is this order a plain one? asked at every fill
        self.sized: Sized | None = None  # None: nobody's size is measured or followed on bars
        self.flattening: dict[tuple[int, int], str] = {}  # seats to be closed once their orders have ended
        self.risk = Risk(self.book, self.ledger, self.exposure, self.orders)
        self.host = StrategyHost(programs or Programs(), load)
        self.operator = Placed(OPERATOR, "operator", self.risk.strategy_windows())
        self.effects: list[Effect] = []
        self._next_day_ns = 0
        self._intent = Intent()
        self._whys: dict[tuple[float, float], str] = {}
        self._routes: dict[type, Callable[[Engine, Any], None]] = {
            **MARKET_EVENTS,
            **REPORTS,
            **COMMANDS,
            **CHANGES,
        }

    def handle(self, event: Event) -> list[Effect]:
        """Everything that `event` leads to, in order. The list is the caller's."""
        effects: list[Effect] = []
        self.effects = effects
        self.events += 1
        ts_ns = event.ts_ns
        risk = self.risk
        self.ts_ns = risk.ts_ns = ts_ns
        if ts_ns > self.now_ns:
            self.now_ns = risk.now_ns = ts_ns
            if ts_ns >= self._next_day_ns:
                self._next_day_ns = (ts_ns // DAY_NS + 1) * DAY_NS
                risk.day_equity_e8 = risk.equity_e8
        self.inbox_ns = self.stamp()
        self._routes[event.__class__](self, event)
        return effects

    # -- from a target to an order ------------------------------------------------------------------------------

    def retarget(self, seat: Seat, target: float, why: str = "") -> None:
        """A strategy's new answer for one instrument: send the difference to what is held and working."""
        placed = seat.placed
        if not placed.running:
            return
        if not -1.0 <= target <= 1.0:  # true for NaN too
            if not abs(target) < _INFINITY:
                self.halt(placed, "NAN", self.host.complaint(seat))
                return
            target = 1.0 if target > 0 else -1.0
            if target == seat.target:
                return
        full, sizer = seat.full_e8, placed.sizer
        if sizer is not None:
            size = sizer.full_e8(seat)
            if size >= 0:
                seat.full_e8 = full = seat.instrument.floor_qty(size)
            elif target != 0.0:
                self.odd("a size that is not known yet")
                return  # the target stays what it was, so the wish is heard again at the next bar
        if target == 0.0:
            wanted = 0
        elif target == 1.0:
            wanted = full
        elif target == -1.0:
            wanted = -full
        else:
            wanted = seat.instrument.floor_qty(round(target * full))  # towards zero: never more than asked
        have = seat.held_e8 + seat.working_e8
        delta = wanted - have
        before = seat.target
        if (have > 0 > wanted or have < 0 < wanted) and not self.risk.reversal:
            delta, target = -have, 0.0
        seat.aim(target)
        if delta == 0:
            return
        line = seat.line
        if delta > 0:
            side, qty = 1, delta
            worst = line.held_e8 + line.buys_e8 + qty
        else:
            side, qty = -1, -delta
            worst = line.sells_e8 - line.held_e8 + qty
        why = why or self._whys.get((before, target)) or self._why(before, target)
        if plainly_fine(seat, side, qty, worst, self.risk):
            self._open(seat, line, side, MARKET, DAY, qty, 0, 0, why)
            return
        intent = self._intent
        intent.seat, intent.iid = seat, seat.iid
        intent.kind, intent.tif, intent.side, intent.qty_e8 = MARKET, DAY, side, qty
        intent.limit_px_e8 = intent.stop_px_e8 = intent.trail_e8 = intent.trail_rate_e8 = 0
        intent.px_e8 = px = line.mark_e8
        intent.notional_e16 = qty * px
        intent.sized = True
        intent.why = why
        if not self.send(intent):
            seat.aim(seat.truth())

    def _why(self, before: float, target: float) -> str:
        if len(self._whys) >= _WHYS:
            self._whys.clear()
        text = self._whys[before, target] = f"target {before:g} -> {target:g}"
        return text

    def order(
        self,
        seat: Seat,
        side: int,
        kind: int,
        tif: int,
        qty_e8: int,
        limit_px_e8: int,
        stop_px_e8: int,
        why: str,
        trail_e8: int = 0,
        trail_rate_e8: int = 0,
    ) -> bool:
        """An order somebody asks for in so many words; True when it was sent. Brackets and groups: `linked`."""
        intent = self._intent
        intent.seat, intent.iid = seat, seat.iid
        intent.side, intent.kind, intent.tif, intent.qty_e8 = side, kind, tif, qty_e8
        intent.limit_px_e8, intent.stop_px_e8 = limit_px_e8, stop_px_e8
        intent.trail_e8, intent.trail_rate_e8 = trail_e8, trail_rate_e8
        intent.px_e8 = limit_px_e8 or stop_px_e8 or seat.line.mark_e8
        intent.notional_e16 = qty_e8 * intent.px_e8
        intent.sized = False
        intent.why = why
        return self.send(intent)

    def send(self, intent: Intent) -> bool:
        """Ask the rules; open the order and emit its Submit, or refuse."""
        risk = self.risk
        seat, side, qty = intent.seat, intent.side, intent.qty_e8
        line = seat.line
        intent.more_e8 = qty
        if side > 0:
            intent.worst_e8 = line.held_e8 + line.buys_e8 + qty
        else:
            intent.worst_e8 = line.sells_e8 - line.held_e8 + qty
        verdict = first_no(intent, risk)
        if verdict is not None:
            self.refuse(intent, verdict)
            return False
        if intent.kind == TRAILING:
            open_order(self, intent)
            self.exposure.opened(line, side, qty)
            seat.working_e8 += side * qty
            return True
        self._open(
            seat,
            line,
            side,
            intent.kind,
            intent.tif,
            qty,
            intent.limit_px_e8,
            intent.stop_px_e8,
            intent.why,
        )
        return True

    def _open(
        self,
        seat: Seat,
        line: Line,
        side: int,
        kind: int,
        tif: int,
        qty: int,
        limit_px: int,
        stop_px: int,
        why: str,
    ) -> None:
        """The rules said yes: the order exists from here on, and its Submit goes out."""
        risk, orders, now_ns, ts_ns = self.risk, self.orders, self.now_ns, self.ts_ns
        placed = seat.placed
        order_id, epoch, sid, iid = orders.next_id, self.epoch, placed.strategy_id, seat.iid
        # fmt: off
        stamps = [self.edge_ns, self.inbox_ns, self.decided_ns or self.inbox_ns, 0, 0, 0, 0, 0, 0]
        orders.by_id[order_id] = orders.active[order_id] = Order(
            order_id, epoch, sid, iid, side, kind, tif, qty, limit_px, stop_px, ts_ns,
            NEW, 0, 0, 0, ts_ns, "", "", why, stamps,
        )
        orders.next_id = order_id + 1
        # fmt: on
        self.exposure.opened(line, side, qty)
        seat.working_e8 += side * qty
        if side == seat.last_side and now_ns - seat.repeats_from_ns < risk.repeat_ns:
            seat.repeats += 1
        else:
            seat.repeats, seat.repeats_from_ns = 1, now_ns
        seat.last_side, seat.last_qty_e8, seat.last_kind, seat.last_ns = side, qty, kind, now_ns
        seat.last_px_e8 = limit_px or stop_px
        seat.quiet_code = ""
        placed.orders += 1
        if placed.open_orders is not None:
            placed.open_orders[order_id] = orders.by_id[order_id]
        for window in (
            placed.window,
            risk.account_window,
        ):  # `take`, written out: this is the hot path of every order
            taken = window.taken
            taken.append(now_ns)
            if len(taken) == window.most:
                window.free_ns = taken[0] + window.span_ns
        if kind in _LIMITED:
            (line.bids if side > 0 else line.asks)[order_id] = limit_px
        stamps[RISKED] = self.stamp()
        self.effects.append(
            Submit(ts_ns, order_id, epoch, sid, iid, side, kind, tif, qty, limit_px, stop_px, why)
        )

    # -- no ------------------------------------------------------------------------------------------------------

    def refuse(self, intent: Intent, verdict: Verdict) -> None:
        """Say no to an intent; too many breaches of the throttles pause the strategy."""
        code, text, numbers = verdict
        seat = intent.seat
        placed = seat.placed
        placed.refusals += 1
        now_ns = self.now_ns
        if intent.sized and seat.quiet_code == code and seat.quiet_side == intent.side:
            quiet = now_ns - seat.quiet_ns < self.risk.quiet_ns
        else:
            quiet = False
        if quiet:
            self.odd(f"{code} again")
        else:
            seat.quiet_code, seat.quiet_side, seat.quiet_ns = code, intent.side, now_ns
            self.effects.append(
                Refusal(
                    self.ts_ns,
                    placed.strategy_id,
                    intent.iid,
                    intent.side,
                    intent.qty_e8,
                    code,
                    text,
                    numbers,
                )
            )
        if code in _BREACHES and placed is not self.operator:
            placed.breaches.take(now_ns)
            if not placed.breaches.room(now_ns) and placed.running:
                most, span_s = placed.breaches.most, placed.breaches.span_ns / 1e9
                self.halt(
                    placed, "RATE", f"{most} refusals by throttles within {span_s:g} s, the last: {text}"
                )

    def say_no(self, code: str, text: str, strategy_id: int = OPERATOR, iid: int = -1) -> None:
        """A refusal that is about no order of ours: a command that cannot be followed, a report that cannot be."""
        self.odd(code)
        self.effects.append(Refusal(self.ts_ns, strategy_id, iid, 0, 0, code, text))

    def odd(self, reason: str, count: int = 1) -> None:
        """Count something that did not fit."""
        self.oddities[reason] = self.oddities.get(reason, 0) + count

    def halt(self, placed: Placed, code: str, text: str) -> None:
        """Pause a strategy because of what it did, and cancel what it has open; others go on."""
        placed.turn(PAUSED, f"{code}: {text}")
        placed.halted = True
        self.effects.append(StrategyHalted(self.ts_ns, placed.strategy_id, code, text))
        self.cancel_all(placed.strategy_id)

    def user_error(self, placed: Placed, error: Exception) -> None:
        """A strategy's own code raised."""
        said = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
        self.halt(placed, "ERROR", " ".join(said.split()) or type(error).__name__)

    # -- cancels and ends ----------------------------------------------------------------------------------------

    def cancel(self, order: Order) -> None:
        """Ask the venue to cancel; may be repeated."""
        self.orders.cancel_asked(order, self.ts_ns)
        self.effects.append(Cancel(self.ts_ns, order.order_id))

    def cancel_all(self, strategy_id: int | None = None) -> None:
        """Cancel every active order (of one strategy)."""
        for order in self.orders.active.values():  # `cancel` never ends an order: the table keeps its size
            if strategy_id is None or order.strategy_id == strategy_id:
                self.cancel(order)

    def release(self, order: Order, open_e8: int) -> None:
        """An order has ended with `open_e8` unfilled: that can no longer happen, and the strategy must know."""
        seat = self.host.seats[order.strategy_id, order.iid]
        if order.order_id in self.claimed:
            self.claims.changed(order)
        else:
            self.exposure.closed(seat.line, order.side, open_e8)
            seat.working_e8 -= order.side * open_e8
        if open_e8:
            seat.aim(seat.truth())
        self.over(seat, order)

    def over(self, seat: Seat, order: Order) -> None:
        """An order has ended and is counted: whoever kept it in view forgets it."""
        line, placed = seat.line, seat.placed
        (line.bids if order.side > 0 else line.asks).pop(order.order_id, None)
        if placed.open_orders is not None:
            placed.open_orders.pop(order.order_id, None)
        if self.flattening:
            close_out(self, seat)

    def digest(self) -> str:
        """A hash of the whole deterministic state: equal after a replay, whatever process and hash seed."""
        return state_digest(self)
