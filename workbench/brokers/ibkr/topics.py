"""The socket's script: a cookie that names the session, a greeting, topics, heartbeats.

Lives here: the words of the socket. Not here: what rows mean (broker.py, feed.py), the connection (pool).

The socket is bound to a session. After a new login one of the old session keeps its heartbeat and says nothing else:
so the session's number is compared, and a `tic` that is not answered is a reason to connect anew.
"""

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Final

import msgspec

from workbench.brokers.ibkr.parse import AuthBody, Frame
from workbench.brokers.ibkr.session import Session
from workbench.brokers.ibkr.words import VENUE
from workbench.brokers.pool import Frame as RawFrame
from workbench.brokers.pool import Stream, Wire, decode
from workbench.errors import KeysRefused, VenueDown, VenueGarbled

__all__ = ["SILENT_S", "Topics", "read"]

BEAT_S: Final = 10.0
SILENT_S: Final = 25.0  # it has a heartbeat every ten seconds
_TIC_S: Final = 45.0
_ANSWER_S: Final = 15.0


class Topics:
    """The script of one socket. `told(topic, frame, raw)` gets what is about orders or data; a channel's name is the
    command that asks for it."""

    def __init__(
        self,
        session: Session,
        told: Callable[[str, Frame, bytes], None],
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.stream: Stream
        self.extra: tuple[str, ...] = ()  # asked for beside the channels, and never waited for
        self._session, self._told, self._caught_up = session, told, caught_up
        self._tic_s = self._answer_s = 0.0

    async def greet(self, wire: Wire) -> None:
        """Wait until the socket is let in with the session's cookie."""
        try:
            true = await self._session.cookie_is_true()
        except KeysRefused as error:  # a login that is missing comes back: no reason to give up the socket
            raise VenueDown(VENUE, error.said, "somebody has to log in at the gateway") from error
        if not true:
            raise VenueDown(VENUE, "the socket was opened for an old session", "it is opened anew")
        while True:
            frame, _ = read(await wire.next())
            if frame.topic == "sts":
                state = status(frame)
                if state.authenticated:
                    break
                self._session.lost("the socket says that the session is not authenticated")
                raise VenueDown(VENUE, "there is no brokerage session for the socket", "it is opened again")
        self._tic_s = self._answer_s = monotonic()

    def subscribe(self, add: list[str], drop: list[str]) -> Iterable[RawFrame]:
        for command in drop:
            said = "u" + command[1:].partition("{")[0].rstrip("+")
            yield said if said == "utr" else f"{said}+{{}}"
        yield from add
        if add:
            yield from self.extra

    def frame(self, frame: RawFrame) -> None:
        said, raw = read(frame)
        topic = said.topic
        if topic == "system" or topic == "act" or said.message is not None:
            return
        if topic == "tic":
            self._answer_s = monotonic()
        elif topic == "sts":
            state = status(said)
            if state.authenticated is False:
                self._session.lost("the socket says that the session is not authenticated")
        else:
            self._told(topic, said, raw)

    async def catch_up(self) -> None:
        await self._caught_up()

    def heartbeat(self) -> RawFrame | None:
        """A tic now and then; one that is not answered is a reason to connect anew."""
        now_s = monotonic()
        if self._answer_s < self._tic_s and now_s - self._tic_s > _ANSWER_S:
            self.stream.doubt("a tic was not answered: the socket belongs to no session any more")
            return None
        if now_s - self._tic_s < _TIC_S:
            return None
        self._tic_s = now_s
        return "tic"


def read(frame: RawFrame) -> tuple[Frame, bytes]:
    """A frame by its head, and its bytes.

    Raises:
        VenueGarbled: it is no JSON object.
    """
    raw = frame.encode() if isinstance(frame, str) else frame
    return decode(VENUE, raw, Frame, what="a frame of the socket", deepest=0), raw


def status(frame: Frame) -> AuthBody:
    """What an `sts` frame says."""
    try:
        return msgspec.json.decode(frame.args or b"{}", type=AuthBody)
    except msgspec.MsgspecError as error:
        raise VenueGarbled(
            VENUE, f"an authentication status cannot be read ({error})", "it is asked for"
        ) from error
