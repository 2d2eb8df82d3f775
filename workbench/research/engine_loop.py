"""The live engine and the simulated venue in one plain loop over a recording: the loop every other one must equal.

Nothing here decides: the same `Engine`, the same risk rules, the same `Match` as on paper, the same order of events
(the venue sees an event first, its reports are handled, then the engine sees the event).

Not here: what the arguments mean (plan.py), what is made of the run (result.py).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from workbench.brokers.sim import make_match
from workbench.engine import Engine
from workbench.engine.match import TradingSessions
from workbench.errors import StrategyError
from workbench.feeds import session_bounds, timer_after
from workbench.model import (
    AddInstrument,
    AddStrategy,
    Amend,
    Cancel,
    Effect,
    Event,
    Filled,
    Flatten,
    OpenAccount,
    Refusal,
    SetLimits,
    StartSession,
    StrategyHalted,
    Submit,
    to_e8,
)
from workbench.model.dtypes import FILL, ORDER
from workbench.model.market import Trade
from workbench.model.orders import Order
from workbench.model.scale import SCALE
from workbench.research.plan import CLOSE, Placement, Plan
from workbench.research.run import Run
from workbench.strategy import parameters_of, strategy_source

__all__ = ["Desk", "engine_run"]

_LOOSE = (
    *((name, 1e15) for name in ("max_data_age_s", "max_order_qty", "max_order_notional")),
    *((name, 1e9) for name in ("orders_per_s_strategy", "orders_per_s_account", "max_repeats")),
    *(("max_jump", 0.0), ("hours_from_s", 0.0), ("hours_to_s", 86_400.0)),
)


def engine_run(plan: Plan, why: str = "") -> Run:
    """Run a plan through the engine. `why` says what kept a faster loop from it.

    Raises:
        StrategyError: a strategy's own code raised or answered NaN.
    """
    desk = Desk(plan)
    desk.play()
    return desk.run("engine", why)


class Desk:
    """One engine with the plan's strategies placed in it, one venue, and what they say to each other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        recording, sim = plan.recording, plan.sim
        self.engine = Engine()
        self.match = make_match(
            sim,
            cash_e8=to_e8(plan.cash),
            instruments=recording.instruments,
            sessions=TradingSessions(*session_bounds(recording)),
            fill_at="close" if plan.fill == CLOSE else "next",
            fees=plan.fees,
        )
        self.fills: list[Filled] = []
        self.refusals: list[Refusal] = []
        self.instants = recording.instants
        self.equity = np.zeros(len(self.instants))
        now = recording.start_ns - max(recording.bar_ns, 1)
        self.begin_ns = now
        self.handle(StartSession(now, 1, "backtest", "backtest", ""))
        self.handle(OpenAccount(now, "BACKTEST", to_e8(plan.cash)))
        for instrument in recording.instruments:
            self.handle(AddInstrument.of(now, instrument))
        if plan.limits:
            self.handle(SetLimits(now, tuple(sorted(plan.limits.items())), "backtest"))
        for number, placement in enumerate(plan.placements, 1):
            self.place(number, placement)

    def run(self, loop: str, why: str = "") -> Run:
        """Everything that happened, once it was played; `loop` names who played it."""
        if self.plan.flat_at_end:
            self.flatten()
        engine, plan = self.engine, self.plan
        moved = engine.ledger.cash_e8 - to_e8(plan.cash) - self.traded_e8
        return Run(
            recording=plan.recording,
            loop=loop,
            cash=plan.cash,
            ts_ns=self.instants,
            equity=self.equity,
            fills=_fills(engine, self.fills),
            orders=_orders(engine.orders.by_id.values()),
            refusals=self.refusals,
            cash_moves=moved / SCALE,
            why=why,
        )

    @property
    def traded_e8(self) -> int:
        """What all fills did to the cash: the rest of its change was dividends, interest and the like."""
        total = 0
        for order in self.engine.orders.by_id.values():
            total -= order.side * order.notional_e8 + order.fee_e8
        return total

    def place(self, number: int, placement: Placement) -> None:
        found = strategy_source(type(placement.strategy))
        command = AddStrategy(
            self.begin_ns,
            number,
            found.name,
            found.source,
            found.code_hash,
            parameters_of(placement.strategy),
            placement.iids,
            placement.sizing,
            to_e8(placement.quantity),
            found.provenance,
            placement.sizing_parameters,
        )
        self.handle(command)

    def play(self) -> None:
        """Every event through the engine."""
        plan, engine, match = self.plan, self.engine, self.match
        total = plan.recording.n_events
        step, progress = max(1, total // 100), plan.progress
        instants, equity, last = self.instants.tolist(), self.equity, len(self.instants) - 1
        k = -1
        for number, event in enumerate(plan.recording.events()):
            for report in match.on_market(event):
                self.handle(report)
            self.handle(event)
            timer = timer_after(event) if engine.host.timed else None
            if timer is not None:
                self.handle(timer)
            # an opening print stands between two instants of the recording: what it moved shows at the next
            if k < last and instants[k + 1] == event.ts_ns:
                k += 1
            if k >= 0 and instants[k] == event.ts_ns:
                equity[k] = engine.risk.equity_e8 / SCALE
            if progress is not None and number % step == 0:
                progress(number, total)
        if progress is not None:
            progress(total, total)

    def flatten(self) -> None:
        """Close everything at the last closes, 1 ns after the end. That is book-keeping and no trade: no limit on age,
        size or rate keeps it from closing what is held."""
        engine, end_ns = self.engine, self.plan.recording.end_ns
        self.handle(SetLimits(end_ns, _LOOSE, "the end of the data"))
        self.handle(Flatten(end_ns, -1, "the end of the data", "backtest"))
        for iid in range(len(engine.book.instruments)):
            if self.match.resting(iid):
                for report in self.match.on_market(Trade(end_ns + 1, iid, engine.book.last_px[iid])):
                    self.handle(report)
        self.equity[-1] = engine.risk.equity_e8 / SCALE

    def handle(self, event: Event) -> None:
        """One event and all that follows from it at once."""
        if type(event) is Filled:
            self.fills.append(event)
        self.follow(self.engine.handle(event))

    def follow(self, effects: list[Effect]) -> None:
        for effect in effects:
            if type(effect) is Submit:
                reports: list[Any] = self.match.submit(effect)
            elif type(effect) is Cancel:
                reports = self.match.cancel(effect)
            elif type(effect) is Amend:
                reports = self.match.amend(effect)
            elif isinstance(effect, StrategyHalted) and effect.code in ("ERROR", "NAN", "TARGET", "LOAD"):
                raise StrategyError(effect.text)
            else:
                if isinstance(effect, Refusal):
                    self.refusals.append(effect)
                continue
            for report in reports:
                self.handle(report)


def _fills(engine: Engine, fills: list[Filled]) -> Any:
    """Fills as rows of `FILL`."""
    orders = engine.orders.by_id
    rows = np.empty(len(fills), FILL)
    for at, fill in enumerate(fills):
        order = orders[fill.order_id]
        rows[at] = (
            fill.ts_ns,
            fill.order_id,
            order.strategy_id,
            order.iid,
            order.side,
            fill.px_e8 / SCALE,
            fill.qty_e8 / SCALE,
            fill.fee_e8 / SCALE,
        )
    return rows


def _orders(orders: Iterable[Order]) -> Any:
    """Orders as rows of `ORDER`."""
    return np.array(
        [
            (
                order.ts_ns,
                order.order_id,
                order.strategy_id,
                order.iid,
                order.side,
                order.kind,
                order.tif,
                order.state,
                order.qty_e8 / SCALE,
                order.limit_px_e8 / SCALE,
                order.stop_px_e8 / SCALE,
                order.filled_e8 / SCALE,
                order.notional_e8 / order.filled_e8 if order.filled_e8 else 0.0,
                order.fee_e8 / SCALE,
                order.updated_ns,
            )
            for order in orders
        ],
        ORDER,
    )
