"""A believable desk in memory: prices walk, strategies trade, orders live and die. No engine, no disk, no server
(`fake_server.py` serves it).

For the API's own tests: call `step()` yourself.
"""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import msgspec

from tests.api.fake_snapshot import SESSION_START_NS, STAGE_BUDGETS, build_snapshot
from workbench.api.contract import MarketAction, Scalar
from workbench.errors import BadValue, Refused, UnknownName
from workbench.model import Refusal
from workbench.model import snapshot as rows


class Report(msgspec.Struct, frozen=True):
    blocked_after_us: float
    cancels: int
    unconfirmed: list[rows.OrderRow]


class Flattened(msgspec.Struct, frozen=True):
    paused: list[int]
    cancels: int
    orders: list[rows.OrderRow]
    refused: list[str]
    waiting: list[str]


class FakeDesk:
    """Fulfils `workbench.api.contract.DeskContract`; every method acts on plain rows at once."""

    def __init__(
        self, folder: Path, name: str = "fake", seed: int = 7, symbols: tuple[str, ...] = ("SPY", "QQQ")
    ):
        self.folder, self.name, self.clients = folder, name, 0
        self._random = random.Random(seed)
        self._px = {symbol: 300.0 + 70 * n for n, symbol in enumerate(symbols)}
        self._started_ns = time.time_ns()
        self._market_ns = SESSION_START_NS
        self._orders: dict[int, rows.OrderRow] = {}
        self._active: dict[int, int] = {}  # order id -> steps until it fills
        self._keys: dict[str, int] = {}
        self._fills: list[rows.FillRow] = []
        self._refusals: list[rows.RefusalRow] = []
        self._alerts: list[rows.AlertRow] = []
        self._strategies: dict[int, rows.StrategyRow] = {}
        self._held: dict[tuple[int, str], list[float]] = {}  # quantity, average price, realized, fees
        self._cash = 1_000_000.0
        self._equity: list[tuple[int, float]] = [(self._market_ns, self._cash)]
        self._latency: dict[str, list[float]] = {stage: [] for stage in STAGE_BUDGETS}
        self._seq = 0
        self.killed = ""
        self.frozen: dict[str, str] = {}
        self.accounts: list[rows.VenueAccountRow] = []
        self.differences: list[rows.DifferenceRow] = []
        self.history: list[rows.AccountHistoryRow] = []
        self.market, self.speed, self.epoch = "playing", 60.0, 1
        self.stopped = False
        self._cached: rows.Snapshot | None = None
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ life
    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._play())

    async def stop(self) -> None:
        self.stopped = True
        if self._task is not None:
            self._task.cancel()

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            if self.market == "playing":
                self.step()

    def step(self) -> None:
        """One tenth of a second of market: prices move, fills come, strategies decide."""
        self._market_ns += int(self.speed * 1e8)
        for symbol, px in self._px.items():
            self._px[symbol] = round(px * (1 + self._random.gauss(0, 0.0002)), 2)
        for order_id in list(self._active):
            self._active[order_id] -= 1
            if self._active[order_id] <= 0:
                self._fill(order_id)
        for strategy in list(self._strategies.values()):
            if strategy.state == "running" and self._random.random() < 0.15:
                self._decide(strategy)
        self._equity.append((self._market_ns, round(self._cash + self._market_value(), 2)))
        self.changed()

    def changed(self) -> None:
        self._seq += 1
        self._cached = None

    def _decide(self, strategy: rows.StrategyRow) -> None:
        symbol = self._random.choice(strategy.symbols)
        held = self._held.get((strategy.strategy_id, symbol), [0.0])[0]
        side = "sell" if held > 0 or (held == 0 and self._random.random() < 0.3) else "buy"
        self._strategies[strategy.strategy_id] = msgspec.structs.replace(
            strategy, decisions=strategy.decisions + 1
        )
        self._open(strategy.strategy_id, symbol, side, strategy.quantity, why="signal")

    # ------------------------------------------------------------ orders
    def _open(self, strategy_id: int, symbol: str, side: str, quantity: float, **more: Any) -> int | Refusal:
        signed = 1 if side == "buy" else -1
        if self.killed or quantity > 5000:
            code = "KILLED" if self.killed else "SIZE"
            text = (
                f"kill switch is on: {self.killed}" if self.killed else f"quantity {quantity:g} is above 5000"
            )
            numbers = (("quantity", quantity), ("limit", 5000.0))
            row = rows.RefusalRow(
                self._market_ns, strategy_id, symbol, side, quantity, code, text, dict(numbers)
            )
            self._refusals.append(row)
            self._count(strategy_id, "refusals")
            self.changed()
            return Refusal(self._market_ns, strategy_id, 0, signed, int(quantity * 1e8), code, text, numbers)
        order_id = len(self._orders) + 1
        strategy = self._strategies.get(strategy_id)
        kind = more.get("type", "market")
        self._orders[order_id] = rows.OrderRow(
            order_id,
            f"wb-{self.epoch}-{order_id}",
            f"v{order_id}",
            strategy_id,
            strategy.name if strategy else "manual",
            symbol,
            side,
            kind,
            more.get("tif", "day"),
            quantity,
            more.get("limit_px", 0.0),
            more.get("stop_px", 0.0),
            "working",
            0.0,
            0.0,
            0.0,
            self._market_ns,
            self._market_ns,
            "",
            more.get("why", ""),
        )
        # a limit order rests until it is cancelled; a market order fills within a few steps
        self._active[order_id] = 10**9 if kind != "market" else self._random.randint(1, 4)
        self._count(strategy_id, "orders")
        for stage, budget in STAGE_BUDGETS.items():
            self._latency[stage].append(budget * self._random.lognormvariate(-2, 0.6))
        self.changed()
        return order_id

    def _fill(self, order_id: int) -> None:
        order = self._orders[order_id]
        px, signed = self._px[order.symbol], order.quantity if order.side == "buy" else -order.quantity
        del self._active[order_id]
        fee = round(0.005 * order.quantity, 4)
        self._orders[order_id] = msgspec.structs.replace(
            order, state="filled", filled=order.quantity, average_px=px, fees=fee, updated_ns=self._market_ns
        )
        self._fills.append(
            rows.FillRow(
                f"x{len(self._fills) + 1}",
                order_id,
                order.strategy_id,
                order.symbol,
                order.side,
                order.quantity,
                px,
                fee,
                self._market_ns,
            )
        )
        self._cash -= signed * px + fee
        held = self._held.setdefault((order.strategy_id, order.symbol), [0.0, 0.0, 0.0, 0.0])
        was, average = held[0], held[1]
        now = was + signed
        if was * signed < 0:
            held[2] += min(abs(was), abs(signed)) * (px - average) * (1 if was > 0 else -1)
            held[1] = average if was * now > 0 else (px if now else 0.0)
        else:
            held[1] = (average * abs(was) + px * abs(signed)) / abs(now)
        held[0], held[3] = now, held[3] + fee
        self._count(order.strategy_id, "fills")

    def _count(self, strategy_id: int, name: str) -> None:
        row = self._strategies.get(strategy_id)
        if row is not None:
            self._strategies[strategy_id] = msgspec.structs.replace(row, **{name: getattr(row, name) + 1})

    def _market_value(self) -> float:
        return sum(held[0] * self._px[symbol] for (_, symbol), held in self._held.items())

    # ------------------------------------------------------------ what the API calls
    def order(self, order_id: int) -> rows.OrderRow:
        if order_id not in self._orders:
            raise UnknownName("order", order_id, [str(key) for key in list(self._orders)[-5:]])
        return self._orders[order_id]

    def orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> list[rows.OrderRow]:
        found = [
            row
            for row in self._orders.values()
            if (strategy_id is None or row.strategy_id == strategy_id)
            and (state is None or row.state == state)
        ]
        return found[-limit:]

    def trace(self, order_id: int) -> rows.TraceRow:
        order, stages = self.order(order_id), list(STAGE_BUDGETS)
        lengths = [self._latency[stage][order_id - 1] for stage in stages]
        starts = [sum(lengths[:n]) for n in range(len(lengths))]
        budgets = list(STAGE_BUDGETS.values())
        return rows.TraceRow(order_id, order.client_id, stages, starts, lengths, budgets, sum(lengths))

    def account_history(self, since_ns: int = 0) -> list[rows.AccountHistoryRow]:
        return [row for row in self.history if row.ts_ns[-1] > since_ns]

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
    ) -> int:
        for symbol in symbols:
            self._known(symbol)
        for key in parameters:
            if key not in ("period", "low", "high"):
                raise UnknownName("parameter", key, ["period", "low", "high"])
        strategy_id = len(self._strategies) + 1
        empty = (0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0)
        self._strategies[strategy_id] = rows.StrategyRow(
            strategy_id, name, parameters, symbols, "running", "", "compiled", sizing, quantity, *empty, "abc123",
            provenance,
        )  # fmt: skip
        self.changed()
        return strategy_id

    def _known(self, symbol: str) -> None:
        if symbol not in self._px:
            raise UnknownName("symbol", symbol, self._px)

    def _strategy(self, strategy_id: int, **change: Any) -> None:
        if strategy_id not in self._strategies:
            raise UnknownName("strategy_id", strategy_id, map(str, self._strategies))
        self._strategies[strategy_id] = msgspec.structs.replace(self._strategies[strategy_id], **change)
        self.changed()

    async def set_parameters(self, strategy_id: int, parameters: dict[str, Scalar]) -> None:
        self._strategy(strategy_id)
        self._strategy(strategy_id, parameters={**self._strategies[strategy_id].parameters, **parameters})

    async def pause(self, strategy_id: int, reason: str) -> None:
        self._strategy(strategy_id, state="paused", reason=reason)

    async def resume(self, strategy_id: int) -> None:
        self._strategy(strategy_id, state="running", reason="")

    async def remove(self, strategy_id: int) -> None:
        self._strategy(strategy_id, state="removed")

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
        self._known(symbol)
        if key and key in self._keys:
            return self._keys[key]
        more = {"type": type, "limit_px": limit_px, "stop_px": stop_px, "tif": tif, "why": why}
        placed = self._open(0, symbol, side, quantity, **more)
        if key and isinstance(placed, int):
            self._keys[key] = placed
        return placed

    async def cancel(self, order_id: int) -> None:
        order = self.order(order_id)
        if order_id not in self._active:
            raise Refused(f"order {order_id} is {order.state} already: nothing to cancel")
        del self._active[order_id]
        self._orders[order_id] = msgspec.structs.replace(order, state="cancelled", updated_ns=self._market_ns)
        self.changed()

    async def amend(
        self, order_id: int, quantity: float = 0, limit_px: float = 0, stop_px: float = 0
    ) -> Refusal | None:
        order = self.order(order_id)
        if order_id not in self._active:
            text = f"order {order_id} is {order.state}: only a working order can be amended"
            return Refusal(self._market_ns, order.strategy_id, 0, 0, 0, "AMEND", text)
        changed = {"quantity": quantity, "limit_px": limit_px, "stop_px": stop_px}
        self._orders[order_id] = msgspec.structs.replace(order, **{k: v for k, v in changed.items() if v})
        self.changed()
        return None

    async def freeze(self, symbol: str, reason: str, by: str) -> None:
        self._known(symbol)
        self.frozen[symbol] = reason

    async def thaw(self, symbol: str, by: str) -> None:
        if self.frozen.pop(symbol, None) is None:
            raise Refused(f"{symbol} is not frozen: nothing to thaw")

    async def flatten(self, reason: str, by: str, symbol: str = "") -> Flattened:
        if self.killed:
            raise Refused(f"the kill switch is on ({self.killed}): arm the desk, then flatten")
        if symbol:
            self._known(symbol)
        doomed, paused = list(self._active), [n for n, s in self._strategies.items() if s.state == "running"]
        for order_id in doomed:
            await self.cancel(order_id)
        for strategy_id in paused:
            await self.pause(strategy_id, reason)
        sent = [
            self._open(sid, name, "sell" if held[0] > 0 else "buy", abs(held[0]), why=f"flatten: {reason}")
            for (sid, name), held in self._held.items()
            if held[0] and symbol in ("", name)
        ]
        orders = [self._orders[number] for number in sent if isinstance(number, int)]
        return Flattened(paused, len(doomed), orders, [], [])

    async def kill(self, reason: str, by: str) -> Report:
        self.killed = f"{reason} (by {by})"
        doomed = list(self._active)
        for order_id in doomed:
            await self.cancel(order_id)
        self._alerts.append(rows.AlertRow(time.time_ns(), "critical", "KILLED", self.killed))
        self.changed()
        return Report(180.0, len(doomed), [])

    async def arm(self, by: str) -> None:
        self.killed = ""
        self.changed()

    def market_control(self, action: MarketAction, speed: float | None = None) -> None:
        if action == "speed":
            if speed is None:
                raise BadValue("speed", speed, "give replayed seconds per second")
            self.speed = speed
        else:
            self.market = "playing" if action == "play" else "paused"
        self.changed()

    def replay_check(self) -> dict[str, Any]:
        return {"equal": True, "events": self._seq, "first_difference": None}

    def reconcile(self) -> dict[str, Any]:
        return {"positions_equal_broker": True, "positions_equal_sum_of_fills": True, "cash_conserved": True}

    def snapshot(self) -> rows.Snapshot:
        if self._cached is None:
            self._cached = build_snapshot(self)
        return self._cached
