"""The desk as rows: engine integers become floats and words here, at most ten times a second.

Reads the engine, never changes it. Rows of finished orders never change again, so each is made once and kept while
it is among the last 200; older ones are asked for by number, or from the warehouse.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from workbench.engine import Engine, Placed, Position
from workbench.errors import UnknownName
from workbench.model import (
    Bar,
    BarSlice,
    Dividend,
    Effect,
    Event,
    Filled,
    Order,
    Quote,
    Refusal,
    Split,
    Trade,
    from_e8,
)
from workbench.model.orders import SIDE_NAMES, STATE_NAMES, TERMINAL, TIF_NAMES, TYPE_NAMES
from workbench.model.snapshot import AccountRow, FillRow, OrderRow, PositionRow, RefusalRow, StrategyRow
from workbench.orchestrator.equity import EquityCurve

__all__ = ["DeskView"]

KEEP: Final = 200
MARKET: Final = (Bar, BarSlice, Quote, Trade, Split, Dividend)
ACCOUNT_TOTAL: Final = -1


def _nowhere(order_id: int) -> str:
    return ""


class DeskView:
    """Rows of everything a snapshot shows of the engine. `note` is called after every turn with what it handled;
    `account_of(order_id)` tells the account an order went to."""

    def __init__(self, engine: Engine) -> None:
        self.curve = EquityCurve()
        self.fills: deque[FillRow] = deque(maxlen=KEEP)
        self.refusals: deque[RefusalRow] = deque(maxlen=KEEP)
        self.account_of: Callable[[int], str] = _nowhere
        self._engine = engine
        self._finished: deque[OrderRow] = deque(maxlen=KEEP)
        self._pending: dict[int, None] = {}

    def note(self, events: Sequence[Event], effects: Sequence[Effect], market: bool) -> None:
        """Keep what the engine itself does not: fills, refusals, the equity curve, which orders ended."""
        engine = self._engine
        by_id = engine.orders.by_id
        for event in events:
            if type(event) is Filled and event.order_id in by_id:
                self.fills.append(self._fill(event, by_id[event.order_id]))
            order_id = getattr(event, "order_id", 0)
            if order_id in by_id and by_id[order_id].state in TERMINAL:
                self._pending[order_id] = None
                if len(self._pending) > KEEP:
                    del self._pending[next(iter(self._pending))]
        for effect in effects:
            if type(effect) is Refusal:
                self.refusals.append(self._refusal(effect))
        if market:
            self.curve.add(engine.now_ns, from_e8(engine.risk.equity_e8))

    def handle(self, event: Event) -> list[Effect]:
        """Let the engine handle a journaled event and note it: a recovery through here fills the view as well."""
        effects = self._engine.handle(event)
        self.note((event,), effects, isinstance(event, MARKET))
        return effects

    def account(self) -> AccountRow:
        """Cash, equity and exposure now."""
        engine = self._engine
        ledger, exposure = engine.ledger, engine.exposure
        equity = engine.risk.equity_e8
        gross = sum(abs(line.held_e8) * line.mark_e8 for line in exposure.lines)
        return AccountRow(
            account=ledger.account,
            currency=ledger.currency,
            start_cash=from_e8(ledger.start_cash_e8 + ledger.brought_e8),
            cash=from_e8(ledger.cash_e8),
            equity=from_e8(equity),
            realized=from_e8(ledger.realized_e8),
            unrealized=from_e8(equity - ledger.cash_e8 - ledger.cost_e8),
            fees=from_e8(ledger.fees_e8),
            gross_exposure=gross / 1e16,
            net_exposure=from_e8(exposure.value_e8),
            cash_moves=from_e8(ledger.moved_e8),
        )

    def positions(self) -> list[PositionRow]:
        """Account totals first (strategy -1), then what each strategy holds; flat lines with history included."""
        engine = self._engine
        rows = [self._position(ACCOUNT_TOTAL, iid, p) for iid, p in sorted(engine.ledger.totals.items())]
        rows += [
            self._position(sid, iid, p)
            for (sid, iid), p in sorted(engine.ledger.positions.items())
            if p.qty_e8
        ]
        return rows

    def strategies(self) -> list[StrategyRow]:
        """One row a strategy, in order of number."""
        return [self._strategy(placed) for _, placed in sorted(self._engine.host.strategies.items())]

    def recent_orders(self) -> list[OrderRow]:
        """The active orders and the last 200 finished ones, by number."""
        by_id = self._engine.orders.by_id
        for order_id in self._pending:
            self._finished.append(self.order(by_id[order_id]))
        self._pending.clear()
        rows = [*self._finished, *(self.order(order) for order in self._engine.orders.active.values())]
        rows.sort(key=lambda row: row.order_id)
        return rows

    def orders(self, limit: int, strategy_id: int | None, state: str | None) -> list[OrderRow]:
        """The newest `limit` orders that fit, newest last. Raises UnknownName for a state nobody knows."""
        if state is not None and state not in STATE_NAMES:
            raise UnknownName("state", state, STATE_NAMES)
        rows: list[OrderRow] = []
        for order in reversed(self._engine.orders.by_id.values()):
            if strategy_id is not None and order.strategy_id != strategy_id:
                continue
            if state is not None and STATE_NAMES[order.state] != state:
                continue
            rows.append(self.order(order))
            if len(rows) >= limit:
                break
        rows.reverse()
        return rows

    def order(self, order: Order) -> OrderRow:
        """One order in words."""
        placed = self._engine.host.strategies.get(order.strategy_id)
        return OrderRow(
            order_id=order.order_id,
            client_id=order.client_id,
            venue_id=order.venue_id,
            strategy_id=order.strategy_id,
            strategy=placed.name if placed is not None else "operator",
            symbol=self._engine.book.symbol(order.iid),
            side=SIDE_NAMES[order.side],
            type=TYPE_NAMES[order.kind],
            tif=TIF_NAMES[order.tif],
            quantity=from_e8(order.qty_e8),
            limit_px=from_e8(order.limit_px_e8),
            stop_px=from_e8(order.stop_px_e8),
            state=STATE_NAMES[order.state],
            filled=from_e8(order.filled_e8),
            average_px=order.notional_e8 / order.filled_e8 if order.filled_e8 else 0.0,
            fees=from_e8(order.fee_e8),
            ts_ns=order.ts_ns,
            updated_ns=order.updated_ns,
            reason=order.reason,
            why=order.why,
            trail=from_e8(order.trail_e8),
            trail_percent=from_e8(order.trail_rate_e8 * 100),
            parent_id=order.parent_id,
            group=order.group,
            amending=order.order_id in self._engine.orders.amending,
            account=self.account_of(order.order_id),
        )

    def _fill(self, event: Filled, order: Order) -> FillRow:
        return FillRow(
            exec_id=event.exec_id,
            order_id=event.order_id,
            strategy_id=order.strategy_id,
            symbol=self._engine.book.symbol(order.iid),
            side=SIDE_NAMES[order.side],
            quantity=from_e8(event.qty_e8),
            px=from_e8(event.px_e8),
            fee=from_e8(event.fee_e8),
            ts_ns=event.ts_ns,
            account=self.account_of(event.order_id),
        )

    def _refusal(self, effect: Refusal) -> RefusalRow:
        return RefusalRow(
            ts_ns=effect.ts_ns,
            strategy_id=effect.strategy_id,
            symbol=self._engine.book.symbol(effect.iid),
            side=SIDE_NAMES.get(effect.side, ""),
            quantity=from_e8(effect.qty_e8),
            code=effect.code,
            text=effect.text,
            numbers=dict(effect.numbers),
        )

    def _position(self, strategy_id: int, iid: int, position: Position) -> PositionRow:
        mark_e8 = self._engine.book.mark_e8[iid]
        return PositionRow(
            strategy_id=strategy_id,
            symbol=self._engine.book.symbol(iid),
            quantity=from_e8(position.qty_e8),
            average_px=position.average_px,
            last_px=from_e8(mark_e8),
            realized=from_e8(position.realized_e8),
            unrealized=from_e8(position.unrealized_e8(mark_e8)),
            fees=from_e8(position.fees_e8),
        )

    def _strategy(self, placed: Placed) -> StrategyRow:
        engine = self._engine
        held = realized = unrealized = fees = 0
        for iid in placed.iids:
            position = engine.ledger.positions.get((placed.strategy_id, iid))
            if position is not None:
                held += position.qty_e8
                realized += position.realized_e8
                unrealized += position.unrealized_e8(engine.book.mark_e8[iid])
                fees += position.fees_e8
        return StrategyRow(
            strategy_id=placed.strategy_id,
            name=placed.name,
            parameters=dict(placed.parameters),
            symbols=[engine.book.symbol(iid) for iid in placed.iids],
            state="warming" if engine.host.warming(placed) else placed.state,
            reason=placed.reason,
            form=placed.form,
            sizing=placed.sizing,
            quantity=from_e8(placed.quantity_e8),
            position=from_e8(held),
            realized=from_e8(realized),
            unrealized=from_e8(unrealized),
            fees=from_e8(fees),
            orders=placed.orders,
            fills=placed.fills,
            refusals=placed.refusals,
            decisions=engine.host.bars_seen(placed),
            code_hash=placed.code_hash,
            provenance=placed.provenance,
            placed_ns=placed.placed_ns,
            sizing_parameters=dict(placed.sizing_parameters),
        )
