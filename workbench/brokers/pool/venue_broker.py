"""The contract of brokers on top of the pool: what every venue does alike. A venue's broker.py fills in the rest.

    submit, cancel, amend -> gathered until the loop's next turn -> _place / _withdraw / _change -> tracker -> reports
                                    stream, sweep, inquest -> tracker -> reports

Lives here: handing over, sorting out what an error proves, amendments, closing. Not here: cancels (withdrawals.py),
finding out (follower.py), a venue's words (its parse.py) and ways (its client.py).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from workbench.brokers.contract import BrokerOrder, Sink
from workbench.brokers.pool.pool import Pool
from workbench.brokers.pool.tracker import Tracked
from workbench.brokers.pool.withdrawals import Withdrawals, code_of
from workbench.errors import (
    OutcomeUnknown,
    RateLimited,
    Refused,
    Retryable,
    Unreachable,
    VenueGarbled,
    WorkbenchError,
)
from workbench.model.effects import Amend, Cancel, Submit
from workbench.model.reports import AmendRefused, CancelRefused, OutcomeLost, Report, Unsent

__all__ = ["VenueBroker"]

logger = logging.getLogger(__name__)

_MANY: Final = 10  # cancels of all that is open, handed over at once, that make one request worth while
_CLOSE_S: Final = 5.0


class VenueBroker(Withdrawals):
    """A broker at a venue: give it `name`, `capabilities` and the hooks; docs/brokers.md tells how.

    An order whose answer was lost is looked for after `look_first_s`, then less and less often; a cancel that the venue
    took and did not confirm after three times that. What was not found is called absent after `absent_times` looks over
    `absent_after_s`. Open orders are compared with the venue's every `sweep_s` (0: never).
    """

    def __init__(
        self,
        pool: Pool,
        *,
        absent_after_s: float = 30.0,
        absent_times: int = 3,
        look_first_s: float = 1.0,
        sweep_s: float = 5.0,
    ) -> None:
        super().__init__(
            pool,
            absent_after_s=absent_after_s,
            absent_times=absent_times,
            look_first_s=look_first_s,
            sweep_s=sweep_s,
        )
        self.on_called: Callable[[int, int], None] | None = None  # (order_id, ns): the limiter let it pass
        self._sink: Sink | None = None
        self._handed: list[Submit | Cancel | Amend] = []

    # -- the contract ----------------------------------------------------------------------------------------------

    async def connect(self, sink: Sink) -> None:
        """Open the account; see the contract for what it raises."""
        self._loop = asyncio.get_running_loop()
        self._sink = self.tracker.sink = sink
        self._closed = False
        self.pool.open()
        try:
            await self._open()
        except BaseException:
            self._sink = self.tracker.sink = None
            await self.pool.close()
            raise
        await self.pool.health.check()
        self.pool.health.start()
        if self._sweep_s:
            self._regular.append(self._loop.create_task(self._sweep_for_ever(), name=f"{self.name} sweep"))

    def submit(self, order: Submit) -> None:
        """Hand an order over. Raises Unreachable before `connect`."""
        self._hand(order)

    def cancel(self, order: Cancel) -> None:
        """Ask for a cancel; may be repeated."""
        self._hand(order)

    def amend(self, order: Amend) -> None:
        """Ask for a change."""
        self._hand(order)

    async def order(self, client_id: str) -> BrokerOrder | None:
        """What the venue knows of one order. An order found here that an earlier connection sent is followed from now
        on."""
        tracked = self.tracker.by_client.get(client_id)
        if tracked is None:
            evidence = await self._find(client_id) if client_id.startswith("wb-") else None
            if evidence is None:
                return None
            tracked = self.tracker.by_client.get(client_id) or self.tracker.adopt(evidence)
        else:
            evidence = await self._look(tracked)
            if evidence is not None:
                self.tracker.learn(tracked, evidence)
            elif not tracked.answered:
                return None
        return self.tracker.shown(tracked)

    def find_out(self, client_id: str, qty_e8: int) -> bool:
        """Go on looking for an order that `order` did not find (once proves nothing): it is reported when it turns up,
        and as `Unsent` when it is proven absent. True: the broker will tell."""
        tracked = self.tracker.seek(client_id, qty_e8)
        if tracked.answered:  # a sweep has come upon it meanwhile
            for report in tracked.reports:
                self._loop.call_soon(self.tracker.tell, report)
        else:
            self.inquest.open(tracked, "not found at the start")
        return True

    async def close(self) -> None:
        """Wait for what is under way, then hang up. What is still unanswered then is reported as lost."""
        self._closed = True
        for task in self._regular:
            task.cancel()
        await asyncio.gather(*self._regular, return_exceptions=True)
        self._regular.clear()
        self._hand_over()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=_CLOSE_S)
        while self._tasks:  # one that ends may have started another
            tasks = set(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks -= tasks
        handed, self._handed = self._handed, []
        for effect in handed:  # waited for a request that was not answered
            self.tracker.tell(_when_closed(effect))
        await self.inquest.close()
        await self.pool.close()

    @property
    def pending(self) -> int:
        """Requests handed over and not answered yet."""
        return len(self._handed) + len(self._tasks)

    # -- handing over ----------------------------------------------------------------------------------------------

    def _hand(self, effect: Submit | Cancel | Amend) -> None:
        if self._sink is None:
            raise Unreachable(
                f"broker '{self.name}' is not connected: call connect() first; nothing was sent"
            )
        if self._closed:
            self._loop.call_soon(self._sink, _when_closed(effect))
            return
        if not self._handed:
            self._loop.call_soon(self._hand_over)
        self._handed.append(effect)

    def _hand_over(self) -> None:
        """What one turn of the loop brought, in its order; the orders of a bracket stand side by side in it."""
        if self._clearing:  # an order that is sent now could be cancelled by the request for everything
            return
        handed, self._handed = self._handed, []
        if len(handed) >= _MANY and all(type(effect) is Cancel for effect in handed):
            wanted = {effect.order_id: effect for effect in handed if type(effect) is Cancel}
            if self.tracker.active.keys() <= wanted.keys():
                self._run(self._cleared(wanted))
                return
        run: list[Submit] = []
        for effect in handed:
            if type(effect) is Submit:
                run.append(effect)
                continue
            self._submit(run)
            run = []
            if type(effect) is Cancel:
                self._cancel(effect)
            elif type(effect) is Amend:
                self._amend(effect)
        self._submit(run)

    async def _cleared(self, wanted: dict[int, Cancel]) -> None:
        await self._withdrawn_all(wanted)
        if self._handed:  # meanwhile
            self._hand_over()

    def _submit(self, orders: list[Submit]) -> None:
        for batch in self._batches(orders) if len(orders) > 1 else ([orders] if orders else ()):
            opened = []
            for order in batch:
                tracked = self.tracker.open(order)
                if tracked is None:
                    text = f"client id {order.client_id} was used before: ask for the order"
                    self.tracker.tell(OutcomeLost(order.ts_ns, order.order_id, text))
                else:
                    opened.append(tracked)
            complaint = self._complaint(batch)
            if complaint is not None:
                text = f"{self.name}: {complaint[1]}: correct the order; nothing was sent"
                for tracked in opened:
                    self.tracker.rejected(tracked, complaint[0], text)
            elif opened:
                self._run(self._placed(opened))

    def _complaint(self, batch: list[Submit]) -> tuple[str, str] | None:
        """What is wrong with an order of a batch, before anything is sent."""
        try:
            return next((said for order in batch if (said := self._check(order)) is not None), None)
        except Exception as error:
            # a word nobody foresaw must not take along what was handed over beside it
            logger.exception("broker '%s': an order could not be checked", self.name)
            return "CHECK", f"it could not be checked ({type(error).__name__}: {error})"

    async def _placed(self, batch: list[Tracked]) -> None:
        """Send, and say what the outcome proves."""
        tracker = self.tracker
        try:
            await self._place(batch)
            return
        except (OutcomeUnknown, VenueGarbled) as error:
            lost = str(error)
        except RateLimited as error:
            for tracked in batch:
                tracker.rejected(tracked, error.code or "RATE_LIMITED", str(error))
            return
        except Retryable as error:
            for tracked in batch:
                tracker.unsent(tracked, str(error))
            return
        except Refused as error:
            for tracked in batch:
                tracker.rejected(tracked, code_of(error), str(error))
            return
        except asyncio.CancelledError:
            for tracked in batch:
                tracker.lost(tracked, "the connection was closed before the answer")
            raise
        except Exception as error:
            # a mistake in a venue's reader must not leave an order without an answer
            logger.exception("broker '%s': an order's answer was not understood", self.name)
            lost = f"{type(error).__name__}: {error}"
        self.pool.meters.lost += len(batch)
        for tracked in batch:
            self.inquest.open(tracked, lost)

    def called(self, batch: Sequence[Tracked]) -> Callable[[int], None] | None:
        """What a request of these orders tells when the limiter lets it pass (stage `limiter` of their traces)."""
        told = self.on_called
        if told is None:
            return None
        if len(batch) == 1:
            order_id = batch[0].order_id
            return lambda ns: told(order_id, ns)

        def all_called(ns: int) -> None:
            for tracked in batch:
                told(tracked.order_id, ns)

        return all_called

    # -- amendments ------------------------------------------------------------------------------------------------

    def _amend(self, effect: Amend) -> None:
        tracked = self.tracker.by_order.get(effect.order_id)
        if tracked is None:
            code, text = "UNKNOWN", "no order of this number is known here"
        elif not tracked.active:
            code, text = "ENDED", "the order has ended"
        elif tracked.busy:
            code, text = "BUSY", f"its {tracked.busy} is under way"
        else:
            tracked.busy = "amendment"
            self.tracker.when_answered(tracked, lambda: self._run(self._changed(tracked, effect)))
            return
        self.tracker.tell(AmendRefused(effect.ts_ns, effect.order_id, code, text))

    async def _changed(self, tracked: Tracked, effect: Amend) -> None:
        code, text = "ENDED", "the order has ended"
        try:
            if tracked.active:
                await self._change(tracked, effect)
                return
        except Exception as error:
            if isinstance(error, Refused | Retryable) and not isinstance(error, VenueGarbled):
                await self._learn(tracked)
                code, text = code_of(error), str(error)
                self.tracker.tell(AmendRefused(effect.ts_ns, effect.order_id, code, text))
                return
            # its answer was lost, cannot be read, or a venue's reader stumbles over it: it may have been carried out
            if not isinstance(error, OutcomeUnknown | VenueGarbled):
                logger.exception("broker '%s': an amendment's answer was not understood", self.name)
            if await self._change_found(tracked, effect):
                return
            code, text = "LOST", f"it did not arrive ({error})"
        finally:
            tracked.busy = ""
            if tracked.afterwards is not None:
                call, tracked.afterwards = tracked.afterwards, None
                call()
        self.tracker.tell(AmendRefused(effect.ts_ns, effect.order_id, code, text))

    async def _change_found(self, tracked: Tracked, effect: Amend) -> bool:
        """Until the venue proves which version of an order holds; both may trade meanwhile."""
        wait_s = self._look_first_s
        while tracked.active:
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 15.0)
            try:
                found = await self._changed_to(tracked, effect)
            except WorkbenchError as error:
                logger.warning("%s: could not be asked about (%s)", tracked.client_id, error)
                continue
            except Exception:  # as above
                logger.exception("%s: what the venue shows of it was not understood", tracked.client_id)
                continue
            if found is not None:
                return found
        return False


def _when_closed(effect: Submit | Cancel | Amend) -> Report:
    """The answer to what can no longer be handed over."""
    if isinstance(effect, Submit):
        return Unsent(effect.ts_ns, effect.order_id, "the connection was closed before the hand-over")
    answer = CancelRefused if isinstance(effect, Cancel) else AmendRefused
    return answer(effect.ts_ns, effect.order_id, "CLOSED", "the connection was closed")
