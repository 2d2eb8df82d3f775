"""When the opening print of a bar stands.

A bar's open is known from the first moment of its span. The print stands 1 ns after that: after the bar's start; after
the session's opening where a bar is a whole session (a daily bar ends at one close, and trades begin the next morning,
not at the close before); never before the symbol's previous bar has closed. Symbols of one recording may have bars of
different lengths: an open of the morning is not to be traded at in the afternoon.

Lives here: the times, and how long a symbol's bars are. Not here: what is printed (recording.py), whole calendars
(calendars.py).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from workbench.feeds.actions import BAR
from workbench.feeds.calendars import sessions_between, zone_of
from workbench.model.instrument import Instrument

if TYPE_CHECKING:
    from workbench.feeds.recording import Recording

__all__ = ["opening_ns", "own_length_ns", "shortest_ns"]

_DAY_NS: Final = 86_400_000_000_000
_LONG_NS: Final = 20 * 3_600_000_000_000  # from here to a day a bar is a session
_ENOUGH: Final = 8  # steps: so many multiples of two are no chance
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
    by_symbol = np.argsort(iid, kind="stable") if len(instruments) != 1 else slice(None)
    opens = ts_ns - max(bar_ns, 1)
    sessions: dict[str, list[int]] = {}
    for instrument in instruments:
        length_ns = bar_ns
        if len(instruments) > 1:
            mine = iid == instrument.iid
            length_ns = own_length_ns(ts_ns[mine], bar_ns)
            opens[mine] = ts_ns[mine] - max(length_ns, 1)
        if _LONG_NS <= length_ns <= _DAY_NS and instrument.calendar != "24/7":
            sessions.setdefault(instrument.calendar, []).append(instrument.iid)
    for calendar, iids in sessions.items():
        here = np.isin(iid, iids)
        opened = _session_opens(calendar, ts_ns[here])
        opens[here] = np.where(opened < ts_ns[here], np.maximum(opens[here], opened), opens[here])
    ts, numbers, sorted_opens = ts_ns[by_symbol], iid[by_symbol], opens[by_symbol]
    follows = numbers[1:] == numbers[:-1]
    sorted_opens[1:][follows] = np.maximum(sorted_opens[1:], ts[:-1])[follows]
    out = np.empty_like(opens)
    out[by_symbol] = sorted_opens + 1
    return out


def own_length_ns(ts_ns: Ints, bar_ns: int) -> int:
    """How long one symbol's bars are, by their closes in order of time; `bar_ns` is the recording's usual length, and
    the answer where nothing speaks against it.

    Minutes without a trade have no bar: steps that are all longer than the usual one make longer bars only where they
    are days, or many that lie on a longer grid.

    >>> minute, at = 60, np.array([0, 180, 300, 1020])
    >>> own_length_ns(at, minute), own_length_ns(np.arange(9) * 300, minute), own_length_ns(np.arange(9) * 60, 300)
    (60, 300, 60)
    """
    steps = np.diff(ts_ns)
    steps = steps[steps > 0]
    if not len(steps):
        return bar_ns
    least, days = int(steps.min()), np.rint(steps / _DAY_NS).astype(np.int64)
    if least >= _LONG_NS and np.abs(steps - days * _DAY_NS).max() <= _DAY_NS - _LONG_NS:
        return max(int(np.gcd.reduce(days)) * _DAY_NS, bar_ns)  # days are not all of 24 hours
    if least > bar_ns:
        return max(int(np.gcd.reduce(steps)), bar_ns) if len(steps) >= _ENOUGH else bar_ns
    lengths, counts = np.unique(steps, return_counts=True)
    return min(int(lengths[counts.argmax()]), bar_ns)


def shortest_ns(recording: "Recording", symbols: Sequence[str]) -> int:
    """How long bars of these symbols are: the shortest, where they differ."""
    closes = (
        recording.ts_ns[(recording.kind == BAR) & (recording.iid == recording.symbols.index(symbol))]
        for symbol in symbols
    )
    return min(own_length_ns(ts_ns, recording.bar_ns) for ts_ns in closes)


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
