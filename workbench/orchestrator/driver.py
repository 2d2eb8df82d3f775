"""The loop: takes events one after another, lets the engine answer, and performs the answers once they are durable.

    post(event) -> inbox -> journal.append(event) -> engine.handle -> journal.append(effects) -> group commit
                                                                    -> (synced) -> broker.submit / cancel / amend

One turn drains the inbox for at most `TURN_EVENTS` events and then hands one frame to the journal, so a burst
costs one sync; while a sync is under way, all that one round of the loop brings shares the next frame. Nothing
reaches a broker before the frame that holds its intent is on disk. Reports enter the same inbox as market data and
commands; an urgent command (kill) goes to its head.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from workbench.brokers.contract import Broker
from workbench.engine import Engine
from workbench.errors import JournalStopped
from workbench.model import (
    Amend,
    AmendRefused,
    Cancel,
    Effect,
    Event,
    Filled,
    Order,
    Record,
    Stamped,
    Submit,
    Unsent,
)
from workbench.model.orders import TERMINAL
from workbench.model.stages import CALLED, SYNCED

__all__ = ["Driver", "Log", "Outcome"]

TURN_EVENTS = 256
_monotonic_ns = time.monotonic_ns


class Log(Protocol):
    """What the driver asks of a journal."""

    @property
    def last_seq(self) -> int: ...
    def append(self, record: Record) -> int: ...
    def commit(self, on_synced: Callable[[int], None] | None, sync: bool = True) -> None: ...


class Outcome(msgspec.Struct, frozen=True):
    """What one event led to, once durable: the journal sequence of its last record, and the effects."""

    seq: int
    effects: list[Effect]


type ToSend = Submit | Cancel | Amend

type Waiter = asyncio.Future[Outcome]
type Held = tuple[list[ToSend], list[tuple[Waiter, Outcome]]]


class Driver:
    """Turns the inbox into journaled, performed effects. Single-threaded: everything happens on `loop`.

    `on_turn(events, effects)` is called after each turn with what it handled (views and alerts read it);
    `on_done(order)` once an order has reached its end and its stamps are final.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Log,
        broker: Broker,
        loop: asyncio.AbstractEventLoop,
        on_turn: Callable[[list[Event], list[Effect]], None],
        on_done: Callable[[Order], None],
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.broker = broker
        self.events_handled = 0
        self.effects_made = 0
        self.stopped: JournalStopped | None = None
        self._loop = loop
        self._on_turn = on_turn
        self._on_done = on_done
        self._inbox: deque[tuple[Event, int, Waiter | None]] = deque()
        self._scheduled = False
        self._unsynced = 0
        self._held: Held | None = None
        self._idle: list[asyncio.Future[None]] = []
        self._waiters: set[Waiter] = set()
        if hasattr(broker, "on_called"):  # a broker with a limiter tells when it let an order pass
            broker.on_called = self._let_pass

    @property
    def inbox_length(self) -> int:
        """Events waiting for their turn."""
        return len(self._inbox)

    @property
    def busy(self) -> bool:
        """Whether anything waits for a turn or for the disk."""
        return bool(self._inbox) or self._unsynced > 0

    def post(
        self, event: Event, edge_ns: int = 0, waiter: Waiter | None = None, urgent: bool = False
    ) -> None:
        """Put an event into the inbox; `edge_ns` is the monotonic time it left its socket (0: now). Once the journal
        has stopped nothing can be handled any more, and it is dropped."""
        if self.stopped is not None:
            return
        item = (event, edge_ns or _monotonic_ns(), waiter)
        if urgent:
            self._inbox.appendleft(item)
        else:
            self._inbox.append(item)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def tick(self, event: Event, edge_ns: int = 0) -> None:
        """Handle an event at once when nothing waits before it: one trip through the loop and its queue less."""
        if self._inbox or self.stopped is not None:
            self.post(event, edge_ns)
            return
        try:
            append, engine = self.journal.append, self.engine
            append(event)
            engine.edge_ns = edge_ns or _monotonic_ns()
            effects = engine.handle(event)
            to_send: list[ToSend] = []
            for effect in effects:
                append(effect)
                if effect.__class__ is Submit or effect.__class__ is Cancel or effect.__class__ is Amend:
                    to_send.append(effect)
            ended = [self._end_stamped(event)] if event.__class__ is Filled else []
            self._commit([event], effects, to_send, [], ended)
        except JournalStopped as error:
            self.fail(error)

    async def do(self, event: Event, urgent: bool = False) -> Outcome:
        """Post `event` and wait until it was handled and its effects are durable.

        Raises:
            JournalStopped: the disk refused; nothing was sent.
        """
        if self.stopped is not None:
            raise self.stopped
        waiter: Waiter = self._loop.create_future()
        self._waiters.add(waiter)
        waiter.add_done_callback(self._waiters.discard)
        self.post(event, waiter=waiter, urgent=urgent)
        return await waiter

    async def idle(self) -> None:
        """Return once the inbox is empty and every intent is durable and handed to the broker."""
        while self.busy:
            done: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(done)
            await done

    def fail(self, error: JournalStopped) -> None:
        """The journal cannot be written: send nothing more, and let everyone waiting know (also those whose event
        was handled and waits for the disk)."""
        self.stopped = self.stopped or error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(error)
        self._inbox.clear()
        self._held = None
        self._unsynced = 0
        self._wake_idle()

    def _let_pass(self, order_id: int, called_ns: int) -> None:
        self.engine.orders.by_id[order_id].stamps[CALLED] = called_ns

    # -- one turn ---------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._scheduled = False
        if self.stopped is not None:
            return
        try:
            self._drain()
        except JournalStopped as error:
            self.fail(error)

    def _drain(self) -> None:
        inbox, engine, append = self._inbox, self.engine, self.journal.append
        events: list[Event] = []
        effects: list[Effect] = []
        to_send: list[ToSend] = []
        waiting: list[tuple[Waiter, Outcome]] = []
        ended: list[Order | None] = []
        left = min(len(inbox), TURN_EVENTS)
        while left:
            left -= 1
            event, edge_ns, waiter = inbox.popleft()
            append(event)
            engine.edge_ns = edge_ns
            events.append(event)
            answers = engine.handle(event)
            for effect in answers:
                append(effect)
                if effect.__class__ is Submit or effect.__class__ is Cancel or effect.__class__ is Amend:
                    to_send.append(effect)
            effects += answers
            if event.__class__ is Filled:
                ended.append(self._end_stamped(event))
            if waiter is not None:
                waiting.append((waiter, Outcome(self.journal.last_seq, answers)))
        self._commit(events, effects, to_send, waiting, ended)
        if inbox and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _end_stamped(self, fill: Filled) -> Order | None:
        """The order this fill ended, its stamps noted in the journal; None while it goes on."""
        order = self.engine.orders.by_id.get(fill.order_id)
        if order is None or order.state not in TERMINAL:
            return None
        self.journal.append(Stamped(fill.ts_ns, order.order_id, tuple(order.stamps)))
        return order

    def _commit(
        self,
        events: list[Event],
        effects: list[Effect],
        to_send: list[ToSend],
        waiting: list[tuple[Waiter, Outcome]],
        ended: Sequence[Order | None],
    ) -> None:
        """One frame for all of it; what is to be sent goes out when the frame is durable."""
        if to_send or waiting:
            if self._held is not None:
                self._held[0].extend(to_send)
                self._held[1].extend(waiting)
            elif (
                self._unsynced
            ):  # the writer is at work: gather what this round of the loop brings into one frame
                self._unsynced += 1
                self._held = (to_send, waiting)
                self._loop.call_soon(self._hand_over)
            else:
                self._unsynced += 1
                self.journal.commit(partial(self._synced, to_send, waiting))
        else:
            self.journal.commit(None, sync=False)
        self.events_handled += len(events)
        self.effects_made += len(effects)
        for order in ended:
            if order is not None:
                self._on_done(order)
        self._on_turn(events, effects)
        if self._idle:
            self._wake_idle()

    def _hand_over(self) -> None:
        held, self._held = self._held, None
        if held is None or self.stopped is not None:
            return
        try:
            self.journal.commit(partial(self._synced, *held))
        except JournalStopped as error:
            self.fail(error)

    def _synced(self, to_send: list[ToSend], waiting: list[tuple[Waiter, Outcome]], _seq: int) -> None:
        if self.stopped is not None:
            return  # the next start asks the broker about what was durable and is not sent now
        synced_ns = _monotonic_ns()
        by_id, broker, killed = self.engine.orders.by_id, self.broker, self.engine.risk.killed
        for effect in to_send:
            if type(effect) is Submit:
                if killed:  # the kill is durable by now: what was still on its way to the wire stays here
                    self.post(
                        Unsent(effect.ts_ns, effect.order_id, "held back by the kill switch before sending")
                    )
                    continue
                stamps = by_id[effect.order_id].stamps
                stamps[SYNCED] = synced_ns
                stamps[CALLED] = _monotonic_ns()
                broker.submit(effect)
            elif type(effect) is Cancel:
                broker.cancel(effect)
            elif killed:
                text = "held back by the kill switch before sending"
                self.post(AmendRefused(effect.ts_ns, effect.order_id, "KILLED", text))
            else:
                broker.amend(effect)  # type: ignore[arg-type]
        for waiter, outcome in waiting:
            if not waiter.done():
                waiter.set_result(outcome)
        self._unsynced -= 1
        if self._idle:
            self._wake_idle()

    def _wake_idle(self) -> None:
        if self._idle and not self.busy:
            for done in self._idle:
                if not done.done():
                    done.set_result(None)
            self._idle.clear()
