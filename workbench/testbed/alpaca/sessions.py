"""Alpaca's clock and calendar routes, in both versions: the US market's hours.

Lives here: how the hours are told. Not here: when the market is open (testbed/hours.py).
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from workbench.errors import BadValue
from workbench.feeds.calendars import Session
from workbench.testbed.alpaca.refusals import malformed, not_found
from workbench.testbed.alpaca.words import rfc3339, wanted_ns
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange

__all__ = ["TradingSessions"]

_NEW_YORK: Final = ZoneInfo("America/New_York")
_HOUR_NS: Final = 3_600_000_000_000
_DAY_NS: Final = 24 * _HOUR_NS
_MARKETS: Final = {
    "NYSE": ("XNYS", "New York Stock Exchange"),
    "NASDAQ": ("XNAS", "Nasdaq"),
}
"""(MIC, name) by acronym: the markets whose hours are known here."""


class TradingSessions:
    """The clock and calendar routes over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v2/clock", self.clock),
            Route("GET", "/v2/calendar", self.calendar),
            Route("GET", "/v3/clock", self.clocks),
            Route("GET", "/v3/calendar/{market}", self.market_calendar),
        ]

    async def clock(self, call: Call) -> Answer:
        exchange, now_ns = self.exchange, self.exchange.clock.shown_ns()
        hours = exchange.hours
        await hours.built(now_ns)
        return Answer(
            {
                "timestamp": _eastern(now_ns),
                "is_open": hours.is_open(exchange.clock.now_ns()),
                "next_open": _eastern(hours.next_open(now_ns)),
                "next_close": _eastern(hours.next_close(now_ns)),
            }
        )

    async def clocks(self, call: Call) -> Answer:
        """Where each market asked for is in its day."""
        named = call.query.get("markets")
        markets = [_market(name) for name in named.split(",")] if named else list(_MARKETS)
        now_ns = self.exchange.clock.shown_ns()
        if call.query.get("time"):
            asked_ns = wanted_ns(call.query["time"])
            if asked_ns is None:
                raise malformed("invalid time: give it as RFC 3339")
            now_ns = asked_ns
        hours = self.exchange.hours
        days = await self._days(now_ns - 10 * _DAY_NS, now_ns + 10 * _DAY_NS)
        phase, until_ns = _phase(days, now_ns)
        if hours.is_open(self.exchange.clock.now_ns()) and not call.query.get("time"):
            phase, until_ns = "core", _next(now_ns, [day.close_ns for day in days])
        body = {
            "timestamp": _eastern(now_ns),
            "is_market_day": any(day.date == _eastern(now_ns)[:10] for day in days),
            "next_market_open": _eastern(_next(now_ns, [day.open_ns for day in days])),
            "next_market_close": _eastern(_next(now_ns, [day.close_ns for day in days])),
            "phase": phase,
            "phase_until": _eastern(until_ns),
        }
        return Answer({"clocks": [{"market": _market_body(market), **body} for market in markets]})

    async def calendar(self, call: Call) -> Answer:
        days, following = await self._asked_for(call)
        return Answer(
            [
                {
                    "date": day.date,
                    "open": _eastern(day.open_ns)[11:16],
                    "close": _eastern(day.close_ns)[11:16],
                    "session_open": "0400",
                    "session_close": "2000",
                    "settlement_date": settled,
                }
                for day, settled in zip(days, following, strict=True)
            ]
        )

    async def market_calendar(self, call: Call) -> Answer:
        """Every session of every day asked for."""
        market = _market(call.path["market"])
        days, following = await self._asked_for(call)
        rows = []
        for day, settled in zip(days, following, strict=True):
            pre_ns, post_ns = _around(day)
            rows.append(
                {
                    "date": day.date,
                    "pre_start": _eastern(pre_ns),
                    "pre_end": _eastern(day.open_ns),
                    "core_start": _eastern(day.open_ns),
                    "core_end": _eastern(day.close_ns),
                    "post_start": _eastern(day.close_ns),
                    "post_end": _eastern(post_ns),
                    "settlement_date": settled,
                }
            )
        return Answer({"market": _market_body(market), "calendar": rows})

    async def _asked_for(self, call: Call) -> tuple[list[Session], list[str]]:
        """(the days from `start` to `end`, the day on which each one's trades settle)."""
        now_ns = self.exchange.clock.now_ns()
        start = wanted_ns(call.query["start"]) if call.query.get("start") else now_ns - 30 * _DAY_NS
        end = wanted_ns(call.query["end"]) if call.query.get("end") else now_ns + 30 * _DAY_NS
        if start is None or end is None:
            raise malformed("invalid date: give it as YYYY-MM-DD")
        if end < start:
            raise malformed("end must not be before start")
        days = await self._days(start, end + 10 * _DAY_NS)
        first, last = rfc3339(start)[:10], rfc3339(end)[:10]
        later = [day.date for day in days[1:]] + [days[-1].date] if days else []
        chosen = [
            (day, settled) for day, settled in zip(days, later, strict=True) if first <= day.date <= last
        ]
        return [day for day, _ in chosen], [settled for _, settled in chosen]

    async def _days(self, start_ns: int, end_ns: int) -> list[Session]:
        try:
            return list((await asyncio.to_thread(self.exchange.hours.sessions, start_ns, end_ns)).days)
        except BadValue as error:
            raise malformed(str(error)) from error


def _market(given: str) -> str:
    """The acronym of a market named by it or by its MIC."""
    for acronym, (mic, _) in _MARKETS.items():
        if given.strip().upper() in (acronym, mic):
            return acronym
    raise not_found(f"market not found: {given}")


def _market_body(acronym: str) -> dict[str, Any]:
    mic, name = _MARKETS[acronym]
    return {"acronym": acronym, "mic": mic, "name": name, "timezone": "America/New_York"}


def _around(day: Session) -> tuple[int, int]:
    """(start of the pre-market, end of the after-hours session): 04:00, and four hours after the close."""
    opens = datetime.fromtimestamp(day.open_ns / 1e9, UTC).astimezone(_NEW_YORK)
    pre_ns = round(opens.replace(hour=4, minute=0).timestamp()) * 1_000_000_000
    return pre_ns, day.close_ns + 4 * _HOUR_NS


def _phase(days: list[Session], now_ns: int) -> tuple[str, int]:
    """(the phase of the day, when it ends)."""
    for day in days:
        pre_ns, post_ns = _around(day)
        ends = ((pre_ns, "closed"), (day.open_ns, "pre"), (day.close_ns, "core"), (post_ns, "post"))
        for end_ns, phase in ends:
            if now_ns < end_ns:
                return phase, end_ns
    return "closed", now_ns


def _next(now_ns: int, moments: list[int]) -> int:
    return next((ns for ns in moments if ns > now_ns), now_ns)


def _eastern(ts_ns: int) -> str:
    """A time as the clock and the calendar write it: New York's, with its offset."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC).astimezone(_NEW_YORK).isoformat()
