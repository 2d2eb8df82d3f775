"""The journal's records as rows: the same order table, book and ledger as the engine's, folded once more.

Pure: records in, rows out. Batching does not matter: any split of the journal gives the same tables. Orders that
ended are forgotten after each batch and brought back by `missing` when a late report names them.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import numpy as np

from workbench.engine.orders import FLAG_TWICE
from workbench.engine.seats import OPERATOR
from workbench.engine.splits import split_holdings
from workbench.journal.codec import Frame
from workbench.model import (
    AddInstrument,
    AddStrategy,
    AmendOrder,
    Arm,
    Bar,
    BarSlice,
    CancelOrder,
    CashMoved,
    Filled,
    Flatten,
    Instrument,
    Kill,
    OpenAccount,
    OpenPosition,
    PauseStrategy,
    PlaceOrder,
    Quote,
    Refusal,
    RemoveStrategy,
    ResumeStrategy,
    SetLimits,
    SetParameters,
    Split,
    Stamped,
    StartSession,
    StrategyHalted,
    Submit,
    Trade,
)
from workbench.model.orders import STATE_NAMES, TERMINAL, Order
from workbench.model.records import is_effect
from workbench.model.scale import notional_e8
from workbench.model.stages import N_STAMPS
from workbench.warehouse.fold_tables import TOTAL_ID, Tables
from workbench.warehouse.moves import MOVES
from workbench.warehouse.rows import (
    audit_row,
    fill_row,
    instrument_row,
    new_order,
    new_strategy,
    refusal_row,
    trace_row,
)

__all__ = ["Fold"]


class Fold(Tables):
    """Feed it frames with `apply`; `take()` gives the rows since the last call, by table.

    `missing(order_ids, exec_ids)` is asked before a frame is applied: it returns the stored orders with their two
    sequence numbers, and which of the executions are stored already. Without it everything stays in memory.
    """

    def apply(self, frames: Iterable[Frame]) -> None:
        """Fold frames, in order."""
        frames = list(frames)
        self._bring_back(frames)
        state, routes = self.state, _ROUTES
        for frame in frames:
            for seq, record in enumerate(frame.records, frame.first_seq):
                kind = type(record)
                state.seq = seq
                if state.before and not is_effect(record):
                    state.before = []
                route = routes.get(kind)
                if route is not None:
                    route(self, record)
                if kind in _AUDITED:
                    self._add("audit", *audit_row(record, seq, state.epoch, frame.ts_ns))

    def _bring_back(self, frames: list[Frame]) -> None:
        if self._missing is None:
            return
        orders: set[int] = set()
        executions: set[str] = set()
        for frame in frames:
            for record in frame.records:
                if type(record) in _NAMES_AN_ORDER:
                    orders.add(record.order_id)  # type: ignore[union-attr]  # each of these names one
                    if isinstance(record, Filled):
                        executions.add(record.exec_id)
        orders.difference_update(self.orders.by_id)
        if orders or executions:
            found, known = self._missing(orders, executions)
            for order, seq, ended_seq in found:
                self.restore_order(order, seq, ended_seq)
                self._touched_orders.add(order.order_id)
            self.orders.executions |= dict.fromkeys(known)

    def _on_session(self, event: StartSession) -> None:
        self._equity_point()
        self.state.bucket = -1
        self.state.epoch = event.epoch
        self._add(
            "sessions", self.state.seq, event.epoch, event.ts_ns, event.name, event.mode, event.code_version
        )
        for order in self.orders.new_epoch(event.ts_ns):
            self._changed(order, event.ts_ns)

    def _on_account(self, event: OpenAccount) -> None:
        if not self.ledger.opened:
            self.ledger.open(event.account, event.cash_e8, event.currency)
            self._touch_account(event.ts_ns)

    def _on_holding(self, event: OpenPosition) -> None:
        if not self.book.known((event.iid,)) or not event.qty_e8 or event.px_e8 <= 0:
            self._odd("holding that cannot be")
            return
        self.ledger.bring(OPERATOR, event.iid, event.qty_e8, notional_e8(event.px_e8, event.qty_e8))
        self._touched_positions |= {(OPERATOR, event.iid), (TOTAL_ID, event.iid)}
        self._revalue(event.iid)
        self._touch_account(event.ts_ns)

    def _on_instrument(self, event: AddInstrument) -> None:
        book = self.book
        if event.iid == len(book.instruments) and event.symbol not in book.iid_of:
            instrument = msgspec.convert(event, Instrument, from_attributes=True)
            book.add(instrument)
            self._add("instruments", *instrument_row(instrument))

    def _on_bar(self, bar: Bar) -> None:
        if self.book.on_bar(bar):
            self._at(bar.ts_ns)
            self._marked(bar.iid)
            self._bar_row(bar)

    def _on_slice(self, event: BarSlice) -> None:
        iids = np.frombuffer(event.iids, "<i4").tolist()
        ohlcv = np.frombuffer(event.ohlcv, "<f8").reshape(-1, 5).tolist()
        if len(iids) != len(ohlcv) or len(set(iids)) != len(iids):
            self._odd("slice whose arrays do not fit together")
            return
        bars = [Bar(event.ts_ns, iid, *values) for iid, values in zip(iids, ohlcv, strict=True)]
        good = [bar for bar in bars if self.book.on_bar(bar)]
        if good:
            self._at(event.ts_ns)
        for bar in good:
            self._marked(bar.iid)
            self._bar_row(bar)

    def _on_trade(self, trade: Trade) -> None:
        if self.book.on_trade(trade):
            self._at(trade.ts_ns)
            self._marked(trade.iid)

    def _on_quote(self, quote: Quote) -> None:
        if self.book.on_quote(quote):
            self._at(quote.ts_ns)
            self._marked(quote.iid)

    def _bar_row(self, bar: Bar) -> None:
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._add("bars", self.state.seq, self.state.epoch, bar.ts_ns, self.book.symbol(bar.iid), *values)

    def _marked(self, iid: int) -> None:
        self._touched_marks.add(iid)
        if iid in self.ledger.totals:
            self._revalue(iid)

    def _on_split(self, event: Split) -> None:
        """Every holding and the mark in new units, by the engine's own arithmetic."""
        book, iid = self.book, event.iid
        if not book.known((iid,)) or event.numerator <= 0 or event.denominator <= 0:
            self._odd("split of an unknown instrument or by no ratio")
            return
        ratio = (event.numerator, event.denominator)
        split_holdings(self.ledger, iid, *ratio, book.instruments[iid].lot_e8)
        book.split(iid, *ratio)
        self._at(event.ts_ns)
        self._marked(iid)
        self._touched_positions |= {key for key in self.ledger.positions if key[1] == iid}
        if iid in self.ledger.totals:
            self._touched_positions.add((TOTAL_ID, iid))
        self._add("splits", self.state.seq, self.state.epoch, event.ts_ns, iid, book.symbol(iid), *ratio)

    def _on_cash(self, event: CashMoved) -> None:
        if self.ledger.move(event.move_id, event.amount_e8):
            self._at(event.ts_ns)
            symbol = self.book.symbol(event.iid) if event.iid >= 0 else ""
            what = (event.move_id, event.iid, symbol, event.amount_e8, event.reason)
            self._add("cash_moves", self.state.seq, self.state.epoch, event.ts_ns, *what)

    def _on_submit(self, effect: Submit) -> None:
        order = new_order(effect)
        if order.order_id in self.orders.by_id:
            self._odd("order submitted twice")
            return
        self.orders.open(order)
        self.order_seqs[order.order_id] = (self.state.seq, 0)
        self._changed(order, effect.ts_ns)

    def _on_report(self, record: Any) -> None:
        """Every report and Cancel: the order table decides what it means, as in the engine."""
        order = self.orders.by_id.get(record.order_id)
        if order is None:
            self._odd(f"{type(record).__name__} for an unknown order")
            return
        before = _visible(order)
        if isinstance(record, Filled):
            self._fill(order, record)
        else:
            MOVES[type(record)](self.orders, order, record)
        if _visible(order) != before:
            self._changed(order, record.ts_ns)
        for closed, _ in self.orders.close_exits(order, record.ts_ns):
            self._changed(closed, record.ts_ns)

    def _fill(self, order: Order, fill: Filled) -> None:
        if fill.qty_e8 <= 0 or fill.px_e8 <= 0:
            self._odd("fill without quantity or price")
            return
        if self.orders.filled(order, fill.ts_ns, fill.exec_id, fill.qty_e8) == FLAG_TWICE:
            return
        self._at(fill.ts_ns)
        key = (order.strategy_id, order.iid)
        value = self.ledger.book(*key, order.side, fill.px_e8, fill.qty_e8, fill.fee_e8)
        order.notional_e8 += value
        order.fee_e8 += fill.fee_e8
        self._revalue(order.iid)
        self._touched_positions |= {key, (TOTAL_ID, order.iid)}
        row = fill_row(fill, order, self.book.symbol(order.iid), value, self.state)
        self._add("fills", *row)

    def _changed(self, order: Order, ts_ns: int) -> None:
        seq = self.state.seq
        if order.state in TERMINAL:
            self.order_seqs[order.order_id] = (self.order_seqs[order.order_id][0], seq)
        self._touched_orders.add(order.order_id)
        state = STATE_NAMES[order.state]
        self._add("order_states", seq, order.order_id, ts_ns, state, order.filled_e8, order.reason)

    def _on_refusal(self, effect: Refusal) -> None:
        if effect.qty_e8 == 0 and effect.side == 0:
            for before in self.state.before:  # the command just folded could not be followed
                self.strategies[before.strategy_id] = before
                self._touched_strategies.add(before.strategy_id)
            self.state.before = []
        symbol = self.book.symbol(effect.iid) if effect.iid >= 0 else ""
        self._add("refusals", *refusal_row(effect, symbol, self.state))

    def _on_strategy(self, event: AddStrategy) -> None:
        if event.strategy_id in self.strategies or event.strategy_id <= 0:
            return
        symbols = [self.book.symbol(iid) for iid in event.iids]
        self.strategies[event.strategy_id] = new_strategy(event, symbols, self.state.seq)
        self._touched_strategies.add(event.strategy_id)

    def _on_strategy_change(self, event: Any) -> None:
        placed = self.strategies.get(event.strategy_id)
        if placed is None:
            return
        before = msgspec.structs.replace(placed)
        match event:
            case PauseStrategy() if placed.state == "running":
                placed.state, placed.reason = "paused", event.reason
            case ResumeStrategy() if placed.state == "paused":
                placed.state, placed.reason = "running", ""
            case RemoveStrategy():
                placed.state, placed.reason = "removed", "removed by command"
            case SetParameters():
                placed.parameters = {**placed.parameters, **dict(event.parameters)}
            case StrategyHalted():
                placed.state, placed.reason = "paused", f"{event.code}: {event.text}"
                placed.loaded = placed.loaded and event.code != "LOAD"
        self._touched_strategies.add(placed.strategy_id)
        if not isinstance(event, StrategyHalted):
            self.state.before = [before]

    def _on_flatten(self, event: Flatten) -> None:
        symbol = self.book.symbol(event.iid)
        for placed in self.strategies.values():
            if placed.state == "running" and (event.iid == -1 or symbol in placed.symbols):
                self.state.before.append(msgspec.structs.replace(placed))
                placed.state, placed.reason = "paused", f"flatten by {event.by}: {event.reason}"
                self._touched_strategies.add(placed.strategy_id)

    def _on_stamped(self, note: Stamped) -> None:
        if len(note.stamps) == N_STAMPS:
            self._add("traces", *trace_row(self.state.seq, note))
        else:
            self._odd("stamps of another length")


def _visible(order: Order) -> tuple[int, int, str, str, int, int, int]:
    terms = (order.qty_e8, order.limit_px_e8, order.stop_px_e8)
    return (order.state, order.filled_e8, order.reason, order.venue_id, *terms)


_NAMES_AN_ORDER: Final = frozenset({*MOVES, Filled})
_STRATEGY_CHANGES: Final = (PauseStrategy, ResumeStrategy, RemoveStrategy, SetParameters, StrategyHalted)
_ROUTES: Final[dict[type, Callable[[Fold, Any], None]]] = {
    Bar: Fold._on_bar,
    BarSlice: Fold._on_slice,
    Trade: Fold._on_trade,
    Quote: Fold._on_quote,
    Split: Fold._on_split,
    CashMoved: Fold._on_cash,
    Flatten: Fold._on_flatten,
    StartSession: Fold._on_session,
    OpenAccount: Fold._on_account,
    OpenPosition: Fold._on_holding,
    AddInstrument: Fold._on_instrument,
    AddStrategy: Fold._on_strategy,
    Submit: Fold._on_submit,
    Refusal: Fold._on_refusal,
    Stamped: Fold._on_stamped,
    **dict.fromkeys(_NAMES_AN_ORDER, Fold._on_report),
    **dict.fromkeys(_STRATEGY_CHANGES, Fold._on_strategy_change),
}
_AUDITED: Final = frozenset(
    {
        StartSession,
        OpenAccount,
        OpenPosition,
        AddInstrument,
        AddStrategy,
        PlaceOrder,
        CancelOrder,
        AmendOrder,
        Flatten,
    }
    | {Kill, Arm, SetLimits, Split, CashMoved}
    | set(_STRATEGY_CHANGES)
)
