"""Which trading session an instant belongs to, and where it opens and closes: tables of numbers, no calendar.

Lives here: the look-up. Not here: where the numbers come from (a recording's own rows, an exchange's calendar).
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Protocol

from workbench.errors import BadValue

__all__ = ["SessionTable", "TradingSessions", "UtcDays"]

_DAY_NS: Final = 86_400_000_000_000


class SessionTable(Protocol):
    """What the venue asks about time. `knows_closes` is False when nobody can tell that a print is a day's last."""

    knows_closes: bool

    def number(self, ts_ns: int) -> int:
        """The session an instant belongs to; later sessions have larger numbers."""
        ...

    def day_of(self, ts_ns: int) -> int:
        """The UTC day (since 1970) on which the instant's session closes."""
        ...

    def has_opened(self, ts_ns: int) -> bool:
        """Whether data of this instant is of the session's opening or later (not of the hours before it)."""
        ...

    def is_closing(self, ts_ns: int) -> bool:
        """Whether data of this instant is the session's close."""
        ...


class UtcDays:
    """Every UTC day is a session, open from its first data. Its last print is known only afterwards.

    >>> days = UtcDays()
    >>> days.number(0), days.number(86_400_000_000_000), days.is_closing(86_399_000_000_000)
    (0, 1, False)
    """

    knows_closes = False

    def number(self, ts_ns: int) -> int:
        return ts_ns // _DAY_NS

    def day_of(self, ts_ns: int) -> int:
        return ts_ns // _DAY_NS

    def has_opened(self, ts_ns: int) -> bool:
        return True

    def is_closing(self, ts_ns: int) -> bool:
        return False


class TradingSessions:
    """Sessions from a table. Session k has opened after `opens_ns[k]`, its close is the data from `closes_ns[k]` on,
    and what is later than `ends_ns[k]` belongs to the next one. All three are UTC ns, strictly rising; `ends_ns`
    omitted means that nothing comes after the close.

    >>> days = TradingSessions(opens_ns=[10, 110], closes_ns=[50, 150], ends_ns=[60, 160])
    >>> [days.number(ts) for ts in (5, 60, 61, 150)], days.has_opened(100), days.is_closing(55), days.is_closing(49)
    ([0, 0, 1, 1], False, True, False)

    Raises:
        BadValue: the tables differ in length, do not rise, or close before they open.
    """

    knows_closes = True

    def __init__(
        self, opens_ns: Iterable[int], closes_ns: Iterable[int], ends_ns: Iterable[int] | None = None
    ) -> None:
        self._opens, self._closes = [int(ns) for ns in opens_ns], [int(ns) for ns in closes_ns]
        self._ends = self._closes if ends_ns is None else [int(ns) for ns in ends_ns]
        if not len(self._opens) == len(self._closes) == len(self._ends):
            raise BadValue("closes_ns", len(self._closes), "give as many closes and ends as opens")
        edges = [at for span in zip(self._opens, self._closes, self._ends, strict=True) for at in span]
        if any(later < earlier for earlier, later in pairwise(edges)):
            raise BadValue("opens_ns", self._opens[:3], "give sessions in order: open, close, end, next open")

    def number(self, ts_ns: int) -> int:
        return bisect_left(self._ends, ts_ns)

    def day_of(self, ts_ns: int) -> int:
        at = bisect_left(self._ends, ts_ns)
        return (self._closes[at] if at < len(self._closes) else ts_ns) // _DAY_NS

    def has_opened(self, ts_ns: int) -> bool:
        at = bisect_left(self._ends, ts_ns)
        return at < len(self._opens) and ts_ns > self._opens[at]

    def is_closing(self, ts_ns: int) -> bool:
        at = bisect_left(self._ends, ts_ns)
        return at < len(self._closes) and ts_ns >= self._closes[at]
