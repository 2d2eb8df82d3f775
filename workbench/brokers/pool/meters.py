"""What a pool has counted, as plain numbers anybody may read: metrics, the dashboard, a test.

Lives here: counters, durations, the snapshot and the list of open pools. Not here: Prometheus (monitor/collectors).
Nothing here is read back to decide anything.
"""

from collections import Counter
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import msgspec

if TYPE_CHECKING:
    from workbench.brokers.pool.pool import Pool
    from workbench.brokers.pool.stream import Stream

__all__ = ["BreakerRow", "Durations", "Meters", "PoolSnapshot", "StreamRow", "open_pools", "snapshots"]

_SUB_BITS: Final = 3  # eight buckets an octave: within 6 %
_OPEN: "WeakSet[Pool]" = WeakSet()


class Durations:
    """Counts of durations in ns, in buckets of one eighth of an octave.

    >>> some = Durations()
    >>> for ns in (1_000_000, 2_000_000, 3_000_000): some.record(ns)
    >>> some.count, round(some.percentile_s(50), 4), some.longest_s
    (3, 0.002, 0.003)
    """

    __slots__ = ("_counts", "count", "longest_ns", "total_ns")

    def __init__(self) -> None:
        self._counts = [0] * (64 << _SUB_BITS)
        self.count = 0
        self.total_ns = 0
        self.longest_ns = 0

    def record(self, ns: int) -> None:
        """Count one duration (a negative one counts as 0)."""
        if ns < 0:
            ns = 0
        shift = ns.bit_length() - _SUB_BITS - 1
        self._counts[ns if shift <= 0 else (shift << _SUB_BITS) + (ns >> shift)] += 1
        self.count += 1
        self.total_ns += ns
        if ns > self.longest_ns:
            self.longest_ns = ns

    @property
    def longest_s(self) -> float:
        return self.longest_ns / 1e9

    def percentile_s(self, q: float) -> float:
        """Seconds that `q` percent of the durations do not exceed; 0 when there is none."""
        rank, seen = max(1.0, q * self.count / 100), 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= rank:
                shift = (bucket >> _SUB_BITS) - 1
                low = bucket if shift <= 0 else (bucket - (shift << _SUB_BITS)) << shift
                return min(low + (1 << max(shift, 0)) / 2, self.longest_ns) / 1e9
        return 0.0

    def over_bounds(self, bounds_s: tuple[float, ...]) -> list[int]:
        """How many do not exceed each of the rising `bounds_s`, to within a bucket (for a cumulative histogram)."""
        out, bucket, seen = [], 0, 0
        for bound_s in bounds_s:
            ns = int(bound_s * 1e9)
            shift = ns.bit_length() - _SUB_BITS - 1
            last = ns if shift <= 0 else (shift << _SUB_BITS) + (ns >> shift)
            while bucket <= last and bucket < len(self._counts):
                seen += self._counts[bucket]
                bucket += 1
            out.append(self.count if ns >= self.longest_ns else seen)
        return out


class Meters:
    """What one pool counts as it goes."""

    __slots__ = ("errors", "garbled", "limited", "lost", "probe", "requests", "retried", "wire")

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()  # by route
        self.errors: Counter[str] = Counter()  # by type of error
        self.limited = 0  # answers 429 and 418
        self.lost = 0  # orders whose outcome was unknown for a time
        self.retried = 0
        self.garbled = 0
        self.wire = Durations()  # from the request's first byte to the answer's last
        self.probe = Durations()


class BreakerRow(msgspec.Struct, frozen=True):
    """One breaker now."""

    name: str
    state: str
    reason: str
    opened: int


class StreamRow(msgspec.Struct, frozen=True):
    """One stream now. `age_s` is the time since its last frame (0 while it is not live); `backfilled` counts bars it
    missed that came by REST, `unfilled` how often an instrument's could not be had."""

    name: str
    state: str
    reason: str
    age_s: float
    frames: int
    connects: int
    resyncs: int
    gaps: int
    garbled: int
    backfilled: int
    unfilled: int
    channels: int
    unconfirmed: int

    @classmethod
    def of(cls, s: "Stream") -> "StreamRow":
        """A stream's numbers."""
        counts = (s.frames, s.connects, s.resyncs, s.gaps, s.garbled, s.backfilled, s.unfilled)
        return cls(s.name, s.state, s.reason, s.age_s, *counts, len(s.ledger.channels), s.ledger.unconfirmed)


class PoolSnapshot(msgspec.Struct, frozen=True):
    """One account's connection to its venue, in numbers. No key, no symbol, no account number."""

    venue: str
    name: str
    mode: str
    state: str
    reason: str
    requests: dict[str, int]
    errors: dict[str, int]
    limited: int
    lost: int
    retried: int
    headroom: dict[str, float]
    waiting: int
    waited: dict[str, int]
    waited_s: float
    longest_wait_s: float
    breakers: tuple[BreakerRow, ...]
    streams: tuple[StreamRow, ...]
    clock_offset_s: float
    clock_error_s: float
    probe_p50_s: float
    probe_p99_s: float
    wire_p50_s: float
    wire_p99_s: float


def opened(pool: "Pool") -> None:
    """Note an open pool for `snapshots`."""
    _OPEN.add(pool)


def closed(pool: "Pool") -> None:
    """Forget it."""
    _OPEN.discard(pool)


def open_pools() -> "list[Pool]":
    """Every open pool of this process, by venue and name."""
    return sorted(_OPEN, key=lambda pool: (pool.venue, pool.name))


def snapshots() -> list[PoolSnapshot]:
    """Their numbers now."""
    return [pool.snapshot() for pool in open_pools()]
