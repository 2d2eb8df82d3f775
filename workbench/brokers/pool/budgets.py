"""A venue's allowances as numbers: how much of one is left now, who may take it, and when there will be more.

    Rolling   at most `limit` in any span of `period_s` (safe whatever the venue counts by)
    Fixed     at most `limit` between two ticks of the venue's clock (Binance's minutes)
    Bucket    `burst` at once, `rate_per_s` for ever
    Slots     at most `limit` at the same time

Lives here: counting. Not here: who waits (limiter.py), what a venue's headers mean (its client.py).

Every kind keeps back a share for cancels (`reserve`) and a further one for orders (`orders_reserve`). What is kept
back is not lost. The law is: **the k-th cancel from now never waits longer than k steps**, a step being the period over
the number kept back. While that holds, anybody may take; so smooth use reaches the whole allowance (it renews itself
as smoothly), and after a burst the reserve is let go only at the pace at which it would come back.

Times are seconds of one monotonic clock, given by the caller: nothing here reads a clock, nothing polls.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from workbench.brokers.pool.lanes import CANCEL, DATA
from workbench.errors import BadValue

__all__ = ["Budget", "Bucket", "Fixed", "Rolling", "Slots", "shared"]

_GRAINS: Final = 1000  # a period is counted in this many steps at most: memory stays small
_MOST_GUARD_S: Final = 0.25


class Budget(ABC):
    """One allowance. `limit` is in the venue's unit (requests, weight, orders); `period_s` 0 means no period.

    `reserve` and `orders_reserve` are shares of the limit (0..0.5).
    """

    __slots__ = (
        "__weakref__",
        "_kept_data",
        "_kept_orders",
        "blocked_until_s",
        "limit",
        "name",
        "orders_reserve",
        "period_s",
        "pinned",
        "reserve",
    )

    def __init__(
        self, name: str, limit: int, period_s: float, *, reserve: float = 0.2, orders_reserve: float = 0.2
    ) -> None:
        for field, share in (("reserve", reserve), ("orders_reserve", orders_reserve)):
            if not 0 <= share <= 0.5:
                raise BadValue(f"{name}.{field}", share, "give a share of the limit from 0 to 0.5")
        if limit < 1:
            raise BadValue(f"{name}.limit", limit, "give a limit of at least 1")
        self.name, self.period_s = name, period_s
        self.reserve, self.orders_reserve = reserve, orders_reserve
        self.blocked_until_s = float("-inf")
        self.pinned = False  # set by the user: the venue's own figure does not change it
        self.limit = 0
        self.set_limit(limit)

    def set_limit(self, limit: int) -> None:
        """A new limit; what was counted stays counted."""
        self.limit = limit
        self._kept_orders = int(limit * self.reserve)
        self._kept_data = self._kept_orders + int(limit * self.orders_reserve)

    @abstractmethod
    def free(self, now_s: float) -> int:
        """What is left of the allowance now (never more than the limit; below 0 when the limit was lowered)."""

    @abstractmethod
    def take(self, cost: int, now_s: float) -> None:
        """Count `cost`; `room` must have said yes."""

    @abstractmethod
    def _free_in_s(self, wanted: int, now_s: float) -> float:
        """Seconds until `wanted` is free, when nobody takes anything."""

    @abstractmethod
    def _late_s(self, cost: int, kept: int, now_s: float) -> float:
        """By how much the law would be broken by taking `cost` now, with `kept` kept back (0: it would hold)."""

    def room(self, cost: int, lane: int, now_s: float) -> bool:
        """Whether `lane` may take `cost` now."""
        left = self.free(now_s) - cost
        if left < 0 or now_s < self.blocked_until_s:
            return False
        kept = 0 if lane == CANCEL else self._kept_data if lane >= DATA else self._kept_orders
        return left >= kept or self._late_s(cost, kept, now_s) <= 0.0

    def wait_s(self, cost: int, lane: int, now_s: float) -> float:
        """Seconds until asking again makes sense (0: there is room now)."""
        if self.room(cost, lane, now_s):
            return 0.0
        left = self.free(now_s) - cost
        wait = max(self.blocked_until_s - now_s, self._free_in_s(cost, now_s))
        if lane == CANCEL or left < 0:
            return wait
        kept = self._kept_data if lane >= DATA else self._kept_orders
        late_s = self._late_s(cost, kept, now_s) if left < kept else 0.0
        return max(wait, min(late_s, self._free_in_s(cost + kept, now_s)))

    def block(self, until_s: float) -> None:
        """Let nobody pass before `until_s`: the venue asked for it."""
        self.blocked_until_s = max(self.blocked_until_s, until_s)

    def observe_used(self, used: int, sent_s: float, now_s: float) -> None:  # noqa: B027 - not every kind is told
        """The venue counts `used`: others may use the same key or address. Only a higher figure than ours counts; ours
        holds what is still on its way too."""

    def observe_limit(self, limit: int) -> None:
        """The venue names its limit (some accounts have a higher one); a limit set by the user stays."""
        if not self.pinned and limit >= 1 and limit != self.limit:
            self.set_limit(limit)

    def release(self, cost: int) -> None:  # noqa: B027 - most kinds are freed by time
        """An answer has come; only `Slots` counts until then."""

    def headroom(self, now_s: float) -> float:
        """The share of the allowance that is left, 0 to 1; 0 while blocked."""
        return 0.0 if now_s < self.blocked_until_s else max(0, self.free(now_s)) / self.limit

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.limit}/{self.period_s:g}s>"


_SHARED: "WeakValueDictionary[str, Budget]" = WeakValueDictionary()


def shared[B: Budget](key: str, make: Callable[[], B]) -> B:
    """The allowance known as `key` in this process, made when nobody has it yet: for what a venue counts by address and
    not by account.

    >>> one = shared("example weight", lambda: Rolling("weight", 10, 60.0))
    >>> one is shared("example weight", lambda: Rolling("weight", 10, 60.0))
    True
    """
    found = _SHARED.get(key)
    if found is None:
        made = make()
        _SHARED[key] = made
        return made
    return found  # type: ignore[return-value]  # one key, one kind


def _guard_s(period_s: float, guard_s: float | None) -> float:
    return min(_MOST_GUARD_S, 0.04 * period_s) if guard_s is None else guard_s


class Rolling(Budget):
    """At most `limit` in any span of `period_s`. `guard_s` is added to the span, because two requests may arrive
    closer together than they were sent (default: 4 % of the period, 0.25 s at most).

    >>> minute = Rolling("trading", 200, 60.0)
    >>> minute.take(1, 0.0)
    >>> minute.free(1.0), minute.free(61.0)
    (199, 200)
    """

    __slots__ = ("_grain_s", "_spans", "_used", "span_s")

    def __init__(
        self,
        name: str,
        limit: int,
        period_s: float,
        *,
        reserve: float = 0.2,
        orders_reserve: float = 0.2,
        guard_s: float | None = None,
    ) -> None:
        super().__init__(name, limit, period_s, reserve=reserve, orders_reserve=orders_reserve)
        self.span_s = period_s + _guard_s(period_s, guard_s)
        self._grain_s = period_s / _GRAINS
        self._spans: deque[list[float]] = deque()  # [end of the step it was taken in, how much]
        self._used = 0

    def free(self, now_s: float) -> int:
        spans = self._spans
        gone = now_s - self.span_s
        while spans and spans[0][0] <= gone:
            self._used -= int(spans.popleft()[1])
        return self.limit - self._used

    def take(self, cost: int, now_s: float) -> None:
        spans = self._spans
        if spans and now_s <= spans[-1][0]:
            spans[-1][1] += cost
        else:
            spans.append([now_s + self._grain_s, cost])
        self._used += cost

    def _free_in_s(self, wanted: int, now_s: float) -> float:
        missing = wanted - self.free(now_s)
        if missing <= 0:
            return 0.0
        gone_s = now_s
        for end_s, cost in self._spans:
            gone_s = end_s + self.span_s
            missing -= int(cost)
            if missing <= 0:
                break
        return gone_s - now_s

    def _late_s(self, cost: int, kept: int, now_s: float) -> float:
        left = self.free(now_s) - cost
        step_s, late_s = self.period_s / kept, 0.0
        wait_s = self.span_s - now_s
        for end_s, taken in self._spans:
            late_s = max(late_s, end_s + wait_s - (left + 1) * step_s)
            left += int(taken)
            if left >= kept:
                break
        return late_s

    def observe_used(self, used: int, sent_s: float, now_s: float) -> None:
        more = used - (self.limit - self.free(now_s))
        if more > 0:
            self.take(more, now_s)


class Fixed(Budget):
    """At most `limit` between two ticks of the venue's clock, `period_s` apart. `shift_s` is the venue's time minus
    ours. What is sent within `guard_s` of a tick may count on either side of it, so it is counted on both.

    >>> minute = Fixed("weight", 6000, 60.0, guard_s=0.1)
    >>> minute.take(20, 30.0)
    >>> minute.free(59.0), minute.free(61.0)
    (5980, 6000)
    """

    __slots__ = ("_used", "guard_s", "shift_s")

    def __init__(
        self,
        name: str,
        limit: int,
        period_s: float,
        *,
        reserve: float = 0.2,
        orders_reserve: float = 0.2,
        guard_s: float | None = None,
    ) -> None:
        super().__init__(name, limit, period_s, reserve=reserve, orders_reserve=orders_reserve)
        self.guard_s = _guard_s(period_s, guard_s)
        self.shift_s = 0.0
        self._used: dict[int, int] = {}  # by number of the window

    def _windows(self, now_s: float) -> tuple[int, int]:
        at = now_s + self.shift_s
        return int((at - self.guard_s) // self.period_s), int((at + self.guard_s) // self.period_s)

    def free(self, now_s: float) -> int:
        first, last = self._windows(now_s)
        used = self._used
        most = used.get(first, 0)
        if first != last:
            most = max(most, used.get(last, 0))
        return self.limit - most

    def take(self, cost: int, now_s: float) -> None:
        first, last = self._windows(now_s)
        used = self._used
        used[first] = used.get(first, 0) + cost
        if first != last:
            used[last] = used.get(last, 0) + cost
        if len(used) > 3:
            for window in [number for number in used if number < first]:
                del used[window]

    def _ends_in_s(self, window: int, now_s: float) -> float:
        return max(1e-6, (window + 1) * self.period_s + self.guard_s - self.shift_s - now_s)

    def _free_in_s(self, wanted: int, now_s: float) -> float:
        full = [w for w in self._windows(now_s) if self.limit - self._used.get(w, 0) < wanted]
        return max((self._ends_in_s(window, now_s) for window in full), default=0.0)

    def _late_s(self, cost: int, kept: int, now_s: float) -> float:
        late_s = 0.0
        for window in self._windows(now_s):
            left = self.limit - self._used.get(window, 0) - cost
            if left < kept:
                late_s = max(late_s, self._ends_in_s(window, now_s) - (left + 1) * self.period_s / kept)
        return late_s

    def observe_used(self, used: int, sent_s: float, now_s: float) -> None:
        first, last = self._windows(now_s)
        if self._windows(sent_s) == (first, last) and first == last:
            self._used[first] = max(self._used.get(first, 0), used)


class Bucket(Budget):
    """`burst` at once, refilled at `rate_per_s`.

    >>> bucket = Bucket("gateway", burst=10, rate_per_s=10)
    >>> for _ in range(10):
    ...     bucket.take(1, 0.0)
    >>> bucket.free(0.0), bucket.free(0.5)
    (0, 5)
    """

    __slots__ = ("_at_s", "_level", "rate_per_s")

    def __init__(
        self, name: str, burst: int, rate_per_s: float, *, reserve: float = 0.2, orders_reserve: float = 0.2
    ) -> None:
        super().__init__(name, burst, burst / rate_per_s, reserve=reserve, orders_reserve=orders_reserve)
        self.rate_per_s = rate_per_s
        self._level, self._at_s = 0.0, 0.0  # taken and not yet refilled

    def _taken(self, now_s: float) -> float:
        return max(0.0, self._level - (now_s - self._at_s) * self.rate_per_s)

    def free(self, now_s: float) -> int:
        return int(self.limit - self._taken(now_s) + 1e-9)

    def take(self, cost: int, now_s: float) -> None:
        self._level, self._at_s = self._taken(now_s) + cost, now_s

    def _free_in_s(self, wanted: int, now_s: float) -> float:
        missing = wanted - (self.limit - self._taken(now_s))
        return max(0.0, missing / self.rate_per_s)

    def _late_s(self, cost: int, kept: int, now_s: float) -> float:
        return 0.0  # it refills faster than any share of it is due

    def observe_used(self, used: int, sent_s: float, now_s: float) -> None:
        self._level, self._at_s = max(self._taken(now_s), min(used, self.limit)), now_s


class Slots(Budget):
    """At most `limit` at the same time: taken with the request, released with its answer.

    >>> two = Slots("in flight", 2)
    >>> two.take(1, 0.0)
    >>> two.free(0.0); two.release(1); two.free(0.0)
    1
    2
    """

    __slots__ = ("_taken",)

    def __init__(self, name: str, limit: int, *, reserve: float = 0.2, orders_reserve: float = 0.2) -> None:
        super().__init__(name, limit, 0.0, reserve=reserve, orders_reserve=orders_reserve)
        self._taken = 0

    def room(self, cost: int, lane: int, now_s: float) -> bool:
        left = self.limit - self._taken - cost
        kept = 0 if lane == CANCEL else self._kept_data if lane >= DATA else self._kept_orders
        return left >= kept

    def free(self, now_s: float) -> int:
        return self.limit - self._taken

    def take(self, cost: int, now_s: float) -> None:
        self._taken += cost

    def _free_in_s(self, wanted: int, now_s: float) -> float:
        return float("inf")  # time frees nothing, an answer does

    def _late_s(self, cost: int, kept: int, now_s: float) -> float:
        return float("inf")

    def release(self, cost: int) -> None:
        self._taken -= cost
