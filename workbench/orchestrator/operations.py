"""The operator's wishes as commands: names become numbers here, and every wish is checked before it is journaled."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from workbench.engine import Engine, Placed, Sizing
from workbench.engine.flatten import FLATTEN
from workbench.errors import BadInput, BadValue, Refused, StrategyError, UnknownName
from workbench.model import (
    AddStrategy,
    AmendOrder,
    Arm,
    Cancel,
    CancelOrder,
    Flatten,
    Freeze,
    Kill,
    Order,
    PauseStrategy,
    PlaceOrder,
    Refusal,
    RemoveStrategy,
    ResumeStrategy,
    SetParameters,
    StrategyHalted,
    Submit,
    Thaw,
    to_e8,
)
from workbench.model.orders import SIDE_NAMES, TIF_NAMES, TYPE_NAMES
from workbench.model.snapshot import OrderRow
from workbench.orchestrator.clock import SessionClock
from workbench.orchestrator.driver import Driver, Outcome
from workbench.orchestrator.view import DeskView
from workbench.strategy import code_hash, load_strategy, make, parameters_of, program_for
from workbench.strategy.base import is_event

__all__ = ["FlattenReport", "KillReport", "Operations"]

_SIDES: Final = {name: side for side, name in SIDE_NAMES.items()}


CONFIRM_S: Final = 2.0


class KillReport(msgspec.Struct, frozen=True):
    """What a kill did. `unconfirmed` are orders the venue has not yet said are dead."""

    blocked_after_us: float
    cancels: int
    unconfirmed: list[OrderRow]


class FlattenReport(msgspec.Struct, frozen=True):
    """What a flatten did: strategies paused, cancels sent, closing orders sent; `refused` says why a closing order was
    not sent, `waiting` what is closed only when the venue has confirmed the end of its open orders."""

    paused: list[int]
    cancels: int
    orders: list[OrderRow]
    refused: list[str]
    waiting: list[str]


class Operations:
    """What one may ask of a desk; `Desk` adds the life around it. Waits until the answer is durable.

    Every call raises JournalStopped when the disk refuses, and the typed errors it names.
    """

    engine: Engine
    driver: Driver
    clock: SessionClock
    view: DeskView
    killed_ns: int

    async def add_strategy(
        self,
        name: str,
        source: str,
        parameters: Mapping[str, Any],
        symbols: list[str],
        quantity: float,
        sizing: str = "quantity",
        provenance: str = "",
        sizing_parameters: Mapping[str, float] | None = None,
    ) -> int:
        """Load and compile beside the loop, then place; returns the strategy's number.

        Raises:
            UnknownName, BadValue: symbol, sizing, parameter or quantity. StrategyError: the source does not load.
        """
        chosen = Sizing(sizing, **(sizing_parameters or {}))
        iids = tuple(self._iid(symbol) for symbol in dict.fromkeys(symbols))
        if not iids:
            raise BadValue("symbols", symbols, "name at least one symbol")
        kind = load_strategy(source, name)
        pairs = parameters_of(make(kind, tuple(parameters.items())))
        if not is_event(kind):
            # numba holds the interpreter only in short pieces; in a thread the loop goes on meanwhile
            await asyncio.to_thread(program_for, kind)
        number = max(self.engine.host.strategies, default=0) + 1
        outcome = await self.driver.do(
            AddStrategy(
                self.clock.now_ns(),
                number,
                name,
                source,
                code_hash(kind),
                pairs,
                iids,
                chosen.name,
                _quantity(quantity),
                provenance,
                chosen.pairs,
            )
        )
        for effect in outcome.effects:
            if isinstance(effect, StrategyHalted):
                raise StrategyError(effect.text)
        return number

    async def set_parameters(self, strategy_id: int, parameters: Mapping[str, Any]) -> Outcome:
        """New values for the named parameters; the others stay."""
        placed = self._placed(strategy_id)
        if placed.cls is None:
            raise StrategyError(f"strategy {strategy_id} never loaded ({placed.reason}): place it anew")
        merged = {**dict(placed.parameters), **parameters}
        pairs = parameters_of(make(placed.cls, tuple(merged.items())))
        return await self.driver.do(SetParameters(self.clock.now_ns(), strategy_id, pairs))

    async def pause(self, strategy_id: int, reason: str) -> Outcome:
        """Stop a strategy from deciding; its positions stay."""
        self._placed(strategy_id)
        return await self.driver.do(PauseStrategy(self.clock.now_ns(), strategy_id, reason))

    async def resume(self, strategy_id: int) -> Outcome:
        """Let it decide again."""
        self._placed(strategy_id)
        return await self.driver.do(ResumeStrategy(self.clock.now_ns(), strategy_id))

    async def remove(self, strategy_id: int) -> Outcome:
        """Cancel its orders and ask it no more; its positions stay booked."""
        self._placed(strategy_id)
        return await self.driver.do(RemoveStrategy(self.clock.now_ns(), strategy_id))

    async def place(
        self,
        symbol: str,
        side: str,
        quantity: float,
        type: str = "market",
        limit_px: float = 0,
        stop_px: float = 0,
        tif: str = "day",
        key: str = "",
        why: str = "",
        trail: float = 0,
        trail_percent: float = 0,
        take_profit_px: float = 0,
        stop_loss_px: float = 0,
        stop_loss_limit_px: float = 0,
    ) -> int | Refusal:
        """A manual order; its number (of a bracket the entry's), or why the risk rules said no."""
        if side not in _SIDES:
            raise UnknownName("side", side, _SIDES)
        if type not in TYPE_NAMES:
            raise UnknownName("type", type, TYPE_NAMES)
        if tif not in TIF_NAMES:
            raise UnknownName("tif", tif, TIF_NAMES)
        command = PlaceOrder(
            self.clock.now_ns(),
            self._iid(symbol),
            _SIDES[side],
            TYPE_NAMES.index(type),
            TIF_NAMES.index(tif),
            _quantity(quantity),
            to_e8(float(limit_px)),
            to_e8(float(stop_px)),
            key,
            why,
            to_e8(float(trail)),
            to_e8(float(trail_percent) / 100),
            to_e8(float(take_profit_px)),
            to_e8(float(stop_loss_px)),
            to_e8(float(stop_loss_limit_px)),
        )
        outcome = await self.driver.do(command)
        for effect in outcome.effects:
            if isinstance(effect, Refusal):
                return effect
            if isinstance(effect, Submit):
                return effect.order_id
        raise BadInput(f"key '{key}' was used before: the first order with it stands, nothing was sent again")

    async def cancel(self, order_id: int) -> Outcome:
        """Ask the venue to cancel an order. Raises UnknownName for a number nobody knows."""
        self.known_order(order_id)
        return await self.driver.do(CancelOrder(self.clock.now_ns(), order_id))

    async def amend(
        self, order_id: int, quantity: float = 0, limit_px: float = 0, stop_px: float = 0
    ) -> Refusal | None:
        """Ask the venue to change a working order; 0 keeps what it has. Why it cannot be, or None when it was asked
        for: the order's row says `amending` until the venue has answered. Raises UnknownName for a number nobody knows.
        """
        self.known_order(order_id)
        values = (to_e8(float(quantity)), to_e8(float(limit_px)), to_e8(float(stop_px)))
        if not any(values) or min(values) < 0:
            raise BadValue("quantity", quantity, "give a quantity, limit_px or stop_px above 0")
        outcome = await self.driver.do(AmendOrder(self.clock.now_ns(), order_id, *values))
        return next((effect for effect in outcome.effects if isinstance(effect, Refusal)), None)

    async def flatten(self, reason: str, by: str, symbol: str = "") -> FlattenReport:
        """Close what is held, in one symbol or in all: strategies are paused, open orders cancelled, and each holding
        is closed by a market order once nothing else of it may fill. Waits up to 2 s for that.

        Raises:
            Refused: the desk is killed: arm it first. UnknownName: no such symbol.
        """
        iid = self._iid(symbol) if symbol else -1
        engine, first = self.engine, self.engine.orders.next_id
        before = {placed.strategy_id for placed in engine.host.strategies.values() if placed.running}
        outcome = await self.driver.do(Flatten(self.clock.now_ns(), iid, reason, by))
        refusals = [effect for effect in outcome.effects if isinstance(effect, Refusal)]
        if any(refusal.qty_e8 == 0 for refusal in refusals):
            raise Refused(refusals[0].text)
        deadline = time.monotonic() + CONFIRM_S
        while engine.flattening and time.monotonic() < deadline:  # noqa: ASYNC110 - ends by reports of a broker
            await asyncio.sleep(0.002)
        strategies = engine.host.strategies
        sent = [engine.orders.by_id[number] for number in range(first, engine.orders.next_id)]
        return FlattenReport(
            paused=sorted(sid for sid in before if not strategies[sid].running),
            cancels=sum(isinstance(effect, Cancel) for effect in outcome.effects),
            orders=[self.view.order(order) for order in sent if order.why.startswith(FLATTEN)],
            refused=[refusal.text for refusal in refusals],
            waiting=[
                f"{engine.book.symbol(number)} of {strategies[sid].name if sid in strategies else 'operator'}"
                for sid, number in engine.flattening
            ],
        )

    async def freeze(self, symbol: str, reason: str, by: str) -> Outcome:
        """Let only reducing orders pass in a symbol."""
        return await self.driver.do(Freeze(self.clock.now_ns(), self._iid(symbol), reason, by))

    async def thaw(self, symbol: str, by: str) -> Outcome:
        """Trade a frozen symbol again.

        Raises:
            Refused: it is not frozen.
        """
        outcome = await self.driver.do(Thaw(self.clock.now_ns(), self._iid(symbol), by))
        for effect in outcome.effects:
            if isinstance(effect, Refusal):
                raise Refused(effect.text)
        return outcome

    async def kill(self, reason: str, by: str) -> KillReport:
        """Block every new order, cancel all that is open, wait up to 2 s for the venue's word."""
        asked_ns = time.monotonic_ns()
        outcome = await self.driver.do(Kill(self.clock.now_ns(), reason, by), urgent=True)
        blocked_us = (self.killed_ns - asked_ns) / 1e3
        await self.confirmed(CONFIRM_S)
        open_rows = [self.view.order(order) for order in self.engine.orders.active.values()]
        return KillReport(blocked_us, len(outcome.effects), open_rows)

    async def arm(self, by: str) -> Outcome:
        """Allow trading again after a kill."""
        return await self.driver.do(Arm(self.clock.now_ns(), by))

    async def cancel_all(self) -> None:
        """Ask for the end of every open order."""
        for order_id in list(self.engine.orders.active):
            self.driver.post(CancelOrder(self.clock.now_ns(), order_id))
        await self.driver.idle()

    async def confirmed(self, seconds: float) -> None:
        """Return once no order is open, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.engine.orders.active and time.monotonic() < deadline:  # noqa: ASYNC110 - ends by reports of a broker
            await asyncio.sleep(0.002)

    def known_order(self, order_id: int) -> Order:
        """The engine's order of that number. Raises UnknownName when there is none."""
        order = self.engine.orders.by_id.get(order_id)
        if order is None:
            raise UnknownName("order", order_id, [str(n) for n in list(self.engine.orders.by_id)[-5:]])
        return order

    def _iid(self, symbol: str) -> int:
        iid = self.engine.book.iid_of.get(symbol)
        if iid is None:
            raise UnknownName("symbol", symbol, self.engine.book.iid_of)
        return iid

    def _placed(self, strategy_id: int) -> Placed:
        placed = self.engine.host.strategies.get(strategy_id)
        if placed is None:
            raise UnknownName("strategy", strategy_id, [str(n) for n in self.engine.host.strategies])
        return placed


def _quantity(quantity: float) -> int:
    if not 0 < quantity < 1e10:
        raise BadValue("quantity", quantity, "give a finite number of units above 0")
    return to_e8(float(quantity))
