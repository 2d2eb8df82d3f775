"""Pacing at the gateway: an allowance for everything, some for single endpoints, and a box for who does not listen.

Lives here: the figures and the counting. Not here: what the refusal looks like (refusals.py).

How strictly the real gateway counts could not be confirmed. Here every allowance is a bucket: some at once, then at its
rate. The whole gateway lets 100 requests pass at once, and 10 a second in the long run. Who asks beyond that in ten
different seconds of a minute is put into the penalty box for ten minutes. The pace of a single endpoint only refuses:
published clients try again each second until it lets them through, and they live with the real gateway.
"""

from typing import Final

__all__ = ["Pacing"]

_GATEWAY: Final = (10.0, 100)  # a second for ever, at once
_ENDPOINTS: Final[dict[str, tuple[int, float, int]]] = {  # by path: how many in how many seconds, at once
    "/iserver/account/orders": (1, 5.0, 3),
    "/iserver/account/trades": (1, 5.0, 3),
    "/iserver/account/trades/": (1, 5.0, 3),
    "/iserver/account/pnl/partitioned": (1, 5.0, 3),
    "/portfolio/accounts": (1, 5.0, 3),
    "/portfolio/subaccounts": (1, 5.0, 3),
    "/iserver/marketdata/snapshot": (10, 1.0, 10),
    "/tickle": (1, 1.0, 5),
    "/sso/validate": (1, 60.0, 3),
    "/iserver/scanner/run": (1, 1.0, 5),
    "/fyi/unreadnumber": (1, 1.0, 5),
    "/iserver/scanner/params": (1, 900.0, 3),
    "/pa/performance": (1, 900.0, 3),
    "/pa/allperiods": (1, 900.0, 3),
    "/pa/transactions": (1, 900.0, 3),
}
_STRIKES: Final = 10
_STRIKES_S: Final = 60.0
_BOX_S: Final = 600.0


class _Bucket:
    __slots__ = ("_at_s", "_level", "burst", "per_s")

    def __init__(self, per_s: float, burst: int) -> None:
        self.per_s, self.burst = per_s, burst
        self._level, self._at_s = 0.0, 0.0

    def room(self, now_s: float) -> bool:
        """Whether one more may pass now."""
        self._level = max(0.0, self._level - (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        return self._level + 1 <= self.burst + 1e-9

    def take(self) -> None:
        self._level += 1


class Pacing:
    """The allowances of one gateway. `lifted`: nobody counts.

    >>> pacing = Pacing()
    >>> [pacing.allows("/tickle", 0.0) for _ in range(6)]
    [True, True, True, True, True, False]
    >>> pacing.allows("/tickle", 1.0)
    True
    """

    def __init__(self, *, lifted: bool = False) -> None:
        self.lifted = lifted
        self.boxed_until_s = 0.0
        self.refused = 0
        self._gateway = _Bucket(*_GATEWAY)
        self._endpoints = {path: _Bucket(n / per_s, most) for path, (n, per_s, most) in _ENDPOINTS.items()}
        self._strikes: list[int] = []

    def allows(self, path: str, now_s: float) -> bool:
        """Whether a request to a path may pass now."""
        if self.lifted:
            return True
        if now_s < self.boxed_until_s:
            self.refused += 1
            return False
        bucket = self._endpoints.get(path)
        if not self._gateway.room(now_s):
            self.refused += 1
            self._strike(now_s)
            return False
        if bucket is not None:
            if not bucket.room(now_s):
                self.refused += 1
                return False
            bucket.take()
        self._gateway.take()
        return True

    def _strike(self, now_s: float) -> None:
        second = int(now_s)
        self._strikes = [s for s in self._strikes if s > now_s - _STRIKES_S]
        if second not in self._strikes:
            self._strikes.append(second)
        if len(self._strikes) >= _STRIKES:
            self.boxed_until_s = now_s + _BOX_S
            self._strikes.clear()
