"""When the opening print of a bar stands.

A bar's open is known from the first moment of its span. The print stands 1 ns after that: after the bar's start; after
the session's opening where a bar is a whole session (a daily bar ends at one close, and trades begin the next morning,
not at the close before); never before the symbol's previous bar has closed.

Lives here: the times. Not here: what is printed (recording.py), whole calendars (calendars.py).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from workbench.feeds.calendars import sessions_between, zone_of
from workbench.model.instrument import Instrument

__all__ = ["opening_ns"]

_DAY_NS: Final = 86_400_000_000_000
_LONG_NS: Final = 20 * 3_600_000_000_000  # from here to a day a bar is a session
_SECOND_NS: Final = 1_000_000_000
_OPENS: Final = {"XNYS": time(9, 30), "XNAS": time(9, 30)}
"""Openings that need no calendar: it takes seconds to build."""

type Ints = npt.NDArray[np.int64]


def opening_ns(
    ts_ns: Ints, iid: npt.NDArray[np.int32], bar_ns: int, instruments: Sequence[Instrument]
) -> Ints:
    """When each bar's opening print stands, int64[n]. Bars in order of time, each closing at `ts_ns`.

    >>> opening_ns(np.array([3_600_000_000_000]), np.zeros(1, np.int32), 60_000_000_000, []).tolist()
    [3540000000001]
    """
    opens = ts_ns - max(bar_ns, 1)
    if _LONG_NS <= bar_ns <= _DAY_NS:
        for calendar in {instrument.calendar for instrument in instruments} - {"24/7"}:
            here = np.isin(iid, [i.iid for i in instruments if i.calendar == calendar])
            opened = _session_opens(calendar, ts_ns[here])
            opens[here] = np.where(opened < ts_ns[here], np.maximum(opens[here], opened), opens[here])
    by_symbol = np.argsort(iid, kind="stable") if len(instruments) != 1 else slice(None)
    ts, numbers, sorted_opens = ts_ns[by_symbol], iid[by_symbol], opens[by_symbol]
    follows = numbers[1:] == numbers[:-1]
    sorted_opens[1:][follows] = np.maximum(sorted_opens[1:], ts[:-1])[follows]
    out = np.empty_like(opens)
    out[by_symbol] = sorted_opens + 1
    return out


def _session_opens(calendar: str, ts_ns: Ints) -> Ints:
    """The opening of the session that closes at each instant (of its date at the exchange)."""
    closes, place = np.unique(ts_ns, return_inverse=True)
    at = _OPENS.get(calendar)
    if at is not None:
        zone = ZoneInfo(zone_of(calendar))
        days = [
            datetime.fromtimestamp(ns // _SECOND_NS, UTC).astimezone(zone).date() for ns in closes.tolist()
        ]
        opens = [int(datetime.combine(day, at, zone).timestamp()) * _SECOND_NS for day in days]
    else:
        sessions = sessions_between(calendar, int(closes[0]) - _DAY_NS, int(closes[-1]))
        found = [sessions.session_of(ns) for ns in closes.tolist()]
        opens = [day.open_ns if day is not None else 0 for day in found]
    return np.array(opens, np.int64)[place]
