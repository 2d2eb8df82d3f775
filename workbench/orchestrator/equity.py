"""The equity curve while it grows: bounded, whatever the length of the session."""

from typing import Final

__all__ = ["EquityCurve"]

POINTS_MAX: Final = 2_000


class EquityCurve:
    """(ts_ns, equity) points, thinned by halves so that there are never more than 2,000; the newest always stands.

    >>> curve = EquityCurve()
    >>> for second in range(5_000):
    ...     curve.add(second, float(second))
    >>> len(curve.points) <= 2_000, curve.points[0], curve.points[-1]
    (True, (0, 0.0), (4999, 4999.0))
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, float]] = []
        self._newest: tuple[int, float] | None = None
        self._every = 1
        self._seen = 0

    @property
    def points(self) -> list[tuple[int, float]]:
        """The curve so far, oldest first."""
        newest = self._newest
        if newest is None or (self._kept and self._kept[-1] == newest):
            return list(self._kept)
        return [*self._kept, newest]

    def add(self, ts_ns: int, equity: float) -> None:
        """Take the equity at `ts_ns`; a later value of the same instant replaces the earlier."""
        newest = self._newest
        if newest is not None and newest[0] != ts_ns:
            if self._seen % self._every == 0:
                self._kept.append(newest)
                if len(self._kept) >= POINTS_MAX - 1:
                    self._kept = self._kept[::2]
                    self._every *= 2
            self._seen += 1
        self._newest = (ts_ns, equity)
