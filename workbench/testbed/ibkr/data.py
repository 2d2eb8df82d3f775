"""Market data over REST: snapshots that have to be asked for twice, and history.

Lives here: the data routes. Not here: what a field shows (fields.py), streams (socket.py).
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from time import gmtime, strftime
from typing import Any, Final

from workbench.testbed.call import Answer, Call, Route
from workbench.testbed.exchange import Exchange
from workbench.testbed.ibkr.asked import json_object
from workbench.testbed.ibkr.contracts import Contracts
from workbench.testbed.ibkr.fields import Fields
from workbench.testbed.ibkr.refusals import Refusal, accounts_first, too_many
from workbench.testbed.ibkr.session import Session
from workbench.testbed.market import DAY_NS, MINUTE_NS, Board, Candle

__all__ = ["FORMATS", "Data", "history_rows"]

_CHARTS: Final = 5
_CHART_S: Final = 0.002
_POINTS: Final = 1_000
_SPAN: Final = re.compile(r"(\d+)(min|h|d|w|m|y|S)")
_UNITS: Final = {
    "S": 1_000_000_000,
    "min": MINUTE_NS,
    "h": 60 * MINUTE_NS,
    "d": DAY_NS,
    "w": 7 * DAY_NS,
    "m": 30 * DAY_NS,
    "y": 365 * DAY_NS,
}
_LOTS: Final = ((250.0, 100), (1_000.0, 40), (10_000.0, 10))  # prices up to which a lot holds so many shares
FORMATS: Final = {"%o": "o", "%c": "c", "%h": "h", "%l": "l", "%v": "v"}


class Data:
    """The data routes of one gateway."""

    def __init__(
        self, exchange: Exchange, session: Session, contracts: Contracts, fields: Fields, *, limited: bool
    ) -> None:
        self.exchange, self.session = exchange, session
        self.limited = limited
        self._contracts, self._fields = contracts, fields
        self._charts = 0
        self._served = 0

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/iserver/marketdata/snapshot", self.snapshot),
            Route("GET", "/md/snapshot", self.snapshot),
            Route("GET", "/iserver/marketdata/history", self.history),
            Route("POST", "/iserver/marketdata/unsubscribe", self.unsubscribe),
            Route("GET", "/iserver/marketdata/unsubscribeall", self.unsubscribe_all),
            Route("GET", "/iserver/marketdata/{conid}/unsubscribe", self.unsubscribe),
        ]

    def snapshot(self, call: Call) -> Answer:
        """The first call for a contract only starts its data: it answers with the number alone."""
        if not self.session.accounts_asked:
            raise accounts_first()
        conids = [c for c in call.query.get("conids", "").split(",") if c]
        if not conids:
            raise Refusal("Bad Request: conids is required", 400)
        wanted = [f for f in call.query.get("fields", "31,84,86").split(",") if f]
        rows = []
        for given in conids:
            board = self._contracts.board(given)
            conid = self._contracts.conids[board.listing.iid]
            if conid in self.session.started:
                rows.append({**self._fields.head(board), **self._fields.of(board, wanted)})
            else:
                self.session.started.add(conid)
                rows.append({"conid": conid, "conidEx": str(conid)})
        return Answer(rows)

    def unsubscribe(self, call: Call) -> Answer:
        given = call.path.get("conid") or json_object(call.body).get("conid")
        conid = self._contracts.conids[self._contracts.board(given).listing.iid]
        if conid not in self.session.started:
            raise Refusal("unknown", 404)
        self.session.started.discard(conid)
        return Answer({"success": True})

    def unsubscribe_all(self, call: Call) -> Answer:
        self.session.started.clear()
        return Answer({"unsubscribed": True})

    async def history(self, call: Call) -> Answer:
        """Bars of a contract; five charts at the same time."""
        query = call.query
        board = self._contracts.board(query.get("conid"))
        if self.limited and self._charts >= _CHARTS:
            return too_many("Too many history charts requests, please try again later.")
        self._charts += 1
        try:
            await asyncio.sleep(_CHART_S)
            return Answer(self.chart(board, query))
        finally:
            self._charts -= 1

    def chart(self, board: Board, said: dict[str, Any]) -> dict[str, Any]:
        """A chart as it is answered and streamed."""
        bar, period = str(said.get("bar") or "1min"), str(said.get("period") or "1w")
        step_ns, span_ns = span_of("bar", bar), span_of("period", period)
        end_ns = _moment(str(said.get("startTime") or "")) or self.exchange.clock.now_ns()
        candles = [
            c
            for c in candles_of(board, step_ns, self.exchange.clock.now_ns())
            if end_ns - span_ns <= c.start_ns < end_ns
        ]
        if not candles:
            raise Refusal("No data.", 500)
        candles = candles[-_POINTS:]
        self._served += 1
        top, bottom = max(candles, key=lambda c: c.high), min(candles, key=lambda c: c.low)
        start_ns, lot = candles[0].start_ns, round_lot(candles[-1].close)
        return {
            "serverId": str(20_000 + self._served),
            "symbol": board.listing.symbol,
            "text": board.listing.name.upper(),
            "priceFactor": 100,
            "startTime": strftime("%Y%m%d-%H:%M:%S", gmtime(start_ns // 1_000_000_000)),
            "high": f"{round(top.high * 100)}/{_in_lots(top, lot)}/{(top.start_ns - start_ns) // MINUTE_NS}",
            "low": f"{round(bottom.low * 100)}/{_in_lots(bottom, lot)}/{(bottom.start_ns - start_ns) // MINUTE_NS}",
            "timePeriod": period,
            "barLength": step_ns // 1_000_000_000,
            "mdAvailability": "S",
            "mktDataDelay": 0,
            "outsideRth": str(said.get("outsideRth", "false")).lower() == "true",
            "volumeFactor": lot,
            "priceDisplayRule": 1,
            "priceDisplayValue": "2",
            "negativeCapable": False,
            "messageVersion": 2,
            "data": history_rows(candles, "ohlcv", lot),
            "points": len(candles) - 1,
            "travelTime": 1,
        }


def span_of(field: str, given: str) -> int:
    """A bar's length or a period in ns.

    Raises:
        Refusal: it is not written like 1min, 2h, 3d, 1w, 6m or 1y.
    """
    found = _SPAN.fullmatch(given)
    if found is None or not int(found[1]):
        raise Refusal(f"Bad Request: {field} {given} is not valid", 400)
    return int(found[1]) * _UNITS[found[2]]


def candles_of(board: Board, step_ns: int, now_ns: int) -> Sequence[Candle]:
    """Candles of a length, the one under way among them; daily ones and longer from the days there are."""
    if step_ns >= DAY_NS:
        recent = _joined(list(board.candles), DAY_NS)
        older = [c for c in board.days if not recent or c.start_ns < recent[0].start_ns]
        return _joined(older + recent, step_ns)
    candles = list(board.candles)
    if board.forming is not None:
        candles.append(board.candle(now_ns))
    return _joined(candles, step_ns) if step_ns > MINUTE_NS else candles


def _joined(candles: Iterable[Candle], step_ns: int) -> list[Candle]:
    out: list[Candle] = []
    for c in candles:
        start_ns = c.start_ns // step_ns * step_ns
        if out and out[-1].start_ns == start_ns:
            last = out[-1]
            out[-1] = Candle(
                start_ns,
                last.end_ns,
                last.open,
                max(last.high, c.high),
                min(last.low, c.low),
                c.close,
                last.volume + c.volume,
                last.count + c.count,
                last.value + c.value,
            )
        else:
            out.append(
                Candle(
                    start_ns, start_ns + step_ns, c.open, c.high, c.low, c.close, c.volume, c.count, c.value
                )
            )
    return out


def history_rows(candles: Iterable[Candle], letters: str, lot: int) -> list[dict[str, Any]]:
    """Bars as they are answered: named by their start, in ms; volumes in lots."""
    rows = []
    for c in candles:
        whole = {"o": c.open, "c": c.close, "h": c.high, "l": c.low, "v": _in_lots(c, lot)}
        rows.append({**{k: v for k, v in whole.items() if k in letters}, "t": c.start_ns // 1_000_000})
    return rows


def round_lot(px: float) -> int:
    """The round lot of a US stock by its price (rule of November 2025).

    >>> [round_lot(px) for px in (250.0, 250.01, 1_000.01, 700_000.0)]
    [100, 40, 10, 1]
    """
    return next((lot for edge, lot in _LOTS if px <= edge), 1)


def _in_lots(candle: Candle, lot: int) -> float:
    return round(candle.volume / lot, 3)


def _moment(given: str) -> int:
    """A time as YYYYMMDD-HH:MM:SS in ns; 0 for none."""
    if not given:
        return 0
    try:
        parsed = datetime.strptime(given, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(f"Bad Request: startTime {given} is not valid", 400) from None
    return int(parsed.timestamp()) * 1_000_000_000
