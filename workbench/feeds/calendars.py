"""Trading sessions of an exchange: opens, closes, half days, daylight saving time, the closing auction.

Lives here: what `exchange_calendars` knows, as plain sorted arrays over just the span asked for. That package
takes seconds to import and build, so it is loaded by the first question and never by importing this room.
Not here: the session a recording carries in its own file (recording.py), rules about trading hours (engine/risk).
"""

import warnings
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from workbench.errors import BadValue, UnknownName

__all__ = ["CLOSING_AUCTION_NS", "Session", "Sessions", "known_calendar", "sessions_between", "zone_of"]

CLOSING_AUCTION_NS: Final = 60_000_000_000
"""The auction prints in the minute after the close: a bar that closes 16:01 still belongs to the day."""
DAY_NS: Final = 86_400_000_000_000
_MARGIN_NS: Final = 15 * DAY_NS  # wider than any holiday closure, so "next open" is inside the span
_ZONES: Final = {"XNYS": "America/New_York", "XNAS": "America/New_York", "24/7": "UTC"}
_KNOWN_NS: Final = 1_718_452_800_000_000_000  # 2024-06-15: a year that every exchange's holidays are known of


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day. `date` is the exchange's own (ISO); `half_day` means it closed early."""

    date: str
    open_ns: int
    close_ns: int
    half_day: bool = False


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of `calendar` whose hours touch a span, in order; every look-up is a bisection.

    >>> days = sessions_between("24/7", 0, 1)
    >>> days.is_open(5), days.session_of(5).date
    (True, '1970-01-01')
    """

    calendar: str
    zone: str
    days: tuple[Session, ...]
    breaks: tuple[tuple[int, int], ...] = ()
    auction_ns: int = CLOSING_AUCTION_NS

    def __len__(self) -> int:
        return len(self.days)

    def session_of(self, ts_ns: int) -> Session | None:
        """The session an instant belongs to: from its open to the end of the closing auction, both included."""
        at = bisect_right(self.days, ts_ns, key=_open_ns) - 1
        if at < 0:
            return None
        day = self.days[at]
        return day if ts_ns <= day.close_ns + self.auction_ns else None

    def session_of_bar(self, close_ns: int, length_ns: int) -> Session | None:
        """The session a bar belongs to. It must lie inside the session and its auction as a whole, so the last
        bar before the opening (it CLOSES at the open) does not count, and the auction's bar does."""
        day = self.session_of(close_ns - length_ns)
        return day if day is not None and close_ns <= day.close_ns + self.auction_ns else None

    def is_open(self, ts_ns: int) -> bool:
        """Whether continuous trading runs at this instant: from the open (included) to the close (not)."""
        day = self.session_of(ts_ns)
        if day is None or ts_ns >= day.close_ns:
            return False
        return not any(start <= ts_ns < end for start, end in self.breaks)

    def next_open(self, ts_ns: int) -> int:
        """The first opening after `ts_ns`."""
        at = bisect_right(self.days, ts_ns, key=_open_ns)
        return self.days[at].open_ns if at < len(self.days) else self._later(ts_ns).next_open(ts_ns)

    def next_close(self, ts_ns: int) -> int:
        """The first close after `ts_ns`."""
        at = bisect_right(self.days, ts_ns, key=_close_ns)
        return self.days[at].close_ns if at < len(self.days) else self._later(ts_ns).next_close(ts_ns)

    def between(self, start_ns: int, end_ns: int) -> "Sessions":
        """The sessions that touch [start_ns, end_ns]; their closing auctions count."""
        first = bisect_left(self.days, start_ns - self.auction_ns, key=_close_ns)
        last = bisect_right(self.days, end_ns, key=_open_ns)
        return Sessions(self.calendar, self.zone, self.days[first:last], self.breaks, self.auction_ns)

    def numbers_of(self, ts_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """For every instant the index of its session in `days`, -1 outside (int64[n])."""
        if not self.days:
            return np.full(len(ts_ns), -1, np.int64)
        opens = np.array([day.open_ns for day in self.days], np.int64)
        ends = np.array([day.close_ns for day in self.days], np.int64) + self.auction_ns
        at = np.searchsorted(opens, ts_ns, side="right") - 1
        return np.where((at >= 0) & (ts_ns <= ends[np.maximum(at, 0)]), at, -1).astype(np.int64)

    def _later(self, ts_ns: int) -> "Sessions":
        wide = sessions_between(self.calendar, ts_ns, ts_ns + _MARGIN_NS)
        if not wide.days or wide.days[-1].open_ns <= ts_ns:
            raise BadValue("ts_ns", ts_ns, f"calendar {self.calendar} has no session after it")
        return wide


def _open_ns(day: Session) -> int:
    return day.open_ns


def _close_ns(day: Session) -> int:
    return day.close_ns


def zone_of(calendar: str) -> str:
    """The time zone of an exchange, without building its calendar where that is known already.

    >>> zone_of("XNYS")
    'America/New_York'
    """
    return _ZONES.get(calendar) or sessions_between(calendar, _KNOWN_NS, _KNOWN_NS).zone


def known_calendar(calendar: str) -> str:
    """`calendar` itself, when there is such an exchange; its calendar is not built for this.

    Raises:
        UnknownName: there is none, with the nearest one.
    """
    if calendar not in _ZONES:
        import exchange_calendars

        names = exchange_calendars.get_calendar_names(include_aliases=True)
        if calendar not in names:
            hint = "XNYS is New York's stock exchange, 24/7 never closes"
            raise UnknownName("calendar", calendar, names, hint)
    return calendar


def sessions_between(calendar: str, start_ns: int, end_ns: int) -> Sessions:
    """The sessions of an exchange that touch [start_ns, end_ns]. Whole years are built once and kept.

    Raises:
        UnknownName: no such calendar (with the nearest one).
        BadValue: the span ends before it starts, or reaches where the calendar's holidays are not known.
    """
    if end_ns < start_ns:
        raise BadValue("end_ns", end_ns, f"give an end not before the start {start_ns}")
    first = np.datetime64(start_ns - _MARGIN_NS, "ns").astype("datetime64[Y]").astype(int) + 1970
    last = np.datetime64(end_ns + _MARGIN_NS, "ns").astype("datetime64[Y]").astype(int) + 1970
    return _years(calendar, int(first), int(last)).between(start_ns, end_ns)


@lru_cache(maxsize=32)
def _years(calendar: str, first: int, last: int) -> Sessions:
    """All sessions of whole years: the expensive part."""
    import exchange_calendars

    known_calendar(calendar)
    try:
        with (
            warnings.catch_warnings()
        ):  # it lags behind pandas' newest names; nothing a user could do about it
            warnings.simplefilter("ignore", DeprecationWarning)
            built = exchange_calendars.get_calendar(calendar, start=f"{first}-01-01", end=f"{last}-12-31")
    except (ValueError, NotImplementedError) as error:  # the latter from holidays that pandas has no form for
        why = str(error).splitlines()[0][:160]
        raise BadValue(
            "span", f"{first}..{last}", f"calendar {calendar} does not reach it ({why})"
        ) from error
    opens = built.schedule["open"].astype("int64").tolist()
    closes = built.schedule["close"].astype("int64").tolist()
    dates = [day.date().isoformat() for day in built.schedule.index]
    early = {day.date().isoformat() for day in built.early_closes}
    table = built.schedule[["break_start", "break_end"]].dropna()
    lunch = (table[column].astype("int64").tolist() for column in ("break_start", "break_end"))
    days = tuple(
        Session(date, start, end, date in early)
        for date, start, end in zip(dates, opens, closes, strict=True)
    )
    auction_ns = 0 if calendar in ("24/7", "24/5") else CLOSING_AUCTION_NS
    return Sessions(calendar, str(built.tz), days, tuple(zip(*lunch, strict=True)), auction_ns)
