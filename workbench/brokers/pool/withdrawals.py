"""Cancels: one by one, asked again until they are answered, and all at once where the venue has a request for that.

Lives here: asking, and what follows from the answers. Not here: handing over (venue_broker.py), finding out about
orders (follower.py), what a venue is asked (its broker.py).
"""

import asyncio
import logging
from functools import partial
from typing import Any, Final

from workbench.brokers.pool.backoff import Backoff
from workbench.brokers.pool.follower import Follower
from workbench.brokers.pool.tracker import Tracked
from workbench.errors import OutcomeUnknown, Refused, Retryable, VenueError, WorkbenchError
from workbench.model.effects import Cancel
from workbench.model.orders import CANCELLED, FILLED
from workbench.model.reports import CancelRefused

__all__ = ["Withdrawals", "code_of"]

logger = logging.getLogger(__name__)

_CANCEL_TRIES: Final = 4


class Withdrawals(Follower):
    """Takes orders out of the venue's book."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._clearing = False  # everything is being cancelled by one request

    def _cancel(self, effect: Cancel) -> None:
        tracked = self.tracker.by_order.get(effect.order_id)
        if tracked is None:
            text = "no order of this number is known here"
            self.tracker.tell(CancelRefused(effect.ts_ns, effect.order_id, "UNKNOWN", text))
        elif not tracked.active:
            self.tracker.tell(CancelRefused(effect.ts_ns, effect.order_id, "ENDED", "the order has ended"))
        elif tracked.busy == "amendment":
            tracked.afterwards = partial(self._cancel, effect)
        elif tracked.busy != "cancel":  # asked for again while it is under way: one is enough
            tracked.busy = "cancel"
            self.tracker.when_answered(tracked, lambda: self._run(self._withdrawn(tracked, effect)))

    async def _withdrawn_all(self, wanted: dict[int, Cancel]) -> None:
        """Everything is to be cancelled (a kill): by one request where the venue has one for it. What it does not
        answer for is cancelled one by one."""
        covered = [
            tracked for tracked in self.tracker.active.values() if tracked.answered and not tracked.busy
        ]
        for tracked in covered:
            tracked.busy = "cancel"
        taken: bool | frozenset[str] = False
        self._clearing = True
        try:
            taken = await self._withdraw_all()
        except WorkbenchError as error:
            logger.warning("broker '%s': could not cancel everything at once (%s)", self.name, error)
        except Exception:  # a mistake in a venue's reader must not be the end of the cancels
            logger.exception("broker '%s': the answer to cancelling everything was not understood", self.name)
        finally:
            self._clearing = False
        if not isinstance(taken, bool):
            named = {self.tracker.by_venue[number] for number in taken if number in self.tracker.by_venue}
        done = [tracked for tracked in covered if taken is True or (taken and tracked in named)]
        for tracked in covered:
            if tracked not in done:
                tracked.busy = ""
        for tracked in done:
            self.tracker.when_ended(tracked, partial(self._cancel_ended, tracked, wanted[tracked.order_id]))
        if done:
            self._loop.call_later(3 * self._look_first_s, self._confirm_all, done)
        answered = {tracked.order_id for tracked in done}
        for order_id, effect in wanted.items():
            if order_id not in answered:
                self._cancel(effect)

    def _confirm_all(self, covered: list[Tracked]) -> None:
        for tracked in covered:
            if tracked.active:
                tracked.busy = ""
        if not self._closed and any(tracked.active for tracked in covered):
            self._run(self._swept_once())

    async def _swept_once(self) -> None:
        try:
            await self.sweep(settled_s=0.0)
        except WorkbenchError as error:
            logger.warning("broker '%s': sweep failed (%s)", self.name, error)

    async def _withdrawn(self, tracked: Tracked, effect: Cancel) -> None:
        backoff = Backoff(0.1, 1.0)
        code, text = "UNREACHABLE", "no try was answered"
        for _ in range(_CANCEL_TRIES):
            if not tracked.active:
                code, text = "ENDED", "the order has ended"
                break
            try:
                await self._withdraw(tracked)
            except Refused as error:
                code, text = code_of(error), str(error)
                await self._learn(tracked)
                if tracked.state == CANCELLED:  # by a try whose answer was lost, say
                    return
                break
            except (
                Exception
            ) as error:  # no answer, or one a venue's reader stumbles over: a cancel may be repeated
                if not isinstance(error, Retryable | OutcomeUnknown):
                    logger.exception("broker '%s': a cancel's answer was not understood", self.name)
                text = str(error)
                await asyncio.sleep(backoff.next_s())
            else:
                self.tracker.when_ended(tracked, partial(self._cancel_ended, tracked, effect))
                self._loop.call_later(3 * self._look_first_s, self._confirm, tracked)
                return
        tracked.busy = ""
        self.tracker.tell(CancelRefused(effect.ts_ns, effect.order_id, code, text))

    def _cancel_ended(self, tracked: Tracked, effect: Cancel) -> None:
        """The order has ended after the venue took the cancel: by it, or faster than it."""
        if tracked.state == FILLED:
            self.tracker.tell(CancelRefused(effect.ts_ns, effect.order_id, "TOO_LATE", "it was filled first"))

    def _confirm(self, tracked: Tracked) -> None:
        if tracked.active and not self._closed:
            tracked.busy = ""  # asked for again it is sent again
            self._run(self._learn(tracked))


def code_of(error: WorkbenchError) -> str:
    """A report's code for an error: the venue's, else the error's own name."""
    return (error.code if isinstance(error, VenueError) else "") or type(error).__name__
