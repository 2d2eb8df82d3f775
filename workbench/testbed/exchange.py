"""The exchange of an emulated venue: one account's orders over the shared matching core, in a market that moves.

    place, cancel, amend -> settle() -> Match -> reports -> books -> OrderEvent -> sinks
    step(board)          -> a print and a quote -> Match -> ...

Lives here: the order of things between an order's arrival and its events, latency, brackets and pairs, halts. Not here:
matching (engine/match), the market's prices (market.py), who may trade what (a venue's folder), sockets (server.py).

What arrives is only taken in; `settle()` lets it happen. A server calls `settle()` right after the answer has left, so
a client hears of its order before the stream tells of it; `wake` is how it learns that there is something to settle.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from msgspec.structs import replace

from workbench.model.market import Quote, Trade
from workbench.model.orders import BUY, CLS, DAY, FOK, GTC, IOC, LIMIT, OPG
from workbench.model.scale import SCALE
from workbench.testbed.books import Books
from workbench.testbed.market import Board, Market
from workbench.testbed.orders import State, Ticket, VenueOrder

__all__ = ["Exchange"]

_ENTER: Final = 0
_REACH: Final = 1
_CANCEL: Final = 2

type Levels = tuple[tuple[float, float], ...]


class Exchange(Books):
    """One account at one venue. `ack_s`: from an order's arrival to its acceptance; `fill_s`: from there to the first
    price it may have. Cancels take `ack_s` as well. The other keywords are those of `Books`.

    >>> from workbench.testbed.clock import VenueClock
    >>> from workbench.testbed.listing import stock
    >>> market = Market([stock(0, "AAPL", "alpaca")], VenueClock())
    >>> exchange = Exchange(market, cash=100_000.0)
    >>> order = exchange.place(Ticket(market.board("AAPL").listing, BUY, 10 * SCALE))
    >>> exchange.settle(); order.state, exchange.position_e8(0) // SCALE
    ('filled', 10)
    """

    def __init__(self, market: Market, *, ack_s: float = 0.0, fill_s: float = 0.0, **books: Any) -> None:
        super().__init__(market, **books)
        self.ack_ns, self.fill_ns = round(ack_s * 1e9), round(fill_s * 1e9)
        self.wake: Callable[[float], None] = _nobody
        self.gates: list[
            Callable[[VenueOrder], bool]
        ] = []  # what may keep an order waiting; `release` asks again
        self.before_print: list[Callable[[Board, float], None]] = []
        self.walks = False  # whether IOC and FOK orders see every level, not the best one only
        # what becomes of an order that is thrown out after clients were told that it waits
        self.thrown_out: State = "rejected"
        self._due: list[tuple[int, int, int, VenueOrder]] = []
        self._arrived = 0

    # -- what a client may do -----------------------------------------------------------------------------------

    def place(
        self, ticket: Ticket, *, parent: VenueOrder | None = None, group: int = 0, leads: bool = True
    ) -> VenueOrder:
        """Take an order in. It waits for `parent` to fill when there is one; of a group only one `leads`: holds back
        what all of it needs."""
        ts_ns = self.clock.next_ns()
        order = VenueOrder(
            len(self.orders) + 1,
            self.new_id(),
            ticket,
            ts_ns,
            ticket.qty_e8,
            ticket.limit_px_e8,
            ticket.stop_px_e8,
            updated_ns=ts_ns,
            parent=parent,
            group=group,
            extra=dict(ticket.extra),
        )
        order.extra["leads"] = leads
        if parent is not None:
            parent.legs.append(order)
        self.orders[order.order_id] = self.by_venue_id[order.venue_id] = self.open[order.order_id] = order
        self.by_client_id[ticket.client_id] = order
        self.sided.setdefault((ticket.listing.iid, ticket.side), {})[order.order_id] = order
        self.holdings.hold(order, self.board(order).px)
        self._push(ts_ns + self.ack_ns, _ENTER, order)
        return order

    def cancel(self, order: VenueOrder) -> bool:
        """Ask for an order to be taken out; False when it has ended already. It may still fill until it is out."""
        if not order.is_open:
            return False
        order.cancel_asked_ns = self.clock.next_ns()
        self._push(order.cancel_asked_ns + self.ack_ns, _CANCEL, order)
        return True

    def amend(self, order: VenueOrder, *, qty_e8: int, limit_px_e8: int, stop_px_e8: int) -> bool:
        """Change an order where it stands; False when it has ended, or has filled as much as it would be for."""
        self.settle()
        if not order.is_open or qty_e8 <= order.filled_e8:
            return False
        order.qty_e8, order.limit_px_e8, order.stop_px_e8 = qty_e8, limit_px_e8, stop_px_e8
        order.updated_ns = self.clock.next_ns()
        self._hold(order)
        if order.match_id:
            self._withdraw(order)
            self._to_match(order)
        self._tell("amended", order)
        self._push(order.updated_ns, _REACH, order)
        return True

    def replace(self, old: VenueOrder, ticket: Ticket) -> VenueOrder | None:
        """Put a new order in the place of `old`, which ends as replaced; None when it has ended, or has filled as much
        as the new one would be for. The new one takes over what was filled, parent, group and legs."""
        self.settle()
        if not old.is_open or ticket.qty_e8 <= old.filled_e8:
            return None
        self._withdraw(old)
        new = self.place(ticket, group=old.group, leads=bool(old.extra.get("leads", True)))
        new.parent, new.legs, new.replaces, old.replaced_by = old.parent, old.legs, old, new
        new.filled_e8, new.value_e8, new.fee_e8 = old.filled_e8, old.value_e8, old.fee_e8
        for leg in new.legs:
            leg.parent = new if leg.parent is old else leg.parent
        if new.parent is not None:
            siblings = new.parent.legs
            siblings[siblings.index(old)] = new
        self._end(old, "replaced", "replaced by another order")
        self._hold(new)
        return new

    # -- what happens ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything happen that is due by now."""
        due = self._due
        while due and due[0][0] <= self.clock.now_ns():
            _, _, action, order = heappop(due)
            if action == _ENTER:
                self._enter(order)
            elif action == _REACH:
                self._reach(order)
            else:
                self._take_out(order)
        if due:
            self.wake((due[0][0] - self.clock.now_ns()) / 1e9)

    def step(self, board: Board) -> None:
        """One step of an instrument's market: a print and a quote, and what they do to the orders in the book."""
        if not self.is_trading(board):
            return
        px, size = board.next_px(self.market.steps)
        self.print_at(board, px, size, 1 if board.tape.chance.random() < 0.5 else -1)
        self._show_quote(board)

    def print_at(self, board: Board, px: float, size: float, side: int = 0) -> None:
        """A trade between others at `px`."""
        for told in self.before_print:
            told(board, px)
        ts_ns = self.clock.next_ns()
        self.market.tell(board, board.record(ts_ns, px, size, side))
        self._apply(self.match.on_market(Trade(ts_ns, board.listing.iid, px, size)))

    def move(self, board: Board, px: float) -> None:
        """The market jumps to `px` at once: a print and a quote there."""
        board.go_to(px)
        self.print_at(board, px, board.book.asks[0][1])
        self._show_quote(board)

    def split(self, board: Board, numerator: int, denominator: int) -> None:
        """`denominator` units become `numerator`. Open orders in it are cancelled; the cost of the position stays."""
        iid = board.listing.iid
        for order in [o for o in self.open.values() if o.listing.iid == iid]:
            if order.is_open:
                self._take_out(order)
        self.match.positions[iid] = self.position_e8(iid) * numerator // denominator
        board.split(denominator / numerator)
        self._show_quote(board)

    def watch_hours(self) -> None:
        """Notice that the market has opened or closed since this was called last."""
        for board in self.market.boards.values():
            is_open = self.is_open(board)
            if is_open == board.was_open:
                continue
            board.was_open = is_open
            if is_open:
                self.reopen(board)
            else:
                self._closed(board)

    def reopen(self, board: Board) -> None:
        """Trading goes on: held orders enter (those for the opening alone have their only chance), then the book is
        shown."""
        for order in self._waiting(board):
            if order.ticket.tif == OPG:
                self._auction(order)
            elif order.ticket.tif != CLS:
                self._enter(order)
        self._show_quote(board)

    def _closed(self, board: Board) -> None:
        """The market has closed: orders for the close have their chance, those of the day are over."""
        for order in self._waiting(board):
            if order.ticket.tif == CLS:
                self._auction(order)
        mine = [o for o in self.open.values() if o.listing is board.listing and o.state == "working"]
        for order in mine:
            if order.ticket.tif == DAY:
                self._withdraw(order)
                self._end(order, "expired", "the market has closed")

    def _waiting(self, board: Board) -> list[VenueOrder]:
        """Orders that wait for hours, not for a parent."""
        held = [o for o in self.open.values() if o.state == "held" and o.listing is board.listing]
        return [order for order in held if order.parent is None or order.parent.state == "filled"]

    def _auction(self, order: VenueOrder) -> None:
        """What an order gets at an opening or a close; the rest of it is gone."""
        order.state = "working"
        order.accepted_ns = order.updated_ns = self.clock.next_ns()
        self._hold(order)
        self._tell("new", order)
        self._to_match(order, IOC)
        self._apply(self.match.on_market(self.board(order).refresh(self.clock.next_ns())))

    def _show_quote(self, board: Board) -> None:
        quote = board.refresh(self.clock.next_ns())
        self.market.tell(board, quote)
        self.market.tell(board, board.book)
        self._apply(self.match.on_market(quote))

    # -- an order's way --------------------------------------------------------------------------------------------

    def _push(self, due_ns: int, action: int, order: VenueOrder) -> None:
        self._arrived += 1
        heappush(self._due, (due_ns, self._arrived, action, order))
        self.wake(max(0.0, (due_ns - self.clock.now_ns()) / 1e9) if self.ack_ns or self.fill_ns else 0.0)

    def _enter(self, order: VenueOrder) -> None:
        if order.state not in ("pending", "held"):
            return
        refused = self.faults.order("order:accept", "reject")
        if refused is not None:
            state = self.thrown_out if order.state == "held" else "rejected"
            self._end(order, state, refused.text or "rejected by a fault")
            return
        parent = order.parent
        waits = (parent is not None and parent.state != "filled") or order.ticket.tif in (OPG, CLS)
        waits = waits or any(gate(order) for gate in self.gates)
        if waits or not self.is_trading(self.board(order)):
            if order.state != "held":
                order.state = "held"
                self._hold(order)
                self._tell("held", order)
            return
        order.state = "working"
        order.accepted_ns = order.updated_ns = self.clock.next_ns()
        self._hold(order)
        self._tell("new", order)
        self._to_match(order)
        if order.is_open:
            if self.fill_ns:
                self._push(self.clock.now_ns() + self.fill_ns, _REACH, order)
            else:
                self._reach(order)

    def release(self, order: VenueOrder) -> None:
        """What kept an order waiting may be over: let it enter, if so."""
        if order.state == "held":
            self._enter(order)

    def end(self, order: VenueOrder, state: State, reason: str) -> None:
        """End an order by a rule of the venue."""
        if order.is_open:
            self._withdraw(order)
            self._end(order, state, reason)

    def _reach(self, order: VenueOrder) -> None:
        """Let an order trade against the levels it crosses; IOC and FOK see the best one only, unless `walks`."""
        board = self.board(order)
        if not order.is_open or not order.match_id or not self.is_trading(board):
            return
        quote = board.refresh(self.clock.next_ns())
        buys = order.side == BUY
        now_or_never = order.ticket.tif in (IOC, FOK)
        best_e8 = round((quote.ask if buys else quote.bid) * SCALE)
        if not order.crosses(best_e8):
            if now_or_never:
                self._apply(self.match.on_market(quote))
            return
        fault = self.faults.order("order:fill", "partial", "overfill")
        cap = fault if fault is not None and fault.what == "partial" else None
        if cap is not None:
            part = max(1, round(order.open_e8 * cap.fraction)) / SCALE
            quote = Quote(quote.ts_ns, quote.iid, quote.bid, part, quote.ask, part)
        levels = board.book.asks if buys else board.book.bids
        deep = now_or_never and self.walks and cap is None and self._carries(order, levels)
        if deep:
            self._withdraw(order)
            self._to_match(order, GTC)
            quote = replace(quote, ts_ns=self.clock.next_ns())  # one that is seen after it entered
        self._taking = board
        try:
            self._apply(self.match.on_market(quote))
            for px, size in () if cap is not None or (now_or_never and not deep) else levels[1:]:
                if not order.open_e8 or (order.kind == LIMIT and not order.crosses(round(px * SCALE))):
                    break
                self._apply(self.match.on_market(Trade(self.clock.next_ns(), quote.iid, px, size)))
            if fault is not None and fault is not cap and order.filled_e8 >= order.qty_e8:
                self.overfill(order, max(1, round(order.qty_e8 * fault.fraction)))
        finally:
            self._taking = None
        if deep:
            self.end(order, "expired", "nothing was left that it could have")
        if cap is not None and cap.seconds:
            board.halted = True
            self.faults.later(cap.seconds, lambda: self._unhalt(board))
        self.market.tell(board, board.quote)
        self.market.tell(board, board.book)

    @staticmethod
    def _carries(order: VenueOrder, levels: Levels) -> bool:
        """Whether the levels have what an order needs: all of it, when it is fill or kill."""
        if order.ticket.tif != FOK:
            return True
        reached = sum(round(size * SCALE) for px, size in levels if order.crosses(round(px * SCALE)))
        return reached >= order.open_e8

    def _unhalt(self, board: Board) -> None:
        board.halted = False
        self.reopen(board)

    def _take_out(self, order: VenueOrder) -> None:
        if not order.is_open:
            if order.state != "cancelled":  # what was asked for has happened: its pair took it along
                self._tell("cancel_refused", order)
            return
        refused = self.faults.order("order:cancel", "reject")
        if refused is not None:
            order.cancel_asked_ns = 0
            self._tell("cancel_refused", order)
            return
        self._withdraw(order)
        self._end(order, "cancelled", "cancelled on request")


def _nobody(delay_s: float) -> None:
    """The wake of an exchange without a server: whoever uses it calls `settle()`."""
