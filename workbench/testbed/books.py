"""The books of one account at an emulated venue: its orders, its executions, and what the matching core says of them.

Lives here: from a report to an event. Not here: how orders arrive and meet the market (exchange.py), costs and holds
(holdings.py), matching (engine/match).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random

from workbench.engine.match import Match
from workbench.model.effects import Cancel, Submit
from workbench.model.orders import LIMIT
from workbench.model.reports import Cancelled, Expired, Filled, Rejected, Report
from workbench.model.scale import SCALE, notional_e8
from workbench.testbed.faults import Faults
from workbench.testbed.holdings import Holdings
from workbench.testbed.hours import Hours
from workbench.testbed.market import Board, Market
from workbench.testbed.orders import ENDED, Execution, OrderEvent, State, VenueOrder

__all__ = ["Books"]


class Books(ABC):
    """One account. `sinks` are told of everything that happens to an order, in order.

    `fee_in(order, fill)` is for a venue that takes its fee in another asset than cash: it books the fee there, gives
    the cash back, and answers with amount and asset.
    """

    def __init__(
        self,
        market: Market,
        *,
        cash: float,
        seed: int = 1,
        hours: Hours | None = None,
        faults: Faults | None = None,
        fee_per_unit: float = 0.0,
        fee_rate: float = 0.0,
    ) -> None:
        self.market = market
        self.clock = market.clock
        self.hours = hours or Hours()
        self.faults = faults or Faults()
        self.match = Match(
            round(cash * SCALE), fee_per_unit_e8=round(fee_per_unit * SCALE), fee_rate=fee_rate
        )
        self.holdings = Holdings()
        self.orders: dict[int, VenueOrder] = {}
        self.by_venue_id: dict[str, VenueOrder] = {}
        self.by_client_id: dict[str, VenueOrder] = {}  # the newest, where a venue lets an id be used again
        self.open: dict[int, VenueOrder] = {}
        self.sided: dict[tuple[int, int], dict[int, VenueOrder]] = {}  # the open ones by instrument and side
        self.executions: list[Execution] = []
        self.cash_moves: list[tuple[int, int]] = []  # time and amount of what came or went without a trade
        self.sinks: list[Callable[[OrderEvent], None]] = []
        self._chance = Random(f"{seed}-ids")
        self._in_match: dict[int, VenueOrder] = {}
        self._matched = 0
        self._groups = 0
        self.fee_in: Callable[[VenueOrder, Filled], tuple[int, str]] | None = None
        self._taking: Board | None = None  # the board whose levels an arriving order is trading against

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def cash_e8(self) -> int:
        return self.match.cash_e8

    def move_cash(self, amount_e8: int) -> None:
        """Cash comes, or goes, without a trade."""
        self.match.cash_e8 += amount_e8
        self.cash_moves.append((self.clock.next_ns(), amount_e8))

    def position_e8(self, iid: int) -> int:
        """The signed quantity held of an instrument."""
        return self.match.positions.get(iid, 0)

    def board(self, order: VenueOrder) -> Board:
        return self.market.boards[order.listing.iid]

    def is_trading(self, board: Board) -> bool:
        """Whether orders in this instrument can fill now."""
        return not board.halted and self.is_open(board)

    def is_open(self, board: Board) -> bool:
        """Whether the market of this instrument has its hours now."""
        return board.listing.always_open or self.hours.is_open(self.clock.now_ns())

    def new_id(self) -> str:
        """A UUID; the same seed gives the same ones."""
        bits = self._chance.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62  # version 4
        digits = f"{bits:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def new_group(self) -> int:
        """A number for orders that cancel one another."""
        self._groups += 1
        return self._groups

    def trail_of(self, order: VenueOrder) -> tuple[float, int]:
        """(best price since it works, its stop now in 1e-8) of a trailing order; zeros before it has seen a price."""
        resting = self.match.orders.get(order.match_id)
        best = float(getattr(resting, "best", 0.0))
        if best <= 0:
            return 0.0, 0
        return best, round(float(getattr(resting, "stop", 0.0)) * SCALE)

    # -- in and out of the matching core ---------------------------------------------------------------------------

    def _to_match(self, order: VenueOrder, tif: int | None = None) -> None:
        self._matched += 1
        order.match_id = self._matched
        self._in_match[order.match_id] = order
        ticket = order.ticket
        submit = Submit(
            self.clock.next_ns(),
            order.match_id,
            0,
            0,
            ticket.listing.iid,
            ticket.side,
            ticket.kind,
            ticket.tif if tif is None else tif,
            order.open_e8,
            order.limit_px_e8,
            order.stop_px_e8,
            "",
            ticket.trail_e8,
            ticket.trail_rate_e8,
        )
        self._apply(self.match.submit(submit))

    def _withdraw(self, order: VenueOrder) -> None:
        """Out of the matching core, without a word to anybody."""
        if order.match_id:
            self._in_match.pop(order.match_id, None)
            self.match.cancel(Cancel(self.clock.next_ns(), order.match_id))
            order.match_id = 0

    @abstractmethod
    def _enter(self, order: VenueOrder) -> None:
        """Into the market, when it may; how is the exchange's matter."""

    # -- what the matching core says -------------------------------------------------------------------------------

    def _apply(self, reports: list[Report]) -> None:
        for report in reports:
            order = self._in_match.get(report.order_id)
            if order is None:
                continue
            if isinstance(report, Filled):
                self._filled(order, report)
            elif isinstance(report, Cancelled):
                self._end(order, "cancelled", report.reason)
            elif isinstance(report, Expired):
                self._end(order, "expired", "its time in force ran out")
            elif isinstance(report, Rejected):
                self._end(order, "rejected", report.text)

    def _filled(self, order: VenueOrder, report: Filled) -> None:
        iid, qty_e8, px_e8 = order.listing.iid, report.qty_e8, report.px_e8
        fee_e8, asset = (report.fee_e8, "") if self.fee_in is None else self.fee_in(order, report)
        after_e8 = self.match.positions.get(iid, 0)
        signed_e8 = order.side * qty_e8
        self.holdings.filled(iid, after_e8 - signed_e8, signed_e8, px_e8)
        order.filled_e8 += qty_e8
        order.value_e8 += notional_e8(px_e8, qty_e8)
        order.fee_e8 += fee_e8
        order.updated_ns = self.clock.next_ns()
        taking = self._taking
        execution = Execution(
            len(self.executions) + 1,
            self.new_id(),
            order.order_id,
            order.updated_ns,
            px_e8,
            qty_e8,
            fee_e8,
            order.filled_e8,
            after_e8,
            taking is None and order.kind == LIMIT,
            asset,
        )
        self.executions.append(execution)
        order.executions.append(execution)
        if taking is not None and taking.listing.iid == iid:
            seen = taking.record(order.updated_ns, px_e8 / SCALE, qty_e8 / SCALE, order.side)
            self.market.tell(taking, seen)
        done = order.filled_e8 >= order.qty_e8
        if done and order.is_open:
            self._close(order, "filled")
        self._hold(order)
        self._tell("fill", order, execution)
        if done:
            for leg in list(order.legs):
                self._enter(leg)
        self._others_of(order, done)

    def overfill(self, order: VenueOrder, qty_e8: int) -> None:
        """Execute more of a filled order than it asked for, at its last price: a venue's mistake, in all its books."""
        px_e8, iid = order.executions[-1].px_e8, order.listing.iid
        self.match.positions[iid] = self.position_e8(iid) + order.side * qty_e8
        self.match.cash_e8 -= notional_e8(px_e8, order.side * qty_e8)
        self._filled(order, Filled(self.clock.next_ns(), order.match_id, "", px_e8, qty_e8))

    def _others_of(self, order: VenueOrder, done: bool) -> None:
        """What a fill does to the other orders of its group: end them, or leave them no more than is left."""
        if not order.group:
            return
        for other in [o for o in self.open.values() if o.group == order.group and o is not order]:
            if done:
                self._withdraw(other)
                self._end(other, "cancelled", "the other order of its pair has filled")
            elif other.open_e8 > order.open_e8:
                other.qty_e8 = other.filled_e8 + order.open_e8
                if other.match_id:
                    self._withdraw(other)
                    self._to_match(other)

    def _end(self, order: VenueOrder, state: State, reason: str) -> None:
        """An order is over without (all of) its quantity filled; legs and the rest of its group go with it."""
        if order.state in ENDED:
            return
        self._close(order, state)
        order.reason = reason
        self._hold(order)
        self._tell(state, order)
        if state == "replaced":
            return
        for leg in list(order.legs):
            if leg.state in ("pending", "held"):
                self._end(leg, "cancelled", "its parent has ended")
        if order.group:
            for other in [o for o in self.open.values() if o.group == order.group]:
                self._withdraw(other)
                self._end(other, "cancelled", "the other order of its pair has ended")

    def _close(self, order: VenueOrder, state: State) -> None:
        self._in_match.pop(order.match_id, None)
        order.match_id = 0
        order.state = state
        order.updated_ns = order.ended_ns = self.clock.next_ns()
        self.open.pop(order.order_id, None)
        self.sided[order.listing.iid, order.side].pop(order.order_id, None)

    def _hold(self, order: VenueOrder) -> None:
        self.holdings.hold(order, self.board(order).px)

    def _tell(self, kind: str, order: VenueOrder, execution: Execution | None = None) -> None:
        event = OrderEvent(kind, order, self.clock.now_ns(), execution)
        for sink in self.sinks:
            sink(event)
