"""A log-bucket histogram of nanoseconds: 32 buckets an octave, so any answer is within 1.6 % of the truth.

Counting only; which durations go in is `stages.py`'s business.
"""

import math
import struct
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadValue

__all__ = ["N_BUCKETS", "Histogram", "bucket_of", "bucket_range"]

_SUB_BITS: Final = 5
_EXACT: Final = 2 << _SUB_BITS  # below this every integer has its own bucket
_MAX_SHIFT: Final = 31
N_BUCKETS: Final = (_MAX_SHIFT << _SUB_BITS) + _EXACT
_TOP_NS: Final = (_EXACT << _MAX_SHIFT) - 1  # 137 s: longer ones share the last bucket, `max_ns` stays exact
_HEADER: Final = struct.Struct("<4sIQQQ")
_MAGIC: Final = b"wbh1"
_PAIR: Final = np.dtype([("bucket", "<u4"), ("count", "<u8")])
# Below this many values a plain loop beats numpy's call overhead.
_LOOP_BELOW: Final = 48


def bucket_of(ns: int) -> int:
    """The bucket that counts `ns`.

    >>> bucket_of(5), bucket_of(64), bucket_of(65), bucket_of(10**18) == N_BUCKETS - 1
    (5, 64, 64, True)
    """
    if ns > _TOP_NS:
        return N_BUCKETS - 1
    shift = ns.bit_length() - _SUB_BITS - 1
    return ns if shift <= 0 else (shift << _SUB_BITS) + (ns >> shift)


def bucket_range(bucket: int) -> tuple[int, int]:
    """First and last nanosecond that fall into `bucket`.

    >>> bucket_range(5), bucket_range(64), bucket_range(bucket_of(1_000_000))
    ((5, 5), (64, 65), (999424, 1015807))
    """
    if bucket < _EXACT:
        return bucket, bucket
    shift = (bucket >> _SUB_BITS) - 1
    low = (bucket - (shift << _SUB_BITS)) << shift
    return low, low + (1 << shift) - 1


def _buckets_of(values_ns: NDArray[Any]) -> NDArray[np.int64]:
    kept = np.minimum(values_ns, _TOP_NS).astype(np.int64)
    # frexp's exponent is the bit length: exact, since everything kept is far below 2**53.
    shift = np.maximum(np.frexp(kept.astype(np.float64))[1].astype(np.int64) - (_SUB_BITS + 1), 0)
    buckets: NDArray[np.int64] = (shift << _SUB_BITS) + (kept >> shift)
    return buckets


class Histogram:
    """Counts of durations in ns, mergeable and small (8.4 kB).

    >>> h = Histogram()
    >>> h.record_many([1_000, 2_000, 3_000, 4_000])
    >>> h.count, h.max_ns, h.mean_ns, abs(h.percentile(50) / 2_000 - 1) < 0.016
    (4, 4000, 2500.0, True)
    """

    __slots__ = ("_counts", "count", "max_ns", "total_ns")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * N_BUCKETS))
        self.count = 0
        self.total_ns = 0
        self.max_ns = 0

    def record(self, ns: int) -> None:
        """Count one duration of `ns` nanoseconds (0 or more).

        Raises:
            BadValue: `ns` is negative; two stamps were read in the wrong order.
        """
        if ns < 0:
            raise BadValue("ns", ns, "give a duration of 0 ns or more (later stamp minus earlier one)")
        shift = ns.bit_length() - 6
        if shift <= 0:
            self._counts[ns] += 1
        elif shift <= _MAX_SHIFT:
            self._counts[(shift << 5) + (ns >> shift)] += 1
        else:
            self._counts[N_BUCKETS - 1] += 1
        self.count += 1
        self.total_ns += ns
        if ns > self.max_ns:
            self.max_ns = ns

    def record_many(self, values_ns: Sequence[int] | NDArray[Any]) -> None:
        """Count many durations at once: a list of ints or an integer array of ns.

        Raises:
            BadValue: one of them is negative; none is counted then.
        """
        if len(values_ns) < _LOOP_BELOW and not isinstance(values_ns, np.ndarray):
            if values_ns and min(values_ns) < 0:
                raise BadValue("ns", min(values_ns), "give durations of 0 ns or more")
            for ns in values_ns:
                self.record(ns)
            return
        values = np.asarray(values_ns)
        if values.size == 0:
            return
        if values.dtype.kind not in "iu":
            raise BadValue("values_ns", str(values.dtype), "give integers of nanoseconds")
        lowest, highest = int(values.min()), int(values.max())
        if lowest < 0:
            raise BadValue("ns", lowest, "give durations of 0 ns or more")
        counts = self._view()
        counts += np.bincount(_buckets_of(values), minlength=N_BUCKETS).astype(np.uint64)
        self.count += int(values.size)
        self.total_ns += int(values.sum(dtype=np.int64)) if highest < 1 << 40 else sum(int(v) for v in values)
        self.max_ns = max(self.max_ns, highest)

    def merge(self, other: "Histogram") -> Self:
        """Add another histogram's observations; the same as having recorded them here. Returns self."""
        counts = self._view()
        counts += other._view()
        self.count += other.count
        self.total_ns += other.total_ns
        self.max_ns = max(self.max_ns, other.max_ns)
        return self

    @classmethod
    def merged(cls, parts: Iterable["Histogram"]) -> "Histogram":
        """A new histogram with the observations of all `parts`."""
        out = cls()
        for part in parts:
            out.merge(part)
        return out

    def percentile(self, q: float) -> float:
        """The duration in ns that `q` percent (0..100) of the observations do not exceed, within 1.6 %.

        NaN when nothing was recorded.

        Raises:
            BadValue: `q` is not in 0..100.
        """
        return self.percentiles((q,))[0]

    def percentiles(self, qs: Sequence[float]) -> list[float]:
        """Several percentiles in one pass over the buckets; see `percentile`."""
        for q in qs:
            if not 0 <= q <= 100:
                raise BadValue("q", q, "give a percentage from 0 to 100, such as 99")
        if self.count == 0:
            return [float("nan")] * len(qs)
        cumulative = np.cumsum(self._view())
        out = []
        for q in qs:
            # the tiny step back keeps 99.9 % of 1,000 at 999, whatever the float product says
            rank = max(1, math.ceil(q * self.count / 100 - 1e-9))
            bucket = int(np.searchsorted(cumulative, rank))
            low, high = bucket_range(bucket)
            # The last bucket has no upper end; elsewhere the middle halves the error.
            middle = float(self.max_ns) if bucket == N_BUCKETS - 1 else (low + high) / 2
            out.append(min(middle, float(self.max_ns)))
        return out

    def share_over(self, ns: float) -> float:
        """The fraction (0..1) of observations above `ns`; those in its own bucket count as not above."""
        if self.count == 0 or ns >= self.max_ns:
            return 0.0
        return 1.0 - self.count_upto(ns) / self.count

    def count_upto(self, ns: float) -> int:
        """How many observations do not exceed `ns`, to within its bucket."""
        if ns < 0:
            return 0
        if ns >= self.max_ns:
            return self.count
        return int(self._view()[: bucket_of(int(ns)) + 1].sum())

    @property
    def mean_ns(self) -> float:
        """The exact mean in ns; NaN when nothing was recorded."""
        return self.total_ns / self.count if self.count else float("nan")

    def copy(self) -> "Histogram":
        """An independent histogram with the same observations."""
        return Histogram().merge(self)

    def to_bytes(self) -> bytes:
        """The observations as bytes: only filled buckets, so a quiet histogram is a few dozen bytes."""
        counts = self._view()
        filled = np.flatnonzero(counts)
        pairs = np.empty(filled.size, _PAIR)
        pairs["bucket"] = filled
        pairs["count"] = counts[filled]
        return _HEADER.pack(_MAGIC, filled.size, self.count, self.total_ns, self.max_ns) + pairs.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Histogram":
        """The histogram that `to_bytes` wrote.

        Raises:
            BadValue: the bytes are not one, or are cut short, or their counts do not add up.
        """
        advice = "give the bytes that Histogram.to_bytes() returned"
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise BadValue("histogram", data[:8], advice)
        _, filled, count, total_ns, max_ns = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + filled * _PAIR.itemsize:
            raise BadValue("histogram", f"{len(data)} bytes", advice)
        pairs = np.frombuffer(data, _PAIR, offset=_HEADER.size)
        if (filled and int(pairs["bucket"].max()) >= N_BUCKETS) or int(pairs["count"].sum()) != count:
            raise BadValue("histogram", f"{filled} buckets, {count} observations", advice)
        out = cls()
        out._view()[pairs["bucket"]] = pairs["count"]
        out.count, out.total_ns, out.max_ns = count, total_ns, max_ns
        return out

    def _view(self) -> NDArray[np.uint64]:
        return np.frombuffer(self._counts, np.uint64)

    @staticmethod
    def record_columns(histograms: Sequence["Histogram"], values_ns: NDArray[np.int64]) -> None:
        """Count column k of an int64[n, k] table into histogram k, in one pass; negative entries are skipped."""
        n_columns = len(histograms)
        there = values_ns >= 0
        kept = np.where(there, values_ns, 0)
        keys = _buckets_of(kept) + np.arange(n_columns, dtype=np.int64) * N_BUCKETS
        table = np.bincount(keys[there], minlength=n_columns * N_BUCKETS).astype(np.uint64)
        columns = zip(
            histograms,
            table.reshape(n_columns, N_BUCKETS),
            there.sum(axis=0).tolist(),
            kept.sum(axis=0).tolist(),
            kept.max(axis=0, initial=0).tolist(),
            strict=True,
        )
        for histogram, counts, count, total_ns, max_ns in columns:
            if count:
                view = histogram._view()
                view += counts
                histogram.count += count
                histogram.total_ns += total_ns
                histogram.max_ns = max(histogram.max_ns, max_ns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (self.count, self.total_ns, self.max_ns, self._counts) == (
            other.count,
            other.total_ns,
            other.max_ns,
            other._counts,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if not self.count:
            return "<Histogram empty>"
        p50, p99 = (ns / 1e3 for ns in self.percentiles((50, 99)))
        return f"<Histogram n={self.count} p50={p50:.1f}us p99={p99:.1f}us max={self.max_ns / 1e3:.1f}us>"
