"""The gateway's charts: finished bars between two times, asked for piece by piece from the end.

Lives here: the asking. Not here: reading a chart (bars.py), data that is told (feed.py).
"""

from datetime import datetime
from time import gmtime, strftime
from typing import Final

from workbench.brokers.ibkr.bars import history_bars
from workbench.brokers.ibkr.client import IbkrClient
from workbench.errors import BadValue, VenueRefused
from workbench.model.market import Bar

__all__ = ["charted", "timeframe_of"]

_SPANS: Final = {
    "1Min": ("1min", 60),
    "5Min": ("5min", 300),
    "15Min": ("15min", 900),
    "30Min": ("30min", 1800),
    "1Hour": ("1h", 3600),
    "1Day": ("1d", 86_400),
}
_MOST_BARS: Final = 1_000
_S_NS: Final = 1_000_000_000


def timeframe_of(length_ns: int) -> str:
    """The timeframe of bars of a length; "" when the venue has none.

    >>> timeframe_of(300_000_000_000), timeframe_of(7_000_000_000)
    ('5Min', '')
    """
    return next((name for name, (_, length_s) in _SPANS.items() if length_s * _S_NS == length_ns), "")


async def charted(
    client: IbkrClient, conid: int, iid: int, start: str, end: str, timeframe: str, now_ns: int
) -> tuple[list[Bar], int]:
    """(finished bars of a contract, oldest first, how many were left out because they cannot be true).

    Raises:
        BadValue: a time or a timeframe there is not.
    """
    if timeframe not in _SPANS:
        raise BadValue("timeframe", timeframe, f"give one of {', '.join(_SPANS)}")
    bar, length_s = _SPANS[timeframe]
    start_ns, end_ns = _moment("start", start), _moment("end", end)
    found: dict[int, Bar] = {}
    until_ns, dropped = end_ns, 0
    while until_ns > start_ns:
        span_s = min((until_ns - start_ns) // _S_NS, _MOST_BARS * length_s)
        query = {
            "conid": str(conid),
            "bar": bar,
            "period": _period(max(span_s, length_s)),
            "startTime": strftime("%Y%m%d-%H:%M:%S", gmtime(until_ns // _S_NS)),
        }
        try:
            body = await client.history(query)
        except VenueRefused as error:
            if error.code == "NO_DATA":
                break
            raise
        bars, bad = history_bars(body, iid, now_ns)
        dropped += bad
        fresh = {b.ts_ns: b for b in bars if b.ts_ns not in found and start_ns < b.ts_ns <= end_ns}
        if not fresh:
            break
        found |= fresh
        until_ns = min(fresh) - length_s * _S_NS
    return [found[ts_ns] for ts_ns in sorted(found)], dropped


def _moment(field: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadValue(field, text, "give a date, or a time like 2026-01-05T14:30:00Z") from error
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else f"{text}+00:00")
    return round(moment.timestamp()) * _S_NS


def _period(seconds: int) -> str:
    """A period that covers so many seconds, as the venue writes it.

    >>> _period(600), _period(7_000), _period(200_000)
    ('10min', '2h', '3d')
    """
    minutes = -(-seconds // 60)
    if minutes <= 30:
        return f"{minutes}min"
    hours = -(-minutes // 60)
    return f"{hours}h" if hours <= 8 else f"{min(-(-hours // 24), 1_000)}d"
