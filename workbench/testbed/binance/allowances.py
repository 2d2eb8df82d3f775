"""Binance's limits: request weight by address, unfilled orders by account; 429, and a ban for those who go on.

Lives here: counting and saying no. Not here: what a method weighs (methods.py), the windows themselves
(testbed/limits.py).
"""

from math import ceil
from typing import Any, Final, NamedTuple

from workbench.testbed.binance.refusals import Refusal
from workbench.testbed.clock import VenueClock
from workbench.testbed.limits import Window

__all__ = ["Allowances", "Figures"]

_LETTERS: Final = {"SECOND": "S", "MINUTE": "M", "HOUR": "H", "DAY": "D"}
_SECONDS: Final = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
_RAW: Final = 61_000
_TRIES: Final = 100  # requests after the first 429 of a window, then the address is banned
_BAN_S: Final = 120.0
_MAKER_CREDIT: Final = 5


class Figures(NamedTuple):
    """What may be asked in a period. `orders_10s`, `orders_1d` count orders without a fill."""

    weight_1m: int = 6_000
    orders_10s: int = 100
    orders_1d: int = 200_000


class _Limit:
    __slots__ = ("interval", "kind", "limit", "number", "window")

    def __init__(self, kind: str, interval: str, number: int, limit: int, *, lifted: bool) -> None:
        self.kind, self.interval, self.number, self.limit = kind, interval, number, limit
        self.window = Window(0 if lifted else limit, float(_SECONDS[interval] * number))

    @property
    def letter(self) -> str:
        return f"{self.number}{_LETTERS[self.interval]}"

    def shown(self, count: int | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.number,
            "limit": self.limit,
        }
        return body if count is None else {**body, "count": count}


class Allowances:
    """The limits of one address and one account; all connections share them."""

    def __init__(self, clock: VenueClock, figures: Figures, *, lifted: bool = False) -> None:
        self._clock = clock
        self.lifted = lifted
        self.weight = _Limit("REQUEST_WEIGHT", "MINUTE", 1, figures.weight_1m, lifted=lifted)
        self.orders = [
            _Limit("ORDERS", "SECOND", 10, figures.orders_10s, lifted=lifted),
            _Limit("ORDERS", "DAY", 1, figures.orders_1d, lifted=lifted),
        ]
        self.raw = _Limit("RAW_REQUESTS", "MINUTE", 5, _RAW, lifted=lifted)
        self._all = [self.weight, *self.orders, self.raw]
        self._banned_until_s = 0.0
        self._over = (-1.0, 0)  # window, and requests in it that were too many

    def lift(self, lifted: bool) -> None:
        """Take the limits away, or put them back; the counts go on."""
        self.lifted = lifted
        self._banned_until_s = 0.0
        for limit in self._all:
            limit.window.limit = 0 if lifted else limit.limit

    def _now_s(self) -> float:
        return self._clock.shown_ns() / 1e9

    def ask(self, weight: int) -> None:
        """Count a request.

        Raises:
            Refusal: too much was asked of the venue (429), or the address is banned (418).
        """
        now_s = self._now_s()
        if now_s < self._banned_until_s:
            raise self._banned(now_s)
        within = self.weight.window.take(now_s, weight)
        if self.raw.window.take(now_s) and within:
            return
        limit = self.weight if not within else self.raw
        end_s = limit.window.reset_s(now_s)
        window, times = self._over
        times = times + 1 if window == end_s else 1
        self._over = (end_s, times)
        if times > _TRIES:
            self._banned_until_s = now_s + _BAN_S
            raise self._banned(now_s)
        what = "request weight" if limit is self.weight else "requests"
        text = (
            f"Too much {what} used; current limit is {limit.limit} {what} per {limit.number} {limit.interval}. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        raise self._pause(-1003, text, 429, end_s, now_s)

    def _banned(self, now_s: float) -> Refusal:
        until_ms = round(self._banned_until_s * 1_000)
        text = f"Way too much request weight used; IP banned until {until_ms}. "
        text += "Please use WebSocket Streams for live updates to avoid bans."
        return self._pause(-1003, text, 418, self._banned_until_s, now_s)

    def _pause(self, code: int, text: str, status: int, end_s: float, now_s: float) -> Refusal:
        data = {"serverTime": round(now_s * 1_000), "retryAfter": round(end_s * 1_000)}
        return Refusal(
            code, text, status, data=data, headers={"Retry-After": str(max(1, ceil(end_s - now_s)))}
        )

    def may_order(self, count: int = 1) -> None:
        """Whether so many more orders may be placed now.

        Raises:
            Refusal: there are too many without a fill.
        """
        now_s = self._now_s()
        for limit in self.orders:
            if limit.window.limit and limit.window.remaining(now_s) < count:
                each = f"{limit.number} {limit.interval}" if limit.number > 1 else limit.interval
                text = f"Too many new orders; current limit is {limit.limit} orders per {each}."
                raise self._pause(-1015, text, 429, limit.window.reset_s(now_s), now_s)

    def ordered(self, count: int = 1) -> None:
        """Orders were taken."""
        now_s = self._now_s()
        for limit in self.orders:
            limit.window.take(now_s, count)

    def first_fill(self, *, maker: bool) -> None:
        """An order had its first fill: it does not count any more, and who made the price gets more back."""
        now_s = self._now_s()
        for limit in self.orders:
            limit.window.remaining(now_s)  # a new window begins before anything is given back
            limit.window.give_back(_MAKER_CREDIT if maker else 1)

    def listed(self) -> list[dict[str, Any]]:
        """The limits as exchangeInfo tells them."""
        return [limit.shown() for limit in self._all]

    def headers(self, *, orders: bool) -> dict[str, str]:
        """What answers over HTTP carry."""
        now_s = self._now_s()
        self.weight.window.remaining(now_s)
        used = str(self.weight.window.used)
        found = {"X-MBX-USED-WEIGHT": used, f"X-MBX-USED-WEIGHT-{self.weight.letter}": used}
        if orders:
            for limit in self.orders:
                limit.window.remaining(now_s)
                found[f"X-MBX-ORDER-COUNT-{limit.letter}"] = str(limit.window.used)
        return found

    def counts(self, *, orders: bool, weight: bool = True) -> list[dict[str, Any]]:
        """What answers over the WebSocket API carry."""
        now_s = self._now_s()
        found = [*(self.orders if orders else ()), *((self.weight,) if weight else ())]
        for limit in found:
            limit.window.remaining(now_s)
        return [limit.shown(limit.window.used) for limit in found]
