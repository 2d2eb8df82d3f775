"""Where a recording's sessions open and close, as its own rows have it: what a venue needs for the day's first and last
print.

Lives here: the two columns of times. Not here: the calendar (calendars.py), what they are used for (engine/match).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.feeds.recording import Recording

__all__ = ["session_bounds"]

_DAY_NS: Final = 86_400_000_000_000
_LONG_BAR_NS: Final = 20 * 3_600_000_000_000

type Times = npt.NDArray[np.int64]


def session_bounds(recording: Recording) -> tuple[Times, Times]:
    """(opens, closes) int64[n] in UTC ns: a session has opened after its open, and its close is its last row.

    Bars of a day or longer are a session each. Else the sessions that are stored with the data count: one whose last
    bars are missing closes when the calendar says, and rows between two sessions belong to the later one. Without
    stored sessions every UTC day is one (a calendar is not built for this).

    >>> from workbench.feeds import open_data
    >>> opens, closes = session_bounds(open_data("SPY"))
    >>> [str(np.datetime64(int(at), "ns"))[:16] for at in (opens[0], closes[0])], len(closes)
    (['2020-12-15T14:30', '2020-12-15T21:01'], 4)
    """
    ts_ns = recording.instants
    stored = recording.stored_sessions
    if recording.bar_ns >= _LONG_BAR_NS:
        ends = np.unique(recording.columns("bars").ts_ns)
        return _from_close_to_close(ends, recording.bar_ns), ends
    if stored is None or not len(stored):
        last = np.append(np.flatnonzero(np.diff(ts_ns // _DAY_NS)), len(ts_ns) - 1)
        return _from_close_to_close(ts_ns[last], recording.bar_ns), ts_ns[last]
    number = stored.numbers_of(ts_ns)
    inside = number >= 0
    within, number = ts_ns[inside], number[inside]  # now numbers rise with the rows
    closing = np.array([day.close_ns for day in stored.days], np.int64)
    first, behind = (
        np.searchsorted(number, np.arange(len(closing)), side=side) for side in ("left", "right")
    )
    last = np.append(within, 0)[behind - 1]
    whole = (behind > first) & (last >= closing - recording.bar_ns)
    return np.array([day.open_ns for day in stored.days], np.int64), np.where(whole, last, closing)


def _from_close_to_close(closes: Times, bar_ns: int) -> Times:
    """Sessions that open as soon as the one before has closed."""
    first = closes[:1] - max(_DAY_NS, bar_ns)
    return np.concatenate([first, closes[:-1]])
