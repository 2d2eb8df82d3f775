"""A breaker for one class of requests: when a venue fails again and again, it is left alone for a while.

    closed -> (failures in a row) open -> (pause over) trying -> closed, or open again for twice as long

Only failures of the venue count (no answer, 5xx, garbled); a refusal is an answer. Cancels are never held back by it.
"""

from collections.abc import Callable
from time import monotonic

from workbench.errors import BadValue

__all__ = ["Breaker"]


class Breaker:
    """`after` failures in a row open it for `pause_s`, then twice as long each time, `longest_s` at most.

    >>> now = [0.0]
    >>> breaker = Breaker("trading", after=2, pause_s=1.0, clock=lambda: now[0])
    >>> breaker.failed("HTTP 502"); breaker.failed("HTTP 502"); breaker.allows(), breaker.state
    (False, 'open')
    >>> now[0] = 1.5; breaker.allows(), breaker.allows(), breaker.state
    (True, False, 'trying')
    >>> breaker.worked(); breaker.state, breaker.reason
    ('closed', '')
    """

    __slots__ = (
        "_after",
        "_clock",
        "_failures",
        "_first_s",
        "_longest_s",
        "_pause_s",
        "_until_s",
        "name",
        "opened",
        "reason",
        "state",
    )

    def __init__(
        self,
        name: str,
        *,
        after: int = 5,
        pause_s: float = 1.0,
        longest_s: float = 30.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if after < 1 or pause_s <= 0:
            raise BadValue(f"breaker {name}", (after, pause_s), "give at least 1 failure and a pause above 0")
        self.name = name
        self.state = "closed"
        self.reason = ""
        self.opened = 0
        self._after, self._first_s, self._longest_s = after, pause_s, longest_s
        self._pause_s = pause_s
        self._until_s = 0.0
        self._failures = 0
        self._clock = clock

    def allows(self) -> bool:
        """Whether a request may go now; in the state "trying" one at a time may."""
        if self.state == "closed":
            return True
        if self._clock() < self._until_s:
            return False
        self.state = "trying"
        self._until_s = self._clock() + self._pause_s  # the next try, should this one never answer
        return True

    @property
    def wait_s(self) -> float:
        """Seconds until `allows` says yes."""
        return 0.0 if self.state == "closed" else max(0.0, self._until_s - self._clock())

    def worked(self) -> None:
        """The venue answered."""
        self._failures = 0
        if self.state != "closed":
            self.state, self.reason, self._pause_s = "closed", "", self._first_s

    def failed(self, reason: str) -> None:
        """The venue did not."""
        self._failures += 1
        if self.state == "trying":
            self._pause_s = min(2 * self._pause_s, self._longest_s)
        elif self.state == "open" or self._failures < self._after:
            return
        self.state, self.reason = "open", reason
        self.opened += 1
        self._until_s = self._clock() + self._pause_s
