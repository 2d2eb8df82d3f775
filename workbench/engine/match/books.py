"""The venue's own books: cash, positions, fees, and cash that moves without a trade.

Lives here: booking. Not here: which orders trade (orders.py and on), what a fee is (engine/fees).
"""

from workbench.engine.fees.schedule import FeeSchedule, PerUnit, SoFar
from workbench.engine.match.resting import Resting
from workbench.model.orders import SELL
from workbench.model.reports import CashMoved, Filled, Report
from workbench.model.scale import notional_e8

__all__ = ["Books"]


class Books:
    """Cash and signed positions by `iid`, in 1e-8; `fees_e8` is what fees have cost so far."""

    def __init__(self, cash_e8: int, fees: FeeSchedule) -> None:
        self.cash_e8 = cash_e8
        self.fees_e8 = 0
        self.positions: dict[int, int] = {}
        self._fees = fees
        self._free = isinstance(fees, PerUnit) and fees.free
        self._moves: set[str] = set()

    def fee_of(self, resting: Resting, px_e8: int, qty_e8: int, ts_ns: int) -> int:
        """The fee of an execution of this order now."""
        if self._free:
            return 0
        order = resting.order
        so_far = SoFar(resting.filled_e8, resting.value_e8, resting.fee_e8)
        return self._fees(order.side, px_e8, qty_e8, ts_ns, resting.rested, so_far)

    def book_fill(self, resting: Resting, fill: Filled) -> None:
        """Book an execution: cash, position, and the order's own sums."""
        order = resting.order
        value_e8 = notional_e8(fill.px_e8, fill.qty_e8)
        self.cash_e8 -= (-value_e8 if order.side == SELL else value_e8) + fill.fee_e8
        self.fees_e8 += fill.fee_e8
        self.positions[order.iid] = self.positions.get(order.iid, 0) + order.side * fill.qty_e8
        resting.filled_e8 += fill.qty_e8
        resting.value_e8 += value_e8
        resting.fee_e8 += fill.fee_e8
        resting.fills += 1
        resting.triggered = True
        if resting.parent is not None:
            resting.parent.covered_e8 += fill.qty_e8

    def move_cash(self, move: CashMoved, reports: list[Report]) -> None:
        """Book cash that moved without a trade; the same `move_id` counts once."""
        if move.move_id not in self._moves:
            self._moves.add(move.move_id)
            self.cash_e8 += move.amount_e8
            reports.append(move)
