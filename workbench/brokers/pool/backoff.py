"""How long to wait before the next try: exponential, with full jitter, so that not all clients come back at once."""

import random
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["Backoff"]

_MINUTE_S: Final = 60.0


class Backoff:
    """Waits drawn from 0 to min(`longest_s`, `first_s` * 2**tries); the mean doubles until it is worked.

    With `per_minute` there are never more tries than that in any minute.

    >>> backoff = Backoff(0.5, 30.0, rng=random.Random(7))
    >>> all(0 <= backoff.next_s() <= min(30, 0.5 * 2**n) for n in range(12))
    True
    """

    def __init__(
        self,
        first_s: float = 0.5,
        longest_s: float = 30.0,
        *,
        per_minute: int = 0,
        rng: random.Random | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._first_s, self._longest_s, self._per_minute = first_s, longest_s, per_minute
        self._rng = rng if rng is not None else random.Random()
        self._clock = clock
        self._tries: deque[float] = deque(maxlen=max(per_minute, 1))
        self.failures = 0

    def next_s(self) -> float:
        """The wait before the next try, which is taken to happen then."""
        wait_s = self._rng.uniform(0.0, min(self._longest_s, self._first_s * 2.0 ** min(self.failures, 20)))
        self.failures += 1
        if self._per_minute:
            now_s = self._clock()
            if len(self._tries) == self._per_minute:
                wait_s = max(wait_s, self._tries[0] + _MINUTE_S - now_s)
            self._tries.append(now_s + wait_s)
        return wait_s

    def worked(self) -> None:
        """The try held: the next failure starts from the beginning."""
        self.failures = 0
