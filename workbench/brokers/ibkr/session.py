"""The two sessions behind the gateway: is somebody logged in, is the brokerage session ours, whose account is it?

    tickle (with every probe) -> authenticated: well
                              -> not: ssodh/init -> accounts -> portfolio -> suppressed questions -> well
                              -> 401: nobody is logged in; asked again until somebody is

Lives here: keeping and opening sessions. Not here: requests (client.py), the socket (topics.py).

One user name has one brokerage session. Another program that has it is left alone unless the option `compete` says
otherwise; then it is taken from it, three times in ten minutes at most, so that two programs do not play ping-pong.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

from workbench.brokers.ibkr.client import IbkrClient
from workbench.brokers.ibkr.config import Options
from workbench.brokers.ibkr.parse import AuthBody
from workbench.brokers.ibkr.questions import Policy
from workbench.brokers.ibkr.words import VENUE
from workbench.brokers.pool import Answer, Backoff, Probed
from workbench.config import BrokerSettings
from workbench.errors import KeysRefused, OutcomeUnknown, Refused, Unauthorised, VenueDown, WorkbenchError

__all__ = ["Session"]

logger = logging.getLogger(__name__)

_INIT_TRIES: Final = 5
_FRESH_S: Final = 5.0
_EVICTIONS: Final = (3, 600.0)


class Session:
    """One account's session. `back` is told when it was lost and is there again."""

    def __init__(self, client: IbkrClient, settings: BrokerSettings, options: Options) -> None:
        self.client = client
        self.policy = Policy(options.answers)
        self.account = settings.account
        self.number = ""  # of the session at the gateway: a socket's cookie needs it
        self.back: Callable[[], None] = _nobody
        self.losses = self.evictions = 0
        self.headers: dict[str, str] = {}  # of the socket: always the newest cookie
        self._settings, self._options = settings, options
        self._trading = False
        self._told_s = float("-inf")
        self._evicted: deque[float] = deque(maxlen=_EVICTIONS[0])
        self._reviving: asyncio.Task[None] | None = None
        self._closed = False
        self._lock = asyncio.Lock()
        client.dialect.lost = self.lost

    # -- opening -----------------------------------------------------------------------------------------------------

    async def open(self, *, trading: bool = True) -> None:
        """Find the brokerage session, or open it; with `trading` also the account.

        Raises:
            KeysRefused: nobody is logged in at the gateway. VenueDown: the session is not to be had.
            Refused: the account is another one, or a live one where paper is meant, or the other way round.
        """
        self._trading, self._closed = trading, False
        state = await self._tickle()
        if not state.authenticated:
            await self._begin(state)
        await self._prepare()

    async def _prepare(self) -> None:
        """What each new session has to be asked before it answers anything else."""
        client = self.client
        client.orders_primed = client.trades_primed = False
        body = await client.accounts()
        mode, wanted = self._settings.mode, self._settings.account
        if body.is_paper is not None and body.is_paper != (mode == "paper"):
            found = "paper" if body.is_paper else "live"
            text = f"{VENUE}: the gateway is logged in to {found} trading and mode is {mode}"
            raise Refused(f"{text}: log in there anew, or change the mode")
        if wanted and wanted not in body.accounts:
            raise Refused(
                f"{VENUE}: account '{wanted}' is none of this login's: name one of {', '.join(body.accounts)}"
            )
        self.account = wanted or body.selected_account or next(iter(body.accounts), "")
        if not self.account:
            raise Refused(f"{VENUE}: the login has no account: see the gateway's page")
        if not self._trading:
            return
        if self.account != body.selected_account:
            await client.select(self.account)
        await client.portfolio_accounts()
        agreed = self.policy.agreed()
        if self._options.suppress and agreed:
            await client.suppress(agreed)

    async def _tickle(self) -> AuthBody:
        body, _ = await self._heard_of()
        return body

    async def _heard_of(self) -> tuple[AuthBody, Answer]:
        health = self.client.pool.health
        if health.state == "unauthorised":  # somebody may have logged in meanwhile: only asking tells
            health.say("unknown", "asking whether somebody has logged in")
        body, answer = await self.client.tickle(tries=2, most_wait_s=10.0)
        if body.session:
            self.number = body.session
            self.headers["Cookie"] = f'api={{"session":"{body.session}"}}'
        self._told_s = monotonic()
        return body.iserver.authStatus, answer

    async def cookie_is_true(self) -> bool:
        """Whether the socket's cookie is still the session's; asked for when it was not told a moment ago."""
        used = self.number
        if monotonic() - self._told_s > _FRESH_S:
            await self._tickle()
        return used == self.number

    async def _begin(self, state: AuthBody) -> None:
        """Open the brokerage session.

        Raises:
            VenueDown: another program has it, or it does not come up.
        """
        backoff = Backoff(0.2, 2.0)
        for _ in range(_INIT_TRIES):
            if state.competing:
                self._may_evict()
            try:
                state = await self.client.init(compete=bool(state.competing))
            except OutcomeUnknown as error:  # it may be open now: the next tickle tells
                logger.warning("ibkr: opening the brokerage session was not answered (%s)", error)
            else:
                if state.authenticated:
                    break
            await asyncio.sleep(backoff.next_s())
            state = await self._tickle()
            if state.authenticated:
                break
        else:
            text = "the brokerage session does not open"
            raise VenueDown(
                VENUE, f"{text} ({state.fail or state.message or 'no reason given'})", "it is tried again"
            )
        await self._tickle()  # a new session has a new number

    def _may_evict(self) -> None:
        most, span_s = _EVICTIONS
        now_s = monotonic()
        if not self._options.compete:
            text = "another program has this user's brokerage session"
            raise VenueDown(VENUE, text, "end it there, or set options.compete = true", code="COMPETING")
        if len(self._evicted) == most and now_s - self._evicted[0] < span_s:
            text = f"another program has taken the brokerage session back {most} times in {span_s / 60:g} minutes"
            raise VenueDown(VENUE, text, "end it there: it is left alone for a while", code="COMPETING")
        self._evicted.append(now_s)
        self.evictions += 1
        logger.warning("ibkr: the brokerage session is taken from another program")

    # -- keeping -----------------------------------------------------------------------------------------------------

    async def probe(self) -> Probed:
        """A tickle as a probe: it keeps the session, and one that was lost is opened again."""
        before = self.number
        state, answer = await self._heard_of()
        if not state.authenticated:
            await self.revive("the gateway says that the session is not authenticated")
        elif before and before != self.number:
            await self.revive("the session goes on under another number")
        return Probed(answer.called_ns, answer.came_ns)

    def lost(self, reason: str) -> None:
        """Somebody has noticed that the brokerage session is gone: open it again, soon and once."""
        if not self._closed and (self._reviving is None or self._reviving.done()):
            loop = asyncio.get_running_loop()
            self._reviving = loop.create_task(self._revived(reason), name="ibkr session")

    async def _revived(self, reason: str) -> None:
        try:
            await self.revive(reason)
        except WorkbenchError as error:  # the next probe tries again
            kind = "unauthorised" if isinstance(error, Unauthorised) else "down"
            if not isinstance(error, KeysRefused):
                self.client.pool.health.say(kind, str(error))
            logger.warning("ibkr: the session is not to be had (%s)", error)

    async def revive(self, reason: str) -> None:
        """Open what was lost and prepare it; whoever asks meanwhile waits for the same."""
        async with self._lock:
            state = await self._tickle()
            self.losses += 1
            logger.warning("ibkr: the brokerage session was lost (%s)", reason)
            if not state.authenticated:
                await self._begin(state)
            await self._prepare()
        self.back()

    async def close(self) -> None:
        """Revive nothing any more."""
        self._closed = True
        task, self._reviving = self._reviving, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _nobody() -> None:
    """Before there is a socket nobody waits for the session."""
