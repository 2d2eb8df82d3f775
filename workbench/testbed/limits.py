"""Rate limits as venues keep them: fixed windows with an allowance, told of in headers.

Lives here: counting. Not here: which limits a venue has and how it says no (its folder).
"""

from workbench.errors import BadValue

__all__ = ["Window"]


class Window:
    """At most `limit` units in each `per_s` seconds, windows beginning on the clock. `limit` 0 lifts it.

    >>> window = Window(2, 60.0)
    >>> [window.take(now_s=5.0) for _ in range(3)], window.remaining(5.0), window.reset_s(5.0)
    ([True, True, False], 0, 60.0)
    >>> window.take(now_s=61.0)
    True
    """

    __slots__ = ("_start", "limit", "per_s", "used")

    def __init__(self, limit: int, per_s: float) -> None:
        if limit < 0 or per_s <= 0:
            raise BadValue(
                "limit", (limit, per_s), "give a number from 0 up (0: no limit) and seconds above 0"
            )
        self.limit, self.per_s = limit, per_s
        self.used = 0
        self._start = -1.0

    def _turn(self, now_s: float) -> None:
        start = now_s // self.per_s
        if start != self._start:
            self._start, self.used = start, 0

    def take(self, now_s: float, units: int = 1) -> bool:
        """Use some of the allowance; False when there is not enough left. What is refused counts as well."""
        self._turn(now_s)
        self.used += units
        return not self.limit or self.used <= self.limit

    def give_back(self, units: int = 1) -> None:
        """Return what was taken (an order that filled, where a venue counts unfilled ones)."""
        self.used = max(0, self.used - units)

    def remaining(self, now_s: float) -> int:
        """What is left of this window."""
        self._turn(now_s)
        return max(0, self.limit - self.used)

    def reset_s(self, now_s: float) -> float:
        """When the window ends, in the same seconds."""
        return (now_s // self.per_s + 1) * self.per_s
