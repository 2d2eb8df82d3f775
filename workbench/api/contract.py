"""What the API asks of a running desk. The orchestrator's `Desk` fulfils it; so does the tests' in-memory one."""

from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from workbench.model import Refusal
from workbench.model.snapshot import OrderRow, Snapshot, TraceRow

__all__ = ["DeskContract", "FlattenReport", "KillReport", "MarketAction", "Scalar"]

type Scalar = float | int | bool | str
type MarketAction = Literal["play", "pause", "speed"]


class KillReport(Protocol):
    """What a kill did: microseconds until new orders were blocked, cancels sent, orders not yet confirmed dead."""

    @property
    def blocked_after_us(self) -> float: ...
    @property
    def cancels(self) -> int: ...
    @property
    def unconfirmed(self) -> Sequence[OrderRow]: ...


class FlattenReport(Protocol):
    """What a flatten did: strategies paused, cancels and closing orders sent, what was refused, what still waits."""

    @property
    def paused(self) -> Sequence[int]: ...
    @property
    def cancels(self) -> int: ...
    @property
    def orders(self) -> Sequence[OrderRow]: ...
    @property
    def refused(self) -> Sequence[str]: ...
    @property
    def waiting(self) -> Sequence[str]: ...


class DeskContract(Protocol):
    """A running desk. Calls raise the typed errors of `workbench.errors`; a risk refusal is a value."""

    clients: int

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    def snapshot(self) -> Snapshot: ...
    def order(self, order_id: int) -> OrderRow: ...
    def orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> Sequence[OrderRow]: ...
    def trace(self, order_id: int) -> TraceRow: ...

    async def add_strategy(
        self,
        name: str,
        source: str,
        parameters: dict[str, Scalar],
        symbols: list[str],
        quantity: float,
        sizing: str = "quantity",
        provenance: str = "",
        sizing_parameters: dict[str, float] | None = None,
    ) -> int: ...
    async def set_parameters(self, strategy_id: int, parameters: dict[str, Scalar]) -> object: ...
    async def pause(self, strategy_id: int, reason: str) -> object: ...
    async def resume(self, strategy_id: int) -> object: ...
    async def remove(self, strategy_id: int) -> object: ...

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
    ) -> int | Refusal: ...
    async def cancel(self, order_id: int) -> object: ...
    async def amend(
        self, order_id: int, quantity: float = 0, limit_px: float = 0, stop_px: float = 0
    ) -> Refusal | None: ...
    async def flatten(self, reason: str, by: str, symbol: str = "") -> FlattenReport: ...
    async def freeze(self, symbol: str, reason: str, by: str) -> object: ...
    async def thaw(self, symbol: str, by: str) -> object: ...
    async def kill(self, reason: str, by: str) -> KillReport: ...
    async def arm(self, by: str) -> object: ...

    def market_control(self, action: MarketAction, speed: float | None = None) -> object: ...
    def replay_check(self) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]: ...
    def reconcile(self) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]: ...
