"""What the fold keeps while it reads the journal: books, touched rows, and the rows that came of them. No record is
understood here (fold.py)."""

from collections.abc import Callable
from typing import Any, Final

from workbench.engine.book import Book
from workbench.engine.ledger import Ledger, Position
from workbench.engine.orders import OrderTable
from workbench.model import notional_e8
from workbench.model.orders import TERMINAL, Order
from workbench.warehouse.rows import (
    FoldState,
    Row,
    StrategyState,
    account_row,
    order_row,
    position_row,
    strategy_row,
)

__all__ = ["TOTAL_ID", "Missing", "Tables"]

TOTAL_ID: Final = -1
"""The strategy id under which the account's own position in an instrument is kept."""

# One equity point a second of market time at most.
_BUCKET_NS: Final = 1_000_000_000

type Missing = Callable[[set[int], set[str]], tuple[list[tuple[Order, int, int]], set[str]]]


class Tables:
    """The fold's memory; `take()` gives the rows since the last call, by table."""

    def __init__(self, missing: Missing | None = None) -> None:
        self.state = FoldState()
        self.book = Book()
        self.ledger = Ledger()
        self.orders = OrderTable()
        self.strategies: dict[int, StrategyState] = {}
        self.order_seqs: dict[int, tuple[int, int]] = {}
        self.values_e8: dict[int, int] = {}
        self.value_e8 = 0
        self._missing = missing
        self._rows: dict[str, list[Row]] = {}
        self._untouch()

    def take(self) -> dict[str, list[Row]]:
        """The rows since the last call: new ones, and the present state of everything touched."""
        book, ledger, by_id = self.book, self.ledger, self.orders.by_id
        rows, self._rows = self._rows, {}
        rows["orders"] = [
            order_row(by_id[i], book.symbol(by_id[i].iid), self.order_seqs[i])
            for i in sorted(self._touched_orders)
        ]
        rows["positions"] = [
            position_row(sid, iid, book.symbol(iid), self._position(sid, iid))
            for sid, iid in sorted(self._touched_positions)
        ]
        rows["marks"] = [
            (iid, book.symbol(iid), book.mark_e8[iid], book.last_ts[iid])
            for iid in sorted(self._touched_marks)
        ]
        rows["strategies"] = [strategy_row(self.strategies[i]) for i in sorted(self._touched_strategies)]
        if self._account_touched and ledger.opened:
            rows["account"] = [account_row(ledger, self.value_e8, self.state)]
        self.state.money = (ledger.opened, ledger.start_cash_e8, ledger.cash_e8, ledger.fees_e8, ledger.fills)
        self.state.moved_e8, self.state.amending = ledger.moved_e8, self.orders.amending
        self.state.account = (ledger.account, ledger.currency)
        if self._missing is not None:
            for order_id in self._touched_orders - self.orders.active.keys():
                del by_id[order_id], self.order_seqs[order_id]
            self.orders.executions.clear()
        self._untouch()
        return {name: part for name, part in rows.items() if part}

    def restore_state(self, state: FoldState) -> None:
        """Take back what was kept beside the tables; before positions and orders."""
        ledger = self.ledger
        ledger.opened, ledger.start_cash_e8, ledger.cash_e8, ledger.fees_e8, ledger.fills = state.money
        ledger.account, ledger.currency = state.account
        ledger.moved_e8, self.orders.amending = state.moved_e8, state.amending
        self.state = state

    def restore_order(self, order: Order, seq: int, ended_seq: int) -> None:
        """Take back an order that was stored."""
        self.orders.by_id[order.order_id] = order
        self.order_seqs[order.order_id] = (seq, ended_seq)
        if order.state not in TERMINAL:
            self.orders.active[order.order_id] = order
            if order.parent_id:
                exits = self.orders.exits.setdefault(order.parent_id, [])
                if order.order_id not in exits:
                    exits.append(order.order_id)

    def restore_move(self, move_id: str) -> None:
        """Take back the id of a cash move that was counted."""
        self.ledger.moves[move_id] = None

    def restore_position(self, strategy_id: int, iid: int, position: Position) -> None:
        """Take back a position that was stored; TOTAL_ID is the account's own."""
        if strategy_id == TOTAL_ID:
            self.ledger.totals[iid] = position
            self._revalue(iid)
        else:
            self.ledger.positions[strategy_id, iid] = position

    def _untouch(self) -> None:
        self._touched_orders: set[int] = set()
        self._touched_positions: set[tuple[int, int]] = set()
        self._touched_marks: set[int] = set()
        self._touched_strategies: set[int] = set()
        self._account_touched = False

    def _touch_account(self, ts_ns: int) -> None:
        self.state.moved = (self.state.seq, self.state.epoch, ts_ns)
        self._account_touched = True

    def _position(self, strategy_id: int, iid: int) -> Position:
        ledger = self.ledger
        return ledger.totals[iid] if strategy_id == TOTAL_ID else ledger.positions[strategy_id, iid]

    def _add(self, table: str, *row: Any) -> None:
        self._rows.setdefault(table, []).append(row)

    def _at(self, ts_ns: int) -> None:
        """Time moves on: a second that has ended leaves its last equity behind."""
        state = self.state
        bucket = ts_ns // _BUCKET_NS
        if bucket != state.bucket:
            self._equity_point()
            state.bucket = bucket
        self._touch_account(ts_ns)

    def _equity_point(self) -> None:
        state, ledger = self.state, self.ledger
        point = (state.epoch, ledger.cash_e8, self.value_e8)
        if state.bucket >= 0 and ledger.opened and point != state.point:
            state.point = point
            self._add("equity_points", *state.moved, ledger.cash_e8, self.value_e8)

    def _revalue(self, iid: int) -> None:
        value = notional_e8(self.book.mark_e8[iid], self.ledger.totals[iid].qty_e8)
        self.value_e8 += value - self.values_e8.get(iid, 0)
        self.values_e8[iid] = value

    def _odd(self, what: str) -> None:
        self.state.oddities[what] = self.state.oddities.get(what, 0) + 1
