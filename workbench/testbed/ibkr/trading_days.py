"""The trading days around now with their hours, as instants: `/contract/trading-schedule`.

Lives here: that route. Not here: the hours of a usual week (contracts.py), when this market is open
(testbed/hours.py).
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from workbench.feeds.calendars import Session as TradingDay
from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.refusals import Refusal

__all__ = ["TradingDays"]

_ZONE: Final = "US/Eastern"
_EASTERN: Final = ZoneInfo("America/New_York")
_DAY_NS: Final = 86_400_000_000_000
_S_NS: Final = 1_000_000_000
_SHOWN: Final = 6
_BEFORE_AND_AFTER: Final = (4, 20)  # extended hours: from, to


class TradingDays:
    """The hours of one exchange's listings."""

    def __init__(self, exchange: Exchange, contracts: Contracts) -> None:
        self.exchange, self._contracts = exchange, contracts

    def routes(self) -> list[Route]:
        return [Route("GET", "/contract/trading-schedule", self.schedule)]

    async def schedule(self, call: Call) -> Answer:
        """Six trading days: the one before, and from the one that is or comes next."""
        if not call.query.get("conid"):
            raise Refusal("Bad Request: conid is required", 400)
        self._contracts.board(call.query["conid"])
        now_ns = self.exchange.clock.now_ns()
        around = now_ns - 7 * _DAY_NS, now_ns + 14 * _DAY_NS
        sessions = await asyncio.to_thread(self.exchange.hours.sessions, *around)
        days = [day for day in sessions.days if around[0] <= day.open_ns <= around[1]]
        first = next((at for at, day in enumerate(days) if day.close_ns > now_ns), len(days))
        chosen = days[max(0, first - 1) :][:_SHOWN]
        schedules = {day.date.replace("-", ""): _hours(day) for day in chosen}
        return Answer({"exchange_time_zone": _ZONE, "schedules": schedules})


def _hours(day: TradingDay) -> dict[str, list[dict[str, Any]]]:
    opens = datetime.fromtimestamp(day.open_ns / _S_NS, UTC).astimezone(_EASTERN)
    early, late = (round(opens.replace(hour=hour, minute=0).timestamp()) for hour in _BEFORE_AND_AFTER)
    return {
        "extended_hours": [{"cancel_daily_orders": True, "opening": early, "closing": late}],
        "liquid_hours": [{"opening": day.open_ns // _S_NS, "closing": day.close_ns // _S_NS}],
    }
