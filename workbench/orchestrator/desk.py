"""The desk: one account, one market, one engine, and what keeps them going. This is the engine process's heart.

Start and recovery are one path: lock and open the journal, fold it, ask the broker about what was under way, write a
new epoch, then let the market run. HTTP above (`api`) calls the methods here and reads `snapshot()`.
"""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from workbench.brokers.contract import Broker
from workbench.brokers.router import Router
from workbench.config import Settings
from workbench.engine import Engine
from workbench.errors import BadValue, JournalStopped, Refused, UnknownName
from workbench.feeds import timer_after
from workbench.journal import Journal, Recovered, recover
from workbench.model import (
    AddInstrument,
    Amend,
    Cancel,
    Effect,
    Event,
    Kill,
    OpenAccount,
    OpenPosition,
    Order,
    SetLimits,
    StartSession,
    Submit,
    Timer,
)
from workbench.model.commands import Command
from workbench.model.market import MarketEvent
from workbench.model.snapshot import AccountHistoryRow, OrderRow, Snapshot, TraceRow
from workbench.model.stages import CALLED
from workbench.monitor import Alerts, GcPauses, LoopLag, Stages, Tally, load_budgets, trace_row
from workbench.orchestrator import interpreter
from workbench.orchestrator.account_rows import AccountRows
from workbench.orchestrator.clock import SessionClock
from workbench.orchestrator.driver import Driver
from workbench.orchestrator.live_market import LiveMarket
from workbench.orchestrator.market import Market, RecordedMarket
from workbench.orchestrator.operations import CONFIRM_S, Operations
from workbench.orchestrator.session_file import SessionFile
from workbench.orchestrator.snapshot import Health, take
from workbench.orchestrator.truth import Difference, differences, settle_with_broker
from workbench.orchestrator.truth_watch import BY, TruthWatch
from workbench.orchestrator.view import MARKET, DeskView

__all__ = ["Desk"]

logger = logging.getLogger(__name__)

SNAPSHOT_NS: Final = 100_000_000
_COMMANDS: Final[tuple[type, ...]] = Command.__value__.__args__
_ROUTINE: Final = (Submit, Cancel, Amend)


class Desk(Operations):
    """A running desk. Make it, `await start()`, later `await stop()`; all calls belong to one loop.

    `play` says whether the market runs at once; None lets it be as it was: playing when the desk crashed while it
    played, else waiting.

    Raises (start):
        AccountLocked: another engine holds the account. JournalDamaged, JournalVersion, JournalError: see `journal`.
        UnknownName: unknown data or limit name. Refused: the journal belongs to another market or account.
    """

    def __init__(
        self, settings: Settings, home: Path, *, play: bool | None = True, version: str = ""
    ) -> None:
        self.settings = settings
        self.home = home
        self.name = settings.name
        self.folder = home / settings.name
        self.clients = 0
        self.state = "starting"
        self.version = version
        self.recovered: Recovered | None = None
        self.differences: list[Difference] = []
        self.budgets = load_budgets()
        self.stages = Stages()
        self.tally = Tally()
        self.loop_lag = LoopLag()
        self.gc_pauses = GcPauses()
        self.alerts = Alerts(self.budgets)
        self.engine = Engine(stamp=time.monotonic_ns)
        self.view = DeskView(self.engine)
        self.health = Health()
        self.pid = os.getpid()
        self.market: Market = (
            LiveMarket(settings, self.strategy_name) if settings.market.brokers else RecordedMarket(settings)
        )
        self.truth: TruthWatch | None = None
        self.accounts: AccountRows
        self._holdings: dict[
            int, int
        ] = {}  # of an account taken over, until a price tells what they are worth
        self.driver: Driver
        self.journal: Journal
        self.broker: Broker
        self.clock: SessionClock
        self._play = play
        self._session = SessionFile(self.folder)
        self._tasks: list[asyncio.Task[None]] = []
        self._snapshot: Snapshot | None = None
        self._snapshot_ns = 0
        self._seen_ns = 0
        self.killed_ns = 0

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, recover, settle with the broker, and let the market run (if it shall)."""
        loop = asyncio.get_running_loop()
        await self.market.open()
        self.journal = Journal.open(
            self.folder / "journal.sqlite",
            account=self.settings.account.name,
            code_version=self.version,
            loop=loop,
            batch_max=self.settings.journal.batch_max,
            market_flush_ms=self.settings.journal.market_flush_ms,
            on_failed=self._journal_failed,
        )
        try:
            await self._start_rest(loop)
        except BaseException:
            self.journal.close()
            raise

    async def _start_rest(self, loop: asyncio.AbstractEventLoop) -> None:
        market = self.market
        self.broker = market.broker
        if self.journal.last_seq:
            self.state = "recovering"
            self.recovered = recover(self.journal.path, self.view)
            self._check_same_market()
            market.restore(self.journal.path, self.recovered)
        self.clock = market.clock(lambda: self.engine.now_ns)
        self.accounts = AccountRows(lambda: market.sides, self.engine, self.broker)
        self.driver = Driver(self.engine, self.journal, self.broker, loop, self._on_turn, self._on_done)
        market.attach(self._deliver, self._settled)
        if (
            market.accounts
        ):  # the built-in exchange lives in this process: it is asked when somebody wants to know
            self.truth = TruthWatch(
                self.engine,
                self.broker.heard if isinstance(self.broker, Router) else self.broker.account,
                lambda symbol, reason: self.freeze(symbol, reason, BY),
                lambda symbol: self.thaw(symbol, BY),
                lambda what, text: self.alerts.books_differ(time.time_ns(), what, text),
            )
        if isinstance(self.broker, Router):
            self.broker.on_called, self.view.account_of = self._called, self.broker.account_of
        await self.broker.connect(self.driver.post)
        await self._begin_epoch()
        if self.recovered is not None:
            await settle_with_broker(self.engine, self.broker, self.driver, self.clock)
        self.differences = differences(self.engine, await self.broker.account())
        note = self._session.load() if self.recovered is not None else None
        play = self._play if self._play is not None else note is not None and note.playing
        if not play and market.state != "live":
            market.pause()
        self._save_session(playing=play)
        self.loop_lag.start()
        self.gc_pauses.install()
        interpreter.settle()
        self.accounts.refresh()
        self.state = "running"
        self._tasks = [
            asyncio.create_task(self._run_market(), name="market"),
            asyncio.create_task(self._watch(), name="watch"),
        ]
        if (
            self.truth is not None
        ):  # a task of its own: a venue that does not answer must not keep the watch waiting
            work = self.truth.run(self.settings.market.reconcile_s, lambda: self.driver.stopped is not None)
            self._tasks.append(asyncio.create_task(work, name="reconciliation"))
        for task in self._tasks:
            task.add_done_callback(self._part_ended)
        await asyncio.sleep(0)  # the market begins: who looks now sees it playing

    async def stop(self) -> None:
        """Orderly end: cancel what is open, wait for the answers, close the journal."""
        self.state = "stopping"
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.driver.stopped is None:
            await self.cancel_all()
            await self.confirmed(CONFIRM_S)
        self._save_session()
        await self.market.close()
        self.loop_lag.stop()
        self.gc_pauses.remove()
        await self.driver.idle()
        self.journal.close()
        interpreter.release()

    # -- what others read ----------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything now; made anew at most every 100 ms."""
        now_ns = time.monotonic_ns()
        if self._snapshot is None or now_ns - self._snapshot_ns >= SNAPSHOT_NS:
            self._snapshot = take(self)
            self._snapshot_ns = now_ns
        return self._snapshot

    def order(self, order_id: int) -> OrderRow:
        """One order. Raises UnknownName when there is none of that number."""
        return self.view.order(self.known_order(order_id))

    def orders(
        self, limit: int = 200, strategy_id: int | None = None, state: str | None = None
    ) -> list[OrderRow]:
        """The newest `limit` orders that fit, newest last."""
        return self.view.orders(limit, strategy_id, state)

    def trace(self, order_id: int) -> TraceRow:
        """One order's waterfall, with the pauses (garbage collection, loop stalls) in its window."""
        order = self.known_order(order_id)
        lived = [stamp for stamp in order.stamps if stamp]
        pauses = []
        if lived:
            pauses = self.gc_pauses.between(lived[0], lived[-1]) + self.loop_lag.between(lived[0], lived[-1])
        return trace_row(order, self.budgets, pauses, self.view.account_of(order_id))

    def account_history(self, since_ns: int = 0) -> list[AccountHistoryRow]:
        """The last minutes of the accounts at venues, second by second."""
        return self.accounts.history(since_ns)

    # -- what others ask for (the rest is in operations.py) ------------------------------------------------------

    def market_control(self, action: str, speed: float | None = None) -> dict[str, Any]:
        """`play`, `pause`, or set the `speed` of a recorded market."""
        market = self.market
        if action == "play":
            market.resume()
        elif action == "pause":
            market.pause()
        elif action != "speed":
            raise UnknownName("action", action, ["play", "pause", "speed"])
        if speed is not None:
            market.set_speed(speed)
        elif action == "speed":
            raise BadValue(
                "speed", speed, "give replayed seconds per wall second, or 0 for as fast as it settles"
            )
        self._snapshot = None
        if action != "speed":
            self._save_session(playing=action == "play")
        return {"market": market.state, "speed": market.speed, "progress": market.progress}

    async def replay_check(self) -> Mapping[str, Any]:
        """Replay the journal in a fresh process with another hash seed; `equal` says whether nothing differs."""
        from workbench.orchestrator.replay_check import replay_elsewhere

        await self.driver.idle()
        return await replay_elsewhere(self.journal.path)

    async def reconcile(self) -> Mapping[str, Any]:
        """Compare the books with the fills and with the broker's own account."""
        from workbench.orchestrator.truth import reconcile

        await self._settled()
        return reconcile(self.engine, await self.broker.account())

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def feed_age_s(self) -> float:
        """Wall seconds since the last market event; 0 while the market is paused or over."""
        if self.market.state not in ("playing", "live") or not self._seen_ns:
            return 0.0
        return (time.monotonic_ns() - self._seen_ns) / 1e9

    async def _run_market(self) -> None:
        await self.market.run()
        self._save_session()

    def _part_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the %s ended by an error", task.get_name(), exc_info=error)
            self.alerts.part_failed(time.time_ns(), task.get_name(), f"{type(error).__name__}: {error}")

    def strategy_name(self, strategy_id: int) -> str:
        """A placed strategy's name; "operator" for manual orders."""
        placed = self.engine.host.strategies.get(strategy_id)
        return placed.name if placed is not None else self.engine.operator.name

    def _called(self, order_id: int, called_ns: int) -> None:
        order = self.engine.orders.by_id.get(order_id)
        if order is not None:  # the limiter let it pass only now
            order.stamps[CALLED] = called_ns

    def _take_over(self) -> None:
        """Book what the account held before, as soon as there is a price for it."""
        for iid, px_e8 in [(iid, self.engine.book.mark_e8[iid]) for iid in self._holdings]:
            if px_e8:
                qty_e8 = self._holdings.pop(iid)
                self.driver.post(OpenPosition(self.clock.now_ns(), iid, qty_e8, px_e8))

    def _deliver(self, event: MarketEvent | Timer) -> None:
        self.driver.tick(event)
        timer = timer_after(event) if self.engine.host.timed and not isinstance(event, Timer) else None
        if timer is not None:
            self.driver.tick(timer)
        if self._holdings:
            self._take_over()

    async def _settled(self) -> None:
        while self.driver.busy or self.market.pending:
            await self.driver.idle()
            await self.market.settled()

    def _on_turn(self, events: list[Event], effects: list[Effect]) -> None:
        market = False
        for event in events:
            self.tally.count(event)
            if isinstance(event, MARKET):
                market = True
            elif isinstance(event, _COMMANDS):
                self._snapshot = None  # whoever asked must see what came of it at the next look
                if isinstance(event, Kill):
                    self.killed_ns = time.monotonic_ns()
                    self.alerts.event(event, time.time_ns())
        for effect in effects:
            self.tally.count(effect)
            if not isinstance(effect, _ROUTINE):
                self.alerts.event(effect, time.time_ns())
        if market:
            self._seen_ns = time.monotonic_ns()
        self.view.note(events, effects, market)

    def _on_done(self, order: Order) -> None:
        self.stages.record(order.stamps)

    def _journal_failed(self, error: JournalStopped) -> None:
        self.state = "stopped"
        self.alerts.journal_failed(time.time_ns(), str(error))
        self.driver.fail(error)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.health.refresh(self)
            self.accounts.refresh()
            self.alerts.observe(self.snapshot())
            if self.engine.risk.killed and self.engine.orders.active and self.driver.stopped is None:
                self.driver.post(Timer(self.clock.now_ns(), "kill"))  # the engine asks for every cancel again

    async def _begin_epoch(self) -> None:
        now_ns, driver = self.clock.now_ns(), self.driver
        driver.post(StartSession(now_ns, self.journal.epoch, self.name, self.market.mode, self.version))
        if self.recovered is None:
            account = self.settings.account
            cash_e8, self._holdings = await self.market.opening()
            driver.post(OpenAccount(now_ns, account.name, cash_e8, account.currency))
            for i in self.market.instruments:
                driver.post(AddInstrument.of(now_ns, i))
        if self.settings.limits:
            self.engine.risk.limits.changed(
                self.settings.limits.items()
            )  # refuses an unknown name before journaling
            await driver.do(SetLimits(now_ns, tuple(sorted(self.settings.limits.items())), "config"))
        await driver.idle()

    def _check_same_market(self) -> None:
        known = [i.symbol for i in self.engine.book.instruments]
        offered = [i.symbol for i in self.market.instruments]
        if known and known != offered:
            raise Refused(
                f"desk '{self.name}' has traded {', '.join(known[:5])} and cannot go on with data "
                f"'{self.market.name}' ({', '.join(offered[:5])}): start with --fresh, or take another --name"
            )

    def _save_session(self, playing: bool = False) -> None:
        market = self.market
        finished = market.state == "finished"
        self._session.save(
            data=market.name, progress=market.progress, finished=finished, playing=playing and not finished
        )
