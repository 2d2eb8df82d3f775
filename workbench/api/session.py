"""`Session`: what a notebook holds. Plain calls over the asynchronous client, in a thread of its own.

It works where an event loop already runs (Jupyter), survives an engine restart through the address book, and
closing it, or losing the kernel, changes nothing in the engine. `await session.aio.snapshot()` is the same client
for asynchronous code.
"""

import asyncio
import getpass
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.api.address import Address, read_address
from workbench.api.bodies import FlattenAnswer, KillAnswer, Ticket
from workbench.api.client import LONG_S, Client
from workbench.api.contract import MarketAction, Scalar
from workbench.api.host_process import EngineThread, wait_until_ended
from workbench.api.loop_thread import LoopThread
from workbench.api.notes import note
from workbench.api.session_views import (
    AccountHistories,
    Accounts,
    Market,
    OrderView,
    Rows,
    Strategies,
    StrategyHandle,
    Trace,
)
from workbench.errors import BadValue, NotRunning, Refused, Retryable, WorkbenchError
from workbench.model import snapshot as rows

if TYPE_CHECKING:
    from workbench.engine.sizing import Sizing
    from workbench.strategy import Strategy

__all__ = ["Aio", "Session"]

MARGIN_S = 5.0
STOP_S = 30.0


class Session:
    """A desk, seen from a notebook. Make it with `workbench.start()` or `workbench.attach()`."""

    def __init__(
        self, name: str, folder: Path, *, timeout_s: float = 10.0, engine: EngineThread | None = None
    ) -> None:
        self.name = name
        self.folder = folder
        self.market = Market(self)
        self._timeout_s = timeout_s
        self._engine = engine
        self._thread = LoopThread(f"session-{name}")
        self._client = Client(lambda: read_address(folder), timeout_s=timeout_s)
        self.aio = Aio(self._client, self._thread)
        self._finalizer = weakref.finalize(self, _shut, self._thread, self._client)

    # ------------------------------------------------------------ looking
    def snapshot(self) -> rows.Snapshot:
        """Everything at one instant."""
        return self._do(self._client.snapshot())

    @property
    def address(self) -> Address:
        """Where the engine listens (its token never shows in the text)."""
        return read_address(self.folder)

    @property
    def orders(self) -> Rows[OrderView]:
        """The newest 200 orders, newest last."""
        return self.find_orders()

    @property
    def positions(self) -> Rows[rows.PositionRow]:
        """The account's positions by strategy; its totals carry strategy -1."""
        return Rows(self._do(self._client.positions()))

    @property
    def fills(self) -> Rows[rows.FillRow]:
        return Rows(self._do(self._client.fills()))

    @property
    def refusals(self) -> Rows[rows.RefusalRow]:
        return Rows(self._do(self._client.refusals()))

    @property
    def strategies(self) -> Strategies:
        """By place, or by name: `desk.strategies["RsiReversion"]`."""
        placed = self._do(self._client.strategies())
        return Strategies([StrategyHandle(self, row.strategy_id, row.name) for row in placed])

    @property
    def account(self) -> rows.AccountRow:
        return self._do(self._client.account())

    @property
    def accounts(self) -> Accounts:
        """The accounts at venues, by place or by name: state, cash, allowances, streams. None on a recorded market."""
        return Accounts(self._do(self._client.accounts()))

    def account_history(self) -> AccountHistories:
        """The last quarter of an hour of each account at a venue: headroom, waits, round trips, second by second."""
        return AccountHistories(self._do(self._client.account_history()))

    @property
    def differences(self) -> Rows[rows.DifferenceRow]:
        """Figures on which the desk's books and its brokers' do not agree; the symbols are frozen."""
        return Rows(self._do(self._client.differences()))

    @property
    def latency(self) -> Rows[rows.LatencyRow]:
        return Rows(self._do(self._client.latency()))

    @property
    def health(self) -> rows.HealthRow:
        return self._do(self._client.health())

    @property
    def alerts(self) -> Rows[rows.AlertRow]:
        return Rows(self._do(self._client.alerts()))

    def client_orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> list[rows.OrderRow]:
        """Plain order rows that fit, newest last."""
        return self._do(self._client.orders(limit, strategy_id, state))

    def find_orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> Rows[OrderView]:
        """Orders that fit, newest last."""
        return Rows(OrderView(self, row) for row in self.client_orders(limit, strategy_id, state))

    def order(self, order_id: int) -> OrderView:
        return OrderView(self, self._do(self._client.order(order_id)))

    def trace(self, order_id: int) -> Trace:
        """The time one order spent in each stage."""
        row = self._do(self._client.trace(order_id))
        return Trace(**{name: getattr(row, name) for name in row.__struct_fields__})

    # ------------------------------------------------------------ acting
    def run(
        self,
        strategy: "Strategy | type[Strategy]",
        symbols: str | Iterable[str],
        quantity: float = 1.0,
        sizing: "str | Sizing" = "quantity",
    ) -> StrategyHandle:
        """Place a strategy (an object with its parameters, or a class with its defaults) in the engine.

        `sizing` says what `quantity` means: quantity, percent, notional, volatility, kelly or risk, by name or with its
        parameters as a `workbench.engine.Sizing`. Its source travels along, so a class of a notebook cell works like
        one of a file. Raises UnknownName for a symbol or parameter nobody knows, StrategyError when the class cannot
        be loaded there.
        """
        from workbench.engine.sizing import Sizing
        from workbench.strategy import parameters_of, strategy_source

        chosen = Sizing.of(sizing)
        placed = strategy() if isinstance(strategy, type) else strategy
        source = strategy_source(type(placed))
        work = self._client.add_strategy(
            source.name,
            source.source,
            [symbols] if isinstance(symbols, str) else list(symbols),
            parameters=dict(parameters_of(placed)),
            quantity=quantity,
            sizing=chosen.name,
            provenance=source.provenance,
            sizing_parameters=chosen.parameters,
        )

        def compiling(seconds: float) -> None:
            note(f"{source.name}: the engine compiles it, {seconds:.0f} s (the first time only)")

        number = self._thread.call(work, LONG_S + MARGIN_S, compiling)
        return StrategyHandle(self, number, source.name, type(placed))

    def place(
        self,
        symbol: str,
        side: Literal["buy", "sell"],
        quantity: float,
        type: str = "market",
        *,
        limit_px: float = 0.0,
        stop_px: float = 0.0,
        tif: str = "day",
        trail: float = 0.0,
        trail_percent: float = 0.0,
        take_profit_px: float = 0.0,
        stop_loss_px: float = 0.0,
        stop_loss_limit_px: float = 0.0,
        key: str = "",
        why: str = "",
    ) -> OrderView | rows.RefusalRow:
        """A manual order: the order, or the risk rule's refusal (a value, not an exception).

        `type` is market, limit, stop, stop_limit or trailing (with `trail`, a price distance, or `trail_percent`);
        `tif` day, gtc, ioc, fok, opg or cls. `take_profit_px` and `stop_loss_px` make a bracket: exits that wait at
        the venue until this order has filled and cancel one another.
        """
        more = {"limit_px": limit_px, "stop_px": stop_px, "trail": trail, "trail_percent": trail_percent}
        more |= {"take_profit_px": take_profit_px, "stop_loss_px": stop_loss_px}
        more["stop_loss_limit_px"] = stop_loss_limit_px
        placed = self._do(self._client.place(symbol, side, quantity, type, **more, tif=tif, key=key, why=why))
        return self.order(placed) if isinstance(placed, int) else placed

    def cancel(self, order_id: int) -> None:
        self._do(self._client.cancel(order_id))

    def amend(
        self, order_id: int, *, quantity: float = 0.0, limit_px: float = 0.0, stop_px: float = 0.0
    ) -> OrderView | rows.RefusalRow:
        """Ask the venue to change a working order; what is left out stays. The order (its row says `amending` until
        the venue has answered), or the refusal (a value, not an exception)."""
        change = {"quantity": quantity, "limit_px": limit_px, "stop_px": stop_px}
        no = self._do(self._client.amend(order_id, **change))
        return no if no is not None else self.order(order_id)

    def flatten(self, reason: str = "flattened from the notebook", symbol: str = "") -> FlattenAnswer:
        """Close what is held, in one symbol or in all: strategies are paused, open orders cancelled, and each holding
        is closed by a market order. Raises Refused on a killed desk: `arm` it first."""
        return self._do(self._client.flatten(reason, _who(), symbol))

    def freeze(self, symbol: str, reason: str = "frozen from the notebook") -> None:
        """Let only reducing orders pass in a symbol; a live desk does so by itself when its books and the broker's
        differ there."""
        self._do(self._client.freeze(symbol, reason, _who()))

    def thaw(self, symbol: str) -> None:
        """Trade a frozen symbol again. Raises Refused when it is not frozen."""
        self._do(self._client.thaw(symbol, _who()))

    def pause(self, strategy_id: int, reason: str = "paused from the notebook") -> None:
        self._do(self._client.pause(strategy_id, reason))

    def resume(self, strategy_id: int) -> None:
        self._do(self._client.resume(strategy_id))

    def set_parameters(self, strategy_id: int, **parameters: Scalar) -> None:
        self._do(self._client.set_parameters(strategy_id, parameters))

    def remove(self, strategy_id: int) -> None:
        self._do(self._client.remove(strategy_id))

    def kill(self, reason: str = "killed from the notebook") -> KillAnswer:
        """The kill switch: block every new order and cancel all that is open. Only `arm` ends it."""
        return self._do(self._client.kill(reason, _who()))

    def arm(self) -> None:
        """Allow trading again after a kill."""
        self._do(self._client.arm(_who()))

    def market_control(self, action: MarketAction, speed: float | None = None) -> None:
        self._do(self._client.market(action, speed))

    def check(self) -> dict[str, Any]:
        """Replay the journal in a fresh process and reconcile with the broker: one flat dictionary."""
        answer = self._do(self._client.check(), LONG_S)
        return {"replay_hash_equal": bool(answer.replay.get("equal")), **answer.replay, **answer.reconcile}

    def query(self, sql: str) -> Any:
        """Ask the desk's warehouse: a read-only SELECT."""
        from workbench.warehouse.client import query

        return query(sql, name=self.name)

    def ticket(self, scope: str = "view", ttl_s: float = 30.0) -> Ticket:
        """A one-use ticket for a page's own connection; at most 30 s, never for order entry."""
        return self._do(self._client.ticket(scope, ttl_s))

    def allow_origin(self, origin: str) -> None:
        """Let pages of this origin (for instance the Jupyter server's) connect to the stream."""
        self._do(self._client.allow_origin(origin))

    def wait(
        self,
        finished: bool = False,
        *,
        until: Callable[[rows.Snapshot], bool] | None = None,
        timeout_s: float = 60.0,
    ) -> rows.Snapshot:
        """Wait until the recorded market has been played (`finished=True`), or until a condition on the snapshot
        holds; the snapshot that fulfilled it.

        Raises:
            Retryable: not within `timeout_s`.
        """
        if finished == (until is not None):
            raise BadValue("finished", finished, "wait either for finished=True or for until=condition")
        deadline_s = time.monotonic() + timeout_s
        while True:
            shot = self.snapshot()
            if until(shot) if until is not None else shot.session.market == "finished":
                return shot
            if time.monotonic() > deadline_s:
                raise Retryable(
                    f"not there after {timeout_s:g} s (market {shot.session.market}, {shot.session.progress:.0%} "
                    "played): wait longer, or speed the market up"
                )
            time.sleep(0.05)

    # ------------------------------------------------------------ life
    def stop(self) -> None:
        """Stop the engine in good order (open orders are cancelled) and close this session."""
        try:
            if self._engine is not None:
                self._engine.stop()
            else:
                pid = self.address.pid
                self._do(self._client.stop())
                if not wait_until_ended(pid, STOP_S):
                    raise Refused(f"the engine (pid {pid}) did not end within {STOP_S:g} s: see engine.log")
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the desk; the engine goes on. Harmless twice."""
        self._finalizer()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            shot = self.snapshot()
        except WorkbenchError as error:
            return f"<Session {self.name}: {error}>"
        s, a = shot.session, shot.account
        running = sum(row.state in ("running", "warming") for row in shot.strategies)
        played = (
            "" if s.market == "live" else f" {s.progress:.0%}"
        )  # what happens now has no end to measure by
        return (
            f"<Session {s.name}: {s.state}, market {s.data} {s.market}{played}, equity {a.equity:,.2f} "
            f"{a.currency}, {running} of {len(shot.strategies)} strategies running, epoch {s.epoch}>"
        )

    def _do[T](self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        return self._thread.call(work, (timeout_s or self._timeout_s) + MARGIN_S)


class Aio:
    """The asynchronous client, awaitable from any loop: `await session.aio.snapshot()`."""

    def __init__(self, client: Client, thread: LoopThread) -> None:
        self._client, self._thread = client, thread

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._client, name)
        if not asyncio.iscoroutinefunction(method):
            raise AttributeError(f"'{name}' is not a call of the client")

        async def call(*arguments: Any, **named: Any) -> Any:
            return await asyncio.wrap_future(self._thread.submit(method(*arguments, **named)))

        return call

    def __dir__(self) -> list[str]:
        return [
            n
            for n in dir(Client)
            if not n.startswith("_") and asyncio.iscoroutinefunction(getattr(Client, n))
        ]


def _who() -> str:
    try:
        return f"notebook of {getpass.getuser()}"
    except (OSError, KeyError):
        return "notebook"


def _shut(thread: LoopThread, client: Client) -> None:
    try:
        thread.call(client.close(), 2.0)
    except (NotRunning, Refused, Retryable):
        return
    finally:
        thread.close()
